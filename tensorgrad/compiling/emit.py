"""The program as Python source, and the memory that its results are written into."""

from __future__ import annotations

import builtins
import functools
import keyword
import linecache
import operator
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tensorgrad.compiling.layouts import layout
from tensorgrad.compiling.passes import all_finite
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
    """The text of a program, and the objects that it uses by name.

    Parameters
    ----------
    program
        The instructions, in order.
    own
        Arrays whose memory is not reused, such as gradients, which exist after the program.
    results
        Other arrays that are used after the program.
    """

    def __init__(self, program: Sequence[Instruction], own: Iterable[Traced], results: Iterable[Traced]) -> None:
        self.namespace: dict[str, Any] = {"holds": holds, "inf": np.inf, "nan": np.nan}
        self._names: dict[int, str] = {}  # by ``id`` of a stand-in
        self._constants: dict[int, str] = {}  # by ``id``
        self._taken = {*dir(builtins), *self.namespace, "np"}
        self._count = 0  # of results without a name of their own
        self._where: Any = None  # of the last line
        self._written = {x.storage for step in program for x in step.writes}
        self._own = {x.storage for x in own}
        self._last = {x.storage: i for i, step in enumerate(program) for x in step.touched}
        self._last.update(dict.fromkeys((*self._own, *[x.storage for x in results]), len(program)))
        self._position = 0  # of the instruction that is written
        self._arrays: dict[int, Traced] = {}  # by storage, the results whose memory is in use
        self._free: dict[Any, list[str]] = {}  # by shape, dtype and strides, the names of arrays that are not

    # ------------------------------------------------------------------------------------------- names

    def name(self, x: Any, wanted: str = "") -> str:
        """The name of an array or a generator; ``wanted`` if it has no name yet."""
        if id(x) not in self._names:
            if not (wanted := wanted or x.name):
                self._count += 1
                wanted = f"t{self._count}"
            self._names[id(x)] = self.unused_name(wanted)
        return self._names[id(x)]

    def constant(self, value: Any, wanted: str = "c") -> str:
        """The name of an object that the program uses."""
        if id(value) not in self._constants:
            self._constants[id(value)] = name = self.unused_name(wanted)
            self.namespace[name] = value
        return self._constants[id(value)]

    def unused_name(self, wanted: str) -> str:
        """A name similar to ``wanted``, which no other object gets."""
        base, n = re.sub(r"\W", "_", wanted) or "x", 1
        base = name = f"x_{base}" if base[0].isdigit() or keyword.iskeyword(base) else base
        while name in self._taken:
            n += 1
            name = f"{base}_{n}"
        self._taken.add(name)
        return name

    # ------------------------------------------------------------------------------------------- memory

    def _array_for(self, step: Instruction) -> str:
        """The name of an array for a result: its own, one whose content is not needed any more, or a new one."""
        x = step.out
        kind, is_elementwise = (x.shape, x.dtype, x.strides), isinstance(step.fn, np.ufunc) and not step.fn.signature
        if x.storage not in self._own:
            if is_elementwise:  # which may write over an argument
                self._release(step, only_read_as_a_whole=True)
            self._arrays[x.storage] = x
            if free := self._free.get(kind):
                self._names[id(x)] = free.pop()
                return self._names[id(x)]
        self.namespace[self.name(x)] = np.ndarray(x.shape, x.dtype, strides=x.strides)
        return self.name(x)

    def _release(self, step: Instruction, only_read_as_a_whole: bool = False) -> None:
        """Free the arrays that are not used after this instruction."""
        touched = list(step.touched)
        for storage in {x.storage for x in touched} & self._arrays.keys():
            x = self._arrays[storage]
            if only_read_as_a_whole and not all(y is x for y in touched if y.storage == storage):
                continue
            if self._last[storage] == self._position:
                self._free.setdefault((x.shape, x.dtype, x.strides), []).append(self.name(self._arrays.pop(storage)))

    # ------------------------------------------------------------------------------------------- expressions

    def expression(self, x: Any) -> str:
        """An argument as source."""
        if isinstance(x, (Traced, TracedGenerator)):
            return self.name(x)
        kind = type(x)
        if kind in (int, float, bool, str, type(None)):
            return repr(x)
        if kind is Output:
            text = self.expression(x.data)
            for make in x.made_by:
                text = f"{self.function(make)}({text})"
            return text
        if kind is slice:
            return f"slice({', '.join(map(self.expression, (x.start, x.stop, x.step)))})"
        if kind in (tuple, list) or hasattr(kind, "_fields"):
            items = ", ".join(map(self.expression, x))
            if kind is list:
                return f"[{items}]"
            return f"({items}{',' * (len(x) == 1)})" if kind is tuple else f"{self.function(kind)}({items})"
        if kind is dict:
            return f"{{{', '.join(f'{self.expression(key)}: {self.expression(item)}' for key, item in x.items())}}}"
        return "..." if x is ... else self.constant(x, getattr(x, "__name__", "c") if callable(x) else "c")

    def _index(self, x: Any) -> str:
        if isinstance(x, tuple) and x:
            return ", ".join(map(self._index, x)) + ("," if len(x) == 1 else "")
        if type(x) is slice:
            parts = ["" if part is None else self.expression(part) for part in (x.start, x.stop, x.step)]
            return ":".join(parts if x.step is not None else parts[:2])
        return self.expression(x)

    def function(self, fn: Any) -> str:
        """The name of a function; of a method of a ufunc, with the ufunc."""
        if isinstance(getattr(fn, "__self__", None), np.ufunc):
            return f"{self.function(fn.__self__)}.{fn.__name__}"
        return fn.__name__ if fn in PYTHON else self.constant(fn, getattr(fn, "__name__", "f").strip("_"))

    def _call(self, step: Instruction, out: str = "") -> str:
        fn, args = step.fn, [self.expression(x) for x in step.args]
        if fn is operator.getitem:
            return f"{args[0]}[{self._index(step.args[1])}]"
        if fn is operator.setitem:
            return f"{args[0]}[{self._index(step.args[1])}] = {args[2]}"
        if fn is getattr:
            return f"{args[0]}.grad{'.copy()' if step.out.storage in self._written else ''}"
        if fn is setattr:
            return f"{args[0]}.grad = {args[2]}"
        given = [(name, x) for name, x in step.kwargs.items() if name not in ("keepdims", "dtype") or x]
        keywords = {name: self.expression(x) for name, x in given}
        keywords |= {"out": out} if out else {}
        name = getattr(fn, "__name__", "")
        if fn is np.ndarray.transpose and len(args) == 1:
            return f"{args[0]}.T"
        if name == "<lambda>":
            called = self.constant(fn, f"gradient_of_{step.where.gradient_of}")
        elif step.kind == "effect" and isinstance(fn, functools.partial):
            called = self.constant(fn, fn.func.__qualname__.replace(".", "_"))
        elif getattr(np.ndarray, name, None) is fn or isinstance(next(iter(step.args), None), TracedGenerator):
            called = f"{args.pop(0)}.{name}"
        else:
            called = self.function(fn)
        return f"{called}({', '.join([*args, *(f'{key}={value}' for key, value in keywords.items())])})"

    # ------------------------------------------------------------------------------------------- lines

    def lines(self, program: Iterable[Instruction]) -> list[str]:
        """The lines for the next instructions."""
        out = []
        for step in program:
            out += self._line(step)
            self._release(step)
            self._position += 1
        return out

    def _line(self, step: Instruction) -> list[str]:
        out, shown = step.out, next(iter((*step.results, *step.writes)), None) if step.kind != "effect" else None
        if step.kind == "guard":
            line, shown = self._guard(step), None
        elif is_zeros(step):
            line = f"{self._array_for(step)}.fill(0)"
        elif accepts_out(step):
            line = self._call(step, self._array_for(step))
        elif step.fn is np.asarray and step.args[0].is_scalar and out.storage not in self._written | self._own:
            self._names[id(out)] = self.name(step.args[0])  # NumPy's functions take the scalar as it is
            return []
        elif out is None:
            line = self._call(step)
        elif type(out) is dict:  # gradients by input, of a rule that computes them together
            found = self.unused_name("gradients")
            items = [f"{self.name(x)} = {found}[{key!r}]" for key, x in out.items() if isinstance(x, Traced)]
            return [self._commented(f"{found} = {self._call(step)}", step, None), *items]
        else:
            names = _pattern(mapped(lambda x: self.name(x) if isinstance(x, Traced) else "_", out))
            line = f"{names} = {self._call(step)}"
        return [self._commented(line, step, shown)]

    def _guard(self, step: Instruction) -> str:
        if step.fn is all_finite:
            vdot, arrays = self.function(np.vdot), map(self._as_rows, step.args[0])
            return f"holds({' and '.join([f'{vdot}({x}, {x}) < inf' for x in arrays])}, True)"
        x, expected = self.expression(step.args[0]), step.args[1]
        if step.fn is layout:
            return f"holds({x}.shape == {expected[0]} and {x}.dtype == {self.constant(expected[1], 'dtype')}, True)"
        return f"holds({x if step.fn is bool else f'{self.function(step.fn)}({x})'}, {expected})"

    def _as_rows(self, x: Traced) -> str:
        """An array whose elements are adjacent, so that BLAS reads it without a copy: transposed if its columns are."""
        is_by_columns = x.ndim > 1 and x.shape[-1] > 1 and x.strides[-1] != x.dtype.itemsize
        return f"{self.name(x)}.T" if is_by_columns else self.name(x)

    def _commented(self, line: str, step: Instruction, x: Any) -> str:
        """A line with the shape of its result, and the user's line where that changes."""
        notes = [str(x.shape)] if isinstance(x, Traced) else []
        where = step.where
        if where != self._where and where.place != (self._where and self._where.place):
            self._where = where
            text = linecache.getline(*where.place[:2]).strip()
            notes.append(f"gradient of {where.gradient_of}: {text}" if where.gradient_of else text)
        return f"{line:<58}  # {'  '.join(filter(None, notes))}".rstrip("# ").rstrip()


def accepts_out(step: Instruction) -> bool:
    """Whether the function can write its result into an array passed as ``out``."""
    fn, x, kwargs = step.fn, step.out, step.kwargs
    if not isinstance(x, Traced) or step.writes or x.is_scalar or not x.owns_memory or step.kind != "call":
        return False
    if "out" in kwargs or kwargs.get("dtype") is not None:
        return False
    if isinstance(fn, np.ufunc):
        return fn.nout == 1 and len(step.args) == fn.nin
    return getattr(fn, "__name__", "") == "reduce" and isinstance(getattr(fn, "__self__", None), np.ufunc)


def is_zeros(step: Instruction) -> bool:
    """Whether the instruction creates an array of zeros."""
    x = step.out
    return step.fn is np.zeros_like and step.kind == "call" and not x.is_scalar and x.owns_memory


def _pattern(tree: Any) -> str:
    if isinstance(tree, (tuple, list)):
        return f"({', '.join(map(_pattern, tree))}{',' if len(tree) == 1 else ''})"
    return str(tree)


def function(name: str, parameters: Sequence[str], lines: Sequence[str]) -> str:
    """The source of a function."""
    return "\n".join([f"def {name}({', '.join(parameters)}):", *(f"    {line}" for line in lines)])
