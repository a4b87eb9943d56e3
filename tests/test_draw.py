"""`tg.draw`: what is in the picture, and that it is one to look at. The pictures are read back from their SVG."""

import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ImageFont

import tensorgrad as tg
from tensorgrad.drawing.layout import layout
from tensorgrad.drawing.text import width_of
from tensorgrad.engine.tape import Record
from tests.records import parents_of

ROOT = Path(__file__).resolve().parents[1]
SVG = "{http://www.w3.org/2000/svg}"


def randn(*shape, dtype=float):
    return tg.Tensor(np.random.default_rng(len(shape)).standard_normal(shape), requires_grad=True, dtype=dtype)


# ------------------------------------------------------------------------------------------------- reading a picture


class Node(NamedTuple):
    title: str
    lines: tuple[str, ...]
    tooltip: str
    left: float
    top: float
    right: float
    bottom: float


class Picture:
    """The boxes, and the lines from box to box, that an SVG shows."""

    def __init__(self, drawing, down=True):
        self.root = ElementTree.fromstring(drawing.svg)
        self.nodes, self.lines, tips = [], [], []
        for group in self.root.iter(f"{SVG}g"):
            if group.find(f"{SVG}title") is not None:
                rect, texts = group.find(f"{SVG}rect"), [text.text for text in group.iter(f"{SVG}text")]
                x, y, width, height = (float(rect.get(key)) for key in ("x", "y", "width", "height"))
                tooltip = group.find(f"{SVG}title").text
                self.nodes.append(Node(texts[0], tuple(texts[1:]), tooltip, x, y, x + width, y + height))
        for path in self.root.iter(f"{SVG}path"):
            numbers = [float(number) for number in re.findall(r"-?[\d.]+(?:e-?\d+)?", path.get("d"))]
            if path.get("fill") == "none":  # M, L, C with 3 points, L: 6 points for each piece
                self.lines.append(np.reshape(numbers, (-1, 6, 2)))
            else:
                tips.append(tuple(numbers[:2]))
        self.down = down
        self.edges = [edge for line in self.lines for edge in self._edges(line, tips)]
        assert len(self.edges) == len(tips)  # every arrow belongs to a line

    def _edges(self, pieces, tips):
        """From the box where a line starts, the boxes where its pieces end; pieces begin where others end."""
        (origin,) = {
            i for i, node in enumerate(self.nodes) for piece in pieces
            if np.allclose(piece[0], self.exit(node), atol=0.01)
        }  # fmt: skip
        reached = [self.exit(self.nodes[origin])]
        for piece in sorted(pieces, key=lambda piece: piece[0, int(self.down)]):
            assert any(np.allclose(piece[0], place, atol=0.01) for place in reached)
            reached.append(piece[-1])
            if any(np.allclose(piece[-1], tip, atol=0.01) for tip in tips):
                (end,) = [i for i, node in enumerate(self.nodes) if self.is_on_entry_side(piece[-1], node)]
                yield origin, end

    def exit(self, node):
        """Where lines leave a box."""
        if self.down:
            return (node.left + node.right) / 2, node.bottom
        return node.right, (node.top + node.bottom) / 2

    def is_on_entry_side(self, point, node):
        x, y = point
        if self.down:
            return abs(y - node.top) < 0.01 and node.left < x < node.right
        return abs(x - node.left) < 0.01 and node.top < y < node.bottom

    def arrows(self):
        """Pairs of titles, as often as there are such arrows."""
        return Counter((self.nodes[i].title, self.nodes[j].title) for i, j in self.edges)

    def titles(self):
        return Counter(node.title for node in self.nodes)

    def node(self, title):
        (found,) = [node for node in self.nodes if node.title == title]
        return found

    def check_geometry(self):
        """Everything lies in the frame, no two boxes touch, and no line enters a box."""
        left, top, right, bottom = map(float, self.root.get("viewBox").split())
        boxes = np.array([node[3:] for node in self.nodes])
        assert (boxes[:, :2] > [left, top]).all()
        assert (boxes[:, 2:] < [right, bottom]).all()
        for i, a in enumerate(self.nodes):
            for b in self.nodes[:i]:
                gap = max(a.left - b.right, b.left - a.right, a.top - b.bottom, b.top - a.bottom)
                assert gap > 12, (a, b)
        points = np.concatenate([sampled(piece) for line in self.lines for piece in line] or [np.empty((0, 2))])
        for node in self.nodes:
            x, y = points.T
            inside = (x > node.left + 0.1) & (x < node.right - 0.1) & (y > node.top + 0.1) & (y < node.bottom - 0.1)
            assert not inside.any(), node
            for text, size, bold in [(node.title, 13, True), *((line, 11, False) for line in node.lines)]:
                assert width_of(text, size, bold) <= node.right - node.left - 10
        for i, j in self.edges:
            a, b = self.nodes[i], self.nodes[j]
            assert (b.top - a.bottom if self.down else b.left - a.right) > 20, (a, b)


def sampled(piece):
    """Points of a line: straight, a Bezier curve, straight."""
    a, b, c, d, e, f = piece
    t = np.linspace(0, 1, 40)[:, None]
    curve = b * (1 - t) ** 3 + 3 * c * t * (1 - t) ** 2 + 3 * d * t**2 * (1 - t) + e * t**3
    return np.concatenate([a + (b - a) * t, curve, e + (f - e) * t])


# ------------------------------------------------------------------------------------------------- graphs


def two_layers():
    rng = np.random.default_rng(0)
    x, y = rng.random((6, 5), np.float32), rng.integers(0, 3, 6)
    hidden, output = tg.nn.Linear(5, 4, rng), tg.nn.Linear(4, 3, rng)
    penalty = np.sum(hidden.weight**2) + np.sum(output.weight**2)
    loss = tg.cross_entropy(output(tg.relu(hidden(x))), y) + 1e-4 * penalty
    return loss, {"x": x, "hidden": hidden, "output": output, "loss": loss}


def diamond():
    x = randn(5)
    return np.sum(np.sin(x) * np.cos(x)), {"x": x}


def skips():
    h = randn(4, 8)
    for w in (randn(8, 8), randn(8, 8), randn(8, 8)):
        h = h + tg.relu(h @ w)
    return np.sum(h * h), None


def second_order():
    x = randn(3)
    (y,) = tg.grad([np.sum(np.tanh(x) ** 3)], [x], create_graph=True)
    return np.sum(y * y), {"x": x}


def scalar():
    w, b = tg.Tensor(0.5, requires_grad=True), tg.Tensor(0.1, requires_grad=True)
    return np.tanh(w * 2.0 + b), {"w": w, "b": b}


def attention():
    x, wq, wk, wv, wo = randn(2, 6, 8), randn(8, 8), randn(8, 8), randn(8, 8), randn(8, 8)
    q, k, v = (np.transpose(np.reshape(x @ w, (2, 6, 2, 4)), (0, 2, 1, 3)) for w in (wq, wk, wv))
    scores = tg.softmax(q @ np.swapaxes(k, -1, -2) / 2.0 + np.triu(np.full((6, 6), -1e9), 1))
    h = x + np.reshape(np.transpose(scores @ v, (0, 2, 1, 3)), (2, 6, 8)) @ wo
    centred = h - np.mean(h, axis=-1, keepdims=True)
    h = centred / np.sqrt(np.mean(centred**2, axis=-1, keepdims=True) + 1e-5)
    return np.mean((h + tg.relu(h @ randn(8, 16) + randn(16)) @ randn(16, 8)) ** 2), {"x": x, "wq": wq}


def recurrent():
    w, u, h = randn(4, 4), randn(3, 4), np.zeros((2, 4))
    for _ in range(7):
        h = np.tanh(np.ones((2, 3)) @ u + h @ w)
    return np.sum(h), None


def wide():
    parts = [randn(3) for _ in range(14)]
    return np.sum(np.concatenate(parts) ** 2), {"parts": parts}


def dense():
    values = [randn(4)]
    for _ in range(6):
        values.append(np.tanh(sum(values)))
    return values[-1], None


def several():
    x, z = randn(3), randn(2)
    y = x * x
    return [y, np.sum(y), np.exp(z), z], {"x": x, "y": y, "z": z}


def same_input_often():
    x = randn(3)
    return np.sum(np.concatenate([x, x, np.sin(x), x])), {"x": x}


GRAPHS = [two_layers, diamond, skips, second_order, scalar, attention, recurrent, wide, dense, several,
          same_input_often]  # fmt: skip


def arrows_of(outputs):
    """How many arrows there must be: one for each input of each record."""
    stack = [t.record for t in (outputs if isinstance(outputs, list) else [outputs]) if t.record is not None]
    seen = set(stack)
    while stack:
        for parent in parents_of(stack.pop()):
            if isinstance(parent, Record) and parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return len(seen), sum(len(record.inputs) for record in seen)


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


def test_two_layers_as_in_a_lecture():
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
    assert np.ptp([node.left + node.right for node in column]) < 0.02  # the network stands straight
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
    """Of all sizes: apart from each other, below what they are made of, with lines that end in the right place."""
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
            assert real <= estimate + 0.5, (text, name)  # a box leaves more than that to spare
            assert estimate < 1.6 * real + 0.2


# ------------------------------------------------------------------------------------------------- what boxes say


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
    assert picture.node("h").tooltip == "h, (4, 2), float64, takes part without a gradient"
    assert picture.node("w").tooltip == "w, (3, 2), float64, leaf that requires a gradient"


def test_without_names():
    x = randn(3)
    picture = Picture(tg.draw(np.sum(x * np.ones(3) + np.ones(3))))
    assert picture.titles() == Counter({"leaf": 1, "array": 1, "constant": 1, "multiply": 1, "add": 1, "sum": 1})
    assert picture.node("constant").lines == ("(3,)",)  # no rule will read it, so that no more is known of it


def test_numbers_are_shown():
    x = randn(3)
    picture = Picture(tg.draw(x * 2.5 * 3 * np.float64(1 / 3) * np.array(7.0)))
    assert {"2.5", "3", "0.33333", "7"} < set(picture.titles())


def test_one_array_is_one_box_and_equal_numbers_are_not():
    x, k = randn(3), np.arange(3.0)
    titles = Picture(tg.draw(x * k * k * 2.0 * 2.0, {"x": x})).titles()
    assert titles["array"] == 1
    assert titles["2"] == 2


def test_the_usual_dtype_is_said_once():
    x = randn(3, 4, dtype=np.float32)
    svg = tg.draw(np.sum(x.astype(np.float64) * (np.ones((3, 4)) > 0))).svg
    assert svg.count("float32 where nothing else is said") + svg.count("float64 where nothing else is said") == 1
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


def test_long_text_is_cut_and_stands_in_the_tooltip():
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


# ------------------------------------------------------------------------------------------------- the file


def test_stands_alone_and_says_what_it_shows():
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
    with pytest.raises(ValueError, match=r"write 'graph\.svg', not 'graph\.png'"):
        drawing.save(tmp_path / "graph.png")
    with pytest.raises(FileNotFoundError):
        drawing.save(tmp_path / "nowhere" / "graph.svg")
    assert [path.name for path in tmp_path.iterdir()] == ["graph.svg"]


def test_the_same_graph_gives_the_same_picture():
    for graph in GRAPHS:
        assert tg.draw(*graph()).svg == tg.draw(*graph()).svg
    code = "import sys; sys.path.insert(0, 'docs'); from graph import picture; print(picture().svg, end='')"
    told = [
        subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True, timeout=60,
                       env={"PYTHONHASHSEED": seed, "PYTHONUTF8": "1"}).stdout.decode()
        for seed in ("1", "2")
    ]  # fmt: skip
    assert told[0] == told[1]
    shown = (ROOT / "docs" / "images" / "graph.svg").read_text(encoding="utf-8")
    assert shown == told[0], "python docs/graph.py makes another picture now: run it"


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
    with pytest.raises(tg.FreedGraphError, match="backward pass, which freed its 'sum': draw it before backward"):
        tg.draw(loss)
    with pytest.raises(tg.FreedGraphError, match="freed its 'exp'"):
        tg.draw(h * 2)
    kept = np.sum(np.exp(x))
    kept.backward(retain_graph=True)
    assert len(Picture(tg.draw(kept)).nodes) == 3


@pytest.mark.parametrize(
    ("arguments", "options", "error", "says"),
    [
        ((np.ones(3),), {}, TypeError, "draw takes a Tensor, or a sequence of them, got ndarray"),
        (([randn(2), 3],), {}, TypeError, "got int"),
        (([],), {}, ValueError, "at least one tensor"),
        ((randn(2),), {"direction": "up"}, ValueError, "direction must be 'down' or 'right', got 'up'"),
        ((randn(2), "loss"), {}, TypeError, "names must be a model, or a dict .* got 'loss'"),
        ((np.exp(randn(2)),), {"limit": 1}, ValueError, "more than 1 operations and inputs make no picture"),
    ],
)
def test_what_cannot_be_drawn(arguments, options, error, says):
    with pytest.raises(error, match=says):
        tg.draw(*arguments, **options)


def test_long_chains():
    """As fast as one likes to wait, and beyond the limit an error at once, without recursion in either case."""
    y = randn(2)
    for i in range(30_000):
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
