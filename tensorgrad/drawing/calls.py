"""The calls of functions and layers during a computation, by which operations are folded into groups.

An observer of the engine looks at the stack of Python's frames when an operation is recorded. It is installed only
while `tg.draw` calls a function, so that nothing is slower otherwise.
"""

from __future__ import annotations

import inspect
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Any

import numpy as np

from tensorgrad.engine.caller import in_package
from tensorgrad.engine.record import observers
from tensorgrad.engine.tape import Record, Variable
from tensorgrad.frontend.tensor import Tensor
from tensorgrad.nn.containers import one_line
from tensorgrad.nn.walking import walk

_PUBLIC = "tensorgrad"


@dataclass(eq=False, slots=True)
class Call:
    """A call of a function or layer: its title, and for a layer its description and its path in the model."""

    title: str
    detail: str = ""
    path: str = ""


Path = tuple[Call, ...]  # from the outermost call to the innermost


class Calls:
    """An observer of the engine, which collects the calls around each record, and names of values."""

    def __init__(self, layers: Mapping[int, str]) -> None:
        self.layers = layers  # paths, by the identity of layers
        self.paths: dict[Record, Path] = {}
        self.values: dict[Record, tuple[Any, ...]] = {}  # the arguments, also those that are not saved
        self.names: dict[int, str] = {}  # names of variables, by the identity of nodes and arrays
        self.homes: dict[int, Path] = {}  # the calls in which an array or leaf is a variable
        self._thread = threading.get_ident()
        self._calls: dict[FrameType, Call | None] = {}
        self._base: FrameType | None = None
        self._alive: dict[int, Any] = {}  # values in `names` and `homes`: their identities stay theirs

    def run(self, f: Callable[..., Any], arguments: Sequence[Any]) -> Any:
        """``f(*arguments)``, observed."""
        self._base = sys._getframe()
        observers.append(self)
        try:
            return f(*arguments)
        finally:
            observers.remove(self)
            self._base = None
            self._calls.clear()  # frames refer to each other

    def after_recording(self, record: Record, values: tuple[Any, ...], _ans: Any) -> None:
        """Note the calls around a new record."""
        if threading.get_ident() != self._thread:
            return
        frames = []
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and frame is not self._base:
            frames.append(frame)
            frame = frame.f_back
        path: Path = ()
        for depth, frame in enumerate(reversed(frames)):
            around = path
            call = self._call(frame, around) if depth else None  # the first is that of the function itself
            path = around if call is None else (*around, call)
            if call is not None or not depth or not in_package[frame.f_code.co_filename]:
                self._name_variables(frame, around, path)
        self.paths[record], self.values[record] = path, values

    def after_call(self, *_: Any) -> None:
        """Nothing to do: see `engine.record.observers`."""

    before_rules = after_rule = after_call

    def _call(self, frame: FrameType, around: Path) -> Call | None:
        if frame not in self._calls:
            self._calls[frame] = self._new_call(frame, around)
        return self._calls[frame]

    def _new_call(self, frame: FrameType, around: Path) -> Call | None:
        code, module = frame.f_code, str(frame.f_globals.get("__name__", ""))
        name, ours = code.co_name, in_package[code.co_filename]
        if name == "__call__" and code.co_argcount and (not ours or module.startswith(f"{_PUBLIC}.nn.")):
            return self._call_of_layer(frame.f_locals.get(code.co_varnames[0]), around)
        if name.startswith("<") or module.partition(".")[0] == "numpy" or (ours and not _is_public(code, module)):
            return None
        return Call(name)

    def _call_of_layer(self, layer: Any, around: Path) -> Call:
        path, kind = self.layers.get(id(layer), ""), type(layer).__name__
        outer = next((call.path for call in reversed(around) if call.path and path.startswith(f"{call.path}.")), "")
        name = path[len(outer) + 1 :].removeprefix("layers.") if outer else path
        title = kind if not name else f"{kind} {name}" if name.isdecimal() else name
        detail = one_line(layer)
        return Call(title, "" if detail == title else detail, path)

    def _name_variables(self, frame: FrameType, around: Path, path: Path) -> None:
        """Note the names of variables, and where arrays come from: an argument is the caller's."""
        code = frame.f_code
        ours = in_package[code.co_filename]
        parameters = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        for name, value in list(frame.f_locals.items()):
            if not isinstance(value, (Variable, np.ndarray)):
                continue
            record = value.record if isinstance(value, Variable) else None
            for key in keys_of(value):
                self._alive[id(key)] = key
                if record is None:
                    self.homes.setdefault(id(key), around if name in parameters else path)
                if record is None or (not ours and name not in parameters):
                    self.names.setdefault(id(key), name)


def keys_of(value: Any) -> tuple[Any, ...]:
    """The objects that identify a tensor or array in a graph."""
    return (value.node or value, value.data) if isinstance(value, Variable) else (value,)


def _is_public(code: CodeType, module: str) -> bool:
    known = sys.modules[_PUBLIC]
    return (
        code.co_qualname in known.__all__ and code.co_name == code.co_qualname
        and not module.startswith((f"{_PUBLIC}.engine", f"{_PUBLIC}.frontend"))
    )  # fmt: skip


def observed(f: Callable[..., Any], inputs: Sequence[Any], names: Any) -> tuple[Any, Calls, dict[str, Any]]:
    """The result of ``f(*inputs)``, the calls in it, and all names: those given, and those of its variables.

    If nothing that requires a gradient leads to the result, the arrays in the first input do, as in `tg.grad`.
    """
    own = dict(names) if isinstance(names, Mapping) else {} if names is None else {"": names}
    arguments = dict(zip(_parameter_names(f, len(inputs)), inputs, strict=True))
    known = {**arguments, **_variables(f)}
    calls = Calls(_layers(own, known, f))
    outputs = calls.run(f, list(arguments.values()))
    if arguments and not any(isinstance(value, Variable) and value.tracked for value in _values(outputs)):
        first = next(iter(arguments))
        arguments[first] = known[first] = _differentiable(arguments[first])
        calls = Calls(calls.layers)
        outputs = calls.run(f, list(arguments.values()))
    for value in _values(list(arguments.values())):
        calls.homes |= {id(key): () for key in keys_of(value)}
    if isinstance(outputs, Variable) and inspect.isroutine(f) and f.__name__.isidentifier():
        known[f.__name__] = outputs
    return outputs, calls, {**own, **{name: value for name, value in known.items() if name not in own}}


def _values(x: Any) -> Iterator[Any]:
    """The tensors and arrays in nested lists, tuples and dicts."""
    if isinstance(x, (Variable, np.ndarray)):
        yield x
    elif isinstance(x, (list, tuple, Mapping)):
        for item in x.values() if isinstance(x, Mapping) else x:
            yield from _values(item)


def _parameter_names(f: Callable[..., Any], count: int) -> list[str]:
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):  # a function written in C
        parameters = []
    known = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)][:count]
    return known + [f"input {i}" for i in range(len(known), count)]


def _variables(f: Any) -> dict[str, Any]:
    """The variables of a function that are not its own: those of its closure, and global ones."""
    code, closure = getattr(f, "__code__", None), getattr(f, "__closure__", None) or ()
    if code is None:
        return {}
    names = {name: f.__globals__[name] for name in code.co_names if name in f.__globals__}
    for name, cell in zip(code.co_freevars, closure, strict=True):
        try:
            names[name] = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    kinds = (Variable, np.ndarray, list, tuple, dict)
    routine = inspect.isroutine
    return {
        name: value for name, value in names.items()
        if isinstance(value, kinds) or (callable(value) and not isinstance(value, type) and not routine(value))
    }  # fmt: skip


def _layers(own: Mapping[str, Any], known: Mapping[str, Any], f: Any) -> dict[int, str]:
    """The paths of objects that can be called, by their identity."""
    found: dict[int, str] = {}
    for name, root in [*own.items(), *known.items(), ("", getattr(f, "__self__", f))]:
        if not isinstance(root, (Variable, np.ndarray)):
            for path, item in _walked(root):
                found.setdefault(id(item), f"{name}.{path}".strip("."))
    return found


def _walked(root: Any) -> Iterator[tuple[str, Any]]:
    if not inspect.ismodule(root) and not isinstance(root, type) and not inspect.isroutine(root):
        yield from ((path, item) for path, item in walk(root) if callable(item) and not inspect.isroutine(item))


def _differentiable(x: Any) -> Any:
    """``x`` with tensors that require a gradient in place of its arrays and numbers."""
    if isinstance(x, Variable):
        return Tensor(x.data, requires_grad=True) if x.dtype.kind == "f" and not x.tracked else x
    if isinstance(x, (list, tuple)):
        items = [_differentiable(item) for item in x]
        return type(x)(*items) if hasattr(x, "_fields") else type(x)(items)
    if isinstance(x, dict):
        return {key: _differentiable(item) for key, item in x.items()}
    is_real = isinstance(x, (float, np.ndarray, np.floating)) and np.asarray(x).dtype.kind == "f"
    return Tensor(x, requires_grad=True) if is_real else x
