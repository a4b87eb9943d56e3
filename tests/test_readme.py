"""What the README shows is run, and what it says of files is counted."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parent.parent / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


def test_nothing_is_left_to_be_filled_in():
    for page in (README, *README.parent.glob("docs/*.md"), *README.parent.glob("checkpoints/*.md")):
        assert not re.search(r"^[A-Z0-9]{2,}$|TODO|FIXME", page.read_text(encoding="utf-8"), re.MULTILINE), page


def test_there_are_examples():
    assert len(BLOCKS) >= 3


@pytest.mark.parametrize("block", BLOCKS, ids=[block.strip().splitlines()[-1][:40] for block in BLOCKS])
def test_example_runs(block):
    exec(compile(block, str(README), "exec"), {"__name__": "readme"})


def test_the_first_example_learns():
    names: dict = {"__name__": "readme"}
    exec(compile(BLOCKS[0], str(README), "exec"), names)
    assert names["loss"].item() < 0.7  # log 2 is where it started
    assert names["hessian_row"].shape == (3, 2)


def test_files_it_names_exist():
    text = README.read_text(encoding="utf-8")
    names = re.findall(r"python (\S+\.py)", text) + re.findall(r"`(\w+\.py)`", text)
    for name in names:
        assert (README.parent / name).exists() or list((README.parent / "tensorgrad").rglob(name)), name
    for name in re.findall(r"(?:models|checkpoints|docs|studies|tensorgrad|benchmarks)/[\w./-]*\w", text):
        assert (README.parent / name).exists(), name
