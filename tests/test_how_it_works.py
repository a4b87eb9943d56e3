"""docs/how-it-works.md: its toy engine against the real one, its recipes, and the places that it names."""

import re
from pathlib import Path

import numpy as np
import pytest

import tensorgrad as tg

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "how-it-works.md").read_text(encoding="utf-8")
(TOY,) = re.findall(r"<!-- toy -->\n```python\n(.*?)```", TEXT, re.DOTALL)
RECIPES = dict(re.findall(r"## How to add (.*?)\n.*?```python\n(.*?)```", TEXT, re.DOTALL))


def run(block):
    names = {"__name__": "page"}
    exec(compile(block, "docs/how-it-works.md", "exec"), names)
    return names


def test_the_toy_is_as_short_as_it_says():
    assert len([line for line in TOY.splitlines() if line.strip()]) <= 60


X, W, B = (np.random.default_rng(0).standard_normal(shape) for shape in [(4, 3), (3, 2), (1, 2)])
PROGRAMS = {
    "a layer": lambda x, w, b: np.sum(np.tanh(x @ w + b)),
    "used twice": lambda x, w, b: np.sum(np.exp(w) * w + w * 2 + b * b),
    "broadcast": lambda x, w, b: np.sum((x @ w) * b + 3 * b),
    "a diamond": lambda x, w, b: np.sum(np.exp(np.tanh(w) * np.tanh(w) + np.tanh(w))) + np.sum(x) * np.sum(b),
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_toy_gives_the_gradients_of_the_engine(program):
    found = []
    for kind in (run(TOY)["Tensor"], tg.Tensor):
        leaves = [kind(x.copy(), requires_grad=True) for x in (X, W, B)]
        PROGRAMS[program](*leaves).backward()
        found.append([leaf.grad for leaf in leaves])
    for toy, real in zip(*found, strict=True):
        assert (toy is None) == (real is None)
        if real is not None:
            assert toy.shape == real.shape
            np.testing.assert_allclose(toy, real, rtol=1e-12)


def test_a_wrong_rule_in_the_toy_is_noticed(monkeypatch):
    monkeypatch.setitem(globals(), "TOY", TOY.replace("g * (1 - ans * ans)", "g * (1 - ans)"))
    with pytest.raises(AssertionError):
        test_the_toy_gives_the_gradients_of_the_engine("a layer")


def test_the_toy_refuses_what_it_cannot_differentiate():
    with pytest.raises(TypeError, match="no gradient rule for sin"):
        np.sin(run(TOY)["Tensor"](1.0, requires_grad=True))


def test_recipes_are_of_five_steps():
    assert list(RECIPES) == ["a row", "an optimizer", "a layer", "a data set"]
    for name in RECIPES:
        section = TEXT.split(f"## How to add {name}\n")[1].split("\n## ")[0]
        assert re.findall(r"^(\d)\. ", section, re.MULTILINE) == list("12345")


def test_a_row():
    logcosh = run(RECIPES["a row"])["logcosh"]
    np.testing.assert_allclose(logcosh(np.array([0.5, 40])), [np.log(np.cosh(0.5)), 40 - np.log(2)])


def test_an_optimizer():
    names = run(RECIPES["an optimizer"])
    np.testing.assert_allclose(names["w"].data, 0, atol=0.25)
    assert list(names["optimizer"].state_dict()) == ["mean.0"]


def test_a_layer():
    names = run(RECIPES["a layer"])
    assert names["names"] == ["layers.0.weight", "layers.0.bias", "layers.1.scale"]
    assert names["network"](np.ones((2, 4), np.float32)).shape == (2, 3)


def test_a_data_set():
    data = run(RECIPES["a data set"])["data"]
    assert (data.shape, data.features, len(data.test_labels)) == ((5, 5), 25, 50)
    upright = (data.train_images.max(axis=1) == 255).sum(axis=1) == 1
    np.testing.assert_array_equal(upright, data.train_labels == 1)


def places(text):
    """What the section "Where is it decided" names, as pairs of a file and a name that is defined in it."""
    section = text.split("## Where is it decided\n")[1].split("\n## ")[0]
    for row in re.findall(r"^\| .* \| (.*) \|$", section, re.MULTILINE):
        file = None
        for name, is_file in re.findall(r"`([\w./-]+?(\.py|/)?)`", row):
            if is_file:
                file = name
            elif file is not None and re.fullmatch(r"_*[A-Za-z]\w*", name):
                yield file, name


def missing(text):
    """Files and names that the page mentions and that are not there."""
    for name in sorted(set(re.findall(r"`([\w./-]+(?:\.py|/))`", text))):
        if not any((ROOT / top / name).exists() for top in ("", "tensorgrad")):
            yield name
    for file, name in places(text):
        path = next(filter(Path.is_file, [ROOT / "tensorgrad" / file, ROOT / file]), None)
        source = path.read_text(encoding="utf-8") if path is not None else ""
        defined = rf"^ *(?:def|class) {name}\b|^[^=#(\n]*\b{name}\b[^=\n]*(?<![<>!])=(?!=)|^ +{name}: "
        if not re.search(defined, source, re.MULTILINE):
            yield f"{file}: {name}"


def test_what_it_names_is_there():
    assert len(list(places(TEXT))) > 80
    assert not list(missing(TEXT))
    text = TEXT.replace("`_accumulate`", "`etalumucca_`").replace("`summation.py`", "`summations.py`")
    names = ["total_of_array", "wide", "widened"]
    expected = ["summations.py", "frontend/tensor.py: etalumucca_", *[f"summations.py: {name}" for name in names]]
    assert sorted(missing(text)) == sorted(expected)


@pytest.mark.parametrize("section", ["Where is it decided", "What breaks if"])
def test_tables_have_no_empty_cells(section):
    rows = re.findall(r"^\|(.*)\|$", TEXT.split(f"## {section}\n")[1].split("\n## ")[0], re.MULTILINE)
    assert len(rows) > 15
    assert all(cell.strip() for row in rows for cell in row.split(" | "))
