"""The results of a sweep: a CSV file with a row for each run, and a Markdown table with a row for each cell."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tensorgrad.checkpoints import write_whole
from training.grid import Grid, Settings, as_text, key

HEADINGS = {  # of options whose name alone is not clear
    "lr": "learning rate", "hidden": "hidden units", "l2": "L2 penalty", "shrink": "shrinkage",
    "init": "initial weights", "batch_size": "batch size (images)", "shift": "shift (pixels)",
    "every": "every (updates)", "warmup": "warm-up (updates)", "validation": "validation (fraction)",
}  # fmt: skip
RESULTS = (  # columns of the CSV file
    "status", "test_accuracy", "test_loss", "val_accuracy", "best_epoch", "epochs", "updates", "seconds", "error",
)  # fmt: skip


class Cell(NamedTuple):
    """One combination of the values of a grid's varied axes, and its runs, one for each seed."""

    values: tuple[Any, ...]
    folders: list[Path]
    results: list[Mapping[str, Any]]

    def numbers(self, name: str) -> Any:
        """The value of ``name`` in the results of the finished runs that have it: ``(runs,)``."""
        return np.array([r[name] for r in self.results if r["status"] == "finished" and r.get(name) is not None])

    def count(self, status: str) -> int:
        """The number of runs with this status: finished, diverged, failed or missing."""
        return sum(r["status"] == status for r in self.results)


def heading(axis: str) -> str:
    """The name of an option in tables and pictures, with its unit."""
    return HEADINGS.get(axis, axis.replace("_", " "))


def cells(
    grid: Grid, runs: Mapping[str, Settings], results: Mapping[str, Mapping[str, Any]], folder: Path
) -> list[Cell]:
    """The cells of a grid in the order of its values; ``folder`` contains the folders of the runs."""
    names = {key(settings): name for name, settings in runs.items()}
    found: dict[str, Cell] = {}
    for settings in grid.settings():
        name = names[key(settings)]
        values = tuple(settings[axis] for axis in grid.varied)
        cell = found.setdefault(key(values), Cell(values, [], []))
        cell.folders.append(folder / name)
        cell.results.append(results.get(name, {"status": "missing"}))
    return list(found.values())


def read_metrics(folder: Path) -> dict[str, Any]:
    """The columns of metrics.csv of a run as arrays (epochs,), by name; an empty dict if there is no such file."""
    path = folder / "metrics.csv"
    if not path.is_file():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: np.array([float(row[name]) for row in rows]) for name in (rows[0] if rows else {})}


def write_csv(path: Path, runs: Mapping[str, Settings], results: Mapping[str, Mapping[str, Any]]) -> None:
    """Write a row for each run: its name, its settings, and its results."""
    names = list(dict.fromkeys(name for settings in runs.values() for name in settings))
    columns = [name for name in RESULTS if name not in names]  # "epochs" is an option, too
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\n")
    writer.writerow(["run", *names, *columns])
    for run, settings in runs.items():
        result = results.get(run, {"status": "missing"})
        row = [as_text(settings[name]) if name in settings else "" for name in names]
        writer.writerow([run, *row, *(result.get(name, "") for name in columns)])
    write_whole(path, lambda file: file.write(content.getvalue().encode()))


def markdown(grid: Grid, found: Sequence[Cell]) -> str:
    """A Markdown table of cells: accuracies in percent, with mean and standard deviation over the seeds.

    The test accuracy of the cell with the best validation accuracy is bold.
    """
    axes = grid.varied
    heads = [*map(heading, axes), "test accuracy (%)", "validation (%)", "best epoch", "runs"]
    heads += ["report (%)"] if grid.report else []
    numeric = [all(is_number(value) for value in grid.axes[axis]) for axis in axes] + [True] * (len(heads) - len(axes))
    lines = [table_row(heads), table_row(["---:" if right else "---" for right in numeric])]
    best = best_cell(found) if len(found) > 1 else None
    for cell in found:
        accuracy = mean_and_deviation(cell.numbers("test_accuracy"))
        epochs = cell.numbers("best_epoch")
        row = [as_text(value).replace("|", "\\|") for value in cell.values]
        row += [f"**{accuracy}**" if cell is best else accuracy, mean_and_deviation(cell.numbers("val_accuracy"))]
        row += [f"{epochs.mean():.1f}" if len(epochs) else "-", run_counts(cell)]
        if grid.report:
            published = grid.report.get(as_text(cell.values[0]))
            row.append("" if published is None else f"{100 * published:.1f}")
        lines.append(table_row(row))
    notes = ["Bold: the best validation accuracy."] if best is not None else []
    if (seeds := len(grid.axes.get("seed", []))) > 1:
        notes.append(f"Mean ± standard deviation (n - 1) over {seeds} seeds, of the runs that finished.")
    return "\n".join([*lines, *(["", " ".join(notes)] if notes else [])]) + "\n"


def table_row(entries: Sequence[str]) -> str:
    """A row of a Markdown table."""
    return "| " + " | ".join(entries) + " |"


def is_number(value: Any) -> bool:
    """Whether a value is one number, or a list of one number, such as the size of a single hidden layer."""
    if isinstance(value, list):
        return len(value) == 1 and is_number(value[0])
    return isinstance(value, int | float) and not isinstance(value, bool)


def mean(cell: Cell, name: str = "test_accuracy") -> float:
    """The mean of a result over the finished runs of a cell; NaN if there are none."""
    numbers = cell.numbers(name)
    return float(numbers.mean()) if len(numbers) else math.nan


def best_cell(found: Sequence[Cell]) -> Cell | None:
    """The cell with the best mean validation accuracy; None if none has any.

    The test accuracy is not considered: an accuracy by which something is chosen is no longer an unbiased estimate.
    """
    known = [cell for cell in found if not math.isnan(mean(cell, "val_accuracy"))]
    return max(known, key=lambda cell: mean(cell, "val_accuracy"), default=None)


def mean_and_deviation(numbers: Any) -> str:
    """``98.62 ± 0.05``: the mean in percent and, of several numbers, the standard deviation (n - 1)."""
    if not len(numbers):
        return "-"
    deviation = f" ± {100 * numbers.std(ddof=1):.2f}" if len(numbers) > 1 else ""
    return f"{100 * numbers.mean():.2f}{deviation}"


def run_counts(cell: Cell) -> str:
    """The number of finished runs and of others by status: ``3``, or ``1, 2 diverged``."""
    counts = [(status, cell.count(status)) for status in ("diverged", "failed", "missing")]
    others = [f"{count} {status}" for status, count in counts if count]
    return ", ".join([str(cell.count("finished")), *others])
