"""The lessons: each is executed, its checkers refuse unfinished and wrong exercises and accept the solutions.

Executing needs the extra `lessons`: ``python -m pytest -m lessons tests/test_lessons.py``. Other tests read the files.
"""

import importlib.util
import re
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "docs" / "lessons"
LESSONS = sorted(FOLDER.glob("[0-9]_*.py"))
LIBRARIES = {"numpy", "matplotlib", "scipy", "tensorgrad", "lesson"}

spec = importlib.util.spec_from_file_location("execute", FOLDER / "execute.py")
execute = importlib.util.module_from_spec(spec)
spec.loader.exec_module(execute)


def cells(path):
    """Header and text of each cell of a file in the percent format."""
    parts = re.split(r"^# %%(.*)\n", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return list(zip(parts[::2], parts[1::2], strict=True))


def tags(path):
    return [tag for header, _ in cells(path) for tag in re.findall(r'"(\w+-\d)"', header)]


def code(path):
    return [(header, text.strip()) for header, text in cells(path) if "[markdown]" not in header]


@pytest.mark.parametrize("path", LESSONS, ids=[path.stem for path in LESSONS])
class TestFiles:
    def test_there_are_three_exercises_with_checks_mistakes_and_solutions(self, path):
        expected = [f"{kind}-{number}" for number in (1, 2, 3) for kind in ("exercise", "check")]
        assert tags(path) == expected
        expected = [f"{kind}-{number}" for number in (1, 2, 3) for kind in ("solution", "mistake")]
        assert tags(FOLDER / "solutions" / path.name) == expected

    def test_the_solution_of_an_exercise_is_not_in_the_lesson(self, path):
        given = {text for _, text in code(path)}
        assert not [text for _, text in code(FOLDER / "solutions" / path.name) if text in given]

    def test_cells_are_short(self, path):
        assert max(len(text.splitlines()) for _, text in code(path)) <= 32

    def test_only_what_the_extra_installs_is_imported(self, path):
        text = path.read_text(encoding="utf-8")
        assert set(re.findall(r"^(?:import|from) (\w+)", text, re.MULTILINE)) <= LIBRARIES | {"inspect", "re", "time"}

    def test_files_that_the_text_names_exist(self, path):
        root = FOLDER.parent.parent
        names = re.findall(r"`((?:docs|tensorgrad|examples|models)/[\w/.-]*)`", path.read_text(encoding="utf-8"))
        assert not [name for name in names if not (root / name).exists()]

    def test_the_readme_links_to_it(self, path):
        assert f"({path.name})" in (FOLDER / "README.md").read_text(encoding="utf-8")


def test_there_are_seven_lessons():
    assert [path.name[0] for path in LESSONS] == list("1234567")
    assert sorted(path.name for path in FOLDER.glob("solutions/*.py")) == [path.name for path in LESSONS]


# ------------------------------------------------------------------------------------------------ executing

LESSON = """
# %%
from lesson import at_least, exercise

# %% tags=["exercise-1"]
answer = 0

# %% tags=["check-1"]
with exercise(1):
    at_least("the answer", answer, 42)

# %% tags=["exercise-2"]
# %% tags=["check-2"]
with exercise(2):
    at_least("the answer", answer, 43)

# %% tags=["exercise-3"]
answer = ...

# %% tags=["check-3"]
with exercise(3):
    at_least("the answer", answer, 42)
"""
ANSWERS = """
# %% tags=["mistake-1"]
answer = 41

# %% tags=["solution-1"]
answer = 42

# %% tags=["mistake-2"]
answer = 43

# %% tags=["solution-2"]
answer = 42

# %% tags=["mistake-3"]
answer = float("nan")

# %% tags=["solution-3"]
import warnings
warnings.warn("look")
answer = 42
"""


@pytest.mark.lessons
@pytest.mark.timeout(1800, method="thread")
@pytest.mark.parametrize("path", LESSONS, ids=[path.stem for path in LESSONS])
def test_a_lesson_runs_and_its_checkers_are_right(path):
    _, wrong = execute.execute(path)
    assert not wrong


@pytest.mark.lessons
@pytest.mark.timeout(1800, method="thread")
def test_a_checker_that_is_wrong_and_a_warning_are_found(tmp_path):
    (tmp_path / "solutions").mkdir()
    (tmp_path / "1_x.py").write_text(LESSON, encoding="utf-8")
    (tmp_path / "solutions" / "1_x.py").write_text(ANSWERS, encoding="utf-8")
    notebook, wrong = execute.execute(tmp_path / "1_x.py")
    said = [text for text in map(execute.printed, notebook.cells) if text]
    assert [text.splitlines()[0] for text in said] == [
        "Exercise 1: not yet.", "Exercise 1: not yet.", "the answer: 42",
        "Exercise 2: not yet.", "the answer: 43", "Exercise 2: not yet.",
        "Exercise 3: not yet.", "Exercise 3: not yet.", "the answer: 42"]  # fmt: skip
    assert "the answer is 41; reach 42" in said[1]
    assert len(wrong) == 3
    assert "expected 'Exercise 2: not yet.' after\nanswer = 43" in wrong[0]
    assert "expected 'Exercise 2: right.' after\nanswer = 42" in wrong[1]
    assert "writes to stderr" in wrong[2]
    assert "look" in wrong[2]


@pytest.mark.lessons
@pytest.mark.timeout(1800, method="thread")
def test_a_cell_that_fails_stops_the_lesson(tmp_path):
    from nbclient.exceptions import CellExecutionError

    (tmp_path / "1_x.py").write_text("# %%\nassert 1 + 1 == 3\n", encoding="utf-8")
    with pytest.raises(CellExecutionError, match="AssertionError"):
        execute.run(execute.read(tmp_path / "1_x.py"))
