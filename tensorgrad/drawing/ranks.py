"""The layer of each box: below its sources, with the least total length of lines.

This is a linear program, solved by the network simplex method: arrows of a spanning tree are exchanged for others as
long as that reduces the total length.

Source: Gansner, Koutsofios, North and Vo, "A technique for drawing directed graphs", 1993, section 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


def is_private(sources: Sequence[Sequence[int]]) -> list[bool]:
    """For each box, whether it is a leaf with a single user, next to which it is placed."""
    users: list[set[int]] = [set() for _ in sources]
    for v, into in enumerate(sources):
        for s in into:
            users[s].add(v)
    return [not into and len(used) == 1 for into, used in zip(sources, users, strict=True)]


def ranks(sources: Sequence[Sequence[int]], bundled: bool) -> list[int]:
    """The layer of each box, from 0. Boxes must be listed after their sources.

    If ``bundled``, the arrows from a box count as one line, as long as the longest of them, and boxes are placed close
    to their users. Otherwise each arrow counts, and boxes are placed close to their sources.
    """
    private = is_private(sources)
    uses: list[list[int]] = [[] for _ in sources]
    for v, into in enumerate(sources):
        for s in into:
            if not private[s]:
                uses[s].append(v)
    rank = _longest_paths(uses)
    arrows = [Arrow(s, v, 1, 1) for s, out in enumerate(uses) for v in out]
    for s, out in enumerate(uses):
        if bundled and out:
            begins = any(private[u] for u in sources[s]) and all(not sources[u] for u in sources[s])
            arrows += [Arrow(v, len(rank), 0, 0) for v in dict.fromkeys(out)]
            arrows.append(Arrow(s, len(rank), 0, 5 if begins else 4))  # place operations on leaves late
            rank.append(max(rank[v] for v in out))
    _shorten(rank, arrows)
    for v, into in enumerate(sources):
        held = [s for s in into if not private[s]]
        if held and not bundled and len(held) >= len(uses[v]):  # moving it closer to its sources adds no length
            rank[v] = max(rank[s] + 1 for s in held)
    for v, into in enumerate(sources):
        for s in into:
            if private[s]:
                rank[s] = rank[v] - 1
    first = min(rank[: len(sources)])
    return [r - first for r in rank[: len(sources)]]


def _longest_paths(uses: Sequence[Sequence[int]]) -> list[int]:
    """The length of the longest path to each box."""
    rank = [0] * len(uses)
    for s, out in enumerate(uses):  # in topological order, so that rank[s] is final
        for v in out:
            rank[v] = max(rank[v], rank[s] + 1)
    return rank


class Arrow(NamedTuple):
    """A constraint on the order of two boxes, and the cost of their distance."""

    start: int
    end: int
    least: int  # minimum number of layers from start to end
    weight: int  # cost per layer


class _Tree:
    """A feasible assignment to layers, and a spanning forest of arrows of minimum length."""

    def __init__(self, rank: list[int], arrows: list[Arrow]) -> None:
        self.rank = rank
        self.joined: list[list[Arrow]] = [[] for _ in rank]
        self.balance = [0] * len(rank)  # the weight of outgoing arrows minus that of incoming ones
        for arrow in arrows:
            self.joined[arrow.start].append(arrow)
            self.joined[arrow.end].append(arrow)
            self.balance[arrow.start] += arrow.weight
            self.balance[arrow.end] -= arrow.weight
        self.links: list[list[Arrow]] = [[] for _ in rank]  # those of the tree
        for start, ends in enumerate(self.joined):
            if ends and not self.links[start]:
                self._grow(start)

    def slack(self, arrow: Arrow) -> int:
        return self.rank[arrow.end] - self.rank[arrow.start] - arrow.least

    def _link(self, arrow: Arrow) -> None:
        self.links[arrow.start].append(arrow)
        self.links[arrow.end].append(arrow)

    def _grow(self, start: int) -> None:
        """Build the tree of the connected component of ``start``, shifting it to make each new arrow tight."""
        inside = {start}
        fringe = list(self.joined[start])
        while fringe:
            nearest = min(fringe, key=self.slack)
            slack = self.slack(nearest)
            forward = nearest.start in inside
            if slack:
                for u in inside:
                    self.rank[u] += slack if forward else -slack
            new = nearest.end if forward else nearest.start
            inside.add(new)
            self._link(nearest)
            fringe = [arrow for arrow in fringe + self.joined[new] if (arrow.start in inside) != (arrow.end in inside)]

    def improve(self) -> bool:
        """Exchange one arrow of the tree for another, if that reduces the cost; return whether it did."""
        order, parents = self._traverse()
        balance = self.balance.copy()  # summed over branches below
        for u in reversed(order):
            parent = parents[u]
            if parent is None:
                continue
            down = parent.end == u
            if balance[u] > 0 if down else balance[u] < 0:
                branch = self._branch(u, parent)
                leaving = [
                    arrow for w in branch for arrow in self.joined[w]
                    if (arrow.start if down else arrow.end) == w and (arrow.end if down else arrow.start) not in branch
                ]  # fmt: skip
                nearest = min(leaving, key=lambda arrow: (self.slack(arrow), arrow))
                slack = self.slack(nearest)
                for w in branch:
                    self.rank[w] += slack if down else -slack
                self.links[parent.start].remove(parent)
                self.links[parent.end].remove(parent)
                self._link(nearest)
                return True
            balance[parent.start if down else parent.end] += balance[u]
        return False

    def _traverse(self) -> tuple[list[int], list[Arrow | None]]:
        """All boxes, each after its parent in the tree, and the arrows to their parents."""
        order: list[int] = []
        parents: list[Arrow | None] = [None] * len(self.rank)
        seen = [False] * len(self.rank)
        for root in range(len(self.rank)):
            stack = [] if seen[root] else [root]
            while stack:
                u = stack.pop()
                seen[u] = True
                order.append(u)
                for arrow in self.links[u]:
                    other = arrow.end if arrow.start == u else arrow.start
                    if not seen[other]:
                        parents[other] = arrow
                        stack.append(other)
        return order, parents

    def _branch(self, root: int, cut: Arrow) -> set[int]:
        """The boxes connected to ``root`` in the tree without the arrow ``cut``."""
        branch, stack = {root}, [root]
        while stack:
            u = stack.pop()
            for arrow in self.links[u]:
                other = arrow.end if arrow.start == u else arrow.start
                if arrow is not cut and other not in branch:
                    branch.add(other)
                    stack.append(other)
        return branch


def _shorten(rank: list[int], arrows: list[Arrow]) -> None:
    """Change ``rank`` to minimize the total cost of the arrows."""
    tree = _Tree(rank, arrows)
    for _ in range(4 * len(rank)):  # in practice far fewer
        if not tree.improve():
            break
