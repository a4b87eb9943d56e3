"""Vectors: cosine similarity, normalization, linear interpolation."""
# ruff: noqa: E501  (tables with one row per line)

import numpy as np

import tensorgrad as tg
from cases.rows import Row, away, real

HALF = np.array([[0.2], [0.5], [1.3]])


def cosine(x, y, axis=1):
    norms = [np.sqrt(np.sum(v * v, axis=axis)) for v in (x, y)]
    return np.sum(x * y, axis=axis) / (norms[0] * norms[1])


# fmt: off
ROWS = [
    Row("cosine_similarity",           tg.cosine_similarity,                                       real, [(2, 3), (2, 3)],    cosine),
    Row("cosine_similarity 0",         lambda x, y: tg.cosine_similarity(x, y, axis=0),            real, [(3,), (3,)],        lambda x, y: cosine(x, y, 0)),
    Row("cosine_similarity broadcast", lambda x, y: tg.cosine_similarity(x, y, -1),                real, [(2, 1, 3), (4, 3)], lambda x, y: cosine(x, y, -1)),
    Row("cosine_similarity constant",  lambda x: tg.cosine_similarity(x, np.array([[1, 2, 0.5]])), real, [(2, 3)],            lambda x: cosine(x, np.array([[1, 2, 0.5]], x.dtype))),
    Row("normalize",                   tg.normalize,                                               real, [(2, 3)],            lambda x: x / np.sqrt(np.sum(x * x, 1, keepdims=True))),
    Row("normalize 1",                 lambda x: tg.normalize(x, p=1, axis=0),                     away, [(2, 3)],            lambda x: x / np.sum(np.abs(x), 0, keepdims=True)),
    Row("normalize 3, 2 axes",         lambda x: tg.normalize(x, 3.0, (0, 2)),                     away, [(2, 2, 3)],         lambda x: x / np.cbrt(np.sum(np.abs(x) ** 3, (0, 2), keepdims=True))),
    Row("normalize eps",               lambda x: tg.normalize(x, eps=100.0),                       real, [(2, 3)],            lambda x: x / 100),
    Row("lerp",                        tg.lerp,                                                    real, [(2, 3), (3,), ()],  lambda x, y, w: x + w * (y - x)),
    Row("lerp weights",                tg.lerp,                                                    real, [(2, 1), (3,), (2, 3)], lambda x, y, w: x + w * (y - x)),
    Row("lerp constants",              lambda x: tg.lerp(x, [1, 2], HALF),                         real, [(3, 2)],            lambda x: x + HALF.astype(x.dtype) * (np.array([1, 2], x.dtype) - x)),
]
# fmt: on
