"""The text in the boxes of a picture by `tg.draw`: names, numbers, dtypes, parameters and indices."""

import re
from collections import Counter

import numpy as np
import pytest

import tensorgrad as tg
from tests.graphs import randn
from tests.pictures import Picture


def test_names_of_a_model():
    model = tg.nn.Sequential({"only": tg.nn.Linear(3, 2, np.random.default_rng(0))})
    titles = Picture(tg.draw(np.sum(model(np.ones((4, 3), np.float32))), model)).titles()
    assert titles == Counter({"array": 1, "layers.only.weight": 1, "layers.only.bias": 1, "matmul": 1, "add": 1,
                              "sum": 1})  # fmt: skip


def test_names_of_arrays_of_interior_tensors_and_of_frozen_parameters():
    x, w, frozen = np.ones((4, 3)), randn(3, 2), tg.Tensor(np.ones((4, 2)))
    h = x @ w
    loss = np.sum(h * frozen * h.detach())
    picture = Picture(tg.draw(loss, {"x": x, "w": w, "h": h, "frozen": frozen}))
    assert picture.titles() == Counter({"x": 1, "w": 1, "h = matmul": 1, "frozen": 1, "h": 1, "multiply": 2, "sum": 1})
    assert picture.node("h").tooltip == "h, (4, 2), float64, array without a gradient"
    assert picture.node("w").tooltip == "w, (3, 2), float64, leaf that requires a gradient"


def test_without_names():
    x = randn(3)
    picture = Picture(tg.draw(np.sum(x * np.ones(3) + np.ones(3))))
    assert picture.titles() == Counter({"leaf": 1, "array": 1, "constant": 1, "multiply": 1, "add": 1, "sum": 1})
    assert picture.node("constant").lines == ("(3,)",)  # no rule reads it, so only shape and dtype are known


def test_numbers_are_shown():
    x = randn(3)
    picture = Picture(tg.draw(x * 2.5 * 3 * np.float64(1 / 3) * np.array(7.0)))
    assert {"2.5", "3", "0.33333", "7"} < set(picture.titles())


def test_one_array_is_one_box_and_equal_numbers_are_not():
    x, k = randn(3), np.arange(3.0)
    titles = Picture(tg.draw(x * k * k * 2.0 * 2.0, {"x": x})).titles()
    assert titles["array"] == 1
    assert titles["2"] == 2


def test_the_common_dtype_is_shown_once():
    x = randn(3, 4, dtype=np.float32)
    svg = tg.draw(np.sum(x.astype(np.float64) * (np.ones((3, 4)) > 0))).svg
    assert svg.count("float32 unless another dtype is shown") + svg.count("float64 unless another dtype is shown") == 1
    assert Picture(tg.draw(np.sum(np.tanh(x)).astype(np.float64))).node("astype").lines[-1] == "() float64"


def test_parameters_where_they_matter_and_never_contents():
    x = randn(6, 4)
    picture = Picture(tg.draw(np.transpose(np.sum(x[np.arange(900) % 6], axis=0, keepdims=True))))
    assert picture.node("sum").lines == ("axis=0, keepdims=True", "(1, 4)")
    assert picture.node("getitem").lines == ("[int64(900,)]", "(900, 4)")
    assert picture.node("transpose").lines == ("(4, 1)",)


@pytest.mark.parametrize(
    ("index", "shown"),
    [
        (3, "[3]"),
        (slice(1, None), "[1:]"),
        ((slice(None, 4, 2), None, -1), "[:4:2, None, -1]"),
        ((..., 0), "[..., 0]"),
        (np.arange(6) > 2, "[bool(6,)]"),
        ((np.array([0, 1]), slice(0, 2)), "[int64(2,), 0:2]"),
    ],
)
def test_an_index_is_written_as_one(index, shown):
    assert Picture(tg.draw(randn(6, 4)[index])).node("getitem").lines[0] == shown


def test_long_text_is_shortened_with_the_whole_text_in_the_tooltip():
    w = randn(2)
    name = "encoder.layers.11.attention.self.query.weight"
    node = Picture(tg.draw(np.exp(w), {name: w})).nodes[0]
    assert node.title == "…11.attention.self.query.weight"
    assert node.tooltip.startswith(name)
    reshaped = Picture(tg.draw(np.reshape(randn(1, 1), (1,) * 20))).node("reshape")
    assert reshaped.lines[0] == "shape=(1, 1, 1, 1, 1, 1, 1, 1, …"
    assert len(reshaped.lines[0]) == 32


@pytest.mark.parametrize("name", ["a<b & 'c' > \"d\"", "]]>", "\x00\x1b\ud800\ufffe", "two\nlines", "λ→Ж 変数 🙂", ""])
def test_any_name_is_valid_xml(name):
    w = randn(2)
    picture = Picture(tg.draw(np.exp(w), {name: w}))
    picture.check_geometry()
    assert picture.nodes[0].title == (re.sub("[\x00\x1b\ud800\ufffe]", "�", name).replace("\n", " ") or "leaf")
