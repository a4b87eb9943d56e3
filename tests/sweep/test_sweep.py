"""sweep.py from its options to its results."""

import csv
import json
from pathlib import Path

import pytest

import evaluate
import train
from tests import runs

TINY = (*runs.COMPILED, "--out", "s")


# ------------------------------------------------------------------------------------------ from start to end


def test_a_sweep_from_start_to_end(run_sweep, look, request):
    arguments = (*TINY, "--lr", "0.01", "0.1", "--seed", "0", "1", "--workers", "2")
    result = run_sweep(*arguments, pictures=False)  # the test of the bar checks the pictures
    assert result.code == 0, result.err
    assert look.endings() == {f"lr-{lr}_seed-{seed}": "finished" for lr in ("0.01", "0.1") for seed in (0, 1)}
    lines = result.err.splitlines()
    assert [line.split()[0] for line in lines] == ["1/4", "2/4", "3/4", "4/4"]
    assert all(line.endswith("left") for line in lines)
    assert {path.name for path in Path("s").iterdir()} == {
        ".lock", "sweep.json", "runs", "results.csv", "table.md",
    }  # fmt: skip

    with Path("s/results.csv").open(newline="") as file:
        rows = {row["run"]: row for row in csv.DictReader(file)}
    for name, row in rows.items():
        known = json.loads(Path(f"s/runs/{name}/result.json").read_text())
        assert float(row["test_accuracy"]) == known["test_accuracy"]
    accuracies = [100 * float(rows[f"lr-0.1_seed-{seed}"]["test_accuracy"]) for seed in (0, 1)]
    mean, deviation = sum(accuracies) / 2, abs(accuracies[0] - accuracies[1]) / 2**0.5
    assert f"{mean:.2f} ± {deviation:.2f}" in Path("s/table.md").read_text()
    assert Path("s/table.md").read_text() in result.out

    # A run is the same as one of train.py.
    before = look.stamps()
    assert train.main([*runs.COMPILED, "--out", "alone", "--lr", "0.1", "--seed", "1", "--quiet"]) == 0
    ours, theirs = (json.loads(Path(p, "result.json").read_text()) for p in ("s/runs/lr-0.1_seed-1", "alone"))
    assert {**ours, "seconds": 0} == {**theirs, "seconds": 0}
    assert evaluate.main(["s/runs/lr-0.1_seed-1/best.npz"]) == 0

    # The same command only writes tables and pictures again; with another value, existing runs are not run again.
    Path("s/table.md").unlink()
    again = run_sweep(*arguments, pictures=False)
    assert again.code == 0
    assert "4 runs in s, 4 of them have ended before" in again.out
    assert again.err == ""
    assert Path("s/table.md").is_file()
    request.getfixturevalue("here")
    more = run_sweep(*TINY, "--lr", "0.01", "0.1", "1", "--seed", "0", "1", pictures=False)
    assert "6 runs in s, 4 of them have ended before" in more.out
    assert {name: stamp for name, stamp in look.stamps().items() if name in before} == before


def test_pictures_of_runs_that_were_stopped_before_them_are_drawn_by_the_same_command(run_sweep, look, here):
    arguments = (*TINY, "--lr", "0.01", "0.1", "1", "--workers", "1")
    assert run_sweep(*arguments, pictures=False).code == 0
    pictures = [Path(f"s/runs/lr-{lr}/mistakes.png") for lr in ("0.01", "0.1", "1")]
    pictures[0].unlink()
    pictures[1].unlink()
    Path("s/runs/lr-0.1/last.npz").unlink()  # by the user, to save space: its result remains
    before = look.stamps()
    again = run_sweep(*arguments, pictures=False)
    assert (again.code, again.err) == (0, "")
    assert "3 runs in s, 3 of them have ended before" in again.out
    assert [path.exists() for path in pictures] == [True, False, True]
    assert look.stamps() == before
    assert set(look.endings().values()) == {"finished"}


def test_failed_and_diverged_runs_are_reported_and_the_others_continue(run_sweep, look, here):
    arguments = (*TINY, "--pixels", "raw", "--loss", "sum", "--workers", "1", "--lr")
    assert run_sweep(*arguments, "1e-6", "1e30", pictures=False).code == 0
    assert look.endings() == {"lr-1e-06": "finished", "lr-1e+30": "diverged"}
    assert "1 diverged" in Path("s/table.md").read_text()
    Path("s/runs/lr-3e-06").mkdir()
    Path("s/runs/lr-3e-06/last.npz").write_bytes(b"not a checkpoint")
    result = run_sweep(*arguments, "1e-6", "3e-6", "2e-6")  # with pictures of a sweep in which runs failed
    assert result.code == 1
    assert result.err.splitlines()[-1].startswith("sweep.py: lr-3e-06 failed: s/runs/lr-3e-06/last.npz")
    assert look.endings()["lr-2e-06"] == "finished"
    assert "1 failed" in Path("s/table.md").read_text()
    Path("s/runs/lr-3e-06/last.npz").unlink()  # the cause of its failure
    assert run_sweep(*arguments, "1e-6", "3e-6", "2e-6", pictures=False).code == 0


def test_a_file_of_grids(run_sweep, look, here):
    Path("study.yaml").write_text("""
common: {dataset: digits, epochs: 1, batch_size: 256, hidden: 8, watch_test: true}
grids:
  - {name: the rate, axes: {lr: [0.1, 1]}, report: {0.1: 0.5}}
  - {name: both, axes: {lr: [0.1, 0.01], l2: [0, 0.1]}, sample: 3}
""")
    assert run_sweep("study.yaml", "--quiet").code == 0
    made = {path.name for path in Path("sweeps/study").iterdir()}
    assert {"the-rate-curves.png", "the-rate-axis.png", "both-curves.png", "both-heat-map.png"} < made
    assert len(look.endings("sweeps/study")) == 5
    assert "## the rate" in Path("sweeps/study/table.md").read_text()


# -------------------------------------------------------------------------------------------- mistakes


# fmt: off
MISTAKES = [
    ((),                                              "nothing to run: name options with several values"),
    (("--hiden", "3"),                                "--hiden is not an option; did you mean --hidden?"),
    (("--learning-rate", "3"),                        "--learning-rate is not an option"),
    (("--lr=0.1", "--batchsize=3"),                   "did you mean --batch-size?"),
    (("--lr", "0.1", "--lr", "0.2"),                  "--lr is given twice"),
    (("--lr", "0.1", "1e-1"),                         "--lr has the value 0.1 twice"),
    (("--lr", "0.1", "-1"),                           "--lr must be a number greater than 0, got '-1'"),
    (("--lr", "0.1", "nan"),                          "--lr must be a number greater than 0"),
    (("--lr",),                                       "--lr needs at least one value"),
    (("--hidden", "0"),                               "--hidden must be an integer of at least 1"),
    (("--hidden", "4,,4"),                            "--hidden must be an integer of at least 1"),
    (("--nesterov", "maybe"),                         "--nesterov must be true or false, got 'maybe'"),
    (("--schedule", "cosine", "sine"),                "--schedule must be one of"),
    (("--dataset", "digits", "--model", "none.yaml"), "no model file none.yaml"),
    (("--dataset", "digits", "--freeze", "hiden"),    ("--freeze hiden", "hidden")),
    (("--dataset", "digits", "--validation", "0.9"),  "--validation must be a number of at least 0 and less than 0.9"),
    (("--lr", "1", "--workers", "0"),                 "--workers must be an integer of at least 1, got '0'"),
    (("--lr", "1", "--sample", "x"),                  "--sample must be an integer of at least 1, got 'x'"),
    (("none.yaml",),                                  "cannot read the sweep none.yaml"),
    (("none.yaml", "--lr", "1"),                      "--lr cannot be combined with a file: set it in none.yaml"),
]
# fmt: on


@pytest.mark.parametrize(("arguments", "says"), MISTAKES, ids=[" ".join(row[0]) for row in MISTAKES])
def test_mistake_is_one_line(refused, arguments, says):
    refused(*arguments, says=says)
    assert not list(Path().iterdir())


def test_folders_that_are_in_use(refused, run_sweep, look):
    Path("s").mkdir()
    Path("s/note").write_text("mine")
    refused(*TINY, "--lr", "0.1", "1", says="--out s is not empty and contains no sweep")
    Path("s/note").unlink()
    Path("s/sweep.json").write_text('{"lr-0.1": {"settings": {"lr": 0.1}, "data": "mnist 0"}}')
    refused(*TINY, "--lr", "0.1", "1", says="s contains a sweep with other settings or data (lr-0.1)")
    Path("s/sweep.json").write_text("{")
    refused(*TINY, "--lr", "0.1", "1", says="s/sweep.json is damaged")


def test_help_describes_the_options(run_sweep):
    result = run_sweep("--help")
    assert result.code == 0
    for piece in ("--lr ", "learning rate", "--batch-size", "images per update", "--sample N", "dask worker tcp://"):
        assert piece in result.out
    assert max(map(len, result.out.splitlines())) <= 120


# --------------------------------------------------------------------------------------- temporary files and output


def test_temporary_files_of_killed_processes_are_removed(run_sweep, here):
    arguments = (*TINY, "--lr", "0.1", "0.2", "--quiet")
    assert run_sweep(*arguments, pictures=False).code == 0
    left = [
        Path("s", ".results.csv.12.tmp"),
        *(Path("s/runs", name, ".last.npz.7.tmp") for name in ("lr-0.1", "lr-0.2")),
    ]
    for path in left:
        path.write_text("half of a file")
    Path("s/runs/lr-0.1/result.json").unlink()
    assert run_sweep(*arguments, pictures=False).code == 0
    assert not any(path.exists() for path in left)
    assert not list(Path().rglob(".*.tmp"))


def test_failure_to_draw_is_one_line_and_loses_nothing(run_sweep, monkeypatch, here):
    from training import sweep_pictures

    def fail(*_):
        raise RuntimeError("LaTeX\nis missing")

    monkeypatch.setattr(sweep_pictures, "curves", fail)
    result = run_sweep(*TINY, "--lr", "0.1", "0.2", "--quiet")
    assert (result.code, result.err) == (1, "sweep.py: the pictures could not be drawn: LaTeX is missing\n")
    assert Path("s/table.md").read_text() in result.out
    assert len(Path("s/results.csv").read_text().splitlines()) == 3
