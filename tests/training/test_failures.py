"""Runs that fail: a loss that is not finite, missing data, errors of the system."""

import json
from pathlib import Path

import numpy as np
import pytest

import tensorgrad as tg
import train
import training.run


@pytest.mark.parametrize(
    ("settings", "hint"),
    [
        ("--lr 1e6 --pixels raw", "raw pixels, 0 to 255, need a rate near 0.0001"),
        ("--lr 1e12", "try --lr 1e+11"),
        ("--lr 1e12 --validation 0 --batch-size 2000 --epochs 9", "try --lr 1e+11"),
        ("--lr 1e38 --momentum 0 --l2 0 --validation 0 --batch-size 2000 --epochs 1 --loss sum", "try --lr 1e+37"),
    ],
)
def test_loss_that_is_not_finite_ends_the_run_with_one_explanation(run_tiny, run_train, settings, hint):
    result = run_tiny("--quiet", *settings.split())
    assert result.code == 1
    assert len(result.err.splitlines()) == 1
    assert "the loss is no longer finite" in result.err
    assert hint in result.err
    ended = json.loads((result.folder / "result.json").read_text())
    assert ended["status"] == "diverged"
    assert f"after {ended['updates']} updates" in result.err
    assert ended["updates"] < 6  # before the end of the epoch
    for path in result.folder.glob("*.npz"):
        assert all(np.isfinite(array).all() for array in tg.load(path).arrays.values()), path
    assert (result.folder / "last.npz").exists()
    again = run_train("--resume", result.folder)
    assert (again.code, "has diverged: there is nothing to resume" in again.out) == (0, True)


# ------------------------------------------------------------------------------------------------ data


def test_small_digits_replace_missing_mnist_with_one_line(run_train):
    result = run_train("--hidden", 16, "--epochs", 1, "--quiet")
    assert result.code == 0
    assert result.err.startswith("NOT MNIST: ")
    assert len(result.err.splitlines()) == 1
    assert result.folder.name == "digits-16-seed0"


@pytest.mark.parametrize(
    ("arguments", "pieces"),
    [
        (["--dataset", "mnist"], ["put train-images-idx3-ubyte", "into a folder and set TENSORGRAD_DATA"]),
        (["--data", "nowhere"], ["nowhere", "put train-images-idx3-ubyte", "there"]),
        (["--dataset", "digits", "--data", "nowhere"], ["omit the folder nowhere"]),
        (["--data", "nowhere.npz"], ["there is no file or folder nowhere.npz"]),
        (["--data", "two\nlines"], ["not in two lines (no such folder)"]),
    ],
)
def test_missing_data_that_were_asked_for_are_an_error(run_train, refused, arguments, pieces):
    assert refused(run_train(*arguments), *pieces)
    assert not Path("runs").exists()


def test_damaged_data_are_an_error_that_names_the_file(run_train, refused, write_mnist, workplace):
    labels = write_mnist(workplace / "set") / "train-labels-idx1-ubyte"
    labels.write_bytes(labels.read_bytes()[:-3])
    assert refused(run_train("--data", "set"), "train-labels-idx1-ubyte", "byte")


# ------------------------------------------------------------------------------------------------ errors of the system


@pytest.mark.parametrize(
    ("error", "code", "piece"),
    [
        (MemoryError("Unable to allocate 4 TiB"), 2, "error: not enough memory: Unable to allocate 4 TiB"),
        (MemoryError(), 2, "error: not enough memory: try a smaller network or batch"),
        (OSError(28, "No space left on device"), 2, "error: [Errno 28] No space left on device"),
        (tg.DataError("a bad file"), 2, "error: a bad file"),
        (KeyboardInterrupt(), 130, "stopped immediately"),
    ],
)
def test_error_of_the_system_is_one_line(run_tiny, monkeypatch, error, code, piece):
    def fail(*_):
        raise error

    monkeypatch.setattr(train, "train", fail)
    result = run_tiny("--quiet")
    assert (result.code, result.err) == (code, f"train.py: {piece}\n")


def test_network_larger_than_the_memory_is_refused(run_tiny, refused):
    assert refused(run_tiny("--hidden", 10**13), "not enough memory")
    assert refused(run_tiny("--hidden", 10**30), "'hidden'")
    assert not Path("runs").exists()


def test_full_disk_leaves_the_previous_checkpoint_intact(run_tiny, run_train, refused, monkeypatch):
    writes, write_whole = [], training.run.write_whole

    def full(path, write):
        writes.append(path.name)
        if writes.count("metrics.csv") == 2:
            raise OSError(28, "No space left on device")
        write_whole(path, write)

    with monkeypatch.context() as patch:
        patch.setattr(training.run, "write_whole", full)
        result = run_tiny()
    assert refused(result, "No space left on device")
    assert run_train("--resume", result.folder).code == 0
