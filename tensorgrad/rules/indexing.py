"""Indexing: basic, boolean, by integer arrays with repeats, and all of them mixed as NumPy does."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.table import also_complex, primitive, rule
from tensorgrad.tape import Array, Variable


@primitive
def getitem(x: Array, *, index: Any) -> Array:
    """``x[index]``."""
    return x[index]


@primitive
def scatter(values: Array, *, index: Any, shape: tuple[int, ...]) -> Array:
    """An array of zeros to which ``values`` were added at ``index``: the transpose of indexing."""
    out = np.zeros(shape, values.dtype)
    if may_repeat(index):
        np.add.at(out, index, values)
    else:
        out[index] = values
    return out


# fmt: off
rule(getitem, lambda g, ans, x, *, index: scatter(g, index=index, shape=x.shape), masks=True,
              add_to=lambda total, g, *, index: _add_at(total, index, g))
rule(scatter, lambda g, ans, values, *, index, shape: g[index])
# fmt: on

also_complex(getitem, scatter)


def _add_at(total: Any, index: Any, values: Any) -> None:
    if may_repeat(index):
        np.add.at(total, index, values)
    else:
        total[index] += values


def may_repeat(index: Any) -> bool:
    """Whether an index can name the same element twice: only integer arrays can."""
    entries = index if isinstance(index, tuple) else (index,)
    return any(
        not isinstance(entry, slice)
        and entry is not None
        and entry is not Ellipsis
        and not isinstance(entry, (int, np.integer, bool, np.bool_))
        and np.asarray(entry).dtype != bool
        for entry in entries
    )


def as_index(index: Any) -> Any:
    """An index without tensors in it."""
    if isinstance(index, tuple):
        return tuple(map(as_index, index))
    if isinstance(index, Variable):
        if index.dtype.kind not in "bui":
            raise IndexError(f"a tensor used as an index must hold integers or booleans, not {index.dtype}")
        return index.data
    if isinstance(index, list):
        return np.array(index) if index else np.array(index, np.intp)
    return index
