"""The pictures of a training run, as PNG files: curves, confusion matrix, mistakes and weights.

Drawn with matplotlib's figures alone, without pyplot: no window, no global state. A picture is written to a
temporary file beside its place and moved there, so that an interrupted run never leaves half a picture.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from tensorgrad.errors import ConfigError, ShapeError

Floats: TypeAlias = npt.NDArray[np.float64]
Destination: TypeAlias = str | os.PathLike[str]

DPI = 150
MOST_MISTAKES = 60
MOST_UNITS = 100
GREY = "0.45"

# The lines differ in lightness and in dashes as well as in hue (of Okabe and Ito's colours), for a grey print
# and for the colour-blind; the two maps below run steadily from dark to light.
VALIDATION: dict[str, Any] = {"color": "#0072B2", "linestyle": "-", "marker": "o", "label": "validation"}
TRAINING: dict[str, Any] = {"color": "#E69F00", "linestyle": "--", "marker": "s", "label": "training"}
TEST: dict[str, Any] = {"color": "#009E73", "linestyle": ":", "marker": "^", "label": "test"}
INK = LinearSegmentedColormap.from_list("ink", ["#f0f0f0", "#000000"])
SIGNED = LinearSegmentedColormap.from_list("signed", ["#08306b", "#2f6aa8", "#8f8f8f", "#f5bb5e", "#fff3d6"])


def curves(
    path: Destination, history: Sequence[Mapping[str, Any]], title: str, loss_unit: str = "nats per image"
) -> None:
    """Draw loss and accuracy over the epochs, the best epoch by validation accuracy marked.

    ``history`` has one entry an epoch: ``epoch``, ``train_loss``, ``val_loss``, and in 0..1
    ``train_accuracy`` (the running one), ``val_accuracy`` and perhaps ``test_accuracy``. What is missing,
    nan or infinite is left out.
    """
    epoch = _column(history, "epoch")
    loss = [_column(history, "train_loss"), _column(history, "val_loss")]
    accuracy = [100 * _column(history, f"{part}_accuracy") for part in ("train", "val", "test")]
    notes = []
    if np.isfinite(accuracy[1]).any():
        best = int(np.nanargmax(accuracy[1]))
        notes = [f"best on validation: {accuracy[1][best]:.2f} % in epoch {epoch[best]:g}"]
    if broken := np.count_nonzero(np.isnan(loss[0])):
        notes.append(f"training loss not finite in {broken} of {len(epoch)} epochs")

    figure = Figure(figsize=(9.6, 4.0), dpi=DPI)
    _heading(figure, 0.08 * 9.6, title, "; ".join(notes))
    left = figure.add_axes((0.08, 0.13, 0.395, 0.685))
    right = figure.add_axes((0.585, 0.13, 0.395, 0.685))
    for axes, name, columns in ((left, f"loss ({loss_unit})", loss), (right, "accuracy (%)", accuracy)):
        _lines(axes, epoch, columns)
        axes.set_xlabel("epoch")
        axes.set_ylabel(name)
        if np.isfinite(accuracy[1]).any():
            axes.axvline(epoch[best], color=GREY, linewidth=0.8, linestyle=":", zorder=1)
            axes.plot(epoch[best], columns[1][best], "o", ms=9, mfc="none", mec=VALIDATION["color"], mew=1.4)
    _loss_scale(left, np.concatenate(loss))
    _accuracy_scale(right, accuracy)
    save(figure, path)


def confusion(path: Destination, matrix: npt.ArrayLike, title: str) -> None:
    """Draw a confusion matrix (C, C), rows the true class: mistakes coloured on their own scale, hits grey.

    Raises ``ShapeError`` if the matrix is not square.
    """
    counts = np.asarray(matrix)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or not counts.size:
        raise ShapeError(f"a confusion matrix is (C, C), got shape {counts.shape}")
    classes = len(counts)
    diagonal = np.eye(classes, dtype=bool)
    wrong = np.where(diagonal, 0, counts)
    most = int(wrong.max())

    figure = Figure(figsize=(6.4, 6.7), dpi=DPI)
    total, right = int(counts.sum()), int(np.trace(counts))
    share = f"{100 * right / total:.2f} %" if total else "none"
    note = f"{right:,} of {total:,} right ({share}); mistakes in colour (darkest: {most:,}), hits in grey"
    _heading(figure, 0.105 * 6.4, title, note)
    axes = figure.add_axes((0.105, 0.08, 0.87, 0.87 * 6.4 / 6.7))
    axes.imshow(np.where(diagonal | (wrong == 0), np.nan, wrong), cmap="YlOrRd", vmin=0, vmax=1.15 * max(most, 1))
    axes.imshow(np.where(diagonal, 0.0, np.nan), cmap="Greys", vmin=-0.22, vmax=1.3)
    axes.set_xlabel("predicted digit")
    axes.set_ylabel("true digit")
    axes.set_xticks(np.arange(classes + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(classes + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="0.88", linewidth=0.6)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_color("0.6")
    if classes > 25:  # too many for numbers: the colours have to do, and a scale for them
        _integer_axes(axes)
    else:
        axes.set_xticks(np.arange(classes))
        axes.set_yticks(np.arange(classes))
        size = min(10.0, 500 / classes / max(3, len(str(counts.max()))))
        for row, column in zip(*np.nonzero(counts), strict=True):
            pale = row == column or counts[row, column] < 0.8 * most
            number = f"{counts[row, column]}"
            colour = "0.1" if pale else "white"
            axes.text(column, row, number, ha="center", va="center", fontsize=size, color=colour)
    save(figure, path)


def mistakes(
    path: Destination,
    images: npt.ArrayLike,
    labels: npt.ArrayLike,
    predictions: npt.ArrayLike,
    confidences: npt.ArrayLike,
    title: str,
) -> None:
    """Draw the images (N, H, W) that were misread, at most ``MOST_MISTAKES``, the most confident first.

    ``labels`` and ``predictions`` are (N,) classes, ``confidences`` (N,) the probability in 0..1 given to
    the prediction. The images may have any range; the smallest value is paper, the largest ink. Raises
    ``ShapeError`` if the shapes do not belong together.
    """
    pictures, true, said, sure = (np.asarray(a) for a in (images, labels, predictions, confidences))
    if pictures.ndim != 3 or not true.shape == said.shape == sure.shape == pictures.shape[:1]:
        shapes = ", ".join(str(a.shape) for a in (pictures, true, said, sure))
        raise ShapeError(f"images (N, H, W) and labels, predictions, confidences (N,) expected, got {shapes}")
    wrong = np.flatnonzero(true != said)
    if not wrong.size:
        figure = Figure(figsize=(5.5, 0.9), dpi=DPI)
        _heading(figure, 0.2, title, f"no mistakes in {len(true):,} images")
        save(figure, path)
        return
    shown = wrong[np.argsort(-np.nan_to_num(sure[wrong]), kind="stable")][:MOST_MISTAKES]
    tiles = pictures[shown].astype(np.float64)
    scale = max(1, round(140 / tiles.shape[2]))
    below = -(-44 // scale)
    mosaic, corners = _mosaic(tiles, columns=10, gap=-(-16 // scale), below=below)
    found = f"{len(wrong):,} mistake{'s' * (len(wrong) > 1)}"
    note = f"showing {len(shown)} of {found} in {len(true):,} images, most confident first"
    figure, axes = _mosaic_figure(mosaic, scale, title, note)
    axes.imshow(mosaic, cmap=INK, interpolation="nearest", vmin=tiles.min(), vmax=max(tiles.max(), tiles.min() + 1e-9))
    for index, (top, left) in zip(shown, corners, strict=True):
        caption = f"true {true[index]}, said {said[index]}\n({100 * sure[index]:.0f} %)"
        place = left + tiles.shape[2] / 2 - 0.5, top + tiles.shape[1] - 0.5 + 5 / scale
        axes.text(*place, caption, fontsize=8, ha="center", va="top", linespacing=1.1)
    save(figure, path)


def weights(path: Destination, weight: npt.ArrayLike, shape: tuple[int, int], title: str) -> None:
    """Draw each unit's incoming weights as an image, at most ``MOST_UNITS``, the largest norm first.

    ``weight`` is the first layer's (features, units), ``shape`` the (H, W) of its input. Black-blue is the
    most negative, grey zero, bright orange the most positive, on one scale for all. Raises ``ConfigError``
    if features is not H * W.
    """
    matrix = np.asarray(weight, dtype=np.float64)
    height, width = shape
    if matrix.ndim != 2 or not matrix.size or matrix.shape[0] != height * width:
        raise ConfigError(f"weight is (features, units) with {height} * {width} features, got {matrix.shape}")
    norms = np.linalg.norm(matrix, axis=0)
    shown = np.argsort(-norms, kind="stable")[:MOST_UNITS]
    tiles = matrix[:, shown].T.reshape(-1, height, width)
    scale = max(1, round(84 / width))
    mosaic, _ = _mosaic(tiles, columns=10, gap=-(-6 // scale), below=0)
    note = f"{len(shown)} of {matrix.shape[1]} units, largest norm first"
    figure, axes = _mosaic_figure(mosaic, scale, title, note, bar=True)
    sizes = np.abs(tiles[np.isfinite(tiles)])
    limit = float(np.percentile(sizes, 99.5)) if sizes.size else 0.0
    image = axes.imshow(mosaic, cmap=SIGNED, interpolation="nearest", vmin=-(limit or 1.0), vmax=limit or 1.0)
    box = axes.get_position()
    inch = 1 / float(figure.get_figwidth())
    scale_axes = figure.add_axes((box.x1 + 0.15 * inch, box.y0, 0.14 * inch, box.height))
    bar = figure.colorbar(image, cax=scale_axes, extend="both" if sizes.size else "neither")
    bar.set_label("weight")
    save(figure, path)


def _column(history: Sequence[Mapping[str, Any]], key: str) -> Floats:
    """Return one value per epoch, nan where it is missing, None or infinite."""
    values = [entry.get(key) for entry in history]
    column = np.array([np.nan if value is None else float(value) for value in values], dtype=np.float64)
    return np.where(np.isfinite(column), column, np.nan)


def _lines(axes: Axes, epoch: Floats, columns: Sequence[Floats]) -> None:
    """Draw training, validation and test values over the epochs, or say that there are none."""
    drawn = 0
    for style, values in zip((TRAINING, VALIDATION, TEST), columns, strict=False):
        if np.isfinite(values).any():
            size = 3.5 if len(epoch) <= 40 else 0.0
            axes.plot(epoch, values, linewidth=1.5, markersize=size, **style)
            drawn += 1
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="0.9", linewidth=0.7)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10], min_n_ticks=1))
    if len(epoch):  # the two panels alike, whatever is missing in one
        margin = 0.04 * (epoch[-1] - epoch[0]) or 1.0
        axes.set_xlim(epoch[0] - margin, epoch[-1] + margin)
    if drawn:
        axes.legend(frameon=False, fontsize=9)
    else:
        axes.text(0.5, 0.5, "no finite values", transform=axes.transAxes, ha="center", color=GREY)


def _loss_scale(axes: Axes, values: Floats) -> None:
    """Choose a logarithmic scale, with its numbers written out, if the losses span a decade or nearly so."""
    values = values[np.isfinite(values)]
    if values.size and values.min() > 0 and values.max() > 8 * values.min():
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if values.max() < 80 * values.min() else (1,)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_locator(NullLocator())


def _accuracy_scale(axes: Axes, columns: Sequence[Floats]) -> None:
    """Choose a range without a steep start, a tenth of the values at most: the top is what matters."""
    values = np.concatenate(columns)
    values = values[np.isfinite(values)]
    if not values.size:
        return
    low = float(np.percentile(values, 10)) if len(columns[0]) >= 4 else float(values.min())
    spread = max(float(values.max()) - low, 1.0)
    axes.set_ylim(max(low - 0.15 * spread, -2), min(values.max() + 0.1 * spread, 100 + 0.04 * spread))


def _integer_axes(axes: Axes) -> None:
    """Label an image's axes with a few whole numbers."""
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True))


def _mosaic(tiles: Floats, columns: int, gap: int, below: int) -> tuple[Floats, list[tuple[int, int]]]:
    """Lay tiles (n, H, W) out on one canvas, nan between them; return it and their upper left corners.

    One image of a hundred tiles is drawn eight times as fast as a hundred axes.
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
    """Create a figure whose axes show every value of a mosaic as exactly ``scale`` by ``scale`` pixels."""
    height, width = (side * scale / DPI for side in mosaic.shape)
    margin, head, side = 0.2, 0.7, 1.1 if bar else 0.2
    size = max(width + margin + side, 5.5), height + margin + head
    figure = Figure(figsize=size, dpi=DPI)
    axes = figure.add_axes((margin / size[0], margin / size[1], width / size[0], height / size[1]))
    axes.set_axis_off()
    _heading(figure, margin, title, note)
    return figure, axes


def _heading(figure: Figure, left: float, title: str, note: str) -> None:
    """Write the title, and a note below it, from ``left`` inches on; a long title is set smaller."""
    width, height = figure.get_size_inches()
    size = min(12.0, 72 * (width - left - 0.1) / (0.7 * max(len(title), 1)))
    styles: tuple[dict[str, Any], ...] = (
        {"fontsize": size, "weight": "bold"},
        {"fontsize": 9, "color": "0.2"},
    )
    for line, inches, style in zip((title, note), (0.25, 0.49), styles, strict=True):
        figure.text(left / width, 1 - inches / height, line, va="center", parse_math=False, **style)


def save(figure: Figure, path: Destination) -> None:
    """Write a figure as a PNG file atomically."""
    place = Path(path)
    draft = place.with_name(f".{place.name}.{os.getpid()}.part")
    FigureCanvasAgg(figure)
    try:
        figure.savefig(draft, format="png", metadata={"Software": None})
        draft.replace(place)
    finally:
        draft.unlink(missing_ok=True)
