"""What a recorded program depends on: its arguments, and everything that the function reaches from outside.

The function's closure, the globals that it names, its bound object and its arguments are searched for tensors and plain
values. A program is replayed only while all of them are as they were in the recorded call.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import types
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tensorgrad.compiling.traced import Traced, owner_of
from tensorgrad.engine.caller import in_package
from tensorgrad.engine.tape import Leaf, Variable
from tensorgrad.errors import CompileError

if TYPE_CHECKING:
    from tensorgrad.compiling.emit import Source
    from tensorgrad.compiling.recording import Recording

PLAIN = (int, float, complex, bool, str, bytes, type(None), np.generic, np.dtype, type)
_IMPLICIT = frozenset((  # methods that run without being named
    "__call__", "__getattr__", "__getattribute__", "__getitem__", "__len__", "__iter__", "__next__", "__contains__",
    "__enter__", "__exit__", "__float__", "__int__", "__index__", "__bool__", "__get__", "__add__", "__sub__",
    "__mul__", "__rmul__", "__truediv__", "__pow__", "__matmul__", "__neg__",
))  # fmt: skip
_CLASS_VALUES = (*PLAIN, list, tuple, dict, set, frozenset, np.ndarray, Variable)  # watched in attributes of classes
_STANDARD = str(Path(functools.__file__).parent) + os.sep  # the standard library
_MOST_BINDINGS = 50_000  # a function that reaches more is not searched to the end


class Binding(NamedTuple):
    """A variable, an attribute or an entry, and its value when the function was recorded."""

    owner: Any  # an object with attributes, such as the cell of a closure; a list or dict with entries
    key: Any
    value: Any
    name: str
    is_entry: bool = False

    def current(self) -> Any:
        """The present value."""
        if not self.is_entry:
            return getattr(self.owner, self.key, None)
        if isinstance(self.owner, list):
            return self.owner[self.key] if self.key < len(self.owner) else None
        return self.owner.get(self.key)

    def assign(self, value: Any) -> None:
        """Set the value."""
        if self.is_entry:
            self.owner[self.key] = value
        else:
            (setattr if isinstance(self.owner, type) else object.__setattr__)(self.owner, self.key, value)


class Dependencies:
    """The tensors, generators and other values that can be reached from a function and its arguments."""

    def __init__(self, fn: Callable[..., Any], arguments: Mapping[str, Any]) -> None:
        self._names: set[str] = set()  # of globals and attributes, in the code of the functions reached
        count = -1
        while count < len(self._names):  # with more names, more attributes and methods are watched
            count = len(self._names)
            self._search([(fn, "", True), *((value, name, True) for name, value in arguments.items())])
        self.arrays = [binding for binding in self.bindings if type(binding.value) is np.ndarray]

    def _search(self, start: list[tuple[Any, str, bool]]) -> None:
        self.tensors: dict[int, tuple[Variable, str]] = {}
        self.generators: dict[int, np.random.Generator] = {}
        self.bindings: list[Binding] = []
        self.contents: list[tuple[Any, Any]] = []  # a list or dict and its length, or a set and its elements
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
            self.contents += [(x, len(x))] if is_mutable else []
            for key, item in x.items() if isinstance(x, dict) else enumerate(x):
                self._bound(binding := Binding(x, key, item, _joined(name, key), True), is_mutable)
                yield item, binding.name, is_watched
        elif isinstance(x, (set, frozenset)):
            self.contents += [(x, frozenset(x))] if is_watched else []
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
            for key in [*own, *_slots(kind)]:
                is_used = is_watched and (is_internal or key in self._names)
                yield self._bound(Binding(x, key, getattr(x, key, None), _joined(name, key)), is_used)
        for base in kind.__mro__ if is_watched else ():
            for key, item in vars(base).items():
                function = getattr(item, "fget", None) or getattr(item, "__func__", item)  # of a property or a method
                if _is_users(function) and (key in self._names or key in implicit):
                    yield function, "", True
                elif key in self._names and isinstance(item, _CLASS_VALUES) and getattr(x, key, None) is item:
                    # a recording replaces an array by a stand-in, in the class
                    owner = base if isinstance(item, np.ndarray) else x
                    if _is_users_class(base):
                        yield self._bound(Binding(owner, key, item, key))

    def _of_function(self, fn: types.FunctionType, is_watched: bool) -> Iterator[tuple[Any, str, bool]]:
        if in_package[fn.__code__.co_filename] or not is_watched:
            return
        self._names.update(_names(fn.__code__))
        for name, cell in zip(fn.__code__.co_freevars, fn.__closure__ or (), strict=True):
            with contextlib.suppress(ValueError):  # not assigned yet
                yield self._bound(Binding(cell, "cell_contents", cell.cell_contents, name))
        used = [(fn.__globals__, name) for name in _names(fn.__code__)] + [(vars(fn), name) for name in vars(fn)]
        for container, name in used:
            if name in container and name in self._names:
                found = self._bound(Binding(container, name, container[name], name, True))
                if not isinstance(found[0], types.FunctionType) or _is_users(found[0]):
                    yield found
        yield from ((value, "", True) for value in (*(fn.__defaults__ or ()), *(fn.__kwdefaults__ or {}).values()))

    def changed(self) -> str | None:
        """The name of a binding whose value has changed, or a description of what has; None if nothing has."""
        for binding in self.bindings:
            value = binding.current()
            if value is not binding.value and not is_same(value, binding.value):
                return binding.name
        for container, known in self.contents:
            if known != (len(container) if isinstance(known, int) else container):
                return f"{'the length' if isinstance(known, int) else 'the elements'} of a {type(container).__name__}"
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
    """Whether two plain values are equal, as far as a program can tell: NaN and NaN are, 0.0 and -0.0 are not."""
    return type(x) is type(y) and isinstance(x, PLAIN) and bool(_key(x) == _key(y))


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
        return kind, x.node is None, signature(x.data)
    return kind, None if isinstance(x, np.random.Generator) else id(x)


def state_of(tensor: Variable) -> tuple[Any, ...]:
    """What a program assumes of a captured tensor."""
    if tensor.node is not None and not isinstance(tensor.node, Leaf):
        raise CompileError(
            "a tensor that was computed outside the compiled function requires a gradient: its graph would have to be "
            "differentiated again in every call. Pass it as an argument after .detach(), or compute it inside."
        )
    return id(tensor.data), tensor.node is None, tensor.grad is None


def sharing(owners: Mapping[int, int], *arrays: Any) -> tuple[int, ...]:
    """Which arrays share memory, with each other or with those in ``owners``, numbers by the ``id`` of the owner."""
    found = [owner_of(x) for x in arrays]
    return tuple([owners.get(owner, -1 - found.index(owner)) for owner in found])


# ------------------------------------------------------------------------------------------------ conditions


def conditions(source: Source, recording: Recording, leaves: Sequence[Any], writes: bool) -> list[str]:
    """The expressions that must be true for a program to apply to arguments of its kind.

    ``leaves`` are the arguments of the recorded call. If the program ``writes`` to arrays outside, they must share
    memory with the same arrays.
    """
    source.namespace |= {"is_same": is_same, "sharing": sharing}
    known, out = recording.dependencies, []
    stand_ins = [(name, leaf) for name, x, leaf in zip(recording.names, recording.arguments, leaves, strict=True)
                 if isinstance(x, Traced)]  # fmt: skip
    if writes and stand_ins:
        reached = [*recording.data.values(), *[binding.value for binding in known.arrays]]
        owners = {owner: i for i, owner in enumerate(dict.fromkeys(map(owner_of, reached)))}
        names = ", ".join(f"{name}.data" if isinstance(x, Variable) else name for name, x in stand_ins)
        values = [x.data if isinstance(x, Variable) else x for _, x in stand_ins]
        out.append(f"sharing({source.constant(owners, 'owners')}, {names}) == {sharing(owners, *values)}")
    for key, tensor in recording.tensors.items():
        _, is_constant, has_no_grad = recording.state[key]
        name = source.constant(tensor)
        out += [f"{name}.data is {source.constant(recording.data[key])}",
                f"{name}.node is {'' if is_constant else 'not '}None",
                f"{name}.grad is {'' if has_no_grad else 'not '}None"]  # fmt: skip
    for container, content in known.contents:
        name = source.constant(container, "container")
        current, expected = (f"len({name})", str(content)) if isinstance(content, int) else (name, "")
        out.append(f"{current} == {expected or source.constant(content, 'set')}")
    for owner, key, value, _, is_entry in known.bindings:
        name, expected = source.constant(owner, "container"), source.constant(value, "value")
        current = f"getattr({name}, {key!r}, None)"
        if is_entry:
            index = source.expression(key)
            current = f"{name}[{index}]" if isinstance(owner, list) else f"{name}.get({index})"
        or_equal = f" or is_same({current}, {expected})" if isinstance(value, PLAIN) else ""
        out.append(f"({current} is {expected}{or_equal})")
    return out or ["True"]
