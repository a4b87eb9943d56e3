"""The tape: the records of operations, and the leaves they start from.

A `Record` describes one operation: its function, the nodes of its inputs and the values its rule needs. It refers to
those nodes only, never to its own output, so that there are no reference cycles, and dropping a result frees the
records behind it. A `Leaf` represents a tensor that a user created, and references it weakly for the same reason.

A record holds the values of tensors in `Saved` objects, which protect them against later writes; see `aliasing`.
"""

from __future__ import annotations

import math
import weakref
from contextvars import ContextVar
from types import CodeType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from tensorgrad.engine.caller import line_of
from tensorgrad.foreign import NDARRAYS as NDARRAYS
from tensorgrad.foreign import as_array as as_array

if TYPE_CHECKING:
    from tensorgrad.engine.aliasing import Memory, Saved
    from tensorgrad.engine.registry import Row

Array: TypeAlias = Any  # an ndarray or NumPy scalar; a tensor where a backward pass is itself recorded
NO_PARAMS: dict[str, Any] = {}


class Outline:
    """The shape and dtype of an array without its values: what a rule receives for an argument such as ``_x``."""

    __slots__ = ("dtype", "shape")

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    ndim = property(lambda self: len(self.shape))
    size = property(lambda self: math.prod(self.shape))
    __array_ufunc__ = None  # so that ``g * _x`` is an error

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError("a gradient rule reads the values of an argument such as _x, which are not saved: name it x")


_PYTHON_NUMBERS = {kind: ((), np.dtype(kind)) for kind in (bool, int, float, complex)}
ZERO = Outline()  # of the number 0, as in ``np.where(mask, g, 0)``
ZERO.shape, ZERO.dtype = _PYTHON_NUMBERS[int]


def outline_of(x: Any, like: Outline | None = None) -> Outline:
    """The outline of an argument that is not saved; ``like`` itself if it has the same shape and dtype."""
    if type(x) is int and x == 0:
        return ZERO
    shape, dtype = (x.shape, x.dtype) if type(x) is np.ndarray else _PYTHON_NUMBERS.get(type(x)) or (np.shape(x), None)
    if like is not None and dtype is like.dtype and shape == like.shape:
        return like
    outline = object.__new__(Outline)
    outline.shape, outline.dtype = shape, np.dtype(object) if dtype is None else dtype
    return outline


class Node(Outline):
    """A value on the tape."""

    __slots__ = ("__weakref__",)


class Leaf(Node):
    """The node of a tensor that a user created with ``requires_grad=True``. The tensor owns the leaf.

    Its shape and dtype are those of the data at the time: a tensor that is given other data gets another leaf.
    """

    __slots__ = ("tensor",)

    def __init__(self, tensor: Variable) -> None:
        self.tensor = weakref.ref(tensor)
        self.shape, self.dtype = tensor.data.shape, tensor.data.dtype


class Record(Node):
    """One operation on the tape, and the node of its result."""

    __slots__ = ("ans", "code", "inputs", "instruction", "number", "params", "parents", "row")

    row: Row
    parents: tuple[Node | None, ...] | None  # one per input, None where no gradient flows; None once freed
    inputs: tuple[Any, ...] | None  # a `Saved` for a tensor, an array, or an outline of what is not saved
    ans: Saved | None  # the result, if a rule reads it
    params: dict[str, Any]
    number: int  # increases with each record, so that sorting by it gives a topological order
    code: CodeType  # the user's code that called the operation,
    instruction: int  # and the offset of the instruction

    def where(self) -> str:
        """The line of the user's code that called the operation."""
        return line_of(self.code, self.instruction)

    def __repr__(self) -> str:
        return f"<record {self.number}: {self.row.name} -> {self.shape}>"


class Variable:
    """The part of a tensor that the engine uses: its value, and its node, which is None if no gradient flows to it."""

    __slots__ = ("__weakref__", "data", "grad", "memory", "node", "saved")

    data: np.ndarray[tuple[Any, ...], np.dtype[Any]]
    grad: Array
    node: Node | None
    saved: weakref.ref[Saved] | None  # the value as saved by records
    memory: Memory | None  # shared with the other tensors that use the same memory, if there are any

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return self.data.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the array."""
        return self.data.dtype

    @property
    def record(self) -> Record | None:
        """The operation that computed this tensor; None for one that a user created."""
        return self.node if isinstance(self.node, Record) else None

    @property
    def tracked(self) -> bool:
        """Whether a gradient flows to this tensor."""
        return self.node is not None


def node_of(tensor: Variable) -> Node | None:
    """The node of a tensor for an operation to record: a new leaf if its data has another shape or dtype by now."""
    node, data = tensor.node, tensor.data
    if type(node) is Leaf and (node.shape != data.shape or node.dtype != data.dtype):
        if data.dtype.kind != "f":
            raise TypeError(f"a leaf that requires a gradient was given data of {data.dtype}: it holds real floats")
        node = tensor.node = Leaf(tensor)
    return node


# ------------------------------------------------------------------------------------------------ modes


class Mode(NamedTuple):
    """Whether operations are recorded, and why."""

    recording: bool = True
    origin: Record | None = None  # in a recorded backward pass, the record whose rule is running
    read_only: bool = False  # pass read-only arrays to rules, as gradcheck does


_mode: ContextVar[Mode] = ContextVar("tensorgrad mode", default=Mode())  # noqa: B039  (it is frozen)
current_mode, set_mode = _mode.get, _mode.set


_tracer: ContextVar[Any] = ContextVar("tensorgrad tracer", default=None)  # the trace of `compiling`, while it records
tracer, set_tracer = _tracer.get, _tracer.set


# ------------------------------------------------------------------------------------------------ values


def value_of(x: Any) -> Any:
    """``x`` with the values of tensors in place of the tensors, also inside lists, tuples and dicts."""
    if isinstance(x, Variable):
        return x.data
    if type(x) in (list, tuple):
        return type(x)([value_of(item) for item in x])
    return {key: value_of(item) for key, item in x.items()} if type(x) is dict else x


def as_result(name: str, ans: Any) -> np.ndarray[Any, Any]:
    """The result of a function as an array. Refuses lists and tuples of arrays, which `numpy.asarray` would stack."""
    if isinstance(ans, (tuple, list)):
        raise TypeError(f"{name} returned a {type(ans).__name__}, not one array: join several, and split them outside")
    return as_array(ans) if type(ans) in NDARRAYS else np.asarray(ans)


def any_tracked(x: Any) -> bool:
    """Whether a gradient flows to ``x``, or to anything inside it if it is a list, tuple or dict."""
    if isinstance(x, Variable):
        return x.node is not None
    items = x.values() if isinstance(x, dict) else x if isinstance(x, (list, tuple)) else ()
    return any([any_tracked(item) for item in items])
