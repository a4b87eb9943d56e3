"""Boxes in layers, and the line segments between adjacent layers.

An arrow over several layers has a waypoint in each layer in between. All long arrows from one box share their
waypoints: they are one line with branches.
"""

from __future__ import annotations

from collections.abc import Sequence

from tensorgrad.drawing.ranks import is_private

Point = tuple[float, float]  # (across, along) the direction from layer to layer

BETWEEN = 22.0  # distance between boxes of a layer
BESIDE = 14.0  # distance between a line and its neighbour


class Net:
    """Boxes, numbered from 0, and waypoints, numbered after them."""

    def __init__(self, sizes: Sequence[Point], sources: Sequence[Sequence[int]], rank: Sequence[int],
                 exits: Sequence[Sequence[int]] | None = None, inlets: int = 0) -> None:  # fmt: skip
        self.rank = list(rank)
        self.private = [private and v >= inlets for v, private in enumerate(is_private(sources))]
        self.leaf = [not into and v >= inlets for v, into in enumerate(sources)]
        self.depth: list[int] = []  # the number of operations on the longest path to a box
        for into in sources:
            self.depth.append(max((self.depth[s] + 1 for s in into), default=0))
        self.breadth = [across for across, _ in sizes]
        self.length = [along for _, along in sizes]
        self.owner = list(range(len(sizes)))  # for a box itself, for a waypoint the box where its line starts
        self.above: list[list[int]] = [[] for _ in sizes]
        self.below: list[list[int]] = [[] for _ in sizes]
        self.arrivals: list[list[int]] = [[] for _ in sizes]  # for each box: where each argument's last segment starts
        self.exits = [list(out) for out in exits or [[0] * len(into) for into in sources]]  # of each argument's source
        self.exit = [0] * len(sizes)  # for a waypoint: the exit of the box where its line starts
        ways: dict[tuple[int, int], list[int]] = {}  # for an exit of a box: the box and its waypoints, one per layer
        for v, into in enumerate(sources):
            for s, out in zip(into, self.exits[v], strict=True):
                way = ways.setdefault((s, out), [s])
                while self.rank[way[-1]] < self.rank[v] - 1:
                    self._lengthen(way, out)
                last = way[self.rank[v] - 1 - self.rank[s]]
                self._join(last, v)
                self.arrivals[v].append(last)

    def resize(self, sizes: Sequence[Point]) -> None:
        """Change the sizes of the boxes."""
        for v, (across, along) in enumerate(sizes):
            self.breadth[v], self.length[v] = across, along

    def _lengthen(self, way: list[int], out: int) -> None:
        new = len(self.owner)
        self.owner.append(way[0])
        self.exit.append(out)
        self.rank.append(self.rank[way[-1]] + 1)
        for sizes in (self.breadth, self.length):
            sizes.append(0.0)
        for neighbours in (self.above, self.below):
            neighbours.append([])
        self._join(way[-1], new)
        way.append(new)

    def _join(self, u: int, v: int) -> None:
        self.below[u].append(v)
        self.above[v].append(u)

    def is_waypoint(self, v: int) -> bool:
        """Whether ``v`` is a waypoint rather than a box."""
        return v >= len(self.leaf)

    def room(self, u: int, v: int) -> float:
        """The minimum distance between the centres of adjacent items of a layer."""
        gap = BESIDE if self.is_waypoint(u) or self.is_waypoint(v) else BETWEEN
        return (self.breadth[u] + self.breadth[v]) / 2 + gap
