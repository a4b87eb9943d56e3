"""Every kind of index."""

import numpy as np

from table.rows import Row, away, real

MASK = np.array([[True, False, True], [False, True, True]])
REPEATS = np.array([[0, 2, 2], [1, 0, 2]])
LABELS = np.array([2, 0, 0, 1])

# fmt: off
INDEXING = [
    Row("x[i]",          lambda x: x[1],                      real,      [(3, 4)]),
    Row("x[-1]",         lambda x: x[-1],                     real,      [(3, 4)]),
    Row("x[np.int64]",   lambda x: x[np.int64(2)],            real,      [(3, 4)]),
    Row("x[i, j]",       lambda x: x[1, -2],                  real,      [(3, 4)]),
    Row("x[a:b]",        lambda x: x[1:3],                    real,      [(3, 4)]),
    Row("x[:, ::-1]",    lambda x: x[:, ::-1],                real,      [(3, 4)]),
    Row("x[::-2, 1:]",   lambda x: x[::-2, 1:],               real,      [(3, 4)]),
    Row("x[2:2]",        lambda x: x[2:2],                    real,      [(3, 4)]),
    Row("x[...]",        lambda x: x[...],                    real,      [(3, 4)]),
    Row("x[..., 0]",     lambda x: x[..., 0],                 real,      [(3, 4)]),
    Row("x[None]",       lambda x: x[None, :, np.newaxis, 1], real,      [(3, 4)]),
    Row("x[()]",         lambda x: x[()],                     real,      [()]),
    Row("x0[None]",      lambda x: x[None],                   real,      [()]),
    Row("x0[...]",       lambda x: x[...],                    real,      [()]),
    Row("x[True]",       lambda x: x[True],                   real,      [(3,)]),
    Row("x[mask]",       lambda x: x[MASK],                   real,      [(2, 3)]),
    Row("x[mask1]",      lambda x: x[MASK[0]],                real,      [(3, 4)]),
    Row("x[:, mask1]",   lambda x: x[:, MASK[1]],             real,      [(2, 3)]),
    Row("x[x > 0]",      lambda x: x[x > 0],                  away,      [(2, 3)]),
    Row("x[no mask]",    lambda x: x[np.zeros(3, bool)],      real,      [(3, 4)]),
    Row("x[repeats]",    lambda x: x[REPEATS],                real,      [(3, 2)]),
    Row("x[list]",       lambda x: x[[0, -1, 0]],             real,      [(3, 2)]),
    Row("x[[]]",         lambda x: x[[]],                     real,      [(3, 2)]),
    Row("x[array 0-d]",  lambda x: x[np.array(1)],            real,      [(3, 2)]),
    Row("x[uint8]",      lambda x: x[np.array([2, 2, 0], np.uint8)], real, [(3, 2)]),
    Row("x[pairs]",      lambda x: x[np.arange(4), LABELS],   real,      [(4, 3)]),
    Row("x[pairs twice]", lambda x: x[[0, 0, 1], [1, 1, 2]],  real,      [(4, 3)]),
    Row("x[outer]",      lambda x: x[[[0], [2]], [1, 1, 0]],  real,      [(3, 2)]),
    Row("x[:, repeats]", lambda x: x[:, [0, 0, 2]],           real,      [(2, 3)]),
    Row("x[i, :, list]", lambda x: x[1, :, [0, 2, 0]],        real,      [(2, 3, 3)]),
    Row("x[list, :, list]", lambda x: x[[0, 1], :, [2, 2]],   real,      [(2, 3, 3)]),
    Row("x[list, None]", lambda x: x[[0, 0], None, ..., ::-1], real,     [(2, 3)]),
    Row("x[mask, i]",    lambda x: x[MASK[0], 1],             real,      [(3, 2)]),
    Row("x[mask, list]", lambda x: x[MASK[0], [1, 1]],        real,      [(3, 2)]),
    Row("iteration",     lambda x: sum(row * k for k, row in enumerate(x)), real, [(3, 2)]),
    Row("unpacking",     lambda x: (lambda a, b: a * b)(*x),  real,      [(2, 3)]),
]


ROWS = INDEXING
# fmt: on
