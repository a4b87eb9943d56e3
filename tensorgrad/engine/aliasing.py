"""Who shares memory with whom, and what a write does to values that a backward pass still needs.

A record holds `Saved` values: the array of a tensor, in a box that the tensor knows of. Before tensorgrad writes to
a tensor, the box gets a copy of the array, one for all records that saved it; so a gradient is that of the computation
that ran. The tensor holds the box weakly. Once the records are freed, it is gone, and a write copies nothing: that is
what a training step does.

Tensors that look at one memory, such as a view and its source, share a `Memory`, which knows of all of them.
"""

from __future__ import annotations

import sys
import weakref
from _thread import RLock
from array import array
from typing import Any, TypeAlias

import numpy as np
from numpy.lib.array_utils import byte_bounds

from tensorgrad.engine.tape import Node, Outline, Variable, any_tracked

Array: TypeAlias = np.ndarray[Any, Any]
_ndarray, _new, _weakly = np.ndarray, object.__new__, weakref.ref
_changing = RLock()  # held while it is noted who shares memory and what is saved; finalizers may save, too


class Saved:
    """The value of a tensor, as records saved it."""

    __slots__ = ("__weakref__", "data", "memory", "views")

    data: Array
    memory: Memory | None  # of the tensor
    views: weakref.ref[Memory] | None  # what a recorded backward pass made of this value: see `restored`

    def keep(self) -> None:
        """Before a write to the array: copy it."""
        self.data = np.copy(self.data)
        views = None if self.views is None else self.views()
        if views is not None:
            views.keep_saved()


class Memory:
    """Memory that several tensors look at: those tensors, and what records saved of it."""

    __slots__ = ("__weakref__", "bounds", "detached", "saved", "source", "tensors")

    def __init__(self, saved: list[weakref.ref[Saved]] | None = None, detached: bool = False,
                 source: Saved | None = None) -> None:  # fmt: skip
        self.tensors: list[weakref.ref[Variable]] = []
        self.saved = [] if saved is None else saved
        self.bounds: array[int] | None = None  # of the first of the tensors, the first and last address, once asked for
        self.detached = detached  # there are other tensors, with a history of their own
        self.source = source  # the value that the tensors look at, where they are those of a recorded backward pass

    def add(self, tensor: Variable) -> None:
        """One more tensor looks at this memory."""
        with _changing:
            tensor.memory = self
            self.tensors.append(_weakly(tensor))
            if tensor.saved is not None:
                self.saved.append(tensor.saved)
            count = len(self.tensors)
            if count >= 64 and count & (count - 1) == 0:  # at powers of two, which costs O(1) per tensor
                self.tensors[:] = [ref for ref in self.tensors if ref() is not None]
                self.saved[:] = [ref for ref in self.saved if ref() is not None]
                self.bounds = None

    def keep_saved(self) -> None:
        """Before a write to this memory: let records keep what they saved of it."""
        with _changing:
            refs, self.saved[:] = list(self.saved), []
        for saved in filter(None, [ref() for ref in refs]):
            saved.keep()

    def overlapping(self, region: Array) -> list[Variable]:
        """The tensors that have an element in a region."""
        alive = [tensor for ref in self.tensors[:64] if (tensor := ref()) is not None]
        if len(self.tensors) <= 64 and len(alive) <= 8:
            self.tensors[:] = [_weakly(tensor) for tensor in alive]
            self.bounds = None
            return [tensor for tensor in alive if overlap(tensor.data, region)]
        if self.bounds is None:
            self.bounds = array("q")
        for tensor in [ref() for ref in self.tensors[len(self.bounds) // 2 :]]:
            self.bounds.extend((0, 0) if tensor is None else byte_bounds(tensor.data))
        low, high = byte_bounds(region)
        starts, ends = np.frombuffer(self.bounds, np.int64).reshape(-1, 2).T
        near = [self.tensors[i]() for i in np.flatnonzero((starts < high) & (ends > low)).tolist()]
        return [tensor for tensor in near if tensor is not None and overlap(tensor.data, region)]


def save(tensor: Variable) -> Saved:
    """The value of a tensor for a record to keep: the same for all records."""
    ref = tensor.saved
    if ref is not None:
        saved = ref()
        if saved is not None and saved.data is tensor.data:
            return saved
    with _changing:
        if tensor.saved is not ref:  # another thread was here first
            return save(tensor)
        saved = _new(Saved)
        saved.data, saved.memory, saved.views = tensor.data, tensor.memory, None
        tensor.saved = ref = _weakly(saved)
        if saved.memory is not None:
            saved.memory.saved.append(ref)
    return saved


def values_of(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """What a record saved, without the boxes."""
    if len(inputs) == 1:
        (x,) = inputs
        return (x.data,) if type(x) is Saved else inputs
    if len(inputs) == 2:
        x, y = inputs
        return x.data if type(x) is Saved else x, y.data if type(y) is Saved else y
    return tuple([x.data if type(x) is Saved else x for x in inputs])


def restored(kind: type[Variable], saved: Saved, node: Node | None) -> Variable:
    """A saved value as a tensor again, for a recorded backward pass. What is saved of it or its views is kept too."""
    out = _new(kind)
    out.data, out.node, out.grad, out.saved = saved.data, node, None, _weakly(saved)
    out.memory = None if saved.views is None else saved.views()
    if out.memory is None:
        out.memory = Memory(source=saved)
        saved.views = _weakly(out.memory)
    return out


def keep_saved(tensor: Variable) -> None:
    """Before a write to a tensor: let records keep what they saved of its memory."""
    saved = None if tensor.saved is None else tensor.saved()
    if tensor.memory is not None:
        tensor.memory.keep_saved()
    elif saved is not None:
        saved.keep()
    tensor.saved = None


def share_memory(source: Variable, view: Variable) -> None:
    """A view looks at the memory of its source: a write to one is a write to the other."""
    _memory_of(source).add(view)


def detach_from(source: Variable, view: Variable) -> None:
    """A view of the same memory that does not share the history of its source."""
    Memory(_memory_of(source).saved, detached=True).add(view)


def _memory_of(tensor: Variable) -> Memory:
    """What is known of the memory of a tensor that is about to share it."""
    with _changing:
        if tensor.memory is None:
            Memory().add(tensor)
        return tensor.memory  # type: ignore[return-value]


def share_with_source(args: tuple[Any, ...], out: Variable) -> None:
    """If a result is a view of one of the arguments, let the two share what is known of the memory."""
    for arg in args:
        if isinstance(arg, Variable) and (out.data.base is arg.data or np.may_share_memory(arg.data, out.data)):
            share_memory(arg, out)
            return


def needs_recording(target: Variable, value: Any) -> bool:
    """Whether a gradient depends on a write: by the history of the target, of a view of it, or of what is written."""
    refs = () if target.memory is None else target.memory.tensors
    return target.node is not None or any_tracked(value) or any_tracked([ref() for ref in refs])


# ------------------------------------------------------------------------------------------------ whose array is it?


def overlap(a: Array, b: Array) -> bool:
    """Whether two arrays have an element in common; True where that is too hard to say."""
    if not np.may_share_memory(a, b):
        return False
    try:
        return np.shares_memory(a, b, max_work=10_000)  # type: ignore[arg-type]  # any bound will do
    except np.exceptions.TooHardError:
        return True


def is_view(ans: Array, values: Any) -> bool:
    """Whether the result of a function may be memory of one of its arguments."""
    return ans.base is not None or any([ans is x for x in values])


def is_new(out: Any, g: Any, ans: Any, inputs: Any) -> bool:
    """Whether a rule made this array itself and kept no reference, so that it can be added to and handed over."""
    owned = type(out) is _ndarray and out.base is None and sys.getrefcount(out) <= _REFERENCES_OF_NEW
    return owned and out is not g and out is not ans and all([out is not x for x in inputs])


def _references_of_new() -> int:
    """What `sys.getrefcount` gives in `is_new` for an array that the backward pass alone holds: called as there."""

    def is_new(out: Any) -> int:
        return sys.getrefcount(out)

    def add(out: Any) -> int:
        return is_new(out)

    out = np.empty(1)
    count = add(out)
    return count if out is not None else 0


_REFERENCES_OF_NEW = _references_of_new()  # versions of Python count differently


def read_only(x: Any) -> Any:
    """A read-only view of an array; anything else as it is."""
    if type(x) is _ndarray:
        x = x.view()
        x.flags.writeable = False
    return x


def frozen(param: Any) -> Any:
    """A parameter for a record to keep, that a later write to an array or list in it does not reach."""
    kind = type(param)
    if kind is _ndarray:
        return param.copy()
    if kind is dict:
        return {key: frozen(item) for key, item in param.items()}
    return kind([frozen(item) for item in param]) if kind is tuple or kind is list else param


def outline_of(x: Any, like: Outline | None = None) -> Outline:
    """What is known of an argument that is not saved; ``like``, if that is the same."""
    shape, dtype = (x.shape, x.dtype) if type(x) is _ndarray else _OF_NUMBERS.get(type(x)) or (np.shape(x), None)
    if like is not None and dtype is like.dtype and shape == like.shape:
        return like
    outline = _new(Outline)
    outline.shape, outline.dtype = shape, np.dtype(object) if dtype is None else dtype
    return outline


_OF_NUMBERS = {kind: ((), np.dtype(kind)) for kind in (bool, int, float, complex)}  # of Python
