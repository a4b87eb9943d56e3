"""The program as the source of two Python functions: ``compute``, which changes nothing outside, and ``commit``."""

from __future__ import annotations

import builtins
import keyword
import linecache
import operator
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from tensorgrad.compiling.layouts import layout
from tensorgrad.compiling.memory import Memory, accepts_out, is_zeros
from tensorgrad.compiling.recording import Output
from tensorgrad.compiling.trace import Instruction
from tensorgrad.compiling.traced import PYTHON, Traced, TracedGenerator, mapped


class BranchError(Exception):
    """A condition of the program is not fulfilled: it was recorded for other values."""


def holds(x: Any, value: bool) -> None:
    """Raise `BranchError` unless a condition is what it was in the recorded call."""
    if bool(x) is not value:
        raise BranchError


class Source:
    """The text of a program, and the names that it uses."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.names: dict[int, str] = {}  # by ``id`` of a stand-in
        self.namespace: dict[str, Any] = {"holds": holds, "inf": np.inf, "nan": np.nan}
        self._constants: dict[int, str] = {}
        self._taken = {*dir(builtins), "holds", "inf", "nan", "np"}
        self._count = 0
        self.views: list[str] = []  # of arrays that exist before the program runs
        self._last: Any = None
        self._written: set[int] = set()

    def lines(self, program: Sequence[Instruction]) -> list[str]:
        """A line for each instruction that is executed when the program runs."""
        self._written |= {x.storage for step in program for x in step.writes}
        return [line for step in program for line in self._line(step)]

    def name(self, x: Traced) -> str:
        """The name of an array; one that exists before the program runs is put into the namespace."""
        if id(x) not in self.names:
            donor = self.memory.in_place.get(id(x))
            if donor is not None:
                self.names[id(x)] = self.name(donor)
            elif id(x) in self.memory.views:
                self.names[id(x)] = self._unused_name(f"{self.name(self.memory.views[id(x)])}_view")
            else:
                self._count += 1
                self.names[id(x)] = self._unused_name(f"t{self._count}")
        name = self.names[id(x)]
        if id(x) in self.memory.arrays:
            self.namespace.setdefault(name, self.memory.arrays[id(x)])
        return name

    def _unused_name(self, wanted: str) -> str:
        name, n = re.sub(r"\W", "_", wanted) or "x", 1
        if name[0].isdigit() or keyword.iskeyword(name):
            name = f"x_{name}"
        base = name
        while name in self._taken:
            n += 1
            name = f"{base}_{n}"
        self._taken.add(name)
        return name

    def give_name(self, x: Traced, wanted: str) -> str:
        """Name an array, if it has no name yet."""
        if id(x) not in self.names:
            self.names[id(x)] = self._unused_name(wanted)
        return self.names[id(x)]

    def constant(self, value: Any, wanted: str = "c") -> str:
        """The name of an object that the program uses."""
        if id(value) not in self._constants:
            name = self._unused_name(wanted)
            self._constants[id(value)] = name
            self.namespace[name] = value
        return self._constants[id(value)]

    # ------------------------------------------------------------------------------------------- expressions

    def expression(self, x: Any) -> str:
        """An argument as source."""
        if isinstance(x, Traced):
            return self.name(x)
        if isinstance(x, TracedGenerator):
            return x.name
        kind = type(x)
        if kind in (int, float, bool, str, type(None)):
            return repr(x)
        if x is ...:
            return "..."
        if kind is Output:
            return self._output(x)
        if kind is slice:
            return f"slice({', '.join(map(self.expression, (x.start, x.stop, x.step)))})"
        if kind is tuple:
            return f"({', '.join(map(self.expression, x))}{',' if len(x) == 1 else ''})"
        if kind is list:
            return f"[{', '.join(map(self.expression, x))}]"
        if kind is dict:
            return f"{{{', '.join(f'{self.expression(key)}: {self.expression(item)}' for key, item in x.items())}}}"
        if hasattr(kind, "_fields"):
            return f"{self.constant(kind, kind.__name__)}({', '.join(map(self.expression, x))})"
        return self.constant(x, getattr(x, "__name__", "c") if callable(x) else "c")

    def _output(self, x: Output) -> str:
        """A result: a copy, which the caller owns."""
        value = self.expression(x.data)
        if x.kind in PYTHON:
            return f"{x.kind.__name__}({value})"
        copy = f"{self.constant(np.array, 'array')}({value})"
        if issubclass(x.kind, (np.generic, np.ndarray)):
            return f"{copy}[()]" if issubclass(x.kind, np.generic) else copy
        return f"{self.constant(x.kind, x.kind.__name__)}({copy})"

    def _index(self, x: Any) -> str:
        if isinstance(x, tuple) and x:
            return ", ".join(map(self._index, x)) + ("," if len(x) == 1 else "")
        if type(x) is slice:
            parts = ["" if part is None else self.expression(part) for part in (x.start, x.stop, x.step)]
            return ":".join(parts if x.step is not None else parts[:2])
        return self.expression(x)

    def _function(self, fn: Any) -> str:
        if isinstance(getattr(fn, "__self__", None), np.ufunc):
            return f"{self._function(fn.__self__)}.{fn.__name__}"
        return self.constant(fn, getattr(fn, "__name__", "f").strip("_"))

    def _call(self, step: Instruction) -> str:
        fn, args = step.fn, step.args
        if fn is operator.getitem:
            return f"{self.expression(args[0])}[{self._index(args[1])}]"
        if fn is operator.setitem:
            return f"{self.expression(args[0])}[{self._index(args[1])}] = {self.expression(args[2])}"
        positional = [self.expression(x) for x in args]
        kwargs = {
            name: x[0] if name == "out" and type(x) is tuple and len(x) == 1 else x for name, x in step.kwargs.items()
        }
        keywords = [f"{name}={self.expression(value)}" for name, value in kwargs.items()]
        method = getattr(fn, "__name__", "")
        if fn is np.ndarray.transpose and len(args) == 1:
            return f"{positional[0]}.T"
        if method == "<lambda>":
            return f"{self.constant(fn, f'gradient_of_{step.where.gradient_of}')}({', '.join(positional + keywords)})"
        if getattr(np.ndarray, method, None) is fn or (args and isinstance(args[0], TracedGenerator)):
            return f"{positional[0]}.{method}({', '.join(positional[1:] + keywords)})"
        return f"{self._function(fn)}({', '.join(positional + keywords)})"

    def _line(self, step: Instruction) -> list[str]:
        out, first = step.out, next(step.results(), next(iter(step.writes), None))
        if step.kind == "guard":
            line, first = self._guard(step), None
        elif isinstance(out, Traced) and id(out) in self.memory.arrays:
            name = self.name(out)
            if not (accepts_out(step) or is_zeros(step)):
                self.views.append(f"# {name} = {self._call(step)}")  # exists before the program runs
                return []
            line = f"{name}.fill(0)" if is_zeros(step) else f"{self._call(step)[:-1]}, out={name})"
        elif step.fn is np.asarray and step.args[0].is_scalar and out.storage not in self._written:
            self.names[id(out)] = self.name(step.args[0])  # NumPy's functions take the scalar as it is
            return []
        elif out is None:
            line = self._call(step)
        elif type(out) is dict:  # gradients by input, of a rule that computes them together
            found = self._unused_name("gradients")
            items = [f"{self.name(x)} = {found}[{key!r}]" for key, x in out.items() if isinstance(x, Traced)]
            return [self._commented(f"{found} = {self._call(step)}", step, None), *items]
        else:
            names = _pattern(mapped(lambda x: self.name(x) if isinstance(x, Traced) else "_", out))
            line = f"{names} = {self._call(step)}"
        return [self._commented(line, step, first)]

    def _guard(self, step: Instruction) -> str:
        x, expected = self.expression(step.args[0]), step.args[1]
        if step.fn is layout:
            shape, dtype = expected
            return f"holds({x}.shape == {shape} and {x}.dtype == {self.constant(dtype, 'dtype')}, True)"
        return f"holds({x if step.fn is bool else f'{self._function(step.fn)}({x})'}, {expected})"

    def _commented(self, line: str, step: Instruction, x: Any) -> str:
        """A line with the shape of its result, and the user's line where that changes."""
        notes = [str(x.shape)] if isinstance(x, Traced) else []
        where = step.where
        place = where.code.co_filename, where.line, where.gradient_of
        if place != self._last:
            self._last = place
            text = linecache.getline(*place[:2]).strip()
            notes.append(f"gradient of {where.gradient_of}: {text}" if where.gradient_of else text)
        return f"{line:<58}  # {'  '.join(filter(None, notes))}".rstrip("# ").rstrip()


def _pattern(tree: Any) -> str:
    if isinstance(tree, (tuple, list)):
        return f"({', '.join(map(_pattern, tree))}{',' if len(tree) == 1 else ''})"
    return str(tree)


def function(name: str, parameters: Sequence[str], lines: Sequence[str]) -> str:
    """The source of a function."""
    return "\n".join([f"def {name}({', '.join(parameters)}):", *(f"    {line}" for line in lines)])
