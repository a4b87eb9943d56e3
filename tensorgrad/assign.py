"""Assignment to elements, on the tape: ``t[index] = value`` inside a differentiated function.

As in NumPy, a tensor and its views are one memory: what is assigned through one of them is seen by all, in their values
and in their gradients, and by the ndarray they were made of. What a pending backward pass has saved is kept for it: a
record whose saved values would be overwritten gets a copy of them first. So the order in which values are read and
written is free, and no gradient is ever that of a value written later.

Refused, before anything changes: writing to a leaf that requires a gradient, or to a view of one (its gradient is that
of the value it has), and recording a write through ``t.detach()``, whose other owners would not hear of it.
"""

from __future__ import annotations

import math
import weakref
from typing import Any

import numpy as np

from tensorgrad.errors import AssignmentError
from tensorgrad.rules.indexing import as_index, getitem, may_repeat, scatter
from tensorgrad.table import also_complex, primitive, rule
from tensorgrad.tape import DETACHED, Record, Variable, mode, value_of


@primitive
def assigned(x: Any, values: Any, *, index: Any) -> Any:
    """``x`` after ``x[index] = values``: the only operation that writes to its input."""
    x[index] = values
    return x


@primitive
def erased(g: Any, *, index: Any) -> Any:
    """``g`` with zeros at ``index``."""
    rest = np.array(g)
    rest[index] = 0
    return rest


@primitive
def assigned_elsewhere(x: Any, values: Any, *, hit: Any, source: Any, shape: tuple[int, ...]) -> Any:
    """A view ``x`` of memory that was written to: its elements ``hit`` came from the elements ``source`` of values."""
    return x


# fmt: off
rule(assigned,           lambda g, ans, x, values, *, index: erased(g, index=index),
                         lambda g, ans, x, values, *, index: _last_written(g, index), masks=True)
rule(erased,             lambda g, ans, x, *, index: erased(g, index=index), masks=True)
rule(assigned_elsewhere, lambda g, ans, x, values, *, hit, source, shape: np.where(hit, 0, g),
                         lambda g, ans, x, values, *, hit, source, shape: _spread(g[hit], source, shape), masks=True)
# fmt: on

also_complex(assigned, erased, assigned_elsewhere)


def _spread(taken: Any, source: Any, shape: tuple[int, ...]) -> Any:
    return np.reshape(scatter(taken, index=source, shape=(math.prod(shape),)), shape)


def _last_written(g: Any, index: Any) -> Any:
    """The gradient of what was assigned; where an index names an element twice, only the last value stays."""
    taken = getitem(g, index=index)
    if not may_repeat(index):
        return taken
    order = np.arange(taken.size).reshape(taken.shape)
    places = np.empty(g.shape, np.intp)
    places[index] = order
    return np.where(places[index] == order, taken, 0)


def assign(target: Variable, index: Any, value: Any, fresh: bool = False) -> None:
    """``target[index] = value``, recorded for the target and for every tensor that looks at the same memory.

    ``fresh`` says that the value was computed for this alone, and nobody else holds it.

    Raises
    ------
    AssignmentError
        If the memory is that of a leaf that requires a gradient, or of a tensor that ``detach()`` was called on.
    TypeError, ValueError, IndexError
        As NumPy does; and if the target holds integers, which would lose the gradient.
    """
    if mode.recording == 2 and (target.tracked or target.readers is not None):
        raise AssignmentError("a gradient rule must not write to what it is given: compute a new array")
    index = as_index(index)
    data = target.data
    if data.dtype.kind not in "fc":
        raise TypeError(f"a tensor of {data.dtype} cannot hold values that require a gradient: make it of float")
    if not data.flags.writeable:
        raise ValueError("assignment destination is read-only: assign to a .copy() of the tensor")
    region = data[index]
    np.broadcast_to(np.empty(np.shape(value_of(value)), bool), _without_leading_ones(np.shape(value), region.shape))
    place = region if np.may_share_memory(region, data) else data  # what is written to, or all where that is scattered
    others = _views(target, place)
    for tensor in (target, *others):
        _refuse(tensor, data.dtype, "this tensor" if tensor is target else "the tensor that this one is a view of")
    if _is_view_of(value, target, region):
        return  # the last step of ``t[index] += x``, which Python writes as ``v = t[index]; v += x; t[index] = v``
    _spare(target.readers)
    written = None if not others else _addresses(region) if place is region else _addresses(data)[index]
    if isinstance(value, Variable) and np.may_share_memory(value.data, place):
        value = value.copy()  # type: ignore[attr-defined]  # of overlapping memory, as NumPy does itself
    whole = not others and place is region and region.shape == data.shape
    if whole and fresh and value.record is not None and (value.shape, value.dtype) == (data.shape, data.dtype):
        data[...] = value.data
        _rebind(target, value)
        return
    before = target.detach() if whole else target  # type: ignore[attr-defined]  # of which nothing is left
    _rebind(target, assigned(before, value, index=index))
    for tensor in others:
        hit, source = _meeting(_addresses(tensor.data), written)
        if hit.any():
            _rebind(tensor, assigned_elsewhere(tensor, value, hit=hit, source=source, shape=region.shape))


def _rebind(tensor: Variable, out: Variable) -> None:
    """The tensor is from now on the result of the assignment; records made before keep to what it was."""
    tensor.record, tensor.tracked = out.record, out.tracked


def _refuse(tensor: Variable, dtype: Any, which: str) -> None:
    if tensor.dtype != dtype:
        raise AssignmentError(
            f"{which} is of {tensor.dtype}, the memory that is written to of {dtype}: assign to the complex tensor, "
            "not to its real or imaginary part, and take parts of it after that"
        )
    if tensor.tracked is not False and tensor.record is None:
        raise AssignmentError(
            f"{which} is a leaf that requires a gradient (shape {tensor.shape}), and its gradient is that of the value "
            "it has. Assign to a copy (y = t.copy(); y[index] = value), or, to update a parameter, under tg.no_grad()."
        )
    if tensor.views is DETACHED:
        raise AssignmentError(
            f"{which} was detached from another (shape {tensor.shape}) whose memory it shares, and which would not "
            "hear of the assignment. Assign to a copy of it: y = t.detach().copy()."
        )


def _without_leading_ones(shape: tuple[int, ...], region: tuple[int, ...]) -> tuple[int, ...]:
    """NumPy takes values with more axes than there are to assign to, if the first of them have length 1."""
    extra = len(shape) - len(region)
    return (1,) * extra + region if extra > 0 and set(shape[:extra]) <= {1} else region


def _is_view_of(value: Any, target: Variable, region: Any) -> bool:
    if not isinstance(value, Variable) or value.views is None or value.views is not target.views:
        return False
    one, two = value.data.__array_interface__, region.__array_interface__
    return all(one[key] == two[key] for key in ("data", "shape", "strides", "typestr"))


def _views(target: Variable, place: Any) -> list[Variable]:
    """All other tensors whose memory overlaps the place that is written to."""
    if not isinstance(target.views, list):
        return []
    target.views[:] = [ref for ref in target.views if ref() is not None]
    alive = [ref() for ref in target.views]
    return [t for t in alive if t is not None and t is not target and np.may_share_memory(t.data, place)]


def _spare(readers: list[weakref.ref[Record]] | None) -> None:
    """Give every pending record that saved values of this memory copies of them; it needs the memory no more."""
    if not readers:
        return
    for reader in readers:
        record = reader()
        if record is None or record.inputs is None:
            continue
        for i, guard in enumerate(record.guards or ()):
            if guard is not readers:
                continue
            record.guards[i] = []  # type: ignore[index]
            if i == len(record.inputs):
                record.ans = record.ans.copy()
            else:
                record.inputs[i] = record.inputs[i].copy()
    readers.clear()


def _addresses(x: Any) -> Any:
    """Where in memory each element starts."""
    addresses = np.array(x.__array_interface__["data"][0])
    for n, step in zip(x.shape, x.strides, strict=True):
        addresses = addresses[..., None] + np.arange(n) * step
    return addresses


def _meeting(mine: Any, written: Any) -> tuple[Any, Any]:
    """Which of my elements were written to, as a mask, and by which of the values, the last where it was several."""
    order = np.argsort(written, axis=None, kind="stable")
    ordered = written.reshape(-1)[order]
    if not ordered.size:
        return np.zeros(mine.shape, bool), order
    position = np.maximum(np.searchsorted(ordered, mine, side="right") - 1, 0)
    hit = ordered[position] == mine
    return hit, order[position[hit]]
