"""Interpolation of images, compared with the positions of the new elements computed as fractions."""
# ruff: noqa: E501  (tables with one row per line)

import itertools
import math
from fractions import Fraction

import numpy as np

import tensorgrad as tg
from cases.rows import Row, real


def nearest(position, step, n):
    return [(min(math.floor(position * step), n - 1), 1.0)]


def nearest_exact(position, step, n):
    return [(min(math.floor((position + Fraction(1, 2)) * step), n - 1), 1.0)]


def linear(position, step, n):
    place = max((position + Fraction(1, 2)) * step - Fraction(1, 2), Fraction(0))
    low = math.floor(place)
    return [(low, float(1 - place + low)), (min(low + 1, n - 1), float(place - low))]


def by_corners(position, step, n):
    """Linear, where ``step`` is from the first element to the last."""
    place = position * step
    low = math.floor(place)
    return [(low, float(1 - place + low)), (min(low + 1, n - 1), float(place - low))]


def resized(x, sizes, at, corners=False):
    """Every new element as a weighted sum of old ones."""
    out = np.zeros((*x.shape[:2], *sizes), x.dtype)
    steps = [Fraction(n - corners, max(size - corners, 1)) for n, size in zip(x.shape[2:], sizes, strict=True)]
    for place in np.ndindex(*sizes):
        terms = [at(i, step, n) for i, step, n in zip(place, steps, x.shape[2:], strict=True)]
        for term in itertools.product(*terms):
            indices, weights = zip(*term, strict=True)
            out[(..., *place)] += x[(..., *indices)] * x.dtype.type(math.prod(weights))
    return out


def row(name, shape, sizes, at, corners=False, **options):
    return Row(name, lambda x: tg.interpolate(x, **options), real, [shape], lambda x: resized(x, sizes, at, corners))


# fmt: off
ROWS = [
    row("interpolate nearest",        (2, 2, 3),       (7,),      nearest,       size=7),
    row("interpolate nearest less",   (1, 2, 5, 4),    (2, 3),    nearest,       size=[2, 3]),
    row("interpolate twice",          (1, 1, 2, 3),    (4, 6),    nearest,       scale_factor=2),
    row("interpolate factors",        (1, 1, 4, 2),    (2, 6),    nearest,       scale_factor=(0.5, 3)),
    row("interpolate nearest 3d",     (1, 1, 2, 1, 3), (1, 2, 4), nearest,       size=(1, 2, 4)),
    row("interpolate exact",          (1, 2, 3, 5),    (5, 2),    nearest_exact, size=(5, 2), mode="nearest-exact"),
    row("interpolate linear",         (2, 2, 3),       (7,),      linear,        size=7, mode="linear"),
    row("interpolate bilinear",       (1, 2, 3, 4),    (5, 3),    linear,        size=(5, 3), mode="bilinear"),
    row("interpolate linear same",    (1, 1, 3),       (3,),      linear,        size=3, mode="linear"),
    row("interpolate bilinear twice", (1, 1, 2, 3),    (4, 6),    linear,        scale_factor=2.0, mode="bilinear"),
    row("interpolate trilinear",      (1, 1, 2, 1, 3), (3, 2, 2), linear,        size=(3, 2, 2), mode="trilinear"),
    row("interpolate corners",        (1, 2, 3, 4),    (5, 3),    by_corners,    True, size=(5, 3), mode="bilinear", align_corners=True),
    row("interpolate corners to one", (1, 1, 4),       (1,),      by_corners,    True, size=1, mode="linear", align_corners=True),
    row("interpolate no images",      (0, 2, 3),       (7,),      linear,        size=7, mode="linear"),
    Row("interpolate area",           lambda x: tg.interpolate(x, (2, 1), mode="area"), real, [(1, 2, 4, 3)],
                                      lambda x: x.reshape(1, 2, 2, 2, 3).mean((3, 4))[..., None]),
]
# fmt: on
