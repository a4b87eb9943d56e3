"""Assignment to elements, on the tape: ``t[index] = value`` inside a differentiated function.

As in NumPy, a tensor and its views share memory: an assignment through one of them changes the values and gradients of
all of them, and the ndarray they were created from. If an assignment would overwrite values that a record saved for a
pending backward pass, the record keeps a copy of them. Values can therefore be read and written in any order, and a
gradient is always computed from the values that were read.

Two kinds of assignment are refused before anything changes: writing to a leaf that requires a gradient, or to a view of
one; and recording a write through ``t.detach()``, because the original tensor would not be updated.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tensorgrad.engine.aliasing import keep_saved, lock, overlap
from tensorgrad.engine.indexing import getitem, may_repeat, scatter
from tensorgrad.engine.record import attach, copied
from tensorgrad.engine.registry import Row, also_complex, primitive, row_of, rule
from tensorgrad.engine.tape import Node, Variable, any_tracked, current_mode, outline_of, value_of
from tensorgrad.errors import AssignmentError
from tensorgrad.foreign import memory
from tensorgrad.frontend.leaves import leaf_of


@primitive
def assigned(x: Any, values: Any, *, index: Any) -> Any:
    """``x`` after ``x[index] = values``. Never called: `assign` writes the values and records this function."""
    raise NotImplementedError


@primitive
def assigned_elsewhere(x: Any, values: Any, *, hit: Any, source: Any, shape: tuple[int, ...]) -> Any:
    """A view ``x`` of memory that was written to: its elements ``hit`` are the elements ``source`` of ``values``."""
    raise NotImplementedError


@primitive
def erased(g: Any, *, index: Any) -> Any:
    """``g`` with zeros at ``index``."""
    rest = np.array(g)
    rest[index] = 0
    return rest


# fmt: off
rule(assigned,           lambda g, _ans, _x, _values, *, index: erased(g, index=index),
                         lambda g, _ans, _x, _values, *, index: _last_written(g, index), selects=True)
rule(erased,             lambda g, _ans, _x, *, index: erased(g, index=index), selects=True)
rule(assigned_elsewhere, lambda g, _ans, _x, _values, *, hit, source, shape: np.where(hit, 0, g),
                         lambda g, _ans, _x, _values, *, hit, source, shape: _spread(g[hit], source, shape),
                         selects=True)
# fmt: on

also_complex(assigned, erased, assigned_elsewhere)

_ASSIGNED: Row = row_of(assigned)  # type: ignore[assignment]
_PLAIN = frozenset((int, slice, np.ndarray))
_ELSEWHERE: Row = row_of(assigned_elsewhere)  # type: ignore[assignment]


def _spread(taken: Any, source: Any, shape: tuple[int, ...]) -> Any:
    return np.reshape(scatter(taken, index=source, shape=(math.prod(shape),)), shape)


def _last_written(g: Any, index: Any) -> Any:
    """The gradient of the assigned values. If an element is selected twice, only the last value was kept."""
    taken = getitem(g, index=index)
    if not may_repeat(index):
        return taken
    order = np.arange(taken.size).reshape(taken.shape)
    places = np.empty(g.shape, np.intp)
    places[index] = order
    return np.where(places[index] == order, taken, 0)


def as_index(index: Any) -> Any:
    """An index with the values of tensors in place of the tensors."""
    if isinstance(index, tuple):
        return tuple([i if type(i) in _PLAIN else as_index(i) for i in index])
    if isinstance(index, Variable):
        if index.dtype.kind not in "bui":
            raise IndexError(f"a tensor used as an index must hold integers or booleans, not {index.dtype}")
        return index.data
    if isinstance(index, list):
        return np.array(index) if index else np.array(index, np.intp)
    return index


def needs_recording(target: Variable, value: Any) -> bool:
    """Whether a write must be recorded: the target, a tensor that shares its memory, or the value is tracked."""
    refs = () if target.memory is None else target.memory.tensors
    return target.node is not None or any_tracked(value) or any_tracked([ref() for ref in tuple(refs)])


def assign(target: Variable, index: Any, value: Any, fresh: bool = False) -> None:
    """``target[index] = value``, recorded for the target and for every tensor that shares its memory.

    ``fresh`` means that the value was computed for this assignment only and is not referenced elsewhere.

    Raises
    ------
    AssignmentError
        If the memory belongs to a leaf that requires a gradient, or to a detached tensor.
    TypeError, ValueError, IndexError
        As in NumPy; also if the target has an integer dtype, which cannot hold a gradient.
    """
    index, data = as_index(index), target.data
    region = _region(data, index)
    shape = np.shape(value_of(value))
    if shape != region.shape:
        extra = len(shape) - len(region.shape)  # NumPy accepts values with additional leading axes of length 1
        ones = (1,) * extra if extra > 0 and set(shape[:extra]) <= {1} else ()
        np.broadcast_to(np.empty(shape, bool), ones + region.shape)
    is_view = region.base is not None and np.may_share_memory(region, data)
    place = region if is_view else data  # a superset of the elements that are written to
    with lock:  # the nodes of all tensors that share the memory change together
        others = [] if target.memory is None else [t for t in target.memory.overlapping(place) if t is not target]
        _check_writable(target, others)
        if isinstance(value, Variable) and overlap(value.data, place):
            if _is_same_view(value.data, region):
                return  # the last step of ``t[index] += x``: Python runs ``v = t[index]; v += x; t[index] = v``
            value = value.copy()  # type: ignore[attr-defined]  # as in NumPy
        keep_saved(target)
        written = None if not others else _addresses(region) if is_view else _addresses(data)[index]
        data[index] = value_of(value)
        node, whole = getattr(value, "node", None), not others and is_view and region.shape == data.shape
        if whole and fresh and node is not None and (value.shape, value.dtype) == (data.shape, data.dtype):
            target.node = node
            return
        before = None if whole else target.node  # if whole, no old element remains
        _record(_ASSIGNED, target, before, value, {"index": copied(_ASSIGNED, "index", index)})
        if others:
            _record_elsewhere(others, value, region, written)


def _record(row: Row, target: Variable, before: Node | None, value: Any, params: dict[str, Any]) -> None:
    """Record a write with the tensor ``target`` as its result."""
    node, array = (value.node, value.data) if isinstance(value, Variable) else (None, value)
    target.node = None
    if before is not None or node is not None:
        inputs = before or outline_of(target.data), node or outline_of(array)
        attach(row, (before, node), inputs, False, params, target, current_mode())


def _record_elsewhere(others: list[Variable], value: Any, region: Any, written: Any) -> None:
    """Record a write for the other tensors that share the memory at these addresses."""
    order = np.argsort(written, axis=None, kind="stable")
    ordered = written.reshape(-1)[order]
    for tensor in others if ordered.size else ():
        data = tensor.data
        first = memory(data).__array_interface__["data"][0]
        if data.ndim and data.flags.c_contiguous and ordered[0] >= first and ordered[-1] < first + data.nbytes:
            index = np.unravel_index((written - first) // data.itemsize, data.shape)
            _record(_ASSIGNED, tensor, tensor.node, value, {"index": index})
            continue
        addresses = _addresses(data)
        position = np.maximum(np.searchsorted(ordered, addresses, side="right") - 1, 0)  # the last write to an address
        hit = ordered[position] == addresses
        if hit.any():
            params = {"hit": hit, "source": order[position[hit]], "shape": region.shape}
            _record(_ELSEWHERE, tensor, tensor.node, value, params)


def _region(data: Any, index: Any) -> Any:
    """The elements selected by an index, as a view if possible, even for a single element."""
    region = data[index]
    if region.ndim or region.base is not None:
        return region
    return data[(*index, ...)] if isinstance(index, tuple) else data[index, ...]


def _check_writable(target: Variable, others: list[Variable]) -> None:
    """Refuse what cannot be recorded, before anything is changed."""
    data = target.data
    if current_mode().origin is not None and (target.node is not None or target.saved is not None):
        raise AssignmentError("a gradient rule must not write to its arguments: compute a new array")
    if data.dtype.kind not in "fc":
        raise TypeError(f"a tensor of {data.dtype} cannot hold values that require a gradient: make it a float tensor")
    if not data.flags.writeable:
        raise ValueError("assignment destination is read-only: assign to a .copy() of the tensor")
    for tensor in (target, *others):
        which = "this tensor" if tensor is target else "the tensor that this one is a view of"
        if tensor.data.dtype != data.dtype:
            why = (
                f"has dtype {tensor.dtype}, the memory that is written to has {data.dtype}: assign to the complex "
                "tensor, not to its real or imaginary part"
            )
        elif leaf_of(tensor) is not None:
            why = (
                f"is a leaf that requires a gradient (shape {tensor.shape}), which is computed for its present value. "
                "Assign to a copy (y = t.copy(); y[index] = value), or, to update a parameter, under tg.no_grad()"
            )
        elif tensor.memory is not None and tensor.memory.detached:
            why = (
                f"was detached from another tensor (shape {tensor.shape}) that shares its memory, for which the "
                "assignment would not be recorded. Assign to a copy: y = t.detach().copy()"
            )
        else:
            continue
        raise AssignmentError(f"{which} {why}")


def _addresses(x: Any) -> Any:
    """The memory address of each element."""
    addresses = np.array(memory(x).__array_interface__["data"][0])
    for n, step in zip(x.shape, x.strides, strict=True):
        addresses = addresses[..., None] + np.arange(n) * step
    return addresses


def _is_same_view(a: Any, b: Any) -> bool:
    """Whether two arrays have the same address, shape, strides and dtype."""
    if (a.shape, a.strides, a.dtype) != (b.shape, b.strides, b.dtype):
        return False
    return bool(memory(a).__array_interface__["data"][0] == memory(b).__array_interface__["data"][0])
