"""Cumulative sums and products along an axis, and integration of samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from tensorgrad.engine.registry import also_complex, implements, primitive, rule
from tensorgrad.engine.tape import Array, value_of
from tensorgrad.rules.ordering import along
from tensorgrad.rules.shapes import asarray
from tensorgrad.summation import wide


@primitive
def recurrence(x: Array, y: Array) -> Array:
    """``s[i] = x[i] * s[i - 1] + y[i]`` along the first axis, with ``s[0] = y[0]`` and ``0 * inf = 0``."""
    out = np.array(y, np.result_type(x, y))
    finite = bool(np.isfinite(x).all())
    for i in range(1, len(out)):
        out[i] += out[i - 1] * (x[i] if finite else np.where(out[i - 1] == 0, 0, x[i]))
    return out


# fmt: off
rule(np.cumsum,  lambda g, _ans, _x, axis=None, dtype=None:
                     np.reshape(np.flip(np.cumsum(np.flip(g, axis), axis, wide(g.dtype)), axis), _x.shape))
rule(np.cumprod, lambda g, ans, x, axis=None, dtype=None: np.reshape(_cumprod_dx(g, ans, x, axis or 0), x.shape))
rule(recurrence, lambda g, ans, x, _y: _backward(x, g) * _delay(ans, 0),
                 lambda g, _ans, x, _y: _backward(x, g))
# fmt: on


def _delay(x: Array, first: float) -> Array:
    """``x`` shifted by one along the first axis: ``x[i - 1]`` at ``i``, and ``first`` at 0."""
    return np.concatenate([np.full_like(x[:1], first), x[:-1]])


def _backward(x: Array, g: Array) -> Array:
    """The transpose of `recurrence` as a function of ``y``: ``s[i] = x[i + 1] * s[i + 1] + g[i]``, from the end."""
    return np.flip(recurrence(_delay(np.flip(x, 0), 0), np.flip(g, 0)), 0)


def _cumprod_dx(g: Array, ans: Array, x: Array, axis: int) -> Array:
    """The product of the elements before ``x[i]``, times a sum over all products that contain it; without division.

    The sum is evaluated by Horner's scheme: ``g[i] + x[i + 1] * (g[i + 1] + x[i + 2] * (...))``.
    """
    g, ans, x = (np.swapaxes(z, 0, axis) for z in (g, ans, np.reshape(x, g.shape)))
    before, after = _delay(ans, 1), _backward(x, g)
    if not np.isfinite(value_of(before)).all():  # after an overflow or NaN, unused elements have gradient 0
        before = np.where(value_of(after) == 0, 0, before)
    return np.swapaxes(before * after, 0, axis)


def _cumulative(running: Callable[..., Array], x: Array, axis: int | None, dtype: Any, first: int | None) -> Array:
    """`numpy.cumulative_sum` or `numpy.cumulative_prod`, computed by ``running`` and preceded by ``first`` if given."""
    if axis is None and x.ndim > 1:
        raise ValueError("axis is required for an array with more than one axis")
    out = running(x, axis=axis, dtype=dtype)
    if first is None:
        return out
    shape = list(out.shape)
    shape[axis or 0] = 1
    return np.concatenate([np.full(shape, first, out.dtype), out], axis=axis or 0)


@implements(np.cumulative_sum)
def cumulative_sum(x: Array, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False) -> Array:
    """Cumulative sums, starting with 0 if ``include_initial``."""
    return _cumulative(np.cumsum, x, axis, dtype, 0 if include_initial else None)


@implements(np.cumulative_prod)
def cumulative_prod(x: Array, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False) -> Array:
    """Cumulative products, starting with 1 if ``include_initial``."""
    return _cumulative(np.cumprod, x, axis, dtype, 1 if include_initial else None)


@implements(np.trapezoid)
def trapezoid(y: Array, x: Array = None, dx: Any = 1.0, axis: int = -1) -> Array:
    """The integral by the trapezoidal rule, for samples at ``x`` or with spacing ``dx``."""
    y = asarray(y)
    if x is not None:
        x = asarray(x)
        dx = np.diff(x, axis=axis if x.ndim > 1 else 0)
        if x.ndim == 1:
            dx = np.expand_dims(dx, tuple(range(1, y.ndim - normalize_axis_index(axis, y.ndim))))
    return np.sum(dx * (along(y, axis, slice(1, None)) + along(y, axis, slice(-1))) / 2.0, axis=axis)


also_complex(np.cumsum, np.cumprod, recurrence, np.cumulative_sum, np.cumulative_prod, np.trapezoid)
