"""Norms of vectors and matrices. At 0, where a norm is not differentiable, 0 is used, the shortest subgradient."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from tensorgrad.engine.registry import also_complex, implements, primitive, rule
from tensorgrad.engine.tape import Array
from tensorgrad.rules.division import quotient
from tensorgrad.rules.kinks import abs_slope, normalized, zero_at_kink
from tensorgrad.rules.reductions import restore

vector_norm = primitive(np.linalg.vector_norm)


@primitive
def odd_power(x: Array, *, order: float) -> Array:
    """``|x| ** order``, with the sign of ``x``."""
    return np.sign(x) * np.absolute(x) ** order


@primitive
def even_power(x: Array, *, order: float) -> Array:
    """``|x| ** order``."""
    return np.absolute(x) ** order


# fmt: off
rule(vector_norm, lambda g, ans, x, *, axis=None, keepdims=False, ord=2:
                      _norm_dx(g, ans, x, axis, keepdims, ord))
rule(odd_power,   lambda g, _ans, x, *, order: g * (order * even_power(x, order=order - 1)), elementwise=True)
rule(even_power,  lambda g, _ans, x, *, order: g * _even_power_dx(x, order), elementwise=True)
# fmt: on


def _even_power_dx(x: Array, order: float) -> Array:
    """The derivative of `even_power`."""
    if order == 0:
        return np.zeros_like(x)
    return abs_slope(x) if order == 1 else order * odd_power(x, order=order - 1)


def _norm_dx(g: Array, ans: Array, x: Array, axis: Any, keepdims: bool, ord: float) -> Array:
    """``g`` times the gradient of the norm; 0 at 0."""
    q = quotient(g, ans, ans) if ord == 2 else None
    if q is not None:
        return restore(q, axis, keepdims) * x
    return restore(g, axis, keepdims) * _direction(x, restore(ans, axis, keepdims), ord)


def _direction(x: Array, ans: Array, ord: float) -> Array:
    """The gradient of the norm of order ``ord``, whose value with its reduced axes kept is ``ans``; 0 at 0."""
    if ord == 0:
        return np.zeros_like(x)
    if ord == 1:
        return abs_slope(x)
    if ord == 2:
        return normalized(x, ans)
    return zero_at_kink(odd_power(x / ans, order=float(ord) - 1), (x == 0) | (ans == 0))


@implements(np.linalg.vector_norm)
def _vector_norm(x: Array, *, axis: Any = None, keepdims: bool = False, ord: float = 2) -> Array:
    if not isinstance(ord, (int, float, np.number)):
        raise TypeError(f"norm: ord of a vector norm must be a number, got {ord!r}")
    if ord == -np.inf:
        return np.min(np.absolute(x), axis=axis, keepdims=keepdims)
    if ord == np.inf:
        least: Any = None if x.size else 0
        return np.max(np.absolute(x), axis=axis, keepdims=keepdims, initial=least)
    if x.dtype.kind != "c":
        return vector_norm(x, axis=axis, keepdims=keepdims, ord=ord)
    if ord != 2:
        return vector_norm(np.absolute(x), axis=axis, keepdims=keepdims, ord=ord)
    axes = normalize_axis_tuple(range(x.ndim) if axis is None else axis, x.ndim)
    parts = np.stack([np.real(x), np.imag(x)], axis=-1)  # unlike absolute values, twice differentiable at 0
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
        raise ValueError(f"norm: axis must name one axis (of vectors) or two (of matrices), got {len(axes)} axes")
    return _matrix_norm(x, ord, axes, keepdims)


@implements(np.linalg.matrix_norm)
def matrix_norm(x: Array, *, keepdims: bool = False, ord: Any = "fro") -> Array:
    """The norms of the matrices in the last two axes."""
    return norm(x, ord, (-2, -1), keepdims)


def _matrix_norm(x: Array, ord: Any, axes: tuple[int, ...], keepdims: bool) -> Array:
    """The matrix norm: a vector norm of the elements, of the sums of rows or columns, or of the singular values."""
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
    raise ValueError(f"norm: ord of a matrix norm must be None, 'fro', 'nuc', 1, -1, 2, -2, inf or -inf, got {ord!r}")


# complex values are replaced by their real and imaginary parts, or by their absolute values
also_complex(np.linalg.norm, np.linalg.vector_norm, np.linalg.matrix_norm)
