"""The page converts ink to the image of the network as training/handwriting.py does."""

import base64
import itertools

import numpy as np
import pytest

from training import handwriting

pytestmark = pytest.mark.page

CONVERT = """({ height, width, levels, shape, brightest }) => {
  const data = Float64Array.from(atob(levels), (letter) => letter.charCodeAt(0) / 255);
  return [...normalised({ height, width, data }, shape, brightest)];
}"""
CONVERSIONS = {"to_mnist": ((28, 28), 255), "to_digits": ((8, 8), 16)}


def stroke(points, shape=(60, 80), width=4.0, level=1.0):
    """Ink along a line of points, with soft edges."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    ink = np.zeros(shape)
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        length = max((x1 - x0) ** 2 + (y1 - y0) ** 2, 1e-9)
        t = np.clip(((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / length, 0, 1)
        distance = np.hypot(x - x0 - t * (x1 - x0), y - y0 - t * (y1 - y0))
        ink = np.maximum(ink, level * np.clip(width / 2 + 0.5 - distance, 0, 1))
    return ink


def with_spots(ink, places, level=1.0):
    ink = ink.copy()
    for y, x in places:
        ink[y, x] = level
    return ink


SEVEN = [(20, 10), (60, 10), (35, 50)]
INK = {
    "seven": stroke(SEVEN),
    "medium": stroke(SEVEN, width=9),
    "thick": stroke(SEVEN, width=11),
    "thin": stroke(SEVEN, width=1.2),
    "faint": stroke(SEVEN, level=0.4),
    "wide": stroke([(5, 30), (75, 33)]),
    "tall": stroke([(40, 3), (41, 57)]),
    "at the edge": stroke([(0, 0), (79, 59), (79, 0)]),
    "slanted": stroke([(60, 5), (20, 55)], width=9),
    "dot": stroke([(40, 30), (40, 30)], width=3),
    "specks": with_spots(stroke(SEVEN, width=6), [(2, 2), (58, 78), (57, 4)]),
    "two parts": np.maximum(stroke([(20, 10), (20, 50)]), stroke([(60, 10), (60, 50)])),
    "large": stroke([(200, 100), (600, 120), (350, 500)], (600, 800), 40),
    "one pixel": with_spots(np.zeros((3, 5)), [(1, 1)]),
    "full": np.ones((10, 10)),
    "noise": np.random.default_rng(0).random((50, 40)),
}


@pytest.mark.parametrize("function", CONVERSIONS)
@pytest.mark.parametrize("name", INK)
def test_ink_is_converted_as_in_python(digit_page, name, function):
    shape, brightest = CONVERSIONS[function]
    levels = np.rint(255 * INK[name]).astype(np.uint8)
    given = {"height": levels.shape[0], "width": levels.shape[1], "shape": shape, "brightest": brightest,
             "levels": base64.b64encode(levels.tobytes()).decode()}  # fmt: skip
    found = np.reshape(digit_page.evaluate(CONVERT, given), shape)
    expected = getattr(handwriting, function)(levels / 255)
    assert expected.max() > 0
    np.testing.assert_array_equal(found, expected)


def test_sheet_without_ink_gives_no_image(digit_page):
    given = {"height": 2, "width": 2, "levels": "AAAAAA==", "shape": [28, 28], "brightest": 255}
    script = CONVERT.replace("[...normalised({ height, width, data }, shape, brightest)]",
                             "normalised({ height, width, data }, shape, brightest)")  # fmt: skip
    assert digit_page.evaluate(script, given) is None
