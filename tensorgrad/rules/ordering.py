"""Functions that sort or select elements: sort, partition, take, unique and similar functions.

The indices of the elements are determined from the values; the selection is then an indexing operation.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from tensorgrad.engine.indexing import scatter
from tensorgrad.engine.registry import implements, primitive, rule
from tensorgrad.engine.tape import Array, any_tracked, current_mode, value_of
from tensorgrad.rules.shapes import asarray


def along(x: Array, axis: int, entry: Any) -> Array:
    """``x[..., entry, ...]``, where ``entry`` is the index along ``axis``."""
    rest = (slice(None),)
    return x[(*rest * axis, entry)] if axis >= 0 else x[(..., entry, *rest * (-axis - 1))]


def index_along_axis(name: str, x: Array, indices: Any, axis: int) -> tuple[Any, ...]:
    """The index that `numpy.take_along_axis` uses for ``indices``."""
    axis, indices = normalize_axis_index(axis, x.ndim), value_of(indices)
    if np.ndim(indices) != x.ndim:
        raise ValueError(f"{name}: indices must have {x.ndim} axes, like the array, got {np.ndim(indices)}")
    index = list(np.ogrid[tuple(slice(n) for n in x.shape)])
    index[axis] = indices
    return tuple(index)


@primitive
def reorder(x: Array, *, order: Any, axis: int) -> Array:
    """Permute the elements along an axis; ``order`` has a permutation for each row."""
    return np.take_along_axis(x, order, axis)


@primitive
def put_back(x: Array, *, order: Any, axis: int) -> Array:
    """The inverse of `reorder`."""
    out = np.empty_like(x)
    np.put_along_axis(out, order, x, axis)
    return out


# fmt: off
rule(reorder,  lambda g, _ans, _x, *, order, axis: put_back(g, order=order, axis=axis))
rule(put_back, lambda g, _ans, _x, *, order, axis: reorder(g, order=order, axis=axis))
# fmt: on


@implements(np.sort)
def sort(a: Array, axis: int | None = -1, kind: Any = None, *, stable: Any = None) -> Array:
    """Sort along an axis. The sort is stable for every ``kind``."""
    a, axis = _or_all(a, axis)
    if not (current_mode().recording and any_tracked(a)):  # the permutation is not needed
        return type(a)(np.sort(value_of(a), axis, kind, stable=stable))
    return reorder(a, order=np.argsort(value_of(a), axis, stable=True), axis=axis)


@implements(np.partition)
def partition(a: Array, kth: Any, axis: int | None = -1, kind: Any = "introselect") -> Array:
    """Element ``kth`` in its sorted position, smaller elements before it and larger ones after it."""
    a, axis = _or_all(a, axis)
    return reorder(a, order=np.argpartition(value_of(a), value_of(kth), axis, kind), axis=axis)


@implements(np.take)
def take(a: Array, indices: Any, axis: int | None = None, *, mode: Any = "raise") -> Array:
    """The elements at ``indices`` along an axis, or of the flattened array; ``mode`` is for out-of-bounds indices."""
    a, axis = _or_all(np.atleast_1d(a), axis)
    axis = normalize_axis_index(axis, a.ndim)
    numbers = np.arange(a.shape[axis])
    return along(a, axis, np.asarray(numbers.take(value_of(indices), mode=mode)))


@implements(np.take_along_axis)
def take_along_axis(arr: Array, indices: Any, axis: int | None = -1) -> Array:
    """The elements of each row along an axis at the indices in the corresponding row of ``indices``."""
    arr, axis = _or_all(asarray(arr), axis)
    return arr[index_along_axis("take_along_axis", arr, indices, axis)]


@implements(np.compress)
def compress(condition: Any, a: Array, axis: int | None = None) -> Array:
    """The elements along an axis where ``condition`` is true."""
    a, axis = _or_all(np.atleast_1d(a), axis)
    axis = normalize_axis_index(axis, a.ndim)
    return along(a, axis, _mask(np.compress(value_of(condition), np.arange(a.shape[axis])), a.shape[axis]))


@implements(np.extract)
def extract(condition: Any, arr: Array) -> Array:
    """All elements where ``condition`` is true."""
    return np.compress(np.ravel(value_of(condition)), arr)


@implements(np.delete)
def delete(arr: Array, obj: Any, axis: int | None = None) -> Array:
    """All elements along an axis except those at ``obj``."""
    arr, axis = _or_all(arr, axis)
    axis = normalize_axis_index(axis, arr.ndim)
    return along(arr, axis, _mask(np.delete(np.arange(arr.shape[axis]), value_of(obj)), arr.shape[axis]))


@implements(np.trim_zeros)
def trim_zeros(filt: Array, trim: str = "fb", axis: Any = None) -> Array:
    """A view without leading (``"f"``) and trailing (``"b"``) zeros along each axis."""
    trim = trim.lower()
    if trim not in ("f", "b", "fb", "bf"):
        raise ValueError(f"trim_zeros: trim must be 'f', 'b' or 'fb', got {trim!r}")
    index = [slice(None)] * filt.ndim
    nonzero = np.nonzero(np.atleast_1d(value_of(filt)))
    for k in range(filt.ndim) if axis is None else normalize_axis_tuple(axis, filt.ndim):
        front, back = (nonzero[k].min(), nonzero[k].max() + 1) if nonzero[k].size else (0, 0)
        index[k] = slice(front * ("f" in trim), back if "b" in trim or not back else None)
    return filt[(*index, ...)]  # a view also if 0-d


@implements(np.unique)
def unique(ar: Array, return_index: bool = False, return_inverse: Any = False, return_counts: Any = False,
           axis: int | None = None, *, equal_nan: bool = True) -> Any:  # fmt: skip
    """The sorted unique elements. Among equal elements, the first gets the gradient."""
    found = np.unique(value_of(ar), True, return_inverse, return_counts, axis, equal_nan=equal_nan)
    kept = np.take(ar, found[1], axis)
    rest = found[1 if return_index else 2 :]
    return (kept, *rest) if rest else kept


@implements(np.bincount)
def bincount(x: Any, weights: Array = None, minlength: int = 0) -> Array:
    """The number of occurrences of each of 0, 1, 2, ...; with weights, the sum of their weights."""
    x = value_of(x)
    counts = np.bincount(x, minlength=minlength)
    if weights is None:
        return counts
    if np.shape(weights) != np.shape(x):
        raise ValueError(f"bincount: x and weights have different shapes, {np.shape(x)} and {np.shape(weights)}")
    return scatter(np.astype(asarray(weights), np.float64), index=np.array(x, np.intp), shape=counts.shape)


def _or_all(x: Array, axis: int | None) -> tuple[Array, int]:
    """The array and the axis; the flattened array and 0 if ``axis`` is None."""
    return (np.ravel(x), 0) if axis is None else (x, axis)


def _mask(kept: Any, n: int) -> Any:
    """A boolean mask of length ``n`` that is true at ``kept``."""
    mask = np.zeros(n, bool)
    mask[kept] = True
    return mask
