"""The pictures of a sweep: the curves of its cells, accuracy against one axis, and a heat map over two axes."""

from __future__ import annotations

import csv
import math
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from training.grid import Grid, as_text
from training.pictures import DPI, save
from training.tables import Cell, best_cell, heading, is_number, mean

# Colours of Okabe and Ito. In greyscale prints, the lines can be distinguished by dashes and markers.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#000000", "#56B4E9")
DASHES = ("-", (0, (5, 2)), (0, (6, 2, 1, 2)), (0, (1, 1.3)), (0, (5, 1, 1, 1, 1, 1)), (0, (10, 2)), (0, (2, 3)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
MOST_CURVES = len(COLOURS)
MOST_LOSS = 10.0  # nats per image; larger losses are outside the picture. Guessing one of 10 classes costs 2.3


def draw(folder: Path, prefix: str, grid: Grid, cells: Sequence[Cell]) -> None:
    """Draw the curves of a grid and, depending on the number of its varied options, accuracies against an axis or two.

    The names of the files in ``folder`` begin with ``prefix``.
    """
    title = "" if grid.name == "grid" else grid.name
    curves(folder / f"{prefix}curves.png", grid, cells, title)
    if len(grid.varied) == 1:
        axis(folder / f"{prefix}axis.png", grid, cells, title)
    if len(grid.varied) == 2:
        heat_map(folder / f"{prefix}heat-map.png", grid, cells, title)


def curves(path: Path, grid: Grid, cells: Sequence[Cell], title: str) -> None:
    """Draw training loss and accuracy by epoch, a line for each cell: the mean over the seeds, with a shaded range.

    The accuracy is that of the test images if runs recorded it (``watch_test``), otherwise of the validation images.
    If there are more cells than colours, those with the best mean validation accuracy are drawn.
    """

    def rank(i: int) -> float:
        return -float(np.nan_to_num(mean(cells[i], "val_accuracy"), nan=-1.0))

    shown = [cells[i] for i in sorted(sorted(range(len(cells)), key=rank)[:MOST_CURVES])]
    if len(cells) > len(shown):
        title += f"{': ' if title else ''}the best {len(shown)} of {len(cells)} combinations by validation accuracy"
    figure = Figure(figsize=(10.4, 4.4), dpi=DPI, layout="constrained")
    left, right = figure.subplots(1, 2)
    _title(figure, title, 90)
    histories = [[read_metrics(folder) for folder in _folders(cell)] for cell in shown]
    watched = any(np.isfinite(h["test_accuracy"]).any() for runs in histories for h in runs if h)
    accuracy, name = ("test_accuracy", "test") if watched else ("val_accuracy", "validation")
    for cell, runs, colour, dash, marker in zip(shown, histories, COLOURS, DASHES, MARKERS, strict=False):
        label = textwrap.shorten(", ".join(map(label_of, cell.values)) or "all runs", 44) + _status_note(cell)
        style = {"color": colour, "linestyle": dash, "marker": marker, "linewidth": 1.6, "markersize": 4.5}
        mean_and_range(left, runs, "train_loss", 1, style, label)
        mean_and_range(right, runs, accuracy, 100, style, label)
    several = any(len(runs) > 1 for runs in histories)
    left.set_ylabel("training loss (nats per image)")
    right.set_ylabel(f"{name} accuracy (%)")
    _loss_range(left)
    _accuracy_range(right)
    for axes in (left, right):
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
        if all(len(line.get_xdata()) < 2 for line in axes.get_lines()):
            axes.set(xlim=(0.5, 1.5), xticks=[1])
        _style(axes)
    figure.legend(
        *left.get_legend_handles_labels(), loc="outside right upper", frameon=False, fontsize=9, title_fontsize=9,
        title="\n".join([",\n".join(map(heading, grid.varied))] + ["(mean and range of seeds)"] * several),
        handlelength=3.6, alignment="left",
    )  # fmt: skip
    save(figure, path)


def axis(path: Path, grid: Grid, cells: Sequence[Cell], title: str) -> None:
    """Draw test accuracy against the only axis of a grid: a dot for each run, lines between means, published values."""
    name = grid.varied[0]
    values = [cell.values[0] for cell in cells]
    if all(map(is_number, values)):
        order = sorted(range(len(values)), key=lambda i: values[i])
        cells, values = [cells[i] for i in order], [values[i] for i in order]
    figure = Figure(figsize=(max(6.0, 1.4 + 0.75 * len(values)), 4.0), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    _title(figure, title, 60)
    positions = list(range(len(values)))
    line = "-" if all(map(is_number, values)) else "none"
    mark: dict[str, Any] = {"marker": "_", "markersize": 16, "markeredgewidth": 1.6} if line == "none" else {}
    means = [100 * mean(cell) for cell in cells]
    axes.plot(positions, means, color=COLOURS[0], linestyle=line, linewidth=1.4, label="mean", **mark)
    for position, cell in zip(positions, cells, strict=True):
        numbers = 100 * cell.numbers("test_accuracy")
        axes.plot([position] * len(numbers), numbers, "o", color=COLOURS[0], markersize=4.5, alpha=0.75,
                  label="one run" if position == positions[0] else None)  # fmt: skip
        others = [
            f"{cell.count(status)} {status}" for status in ("diverged", "failed", "missing") if cell.count(status)
        ]
        if others:
            axes.annotate("\n".join(others), (position, 0), (0, 4), ha="center", fontsize=8.5, color="0.3",
                          xycoords=("data", "axes fraction"), textcoords="offset points")  # fmt: skip
    published = [
        (position, 100 * grid.report[as_text(value)])
        for position, value in zip(positions, values, strict=True)
        if as_text(value) in grid.report
    ]
    if published:
        axes.plot(*zip(*published, strict=True), "D", color=COLOURS[1], markersize=6.5, markerfacecolor="none",
                  markeredgewidth=1.5, label="the report")  # fmt: skip
    axes.set_xlim(-0.5, len(values) - 0.5)
    if any(cell.count("finished") < len(cell.results) for cell in cells):
        axes.margins(y=0.16)  # room for the notes at the bottom
    labels = [label_of(value) for value in values]
    axes.set_xticks(positions, labels, **_rotation(labels))
    axes.set_xlabel(heading(name))
    axes.set_ylabel("test accuracy (%)")
    _style(axes)
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
    height, width = 1.9 + 0.5 * len(rows), max(2.6 + 0.85 * len(columns), 5.0)
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    _title(figure, title, int(10 * width))
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


def read_metrics(folder: Path) -> dict[str, Any]:
    """The columns of metrics.csv of a run as arrays (epochs,), by name; an empty dict if there is no such file."""
    path = folder / "metrics.csv"
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: np.array([float(row[name]) for row in rows]) for name in (rows[0] if rows else {})}


def label_of(value: Any) -> str:
    """A value as a label: of a path to a YAML file only the name, and at most 24 characters."""
    label = as_text(value)
    if isinstance(value, str) and label.endswith((".yaml", ".yml")):
        label = Path(label).stem
    return label if len(label) <= 24 else label[:11] + "…" + label[-12:]


def _folders(cell: Cell) -> list[Path]:
    """The folders of the finished runs; those of all runs if none finished."""
    runs = list(zip(cell.folders, cell.results, strict=True))
    return [folder for folder, result in runs if result["status"] == "finished"] or cell.folders


def _title(figure: Figure, title: str, width: int) -> None:
    if title:
        figure.suptitle(textwrap.fill(title, width), x=0.01, ha="left", fontsize=11.5, fontweight="bold")


def _rotation(labels: Sequence[str]) -> dict[str, Any]:
    """Options for the labels of an axis: long ones are rotated, so that they do not overlap."""
    return {"rotation": 30, "ha": "right"} if max(map(len, labels)) > 9 else {}


def _style(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)


def mean_and_range(
    axes: Axes, histories: list[dict[str, Any]], name: str, factor: float, style: Mapping[str, Any], label: str
) -> None:
    """Draw the mean of a column of metrics, times ``factor``, over several runs, and shade the range of the runs."""
    columns = [h[name] * factor for h in histories if h]
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


def _loss_range(axes: Axes) -> None:
    """Set a logarithmic scale if the losses differ much; losses above `MOST_LOSS` are outside the picture."""
    losses = [v for line in axes.get_lines() for v in np.asarray(line.get_ydata(), float) if v > 0 and math.isfinite(v)]
    if losses and max(losses) > MOST_LOSS > 2 * min(losses):
        losses = [v for v in losses if v <= MOST_LOSS] + [MOST_LOSS]
        axes.set_ylim(min(losses) / 1.3, MOST_LOSS)
    if losses and max(losses) > 8 * min(losses):
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(FixedLocator(_ticks(min(losses), max(losses))))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
        axes.yaxis.set_minor_locator(NullLocator())


def _ticks(low: float, high: float) -> list[float]:
    """Ticks at 1, 2, 5, 10, ..., or only at powers of ten if these are too many."""
    for factors in ((1, 2, 5), (1,)):
        steps = [m * 10.0**e for e in range(-9, 10) for m in factors if low / 1.5 <= m * 10.0**e <= high * 1.5]
        if len(steps) <= 10:
            break
    return steps


def _accuracy_range(axes: Axes) -> None:
    """Set a range in which the best lines can be distinguished; parts far below are outside the picture."""
    lines = [np.asarray(line.get_ydata(), float) for line in axes.get_lines()]
    values = np.concatenate(lines) if lines else np.array([])
    values = values[np.isfinite(values)]
    if values.size:
        top = values.max()
        low = max(values.min(), top - 4 * (top - np.percentile(values, 30)) - 0.2)
        margin = 0.06 * (top - low + 0.1)
        axes.set_ylim(low - margin, min(top + margin, 100.2))
