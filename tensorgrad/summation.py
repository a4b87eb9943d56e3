"""Sums over any axes, as accurate as NumPy's pairwise summation along the last axis.

NumPy adds rows one after another in the precision of the rows, so that the sum of 4,096 values 0.5 in float16 is 1,024,
and that of 2e7 ones in float32 is 16,777,216. Here float16 is accumulated in float32, rows are added by a matrix
product, which is several times as fast and more accurate, and very long axes are summed in blocks.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

Array = Any

_LONG, _BLOCK = 1 << 16, 1 << 12


def wide(dtype: np.dtype[Any]) -> Any:
    """The dtype to accumulate and scale float16 in; None, which leaves the dtype unchanged, for all others."""
    return np.float32 if dtype == np.float16 else None


def widened(x: Array) -> Array:
    """``x`` in the dtype to accumulate it in."""
    return x.astype(np.float32) if x.dtype.char == "e" else x


def total_of_array(x: Array, *, axis: tuple[int, ...], keepdims: bool = False) -> Array:
    """The sum over non-negative axes; for float16, the result is float32."""
    shape = x.shape
    n = math.prod([shape[i] for i in axis])
    if n > _LONG:
        return _long_total(x, axis, keepdims)
    x = widened(x)
    fast = 32 <= n < x.size >= 2048 and x.dtype.char in "fd" and x.flags.c_contiguous
    if fast and axis[-1] == len(axis) - 1:  # the product with ones is the sum of the rows
        out = np.matmul(_ones(n, x.dtype), x if len(shape) == 2 else x.reshape(n, -1))
        reduced = (1,) * len(axis) + shape[len(axis) :] if keepdims else shape[len(axis) :]
        return out if out.shape == reduced else out.reshape(reduced)
    return np.add.reduce(x, axis, keepdims=keepdims)  # type: ignore[call-overload]


@functools.lru_cache(32)
def _ones(n: int, dtype: np.dtype[Any]) -> Array:
    """An array to multiply by; made once for each of the usual lengths, since no one can write to it."""
    ones = np.ones(n, dtype)
    ones.flags.writeable = False
    return ones


def _long_total(x: Array, axis: tuple[int, ...], keepdims: bool) -> Array:
    """Sum over one axis after the other, and over long axes in blocks."""
    for i in axis:
        n, before = x.shape[i], (slice(None),) * i
        if n > _LONG:
            blocks = [x[(*before, slice(k, k + _BLOCK))] for k in range(0, n, _BLOCK)]
            x = np.concatenate([total_of_array(block, axis=(i,), keepdims=True) for block in blocks], i)
        x = total_of_array(x, axis=(i,), keepdims=True)
    return x if keepdims else np.squeeze(x, axis)
