"""The pictures of a training run as PNG files: curves, confusion matrix, misclassified images, and weights.

They are drawn without pyplot, on Agg canvases and in matplotlib's default style, independently of the user's settings.
"""

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tensorgrad.checkpoints import write_whole
from tensorgrad.errors import ConfigError, ShapeError
from training.scales import DPI, label_ends, log_scale

mpl.rcParams.update(mpl.rcParamsDefault)  # a matplotlibrc may require LaTeX or fonts that are not installed

Floats: TypeAlias = npt.NDArray[np.float64]
Destination: TypeAlias = str | os.PathLike[str]

MOST_MISTAKES = 60
MOST_UNITS = 100
GREY = "0.45"

# Colours of Okabe and Ito, suitable for colour-blind readers. For greyscale prints, the lines also differ in lightness
# and dashes. In the colour map of weights, zero is white, and negative weights are bluer and darker than positive ones.
VALIDATION: dict[str, Any] = {"color": "#0072B2", "linestyle": "-", "marker": "o", "label": "validation"}
TRAINING: dict[str, Any] = {"color": "#E69F00", "linestyle": "--", "marker": "s", "label": "training"}
TEST: dict[str, Any] = {"color": "#009E73", "linestyle": ":", "marker": "^", "label": "test"}
INK = LinearSegmentedColormap.from_list("ink", ["#f0f0f0", "#000000"])
SIGNED = LinearSegmentedColormap.from_list("signed", ["#08306b", "#3f7fbf", "#ffffff", "#f2a93b", "#b35900"])


def curves(
    path: Destination, history: Sequence[Mapping[str, Any]], title: str, best_epoch: int = 0, training: str = ""
) -> None:
    """Draw loss and error rate over the epochs, and mark the epoch ``best_epoch``, whose weights the run keeps.

    ``history`` has an entry for each epoch: ``epoch``; ``train_loss`` and ``val_loss`` in nats per image;
    ``train_accuracy`` (during training), ``val_accuracy`` and optionally ``test_accuracy`` in 0..1. Missing values, NaN
    and infinities are left out. Nothing is marked if ``best_epoch`` is not in the history, or was not validated.
    ``training`` says how training differs from validation, such as ``"with dropout"``.
    """
    epoch = _column(history, "epoch")
    loss = [_column(history, "train_loss"), _column(history, "val_loss")]
    accuracy = [100 * _column(history, f"{part}_accuracy") for part in ("train", "val", "test")]
    errors = [np.round(100 - values, 9) for values in accuracy]
    best = np.flatnonzero((epoch == best_epoch) & np.isfinite(accuracy[1]))  # one index, or none
    notes = [f"marked: epoch {epoch[i]:g}, the best on validation ({accuracy[1][i]:.2f} % correct)" for i in best]
    if training:
        notes.append(f"training: {training}")
    if nonfinite := np.count_nonzero(np.isnan(loss[0])):
        notes.append(f"training loss not finite in {nonfinite} of {len(epoch)} epochs")

    figure = Figure(figsize=(9.6, 4.0), dpi=DPI)
    _heading(figure, 0.085 * 9.6, title, "; ".join(notes))
    left = figure.add_axes((0.085, 0.13, 0.325, 0.685))
    right = figure.add_axes((0.585, 0.13, 0.325, 0.685))
    for axes, name, columns in ((left, "loss (nats per image)", loss), (right, "error rate (%)", errors)):
        axes.set_xlabel("epoch")
        axes.set_ylabel(name)
        shown = log_scale(axes, columns, always=axes is right)
        _lines(axes, epoch, shown)
        for i in best:
            axes.axvline(epoch[i], color=GREY, linewidth=0.8, linestyle=":", zorder=1)
            axes.plot(epoch[i], shown[1][i], "o", ms=9, mfc="none", mec=VALIDATION["color"], mew=1.4)
    save(figure, path)


def confusion(path: Destination, matrix: npt.ArrayLike, title: str, names: Sequence[str] | None = None) -> None:
    """Draw a confusion matrix (C, C) whose rows are the true classes: errors in colour, correct predictions in grey.

    ``names`` are those of the classes, by default their numbers, as of digits.

    Raises
    ------
    ShapeError
        If the matrix is not square.
    """
    counts = np.asarray(matrix)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or not counts.size:
        raise ShapeError(f"a confusion matrix has shape (C, C), got {counts.shape}")
    classes = len(counts)
    diagonal = np.eye(classes, dtype=bool)
    wrong = np.where(diagonal, 0, counts)
    most = int(wrong.max())

    shown, size = _class_labels(names, classes)
    longest = max(map(len, shown)) * size / 120  # inches
    extra = max(0.0, longest - 0.2)  # beyond the space for two digits
    side = 0.87 * 6.4
    figure = Figure(figsize=(6.4 + extra, 6.7 + extra), dpi=DPI)
    total, correct = int(counts.sum()), int(np.trace(counts))
    accuracy = f"{100 * correct / total:.2f} %" if total else "no images"
    note = f"{correct:,} of {total:,} correct ({accuracy}); errors in colour (darkest: {most:,}), correct ones in grey"
    _heading(figure, 0.105 * 6.4, title, note)
    left, below = 0.105 * 6.4 + extra, 0.08 * 6.7 + extra
    axes = figure.add_axes((left / (6.4 + extra), below / (6.7 + extra), side / (6.4 + extra), side / (6.7 + extra)))
    axes.imshow(np.where(diagonal | (wrong == 0), np.nan, wrong), cmap="YlOrRd", vmin=0, vmax=1.15 * max(most, 1))
    axes.imshow(np.where(diagonal, 0.0, np.nan), cmap="Greys", vmin=-0.22, vmax=1.3)
    what = "digit" if names is None or shown == [str(label) for label in range(10)] else "class"
    axes.set_xlabel(f"predicted {what}")
    axes.set_ylabel(f"true {what}")
    axes.set_xticks(np.arange(classes + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(classes + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="0.88", linewidth=0.6)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_color("0.6")
    if names is None and classes > 25:
        _integer_axes(axes)
    else:
        turned = 90 if longest > 0.9 * side / classes else 0
        axes.set_xticks(np.arange(classes), shown, fontsize=size, rotation=turned, parse_math=False)
        axes.set_yticks(np.arange(classes), shown, fontsize=size, parse_math=False)
    if classes <= 25:  # else too many to write numbers into the cells
        size = min(10.0, 500 / classes / max(3, len(str(counts.max()))))
        for row, column in zip(*np.nonzero(counts), strict=True):
            pale = row == column or counts[row, column] < 0.8 * most
            colour = "0.1" if pale else "white"
            axes.text(column, row, str(counts[row, column]), ha="center", va="center", fontsize=size, color=colour)
    save(figure, path)


def mistakes(
    path: Destination,
    images: npt.ArrayLike,
    labels: npt.ArrayLike,
    predictions: npt.ArrayLike,
    confidences: npt.ArrayLike,
    title: str,
    names: Sequence[str] | None = None,
) -> None:
    """Draw the misclassified images among (N, H, W), at most ``MOST_MISTAKES``, the most confident first.

    ``labels`` and ``predictions`` are classes (N,); ``confidences`` (N,) are the probabilities of the predictions, in
    0..1. The smallest value of the images is drawn as paper, the largest as ink. ``names`` are those of the classes, by
    default their numbers.

    Raises
    ------
    ShapeError
        If the shapes do not match.
    """
    pictures, true, predicted, confidence = (np.asarray(a) for a in (images, labels, predictions, confidences))
    if pictures.ndim != 3 or not true.shape == predicted.shape == confidence.shape == pictures.shape[:1]:
        shapes = ", ".join(str(a.shape) for a in (pictures, true, predicted, confidence))
        raise ShapeError(f"expected images (N, H, W), and labels, predictions and confidences (N,); got {shapes}")
    wrong = np.flatnonzero(true != predicted)
    if not wrong.size:
        figure = Figure(figsize=(5.5, 0.9), dpi=DPI)
        _heading(figure, 0.2, title, f"no mistakes in {len(true):,} images")
        save(figure, path)
        return
    shown = wrong[np.argsort(-np.nan_to_num(confidence[wrong]), kind="stable")][:MOST_MISTAKES]
    tiles = pictures[shown].astype(np.float64)
    scale = max(1, round(140 / tiles.shape[2]))
    captions = [_caption(names, true[i], predicted[i], confidence[i]) for i in shown]
    lines, letters = captions[0].count("\n") + 1, max(len(line) for text in captions for line in text.split("\n"))
    font = min(8.0, 136 * tiles.shape[2] * scale / 140 / letters)  # points; as wide as a tile
    below = -(-(8 + 18 * lines) // scale)
    mosaic, corners = _mosaic(tiles, columns=10, gap=-(-16 // scale), below=below)
    count = f"{len(wrong):,} mistake{'s' * (len(wrong) > 1)}"
    note = f"{len(shown)} of {count} in {len(true):,} images, most confident first"
    figure, axes = _mosaic_figure(mosaic, scale, title, note)
    axes.imshow(mosaic, cmap=INK, interpolation="nearest", vmin=tiles.min(), vmax=max(tiles.max(), tiles.min() + 1e-9))
    for caption, (top, left) in zip(captions, corners, strict=True):
        position = left + tiles.shape[2] / 2 - 0.5, top + tiles.shape[1] - 0.5 + 5 / scale
        axes.text(*position, caption, fontsize=font, ha="center", va="top", linespacing=1.1, parse_math=False)
    save(figure, path)


def _caption(names: Sequence[str] | None, true: int, predicted: int, confidence: float) -> str:
    """What was taken for what: in one line, or in three for names of several letters; then how confidently."""
    right, wrong = (str(label) if names is None else _short(names[label], 18) for label in (true, predicted))
    gap = "\n" if names is not None and max(map(len, names)) > 2 else " "
    return f"{right}{gap}taken for{gap}{wrong}\n({100 * confidence:.0f} %)"


def _class_labels(names: Sequence[str] | None, classes: int) -> tuple[list[str], float]:
    """What is written at the axes for each class, and the size of the letters in points."""
    shown = [str(label) for label in range(classes)] if names is None else [_short(name) for name in names]
    return shown, min(10.0, 350 / classes)


def _short(name: str, letters: int = 24) -> str:
    """A name of a class in one line, shortened in the middle if it is long."""
    name = " ".join(name.split()) or "(no name)"
    return name if len(name) <= letters else f"{name[: letters // 2]}...{name[-(letters // 2 - 3) :]}"


def weights(path: Destination, weight: npt.ArrayLike, shape: tuple[int, int], title: str) -> None:
    """Draw the weights of each unit of the first layer as an image, at most ``MOST_UNITS``, the largest norm first.

    ``weight`` is (features, units), ``shape`` the (H, W) of the network's input. Dark blue is the most negative weight,
    white is 0, dark orange the most positive one; all units have the same scale. Between the units it is grey.

    Raises
    ------
    ConfigError
        If the number of features is not H * W.
    """
    matrix = np.asarray(weight, dtype=np.float64)
    height, width = shape
    if matrix.ndim != 2 or not matrix.size or matrix.shape[0] != height * width:
        raise ConfigError(f"weight must have shape ({height} * {width} features, units), got {matrix.shape}")
    norms = np.linalg.norm(matrix, axis=0)
    shown = np.argsort(-norms, kind="stable")[:MOST_UNITS]
    tiles = matrix[:, shown].T.reshape(-1, height, width)
    scale = max(1, round(84 / width))
    mosaic, _ = _mosaic(tiles, columns=10, gap=-(-6 // scale), below=0)
    note = f"{len(shown)} of {matrix.shape[1]} units, largest norm first"
    figure, axes = _mosaic_figure(mosaic, scale, title, note, bar=True)
    sizes = np.abs(tiles[np.isfinite(tiles)])
    limit = float(np.percentile(sizes, 99.5)) if sizes.size else 0.0
    axes.imshow(np.where(np.isnan(mosaic), 0.2, np.nan), cmap="Greys", vmin=0, vmax=1, interpolation="nearest")
    image = axes.imshow(mosaic, cmap=SIGNED, interpolation="nearest", vmin=-(limit or 1.0), vmax=limit or 1.0)
    box = axes.get_position()
    inch = 1 / float(figure.get_figwidth())
    scale_axes = figure.add_axes((box.x1 + 0.15 * inch, box.y0, 0.14 * inch, box.height))
    bar = figure.colorbar(image, cax=scale_axes, extend="both" if sizes.size else "neither")
    bar.set_label("weight")
    save(figure, path)


def _column(history: Sequence[Mapping[str, Any]], key: str) -> Floats:
    """One value for each epoch, NaN if it is missing, None or infinite: (epochs,)."""
    values = [entry.get(key) for entry in history]
    column = np.array([np.nan if value is None else float(value) for value in values], dtype=np.float64)
    return np.where(np.isfinite(column), column, np.nan)


def _lines(axes: Axes, epoch: Floats, columns: Sequence[Floats]) -> None:
    """Draw training, validation and test values over the epochs, each with its name at the end, or that there are none.

    The limits of the vertical axis must have been set.
    """
    ends = []
    for style, values in zip((TRAINING, VALIDATION, TEST), columns, strict=False):
        finite = np.flatnonzero(np.isfinite(values))
        if finite.size:
            size = 3.5 if len(epoch) <= 40 else 0.0
            axes.plot(epoch, values, linewidth=1.5, markersize=size, clip_on=False, **style)
            ends.append((str(style["label"]), epoch[finite[-1]], values[finite[-1]], str(style["color"])))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="0.9", linewidth=0.7)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10], min_n_ticks=1))
    if len(epoch):  # the same in both panels, even if values are missing in one
        margin = 0.04 * (epoch[-1] - epoch[0]) or 1.0
        axes.set_xlim(epoch[0] - margin, epoch[-1] + margin)
    if ends:
        label_ends(axes, ends)
    else:
        axes.text(0.5, 0.5, "no finite values", transform=axes.transAxes, ha="center", color=GREY)


def _integer_axes(axes: Axes) -> None:
    """Label the axes of an image with a few integers."""
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True))


def _mosaic(tiles: Floats, columns: int, gap: int, below: int) -> tuple[Floats, list[tuple[int, int]]]:
    """Arrange tiles (n, H, W) on one canvas with NaN between them; return it, and the (row, column) of their corners.

    matplotlib draws one image of a hundred tiles eight times as fast as a hundred axes.
    """
    count, height, width = tiles.shape
    columns = min(columns, count)
    down, across = height + below + gap, width + gap
    canvas = np.full((-(-count // columns) * down - gap, columns * across - gap), np.nan)
    corners = [(index // columns * down, index % columns * across) for index in range(count)]
    for tile, (top, left) in zip(tiles, corners, strict=True):
        canvas[top : top + height, left : left + width] = tile
    return canvas, corners


def _mosaic_figure(mosaic: Floats, scale: int, title: str, note: str, bar: bool = False) -> tuple[Figure, Axes]:
    """Create a figure whose axes show each value of a mosaic as exactly ``scale`` by ``scale`` pixels."""
    height, width = (side * scale / DPI for side in mosaic.shape)
    margin, head, side = 0.2, 0.7, 1.1 if bar else 0.2
    size = max(width + margin + side, 5.5), height + margin + head
    figure = Figure(figsize=size, dpi=DPI)
    axes = figure.add_axes((margin / size[0], margin / size[1], width / size[0], height / size[1]))
    axes.set_axis_off()
    _heading(figure, margin, title, note)
    return figure, axes


def _heading(figure: Figure, left: float, title: str, note: str) -> None:
    """Write the title and a note below it, ``left`` inches from the left edge; a long title gets a smaller font."""
    width, height = figure.get_size_inches()
    size = min(12.0, 72 * (width - left - 0.1) / (0.7 * max(len(title), 1)))
    styles: tuple[dict[str, Any], ...] = (
        {"fontsize": size, "weight": "bold"},
        {"fontsize": 9, "color": "0.2"},
    )
    for line, inches, style in zip((title, note), (0.25, 0.49), styles, strict=True):
        figure.text(left / width, 1 - inches / height, line, va="center", parse_math=False, **style)


def save(figure: Figure, path: Destination) -> None:
    """Write a figure as a PNG file; when interrupted, keep a previous one."""
    FigureCanvasAgg(figure)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # characters, in names of classes, that the font lacks are drawn as boxes
        write_whole(Path(path), lambda file: figure.savefig(file, format="png", metadata={"Software": None}))
