"""Derivatives at kinks: 0 for ``|x|`` at 0, for a norm at 0.

Only the value of the derivative is chosen, not its own derivative: ``norm(x) ** 2`` is smooth at 0, and if the chosen 0
were differentiated, its second derivative would be 0 instead of 2. The functions here return the chosen value, but have
the derivative of the original expression: infinite or NaN at the kink, which has no effect where it is not used.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.engine.registry import also_complex, primitive, rule
from tensorgrad.engine.tape import Array, value_of


@primitive
def zero_where(slope: Array, *, kink: Any) -> Array:
    """``slope``, with 0 at kinks."""
    return np.where(kink, 0, slope)


@primitive
def side(x: Array) -> Array:
    """The sign of ``x``, which is the slope of ``|x|``. Its derivative is 0, or NaN at 0 if ``g`` is 0 there.

    The slope of ``f(|x|)`` is ``f'(|x|)``, here ``g``, times the sign. If ``g`` is 0 where ``x`` is 0, the composition
    may be smooth, as ``|x| ** 2`` is; its second derivative is not known here, hence NaN.
    """
    return np.sign(x)


@primitive
def jump(x: Array) -> Array:
    """Zeros with the derivative of `side`, to be added to a share of 1/2 that is discontinuous where ``x`` is 0."""
    return np.zeros_like(x)


# fmt: off
rule(zero_where, lambda g, _ans, _slope, *, kink: g, elementwise=True)
rule(side,       lambda g, _ans, x: np.where((x == 0) & (value_of(g) == 0), g * np.nan, 0), elementwise=True)
rule(jump,       lambda g, _ans, x: np.where((x == 0) & (value_of(g) == 0), g * np.nan, 0), elementwise=True)
# fmt: on

also_complex(zero_where)


def settled(slope: Array, kink: Any) -> Array:
    """``slope`` with 0 at kinks; `zero_where` is only called if there are any."""
    kink = value_of(kink)
    return zero_where(slope, kink=kink) if np.any(kink) else slope


def unit(x: Array, length: Array) -> Array:
    """``x / length``; 0 where the length is 0."""
    return settled(x / length, length == 0)
