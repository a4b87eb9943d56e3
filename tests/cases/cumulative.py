"""Cumulative sums, products and extremes, and integrals of samples."""
# ruff: noqa: E501  (tables with one row per line)

import numpy as np

import tensorgrad as tg
from cases.rows import Row, away, distinct, real
from tensorgrad.rules.cumulative import recurrence

ZEROS = np.array([[1, 0, 1, 1], [0, 1, 0, 1], [1, 1, 1, 0]])


def step_by_step(x, y):
    out = [y[0]]
    for a, b in zip(x[1:], y[1:], strict=True):
        out.append(a * out[-1] + b)
    return np.array(out)


# fmt: off
ROWS = [
    Row(f"{name} {axis}", lambda x, f=f, axis=axis: f(x, axis=axis), domain, [(2, 3, 2)])
    for name, f, domain in [("cumsum", np.cumsum, real), ("cumprod", np.cumprod, away)] for axis in (None, 0, 1, -1, -2)
] + [
    Row("cumsum 0-d",    lambda x: np.cumsum(x),              real,      [()]),
    Row("cumprod 0-d",   lambda x: np.cumprod(x),             real,      [()]),
    Row("cumsum empty",  lambda x: np.cumsum(x, axis=0),      real,      [(0, 3)]),
    Row("cumprod empty", lambda x: np.cumprod(x, 1),          real,      [(2, 0)]),
    Row("cumprod of none", lambda x: np.cumprod(x),           real,      [(0, 2)]),
    Row("cumsum dtype",  lambda x: np.cumsum(x, 1, np.float64), real,    [(2, 3)]),
    Row("cumprod dtype", lambda x: np.cumprod(x, 0, np.float64), away,   [(2, 3)]),
    Row("cumprod zeros", lambda x: np.cumprod(x * ZEROS, axis=1), away,  [(3, 4)]),
    Row("cumprod zeros 0", lambda x: np.cumprod(x * ZEROS, axis=0), away, [(3, 4)]),
    Row("cumprod cubed", lambda x: np.cumprod(x) ** 3,        away,      [(4,)]),
    *[Row(f"{f.__name__} {axis}", lambda x, f=f, axis=axis: f(x, axis).values, distinct, [(2, 3, 2)], lambda x, same=same, axis=axis: same(x, axis))
      for f, same in [(tg.cummax, np.maximum.accumulate), (tg.cummin, np.minimum.accumulate)] for axis in (0, 1, -1)],
    Row("cummax empty",  lambda x: tg.cummax(x, axis=1).values, real,    [(2, 0)], lambda x: x),
    Row("recurrence",    recurrence,                          real,      [(4, 2), (4, 2)], step_by_step),
    Row("cumsum complex", lambda x: np.real(np.cumsum(np.fft.fft(x)) ** 2), real, [(5,)]),
    Row("cumprod complex", lambda x: np.imag(np.cumprod(np.fft.fft(x))), real, [(5,)]),
    Row("cumulative_sum", lambda x: np.cumulative_sum(x),     real,      [(4,)]),
    Row("cumulative_sum axis", lambda x: np.cumulative_sum(x, axis=-1), real, [(2, 3)]),
    Row("cumulative_sum from 0", lambda x: np.cumulative_sum(x, axis=0, include_initial=True), real, [(2, 3)]),
    Row("cumulative_sum 0-d", lambda x: np.cumulative_sum(x), real,      [()]),
    Row("cumulative_prod", lambda x: np.cumulative_prod(x, axis=1), away, [(2, 3)]),
    Row("cumulative_prod from 1", lambda x: np.cumulative_prod(x, include_initial=True), away, [(4,)]),
    Row("cumulative_prod from 1, -1", lambda x: np.cumulative_prod(x, axis=-1, include_initial=True), away, [(2, 3)]),
    Row("trapezoid",     lambda y: np.trapezoid(y),           real,      [(4,)]),
    Row("trapezoid dx",  lambda y: np.trapezoid(y, dx=0.3, axis=0), real, [(3, 2)]),
    Row("trapezoid dx tracked", lambda y, dx: np.trapezoid(y, dx=dx), real, [(2, 4), ()]),
    Row("trapezoid x",   lambda y, x: np.trapezoid(y, x),     real,      [(2, 4), (4,)]),
    Row("trapezoid x axis", lambda y, x: np.trapezoid(y, x, axis=1), real, [(2, 3, 2), (3,)]),
    Row("trapezoid x -3", lambda y, x: np.trapezoid(y, x=x, axis=-3), real, [(3, 2, 2), (3,)]),
    Row("trapezoid x 2-d", lambda y, x: np.trapezoid(y, x, axis=0), real, [(3, 2), (3, 2)]),
    Row("trapezoid x of list", lambda x: np.trapezoid([1.0, 4.0, 2.0], x), real, [(3,)]),
    Row("trapezoid of one", lambda y: np.trapezoid(y),        real,      [(2, 1)]),
]
# fmt: on
