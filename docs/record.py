"""Draw the pictures of docs/record.md from docs/record.csv: errors beside the literature, and the cost of accuracy.

python docs/record.py

A row of docs/record.csv is a training run: its recipe, the seed, the processor time in seconds with one BLAS thread
if it was measured, and its errors in the 10,000 test images. Those of other libraries are from benchmarks/frontier.py.
"""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, median

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from matplotlib.figure import Figure  # noqa: E402
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator  # noqa: E402

from training.pictures import save  # noqa: E402
from training.scales import DPI  # noqa: E402

OURS, OTHERS, LITERATURE = "#0072B2", {"PyTorch": "#D55E00", "PyTorch, affine warps": "#E69F00"}, "0.6"
OTHER = "#009E73"
PUBLISHED = {  # errors in 10,000 of networks without convolutions, and where they were published
    "784-800-10 (Simard et al. 2003)": 160,
    "784-800-10, elastic distortions (Simard et al. 2003)": 70,
    "several layers with dropout (Hinton et al. 2012)": 110,
    "two maxout layers, dropout (Goodfellow et al. 2013)": 94,
    "two maxout layers, adversarial (Goodfellow et al. 2014)": 78,
}
NETWORKS = {"default": "784-400-10", "record-400": "784-400-10", "record-800": "784-800-10",
            "distilled-400": "784-400-10", "distilled-800": "784-800-10", "plain-1000": "784-1000-10"}  # fmt: skip
APART = {"distilled-400": 4, "distilled-800": -4, "record-400": 4, "record-800": -4}  # points: names moved up or down
LEFT = {"cnn", "record-800", "speed"}  # names that stand on the left of their point
MINUTE, HOUR = 60, 3600

Runs = Mapping[str, Sequence[tuple[float, int]]]  # by recipe, the processor time and the errors of each run


def read(path: Path) -> Runs:
    """The runs in a file, in its order."""
    found: dict[str, list[tuple[float, int]]] = {}
    with path.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["recipe"], []).append((float(row["seconds"] or "nan"), int(row["errors"])))
    return found


def frontier(path: Path, runs: Runs) -> None:
    """Draw the error rate of each recipe, the mean over its runs, at the processor time of a run."""
    figure = Figure(figsize=(8.4, 5.2), dpi=DPI, layout="constrained")
    axes = figure.subplots()
    lines: dict[str, list[tuple[float, float]]] = {}
    for recipe, results in runs.items():
        times = [seconds for seconds, _ in results if seconds == seconds]
        if not times:
            continue
        seconds, errors = median(times), mean(e for _, e in results) / 100
        if match := re.fullmatch(r"(.*), (\d+) epochs", recipe):
            lines.setdefault(match[1], []).append((seconds, errors))
            continue
        count = f" ({len(results)} seeds)" if len(results) > 1 else " (1 seed)"
        axes.plot(seconds, errors, "o", color=OURS, markersize=6, zorder=3)
        is_right = seconds > 10 * MINUTE or recipe in LEFT  # where there is room for its name
        axes.annotate(f"{recipe}{count}", (seconds, errors), (-8 if is_right else 8, APART.get(recipe, 0)),
                      textcoords="offset points",
                      ha="right" if is_right else "left", va="center", fontsize=8, color=OURS)  # fmt: skip
    for name, points in lines.items():
        colour = OTHERS.get(name, OTHER)
        axes.plot(*zip(*sorted(points), strict=True), "s--", color=colour, markersize=4, linewidth=1)
        axes.annotate(name, max(points), (8, 0), textcoords="offset points", va="center", fontsize=8, color=colour)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(5, 3 * HOUR)
    axes.xaxis.set_major_locator(FixedLocator([10, 30, MINUTE, 3 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda s, _: f"{s:g} s" if s < MINUTE else
                                                 f"{s / MINUTE:g} min" if s < HOUR else f"{s / HOUR:g} h"))  # fmt: skip
    axes.yaxis.set_major_locator(FixedLocator([0.4, 0.5, 0.6, 0.7, 0.8, 1, 1.2, 1.5, 2, 3]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda e, _: f"{e:g} %"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_locator(NullLocator())
    axes.grid(color="0.9")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("processor time of a training, one BLAS thread")
    axes.set_ylabel("errors on the test images")
    axes.set_title(
        "MNIST: recipes of this project (blue), and 784-400-10 with other libraries", fontsize=10, loc="left"
    )
    save(figure, path)


def errors(path: Path, runs: Runs) -> None:
    """Draw the errors of networks with one hidden layer beside those of the literature, with a standard deviation."""
    ours = {f"{NETWORKS[name]}, {name}": results for name, results in runs.items() if name in NETWORKS}
    rows = [(label, float(count), 1, LITERATURE) for label, count in PUBLISHED.items()]
    rows += [(label, mean(e for _, e in results), len(results), OURS) for label, results in ours.items()]
    rows.sort(key=lambda row: row[1])
    figure = Figure(figsize=(8.4, 0.36 * len(rows) + 1), dpi=DPI, layout="constrained")
    axes = figure.subplots()
    for i, (_, count, seeds, colour) in enumerate(rows):
        axes.barh(i, count, color=colour, height=0.65)
        axes.errorbar(count, i, xerr=(count * (1 - count / 10_000)) ** 0.5, color="0.2", linewidth=1, capsize=2)
        note = f"{count:.0f}" + (f", mean of {seeds} seeds" if seeds > 1 else "")
        axes.annotate(note, (count + count**0.5, i), (5, 0), textcoords="offset points", va="center", fontsize=8)
    axes.set_yticks(range(len(rows)), [label for label, *_ in rows], fontsize=8)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(0, 1.3 * max(count for _, count, *_ in rows))
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("errors in 10,000 test images, and their binomial standard deviation")
    axes.set_title("This project (blue) and the literature", fontsize=10, loc="left")
    save(figure, path)


def main() -> int:
    """Draw both pictures; return the exit code."""
    runs = read(ROOT / "docs" / "record.csv")
    frontier(ROOT / "docs" / "images" / "record-frontier.png", runs)
    errors(ROOT / "docs" / "images" / "record-errors.png", runs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
