"""A reader for the SVG pictures of `tg.draw`, and graphs to draw."""

import re
from collections import Counter
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np

import tensorgrad as tg
from tensorgrad.drawing.text import width_of
from tensorgrad.engine.tape import Record
from tests.records import parents_of

SVG = "{http://www.w3.org/2000/svg}"


def randn(*shape, dtype=float):
    """A tensor of random numbers that requires a gradient."""
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
    """The boxes in an SVG picture, and the lines between them."""

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
        """For the box where a line starts, the boxes where its segments end; segments begin where others end."""
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
        """The points where lines leave a box."""
        if self.down:
            return (node.left + node.right) / 2, node.bottom
        return node.right, (node.top + node.bottom) / 2

    def is_on_entry_side(self, point, node):
        x, y = point
        if self.down:
            return abs(y - node.top) < 0.01 and node.left < x < node.right
        return abs(x - node.left) < 0.01 and node.top < y < node.bottom

    def arrows(self):
        """Pairs of titles, one for each arrow."""
        return Counter((self.nodes[i].title, self.nodes[j].title) for i, j in self.edges)

    def titles(self):
        return Counter(node.title for node in self.nodes)

    def node(self, title):
        (found,) = [node for node in self.nodes if node.title == title]
        return found

    def check_geometry(self):
        """Check that everything is inside the frame, no two boxes touch, and no line crosses a box."""
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
    """The expected number of arrows: one for each input of each record."""
    stack = [t.record for t in (outputs if isinstance(outputs, list) else [outputs]) if t.record is not None]
    seen = set(stack)
    while stack:
        for parent in parents_of(stack.pop()):
            if isinstance(parent, Record) and parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return len(seen), sum(len(record.inputs) for record in seen)
