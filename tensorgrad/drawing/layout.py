"""Layered graph layout (Sugiyama's method).

`ranks` assigns boxes to layers, `net` splits arrows into segments between adjacent layers, `order` sorts the layers,
`columns` computes positions across the layers, and this module positions along them, and the lines. Of two assignments
to layers, the one with fewer crossings and shorter lines is used.

"Along" is the direction from layer to layer, "across" the other one. No line crosses a box: inside the band of a layer,
lines are straight, at positions between the boxes; they only bend between two bands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter

from tensorgrad.drawing.columns import alignments, columns, spread
from tensorgrad.drawing.net import Net, Point
from tensorgrad.drawing.order import ordered
from tensorgrad.drawing.ranks import ranks

PORTS = 10.0  # distance between arrows that end in one box
CORNER = 9.0  # distance between an arrow and the corner of the box
ROW = 1000.0  # the length of a row
TRACK = 14.0  # distance between lines from a row to the next one
GAP = 34.0  # distance between layers if all lines are straight


@dataclass(slots=True)
class Layout:
    """The centres of the boxes, and for each box the lines to the boxes that use its value."""

    extent: Point
    centres: list[Point]
    lines: list[list[list[Point]]]  # for each box: polylines whose points are on the edges of bands
    tips: list[list[Point]]  # for each box: the ends of the arrows from its sources, in their order
    starts: list[float]  # of the bands of the layers
    ends: list[float]


def breadth_for(arrows: int) -> float:
    """The minimum breadth of a box in which this number of arrows ends."""
    return PORTS * (arrows - 1) + 2 * CORNER


@dataclass(slots=True)
class Plan:
    """What does not depend on the sizes of the boxes: the order in the layers, and the columns."""

    net: Net
    layers: list[list[int]]
    heads: list[list[int]]


def plan(sources: Sequence[Sequence[int]], exits: Sequence[Sequence[int]] | None = None, inlets: int = 0,
         outlets: int = 0) -> Plan:  # fmt: skip
    """A plan for boxes, each listed after its ``sources``.

    Parameters
    ----------
    sources
        For each box, the boxes where its arrows start.
    exits
        For each of these, the number of the exit of that box, for boxes with several results.
    inlets, outlets
        The number of boxes, at the beginning and the end of the list, that are in the first and the last layer.
    """
    drafts = []
    for bundled in (False, True):
        net = Net([(0.0, 0.0)] * len(sources), sources, _ranks(sources, bundled, inlets, outlets), exits, inlets)
        layers, crossings = ordered(net)
        cost = (5 * crossings + len(net.rank)) * (1.15 if bundled else 1)  # prefer not bundled unless clearly worse
        drafts.append((cost, net, layers))
    _, net, layers = min(drafts, key=itemgetter(0))
    return Plan(net, layers, alignments(net, layers))


def _ranks(sources: Sequence[Sequence[int]], bundled: bool, inlets: int, outlets: int) -> list[int]:
    rank, end = ranks(sources, bundled), len(sources) - outlets
    if inlets or outlets:
        inner = rank[inlets:end]
        shift, last = min(inner) - bool(inlets), max(inner) + 1
        rank = [0 if v < inlets else (last if v >= end else r) - shift for v, r in enumerate(rank)]
    return rank


def layout(sizes: Sequence[Point], sources: Sequence[Sequence[int]]) -> Layout:
    """Positions for boxes of the given sizes (across, along), each listed after its ``sources``."""
    return place(plan(sources), sizes)


def place(plan: Plan, sizes: Sequence[Point], entries: Mapping[int, Sequence[float]] | None = None,
          exits: Mapping[int, Sequence[float]] | None = None) -> Layout:  # fmt: skip
    """Positions for boxes of the given sizes (across, along).

    ``entries`` are the places at which arrows end on some boxes, ``exits`` those at which lines start, both relative to
    the centre. By default, arrows end where they cross least, and lines start in the centre.
    """
    net, entries, exits = plan.net, entries or {}, exits or {}
    net.resize(sizes)
    x = columns(net, plan.layers, plan.heads)
    starts, ends, height = _bands(net, plan.layers, x)
    tips: list[list[Point]] = [[] for _ in sizes]
    lines: list[list[list[Point]]] = [[] for _ in sizes]
    middles = [(starts[rank] + ends[rank]) / 2 for rank in net.rank]

    def start(u: int, out: int) -> float:
        return x[u] + exits[u][out] if u in exits else x[u]

    for v, owner in enumerate(net.owner):
        if v != owner:  # a waypoint: the line continues through the band
            u = net.above[v][0]
            lines[owner].append(_line(start(u, net.exit[v]), x[v], u, v, net, middles, starts, ends))
            continue
        begins = [start(u, out) for u, out in zip(net.arrivals[v], net.exits[v], strict=True)]
        ports = [x[v] + entry for entry in entries[v]] if v in entries else _ports(x[v], sizes[v][0], begins)
        for u, begin, port in zip(net.arrivals[v], begins, ports, strict=True):
            line = _line(begin, port, u, v, net, middles, starts, ends)
            lines[net.owner[u]].append(line)
            tips[v].append(line[-1])
    centres = [(x[v], middles[v]) for v in range(len(sizes))]
    extent = max(x[v] + net.breadth[v] / 2 for v in range(len(x))), height
    return Layout(extent, centres, lines, tips, starts, ends)


def in_rows(found: Layout) -> Layout:
    """The same layout in rows, like a text, if it is too long for one; rows end where the fewest lines cross."""
    crossing = [
        sum(line[1][1] == end for lines in found.lines for line in lines) for end in found.ends[:-1]
    ]  # lines from a layer to the next one
    firsts, last = [0], len(found.starts) - 1
    while found.ends[last] - found.starts[firsts[-1]] > ROW:
        first = firsts[-1]
        fit = max([r for r in range(first, last) if found.ends[r] - found.starts[first] <= ROW], default=first)
        half = [r for r in range(first, fit + 1) if found.ends[r] - found.starts[first] >= ROW / 2] or [fit]
        firsts.append(min(half, key=lambda r: (crossing[r], -r)) + 1)
    begins = [found.starts[first] for first in firsts]
    if len(firsts) == 1:
        return found

    def row_of(along: float) -> int:
        return sum(begin <= along + 1e-6 for begin in begins) - 1

    gaps = [2 * TRACK + TRACK * crossing[first - 1] for first in firsts[1:]]
    extra = max(gaps)
    room = found.extent[0]
    tops = [sum(room + gap for gap in gaps[:row]) for row in range(len(firsts))]

    def moved(point: Point) -> Point:
        row = row_of(point[1])
        return point[0] + tops[row], point[1] - begins[row] + extra

    used = [0] * len(firsts)

    def between(line: list[Point]) -> list[Point]:
        """A line that leaves a row at its end and enters the next one at its beginning."""
        row = row_of(line[0][1])
        a, b, c, d = (moved(point) for point in line)
        if row == row_of(line[3][1]):
            return [a, b, c, d]
        used[row] += 1
        shift = TRACK * used[row]
        track = tops[row] + room + TRACK / 2 + shift
        return [a, (b[0], b[1] + shift), (track, b[1] + shift), (track, c[1] - shift), (c[0], c[1] - shift), d]

    lines = [[between(line) for line in some] for some in found.lines]
    width = max(end[1] for some in lines for line in some for end in line) + TRACK
    width = max(width, max(found.ends[first - 1] - found.starts[before] for before, first in
                           zip(firsts, [*firsts[1:], last + 1], strict=True)) + 2 * extra)  # fmt: skip
    tips = [[moved(tip) for tip in some] for some in found.tips]
    centres = [moved(centre) for centre in found.centres]
    return Layout((tops[-1] + room, width), centres, lines, tips, found.starts, found.ends)


def _bands(net: Net, layers: list[list[int]], x: list[float]) -> tuple[list[float], list[float], float]:
    """The start and end of the band of each layer; the gap between bands increases with the bends of the lines."""
    starts, ends = [], []
    place = 0.0
    for layer in layers:
        starts.append(place)
        ends.append(place + max(net.length[v] for v in layer))
        bend = max((abs(x[u] - x[v]) for u in layer for v in net.below[u]), default=0)
        place = ends[-1] + GAP + min(bend / 8, 60)
    return starts, ends, ends[-1]


def _ports(centre: float, breadth: float, arrivals: list[float]) -> list[float]:
    """The positions where arrows end on a box: as close to their origins as possible, and separate."""
    count = len(arrivals)
    first = centre - breadth / 2 + CORNER
    spare = breadth - breadth_for(count)
    order = sorted(range(count), key=arrivals.__getitem__)
    ports = [0.0] * count
    places = spread([[(arrivals[i], 1)] for i in order], [PORTS] * (count - 1)) if count else []
    for k, (i, place) in enumerate(zip(order, places, strict=True)):
        ports[i] = min(max(place - k * PORTS, first), first + spare) + k * PORTS
    return ports


def _line(x0: float, x1: float, u: int, v: int, net: Net, middles: list[float], starts: list[float],
          ends: list[float]) -> list[Point]:  # fmt: skip
    """A line that is straight inside the bands of ``u`` and ``v``, and bends between them."""
    leaves, enters = ends[net.rank[u]], starts[net.rank[v]]
    begin = leaves if net.is_waypoint(u) else middles[u] + net.length[u] / 2
    end = ends[net.rank[v]] if net.is_waypoint(v) else middles[v] - net.length[v] / 2
    return [(x0, begin), (x0, leaves), (x1, enters), (x1, end)]
