"""Integers as vectors: rows of a table, and one-hot vectors."""

from __future__ import annotations

import numpy as np

from tensorgrad.engine.indexing import scatter
from tensorgrad.engine.registry import primitive, rule
from tensorgrad.engine.tape import Array, as_array, value_of
from tensorgrad.errors import ShapeError
from tensorgrad.functional.arguments import floating
from tensorgrad.summation import widened

_MANY = 1 << 22  # float32 terms: larger sums are computed in float64, as for indexing


@primitive
def rows_of(weight: Array, *, rows: Array) -> Array:
    """``weight[rows]``."""
    return weight[rows]


@primitive
def add_to_rows(g: Array, *, rows: Array, count: int) -> Array:
    """The transpose of `rows_of`: a table of ``count`` rows, each the sum of the rows of ``g`` with its index.

    Rows with the same index are grouped and summed at once, which is several times as fast as `numpy.add.at`.
    """
    if not rows.size or g.size > _MANY:
        return scatter(g, index=rows, shape=(count, g.shape[-1]))
    flat, parts = rows.reshape(-1), widened(g).reshape(-1, g.shape[-1])
    order = np.argsort(flat, kind="stable")
    flat = flat[order]
    starts = np.flatnonzero(np.concatenate([[True], flat[1:] != flat[:-1]]))
    out = np.zeros((count, g.shape[-1]), g.dtype)
    out[flat[starts]] = np.add.reduceat(parts[order], starts, axis=0)
    return out


# fmt: off
rule(rows_of,     lambda g, _ans, _weight, *, rows: add_to_rows(g, rows=rows, count=_weight.shape[0]), selects=True)
rule(add_to_rows, lambda g, _ans, _g, *, rows, count: rows_of(g, rows=rows))
# fmt: on


def embedding(indices: Array, weight: Array, padding_idx: int | None = None) -> Array:
    """The rows ``weight[indices]``, ``(..., D)``, of a table ``(V, D)``; no gradient flows to row ``padding_idx``.

    Raises ``TypeError`` if the indices are not integers, ``IndexError`` if one is not in ``0 .. V - 1`` or
    ``padding_idx`` is not a row, and `ShapeError` if the table does not have two axes.

    Examples
    --------
    >>> table = np.array([[0.0, 0.0], [1.0, 2.0], [3.0, 4.0]])
    >>> tg.embedding(np.array([2, 1, 2]), table)
    array([[3., 4.],
           [1., 2.],
           [3., 4.]])
    """
    rows, weight = _integers("indices", indices), floating(weight)
    if weight.ndim != 2:
        raise ShapeError(f"weight must have shape (V, D), got {weight.shape}")
    count = weight.shape[0]
    if rows.size and not (rows.min() >= 0 and rows.max() < count):
        raise IndexError(f"indices must lie in 0..{count - 1}, got {rows.min()}..{rows.max()}")
    out = rows_of(weight, rows=rows)
    if padding_idx is None:
        return out
    if not -count <= padding_idx < count:
        raise IndexError(f"padding_idx must lie in {-count}..{count - 1}, got {padding_idx}")
    padding = np.expand_dims(rows == padding_idx % count, -1)
    return np.where(padding, value_of(out), out)


def one_hot(indices: Array, num_classes: int = -1) -> Array:
    """Integers ``(...)`` as ``(..., num_classes)``, 1 at the index and 0 elsewhere; by default, up to the largest.

    The result is a plain array of integers: no gradient flows to an index. Raises ``TypeError`` if the indices are not
    integers and ``IndexError`` if one is not in ``0 .. num_classes - 1``.

    Examples
    --------
    >>> tg.one_hot(np.array([2, 0]), num_classes=3)
    array([[0, 0, 1],
           [1, 0, 0]])
    """
    rows = _integers("indices", indices)
    if num_classes < 0:
        num_classes = int(rows.max(initial=-1)) + 1
    if rows.size and not (rows.min() >= 0 and rows.max() < num_classes):
        raise IndexError(f"indices must lie in 0..{num_classes - 1}, got {rows.min()}..{rows.max()}")
    return (np.expand_dims(rows, -1) == np.arange(num_classes)).astype(np.int64)


def _integers(name: str, x: Array) -> Array:
    x = np.copy(as_array(value_of(x)))  # a copy, because the record keeps it
    if x.dtype.kind not in "iu":
        raise TypeError(f"{name} must be integers, got {x.dtype}: write {name}.astype(int)")
    return x
