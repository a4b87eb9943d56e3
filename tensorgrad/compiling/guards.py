"""What a recorded program depends on: its arguments, and everything that the function reaches from outside.

The function's closure, the globals that it names, its bound object and its arguments are searched for tensors and plain
values. A program is replayed only while all of them are as they were in the recorded call.
"""

from __future__ import annotations

import contextlib
import functools
import operator
import os
import sys
import types
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import call, is_
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tensorgrad.compiling.traced import owner_of
from tensorgrad.engine.caller import in_package
from tensorgrad.engine.tape import Variable

PLAIN = (int, float, complex, bool, str, bytes, type(None), np.generic, np.dtype, type)
_IMPLICIT = frozenset((  # methods that run without being named
    "__call__", "__getattr__", "__getattribute__", "__getitem__", "__len__", "__iter__", "__next__", "__contains__",
    "__enter__", "__exit__", "__float__", "__int__", "__index__", "__bool__", "__get__", "__add__", "__sub__",
    "__mul__", "__rmul__", "__truediv__", "__pow__", "__matmul__", "__neg__", "__eq__", "__ne__", "__lt__", "__le__",
    "__gt__", "__ge__",
))  # fmt: skip
_CLASS_VALUES = (*PLAIN, list, tuple, dict, set, frozenset, np.ndarray, Variable)  # watched in attributes of classes
_STANDARD = str(Path(functools.__file__).parent) + os.sep  # the standard library
_MOST_BINDINGS = 50_000  # a function that reaches more is not searched to the end


class Binding(NamedTuple):
    """Something that a program depends on, such as a variable, and its value when the function was recorded."""

    read: Callable[[Any, Any], Any]  # of the owner and the key; a builtin, which costs little
    owner: Any
    key: Any
    value: Any
    name: str

    def current(self) -> Any:
        """The present value."""
        with contextlib.suppress(AttributeError, IndexError):  # it exists no longer
            return self.read(self.owner, self.key)
        return None

    def assign(self, value: Any) -> None:
        """Set the value of a variable, an attribute or an entry."""
        if self.read is not getattr:
            self.owner[self.key] = value
        else:
            (setattr if isinstance(self.owner, type) else object.__setattr__)(self.owner, self.key, value)


def _elements(x: Any, _key: Any) -> frozenset[Any]:
    return frozenset(x)


class Dependencies:
    """The tensors, generators and other values that can be reached from a function and its arguments."""

    def __init__(self, fn: Callable[..., Any], arguments: Sequence[tuple[Any, str]]) -> None:
        self._names: set[str] = set()  # of globals and attributes, in the code of the functions reached
        count = -1
        while count < len(self._names):  # with more names, more attributes and methods are watched
            count = len(self._names)
            self._search([(fn, "", True), *((value, name, True) for value, name in arguments)])
        self._columns = list(zip(*self.bindings, strict=True))
        self.arrays = [binding for binding in self.bindings if type(binding.value) is np.ndarray]

    def _search(self, start: list[tuple[Any, str, bool]]) -> None:
        self.tensors: dict[int, tuple[Variable, str]] = {}
        self.generators: dict[int, np.random.Generator] = {}
        self.bindings: list[Binding] = []
        self._attributes: list[tuple[dict[str, Any], frozenset[str]]] = []  # of objects, and the names that they had
        seen: dict[int, bool] = {}
        alive = []  # references, so that no ``id`` is reused
        todo = deque(start)  # breadth first, so that names are short
        while todo and len(self.bindings) < _MOST_BINDINGS:
            x, name, is_watched = todo.popleft()
            if (isinstance(x, PLAIN) and not _is_users_class(x)) or seen.get(id(x), -1) >= is_watched:
                continue
            seen[id(x)] = is_watched
            alive.append(x)
            if isinstance(x, Variable):
                self.tensors.setdefault(id(x), (x, name))
            elif isinstance(x, np.random.Generator):
                self.generators[id(x)] = x
            else:
                todo += self._inside(x, name, is_watched)

    def _bound(self, binding: Binding, is_watched: bool = True) -> tuple[Any, str, bool]:
        """What a variable, attribute or entry refers to, and its name; stored if it is watched."""
        self.bindings += [binding] if is_watched else []
        return binding.value, binding.name, is_watched

    def _inside(self, x: Any, name: str, is_watched: bool) -> Iterator[tuple[Any, str, bool]]:
        """What an object refers to, with its name, and whether it is watched."""
        if isinstance(x, types.FunctionType):
            yield from self._of_function(x, is_watched)
        elif isinstance(x, types.MethodType):
            yield from ((x.__func__, "", is_watched), (x.__self__, "self", is_watched))
        elif isinstance(x, functools.partial):
            yield from ((part, name, is_watched) for part in (x.func, x.args, x.keywords))
        elif isinstance(x, (list, tuple, dict)):
            is_mutable = not isinstance(x, tuple) and is_watched
            self._bound(Binding(operator.length_hint, x, 0, len(x), f"the length of a {type(x).__name__}"), is_mutable)
            read, items = (dict.get, x.items()) if isinstance(x, dict) else (operator.getitem, enumerate(x))
            for key, item in items:
                self._bound(binding := Binding(read, x, key, item, _joined(name, key)), is_mutable)
                yield item, binding.name, is_watched
        elif isinstance(x, (set, frozenset)):
            self._bound(Binding(_elements, x, None, frozenset(x), "the elements of a set"), is_watched)
        elif hasattr(type(x), "is_compiled"):
            yield x.compiled_function, name, is_watched
        elif hasattr(type(x), "compile_as_one_call"):  # an optimizer, which a replay calls as a whole
            yield x.params, "" if name in ("optimizer", "opt") else name, is_watched
        elif not isinstance(x, (types.ModuleType, np.ndarray)):
            yield from self._of_object(x, name, is_watched)

    def _of_object(self, x: Any, name: str, is_watched: bool) -> Iterator[tuple[Any, str, bool]]:
        """The attributes and methods. Those of a user's class are watched if the code reached contains their names."""
        kind = x if isinstance(x, type) else type(x)
        name, implicit = ("", _IMPLICIT - {"__call__"}) if name == "self" else (name, _IMPLICIT)
        is_internal = in_package[getattr(sys.modules.get(kind.__module__), "__file__", None) or ""]
        if kind is not x:
            own = vars(x) if kind.__dictoffset__ else {}
            self._attributes += [(own, frozenset(own))] if is_watched else []
            attributes = [Binding(dict.get, own, key, value, _joined(name, key)) for key, value in own.items()]
            attributes += [Binding(getattr, x, key, getattr(x, key, None), _joined(name, key)) for key in _slots(kind)]
            for binding in attributes:
                yield self._bound(binding, is_watched and (is_internal or binding.key in self._names))
        for base in kind.__mro__ if is_watched else ():
            for key, item in vars(base).items():
                function = getattr(item, "fget", None) or getattr(item, "__func__", item)  # of a property or a method
                is_generated = "__dataclass_fields__" in vars(base) and _is_generated(function)
                if _is_users(function) and not is_generated and (key in self._names or key in implicit):
                    yield function, "", True
                elif key in self._names and isinstance(item, _CLASS_VALUES) and getattr(x, key, None) is item:
                    # a recording replaces an array by a stand-in, in the class
                    owner = base if isinstance(item, np.ndarray) else x
                    if _is_users_class(base):
                        yield self._bound(Binding(getattr, owner, key, item, key))

    def _of_function(self, fn: types.FunctionType, is_watched: bool) -> Iterator[tuple[Any, str, bool]]:
        if in_package[fn.__code__.co_filename] or not is_watched:
            return
        self._names.update(_names(fn.__code__))
        for name, cell in zip(fn.__code__.co_freevars, fn.__closure__ or (), strict=True):
            with contextlib.suppress(ValueError):  # not assigned yet
                yield self._bound(Binding(getattr, cell, "cell_contents", cell.cell_contents, name))
        used = [(fn.__globals__, name) for name in _names(fn.__code__)] + [(vars(fn), name) for name in vars(fn)]
        for container, name in used:
            if name in container and name in self._names:
                found = self._bound(Binding(dict.get, container, name, container[name], name))
                if not isinstance(found[0], types.FunctionType) or _is_users(found[0]):
                    yield found
        yield from ((value, "", True) for value in (*(fn.__defaults__ or ()), *(fn.__kwdefaults__ or {}).values()))

    def hold(self) -> bool:
        """Whether all bindings have their values; for values that are the same objects, without a loop in Python."""
        if not self.bindings:
            return True
        reads, owners, keys, values, _ = self._columns
        try:
            is_as_before = all(map(is_, map(call, reads, owners, keys), values))
        except (AttributeError, IndexError):
            is_as_before = False
        return is_as_before or self.changed() is None

    def changed(self) -> str | None:
        """The name of what has another value, or is new; None if nothing is."""
        for binding in self.bindings:
            if not is_same(binding.current(), binding.value):
                return binding.name
        for attributes, names in self._attributes:
            for key in self._names & (attributes.keys() - names):
                if not isinstance(attributes[key], PLAIN):  # the next recording sees a plain value
                    return key
        return None


def _joined(name: str, key: Any) -> str:
    return f"{name}.{key}" if name else str(key)


def _slots(kind: type) -> list[str]:
    """The attributes of the instances of a user's class that are not in a ``__dict__``."""
    bases = [base for base in kind.__mro__ if "__slots__" in vars(base) and _is_users_class(base)]
    return [key for base in bases for key, x in vars(base).items() if isinstance(x, types.MemberDescriptorType)]


def is_same(x: Any, y: Any) -> bool:
    """Whether two values are the same object or equal plain ones: NaN and NaN are equal, 0.0 and -0.0 are not."""
    return x is y or (type(x) is type(y) and isinstance(x, (*PLAIN, frozenset)) and bool(_key(x) == _key(y)))


def _key(x: Any) -> Any:
    return repr(x) if isinstance(x, (float, complex, np.generic)) else x


def _names(code: types.CodeType) -> list[str]:
    """The names of globals and attributes that a function and the functions inside it may read, also by a string."""
    strings = [const for const in code.co_consts if isinstance(const, str) and const.isidentifier()]
    inner = [const for const in code.co_consts if isinstance(const, types.CodeType)]
    return list(dict.fromkeys([*code.co_names, *strings, *[name for function in inner for name in _names(function)]]))


def _is_users_class(x: Any) -> bool:
    if not isinstance(x, type) or x.__module__ == "__main__":
        return isinstance(x, type)
    return not _is_installed(getattr(sys.modules.get(x.__module__), "__file__", None) or functools.__file__)


def _is_users(x: Any) -> bool:
    return isinstance(x, types.FunctionType) and not _is_installed(x.__code__.co_filename)


def _is_generated(x: Any) -> bool:
    """Whether a method was written by `dataclasses`, such as an ``__eq__`` that names all fields."""
    return isinstance(x, types.FunctionType) and x.__code__.co_filename == "<string>"


@functools.cache
def _is_installed(filename: str) -> bool:
    return in_package[filename] or "site-packages" in filename or filename.startswith(_STANDARD)


# ------------------------------------------------------------------------------------------------ arguments, tensors


def signature(x: Any) -> Any:
    """A key that is equal for arguments to which the same program applies."""
    kind = type(x)
    if kind is np.ndarray:
        return x.shape, x.dtype, x.strides if x.ndim > 1 else x.flags.c_contiguous
    if isinstance(x, PLAIN):
        return kind, _key(x)
    if isinstance(x, Variable):
        return kind, None if x.node is None else id(x), signature(x.data)  # the program refers to one with a node
    return kind, None if isinstance(x, np.random.Generator) else id(x)


def state_of(tensors: Iterable[Variable]) -> list[Any]:
    """What a program assumes of the tensors that it refers to."""
    return [(id(t.data), t.node is None, t.grad is None) for t in tensors]


def sharing(owners: Mapping[int, int], arrays: Sequence[Any]) -> list[int]:
    """Which arrays share memory, with each other or with those in ``owners``, numbers by the ``id`` of the owner."""
    found = [owner_of(x) for x in arrays]
    return [owners.get(owner, -1 - found.index(owner)) for owner in found]
