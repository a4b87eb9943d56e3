"""Averages, order statistics, covariances, counts."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from tensorgrad.engine.registry import also_complex, implements
from tensorgrad.engine.tape import Array, any_tracked, as_array, current_mode, value_of
from tensorgrad.errors import NoRuleError
from tensorgrad.rules.reductions import reduced_axes_first
from tensorgrad.rules.shapes import asarray


@implements(np.average)
def average(a: Array, axis: Any = None, weights: Array = None, returned: bool = False, *,
            keepdims: bool = False) -> Any:  # fmt: skip
    """The weighted mean. The weights have the shape of ``a``, or of its reduced axes."""
    a = asarray(a)
    if weights is None:
        mean = np.mean(a, axis=axis, keepdims=keepdims)
        scale = a.size / mean.size  # not of an empty result, as in NumPy
        return (mean, np.full_like(mean, scale)) if returned else mean
    a, weights = a.astype(np.float64) if a.dtype.kind in "biu" else a, asarray(weights)
    if weights.shape != a.shape:
        if axis is None:
            raise TypeError(f"average: weights of shape {weights.shape} for an array of shape {a.shape} need an axis")
        axes = normalize_axis_tuple(axis, a.ndim)
        if weights.shape != tuple(a.shape[i] for i in axes):
            raise ValueError(f"average: weights of shape {weights.shape} do not match axis {axis} of shape {a.shape}")
        order = sorted(range(len(axes)), key=axes.__getitem__)
        weights = np.expand_dims(np.transpose(weights, order), tuple(i for i in range(a.ndim) if i not in axes))
    total = np.sum(weights, axis=axis, keepdims=keepdims)
    if np.any(value_of(total) == 0):
        raise ZeroDivisionError("average: the weights sum to zero and cannot be normalized")
    mean = np.sum(a * weights, axis=axis, keepdims=keepdims) / total
    return (mean, np.broadcast_to(total, mean.shape)) if returned else mean


also_complex(np.average)


# ------------------------------------------------------------------------------------------------ order statistics


def _select(columns: Array, positions: Any) -> Array:
    """The elements at these positions of each column in sorted order, as NumPy's partition arranges equal ones."""
    values = value_of(columns)
    order = np.argpartition(values, np.unique(positions), axis=0)
    others = np.indices(values.shape[1:], sparse=True)
    return columns[(order[(positions, *others)], *others)]


def _last_if_nan(columns: Array, positions: Any) -> Any:
    """``positions``; the last position for a column that contains a NaN, which is sorted there: the result is NaN."""
    return np.where(np.isnan(value_of(columns)).any(axis=0), columns.shape[0] - 1, positions)


def _count_not_nan(columns: Array) -> Any:
    """The number of elements of each column that are not NaN."""
    return np.count_nonzero(~np.isnan(value_of(columns)), axis=0)


@implements(np.median)
def median(a: Array, axis: Any = None, *, keepdims: bool = False) -> Array:
    """The middle element, or the mean of the two in the middle."""
    columns, kept = reduced_axes_first(a, axis)
    n = columns.shape[0]
    if n:
        middle = np.arange((n - 1) // 2, n // 2 + 1).reshape(-1, *[1] * (columns.ndim - 1))
        columns = _select(columns, _last_if_nan(columns, middle))
    out = np.mean(columns, axis=0)
    return np.reshape(out, kept) if keepdims else out


@implements(np.nanmedian)
def nanmedian(a: Array, axis: Any = None, *, keepdims: bool = False) -> Array:
    """The median of the elements that are not NaN."""
    columns, kept = reduced_axes_first(a, axis)
    if columns.shape[0]:
        n = _count_not_nan(columns)
        columns = _select(columns, np.stack([np.maximum(n - 1, 0) // 2, n // 2]))
    out = np.mean(columns, axis=0)
    return np.reshape(out, kept) if keepdims else out


# The position of a quantile among n sorted elements, which are numbered from 0.
# Source: Hyndman and Fan, "Sample quantiles in statistical packages", 1996.
_POSITION: dict[str, Callable[[Any, Any], Any]] = {
    "linear": lambda n, q: (n - 1) * q,
    "hazen": lambda n, q: n * q - 0.5,
    "weibull": lambda n, q: (n + 1) * q - 1,
    "median_unbiased": lambda n, q: (n + 1 / 3) * q - 2 / 3,
    "normal_unbiased": lambda n, q: (n + 1 / 4) * q - 5 / 8,
    "interpolated_inverted_cdf": lambda n, q: n * q - 1,
    "midpoint": lambda n, q: 0.5 * (np.floor((n - 1) * q) + np.ceil((n - 1) * q)),
    "lower": lambda n, q: np.floor((n - 1) * q),
    "higher": lambda n, q: np.ceil((n - 1) * q),
    "nearest": lambda n, q: np.rint((n - 1) * q),
}


def _quantile(a: Array, q: Any, axis: Any, method: str, keepdims: bool, nan: bool) -> Array:
    """Quantiles by interpolation between the elements on both sides of a position; ``nan``: ignoring NaN."""
    if method not in _POSITION:
        np.quantile(np.zeros(1), 0.5, method=method)  # type: ignore[call-overload]  # raises NumPy's error
        raise NoRuleError(f"no gradient rule for the quantile method {method!r}: use one of {', '.join(_POSITION)}")
    at = as_array(value_of(q))
    if at.ndim > 2 or not np.all((at >= 0) & (at <= 1)):
        raise ValueError("quantiles must be in the range 0 to 1 (percentiles 0 to 100), with at most two axes")
    a = asarray(a)
    if a.dtype.kind == "c":
        raise TypeError("quantile: complex numbers have no order")
    columns, kept = reduced_axes_first(a, axis)
    if not columns.shape[0] and nan:
        empty = np.sum(columns, axis=0) + np.nan
        return np.reshape(
            np.broadcast_to(empty, at.shape + empty.shape), at.shape + (kept if keepdims else empty.shape)
        )
    if not columns.shape[0]:
        raise IndexError("quantile of an empty array")
    weak = type(q) in (int, float)  # a Python number, which does not determine the dtype of the result
    if not weak:
        q = np.reshape(asarray(q), (*at.shape, *[1] * (columns.ndim - 1)))
    kind = np.result_type(columns.dtype if weak else q.dtype, 1.0)
    n = _count_not_nan(columns).astype(kind) if nan else columns.shape[0]
    last = np.maximum(n - 1, 0) if nan else n - 1
    position = np.clip(_POSITION[method](n, q), 0, last)
    below = np.maximum(np.minimum(np.floor(value_of(position)), last - 1), 0)
    part = position - below
    if weak:
        part = part.item() if np.ndim(part) == 0 else part.astype(np.result_type(columns.dtype, 1.0))
    ends = (end.astype(int) for end in (below, np.minimum(below + 1, last)))
    low, high = (_select(columns, end if nan else _last_if_nan(columns, end)) for end in ends)
    if method in ("lower", "higher", "nearest") or at.dtype.kind in "biu":  # no interpolation
        out = np.where(value_of(part) == 1, high, low)
    else:
        out = low * (1 - part) + high * part
    return np.reshape(out, (*at.shape, *kept)) if keepdims else out


def _fraction(percent: Any) -> Any:
    return percent / 100 if type(percent) in (int, float) else np.true_divide(asarray(percent), 100)


def _enter(fn: Any, percent: bool, nan: bool) -> None:
    @implements(fn)
    def quantile(a: Array, q: Any, axis: Any = None, *, method: str = "linear", keepdims: bool = False) -> Array:
        return _quantile(a, _fraction(q) if percent else q, axis, method, keepdims, nan)

    kind, elements = "percentile" if percent else "quantile", "elements that are not NaN" if nan else "elements"
    quantile.__name__ = fn.__name__
    quantile.__doc__ = f"The {kind} ``q`` of the {elements}; also differentiable with respect to ``q``."


_enter(np.quantile, percent=False, nan=False)
_enter(np.percentile, percent=True, nan=False)
_enter(np.nanquantile, percent=False, nan=True)
_enter(np.nanpercentile, percent=True, nan=True)


# ------------------------------------------------------------------------------------------------ covariance


@implements(np.cov)
def cov(m: Array, y: Array = None, rowvar: bool = True, bias: bool = False, ddof: int | None = None,
        fweights: Array = None, aweights: Array = None, *, dtype: Any = None) -> Array:  # fmt: skip
    """The covariance matrix of variables, the rows (or columns, without ``rowvar``), with weighted observations."""
    if ddof is not None and ddof != int(ddof):
        raise ValueError(f"cov: ddof must be an integer, got {ddof}")
    x = _variables(m, rowvar)
    if y is not None:
        x = np.concatenate([x, _variables(y, rowvar)])
    x = x.astype(np.result_type(x.dtype, np.float64) if dtype is None else dtype)
    if x.dtype.kind == "c":
        raise NoRuleError("np.cov: no gradient rule for complex values")
    ddof = (0 if bias else 1) if ddof is None else ddof
    weights = _observed(fweights, "fweights", x)
    if weights is not None and not np.all(value_of(weights) == np.rint(value_of(weights))):
        raise TypeError("cov: fweights, the numbers of observations, must be integers")
    importance = _observed(aweights, "aweights", x)
    if importance is not None:
        weights = importance if weights is None else weights * importance
    center, total = np.mean(x, axis=1), x.shape[1]
    if weights is not None:
        center, totals = np.average(x, axis=1, weights=weights, returned=True)
        total = totals[0]
    freedom = total - (ddof if importance is None else ddof and ddof * np.sum(weights * importance) / total)
    if freedom <= 0:
        warnings.warn("Degrees of freedom <= 0 for slice", RuntimeWarning, stacklevel=2)
        freedom = 0.0
    distance = x - np.expand_dims(center, 1)
    weighted = distance if weights is None else distance * weights
    return np.squeeze(np.matmul(distance, np.transpose(weighted)) / freedom)


def _variables(m: Array, rowvar: bool) -> Array:
    """The variables as the rows of a matrix."""
    m = asarray(m)
    if m.ndim > 2:
        raise ValueError(f"cov: the array must have at most two axes, for variables and observations, got {m.ndim}")
    if m.ndim < 2:
        return np.reshape(m, (1, m.size))
    return m if rowvar else np.transpose(m)


def _observed(weights: Array, name: str, x: Array) -> Array:
    """The weights of the observations, one for each."""
    if weights is None:
        return None
    weights = asarray(weights)
    if weights.shape != x.shape[1:]:
        raise RuntimeError(f"cov: {name} must have shape {x.shape[1:]}, one for each observation, got {weights.shape}")
    if np.any(value_of(weights) < 0):
        raise ValueError(f"cov: {name} cannot be negative")
    return weights.astype(float)


@implements(np.corrcoef)
def corrcoef(x: Array, y: Array = None, rowvar: bool = True, *, dtype: Any = None) -> Array:
    """The correlation matrix: covariances divided by the product of the standard deviations."""
    c = cov(x, y, rowvar, dtype=dtype)
    if c.ndim == 0:
        return c / c
    i = np.arange(len(c))
    deviations = np.sqrt(c[i, i])
    return np.clip(c / np.expand_dims(deviations, 1) / deviations, -1, 1)


# ------------------------------------------------------------------------------------------------ counts


@implements(np.histogram)
def histogram(a: Array, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None) -> Any:
    """Counts, as plain arrays without a gradient. Raises an error if weights or bin edges require a gradient."""
    on_values = range is None and np.ndim(value_of(bins)) == 0
    if current_mode().recording and any_tracked([bins, range, weights, a if on_values else None]):
        raise NoRuleError(
            "np.histogram has no gradient: weights, bins and range must not require one, and bins=<number> needs "
            "range=(low, high), or pass t.detach()"
        )
    return np.histogram(*map(value_of, (a, bins, range, density, weights)))
