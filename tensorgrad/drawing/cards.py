"""Boxes, folded groups, the frames of open groups, lines and the legend, as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tensorgrad.drawing.graph import Box, cut
from tensorgrad.drawing.groups import Group
from tensorgrad.drawing.layout import breadth_for
from tensorgrad.drawing.net import Point
from tensorgrad.drawing.text import width_of, xml

TITLE, SMALL, ROW = 13.0, 11.0, 15.0  # font sizes, and the line height of small text
PAD = 9.0  # around the text of a box
BAR = 26.0  # the height of the bar with the title of an open group
SIGN = 12.0  # the room for half of a plus or minus
_INK, _MUTED, LINE = "#1f2328", "#57606a", "#6b7684"


class Look(NamedTuple):
    """The colours of a kind of box, the radius of its corners, and its name in the legend."""

    fill: str
    outline: str
    round: float
    label: str  # in the legend


LOOKS = {
    "leaf": Look("#fff3d1", "#b7791f", 14, "leaf: gets a gradient"),
    "operation": Look("#eaf1fd", "#4a73b8", 5, "operation"),
    "array": Look("#f3f4f6", "#8c959f", 0, "array or number without gradient"),
    "group": Look("#f1ebfb", "#7a5bb0", 9, "function or layer"),
    "result": Look("#dff5e4", "#2b8a4b", 5, "result"),
}


def size_of(title: str, lines: Sequence[str]) -> Point:
    """The width and height of a box for its text."""
    widest = max([width_of(title, TITLE, bold=True), *(width_of(line, SMALL) for line in lines)])
    return max(widest + 2 * PAD, 40), 2 * PAD + TITLE + ROW * len(lines)


def box_size(box: Box, down: bool) -> Point:
    """The width and height of a box, with room for its arrows."""
    return _with_room(size_of(box.title, box.lines), len(box.sources), down)


def folded_size(group: Group, boxes: Sequence[Box], down: bool) -> Point:
    """The width and height of a folded group."""
    width, height = size_of(title_of(group), lines_of(group, boxes))
    return _with_room((width + 2 * SIGN, height), len(group.inlets), down)


def _with_room(size: Point, arrows: int, down: bool) -> Point:
    width, height = size
    return (max(width, breadth_for(arrows)), height) if down else (width, max(height, breadth_for(arrows)))


def title_of(group: Group) -> str:
    """The title of a group."""
    return cut("" if group.call is None else group.call.title)


def lines_of(group: Group, boxes: Sequence[Box]) -> list[str]:
    """The text in a folded group: its layer, and the shape of its results."""
    shapes = ", ".join(dict.fromkeys(str(boxes[v].shape) for v in dict.fromkeys(group.outlets + group.results)))
    return [line for line in (detail_of(group), cut(shapes)) if line]


def detail_of(group: Group) -> str:
    """The description of the layer that is called."""
    return cut("" if group.call is None else group.call.detail)


def tooltip_of(group: Group) -> str:
    """The whole text of a group."""
    call = group.call
    texts = ("", "") if call is None else (call.path or call.title, call.detail)
    return ", ".join([*filter(None, texts), f"{group.operations} operations"])


def folded(group: Group, boxes: Sequence[Box], centre: Point, size: Point) -> str:
    """A folded group."""
    (x, y), (width, height) = centre, size
    look = LOOKS["result" if group.results else "group"]
    left, top, lines = x - width / 2, y - height / 2, lines_of(group, boxes)
    shape = _rect(left, top, size, look, LOOKS["group"].round) + _sign(left + width - SIGN, top + 13, "+")
    return f"<g><title>{xml(tooltip_of(group))}</title>{shape}{_texts(x, y, title_of(group), lines)}</g>"


def bar_width(group: Group) -> float:
    """The minimum width of the frame of an open group, for its title and description."""
    return _detail_starts(group) + width_of(detail_of(group), SMALL) + 2 * SIGN


def _detail_starts(group: Group) -> float:
    return width_of(title_of(group), TITLE, bold=True) + 2 * PAD


def frame(group: Group, corner: Point, size: Point) -> str:
    """The frame of an open group, with a bar for its title."""
    (x, y), look = corner, LOOKS["group"]
    outer = (
        f'<rect x="{x:.6g}" y="{y:.6g}" width="{size[0]:.6g}" height="{size[1]:.6g}" rx="{look.round}" '
        f'fill="#ffffff" stroke="{look.outline}" stroke-width="1.2"/>'
    )
    bar = _rect(x, y, (size[0], BAR), look, look.round) + _sign(x + size[0] - SIGN, y + BAR / 2, "-")
    return f"<g><title>{xml(tooltip_of(group))}</title>{outer}{bar}{heading(group, corner)}</g>"


def heading(group: Group, corner: Point) -> str:
    """The text in the bar of an open group: its title and description."""
    x, baseline = corner[0], corner[1] + BAR / 2 + TITLE * 0.36
    text = _text(x + PAD, baseline, TITLE, title_of(group), f'fill="{_INK}" font-weight="600"')
    if detail_of(group):
        text += _text(x + _detail_starts(group), baseline, SMALL, detail_of(group), f'fill="{_MUTED}"')
    return text


def _sign(x: float, y: float, sign: str) -> str:
    """A plus for a group that is folded, a minus for an open one."""
    d = f"M{x - 4:.6g} {y:.6g}h8" + (f"M{x:.6g} {y - 4:.6g}v8" if sign == "+" else "")
    return f'<path d="{d}" fill="none" stroke="{LOOKS["group"].outline}" stroke-width="1.6"/>'


def curve(points: list[Point], down: bool) -> str:
    """A line with a bend, or, from row to row, with rounded corners."""
    if len(points) > 4:
        corners = "".join(
            f"L{x - _sign_of(x - a) * min(8, abs(x - a)):.6g} {y - _sign_of(y - b) * min(8, abs(y - b) / 2):.6g}"
            f"Q{x:.6g} {y:.6g} {x + _sign_of(c - x) * min(8, abs(c - x)):.6g} "
            f"{y + _sign_of(d - y) * min(8, abs(d - y) / 2):.6g}"
            for (a, b), (x, y), (c, d) in zip(points, points[1:], points[2:], strict=False)
        )
        return f"M{points[0][0]:.6g} {points[0][1]:.6g}{corners}L{points[-1][0]:.6g} {points[-1][1]:.6g}"
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = points
    xm, ym = (x1 + x2) / 2, (y1 + y2) / 2
    bend = f"C{x1:.6g} {ym:.6g} {x2:.6g} {ym:.6g}" if down else f"C{xm:.6g} {y1:.6g} {xm:.6g} {y2:.6g}"
    return f"M{x0:.6g} {y0:.6g}L{x1:.6g} {y1:.6g}{bend} {x2:.6g} {y2:.6g}L{x3:.6g} {y3:.6g}"


def _sign_of(x: float) -> float:
    return (x > 0) - (x < 0)


def arrow(tip: Point, down: bool) -> str:
    """A triangle; not a marker, whose id might not be unique on a page with several drawings."""
    x, y = tip
    wings = "l-3.6 -7.5h7.2z" if down else "l-7.5 -3.6v7.2z"
    return f'<path d="M{x:.6g} {y:.6g}{wings}" fill="{LINE}"/>'


def card(box: Box, centre: Point, size: Point) -> str:
    """A box with its text."""
    x, y = centre
    width, height = size
    look = LOOKS["result" if box.result else box.kind]
    shape = _rect(x - width / 2, y - height / 2, size, look, LOOKS[box.kind].round)
    return f"<g><title>{xml(box.tooltip)}</title>{shape}{_texts(x, y, box.title, box.lines)}</g>"


def _texts(x: float, y: float, title: str, lines: Sequence[str]) -> str:
    """A title and the lines below it, with the given centre."""
    baseline = y - ROW * len(lines) / 2 + TITLE * 0.36
    text = _text(x, baseline, TITLE, title, f'fill="{_INK}" text-anchor="middle" font-weight="600"')
    for i, line in enumerate(lines, 1):
        text += _text(x, baseline + ROW * i, SMALL, line, f'fill="{_MUTED}" text-anchor="middle"')
    return text


def _rect(x: float, y: float, size: Point, look: Look, rounded: float) -> str:
    return (
        f'<rect x="{x:.6g}" y="{y:.6g}" width="{size[0]:.6g}" height="{size[1]:.6g}" rx="{rounded:.6g}" '
        f'fill="{look.fill}" stroke="{look.outline}" stroke-width="{2 if look.label == "result" else 1.2}"/>'
    )


def _text(x: float, y: float, size: float, text: str, attributes: str) -> str:
    return f'<text x="{x:.6g}" y="{y:.6g}" font-size="{size:.6g}" {attributes}>{xml(text)}</text>'


def legend_entries(boxes: Sequence[Box], dtype: str, has_groups: bool) -> list[tuple[str, float]]:
    """The entries of the legend, for the colours in use and the common dtype, and their widths."""
    kinds = {"result" if box.result else box.kind for box in boxes} | ({"group"} if has_groups else set())
    looks: list[tuple[Look | None, str]] = [(look, look.label) for kind, look in LOOKS.items() if kind in kinds]
    if dtype:
        looks.append((None, f"{dtype} unless another dtype is shown"))
    found = []
    for look, label in looks:
        start = 22 if look else 0
        entry = _rect(0, -9.5, (15, 11), look, 3) if look else ""
        entry += _text(start, 0, SMALL, label, f'fill="{_MUTED}"')
        found.append((entry, start + width_of(label, SMALL)))
    return found


def legend(entries: Sequence[tuple[str, float]], room: float) -> tuple[str, Point]:
    """The legend in lines that are at most ``room`` wide, and its width and height."""
    svg = ""
    x, y, widest = 0.0, 32.0, 0.0
    for entry, width in entries:
        if x and x + width > room:
            x, y = 0.0, y + 18
        svg += f'<g transform="translate({x:.6g} {y:.6g})">{entry}</g>'
        widest = max(widest, x + width)
        x += width + 10
    return svg, (widest, y)
