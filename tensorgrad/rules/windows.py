"""Sliding windows, convolution of vectors, and padding."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple
from numpy.lib.stride_tricks import sliding_window_view

from tensorgrad.engine.registry import also_complex, implements, primitive, rule
from tensorgrad.engine.sums import wide
from tensorgrad.engine.tape import Array, Variable, any_tracked, value_of
from tensorgrad.errors import NoRuleError
from tensorgrad.rules.ordering import along
from tensorgrad.rules.shapes import asarray, cast_to_fit

_COPYING = ("edge", "reflect", "symmetric", "wrap")  # modes of `numpy.pad` that pad with elements of the array


@primitive
def windows(x: Array, *, axis: int, size: int) -> Array:
    """All windows along an axis, as a view: window ``i`` starts at element ``i`` and extends along a new last axis."""
    return sliding_window_view(x, size, axis)


@primitive
def overlap_add(x: Array, *, axis: int) -> Array:
    """The transpose of `windows`: element ``j`` of window ``i`` is added to element ``i + j``."""
    axis = normalize_axis_index(axis, x.ndim - 1)
    x = np.moveaxis(x, axis, -2)  # (..., i, j)
    if x.shape[-2] < x.shape[-1]:
        x = np.swapaxes(x, -2, -1)  # i and j are interchangeable: add the smaller number of slices
    *rest, n, size = x.shape
    out = np.zeros((*rest, n + size - 1), wide(x.dtype) or x.dtype)
    for j in range(size):
        out[..., j : j + n] += x[..., j]
    return np.moveaxis(out.astype(x.dtype, copy=False), -1, axis)


# fmt: off
rule(windows,     lambda g, _ans, _x, *, axis, size: overlap_add(g, axis=axis))
rule(overlap_add, lambda g, _ans, _x, *, axis: windows(g, axis=axis, size=_x.shape[-1]))
# fmt: on

also_complex(windows, overlap_add)


@implements(sliding_window_view)
def _sliding_window_view(x: Array, window_shape: Any, axis: Any = None) -> Array:
    """All windows of these lengths; their elements are along new axes at the end."""
    sizes = tuple(window_shape) if np.iterable(window_shape) else (window_shape,)
    axes = tuple(range(x.ndim)) if axis is None else normalize_axis_tuple(axis, x.ndim, allow_duplicate=True)
    if len(sizes) != len(axes):
        raise ValueError(f"sliding_window_view: {len(axes)} axes need as many window lengths, got {window_shape}")
    for one_axis, size in zip(axes, sizes, strict=True):
        x = windows(x, axis=one_axis, size=size)
    return x


# ------------------------------------------------------------------------------------------------ convolution


@primitive
def convolve(x: Array, y: Array, *, mode: Any) -> Array:
    """`numpy.convolve` for the modes ``"full"`` and ``"valid"``; for the latter, ``y`` is not longer than ``x``."""
    return np.convolve(x, y, mode)


# fmt: off
rule(convolve, lambda g, _ans, _x, y, *, mode: np.convolve(g, y[::-1], "valid" if mode == "full" else "full"),
               lambda g, _ans, x, _y, *, mode: np.convolve(g, x[::-1], "valid"), singular=False)
# fmt: on


@implements(np.convolve)
def _convolve(a: Array, v: Array, mode: Any = "full") -> Array:
    if mode not in ("full", "same", "valid"):
        raise ValueError(f"convolve: mode must be 'full', 'same' or 'valid', got {mode!r}")
    long, short = (np.reshape(x, (-1,)) if np.ndim(x) == 0 else asarray(x) for x in (a, v))
    if len(short) > len(long):
        long, short = short, long
    if mode != "same":
        return convolve(long, short, mode=mode)
    start = (len(short) - 1) // 2
    return convolve(long, short, mode="full")[start : start + len(long)]


@implements(np.correlate)
def correlate(a: Array, v: Array, mode: Any = "valid") -> Array:
    """``sum(a[n + k] * conj(v[n]))`` for all shifts ``k`` with an overlap (``"valid"``: with a full overlap)."""
    if np.ndim(a) == 0 or np.ndim(v) == 0:
        raise ValueError("correlate: both inputs must be at least one-dimensional")
    reverse = np.conj(asarray(v))[::-1] if np.iscomplexobj(v) else asarray(v)[::-1]
    if mode == "same" and np.size(a) < np.size(v):  # centred with respect to the longer input, as in NumPy
        return np.convolve(a, reverse, "full")[np.size(a) // 2 :][: len(v)]
    return np.convolve(a, reverse, mode)


also_complex(convolve, np.convolve, np.correlate)


# ------------------------------------------------------------------------------------------------ padding


@primitive
def pad(x: Array, *, widths: Any, inside: tuple[slice, ...], constant_values: Any) -> Array:
    """Pad with a constant; the slices ``inside`` of the result are ``x``."""
    return np.pad(x, widths, constant_values=constant_values)


rule(pad, lambda g, _ans, _x, *, widths, inside, constant_values: g[inside])
also_complex(pad)


@implements(np.pad)
def _pad(array: Array, pad_width: Any, mode: Any = "constant", *, constant_values: Any = None) -> Array:
    if mode not in ("constant", *_COPYING):
        raise NoRuleError(
            f"np.pad: no gradient rule for mode {mode!r}; there is one for 'constant' (with constant_values), "
            f"{', '.join(map(repr, _COPYING))}. Use np.concatenate, or pad t.data if no gradient is needed."
        )
    if array.ndim == 0:
        return np.copy(array)
    widths = _pairs(value_of(pad_width), array.ndim)
    if mode == "constant":
        inside = tuple(slice(before, before + n) for (before, _), n in zip(widths, array.shape, strict=True))
        values = 0 if constant_values is None else constant_values
        if any_tracked(values):
            return _pad_with(array, widths, values)
        return pad(array, widths=widths, inside=inside, constant_values=values)
    if constant_values is not None:
        raise ValueError(f"pad: constant_values are not supported for mode {mode!r}")
    padded = np.copy(array)
    for axis, n in enumerate(array.shape):
        indices = np.pad(np.arange(n), widths[axis], mode)  # of the elements along the axis
        if len(indices) > n:
            front, back = indices[: widths[axis][0]], indices[widths[axis][0] + n :]
            padded = np.concatenate([along(padded, axis, front), padded, along(padded, axis, back)], axis)
    return padded


def _pad_with(x: Array, widths: Any, values: Any) -> Array:
    """Pad with constants that are tensors, one axis after the other; corners get the constant of the last axis."""
    values = values if isinstance(values, Variable) else np.asarray(values, like=x)
    values = cast_to_fit(np.broadcast_to(values, (x.ndim, 2)), x.dtype)
    for axis, (before, after) in enumerate(widths):
        ends = [(*x.shape[:axis], n, *x.shape[axis + 1 :]) for n in (before, after)]
        front, back = (np.broadcast_to(values[axis, k], ends[k]) for k in (0, 1))
        x = np.concatenate([front, x, back], axis)
    return x


def _pairs(pad_width: Any, ndim: int) -> Any:
    """The widths before and after each axis, as an array of shape ``(ndim, 2)``."""
    if isinstance(pad_width, dict):
        given = {range(ndim)[axis]: width for axis, width in pad_width.items()}
        return np.array([np.broadcast_to(given.get(axis, 0), 2) for axis in range(ndim)])
    return np.array(np.broadcast_to(pad_width, (ndim, 2)))
