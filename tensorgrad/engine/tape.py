"""The tape: what an operation leaves behind.

A `Record` is what remains of one operation: which function, from what, with which values. It points backward only, to
the nodes that its inputs came from, and never to its own output, so that there are no reference cycles and a dropped
result frees all that led to it. A `Leaf` stands for a tensor that a user made, and holds it weakly for the same reason.

A record does not hold the arrays that its rule needs, but `Saved` ones: what lies between a value and a later write to
it. See `aliasing`.
"""

from __future__ import annotations

import math
import weakref
from contextvars import ContextVar
from types import CodeType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from tensorgrad.engine.caller import line_of
from tensorgrad.foreign import as_array as as_array

if TYPE_CHECKING:
    from tensorgrad.engine.aliasing import Memory, Saved
    from tensorgrad.engine.registry import Row

Array: TypeAlias = Any  # an ndarray or NumPy scalar; a tensor where a backward pass is itself recorded
NO_PARAMS: dict[str, Any] = {}


class Outline:
    """What is known of an array without its values: this is what a rule gets for an argument such as ``_x``."""

    __slots__ = ("dtype", "shape")

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    ndim = property(lambda self: len(self.shape))
    size = property(lambda self: math.prod(self.shape))
    __array_ufunc__ = None  # so that ``g * _x`` is an error

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError("a gradient rule reads the values of an argument such as _x, which are not saved: name it x")


class Node(Outline):
    """A value on the tape."""

    __slots__ = ("__weakref__",)


class Leaf(Node):
    """A tensor that requires a gradient and was not computed. The tensor owns its leaf, not the leaf its tensor."""

    __slots__ = ("tensor",)

    def __init__(self, tensor: Variable) -> None:
        self.tensor = weakref.ref(tensor)
        self.refresh()

    def refresh(self) -> None:
        """Look again what array the tensor holds: a user may have given it another."""
        tensor = self.tensor()
        if tensor is not None:
            self.shape, self.dtype = tensor.data.shape, tensor.data.dtype


class Record(Node):
    """One operation on the tape; the node of its result."""

    __slots__ = ("ans", "code", "inputs", "instruction", "number", "params", "parents", "row")

    row: Row
    parents: tuple[Node | None, ...] | None  # one for each input, None where no gradient flows; None once freed
    inputs: tuple[Any, ...] | None  # `Saved` values of tensors, arrays, or outlines of what is not saved
    ans: Saved | None  # the result, if a rule reads it
    params: dict[str, Any]
    number: int  # counts up: sorting by it is a topological order
    code: CodeType  # the user's code that called the operation,
    instruction: int  # and how far it had come

    def where(self) -> str:
        """The user's line that called the operation."""
        return line_of(self.code, self.instruction)

    def __repr__(self) -> str:
        return f"<record {self.number}: {self.row.name} -> {self.shape}>"


class Variable:
    """What the tape sees of a tensor: a value, and the node where it came from, None where no gradient flows."""

    __slots__ = ("__weakref__", "data", "grad", "memory", "node", "saved")

    data: np.ndarray[tuple[Any, ...], np.dtype[Any]]
    grad: Array
    node: Node | None
    saved: weakref.ref[Saved] | None  # the value as records saved it
    memory: Memory | None  # what is known of the memory, if other tensors look at it too

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes."""
        return self.data.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of an element."""
        return self.data.dtype

    @property
    def record(self) -> Record | None:
        """The operation that gave this tensor; None for one that a user made."""
        return self.node if isinstance(self.node, Record) else None

    @property
    def tracked(self) -> bool:
        """Whether a gradient flows to this tensor."""
        return self.node is not None


frozen_leaves: weakref.WeakValueDictionary[int, Leaf] = weakref.WeakValueDictionary()
"""The leaves of tensors that no longer require a gradient, by the identity of the tensor, while records know them."""


def leaf_of(tensor: Variable) -> Leaf | None:
    """The node of a tensor as a leaf: the present one, or the one before it was frozen, if there are records of it."""
    if tensor.node is not None:
        return tensor.node if isinstance(tensor.node, Leaf) else None
    leaf = frozen_leaves.get(id(tensor))
    return leaf if leaf is not None and leaf.tensor() is tensor else None


# ------------------------------------------------------------------------------------------------ modes


class Mode(NamedTuple):
    """Whether operations are recorded, and why."""

    recording: bool = True
    origin: Record | None = None  # whose rule runs, in a backward pass that is itself recorded
    read_only: bool = False  # rules are handed read-only arrays (gradcheck does)


_mode: ContextVar[Mode] = ContextVar("tensorgrad mode", default=Mode())  # noqa: B039  (it is frozen)
current_mode, set_mode = _mode.get, _mode.set


# ------------------------------------------------------------------------------------------------ values


def value_of(x: Any) -> Any:
    """``x`` with the values of tensors in place of tensors, in lists and tuples too."""
    if isinstance(x, Variable):
        return x.data
    if type(x) in (list, tuple):
        return type(x)([value_of(item) for item in x])
    return {key: value_of(item) for key, item in x.items()} if type(x) is dict else x


def as_result(name: str, ans: Any) -> np.ndarray[Any, Any]:
    """What a function of the table gave, a number perhaps, as an array; not several arrays, stacked in silence."""
    if isinstance(ans, (tuple, list)):
        raise TypeError(f"{name} returned a {type(ans).__name__}, not one array: join several, and split them outside")
    return np.asarray(ans)


def any_tracked(x: Any) -> bool:
    """Whether a gradient flows to ``x``, or to something in the lists, tuples and dicts it consists of."""
    if isinstance(x, Variable):
        return x.node is not None
    items = x.values() if isinstance(x, dict) else x if isinstance(x, (list, tuple)) else ()
    return any([any_tracked(item) for item in items])
