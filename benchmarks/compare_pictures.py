"""The two pictures of `compare.py`: contenders side by side, and cost by depth, width and batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import compare_report
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from training.pictures import save
from training.scales import DPI, label_ends

BASE = compare_report.BASE
# Colours of Okabe and Ito: tensorgrad is blue, the contender that ratios refer to is black.
COLOURS = {
    BASE: "#000000", "tensorgrad, compiled": "#0072B2", "tensorgrad, compiled, NumPy alone": "#0072B2",
    "tensorgrad, compiled, exact=False": "#0072B2", "tensorgrad": "#3E9BD6",
    "PyTorch": "#D55E00", "torch.compile": "#D55E00", "jax.jit": "#009E73",
}  # fmt: skip
DASHES = {"tensorgrad": (4, 1.5), "PyTorch": (1.5, 1.5), "jax.jit": (5, 1.5, 1.5, 1.5)}
OTHER = "0.45"
RATIOS = (0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 7, 10, 15, 20)


def steps(path: Path, results: Any) -> None:
    """Draw the time of a step at each batch, the time from a cold start, and peak memory: a row for each contender."""
    names = compare_report.order(results)[::-1]
    columns: list[tuple[str, dict[str, float], dict[str, str], str]] = []
    for batch, times in results.steps.items():
        ratios = compare_report.medians(times)
        texts = {name: f"{ratio:.2f}" if ratio < 10 else f"{ratio:.0f}" for name, ratio in ratios.items()}
        columns.append((f"a step, batch {batch}\n({1e6 * np.median(times[BASE]):,.0f} µs = 1)", ratios, texts, "ratio"))
    if results.starts:
        start = results.about["starts"]
        seconds = {k: v["seconds"] for k, v in results.starts.items() if v["accuracy"] >= start["goal"]}
        memory = {k: v["peak"] for k, v in results.starts.items()}
        data = compare_report.data_name(start["data"])
        columns += [
            (f"cold start to {100 * start['goal']:g} %\non {data} (s)", seconds, _texts(seconds, "{:.1f}"), ""),
            ("peak memory of\nan epoch (MiB)", memory, _texts(memory, "{:.0f}"), ""),
        ]

    height = 1.25 + 0.27 * len(names)
    figure = Figure(figsize=(9.6, height), dpi=DPI)
    _heading(figure, "A training step of 784-400-10, relative to tuned NumPy; cold start and memory", results)
    left, gap, right = 0.268, 0.012, 0.004
    width = (1 - left - right + gap) / len(columns) - gap
    for i, (title, values, texts, kind) in enumerate(columns):
        axes = figure.add_axes((left + i * (width + gap), 0.16 / height, width, 1 - 1.17 / height))
        _column(axes, names, values, texts, kind == "ratio")
        axes.set_title(title, fontsize=8.5, color="0.15", linespacing=1.25, pad=5, loc="left")
        if i == 0:
            axes.set_yticks(range(len(names)), names, fontsize=8.5)
            for label, name in zip(axes.get_yticklabels(), names, strict=True):
                label.set_color(COLOURS.get(name, "0.2"))
                label.set_weight("bold" if name.startswith("tensorgrad") else "normal")
        else:
            axes.set_yticks([])
    save(figure, path)


def _column(
    axes: Axes, names: Sequence[str], values: Mapping[str, float], texts: Mapping[str, str], ratio: bool
) -> None:
    """Draw a dot with its value for each row, on a logarithmic axis without ticks."""
    finite = [values[name] for name in names if name in values] or [1.0]
    low, high = np.log(min(finite)), np.log(max(finite))
    span = max(high - low, np.log(2))
    axes.set_xlim(low - 0.12 * span, low + 1.5 * span)  # room for numbers on the right
    axes.set_ylim(-0.6, len(names) - 0.4)
    for row, name in enumerate(names):
        axes.axhline(row, color="0.93", linewidth=0.7, zorder=0)
        if name in values:
            x, colour = np.log(values[name]), COLOURS.get(name, OTHER)
            axes.plot(x, row, "o", markersize=5.5, color=colour, zorder=3)
            axes.text(x + 0.09 * span, row, texts[name], fontsize=8, va="center", color=colour,
                      bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6})  # fmt: skip
        else:
            axes.text(low, row, "-", fontsize=8, va="center", color=OTHER)
    if ratio:
        axes.axvline(0, color="0.7", linewidth=0.9, zorder=1)
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def costs(path: Path, results: Any) -> None:
    """Draw the ratio of the time of a step to tuned NumPy by depth, width and batch, with its times below."""
    figure = Figure(figsize=(9.6, 4.4), dpi=DPI)
    _heading(figure, "Time of a training step by depth, width and batch, relative to tuned NumPy", results)
    all_ratios = [compare_report.medians(t) for by_value in results.costs.values() for t in by_value.values()]
    low = min(min(r.values()) for r in all_ratios)
    high = max(max(r.values()) for r in all_ratios)
    limits = low / 1.06, high * 1.06
    left, right, gap, count = 0.085, 0.17, 0.025, len(results.costs)
    width = (1 - left - right + gap) / count - gap
    for i, (axis, by_value) in enumerate(results.costs.items()):
        axes = figure.add_axes((left + i * (width + gap), 0.135, width, 0.645))
        values = np.array([int(value) for value in by_value], dtype=float)
        ratios = [compare_report.medians(times) for times in by_value.values()]
        names = [name for name in ratios[-1] if name != BASE and all(name in others for others in ratios)]
        for name in names:
            line = [r[name] for r in ratios]
            axes.plot(values, line, "o-", markersize=3.5, linewidth=1.6, color=COLOURS.get(name, OTHER), zorder=3,
                      dashes=DASHES.get(name, (None, None)))  # fmt: skip
        axes.axhline(1, color="black", linewidth=1, zorder=2)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlim(values[0] / 1.15, values[-1] * 1.15)
        axes.set_ylim(*limits)
        axes.xaxis.set_major_locator(FixedLocator(values))
        milliseconds = [1e3 * float(np.median(times[BASE])) for times in by_value.values()]
        labels = [f"{value:g}\n{_short(ms)}" for value, ms in zip(values, milliseconds, strict=True)]
        axes.set_xticklabels(labels, fontsize=8.5)
        for label in axes.get_xticklabels():
            label.set_linespacing(1.5)
        axes.xaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_locator(FixedLocator([r for r in RATIOS if limits[0] <= r <= limits[1]]))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.tick_params(axis="y", labelsize=8.5, labelleft=i == 0)
        axes.grid(axis="y", color="0.9", linewidth=0.7)
        axes.spines[["top", "right"]].set_visible(False)
        titles = {"hidden layers": "hidden layers of 400 units, batch 128",
                  "units": "units of one hidden layer, batch 128",
                  "batch": "images in a batch, 784-400-10"}  # fmt: skip
        axes.set_title(titles.get(axis, axis), fontsize=9, loc="left", color="0.15", pad=6)
        if i == 0:
            axes.set_ylabel(f"time, relative to {BASE}", fontsize=9)
            place = {
                "xycoords": "axes fraction",
                "textcoords": "offset points",
                "ha": "right",
                "va": "top",
                "fontsize": 8,
            }
            axes.annotate("NumPy, ms", (0, 0), (-3, -20.5), color="0.15", **place)
        if i == count - 1:
            ends = {name: ratios[-1][name] for name in names} | {BASE: 1.0}
            label_ends(axes, [(name, values[-1], y, COLOURS.get(name, OTHER)) for name, y in ends.items()])
    save(figure, path)


def _short(value: float) -> str:
    """The value with two digits, without an exponent."""
    return f"{value:.0f}" if value >= 9.95 else f"{value:.1f}" if value >= 0.995 else f"{value:.2f}"


def _texts(values: Mapping[str, float], form: str) -> dict[str, str]:
    return {name: form.format(value) for name, value in values.items()}


def _heading(figure: Figure, title: str, results: Any) -> None:
    """Write the title, the machine and the date."""
    height = figure.get_size_inches()[1]
    note = f"{compare_report.machine(results)}; {results.about['date']}; logarithmic scales"
    figure.text(0.012, 1 - 0.22 / height, title, fontsize=11.5, weight="bold", va="center")
    figure.text(0.012, 1 - 0.44 / height, note, fontsize=8.5, color="0.3", va="center")
