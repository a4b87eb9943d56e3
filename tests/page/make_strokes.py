"""Make strokes.json: the strokes of 50 handwritten digits, five of each class, from the test images of MNIST.

``TENSORGRAD_DATA=... python -m tests.page.make_strokes``. Each image is enlarged, thinned to lines of one pixel (Zhang
and Suen, "A fast parallel algorithm for thinning digital patterns", 1984), and the lines are followed from their ends.
"""

import json
from pathlib import Path

import numpy as np

import tensorgrad as tg

FILE = Path(__file__).with_name("strokes.json")
EACH, ENLARGED, SIDE = 5, 4, 280
NEIGHBOURS = [(-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1)]  # clockwise from the top


def enlarged(image):
    """Interpolate an image (28, 28) linearly to (112, 112)."""
    places = (np.arange(28 * ENLARGED) + 0.5) / ENLARGED - 0.5
    across = np.array([np.interp(places, np.arange(28), row) for row in image / 255])
    return np.array([np.interp(places, np.arange(28), column) for column in across.T]).T


def thinned(bitmap):
    """Remove pixels at the border of the ink until lines of one pixel remain."""
    bitmap = np.pad(bitmap, 1).astype(int)
    while True:
        before = bitmap.sum()
        for first, second in (((0, 2, 4), (2, 4, 6)), ((0, 2, 6), (0, 4, 6))):
            around = np.array([np.roll(bitmap, (-y, -x), (0, 1)) for y, x in NEIGHBOURS])
            rises = ((around == 0) & (np.roll(around, -1, axis=0) == 1)).sum(axis=0)
            count = around.sum(axis=0)
            removed = (count >= 2) & (count <= 6) & (rises == 1)
            removed &= (around[list(first)].prod(axis=0) == 0) & (around[list(second)].prod(axis=0) == 0)
            bitmap[removed] = 0
        if bitmap.sum() == before:
            return bitmap[1:-1, 1:-1]


def followed(bitmap):
    """The lines as lists of pixels: each starts at an end, if there is one, and goes on as straight as possible."""
    left = {(int(y), int(x)) for y, x in np.argwhere(bitmap)}
    everything = set(left)
    strokes = []
    while left:
        ends = [p for p in left if sum((p[0] + y, p[1] + x) in left for y, x in NEIGHBOURS) <= 1]
        stroke, heading = [min(ends or left)], None
        left.discard(stroke[0])
        while True:
            y, x = stroke[-1]
            steps = [(dy, dx) for dy, dx in NEIGHBOURS if (y + dy, x + dx) in left]
            if not steps:
                break
            if heading is None:
                heading = np.array(steps[0], float)
            step = max(steps, key=lambda step: np.dot(step, heading) / np.hypot(*step))
            heading = 0.7 * heading + 0.3 * np.array(step)
            stroke.append((y + step[0], x + step[1]))
            left.discard(stroke[-1])
        y, x = stroke[-1]
        met = [(y + dy, x + dx) for dy, dx in NEIGHBOURS if (y + dy, x + dx) in everything - set(stroke[-4:])]
        stroke += met[:1]  # the line that it meets
        if len(stroke) > 4:
            strokes.append(stroke)
    return strokes


def main():
    """Write the file."""
    data = tg.data.mnist()
    digits = []
    for label in range(10):
        for i in np.flatnonzero(data.test_labels == label)[:EACH]:
            lines = followed(thinned(enlarged(data.test_images[i]) > 0.4))
            strokes = []
            for line in lines:
                points = [line[0], *line[3:-1:3], line[-1]]
                strokes.append([[round((x + 0.5) * 280 / 112), round((y + 0.5) * 280 / 112)] for y, x in points])
            digits.append({"label": label, "index": int(i), "strokes": strokes})
    lines = ",\n".join(json.dumps(digit, separators=(",", ":")) for digit in digits)
    FILE.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
