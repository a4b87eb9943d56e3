"""`numpy.emath`: functions whose result is complex for real inputs outside their real domain."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tensorgrad.engine.registry import implements
from tensorgrad.engine.tape import Array, value_of
from tensorgrad.rules.shapes import asarray


def _promoted(x: Array, is_outside: Callable[[Array], Any]) -> Array:
    """``x``, cast to a complex dtype if an element is outside the domain."""
    x = asarray(x)
    if x.dtype.kind == "c" or not np.any(is_outside(value_of(x))):
        return x
    return np.astype(x, np.result_type(x.dtype, np.complex64))


def _negative(x: Array) -> Any:
    return np.less(x, 0)


def _beyond_one(x: Array) -> Any:
    return np.greater(np.abs(x), 1)


def _enter(function: Callable[..., Any], plain: Callable[..., Any], is_outside: Callable[[Array], Any]) -> None:
    @implements(function, complex=True)
    def on_any_domain(x: Array) -> Array:
        return plain(_promoted(x, is_outside))

    on_any_domain.__doc__ = f"`numpy.{plain.__name__}`, with a complex result outside the real domain."


for _name in ("sqrt", "log", "log2", "log10"):
    _enter(getattr(np.emath, _name), getattr(np, _name), _negative)
for _name in ("arccos", "arcsin", "arctanh"):
    _enter(getattr(np.emath, _name), getattr(np, _name), _beyond_one)


@implements(np.emath.logn, complex=True)
def logn(n: Array, x: Array) -> Array:
    """The logarithm to the base ``n``, with a complex result outside the real domain."""
    return np.log(_promoted(x, _negative)) / np.log(_promoted(n, _negative))


@implements(np.emath.power, complex=True)
def power(x: Array, p: Array) -> Array:
    """Powers, with a complex result for negative ``x``."""
    p = asarray(p)
    return np.power(_promoted(x, _negative), p * 1.0 if p.dtype.kind in "iu" and np.any(value_of(p) < 0) else p)
