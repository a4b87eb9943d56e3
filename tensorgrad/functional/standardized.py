"""Standardization to mean 0 and variance 1 over any axes; a faster one with scale and shift over the last axes.

Statistics of float16 are computed in float32.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from tensorgrad.engine.registry import primitive, rule
from tensorgrad.engine.tape import Array, Variable
from tensorgrad.summation import widened

_BLOCK = 1 << 16  # elements of rows that are computed at a time, in the cache


@primitive
def standardize(x: Array, *, axis: tuple[int, ...], eps: float, center: bool = True) -> Array:
    """``(x - mean(x)) / sqrt(var(x) + eps)`` over ``axis``; 1.3 times as fast as the composition of these functions.

    Without ``center``, the mean is not subtracted: ``x / sqrt(mean(x**2) + eps)``.
    """
    wide = widened(x)
    centered = wide - np.mean(wide, axis=axis, keepdims=True) if center else wide
    out = centered / np.sqrt(np.mean(np.square(centered), axis=axis, keepdims=True) + eps)
    return out.astype(x.dtype, copy=False)


@primitive
def standardize_rows(x: Array, weight: Array, bias: Array, *, eps: float) -> Array:
    """``standardize(x) * weight + bias`` over the last axes, which are those of the weight and the bias.

    With a rule of its own, which computes a few rows at a time, it takes a quarter of the time of a composition.
    """
    rows, out = _rows(x, weight.size), np.empty(x.shape, np.result_type(x, weight, bias))
    weight, bias, results = widened(weight).reshape(-1), widened(bias).reshape(-1), out.reshape(rows.shape)
    scratch = _scratch(rows, np.result_type(rows, weight))
    for block in _blocks(rows):
        centered, inverse = _centered(rows[block], eps, scratch)
        centered *= inverse[:, np.newaxis]
        centered *= weight
        np.add(centered, bias, out=results[block], casting="same_kind")
    return out


def _standardize_rows_gradients(g: Array, _ans: Array, needed: Sequence[int], x: Array, weight: Array, _bias: Array, *,
                                eps: float) -> dict[int, Array]:  # fmt: skip
    if isinstance(g, Variable) or isinstance(x, Variable) or isinstance(weight, Variable):  # a pass that is recorded
        axis = tuple(range(-weight.ndim, 0))
        standard = standardize(x, axis=axis, eps=eps)
        return {0: without_moments(g * weight, standard, x, axis, eps, True), 1: g * standard, 2: g}
    rows = _rows(x, weight.size)
    upstream, scale = widened(g).reshape(rows.shape), widened(weight).reshape(-1)
    out = np.empty(rows.shape, np.result_type(upstream, rows, scale))
    of_weight, of_bias, n = np.zeros_like(scale, out.dtype), np.zeros_like(scale, out.dtype), rows.shape[1]
    scratch, products, mean = _scratch(rows, out.dtype), _scratch(rows, out.dtype), np.full(n, 1 / max(n, 1), out.dtype)
    for block in _blocks(rows):
        part, across = upstream[block], out[block]
        centered, inverse = _centered(rows[block], eps, scratch)
        product = np.multiply(part, centered, out=products[: len(part)])
        of_bias += np.ones(len(part), out.dtype) @ part
        of_weight += inverse @ product
        along = (product @ scale) * inverse / n * np.square(inverse)  # what would change the variance
        np.multiply(part, scale, out=across)
        across -= (across @ mean)[:, np.newaxis]
        across *= inverse[:, np.newaxis]
        centered *= along[:, np.newaxis]
        across -= centered
    return {0: out.reshape(x.shape), 1: of_weight.reshape(weight.shape), 2: of_bias.reshape(weight.shape)}


# fmt: off
rule(standardize, lambda g, ans, x, *, axis, eps, center=True: without_moments(g, ans, x, axis, eps, center))
rule(standardize_rows, together=_standardize_rows_gradients)
# fmt: on


def without_moments(g: Array, ans: Array, x: Array, axis: tuple[int, ...], eps: float, center: bool) -> Array:
    """``g`` without the parts that would change the mean (if ``center``) or variance of ``ans``, in units of ``x``."""
    g, ans, x = widened(g), widened(ans), widened(x)
    across = g - np.mean(g, axis=axis, keepdims=True) if center else g
    across = across - ans * np.mean(g * ans, axis=axis, keepdims=True)
    power = np.var(x, axis=axis, keepdims=True) if center else np.mean(np.square(x), axis=axis, keepdims=True)
    return across / np.sqrt(power + eps)


def _rows(x: Array, width: int) -> Array:
    """An array with the last axes, of ``width`` elements, as rows."""
    return widened(x).reshape(x.size // max(width, 1), width)


def _blocks(rows: Array) -> Iterator[slice]:
    """The rows, a few at a time."""
    count = max(_BLOCK // max(rows.shape[1], 1), 1)
    return (slice(start, start + count) for start in range(0, len(rows), count))


def _scratch(rows: Array, dtype: Any) -> Array:
    """Memory for a block of rows."""
    return np.empty((min(max(_BLOCK // max(rows.shape[1], 1), 1), len(rows)), rows.shape[1]), dtype)


def _centered(rows: Array, eps: float, scratch: Array) -> tuple[Array, Array]:
    """Rows minus their means, and the reciprocal standard deviation of each; BLAS computes the sums."""
    n = rows.shape[1]
    mean = rows @ np.full(n, 1 / n, rows.dtype)
    centered = np.subtract(rows, mean[:, np.newaxis], out=scratch[: len(rows)])
    return centered, 1 / np.sqrt(np.vecdot(centered, centered) / n + eps)
