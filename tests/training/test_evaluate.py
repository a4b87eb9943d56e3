"""evaluate.py with test images, with pictures, and with files that are not checkpoints."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

import models
import tensorgrad as tg
from tests.runs import new_network, weights
from training import metrics


def picture(name, size=(200, 200), ink=0, paper=255, mode="L"):
    """Draw a zero."""
    image = Image.new("L", size, paper)
    width, height = size
    box = (0.3 * width, 0.2 * height, 0.7 * width, 0.8 * height)
    ImageDraw.Draw(image).ellipse(box, outline=ink, width=max(2, min(size) // 10))
    image.convert(mode).save(name)
    return name


# ------------------------------------------------------------------------------------------------ test images


def test_report_is_that_of_the_confusion_matrix(trained, run_evaluate):
    data = tg.data.load("digits")
    network = new_network(trained)
    tg.nn.load_state_dict(network, weights(trained))
    predicted = network(np.float32(1 / 16) * data.test_images.reshape(-1, 64)).data.argmax(axis=1)
    confusion = metrics.confusion_matrix(data.test_labels, predicted, 10)
    result = run_evaluate(trained / "last.npz")  # which also contains the state of the optimizer
    assert result.code == 0
    assert metrics.table(confusion) in result.out
    assert metrics.confusion_text(confusion) in result.out
    assert result.err == ""


@pytest.fixture
def on_mnist(run_train, write_mnist, workplace):
    """The best checkpoint of a run with a small data set of 28x28 images."""
    write_mnist(workplace / "set")
    result = run_train("--data", "set", "--hidden", 32, "--epochs", 4, "--quiet", "--pixels", "raw",
                       "--lr", 1e-4)  # fmt: skip
    assert result.code == 0
    return result.folder / "best.npz"


def test_data_of_another_shape_are_refused(on_mnist, run_evaluate, refused, write_mnist, workplace):
    assert run_evaluate(on_mnist, "--data", "set").code == 0
    write_mnist(workplace / "other", shape=(9, 11))
    assert refused(run_evaluate(on_mnist, "--data", "other"), "(28, 28)", "(9, 11)")
    assert refused(run_evaluate(on_mnist, "--data", "nowhere"), "nowhere")
    assert run_evaluate(on_mnist).code == 0  # with the data of the training
    (workplace / "set").rename(workplace / "moved")
    assert refused(run_evaluate(on_mnist), "MNIST is not in", "TENSORGRAD_DATA")


def test_folder_is_refused_for_the_small_digits(trained, run_evaluate, refused):
    assert refused(run_evaluate(trained / "best.npz", "--data", "x"), "the digits are part of the package")


# ------------------------------------------------------------------------------------------------ pictures

PICTURES = [
    {}, {"size": (40, 40)}, {"size": (500, 600)}, {"ink": 255, "paper": 0}, {"ink": 60, "paper": 200, "mode": "RGB"},
    {"size": (150, 300), "ink": 250, "paper": 30, "mode": "RGBA"}, {"mode": "1"}, {"mode": "P"},
]  # fmt: skip


def test_pictures_of_any_size_and_polarity_are_classified(trained, run_evaluate):
    files = [picture(f"{i} zero.png", **settings) for i, settings in enumerate(PICTURES)]
    result = run_evaluate(trained / "best.npz", "--image", *files)
    assert (result.code, result.err) == (0, "")
    lines = result.out.splitlines()
    assert lines[::2] == [f"{file}: 0" for file in files]
    for line in lines[1::2]:
        ranked = [(int(digit), float(chance)) for digit, chance in re.findall(r"(\d) ([\d.]+)%", line)]
        assert sorted(digit for digit, _ in ranked) == list(range(10))
        chances = [chance for _, chance in ranked]
        assert chances == sorted(chances, reverse=True)
        assert sum(chances) == pytest.approx(100, abs=0.6)


def test_network_for_28x28_images_classifies_pictures(on_mnist, run_evaluate):
    result = run_evaluate(on_mnist, "--image", picture("a.png"), picture("b.png", ink=255, paper=0))
    assert result.code == 0
    first, second = result.out.splitlines()[1::2]
    assert first == second


def test_malformed_picture_does_not_affect_the_others(trained, run_evaluate):
    Path("text.png").write_text("not a picture")
    Path("cut.png").write_bytes(Path(picture("whole.png")).read_bytes()[:200])
    Path("folder.png").mkdir()
    Image.new("L", (50, 50), 255).save("blank.png")
    bad = ["text.png", "cut.png", "folder.png", "blank.png", "missing.png"]
    result = run_evaluate(trained / "best.npz", "--image", picture("a.png"), *bad, picture("z.png"))
    assert result.code == 2
    assert [line for line in result.out.splitlines() if ".png" in line] == ["a.png: 0", "z.png: 0"]
    lines = result.err.splitlines()
    assert len(lines) == len(bad)
    for name, line in zip(bad, lines, strict=True):
        assert line.startswith(f"evaluate.py: error: {name}: ")


def test_pictures_are_refused_for_other_image_sizes(run_train, run_evaluate, refused, write_mnist, workplace):
    write_mnist(workplace / "set", shape=(9, 11))
    folder = run_train("--data", "set", "--hidden", 4, "--epochs", 1).folder
    result = run_evaluate(folder / "best.npz", "--image", picture("a.png"))
    assert refused(result, "28x28 or 8x8; this network needs 9x11")


# ------------------------------------------------------------------------------------------------ checkpoints


def rewritten(source, **changes):
    arrays, config = tg.load(source)
    tg.save("c.npz", arrays, {**config, **changes})


def without(source, name):
    arrays, config = tg.load(source)
    tg.save("c.npz", {key: array for key, array in arrays.items() if key != name}, config)


CHECKPOINTS = {
    "missing": (lambda best: None, "no checkpoint at c.npz"),
    "empty": (lambda best: Path("c.npz").write_bytes(b""), "damaged or not a checkpoint"),
    "truncated": (lambda best: Path("c.npz").write_bytes(best.read_bytes()[:-100]), "damaged or not a checkpoint"),
    "flipped": (lambda best: Path("c.npz").write_bytes(best.read_bytes()[:900] + b"x" + best.read_bytes()[901:]),
                "damaged or not a checkpoint"),
    "text": (lambda best: Path("c.npz").write_text("weights"), "damaged or not a checkpoint"),
    "folder": (lambda best: Path("c.npz").mkdir(), "name the best.npz in it (its .npz files: none)"),
    "folder of a run": (lambda best: shutil.copytree(best.parent, "c.npz"), "(its .npz files: best.npz, last.npz)"),
    "of np.savez": (lambda best: np.savez("c.npz", x=np.zeros(3)), "does not describe its network"),
    "pickled": (lambda best: np.savez("c.npz", x=np.array([{}], object)), "damaged or not a checkpoint"),
    "no options": (lambda best: rewritten(best, options={}), "does not describe its network"),
    "options as a list": (lambda best: rewritten(best, options=[1]), "does not describe its network"),
    "no data": (lambda best: rewritten(best, data={"shape": [8, 8]}), "does not describe its network"),
    "unknown layer": (lambda best: rewritten(best, options={"layers": [{"name": "a", "type": "B"}], "pixels": "unit"}),
                      "entry 1 ('a'): unknown type 'B'"),
    "another network": (lambda best: rewritten(best, options={"layers": models.mlp([5], 10), "pixels": "unit"}),
                        "layers.hidden.weight has shape (64, 64), expected (64, 5)"),
    "missing weight": (lambda best: without(best, "layers.output.bias"), "missing layers.output.bias"),
}  # fmt: skip


@pytest.mark.parametrize("case", CHECKPOINTS)
def test_file_that_is_not_a_checkpoint_of_a_run_is_refused(trained, run_evaluate, refused, case):
    make, message = CHECKPOINTS[case]
    make(trained / "best.npz")
    for more in ([], ["--image", "a.png"]):
        assert refused(run_evaluate("c.npz", *more), "c.npz", message)


@pytest.mark.parametrize("dtype", ["U5", "S5", complex, "M8[s]"])
def test_weights_that_are_not_real_numbers_are_refused(trained, run_evaluate, refused, dtype):
    arrays, config = tg.load(trained / "best.npz")
    name = "layers.output.bias"
    tg.save("c.npz", {**arrays, name: arrays[name].astype(int).astype(dtype)}, config)
    assert refused(run_evaluate("c.npz"), "c.npz", f"{name} does not hold real numbers")


@pytest.mark.parametrize("value", [None, "x", -1, [], {}, [0, 8], 0.5])
@pytest.mark.parametrize("part", ["data shape", "data classes", "data brightest", "options layers"])
def test_malformed_configuration_is_refused(trained, run_evaluate, refused, part, value):
    arrays, config = tg.load(trained / "best.npz")
    group, name = part.split()
    config[group][name] = value
    tg.save("c.npz", arrays, config)
    assert refused(run_evaluate("c.npz"), "c.npz")


@pytest.mark.parametrize("name", ["--export", "--page", "--show"])
def test_empty_name_of_a_file_is_refused(trained, run_evaluate, refused, name):
    assert refused(run_evaluate(trained / "best.npz", name, ""), f"{name} must not be empty")


def test_page_is_not_written_to_a_folder(trained, run_evaluate, refused):
    assert refused(run_evaluate(trained / "best.npz", "--page", "."), "directory: '.'")
