"""Rounding, remainders, and decompositions of numbers: integer part and fraction, mantissa and exponent."""

import warnings

import numpy as np

from cases.rows import Row, away, larger, real

A3 = np.array([1.5, -0.5, 2.25])
INTS = np.array([2, -3, 1])


def fix(x):
    """`numpy.fix`, which is deprecated in newer versions of NumPy."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return np.fix(x)


# fmt: off
# A product with the input, so that the gradient of the row is not 0.
UNARY = [
    Row("np.floor",         np.floor,                                 real,     [(2, 3)]),
    Row("np.ceil",          np.ceil,                                  real,     [(2, 3)]),
    Row("np.trunc",         np.trunc,                                 real,     [(2, 3)]),
    Row("np.rint",          np.rint,                                  real,     [(2, 3)]),
    Row("np.fix",           fix,                                      real,     [(2, 3)]),
    Row("x floor(x)",       lambda x: x * np.floor(x * 3),            real,     [(2, 3)]),
    Row("np.round",         np.round,                                 real,     [(2, 3)]),
    Row("np.around",        lambda x: x * np.around(x),               real,     [(2, 3)]),
    Row("round decimals",   lambda x: x * np.round(x, 1),             real,     [(2, 3)]),
    Row("around decimals",  lambda x: x * np.around(x, decimals=1),   real,     [(2, 3)]),
    Row("x floor_divide c", lambda x: x * np.floor_divide(x, 0.7),    real,     [(2, 3)]),
    Row("c floor_divide x", lambda x: x * np.floor_divide(5, x),      away,     [(2, 3)]),
    Row("remainder x, c",   lambda x: np.remainder(x, 0.7),           real,     [(2, 3)]),
    Row("remainder c, x",   lambda x: np.remainder(-5.0, x),          away,     [(2, 3)]),
    Row("fmod x, c",        lambda x: np.fmod(x, 0.7),                real,     [(2, 3)]),
    Row("fmod c, x",        lambda x: np.fmod(-5.0, x),               away,     [(2, 3)]),
    Row("np.ldexp",         lambda x: np.ldexp(x * x, 3),             real,     [(2, 3)]),
    Row("np.spacing",       lambda x: x * np.spacing(x),              away,     [(2, 3)]),
    Row("nextafter x, c",   lambda x: np.nextafter(x * x, 9.0),       real,     [(2, 3)]),
    Row("modf fraction",    lambda x: np.modf(x)[0],                  real,     [(2, 3)]),
    Row("modf whole",       lambda x: x * np.modf(x)[1],              real,     [(2, 3)]),
    Row("frexp mantissa",   lambda x: np.frexp(x)[0],                 real,     [(2, 3)]),
    Row("frexp product",    lambda x: np.multiply(*np.frexp(x)),      real,     [(2, 3)]),
    Row("divmod x, c",      lambda x: np.add(*np.divmod(x, 0.7)) * x, real,     [(2, 3)]),
]

BINARY = [
    Row("np.floor_divide", np.floor_divide,                            away,     [(2, 3), (2, 3)]),
    Row("np.remainder",    np.remainder,                               away,     [(2, 3), (2, 3)]),
    Row("np.mod",          lambda x, y: np.mod(x * x, y * 0.3),        away,     [(2, 3), (2, 3)]),
    Row("np.fmod",         np.fmod,                                    away,     [(2, 3), (2, 3)]),
    Row("fmod far",        lambda x, y: np.fmod(x * 9, y),             away,     [(2, 3), (2, 3)]),
    Row("np.divmod",       lambda x, y: np.multiply(*np.divmod(x, y)), larger,   [(2, 3), (2, 3)]),
    Row("np.nextafter",    np.nextafter,                               real,     [(2, 3), (2, 3)]),
]

OPERANDS = [
    Row("ldexp ints",  lambda x: np.ldexp(x, INTS),   real,     [(2, 3)]),
    Row("ldexp grows", lambda x: np.ldexp(x, INTS),   real,     [(2, 1)]),
    Row("mod array",   lambda x: np.remainder(A3, x), away,     [(2, 1)]),
]

ROWS = UNARY + BINARY + OPERANDS
# fmt: on
