"""Reductions that ignore NaN: ``nansum`` and similar functions. An element that is NaN has gradient 0."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.engine.registry import also_complex, fallback, implements, rule
from tensorgrad.engine.tape import Array, value_of
from tensorgrad.rules.reductions import count, extreme_dx, mean, of_dtype, resolved_ddof

# fmt: off
rule(np.nanmax, lambda g, ans, x, axis=None, *, keepdims=False:
                    extreme_dx(g, ans, x, axis, keepdims, nan=False), selects=True)
rule(np.nanmin, lambda g, ans, x, axis=None, *, keepdims=False:
                    extreme_dx(g, ans, x, axis, keepdims, nan=False), selects=True)
# fmt: on


def _is_valid(x: Array, where: Any) -> Any:
    """Whether elements are not NaN and ``where`` is true."""
    return ~np.isnan(x) & value_of(where)


@implements(np.nansum)
def nansum(x: Array, axis: Any = None, dtype: Any = None, *, keepdims: bool = False, initial: Any = 0,
           where: Any = True) -> Array:  # fmt: skip
    """The sum with 0 for NaN."""
    return np.sum(x, axis, dtype, keepdims=keepdims, initial=initial, where=_is_valid(x, where))


@implements(np.nanprod)
def nanprod(x: Array, axis: Any = None, dtype: Any = None, *, keepdims: bool = False, initial: Any = 1,
            where: Any = True) -> Array:  # fmt: skip
    """The product with 1 for NaN."""
    return np.prod(x, axis, dtype, keepdims=keepdims, initial=initial, where=_is_valid(x, where))


def _extreme(nan_reduce: Any, reduce: Any) -> None:
    @fallback(nan_reduce)
    def extreme(x: Array, axis: Any = None, *, keepdims: bool = False, initial: Any = None, where: Any = True) -> Array:
        if initial is None and where is True:
            return nan_reduce(x, axis=axis, keepdims=keepdims)
        return reduce(x, axis=axis, keepdims=keepdims, initial=initial, where=_is_valid(x, where))


_extreme(np.nanmax, np.max)
_extreme(np.nanmin, np.min)


@implements(np.nancumsum)
def nancumsum(x: Array, axis: int | None = None, dtype: Any = None) -> Array:
    """Cumulative sums with 0 for NaN."""
    return np.cumsum(np.where(np.isnan(x), 0, x), axis=axis, dtype=dtype)


@implements(np.nancumprod)
def nancumprod(x: Array, axis: int | None = None, dtype: Any = None) -> Array:
    """Cumulative products with 1 for NaN."""
    return np.cumprod(np.where(np.isnan(x), 1, x), axis=axis, dtype=dtype)


@implements(np.nanmean)
def nanmean(x: Array, axis: Any = None, dtype: Any = None, *, keepdims: bool = False, where: Any = True) -> Array:
    """The mean of the elements that are not NaN."""
    return mean(of_dtype(x, dtype), axis, keepdims, _is_valid(x, where))


@implements(np.nanvar)
def nanvar(x: Array, axis: Any = None, dtype: Any = None, *, ddof: float = 0, keepdims: bool = False,
           where: Any = True, mean: Array = None, correction: float | None = None) -> Array:  # fmt: skip
    """The variance of the elements that are not NaN; NaN, not infinite, if there are too few."""
    return _nan_if_too_few(np.var, of_dtype(x, dtype), axis, resolved_ddof(ddof, correction), keepdims, where, mean)


@implements(np.nanstd)
def nanstd(x: Array, axis: Any = None, dtype: Any = None, *, ddof: float = 0, keepdims: bool = False,
           where: Any = True, mean: Array = None, correction: float | None = None) -> Array:  # fmt: skip
    """The standard deviation of the elements that are not NaN; NaN, not infinite, if there are too few."""
    return _nan_if_too_few(np.std, of_dtype(x, dtype), axis, resolved_ddof(ddof, correction), keepdims, where, mean)


def _nan_if_too_few(spread: Any, x: Array, axis: Any, ddof: float, keepdims: bool, where: Any, mean: Array) -> Array:
    valid = _is_valid(x, where)
    out = spread(x, axis=axis, ddof=ddof, keepdims=keepdims, where=valid, mean=mean)
    too_few = count(x, out, axis, valid) <= ddof
    return np.where(too_few, np.nan, out) if np.any(too_few) else out


also_complex(np.nansum, np.nanprod, np.nancumsum, np.nancumprod, np.nanmean, np.nanvar, np.nanstd)
