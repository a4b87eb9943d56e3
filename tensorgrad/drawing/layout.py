"""Layered graph layout (Sugiyama's method).

`ranks` assigns boxes to layers, `net` splits arrows into segments between adjacent layers, `order` sorts the layers,
`columns` computes positions across the layers, and this module positions along them, and the lines. Of two assignments
to layers, the one with fewer crossings and shorter lines is used.

"Along" is the direction from layer to layer, "across" the other one. No line crosses a box: inside the band of a layer,
lines are straight, at positions between the boxes; they only bend between two bands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter

from tensorgrad.drawing.columns import columns, spread
from tensorgrad.drawing.net import Net, Point
from tensorgrad.drawing.order import ordered
from tensorgrad.drawing.ranks import ranks

_PORTS = 10.0  # distance between arrows that end in one box
_CORNER = 9.0  # distance between an arrow and the corner of the box
_GAP = 34.0  # distance between layers if all lines are straight


@dataclass(slots=True)
class Layout:
    """The centres of the boxes, and for each box the lines to the boxes that use its value."""

    extent: Point
    centres: list[Point]
    lines: list[list[list[Point]]]  # for each box: polylines whose points are on the edges of bands
    tips: list[list[Point]]  # for each box: the ends of the arrows from its sources, in their order


def breadth_for(arrows: int) -> float:
    """The minimum breadth of a box in which this number of arrows ends."""
    return _PORTS * (arrows - 1) + 2 * _CORNER


def layout(sizes: Sequence[Point], sources: Sequence[Sequence[int]]) -> Layout:
    """Positions for boxes of the given sizes (across, along), each listed after its ``sources``."""
    drafts = []
    for bundled in (False, True):
        net = Net(sizes, sources, ranks(sources, bundled))
        layers, crossings = ordered(net)
        cost = (5 * crossings + len(net.rank)) * (1.15 if bundled else 1)  # prefer not bundled unless clearly worse
        drafts.append((cost, net, layers))
    _, net, layers = min(drafts, key=itemgetter(0))
    x = columns(net, layers)
    starts, ends, height = _bands(net, layers, x)
    tips: list[list[Point]] = [[] for _ in sizes]
    lines: list[list[list[Point]]] = [[] for _ in sizes]
    middles = [(starts[rank] + ends[rank]) / 2 for rank in net.rank]
    for v, owner in enumerate(net.owner):
        if v != owner:  # a waypoint: the line continues through the band
            u = net.above[v][0]
            lines[owner].append(_line(x[u], x[v], u, v, net, middles, starts, ends))
            continue
        ports = _ports(x[v], sizes[v][0], [x[u] for u in net.arrivals[v]])
        for u, port in zip(net.arrivals[v], ports, strict=True):
            line = _line(x[u], port, u, v, net, middles, starts, ends)
            lines[net.owner[u]].append(line)
            tips[v].append(line[-1])
    centres = [(x[v], middles[v]) for v in range(len(sizes))]
    return Layout((max(x[v] + net.breadth[v] / 2 for v in range(len(x))), height), centres, lines, tips)


def _bands(net: Net, layers: list[list[int]], x: list[float]) -> tuple[list[float], list[float], float]:
    """The start and end of the band of each layer; the gap between bands increases with the bends of the lines."""
    starts, ends = [], []
    place = 0.0
    for layer in layers:
        starts.append(place)
        ends.append(place + max(net.length[v] for v in layer))
        bend = max((abs(x[u] - x[v]) for u in layer for v in net.below[u]), default=0)
        place = ends[-1] + _GAP + min(bend / 8, 60)
    return starts, ends, ends[-1]


def _ports(centre: float, breadth: float, arrivals: list[float]) -> list[float]:
    """The positions where arrows end on a box: as close to their origins as possible, and separate."""
    count = len(arrivals)
    first = centre - breadth / 2 + _CORNER
    spare = breadth - breadth_for(count)
    order = sorted(range(count), key=arrivals.__getitem__)
    ports = [0.0] * count
    places = spread([[(arrivals[i], 1)] for i in order], [_PORTS] * (count - 1)) if count else []
    for k, (i, place) in enumerate(zip(order, places, strict=True)):
        ports[i] = min(max(place - k * _PORTS, first), first + spare) + k * _PORTS
    return ports


def _line(x0: float, x1: float, u: int, v: int, net: Net, middles: list[float], starts: list[float],
          ends: list[float]) -> list[Point]:  # fmt: skip
    """A line that is straight inside the bands of ``u`` and ``v``, and bends between them."""
    leaves, enters = ends[net.rank[u]], starts[net.rank[v]]
    begin = leaves if net.is_waypoint(u) else middles[u] + net.length[u] / 2
    end = ends[net.rank[v]] if net.is_waypoint(v) else middles[v] - net.length[v] / 2
    return [(x0, begin), (x0, leaves), (x1, enters), (x1, end)]
