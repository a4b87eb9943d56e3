"""The order of boxes and lines in each layer, chosen to minimize crossings.

Source: Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical system structures", 1981.
"""

from __future__ import annotations

import math
from itertools import pairwise

from tensorgrad.drawing.net import Net


def ordered(net: Net) -> tuple[list[list[int]], int]:
    """The layers, ordered to reduce crossings, and the number of crossings."""
    layers = _first_order(net)
    best, fewest = [list(layer) for layer in layers], _crossings(net, layers)
    for sweep in range(24):
        if not fewest:
            break
        down = sweep % 2 == 0
        neighbours = net.above if down else net.below
        for i in range(1, len(layers)) if down else reversed(range(len(layers) - 1)):
            fixed = {v: k for k, v in enumerate(layers[i - 1 if down else i + 1])}
            _sort_by_barycentre(layers[i], neighbours, fixed)
        _swap_neighbours(net, layers)
        crossings = _crossings(net, layers)
        if crossings < fewest:
            best, fewest = [list(layer) for layer in layers], crossings
    return best, fewest


def _first_order(net: Net) -> list[list[int]]:
    """Boxes in the order of a depth-first search from the results."""
    layers: list[list[int]] = [[] for _ in range(max(net.rank) + 1)]
    seen: set[int] = set()
    for end in range(len(net.rank)):
        stack = [] if net.below[end] else [end]
        while stack:
            v = stack.pop()
            if v not in seen:
                seen.add(v)
                layers[net.rank[v]].append(v)
                stack += reversed(net.above[v])
    return layers


def _sort_by_barycentre(layer: list[int], neighbours: list[list[int]], fixed: dict[int, int]) -> None:
    """Sort by the mean position of the neighbours; nodes without neighbours keep their position."""
    means = {v: math.fsum(fixed[u] for u in neighbours[v]) / len(neighbours[v]) for v in layer if neighbours[v]}
    moving = iter(sorted((v for v in layer if v in means), key=means.__getitem__))
    layer[:] = [next(moving) if v in means else v for v in layer]


def _swap_neighbours(net: Net, layers: list[list[int]]) -> None:
    """Swap adjacent nodes of a layer as long as that reduces the number of crossings."""
    for i, layer in enumerate(layers):
        sides = []
        if i > 0:
            sides.append((net.above, {v: k for k, v in enumerate(layers[i - 1])}))
        if i + 1 < len(layers):
            sides.append((net.below, {v: k for k, v in enumerate(layers[i + 1])}))
        ends = {v: [sorted(place[u] for u in joined[v]) for joined, place in sides] for v in layer}
        for _ in range(8):
            swapped = False
            for k in range(len(layer) - 1):
                u, v = layer[k : k + 2]
                now = sum(map(_inversions, ends[u], ends[v]))
                if now and sum(map(_inversions, ends[v], ends[u])) < now:
                    layer[k : k + 2] = [v, u]
                    swapped = True
            if not swapped:
                break


def _inversions(left: list[int], right: list[int]) -> int:
    """The number of inversions between two sorted lists."""
    count = k = 0
    for place in left:
        while k < len(right) and right[k] < place:
            k += 1
        count += k
    return count


def _crossings(net: Net, layers: list[list[int]]) -> int:
    """The number of crossings, counted with a Fenwick tree (Barth, Jünger and Mutzel, 2002)."""
    count = 0
    for upper, lower in pairwise(layers):
        place = {v: k for k, v in enumerate(lower)}
        sums = [0] * (len(lower) + 1)
        for seen, end in enumerate(k for u in upper for k in sorted(place[v] for v in net.below[u])):
            i, before = end + 1, 0
            while i:
                before += sums[i]
                i &= i - 1
            count += seen - before
            i = end + 1
            while i < len(sums):
                sums[i] += 1
                i += i & -i
    return count
