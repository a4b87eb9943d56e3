"""docs/record.md gives the figures of docs/record.csv, and its pictures can be drawn."""

import importlib.util
import re
from pathlib import Path
from statistics import mean

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/record.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def record():
    pytest.importorskip("matplotlib")
    spec = importlib.util.spec_from_file_location("record", ROOT / "docs/record.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def runs(record):
    return record.read(ROOT / "docs/record.csv")


def accuracies(page):
    """By recipe, the first accuracy in its row of the first table, in hundredths of a per cent."""
    rows = re.findall(r"^\| (?:`models/([\w-]+)\.yaml`|(default)).*?\*?\*?(\d\d\.\d\d)", page, re.MULTILINE)
    return {name or default: round(100 * float(accuracy)) for name, default, accuracy in rows}


def test_the_page_has_the_mean_accuracy_of_each_recipe(runs):
    found = accuracies(PAGE.partition("\n## ")[0])
    recipes = {name for name in runs if "epochs" not in name}
    assert recipes == found.keys()
    for name in recipes:
        assert abs(found[name] - (10_000 - mean(errors for _, errors in runs[name]))) <= 0.501, name
        assert name == "default" or (ROOT / f"models/{name}.yaml").is_file()


def test_another_figure_on_the_page_is_found():
    page = "| `models/a-b.yaml` | 784-800-10 | 6 | 0 | **99.28** | 5 s |\n| default, `x` | 14 | 99.03 ± 0.07 (99.04) |"
    assert accuracies(page) == {"a-b": 9928, "default": 9903}


def test_both_pictures_are_drawn(record, tmp_path):
    runs = {"default": [(30.0, 98), (31.0, 100)], "record-800": [(600.0, 72)], "PyTorch, 5 epochs": [(9.0, 180)]}
    record.frontier(tmp_path / "frontier.png", runs)
    record.errors(tmp_path / "errors.png", runs)
    assert all((tmp_path / f"{name}.png").stat().st_size > 5000 for name in ("frontier", "errors"))
