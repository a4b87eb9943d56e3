"""Runs of train.py for tests: small settings, and the comparison of a resumed run with an uninterrupted one."""

import concurrent.futures
import contextlib
import csv
import shlex
from pathlib import Path
from types import SimpleNamespace

import numpy as np

import models
import tensorgrad as tg
from training import worker_process

# Six updates per epoch, the last one with fewer images; such a run takes a twentieth of a second, if it is eager.
COMPILED = ("--dataset", "digits", "--hidden", "8", "--epochs", "2", "--batch-size", "256")
TINY = (*COMPILED, "--eager")

# Three epochs of six updates in which everything that has a state changes until the end.
COMPILED_STATEFUL = shlex.split(
    "--dataset digits --hidden 8 --epochs 3 --batch-size 256 --quiet --seed 1 --dropout 0.3 --input-dropout 0.1 "
    "--lr 0.3 --momentum 0.8 --shift 1 --warmup 8 --schedule halving --every 5 --l2 0.001 --shrink 0.0001 --watch-test"
)
STATEFUL = [*COMPILED_STATEFUL, "--eager"]  # for half of the time; compiled runs have the same results
FOLDER = Path("runs/digits-8-seed1")  # of a run with STATEFUL
FILES = ("config.yaml", "metrics.csv", "last.npz", "best.npz", "result.json")
PICTURES = {"curves.png", "confusion.png", "mistakes.png", "weights.png"}


def combined(*arguments):
    """The arguments, in which an option that is given again replaces the earlier one with its values."""
    options, name = {"": []}, ""
    for word in map(str, arguments):
        if word.startswith("--"):
            name = word.partition("=")[0]
            options.pop(name, None)
        options.setdefault(name, []).append(word)
    return [word for words in options.values() for word in words]


def called(capsys, main, arguments):
    """Call the function ``main`` of a program; return its exit code and its output."""
    capsys.readouterr()
    try:
        code = main([str(argument) for argument in arguments])
    except SystemExit as exit_:
        code = exit_.code
    output = capsys.readouterr()
    return SimpleNamespace(code=code, out=output.out, err=output.err)


class Killed(BaseException):
    """An exception that is not handled anywhere, in place of a signal that kills."""


class Immediate(concurrent.futures.Executor):
    """An executor that calls functions at once, in this thread."""

    def submit(self, function, /, *arguments):
        future = concurrent.futures.Future()
        future.set_result(function(*arguments))
        return future


@contextlib.contextmanager
def in_this_process(count):
    """Train the runs of a sweep in this process, in place of `training.workers.local`."""
    yield Immediate(), lambda job: worker_process.run_one(**job)


def assert_same(uninterrupted):
    """Check that the files in FOLDER equal those of the uninterrupted run, and that no temporary file is left."""
    for name in FILES:
        assert (FOLDER / name).read_bytes() == uninterrupted[name], name
    assert {path.name for path in FOLDER.glob(".*")} <= {".lock"}


def read_metrics(folder):
    """The rows of metrics.csv."""
    with (Path(folder) / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def new_network(folder, seed=1):
    """The untrained network of a run; with the seed of the run, its initial weights."""
    config = tg.load(Path(folder) / "last.npz").config
    shape, classes = config["data"]["shape"], config["data"]["classes"]
    return models.build(config["options"]["layers"], shape[0] * shape[1], classes, np.random.default_rng(seed))


def initial_weights(folder):
    """The weights with which a run started."""
    return tg.nn.state_dict(new_network(folder, tg.load(Path(folder) / "last.npz").config["options"]["seed"]))


def weights(folder, name="last.npz"):
    """The arrays in a checkpoint of a run, without those of the optimizer and of averages."""
    arrays = tg.load(Path(folder) / name).arrays
    return {key: array for key, array in arrays.items() if not key.startswith(("optimizer.", "ema."))}


def content(folder):
    """The bytes of metrics, and of all arrays of the checkpoints."""
    arrays = {name: tg.load(Path(folder) / name).arrays for name in ("last.npz", "best.npz")}
    metrics = (Path(folder) / "metrics.csv").read_text()
    return metrics, {(name, key): array.tobytes() for name in arrays for key, array in arrays[name].items()}
