"""Reductions that leave NaN out: ``nansum`` and its kin. An element that is NaN has gradient 0."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.rules.reductions import count, degrees_lost, mean, restore
from tensorgrad.table import also_complex, implements, rule
from tensorgrad.tape import Array

# fmt: off
rule(np.nanmax, lambda g, ans, x, axis=None, *, keepdims=False:
                    restore(g, axis, keepdims) * _portion(x == restore(ans, axis, keepdims), axis, g), masks=True)
rule(np.nanmin, lambda g, ans, x, axis=None, *, keepdims=False:
                    restore(g, axis, keepdims) * _portion(x == restore(ans, axis, keepdims), axis, g), masks=True)
# fmt: on


def _portion(ties: Array, axis: Any, g: Array) -> Array:
    """``1 / ties`` where there is a tie; nothing where all elements were NaN."""
    return ties / np.maximum(np.sum(ties, axis=axis, keepdims=True), 1).astype(g.dtype)


@implements(np.nansum)
def nansum(x: Array, axis: Any = None, dtype: Any = None, *, keepdims: bool = False) -> Array:
    """The sum with 0 for NaN."""
    return np.sum(np.where(np.isnan(x), 0, x), axis=axis, dtype=dtype, keepdims=keepdims)


@implements(np.nanprod)
def nanprod(x: Array, axis: Any = None, *, keepdims: bool = False) -> Array:
    """The product with 1 for NaN."""
    return np.prod(np.where(np.isnan(x), 1, x), axis=axis, keepdims=keepdims)


@implements(np.nancumsum)
def nancumsum(x: Array, axis: int | None = None, dtype: Any = None) -> Array:
    """Running sums with 0 for NaN."""
    return np.cumsum(np.where(np.isnan(x), 0, x), axis=axis, dtype=dtype)


@implements(np.nancumprod)
def nancumprod(x: Array, axis: int | None = None, dtype: Any = None) -> Array:
    """Running products with 1 for NaN."""
    return np.cumprod(np.where(np.isnan(x), 1, x), axis=axis, dtype=dtype)


@implements(np.nanmean)
def nanmean(x: Array, axis: Any = None, *, keepdims: bool = False) -> Array:
    """The mean of what is not NaN."""
    return mean(x, axis, keepdims, ~np.isnan(x))


@implements(np.nanvar)
def nanvar(x: Array, axis: Any = None, *, ddof: float = 0, keepdims: bool = False, mean: Array = None,
           correction: float | None = None) -> Array:  # fmt: skip
    """The variance of what is not NaN; NaN, not infinite, where that is too little."""
    return _unless_too_few(np.var, x, axis, degrees_lost(ddof, correction), keepdims, mean)


@implements(np.nanstd)
def nanstd(x: Array, axis: Any = None, *, ddof: float = 0, keepdims: bool = False, mean: Array = None,
           correction: float | None = None) -> Array:  # fmt: skip
    """The standard deviation of what is not NaN; NaN, not infinite, where that is too little."""
    return _unless_too_few(np.std, x, axis, degrees_lost(ddof, correction), keepdims, mean)


def _unless_too_few(spread: Any, x: Array, axis: Any, ddof: float, keepdims: bool, mean: Array) -> Array:
    there = ~np.isnan(x)
    out = spread(x, axis=axis, ddof=ddof, keepdims=keepdims, where=there, mean=mean)
    too_few = count(x, out, axis, there) <= ddof
    return np.where(too_few, np.nan, out) if np.any(too_few) else out


also_complex(np.nansum, np.nanprod, np.nancumsum, np.nancumprod, np.nanmean, np.nanvar, np.nanstd)
