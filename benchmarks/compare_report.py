"""The results of `compare.py`, as text with tables, and as a section of a Markdown page with pictures."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import contender
import measuring
import numpy as np

BEGIN, END = "<!-- begin: python benchmarks/compare.py -->", "<!-- end: python benchmarks/compare.py -->"
COMMAND = "python benchmarks/compare.py --write docs/figures.md"
BASE = "tuned NumPy"


def medians(times: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """The ratio of each contender to tuned NumPy, a median over the rounds, in ascending order."""
    base = np.array(times[BASE])
    ratios = {name: measuring.ratio(np.array(values), base) for name, values in times.items()}
    return dict(sorted(ratios.items(), key=lambda item: item[1]))


def order(results: Any) -> list[str]:
    """The contenders of the steps, the fastest first: by the geometric mean of their ratios."""
    ratios = [medians(times) for times in results.steps.values()]
    names = [name for name in ratios[0] if all(name in others for others in ratios)]
    return sorted(names, key=lambda name: float(np.prod([r[name] for r in ratios])))


def steps_table(results: Any) -> list[str]:
    """Time of a step at each batch size, and its ratio to tuned NumPy."""
    headings = ["a step, µs"]
    for batch in results.steps:
        headings += [f"batch {batch}", f"of {BASE}"]
    rows = []
    for name in order(results):
        row = [name]
        for times in results.steps.values():
            seconds, base = np.array(times[name]), np.array(times[BASE])
            row += [measuring.microseconds(seconds), "1" if name == BASE else measuring.spread(seconds, base)]
        rows.append(row)
    return measuring.table_lines(headings, rows)


def starts_table(results: Any) -> list[str]:
    """Cold starts and memory, the fastest first."""
    goal = results.about["starts"]["goal"]
    rows = []
    for name, found in sorted(results.starts.items(), key=lambda item: item[1]["seconds"]):
        reached = found["accuracy"] >= goal
        seconds = f"{found['seconds']:.1f}" if reached else f"not in {found['epochs']} epochs"
        rows.append([name, results.versions.get(name, ""), f"{found['first']:.1f}", seconds,
                     f"{found['epochs']}", f"{found['peak']:.0f}"])  # fmt: skip
    headings = [
        "from a cold start",
        "version",
        "first step, s",
        f"to {100 * goal:g} %, s",
        "epochs",
        "peak memory, MiB",
    ]
    return measuring.table_lines(headings, rows)


def costs_tables(results: Any) -> list[list[str]]:
    """For each axis, the ratio to tuned NumPy; the last row is the time of tuned NumPy."""
    tables = []
    for axis, by_value in results.costs.items():
        ratios = [medians(times) for times in by_value.values()]
        names = [name for name in ratios[-1] if name != BASE and all(name in others for others in ratios)]
        rows = [[name, *(f"{r[name]:.2f}" for r in ratios)] for name in names]
        rows.append([f"{BASE}, µs", *(measuring.microseconds(times[BASE]) for times in by_value.values())])
        tables.append(measuring.table_lines([axis, *by_value], rows))
    return tables


def machine(results: Any) -> str:
    """Processor, BLAS and threads, in a line."""
    about = results.about
    return f"{about['processor']}, {about['cores']}, {about['threads']}, {about['blas'].partition(',')[0]}"


def checked() -> str:
    """A sentence about the comparison of the weights."""
    return (
        f"All have the same weights after {contender.CHECKED} steps (their change differs by at most "
        f"{100 * contender.TOLERANCE:g} %, in the Euclidean norm of each array)."
    )


def text(results: Any) -> str:
    """All tables, for the terminal."""
    about = results.about
    lines = [f"{machine(results)}; Python {about['python']}; {about['date']}; median of {about['rounds']} rounds"]
    if results.steps:
        lines += [checked(), "", *steps_table(results)]
    for table in costs_tables(results):
        lines += ["", f"time of a step, of {BASE}", *table]
    if results.starts:
        lines += ["", *starts_table(results)]
    lines += [f"not measured: {line}" for line in (*results.missing, *results.failed)]
    return "\n".join(lines)


def page(results: Any) -> str:
    """The section of the page."""
    about = results.about
    parts = [
        f"`{COMMAND}`, on {about['date']}: {machine(results)}, Python {about['python']}, each contender in a process "
        f"of its own, float32. {versions(results)}"
    ]
    if results.steps:
        parts += [
            f"`python benchmarks/compare.py --parts steps`: a step of 784-400-10, in microseconds, and its ratio to "
            f"hand-written NumPy without allocations, with quartiles; {about['rounds']} rounds in turns. {checked()}",
            "\n".join(steps_table(results)),
            "![Time of a step, cold start and peak memory](images/compare.png)",
        ]
    if results.costs:
        parts.append("![Time of a step by depth, width and batch](images/cost.png)")
    if results.starts:
        start = about["starts"]
        goal, training = (
            f"{100 * start['goal']:g} %",
            f"{start['network']}, batch {start['batch']}, rate {start['lr']:g}",
        )
        parts += [
            f"`python benchmarks/compare.py --parts starts`: from the start of a process to {goal} of the validation "
            f"images of {data_name(start['data'])}, by plain SGD ({training}). Import, compilation and reading the "
            "images are included; caches of compiled programs are empty. Peak memory is that of the whole process "
            "after its first epoch.",
            "\n".join(starts_table(results)),
        ]
    if results.missing or results.failed:
        parts.append("Not measured: " + "; ".join((*results.missing, *results.failed)) + ".")
    filled = [part if part.startswith("|") else textwrap.fill(part, 125, break_on_hyphens=False) for part in parts]
    return "\n\n".join(filled)


def versions(results: Any) -> str:
    """The versions of all libraries."""
    names = {name.split(",")[0]: version for name, version in results.versions.items()}
    names["NumPy"] = names.pop(BASE, "")
    names.pop("plain NumPy", None)
    return ", ".join(f"{name} {version}" for name, version in names.items()) + "."


def data_name(name: str) -> str:
    """The name of a data set as it is written in texts."""
    return {"mnist": "MNIST", "digits": "the small digits"}.get(name, name)


def split(path: Path) -> tuple[str, str]:
    """The text of a page before and after the section.

    Raises
    ------
    ValueError
        If the page does not have the two markers.
    """
    text = path.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{path} needs the lines {BEGIN} and {END}, between which the tables go")
    return before, after


def write(path: Path, results: Any) -> None:
    """Write the section of a page, and its pictures."""
    import compare_pictures

    before, after = split(path)
    images = path.parent / "images"
    images.mkdir(exist_ok=True)
    if results.steps:
        compare_pictures.steps(images / "compare.png", results)
    if results.costs:
        compare_pictures.costs(images / "cost.png", results)
    path.write_text(f"{before}{BEGIN}\n\n{page(results)}\n\n{END}{after}", encoding="utf-8")
