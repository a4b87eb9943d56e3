"""Run the studies and put their tables and pictures into docs/study.md.

    python docs/study.py            # everything: about a quarter of an hour on two cores
    python docs/study.py report     # one of them: report, fall, default

Runs that exist are not repeated (the sweeps are in sweeps/); the text of docs/study.md is not changed.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

import sweep  # noqa: E402
from training import sweep_pictures as pictures  # noqa: E402
from training.grid import all_settings, read_file  # noqa: E402
from training.pictures import save  # noqa: E402
from training.run import read_result  # noqa: E402
from training.scales import DPI  # noqa: E402
from training.tables import cells, markdown, mean_and_deviation  # noqa: E402

PAGE = ROOT / "docs" / "study.md"
IMAGES = ROOT / "docs" / "images"


def main(names: list[str]) -> int:
    """Run the studies of these names and publish them."""
    for name in names or ["report", "fall", "default"]:
        code = sweep.main([f"studies/{name}.yaml", "--out", f"sweeps/{name}"])
        if code > 1:
            return code
        publish(name)
    return 0


def publish(name: str) -> None:
    """Write the tables between the markers ``<!-- NAME: GRID -->`` and ``<!-- end -->``, and the pictures."""
    folder = ROOT / "sweeps" / name
    grids = read_file(ROOT / "studies" / f"{name}.yaml")
    runs = all_settings(grids)
    results = {run: read_result(folder / "runs" / run) or {"status": "missing"} for run in runs}
    IMAGES.mkdir(parents=True, exist_ok=True)
    page = PAGE.read_text(encoding="utf-8")
    found = {grid.name: cells(grid, runs, results, folder / "runs") for grid in grids}
    for grid in grids:
        mark = re.escape(f"<!-- {name}: {grid.name} -->")
        table = "".join(line for line in markdown(grid, found[grid.name]).splitlines(True) if line.startswith("|"))
        page = re.sub(rf"({mark}\n).*?(<!-- end -->)", lambda m, t=table: f"{m[1]}{t}{m[2]}", page, flags=re.DOTALL)
        stem = f"study-{name}-" + re.sub(r"\W+", "-", grid.name)
        for draw, file in ((pictures.curves, f"{stem}-curves.png"), (pictures.axis, f"{stem}.png")):
            if file in page:
                draw(IMAGES / file, grid, found[grid.name], f"MNIST: {grid.name}")
    if name == "fall":
        rows = ["| | best epoch | accuracy there | accuracy after the last epoch |", "|---|---:|---:|---:|"]
        for grid in grids:
            (cell,) = found[grid.name]
            last = [pictures.read_metrics(run)["test_accuracy"][-1] for run in cell.folders]
            best, peak = cell.numbers("best_epoch").mean(), mean_and_deviation(cell.numbers("test_accuracy"))
            rows.append(f"| {grid.name} | {best:.1f} | {peak} | {mean_and_deviation(np.array(last))} |")
        table = "\n".join(rows) + "\n"
        page = re.sub(r"(<!-- fall -->\n).*?(<!-- end -->)", lambda m: f"{m[1]}{table}{m[2]}", page, flags=re.DOTALL)
        overlay(IMAGES / "study-fall.png", {grid.name: found[grid.name][0].folders for grid in grids})
    PAGE.write_text(page, encoding="utf-8")


def overlay(path: Path, folders: dict[str, list[Path]]) -> None:
    """Draw the test errors of several groups of runs by epoch: means, and the range over the seeds."""
    figure = Figure(figsize=(8.6, 4.0), dpi=DPI)
    axes = figure.add_axes((0.09, 0.14, 0.64, 0.76))
    for (name, runs), colour, dash in zip(folders.items(), pictures.COLOURS, pictures.DASHES, strict=False):
        style = {"color": colour, "linestyle": dash, "linewidth": 1.8}
        histories = [pictures.read_metrics(run) for run in runs]
        pictures.mean_and_range(axes, histories, "test_accuracy", pictures.error_rate, style, name)
    axes.set_xlabel("epoch")
    axes.set_ylabel("test error rate (%)")
    pictures.error_scale(axes)
    axes.set_title("MNIST: the report's recipe, and three changes to it", loc="left", fontsize=12, fontweight="bold")
    pictures.name_lines(axes)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)
    save(figure, path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
