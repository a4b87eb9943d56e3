"""Names of classes in pictures and tables: complete where there is space, within the picture, and never overlapping."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from tensorgrad.data.known import KNOWN
from tests.helpers import sampled
from training import images, metrics, pictures

LONG = tuple(f"number {i} of the $x_{i} flowers of\nnorthern Europe" for i in range(12))
NAMES = {
    "digits": KNOWN["mnist"].class_names, "fashion": KNOWN["fashion-mnist"].class_names,
    "letters": KNOWN["emnist-letters"].class_names, "balanced": KNOWN["emnist-balanced"].class_names,
    "two": ("yes", "no"), "long": LONG, "empty": ("", " ", "x"),
}  # fmt: skip


@pytest.fixture
def drawn(monkeypatch):
    """The figures that were drawn, in which all texts have their places; they are not written to files."""
    figures = []

    def save(figure, path):
        figure.draw_without_rendering()
        figures.append(figure)

    monkeypatch.setattr(pictures, "save", save)
    return figures


def boxes(figure, texts):
    """The rectangles of texts, in pixels; all of them within the figure, whose layout is complete."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    found = [text.get_window_extent(renderer) for text in texts if text.get_text()]
    for box in found:
        assert 0 <= box.x0 <= box.x1 <= figure.bbox.width, box
        assert 0 <= box.y0 <= box.y1 <= figure.bbox.height, box
    return found


def assert_apart(found):
    for i, one in enumerate(found):
        for other in found[i + 1 :]:
            assert not one.overlaps(other), (one, other)


@pytest.mark.parametrize("kind", sampled(NAMES, 2))
def test_confusion_matrix_has_the_name_of_each_class_at_both_axes(drawn, kind):
    names = NAMES[kind]
    pictures.confusion("-", np.eye(len(names), dtype=int) * 1000 + 3, "a run", names)
    axes = drawn[0].axes[0]
    for axis in (axes.xaxis, axes.yaxis):
        labels = axis.get_ticklabels()
        assert len(labels) == len(names)
        for label, name in zip(labels, names, strict=True):
            plain = " ".join(name.split()) or "(no name)"
            assert label.get_text() == plain or (len(plain) > 24 and label.get_text()[:12] == plain[:12])
        assert_apart(boxes(drawn[0], [*labels, axis.label]))
    what = "digit" if kind == "digits" else "class"
    assert (axes.get_xlabel(), axes.get_ylabel()) == (f"predicted {what}", f"true {what}")
    assert_apart(boxes(drawn[0], drawn[0].texts))


CAPTIONS = [  # each side with a third of the kinds, and each kind once; the others are in the slow tests
    pytest.param(kind, side, marks=pytest.mark.slow if (i + k) % 3 else [])
    for i, kind in enumerate(NAMES)
    for k, side in enumerate([8, 28, 100])
]


@pytest.mark.parametrize(("kind", "side"), CAPTIONS)
def test_captions_of_mistakes_are_below_their_images(drawn, kind, side):
    names, rng = NAMES[kind], np.random.default_rng(0)
    true = rng.integers(0, len(names), 40)
    predicted = (true + 1) % len(names)
    pictures.mistakes("-", rng.integers(0, 9, (40, side, side)), true, predicted, rng.random(40), "a run", names)
    axes = drawn[0].axes[0]
    captions = [" ".join(text.get_text().split()) for text in axes.texts]
    if kind in ("digits", "fashion", "letters"):
        expected = {f"{names[t]} taken for {names[p]}" for t, p in zip(true, predicted, strict=True)}
        assert {caption.split(" (")[0] for caption in captions} == expected
    assert_apart(boxes(drawn[0], axes.texts))


def test_tables_have_the_names():
    names = ("T-shirt/top", "Coat", "x")
    matrix = np.array([[3, 1, 0], [0, 20, 0], [0, 4, 0]])
    assert metrics.table(matrix, names).splitlines()[:3] == [
        "      class   precision     recall   count",
        "------------------------------------------",
        "T-shirt/top    100.00 %    75.00 %       4",
    ]
    assert metrics.confusion_text(matrix, names).splitlines() == [
        "true \\ predicted  T-s.  Coat     x",
        "     T-shirt/top     3     1     .",
        "            Coat     .    20     .",
        "               x     .     4     .",
    ]


@pytest.mark.parametrize(
    ("about", "names"),
    [
        ({"classes": 3, "class_names": ["a", "b", "c"]}, ["a", "b", "c"]),
        ({"classes": 12}, [str(label) for label in range(12)]),
    ],
)
def test_classes_without_names_are_numbered(about, names):
    assert images.class_names(about) == names
