"""Execute the lessons, and try the checker of each exercise on a mistake and on the solution.

::

    python -m pip install -e ".[lessons]"
    python docs/lessons/execute.py                       # all lessons, in about two minutes
    python docs/lessons/execute.py 3 4                   # some of them
    python docs/lessons/execute.py --write notebooks     # also write them as .ipynb files, with their outputs

A cell with the tag ``exercise-1`` is for the student to finish, and the one with the tag ``check-1`` checks it.
The file of the same name in ``solutions/`` has a cell ``mistake-1``, a plausible wrong answer, and a cell
``solution-1``. The unfinished exercise and the mistake must be refused, and the solution accepted.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
LESSONS = sorted(FOLDER.glob("[0-9]_*.py"))
EXERCISES = (1, 2, 3)
SECONDS = 600  # the longest that a cell may take, also on a busy machine, so that nothing hangs


def read(path: Path) -> Any:
    """The notebook of a file in jupytext's percent format."""
    import jupytext

    return jupytext.read(path, fmt="py:percent")


def tagged(notebook: Any) -> dict[str, Any]:
    """The cells that have a tag, by their tag."""
    return {tag: cell for cell in notebook.cells for tag in cell.metadata.get("tags", ())}


def with_answers(lesson: Any, solutions: Any) -> tuple[Any, dict[int, str]]:
    """The lesson with a mistake and a solution after each check, and what the check at a position must print."""
    from copy import deepcopy

    answers, checks = tagged(solutions), tagged(lesson)
    cells: list[Any] = []
    expected: dict[int, str] = {}
    for cell in lesson.cells:
        cells.append(deepcopy(cell))
        for number in EXERCISES:
            if cell is checks[f"check-{number}"]:
                expected[len(cells) - 1] = f"Exercise {number}: not yet."
                for answer, verdict in (("mistake", "not yet"), ("solution", "right")):
                    cells += [deepcopy(answers[f"{answer}-{number}"]), deepcopy(cell)]
                    expected[len(cells) - 1] = f"Exercise {number}: {verdict}."
    for i, cell in enumerate(cells):
        cell["id"] = f"cell-{i}"
    notebook = deepcopy(lesson)
    notebook.cells = cells
    return notebook, expected


def run(notebook: Any) -> None:
    """Execute a notebook in this folder, with the tensorgrad of this repository; stop its kernel in any case."""
    from nbclient import NotebookClient

    paths = [str(FOLDER.parent.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    client = NotebookClient(notebook, timeout=SECONDS, kernel_name="python3", resources={"metadata": {"path": FOLDER}})
    client.execute(env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYDEVD_DISABLE_FILE_VALIDATION": "1"})


def printed(cell: Any, stream: str = "stdout") -> str:
    """What a cell printed."""
    return "".join(output.text for output in cell.get("outputs", ()) if output.get("name") == stream)


def problems(notebook: Any, expected: dict[int, str]) -> list[str]:
    """Warnings of cells, and checks that print something else than expected."""
    found = []
    for i, cell in enumerate(notebook.cells):
        warning, text = printed(cell, "stderr"), printed(cell)
        if warning:
            found.append(f"a cell writes to stderr:\n{cell.source}\n--> {warning}")
        if i in expected and expected[i] not in text:
            found.append(f"expected {expected[i]!r} after\n{notebook.cells[i - 1].source}\n--> {text}")
    return found


def execute(path: Path) -> tuple[Any, list[str]]:
    """Execute a lesson with the answers of its exercises; return the notebook and what is wrong."""
    notebook, expected = with_answers(read(path), read(path.parent / "solutions" / path.name))
    run(notebook)
    return notebook, problems(notebook, expected)


def processor_time() -> float:
    """Seconds of processor time of all kernels that have ended; 0 on Windows."""
    times = os.times()
    return times.children_user + times.children_system


def main(arguments: list[str] | None = None) -> int:
    """Execute lessons, print the time of each, and return 1 if something is wrong."""
    parser = argparse.ArgumentParser(description="Execute the lessons and check their exercises.")
    parser.add_argument("lessons", nargs="*", help="numbers of lessons; default: all")
    parser.add_argument("--write", metavar="FOLDER", type=Path, help="write the executed notebooks to this folder")
    given = parser.parse_args(arguments)

    code = 0
    for path in LESSONS:
        if given.lessons and path.name[0] not in given.lessons:
            continue
        start, used = time.perf_counter(), processor_time()
        _, wrong = execute(path)
        taken, used = time.perf_counter() - start, processor_time() - used
        print(f"{path.name}: {taken:.0f} s, processor time {used:.0f} s", *wrong, sep="\n  ", flush=True)
        code = 1 if wrong else code
        if given.write:
            import nbformat

            lesson = read(path)
            run(lesson)
            given.write.mkdir(parents=True, exist_ok=True)
            nbformat.write(lesson, given.write / path.with_suffix(".ipynb").name)
    return code


if __name__ == "__main__":
    sys.exit(main())
