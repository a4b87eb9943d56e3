"""train.py from its options to the folder it leaves behind."""

import csv
import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

import tensorgrad as tg
import train
from tensorgrad.data import batches
from training import images, options
from training.run import COLUMNS


def rows_of(folder):
    with (Path(folder) / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


# ------------------------------------------------------------------------------------------------ a whole run


def test_a_run_leaves_its_configuration_metrics_checkpoints_and_pictures(trained):
    files = {path.name for path in trained.iterdir()}
    pictures = {"curves.png", "confusion.png", "mistakes.png", "weights.png"}
    assert files == {"config.yaml", "metrics.csv", "last.npz", "best.npz", "result.json"} | pictures
    for name in pictures:
        with Image.open(trained / name) as picture:
            picture.load()
            assert min(picture.size) > 100


def test_the_configuration_is_complete(trained):
    config = yaml.safe_load((trained / "config.yaml").read_text())
    assert config.keys() == options.OPTIONS.keys() | {"layers", "data_set"}
    assert (config["hidden"], config["epochs"], config["lr"], config["schedule"]) == ([64], 12, 0.1, "cosine")
    assert [layer["name"] for layer in config["layers"]] == ["hidden", "relu", "dropout", "output"]
    in_checkpoint = tg.load(trained / "last.npz").config
    assert {**in_checkpoint["options"], "data_set": in_checkpoint["data"]} == config


def test_metrics_have_a_row_an_epoch(trained):
    rows = rows_of(trained)
    assert tuple(rows[0]) == COLUMNS
    assert [int(row["epoch"]) for row in rows] == list(range(1, 13))
    updates = math.ceil(1317 / 32)
    assert [int(row["updates"]) for row in rows] == [updates * epoch for epoch in range(1, 13)]
    losses = [float(row["train_loss"]) for row in rows]
    assert losses[-1] < 0.5 * losses[0]
    assert all(0.8 < float(row["test_accuracy"]) <= 1 for row in rows[2:])
    assert float(rows[-1]["lr"]) < 1e-4 < 0.09 < float(rows[0]["lr"]) < 0.1


def test_the_best_weights_are_those_of_the_best_validation_accuracy(trained, weights):
    rows, result = rows_of(trained), json.loads((trained / "result.json").read_text())
    order = [(float(row["val_accuracy"]), -float(row["val_loss"])) for row in rows]
    assert result["best_epoch"] == 1 + order.index(max(order))
    assert result["val_accuracy"] == max(order)[0]
    assert result["status"] == "finished"
    data, network = tg.data.load("digits"), rebuilt(trained)
    tg.nn.load_state_dict(network, weights(trained, "best.npz"))
    held_out = images.hold_out(data, 1 / 12)[1]
    best = images.score(network, data.train_images[held_out], data.train_labels[held_out], 1 / 16)
    assert best == (-max(order)[1], max(order)[0])
    test = images.score(network, data.test_images, data.test_labels, 1 / 16)
    assert test == (result["test_loss"], result["test_accuracy"])
    assert result["test_accuracy"] == float(rows[result["best_epoch"] - 1]["test_accuracy"]) > 0.93


def rebuilt(folder):
    import models

    return models.build(tg.load(folder / "last.npz").config["options"]["layers"], 64, 10, np.random.default_rng(1))


def test_evaluate_finds_the_accuracy_that_the_run_reported(trained, run_evaluate):
    result = json.loads((trained / "result.json").read_text())
    found = run_evaluate(trained / "best.npz")
    assert found.code == 0
    assert f"accuracy {100 * result['test_accuracy']:.2f} %" in found.out


def test_training_loss_and_accuracy_are_means_over_all_images(run_tiny, untrained):
    # At a rate of nearly 0 the network stays what it was.
    folder = run_tiny("--lr", 1e-30, "--epochs", 1, "--dropout", 0, "--validation", 0).folder
    data, network = tg.data.load("digits"), rebuilt(folder)
    tg.nn.load_state_dict(network, untrained(folder))
    loss, accuracy = images.score(network, data.train_images, data.train_labels, 1 / 16)
    (row,) = rows_of(folder)
    assert float(row["train_accuracy"]) == accuracy
    assert float(row["train_loss"]) == pytest.approx(loss, rel=1e-5)
    assert (row["val_loss"], row["val_accuracy"], row["test_accuracy"]) == ("nan", "nan", "nan")


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(run_tiny, weights):
    folders = [run_tiny("--seed", seed, "--shift", 1, "--input-dropout", 0.1).folder for seed in (3, 3, 4)]
    once, again, other = (weights(folder) for folder in folders)
    assert once.keys() == again.keys() == {
        f"layers.{layer}.{name}" for layer in ("hidden", "output") for name in ("weight", "bias")
    }  # fmt: skip
    for name, array in once.items():
        assert array.tobytes() == again[name].tobytes()
        assert not np.array_equal(array, other[name])
    assert (folders[0] / "best.npz").read_bytes().count(b"layers.hidden.weight") > 0


def test_a_set_in_the_format_of_mnist_is_trained_on(run_train, run_evaluate, write_mnist, workplace):
    write_mnist(workplace / "sets" / "mnist", gzipped=True)
    result = run_train("--data", "sets", "--hidden", 32, "--epochs", 8, "--lr", 0.03, "--watch-test")
    assert result.code == 0
    assert result.folder.name == "mnist-32-seed0"
    assert float(rows_of(result.folder)[-1]["test_accuracy"]) > 0.4
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


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the names of files are text")
def test_a_folder_whose_name_is_no_text_is_as_good_as_any(run_tiny):
    result = run_tiny("--out", "x\udcff", pictures=True)
    assert (result.code, "x\\udcff" in result.out) == (0, True)
    assert len(list(Path("x\udcff").glob("*.png"))) == 4


# ------------------------------------------------------------------------------------------------ one update by hand


def trained_by_hand(folder, begin):
    """What the weights of a ReLU network become, in float64 and without the engine, by the options of a run."""
    o = tg.load(folder / "last.npz").config["options"]
    data = tg.data.load("digits")
    w1, b1, w2, b2 = (begin[f"layers.{name}"].astype(float) for name in
                      ("hidden.weight", "hidden.bias", "output.weight", "output.bias"))  # fmt: skip
    x_all = data.train_images.reshape(-1, 64) / 16
    for epoch in range(o["epochs"]):
        for batch in batches(len(x_all), o["batch_size"], np.random.default_rng((o["seed"], epoch + 1))):
            x, target = x_all[batch], np.eye(10)[data.train_labels[batch]]
            h = x @ w1 + b1
            logits = np.maximum(h, 0) @ w2 + b2
            odds = np.exp(logits - logits.max(axis=1, keepdims=True))
            g = odds / odds.sum(axis=1, keepdims=True) - target
            if o["loss"] == "mean":
                g /= len(x)
            gh = g @ w2.T * (h > 0)
            steps = x.T @ gh + o["l2"] * w1, gh.sum(0), np.maximum(h, 0).T @ g + o["l2"] * w2, g.sum(0)
            w1, b1, w2, b2 = (p - o["lr"] * step for p, step in zip((w1, b1, w2, b2), steps, strict=True))
            w1, w2 = w1 * (1 - o["shrink"]), w2 * (1 - o["shrink"])
    return {"hidden.weight": w1, "hidden.bias": b1, "output.weight": w2, "output.bias": b2}


@pytest.mark.parametrize("settings", [
    "--lr 0.5",
    "--lr 0.5 --l2 0.3",
    "--lr 0.5 --shrink 0.25",
    "--lr 1e-6 --shrink 0.25",  # whatever the rate
    "--lr 0.2 --l2 0.1 --shrink 0.1 --seed 5",
    "--lr 3e-4 --loss sum",
    "--lr 3e-4 --loss sum --l2 20 --shrink 0.01",
])  # fmt: skip
def test_updates_follow_the_formula(run_tiny, weights, untrained, settings):
    plain = "--momentum 0 --dropout 0 --validation 0 --schedule constant --l2 0 --batch-size 700 --epochs 2"
    folder = run_tiny(*plain.split(), *settings.split()).folder
    begin, after = untrained(folder), weights(folder)
    for name, wanted in trained_by_hand(folder, begin).items():
        np.testing.assert_allclose(after[f"layers.{name}"], wanted, rtol=2e-4, atol=2e-6, err_msg=name)
        assert not np.array_equal(after[f"layers.{name}"], begin[f"layers.{name}"])


# ------------------------------------------------------------------------------------------------ frozen layers


@pytest.mark.parametrize(
    ("names", "frozen"),
    [(["hidden"], "layers.hidden."), (["output"], "layers.output."), (["hidden.weight"], "layers.hidden.weight")],
)
def test_a_frozen_layer_stays_as_it_was_and_costs_no_gradient(run_tiny, weights, untrained, monkeypatch, names, frozen):
    seen, step = [], tg.optim.SGD.step

    def watched(optimizer):
        seen.append({name: p.grad is not None for name, p in optimizer.params.items()})
        step(optimizer)

    monkeypatch.setattr(tg.optim.SGD, "step", watched)
    folder = run_tiny("--freeze", *names, "--shrink", 0.01, "--l2", 0.01).folder
    begin, after = untrained(folder), weights(folder)
    assert len(seen) == 12
    for name, array in begin.items():
        still = name.startswith(frozen)
        assert np.array_equal(array, after[name]) == still, name
        assert all(gradients[name] != still for gradients in seen), name


@pytest.mark.parametrize(
    ("names", "pieces"),
    [
        (["nonsense"], ["--freeze nonsense", "hidden, output"]),
        (["hidden.weight", "relu"], ["--freeze relu", "hidden, output"]),
        (["hidden", "output"], ["--freeze leaves nothing to train"]),
    ],
)
def test_what_cannot_be_frozen_is_refused(run_tiny, refused, names, pieces):
    result = run_tiny("--freeze", *names)
    assert refused(result, *pieces)
    assert not Path("runs").exists()


# ------------------------------------------------------------------------------------------------ held-out images


@pytest.mark.parametrize("fraction", [0.01, 1 / 12, 0.5, 0.89])
def test_held_out_images_are_disjoint_from_the_others_and_always_the_same(fraction):
    data = tg.data.load("digits")
    kept, held = images.hold_out(data, fraction)
    np.testing.assert_array_equal(np.sort(np.concatenate([kept, held])), np.arange(1437))
    assert len(held) == round(1437 * fraction)
    np.testing.assert_array_equal(held, images.hold_out(data, fraction)[1])


@pytest.mark.parametrize("seed", [0, 1])
def test_no_held_out_image_is_trained_on_whatever_the_seed(run_tiny, monkeypatch, seed):
    seen, shifted = [], images.shifted
    monkeypatch.setattr(images, "shifted", lambda batch, *rest: seen.append(batch) or shifted(batch, *rest))
    assert run_tiny("--seed", seed, "--epochs", 1).code == 0
    data = tg.data.load("digits")
    wanted = data.train_images[images.hold_out(data, 1 / 12)[0]].reshape(-1, 64)
    found = np.concatenate(seen).reshape(-1, 64)
    np.testing.assert_array_equal(np.sort(found.view("S64"), axis=0), np.sort(wanted.view("S64"), axis=0))


def test_without_held_out_images_the_last_epoch_is_the_best(run_tiny, weights):
    result = run_tiny("--validation", 0, "--epochs", 3)
    ending = json.loads((result.folder / "result.json").read_text())
    assert (ending["best_epoch"], ending["val_accuracy"]) == (3, None)
    assert "epoch 3, the last" in result.out
    assert "val " not in result.err
    last, best = weights(result.folder), weights(result.folder, "best.npz")
    assert all(np.array_equal(last[name], best[name]) for name in last)


@pytest.mark.parametrize(("fraction", "piece"), [(1e-9, "and 0 to validate on"), (0.0003, "and 0 to validate on")])
def test_too_few_held_out_images_are_refused(run_tiny, refused, fraction, piece):
    assert refused(run_tiny("--validation", fraction), "--validation", piece)
    assert not Path("runs").exists()


# ------------------------------------------------------------------------------------------------ divergence


@pytest.mark.parametrize(
    ("settings", "hint"),
    [
        ("--lr 1e6 --pixels raw", "raw pixels of 0..255 want a rate near 0.0001"),
        ("--lr 1e12", "try --lr 1e+11"),
        ("--lr 1e12 --validation 0 --batch-size 2000 --epochs 9", "try --lr 1e+11"),
        ("--lr 1e38 --momentum 0 --l2 0 --validation 0 --batch-size 2000 --epochs 1 --loss sum", "try --lr 1e+37"),
    ],
)
def test_a_loss_that_is_no_number_ends_the_run_with_one_explanation(run_tiny, run_train, weights, settings, hint):
    result = run_tiny("--quiet", *settings.split())
    assert result.code == 1
    assert len(result.err.splitlines()) == 1
    assert "no longer a finite number" in result.err
    assert hint in result.err
    ending = json.loads((result.folder / "result.json").read_text())
    assert ending["status"] == "diverged"
    assert f"after {ending['updates']} updates" in result.err
    assert ending["updates"] < 6  # at once, not at the end of the epoch
    for path in result.folder.glob("*.npz"):
        assert all(np.isfinite(array).all() for array in tg.load(path).arrays.values()), path
    assert (result.folder / "last.npz").exists()
    again = run_train("--resume", result.folder)
    assert (again.code, "has diverged: nothing to resume" in again.out) == (0, True)


# ------------------------------------------------------------------------------------------------ which data


def test_without_mnist_the_digits_stand_in_with_one_loud_line(run_train):
    result = run_train("--hidden", 4, "--epochs", 1, "--quiet")
    assert result.code == 0
    assert result.err.startswith("NOT MNIST: ")
    assert len(result.err.splitlines()) == 1
    assert result.folder.name == "digits-4-seed0"


@pytest.mark.parametrize(
    ("arguments", "pieces"),
    [
        (["--dataset", "mnist"], ["put train-images-idx3-ubyte", "into a folder and set TENSORGRAD_DATA"]),
        (["--data", "nowhere"], ["nowhere", "put train-images-idx3-ubyte", "there"]),
        (["--dataset", "digits", "--data", "nowhere"], ["leave out the folder nowhere"]),
    ],
)
def test_data_that_are_asked_for_and_missing_are_an_error(run_train, refused, arguments, pieces):
    assert refused(run_train(*arguments), *pieces)
    assert not Path("runs").exists()


def test_damaged_data_are_an_error_that_names_the_file(run_train, refused, write_mnist, workplace):
    labels = write_mnist(workplace / "set") / "train-labels-idx1-ubyte"
    labels.write_bytes(labels.read_bytes()[:-3])
    assert refused(run_train("--data", "set"), "train-labels-idx1-ubyte", "byte")


# ------------------------------------------------------------------------------------------------ unforeseen ends


@pytest.mark.parametrize(
    ("error", "code", "piece"),
    [
        (MemoryError("Unable to allocate 4 TiB"), 2, "error: not enough memory: Unable to allocate 4 TiB"),
        (MemoryError(), 2, "error: not enough memory: try a smaller network or batch"),
        (OSError(28, "No space left on device"), 2, "error: [Errno 28] No space left on device"),
        (tg.DataError("a bad file"), 2, "error: a bad file"),
        (KeyboardInterrupt(), 130, "stopped at once"),
    ],
)
def test_what_ends_a_program_is_one_line(run_tiny, monkeypatch, error, code, piece):
    def fail(*_):
        raise error

    monkeypatch.setattr(train, "train", fail)
    result = run_tiny("--quiet")
    assert (result.code, result.err) == (code, f"train.py: {piece}\n")


def test_a_network_larger_than_the_memory_is_refused(run_tiny, refused):
    assert refused(run_tiny("--hidden", 10**13), "not enough memory")
    assert refused(run_tiny("--hidden", 10**30), "'hidden'")
    assert not Path("runs").exists()


def test_a_full_disk_leaves_the_last_checkpoint_whole(run_tiny, run_train, refused, monkeypatch):
    import training.run

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
