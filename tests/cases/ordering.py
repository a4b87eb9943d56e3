"""Functions that sort or select elements."""

import numpy as np

from cases.rows import Row, distinct, real
from cases.shapes import flat
from tensorgrad.rules.ordering import put_back

MASK = np.array([[True, False, True], [False, True, True]])
ORDER = np.array([[2, 0], [1, 1]])
PERMUTED = np.array([[2, 0], [0, 2], [1, 1]])
ZEROS = np.array([[0, 0, 0, 0], [0, 1.5, 0, 0], [0, 1, 2, 0]])


def halves(x, axis):
    """The properties of a partition around element 1 that do not depend on the method."""
    x = np.moveaxis(x, axis, -1)
    return np.stack([x[..., 0], x[..., 1], np.sum(x[..., 2:] ** 2, axis=-1)])


# fmt: off
ORDERS = [
    Row("sort",          lambda x: np.sort(x),                distinct,  [(2, 4)]),
    Row("sort 0",        lambda x: np.sort(x, axis=0),        distinct,  [(3, 2)]),
    Row("sort -2",       lambda x: np.sort(x, -2, kind="heapsort"), distinct, [(2, 3, 2)]),
    Row("sort all",      lambda x: np.sort(x, axis=None),     distinct,  [(2, 3)]),
    Row("sort stable",   lambda x: np.sort(x, stable=True),   distinct,  [(5,)]),
    Row("sort 0-d",      lambda x: np.sort(x, axis=None),     distinct,  [()]),
    Row("sort empty",    lambda x: np.sort(x, axis=0),        distinct,  [(0, 2)]),
    Row("put_back",      lambda x: put_back(x, order=PERMUTED, axis=0), real, [(3, 2)],
                         lambda x: np.take_along_axis(x, np.argsort(PERMUTED, 0), 0)),
    Row("put_back -1",   lambda x: put_back(x, order=PERMUTED.T, axis=-1), real, [(2, 3)],
                         lambda x: np.take_along_axis(x, np.argsort(PERMUTED.T, 1), 1)),
    Row("partition",     lambda x: halves(np.partition(x, 1), -1), distinct, [(2, 4)]),
    Row("partition 0",   lambda x: halves(np.partition(x, [1], axis=0), 0), distinct, [(4, 2)]),
    Row("partition all", lambda x: halves(np.partition(x, (0, 1), axis=None), 0), distinct, [(2, 3)]),
    Row("unique",        lambda x: np.unique(x),              distinct,  [(2, 3)]),
    Row("unique 4",      lambda x: flat(np.unique(x, True, True, return_counts=True)), distinct, [(2, 3)]),
    Row("unique counts", lambda x: flat(np.unique(x, return_counts=True)), distinct, [(3,)]),
    Row("unique axis",   lambda x: np.unique(x, axis=1),      distinct,  [(2, 3)]),
]

PICKS = [
    Row("take",          lambda x: np.take(x, [4, 0, -1, 0]), real,      [(2, 3)]),
    Row("take one",      lambda x: np.take(x, 1, axis=0),     real,      [(2, 3)]),
    Row("take 1",        lambda x: np.take(x, ORDER, axis=1), real,      [(2, 3)]),
    Row("take -2",       lambda x: np.take(x, (1, 1, 0), -2), real,      [(2, 2, 2)]),
    Row("take wrap",     lambda x: np.take(x, [5, -4, 1], axis=-1, mode="wrap"), real, [(2, 3)]),
    Row("take clip",     lambda x: np.take(x, [5, -4, 1], axis=0, mode="clip"), real, [(3, 2)]),
    Row("take none",     lambda x: np.take(x, [], axis=0),    real,      [(3, 2)]),
    Row("take 0-d",      lambda x: np.take(x, [0, 0]),        real,      [()]),
    Row("take_along_axis", lambda x: np.take_along_axis(x, ORDER, 1), real, [(2, 3)]),
    Row("take_along_axis 0", lambda x: np.take_along_axis(x, ORDER, axis=-2), real, [(3, 2)]),
    Row("take_along_axis all", lambda x: np.take_along_axis(x, ORDER[0], axis=None), real, [(2, 2)]),
    Row("take_along_axis grows", lambda x: np.take_along_axis(x, ORDER, 1), real, [(1, 3)]),
    Row("take_along_axis order", lambda x: np.take_along_axis(x, np.argsort(x, 0), 0), distinct, [(3, 2)]),
    Row("compress",      lambda x: np.compress([0, 1, 1], x, axis=1), real, [(2, 3)]),
    Row("compress all",  lambda x: np.compress([False, True, True], x), real, [(2, 3)]),
    Row("extract",       lambda x: np.extract(MASK, x),       real,      [(2, 3)]),
    Row("extract own",   lambda x: np.extract(x > 0, x),      distinct,  [(2, 3)]),
    Row("delete",        lambda x: np.delete(x, 3),           real,      [(2, 3)]),
    Row("delete list",   lambda x: np.delete(x, [0, -1, 0], axis=1), real, [(2, 4)]),
    Row("delete slice",  lambda x: np.delete(x, slice(None, None, 2), axis=-2), real, [(3, 2)]),
    Row("delete mask",   lambda x: np.delete(x, MASK[0], axis=1), real,  [(2, 3)]),
    Row("trim_zeros",    lambda x: np.trim_zeros(x * ZEROS[2]), real,    [(4,)]),
    Row("trim_zeros f",  lambda x: np.trim_zeros(x * ZEROS[1], "f"), real, [(4,)]),
    Row("trim_zeros b",  lambda x: np.trim_zeros(x * ZEROS[1], trim="b"), real, [(4,)]),
    Row("trim_zeros all", lambda x: np.trim_zeros(x * ZEROS[0]), real,   [(4,)]),
    Row("trim_zeros box", lambda x: np.trim_zeros(x * ZEROS),  real,     [(3, 4)], lambda x: (x * ZEROS)[1:, 1:3]),
    Row("trim_zeros axis", lambda x: np.trim_zeros(x * ZEROS, axis=-1), real, [(3, 4)], lambda x: (x * ZEROS)[:, 1:3]),
    Row("bincount",      lambda w: np.bincount([2, 0, 2, 4], w, 6), real, [(4,)]),
    Row("bincount weights", lambda w: np.bincount(np.array([1, 0, 1]), weights=w), real, [(3,)]),
]

ROWS = ORDERS + PICKS
# fmt: on
