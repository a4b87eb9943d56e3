"""Fixtures that call the programs as a user would, in an empty folder and without the internet."""

import gzip
import itertools
import os
import shutil
import signal
import struct
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure

import evaluate
import tensorgrad as tg
import train
from tests.offline import workplace  # noqa: F401  (a fixture)
from tests.runs import FILES, FOLDER, STATEFUL, TINY, called, combined

PROJECT = Path(train.__file__).parent


@pytest.fixture
def run_train(capsys, monkeypatch):
    """``run_train(arguments...)``: call train.py, without pictures unless asked for, because they take a second."""

    def run(*arguments, pictures=False):
        before = set(Path("runs").glob("*"))
        with monkeypatch.context() as patch:
            if not pictures:
                patch.setattr(train, "draw", lambda *_: True)
            result = called(capsys, train.main, arguments)
        created = sorted(set(Path("runs").glob("*")) - before)
        assert len(created) <= 1
        result.folder = created[0] if created else None
        return result

    return run


@pytest.fixture
def run_tiny(run_train):
    """The same with the settings of `TINY`, which further arguments replace."""
    return lambda *arguments, **options: run_train(*combined(*TINY, *arguments), **options)


@pytest.fixture
def run_evaluate(capsys):
    """``run_evaluate(arguments...)``: call evaluate.py."""
    return lambda *arguments: called(capsys, evaluate.main, arguments)


@pytest.fixture
def run_program():
    """``run_program("train.py", arguments..., settings of subprocess.run)``: run a program in a process of its own."""

    def run(program, *arguments, **settings):
        settings = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "timeout": 200} | settings
        command = [sys.executable, PROJECT / program, *map(str, arguments)]
        return subprocess.run(command, check=False, **settings)

    return run


@pytest.fixture
def unrendered(monkeypatch):
    """Pictures are composed, but their files are empty: rendering takes most of the time."""
    monkeypatch.setattr(Figure, "savefig", lambda *_, **__: None)


@pytest.fixture(scope="session")
def undrawn(tmp_path_factory):
    """Settings of the environment with which train.py, as a program, draws no pictures."""
    folder = tmp_path_factory.mktemp("customization")
    (folder / "sitecustomize.py").write_text(
        "import sys, types; sys.modules['training.run_pictures'] = "
        "types.SimpleNamespace(draw=lambda *_: True, lacks_pictures=lambda _: False)"
    )
    return os.environ | {"PYTHONPATH": str(folder)}


@pytest.fixture
def refused():
    """``refused(result, pieces...)``: exit code 2, and one error message, in a line that contains the pieces."""

    def check(result, *pieces):
        *lines, last = result.err.splitlines()
        assert result.code == 2
        assert ": error: " in last
        assert all(line.startswith("epoch ") for line in lines)
        for piece in pieces:
            assert piece in last
        return True

    return check


@pytest.fixture
def write_mnist():
    """``write_mnist(folder, shape)``: write a small data set in MNIST's format, derived from the small digits."""

    def write(folder, shape=(28, 28), count=200, gzipped=False):
        folder = Path(folder)
        folder.mkdir(parents=True)
        small = tg.data.load("digits")
        scale = min(shape) // 8
        for part, images, labels in (
            ("train", small.train_images[:count], small.train_labels[:count]),
            ("t10k", small.test_images[:50], small.test_labels[:50]),
        ):
            large = np.zeros((len(images), *shape), np.uint8)
            enlarged = np.kron(images, np.ones((1, max(scale, 1), max(scale, 1)), np.uint8)) * np.uint8(15)
            height, width = (min(a, b) for a, b in zip(shape, enlarged.shape[1:], strict=True))
            large[:, :height, :width] = enlarged[:, :height, :width]
            compress = gzip.compress if gzipped else bytes
            suffix = ".gz" if gzipped else ""
            head = struct.pack(">HBBIII", 0, 8, 3, *large.shape)
            (folder / f"{part}-images-idx3-ubyte{suffix}").write_bytes(compress(head + large.tobytes()))
            head = struct.pack(">HBBI", 0, 8, 1, len(labels))
            content = head + labels.astype(np.uint8).tobytes()
            (folder / f"{part}-labels-idx1-ubyte{suffix}").write_bytes(compress(content))
        return folder

    return write


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """The folder, with pictures, of a run that learned to classify the small digits; tests must not write to it."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    settings = ("--dataset", "digits", "--hidden", "64", "--epochs", "12", "--watch-test", "--quiet", "--out", folder)
    assert train.main([str(argument) for argument in settings]) == 0
    return folder


# ------------------------------------------------------------------------------------------- interrupted runs


@pytest.fixture
def no_clock(monkeypatch):
    """Stop the clock of train.py: only the seconds differ between two runs with the same settings."""
    monkeypatch.setattr(train, "time", SimpleNamespace(monotonic=lambda: 0.0))


@pytest.fixture
def without_trials(monkeypatch):
    """Compile updates without trial updates, which take half the time of a short run and change nothing in it."""
    monkeypatch.setattr(train.trials, "is_exact", lambda *_: True)


@pytest.fixture(scope="session")
def uninterrupted(tmp_path_factory):
    """The files, by name, of a run with the settings `STATEFUL` that was not interrupted."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "time", SimpleNamespace(monotonic=lambda: 0.0))
        patch.setattr(train, "draw", lambda *_: True)
        patch.chdir(tmp_path_factory.mktemp("uninterrupted"))
        assert train.main(STATEFUL) == 0
        return {name: (FOLDER / name).read_bytes() for name in FILES}


@pytest.fixture
def interrupt_after(monkeypatch):
    """``interrupt_after(n)``: send a signal after the n-th update from now, or in the n-th call of another function."""

    def arm(n, target=train.Display, name="batch", number=signal.SIGINT):
        calls, original = [], getattr(target, name)

        def step(*arguments):
            calls.append(name)
            if len(calls) == n:
                os.kill(os.getpid(), number)
            return original(*arguments)

        monkeypatch.setattr(target, name, step)

    return arm


@pytest.fixture(scope="session")
def once_stopped(tmp_path_factory):
    """The folder of a run with the settings `STATEFUL` that was stopped in its second epoch, without a clock."""
    updates, batch = itertools.count(1), train.Display.batch

    def step(*arguments):
        if next(updates) == 8:
            os.kill(os.getpid(), signal.SIGINT)
        return batch(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "time", SimpleNamespace(monotonic=lambda: 0.0))
        patch.setattr(train.Display, "batch", step)
        patch.setattr(train, "draw", lambda *_: True)
        patch.chdir(tmp_path_factory.mktemp("stopped"))
        assert train.main(STATEFUL) == 130
        return FOLDER.resolve()


@pytest.fixture
def stopped(once_stopped, workplace):  # noqa: F811  (a fixture)
    """A copy of the folder of a run that was stopped in its second epoch."""
    shutil.copytree(once_stopped, FOLDER)
    return FOLDER


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch):
    """Files that are to survive a loss of power need not do so here; tests/test_npz.py checks that they are flushed."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
