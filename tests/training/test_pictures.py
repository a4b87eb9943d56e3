"""The pictures of a run: that the files are valid and complete, and what they show."""

import itertools
import math
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from tensorgrad.errors import ConfigError, ShapeError
from training import pictures, run_pictures, scales

NAN, INF = math.nan, math.inf


def epochs(count, **columns):
    """Return a history with a falling loss and a rising accuracy, single columns replaced."""
    rows = []
    for i in range(count):
        row = {"epoch": i + 1, "train_loss": 1 / (i + 1), "val_loss": 1.2 / (i + 1), "lr": 0.1}
        row |= {"train_accuracy": 1 - 0.3 / (i + 1), "val_accuracy": 1 - 0.4 / (i + 1)}
        row |= {key: value[i] if isinstance(value, list) else value for key, value in columns.items()}
        rows.append(row)
    return rows


def digits(count, classes=10, side=8):
    """Return images (count, side, side), labels, predictions, of which every third one is wrong, and confidences."""
    rng = np.random.default_rng(7)
    labels = rng.integers(0, classes, count)
    predicted = np.where(np.arange(count) % 3 == 0, (labels + 1) % classes, labels)
    return rng.integers(0, 17, (count, side, side)), labels, predicted, rng.uniform(0.3, 1, count)


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were drawn; they are not written to files."""
    figures = []
    monkeypatch.setattr(pictures, "save", lambda figure, path: figures.append(figure))
    return figures


def texts(figure):
    """All texts in a figure and its axes."""
    return [text.get_text() for holder in (figure, *figure.axes) for text in holder.texts]


WRITERS = {
    "curves": lambda path: pictures.curves(path, epochs(5), "a run", 5),
    "confusion": lambda path: pictures.confusion(path, np.eye(10, dtype=int) * 90 + 1, "a run"),
    "mistakes": lambda path: pictures.mistakes(path, *digits(12), "a run"),
    "no mistakes": lambda path: pictures.mistakes(path, np.zeros((2, 8, 8)), [1, 2], [1, 2], [1, 1], "a run"),
    "weights": lambda path: pictures.weights(path, np.random.default_rng(0).normal(size=(64, 7)), (8, 8), "a run"),
}


@pytest.mark.parametrize("writer", WRITERS.values(), ids=WRITERS.keys())
def test_file_is_a_valid_png_and_the_only_one(tmp_path, writer):
    path = tmp_path / "picture.png"
    path.write_bytes(b"a previous picture")
    writer(path)
    with Image.open(path) as image:
        assert image.format == "PNG"
        image.load()
        assert np.asarray(image.convert("L")).std() > 1  # it is not blank
    assert list(tmp_path.iterdir()) == [path]
    first = path.read_bytes()
    writer(str(path))
    assert path.read_bytes() == first  # the same picture, byte for byte


def test_interrupted_run_keeps_the_previous_picture(tmp_path, monkeypatch):
    def interrupted(self, file, **options):
        file.write(b"half a pic")
        raise KeyboardInterrupt

    monkeypatch.setattr(Figure, "savefig", interrupted)
    path = tmp_path / "curves.png"
    path.write_bytes(b"a previous picture")
    with pytest.raises(KeyboardInterrupt):
        WRITERS["curves"](path)
    assert path.read_bytes() == b"a previous picture"
    assert list(tmp_path.iterdir()) == [path]


def test_pyplot_is_not_imported():
    root = str(Path(pictures.__file__).parents[1])
    check = f"import sys; sys.path.insert(0, {root!r}); import training.pictures; "
    check += "sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


@pytest.mark.parametrize(
    "history",
    [
        [],
        epochs(1),
        epochs(60),
        epochs(4, val_loss=NAN, val_accuracy=NAN),
        epochs(4, val_loss=None, val_accuracy=None, train_accuracy=None),
        epochs(1, train_loss=NAN, val_loss=INF, train_accuracy=NAN, val_accuracy=NAN),
        epochs(4, train_loss=[1.0, 30.0, INF, NAN], val_loss=[1.0, -INF, NAN, 2.0]),
        epochs(4, train_loss=0.0, val_loss=0.0, train_accuracy=1.0, val_accuracy=1.0),
        epochs(4, epoch=[0.25, 0.5, 0.75, 1.0]),
        [{"epoch": 1}],
    ],
    ids=["empty", "one", "long", "no val", "None", "not finite", "diverged", "perfect", "fractions", "only epoch"],
)
def test_curves_of_any_history(tmp_path, history):
    pictures.curves(tmp_path / "curves.png", history, "costs $5 and $x_1$", 2)
    assert (tmp_path / "curves.png").stat().st_size > 1000


def marked_epochs(figure):
    """The epochs at which something is marked in the two panels."""
    return [[line.get_xdata()[0] for line in axes.lines if list(line.get_xdata()) == [line.get_xdata()[0]]]
            for axes in figure.axes]  # fmt: skip


@pytest.mark.parametrize("best_epoch", [2, 3])
def test_curves_mark_the_epoch_of_the_checkpoint_even_if_another_is_equally_accurate(drawn, best_epoch):
    pictures.curves("-", epochs(4, val_accuracy=[0.5, 0.9, 0.9, 0.8]), "a run", best_epoch)
    assert marked_epochs(drawn[0]) == [[best_epoch], [best_epoch]]
    assert f"marked: epoch {best_epoch}, the best on validation (90.00 % correct)" in texts(drawn[0])


@pytest.mark.parametrize(("best_epoch", "val_accuracy"), [(0, 0.9), (9, 0.9), (2, NAN)])
def test_curves_mark_nothing_without_a_validated_checkpoint(drawn, best_epoch, val_accuracy):
    pictures.curves("-", epochs(4, val_accuracy=val_accuracy), "a run", best_epoch)
    assert marked_epochs(drawn[0]) == [[], []]


def test_mark_of_the_best_epoch_is_within_the_axes(drawn):
    accuracy = [0.2, 0.93, 0.95, 0.94, 0.3, 0.2]
    pictures.curves(
        "-", epochs(6, val_accuracy=accuracy, train_loss=[1, 1, 1, 1, INF, NAN]), "a run", 3, "with dropout"
    )
    (figure,) = drawn
    notes = "marked: epoch 3, the best on validation (95.00 % correct); training: with dropout; "
    assert f"{notes}training loss not finite in 2 of 6 epochs" in texts(figure)
    right = figure.axes[1]
    assert any(list(line.get_xdata()) == [3.0] and list(line.get_ydata()) == [5.0] for line in right.lines)
    assert right.get_ylim()[0] < 5 < 80 < right.get_ylim()[1]
    assert figure.axes[0].get_xlim() == right.get_xlim()


@pytest.mark.parametrize(("last", "scale"), [(0.5, "linear"), (0.05, "log"), (0.0, "linear")])
def test_loss_that_varies_by_a_decade_has_a_logarithmic_scale(drawn, last, scale):
    pictures.curves("-", epochs(2, train_loss=[1.0, last], val_loss=1.0), "a run")
    assert drawn[0].axes[0].get_yscale() == scale


def test_all_error_rates_are_shown_and_low_ones_can_be_distinguished(drawn):
    pictures.curves("-", epochs(20, val_accuracy=[0.1] + [0.98] * 19, train_accuracy=[0.1] + [0.99] * 19), "a run")
    axes = drawn[0].axes[1]
    low, high = axes.get_ylim()
    assert low < 1 < 90 < high
    heights = axes.transAxes.inverted().transform(axes.transData.transform([(1, 1), (1, 2)]))[:, 1]
    assert np.diff(heights) > 0.1


def test_an_error_rate_of_zero_is_on_the_picture(drawn):
    pictures.curves("-", epochs(3, val_accuracy=[0.9, 1.0, 1.0], train_accuracy=[0.8, 0.9, 0.96]), "a run", 2)
    axes = drawn[0].axes[1]
    zero = axes.lines[1].get_ydata()[-1]
    assert axes.get_ylim()[0] < zero < 4
    assert axes.yaxis.get_major_formatter()(zero) == "0"
    assert zero in axes.get_yticks()


@pytest.mark.parametrize("test_accuracy", [None, 0.9, 0.6])
def test_lines_have_their_names_at_their_ends(drawn, test_accuracy):
    """The names do not overlap, are in the order of the lines, and are inside the picture."""
    pictures.curves("-", epochs(3, val_accuracy=0.7001, train_accuracy=0.7, test_accuracy=test_accuracy), "a run")
    (figure,) = drawn
    FigureCanvasAgg(figure).draw()
    for axes in figure.axes:  # the extent of an annotation includes its line to the point
        boxes = {text.get_text(): Text.get_window_extent(text) for text in axes.texts}
        with_test = test_accuracy is not None and axes is figure.axes[1]
        assert boxes.keys() == {"training", "validation"} | ({"test"} if with_test else set())
        order = sorted(boxes, key=lambda name: boxes[name].y0)
        assert all(boxes[a].y1 <= boxes[b].y0 for a, b in itertools.pairwise(order))
        assert all(box.x0 > axes.bbox.x1 and box.x1 < figure.bbox.x1 for box in boxes.values())
    assert [name for name in order if name != "test"] == ["validation", "training"]


def test_places_are_moved_apart_as_little_as_needed():
    rng = np.random.default_rng(3)
    np.testing.assert_array_equal(scales.apart([5.0, 1.0, 9.0], 2), [5, 1, 9])
    np.testing.assert_allclose(scales.apart([3.0, 3.0, 20.0, 3.0], 2), [1, 3, 20, 5])
    for _ in range(50):
        places = rng.normal(size=6) * rng.choice([0.1, 1, 10])
        moved = scales.apart(places, 1)
        np.testing.assert_array_equal(np.argsort(moved), np.argsort(places))
        assert np.diff(np.sort(moved)).min() > 1 - 1e-9
        np.testing.assert_allclose(moved.sum(), places.sum())
        assert np.all(np.isclose(moved, places) | (np.abs(np.sort(moved)[:, None] - moved).round(9) == 1).any(axis=0))


@pytest.mark.parametrize(("low", "high"), [(1.19, 1.31), (0.98, 1.02), (1.2, 30), (0.0012, 0.7), (2e-9, 5e7), (3, 4)])
def test_logarithmic_axes_have_three_to_eight_round_ticks(low, high):
    ticks = scales.log_ticks(low, high)
    assert 3 <= len(ticks) <= 8
    assert ticks == sorted(set(ticks))
    assert low / 1.03 < ticks[0] <= ticks[-1] < high * 1.03


def test_long_title_has_a_smaller_font_and_fits(drawn):
    for title in ("short", "a title of many words " * 6):
        pictures.confusion("-", np.eye(3, dtype=int), title)
    short, long = (figure.texts[0] for figure in drawn)
    assert short.get_fontsize() == 12 > long.get_fontsize()
    for figure in drawn:
        width = figure.texts[0].get_window_extent(FigureCanvasAgg(figure).get_renderer()).x1
        assert width < figure.bbox.width


@pytest.mark.parametrize("classes", [1, 2, 10, 25])
def test_confusion_shows_every_count_but_zero(drawn, classes):
    matrix = np.random.default_rng(classes).integers(0, 3, (classes, classes)) + 50 * np.eye(classes, dtype=int)
    pictures.confusion("-", matrix, "a run")
    axes = drawn[0].axes[0]
    numbers = {(text.get_position()[::-1]): int(text.get_text()) for text in axes.texts}
    assert numbers == {(i, j): matrix[i, j] for i, j in zip(*np.nonzero(matrix), strict=True)}
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted digit", "true digit")
    assert f"{np.trace(matrix):,} of {matrix.sum():,} correct" in drawn[0].texts[1].get_text()


def test_confusion_has_a_separate_colour_scale_for_errors(drawn):
    matrix = np.diag([1000, 1000, 1000]) + np.array([[0, 1, 0], [0, 0, 4], [0, 0, 0]])
    pictures.confusion("-", matrix, "a run")
    errors, correct = (image.get_array().filled(np.nan) for image in drawn[0].axes[0].images)
    np.testing.assert_array_equal(errors, [[NAN, 1, NAN], [NAN, NAN, 4], [NAN, NAN, NAN]])
    assert 4 <= drawn[0].axes[0].images[0].get_clim()[1] < 6
    np.testing.assert_array_equal(np.isfinite(correct), np.eye(3, dtype=bool))


@pytest.mark.parametrize("matrix", [np.zeros((10, 10), dtype=int), np.eye(47, dtype=int)], ids=["empty", "many"])
def test_confusion_without_counts(drawn, matrix):
    pictures.confusion("-", matrix, "a run")
    assert not drawn[0].axes[0].texts


@pytest.mark.parametrize("matrix", [np.zeros((2, 3)), np.zeros(4), np.zeros((0, 0))])
def test_confusion_refuses_other_shapes(matrix, tmp_path):
    with pytest.raises(ShapeError, match=r"a confusion matrix has shape \(C, C\)"):
        pictures.confusion(tmp_path / "c.png", matrix, "a run")


def test_mistakes_are_the_most_confident_ones_in_order(drawn):
    images, labels, predicted, confidence = digits(400)
    pictures.mistakes("-", images, labels, predicted, confidence, "a run")
    wrong = sorted(np.flatnonzero(labels != predicted), key=lambda i: -confidence[i])
    assert texts(drawn[0])[1] == f"60 of {len(wrong)} mistakes in 400 images, most confident first"
    captions = [text.get_text() for text in drawn[0].axes[0].texts]
    assert captions == [f"{labels[i]} taken for {predicted[i]}\n({100 * confidence[i]:.0f} %)" for i in wrong[:60]]


@pytest.mark.parametrize(("count", "note"), [(0, "no mistakes in 0 images"), (2, "no mistakes in 2 images")])
def test_no_mistake(drawn, count, note):
    pictures.mistakes("-", np.zeros((count, 8, 8)), np.ones(count), np.ones(count), np.ones(count), "a run")
    assert texts(drawn[0]) == ["a run", note]


def test_one_mistake(drawn):
    pictures.mistakes("-", np.zeros((2, 8, 8)), [4, 1], [9, 1], [0.98, 1], "a run")
    note = "1 of 1 mistake in 2 images, most confident first"
    assert texts(drawn[0]) == ["a run", note, "4 taken for 9\n(98 %)"]


def test_pixels_of_an_image_are_squares_of_equal_size(tmp_path):
    path = tmp_path / "m.png"
    image = np.indices((28, 28)).sum(axis=0) % 2  # a checkerboard shows any uneven scaling
    pictures.mistakes(path, image[None], [4], [9], [0.98], "a run")
    with Image.open(path) as picture:
        grey = np.asarray(picture.convert("L"))
    dark = np.flatnonzero((grey[:, 30:170] < 250).sum(axis=1) == 140)
    square = grey[dark[0] : dark[0] + 140, 30:170]
    expected = np.kron(np.where(image, 0, 0xF0), np.ones((5, 5)))
    np.testing.assert_array_equal(square, expected)


@pytest.mark.parametrize(
    ("images", "labels"), [(np.zeros((3, 64)), [1, 2, 3]), (np.zeros((3, 8, 8)), [1, 2])], ids=["flat", "short"]
)
def test_mistakes_refuse_shapes_that_do_not_match(images, labels):
    with pytest.raises(ShapeError, match=r"images \(N, H, W\)"):
        pictures.mistakes("-", images, labels, labels, labels, "a run")


def test_weights_are_ordered_by_norm_on_a_scale_around_zero(drawn):
    weight = np.random.default_rng(0).normal(size=(6, 130)) * np.linspace(0.1, 3, 130)
    pictures.weights("-", weight, (2, 3), "a run")
    assert texts(drawn[0])[1] == "100 of 130 units, largest norm first"
    gaps, image = drawn[0].axes[0].images
    order = np.argsort(-np.linalg.norm(weight, axis=0))
    mosaic = image.get_array().filled(np.nan)
    np.testing.assert_array_equal(mosaic[:2, :3], weight[:, order[0]].reshape(2, 3))
    assert np.isfinite(mosaic).sum() == 600
    np.testing.assert_array_equal(gaps.get_array().mask, np.isfinite(mosaic))
    low, high = image.get_clim()
    assert low == -high < 0


@pytest.mark.parametrize("weight", [np.zeros((64, 3)), np.full((64, 2), NAN)], ids=["zero", "nan"])
def test_weights_that_are_zero_or_nan(tmp_path, weight):
    pictures.weights(tmp_path / "w.png", weight, (8, 8), "a run")
    assert (tmp_path / "w.png").exists()


@pytest.mark.parametrize("shape", [(64, 10), (0, 10), (784,)])
def test_weights_refuse_features_that_are_not_an_image(shape):
    with pytest.raises(ConfigError, match=r"28 \* 28 features"):
        pictures.weights("-", np.zeros(shape), (28, 28), "a run")


def test_zero_is_white_and_larger_weights_are_darker():
    colours = pictures.SIGNED(np.linspace(0, 1, 65))[:, :3]
    lightness = colours @ [0.299, 0.587, 0.114]
    assert colours[32].min() > 0.99
    assert np.all(np.diff(lightness[:33]) > 0)
    assert np.all(np.diff(lightness[32:]) < 0)
    assert lightness[0] < lightness[-1] - 0.1  # in greyscale, the strongest negative weights are the darkest


def test_lightness_of_ink_decreases():
    assert np.all(np.diff(pictures.INK(np.linspace(0, 1, 64))[:, :3].sum(axis=1)) < 0)


@pytest.mark.parametrize(
    ("p", "shift", "expected"),
    [(0.2, 2, "with dropout and shifts, "), (0.2, 0, "with dropout, "), (0.0, 1, "with shifts, "), (0.0, 0, "")],
)
def test_the_curves_say_how_training_differs(p, shift, expected):
    layers = [{"type": "Linear", "params": {}}, {"type": "Dropout", "params": {"p": p}}]
    differs = run_pictures.training_differs(SimpleNamespace(layers=layers, shift=shift, augment=[]))
    assert differs == f"{expected}mean over the epoch"
