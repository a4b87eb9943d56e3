"""Derivatives at kinks: 0 for ``|x|`` and for norms at 0.

This choice is for the first derivative only. ``norm(x) ** 2`` is smooth at 0, and if the chosen 0 were
differentiated, its second derivative would be 0 instead of 2. The functions here return the chosen value, but have the
derivative of the original expression: infinite or NaN at the kink, which has no effect on elements that are not used.
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
def abs_slope(x: Array) -> Array:
    """The sign of ``x``, which is the slope of ``|x|``. Its derivative is 0, or NaN at 0 if ``g`` is 0 there.

    The derivative of ``f(|x|)`` is ``f'(|x|) * sign(x)``, and ``g`` is ``f'(|x|)``. If it is 0 where ``x`` is 0, the
    composition may be smooth, as ``|x| ** 2`` is, and its second derivative is not known here: hence NaN.
    """
    return np.sign(x)


@primitive
def tie_slope(x: Array) -> Array:
    """Zeros with the derivative of `abs_slope`, to be added to a share of 1/2 at a tie, where ``x`` is 0."""
    return np.zeros_like(x)


# fmt: off
rule(zero_where, lambda g, _ans, _slope, *, kink: g, elementwise=True)
rule(abs_slope,       lambda g, _ans, x: np.where((x == 0) & (value_of(g) == 0), g * np.nan, 0), elementwise=True)
rule(tie_slope,       lambda g, _ans, x: np.where((x == 0) & (value_of(g) == 0), g * np.nan, 0), elementwise=True)
# fmt: on

also_complex(zero_where)


def zero_at_kink(slope: Array, kink: Any) -> Array:
    """``slope`` with 0 at kinks; `zero_where` is only called if there are any."""
    kink = value_of(kink)
    return zero_where(slope, kink=kink) if np.any(kink) else slope


def normalized(x: Array, length: Array) -> Array:
    """``x / length``; 0 where the length is 0."""
    return zero_at_kink(x / length, length == 0)
