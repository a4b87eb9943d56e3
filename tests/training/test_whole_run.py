"""Whole runs of train.py, and what they write to their folders."""

import json
import math
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tensorgrad as tg
from models import read_yaml
from tests.runs import FILES, PICTURES, TINY, initial_weights, new_network, read_metrics, weights
from training import images, options
from training.run import COLUMNS


def test_run_writes_configuration_metrics_checkpoints_result_and_pictures(trained):
    assert {path.name for path in trained.iterdir()} == {*FILES, *PICTURES, ".lock"}
    for name in PICTURES:
        with Image.open(trained / name) as picture:
            picture.load()
            assert min(picture.size) > 100


def test_configuration_is_complete(trained):
    config = read_yaml(trained / "config.yaml", "the configuration")
    assert config.keys() == options.OPTIONS.keys() | {"layers", "data_set", "decided"}
    assert (config["hidden"], config["epochs"], config["lr"], config["schedule"]) == ([64], 12, 0.1, "cosine")
    assert [layer["name"] for layer in config["layers"]] == ["hidden", "relu", "dropout", "output"]
    in_checkpoint = tg.load(trained / "last.npz").config
    assert {**in_checkpoint["options"], "data_set": in_checkpoint["data"]} == config


def test_metrics_have_a_row_for_each_epoch(trained):
    rows = read_metrics(trained)
    assert tuple(rows[0]) == COLUMNS
    assert [int(row["epoch"]) for row in rows] == list(range(1, 13))
    updates = math.ceil(1317 / 32)
    assert [int(row["updates"]) for row in rows] == [updates * epoch for epoch in range(1, 13)]
    losses = [float(row["train_loss"]) for row in rows]
    assert losses[-1] < 0.5 * losses[0]
    assert all(0.8 < float(row["test_accuracy"]) <= 1 for row in rows[2:])
    assert float(rows[-1]["lr"]) < 1e-4 < 0.09 < float(rows[0]["lr"]) < 0.1


def test_best_weights_are_those_of_the_best_validation_accuracy(trained):
    rows, result = read_metrics(trained), json.loads((trained / "result.json").read_text())
    order = [(float(row["val_accuracy"]), -float(row["val_loss"])) for row in rows]
    assert result["best_epoch"] == 1 + order.index(max(order))
    assert result["val_accuracy"] == max(order)[0]
    assert result["status"] == "finished"
    data, network = tg.data.load("digits"), new_network(trained)
    tg.nn.load_state_dict(network, weights(trained, "best.npz"))
    held_out = images.hold_out(data, 1 / 12)[1]
    best = images.score(network, data.train_images[held_out], data.train_labels[held_out], 1 / 16)
    assert best == (-max(order)[1], max(order)[0])
    test = images.score(network, data.test_images, data.test_labels, 1 / 16)
    assert test == (result["test_loss"], result["test_accuracy"])
    assert result["test_accuracy"] == float(rows[result["best_epoch"] - 1]["test_accuracy"]) > 0.93


def test_evaluate_reports_the_same_accuracy(trained, run_evaluate):
    result = json.loads((trained / "result.json").read_text())
    found = run_evaluate(trained / "best.npz")
    assert found.code == 0
    assert f"accuracy {100 * result['test_accuracy']:.2f} %" in found.out


def test_training_loss_and_accuracy_are_means_over_all_images(run_tiny):
    # With a learning rate of almost 0, the weights keep their initial values.
    folder = run_tiny("--lr", 1e-30, "--epochs", 1, "--dropout", 0, "--validation", 0).folder
    data, network = tg.data.load("digits"), new_network(folder)
    tg.nn.load_state_dict(network, initial_weights(folder))
    loss, accuracy = images.score(network, data.train_images, data.train_labels, 1 / 16)
    (row,) = read_metrics(folder)
    assert float(row["train_accuracy"]) == accuracy
    assert float(row["train_loss"]) == pytest.approx(loss, rel=1e-5)
    assert (row["val_loss"], row["val_accuracy"], row["test_accuracy"]) == ("nan", "nan", "nan")


def test_weights_depend_on_the_seed_only(run_tiny):
    folders = [run_tiny("--seed", seed, "--shift", 1, "--input-dropout", 0.1).folder for seed in (3, 3, 4)]
    first, second, other = (weights(folder) for folder in folders)
    assert first.keys() == second.keys() == {
        f"layers.{layer}.{name}" for layer in ("hidden", "output") for name in ("weight", "bias")
    }  # fmt: skip
    for name, array in first.items():
        assert array.tobytes() == second[name].tobytes()
        assert not np.array_equal(array, other[name])
    assert (folders[0] / "best.npz").read_bytes().count(b"layers.hidden.weight") > 0


def test_data_set_in_the_format_of_mnist(run_train, run_evaluate, write_mnist, workplace):
    write_mnist(workplace / "sets" / "mnist", gzipped=True)
    result = run_train("--data", "sets", "--hidden", 32, "--epochs", 8, "--lr", 0.03, "--watch-test")
    assert result.code == 0
    assert result.folder.name == "mnist-32-seed0"
    assert float(read_metrics(result.folder)[-1]["test_accuracy"]) > 0.4
    assert run_evaluate(result.folder / "best.npz", "--data", "sets").code == 0


@pytest.mark.parametrize(
    "settings",
    [
        ["--batch-size", 5000],
        ["--batch-size", 1, "--validation", 0.89, "--epochs", 1],
        ["--hidden", 3, 4, 5],
        ["--hidden", 1, "--momentum", 0, "--no-nesterov", "--schedule", "linear"],
        ["--pixels", "raw", "--lr", 1e-4, "--loss", "sum", "--init", "small", "--schedule", "step", "--every", 1],
        ["--warmup", 10**9, "--schedule", "constant", "--init", "glorot", "--epochs", 1],
        ["--seed", 10**40, "--shift", 7, "--out", "deep/folder"],
        ["--freeze", "hidden.weight", "output.weight", "--l2", 0.1],
    ],
    ids=lambda settings: " ".join(map(str, settings)),
)
def test_unusual_settings_run(run_tiny, settings):
    result = run_tiny(*settings)
    assert (result.code, "test accuracy" in result.out) == (0, True), result.err


@pytest.mark.skipif(sys.platform != "linux", reason="other systems require file names that are text")
def test_folder_whose_name_is_not_text(run_tiny, unrendered):
    result = run_tiny("--out", "x\udcff", pictures=True)
    assert (result.code, "x\\udcff" in result.out) == (0, True)
    assert len(list(Path("x\udcff").glob("*.png"))) == 4


def test_curves_mark_the_epoch_of_the_checkpoint(run_tiny, monkeypatch, unrendered):
    from training import pictures

    given = []
    monkeypatch.setattr(pictures, "curves", lambda *arguments: given.append(arguments))
    result = run_tiny("--epochs", 4, pictures=True)
    ((_, history, _, best_epoch, _),) = given
    assert best_epoch == json.loads((result.folder / "result.json").read_text())["best_epoch"]
    assert [row["epoch"] for row in history] == [1, 2, 3, 4]


def test_resuming_a_finished_run_draws_its_pictures_again(run_tiny, run_train, unrendered):
    folder = run_tiny().folder
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    result = run_train("--resume", folder, "--quiet", pictures=True)
    assert result.code == 0
    assert {path.name for path in folder.iterdir()} - before.keys() == PICTURES
    assert all((folder / name).read_bytes() == content for name, content in before.items())


@pytest.mark.slow
def test_settings_of_matplotlib_do_not_matter(run_program, run_train):
    Path("matplotlibrc").write_text("text.usetex: True\nfont.size: 30\nfigure.dpi: 10\nnonsense: 1")
    environment = os.environ | {"MPLBACKEND": "module://nonexistent"}
    ended = run_program("train.py", *TINY, "--quiet", "--out", "r", env=environment)
    assert (ended.returncode, ended.stderr) == (0, "")  # not a word on the entries of that file
    drawn = {name: Path("r", name).read_bytes() for name in PICTURES}
    Path("matplotlibrc").unlink()
    assert run_train("--resume", "r", "--quiet", pictures=True).code == 0
    assert {name: Path("r", name).read_bytes() for name in PICTURES} == drawn


def test_failure_to_draw_is_one_line_and_loses_nothing(run_tiny, monkeypatch):
    from training import pictures

    def fail(*_):
        raise RuntimeError("LaTeX\nis missing")

    monkeypatch.setattr(pictures, "weights", fail)
    result = run_tiny("--quiet", pictures=True)
    assert (result.code, result.err) == (1, "train.py: the pictures could not be drawn: LaTeX is missing\n")
    assert {*FILES} <= {path.name for path in result.folder.iterdir()}
