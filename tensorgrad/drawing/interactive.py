"""The drawing as a part of an HTML page, in which functions and layers open and fold, and as a page of its own."""

from __future__ import annotations

import json
from collections.abc import Collection
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from tensorgrad.drawing import cards, frames, layout, net, svg
from tensorgrad.drawing.groups import Group
from tensorgrad.drawing.text import xml

_PAGE = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>body {{ margin: 1rem; text-align: center; background: #f6f8fa }}</style>
{drawing}
</html>
"""
_CONSTANTS = {
    "ports": layout.PORTS, "corner": layout.CORNER, "gap": layout.GAP, "row": layout.ROW, "track": layout.TRACK,
    "between": net.BETWEEN, "beside": net.BESIDE, "bar": cards.BAR, "sign": cards.SIGN, "inside": frames.INSIDE,
    "margin": svg.MARGIN,
}  # fmt: skip


@cache
def _script() -> str:
    return Path(__file__).with_suffix(".js").read_text(encoding="utf-8")


def interactive(graph: svg.Graph, opened: Collection[int], picture: str) -> str:
    """The drawing as a part of a page: the picture, and a script by which groups open and fold."""
    look = cards.LOOKS["group"]
    data = {
        "C": _CONSTANTS, "direction": graph.direction, "opened": sorted(opened), "line": cards.LINE,
        "look": {"fill": look.fill, "outline": look.outline, "round": look.round},
        "legend": cards.legend_entries(graph.boxes, graph.dtype, bool(graph.groups)),
        "whole": _group(graph, graph.whole),
    }  # fmt: skip
    text = json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
    style = "overflow-x: auto"
    return (
        f'<div class="tg-drawing" style="{style}">\n{picture}<script type="application/json">{text}</script>\n'
        f"<script>\n{_script()}</script>\n</div>\n"
    )


def page(graph: svg.Graph, drawing: str) -> str:
    """A page with a drawing."""
    return _PAGE.format(title=xml(graph.title), drawing=drawing)


def _group(graph: svg.Graph, group: Group) -> dict[str, Any]:
    """What the script needs of a group, and of those in it."""
    boxes, down, of = graph.boxes, graph.direction == "down", group.plan.net
    items: list[dict[str, Any]] = []
    for item in group.items:
        if isinstance(item, Group):
            items.append(_group(graph, item))
        else:
            size = cards.box_size(boxes[item], down)
            items.append({"size": size, "card": cards.card(boxes[item], (0.0, 0.0), size)})
    found = {
        "items": items, "inlets": len(group.inlets), "outlets": len(group.outlets),
        "plan": {
            "layers": group.plan.layers, "heads": group.plan.heads, "rank": of.rank, "owner": of.owner,
            "exit": of.exit, "above": [above[0] if above else 0 for above in of.above], "below": of.below,
            "arrivals": of.arrivals, "exits": of.exits, "private": of.private,
        },
    }  # fmt: skip
    if group.call is None:
        return found
    size = cards.folded_size(group, boxes, down)
    return found | {
        "id": group.number, "size": size, "card": cards.folded(group, boxes, (0.0, 0.0), size),
        "bar": cards.bar_width(group), "heading": cards.heading(group, (0.0, 0.0)),
        "label": escape(cards.tooltip_of(group)),
    }  # fmt: skip
