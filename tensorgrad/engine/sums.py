"""Sums of gradients, of many rows: no worse than NumPy's sums along the fast axis, which adds up in pairs.

NumPy adds row to row in the precision of the rows: so the sum of 4,096 halves of float16 stops at 1,024, that of 2e7
ones of float32 at 16,777,216. Here, float16 is added up in float32, rows go through BLAS, which is several times as
fast and more accurate, and what is very long is summed in blocks.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tensorgrad.engine.registry import also_complex, primitive, rule
from tensorgrad.engine.tape import Array

_LONG, _BLOCK = 1 << 16, 1 << 12


def wide(dtype: np.dtype[Any]) -> Any:
    """The precision to add up, count and scale float16 in; None, "as it is", for all others."""
    return np.float32 if dtype == np.float16 else None


def widened(x: Array) -> Array:
    """``x`` in the precision to add it up in."""
    return x.astype(np.float32) if x.dtype.char == "e" else x


def total_of_array(x: Array, *, axis: tuple[int, ...], keepdims: bool = False) -> Array:
    """The sum over axes, counted from the front; that of float16 is of float32."""
    shape = x.shape
    n = math.prod([shape[i] for i in axis])
    if n > _LONG:
        return _long_total(x, axis, keepdims)
    x = widened(x)
    fast = 32 <= n < x.size >= 2048 and x.dtype.char in "fd" and x.flags.c_contiguous
    if fast and axis[-1] == len(axis) - 1:  # the product with ones adds up the rows
        out = np.matmul(np.ones(n, x.dtype), x.reshape(n, -1))
        return out.reshape((1,) * len(axis) + shape[len(axis) :] if keepdims else shape[len(axis) :])
    return np.add.reduce(x, axis, keepdims=keepdims)  # type: ignore[call-overload]


def _long_total(x: Array, axis: tuple[int, ...], keepdims: bool) -> Array:
    """One axis after the other, and a long one in blocks."""
    for i in axis:
        n, before = x.shape[i], (slice(None),) * i
        if n > _LONG:
            blocks = [x[(*before, slice(k, k + _BLOCK))] for k in range(0, n, _BLOCK)]
            x = np.concatenate([total_of_array(block, axis=(i,), keepdims=True) for block in blocks], i)
        x = total_of_array(x, axis=(i,), keepdims=True)
    return x if keepdims else np.squeeze(x, axis)


total = primitive(total_of_array)  # of tensors too
rule(total, lambda g, _ans, _x, *, axis, keepdims=False: g if keepdims else np.expand_dims(g, axis), singular=False)
also_complex(total)
