"""Functions that write to their first argument, and functions that create a new array like it.

All of them assign elements through `Tensor.__setitem__`, which decides whether a write is allowed and recorded.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.engine.registry import implements
from tensorgrad.engine.tape import Array, Variable, any_tracked, as_array, value_of
from tensorgrad.rules.ordering import index_along_axis


@implements(np.copyto)
def copyto(dst: Array, src: Array, casting: str = "same_kind", where: Any = True) -> None:
    """``dst[...] = src``, where the mask is true."""
    source = value_of(src)
    if not isinstance(source, (bool, int, float, complex)):
        if not isinstance(src, Variable):
            src = source = as_array(source)
        if not np.can_cast(source.dtype, dst.dtype, casting):  # type: ignore[arg-type]
            raise TypeError(f"copyto: cannot cast {source.dtype} to {dst.dtype} by the rule {casting!r}")
        extra = source.ndim - dst.ndim
        if extra > 0 and set(source.shape[:extra]) == {1}:
            src = np.reshape(src, source.shape[extra:])
    mask = np.broadcast_to(value_of(where), dst.shape)
    if mask.all():
        dst[...] = src
    else:
        dst[mask] = np.broadcast_to(src, dst.shape)[mask]


@implements(np.put)
def put(a: Array, ind: Any, v: Array, mode: str = "raise") -> None:
    """``a.flat[ind] = v``; a ``v`` that is too short is repeated."""
    index = np.ravel(value_of(ind))
    if isinstance(value_of(ind), np.ndarray) and not np.can_cast(index.dtype, np.intp):
        raise TypeError(f"put: indices must be integers, got {index.dtype}")
    if mode not in ("raise", "wrap", "clip"):
        raise ValueError(f"put: mode must be 'raise', 'wrap' or 'clip', got {mode!r}")
    index = index.astype(np.intp)
    if mode == "raise" and index.size and not (index.min() >= -a.size and index.max() < a.size):
        raise IndexError(f"put: an index is out of bounds for an array of {a.size} elements")
    if index.size:
        index = np.clip(index, 0, a.size - 1) if mode == "clip" else index % a.size
        values = _repeated(v, index.size)
        if a.ndim:
            a[np.unravel_index(index, a.shape)] = values
        else:
            a[...] = values[-1]


def _repeated(v: Array, n: int) -> Array:
    """``n`` elements: those of ``v``, repeated as often as necessary."""
    flat = np.ravel(np.stack(v) if isinstance(v, (list, tuple)) and any_tracked(v) else v)
    return flat[np.arange(n) % flat.size]


@implements(np.place)
def place(arr: Array, mask: Any, vals: Array) -> None:
    """``arr[mask] = vals``; ``vals`` that are too short are repeated."""
    chosen = as_array(value_of(mask), bool).reshape(arr.shape)
    arr[chosen] = _repeated(vals, int(np.count_nonzero(chosen)))


@implements(np.putmask)
def putmask(a: Array, mask: Any, values: Array) -> None:
    """``a.flat[i] = values.flat[i]`` where the mask is true; ``values`` that are too short are repeated."""
    chosen = as_array(value_of(mask), bool).reshape(a.shape)
    a[chosen] = np.reshape(_repeated(values, a.size), a.shape)[chosen]


@implements(np.put_along_axis)
def put_along_axis(arr: Array, indices: Any, values: Array, axis: int | None) -> None:
    """The inverse of `numpy.take_along_axis`."""
    if axis is None:
        arr[np.unravel_index(value_of(indices), arr.shape)] = values
    else:
        arr[index_along_axis("put_along_axis", arr, indices, axis)] = values


@implements(np.fill_diagonal)
def fill_diagonal(a: Array, val: Array) -> None:
    """Write to the main diagonal."""
    if a.ndim < 2 or (a.ndim > 2 and len(set(a.shape)) > 1):
        raise ValueError("fill_diagonal: the array must have two axes, or more of the same length")
    n = min(a.shape)
    a[(np.arange(n),) * a.ndim] = val if np.ndim(val) == 0 else _repeated(val, n)


def _like(create: Any) -> None:
    @implements(create)
    def new(a: Array, dtype: Any = None, order: Any = "K", subok: bool = True, shape: Any = None) -> Array:
        return type(a)(create(a.data, dtype=dtype, order=order, shape=shape))

    new.__doc__ = f"`numpy.{create.__name__}`: a new tensor, which requires no gradient."


for _create in (np.zeros_like, np.ones_like, np.empty_like):
    _like(_create)


@implements(np.full_like)
def full_like(
    a: Array, fill_value: Array, dtype: Any = None, order: Any = "K", subok: bool = True, shape: Any = None
) -> Array:
    """A tensor of the shape and dtype of ``a``, filled with ``fill_value``."""
    out = np.empty_like(a, dtype, order, subok, shape)
    np.copyto(out, fill_value, "unsafe")
    return out
