"""The results of a sweep as rows: a CSV of runs, a Markdown table of cells with mean and deviation over the seeds."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tensorgrad.checkpoints import write_whole
from training.grid import Grid, Settings, key, text

HEADINGS = {
    "lr": "learning rate", "hidden": "hidden units", "l2": "L2 penalty", "shrink": "shrinkage",
    "init": "initial weights", "batch_size": "batch size (images)", "shift": "shift (pixels)",
    "every": "every (updates)", "warmup": "warm-up (updates)", "validation": "validation (fraction)",
}  # fmt: skip
COLUMNS = (
    "status", "test_accuracy", "test_loss", "val_accuracy", "best_epoch", "epochs", "updates", "seconds", "error",
)  # fmt: skip


class Cell(NamedTuple):
    """One combination of a grid's values, and its runs, one a seed."""

    values: tuple[Any, ...]
    folders: list[Path]
    results: list[Mapping[str, Any]]

    def numbers(self, name: str) -> Any:
        """One number of each run that came to its end."""
        return np.array([r[name] for r in self.results if r["status"] == "finished" and r.get(name) is not None])

    def count(self, status: str) -> int:
        """How many runs ended so."""
        return sum(r["status"] == status for r in self.results)


def heading(axis: str) -> str:
    """An option as a table and a picture call it, with its unit."""
    return HEADINGS.get(axis, axis.replace("_", " "))


def cells(
    grid: Grid, runs: Mapping[str, Settings], results: Mapping[str, Mapping[str, Any]], folder: Path
) -> list[Cell]:
    """The cells of a grid, in the order of its values."""
    names = {key(settings): name for name, settings in runs.items()}
    found: dict[str, Cell] = {}
    for settings in grid.settings():
        name = names[key(settings)]
        values = tuple(settings[axis] for axis in grid.varied)
        cell = found.setdefault(key(values), Cell(values, [], []))
        cell.folders.append(folder / name)
        cell.results.append(results.get(name, {"status": "missing"}))
    return list(found.values())


def write_csv(path: Path, runs: Mapping[str, Settings], results: Mapping[str, Mapping[str, Any]]) -> None:
    """A row a run: its settings, and how it ended."""
    names = list(dict.fromkeys(name for settings in runs.values() for name in settings))
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\n")
    writer.writerow(["run", *names, *COLUMNS])
    for run, settings in runs.items():
        result = results.get(run, {"status": "missing"})
        row = [text(settings[name]) if name in settings else "" for name in names]
        writer.writerow([run, *row, *(result.get(name, "") for name in COLUMNS)])
    write_whole(path, lambda file: file.write(content.getvalue().encode()))


def markdown(grid: Grid, found: Sequence[Cell]) -> str:
    """The cells as a Markdown table: accuracies in percent, mean and standard deviation over the seeds."""
    axes = grid.varied
    heads = [*map(heading, axes), "test accuracy (%)", "validation (%)", "best epoch", "runs"]
    heads += ["report (%)"] if grid.report else []
    numeric = [all(is_number(value) for value in grid.axes[axis]) for axis in axes] + [True] * (len(heads) - len(axes))
    lines = [_row(heads), _row(["---:" if right else "---" for right in numeric])]
    best = max((mean(cell) for cell in found if not math.isnan(mean(cell))), default=math.nan)
    for cell in found:
        accuracy = spread(cell.numbers("test_accuracy"))
        if mean(cell) == best and len(found) > 1:
            accuracy = f"**{accuracy}**"
        epochs = cell.numbers("best_epoch")
        row = [text(value).replace("|", "\\|") for value in cell.values] + [
            accuracy,
            spread(cell.numbers("val_accuracy")),
        ]
        row += [f"{epochs.mean():.1f}" if len(epochs) else "-", endings(cell)]
        if grid.report:
            row.append(f"{100 * grid.report[text(cell.values[0])]:.1f}" if text(cell.values[0]) in grid.report else "")
        lines.append(_row(row))
    seeds = len(grid.axes.get("seed", []))
    if seeds > 1:
        lines += ["", f"Mean ± standard deviation (n - 1) over {seeds} seeds, of the runs that finished."]
    return "\n".join(lines) + "\n"


def _row(entries: Sequence[str]) -> str:
    return "| " + " | ".join(entries) + " |"


def is_number(value: Any) -> bool:
    """Whether a value is one number, be it in a list by itself as the size of a hidden layer is."""
    if isinstance(value, list):
        return len(value) == 1 and is_number(value[0])
    return isinstance(value, int | float) and not isinstance(value, bool)


def mean(cell: Cell) -> float:
    """The mean test accuracy of a cell; NaN if no run of it came to its end."""
    numbers = cell.numbers("test_accuracy")
    return float(numbers.mean()) if len(numbers) else math.nan


def spread(numbers: Any) -> str:
    """``98.62 ± 0.05``: mean and, of several, standard deviation (n - 1), in percent."""
    if not len(numbers):
        return "-"
    deviation = f" ± {100 * numbers.std(ddof=1):.2f}" if len(numbers) > 1 else ""
    return f"{100 * numbers.mean():.2f}{deviation}"


def endings(cell: Cell) -> str:
    """``3``, or ``1, 2 diverged``."""
    counts = [(status, cell.count(status)) for status in ("diverged", "failed", "missing")]
    others = [f"{count} {status}" for status, count in counts if count]
    return ", ".join([str(cell.count("finished")), *others])
