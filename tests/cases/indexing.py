"""Every kind of index."""

import numpy as np

from cases.rows import Row, away, real

MASK = np.array([[True, False, True], [False, True, True]])
REPEATS = np.array([[0, 2, 2], [1, 0, 2]])
LAST_FIRST = np.array([[2], [0]])
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




def assigned(x, values, index):
    y = x * 1.0 + np.sum(values) * 0.0  # a tensor, if one of the two is
    y[index] = values
    return y


def written(x, values, write):
    """An array that a function of NumPy writes to."""
    y = x * 1.0 + np.sum(values) * 0.0  # a tensor, if one of the two is
    write(y)
    return y


def through_a_view(x, values, view, index):
    """Assigned through a view; read through the original array and through the view."""
    y = x * 1.0 + np.sum(values) * 0.0  # a tensor, if one of the two is
    before = y * y
    seen = view(y)
    seen[index] = values
    return np.concatenate([np.ravel(y * 1.5), np.ravel(seen), np.ravel(before)])


# fmt: off
ASSIGNMENT = [
    Row("y[i] = v",      lambda x, v: assigned(x, v, 1),      real,      [(3, 2), (2,)]),
    Row("y[i, j] = v",   lambda x, v: assigned(x, v, (1, -1)), real,     [(3, 2), ()]),
    Row("y[a:b] = v",    lambda x, v: assigned(x, v, (slice(None), slice(0, 2))), real, [(2, 3), (2,)]),
    Row("y[mask] = v",   lambda x, v: assigned(x, v, MASK),   real,      [(2, 3), (4,)]),
    Row("y[list] = v",   lambda x, v: assigned(x, v, [2, 0]), real,      [(3, 2), (2, 2)]),
    Row("y[twice] = v",  lambda x, v: assigned(x, v, [0, 2, 0]), real,   [(3, 2), (3, 2)]),
    Row("y[...] = v",    lambda x, v: assigned(x, v, ...) + x, real,      [(2, 3), (3,)]),
    Row("y[i] = 5",      lambda x: assigned(x, 5.0, 1),       real,      [(3, 2)]),
    Row("y.T[i] = v",    lambda x, v: through_a_view(x, v, lambda y: y.T, 1), real, [(2, 3), (2,)]),
    Row("y.T[a:b] = v",  lambda x, v: through_a_view(x, v, lambda y: y.T, slice(1, 3)), real, [(2, 3), (2, 2)]),
    Row("y[0][j] = v",   lambda x, v: through_a_view(x, v, lambda y: y[1], slice(0, 2)), real, [(2, 3), (2,)]),
    Row("y[0][twice] = v", lambda x, v: through_a_view(x, v, lambda y: y[0], [2, 1, 2]), real, [(2, 3), (3,)]),
    Row("y[::-1][mask] = v", lambda x, v: through_a_view(x, v, lambda y: y[::-1], MASK), real, [(2, 3), (4,)]),
    Row("put",           lambda x, v: written(x, v, lambda y: np.put(y, [3, 0, -1], v)), real, [(2, 3), (3,)]),
    Row("put repeats",   lambda x, v: written(x, v, lambda y: np.put(y, [4, 7, 2], v, "wrap")), real, [(2, 3), (2,)]),
    Row("place",         lambda x, v: written(x, v, lambda y: np.place(y, MASK, v)), real, [(2, 3), (3,)]),
    Row("putmask",       lambda x, v: written(x, v, lambda y: np.putmask(y, MASK, v)), real, [(2, 3), (4,)]),
    Row("put_along_axis",
        lambda x, v: written(x, v, lambda y: np.put_along_axis(y, LAST_FIRST, v, 1)), real, [(2, 3), (2, 1)]),
    Row("put ends",      lambda x, v: written(x, v, lambda y: np.put(y, [-6, 5], v)), real, [(2, 3), (2,)]),
    Row("put clip",
        lambda x, v: written(x, v, lambda y: np.put(y, [9, -3, 2, 4], v, "clip")), real, [(2, 3), (4,)]),
    Row("put 0-d",       lambda x, v: x + written(x, v, lambda y: np.put(y, [0, 0], v)), real, [(), (2,)],
                         lambda x, v: x + v[1]),
    Row("copyto leading 1s", lambda x, v: x + written(x, v, lambda y: np.copyto(y, v)), real, [(2, 3), (1, 1, 3)]),
    Row("copyto leading 1", lambda x, v: x + written(x, v, lambda y: np.copyto(y, v)), real, [(2, 3), (1, 2, 3)]),
    Row("copyto leading 1s where",
        lambda x, v: written(x, v, lambda y: np.copyto(y, v, where=MASK)), real, [(2, 3), (1, 1, 3)]),
    Row("copyto leading 1 where",
        lambda x, v: written(x, v, lambda y: np.copyto(y, v, where=MASK)), real, [(2, 3), (1, 2, 3)]),
    Row("fill_diagonal 3-d", lambda x, v: written(x, v, lambda y: np.fill_diagonal(y, v)), real, [(2, 2, 2), (2,)]),
    Row("fill_diagonal", lambda x, v: written(x, v, lambda y: np.fill_diagonal(y, v)), real, [(2, 3), (2,)]),
    Row("copyto where",  lambda x, v: written(x, v, lambda y: np.copyto(y, v, where=MASK)), real, [(2, 3), (3,)]),
    Row("full_like",     lambda x, v: np.full_like(x * v, v) * x, real,  [(2, 3), ()]),
]
# fmt: on

ROWS = INDEXING + ASSIGNMENT
# fmt: on
