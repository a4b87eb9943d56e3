"""Find handwritten digits in a photograph or a scan: on any paper, in any light, among lines and other things.

``find_digits`` estimates the light, separates the ink, removes lines and what touches the edge, and groups the strokes
that are left to digits. It needs SciPy (the extra ``images``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from training import lines as straight

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

SMALLEST_SIDE = 400  # pixels; smaller pictures are enlarged, so that lengths in pixels mean the same
WIDEST_STROKE = 0.25  # of the shorter side of the picture: whatever is wider is part of the background
EVERYWHERE = np.ones((3, 3), dtype=bool)  # neighbours include the diagonal ones


@dataclass
class Digit:
    """One digit in a picture: its box (top, left, bottom, right), and its ink (H, W) in 0..1."""

    box: tuple[int, int, int, int]
    ink: Floats


@dataclass
class Findings:
    """The digits of a picture from left to right, and masks (H, W) of what was removed, by reason.

    ``shape`` is that of the picture in which boxes and masks are measured.
    """

    shape: tuple[int, ...]
    digits: list[Digit]
    removed: dict[str, Mask]

    @property
    def reason(self) -> str:
        """Why there are no digits."""
        if not self.removed:
            return "the picture is blank, too faint, or has no empty margin"
        return "what is dark has neither the size nor the shape of a digit"


def find_digits(picture: Floats) -> Findings:
    """Find the digits in a picture of grey levels (H, W), 0 black and 1 white, or of colours (H, W, 3)."""
    grey = picture if picture.ndim == 2 else clearest_channel(picture)
    if float(np.mean(np.abs(grey - ndimage.uniform_filter(grey, 3)))) > 0.1:
        grey = ndimage.gaussian_filter(grey, 1.5)  # dithered: black and white dots
    size = max(grey.shape)
    if size < SMALLEST_SIDE:
        scale = SMALLEST_SIDE / size
        width, height = (max(8, round(n * scale)) for n in grey.shape[::-1])
        larger = Image.fromarray(grey.astype(np.float32)).resize((width, height), Image.Resampling.BICUBIC)
        grey = np.clip(np.asarray(larger, dtype=np.float64), 0, 1)
    brightest = float(grey.max())
    smooth = denoised(grey / brightest if 0 < brightest < 0.5 else grey)
    if light_on_dark(smooth):
        smooth = 1 - smooth
    depth, noise = darkness(smooth)
    threshold, peak = levels(depth, noise)
    removed: dict[str, Mask] = {}
    if peak == 0:
        return Findings(smooth.shape, [], removed)
    mask = depth > threshold
    removed["lines"] = remove_lines(mask)
    digits = group(mask, depth, noise, removed)
    return Findings(smooth.shape, digits, removed)


def clearest_channel(colours: Floats) -> Floats:
    """The grey levels of a picture (H, W, 3), or one of its colours if the ink is much clearer in it."""
    grey = colours @ [0.299, 0.587, 0.114]
    channels = [grey, *np.moveaxis(colours, -1, 0)]
    small = [reduced(channel, 80) for channel in channels]
    contrast = [float(np.percentile(np.abs(one - without_strokes(one, 0.4)), 98)) for one in small]
    best = int(np.argmax(contrast))
    return channels[best] if contrast[best] > 1.6 * contrast[0] else grey


def without_strokes(grey: Floats, share: float) -> Floats:
    """The medians of a picture (H, W) over rows and then columns, in windows of a share of its shorter side."""
    window = int(share * min(grey.shape)) | 1
    padded = np.pad(grey, window, mode="edge")
    medians = ndimage.median_filter(ndimage.median_filter(padded, (window, 1)), (1, window))
    return np.asarray(medians[window:-window, window:-window])


def denoised(grey: Floats) -> Floats:
    """Smooth a picture, the more the noisier it is."""
    fine = grey - ndimage.uniform_filter(grey, 3)
    noise = float(np.mean(np.abs(fine)))
    sigma = 0.6 if noise < 0.01 else 1.0 if noise < 0.03 else 1.6
    return np.asarray(ndimage.gaussian_filter(grey, sigma))


def light_on_dark(grey: Floats) -> bool:
    """Whether the strokes are lighter than what surrounds them.

    Most pictures are decided by the skewness of the differences from a median. Otherwise, as beside a dark frame, the
    more prominent one of the strokes that are found in both cases decides.
    """
    small = reduced(grey, 80)
    skewness = []
    for share in (0.25, 0.4, 0.6):
        contrast = (small - without_strokes(small, share)) ** 3
        skewness.append(contrast.sum() / (np.abs(contrast).sum() + 1e-12))
    if abs(np.mean(skewness)) > 0.6:
        return bool(np.mean(skewness) > 0)
    small = reduced(grey, 250)
    dark, light = candidates(small), candidates(1 - small)
    most = [0.0, 0.0]
    for i, (own, other) in enumerate(((dark, light), (light, dark))):
        for part in own:
            is_inside = any(encloses(ring, part) and likeness(ring) >= likeness(part) for ring in other)  # as in a zero
            most[i] = max(most[i], 0.0 if is_inside else prominence(part, small.shape))
    return most[1] > 1.3 * most[0] if max(most) > 0 else bool(np.mean(skewness) > 0)


def reduced(grey: Floats, side: int) -> Floats:
    """A picture averaged down such that its longer side has ``side`` to twice as many pixels."""
    step = max(1, max(grey.shape) // side)
    height, width = (max(1, n // step) for n in grey.shape)
    cells = grey[: height * step, : width * step]
    return np.asarray(cells.reshape(height, cells.shape[0] // height, width, -1).mean(axis=(1, 3)))


def candidates(grey: Floats) -> list[Part]:
    """The dark parts that may be digits and do not touch the edge."""
    depth, noise = darkness(grey)
    threshold, peak = levels(depth, noise)
    parts = parts_of(depth > threshold, depth)[1] if peak else []
    return [part for part in parts if is_stroke(part, grey.shape) and not part.at_edge]


def darkness(grey: Floats) -> tuple[Floats, float]:
    """How much darker each pixel is than the paper around it, (H, W) in 0..1, and the standard deviation of paper.

    A closing with a square that is wider than any stroke estimates the paper. It follows hard edges, so that shadows,
    the desk and the frame of a picture are paper, too.
    """
    window = int(WIDEST_STROKE * min(grey.shape)) | 1
    padded = np.pad(grey, window, mode="edge")
    closed = ndimage.minimum_filter(ndimage.maximum_filter(padded, window), window)
    paper = closed[window:-window, window:-window]
    depth = 1 - (grey + 0.02) / (paper + 0.02)
    middle, low = np.percentile(depth, [50, 20])
    noise = float(middle - low) / 0.84
    return np.clip(depth - middle, 0, 1), noise


def levels(depth: Floats, noise: float) -> tuple[float, float]:
    """The threshold between paper and ink, and the level of full ink, both 0 for a blank sheet."""
    inked = depth[depth > max(0.05, 4 * noise)]
    if inked.size < 20:
        return 0.0, 0.0
    split = otsu(inked)
    peak = float(np.percentile(inked[inked >= split], 80))
    if peak < max(0.08, 6 * noise):
        return 0.0, 0.0
    return max(0.45 * peak, 4 * noise), peak


def otsu(values: Floats) -> float:
    """Otsu's threshold, which maximizes the variance between the values below and those above it."""
    counts, edges = np.histogram(values, bins=128)
    middles = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts) / values.size
    moment = np.cumsum(counts * middles) / values.size
    with np.errstate(all="ignore"):
        between = (moment[-1] * below - moment) ** 2 / (below * (1 - below))
    return float(edges[1 + np.nan_to_num(between, posinf=0).argmax()])


def remove_lines(mask: Mask) -> Mask:
    """Erase rules, margins, squares and boxes in ``mask``; return a mask of what was erased."""
    before = mask.copy()
    rules: tuple[list[straight.Line], list[straight.Line]] = ([], [])
    for turned, found in zip((mask, mask.T), rules, strict=True):
        width = turned.shape[1]
        found += [line for line in straight.horizontal_lines(turned, 0.5 * width) if is_rule(line, width)]
        for line in found:
            straight.erase(turned, line)
    shortest = 0.1 * max(mask.shape)
    sides = [[line for line in straight.horizontal_lines(turned, shortest) if line.thickness < 0.05 * line.length]
             for turned in (mask, mask.T)]  # fmt: skip
    for turned, found in zip((mask, mask.T), straight.frames(sides[0], sides[1], rules), strict=True):
        for line in found:
            straight.erase(turned, line)
    return before & ~mask


def is_rule(line: straight.Line, width: int) -> bool:
    """Whether a line is too long and thin for a stroke of a digit."""
    ratio = line.thickness / line.length
    through = line.start <= 2 and line.stop >= width - 2
    return ratio < 0.015 or (ratio < 0.03 and line.length > 0.8 * width) or (ratio < 0.045 and through)


@dataclass
class Part:
    """A connected part of the ink: its box, and measures of it."""

    number: int
    top: int
    left: int
    bottom: int
    right: int
    area: int
    mass: float
    thickness: float  # of its thickest place
    outline: float  # the share of the sides of its box that is ink
    at_edge: bool

    @property
    def height(self) -> int:
        """Rows."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """Columns."""
        return self.right - self.left

    @property
    def size(self) -> int:
        """The longer side."""
        return max(self.height, self.width)


def parts_of(mask: Mask, depth: Floats) -> tuple[Any, list[Part]]:
    """The numbers (H, W) of the connected parts of a mask, and their measures."""
    numbers, count = ndimage.label(mask, EVERYWHERE)
    distance = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    index = np.arange(1, count + 1)
    areas = np.bincount(numbers.ravel(), minlength=count + 1)
    masses = np.bincount(numbers.ravel(), weights=depth.ravel(), minlength=count + 1)
    thickest = ndimage.maximum(distance, numbers, index) if count else []
    parts = []
    height, width = mask.shape
    for i, (rows, columns) in enumerate(ndimage.find_objects(numbers)):
        edge = rows.start <= 1 or columns.start <= 1 or rows.stop >= height - 1 or columns.stop >= width - 1
        inside = numbers[rows, columns] == i + 1
        sides = [
            side.mean() for side in (inside[:3].any(0), inside[-3:].any(0), inside[:, :3].any(1), inside[:, -3:].any(1))
        ]
        box = rows.start, columns.start, rows.stop, columns.stop
        measures = int(areas[i + 1]), float(masses[i + 1]), 2 * float(thickest[i]), float(np.mean(sides))
        parts.append(Part(i + 1, *box, *measures, edge))
    return numbers, parts


def is_stroke(part: Part, shape: tuple[int, ...]) -> bool:
    """Whether a part could be a digit, by its size and shape."""
    if part.size < max(12, 0.03 * max(shape)) or part.height < 0.4 * part.size:
        return False
    if part.thickness > 0.5 * part.size and part.area > 0.6 * part.height * part.width:
        return False
    if part.height > 2.5 * part.width:  # a one may fill its box
        return True
    return part.area < 0.85 * part.height * part.width and part.outline < 0.65


def prominence(part: Part, shape: tuple[int, ...]) -> float:
    """How likely a part is the main thing in a picture: dark, large, near the middle, a stroke rather than a patch."""
    y = (part.top + part.bottom) / 2 / shape[0] - 0.5
    x = (part.left + part.right) / 2 / shape[1] - 0.5
    return part.mass / part.area * part.size * likeness(part) * float(np.exp(-2 * (x * x + y * y)))


def likeness(part: Part) -> float:
    """How much a part is like a stroke rather than a patch, in 0..1."""
    patch = max(0.0, part.thickness / part.size - 0.3) / 0.07
    length = part.area / part.thickness**2  # of the stroke, in units of its thickness; a square has 1
    return float(np.clip((length - 1.5) / 2, 0.05, 1)) * float(np.exp(-patch * patch))


def encloses(outer: Part, inner: Part) -> bool:
    """Whether one part is a frame around another one."""
    return (outer.top < inner.top and outer.left < inner.left and outer.bottom > inner.bottom
            and outer.right > inner.right and inner.size > 0.25 * outer.size)  # fmt: skip


def group(mask: Mask, depth: Floats, noise: float, removed: dict[str, Mask]) -> list[Digit]:
    """The digits among the connected parts of the ink, from left to right."""
    numbers, parts = parts_of(mask, depth)
    heads = largest_strokes(parts, mask.shape)
    members = {head.number: [head.number] for head in heads}
    for part in parts:
        if heads and part not in heads and not part.at_edge:
            head = min(heads, key=lambda head: gap(part, head))
            if belongs(part, head):
                members[head.number].append(part.number)
    removed["other"] = mask & ~np.isin(numbers, [number for several in members.values() for number in several])
    return [
        extract(np.isin(numbers, members[head.number]), removed["lines"], depth, noise)
        for head in sorted(heads, key=lambda part: part.left + part.right)
    ]


def largest_strokes(parts: list[Part], shape: tuple[int, ...]) -> list[Part]:
    """The largest part of each digit: the most prominent part, and those in a row with it that are like it."""
    likely = [part for part in parts if is_stroke(part, shape)]
    likely = [part for part in likely if not part.at_edge] or likely
    likely = [part for part in likely if not any(encloses(part, other) for other in likely)]
    if not likely:
        return []
    main = max(likely, key=lambda part: prominence(part, shape))
    heads = [main]
    for part in sorted(likely, key=lambda part: -part.size):
        if part is not main and is_like(part, main) and all(is_beside(part, head) for head in heads):
            heads.append(part)
    return heads


def is_like(part: Part, main: Part) -> bool:
    """Whether a part may be a digit in a row with the main one: as high, as dark and as thick, and not far away."""
    level = min(part.bottom, main.bottom) - max(part.top, main.top)
    return (
        0.55 * main.height < part.height < 1.8 * main.height
        and level > 0.5 * min(part.height, main.height)
        and part.mass / part.area > 0.6 * main.mass / main.area
        and 0.4 * main.thickness < part.thickness < 2.5 * main.thickness
        and gap(part, main) < 6 * main.height
    )


def is_beside(part: Part, head: Part) -> bool:
    """Whether two parts are beside each other rather than one below the other."""
    return min(part.right, head.right) - max(part.left, head.left) < 0.3 * min(part.width, head.width)


def belongs(part: Part, head: Part) -> bool:
    """Whether a part is a stroke of the digit whose largest stroke is ``head``."""
    reach = 0.2 if part.size < 0.8 * head.size else 0.1 if part.size < 1.2 * head.size else 0.0
    near = gap(part, head) < reach * head.size
    return near and part.area > 0.015 * head.area and part.mass / part.area > 0.6 * head.mass / head.area


def gap(a: Part, b: Part) -> float:
    """The distance between the boxes of two parts."""
    x = max(a.left - b.right, b.left - a.right, 0)
    y = max(a.top - b.bottom, b.top - a.bottom, 0)
    return float(np.hypot(x, y))


def extract(mask: Mask, lines: Mask, depth: Floats, noise: float) -> Digit:
    """The ink of a digit, whose strokes are ``mask``, with their smooth edges."""
    rows, columns = (np.flatnonzero(mask.any(axis=1 - axis)) for axis in (0, 1))
    margin = 4
    window = (slice(max(0, rows[0] - margin), rows[-1] + 1 + margin),
              slice(max(0, columns[0] - margin), columns[-1] + 1 + margin))  # fmt: skip
    inside = mask[window]
    peak = float(np.percentile(depth[window][inside], 75))
    floor = max(3 * noise, 0.15 * peak)
    near = ndimage.binary_dilation(inside, EVERYWHERE, iterations=2) & (~lines[window] | inside)
    ink = np.where(near, np.clip((depth[window] - floor) / (peak - floor), 0, 1), 0.0)
    box = int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1
    return Digit(box, ink)
