"""Reshaping, permuting axes, rotating, broadcasting.

Functions return views where NumPy does, and copies where NumPy does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from tensorgrad.engine.registry import also_complex, implements, primitive, rule
from tensorgrad.engine.tape import Array, Variable, any_tracked, as_array, value_of
from tensorgrad.errors import NoRuleError

reshape: Callable[..., Array] = primitive(np.reshape)


def _reshaped(x: Array, shape: Any = None, order: Any = "C", copy: bool | None = None) -> Array:
    """`numpy.reshape`; the method of an array takes a tenth of the time."""
    if type(x) is np.ndarray and type(shape) is tuple and order == "C" and copy is None:
        return x.reshape(shape)
    return np.reshape(x, shape, order) if copy is None else np.reshape(x, shape, order, copy=copy)


reshape.row.forward = _reshaped  # type: ignore[attr-defined]


@primitive
def astype(x: Array, *, dtype: Any, copy: bool = True) -> Array:
    """``x`` cast to another floating-point or complex dtype."""
    return x.astype(dtype, copy=copy)


# fmt: off
rule(reshape,             lambda g, _ans, _x, shape=None, order="C", copy=None: g.reshape(_x.shape, order=order))
rule(np.expand_dims,      lambda g, _ans, _x, axis: g.reshape(_x.shape))
rule(np.squeeze,          lambda g, _ans, _x, axis=None: g.reshape(_x.shape))
rule(np.broadcast_to,     lambda g, _ans, _x, shape: g)  # the engine undoes every broadcast
rule(np.copy,             lambda g, _ans, _x, order="K": g)
rule(astype,              lambda g, _ans, _x, *, dtype, copy=True: g)

rule(np.transpose,        lambda g, _ans, _x, axes=None: np.transpose(g, None if axes is None else _inverse(axes)))
rule(np.swapaxes,         lambda g, _ans, _x, axis1, axis2: np.swapaxes(g, axis1, axis2))
rule(np.moveaxis,         lambda g, _ans, _x, source, destination: np.moveaxis(g, destination, source))
rule(np.matrix_transpose, lambda g, _ans, _x: np.matrix_transpose(g))

rule(np.flip,             lambda g, _ans, _x, axis=None: np.flip(g, axis))
rule(np.fliplr,           lambda g, _ans, _x: np.fliplr(g))
rule(np.flipud,           lambda g, _ans, _x: np.flipud(g))
rule(np.rot90,            lambda g, _ans, _x, k=1, axes=(0, 1): np.rot90(g, -k, axes))
rule(np.roll,             lambda g, _ans, _x, shift, axis=None: np.roll(g, -np.asarray(shift, np.intp), axis))
# fmt: on

also_complex(
    reshape, astype, np.expand_dims, np.squeeze, np.broadcast_to, np.copy, np.transpose, np.swapaxes, np.moveaxis,
    np.matrix_transpose, np.flip, np.fliplr, np.flipud, np.rot90, np.roll,
)  # fmt: skip


def asarray(x: Any) -> Array:
    """``x`` itself if it is a tensor, otherwise an array."""
    return x if isinstance(x, Variable) else as_array(x)


def cast_to_fit(values: Array, dtype: np.dtype[Any]) -> Array:
    """Values cast to the dtype of an array that they are inserted into. Raises if a gradient would be lost."""
    if dtype.kind not in "fc" and any_tracked(values):
        raise NoRuleError(
            f"values that require a gradient cannot be inserted into an array of {dtype}: cast it to float first"
        )
    return np.astype(values, dtype, copy=False)


def _inverse(axes: int | Sequence[int]) -> list[int]:
    """The permutation that undoes ``axes``, whose entries may be negative."""
    order = np.atleast_1d(axes)
    return [int(i) for i in np.argsort(order % max(len(order), 1))]


@implements(np.reshape)
def _reshape(a: Array, shape: Any = None, order: Any = "C", *, copy: bool | None = None) -> Array:
    if order == "C" and copy is None:
        return reshape(a, shape=shape)
    return reshape(a, shape=shape, order=_row_or_column_major(a, order), copy=copy)


@implements(np.astype)
def _astype(x: Array, dtype: Any, *, copy: bool = True) -> Array:
    if isinstance(x, Variable) and x.data.dtype.kind in "fc" and np.dtype(dtype).kind in "biu":
        return x.data.astype(dtype)[()]  # piecewise constant: a plain array, as for comparisons
    return astype(x, dtype=dtype, copy=copy)


def _row_or_column_major(a: Array, order: str) -> str:
    """``order``; for ``"A"``, the one of ``"C"`` and ``"F"`` that the memory layout of the array implies."""
    return order if order != "A" else "F" if value_of(a).flags.fnc else "C"


@implements(np.ravel)
def ravel(a: Array, order: Any = "C") -> Array:
    """All elements in one axis: a view if they are contiguous in this order, else a copy."""
    if order == "K":  # in the order of memory: the axis with the largest stride first
        strides = [abs(stride) for stride in value_of(a).strides]
        a, order = np.transpose(a, sorted(range(a.ndim), key=lambda axis: -strides[axis])), "C"
    order = _row_or_column_major(a, order)
    flags = value_of(a).flags
    contiguous = flags.f_contiguous if order == "F" else flags.c_contiguous
    return np.reshape(a, (a.size,), order, copy=None if contiguous else True)


@implements(np.rollaxis)
def rollaxis(a: Array, axis: int, start: int = 0) -> Array:
    """Move an axis to the place before the axis that is at ``start``."""
    axis, start = normalize_axis_index(axis, a.ndim), normalize_axis_index(start, a.ndim + (start >= 0))
    return np.moveaxis(a, axis, start - (axis < start))


@implements(np.atleast_1d)
def atleast_1d(*arys: Array) -> Any:
    """Each array, with at least one axis."""
    return _with_new_axes(arys, {0: (0,)})


@implements(np.atleast_2d)
def atleast_2d(*arys: Array) -> Any:
    """Each array, with at least two axes; new ones come first."""
    return _with_new_axes(arys, {0: (0, 1), 1: (0,)})


@implements(np.atleast_3d)
def atleast_3d(*arys: Array) -> Any:
    """Each array, with at least three axes; a vector gets one before and one after its own, a matrix one at the end."""
    return _with_new_axes(arys, {0: (0, 1, 2), 1: (0, 2), 2: (2,)})


def _with_new_axes(arys: Sequence[Array], new: dict[int, tuple[int, ...]]) -> Any:
    """The arrays with the axes ``new[x.ndim]`` added; a single array if there is one, else a tuple."""
    expanded = tuple(np.expand_dims(x, new[x.ndim]) if x.ndim in new else x for x in map(asarray, arys))
    return expanded[0] if len(expanded) == 1 else expanded


@implements(np.broadcast_arrays)
def broadcast_arrays(*args: Array) -> tuple[Array, ...]:
    """The arrays, as views of the shape that they broadcast to."""
    shape = np.broadcast_shapes(*map(np.shape, args))
    return tuple(np.broadcast_to(x, shape) for x in args)


@implements(np.meshgrid)
def meshgrid(*xi: Array, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> tuple[Array, ...]:
    """The coordinates of the points of a grid: ``xi[k]`` varies along axis ``k``; "xy" swaps the first two axes."""
    if indexing not in ("xy", "ij"):
        raise ValueError(f"meshgrid: indexing must be 'xy' or 'ij', got {indexing!r}")
    every = range(len(xi))
    axes = [1, 0, *every[2:]] if indexing == "xy" and len(xi) > 1 else every
    grids = tuple(np.reshape(x, [-1 if j == k else 1 for j in every]) for x, k in zip(xi, axes, strict=True))
    if not sparse:
        grids = np.broadcast_arrays(*grids)
    return tuple(map(np.copy, grids)) if copy else grids
