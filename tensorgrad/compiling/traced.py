"""Stand-ins for arrays and random generators while a program is recorded.

A `Traced` computes what NumPy computes, and appends each call to its `trace.Trace`. Whatever would use a value outside
NumPy, such as ``float(x)`` or ``if x > 0``, raises an error, because a replay would repeat it with the value of the
recorded call.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from tensorgrad.engine.tape import Variable, tracer
from tensorgrad.foreign import NDARRAYS

if TYPE_CHECKING:
    from tensorgrad.compiling.trace import Trace

PYTHON = (bool, int, float, complex)
UNPACKED = (list, tuple)
NESTED = (list, tuple, dict, slice)
_ESCAPES = {  # attributes that use a value outside NumPy, and their names in error messages
    **{name: f".{name}" for name in ("item", "tolist", "tobytes", "tofile", "dump", "dumps", "data", "ctypes")},
    "__array__": "its conversion to an ndarray", "__index__": "its use as a Python integer", "__float__": "float()",
    "__int__": "int()", "__complex__": "complex()", "__format__": "printing it", "__repr__": "printing it",
}  # fmt: skip


class Traced(NDArrayOperatorsMixin):
    """An array while a program is recorded: its value in the recorded call, and its position in the program."""

    __slots__ = (
        "__weakref__", "dtype", "index", "name", "number", "owns_memory", "shape", "storage", "strides",
        "trace", "value",
    )  # fmt: skip

    value: np.ndarray[Any, Any]
    storage: int  # identifies the memory, which views share
    number: type | None  # the class of a NumPy scalar or a Python number; None for an array
    index: int  # the number of stand-ins before
    name: str  # of an argument or a captured array; "" for a result

    def __init__(self, trace: Trace, value: Any, name: str = "") -> None:
        self.trace, self.name = trace, name
        self.number = None if isinstance(value, np.ndarray) else type(value)
        self.value = np.asarray(value)
        self.shape, self.dtype, self.strides = self.value.shape, self.value.dtype, self.value.strides
        self.owns_memory, self.storage = self.value.base is None, owner_of(self.value)
        self.index = len(trace.stand_ins)
        trace.stand_ins.append(self)

    is_scalar = property(lambda self: self.number is not None)
    ndim = property(lambda self: len(self.shape))
    size = property(lambda self: math.prod(self.shape))
    itemsize = property(lambda self: self.dtype.itemsize)
    nbytes = property(lambda self: math.prod(self.shape) * self.dtype.itemsize)
    flags = property(lambda self: self.value.flags)
    base = property(lambda self: self.value.base)
    T = property(lambda self: self.trace.call(np.ndarray.transpose, (self,), {}))
    mT = property(lambda self: self.trace.call(np.matrix_transpose, (self,), {}))  # noqa: N815  (NumPy's name)
    real = property(lambda self: self.trace.call(np.real, (self,), {}))
    imag = property(lambda self: self.trace.call(np.imag, (self,), {}))

    def as_array(self) -> Traced:
        """A stand-in for an ndarray; itself, unless it stands in for a NumPy scalar."""
        return self.trace.call(np.asarray, (self,), {}) if self.is_scalar else self

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if any(isinstance(x, Variable) for x in inputs):
            return NotImplemented
        fn = ufunc if method == "__call__" else getattr(ufunc, method)
        out = kwargs.get("out")
        if out is not None and any(isinstance(x, Traced) and x.is_scalar for x in out):
            del kwargs["out"]  # ``x += 1`` of a NumPy scalar, which is immutable
        elif out is not None and len(out) == 1:
            kwargs["out"] = out[0]
        return self.trace.call(fn, inputs, kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if any(issubclass(kind, Variable) for kind in types):
            return NotImplemented
        return self.trace.call(func, args, kwargs)

    def __getitem__(self, index: Any) -> Any:
        return self.trace.call(operator.getitem, (self, index), {})

    def __setitem__(self, index: Any, value: Any) -> None:
        self.trace.call(operator.setitem, (self, index, value), {})

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of unsized object")
        return int(self.shape[0])

    def __iter__(self) -> Iterator[Any]:
        if not self.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self)))

    def __getattr__(self, name: str) -> Any:
        method = getattr(np.ndarray, name, None)
        if name.startswith("__") or method is None:
            raise AttributeError(f"'numpy.ndarray' object has no attribute {name!r}")
        if tracer() is not self.trace:
            return getattr(self.value, name)
        if name in _ESCAPES or not callable(method):
            raise self.trace.escape(f".{name}")
        return lambda *args, **kwargs: self.trace.call(method, (self, *args), kwargs)

    def __bool__(self) -> bool:
        return self.trace.branch(self)

    __hash__ = object.__hash__


def _escaping(name: str, what: str) -> Any:
    """A special method that raises an error, because it would use the value outside NumPy; not in other threads."""

    def escape(self: Traced, *args: Any, **kwargs: Any) -> Any:
        if tracer() is not self.trace:
            return getattr(self.value, name)(*args, **kwargs)
        raise self.trace.escape(what)

    return escape


def _deferring(method: Any) -> Any:
    """An operator that leaves tensors to their own operators, so that a record has the line of the user's code."""
    return lambda self, other: NotImplemented if isinstance(other, Variable) else method(self, other)


def _power(self: Any, n: Any) -> Any:
    """``self ** n``, for which NumPy squares an array if ``n`` is 2."""
    is_square = type(n) is int and n == 2 and self.dtype.kind in "fc" and not self.is_scalar
    return np.square(self) if is_square else NDArrayOperatorsMixin.__pow__(self, n)


for _name, _what in _ESCAPES.items():
    if _name.startswith("__"):
        setattr(Traced, _name, _escaping(_name, _what))
for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "matmul", "lt", "le", "gt", "ge", "eq", "ne"):
    setattr(Traced, f"__{_name}__", _deferring(getattr(NDArrayOperatorsMixin, f"__{_name}__")))

Traced.__pow__ = _deferring(_power)  # type: ignore[method-assign]

NDARRAYS.add(Traced)


class TracedGenerator(np.random.Generator):
    """A random generator while a program is recorded. A replay draws from the generator it is given, in this order."""

    def __init__(self, trace: Trace, generator: np.random.Generator, name: str) -> None:
        super().__init__(generator.bit_generator)
        self._trace, self._generator, self.name = trace, generator, name

    def __getattribute__(self, method: str) -> Any:
        if method.startswith("_") or method == "name":
            return super().__getattribute__(method)
        function = getattr(np.random.Generator, method)
        if not callable(function) or method in ("spawn", "shuffle"):
            raise self._trace.escape(f"Generator.{method}")
        return lambda *args, **kwargs: self._trace.call(function, (self, *args), kwargs, kind="draw")


# ------------------------------------------------------------------------------------------------ structures


def owner_of(x: Any) -> int:
    """The ``id`` of the object that owns the memory of an array."""
    while isinstance(x, np.ndarray) and x.base is not None:
        x = x.base
    return id(x)


def leaves_of(tree: Any) -> list[Any]:
    """Everything in nested tuples, lists, dicts and slices."""
    todo, leaves = [tree], []
    for x in todo:  # which grows
        if not isinstance(x, NESTED):
            leaves.append(x)
        elif isinstance(x, slice):
            todo += (x.start, x.stop, x.step)
        else:
            todo += x.values() if isinstance(x, dict) else x
    return leaves


def traced_in(tree: Any) -> list[Traced]:
    """The stand-ins in a structure."""
    return [x for x in leaves_of(tree) if isinstance(x, Traced)]


def mapped(fn: Callable[[Any], Any], tree: Any) -> Any:
    """A structure with ``fn`` applied to its leaves."""
    kind = type(tree)
    if kind is dict:
        return {key: mapped(fn, item) for key, item in tree.items()}
    if kind not in UNPACKED and not (isinstance(tree, tuple) and hasattr(kind, "_fields")):
        return fn(tree)
    items = [mapped(fn, item) if isinstance(item, NESTED) else fn(item) for item in tree]
    return kind(*items) if hasattr(kind, "_fields") else kind(items)


def value_of(x: Any) -> Any:
    """The array, number or generator of a stand-in; any other object unchanged."""
    if isinstance(x, Traced):
        return x.value if x.number is None else x.value.item() if x.number in PYTHON else x.value[()]
    return x._generator if isinstance(x, TracedGenerator) else x


def values_in(tree: Any) -> Any:
    """A structure with the values in place of the stand-ins."""
    return mapped(value_of, tree)
