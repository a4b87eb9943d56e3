"""Arrays created from nested lists of numbers, arrays and tensors."""

import numpy as np

import tensorgrad as tg
from cases.rows import Row, real

A3 = np.array([1.5, 0.5, 2.25])


def made(parts, *inputs, **options):
    """`numpy.array`; with ``like=`` if an input is a tensor."""
    for x in inputs:
        if isinstance(x, tg.Tensor):
            return np.array(parts, like=x, **options)
    return np.array(parts, **options)


def filled(shape, value, **options):
    """`numpy.full`; with ``like=`` for a tensor."""
    return (
        np.full(shape, value, like=value, **options)
        if isinstance(value, tg.Tensor)
        else np.full(shape, value, **options)
    )


# fmt: off
ROWS = [
    Row("array",         lambda x, y: made([x[0], 2.0, y, 1], x, y),          real, [(2,), ()]),
    Row("array 2",       lambda x, y: made([[x[0], y], (3, x[1])], x, y),     real, [(2,), ()]),
    Row("array 3",       lambda x, y: made([[[x, y], [y, A3]], [[A3, x], [[1, y[1], 2.0], x]]], x, y), real,
                         [(3,), (3,)]),
    Row("array copy",    lambda x: made(x, x) * 2,                            real, [(2, 3)]),
    Row("array ndmin",   lambda x: made([x, A3], x, ndmin=3),                 real, [(3,)]),
    Row("array order",   lambda x: made([x, x * x], x, order="F"),            real, [(3,)]),
    Row("array twice",   lambda x: made([x, x, [x[0], x[1] * x[0]]], x),      real, [(2,)]),
    Row("array complex", lambda x: np.real(made([x[0] * 1j, 2.0], x) * 1j),   real, [(2,)]),
    Row("tg.array",      lambda x, y: tg.array([[x, [1.0, y, 2]], [x * y, A3]]), real, [(3,), ()],
                         lambda x, y: np.array([[x, [1.0, y, 2]], [x * y, A3]])),
    Row("asarray",       lambda x: np.asarray([x, A3], like=x), real, [(3,)], lambda x: np.array([x, A3])),
    Row("asanyarray",    lambda x: np.asanyarray((x[0], 1.0), like=x), real, [(3,)], lambda x: np.array([x[0], 1])),
    Row("ascontiguous",  lambda x: np.ascontiguousarray(x.T, like=x), real, [(2, 3)], lambda x: x.T),
    Row("ascontiguous 0-d", lambda x: np.ascontiguousarray(x, like=x), real, [()], lambda x: x[None]),
    Row("asfortran",     lambda x: np.asfortranarray([x, x], like=x) * 2, real, [(3,)], lambda x: np.array([x, x]) * 2),
    Row("full",          lambda x: filled((2, 3), x),                         real, [()]),
    Row("full row",      lambda x: filled([2, 3], x) * 2,                     real, [(3,)]),
    Row("full n",        lambda x: filled(4, x, dtype=np.float64),            real, [()]),
]
# fmt: on
