"""Searches: `sweep.py --search N`."""

import csv
import json
import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

import train
from tensorgrad.errors import ConfigError
from tests import runs
from training import worker_process
from training.grid import folder_name
from training.search import PRUNE_TRIALS, STARTUP, Search, Trial, importances, should_prune, suggest
from training.search_space import Range, read_space, space_of

pytest.importorskip("optuna")

TINY = (*runs.TINY, "--out", "s")  # of train.py; sweeps have no option --eager
TINY = tuple(word for word in TINY if word != "--eager")
RATES = (*TINY, "--lr", "1e-3:0.3:log")


# ------------------------------------------------------------------------------------------------ spaces

# fmt: off
SPACES = [
    ({"lr": ["1e-4:0.1:log"]},            {"lr": Range(1e-4, 0.1, True)}),
    ({"dropout": ["0:0.5"]},              {"dropout": Range(0.0, 0.5)}),
    ({"hidden": ["16:256:log"]},          {"hidden": Range(16, 256, True, True)}),
    ({"epochs": ["3:9"], "seed": ["1"]},  {"epochs": Range(3, 9)}),
    ({"hidden": ["8", "8,4"]},            {"hidden": [[8], [8, 4]]}),
    ({"nesterov": ["true", "false"]},     {"nesterov": [True, False]}),
    ({"model": ["a.py:Net", "b.py:Net"]}, {"model": ["a.py:Net", "b.py:Net"]}),
]
MISTAKES = [
    (("--lr", "0.1"),                                    "--search has nothing to choose: give an option a range"),
    (("--lr", "1:0.1"),                                  "--lr: low must be less than high, got 1 and 0.1"),
    (("--lr", "0.1:0.1"),                                "--lr: low must be less than high"),
    (("--lr", "0:1:log"),                                "--lr: low must be a number greater than 0, got '0'"),
    (("--l2", "0:1:log"),                                "--l2: with log, low must be greater than 0, got 0"),
    (("--lr", "a:b"),                                    "--lr: low must be a number greater than 0, got 'a'"),
    (("--lr", "0.1:1:lin"),                              "--lr: a range is LOW:HIGH or LOW:HIGH:log"),
    (("--lr", "0.1:1:log:2"),                            "--lr: a range is LOW:HIGH or LOW:HIGH:log"),
    (("--lr", "0.1:1", "2"),                             "--lr has one range or several values, got 0.1:1 2"),
    (("--hidden", "4:1.5"),                              "--hidden: high must be an integer of at least 1"),
    (("--hidden", "4,4:8,8"),                            "--hidden: the ends of a range are numbers"),
    (("--betas", "0.1:0.2"),                             "--betas: low must be two numbers"),
    (("--optimizer", "sgd:adam"),                        "--optimizer must be one of"),
    (("--seed", "0", "1"),                               "--seed needs one value in a search"),
    (("--lr", "0.1:1", "--validation", "0", "0.1"),      "--validation needs one value in a search"),
    (("--lr", "0.1:1", "--validation", "0"),             "it needs some, not validation 0"),
    (("--lr", "0.1:1", "--sample", "3"),                 "--sample cannot be combined with --search"),
    (("--optimizer", "sgd", "adam", "--momentum", "0:1"), "--momentum: high must be a number of at least 0 and less"),
    (("--optimizer", "sgd", "adam", "--momentum", "0:0.9"), "--momentum is an option of sgd, rmsprop, not of"),
    (("none.yaml",),                                     "cannot read the search none.yaml"),
]
FILES = [
    ("[1]",                                       "must be a dict with search, and perhaps common"),
    ("grids: []",                                 "unknown key 'grids'; valid: search, common"),
    ("search: {}",                                "has nothing to choose"),
    ("search: {lr: {low: 0.1, high: 1}}\nx: 1",   "unknown key 'x'; valid: search, common"),
    ("search: {lr: {low: 0.1, hi: 1}}",           "lr: unknown key 'hi'; valid: low, high, log"),
    ("search: {lr: {low: 0.1}}",                  "lr: high is missing"),
    ("search: {lr: {low: 0.1, high: }}",          "lr cannot be null"),
    ("search: {lr: {low: [0.1], high: 1}}",       "lr: low cannot be [0.1]"),
    ("search: {lr: {low: 0.1, high: 1, log: 2}}", "lr: log must be true or false, got 2"),
    ("search: {lr: {low: 1, high: 0.1}}",         "lr: low must be less than high"),
    ("search: {optimizer: {low: sgd, high: b}}",  "optimizer: only numbers have a range: list the values"),
    ("search: {nesterov: {low: 0, high: 1}}",     "nesterov: only numbers have a range"),
    ("search: {lrr: {low: 0, high: 1}}",          "lrr is not an option that a search can vary; did you mean lr?"),
    ("search: {seed: [0, 1]}",                    "seed needs one value in a search"),
    ("common: 3\nsearch: {lr: [1, 2]}",           "common must be a dict"),
]
# fmt: on


@pytest.mark.parametrize(("given", "expected"), SPACES, ids=[str(next(iter(row[0]))) for row in SPACES])
def test_ranges_and_lists_of_the_command_line(given, expected):
    space = space_of(given)
    assert space.axes == expected
    assert [type(axis) for axis in space.axes.values()] == [type(axis) for axis in expected.values()]
    assert space.common == ({"seed": 1} if "seed" in given else {})


def test_a_file_means_the_same_as_the_command_line(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text("common: {epochs: 3}\nsearch: {lr: {low: 1e-4, high: 0.1, log: true}, hidden: [8, [8, 4]]}")
    assert read_space(path) == space_of({"epochs": ["3"], "lr": ["1e-4:0.1:log"], "hidden": ["8", "8,4"]})


@pytest.mark.parametrize(("arguments", "says"), MISTAKES, ids=[" ".join(row[0]) for row in MISTAKES])
def test_mistake_is_one_line(refused, arguments, says):
    refused("--search", "3", "--dataset", "digits", *arguments, says=says) if "none.yaml" not in arguments else refused(
        "--search", "3", *arguments, says=says
    )
    assert not list(Path().iterdir())


@pytest.mark.parametrize(("content", "says"), FILES, ids=[row[0] for row in FILES])
def test_malformed_file_is_refused_in_one_line(tmp_path, content, says):
    path = tmp_path / "s.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError) as caught:
        read_space(path)
    assert says in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_what_belongs_to_searches_alone_says_so(refused):
    refused("--lr", "0.1:1", says="(a range needs --search N)")
    Path("s.yaml").write_text("search: {lr: {low: 0.1, high: 1}}")
    refused("s.yaml", says="s.yaml: `search` needs --search N")
    refused("--search", "0", "--lr", "0.1:1", says="--search must be an integer of at least 1, got '0'")


def test_without_optuna_the_error_says_what_to_install(refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    refused("--search", "2", *RATES, says='--search needs Optuna: python -m pip install -e ".[search]"')
    assert not Path("s").exists()


# ------------------------------------------------------------------------------------------------ what is asked

SPACE = space_of({"lr": ["1e-4:1:log"], "hidden": ["8", "8,4"], "dropout": ["0:0.5"], "batch_size": ["16:64"]})


def finished(settings, accuracy, test=0.5, curve=()):
    result = {"status": "finished", "val_accuracy": accuracy, "test_accuracy": test, "best_epoch": 1}
    return Trial("run", settings, None, result, list(curve) or [accuracy])


def searched(score, count, space=SPACE):
    trials = []
    for _ in range(count):
        settings = suggest(space, trials)
        trials.append(finished(settings, score(settings)))
    return trials


def distance(settings):
    return abs(np.log10(settings["lr"]) + 2)  # from a rate of 0.01


def test_settings_are_in_the_space_and_readable():
    for trial in searched(lambda settings: 0.5, 12):
        lr, hidden, dropout, batch_size = (trial.settings[name] for name in SPACE.axes)
        assert 1e-4 <= lr <= 1
        assert hidden in ([8], [8, 4])
        assert 0 <= dropout <= 0.5
        assert isinstance(batch_size, int)
        assert 16 <= batch_size <= 64
        assert float(f"{lr:.4g}") == lr


def test_a_search_finds_better_settings_than_random_draws():
    ends = []
    for seed in ("0", "1"):
        space = space_of({"lr": ["1e-4:1:log"], "seed": [seed]})
        trials = searched(lambda settings: 1 - distance(settings) / 3, 45, space)
        ends += [distance(trial.settings) for trial in trials[-10:]]
    assert np.mean(ends) < 0.5  # of random draws, it would be 1.0, with a standard deviation of 0.13


def test_what_is_asked_depends_on_the_trials_and_the_seed_alone():
    trials = searched(lambda settings: 1 - distance(settings) / 3, STARTUP + 2)
    assert suggest(SPACE, trials) == suggest(SPACE, trials)
    other = space_of({"lr": ["1e-4:1:log"], "seed": ["1"]})
    assert suggest(other, [])["lr"] != suggest(space_of({"lr": ["1e-4:1:log"]}), [])["lr"]
    assert suggest(other, [])["seed"] == 1


def test_the_accuracy_on_the_test_images_changes_nothing():
    trials = searched(lambda settings: 1 - distance(settings) / 3, STARTUP + 2)
    asked, parts = suggest(SPACE, trials), importances(SPACE, trials)
    for i, trial in enumerate(trials):
        trial.result["test_accuracy"] = i / 100
        trial.result["test_loss"] = 1 - i
    assert suggest(SPACE, trials) == asked
    assert importances(SPACE, trials) == parts
    trials[0].result["val_accuracy"] = 0.999
    assert suggest(SPACE, trials) != asked  # the accuracy on the validation images does


def test_most_important_is_the_option_that_matters():
    parts = importances(SPACE, searched(lambda settings: 1 - distance(settings) / 3, 25))
    assert next(iter(parts)) == "lr"
    assert sum(parts.values()) == pytest.approx(1)


CURVES = [[0.5, 0.6, 0.7, 0.8]] * PRUNE_TRIALS


@pytest.mark.parametrize(("others", "curve", "expected"), [
    (CURVES, [0.1, 0.2, 0.3], True), (CURVES, [0.5, 0.7, 0.75], False), (CURVES, [0.1, 0.2], False),
    (CURVES[1:], [0.1, 0.2, 0.3], False), (CURVES, [], False),
    (CURVES, [0.9, 0.2, 0.3], False),  # its best epoch counts
])  # fmt: skip
def test_a_trial_worse_than_the_median_is_stopped_but_not_at_the_start(others, curve, expected):
    trials = [finished({"lr": 0.1}, max(c), curve=c) for c in others]
    trial = Trial("running", {"lr": 0.2}, curve=curve)
    assert should_prune(space_of({"lr": ["0.01:1"]}), [*trials, trial], trial) == expected


# ------------------------------------------------------------------------------------------------ from start to end


def described(folder="s"):
    return json.loads(Path(folder, "search.json").read_text())["trials"]


def test_a_search_from_start_to_end(run_sweep, look, request):
    arguments = ("--search", "6", *runs.combined(*RATES, "--epochs", "3", "--hidden", "4:32:log", "--workers", "2"))
    result = run_sweep(*arguments)
    assert result.code == 0, result.err
    trials = described()
    assert len(trials) == 6
    assert set(look.endings()) == {trial["run"] for trial in trials}
    assert {path.name for path in Path("s").iterdir()} == {
        ".lock", "search.json", "runs", "results.csv", "table.md", "history.png", "importance.png", "contour.png",
    }  # fmt: skip
    assert [line.split()[0] for line in result.err.splitlines()] == [f"{i}/6" for i in range(1, 7)]
    assert "test" not in result.err

    accuracies = {}
    for trial in trials:
        accuracies[trial["run"]] = json.loads(Path("s/runs", trial["run"], "result.json").read_text())["val_accuracy"]
    best = max(accuracies, key=accuracies.get)
    assert accuracies[best] > min(accuracies.values())
    table = Path("s/table.md").read_text()
    assert f"runs/{best};" in table
    assert table.count("test accuracy") == 1  # that of the best one
    assert table in result.out
    with Path("s/results.csv").open(newline="") as file:
        assert {row["run"]: float(row["val_accuracy"]) for row in csv.DictReader(file)} == accuracies

    # The same command only writes tables and pictures again; with a larger number, it goes on.
    before = look.stamps()
    again = run_sweep(*arguments, pictures=False)
    assert (again.code, again.err) == (0, "")
    assert "6 trials in s, 6 of them have ended before" in again.out
    request.getfixturevalue("here")
    more = run_sweep(*arguments[:1], "7", *arguments[2:], pictures=False)
    assert more.code == 0
    assert described()[:6] == trials
    assert {name: stamp for name, stamp in look.stamps().items() if name in before} == before
    refused = run_sweep("--search", "7", *TINY, "--lr", "1e-3:0.4:log")
    assert (refused.code, refused.err.count("\n")) == (2, 1)
    assert "s contains a search with other settings or data" in refused.err


def test_one_option_and_options_without_an_order(run_sweep, here):
    assert run_sweep("--search", "3", *RATES).code == 0
    assert Path("s/slice.png").is_file()
    lists = ("--out", "t", "--optimizer", "sgd", "adam", "--hidden", "4", "8,4")
    result = run_sweep("--search", "4", *runs.combined(*TINY, *lists))
    assert result.code == 0, result.err
    assert Path("t/history.png").is_file()
    assert len(described("t")) == 4  # of which some may be equal, and are run once


def test_folders_that_are_in_use(refused, run_sweep):
    Path("s").mkdir()
    Path("s/sweep.json").write_text("{}")
    refused("--search", "2", *RATES, says="--out s is not empty and contains no search")
    Path("s/sweep.json").unlink()
    Path("s/search.json").write_text("{")
    refused("--search", "2", *RATES, says="s/search.json is damaged")


def test_a_bad_trial_is_stopped_and_can_be_resumed(run_sweep, look, workplace):
    axes = {name: [value] for name, value in zip(("dataset", "epochs", "batch_size", "lr"),
            ("digits", "1000", "256", "1e-9"), strict=True)}  # fmt: skip
    space = space_of({**axes, "hidden": ["4:64"]})
    from tensorgrad.data import load
    from training.images import about

    found = Search(Path("s"), space, f"digits {about(load('digits'))['fingerprint']}")
    for hidden in range(4, 4 + PRUNE_TRIALS):  # better ones, which ended earlier
        settings = space.settings({"hidden": [hidden]})
        trial = Trial(folder_name(settings, ["hidden"]), settings)
        found.trials.append(trial)
        found.place(trial).mkdir(parents=True)
        epochs = "".join(f"{epoch},0.9\n" for epoch in range(1, 1001))
        (found.place(trial) / "metrics.csv").write_text(f"epoch,val_accuracy\n{epochs}")
        result = {"status": "finished", "val_accuracy": 0.9, "test_accuracy": 0.9, "best_epoch": 1}
        (found.place(trial) / "result.json").write_text(json.dumps(result))
    found.write()
    words = [word for name, (value,) in axes.items() for word in (f"--{name.replace('_', '-')}", value)]
    count = PRUNE_TRIALS + 1
    result = run_sweep("--search", count, *words, "--hidden", "4:64", "--out", "s", "--workers", "1")
    assert result.code == 0, result.err
    *_, last = described()
    assert 3 <= last["pruned"] < 1000
    assert "pruned" in result.err
    assert f"{PRUNE_TRIALS} finished, 1 pruned" in Path("s/table.md").read_text()
    assert not list(Path("s").glob("stop*"))
    assert last["run"] not in look.endings()

    again = run_sweep("--search", count, *words, "--hidden", "4:64", "--out", "s", pictures=False)  # not continued
    assert f"{count} trials in s, {count} of them have ended before" in again.out
    history = Path("s/runs", last["run"], "metrics.csv").read_text().count("\n") - 1
    assert train.main(["--resume", f"s/runs/{last['run']}", "--epochs", str(history + 1), "--quiet"]) == 0


def test_a_trial_that_fails_is_reported_and_the_others_continue(run_sweep, here):
    words = ("--workers", "1", *TINY, "--lr", "0.01:0.1")
    result = run_sweep("--search", "1", *words, pictures=False)
    assert result.code == 0
    (folder,) = Path("s/runs").iterdir()
    (folder / "result.json").unlink()
    (folder / "last.npz").write_bytes(b"not a checkpoint")
    result = run_sweep("--search", "2", *words, pictures=False)
    assert result.code == 1
    assert "sweep.py: trial 1 failed: s/runs/" in result.err
    assert "1 failed, 1 finished" in Path("s/table.md").read_text()


# ------------------------------------------------------------------------------------------------ stopped and killed


def test_killed_search_continues_as_if_nothing_had_happened(
    begin, until, look, workplace, run_sweep, here, monkeypatch
):
    whole = ("--search", "10", *runs.combined(*RATES, "--out", "whole"), "--workers", "1")
    assert run_sweep(*whole, pictures=False).code == 0
    arguments = ("--search", "10", *RATES, "--workers", "1")
    started, run_one = [], worker_process.run_one

    def run_two(**job):
        started.append(job)
        if len(started) > 2:
            raise runs.Killed
        return run_one(**job)

    with monkeypatch.context() as patch:
        patch.setattr(worker_process, "run_one", run_two)
        with pytest.raises(runs.Killed):
            run_sweep(*arguments, pictures=False)
    assert len(look.endings()) == 2

    program = begin(*arguments)
    until(lambda: len(look.endings()) >= 9)  # when trials are no longer drawn at random
    os.kill(program.pid, signal.SIGKILL)
    program.communicate(timeout=200)
    until(lambda: not look.processes(workplace))
    assert run_sweep(*arguments, pictures=False).code == 0
    assert described("s") == described("whole")
    assert set(look.endings().values()) == {"finished"}


def test_ctrl_c_saves_the_trials_and_the_same_command_continues(begin, hold, look, workplace, run_sweep, here):
    arguments = ("--search", "3", *runs.combined(*RATES, "--epochs", "4"), "--workers", "1")
    given = runs.combined(*RATES, "--epochs", "4")
    names = [word.removeprefix("--").replace("-", "_") for word in given[::2]]
    space = space_of({n: [value] for n, value in zip(names, given[1::2], strict=True) if n != "out"})
    name = folder_name(suggest(space, []), ["lr"])
    hold.begin(name)
    program = begin(*arguments)
    hold.until(1)
    program.send_signal(signal.SIGINT)
    _, err = program.communicate(timeout=200)
    assert program.returncode == 130
    assert err.splitlines()[-1] == "sweep.py: stopped after 0 of 3 trials; the same command continues the sweep"
    assert "Traceback" not in err
    assert not list(Path("s").glob("stop*"))
    assert not look.processes(workplace)
    assert (Path("s/runs") / name / "last.npz").is_file()
    assert run_sweep(*arguments, pictures=False).code == 0
    assert len(look.endings()) == 3


@pytest.mark.slow
def test_a_search_on_a_cluster(run_sweep, look):
    pytest.importorskip("distributed")
    result = run_sweep("--search", "3", *RATES, "--workers", "2", "--cluster", "local", pictures=False)
    assert result.code == 0, result.err
    assert set(look.endings().values()) == {"finished"}
    assert len(look.endings()) == 3
