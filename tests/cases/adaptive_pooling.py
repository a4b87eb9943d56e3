"""Adaptive pooling, compared with loops over every window."""

import itertools
import math

import numpy as np

import tensorgrad as tg
from cases.rows import Row, distinct, real


def pool(reduce, x, sizes):
    """Reduce the elements of every window, whose ends are rounded outwards."""
    out = np.empty((*x.shape[:2], *sizes), x.dtype)
    for place in itertools.product(*map(range, sizes)):
        ends = [(i * n // size, -(-(i + 1) * n // size)) for i, n, size in zip(place, x.shape[2:], sizes, strict=True)]
        window = x[(..., *(slice(*pair) for pair in ends))]
        out[(..., *place)] = reduce(window.reshape(*x.shape[:2], math.prod(window.shape[2:])), axis=2)
    return out


def mean(name, fn, shape, output_size, sizes):
    return Row(name, lambda x: fn(x, output_size), real, [shape], lambda x: pool(np.mean, x, sizes))


def largest(name, fn, shape, output_size, sizes):
    return Row(name, lambda x: fn(x, output_size), distinct, [shape], lambda x: pool(np.max, x, sizes))


# fmt: off
ROWS = [
    mean("adaptive_avg_pool1d",             tg.adaptive_avg_pool1d, (2, 2, 5),       2,         (2,)),
    mean("adaptive_avg_pool1d more",        tg.adaptive_avg_pool1d, (1, 2, 3),       5,         (5,)),
    mean("adaptive_avg_pool2d",             tg.adaptive_avg_pool2d, (2, 2, 4, 5),    3,         (3, 3)),
    mean("adaptive_avg_pool2d divides",     tg.adaptive_avg_pool2d, (1, 2, 4, 6),    (2, 3),    (2, 3)),
    mean("adaptive_avg_pool2d one",         tg.adaptive_avg_pool2d, (2, 2, 3, 4),    1,         (1, 1)),
    mean("adaptive_avg_pool2d None",        tg.adaptive_avg_pool2d, (1, 2, 3, 5),    [None, 2], (3, 2)),
    mean("adaptive_avg_pool2d all",         tg.adaptive_avg_pool2d, (1, 1, 3, 2),    None,      (3, 2)),
    mean("adaptive_avg_pool2d no images",   tg.adaptive_avg_pool2d, (0, 2, 3, 4),    2,         (2, 2)),
    mean("adaptive_avg_pool3d",             tg.adaptive_avg_pool3d, (1, 2, 2, 3, 4), (1, 2, 3), (1, 2, 3)),

    largest("adaptive_max_pool1d",          tg.adaptive_max_pool1d, (2, 2, 5),       2,         (2,)),
    largest("adaptive_max_pool1d more",     tg.adaptive_max_pool1d, (1, 2, 3),       5,         (5,)),
    largest("adaptive_max_pool2d",          tg.adaptive_max_pool2d, (2, 2, 4, 5),    3,         (3, 3)),
    largest("adaptive_max_pool2d divides",  tg.adaptive_max_pool2d, (1, 2, 4, 6),    (2, 3),    (2, 3)),
    largest("adaptive_max_pool2d None",     tg.adaptive_max_pool2d, (1, 2, 3, 5),    (None, 2), (3, 2)),
    largest("adaptive_max_pool3d",          tg.adaptive_max_pool3d, (1, 2, 2, 3, 4), (1, 2, 3), (1, 2, 3)),
]
# fmt: on
