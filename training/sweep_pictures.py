"""The pictures of a sweep: the curves of its cells, error rates against one axis, and a heat map over two axes."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import MaxNLocator

from models import read_yaml
from training.grid import Grid, as_text
from training.pictures import save
from training.scales import DPI, label_ends, log_scale
from training.tables import Cell, best_cell, heading, is_number, mean, read_metrics
from training.titles import data_set, label_of, recipe

# Colours of Okabe and Ito. In greyscale prints, the lines can be distinguished by dashes and markers.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#000000", "#56B4E9")
DASHES = ("-", (0, (5, 2)), (0, (6, 2, 1, 2)), (0, (1, 1.3)), (0, (5, 1, 1, 1, 1, 1)), (0, (10, 2)), (0, (2, 3)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
MOST_CURVES = len(COLOURS)
MOST_LOSS = 10.0  # nats per image; larger losses are outside the picture. Guessing one of 10 classes costs 2.3


def draw(folder: Path, prefix: str, grid: Grid, cells: Sequence[Cell]) -> None:
    """Draw the curves of a grid and, depending on the number of its varied options, results against an axis or two.

    The names of the files in ``folder`` begin with ``prefix``.
    """
    o = options_of(_all_folders(cells))
    data = data_set(o.get("dataset", ""), o.get("data"))
    title = " and ".join(map(heading, grid.varied)) if grid.name == "grid" else grid.name
    title = ": ".join(filter(None, (data, title)))
    curves(folder / f"{prefix}curves.png", grid, cells, title)
    if len(grid.varied) == 1:
        axis(folder / f"{prefix}axis.png", grid, cells, title)
    if len(grid.varied) == 2:
        heat_map(folder / f"{prefix}heat-map.png", grid, cells, title)


def curves(path: Path, grid: Grid, cells: Sequence[Cell], title: str) -> None:
    """Draw training loss and error rate by epoch, a line for each cell: the mean over the seeds, with a shaded range.

    The errors are those on the test images if runs recorded them (``watch_test``), otherwise on the validation images.
    If there are more cells than colours, those with the best mean validation accuracy are drawn.
    """

    def rank(i: int) -> float:
        return -float(np.nan_to_num(mean(cells[i], "val_accuracy"), nan=-1.0))

    shown = [cells[i] for i in sorted(sorted(range(len(cells)), key=rank)[:MOST_CURVES])]
    note = note_of(grid, cells)
    if len(cells) > len(shown):
        note += f"; the best {len(shown)} of {len(cells)} combinations by validation accuracy"
    histories = [[read_metrics(folder) for folder in _folders(cell)] for cell in shown]
    watched = any(np.isfinite(h["test_accuracy"]).any() for runs in histories for h in runs if h)
    accuracy, name = ("test_accuracy", "test") if watched else ("val_accuracy", "validation")
    labels = [textwrap.shorten(", ".join(map(label_of, c.values)) or "all runs", 44) + _status_note(c) for c in shown]
    several = any(len(runs) > 1 for runs in histories)
    varied = [*textwrap.wrap(", ".join(map(heading, grid.varied)), 40), *["(mean and range of seeds)"] * several]

    figure, (left, right) = panels(title, note, 0.25 + 0.075 * max(map(len, [*labels, *varied])), 0.17 * len(varied))
    for axes, column, convert in ((left, "train_loss", _unchanged), (right, accuracy, error_rate)):
        for runs, label, colour, dash, marker in zip(histories, labels, COLOURS, DASHES, MARKERS, strict=False):
            style = {"color": colour, "linestyle": dash, "marker": marker, "linewidth": 1.6, "markersize": 4.5}
            mean_and_range(axes, runs, column, convert, style, label)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
        if max((len(h[column]) for runs in histories for h in runs if h), default=0) < 2:
            axes.set(xlim=(0.5, 1.5), xticks=[1])
        style_axes(axes)
    left.set_ylabel("training loss (nats per image)")
    right.set_ylabel(f"{name} error rate (%)")
    loss_range(left)
    error_scale(right)
    right.annotate("\n".join(varied), (1, 1), (16, 4), xycoords="axes fraction", textcoords="offset points",
                   fontsize=9, va="bottom")  # fmt: skip
    name_lines(right)
    save(figure, path)


def axis(path: Path, grid: Grid, cells: Sequence[Cell], title: str) -> None:
    """Draw test errors against the only axis of a grid: a dot for each run, lines between means, published values.

    A ring marks the best by validation.
    """
    name = grid.varied[0]
    values = [cell.values[0] for cell in cells]
    if all(map(is_number, values)):
        order = sorted(range(len(values)), key=lambda i: values[i])
        cells, values = [cells[i] for i in order], [values[i] for i in order]
    figure = Figure(figsize=(max(6.4, 1.8 + 0.75 * len(values)), 4.2), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    titled(figure, axes, title, note_of(grid, cells))
    positions = list(range(len(values)))
    line = "-" if all(map(is_number, values)) else "none"
    mark: dict[str, Any] = {"marker": "_", "markersize": 16, "markeredgewidth": 1.6} if line == "none" else {}
    means = [error_rate(mean(cell)) for cell in cells]
    axes.plot(positions, means, color=COLOURS[0], linestyle=line, linewidth=1.4, label="mean", **mark)
    chosen = best_cell(cells) if len(cells) > 1 else None
    for position, cell in zip(positions, cells, strict=True):
        if cell is chosen:
            axes.plot(position, means[position], "o", markersize=13, color="none", markeredgecolor="0.3",
                      markeredgewidth=1.1, label="best on\nvalidation")  # fmt: skip
        numbers = error_rate(cell.numbers("test_accuracy"))
        axes.plot([position] * len(numbers), numbers, "o", color=COLOURS[0], markersize=4.5, alpha=0.75,
                  label="one run" if position == positions[0] else None)  # fmt: skip
        others = [
            f"{cell.count(status)} {status}" for status in ("diverged", "failed", "missing") if cell.count(status)
        ]
        if others:
            axes.annotate("\n".join(others), (position, 0), (0, 4), ha="center", fontsize=8.5, color="0.3",
                          xycoords=("data", "axes fraction"), textcoords="offset points")  # fmt: skip
    published = [
        (position, error_rate(grid.report[as_text(value)]))
        for position, value in zip(positions, values, strict=True)
        if as_text(value) in grid.report
    ]
    if published:
        axes.plot(*zip(*published, strict=True), "D", color=COLOURS[1], markersize=6.5, markerfacecolor="none",
                  markeredgewidth=1.5, label="the report")  # fmt: skip
    axes.set_xlim(-0.5, len(values) - 0.5)
    error_scale(axes)
    if any(cell.count("finished") < len(cell.results) for cell in cells):
        low, high = axes.get_ylim()
        axes.set_ylim(low * (low / high) ** 0.2, high)  # room for the notes at the bottom
    labels = [label_of(value) for value in values]
    axes.set_xticks(positions, labels, **_rotation(labels))
    axes.set_xlabel(heading(name))
    axes.set_ylabel("test error rate (%)")
    style_axes(axes)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right upper", frameon=False, fontsize=9)
    save(figure, path)


def heat_map(path: Path, grid: Grid, cells: Sequence[Cell], title: str) -> None:
    """Draw the mean test accuracy over the two axes of a grid, with numbers; the best by validation is bold."""
    down, across = grid.varied
    rows, columns = grid.axes[down], grid.axes[across]
    means, notes = np.full((len(rows), len(columns)), np.nan), np.full((len(rows), len(columns)), "", object)
    chosen, best = best_cell(cells), None
    for cell in cells:
        position = rows.index(cell.values[0]), columns.index(cell.values[1])
        means[position] = 100 * mean(cell)
        notes[position] = _status(cell)
        best = position if cell is chosen else best
    height, width = 2.3 + 0.5 * len(rows), max(2.6 + 0.85 * len(columns), 6.0)
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    titled(
        figure,
        axes,
        title,
        "; ".join(filter(None, (note_of(grid, cells), "bold: the best on validation" if best else ""))),
    )
    finite = means[np.isfinite(means)]
    low, high = (np.percentile(finite, 10), finite.max()) if finite.size else (0, 1)
    axes.set_facecolor("0.93")
    image = axes.imshow(means, cmap="cividis", vmin=low, vmax=max(high, low + 1e-6), aspect="auto")
    for (i, j), value in np.ndenumerate(means):
        label = str(notes[i, j]) if math.isnan(value) else f"{value:.2f}"
        light = math.isnan(value) or value > (low + high) / 2
        axes.text(j, i, label, ha="center", va="center", fontsize=9, color="black" if light else "white",
                  fontweight="bold" if (i, j) == best else "normal")  # fmt: skip
    labels = [label_of(value) for value in columns]
    axes.set_xticks(range(len(columns)), labels, **_rotation(labels))
    axes.set_yticks(range(len(rows)), [label_of(value) for value in rows])
    axes.set_xlabel(heading(across))
    axes.set_ylabel(heading(down))
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=axes, extend="min" if finite.size and finite.min() < low else "neither")
    bar.set_label("mean test accuracy (%)")
    bar.outline.set_visible(False)
    save(figure, path)


def _folders(cell: Cell) -> list[Path]:
    """The folders of the finished runs; those of all runs if none finished."""
    runs = list(zip(cell.folders, cell.results, strict=True))
    return [folder for folder, result in runs if result["status"] == "finished"] or cell.folders


def options_of(folders: Iterable[Path]) -> dict[str, Any]:
    """The options of the first run, of those in these folders, that has begun; none if there is no such run."""
    files = (folder / "config.yaml" for folder in folders)
    return next((read_yaml(file, "the configuration") for file in files if file.is_file()), {})


def _all_folders(cells: Sequence[Cell]) -> Iterator[Path]:
    return (folder for cell in cells for folder in cell.folders)


def note_of(grid: Grid, cells: Sequence[Cell]) -> str:
    """The recipe that all runs of a grid share, and the number of seeds."""
    seeds = len(grid.axes.get("seed", [0]))
    return ", ".join([*recipe(options_of(_all_folders(cells)), grid.varied), *[f"{seeds} seeds"] * (seeds > 1)])


def panels(title: str, note: str, names: float, varied: float) -> tuple[Figure, tuple[Axes, Axes]]:
    """A figure with two panels, with ``names`` inches for names on the right and ``varied`` inches above them."""
    width = 9.0 + names
    figure = Figure(figsize=(width, 4.4), dpi=DPI)
    lines = [len(text.splitlines()) for text in _wrapped(title, note, width)]
    top = max(0.25 + 0.2 * lines[0] + 0.17 * lines[1] + 0.1, varied + 0.25)
    height = 3.9 + top
    figure.set_size_inches(width, height)
    left, right = (figure.add_axes((at / width, 0.6 / height, 3.4 / width, 3.3 / height)) for at in (0.85, 5.25))
    titled(figure, left, title, note, x=0.85 / width, y=1 - 0.15 / height)
    return figure, (left, right)


def _wrapped(title: str, note: str, width: float) -> tuple[str, str]:
    """Title and note in lines that fit into so many inches; short parts of the note, such as 2 seeds, stay whole."""
    parts = [part if len(part) > 30 else part.replace(" ", "\xa0") for part in re.split(r"(?<=[,;]) ", note)]
    lines = textwrap.fill(" ".join(parts), int(13 * (width - 1.2)))
    return textwrap.fill(title, int(9 * (width - 0.6))), lines.replace("\xa0", " ")


def titled(figure: Figure, axes: Axes, title: str, note: str, **place: float) -> None:
    """Write the title at the top of a figure, and the note above the axes."""
    title, note = _wrapped(title, note, figure.get_figwidth())
    if title:
        figure.suptitle(title, ha="left", fontsize=11.5, fontweight="bold", **({"x": 0.02} | place))
    axes.set_title(note, loc="left", fontsize=9, color="0.25")
    if isinstance(engine := figure.get_layout_engine(), ConstrainedLayoutEngine):
        engine.set(w_pad=0.12, h_pad=0.1)


def error_scale(axes: Axes) -> None:
    """Set a logarithmic scale for all lines, dots and shaded ranges, with zero at its lower edge."""
    lines = axes.get_lines()
    values = [np.asarray(line.get_ydata(), float) for line in lines]
    for line, shown in zip(lines, log_scale(axes, [*values, *_ranges(axes)], always=True), strict=False):
        line.set_ydata(shown)


def _ranges(axes: Axes) -> list[Any]:
    """The values at the edges of the shaded ranges."""
    return [np.asarray(path.vertices)[:, 1] for shade in axes.collections for path in shade.get_paths()]


def name_lines(axes: Axes) -> None:
    """Write the labels of lines at their ends; those of lines without values below the others."""
    ends = []
    for line in axes.get_lines():
        if str(line.get_label()).startswith("_"):  # as matplotlib calls lines without a name
            continue
        x, y = np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)
        known = np.flatnonzero(np.isfinite(y))
        end = (x[known[-1]], y[known[-1]]) if known.size else (axes.get_xlim()[1], axes.get_ylim()[0])
        ends.append((str(line.get_label()), float(end[0]), float(end[1]), str(line.get_color())))
    label_ends(axes, ends)


def error_rate(accuracy: Any) -> Any:
    """The errors in percent."""
    return np.round(100 - 100 * accuracy, 9)


def _unchanged(values: Any) -> Any:
    return values


def _rotation(labels: Sequence[str]) -> dict[str, Any]:
    """Options for the labels of an axis: long ones are rotated, so that they do not overlap."""
    return {"rotation": 30, "ha": "right"} if max(map(len, labels)) > 9 else {}


def style_axes(axes: Axes) -> None:
    """Draw horizontal grid lines, and no frame above and on the right."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)


def mean_and_range(
    axes: Axes,
    histories: list[dict[str, Any]],
    name: str,
    convert: Callable[[Any], Any],
    style: Mapping[str, Any],
    label: str,
) -> None:
    """Draw the mean of a column of metrics, converted, over several runs, and shade the range of the runs."""
    columns = [convert(h[name]) for h in histories if h]
    length = min(map(len, columns), default=0)
    stack = np.array([column[:length] for column in columns]).reshape(len(columns), length)
    epochs = np.arange(1, length + 1)
    line = stack.mean(axis=0) if columns else []
    axes.plot(epochs, line, label=label, markevery=max(1, math.ceil(length / 8)), **style)
    if len(columns) > 1:
        axes.fill_between(epochs, stack.min(axis=0), stack.max(axis=0), color=style["color"], alpha=0.15, linewidth=0)


def _status(cell: Cell) -> str:
    """The status of those runs of a cell that did not finish; empty if all did."""
    return next((status for status in ("diverged", "failed", "missing") if cell.count(status)), "")


def _status_note(cell: Cell) -> str:
    return "" if cell.count("finished") else f" ({_status(cell)})"


def loss_range(axes: Axes) -> None:
    """Set a logarithmic scale if the losses differ much.

    Losses above `MOST_LOSS` are outside. A triangle is where a line leaves the picture, and a note says so.
    """
    lines = [(line.get_color(), np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float))
             for line in axes.get_lines()]  # fmt: skip
    values = np.concatenate([*(y for _, _, y in lines), *_ranges(axes)]) if lines else np.array([])
    values = values[np.isfinite(values)]
    if not values.size:
        return
    if values.max() <= MOST_LOSS:
        log_scale(axes, [values])
        return
    log_scale(axes, [np.append(values[values <= MOST_LOSS], MOST_LOSS)])
    axes.set_ylim(top=MOST_LOSS)
    left = []
    for colour, x, y in lines:
        if places := _crossings(x, y):
            axes.plot(places, [MOST_LOSS] * len(places), "^", color=colour, markersize=6, clip_on=False)
            left += places
    side = 0.0 if np.mean(left or [0.0]) > np.mean(axes.get_xlim()) else 1.0  # where fewer lines leave
    axes.annotate("▲ larger losses are not shown", (side, 1), (4 - 8 * side, -8), xycoords="axes fraction",
                  ha="right" if side else "left", va="top", textcoords="offset points", fontsize=8.5, color="0.3",
                  bbox={"facecolor": "white", "edgecolor": "none", "pad": 1})  # fmt: skip


def _crossings(x: Any, y: Any) -> list[float]:
    """Where a line (x, y) crosses `MOST_LOSS`, or its middle if all of it is above."""
    y = np.where(np.isfinite(y), y, np.nan)
    above = y > MOST_LOSS
    with np.errstate(all="ignore"):
        part = np.log(MOST_LOSS / y[:-1]) / np.log(y[1:] / y[:-1])
    known = np.isfinite(y[:-1]) & np.isfinite(y[1:]) & (above[:-1] != above[1:])
    found = (x[:-1] + part * np.diff(x))[known]
    if not found.size and above.any():
        return [float(np.mean(x[above]))]
    return [float(place) for place in found]
