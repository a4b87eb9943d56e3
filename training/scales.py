"""Axes of pictures: logarithmic scales with round numbers, and the names of lines at their ends."""

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

Floats: TypeAlias = npt.NDArray[np.float64]

DPI = 150  # of all pictures


def label_ends(axes: Axes, ends: Sequence[tuple[str, float, float, str]], size: float = 9) -> None:
    """Write the names of lines to the right of the axes, moved apart where they would overlap.

    ``ends`` has a name, the last point (x, y) and a colour for each line. The position and the limits of the axes must
    be final.
    """
    inch = 72 / DPI
    points = axes.transData.transform([(x, y) for _, x, y, _ in ends]) * inch
    edge = float(axes.transAxes.transform((1, 0))[0]) * inch + 10
    heights = apart(points[:, 1], 1.25 * size)
    for (name, x, y, colour), (across, up), height in zip(ends, points, heights, strict=True):
        axes.annotate(
            name, (x, y), (edge - across, height - up), textcoords="offset points", va="center", fontsize=size,
            color=colour, annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.6, "relpos": (0, 0.5), "shrinkA": 1,
                        "shrinkB": 4},
        )  # fmt: skip


def apart(places: npt.ArrayLike, least: float) -> Floats:
    """The nearest places, in the same order, that are at least so far from each other."""
    wanted = np.asarray(places, dtype=np.float64)
    order = np.argsort(wanted, kind="stable")
    steps = least * np.arange(len(order))
    groups: list[list[float]] = []  # of neighbours that touch; without the steps, the places of groups must not fall
    for value in wanted[order] - steps:
        groups.append([value])
        while len(groups) > 1 and np.mean(groups[-2]) > np.mean(groups[-1]):
            last = groups.pop()
            groups[-1] += last
    moved = np.empty_like(wanted)
    moved[order] = np.repeat([np.mean(group) for group in groups], [len(group) for group in groups]) + steps
    return moved


def log_scale(axes: Axes, columns: Sequence[Floats], *, always: bool = False) -> list[Floats]:
    """Set limits and a logarithmic scale, and return the values to draw.

    The scale is linear if the largest value is at most 8 times the smallest, unless ``always``, or if there is nothing
    positive to draw. If it is always logarithmic, zeros are drawn at the lower edge, where the label is 0.
    """
    values = np.concatenate([np.ravel(column) for column in columns]) if columns else np.array([])
    values = values[np.isfinite(values)]
    positive = values[values > 0]
    zeros = bool((values <= 0).any())
    if not positive.size or not (always or (not zeros and positive.max() > 8 * positive.min())):
        if values.size:
            margin = 0.05 * float(np.ptp(values)) or 1.0
            axes.set_ylim(values.min() - margin, values.max() + margin)
        return list(columns)
    floor = float(positive.min()) / 2
    low, high = (floor if zeros else float(positive.min())), float(positive.max())
    margin = max((high / low) ** 0.05, 1.03)
    axes.set_yscale("log")
    axes.set_ylim(low / margin, high * margin)
    ticks = [tick for tick in log_ticks(low, high) if not zeros or tick > 1.3 * floor]
    axes.yaxis.set_major_locator(FixedLocator([floor, *ticks] if zeros else ticks))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: "0" if zeros and value == floor else f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    return [np.where(column <= 0, floor, column) if zeros else column for column in columns]


def log_ticks(low: float, high: float) -> list[float]:
    """Round numbers between ``low`` and ``high`` for a logarithmic axis: four if possible, at most eight."""
    fine = (tuple(1 + i / count for i in range(9 * count)) for count in (2, 5, 10, 50, 100))
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found: list[float] = []
    for factors in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7), *fine):
        ticks = [
            tick for e in exponents for m in factors if low / 1.02 <= (tick := round(m * 10.0**e, 12)) <= high * 1.02
        ]
        if found and len(ticks) > 8:
            break
        found = ticks
        if len(found) >= 4:
            break
    return found[:: -(-len(found) // 8)]
