"""The folder `examples/`: short programs, each with its command, listed on its page."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = sorted((ROOT / "examples").glob("*.py"))
PAGE = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_a_program_is_short_and_says_how_it_is_run(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 100
    assert f"\n    python examples/{path.name}" in ast.get_docstring(ast.parse(text), clean=False)


def test_the_page_lists_all_programs():
    rows = re.findall(
        r"^\| \[`(\w+\.py)`\]\((\w+\.py)\) \|.*\| `python examples/(\w+\.py)[^`]*` \| [^|]+ \|$", PAGE, re.M
    )
    assert all(len(set(row)) == 1 for row in rows)
    assert sorted(name for name, *_ in rows) == [path.name for path in PROGRAMS]


def test_a_program_runs_from_the_command_line(tmp_path):
    command = [sys.executable, str(ROOT / "examples" / "logistic_regression.py")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=200)
    assert "a = 15.0429 +- 7.3786" in done.stdout
