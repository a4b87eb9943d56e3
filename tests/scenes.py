"""Pictures of handwritten digits in scenes: paper, light, camera and clutter, drawn by a seed.

``draw(kind, digits, rng)`` draws images of a data set, (H, W) in 0..1, as a photograph or a scan. A kind is a list of
steps, each of which changes a `Sheet`: some its paper, some its ink, some the light and the camera.
"""

import io
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage


@dataclass
class Sheet:
    """A sheet of paper with handwriting: its colours (H, W, 3), and the opacity of its ink (H, W), all in 0..1."""

    paper: np.ndarray
    ink: np.ndarray
    rng: np.random.Generator
    box: tuple[int, int, int, int]  # of the handwriting: top, left, bottom, right
    colour: np.ndarray = field(default_factory=lambda: np.full(3, 0.1))

    @property
    def shape(self):
        return self.ink.shape

    def flatten(self):
        """Draw the ink onto the paper: later steps no longer distinguish them."""
        self.paper = self.paper + (self.colour - self.paper) * self.ink[..., None]
        self.ink = np.zeros(self.shape)
        return self.paper

    def cover(self, opacity, colour):
        """Draw something over the paper and the ink."""
        self.flatten()
        self.paper = self.paper + (np.asarray(colour) - self.paper) * opacity[..., None]

    def under(self, opacity, colour):
        """Print something on the paper below the ink."""
        self.paper = self.paper + (np.asarray(colour) - self.paper) * opacity[..., None]


# ------------------------------------------------------------------------------------------------ the digits


def enlarged(digit, height):
    """A digit of a data set as smooth ink, cropped, ``height`` pixels on its longer side."""
    rows, columns = (np.flatnonzero((digit > 0.3).any(axis=1 - axis)) for axis in (0, 1))
    digit = digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = height / max(digit.shape)
    size = [max(2, round(n * scale)) for n in (digit.shape[1] + 2, digit.shape[0] + 2)]
    picture = Image.fromarray(np.pad(digit, 1).astype(np.float32)).resize(size, Image.Resampling.BICUBIC)
    return np.clip((np.asarray(picture, dtype=float) - 0.25) / 0.5, 0, 1)


def blank(rng, size, boxes):
    """A white sheet of a random size, and places for digits on it from left to right."""
    height, width = size or (int(rng.integers(320, 800)), int(rng.integers(320, 800)))
    side = rng.uniform(0.22, 0.55) * min(height, width / boxes**0.8)
    top = int(rng.uniform(0.12 * height, 0.88 * height - side))
    gap = int(rng.uniform(0.2, 0.5) * side)
    return height, width, int(side), top, gap


def sheet_with(digits, rng, size=None):
    """A white sheet with the digits in a row, somewhere."""
    height, width, side, top, gap = blank(rng, size, len(digits))
    ink = np.zeros((height, width))
    drawn = [enlarged(digit, side) for digit in digits]
    total = sum(one.shape[1] for one in drawn) + gap * (len(drawn) - 1)
    left = start = int(rng.uniform(0.12 * width, max(0.121 * width, 0.88 * width - total)))
    for one in drawn:
        down = top + (side - one.shape[0]) // 2
        down = max(0, min(down, height - one.shape[0]))
        left = max(0, min(left, width - one.shape[1]))
        part = ink[down : down + one.shape[0], left : left + one.shape[1]]
        np.maximum(part, one, out=part)
        left += one.shape[1] + gap
    return Sheet(np.ones((height, width, 3)), ink, rng, (top, start, top + side, left - gap))


# ------------------------------------------------------------------------------------------------ helpers


def coordinates(sheet):
    return np.mgrid[: sheet.shape[0], : sheet.shape[1]].astype(float)


def noise(rng, shape, *scales):
    """A smooth random field with values around -1..1: a sum over cells of several sizes."""
    total = np.zeros(shape)
    for scale in scales:
        cells = rng.normal(size=[int(n // scale) + 3 for n in shape]).astype(np.float32)
        size = [int(n * scale) for n in cells.shape[::-1]]
        total += np.asarray(Image.fromarray(cells).resize(size, Image.Resampling.BICUBIC))[: shape[0], : shape[1]]
    return total / len(scales) ** 0.5


def strokes(sheet, lines, width):
    """The opacity (H, W) of straight lines [(x0, y0, x1, y1), ...], antialiased."""
    big = Image.new("L", (sheet.shape[1] * 3, sheet.shape[0] * 3))
    pen = ImageDraw.Draw(big)
    for line in lines:
        pen.line([3 * value for value in line], fill=255, width=max(1, round(3 * width)))
    return np.asarray(big.resize(sheet.shape[::-1], Image.Resampling.BOX), dtype=float) / 255


def half(sheet, softness, lowest=0.0, highest=1.0):
    """A half plane (H, W) in 0..1 whose edge crosses the picture at a random angle, with that softness in pixels."""
    y, x = coordinates(sheet)
    angle = sheet.rng.uniform(0, 2 * np.pi)
    along = x * np.cos(angle) + y * np.sin(angle)
    edge = along.min() + np.ptp(along) * sheet.rng.uniform(lowest, highest)
    return 1 / (1 + np.exp(-np.clip((along - edge) / softness, -50, 50)))


def border(sheet, softness=1.0, most=0.22, tilt=8.0, near=None):
    """What lies beyond one edge of the paper, (H, W) in 0..1: a strip, slightly tilted, that does not reach the ink."""
    y, x = coordinates(sheet)
    height, width = sheet.shape
    top, left, bottom, right = sheet.box
    side = sheet.rng.integers(4) if near is None else near
    distance, length, room = [
        (x, height, left), (width - x, height, width - right), (y, width, top), (height - y, width, height - bottom)
    ][side]  # fmt: skip
    across = (y if side < 2 else x) / length - 0.5
    slope = np.tan(np.radians(sheet.rng.uniform(-tilt, tilt))) * length
    whole = width if side < 2 else height
    most = min(most * whole, room - 0.04 * whole - abs(slope) / 2)
    reach = sheet.rng.uniform(0.3, 1.0) * max(most, 2)
    return 1 / (1 + np.exp(np.clip((distance - reach - slope * across) / softness, -50, 50)))


def warped(sheet, corners):
    """Move the corners of the picture by fractions (4, 2) of its size, with the nearest colours around it."""
    picture = sheet.flatten()
    height, width = sheet.shape
    ends = np.array([(0, 0), (width, 0), (width, height), (0, height)], float)
    begins = ends + corners * [width, height]
    rows = []
    for (u, v), (x, y) in zip(ends, begins, strict=True):
        rows += [[u, v, 1, 0, 0, 0, -x * u, -x * v], [0, 0, 0, u, v, 1, -y * u, -y * v]]
    a, b, c, d, e, f, g, h = np.linalg.solve(np.array(rows), begins.ravel())
    y, x = coordinates(sheet)
    scale = g * x + h * y + 1
    places = [(d * x + e * y + f) / scale, (a * x + b * y + c) / scale]
    channels = [ndimage.map_coordinates(picture[..., i], places, order=1, mode="nearest") for i in range(3)]
    sheet.paper = np.stack(channels, axis=-1)


def turned(sheet, degrees):
    angle = np.radians(degrees)
    height, width = sheet.shape
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    ends = np.array([(0, 0), (width, 0), (width, height), (0, height)], float)
    middle = np.array([width, height]) / 2
    warped(sheet, ((ends - middle) @ turn.T + middle - ends) / [width, height])


def tint(rng, lowest, highest, spread=0.06):
    return np.clip(rng.uniform(lowest, highest) + rng.uniform(-spread, spread, 3), 0, 1)


# ------------------------------------------------------------------------------------------------ paper and print


def plain(sheet):
    sheet.paper *= tint(sheet.rng, 0.85, 1.0, 0.03)
    sheet.colour = tint(sheet.rng, 0.05, 0.3, 0.08)


def grid(darkness, lowest, highest):
    def step(sheet):
        height, width = sheet.shape
        gap = sheet.rng.uniform(0.035, 0.11) * max(height, width)
        y0, x0 = sheet.rng.uniform(0, gap, 2)
        lines = [(0, y, width, y) for y in np.arange(y0, height, gap)]
        lines += [(x, 0, x, height) for x in np.arange(x0, width, gap)]
        shade = sheet.rng.choice([0, 1]) * np.array([-0.1, 0, 0.25]) + sheet.rng.uniform(lowest, highest)
        sheet.under(strokes(sheet, lines, sheet.rng.uniform(1, darkness)), np.clip(shade, 0, 1))

    return step  # fmt: skip


def ruled(lowest, highest, thickest=3.0):
    def step(sheet):
        height, width = sheet.shape
        gap = sheet.rng.uniform(0.06, 0.2) * height
        lines = [(0, y, width, y) for y in np.arange(sheet.rng.uniform(0, gap), height, gap)]
        shade = sheet.rng.choice([0, 1]) * np.array([-0.1, 0, 0.2]) + sheet.rng.uniform(lowest, highest)
        sheet.under(strokes(sheet, lines, sheet.rng.uniform(1, thickest)), np.clip(shade, 0, 1))

    return step  # fmt: skip


def margin(sheet):
    height, width = sheet.shape
    left, right = sheet.box[1], sheet.box[3]
    x = sheet.rng.uniform(0.03 * width, left - 0.04 * width)
    if sheet.rng.random() < 0.3:
        x = sheet.rng.uniform(right + 0.04 * width, 0.97 * width)
    lean = sheet.rng.uniform(-0.01, 0.01) * width
    colour = sheet.rng.choice([[0.85, 0.3, 0.3], [0.3, 0.3, 0.7], [0.2, 0.2, 0.2]])
    sheet.under(strokes(sheet, [(x, 0, x + lean, height)], sheet.rng.uniform(1.5, 4)), colour)


def one_rule(sheet):
    height, width = sheet.shape
    top, _, bottom, _ = sheet.box
    y = sheet.rng.uniform(top + 0.1 * (bottom - top), bottom - 0.1 * (bottom - top))
    lean = sheet.rng.uniform(-0.02, 0.02) * height
    sheet.under(strokes(sheet, [(0, y, width, y + lean)], sheet.rng.uniform(1.5, 4)), tint(sheet.rng, 0.1, 0.5))


def box(lowest, highest):
    def step(sheet):
        top, left, bottom, right = sheet.box
        size = bottom - top
        middle = (left + right) / 2
        edges = sheet.rng.uniform(lowest, highest, 4) * size
        left, right = min(left, middle - size * 0.35) - edges[0], max(right, middle + size * 0.35) + edges[1]
        top, bottom = top - edges[2], bottom + edges[3]
        lines = [(left, top, right, top), (left, bottom, right, bottom), (left, top, left, bottom),
                 (right, top, right, bottom)]  # fmt: skip
        sheet.under(strokes(sheet, lines, sheet.rng.uniform(1.5, 5)), tint(sheet.rng, 0.05, 0.5))

    return step  # fmt: skip


def cells(sheet):
    """A row of cells of a form, one of which holds the digit."""
    top, left, bottom, right = sheet.box
    size = bottom - top
    gap = sheet.rng.uniform(0.12, 0.3) * size
    top, bottom, left, right = top - gap, bottom + gap, left - gap, max(right, left + size * 0.6) + gap
    step = right - left
    xs = [left + step * i for i in range(-2, 4)]
    lines = [(xs[0], y, xs[-1], y) for y in (top, bottom)] + [(x, top, x, bottom) for x in xs]
    sheet.under(strokes(sheet, lines, sheet.rng.uniform(1.5, 3)), tint(sheet.rng, 0.1, 0.6))


def underline(sheet):
    top, left, bottom, right = sheet.box
    size = bottom - top
    y = bottom + sheet.rng.uniform(0.12, 0.3) * size
    line = (left - 0.4 * size, y, right + 0.4 * size, y + sheet.rng.uniform(-0.05, 0.05) * size)
    sheet.under(strokes(sheet, [line], sheet.rng.uniform(1.5, 5)), sheet.colour)


def dots(sheet):
    gap = sheet.rng.uniform(0.04, 0.09) * max(sheet.shape)
    y, x = coordinates(sheet)
    y0, x0 = sheet.rng.uniform(0, gap, 2)
    near = np.hypot((y - y0 + gap / 2) % gap - gap / 2, (x - x0 + gap / 2) % gap - gap / 2)
    sheet.under(np.clip(sheet.rng.uniform(1.5, 3) - near, 0, 1), tint(sheet.rng, 0.3, 0.65))


def printed(sheet):
    """Lines of printed letters beside the digit: above or below it."""
    height, width = sheet.shape
    top, _, bottom, _ = sheet.box
    size = sheet.rng.uniform(0.1, 0.22) * (bottom - top)
    opacity = np.zeros(sheet.shape)
    above, below = top - 0.08 * height, height - bottom - 0.08 * height
    start, room = (0.02 * height, above) if above > below else (bottom + 0.08 * height, below)
    y = start
    while y + size < start + room:
        x = sheet.rng.uniform(0.02, 0.1) * width
        while x < 0.95 * width:
            lines = sheet.rng.uniform(0, 1, (3, 4)) * size * [0.6, 1, 0.6, 1] + [x, y, x, y]
            np.maximum(opacity, strokes(sheet, lines, max(1, 0.12 * size)), out=opacity)
            x += size * (0.8 if sheet.rng.random() < 0.8 else 1.6)
            if sheet.rng.random() < 0.04:
                break
        y += 1.6 * size
    sheet.under(opacity, tint(sheet.rng, 0.05, 0.3))


def bleed_through(sheet):
    """Faint writing from the other side of the page."""
    other = np.roll(sheet.ink[:, ::-1], int(sheet.rng.integers(sheet.shape[0])), axis=0)
    sheet.under(0.16 * ndimage.gaussian_filter(other, 2), [0.2, 0.2, 0.3])


def coloured(sheet):
    hue = sheet.rng.permutation([0.75, 0.9, 1.0])
    sheet.paper = np.ones_like(sheet.paper) * hue
    sheet.colour = sheet.rng.permutation([0.05, 0.2, 0.6]) * sheet.rng.uniform(0.7, 1.0)


def low_contrast(sheet):
    level = sheet.rng.uniform(0.45, 0.9)
    sheet.paper = np.full_like(sheet.paper, level)
    sheet.colour = np.full(3, level - sheet.rng.uniform(0.14, 0.25))


def blackboard(sheet):
    sheet.paper = np.ones_like(sheet.paper) * [0.12, 0.2, 0.16] + 0.03 * noise(sheet.rng, sheet.shape, 80)[..., None]
    sheet.colour = tint(sheet.rng, 0.75, 0.95)
    sheet.ink *= np.clip(0.85 + 0.25 * noise(sheet.rng, sheet.shape, 2), 0, 1)


def coarse_paper(sheet):
    sheet.paper += 0.035 * noise(sheet.rng, sheet.shape, 1.5, 4, 12)[..., None] - 0.05


def crumpled(sheet):
    """Folds: neighbouring areas reflect the light differently, and the folds are thin, soft lines."""
    for _ in range(3):
        side = half(sheet, 1.5, 0.2, 0.8)
        sheet.paper *= (1 - 0.07 * side - 0.25 * side * (1 - side))[..., None]


def coffee(sheet):
    """A pale ring, as a cup leaves it."""
    y, x = coordinates(sheet)
    height, width = sheet.shape
    radius = sheet.rng.uniform(0.25, 0.5) * min(height, width)
    middle = sheet.rng.uniform(0, 1, 2) * [height, width]
    ring = np.exp(-(((np.hypot(y - middle[0], x - middle[1]) - radius) / (0.03 * radius + 2)) ** 2))
    sheet.under(sheet.rng.uniform(0.15, 0.35) * ring, [0.5, 0.35, 0.2])


# ------------------------------------------------------------------------------------------------ pens


def skeleton(mask):
    """Zhang and Suen's thinning of a mask (H, W)."""
    thin = np.pad(mask, 1).astype(np.uint8)
    while True:
        before = thin.sum()
        for first in (True, False):
            p = [np.roll(thin, shift, (0, 1)) for shift in
                 ((1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1))]  # fmt: skip
            count = sum(p)
            turns = sum((p[i] == 0) & (p[(i + 1) % 8] == 1) for i in range(8))
            north, east, south, west = p[0], p[2], p[4], p[6]
            a, b = (north * east * south, east * south * west) if first else (north * east * west, north * south * west)
            thin[(thin == 1) & (count >= 2) & (count <= 6) & (turns == 1) & (a == 0) & (b == 0)] = 0
        if thin.sum() == before:
            return thin[1:-1, 1:-1].astype(bool)


def pen(lowest, highest):
    """The digit redrawn with strokes of another width, as a fraction of its height."""

    def step(sheet):
        shrink = max(1, round((sheet.box[2] - sheet.box[0]) / 80))
        small = sheet.ink[::shrink, ::shrink] > 0.5
        distance = ndimage.distance_transform_edt(~skeleton(small))
        size = sheet.shape[::-1]
        distance = np.asarray(Image.fromarray((distance * shrink).astype(np.float32)).resize(size, Image.BICUBIC))
        width = sheet.rng.uniform(lowest, highest) * (sheet.box[2] - sheet.box[0])
        sheet.ink = np.clip(width / 2 - distance + 0.5, 0, 1).astype(float)

    return step  # fmt: skip


def pencil(sheet):
    sheet.colour = tint(sheet.rng, 0.3, 0.5, 0.01)
    sheet.ink *= np.clip(0.85 + 0.3 * noise(sheet.rng, sheet.shape, 1.5), 0, 1)


def smudge(sheet):
    """Something erased: faint, blurred grey beside the digit and over its edge."""
    height, width = sheet.shape
    mark = ndimage.gaussian_filter(np.roll(sheet.ink, int(0.3 * width), axis=1), 0.012 * min(height, width))
    sheet.under(np.clip(0.3 * mark, 0, 1), [0.45, 0.45, 0.45])


# ------------------------------------------------------------------------------------------------ light


def uneven(sheet):
    sheet.flatten()
    sheet.paper *= (0.55 + 0.45 * half(sheet, 0.4 * max(sheet.shape)))[..., None]


def soft_shadow(sheet):
    sheet.flatten()
    sheet.paper *= (1 - sheet.rng.uniform(0.25, 0.6) * half(sheet, 0.04 * max(sheet.shape), 0.15, 0.85))[..., None]


def hard_shadow(sheet):
    sheet.flatten()
    sheet.paper *= (1 - sheet.rng.uniform(0.25, 0.6) * half(sheet, sheet.rng.uniform(0.3, 2), 0.15, 0.85))[..., None]


def narrow_shadow(sheet):
    """The shadow of a pencil."""
    sheet.flatten()
    y, x = coordinates(sheet)
    angle = sheet.rng.uniform(0, np.pi)
    across = (x - sheet.shape[1] / 2) * np.cos(angle) + (y - sheet.shape[0] / 2) * np.sin(angle)
    across -= sheet.rng.uniform(-0.3, 0.3) * min(sheet.shape)
    band = np.clip((0.04 * min(sheet.shape) - abs(across)) / 3, 0, 1)
    sheet.paper *= (1 - sheet.rng.uniform(0.15, 0.3) * band)[..., None]


def glare(sheet):
    sheet.flatten()
    y, x = coordinates(sheet)
    sheet.paper *= 0.75
    middle = sheet.rng.uniform(0, 1, 2) * sheet.shape
    spot = np.exp(-((y - middle[0]) ** 2 + (x - middle[1]) ** 2) / (0.3 * min(sheet.shape)) ** 2)
    sheet.paper += (1 - sheet.paper) * (0.5 * spot)[..., None]


# ------------------------------------------------------------------------------------------------ beside the sheet


def desk(lowest, highest, grain=0.0):
    def step(sheet):
        colour = sheet.rng.uniform(lowest, highest) * np.array([1.15, 1.0, 0.85])
        y = coordinates(sheet)[0]
        wood = grain * np.sin(y / sheet.rng.uniform(3, 9) + 3 * noise(sheet.rng, sheet.shape, 120))
        beyond = border(sheet)
        if sheet.rng.random() < 0.5:
            beyond = np.maximum(beyond, border(sheet))
        sheet.flatten()
        texture = np.clip(colour + (wood + 0.02 * noise(sheet.rng, sheet.shape, 3))[..., None], 0, 1)
        sheet.paper += (texture - sheet.paper) * beyond[..., None]

    return step  # fmt: skip


def frame(lowest, highest, paper=None):
    """A plain border on all sides, as ``axis("off")`` of matplotlib leaves it."""

    def step(sheet):
        if paper:
            sheet.paper *= sheet.rng.uniform(*paper)
        sheet.flatten()
        height, width = sheet.shape
        edges = (sheet.rng.uniform(0.05, 0.16, 4) * [height, height, width, width]).astype(int)
        shade = tint(sheet.rng, lowest, highest, 0.0)
        shape = (height + edges[0] + edges[1], width + edges[2] + edges[3])
        whole = np.ones((*shape, 3)) * shade
        whole[edges[0] : edges[0] + height, edges[2] : edges[2] + width] = sheet.paper
        sheet.paper, sheet.ink = whole, np.zeros(shape)

    return step  # fmt: skip


def binding(sheet):
    """The fold of a book: the page becomes dark towards one side, beyond which the other page begins."""
    sheet.flatten()
    side = int(sheet.rng.integers(2))
    depth = border(sheet, softness=0.025 * sheet.shape[1], most=0.2, tilt=3, near=side)
    sheet.paper *= (1 - 0.85 * depth)[..., None]
    x = coordinates(sheet)[1]
    distance = x if side == 0 else sheet.shape[1] - x
    if sheet.rng.random() < 0.5:
        page = np.clip(0.02 * sheet.shape[1] - distance, 0, 1)
        sheet.paper += (0.9 - sheet.paper) * page[..., None]


def scrap(sheet):
    """A part of other writing, cut off by the edge of the picture."""
    height, width = sheet.shape
    top, left, bottom, right = sheet.box
    size = sheet.rng.uniform(0.5, 1.0) * (bottom - top)
    x = 0.0 if left > width - right else width
    y = sheet.rng.uniform(0.1, 0.9) * height
    reach = 0.7 * min(max(left, width - right), size)
    points = [(x + (1 if x == 0 else -1) * sheet.rng.uniform(-0.3, 1) * reach, y + sheet.rng.uniform(-0.5, 0.5) * size)
              for _ in range(4)]  # fmt: skip
    points = [(x, points[0][1]), *points, (x, points[-1][1])]
    lines = [(*a, *b) for a, b in pairwise(points)]
    sheet.under(strokes(sheet, lines, 0.07 * (bottom - top)), sheet.colour)


def finger(sheet):
    """A finger that holds the sheet, at one edge."""
    y, x = coordinates(sheet)
    height, width = sheet.shape
    top, left, bottom, right = sheet.box
    rooms = [left / width, 1 - right / width, top / height, 1 - bottom / height]
    side = int(np.argmax(rooms))
    reach = sheet.rng.uniform(0.4, 0.75) * rooms[side]
    along, distance = [(y / height, x / width), (y / height, 1 - x / width), (x / width, y / height),
                       (x / width, 1 - y / height)][side]  # fmt: skip
    middle, thick = sheet.rng.uniform(0.2, 0.8), sheet.rng.uniform(0.06, 0.12)
    inside = np.clip((1 - ((along - middle) / thick) ** 4 - (distance / reach) ** 4) * 20, 0, 1)
    sheet.flatten()
    sheet.paper *= (1 - 0.25 * ndimage.gaussian_filter(inside, 8))[..., None]
    sheet.cover(inside, np.array([0.8, 0.6, 0.5]) * sheet.rng.uniform(0.5, 1.0))


def holes(sheet):
    """Punched holes at one side, through which something dark is seen."""
    y, x = coordinates(sheet)
    height, width = sheet.shape
    left, right = sheet.box[1], sheet.box[3]
    radius = 0.03 * min(sheet.shape)
    column = 0.06 * width if left > width - right else 0.94 * width
    opacity = np.zeros(sheet.shape)
    for fraction in (0.25, 0.75) if sheet.rng.random() < 0.5 else (0.15, 0.38, 0.62, 0.85):
        opacity = np.maximum(opacity, np.clip(radius - np.hypot(y - fraction * height, x - column), 0, 1))
    sheet.cover(opacity, tint(sheet.rng, 0.05, 0.5))


def note(sheet):
    """A sticky note on a desk: the sheet takes up a part of the picture only."""
    frame(0.2, 0.6)(sheet)
    sheet.paper *= [1.0, 0.95, 0.6]
    turned(sheet, sheet.rng.uniform(-6, 6))


# ------------------------------------------------------------------------------------------------ camera


def tilted_sheet(sheet):
    frame(0.15, 0.5)(sheet)
    turned(sheet, sheet.rng.uniform(-12, 12))


def rotated(sheet):
    turned(sheet, sheet.rng.uniform(-10, 10))


def perspective(sheet):
    warped(sheet, sheet.rng.uniform(-0.06, 0.06, (4, 2)))


def camera(sheet):
    """Blur and noise of a camera."""
    picture = sheet.flatten()
    blur = sheet.rng.uniform(0.3, 1.0)
    sheet.paper = ndimage.gaussian_filter(picture, (blur, blur, 0))
    sheet.paper = sheet.paper + sheet.rng.normal(0, sheet.rng.uniform(0.005, 0.025), sheet.paper.shape)


def blurred(sheet):
    blur = 0.04 * (sheet.box[2] - sheet.box[0]) * sheet.rng.uniform(0.5, 1)
    sheet.paper = ndimage.gaussian_filter(sheet.flatten(), (blur, blur, 0))


def noisy(sheet):
    sheet.paper = sheet.flatten() + sheet.rng.normal(0, 0.1, (*sheet.shape, 1))


def jpeg(sheet):
    file = io.BytesIO()
    picture(sheet).save(file, "jpeg", quality=int(sheet.rng.integers(8, 25)))
    sheet.paper = np.asarray(Image.open(file), dtype=float) / 255


def dithered(sheet):
    sheet.paper *= sheet.rng.uniform(0.8, 1.0)
    sheet.paper = np.repeat(np.asarray(picture(sheet).convert("1"), dtype=float)[..., None], 3, axis=2)


def screen(sheet):
    """A photograph of a screen: the rows of its pixels are seen."""
    y, x = coordinates(sheet)
    sheet.paper = sheet.flatten() * (0.9 + 0.1 * np.sin(2 * np.pi * (y + 0.1 * x) / 3.3))[..., None]


def lamp(sheet):
    sheet.paper = sheet.flatten() * [1.0, 0.9, 0.72]


def picture(sheet):
    return Image.fromarray(np.rint(255 * np.clip(sheet.flatten(), 0, 1)).astype(np.uint8))


KINDS = {
    "bare scan": [],
    "plain paper": [plain, camera],
    "squared paper, pale": [plain, grid(2.5, 0.6, 0.8), camera],
    "squared paper, dark": [plain, grid(2.5, 0.2, 0.5), camera],
    "margin line": [plain, margin, camera],
    "ruled lines, pale": [plain, ruled(0.55, 0.8), camera],
    "ruled lines, dark": [plain, ruled(0.05, 0.4, 4.0), camera],
    "one rule through the digit": [plain, one_rule, camera],
    "box around the digit": [plain, box(0.1, 0.5), camera],
    "narrow box": [plain, box(0.03, 0.1), camera],
    "cells of a form": [plain, cells, camera],
    "underlined": [plain, underline, camera],
    "hard edge of a shadow": [plain, hard_shadow, camera],
    "soft shadow": [plain, soft_shadow, camera],
    "shadow of a pencil": [plain, narrow_shadow, camera],
    "white frame": [frame(1.0, 1.0, (0.4, 0.95))],
    "black frame": [plain, frame(0.0, 0.15), camera],
    "dark desk": [plain, desk(0.05, 0.3), camera],
    "wooden desk": [plain, desk(0.3, 0.55, 0.06), camera],
    "light desk": [plain, desk(0.6, 0.85), camera],
    "binding of a book": [plain, binding, camera],
    "scrap at the edge": [plain, scrap, camera],
    "finger at the edge": [plain, finger, camera],
    "punched holes": [plain, holes, camera],
    "printed text": [plain, printed, camera],
    "erased writing": [plain, smudge, camera],
    "dithered scan": [dithered],
    "JPEG of low quality": [plain, jpeg],
    "out of focus": [plain, blurred, camera],
    "noise": [plain, noisy],
    "perspective": [plain, perspective, camera],
    "rotated": [plain, rotated, camera],
    "tilted sheet on a desk": [plain, tilted_sheet, camera],
    "ballpoint": [plain, pen(0.025, 0.05), camera],
    "felt pen": [plain, pen(0.17, 0.22), camera],
    "pencil": [plain, pencil, camera],
    "coloured ink and paper": [coloured, camera],
    "low contrast": [low_contrast],
    "chalk on a blackboard": [blackboard, camera],
    "coarse paper": [plain, coarse_paper, camera],
    "uneven light": [plain, uneven, camera],
    "glare": [plain, glare, camera],
    "lamp light": [plain, lamp, camera],
    "notebook on a desk": [plain, grid(2, 0.55, 0.75), soft_shadow, desk(0.1, 0.5, 0.03), perspective, camera],
    "ruled page of a book": [plain, ruled(0.4, 0.7), binding, rotated, camera],
    "sticky note": [plain, note, camera],
    "folded sheet": [plain, crumpled, camera],
    "coffee ring": [plain, coffee, camera],
    "dotted paper": [plain, dots, camera],
    "bleed-through": [plain, bleed_through, camera],
    "photographed screen": [plain, screen, camera],
}


def draw(kind, digits, rng, size=None):
    """A picture of this kind: the digits (H, W) in 0..1 from left to right, on a picture of ``size`` or of any size."""
    sheet = sheet_with(digits, rng, size)
    for step in KINDS[kind]:
        step(sheet)
    return picture(sheet)
