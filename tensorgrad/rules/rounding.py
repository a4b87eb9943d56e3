"""Rounding, remainders, and decompositions of numbers: integer part and fraction, mantissa and exponent.

Functions that are piecewise constant have gradient 0, and their results are recorded. At a discontinuity of a
remainder, its gradient is that of the piece to which the point belongs.
"""

from __future__ import annotations

import numpy as np

from tensorgrad.engine.registry import implements, primitive, rule
from tensorgrad.engine.tape import Array, value_of


@primitive
def fraction(x: Array) -> Array:
    """``x`` without its integer part, with the sign of ``x``."""
    return np.modf(x)[0]


# fmt: off

# Piecewise constant
rule(np.floor,        lambda g, _ans, _x: np.zeros_like(g), selects=True)
rule(np.ceil,         lambda g, _ans, _x: np.zeros_like(g), selects=True)
rule(np.trunc,        lambda g, _ans, _x: np.zeros_like(g), selects=True)
rule(np.rint,         lambda g, _ans, _x: np.zeros_like(g), selects=True)
rule(np.round,        lambda g, _ans, _x, decimals=0: np.zeros_like(g), selects=True)
rule(np.around,       lambda g, _ans, _x, decimals=0: np.zeros_like(g), selects=True)
rule(np.spacing,      lambda g, _ans, _x: np.zeros_like(g), selects=True)
rule(np.floor_divide, lambda g, _ans, _x, _y: np.zeros_like(g),
                      lambda g, _ans, _x, _y: np.zeros_like(g), selects=True)

# Remainders
rule(np.remainder,    lambda g, _ans, _x, _y: g,
                      lambda g, _ans, x, y: -g * np.floor_divide(x, y), selects=True)
rule(np.fmod,         lambda g, _ans, _x, _y: g,
                      lambda g, ans, x, y: -g * np.rint((x - ans) / y), selects=True)  # x / y may round up
rule(fraction,        lambda g, _ans, _x: g)
rule(np.ldexp,        lambda g, _ans, _x, exponent: np.ldexp(g, exponent),
                      None)
rule(np.nextafter,    lambda g, _ans, _x, _y: g,
                      lambda g, _ans, _x, _y: np.zeros_like(g))
# fmt: on


@implements(np.fix)
def fix(x: Array) -> Array:
    """``x`` rounded towards 0."""
    return np.trunc(x)


@implements(np.divmod)
def divmod(x: Array, y: Array) -> tuple[Array, Array]:
    """The integer quotient, whose gradient is 0, and the remainder."""
    return np.floor_divide(x, y), np.remainder(x, y)


@implements(np.modf)
def modf(x: Array) -> tuple[Array, Array]:
    """The fraction, and the integer part, whose gradient is 0."""
    part, whole = fraction(x), np.trunc(x)
    return part, whole if whole.dtype == part.dtype else whole.astype(part.dtype)  # for integers


@implements(np.frexp)
def frexp(x: Array) -> tuple[Array, Array]:
    """Mantissa and exponent; the exponent is a plain array of integers."""
    exponent = np.frexp(value_of(x))[1]
    return np.ldexp(x, -exponent), exponent
