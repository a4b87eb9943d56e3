"""Functions of adjacent elements along an axis: differences, gradients, interpolation."""

import numpy as np

from cases.rows import Row, parts, positive, real

X = np.array([-2.0, -0.75, 0.1, 0.5, 1.75])
COORDINATES = np.array([0.0, 0.5, 1.75, 2.0])


def increasing(x):
    """Increasing numbers at least 0.1 apart, computed from positive ones."""
    return np.stack([x[0] + 0 * x[0], x[0] + x[1], x[0] + x[1] + x[2], x[0] + x[1] + x[2] + x[3]])


# fmt: off
DIFFERENCES = [
    Row("np.diff",             np.diff,                                                  real,     [(2, 4)]),
    Row("diff axis",           lambda x: np.diff(x, axis=0),                             real,     [(3, 2)]),
    Row("diff n=2",            lambda x: np.diff(x * x, n=2, axis=-2),                   real,     [(4, 2)]),
    Row("diff n=0",            lambda x: np.diff(x * 2, n=0),                            real,     [(4, 2)]),
    Row("diff n=3 to nothing", lambda x: np.diff(x, 3),                                  real,     [(2, 3)]),
    Row("diff prepend",        lambda x: np.diff(x, prepend=0.5),                        real,     [(2, 3)]),
    Row("diff prepend axis",   lambda x: np.diff(x, axis=0, prepend=0.5),                real,     [(3, 2)]),
    Row("diff both ends",      lambda x, y: np.diff(x, axis=0, prepend=y, append=y * 2), real,     [(2, 3), (2, 3)]),
    Row("diff append 0-d",     lambda x, y: np.diff(x, 2, 1, append=y),                  real,     [(2, 3), ()]),
    Row("np.ediff1d",          np.ediff1d,                                               real,     [(2, 3)]),
    Row("ediff1d 0-d",         np.ediff1d,                                               real,     [()]),
    Row("ediff1d ends",        lambda x, y, z: np.ediff1d(x * x, y, to_begin=z),         real,     [(4,), (2, 1), ()]),
    Row("ediff1d constant",    lambda x: np.ediff1d(x, to_begin=[1.5, 2.5]),             real,     [(4,)]),
    Row("np.gradient",         np.gradient,                                              real,     [(5,)]),
    Row("gradient axis",       lambda x: np.gradient(x * x, axis=0),                     real,     [(3, 2)]),
    Row("gradient step",       lambda x: np.gradient(x, 0.5, axis=-1),                   real,     [(2, 4)]),
    Row("gradient edges",      lambda x: np.gradient(x, 0.5, edge_order=2),              real,     [(5,)]),
    Row("gradient of both",    lambda x: np.multiply(*np.gradient(x)),                   real,     [(3, 4)]),
    Row("gradient steps",      lambda x: np.multiply(*np.gradient(x, 0.5, COORDINATES, edge_order=2)), real, [(3, 4)]),
    Row("gradient swapped",    lambda x: np.multiply(*np.gradient(x, 0.5, COORDINATES, axis=(1, 0))), real, [(4, 3)]),
    Row("gradient even x",     lambda x: np.gradient(x, [1, 3, 5], edge_order=2),        real,     [(3,)]),
    Row("gradient of x",       lambda x, y: np.gradient(y, increasing(x)),               positive, [(4,), (4,)]),
    Row("gradient of x, 2",
        lambda x, y: np.gradient(y, increasing(x), axis=1, edge_order=2), positive, [(4,), (2, 4)]),
    Row("gradient of a step",  lambda x, y: np.gradient(y, x),                           positive, [(), (4,)]),
    Row("gradient shortest",   np.gradient,                                              real,     [(2,)]),
]

INTERPOLATION = [
    Row("interp of fp",       lambda fp: np.interp(X, COORDINATES, fp),                 real,     [(4,)]),
    Row("interp of x",        lambda x: np.interp(x, [-1.0, -0.1, 0.5, 1.5], [1.0, -2.0, 0.5, 3.0]), real, [(2, 5)]),
    Row("interp 0-d",         lambda x, fp: np.interp(x, COORDINATES, fp),              positive, [(), (4,)]),
    Row("interp of both",     lambda x, fp: np.interp(x * 2, COORDINATES, fp * fp),     real,     [(2, 4), (4,)]),
    Row("interp of all",      lambda x, xp, fp: np.interp(x * 3 - 2, increasing(xp), fp), positive, [(6,), (4,), (4,)]),
    Row("interp left right",
        lambda x, fp: np.interp(x * 2, COORDINATES, fp, left=-1.0, right=2.0), real, [(9,), (4,)]),
    Row("interp period",      lambda x, fp: np.interp(x * 5, COORDINATES[::-1], fp, period=2.5), real, [(9,), (4,)]),
    Row("interp period 1",    lambda x, fp: np.interp(x * 5, [0.1, 0.7], fp, period=1), real,     [(5,), (2,)]),
    Row("interp period -1",   lambda x, fp: np.interp(x * 5, [0.1, 0.7], fp, period=-1), real,    [(5,), (2,)]),
    Row("interp right",       lambda fp: np.interp([1.9, 0.3, 3.0], COORDINATES, fp, right=2.0), real, [(4,)]),
    Row("interp of one knot", lambda x, fp: np.interp(x, [0.0], fp),                    real,     [(3,), (1,)]),
]

COMPLEX = [
    Row("diff z",          lambda x: parts(np.diff(x * x * (1 - 2j), 2)), real, [(4,)]),
    Row("ediff1d z",       lambda x: parts(np.ediff1d(x * (1 - 2j), x)), real, [(4,)]),
    Row("gradient z",      lambda x: parts(np.gradient(x * (1 - 2j), COORDINATES)), real, [(4,)]),
    Row("interp z",        lambda x, fp: parts(np.interp(x * 2, COORDINATES, fp * (1 - 2j))), real, [(5,), (4,)]),
]

ROWS = DIFFERENCES + INTERPOLATION + COMPLEX
# fmt: on
