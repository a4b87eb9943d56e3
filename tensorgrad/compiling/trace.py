"""Recording a program: the list of NumPy calls that a function makes.

While a program is recorded, the ordinary engine runs: the forward pass, the rules and the optimizer. A `Traced` is in
place of each array that may differ in the next call, and appends each call to the `Trace`.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import operator
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np

from tensorgrad.compiling.layouts import arrays_in, layout, varies
from tensorgrad.compiling.traced import UNPACKED, Traced, mapped, traced_in, value_of, values_in
from tensorgrad.engine import backward
from tensorgrad.engine.caller import in_package, line_of
from tensorgrad.engine.registry import Row
from tensorgrad.engine.tape import Outline, Record, Variable, set_tracer, tracer
from tensorgrad.errors import CompileError

_METADATA = frozenset(
    (np.shape, np.ndim, np.size, np.may_share_memory, np.shares_memory, np.result_type, np.can_cast, np.iscomplexobj,
     np.isrealobj, np.min_scalar_type, np.common_type)
)  # fmt: skip
_WRITE_FIRST = frozenset(  # functions that write into their first argument
    (operator.setitem, np.copyto, np.put, np.place, np.putmask, np.fill_diagonal, np.put_along_axis, np.ndarray.fill,
     np.ndarray.sort, np.ndarray.partition, np.ndarray.put, np.ndarray.resize, np.ndarray.setfield, np.ndarray.setflags)
)  # fmt: skip


class EscapeError(CompileError):
    """A value computed in the program would be used outside, which a replay could not repeat."""


class Where(NamedTuple):
    """The line that called an operation, and the operation whose gradient is computed, if any."""

    code: Any
    instruction: int
    gradient_of: str = ""

    def __str__(self) -> str:
        return line_of(self.code, self.instruction)

    @property
    def place(self) -> tuple[str, int, str]:
        """The file, the number of the line, and the operation."""
        line = int(str(self).rpartition(" in ")[0].rpartition(":")[2])
        return self.code.co_filename, line, self.gradient_of


@dataclasses.dataclass(eq=False)
class Instruction:
    """One call of the program."""

    fn: Callable[..., Any]
    args: Any
    kwargs: dict[str, Any]
    out: Any
    where: Where
    writes: Sequence[Traced] = ()  # the arrays that it writes into
    kind: str = "call"  # or "guard", "draw", "effect"

    def __post_init__(self) -> None:
        self.reads = traced_in((self.args, self.kwargs))
        self.results = traced_in(self.out)
        self.touched = [*self.reads, *self.results, *self.writes]


class Trace:
    """The program recorded so far."""

    def __init__(self) -> None:
        self.instructions: list[Instruction] = []
        self.stand_ins: list[Traced] = []  # all of them: references, so that no ``id`` is reused
        self.captured: dict[int, Traced] = {}  # arrays of tensors that exist outside, by ``id``
        self.fixed: dict[int, Traced] = {}  # constant arrays
        self.tensors: dict[int, Any] = {}  # captured tensors, by ``id``
        self.grads: dict[int, Any] = {}  # their gradients, as far as the program has set or read them
        self.escaped: EscapeError | None = None  # the last one
        self.is_whole = True  # whether everything was recorded
        self._rule_start = 0  # the number of stand-ins before the rules of the present record
        self._taken: set[int] = set()  # arrays that a backward pass owns, by ``id``
        self._depth = 0  # of calls by `run`

    def capture(self, array: Any, name: str) -> Traced:
        """The stand-in for an array that exists outside the program; one for each array."""
        if id(array) not in self.captured:
            self.captured[id(array)] = Traced(self, array, name)
        return self.captured[id(array)]

    def _append(self, fn: Callable[..., Any], args: Any, kwargs: dict[str, Any], out: Any = None,
                writes: Any = (), kind: str = "call") -> None:  # fmt: skip
        self.instructions.append(Instruction(fn, args, kwargs, out, _where(), writes, kind))

    # ------------------------------------------------------------------------------------------- calls

    def call(self, fn: Callable[..., Any], args: Any, kwargs: dict[str, Any], kind: str = "call") -> Any:
        """Run a NumPy function on the values, and append the call."""
        values, named = [*values_in(args)], values_in(kwargs)
        name = getattr(fn, "__name__", "")
        # a method of the value, which may be a NumPy scalar
        run = getattr(values.pop(0), name) if getattr(np.ndarray, name, None) is fn else fn
        if fn in _METADATA or tracer() is not self:  # or of a tensor that another thread uses
            return run(*values, **named)
        out = kwargs.get("out")
        writes = self._targets(fn, name, args, kwargs)
        ans = run(*values, **named)
        if writes:
            self._append(fn, args, kwargs, None, writes, kind)
            return None if out is None else tuple(writes) if isinstance(ans, tuple) else writes[0]
        if any(isinstance(x, Traced) and ans is x.value for x in args):  # such as ``astype(copy=False)``
            if any(isinstance(x, Traced) and ans is x.value for x in args[1:]):
                raise self.escape(f"{name} into an argument that is not named `out`")
            if varies(fn, args, kwargs):
                raise self.escape(f"{name}, whose result has a shape or dtype that depends on values,")
            return args[0]
        result = self._wrapped(ans)
        self._append(fn, args, kwargs, result, (), kind)
        if kind == "call" and varies(fn, args, kwargs):
            for x in arrays_in(result):
                self._append(layout, (x, layout(x.value)), {}, kind="guard")
        return result

    def _targets(self, fn: Callable[..., Any], name: str, args: Any, kwargs: dict[str, Any]) -> list[Traced]:
        """The arrays that a function writes into."""
        out = kwargs.get("out")
        targets = [x for x in (out if isinstance(out, tuple) else (out,)) if x is not None]
        if fn in _WRITE_FIRST or name == "at":
            targets.append(args[0])
        if kwargs.get("overwrite_input") or (name == "nan_to_num" and not kwargs.get("copy", (*args, True)[1])):
            raise self.escape(f"{name} in place")
        if not all(isinstance(x, Traced) for x in targets):
            raise self.escape("a write into an array that is not part of the program")
        return targets

    def _wrapped(self, ans: Any) -> Any:
        if isinstance(ans, (*UNPACKED, dict)):
            return mapped(self._wrapped, ans)
        if isinstance(ans, (np.ndarray, np.generic, int, float, complex)):
            return Traced(self, ans)
        if ans is None:
            return None
        raise self.escape("printing it" if isinstance(ans, str) else f"a result of type {type(ans).__name__}")

    def run(self, fn: Callable[..., Any], args: Any, params: dict[str, Any]) -> Any:
        """Run a function of the gradient table: as its NumPy calls or, if it uses values outside them, as one call."""
        if not traced_in((args, params)):
            return fn(*args, **params)
        args = [self._constant(x) if type(x) is np.ndarray else x for x in args]
        start, self._depth = len(self.instructions), self._depth + 1
        try:
            return fn(*args, **params)
        except EscapeError as error:
            del self.instructions[start:]
            if self._depth > 1:
                raise
            set_tracer(None)
            try:
                ans = fn(*values_in(args), **values_in(params))
            finally:
                set_tracer(self)
            if ans is None or isinstance(ans, Variable):
                raise
            self.escaped = None if self.escaped is error else self.escaped
            result = self._wrapped(ans)
            self._append(fn, _outlined(args), params, result)
            return result
        finally:
            self._depth -= 1

    def _constant(self, array: Any) -> Traced:
        """A stand-in for an array without which a call would not be seen, because its other arguments are indices."""
        return self.fixed.setdefault(id(array), Traced(self, array, "constant"))

    def effect(self, fn: Callable[[], Any], sets_grad: bool) -> Any:
        """Run something that updates parameters or gradients, such as an optimizer, as one instruction."""
        self.write_grads()
        tensors = list(self.tensors.values())
        before = [(t.data, t.grad) for t in tensors]
        set_tracer(None)
        try:
            for t in tensors:
                t.data, t.grad = value_of(t.data), value_of(t.grad)
            ans = fn()
            after = [(t.data, t.grad) for t in tensors]
        finally:
            set_tracer(self)
            for t, (data, grad) in zip(tensors, before, strict=True):
                t.data, t.grad = data, grad
        if any(data is not t.data.value for t, (data, _) in zip(tensors, after, strict=True)):
            raise CompileError(f"tg.compile cannot replay an update at {_where()} that replaces `.data`")
        value = Traced(self, ans) if isinstance(ans, (int, float, np.generic, np.ndarray)) else None
        self._append(fn, (), {}, value, [*self.captured.values()], "effect")
        for t, (_, grad) in zip(tensors, after, strict=True):
            if sets_grad or grad is not value_of(t.grad):
                t.grad = grad
                self.read_grad(t, kind="effect")
        return value

    def read_grad(self, tensor: Any, name: str = "", kind: str = "call") -> None:
        """Replace the gradient of a tensor by a stand-in."""
        if isinstance(tensor.grad, np.ndarray):
            g = Traced(self, tensor.grad, name)
            self._append(getattr, (tensor, "grad"), {}, g, (), kind)
            tensor.grad = g
        self.grads[id(tensor)] = tensor.grad

    def write_grads(self) -> None:
        """Append the gradients that the function has set, or has written into where there was one before the call."""
        written = {x.storage for step in self.instructions for x in step.writes}
        for key, tensor in self.tensors.items():
            g = tensor.grad
            is_same = g is self.grads[key] and not (isinstance(g, Traced) and g.name and g.storage in written)
            if is_same:
                continue
            if g is not None and not isinstance(g, Traced):
                raise CompileError(
                    f"the compiled function sets `.grad` to a {type(g).__name__} that is part of a graph, or not "
                    "computed in the function: use tg.grad, or write into the gradient, as in w.grad[...] = x"
                )
            self._append(setattr, (tensor, "grad", g), {}, kind="effect")
            self.grads[key] = g

    # ------------------------------------------------------------------------------------------- a backward pass

    def row(self, record: Record) -> Row:
        """The row of a record, with rules that are run by `run`; the addition in place is one instruction."""

        def follow(rule: Any) -> Any:
            return (lambda *args, **params: self.run(rule, args, params)) if callable(rule) else rule

        def add_to(total: Traced, *args: Any, **params: Any) -> None:
            add(total.value, *values_in(args), **values_in(params))
            self._append(add, (total, *_outlined(args)), params, None, [total])

        self._rule_start = len(self.stand_ins)
        row, add = copy.copy(record.row), cast("Any", record.row.add_to)
        row.vjps, row.together = tuple(map(follow, row.vjps)), follow(row.together)
        row.add_to = None if add is None else add_to
        return row

    def may_modify(self, x: Any) -> bool:
        """Whether a backward pass may add to this adjoint in place."""
        return isinstance(x, Traced) and not x.is_scalar

    def take(self, x: Traced) -> bool:
        """Whether the rule that was run last created this array, so that it may be modified; true only once."""
        is_new: bool = (
            x.index >= self._rule_start and x.value.base is None and not x.is_scalar and id(x) not in self._taken
        )
        self._taken.add(id(x))
        return is_new

    def unrecorded(self, found: dict[Any, Any]) -> dict[Any, Any]:
        """Stand-ins for gradients that a pass has computed again without recording it, because of a NaN."""
        self.is_whole = False
        return {node: g if isinstance(g, Traced) else Traced(self, g) for node, g in found.items()}

    def require(self, condition: Callable[[Any], bool], x: Traced) -> bool:
        """Evaluate a condition, and append it to the program: a replay checks that it has the same value."""
        value = bool(condition(x.value))
        if tracer() is self:
            self._append(condition, (x, value), {}, kind="guard")
        return value

    def branch(self, x: Traced) -> bool:
        """Record the condition of an ``if`` inside tensorgrad: the program applies only if it has the same value."""
        if tracer() is not self:
            return bool(x.value)
        if self._depth or not in_package[sys._getframe(2).f_code.co_filename]:
            raise self.escape("a branch that depends on it")
        value: bool = self.require(bool, x)
        return value

    def after_call(self, *_: Any) -> None:
        """Nothing: a trace is among the engine's observers so that each call goes through `run`."""

    after_recording = before_rules = after_rule = after_call

    def release(self) -> None:
        """Drop the values of the recorded call, except those of arrays that exist outside."""
        for x in self.stand_ins:
            if id(x.value) not in self.captured and id(x.value) not in self.fixed:
                x.value = None  # type: ignore[assignment]
        self.stand_ins.clear()

    # ------------------------------------------------------------------------------------------- lines and errors

    def escape(self, what: str) -> EscapeError:
        """The error for a value that would leave the program."""
        frame: Any = sys._getframe(1)
        while frame is not None and Path(frame.f_code.co_filename).parent == Path(__file__).parent:
            frame = frame.f_back
        if in_package[frame.f_code.co_filename]:
            what = f"{what} in {frame.f_code.co_name}"
        self.escaped = EscapeError(
            f"tg.compile cannot follow {what} at {_where()}: a value computed inside the compiled function would "
            "be used outside NumPy, and a replay could not repeat that. Return the array and do this outside."
        )
        return self.escaped


_PULL_BACK = backward.Pass.pull_back.__code__  # whose variable ``record`` is the operation


def _where() -> Where:
    """The line of the user's code that runs, or whose gradient is computed."""
    frame: Any = sys._getframe(1)
    while _is_library(frame.f_code.co_filename) and frame.f_back is not None:
        if frame.f_code is _PULL_BACK:
            record = frame.f_locals["record"]
            return Where(record.code, record.instruction, record.row.name)
        frame = frame.f_back
    return Where(frame.f_code, frame.f_lasti)


@functools.cache
def _is_library(filename: str) -> bool:
    return in_package[filename] or Path(np.__file__).parent in Path(filename).parents


def _outlined(args: Any) -> tuple[Any, ...]:
    """Arguments with outlines in place of records, which would keep other records alive."""
    out = []
    for x in args:
        if isinstance(x, Record):
            record, x = x, Outline()
            x.shape, x.dtype = record.shape, record.dtype
        out.append(x)
    return tuple(out)
