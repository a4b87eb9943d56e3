"""Pictures that `tg.draw` draws, read back from their SVG."""

import re
from collections import Counter
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np

from tensorgrad.drawing.text import width_of

SVG = "{http://www.w3.org/2000/svg}"


class Node(NamedTuple):
    title: str
    lines: tuple[str, ...]
    tooltip: str
    left: float
    top: float
    right: float
    bottom: float


class Picture:
    """The boxes of an SVG, and the lines between them."""

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
        assert len(self.edges) == len(tips)  # each arrowhead belongs to a line

    def _edges(self, pieces, tips):
        """Pairs of indices: the box at which a line starts, and a box at which one of its pieces ends."""
        (origin,) = {
            i for i, node in enumerate(self.nodes) for piece in pieces
            if np.allclose(piece[0], self.exit(node), atol=0.01)
        }  # fmt: skip
        reached = [self.exit(self.nodes[origin])]
        for piece in sorted(pieces, key=lambda piece: piece[0, int(self.down)]):
            assert any(np.allclose(piece[0], point, atol=0.01) for point in reached)
            reached.append(piece[-1])
            if any(np.allclose(piece[-1], tip, atol=0.01) for tip in tips):
                (end,) = [i for i, node in enumerate(self.nodes) if self.is_on_entry_side(piece[-1], node)]
                yield origin, end

    def exit(self, node):
        """The point at which lines leave a box."""
        if self.down:
            return (node.left + node.right) / 2, node.bottom
        return node.right, (node.top + node.bottom) / 2

    def is_on_entry_side(self, point, node):
        """Whether a point is on the side of a box at which lines arrive."""
        x, y = point
        if self.down:
            return abs(y - node.top) < 0.01 and node.left < x < node.right
        return abs(x - node.left) < 0.01 and node.top < y < node.bottom

    def arrows(self):
        """The number of arrows for each pair of titles."""
        return Counter((self.nodes[i].title, self.nodes[j].title) for i, j in self.edges)

    def titles(self):
        """The number of boxes for each title."""
        return Counter(node.title for node in self.nodes)

    def node(self, title):
        """The only box with this title."""
        (found,) = [node for node in self.nodes if node.title == title]
        return found

    def check_geometry(self):
        """Check that everything is inside the frame, boxes are apart, and lines do not cross boxes."""
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
    """Points of a piece of a line: a straight line, a Bezier curve, and a straight line."""
    a, b, c, d, e, f = piece
    t = np.linspace(0, 1, 40)[:, None]
    curve = b * (1 - t) ** 3 + 3 * c * t * (1 - t) ** 2 + 3 * d * t**2 * (1 - t) + e * t**3
    return np.concatenate([a + (b - a) * t, curve, e + (f - e) * t])


class Framed:
    """The boxes and the frames of open groups in an SVG, and the arrows between boxes, through the frames."""

    def __init__(self, svg, down=True):
        root = ElementTree.fromstring(svg)
        self.boxes, self.frames, tips = [], [], []
        self.bar = 26 if down else 0  # from the side of a frame at which arrows arrive to where lines go on inside
        for group in root.iter(f"{SVG}g"):
            if group.find(f"{SVG}title") is not None:
                rects, texts = group.findall(f"{SVG}rect"), [text.text for text in group.iter(f"{SVG}text")]
                x, y, width, height = (float(rects[0].get(key)) for key in ("x", "y", "width", "height"))
                corners = (x, y, x + width, y + height) if down else (y, x, y + height, x + width)
                node = Node(texts[0], tuple(texts[1:]), group.find(f"{SVG}title").text, *corners)
                (self.boxes if len(rects) == 1 else self.frames).append(node)
        self.ends = []  # of each line: the point at which it starts, and that at which it ends
        for path in root.iter(f"{SVG}path"):
            pieces = [re.findall(r"-?[\d.]+(?:e-?\d+)?", piece) for piece in path.get("d").split("M")[1:]]
            pieces = [[key(map(float, piece[i : i + 2]), down) for i in (0, len(piece) - 2)] for piece in pieces]
            if path.get("stroke-width") == "1.3":
                self.ends += joined(pieces)
            elif path.get("fill") != "none":
                tips.append(pieces[0][0])
        assert sorted(tips) == sorted(end for _, end in self.ends if self._node_at(end) is not None)
        self.edges = [(self._origin(start), self.boxes.index(node)) for start, end in self.ends
                      if (node := self._node_at(end)) in self.boxes]  # fmt: skip

    def _node_at(self, point):
        """The box or frame on whose side for arrows a point is; None if there is none."""
        x, y = point
        found = [node for node in self.boxes + self.frames if near(y, node.top) and node.left < x < node.right]
        assert len(found) <= 1
        return found[0] if found else None

    def _origin(self, point):
        """The box at which a line starts, from outside through a frame if it starts at one."""
        x, y = point
        for i, box in enumerate(self.boxes):
            if near(x, (box.left + box.right) / 2) and near(y, box.bottom):
                return i
        for frame in self.frames:
            if frame.left < x < frame.right and near(y, frame.top + self.bar):
                return self._origin(self._start_of_line_to((x, frame.top)))
            if frame.left < x < frame.right and near(y, frame.bottom):
                return self._origin(self._start_of_line_to(point))
        raise AssertionError(f"a line starts at {point}, where nothing is")

    def _start_of_line_to(self, point):
        (start,) = {start for start, end in self.ends if near(end[0], point[0]) and near(end[1], point[1])}
        return start

    def arrows(self):
        """The number of arrows for each pair of titles."""
        return Counter((self.boxes[i].title, self.boxes[j].title) for i, j in self.edges)

    def check_geometry(self):
        """Check that boxes and frames are apart or inside one another."""
        for i, a in enumerate(self.boxes):
            assert all(apart(a, b) > 12 for b in self.boxes[:i])
            for frame in self.frames:
                assert apart(a, frame) > 12 or within(a, frame, self.bar), (a, frame)
        for i, a in enumerate(self.frames):
            for b in self.frames[:i]:
                assert apart(a, b) > 12 or within(a, b, self.bar) or within(b, a, self.bar), (a, b)


def joined(pieces):
    """Start and end of the lines of one path: a piece that begins where another one ends continues it."""
    origins, starts = {}, {start for start, _ in pieces}
    for start, end in sorted(pieces, key=lambda piece: piece[0][1]):
        origin = origins.get(start, start)
        if end in starts:
            origins[end] = origin
        else:
            yield origin, end


def key(point, down):
    x, y = (round(value, 1) for value in point)
    return (x, y) if down else (y, x)


def near(a, b):
    return abs(a - b) < 0.11


def apart(a, b):
    return max(a.left - b.right, b.left - a.right, a.top - b.bottom, b.top - a.bottom)


def within(a, frame, bar):
    return min(a.left - frame.left, a.top - frame.top - bar, frame.right - a.right, frame.bottom - a.bottom) > 8
