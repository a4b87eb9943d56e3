"""The layouts of a graph and of the open groups in it, each inside the frame that belongs to it.

`interactive.js` does the same in a browser; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from tensorgrad.drawing.cards import BAR, LINE, arrow, bar_width, box_size, card, curve, folded, folded_size, frame
from tensorgrad.drawing.graph import Box
from tensorgrad.drawing.groups import Group
from tensorgrad.drawing.layout import Layout, in_rows, place
from tensorgrad.drawing.net import Point

INSIDE = 16.0  # between the frame of an open group and its contents


class View:
    """The layouts of a graph and of its open groups, and their drawings."""

    def __init__(self, boxes: Sequence[Box], direction: str, opened: Collection[int]) -> None:
        self.boxes, self.direction, self.opened = boxes, direction, opened
        self.down = direction == "down"
        self.layouts: dict[int, Layout] = {}
        self.sizes: dict[int, list[Point]] = {}  # of the nodes of a group
        self.extents: dict[int, Point] = {}  # of the contents of a group

    def measure(self, group: Group) -> Point:
        """Compute the layout of a group, after those of the open groups in it; return its width and height."""
        sizes: list[Point] = [(0.0, 0.0)] * len(group.inlets)
        entries, exits = {}, {}
        for item in group.items:
            if isinstance(item, Group) and item.number in self.opened:
                self.measure(item)
                size = self.size_of_open(item)
                entries[len(sizes)], exits[len(sizes)] = self._places(item, size)
            elif isinstance(item, Group):
                size = folded_size(item, self.boxes, self.down)
            else:
                size = box_size(self.boxes[item], self.down)
            sizes.append(size)
        entries |= {len(sizes) + i: [0.0] for i in range(len(group.outlets))}
        sizes += [(0.0, 0.0)] * len(group.outlets)
        self.sizes[group.number] = sizes
        found = place(group.plan, [self._turned(size) for size in sizes], entries, exits)
        if self.direction == "rows" and group.call is None:
            found = in_rows(found)
        self.layouts[group.number], self.extents[group.number] = found, self._turned(found.extent)
        return self.extents[group.number]

    def _turned(self, point: Point) -> Point:
        """From (x, y) to (across, along), and back."""
        return point if self.down else point[::-1]

    def size_of_open(self, group: Group) -> Point:
        """The width and height of the frame of an open group."""
        (wide, high), before, after = self.extents[group.number], self._before(group), self._after(group)
        bar = bar_width(group)
        if self.down:
            return max(wide + 2 * INSIDE, bar), BAR + before + high + after
        return max(before + wide + after, bar), BAR + high + 2 * INSIDE

    def _before(self, group: Group) -> float:
        return 0 if group.inlets else INSIDE

    def _after(self, group: Group) -> float:
        return 0 if group.outlets else INSIDE

    def _origin(self, group: Group, size: Point) -> Point:
        """Where the contents of an open group begin, from the corner of its frame."""
        (wide, _), before = self.extents[group.number], self._before(group)
        return ((size[0] - wide) / 2, BAR + before) if self.down else (before, BAR + INSIDE)

    def _places(self, group: Group, size: Point) -> tuple[list[float], list[float]]:
        """The places of the inlets and outlets of an open group, relative to its centre."""
        across, _ = self._turned(self._origin(group, size))
        places = [across + x - self._turned(size)[0] / 2 for x, _ in self.layouts[group.number].centres]
        return places[: len(group.inlets)], places[len(places) - len(group.outlets) :]

    def drawn(self, group: Group, corner: Point) -> list[str]:
        """The frames, lines and boxes of a group whose contents begin at the given corner."""
        found = self.layouts[group.number]

        def at(point: Point) -> Point:
            x, y = self._turned(point)
            return corner[0] + x, corner[1] + y

        frames, lines, boxes = [], [], []
        nodes = zip(self.sizes[group.number], found.centres, found.tips, strict=True)
        kinds = [None] * len(group.inlets) + group.items + [None] * len(group.outlets)
        for item, (size, centre, tips) in zip(kinds, nodes, strict=True):
            x, y = at(centre)
            boxes += [arrow(at(tip), self.down) for tip in tips if item is not None]
            if isinstance(item, Group) and item.number in self.opened:
                left, top = x - size[0] / 2, y - size[1] / 2
                dx, dy = self._origin(item, size)
                frames.append(frame(item, (left, top), size))
                frames += self.drawn(item, (left + dx, top + dy))
            elif isinstance(item, Group):
                boxes.append(folded(item, self.boxes, (x, y), size))
            elif item is not None:
                boxes.append(card(self.boxes[item], (x, y), size))
        for one in filter(None, found.lines):
            pieces = "".join(curve([at(point) for point in line], self.down) for line in one)
            lines.append(f'<path d="{pieces}" fill="none" stroke="{LINE}" stroke-width="1.3"/>')
        return [*lines, *frames, *boxes]
