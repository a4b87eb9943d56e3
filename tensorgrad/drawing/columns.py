"""Positions of boxes and lines across the layers: aligned in columns, with straight long lines and symmetric fans.

Every box and waypoint is aligned with the median of its neighbours in the previous layer, which forms columns, and the
columns are compacted. This is done from above and from below, from the left and from the right, and the mean of the
middle two of the four positions is used.

Source: Brandes and Köpf, "Fast and simple horizontal coordinate assignment", 2001.
"""

from __future__ import annotations

import math
from itertools import pairwise

from tensorgrad.drawing.net import Net


def alignments(net: Net, layers: list[list[int]]) -> list[list[int]]:
    """The columns of each of the four alignments: for each box and waypoint, the first one of its column.

    They are from above, from above mirrored, from below, and from below mirrored. They do not depend on sizes.
    """
    chosen = _alignable(net)
    return [
        _heads(net, [layer[::-1] for layer in layers] if mirrored else layers, chosen, down)
        for down in (True, False)
        for mirrored in (False, True)
    ]


def columns(net: Net, layers: list[list[int]], heads: list[list[int]]) -> list[float]:
    """The centre of each box and waypoint across the layers; the left edge of the leftmost is 0."""
    four = []
    for k, head in enumerate(heads):
        mirrored = k % 2 == 1
        places = _compacted(net, [layer[::-1] for layer in layers] if mirrored else layers, head)
        four.append([-place for place in places] if mirrored else places)
    widths = [max(places) - min(places) for places in four]
    narrowest = four[widths.index(min(widths))]
    for k, places in enumerate(four):  # align each with the narrowest, on the side that it was compacted towards
        end = max if k % 2 else min
        shift = end(narrowest) - end(places)
        four[k] = [place + shift for place in places]
    x = [math.fsum(sorted(places)[1:3]) / 2 for places in zip(*four, strict=True)]
    _gather_leaves(net, layers, x)
    first = min(place - breadth / 2 for place, breadth in zip(x, net.breadth, strict=True))
    return [place - first for place in x]


def _alignable(net: Net) -> list[tuple[list[int], list[int]]]:
    """For each box and waypoint, the neighbours above and below that it may share a column with.

    Long lines and chains of operations are kept straight; lines bend where they branch or join.
    """

    def distance(v: int, u: int) -> tuple[int, int]:
        """The priority of ``u`` for the column of ``v``; lower is better."""
        if net.is_waypoint(u):
            return int(not net.is_waypoint(v)), 0
        longest = -net.depth[u] if net.rank[u] < net.rank[v] else 0  # prefer the branch with the most operations
        return (2 if net.leaf[u] else int(net.is_waypoint(v))), longest

    best = []
    for v in range(len(net.rank)):
        sides = []
        for neighbours in (net.above[v], net.below[v]):
            nearest = min((distance(v, u) for u in neighbours), default=None)
            sides.append({u for u in neighbours if distance(v, u) == nearest})
        best.append(sides)
    return [
        ([u for u in best[v][0] if v in best[u][1]], [u for u in best[v][1] if v in best[u][0]])
        for v in range(len(net.rank))
    ]


def _heads(net: Net, layers: list[list[int]], chosen: list[tuple[list[int], list[int]]], down: bool) -> list[int]:
    """For each box and waypoint, the first one of its column."""
    head = list(range(len(net.rank)))
    for fixed, layer in pairwise(layers if down else layers[::-1]):
        place = {v: k for k, v in enumerate(fixed)}
        straight = [
            (place[u], k) for k, v in enumerate(layer) if net.is_waypoint(v)
            for u in chosen[v][not down] if net.is_waypoint(u)
        ]  # fmt: skip
        taken = -1
        for k, v in enumerate(layer):
            ends = sorted(chosen[v][not down], key=place.__getitem__)
            for u in dict.fromkeys((ends[(len(ends) - 1) // 2], ends[len(ends) // 2]) if ends else ()):
                crosses = not net.is_waypoint(v) and any((a - place[u]) * (b - k) < 0 for a, b in straight)
                if place[u] > taken and not crosses:
                    head[v], taken = head[u], place[u]
                    break
    return head


def _compacted(net: Net, layers: list[list[int]], head: list[int]) -> list[float]:
    """Positions with each column as far left as possible, and then as close as possible to those on its right."""
    right: list[list[tuple[int, float]]] = [[] for _ in head]
    waiting = [0] * len(head)
    for layer in layers:
        for u, v in pairwise(layer):
            right[head[u]].append((head[v], net.room(u, v)))
            waiting[head[v]] += 1
    x = [0.0] * len(head)
    order = [v for v, first in enumerate(head) if first == v and not waiting[v]]
    for u in order:  # grows during the loop
        for v, room in right[u]:
            x[v] = max(x[v], x[u] + room)
            waiting[v] -= 1
            if not waiting[v]:
                order.append(v)
    for u in reversed(order):
        x[u] = max(x[u], min((x[v] - room for v, room in right[u]), default=x[u]))
    return [x[first] for first in head]


def _gather_leaves(net: Net, layers: list[list[int]], x: list[float]) -> None:
    """Move leaves that are used by one operation as close to it as possible, symmetrically."""
    for layer in layers:
        pulls = [[(x[net.below[v][0]], 1.0)] if v < len(net.leaf) and net.private[v] else [(x[v], 1e6)] for v in layer]
        for v, place in zip(layer, spread(pulls, [net.room(u, v) for u, v in pairwise(layer)]), strict=True):
            x[v] = place


def spread(pulls: list[list[tuple[float, float]]], rooms: list[float]) -> list[float]:
    """Positions in the given order, at least ``rooms`` apart, with the least weighted distance from all pulls.

    Adjacent items that would overlap form a block, which is placed at the weighted median of its pulls.
    """
    blocks: list[tuple[float, list[tuple[float, float]], int]] = []  # (place, pulls, members), shifted by `offsets`
    offsets = [0.0]
    for room in rooms:
        offsets.append(offsets[-1] + room)
    for offset, own in zip(offsets, pulls, strict=True):
        shifted, members = [(place - offset, weight) for place, weight in own], 1
        place = median(shifted)
        while blocks and blocks[-1][0] >= place:
            _, earlier, others = blocks.pop()
            shifted, members = earlier + shifted, members + others
            place = median(shifted)
        blocks.append((place, shifted, members))
    places = [place for place, _, members in blocks for _ in range(members)]
    return [place + offset for place, offset in zip(places, offsets, strict=True)]


def median(pulls: list[tuple[float, float]]) -> float:
    """The weighted median; the midpoint if it is not unique."""
    pulls.sort()
    half = math.fsum(weight for _, weight in pulls) / 2
    total = 0.0
    for i, (place, weight) in enumerate(pulls):
        total += weight
        if total > half + 1e-9:
            return place
        if total > half - 1e-9 and i + 1 < len(pulls):
            return (place + pulls[i + 1][0]) / 2
    return pulls[-1][0]
