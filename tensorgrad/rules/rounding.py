"""Rounding, remainders, and the parts of a number: whole and fraction, mantissa and exponent.

What is piecewise constant has gradient 0, not none: its results stay on the tape. Where a remainder jumps, its gradient
is that of the piece on which the point lies.
"""

from __future__ import annotations

import numpy as np

from tensorgrad.engine.registry import implements, primitive, rule
from tensorgrad.engine.tape import Array, value_of


@primitive
def fraction(x: Array) -> Array:
    """``x`` without its whole part, with the sign of ``x``."""
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

# What is left
rule(np.remainder,    lambda g, _ans, _x, _y: g,
                      lambda g, _ans, x, y: -g * np.floor_divide(x, y), selects=True)  # by the quotient
rule(np.fmod,         lambda g, _ans, _x, _y: g,
                      lambda g, ans, x, y: -g * np.rint((x - ans) / y), selects=True)  # x / y may round up
rule(fraction,        lambda g, _ans, _x: g)
rule(np.ldexp,        lambda g, _ans, _x, exponent: np.ldexp(g, exponent),
                      None)
rule(np.nextafter,    lambda g, _ans, _x, _y: g,  # a neighbour moves along
                      lambda g, _ans, _x, _y: np.zeros_like(g))
# fmt: on


@implements(np.fix)
def fix(x: Array) -> Array:
    """Rounded towards 0."""
    return np.trunc(x)


@implements(np.divmod)
def divmod(x: Array, y: Array) -> tuple[Array, Array]:
    """The whole quotient, whose gradient is 0, and the remainder."""
    return np.floor_divide(x, y), np.remainder(x, y)


@implements(np.modf)
def modf(x: Array) -> tuple[Array, Array]:
    """The fraction and the whole part, whose gradient is 0."""
    part, whole = fraction(x), np.trunc(x)
    return part, whole if whole.dtype == part.dtype else whole.astype(part.dtype)  # of integers


@implements(np.frexp)
def frexp(x: Array) -> tuple[Array, Array]:
    """Mantissa and exponent; the exponent is a plain array of integers."""
    exponent = np.frexp(value_of(x))[1]
    return np.ldexp(x, -exponent), exponent
