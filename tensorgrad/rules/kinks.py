"""Derivatives at kinks: 0 for ``|x|`` at 0, for a norm at 0.

Such a choice is one of a value only. It says nothing of how the slope changes: ``norm(x) ** 2`` is smooth at 0, and of
its second derivative a chosen 0 would make 0, where it is 2. So what is here has the value that was chosen, and the
derivative of what it was chosen for: at the kink infinite or NaN, which stays without effect where it is not used.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.engine.registry import also_complex, primitive, rule
from tensorgrad.engine.tape import Array, value_of


@primitive
def zero_where(slope: Array, *, kink: Any) -> Array:
    """``slope``, but for a value of 0 at kinks."""
    return np.where(kink, 0, slope)


@primitive
def side(x: Array) -> Array:
    """On which side of 0 ``x`` lies, the slope of ``|x|``: its sign, of derivative 0 but in a composition smooth at 0.

    Of ``f(|x|)`` the slope is ``f'(|x|)``, here ``g``, times this. If ``g`` is 0 where ``x`` is, it may be smooth, as
    ``|x| ** 2`` is; what it changes by is not known here, so that it is not a number.
    """
    return np.sign(x)


@primitive
def jump(x: Array) -> Array:
    """0, of derivative 0, but for that of `side`: what is added to a share of 1/2 that changes where ``x`` is 0."""
    return np.zeros_like(x)


# fmt: off
rule(zero_where, lambda g, _ans, _slope, *, kink: g, elementwise=True)
rule(side,       lambda g, _ans, x: np.where((x == 0) & (value_of(g) == 0), g * np.nan, 0), elementwise=True)
rule(jump,       lambda g, _ans, x: np.where((x == 0) & (value_of(g) == 0), g * np.nan, 0), elementwise=True)
# fmt: on

also_complex(zero_where)


def settled(slope: Array, kink: Any) -> Array:
    """`zero_where`, skipped if there are no kinks."""
    kink = value_of(kink)
    return zero_where(slope, kink=kink) if np.any(kink) else slope


def unit(x: Array, length: Array) -> Array:
    """``x / length``; 0 where the length is 0."""
    return settled(x / length, length == 0)
