"""Functions that join arrays, split them, repeat them, and insert values."""

import numpy as np

from cases.rows import Row, real
from cases.shapes import flat

A23 = np.array([[0.5, -1.5, 2.5], [1.25, -0.75, 1.75]])
A3 = np.array([1.5, 0.5, 2.25])
F8 = np.float64

# fmt: off
JOINS = [
    Row("concatenate",   lambda x, y: np.concatenate([x, y]), real,      [(2, 3), (1, 3)]),
    Row("concatenate -1", lambda x, y: np.concatenate((x, y), axis=-1),  real, [(2, 1), (2, 3)]),
    Row("concatenate all", lambda x, y: np.concatenate([x, y], axis=None), real, [(2, 2), ()]),
    Row("concatenate array", lambda x: np.concatenate([A23, x, A23]),    real, [(2, 3)]),
    Row("concatenate empty", lambda x, y: np.concatenate([x, y]),        real, [(0, 3), (1, 3)]),
    Row("concatenate twice", lambda x: np.concatenate([x, x * x, x]),    real, [(2,)]),
    Row("concatenate rows", lambda x: np.concatenate(x),      real,      [(2, 3)]),
    Row("concatenate dtype", lambda x, y: np.concatenate([x, y], dtype=F8), real, [(2, 1), (1, 1)]),
    Row("stack",         lambda x, y: np.stack([x, y]),       real,      [(2, 3), (2, 3)]),
    Row("stack -1",      lambda x, y: np.stack([x, y], axis=-1), real,   [(2, 3), (2, 3)]),
    Row("stack -2",      lambda x, y: np.stack((x, y), -2),   real,      [(2, 3), (2, 3)]),
    Row("stack 0-d",     lambda x, y: np.stack([x, y, x]),    real,      [(), ()]),
    Row("stack array",   lambda x: np.stack([A3, x], 1),      real,      [(3,)]),
    Row("stack empty",   lambda x, y: np.stack([x, y], 1),    real,      [(2, 0), (2, 0)]),
    Row("stack dtype",   lambda x: np.stack([x, A3], dtype=F8), real,    [(3,)]),
    Row("hstack",        lambda x, y: np.hstack([x, y]),      real,      [(2, 3), (2, 1)]),
    Row("hstack 1-d",    lambda x, y: np.hstack((x, y, 2.0)), real,      [(3,), ()]),
    Row("hstack dtype",  lambda x: np.hstack([x, A3], dtype=F8), real,   [(2,)]),
    Row("vstack",        lambda x, y: np.vstack([x, y, A3]),  real,      [(2, 3), (3,)]),
    Row("vstack dtype",  lambda x: np.vstack([x, A3], dtype=F8), real,   [(3,)]),
    Row("dstack",        lambda x, y: np.dstack([x, y]),      real,      [(2, 3), (2, 3)]),
    Row("dstack 1-d",    lambda x, y: np.dstack((x, y)),      real,      [(3,), (1, 3, 2)]),
    Row("column_stack",  lambda x, y: np.column_stack((x, y)), real,     [(2,), (2, 3)]),
    Row("column_stack 0-d", lambda x, y: np.column_stack([x, y]), real,  [(), (1,)]),
    Row("block",         lambda x, y: np.block([[x, A23], [y, np.zeros((1, 1))]]), real, [(2, 2), (1, 4)]),
    Row("block 1",       lambda x, y: np.block([x, y, 3.0]),  real,      [(2,), ()]),
    Row("block grows",   lambda x, y: np.block([[x], [y]]),   real,      [(1, 2, 3), (3,)]),
    Row("block 0",       lambda x: np.block(x) * 2,           real,      [(2, 3)]),
    Row("append",        lambda x, y: np.append(x, y),        real,      [(2, 3), ()]),
    Row("append axis",   lambda x: np.append(x, A23, axis=-2), real,     [(1, 3)]),
    Row("append to array", lambda x: np.append(A23, x, axis=1), real,    [(2, 1)]),
    Row("insert",        lambda x, y: np.insert(x, 2, y),     real,      [(2, 3), ()]),
    Row("insert many",   lambda x, y: np.insert(x, [3, 0, 3], y), real,  [(4,), (3,)]),
    Row("insert spread", lambda x, y: np.insert(x, [0, 2], y), real,     [(4,), ()]),
    Row("insert slice",  lambda x, y: np.insert(x, slice(None, 3), y, axis=1), real, [(2, 3), (1, 3)]),
    Row("insert column", lambda x, y: np.insert(x, -1, y, axis=1), real, [(2, 3), (2,)]),
    Row("insert columns", lambda x, y: np.insert(x, [1], y, axis=1), real, [(2, 3), (2, 1)]),
    Row("insert number", lambda x: np.insert(x, 1, 7, axis=0), real,     [(2, 3)]),
    Row("insert into",   lambda x: np.insert(A23, 1, x, axis=0), real,   [(3,)]),
    Row("resize",        lambda x: np.resize(x, (3, 5)),      real,      [(2, 3)]),
    Row("resize less",   lambda x: np.resize(x, 2),           real,      [(2, 3)]),
    Row("resize 0-d",    lambda x: np.resize(x, (2, 2)),      real,      [()]),
    Row("resize to none", lambda x: np.resize(x, (0, 2)),     real,      [(3,)]),
    Row("resize none",   lambda x: np.resize(x, (2, 2)),      real,      [(0, 3)]),
]

REPEATS = [
    Row("tile",          lambda x: np.tile(x, 2),             real,      [(2, 3)]),
    Row("tile axes",     lambda x: np.tile(x, (3, 2)),        real,      [(2, 3)]),
    Row("tile new axes", lambda x: np.tile(x, (2, 1, 3)),     real,      [(2,)]),
    Row("tile few reps", lambda x: np.tile(x, [2]),           real,      [(2, 3, 2)]),
    Row("tile array",    lambda x: np.tile(x, np.array([1, 2])), real,   [(3,)]),
    Row("tile 0 times",  lambda x: np.tile(x, (2, 0)),        real,      [(2, 3)]),
    Row("tile 0-d",      lambda x: np.tile(x, 3),             real,      [()]),
    Row("tile empty",    lambda x: np.tile(x, (2, 3)),        real,      [(0, 2)]),
    Row("repeat",        lambda x: np.repeat(x, 2),           real,      [(2, 3)]),
    Row("repeat 0",      lambda x: np.repeat(x, 3, axis=0),   real,      [(2, 3)]),
    Row("repeat -1",     lambda x: np.repeat(x, [2], axis=-1), real,     [(2, 3)]),
    Row("repeat array",  lambda x: np.repeat(x, [2, 0, 3], axis=1), real, [(2, 3)]),
    Row("repeat all",    lambda x: np.repeat(x, np.array([1, 2, 0, 3])), real, [(2, 2)]),
    Row("repeat no times", lambda x: np.repeat(x, 0, axis=1), real,      [(2, 3)]),
    Row("repeat 0-d",    lambda x: np.repeat(x, 3),           real,      [()]),
    Row("repeat empty",  lambda x: np.repeat(x, 2, axis=0),   real,      [(0, 2)]),
]

PARTS = [
    Row("hstack one",    lambda x: np.hstack([x]) * 2,        real,      [(3,)]),
    Row("block 3 deep",  lambda x: np.block([[[x, x * 2]], [[x * x, 3 * x]]]), real, [(2, 2)]),
    Row("array_split",   lambda x: flat(np.array_split(x, 3)), real,     [(4, 2)]),
    Row("array_split many", lambda x: flat(np.array_split(x, 3, axis=-1)), real, [(3, 2)]),
    Row("array_split at", lambda x: flat(np.array_split(x, [1, 1, 3], axis=1)), real, [(2, 4)]),
    Row("split",         lambda x: flat(np.split(x, 2)),      real,      [(4, 2)]),
    Row("split at",      lambda x: flat(np.split(x, (-3, 9), axis=-1)), real, [(2, 4)]),
    Row("split back",    lambda x: flat(np.split(x, np.array([3, 1]))), real, [(4,)]),
    Row("split empty",   lambda x: flat(np.split(x, 3)),      real,      [(0, 2)]),
    Row("hsplit",        lambda x: flat(np.hsplit(x, 2)),     real,      [(3, 4)]),
    Row("hsplit 1-d",    lambda x: flat(np.hsplit(x, [1])),   real,      [(3,)]),
    Row("vsplit",        lambda x: flat(np.vsplit(x, [1, 3])), real,     [(4, 2)]),
    Row("dsplit",        lambda x: flat(np.dsplit(x, 2)),     real,      [(2, 1, 4)]),
    Row("unstack",       lambda x: flat(np.unstack(x)),       real,      [(3, 2)]),
    Row("unstack -1",    lambda x: flat(np.unstack(x, axis=-1)), real,   [(2, 1, 3)]),
]

ROWS = JOINS + REPEATS + PARTS
# fmt: on
