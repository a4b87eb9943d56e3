"""Products of matrices and vectors: matmul, dot, inner, outer, tensordot, kron, cross, etc. For einsum see `einsum`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tensorgrad.engine.registry import also_complex, implements, primitive, row_of, rule
from tensorgrad.engine.tape import Array
from tensorgrad.rules.accumulation import add_product, add_to_square
from tensorgrad.rules.shapes import asarray

vdot, vecdot = primitive(np.vdot), primitive(np.vecdot)


@primitive
def sum_of_squares(x: Array) -> Array:
    """``np.vdot(x, x)``: one gradient instead of two equal ones, as for the penalty of a weight matrix."""
    return np.vdot(x, x)


sum_of_squares.row.name = "vdot"  # type: ignore[attr-defined]  # which is what the user called

# fmt: off
rule(np.matmul, lambda g, _ans, _x, y: _matmul_dx(g, y),
                lambda g, _ans, x, _y: _matmul_dy(g, x, _y.ndim), singular=False)
rule(vdot,      lambda g, _ans, _x, y: g * np.reshape(y, _x.shape),
                lambda g, _ans, x, _y: g * np.reshape(x, _y.shape), singular=False,
                add_to=lambda total, g, i, x, y: add_product(total, g, np.reshape((y, x)[i], total.shape)))
rule(sum_of_squares, lambda g, _ans, x: g * (x + x), singular=False, add_to=add_to_square)
rule(vecdot,    lambda g, _ans, _x, y: np.expand_dims(g, -1) * y,
                lambda g, _ans, x, _y: np.expand_dims(g, -1) * x, singular=False)
rule(np.matvec, lambda g, _ans, _x, y: np.expand_dims(g, -1) * np.expand_dims(y, -2),
                lambda g, _ans, x, _y: np.matvec(np.swapaxes(x, -1, -2), g), singular=False)
rule(np.vecmat, lambda g, _ans, _x, y: np.matvec(y, g),
                lambda g, _ans, x, _y: np.expand_dims(x, -1) * np.expand_dims(g, -2), singular=False)
# fmt: on


_DIRECT = 1_000_000  # multiplications: up to here OpenBLAS multiplies without rearranging the matrices first


def product(x: Array, y: Array) -> Array:
    """`numpy.matmul`, with a batch times one matrix as one product: NumPy would rearrange the matrix for each item."""
    if getattr(x, "ndim", 0) > 2 and getattr(y, "ndim", 0) == 2 and x.dtype == y.dtype and x.dtype.char in "fd":
        *batch, rows, inner = x.shape
        if rows * y.size > _DIRECT and inner == y.shape[0] and x.flags.c_contiguous:
            return np.matmul(x.reshape(-1, inner), y).reshape(*batch, rows, y.shape[1])
    return np.matmul(x, y)


_row = row_of(np.matmul)
assert _row is not None
_row.forward = product


def _matmul_dx(g: Array, y: Array) -> Array:
    """``g @ y.T``; the engine sums over batch axes that were broadcast. 1-d operands are as in `numpy.matmul`."""
    if g.ndim == 2 == y.ndim:
        return np.matmul(g, y.T)
    if y.ndim == 1:
        return np.expand_dims(g, -1) * y
    if g.ndim < y.ndim:  # x was 1-d
        return np.matmul(y, np.expand_dims(g, -1))[..., 0]
    if y.ndim == 2 < g.ndim:  # one large product instead of a batch of small ones
        rows = np.reshape(g, (math.prod(g.shape[:-1]), g.shape[-1]))
        return np.reshape(np.matmul(rows, np.transpose(y)), (*g.shape[:-1], y.shape[0]))
    return np.matmul(g, np.swapaxes(y, -1, -2))


def _matmul_dy(g: Array, x: Array, ndim: int) -> Array:
    """``x.T @ g``, for a ``y`` with ``ndim`` axes. If it has no batch axes, one product sums over all batches."""
    if g.ndim == 2 == x.ndim:
        return np.matmul(x.T, g)
    if x.ndim == 1:
        return g * x if g.ndim == 0 else np.expand_dims(x, -1) * np.expand_dims(g, -2)
    if ndim <= 2 < x.ndim:
        rows = math.prod(x.shape[:-1])
        x, g = np.reshape(x, (rows, x.shape[-1])), np.reshape(g, (rows, *g.shape[x.ndim - 1 :]))
    return np.matmul(np.swapaxes(x, -1, -2), g)


@implements(np.linalg.matmul)
def matmul(x1: Array, x2: Array, /) -> Array:
    """`numpy.matmul`."""
    return np.matmul(x1, x2)


@implements(np.vdot)
def _vdot(x: Array, y: Array) -> Array:
    return sum_of_squares(x) if x is y else vdot(x, y)


@implements(np.vecdot)
def _vecdot(x: Array, y: Array, *, axis: int = -1) -> Array:
    if axis == -1:
        return vecdot(x, y)
    return vecdot(np.moveaxis(asarray(x), axis, -1), np.moveaxis(asarray(y), axis, -1))


@implements(np.linalg.vecdot)
def _linalg_vecdot(x1: Array, x2: Array, /, *, axis: int = -1) -> Array:
    """`numpy.vecdot`."""
    return _vecdot(x1, x2, axis=axis)


@implements(np.dot)
def dot(x: Array, y: Array) -> Array:
    """Sum over the last axis of ``x`` and the second to last of ``y``; a product if one of them is 0-d."""
    x, y = asarray(x), asarray(y)
    if x.ndim == 0 or y.ndim == 0:
        return np.multiply(x, y)
    return np.matmul(x, y) if y.ndim <= 2 else tensordot(x, y, axes=(-1, -2))


@implements(np.inner)
def inner(x: Array, y: Array) -> Array:
    """Sum over the last axes of both; a product if one of them is 0-d."""
    x, y = asarray(x), asarray(y)
    if x.ndim == 0 or y.ndim == 0:
        return np.multiply(x, y)
    return np.matmul(x, np.transpose(y)) if y.ndim <= 2 else tensordot(x, y, axes=(-1, -1))


@implements(np.outer)
def outer(x: Array, y: Array) -> Array:
    """``x[:, None] * y`` of the ravelled inputs."""
    return np.expand_dims(np.ravel(x), 1) * np.ravel(y)


@implements(np.linalg.outer)
def _linalg_outer(x1: Array, x2: Array, /) -> Array:
    """`numpy.outer`, for vectors only."""
    if np.ndim(x1) != 1 or np.ndim(x2) != 1:
        raise ValueError(f"outer: both inputs must be one-dimensional, got {np.ndim(x1)} and {np.ndim(x2)} axes")
    return outer(x1, x2)


@implements(np.tensordot)
def tensordot(x: Array, y: Array, axes: Any = 2) -> Array:
    """Sum over pairs of axes: the last ``axes`` axes of ``x`` and the first of ``y``, or two lists of axes."""
    x, y = asarray(x), asarray(y)
    x_axes, y_axes = axes if np.iterable(axes) else (range(-axes, 0), range(axes))
    x_axes, y_axes = _nonnegative(x_axes, x.ndim), _nonnegative(y_axes, y.ndim)
    if len(set(x_axes)) < len(x_axes) or len(set(y_axes)) < len(y_axes):
        raise ValueError(f"tensordot: duplicate axes are not allowed, got {x_axes} and {y_axes}")
    if [x.shape[i] for i in x_axes] != [y.shape[i] for i in y_axes]:
        raise ValueError(f"tensordot: shape-mismatch for sum over axes {x_axes} of {x.shape} and {y_axes} of {y.shape}")
    x_rest = [i for i in range(x.ndim) if i not in x_axes]
    y_rest = [i for i in range(y.ndim) if i not in y_axes]
    rows, columns = [x.shape[i] for i in x_rest], [y.shape[i] for i in y_rest]
    summed = math.prod(x.shape[i] for i in x_axes)
    left = np.reshape(np.transpose(x, x_rest + x_axes), (math.prod(rows), summed))
    right = np.reshape(np.transpose(y, y_axes + y_rest), (summed, math.prod(columns)))
    return np.reshape(np.matmul(left, right), (*rows, *columns))


def _nonnegative(axes: Any, ndim: int) -> list[int]:
    """Axes as a list of nonnegative numbers."""
    return [range(ndim)[i] for i in (axes if np.iterable(axes) else (axes,))]


@implements(np.linalg.tensordot)
def _linalg_tensordot(x1: Array, x2: Array, /, *, axes: Any = 2) -> Array:
    return tensordot(x1, x2, axes)


@implements(np.kron)
def kron(x: Array, y: Array) -> Array:
    """The Kronecker product: blocks, each an element of ``x`` times all of ``y``."""
    x, y = asarray(x), asarray(y)
    ndim = max(x.ndim, y.ndim)
    blocks, block = ((1,) * (ndim - z.ndim) + z.shape for z in (x, y))
    spread = np.reshape(x, [n for length in blocks for n in (length, 1)])
    repeated = np.reshape(y, [n for length in block for n in (1, length)])
    return np.reshape(spread * repeated, [n * m for n, m in zip(blocks, block, strict=True)])


@implements(np.cross)
def cross(x: Array, y: Array, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Array:
    """Cross product of vectors along an axis. For vectors in the plane, only the third component, without the axis."""
    if axis is not None:
        axisa = axisb = axisc = axis
    x, y = _components(asarray(x), axisa), _components(asarray(y), axisb)

    def component(i: int, j: int) -> Array:  # a missing third component is 0
        minuend = x[i] * y[j] if i < len(x) and j < len(y) else 0
        subtrahend = x[j] * y[i] if j < len(x) and i < len(y) else 0
        return minuend - subtrahend

    if len(x) == len(y) == 2:
        return component(0, 1)
    return np.stack([component(1, 2), component(2, 0), component(0, 1)], axis=axisc)


def _components(x: Array, axis: int) -> list[Array]:
    index: list[Any] = [slice(None)] * x.ndim
    components = []
    for i in range(x.shape[axis]):
        index[axis] = i
        components.append(x[tuple(index)])
    if len(components) not in (2, 3):
        raise ValueError(f"cross: vectors must have 2 or 3 components, got {len(components)} on axis {axis}")
    return components


@implements(np.linalg.cross)
def _linalg_cross(x1: Array, x2: Array, /, *, axis: int = -1) -> Array:
    """`numpy.cross`, for vectors with three components only."""
    if not np.shape(x1)[axis] == np.shape(x2)[axis] == 3:
        raise ValueError(f"cross: vectors must have 3 components, got {np.shape(x1)[axis]} and {np.shape(x2)[axis]}")
    return cross(x1, x2, axis=axis)


also_complex(  # of the products here, only vdot, vecdot and vecmat conjugate
    np.matmul, np.matvec, np.dot, np.inner, np.outer, np.tensordot, np.kron, np.cross,
    np.linalg.matmul, np.linalg.outer, np.linalg.tensordot, np.linalg.cross,
)  # fmt: skip
