"""Which tensors share memory, and how values that a backward pass still needs are protected against writes.

A record holds `Saved` values: the array of a tensor, in a holder that the tensor references weakly. Before tensorgrad
writes to the tensor, the array in the holder is replaced by a copy, one for all records that saved it, so that the
gradient is that of the computation that ran. Once the records are freed, the holder is freed as well, and a write
copies nothing. This is the case in a training step.

Tensors that share memory, such as a view and its source, share a `Memory` object, which references all of them.
"""

from __future__ import annotations

import weakref
from _thread import RLock
from array import array
from typing import Any, TypeAlias

import numpy as np
from numpy.lib.array_utils import byte_bounds

from tensorgrad.engine.tape import Node, Variable
from tensorgrad.foreign import memory

Array: TypeAlias = np.ndarray[Any, Any]
_ndarray, _new, _weakref = np.ndarray, object.__new__, weakref.ref
lock = RLock()  # for changes to `Memory` and `Variable.saved`, and recorded writes; reentrant, as finalizers may save


class Saved:
    """The value of a tensor as saved by records."""

    __slots__ = ("__weakref__", "data", "memory", "restored_memory")

    data: Array
    memory: Memory | None  # of the tensor
    restored_memory: weakref.ref[Memory] | None  # of the tensors that a recorded pass made from it: see `restored`

    def copy_data(self) -> None:
        """Replace the array by a copy, before a write to it."""
        self.data = np.copy(self.data)
        memory = None if self.restored_memory is None else self.restored_memory()
        if memory is not None:
            memory.keep_saved()


class Memory:
    """Memory shared by several tensors: references to those tensors, and to the values that records saved."""

    __slots__ = ("__weakref__", "bounds", "detached", "restored_from", "saved", "tensors")

    def __init__(self, saved: list[weakref.ref[Saved]] | None = None, detached: bool = False,
                 restored_from: Saved | None = None) -> None:  # fmt: skip
        self.tensors: list[weakref.ref[Variable]] = []
        self.saved = [] if saved is None else saved
        self.bounds: array[int] | None = None  # cache: the first and last address of each tensor, for some of the first
        self.detached = detached  # whether other tensors with a separate history use the same memory
        self.restored_from = restored_from  # the saved value of these tensors, if a recorded backward pass made them

    def add(self, tensor: Variable) -> None:
        """Add a tensor that uses this memory."""
        with lock:
            tensor.memory = self
            if _append(self.tensors, _weakref(tensor)):
                self.bounds = None
            if tensor.saved is not None:
                _append(self.saved, tensor.saved)

    def keep_saved(self) -> None:
        """Copy the values that records saved, before a write to this memory."""
        refs, self.saved[:] = list(self.saved), []
        for saved in filter(None, [ref() for ref in refs]):
            saved.copy_data()

    def overlapping(self, region: Array) -> list[Variable]:
        """The tensors that have an element in common with ``region``."""
        with lock:
            alive = [tensor for ref in self.tensors[:64] if (tensor := ref()) is not None]
            if len(self.tensors) <= 64 and len(alive) <= 8:
                self.tensors[:] = [_weakref(tensor) for tensor in alive]
                self.bounds = None
                return [tensor for tensor in alive if overlap(tensor.data, region)]
            if self.bounds is None:
                self.bounds = array("q")
            for tensor in [ref() for ref in self.tensors[len(self.bounds) // 2 :]]:
                self.bounds.extend((0, 0) if tensor is None else byte_bounds(memory(tensor.data)))
            low, high = byte_bounds(memory(region))
            starts, ends = np.frombuffer(self.bounds, np.int64).reshape(-1, 2).T
            near = [self.tensors[i]() for i in np.flatnonzero((starts < high) & (ends > low)).tolist()]
            return [tensor for tensor in near if tensor is not None and overlap(tensor.data, region)]


def _append(refs: list[Any], ref: Any) -> bool:
    """Append a weak reference. Return whether dead ones were removed: at powers of two, so in amortized O(1)."""
    refs.append(ref)
    is_due = len(refs) >= 64 and len(refs) & (len(refs) - 1) == 0
    if is_due:
        refs[:] = [ref for ref in refs if ref() is not None]
    return is_due


def save(tensor: Variable) -> Saved:
    """The holder of a tensor's value for a record, shared by all records that save it."""
    ref = tensor.saved
    if ref is not None and (saved := ref()) is not None and saved.data is tensor.data:
        return saved
    with lock:
        if tensor.saved is not ref:  # another thread has changed it
            return save(tensor)
        saved = _new(Saved)
        saved.data, saved.memory, saved.restored_memory = tensor.data, tensor.memory, None
        tensor.saved = ref = _weakref(saved)
        if saved.memory is not None:
            _append(saved.memory.saved, ref)
    return saved


def values_of(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """The inputs of a record, with the arrays in place of the `Saved` holders."""
    if len(inputs) == 1:
        (x,) = inputs
        return (x.data,) if type(x) is Saved else inputs
    if len(inputs) == 2:
        x, y = inputs
        return x.data if type(x) is Saved else x, y.data if type(y) is Saved else y
    return tuple([x.data if type(x) is Saved else x for x in inputs])


def restored(kind: type[Variable], saved: Saved, node: Node | None) -> Variable:
    """A tensor of a saved value, for a recorded backward pass. Values saved from it or its views are protected too."""
    out = _new(kind)
    out.data, out.node, out.grad, out.saved = saved.data, node, None, _weakref(saved)
    with lock:
        out.memory = (saved.restored_memory and saved.restored_memory()) or Memory(restored_from=saved)
        saved.restored_memory = _weakref(out.memory)
    return out


def keep_saved(tensor: Variable) -> None:
    """Copy the values that records saved of a tensor's memory, before a write to it."""
    with lock:
        if tensor.memory is not None:
            tensor.memory.keep_saved()
        elif tensor.saved is not None and (saved := tensor.saved()) is not None:
            saved.copy_data()
        tensor.saved = None


def share_memory(source: Variable, view: Variable) -> None:
    """Note that a view shares the memory of its source, so that a write to one is a write to the other."""
    _memory_of(source).add(view)


def detach_from(source: Variable, view: Variable) -> None:
    """Note that a view shares the memory of its source, but not its history."""
    Memory(_memory_of(source).saved, detached=True).add(view)


def _memory_of(tensor: Variable) -> Memory:
    """The `Memory` of a tensor; created if the tensor has none."""
    with lock:
        if tensor.memory is None:
            Memory().add(tensor)
        return tensor.memory  # type: ignore[return-value]


def share_with_source(args: tuple[Any, ...], out: Variable) -> None:
    """If a result is a view of an argument, let the two share a `Memory`."""
    for arg in args:
        if isinstance(arg, Variable) and (out.data.base is arg.data or np.may_share_memory(arg.data, out.data)):
            share_memory(arg, out)
            return


def overlap(a: Array, b: Array) -> bool:
    """Whether two arrays have an element in common; True if that would take too long to determine."""
    if not np.may_share_memory(a, b):
        return False
    try:
        return np.shares_memory(a, b, max_work=10_000)  # type: ignore[arg-type]  # any integer is allowed
    except np.exceptions.TooHardError:
        return True


def read_only(x: Any) -> Any:
    """A read-only view of an array; any other object unchanged."""
    if type(x) is _ndarray:
        x = x.view()
        x.flags.writeable = False
    return x
