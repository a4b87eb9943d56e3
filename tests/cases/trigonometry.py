"""Trigonometric and hyperbolic functions and their inverses, angles, and ``sinc``."""

import numpy as np

from cases.rows import Row, away, larger, real, unit

# fmt: off
UNARY = [
    Row("np.sin",       np.sin,                        real,     [(2, 3)]),
    Row("np.cos",       np.cos,                        real,     [(2, 3)]),
    Row("np.tan",       np.tan,                        unit,     [(2, 3)]),
    Row("np.sinc",      np.sinc,                       real,     [(2, 3)]),
    Row("np.sinc far",  lambda x: np.sinc(x * 4),      larger,   [(2, 3)]),
    Row("np.arcsin",    np.arcsin,                     unit,     [(2, 3)]),
    Row("np.arccos",    np.arccos,                     unit,     [(2, 3)]),
    Row("np.arctan",    np.arctan,                     real,     [(2, 3)]),
    Row("np.deg2rad",   np.deg2rad,                    real,     [(2, 3)]),
    Row("np.rad2deg",   np.rad2deg,                    real,     [(2, 3)]),
    Row("np.radians",   np.radians,                    real,     [(2, 3)]),
    Row("np.degrees",   np.degrees,                    real,     [(2, 3)]),
    Row("np.sinh",      np.sinh,                       real,     [(2, 3)]),
    Row("np.cosh",      np.cosh,                       real,     [(2, 3)]),
    Row("np.tanh",      np.tanh,                       real,     [(2, 3)]),
    Row("np.arcsinh",   np.arcsinh,                    real,     [(2, 3)]),
    Row("np.arccosh",   np.arccosh,                    larger,   [(2, 3)]),
    Row("np.arctanh",   np.arctanh,                    unit,     [(2, 3)]),
    Row("arctan2 x, c", lambda x: np.arctan2(x, -0.7), away,     [(2, 3)]),
    Row("hypot c, x",   lambda x: np.hypot(1.5, x),    real,     [(2, 3)]),
]

BINARY = [
    Row("np.arctan2", np.arctan2, away,     [(2, 3), (2, 3)]),
    Row("np.hypot",   np.hypot,   away,     [(2, 3), (2, 3)]),
]

OTHERS = [
    Row("sinc z",        lambda x, y: np.abs(np.sinc(x + 1j * y)),        real,     [(2, 3), (2, 3)]),
    Row("np.unwrap",     lambda x: np.unwrap(x * 4),                      real,     [(2, 5)]),
    Row("unwrap axis",   lambda x: np.unwrap(x, axis=0),                  larger,   [(4, 2)]),
    Row("unwrap period", lambda x: np.unwrap(x * x, 0.7, -2, period=1.3), real,     [(2, 4, 2)]),
]

ROWS = UNARY + BINARY + OTHERS
# fmt: on
