"""`with_former_values`: tensors have the values they had before a write, in one context and not in other threads.

A checkpointed function reads the parameters of a model wherever it finds them, so a value that has been overwritten
must be put back into the same tensor for the second call. Another thread may use the parameter at that moment, update
it, or recompute a function from another former value. So for the time of the call the tensor has a class whose ``data``
and ``saved`` depend on the context.
"""

from __future__ import annotations

import contextlib
import functools
from _thread import allocate_lock
from collections import Counter
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import Any

from tensorgrad.engine.tape import Variable, value_of

_former: ContextVar[dict[int, dict[str, Any]]] = ContextVar("former values", default={})  # noqa: B039  (never changed)
_calls: Counter[int] = Counter()  # in which a tensor has a former value, in all threads
_lock = allocate_lock()  # for changes to `_calls` and to the class of a tensor


@contextlib.contextmanager
def with_former_values(tensors: Sequence[Any], values: Sequence[Any]) -> Iterator[None]:
    """Inside the block, the tensors have these values in this context. None in place of a tensor is skipped."""
    pairs = [(t, value_of(v)) for t, v in zip(tensors, values, strict=True) if t is not None]
    changed = [(t, v) for t, v in pairs if t.data is not v]
    token = _former.set(_former.get() | {id(t): {"data": v, "saved": None} for t, v in changed})
    for tensor, _ in changed:
        with _lock:
            _calls[id(tensor)] += 1
            tensor.__class__ = _with_context(original_class(tensor))
    try:
        yield
    finally:
        _former.reset(token)
        for tensor, _ in changed:
            with _lock:
                _calls[id(tensor)] -= 1
                if not _calls[id(tensor)]:
                    del _calls[id(tensor)]
                    tensor.__class__ = original_class(tensor)


def original_class(tensor: Any) -> Any:
    """The class of a tensor, even while its value depends on the context."""
    return getattr(tensor, "_original", type(tensor))


def _attribute(name: str) -> Any:
    """An attribute of a tensor that depends on the context."""
    stored = vars(Variable)[name]

    def get(self: Any) -> Any:
        former = _former.get().get(id(self))
        return stored.__get__(self) if former is None else former[name]

    def put(self: Any, value: Any) -> None:
        former = _former.get().get(id(self))
        if former is None:
            stored.__set__(self, value)
        else:
            former[name] = value

    return property(get, put)


@functools.cache
def _with_context(kind: Any) -> Any:
    """A class like this one, for tensors whose value depends on the context."""

    def reduce(self: Any) -> Any:  # results of this class are pickled as tensors of the original one
        make, (_, *arguments) = kind.__reduce__(self)
        return make, (kind, *arguments)

    attributes = {name: _attribute(name) for name in ("data", "saved")}
    return type(kind)(kind.__name__, (kind,), {"__slots__": (), "__reduce__": reduce, "_original": kind, **attributes})
