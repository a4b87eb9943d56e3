"""`tg.draw`: the picture is right and readable, the file is valid, and errors name the limits."""

import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ImageFont

import tensorgrad as tg
from tensorgrad.drawing.layout import layout
from tensorgrad.drawing.text import width_of
from tests.graphs import GRAPHS, arrows_of, attention, diamond, randn, recurrent, skips, two_layers
from tests.pictures import SVG, Picture

ROOT = Path(__file__).resolve().parents[1]


# ------------------------------------------------------------------------------------------------- the picture


@pytest.mark.parametrize("direction", ["down", "right"])
@pytest.mark.parametrize("graph", GRAPHS, ids=lambda graph: graph.__name__)
def test_shows_every_operation_and_every_arrow_and_nothing_overlaps(graph, direction):
    outputs, names = graph()
    drawing = tg.draw(outputs, names, direction=direction)
    picture = Picture(drawing, down=direction == "down")
    operations, arrows = arrows_of(outputs)
    assert repr(drawing).startswith(f"<Drawing: {operations} operations, {len(picture.nodes) - operations} inputs")
    assert len(picture.edges) == arrows
    picture.check_geometry()


def test_two_layers_are_drawn_as_in_a_lecture():
    picture = Picture(tg.draw(*two_layers()))
    assert picture.arrows() == Counter(
        {
            ("x", "matmul"): 1, ("hidden.weight", "matmul"): 1, ("hidden.bias", "add"): 1, ("matmul", "add"): 2,
            ("add", "relu"): 1, ("relu", "matmul"): 1, ("output.weight", "matmul"): 1, ("output.bias", "add"): 1,
            ("add", "log_softmax"): 1, ("log_softmax", "getitem"): 1, ("getitem", "negative"): 1,
            ("negative", "mean"): 1, ("hidden.weight", "square"): 1, ("output.weight", "square"): 1,
            ("square", "sum"): 2, ("sum", "add"): 2, ("0.0001", "multiply"): 1, ("add", "multiply"): 1,
            ("mean", "loss = add"): 1, ("multiply", "loss = add"): 1,
        }
    )  # fmt: skip
    assert picture.node("hidden.weight").lines == ("(5, 4)",)
    assert picture.node("x").lines == ("(6, 5)",)
    assert picture.node("log_softmax").lines[-1] == "(6, 3)"
    assert picture.node("getitem").lines == ("[int64(6,), int64(6,)]", "(6,)")
    assert picture.node("loss = add").lines == ("()",)
    column = [
        picture.node(title) for title in ("x", "relu", "log_softmax", "getitem", "negative", "mean", "loss = add")
    ]
    assert np.ptp([node.left + node.right for node in column]) < 0.02  # the network is a vertical column
    assert [node.top for node in column] == sorted(node.top for node in column)


def test_fans_are_symmetric():
    picture = Picture(tg.draw(*diamond()))
    x, sin, cos, product, total = (
        sum(picture.node(name)[3:6:2]) / 2 for name in ("x", "sin", "cos", "multiply", "sum")
    )
    assert x == pytest.approx(product, abs=0.01)
    assert product == pytest.approx(total, abs=0.01)
    assert x == pytest.approx((sin + cos) / 2, abs=0.01)
    assert abs(sin - cos) > 40


def test_a_value_used_twice_by_one_operation_has_two_arrows():
    x = randn(3)
    assert Picture(tg.draw(x * x, {"x": x})).arrows() == Counter({("x", "multiply"): 2})


def test_few_lines_cross():
    from tensorgrad.drawing.graph import boxes_behind
    from tensorgrad.drawing.net import Net
    from tensorgrad.drawing.order import ordered
    from tensorgrad.drawing.ranks import ranks

    for graph, bundled, most in [(two_layers, False, 0), (diamond, False, 0), (skips, False, 0), (recurrent, True, 0),
                                 (attention, False, 2)]:  # fmt: skip
        sources = [box.sources for box in boxes_behind([graph()[0]], None, 1000)[0]]
        assert ordered(Net([(80, 40)] * len(sources), sources, ranks(sources, bundled)))[1] <= most, graph


@settings(max_examples=20)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=14), st.sampled_from("dr"))
def test_any_graph(pairs, direction):
    values = [randn(3), randn(2, 3), np.ones(3)]
    for i, j in pairs:
        values.append(np.multiply(values[i % len(values)], values[j % len(values)]))
    outputs = [value for value in values if isinstance(value, tg.Tensor)]
    picture = Picture(tg.draw(outputs, direction={"d": "down", "r": "right"}[direction]), down=direction == "d")
    assert len(picture.edges) == arrows_of(outputs)[1]
    picture.check_geometry()


@given(st.lists(st.lists(st.integers(0, 40), max_size=4), min_size=1, max_size=24), st.integers(0, 2**32))
def test_any_boxes(drawn, seed):
    """Boxes of any size do not overlap, are below their inputs, and have lines that end in the right place."""
    sources = [[s % v for s in into] if v else [] for v, into in enumerate(drawn)]
    rng = np.random.default_rng(seed)
    sizes = [(float(rng.uniform(50, 300)), float(rng.uniform(20, 90))) for _ in sources]
    plan = layout(sizes, sources)
    low = np.array(plan.centres) - np.array(sizes) / 2
    high = low + np.array(sizes)
    assert low.min() > -0.001
    assert (high < np.array(plan.extent) + 0.001).all()
    for v in range(len(sizes)):
        apart = (low[v] > high + 5) | (low > high[v] + 5)
        assert apart.any(axis=1).sum() == len(sizes) - 1
        assert all(high[s][1] < low[v][1] for s in sources[v])
        assert len(plan.tips[v]) == len(sources[v])
        assert all(low[v][0] < x < high[v][0] and y == pytest.approx(low[v][1]) for x, y in plan.tips[v])
        assert len({round(x) for x, _ in plan.tips[v]}) == len(sources[v])


def test_text_fits_in_the_widest_usual_font():
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    texts = ["hidden.weight", "log_softmax", "(64, 784) float32", "axis=-1, keepdims=True", "WWW%@mmm", "iiilll!|",
             "λ = Δ + β", "Жизнь", "".join(map(chr, range(32, 127)))]  # fmt: skip
    for name, bold in (("DejaVuSans-Bold.ttf", True), ("DejaVuSans.ttf", False)):
        font = ImageFont.truetype(str(folder / name), 1000)
        for text in texts:
            real, estimate = font.getlength(text) / 1000, width_of(text, 1, bold)
            assert real <= estimate + 0.5, (text, name)  # the margin of a box is larger
            assert estimate < 1.6 * real + 0.2


# ------------------------------------------------------------------------------------------------- the file


def test_the_file_is_self_contained_and_has_a_description():
    drawing = tg.draw(*two_layers())
    root = ElementTree.fromstring(drawing.svg)
    assert root.tag == f"{SVG}svg"
    assert root.find(f"{SVG}title").text == "The graph behind loss = add: 16 operations"
    assert "relu of add; matmul of relu, output.weight; add of matmul, output.bias" in root.find(f"{SVG}desc").text
    assert not re.search(r"<script|<style|href|url\(|\bid=|\bon\w+=", drawing.svg)
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        "svg", "title", "desc", "g", "rect", "path", "text",
    }  # fmt: skip


def test_notebooks_and_files(tmp_path):
    drawing = tg.draw(*diamond())
    assert drawing._repr_svg_() == drawing.svg
    assert str(drawing) == repr(drawing)
    assert re.fullmatch(r"<Drawing: 4 operations, 1 inputs, \d+ x \d+>", repr(drawing))
    drawing.save(tmp_path / "graph.svg")
    drawing.save(str(tmp_path / "graph.svg"))
    assert (tmp_path / "graph.svg").read_text(encoding="utf-8") == drawing.svg
    with pytest.raises(ValueError, match=r"write 'graph\.svg' or 'graph\.html', not"):
        drawing.save(tmp_path / "graph.png")
    with pytest.raises(FileNotFoundError):
        drawing.save(tmp_path / "nowhere" / "graph.svg")
    assert [path.name for path in tmp_path.iterdir()] == ["graph.svg"]


def test_the_same_graph_gives_the_same_picture():
    for graph in GRAPHS:
        assert tg.draw(*graph()).svg == tg.draw(*graph()).svg
    code = "import sys; sys.path.insert(0, 'docs'); from graph import picture; print(picture().svg, end='')"
    drawn = [
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True, timeout=60,
                       env={"PYTHONHASHSEED": seed, "PYTHONUTF8": "1"}).stdout.decode()
        for seed in ("1", "2")
    ]  # fmt: skip
    assert drawn[0] == drawn[1]
    shown = (ROOT / "docs" / "images" / "graph.svg").read_text(encoding="utf-8")
    assert shown == drawn[0], "python docs/graph.py draws another picture now: run it"


def test_the_graph_stays_as_it_was():
    x = randn(3)
    loss = np.sum(np.tanh(x) ** 3)
    tg.draw(loss)
    tg.draw(loss, direction="right")
    loss.backward()
    np.testing.assert_allclose(x.grad, 3 * np.tanh(x.data) ** 2 * (1 - np.tanh(x.data) ** 2))


# ------------------------------------------------------------------------------------------------- limits


def test_no_history_is_one_box():
    for tensor, title in [(randn(3), "w"), (tg.Tensor([1.0, 2.0]), "w")]:
        picture = Picture(tg.draw(tensor, {"w": tensor}))
        assert [node.title for node in picture.nodes] == [title]
        assert picture.edges == []
    with tg.no_grad():
        assert len(Picture(tg.draw(np.exp(randn(3)))).nodes) == 1


def test_a_freed_graph_is_refused():
    x = randn(3)
    h = np.exp(x)
    loss = np.sum(h)
    loss.backward()
    with pytest.raises(tg.FreedGraphError, match="'sum', was freed by a backward pass: draw it before backward"):
        tg.draw(loss)
    with pytest.raises(tg.FreedGraphError, match="'exp', was freed"):
        tg.draw(h * 2)
    kept = np.sum(np.exp(x))
    kept.backward(retain_graph=True)
    assert len(Picture(tg.draw(kept)).nodes) == 3


@pytest.mark.parametrize(
    ("arguments", "options", "error", "says"),
    [
        ((np.ones(3),), {}, TypeError, "draw takes a Tensor, .*, got ndarray"),
        (([randn(2), 3],), {}, TypeError, "got int"),
        (([],), {}, ValueError, "at least one tensor"),
        ((randn(2),), {"direction": "up"}, ValueError, "direction must be 'down' or 'right', got 'up'"),
        *[
            ((randn(2), names), {}, TypeError, "names must be a model, or a dict .* or model, got ")
            for names in ("loss", 3, 2.5, b"x", object(), tg.nn.Linear, np.ones(2), randn(2))
        ],
        ((randn(2), {3: randn(2)}), {}, TypeError, "or model: got the name 3, which is not a text"),
        *[((randn(2), {"x": x}), {}, TypeError, "or model: got .* for 'x'") for x in (3, "y", None, tg.nn.Linear)],
        ((np.sin, 1.0), {"names": 3}, TypeError, "names must be a model, or a dict .* got 3"),
        ((np.sin, 1.0), {"names": {0: randn(2)}}, TypeError, "got the name 0"),
        ((randn(2), {}, {}), {}, TypeError, "takes one further argument, the names"),
        ((np.exp(randn(2)),), {"limit": 1}, ValueError, "more than 1 operations and inputs"),
    ],
)
def test_arguments_that_cannot_be_drawn(arguments, options, error, says):
    with pytest.raises(error, match=says):
        tg.draw(*arguments, **options)


def test_long_chains():
    """Drawing takes acceptable time, without recursion; beyond the limit, an error is raised at once."""
    y = randn(2)
    for i in range(10_000):
        if i == 400:
            start = time.process_time()
            drawing = tg.draw(y)
            assert time.process_time() - start < 2
            assert repr(drawing).startswith("<Drawing: 400 operations, 1 inputs")
        y = np.negative(y)
    start = time.process_time()
    with pytest.raises(ValueError, match="more than 1000 operations and inputs"):
        tg.draw(y)
    assert time.process_time() - start < 1
    z = randn(2)
    for _ in range(1500):
        z = np.negative(z)
    assert repr(tg.draw(z, limit=2000)).startswith("<Drawing: 1500 operations")
