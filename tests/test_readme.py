"""The examples of the README and the guide run, and the files, sections and figures that pages mention exist."""

import re
from pathlib import Path

import pytest

from tests.helpers import is_installed

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
DOCS = (
    "guide.md",
    "layers.md",
    "models.md",
    "data.md",
    "pictures.md",
    "compile.md",
    "export.md",
    "scikit-learn.md",
    "figures.md",
    "how-it-works.md",
    "from-autograd.md",
    "from-jax.md",
    "own-functions.md",
)
PAGES = [README, *(ROOT / "docs" / name for name in DOCS),
         *(ROOT / name for name in ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")),
         ROOT / "examples" / "README.md", ROOT / "benchmarks" / "README.md",
         ROOT / "docs" / "lessons" / "README.md"]  # fmt: skip
FOLDERS = "models|checkpoints|docs|studies|tensorgrad|benchmarks|examples"


WITH_EXAMPLES = ("guide", "own-functions", "from-jax", "layers", "models", "export", "scikit-learn", "scipy")
NEEDED = {"export.md": ("onnx", "onnxruntime", "safetensors"), "scikit-learn.md": ("sklearn",), "scipy.md": ("scipy",)}


def blocks(page):
    return re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


BLOCKS = [
    block
    for page in (README, *(ROOT / "docs" / f"{name}.md" for name in WITH_EXAMPLES))
    if all(is_installed(package) for package in NEEDED.get(page.name, ()))
    for block in blocks(page)
]


def test_nothing_is_left_to_be_filled_in():
    for page in {*PAGES, *ROOT.glob("docs/*.md"), *ROOT.glob("checkpoints/*.md")}:
        assert not re.search(r"^[A-Z0-9]{2,}$|TODO|FIXME", page.read_text(encoding="utf-8"), re.MULTILINE), page


def test_there_are_examples():
    assert len(blocks(README)) == 1
    assert len(BLOCKS) >= 5


@pytest.mark.parametrize("block", BLOCKS, ids=[block.strip().splitlines()[-1][:40] for block in BLOCKS])
def test_example_runs(block):
    exec(compile(block, "an example of the README or the guide", "exec"), {"__name__": "readme"})


def test_the_first_example_learns():
    names: dict = {"__name__": "readme"}
    exec(compile(BLOCKS[0], str(README), "exec"), names)
    assert names["loss"].item() < 0.7  # log 2 is where it started
    assert names["hessian_row"].shape == (3, 2)


def test_set_up_is_shown_for_both_shells():
    text = README.read_text(encoding="utf-8")
    shells = [re.findall(r"python [^#;&}\n]*[^#;&}\s]", text.split(f"```{name}\n")[1].split("```")[0])
              for name in ("sh", "powershell")]  # fmt: skip
    assert shells[0] == shells[1]
    assert len(shells[0]) == 4


def test_figures_have_a_command_each():
    """In the last column of the table, or else in the paragraph before it."""
    text = (ROOT / "docs" / "figures.md").read_text(encoding="utf-8")
    tables = re.findall(
        r"\n\n([^|\n][^\n]*(?:\n[^|\n][^\n]*)*)\n\n\| ([^\n]*) \|\n\|[-:| ]+\|\n((?:\|[^\n]*\n)+)", text
    )
    assert len(tables) >= 2
    for paragraph, header, lines in tables:
        rows = [line.strip("| ").split(" | ") for line in lines.splitlines()]
        if header.startswith("what |"):
            assert all(len(row) == header.count("|") + 1 for row in rows)
            assert all("`" in row[-1] or row[-1] == "the same" for row in rows)
        else:
            assert "python benchmarks/" in paragraph


def names_nothing(text, folder):
    """The files and sections that a page in this folder mentions or links to and that do not exist."""
    for name in re.findall(r"python (\S+\.py)", text) + re.findall(r"`(\w+\.py)`", text):
        folders = [ROOT / top for top in ("tensorgrad", "tests", "examples", "benchmarks", "docs")]
        if not (ROOT / name).exists() and not any(list(top.rglob(name)) for top in folders):
            yield name
    for name in re.findall(rf"(?<![\w/])(?:{FOLDERS})/[\w./-]*\w", text):
        if not (ROOT / name).exists():
            yield name
    prose = re.sub(r"```python\n.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        path, _, section = target.partition("#")
        if path.startswith("https:"):
            continue
        file = folder / path if path else None
        if file is not None and not file.exists():
            yield target
        elif section:
            titles = re.findall(r"^#+ (.*)$", text if file is None else file.read_text(encoding="utf-8"), re.MULTILINE)
            if section not in [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles]:
                yield target


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_what_a_page_names_exists(page):
    assert not list(names_nothing(page.read_text(encoding="utf-8"), page.parent))


def test_what_does_not_exist_is_found():
    text = "## A b\n`python not.py` [x](docs/no.md) [y](#a-b) [z](#c) [w](docs/guide.md#training) models/no.yaml"
    assert list(names_nothing(text, ROOT)) == ["not.py", "docs/no.md", "models/no.yaml", "docs/no.md", "#c"]
