"""Straight lines in a mask of ink: rules, squares, margins and boxes, which are removed without what crosses them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]

Pair = tuple[list["Line"], list["Line"]]

STEEPEST = 20.0  # degrees between a line and the rows or columns of the picture
STEP = 0.5  # degrees between the directions that are tried


class Line(NamedTuple):
    """A nearly horizontal line: its rows at the columns ``start`` to ``stop``, and its thickness in pixels."""

    start: int
    stop: int
    rows: Floats
    thickness: float

    @property
    def length(self) -> int:
        """The number of columns."""
        return self.stop - self.start


def horizontal_lines(mask: Mask, shortest: float, most: int = 120) -> list[Line]:
    """Find straight lines of at least ``shortest`` columns in a mask (H, W), the longest first.

    A Hough transform proposes directions and positions. Each proposal is fitted to the ink near it, and is a line if it
    is covered by thin ink.
    """
    left = mask.copy()
    lines: list[Line] = []
    failures = 0
    for row, slope in _proposals(mask, 0.6 * shortest):
        line = _fit(left, row, slope, shortest)
        if line is None:
            failures += 1
            if failures > 80:
                break
            continue
        lines.append(line)
        erase(left, line)
        if len(lines) == most:
            break
    return lines


def _proposals(mask: Mask, least: float) -> list[tuple[float, float]]:
    """Rows at column 0, and slopes, of lines with at least ``least`` pixels of ink, the fullest first."""
    height, width = mask.shape
    y, x = np.nonzero(np.pad(mask, ((0, -height % 2), (0, -width % 2))).reshape(-(-height // 2), 2, -(-width // 2), 2)
                      .any(axis=(1, 3)))  # fmt: skip
    if not len(y):
        return []
    slopes = np.tan(np.radians(np.arange(-STEEPEST, STEEPEST + STEP / 2, STEP)))
    reach = int(np.ceil(slopes[-1] * width / 2)) + 1
    size = height // 2 + 2 * reach + 3
    rows = np.rint(y - slopes[:, None] * x).astype(np.intp) + reach + np.arange(len(slopes))[:, None] * size
    counts = np.bincount(rows.ravel(), minlength=size * len(slopes)).reshape(len(slopes), size)
    wide = counts + np.pad(counts, ((0, 0), (0, 1)))[:, 1:]  # a line falls onto two rows of the half-size mask
    padded = np.pad(wide, ((1, 1), (2, 2)))
    around = np.max([padded[i : i + len(slopes), j : j + size] for i in range(3) for j in range(5)], axis=0)
    found = np.argwhere((wide == around) & (wide >= least / 2))
    found = found[np.argsort(-wide[tuple(found.T)], kind="stable")][:600]
    return [(2.0 * (row - reach) + 1, float(slopes[angle])) for angle, row in found]


def _fit(mask: Mask, row: float, slope: float, shortest: float) -> Line | None:
    """The line near a proposal, or None if it is not covered by thin ink over ``shortest`` columns."""
    height, width = mask.shape
    start, stop = 0, width
    rows: Floats = np.asarray(row + slope * np.arange(width), dtype=np.float64)
    reach = max(6, width // 50)
    for attempt in range(3):
        columns = np.arange(start, stop)
        places = np.rint(rows[start:stop]).astype(np.intp)[:, None] + np.arange(-reach, reach + 1)
        near = mask[np.clip(places, 0, height - 1), columns[:, None]] & (places >= 0) & (places < height)
        count = near.sum(axis=1)
        first, last = longest_run(count > 0, gap=max(4, width // 50))
        if last - first < 0.9 * shortest:
            return None
        here = slice(first, last)
        used = (count[here] > 0) & (count[here] < 2 * reach)  # a crossing stroke fills the whole column
        if used.sum() < 0.4 * shortest:
            return None
        start, stop = start + first, start + last
        centres = (places * near).sum(axis=1)[here][used] / count[here][used]
        degree = 2 if attempt and stop - start > 0.5 * width else 1
        rows = np.asarray(
            np.polyval(np.polyfit(columns[here][used] / width, centres, degree), np.arange(width) / width),
            dtype=np.float64,
        )
        reach = min(reach, 3 + int(np.median(count[here][used])) // 2)
    if stop - start < shortest or (count[here] > 0).mean() < 0.85:
        return None
    runs = vertical_runs(mask, rows, start, stop)
    runs = runs[runs > 0]
    return Line(start, stop, rows[start:stop], float(np.median(runs))) if len(runs) else None


def longest_run(covered: Mask, gap: int) -> tuple[int, int]:
    """Start and end of the longest covered stretch; gaps of up to ``gap`` places do not end one."""
    places = np.flatnonzero(covered)
    if not len(places):
        return 0, 0
    breaks = np.flatnonzero(np.diff(places) > gap + 1)
    starts = places[np.concatenate([[0], breaks + 1])]
    stops = places[np.concatenate([breaks, [len(places) - 1]])] + 1
    longest = int(np.argmax(stops - starts))
    return int(starts[longest]), int(stops[longest])


def _extents(mask: Mask, rows: Floats, start: int, reach: int) -> tuple[Ints, Ints]:
    """First and last row of the ink that is connected, within its column, to a line; first > last without ink."""
    height = mask.shape[0]
    columns = np.arange(start, start + len(rows))
    places = np.rint(rows).astype(np.intp)
    first, last = places + 1, places.copy()
    touched = np.zeros(len(rows), dtype=bool)
    for offset in (0, -1, 1, -2, 2):  # the row of the line that is ink, next to its fitted row
        at = np.clip(places + offset, 0, height - 1)
        new = mask[at, columns] & ~touched
        first[new], last[new] = at[new], at[new]
        touched |= new
    for direction, ends in ((-1, first), (1, last)):
        growing = touched.copy()
        for _ in range(reach):
            following = ends + direction
            growing &= (following >= 0) & (following < height) & mask[np.clip(following, 0, height - 1), columns]
            if not growing.any():
                break
            ends[growing] += direction
    return first, last


def vertical_runs(mask: Mask, rows: Floats, start: int, stop: int) -> Ints:
    """The number of connected pixels of ink in each column of a line."""
    first, last = _extents(mask, rows[start:stop], start, 40)
    return last - first + 1


def erase(mask: Mask, line: Line) -> Mask:
    """Erase a line in ``mask``, except where a stroke crosses it; return a mask (H, W) of what was erased."""
    first, last = _extents(mask, line.rows, line.start, int(2 * line.thickness) + 4)
    thin = (last >= first) & (last - first + 1 <= 1.5 * line.thickness + 2)
    removed = np.zeros_like(mask)
    columns = np.arange(line.start, line.stop)
    for offset in range(int((last - first).max(initial=0)) + 1):
        at = first + offset
        here = thin & (at <= last)
        removed[at[here], columns[here]] = True
    mask &= ~removed
    return removed


def frames(across: list[Line], down: list[Line], rules: Pair) -> Pair:
    """The lines that begin and end at lines of the other direction, as the sides of boxes and tables do.

    ``across`` are nearly horizontal and ``down`` nearly vertical lines, which are found in the transposed mask;
    ``rules`` are lines of both directions that are known already.
    """
    while True:
        ends = (down + rules[1], across + rules[0])
        kept = [[line for line in lines if _is_joined(line, others)]
                for lines, others in zip((across, down), ends, strict=True)]  # fmt: skip
        if len(kept[0]) == len(across) and len(kept[1]) == len(down):
            return across, down
        across, down = kept


def _is_joined(line: Line, others: list[Line]) -> bool:
    """Whether both ends of a line are on lines of the other direction that are not much thinner."""
    ends = ((line.start, line.rows[0]), (line.stop - 1, line.rows[-1]))
    return all(any(_is_on(end, other, line.thickness) for other in others) for end in ends)


def _is_on(end: tuple[float, float], other: Line, thickness: float) -> bool:
    """Whether the end (column, row) of a line of some thickness is on a line of the other direction."""
    column, row = end
    slack = 2 * max(thickness, other.thickness) + 4
    if not other.start - slack <= row < other.stop + slack or thickness > 1.7 * other.thickness + 1:
        return False
    place = other.rows[int(np.clip(row - other.start, 0, other.length - 1))]
    return bool(abs(place - column) <= slack)
