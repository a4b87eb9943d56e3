"""The boxes of a graph in groups, one for each call of a function or layer that contains several of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeAlias

from tensorgrad.drawing.calls import Call
from tensorgrad.drawing.graph import Box
from tensorgrad.drawing.layout import Plan, plan


@dataclass(eq=False, slots=True)
class Group:
    """The boxes and groups inside a call, each after its sources, or (the outermost) the whole graph.

    The nodes of its plan are the inlets, the items and the outlets: values that come from outside, and that leave.
    """

    call: Call | None
    items: list[Item] = field(default_factory=list)
    number: int = 0  # in the order of a walk from the outside
    inlets: list[int] = field(default_factory=list)  # boxes
    outlets: list[int] = field(default_factory=list)
    operations: int = 0
    results: list[int] = field(default_factory=list)  # boxes that are results of the graph
    plan: Plan = field(init=False)


Item: TypeAlias = "int | Group"  # a box, by its index, or a group


def grouped(boxes: Sequence[Box]) -> Group:
    """The whole graph, with a plan for each group."""
    whole = Group(None)
    for v, chain in enumerate(_chains(boxes, whole)):
        for outer, inner in pairwise(chain):
            if inner not in outer.items:
                outer.items.append(inner)
        chain[-1].items.append(v)
    _sort(whole)
    _remove_small(whole, boxes)
    while len(alone := [item for item in whole.items if isinstance(item, Group)]) == 1 and not any(
        boxes[item].kind == "operation" for item in whole.items if not isinstance(item, Group)
    ):
        _splice(whole, alone[0])
    users: list[list[int]] = [[] for _ in boxes]
    for v, box in enumerate(boxes):
        for s in box.sources:
            users[s].append(v)
    _connect(whole, boxes, users)
    for number, group in enumerate(groups_in(whole)):
        group.number = number
        if group.call is not None and group.call.path:
            for v in boxes_in(group):  # inside a layer, names of its parameters are relative to it
                boxes[v].title = boxes[v].title.removeprefix(f"{group.call.path}.")
    return whole


def groups_in(group: Group) -> list[Group]:
    """A group and all groups in it, outer ones first."""
    found = [group]
    for one in found:  # grows during the loop
        found += [item for item in one.items if isinstance(item, Group)]
    return found


def boxes_in(group: Group) -> list[int]:
    """The boxes in a group and in all groups in it."""
    return [item for one in groups_in(group) for item in one.items if not isinstance(item, Group)]


def _chains(boxes: Sequence[Box], whole: Group) -> list[list[Group]]:
    """For each box, the groups around it, from the outermost.

    A call is one group as long as no other operation comes between its own, so that no value leaves a group and comes
    back. A leaf or array is in the innermost group that contains its users, but not further in than its home.
    """
    chains: list[list[Group]] = [[] for _ in boxes]
    chain = [whole]
    for v, box in enumerate(boxes):
        if box.kind == "operation":
            same = 0
            while same < min(len(chain) - 1, len(box.path)) and chain[same + 1].call is box.path[same]:
                same += 1
            chains[v] = chain = chain[: same + 1] + [Group(call) for call in box.path[same:]]
    for v, box in enumerate(boxes):
        for s in box.sources:
            if boxes[s].kind != "operation":
                around, home, same = chains[s] or chains[v], boxes[s].home, 1
                while same < min(len(around), len(chains[v])) and around[same] is chains[v][same]:
                    if home is not None and around[same].call not in home:
                        break
                    same += 1
                chains[s] = around[:same]
    return [chain or [whole] for chain in chains]


def _sort(group: Group) -> int:
    """Sort the items, each after its sources; return the last operation, after which its results are used."""
    places = {item: _sort(item) if isinstance(item, Group) else item for item in group.items}
    group.items.sort(key=places.__getitem__)
    return max(places.values())


def _remove_small(group: Group, boxes: Sequence[Box]) -> None:
    """Replace groups of one box, numbers aside, by it, and groups of one group by the boxes in that."""
    for item in list(group.items):
        if not isinstance(item, Group):
            continue
        _remove_small(item, boxes)
        inner = [one for one in item.items if isinstance(one, Group)]
        if len(item.items) == 1 and inner:
            _splice(item, inner[0])
        if sum(isinstance(one, Group) or boxes[one].shape is not None for one in item.items) < 2:
            _splice(group, item)


def _splice(group: Group, inner: Group) -> None:
    position = group.items.index(inner)
    group.items[position : position + 1] = inner.items


def _connect(group: Group, boxes: Sequence[Box], users: Sequence[Sequence[int]]) -> None:
    """Find what enters and leaves a group and those in it, and plan their layouts."""
    inside = set(boxes_in(group))
    sources = [s for v in sorted(inside) for s in boxes[v].sources]
    group.inlets = [s for s in dict.fromkeys(sources) if s not in inside]
    group.outlets = [v for v in sorted(inside) if not inside.issuperset(users[v])]
    group.operations = sum(boxes[v].kind == "operation" for v in inside)
    group.results = [v for v in sorted(inside) if boxes[v].result]
    places: dict[int, tuple[int, int]] = {}  # for a box: the node that contains it, and the exit of that
    into: list[list[tuple[int, int]]] = []
    for v in group.inlets:
        places[v] = len(into), 0
        into.append([])
    for item in group.items:
        if isinstance(item, Group):
            _connect(item, boxes, users)
            into.append([places[s] for s in item.inlets])
            places |= {v: (len(into) - 1, out) for out, v in enumerate(item.outlets)}
        else:
            into.append([places[s] for s in boxes[item].sources])
            places[item] = len(into) - 1, 0
    into += [[places[v]] for v in group.outlets]
    nodes, exits = [[s for s, _ in node] for node in into], [[out for _, out in node] for node in into]
    group.plan = plan(nodes, exits, len(group.inlets), len(group.outlets))
