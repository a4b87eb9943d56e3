"""Joining, splitting, repeating and inserting."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from tensorgrad.engine.broadcasting import total
from tensorgrad.engine.indexing import getitem
from tensorgrad.engine.registry import also_complex, implements, primitive, rule
from tensorgrad.engine.tape import Array, value_of
from tensorgrad.rules.ordering import along
from tensorgrad.rules.shapes import asarray, cast_to_fit


@primitive
def concatenate(*parts: Array, axis: int, ends: Sequence[int], dtype: Any = None) -> Array:
    """Join arrays along an existing axis; part ``i`` occupies ``ends[i]`` to ``ends[i + 1]``."""
    return np.concatenate(parts, axis, dtype=dtype)


@primitive
def stack(*parts: Array, axis: int, dtype: Any = None) -> Array:
    """Join arrays of one shape along a new axis."""
    return np.stack(parts, axis, dtype=dtype)


# fmt: off
rule(concatenate, together=lambda g, _ans, needed, *_parts, axis, ends, dtype=None:
                      {i: along(g, axis, slice(ends[i], ends[i + 1])) for i in needed}, singular=False)
rule(stack,       together=lambda g, _ans, needed, *_parts, axis, dtype=None:
                      {i: along(g, axis, i) for i in needed}, singular=False)
# fmt: on

also_complex(concatenate, stack)


@implements(np.concatenate)
def _concatenate(arrays: Sequence[Array], axis: int | None = 0, *, dtype: Any = None) -> Array:
    if axis is None:
        arrays, axis = [np.ravel(x) for x in arrays], 0
    arrays = list(arrays)
    shapes = [np.shape(value_of(x)) for x in arrays]
    lengths = [shape[axis] if -len(shape) <= axis < len(shape) else 0 for shape in shapes]  # NumPy raises the error
    return concatenate(*arrays, axis=axis, ends=(0, *itertools.accumulate(lengths)), dtype=dtype)


@implements(np.stack)
def _stack(arrays: Sequence[Array], axis: int = 0, *, dtype: Any = None) -> Array:
    return stack(*arrays, axis=axis, dtype=dtype)


@implements(np.hstack)
def hstack(tup: Sequence[Array], *, dtype: Any = None) -> Array:
    """Join along the second axis, vectors along the first."""
    arrays = [np.atleast_1d(x) for x in tup]
    return np.concatenate(arrays, 0 if arrays and arrays[0].ndim == 1 else 1, dtype=dtype)


@implements(np.vstack)
def vstack(tup: Sequence[Array], *, dtype: Any = None) -> Array:
    """Join along the first axis, vectors as rows."""
    return np.concatenate([np.atleast_2d(x) for x in tup], 0, dtype=dtype)


@implements(np.dstack)
def dstack(tup: Sequence[Array]) -> Array:
    """Join along the third axis."""
    return np.concatenate([np.atleast_3d(x) for x in tup], 2)


@implements(np.column_stack)
def column_stack(tup: Sequence[Array]) -> Array:
    """Join along the second axis, vectors as columns."""
    return np.concatenate([x if np.ndim(x) >= 2 else np.reshape(x, (-1, 1)) for x in tup], 1)


@implements(np.block)
def block(arrays: Any) -> Array:
    """Join nested lists of arrays: the innermost along the last axis, the next along the one before, and so on."""
    leaves = list(_leaves(arrays))
    depths = {depth for depth, _ in leaves}
    if len(depths) > 1:
        raise ValueError(f"block: all arrays must be at the same depth of the lists, got depths {sorted(depths)}")
    (depth,) = depths
    ndim = max(depth, *(np.ndim(x) for _, x in leaves))

    def join(part: Any, axis: int) -> Array:
        if isinstance(part, list):
            return np.concatenate([join(item, axis + 1) for item in part], axis)
        return np.reshape(part, (1,) * (ndim - np.ndim(part)) + np.shape(part))

    return join(arrays, ndim - depth) if depth else np.copy(arrays)


def _leaves(arrays: Any, depth: int = 0) -> Iterator[tuple[int, Array]]:
    """Iterate over the arrays in nested lists, each with its depth."""
    if not isinstance(arrays, list):
        yield depth, arrays
    elif not arrays:
        raise ValueError("block: lists must not be empty")
    else:
        for item in arrays:
            yield from _leaves(item, depth + 1)


@implements(np.append)
def append(arr: Array, values: Array, axis: int | None = None) -> Array:
    """Join two arrays along an axis; flatten both if ``axis`` is None."""
    return np.concatenate([arr, values], axis)


@implements(np.insert)
def insert(arr: Array, obj: Any, values: Array, axis: int | None = None) -> Array:
    """Insert values, cast to the dtype of the array, before the positions ``obj``."""
    arr, values = asarray(arr), asarray(values)
    values = cast_to_fit(values, arr.dtype)
    return by_index(lambda x, values: np.insert(x, value_of(obj), values, axis), arr, values)


@implements(np.resize)
def resize(a: Array, new_shape: Any) -> Array:
    """Repeat the elements to fill a shape; zeros if there are no elements."""
    return by_index(lambda x: np.resize(x, new_shape), a if a.size else np.sum(a, dtype=a.dtype))


def by_index(move: Callable[..., Any], *arrays: Array) -> Array:
    """``move(*arrays)`` for a function that only moves elements: it is called with the indices of the elements."""
    joined = np.concatenate(arrays, None) if len(arrays) > 1 else np.ravel(arrays[0])
    ends = itertools.accumulate(x.size for x in arrays)
    moved = move(*(np.arange(end - x.size, end).reshape(x.shape) for x, end in zip(arrays, ends, strict=True)))
    return np.reshape(getitem(joined, index=moved.reshape(-1)), moved.shape)


# ------------------------------------------------------------------------------------------------------ copies

repeat = primitive(np.repeat)

# fmt: off
rule(np.tile, lambda g, _ans, _x, reps: _sum_tiles(g, (1,) * (g.ndim - _x.ndim) + _x.shape))
rule(repeat,  lambda g, _ans, _x, *, repeats, axis: _sum_repeats(g, _x.shape, axis))
# fmt: on

also_complex(np.tile, repeat)


def _sum_tiles(g: Array, shape: tuple[int, ...]) -> Array:
    counted = [k for n, m in zip(shape, g.shape, strict=True) for k in (m // max(n, 1), n)]
    return total(np.reshape(g, counted), axis=tuple(range(0, len(counted), 2)))


def _sum_repeats(g: Array, shape: tuple[int, ...], axis: int) -> Array:
    counted = (*shape[: axis + 1], g.shape[axis] // max(shape[axis], 1), *shape[axis + 1 :])
    return total(np.reshape(g, counted), axis=(axis + 1,))


@implements(np.repeat)
def _repeat(a: Array, repeats: Any, axis: int | None = None) -> Array:
    a, axis = (np.ravel(a), 0) if axis is None else (np.atleast_1d(a), axis)
    axis, repeats = normalize_axis_index(axis, a.ndim), value_of(repeats)
    if np.size(repeats) == 1:
        return repeat(a, repeats=repeats, axis=axis)
    return along(a, axis, np.repeat(np.arange(a.shape[axis]), repeats))


# ------------------------------------------------------------------------------------------------------ parts


@implements(np.array_split)
def array_split(ary: Array, indices_or_sections: Any, axis: int = 0) -> list[Array]:
    """Views of parts along an axis: a number of parts of nearly the same length, or parts that begin at indices."""
    return _split_like(np.array_split, ary, indices_or_sections, axis)


@implements(np.split)
def split(ary: Array, indices_or_sections: Any, axis: int = 0) -> list[Array]:
    """Views of parts along an axis: a number of parts of the same length, or parts that begin at indices."""
    return _split_like(np.split, ary, indices_or_sections, axis)


@implements(np.hsplit)
def hsplit(ary: Array, indices_or_sections: Any) -> list[Array]:
    """Parts along the second axis, for a vector along the first."""
    return np.split(_at_least(1, ary, "hsplit"), indices_or_sections, min(ary.ndim - 1, 1))


@implements(np.vsplit)
def vsplit(ary: Array, indices_or_sections: Any) -> list[Array]:
    """Parts along the first axis of an array with two or more axes."""
    return np.split(_at_least(2, ary, "vsplit"), indices_or_sections, 0)


@implements(np.dsplit)
def dsplit(ary: Array, indices_or_sections: Any) -> list[Array]:
    """Parts along the third axis."""
    return np.split(_at_least(3, ary, "dsplit"), indices_or_sections, 2)


@implements(np.unstack)
def unstack(x: Array, *, axis: int = 0) -> tuple[Array, ...]:
    """Views of the arrays along an axis, without that axis."""
    if not x.ndim:
        raise ValueError("unstack: an array without axes has no parts")
    axis = normalize_axis_index(axis, x.ndim)
    return tuple(along(x, axis, i) for i in range(x.shape[axis]))


def _split_like(split: Callable[..., Any], x: Array, where: Any, axis: int) -> list[Array]:
    """Split as NumPy's function ``split`` splits the indices along the axis."""
    axis = normalize_axis_index(axis, x.ndim)
    parts = split(np.arange(x.shape[axis]), value_of(where))
    return [along(x, axis, slice(part[0], part[-1] + 1) if part.size else slice(0)) for part in parts]


def _at_least(ndim: int, x: Array, name: str) -> Array:
    if x.ndim < ndim:
        raise ValueError(f"{name}: the array must have at least {ndim} axes, got {x.ndim}")
    return x
