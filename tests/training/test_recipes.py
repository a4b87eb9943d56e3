"""Optimizers, schedules, averages, patience and other parts of a recipe, also in runs that are interrupted."""

import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import tensorgrad as tg
import train
from models import read_yaml
from tests.helpers import sampled
from tests.runs import COMPILED_STATEFUL, combined, content, initial_weights, read_metrics, weights
from training import options, recipe

RECIPES = {
    **{name: f"--optimizer {name} --weight-decay 0.01" for name in recipe.OPTIMIZERS},
    "rmsprop with momentum": "--optimizer rmsprop --momentum 0.5",
    "betas": "--optimizer nadam --betas 0.8 0.95 --clip 0.5",
    "plain sgd": "--momentum 0 --clip 0.1",
    "smooth": "--label-smoothing 0.2 --loss sum --lr 0.001",
    "averages": "--ema 0.9",
    "averages of adamw": "--optimizer adamw --ema 0.5 --clip 1 --label-smoothing 0.1",
    "patience": "--patience 2 --lr 1e-9 --epochs 9",
    **{name: f"--schedule {name} --every 4 --gamma 0.5 --milestones 5 11" for name in recipe.SCHEDULES},
    "warps": "--augment affine,elastic --shift 0 --batch-size 64",
    "plateau": "--schedule plateau --plateau-epochs 0 --gamma 0.5 --lr 1e-9 --epochs 5",
}


def arguments(settings):
    """The command line of a run; the options of SGD are left out for other optimizers."""
    words = combined(*COMPILED_STATEFUL, *settings.split())
    if "--optimizer" in words and "sgd" not in words and "--momentum" not in settings:
        at = words.index("--momentum")
        del words[at : at + 2]
    if "--optimizer" in words and "--lr" not in settings:
        words = combined(*words, "--lr", 0.01)
    return words


def ended(folder):
    """The bytes of what a run leaves behind."""
    return *content(folder), (Path(folder) / "result.json").read_text()


@pytest.mark.usefixtures("no_clock", "without_trials")
@pytest.mark.parametrize("legs", [[8], pytest.param([3, 5, 6], marks=pytest.mark.slow)], ids=str)
@pytest.mark.parametrize("settings", sampled(RECIPES.values(), 3), ids=RECIPES)
def test_every_recipe_is_resumed_bitwise_and_does_not_depend_on_compilation(run_train, interrupt_after, settings, legs):
    """A compiled run in parts ends as an eager one that was not interrupted."""
    words = arguments(settings)
    assert run_train(*words, "--eager", "--out", "eager").code == 0
    expected = ended("eager")
    resume = [*words, "--out", "parts"]
    for leg in legs:
        interrupt_after(leg)
        assert run_train(*resume).code == 130
        resume = ["--resume", "parts", "--quiet"]
    assert run_train(*resume).code == 0
    assert ended("parts") == expected


# ------------------------------------------------------------------------------------------- killed processes

SLOWLY = """
import os, sys
import train
from models import read_yaml
updates = int(sys.argv[2])
class Slow(train.Display):
    count = 0
    def batch(self, *given):
        Slow.count += 1
        if Slow.count == updates:
            os.kill(os.getpid(), 9)
train.Display = Slow
train.time = type("Clock", (), {"monotonic": staticmethod(lambda: 0.0)})
train.draw = lambda *_: True
sys.exit(train.main(sys.argv[3:]))
"""


def in_a_process(updates, *words):
    """Train in another process, which kills itself in an update; return the exit code."""
    command = [sys.executable, "-c", SLOWLY, str(Path(train.__file__).parent), str(updates), *map(str, words)]
    environment = os.environ | {"PYTHONPATH": str(Path(train.__file__).parent)}
    return subprocess.run(command, env=environment, capture_output=True, timeout=200, check=False).returncode


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("settings", RECIPES.values(), ids=RECIPES)
def test_every_recipe_is_resumed_bitwise_after_a_kill(settings):
    words = arguments(settings)
    assert in_a_process(0, *words, "--out", "whole") == 0
    rng = np.random.default_rng(0)
    assert in_a_process(rng.integers(7, 18), *words, "--out", "parts") == -signal.SIGKILL
    assert in_a_process(0, "--resume", "parts", "--quiet") == 0
    assert ended("parts") == ended("whole")


# ------------------------------------------------------------------------------------------- what they do


@pytest.mark.parametrize("name", recipe.OPTIMIZERS)
def test_optimizer_is_that_of_the_package_with_the_options_of_the_run(name):
    words = ["--optimizer", name, "--weight-decay", "0.25", "--lr", "0.5"]
    words += ["--betas", "0.5", "0.75"] if "betas" in recipe.OPTIMIZERS[name][1] else []
    words += ["--momentum", "0.125"] if "momentum" in recipe.OPTIMIZERS[name][1] else []
    o = options.resolve(options.parse(words), "digits", 10)
    made = recipe.optimizer(o, {"w": tg.Tensor(np.ones(2), requires_grad=True)})
    assert type(made).__name__.lower() == name
    assert (made.lr, made.weight_decay) == (0.5, 0.25)
    assert getattr(made, "betas", (0.5, 0.75)) == (0.5, 0.75)
    assert getattr(made, "momentum", 0.125) == 0.125
    assert getattr(made, "nesterov", True)


@pytest.mark.parametrize("name", sampled(recipe.OPTIMIZERS, 6))
def test_default_learning_rates_learn(run_train, name):
    result = run_train("--dataset", "digits", "--hidden", 64, "--epochs", 15, "--eager", "--optimizer", name)
    assert json.loads((result.folder / "result.json").read_text())["val_accuracy"] > 0.7


@pytest.mark.parametrize(("name", "expected"), [
    ("constant", [1, 1, 1, 1]), ("halving", [1, 0.5, 0.25, 0.125]), ("step", [1, 0.2, 0.04, 0.008]),
    ("multi_step", [1, 1, 0.2, 0.04]), ("exponential", [1, 0.2, 0.04, 0.008]), ("linear", [1, 0.75, 0.5, 0.25]),
    ("polynomial", [1, 0.75**3, 0.5**3, 0.25**3]), ("cosine", [1, 0.5 + 0.125**0.5, 0.5, 0.5 - 0.125**0.5]),
    ("cosine_restarts", [1, 1, 1, 1]), ("cyclic", [0.1, 1, 0.1, 1]),
    ("one_cycle", [0.04, None, None, None]),
])  # fmt: skip
def test_schedules(name, expected):
    o = SimpleNamespace(schedule=name, every=10, gamma=0.2, milestones=[15, 25], power=3.0, warmup=0)
    factors = [recipe.schedule(o, 40)(update) for update in (0, 10, 20, 30)]
    assert factors == pytest.approx([b if a is None else a for a, b in zip(expected, factors, strict=True)])
    assert max(recipe.schedule(o, 40)(update) for update in range(40)) == pytest.approx(1, abs=0.01)


def test_every_schedule_of_the_package_is_an_option_or_needs_python():
    needs_python = {"from_function", "warm_up", "Schedule", "Plateau"}
    assert set(tg.schedules.__all__) - needs_python == recipe.SCHEDULES.keys()


def test_schedule_plateau_lowers_the_rate_when_the_validation_loss_stops_falling(run_tiny):
    folder = run_tiny(
        "--schedule", "plateau", "--plateau-epochs", 1, "--gamma", 0.5, "--lr", 1e-9, "--epochs", 6
    ).folder
    rates = [float(row["lr"]) for row in read_metrics(folder)]
    assert rates[0] == 1e-9
    assert rates[-1] < 0.6e-9


def test_label_smoothing_is_in_the_loss_of_the_training_only(run_tiny):
    settings = ("--lr", 1e-30, "--epochs", 1, "--dropout", 0)
    plain, smooth = (read_metrics(run_tiny(*settings, "--label-smoothing", s).folder)[0] for s in (0, 0.5))
    assert plain["val_loss"] == smooth["val_loss"]
    assert abs(float(plain["train_loss"]) - float(smooth["train_loss"])) > 1e-3


def test_clipping_limits_the_first_step(run_tiny):
    settings = ("--momentum", 0, "--schedule", "constant", "--epochs", 1, "--batch-size", 5000, "--lr", 1, "--clip")
    for limit in (0.01, 0.02):
        folder = run_tiny(*settings, limit).folder
        before, after = initial_weights(folder), weights(folder)
        length = math.sqrt(sum(np.sum((after[name] - before[name]) ** 2, dtype=float) for name in before))
        assert length == pytest.approx(limit, rel=1e-3)


def test_averages_are_validated_kept_and_tested(run_tiny, run_evaluate):
    result = run_tiny("--ema", 0.8, "--epochs", 4, "--watch-test")
    rows, found = read_metrics(result.folder), json.loads((result.folder / "result.json").read_text())
    assert all(row["raw_val_accuracy"] != "nan" for row in rows)
    last, best = (tg.load(result.folder / name).arrays for name in ("last.npz", "best.npz"))
    averages = {key.removeprefix("ema.average."): a for key, a in last.items() if key.startswith("ema.average.")}
    assert found["best_epoch"] == 4  # so that the averages in both files are the same
    assert averages.keys() == best.keys()
    assert all(np.array_equal(averages[name], best[name]) for name in best)
    assert not any(np.array_equal(last[name], best[name]) for name in best)
    assert found["test_accuracy"] == float(rows[-1]["test_accuracy"])
    for name in ("best.npz", "last.npz"):
        assert run_evaluate(result.folder / name).code == 0


def test_average_follows_the_formula(run_tiny):
    folder = run_tiny("--ema", 0.75, "--epochs", 1, "--batch-size", 5000).folder  # one update
    before, after = initial_weights(folder), weights(folder)
    for name, average in weights(folder, "best.npz").items():
        np.testing.assert_allclose(average, 0.75 * before[name] + 0.25 * after[name], rtol=1e-5, atol=1e-7)


def test_patience_ends_a_run_early(run_tiny, run_train):
    result = run_tiny("--patience", 2, "--lr", 1e-30, "--epochs", 9)
    assert (result.code, len(read_metrics(result.folder))) == (0, 3)
    assert "patience 2/2\n" in result.err
    assert json.loads((result.folder / "result.json").read_text())["epochs"] == 3
    assert run_train("--resume", result.folder, "--epochs", 20).code == 0  # patience begins anew
    assert len(read_metrics(result.folder)) == 5


# ------------------------------------------------------------------------------------------- weights of other runs


def test_run_starts_from_the_weights_of_a_file(run_tiny, run_evaluate):
    first = run_tiny("--epochs", 3).folder
    second = run_tiny("--from", first / "best.npz", "--lr", 1e-30, "--seed", 3).folder
    for name, array in weights(first, "best.npz").items():
        np.testing.assert_array_equal(weights(second)[name], array)


def test_weights_that_do_not_fit_are_refused(run_tiny, refused):
    folder = run_tiny("--hidden", 9).folder
    assert refused(run_tiny("--from", folder / "best.npz"), f"--from {folder}/best.npz: ", "layers.hidden.weight")
    Path("damaged.npz").write_text("x")
    assert refused(run_tiny("--from", "damaged.npz"), "--from damaged.npz: damaged.npz is damaged")
    assert len(list(Path("runs").iterdir())) == 1


# ------------------------------------------------------------------------------------------- longer runs


@pytest.mark.usefixtures("no_clock", "without_trials")
@pytest.mark.parametrize("schedule", ["constant", "halving", "multi_step"])
def test_longer_run_equals_one_that_was_so_long_from_the_beginning(run_train, schedule):
    words = combined(*COMPILED_STATEFUL, "--schedule", schedule, "--milestones", 5, 20)
    assert run_train(*words, "--out", "a").code == 0
    result = run_train("--resume", "a", "--epochs", 5, "--quiet")
    assert (result.code, "test accuracy" in result.out) == (0, True)
    assert run_train(*combined(*words, "--epochs", 5), "--out", "b").code == 0
    assert ended("a") == ended("b")
    assert "epochs: 5\n" in Path("a/config.yaml").read_text()
    before = ended("a")
    assert "has finished" in run_train("--resume", "a", "--epochs", 5).out  # the same command again
    assert ended("a") == before


def test_schedule_of_a_longer_run_is_that_of_its_new_length(run_tiny, run_train):
    settings = ("--schedule", "linear", "--lr", 1.0, "--warmup", 0, "--epochs")
    folder = run_tiny(*settings, 2).folder
    assert run_train("--resume", folder, "--epochs", 4).code == 0
    rates = [float(row["lr"]) for row in read_metrics(folder)]
    assert rates == pytest.approx([1 - 5 / 12, 1 - 11 / 12, 1 - 17 / 24, 1 - 23 / 24])


def test_interrupted_run_can_be_made_longer(run_train, stopped):
    assert run_train("--resume", stopped, "--epochs", 4).code == 0
    assert len(read_metrics(stopped)) == 4


@pytest.mark.parametrize("epochs", [1, 2])
def test_run_is_not_made_shorter_than_it_is(run_tiny, run_train, refused, epochs):
    folder = run_tiny("--epochs", 3).folder
    before = ended(folder)
    assert refused(run_train("--resume", folder, "--epochs", epochs), "the run has trained for 3 epochs")
    assert ended(folder) == before


def test_runs_and_weights_of_version_0_2_0(run_train, run_evaluate, stopped):
    """Checkpoints that lack the options added since then, and call the velocities by another name."""
    arrays, config = tg.load(stopped / "last.npz")
    kept = {key: value for key, value in config["options"].items() if key not in train_added()}
    for name in ("threads", "extended", "plateau"):
        del config["progress"][name]
    for row in config["progress"]["history"]:
        del row["threads"], row["raw_val_accuracy"]
    renamed = {key.replace("optimizer.", "optimizer.velocity."): array for key, array in arrays.items()}
    tg.save(stopped / "last.npz", renamed, {**config, "options": kept})
    written = read_yaml(stopped / "config.yaml", "the configuration")
    (stopped / "config.yaml").write_text(json.dumps({name: value for name, value in written.items() if name in kept}))
    assert run_train("--resume", stopped, "--quiet").code == 0
    assert run_evaluate(stopped / "best.npz").code == 0
    assert run_evaluate(Path(train.__file__).parent / "checkpoints" / "digits-400.npz").code == 0


def train_added():
    """The options that runs of version 0.2.0 lack."""
    old = tg.load(Path(train.__file__).parent / "checkpoints" / "digits-400.npz").config["options"]
    return {*options.OPTIONS, "decided"} - old.keys()
