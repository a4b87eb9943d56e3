"""Windows that slide over an array, and their transpose, which adds windows up where they overlap."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple
from numpy.lib.stride_tricks import sliding_window_view

from tensorgrad.table import also_complex, implements, primitive, rule
from tensorgrad.tape import Array


@primitive
def windows(x: Array, *, axis: int, size: int) -> Array:
    """All windows along an axis, as a view: window ``i`` starts at element ``i`` and lies along a new last axis."""
    return sliding_window_view(x, size, axis)


@primitive
def overlap_add(x: Array, *, axis: int) -> Array:
    """The transpose of `windows`: element ``j`` of window ``i`` is added to element ``i + j``."""
    axis = normalize_axis_index(axis, x.ndim - 1)
    x = np.moveaxis(x, axis, -2)  # (..., i, j)
    if x.shape[-2] < x.shape[-1]:
        x = np.swapaxes(x, -2, -1)  # i and j play the same part: add as few slices as there may be
    *rest, n, size = x.shape
    out = np.zeros((*rest, n + size - 1), x.dtype)
    for j in range(size):
        out[..., j : j + n] += x[..., j]
    return np.moveaxis(out, -1, axis)


# fmt: off
rule(windows,     lambda g, ans, x, *, axis, size: overlap_add(g, axis=axis))
rule(overlap_add, lambda g, ans, x, *, axis: windows(g, axis=axis, size=x.shape[-1]))
# fmt: on

also_complex(windows, overlap_add)


@implements(sliding_window_view)
def _sliding_window_view(x: Array, window_shape: Any, axis: Any = None) -> Array:
    """All windows of these lengths, the elements of each along new axes at the end."""
    sizes = tuple(window_shape) if np.iterable(window_shape) else (window_shape,)
    axes = tuple(range(x.ndim)) if axis is None else normalize_axis_tuple(axis, x.ndim, allow_duplicate=True)
    if len(sizes) != len(axes):
        raise ValueError(f"sliding_window_view: {len(axes)} axes need as many window lengths, got {window_shape}")
    for along, size in zip(axes, sizes, strict=True):
        x = windows(x, axis=along, size=size)
    return x
