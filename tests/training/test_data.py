"""Data sets of other forms: trained on, evaluated with the names of their classes, and what is said of a failure."""

import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tensorgrad as tg
from tests.helpers import noted
from tests.runs import combined

NAMES = ("a cat", "dog", "T-shirt/top", "zebra of $x_1")
FAST = shlex.split("--hidden 16 --epochs 3 --batch-size 64 --quiet --shift 0 --eager")


def patterns(count=240, side=8, dtype=np.uint8, seed=0):
    """Images of four classes: a bright quadrant; and their labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 4
    images = rng.integers(0, 60, (count, side, side))
    for image, label in zip(images, labels, strict=True):
        top, left = divmod(label, 2)
        image[top * side // 2 :, left * side // 2 :][: side // 2, : side // 2] += 150
    return images.astype(dtype), labels


def save_npz(path="own.npz", **changed):
    images, labels = patterns()
    arrays = {"x_train": images, "y_train": labels, "x_test": images[:80], "y_test": labels[:80]}
    np.savez(path, **(arrays | changed))
    return path


def test_names_of_classes_are_in_the_run_and_in_reports(run_train, run_evaluate):
    save_npz(class_names=np.array(NAMES))
    result = run_train("--data", "own.npz", *FAST, pictures=True)
    assert (result.code, result.err) == (0, "")
    assert result.folder.name == "files-16-seed0"
    about = tg.load(result.folder / "best.npz").config["data"]
    assert (about["classes"], about["class_names"]) == (4, list(NAMES))
    assert {"confusion.png", "mistakes.png"} <= {path.name for path in result.folder.iterdir()}
    report = run_evaluate(result.folder / "best.npz", "--data", "own.npz").out
    for name in NAMES:
        assert sum(line.split("  ")[0].strip() == name or line.strip().startswith(name)
                   for line in report.splitlines()) == 2  # fmt: skip
    assert "in 4 classes (a cat, dog, T-shirt/top, ...)" in report
    Image.fromarray(np.pad(np.full((40, 6), 255, np.uint8), 20)).save("one.png")
    lines = run_evaluate(result.folder / "best.npz", "--image", "one.png").out.splitlines()
    assert any(name in lines[0] for name in NAMES)
    assert all(name in lines[1] for name in NAMES)


def test_run_of_other_files_is_resumed(run_train, interrupt_after):
    save_npz()
    interrupt_after(4)
    stopped = run_train("--data", "own.npz", *FAST)
    assert stopped.code == 130
    assert run_train("--resume", stopped.folder).code == 0


def test_data_are_found_from_another_folder(run_train, run_evaluate, monkeypatch):
    save_npz()
    folder = run_train("--data", "own.npz", *FAST).folder.absolute()
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    assert run_train("--resume", folder, "--epochs", 50).code == 0
    assert run_evaluate(folder / "best.npz").code == 0


def test_other_classes_are_refused(run_train, run_evaluate, refused):
    save_npz()
    folder = run_train("--data", "own.npz", *FAST).folder
    images, labels = patterns()
    save_npz("three.npz", x_train=images[labels < 3], y_train=labels[labels < 3], x_test=images[:3], y_test=labels[:3])
    assert refused(run_evaluate(folder / "best.npz", "--data", "three.npz"), "the network has 4 classes, these data 3")


def test_malformed_names_in_a_checkpoint_are_refused(run_train, run_evaluate, refused):
    save_npz(class_names=np.array(NAMES))
    path = run_train("--data", "own.npz", *FAST).folder / "best.npz"
    arrays, config = tg.load(path)
    for names in ("x", ["a"], [1, 2, 3, 4], None, {}):
        config["data"]["class_names"] = names
        tg.save("c.npz", arrays, config)
        with noted(f"names {names!r}"):
            result = run_evaluate("c.npz", "--data", "own.npz")
            assert refused(result, "c.npz does not describe its network", "class_names")


@pytest.mark.parametrize(("name", "value"), [("shape", [10**9, 10**9]), ("shape", [2000, 2000]), ("classes", 10**12)])
def test_huge_images_in_a_checkpoint_are_refused(trained, run_evaluate, refused, name, value):
    arrays, config = tg.load(trained / "best.npz")
    config["data"][name] = value
    tg.save("c.npz", arrays, config)
    assert refused(
        run_evaluate("c.npz"),
        "c.npz does not describe its network",
        "too large" if name == "shape" else "at most 100000",
    )


@pytest.mark.parametrize("dataset", ["mnist", "fashion-mnist", "emnist-letters"])
def test_defaults_of_every_data_set_are_those_of_mnist(dataset):
    from training import options

    assert options.resolve({}, dataset, 26).epochs == 14
    assert options.resolve({}, "digits", 10).epochs == 100


# ------------------------------------------------------------------------------------------------ nothing learned

IMAGES, LABELS = patterns()
SHUFFLED = np.random.default_rng(1).permutation(LABELS)
FAILURES = {
    "rate too high": ({}, "--lr 1000 --momentum 0 --no-nesterov --validation 0 --l2 0",
                      "the learning rate 1000 is too high: try --lr 100"),
    "rate too low": ({}, "--lr 1e-7", "the learning rate 1e-07 is too low: try --lr 1e-06"),
    "few updates": ({}, "--lr 1e-7", "12 updates are few: give more --epochs"),
    "dark on white": ({"x_train": 255 - IMAGES, "x_test": 255 - IMAGES[:80]}, "--lr 1e-7",
                      "the images are dark on white"),
    "test labels of other images": ({"y_test": (LABELS[:80] + 1) % 4}, "--lr 0.1",
                                    "the test labels do not belong to the test images"),
    "raw pixels": ({"y_train": SHUFFLED, "y_test": SHUFFLED[:80]}, "--pixels raw --lr 20 --momentum 0 --no-nesterov",
                   "raw pixels, 0 to 255, need a learning rate near 0.0001"),
    "small raw pixels": ({"x_train": IMAGES // 128, "x_test": IMAGES[:80] // 128}, "--pixels raw --lr 1e-6",
                         "pixels of 0 to 1 are small for a learning rate of 1e-06: give --lr 0.1"),
    "one bright pixel": ({"x_train": np.where(np.arange(240 * 64).reshape(240, 8, 8), IMAGES // 20, 255),
                          "x_test": IMAGES[:80] // 20}, "--lr 1e-7", "99.9 % of the pixels are at most 10, of 255"),
    "a small rate of adam": ({}, "--optimizer adam --lr 1e-8", "1e-08 is too low"),
    "a large rate of adam": ({"y_train": SHUFFLED, "y_test": SHUFFLED[:80]}, "--optimizer adam --lr 0.01",
                             "0.01 is too high: try --lr 0.001"),
    "penalty": ({}, "--l2 10", "--l2 10 pulls the weights to 0"),
    "decay": ({}, "--weight-decay 100", "--weight-decay 100 pulls the weights to 0: give a smaller one"),
    "shrinkage": ({}, "--shrink 0.9", "--shrink 0.9 pulls the weights to 0"),
    "dropout": ({}, "--dropout 0.999", "dropout 0.999 leaves few units"),
    "smoothing": ({}, "--label-smoothing 0.999999 --lr 0.01",
                  "--label-smoothing 0.999999 leaves little of the labels"),
    "labels of other images": ({"y_train": SHUFFLED, "y_test": SHUFFLED[:80]}, "--epochs 40 --lr 0.1 --batch-size 8",
                               "or the labels do not belong to the images"),
}  # fmt: skip


@pytest.mark.parametrize("case", FAILURES)
def test_training_that_learned_nothing_says_what_is_likely_wrong(run_train, case):
    changed, options, reason = FAILURES[case]
    save_npz(**changed)
    result = run_train("--data", "own.npz", *combined(*FAST, *shlex.split(options)))
    assert result.code == 0
    assert result.err.startswith(("train.py: the network calls every image", "train.py: the network is not better"))
    assert reason in result.err
    assert len(result.err.splitlines()) == 1


def test_training_that_learned_something_says_nothing(run_train):
    assert Path(save_npz()).exists()
    assert run_train("--data", "own.npz", *FAST).err == ""
