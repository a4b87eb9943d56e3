"""The tape: what an operation leaves behind.

A `Record` is what remains of one operation: which function, from what, with which values. It points backward only, to
where its inputs came from and never to its own output, so there are no reference cycles, and a dropped result frees all
that led to it. A value, on the other hand, knows through weak references which records still need it and which tensors
are views of it: that is what stands between a pending backward pass and a write to the value.
"""

from __future__ import annotations

import inspect
import threading
import weakref
from contextlib import ContextDecorator
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import numpy as np

from tensorgrad.caller import Caller, line_of
from tensorgrad.errors import OverwriteError

if TYPE_CHECKING:
    from tensorgrad.table import Row

Array: TypeAlias = Any  # an ndarray or NumPy scalar; a tensor where a walk is itself recorded


class Variable:
    """What the tape sees of a tensor: a value, and how it came to be.

    ``record`` is None for a leaf. ``readers`` are weak references to the records that saved this value for their
    backward pass, ``views`` such references to the tensors that look at this memory; all of these share the lists.
    ``views`` are `DETACHED` for a tensor that looks at memory of others whose history it does not share.
    """

    __slots__ = ("__weakref__", "data", "grad", "readers", "record", "tracked", "views")

    data: np.ndarray[Any, Any]
    grad: Array
    tracked: bool | None  # None: no longer, but there may be records of it as a leaf
    record: Record | None
    readers: list[weakref.ref[Record]] | None
    views: list[weakref.ref[Variable]] | tuple[()] | None
    careful = 0  # a leaf was not computed; see `Record`

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes."""
        return self.data.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of an element."""
        return self.data.dtype


class Outline:
    """All that remains of a saved array whose values no rule reads."""

    __slots__ = ("dtype", "ndim", "shape", "size")

    def __init__(self, array: Any) -> None:
        self.shape, self.ndim, self.size, self.dtype = array.shape, array.ndim, array.size, array.dtype


class Record:
    """One operation on the tape; also the graph node of that operation's result."""

    __slots__ = (
        "__weakref__",
        "ans",
        "caller",
        "careful",
        "dtype",
        "guards",
        "inputs",
        "number",
        "params",
        "parents",
        "row",
        "shape",
    )  # fmt: skip

    row: Row
    parents: list[tuple[int, Node]] | None  # (position of the input, its node); None once freed
    inputs: list[Any] | None  # arrays; None in place of one that no rule will read
    guards: list[Any] | None  # the readers of each kept input, and of the output
    params: dict[str, Any]
    ans: Any
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    careful: int  # 1: infinities and NaN may be among its values, see `_keep_zeros`; 2: it is complex
    number: int  # counts up, so that sorting by it is a topological order
    caller: Caller

    def where(self) -> str:
        """The user's line that called the operation."""
        return line_of(self.caller)

    def free(self) -> None:
        """Let go of everything saved; a later walk over this record is an error."""
        self.parents = self.inputs = self.ans = self.guards = None
        self.params = {}

    def __repr__(self) -> str:
        return f"<record {self.number}: {self.row.name} -> {self.shape}>"


Node: TypeAlias = "Variable | Record"  # a leaf is its own node


class _Mode(threading.local):
    """Switches of the current thread."""

    recording: int = 1  # 0: not at all; 1: what the user computes; 2: the rules of a walk with create_graph
    caller: Caller  # of the record whose rule runs, in a walk with create_graph
    anomaly = False  # look through all values: see `detect_anomaly`
    locked = False  # hand rules read-only arrays (gradcheck does)


mode = _Mode()


class Switch(ContextDecorator):
    """A switch for the time of a ``with`` block or of a decorated function. Nests, and is exception-safe."""

    def __init__(self) -> None:
        self._before: list[Any] = []

    def _recreate_cm(self) -> Self:
        return type(self)()  # of each call its own, so that threads do not meet in one

    def __call__(self, func: Any) -> Any:
        """Decorate a function."""
        if inspect.isgeneratorfunction(func) or inspect.iscoroutinefunction(func) or inspect.isasyncgenfunction(func):
            raise TypeError(
                f"{type(self).__name__} cannot decorate {func.__name__!r}: a generator or coroutine runs after the "
                f"call returned. Write `with tg.{type(self).__name__}():` inside it."
            )
        return super().__call__(func)


class no_grad(Switch):  # noqa: N801  (the field's name, used like a keyword)
    """Do not record inside: ``with no_grad():`` or ``@no_grad()``. Nests, and is exception-safe."""

    def __enter__(self) -> Self:
        self._before.append(mode.recording)
        mode.recording = 0
        return self

    def __exit__(self, *error: object) -> None:
        mode.recording = self._before.pop()


def value_of(x: Any) -> Any:
    """``x`` with the values of tensors in place of tensors, in lists and tuples too."""
    if isinstance(x, Variable):
        return x.data
    if type(x) in (list, tuple):
        return type(x)(value_of(item) for item in x)
    return {key: value_of(item) for key, item in x.items()} if type(x) is dict else x


def as_array(x: Any, dtype: Any = None) -> np.ndarray[Any, Any]:
    """A plain ndarray; of subclasses whose arithmetic is another, one that would lose its meaning is refused."""
    if isinstance(x, np.ndarray) and hasattr(x, "mask"):  # numpy.ma, not imported for this
        raise TypeError("a masked array would lose its mask here: fill it, and leave elements out with np.where")
    return np.asarray(x, dtype)


def locked(x: Any) -> Any:
    """A read-only view of an array; anything else as it is."""
    if type(x) is not np.ndarray:
        return x
    view = x.view()
    view.flags.writeable = False
    return view


def any_tracked(x: Any) -> bool:
    """Whether a gradient is at stake in ``x``, or in the lists, tuples and dicts it consists of."""
    if isinstance(x, Variable):
        return bool(x.tracked)
    if isinstance(x, dict):
        return any(map(any_tracked, x.values()))
    return isinstance(x, (list, tuple)) and any(map(any_tracked, x))


def at_stake(target: Variable, value: Any) -> bool:
    """Whether a gradient depends on writing to a tensor: by its own history, that of a view of it, or the value's."""
    viewed = (ref() for ref in target.views or ())
    return bool(target.tracked) or any_tracked(value) or any(view is not None and view.tracked for view in viewed)


# ------------------------------------------------------------------------------------------- guarding what is saved


DETACHED: tuple[()] = ()


def add_reader(saved: Variable, record: Record) -> list[weakref.ref[Record]]:
    """Remember that a record needs this value; forget, now and then, those that no longer do."""
    readers = saved.readers
    if readers is None:
        saved.readers = readers = [weakref.ref(record)]
        return readers
    readers.append(weakref.ref(record))
    count = len(readers)
    if count >= 64 and count & (count - 1) == 0:  # at powers of two, which costs O(1) per entry
        readers[:] = [r for r in readers if (other := r()) is not None and other.parents is not None]
    return readers


def share_memory(source: Variable, view: Variable) -> None:
    """A view looks at the memory of its source: a write to one is a write to the other."""
    if source.readers is None:
        source.readers = []
    view.readers = source.readers
    if source.views is None:
        source.views = [weakref.ref(source)]
    view.views = views = source.views
    if isinstance(views, list):
        views.append(weakref.ref(view))
        count = len(views)
        if count >= 64 and count & (count - 1) == 0:
            views[:] = [ref for ref in views if ref() is not None]


def share_with_source(args: tuple[Any, ...], out: Variable) -> None:
    """If a result is a view of one of the arguments, let the two share what is known of the memory."""
    for arg in args:
        if isinstance(arg, Variable) and np.may_share_memory(arg.data, out.data):
            share_memory(arg, out)
            return


def before_write(target: Variable, writer: str) -> None:
    """Raise `OverwriteError` if a backward pass still to come needs the value about to be overwritten."""
    for reader in target.readers or ():
        record = reader()
        if record is not None and record.parents is not None:
            raise OverwriteError(
                f"{writer} would overwrite a tensor of shape {target.shape} that {record.row.name!r} "
                f"(result of shape {record.shape}, at {record.where()}) saved for a backward pass that has not run. "
                "Run backward() first, drop what was computed from it, or compute that under tg.no_grad()."
            )
    if target.readers:
        target.readers.clear()
