"""The drawing as SVG: boxes, lines and a legend, without scripts, style sheets or external resources."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from tensorgrad.drawing.cards import legend, legend_entries
from tensorgrad.drawing.frames import View
from tensorgrad.drawing.graph import Box, shorten_titles
from tensorgrad.drawing.groups import Group, grouped, groups_in
from tensorgrad.drawing.net import Point
from tensorgrad.drawing.text import FONTS, xml

MARGIN = 20.0
_FEW = 6  # boxes; if fewer are visible, groups are open at first
_LONG = 1500.0  # the height of a chain that is drawn from left to right instead


class Graph:
    """A graph to draw: its boxes, its groups, and the direction of its arrows."""

    def __init__(self, boxes: Sequence[Box], dtype: str, direction: str | None) -> None:
        self.boxes, self.dtype, self.whole = boxes, dtype, grouped(boxes)
        shorten_titles(boxes)
        self.groups = groups_in(self.whole)[1:]
        self.direction = direction or "down"
        if direction is None and all(sum(not alone for alone in layer) <= 2 for layer in self._layers()):
            width, height = View(boxes, "down", ()).measure(self.whole)
            self.direction = "down" if height < _LONG or height < 4 * width else "rows"

    @property
    def title(self) -> str:
        """What is drawn."""
        results = " and ".join(box.title for box in self.boxes if box.result)
        return f"The graph behind {results}: {sum(box.kind == 'operation' for box in self.boxes)} operations"

    def _layers(self) -> list[list[bool]]:
        """For each item of the layers of the whole graph: whether it is a leaf of one operation."""
        net = self.whole.plan.net
        return [[v < len(net.private) and net.private[v] for v in layer] for layer in self.whole.plan.layers]

    def numbers(self, opened: bool | Collection[str] | None) -> set[int]:
        """The numbers of the groups with the given titles or paths, and of those around them."""
        if opened is None:
            return self._some()
        if isinstance(opened, bool):
            return {group.number for group in self.groups if opened}
        wanted = {opened} if isinstance(opened, str) else set(opened)
        found, known = set(), set()
        for group in reversed(self.groups):  # inner ones first
            names = {group.call.title, group.call.path} if group.call else set()
            known |= names & wanted
            inside = any(item.number in found for item in group.items if isinstance(item, Group))
            if inside or names & wanted:
                found.add(group.number)
        if wanted - known:
            titles = ", ".join(sorted({repr(group.call.title) for group in self.groups if group.call})) or "none"
            raise ValueError(f"open={sorted(wanted - known)!r}: the functions and layers of this drawing are {titles}")
        return found

    def _some(self) -> set[int]:
        """The largest groups, until enough is visible."""
        found: set[int] = set()
        visible = list(self.whole.items)
        while len(visible) < _FEW and (groups := [item for item in visible if isinstance(item, Group)]):
            largest = max(groups, key=lambda group: group.operations)
            found.add(largest.number)
            visible.remove(largest)
            visible += largest.items
        return found

    def svg(self, opened: Collection[int]) -> tuple[str, Point]:
        """The SVG in which the groups with the given numbers are open, and its width and height."""
        view = View(self.boxes, self.direction, opened)
        wide, high = view.measure(self.whole)
        entries = legend_entries(self.boxes, self.dtype, bool(self.groups))
        below, (legend_width, legend_height) = legend(entries, max(wide, 260))
        width = math.ceil(max(wide, legend_width) + 2 * MARGIN)
        height = math.ceil(high + legend_height + 2 * MARGIN)
        boxes = self.boxes
        description = "; ".join(
            f"{box.title} of {', '.join(boxes[s].title for s in box.sources)}" for box in boxes if box.sources
        )
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width:.6g} {height:.6g}" '
            f'width="{width:.6g}" height="{height:.6g}" style="max-width: 100%; height: auto" font-family="{FONTS}">',
            f"<title>{xml(self.title)}</title>",
            f"<desc>{xml(description)}</desc>",
            f'<rect x="0.5" y="0.5" width="{width - 1:.6g}" height="{height - 1:.6g}" rx="10" fill="#ffffff" '
            'stroke="#d0d7de"/>',
            *view.drawn(self.whole, ((width - wide) / 2, MARGIN)),
            f'<g transform="translate({MARGIN:.6g} {MARGIN + high:.6g})">{below}</g>',
        ]
        return "\n".join([*parts, "</svg>\n"]), (width, height)
