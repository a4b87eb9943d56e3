"""Polynomials, and Bessel functions."""

import numpy as np

from cases.rows import Row, away, real
from tensorgrad.rules.polynomials import i0_derivative

X5, W5 = np.array([-1.0, 0.5, 1.0, 2.0, 3.5]), np.array([1.0, 0.5, 2.0, 1.0, 0.3])
C3 = np.array([1.5, -2.0, 0.5])


def near(rng, shape):
    """Between 0 and 0.2."""
    return rng.uniform(0, 0.2, shape)


# fmt: off
UNARY = [
    Row("i0",            np.i0,                                             real, [(2, 3)]),
]

ROWS = [
    *UNARY,
    Row("i0_derivative", lambda x: i0_derivative(x, order=1),               real, [(3,)]),
    Row("polyval",       lambda p, x: np.polyval(p, x),                     real, [(3,), (2, 2)]),
    Row("polyval x",     lambda x: np.polyval([2, 0, -1.5, 1], x),          real, [()]),
    Row("polyval p",     lambda p: np.polyval(p, X5),                       real, [(4,)]),
    Row("polyval constant", lambda p, x: np.polyval(p, x) * x,              real, [(1,), (2,)]),
    Row("polyadd",       lambda p, q: np.polyadd(p, q),                     real, [(3,), (2,)]),
    Row("polysub",       lambda p: np.polysub(C3, p),                       real, [(4,)]),
    Row("polymul",       lambda p, q: np.polymul(p, q),                     away, [(3,), (2,)]),
    Row("polymul zeros", lambda p: np.polymul([0, 0, 1.0, 2.0], p),         away, [(3,)]),
    Row("polyder",       lambda p: np.polyder(p),                           real, [(4,)]),
    Row("polyder 2",     lambda p: np.polyder(p, 2),                        real, [(4,)]),
    Row("polyint",       lambda p: np.polyint(p),                           real, [(3,)]),
    Row("polyint 2",     lambda p: np.polyint(p, 2, k=[1.5, 2.0]),          real, [(3,)]),
    Row("polyfit",       lambda y: np.polyfit(X5, y, 2),                    real, [(5,)]),
    Row("polyfit exact", lambda x, y: np.polyfit(x + X5, y, 4),             near, [(5,), (5,)]),
    Row("polyfit both",  lambda x, y: np.polyfit(0.2 * x + X5, y, 1),       real, [(5,), (5,)]),
    Row("polyfit weights", lambda y, w: np.polyfit(X5, y, 1, w=w + W5),     near, [(5,), (5,)]),
    Row("polyfit several", lambda y: np.polyfit(X5, y, 1, w=W5),            real, [(5, 2)]),
]
# fmt: on
