"""Norms of vectors and matrices. At 0, where a norm has no gradient, it is given 0: the one of least length."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from tensorgrad.rules.reductions import portion, restore, unless_unused
from tensorgrad.table import also_complex, implements, primitive, rule
from tensorgrad.tape import Array

vector_norm = primitive(np.linalg.vector_norm)

# fmt: off
rule(vector_norm, lambda g, ans, x, *, axis=None, keepdims=False, ord=2:
                      _norm_dx(restore(g, axis, keepdims), restore(ans, axis, keepdims), x, axis, ord))
# fmt: on


def _norm_dx(g: Array, ans: Array, x: Array, axis: Any, ord: float) -> Array:
    """``g`` along the gradient of the norm, the reduced axes of ``g`` and ``ans`` kept."""
    return unless_unused(g, g * _direction(x, ans, axis, ord, g))


def _direction(x: Array, ans: Array, axis: Any, ord: float, g: Array) -> Array:
    """The gradient of the norm of order ``ord``, whose value is ``ans``."""
    if ord in (0, 1):
        return ord * np.sign(x)
    if math.isinf(ord):
        return np.sign(x) * portion(np.absolute(x), ans, axis, g)
    ratio = x / np.where(ans == 0, np.inf, ans)
    if ord == 2:
        return ratio
    size = np.where(ratio == 0, 1, np.absolute(ratio))  # no slope for zeros, which have the sign 0
    return np.sign(ratio) * size ** (float(ord) - 1)


@implements(np.linalg.vector_norm)
def _vector_norm(x: Array, *, axis: Any = None, keepdims: bool = False, ord: float = 2) -> Array:
    if not isinstance(ord, (int, float, np.number)):
        raise TypeError(f"norm: ord of a vector norm must be a number, got {ord!r}")
    if x.dtype.kind != "c":
        return vector_norm(x, axis=axis, keepdims=keepdims, ord=ord)
    if ord != 2:
        return vector_norm(np.absolute(x), axis=axis, keepdims=keepdims, ord=ord)
    axes = normalize_axis_tuple(range(x.ndim) if axis is None else axis, x.ndim)
    parts = np.stack([np.real(x), np.imag(x)], axis=-1)  # an absolute value that is 0 would have no second derivative
    out = vector_norm(parts, axis=(*axes, x.ndim), keepdims=keepdims)
    return out[..., 0] if keepdims else out


@implements(np.linalg.norm)
def norm(x: Array, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Array:
    """The norm of all elements, of vectors along an axis, or of the matrices in two axes."""
    if axis is None and (ord is None or x.ndim == 1):
        return _vector_norm(x, keepdims=keepdims, ord=2 if ord is None else ord)
    axes = normalize_axis_tuple(range(x.ndim) if axis is None else axis, x.ndim)
    if len(axes) == 1:
        return _vector_norm(x, axis=axes[0], keepdims=keepdims, ord=2 if ord is None else ord)
    if len(axes) != 2:
        raise ValueError(f"norm: {len(axes)} axes are neither those of vectors nor of matrices; give axis")
    return _matrix_norm(x, ord, axes, keepdims)


@implements(np.linalg.matrix_norm)
def matrix_norm(x: Array, *, keepdims: bool = False, ord: Any = "fro") -> Array:
    """The norms of the matrices in the last two axes."""
    return norm(x, ord, (-2, -1), keepdims)


def _matrix_norm(x: Array, ord: Any, axes: tuple[int, ...], keepdims: bool) -> Array:
    """All are vector norms: of the elements, of the sums of rows or columns, or of the singular values."""
    row, column = axes
    if ord in (None, "fro", "f"):
        return _vector_norm(x, axis=axes, keepdims=keepdims)
    if ord in (1, -1, np.inf, -np.inf):
        summed, compared = (row, column) if abs(ord) == 1 else (column, row)
        sums = _vector_norm(x, axis=summed, keepdims=True, ord=1)
        out = _vector_norm(sums, axis=compared, keepdims=True, ord=math.copysign(np.inf, ord))
        return out if keepdims else np.squeeze(out, axes)
    if ord in (2, -2, "nuc"):
        rest = tuple(i for i in range(x.ndim) if i not in axes)
        values = np.linalg.svd(np.transpose(x, (*rest, row, column)), compute_uv=False)
        out = _vector_norm(values, axis=-1, ord={2: np.inf, -2: -np.inf, "nuc": 1}[ord])
        return restore(out, axes, not keepdims)
    raise ValueError(f"norm: {ord!r} is no order of a matrix norm: use None, 'fro', 'nuc', 1, -1, 2, -2, inf or -inf")


also_complex(
    np.linalg.norm, np.linalg.vector_norm, np.linalg.matrix_norm
)  # by way of both parts, or the absolute values
