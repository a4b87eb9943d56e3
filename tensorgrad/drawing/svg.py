"""The drawing as SVG: boxes, lines and a legend, without scripts, style sheets or external resources."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tensorgrad.drawing.graph import Box
from tensorgrad.drawing.layout import breadth_for, layout
from tensorgrad.drawing.net import Point
from tensorgrad.drawing.text import FONTS, width_of, xml

TITLE, SMALL, ROW = 13.0, 11.0, 15.0  # font sizes, and the line height of small text
_MARGIN = 20.0
_PAD = 9.0  # around the text of a box
_INK, _MUTED, _LINE = "#1f2328", "#57606a", "#6b7684"


class _Look(NamedTuple):
    fill: str
    outline: str
    round: float
    label: str  # in the legend


_LOOKS = {
    "leaf": _Look("#fff3d1", "#b7791f", 14, "leaf: gets a gradient"),
    "operation": _Look("#eaf1fd", "#4a73b8", 5, "operation"),
    "array": _Look("#f3f4f6", "#8c959f", 0, "array or number without gradient"),
    "result": _Look("#dff5e4", "#2b8a4b", 5, "result"),
}


def size_of(box: Box) -> Point:
    """The width and height of a box for its text."""
    widest = max([width_of(box.title, TITLE, bold=True), *(width_of(line, SMALL) for line in box.lines)])
    return max(widest + 2 * _PAD, 40), 2 * _PAD + TITLE + ROW * len(box.lines)


def write(boxes: Sequence[Box], dtype: str, down: bool) -> tuple[str, Point]:
    """The SVG of these boxes, and its width and height."""
    sizes = [size_of(box) for box in boxes]
    ports = [breadth_for(len(box.sources)) for box in boxes]
    if down:
        sizes = [(max(width, port), height) for (width, height), port in zip(sizes, ports, strict=True)]
    else:
        sizes = [(width, max(height, port)) for (width, height), port in zip(sizes, ports, strict=True)]
    plan = layout([size if down else size[::-1] for size in sizes], [box.sources for box in boxes])
    wide, high = plan.extent if down else plan.extent[::-1]
    legend, (legend_width, legend_height) = _legend(boxes, dtype, max(wide, 260))
    width = max(wide, legend_width) + 2 * _MARGIN
    height = high + legend_height + 2 * _MARGIN
    left = (width - wide) / 2

    def at(point: Point) -> Point:
        x, y = point if down else point[::-1]
        return left + x, _MARGIN + y

    about = (
        f"The graph behind {' and '.join(box.title for box in boxes if box.result)}: "
        f"{sum(box.kind == 'operation' for box in boxes)} operations"
    )
    description = "; ".join(
        f"{box.title} of {', '.join(boxes[s].title for s in box.sources)}" for box in boxes if box.sources
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width:.6g} {height:.6g}" '
        f'width="{width:.6g}" height="{height:.6g}" style="max-width: 100%; height: auto" font-family="{FONTS}">',
        f"<title>{xml(about)}</title>",
        f"<desc>{xml(description)}</desc>",
        f'<rect x="0.5" y="0.5" width="{width - 1:.6g}" height="{height - 1:.6g}" rx="10" fill="#ffffff" '
        'stroke="#d0d7de"/>',
    ]
    for lines in filter(None, plan.lines):
        pieces = "".join(_line([at(point) for point in line], down) for line in lines)
        parts.append(f'<path d="{pieces}" fill="none" stroke="{_LINE}" stroke-width="1.3"/>')
    for box, size, centre, tips in zip(boxes, sizes, plan.centres, plan.tips, strict=True):
        parts += [_arrow(at(tip), down) for tip in tips]
        parts.append(_box(box, at(centre), size))
    parts.append(f'<g transform="translate({_MARGIN:.6g} {_MARGIN + high:.6g})">{legend}</g>')
    return "\n".join([*parts, "</svg>\n"]), (width, height)


def _line(points: list[Point], down: bool) -> str:
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = points
    xm, ym = (x1 + x2) / 2, (y1 + y2) / 2
    bend = f"C{x1:.6g} {ym:.6g} {x2:.6g} {ym:.6g}" if down else f"C{xm:.6g} {y1:.6g} {xm:.6g} {y2:.6g}"
    return f"M{x0:.6g} {y0:.6g}L{x1:.6g} {y1:.6g}{bend} {x2:.6g} {y2:.6g}L{x3:.6g} {y3:.6g}"


def _arrow(tip: Point, down: bool) -> str:
    """A triangle; not a marker, whose id might not be unique on a page with several drawings."""
    x, y = tip
    wings = "l-3.6 -7.5h7.2z" if down else "l-7.5 -3.6v7.2z"
    return f'<path d="M{x:.6g} {y:.6g}{wings}" fill="{_LINE}"/>'


def _box(box: Box, centre: Point, size: Point) -> str:
    x, y = centre
    width, height = size
    look = _LOOKS["result" if box.result else box.kind]
    frame = _rect(x - width / 2, y - height / 2, size, look, _LOOKS[box.kind].round)
    baseline = y - ROW * len(box.lines) / 2 + TITLE * 0.36
    text = _text(x, baseline, TITLE, box.title, f'fill="{_INK}" text-anchor="middle" font-weight="600"')
    for i, line in enumerate(box.lines, 1):
        text += _text(x, baseline + ROW * i, SMALL, line, f'fill="{_MUTED}" text-anchor="middle"')
    return f"<g><title>{xml(box.tooltip)}</title>{frame}{text}</g>"


def _rect(x: float, y: float, size: Point, look: _Look, rounded: float) -> str:
    return (
        f'<rect x="{x:.6g}" y="{y:.6g}" width="{size[0]:.6g}" height="{size[1]:.6g}" rx="{rounded:.6g}" '
        f'fill="{look.fill}" stroke="{look.outline}" stroke-width="{2 if look.label == "result" else 1.2}"/>'
    )


def _text(x: float, y: float, size: float, text: str, attributes: str) -> str:
    return f'<text x="{x:.6g}" y="{y:.6g}" font-size="{size:.6g}" {attributes}>{xml(text)}</text>'


def _legend(boxes: Sequence[Box], dtype: str, room: float) -> tuple[str, Point]:
    """The legend for the colours in use and the common dtype, and its width and height."""
    kinds = {"result" if box.result else box.kind for box in boxes}
    entries: list[tuple[_Look | None, str]] = [(look, look.label) for kind, look in _LOOKS.items() if kind in kinds]
    if dtype:
        entries.append((None, f"{dtype} unless another dtype is shown"))
    svg = ""
    x, y, widest = 0.0, 32.0, 0.0
    for look, label in entries:
        start = 22 if look else 0
        width = start + width_of(label, SMALL)
        if x and x + width > room:
            x, y = 0.0, y + 18
        if look:
            svg += _rect(x, y - 9.5, (15, 11), look, 3)
        svg += _text(x + start, y, SMALL, label, f'fill="{_MUTED}"')
        widest = max(widest, x + width)
        x += width + 10
    return svg, (widest, y)
