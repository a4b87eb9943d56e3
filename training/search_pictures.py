"""The pictures of a search: the accuracy of its trials, the importance of the options, and a map over two of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from matplotlib.tri import LinearTriInterpolator, Triangulation

from training.grid import as_text
from training.pictures import save
from training.scales import DPI, log_ticks
from training.search import Search, Trial, importances
from training.search_space import Range, Space
from training.sweep_pictures import COLOURS, error_rate, error_scale, options_of, style_axes, titled
from training.tables import heading
from training.titles import data_set, label_of

MOST_BARS = 12


def draw(found: Search) -> None:
    """Draw history.png, importance.png and contour.png, or slice.png if there is one option, in the search's folder."""
    trials, space = found.trials, found.space
    if not any(trial.value is not None for trial in trials):
        return
    title = _title(found)
    history(found.folder / "history.png", trials, title)
    parts = importances(space, trials)
    if len(space.axes) == 1:
        slice_of(found.folder / "slice.png", space, trials, title)
    elif parts:
        importance(found.folder / "importance.png", parts, title)
        x, y = list(parts)[:2]
        contour(found.folder / "contour.png", space, trials, (x, y), title)


def _title(found: Search) -> str:
    """The data set, and what is searched."""
    o = options_of(found.place(trial) for trial in found.trials)
    data = data_set(o.get("dataset", ""), o.get("data"))
    return f"{data and f'{data}: '}search of {', '.join(map(heading, found.space.axes))}"


def _note(trials: Sequence[Trial]) -> str:
    finished = sum(trial.value is not None for trial in trials)
    return f"{len(trials)} trials, {finished} of them finished; chosen by the validation images"


def history(path: Path, trials: Sequence[Trial], title: str) -> None:
    """Draw the error of each trial, and that of the best one so far."""
    figure = Figure(figsize=(7.2, 4.2), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    titled(figure, axes, title, _note(trials))
    numbers = range(1, len(trials) + 1)
    errors = error_rate(np.array([math.nan if t.value is None else t.value for t in trials]))
    pruned = error_rate(np.array([
        max(t.curve, default=math.nan) if t.value is None and t.outcome else math.nan for t in trials
    ]))  # fmt: skip
    best = np.fmin.accumulate(errors)
    axes.plot(numbers, best, drawstyle="steps-post", color=COLOURS[1], linewidth=1.4, label="best so far")
    axes.plot(numbers, errors, "o", color=COLOURS[0], markersize=4.5, label="finished")
    if np.isfinite(pruned).any():
        axes.plot(numbers, pruned, "v", color="0.45", markersize=5, markerfacecolor="none", label="stopped early")
    error_scale(axes)
    axes.set_xlabel("trial")
    axes.set_ylabel("validation error rate (%)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    style_axes(axes)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right upper", frameon=False, fontsize=9)
    save(figure, path)


def importance(path: Path, parts: dict[str, float], title: str) -> None:
    """Draw how much each option explains of the accuracies."""
    shown = dict(list(parts.items())[:MOST_BARS])
    figure = Figure(figsize=(6.4, 1.5 + 0.34 * len(shown)), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    titled(figure, axes, title, "importance for the validation accuracy, of all trials that finished")
    names, values = [heading(name) for name in shown], list(shown.values())
    bars = axes.barh(range(len(names)), values, color=COLOURS[0], height=0.62)
    axes.bar_label(bars, [f"{value:.2f}" for value in values], padding=4, fontsize=9)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.12 * max(*values, 0.01))
    axes.set_xlabel("importance (parts of 1)")
    style_axes(axes)
    axes.grid(visible=False, axis="y")
    axes.grid(axis="x", color="0.9", linewidth=0.8)
    axes.tick_params(axis="y", length=0)
    save(figure, path)


def contour(path: Path, space: Space, trials: Sequence[Trial], names: tuple[str, str], title: str) -> None:
    """Draw the error over two options: a dot for each trial that finished, and the surface through the dots.

    The surface is linear on triangles between dots, and so it is not smooth where trials also differ in other options.
    The best trial has a circle; those that were stopped early are small triangles.
    """
    finished = [trial for trial in trials if trial.value is not None]
    stopped = [trial for trial in trials if trial.value is None and trial.outcome]
    errors = error_rate(np.array([trial.value for trial in finished]))
    figure = Figure(figsize=(7.4, 5.0), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    titled(figure, axes, title, "circle: the best of the trials that finished; triangles: stopped early")
    (x, x_unit), (y, y_unit) = (_positions(space, name, finished) for name in names)
    least = float(errors.min())
    most = max(float(np.percentile(errors, 90)), least + 1e-6)
    colours: dict[str, Any] = {"cmap": "cividis_r", "norm": Normalize(least, most)}
    mesh = _triangulation(x_unit, y_unit)
    if mesh is not None:
        unit = np.linspace(0, 1, 501)
        surface = LinearTriInterpolator(mesh, errors)(*np.meshgrid(unit, unit))
        grid = [_from_unit(space, name, unit) for name in names]
        axes.contourf(*grid, surface, levels=np.linspace(least, most, 13), extend="max", **colours)
    dots = axes.scatter(x, y, c=errors, edgecolors="white", linewidths=0.9, s=34, zorder=3, **colours)
    (x_stopped, _), (y_stopped, _) = (_positions(space, name, stopped) for name in names)
    axes.plot(x_stopped, y_stopped, "v", color="0.45", markersize=4.5, markerfacecolor="none", zorder=3)
    best = int(np.argmin(errors))
    axes.plot(x[best], y[best], "o", markersize=12, markerfacecolor="none", markeredgecolor=COLOURS[1],
              markeredgewidth=1.8, zorder=4)  # fmt: skip
    _scale(axes, axes.xaxis, space, names[0])
    _scale(axes, axes.yaxis, space, names[1])
    bar = figure.colorbar(dots, ax=axes, extend="max" if errors.max() > most else "neither")
    bar.set_label("validation error rate (%)")
    bar.outline.set_visible(False)
    axes.spines[["top", "right"]].set_visible(False)
    save(figure, path)


def slice_of(path: Path, space: Space, trials: Sequence[Trial], title: str) -> None:
    """Draw the error of the trials that finished over the only option."""
    finished = [trial for trial in trials if trial.value is not None]
    (name,) = space.axes
    figure = Figure(figsize=(6.4, 4.2), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    titled(figure, axes, title, _note(trials))
    x, _ = _positions(space, name, finished)
    axes.plot(x, error_rate(np.array([trial.value for trial in finished])), "o", color=COLOURS[0], markersize=5)
    error_scale(axes)
    _scale(axes, axes.xaxis, space, name)
    axes.set_ylabel("validation error rate (%)")
    style_axes(axes)
    save(figure, path)


def _positions(space: Space, name: str, trials: Sequence[Trial]) -> tuple[Any, Any]:
    """The positions of trials on the axis of an option, and the same in parts of its length."""
    axis = space.axes[name]
    if not isinstance(axis, Range):
        places = [as_text(value) for value in axis]
        at = np.array([places.index(as_text(trial.settings[name])) for trial in trials], float)
        return at, at / max(len(places) - 1, 1)
    at = np.array([axis.number(trial.settings[name]) for trial in trials], float)
    low, high, unit = (np.log(v) for v in (axis.low, axis.high, at)) if axis.log else (axis.low, axis.high, at)
    return at, (unit - low) / (high - low)


def _from_unit(space: Space, name: str, unit: Any) -> Any:
    """The positions on the axis of an option for parts of its length."""
    axis = space.axes[name]
    if not isinstance(axis, Range):
        return unit * max(len(axis) - 1, 1)
    return axis.low * (axis.high / axis.low) ** unit if axis.log else axis.low + (axis.high - axis.low) * unit


def _triangulation(x: Any, y: Any) -> Triangulation | None:
    """Triangles between points; None if all lie on a line, or if several are the same."""
    if len(x) < 4 or len(np.unique(np.column_stack([x, y]), axis=0)) < len(x):
        return None
    try:
        return Triangulation(x, y)
    except (RuntimeError, ValueError):
        return None


def _scale(axes: Axes, shown: Axis, space: Space, name: str) -> None:
    """Set the scale, the limits and the name of an axis."""
    axis = space.axes[name]
    is_x = shown is axes.xaxis
    set_limits, set_scale = (axes.set_xlim, axes.set_xscale) if is_x else (axes.set_ylim, axes.set_yscale)
    if not isinstance(axis, Range):
        shown.set_ticks(range(len(axis)), labels=[label_of(value) for value in axis])
        set_limits(-0.5, len(axis) - 0.5)
    elif axis.log:
        set_scale("log")
        shown.set_major_locator(FixedLocator(log_ticks(axis.low, axis.high)))
        shown.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        shown.set_minor_locator(NullLocator())
        margin = (axis.high / axis.low) ** 0.03
        set_limits(axis.low / margin, axis.high * margin)
    else:
        margin = 0.03 * (axis.high - axis.low)
        set_limits(axis.low - margin, axis.high + margin)
    shown.set_label_text(heading(name))
