"""Functions that reduce axes: sum, mean, max, min, ptp, prod, var, std.

``axis`` is None (all axes), an int or a tuple of ints. Ties share the gradient of ``max`` and ``min`` equally.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from tensorgrad.engine.registry import also_complex, entries, fallback, implements, primitive, row_of, rule
from tensorgrad.engine.tape import Array, any_tracked, current_mode, value_of
from tensorgrad.errors import NoRuleError
from tensorgrad.rules.division import depends_on, quotient
from tensorgrad.rules.kinks import normalized, tie_slope
from tensorgrad.summation import wide, widened

std = primitive(np.std)

# fmt: off
rule(np.sum,  lambda g, _ans, _x, axis=None, dtype=None, *, keepdims=False:
                  restore(g, axis, keepdims))
rule(np.mean, lambda g, _ans, _x, axis=None, dtype=None, *, keepdims=False:
                  restore(widened(g) * (g.size / max(_x.size, 1)), axis, keepdims))
rule(np.max,  lambda g, ans, x, axis=None, *, keepdims=False:
                  extreme_dx(g, ans, x, axis, keepdims, nan=True), selects=True)
rule(np.min,  lambda g, ans, x, axis=None, *, keepdims=False:
                  extreme_dx(g, ans, x, axis, keepdims, nan=True), selects=True)
rule(std,     lambda g, ans, x, axis=None, *, ddof=0, keepdims=False:
                  _std_dx(g, ans, x, axis, ddof, keepdims))
# fmt: on

also_complex(np.sum, np.mean)


def _add_up(x: Array, axis: Any = None, dtype: Any = None, *, keepdims: bool = False) -> Array:
    return np.add.reduce(x, axis, dtype, keepdims=keepdims)  # type: ignore[call-overload]


def _average(x: Array, axis: Any = None, dtype: Any = None, *, keepdims: bool = False) -> Array:
    if dtype is not None or x.dtype.char not in "fd" or not x.size or not x.shape:
        return np.mean(x, axis, dtype, keepdims=keepdims)
    total: Array = np.add.reduce(x, axis, keepdims=keepdims)  # type: ignore[call-overload]
    return total / (x.size // total.size)


for _fn, _faster in ((np.sum, _add_up), (np.mean, _average)):  # for few elements, a third of the time of np.sum
    _row = row_of(_fn)
    assert _row is not None
    _row.forward = _faster

for _alias, _function in ((np.amax, np.max), (np.amin, np.min)):
    entries[_alias] = entries[_function]


def restore(reduced: Array, axis: Any, keepdims: bool) -> Array:
    """Put the reduced axes back, with length 1, so that the array broadcasts against the input again."""
    return reduced if keepdims or axis is None else np.expand_dims(reduced, axis)


def count(x: Array, reduced: Array, axis: Any = None, where: Any = True) -> Any:
    """The number of elements selected by ``where`` that were reduced to each result."""
    if where is True:
        return int(x.size // max(reduced.size, 1))
    used = np.broadcast_to(value_of(where), x.shape)
    return np.sum(used, axis=axis, keepdims=True).astype(reduced.dtype).reshape(reduced.shape)


def extreme_dx(g: Array, ans: Array, x: Array, axis: Any, keepdims: bool, *, nan: bool) -> Array:
    """``g``, shared equally by the elements that are equal to the extreme ``ans``, or with ``nan``, that are NaN.

    Where the extreme is 0, at two elements, and ``g`` is a multiple ``q * ans`` of it, ``q * x`` also has the right
    derivatives. At other ties where ``g`` is 0, the second derivative is unknown: NaN.
    """
    extreme = restore(ans, axis, keepdims)
    ties = x == extreme
    if nan:
        ties = ties | (x != x)
    share, q = tie_shares(ties, axis, g), quotient(g, ans, ans)
    if depends_on(g, ans):
        several = ties & (share < 1)
        if q is not None:
            several = several & ((extreme != 0) | (share < 0.4))
        if np.any(several):
            share = share + tie_slope(np.where(several, x - extreme, 1))
    if q is None:
        return restore(g, axis, keepdims) * share
    return restore(q, axis, keepdims) * np.where(ties, x, 0.0) * share  # not 0, which is a multiple


def tie_shares(ties: Array, axis: Any, g: Array) -> Array:
    """1 over the number of ties, at the ties; 0 elsewhere. In the precision of ``g``, for float16 in float32."""
    return ties * (1 / np.maximum(np.sum(ties, axis=axis, keepdims=True), 1)).astype(wide(g.dtype) or g.dtype)


def _std_dx(g: Array, ans: Array, x: Array, axis: Any, ddof: float, keepdims: bool) -> Array:
    """``g`` times the distance from the mean, divided by ``(n - ddof) * ans``; 0 where all elements are equal."""
    if x.size == ans.size and ddof < 1:  # each result is that of a single element
        return np.zeros_like(x)
    distance = x - np.mean(x, axis=axis, keepdims=True)
    n, q = count(x, ans) - ddof, quotient(g, ans, ans)
    if q is not None:
        return restore(q / n, axis, keepdims) * distance
    return restore(g, axis, keepdims) * normalized(distance, restore(ans * n, axis, keepdims))


def reduces_all(x: Array, axis: Any) -> bool:
    """Whether to reduce all elements: ``axis`` is None, or 0 or -1 for a 0-d array."""
    return axis is None or (not x.ndim and type(axis) is int and axis in (0, -1))


def reduced_axes_first(x: Array, axis: Any) -> tuple[Array, tuple[int, ...]]:
    """``x`` with the axes to reduce merged into the first axis, and the shape of the result with ``keepdims``."""
    reduced = normalize_axis_tuple(range(x.ndim) if reduces_all(x, axis) else axis, x.ndim)
    kept = tuple(i for i in range(x.ndim) if i not in reduced)
    shape = (math.prod(x.shape[i] for i in reduced), *(x.shape[i] for i in kept))
    columns = np.reshape(np.transpose(x, (*sorted(reduced), *kept)), shape)
    return columns, tuple(1 if i in reduced else n for i, n in enumerate(x.shape))


@implements(np.ptp)
def ptp(x: Array, axis: Any = None, *, keepdims: bool = False) -> Array:
    """Peak to peak: the maximum minus the minimum."""
    return np.max(x, axis=axis, keepdims=keepdims) - np.min(x, axis=axis, keepdims=keepdims)


def of_dtype(x: Array, dtype: Any) -> Array:
    """``x`` cast to ``dtype``; unchanged if that is None."""
    if dtype is None or x.dtype == dtype:
        return x
    if np.dtype(dtype).kind not in "fc" and any_tracked([x]) and current_mode().recording:
        raise NoRuleError(f"dtype={np.dtype(dtype)} for a tensor that requires a gradient: only floating-point results "
                          "can be differentiated")  # fmt: skip
    return x.astype(dtype)


@implements(np.prod)
def prod(x: Array, axis: Any = None, dtype: Any = None, *, keepdims: bool = False, initial: Any = 1,
         where: Any = True) -> Array:  # fmt: skip
    """Products of pairs, then products of pairs of those, and so on: right for zeros as well, to any order."""
    x = of_dtype(x, dtype)
    if where is not True:
        x = np.where(where, x, 1)
    if x.dtype.kind in "biu" and dtype is None:  # NumPy promotes small integers
        x = x.astype(np.prod(np.zeros(0, x.dtype)).dtype)
    factors, kept = reduced_axes_first(x, axis)
    if factors.shape[0] == 0:  # the empty product is 1, recorded with the dtype of ``x``
        factors = np.sum(factors, axis=0, keepdims=True) + 1
    elif factors.shape[0] == 1:  # the result must not share memory with ``x``
        factors = np.copy(factors)
    while (n := factors.shape[0]) > 1:
        pairs = factors[: n - n % 2 : 2] * factors[1::2]
        factors = np.concatenate([pairs, factors[n - 1 :]]) if n % 2 else pairs
    product = np.reshape(factors, kept if keepdims else factors.shape[1:])
    return product if type(initial) is int and initial == 1 else (product * initial).astype(product.dtype)


def mean(x: Array, axis: Any, keepdims: bool, where: Any) -> Array:
    """The mean of the elements selected by ``where``."""
    if where is True:
        return np.mean(x, axis=axis, keepdims=keepdims)
    total = np.sum(np.where(where, x, 0), axis=axis, dtype=wide(x.dtype), keepdims=keepdims)  # as NumPy does
    out = total / count(x, total, axis, where)
    return out if out.dtype == x.dtype else out.astype(x.dtype)


def _deviation(x: Array, axis: Any, where: Any, center: Array) -> Array:
    """The difference from the mean, or from a given center; 0 for elements that ``where`` does not select."""
    distance = x - (mean(x, axis, True, where) if center is None else center)
    if where is True:
        return distance
    if center is None:  # for a single element it is 0, even if that is NaN
        where = where & (np.sum(np.broadcast_to(value_of(where), x.shape), axis=axis, keepdims=True) > 1)
    return np.where(where, distance, 0)


def resolved_ddof(ddof: float, correction: float | None) -> float:
    """``ddof`` under either of its two names, as a Python number, which does not determine the dtype of a result."""
    if correction is not None:
        if ddof != 0:
            raise ValueError("ddof and correction are two names of the same parameter: pass one of them")
        ddof = correction
    return ddof.item() if isinstance(ddof, np.generic) else ddof


def _divisor(n: Any, ddof: float) -> Any:
    """``n - ddof``, but at least 0."""
    return max(n - ddof, 0) if isinstance(n, int) else np.maximum(n - ddof, 0)


@implements(np.var)
def var(x: Array, axis: Any = None, dtype: Any = None, *, ddof: float = 0, keepdims: bool = False, where: Any = True,
        mean: Array = None, correction: float | None = None) -> Array:  # fmt: skip
    """The sum of the squared differences from the mean, divided by ``n - ddof``."""
    x = of_dtype(x, dtype)
    narrow, x = x.dtype == np.float16, widened(x)
    distance = _deviation(x, axis, where, mean)
    if distance.dtype.kind == "c":
        squares = np.square(np.real(distance)) + np.square(np.imag(distance))
    else:
        squares = np.square(distance)
    total = np.sum(squares, axis=axis, keepdims=keepdims)
    out = total / _divisor(count(x, total, axis, where), resolved_ddof(ddof, correction))
    return out.astype(np.float16) if narrow else out


@implements(np.std)
def _std(x: Array, axis: Any = None, dtype: Any = None, *, ddof: float = 0, keepdims: bool = False,
         where: Any = True, mean: Array = None, correction: float | None = None) -> Array:  # fmt: skip
    x, ddof = of_dtype(x, dtype), resolved_ddof(ddof, correction)
    narrow, x = x.dtype == np.float16, widened(x)
    if where is True and mean is None and x.dtype.kind != "c":
        out = std(x, axis=axis, ddof=ddof, keepdims=keepdims)
    else:
        axis = None if reduces_all(x, axis) else axis
        length = np.linalg.vector_norm(_deviation(x, axis, where, mean), axis=axis, keepdims=keepdims)
        out = length / np.sqrt(_divisor(count(x, length, axis, where), ddof)).astype(length.dtype)
    return out.astype(np.float16) if narrow else out


@fallback(np.sum)
def _sum(x: Array, axis: Any = None, dtype: Any = None, *, keepdims: bool = False, initial: Any = 0,
         where: Any = True) -> Array:  # fmt: skip
    total = np.sum(x if where is True else np.where(where, x, 0), axis=axis, dtype=dtype, keepdims=keepdims)
    return total if type(initial) is int and initial == 0 else (total + initial).astype(total.dtype)


@fallback(np.mean)
def _mean(x: Array, axis: Any = None, dtype: Any = None, *, keepdims: bool = False, where: Any = True) -> Array:
    return mean(of_dtype(x, dtype), axis, keepdims, where)


def _extreme(reduce: Any, worst: float) -> None:
    @fallback(reduce)
    def extreme(x: Array, axis: Any = None, *, keepdims: bool = False, initial: Any = None, where: Any = True) -> Array:
        if initial is None:
            if where is not True:
                raise ValueError(f"{reduce.__name__}: where= may select no element, so it needs initial= as well")
            return reduce(x, axis=axis, keepdims=keepdims)
        selected = x if where is True else np.where(where, x, worst)
        elements, kept = reduced_axes_first(selected, axis)
        first = initial if hasattr(initial, "dtype") else np.asarray(initial, x.dtype)
        first = np.broadcast_to(first, (1, *elements.shape[1:]))  # a further element, with its share of ties
        out = reduce(np.concatenate([first, elements]), axis=0).astype(x.dtype)
        return np.reshape(out, kept) if keepdims else out


_extreme(np.max, -math.inf)
_extreme(np.min, math.inf)

also_complex(np.prod, np.var, np.std)  # the last two are computed from real and imaginary parts


@implements(np.apply_over_axes, complex=True)
def apply_over_axes(func: Any, a: Array, axes: Any) -> Array:
    """Apply ``func(x, axis)`` for one axis after the other; the reduced axes are kept with length 1."""
    for axis in np.atleast_1d(axes):
        reduced = func(a, int(axis) % a.ndim)
        a = reduced if reduced.ndim == a.ndim else np.expand_dims(reduced, int(axis) % a.ndim)
    return a
