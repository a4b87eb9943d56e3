"""Sliding windows, convolution of vectors, and padding.

`unfold` and `fold` are transposes of each other, ``sum(unfold(x) * y) == sum(x * fold(y))``, so that each is the
gradient of the other. Arrays are ``(..., *spatial)``. Windows are ``(..., *kernel, *out)``: for each position in the
kernel, the elements of all windows at this position.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple
from numpy.lib.stride_tricks import sliding_window_view

from tensorgrad.engine.registry import also_complex, implements, primitive, rule
from tensorgrad.engine.tape import Array, Variable, any_tracked, value_of
from tensorgrad.errors import NoRuleError, ShapeError
from tensorgrad.rules.ordering import along
from tensorgrad.rules.shapes import asarray, cast_to_fit
from tensorgrad.summation import wide

Ints = tuple[int, ...]

_COPYING = ("edge", "reflect", "symmetric", "wrap")  # modes of `numpy.pad` that pad with elements of the array


@primitive
def unfold(x: Array, *, kernel: Ints, stride: Ints, dilation: Ints) -> Array:
    """All windows over the last axes of ``x``, ``(..., *spatial)`` to ``(..., *kernel, *out)``: a view, read-only."""
    axes = len(kernel)
    spatial, steps = x.shape[-axes:], x.strides[-axes:]
    out = numbers_of_windows(spatial, kernel, stride, dilation)
    inside = tuple(d * step for d, step in zip(dilation, steps, strict=True))
    across = tuple(s * step for s, step in zip(stride, steps, strict=True))
    return np.lib.stride_tricks.as_strided(
        x, x.shape[:-axes] + kernel + out, x.strides[:-axes] + inside + across, writeable=False
    )


@primitive
def fold(x: Array, *, shape: Ints, stride: Ints, dilation: Ints) -> Array:
    """The transpose of `unfold`: add all windows at their positions, ``(..., *kernel, *out)`` to ``(..., *shape)``."""
    axes = len(shape)
    kernel, counts = x.shape[-2 * axes : -axes], x.shape[-axes:]
    out: Array = np.zeros(x.shape[: -2 * axes] + shape, wide(x.dtype) or x.dtype)
    everywhere = (slice(None),) * axes
    if math.prod(counts) < math.prod(kernel):  # the two are interchangeable: add the smaller number of slices
        lead = x.ndim - 2 * axes
        x = np.transpose(x, (*range(lead), *range(lead + axes, x.ndim), *range(lead, lead + axes)))
        kernel, counts, stride, dilation = counts, kernel, dilation, stride
    for place in np.ndindex(kernel):
        starts = [p * d for p, d in zip(place, dilation, strict=True)]
        there = [slice(a, a + n * s, s) for a, n, s in zip(starts, counts, stride, strict=True)]
        out[(..., *there)] += x[(..., *place, *everywhere)]
    return out.astype(x.dtype, copy=False)


def _same_windows(g: Array, shape: Ints, stride: Ints, dilation: Ints) -> Array:
    """The windows over ``g`` that an array of windows of this shape contains; more of them may fit into ``g``."""
    axes = len(shape) // 2
    found = unfold(g, kernel=shape[:axes], stride=stride, dilation=dilation)
    return found[(..., *map(slice, shape[axes:]))]


# fmt: off
rule(unfold, lambda g, _ans, _x, *, kernel, stride, dilation:
                  fold(g, shape=_x.shape[-len(kernel):], stride=stride, dilation=dilation))
rule(fold,   lambda g, _ans, _x, *, shape, stride, dilation:
                  _same_windows(g, _x.shape[-2 * len(shape):], stride, dilation))
# fmt: on

also_complex(unfold, fold)


def numbers_of_windows(spatial: Ints, kernel: Ints, stride: Ints, dilation: Ints) -> Ints:
    """The number of windows along each axis."""
    spans = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    if any(n < span for n, span in zip(spatial, spans, strict=True)):
        raise ShapeError(f"a kernel of {kernel} with dilation {dilation} does not fit into {spatial}, padding included")
    return tuple((n - span) // s + 1 for n, span, s in zip(spatial, spans, stride, strict=True))


@implements(sliding_window_view)
def _sliding_window_view(x: Array, window_shape: Any, axis: Any = None) -> Array:
    """All windows of these lengths; their elements are along new axes at the end."""
    sizes = tuple(window_shape) if np.iterable(window_shape) else (window_shape,)
    axes = tuple(range(x.ndim)) if axis is None else normalize_axis_tuple(axis, x.ndim, allow_duplicate=True)
    if len(sizes) != len(axes):
        raise ValueError(f"sliding_window_view: {len(axes)} axes need as many window lengths, got {window_shape}")
    for one, size in zip(axes, sizes, strict=True):
        if not 0 <= size <= x.shape[one]:
            raise ValueError(
                f"sliding_window_view: no window of length {size} fits into an axis of length {x.shape[one]}"
            )
        x = unfold(np.moveaxis(x, one, -1), kernel=(size,), stride=(1,), dilation=(1,))
        x = np.moveaxis(x, (-1, -2), (one, -1))
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
