"""Indexing: basic, boolean, by integer arrays with repeated indices, and any mixture that NumPy supports."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.engine.registry import also_complex, primitive, rule
from tensorgrad.engine.tape import Array, Variable, as_array

_BASIC = (slice, type(None), type(...), int, np.integer, np.bool_)
_MANY_ADDITIONS = 1 << 22  # of float32 to one element: they lose at least a quarter of a digit


@primitive
def getitem(x: Array, *, index: Any) -> Array:
    """``x[index]``."""
    return x[index]


@primitive
def scatter(values: Array, *, index: Any, shape: tuple[int, ...]) -> Array:
    """An array of zeros with ``values`` added at ``index``: the transpose of indexing."""
    out = np.zeros(shape, values.dtype) if type(values) is np.ndarray else np.zeros_like(values, shape=shape)
    if may_repeat(index):
        _add_at(out, index, values)
    else:
        out[index] = values
    return out


# fmt: off
rule(getitem, lambda g, _ans, _x, *, index: _getitem_dx(g, index, _x.shape), selects=True,
              add_to=lambda total, g, _i, _x, *, index: _add_to(total, index, g))
rule(scatter, lambda g, _ans, _values, *, index, shape: g[index])
# fmt: on

also_complex(getitem, scatter)
_scatter_array: Any = scatter.row.forward  # type: ignore[attr-defined]  # without a search for tensors


def _getitem_dx(g: Array, index: Any, shape: tuple[int, ...]) -> Array:
    return (scatter if isinstance(g, Variable) else _scatter_array)(g, index=index, shape=shape)


def _add_to(total: Any, index: Any, values: Any) -> None:
    if may_repeat(index):
        _add_at(total, index, values)
    else:
        total[index] += values


def _add_at(total: Any, index: Any, values: Any) -> None:
    dtype = _accumulator_dtype(values)
    out = total if dtype == total.dtype else total.astype(dtype)
    np.add.at(out, index, values.astype(dtype, copy=False))
    if out is not total:
        total[...] = out


def _accumulator_dtype(values: Any) -> Any:
    """The dtype to accumulate in: float32 for float16, float64 for very many float32 values."""
    if values.dtype == np.float16:
        return np.dtype(np.float32)
    return np.dtype(np.float64) if values.dtype == np.float32 and values.size > _MANY_ADDITIONS else values.dtype


def may_repeat(index: Any) -> bool:
    """Whether an index can select the same element twice: only integer arrays can."""
    entries = index if isinstance(index, tuple) else (index,)
    return any([not isinstance(entry, _BASIC) and as_array(entry).dtype.kind != "b" for entry in entries])
