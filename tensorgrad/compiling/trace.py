"""Recording a program: the list of NumPy calls that a function makes.

While a program is recorded, the ordinary engine runs: the forward pass, the rules and the optimizer. A `Traced` is in
place of each array that may differ in the next call, and appends each call to the `Trace`.
"""

from __future__ import annotations

import functools
import operator
import sys
from _thread import get_ident
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad.compiling.layouts import arrays_in, layout, varies
from tensorgrad.compiling.traced import UNPACKED, Traced, traced_in, value_of, values_in
from tensorgrad.engine.caller import in_package, line_of
from tensorgrad.engine.tape import Outline, Record, Variable, set_tracer, tracer
from tensorgrad.errors import CompileError

if TYPE_CHECKING:
    from tensorgrad.engine.registry import Row

_METADATA = frozenset(
    (np.shape, np.ndim, np.size, np.may_share_memory, np.shares_memory, np.result_type, np.can_cast, np.iscomplexobj,
     np.isrealobj, np.min_scalar_type, np.common_type)
)  # fmt: skip
_WRITES_FIRST = frozenset((np.copyto, np.put, np.place, np.putmask, np.fill_diagonal, np.put_along_axis))
_WRITING_METHODS = frozenset(("fill", "sort", "partition", "put", "resize", "setfield", "setflags"))


class EscapeError(CompileError):
    """A value would leave the program, which a replay could not repeat."""


class Instruction:
    """One call of the program."""

    __slots__ = ("args", "fn", "kind", "kwargs", "out", "where", "writes")

    def __init__(self, fn: Callable[..., Any], args: Any, kwargs: dict[str, Any], out: Any, writes: list[Traced],
                 where: Where, kind: str = "call") -> None:  # fmt: skip
        self.fn, self.args, self.kwargs, self.out, self.writes = fn, args, kwargs, out, writes
        self.where, self.kind = where, kind  # a kind is "call", "guard", "draw" or "effect"

    def reads(self) -> Iterator[Traced]:
        """The arrays that the call receives."""
        yield from traced_in((self.args, self.kwargs))

    def results(self) -> Iterator[Traced]:
        """The arrays that the call creates."""
        yield from traced_in(self.out)


class Where:
    """The line that called an operation, and the operation whose gradient is computed, if any."""

    __slots__ = ("code", "gradient_of", "instruction")

    def __init__(self, code: Any, instruction: int, gradient_of: str = "") -> None:
        self.code, self.instruction, self.gradient_of = code, instruction, gradient_of

    def __str__(self) -> str:
        return line_of(self.code, self.instruction)

    @property
    def line(self) -> int:
        """The line number."""
        spans = self.code.co_lines()
        found = next((line for start, end, line in spans if start <= self.instruction < end), None)
        return int(found or self.code.co_firstlineno)


class Trace:
    """The program recorded so far."""

    kind = Traced

    def __init__(self) -> None:
        self.instructions: list[Instruction] = []
        self.captured: dict[int, Traced] = {}  # arrays of tensors that exist outside, by ``id``
        self.fixed: dict[int, Traced] = {}  # other arrays, which do not change
        self.storages: dict[int, int] = {}
        self.alive: list[Any] = []  # so that an ``id`` is not used twice
        self.thread = get_ident()
        self.record: Record | None = None  # whose rule is running
        self.rule_start = 0  # how many instructions there were before it
        self.taken: set[int] = set()  # arrays that a backward pass has for itself, by ``id``
        self.depth = 0  # of calls by `run`
        self.tensors: dict[int, Any] = {}  # captured tensors, by ``id``
        self.escaped: EscapeError | None = None  # the last one

    def storage_of(self, value: Any) -> int:
        """The number of the memory that an array uses."""
        root = value
        while isinstance(root.base, np.ndarray):
            root = root.base
        self.alive.append(root)
        return self.storages.setdefault(id(root), len(self.storages))

    def capture(self, array: Any, name: str) -> Traced:
        """The stand-in for an array that exists outside the program; one for each array."""
        if id(array) not in self.captured:
            self.captured[id(array)] = Traced(self, array, name)
            self.alive.append(array)
        return self.captured[id(array)]

    def constant(self, array: Any) -> Traced:
        """A stand-in for an array without which a call would not be seen, because its other arguments are indices."""
        if id(array) not in self.fixed:
            self.fixed[id(array)] = Traced(self, array)
            self.alive.append(array)
        return self.fixed[id(array)]

    # ------------------------------------------------------------------------------------------- calls

    def call(self, fn: Callable[..., Any], args: Any, kwargs: dict[str, Any], kind: str = "call") -> Any:
        """Run a NumPy function on the values, and append the call."""
        if get_ident() != self.thread or tracer() is not self:
            return fn(*values_in(args), **values_in(kwargs))  # of a tensor that another thread uses
        if fn in _METADATA:
            return fn(*values_in(args), **values_in(kwargs))
        name = getattr(fn, "__name__", "")
        is_method = getattr(np.ndarray, name, None) is fn
        writes, out = self._targets(fn, name, args, kwargs), kwargs.get("out")
        values = values_in(args)
        run = functools.partial(getattr(values[0], name), *values[1:]) if is_method else functools.partial(fn, *values)
        ans = run(**values_in(kwargs))  # a method of the value, which may be a NumPy scalar
        where = self.where()
        if writes:
            result: Any = writes[0] if out is not None else None
            if out is not None and isinstance(ans, tuple):
                result = tuple(writes)
            self.instructions.append(Instruction(fn, args, kwargs, None, writes, where, kind))
            return result
        if any(isinstance(x, Traced) and ans is x.value for x in args):  # such as ``astype(copy=False)``
            return self._same(fn, name, args, kwargs, ans)
        result = self._wrapped(ans)
        self.instructions.append(Instruction(fn, args, kwargs, result, [], where, kind))
        if kind == "call" and varies(fn, args, kwargs):
            for x in arrays_in(result):
                self.instructions.append(Instruction(layout, (x, layout(x.value)), {}, None, [], where, "guard"))
        return result

    def _targets(self, fn: Callable[..., Any], name: str, args: Any, kwargs: dict[str, Any]) -> list[Traced]:
        """The arrays that a function writes into."""
        out = kwargs.get("out")
        targets = [x for x in (out if isinstance(out, tuple) else (out,)) if x is not None]
        writes = name in _WRITING_METHODS and getattr(np.ndarray, name, None) is fn
        if writes or fn is operator.setitem or fn in _WRITES_FIRST or name == "at":
            targets.append(args[0])
        if kwargs.get("overwrite_input") or (name == "nan_to_num" and not kwargs.get("copy", (*args, True)[1])):
            raise self.escape(f"{name} in place")
        if not all(isinstance(x, Traced) for x in targets):
            raise self.escape("a write into an array that is not part of the program")
        return targets

    def _same(self, fn: Callable[..., Any], name: str, args: Any, kwargs: dict[str, Any], ans: Any) -> Traced:
        """The first argument, if the function has returned it."""
        if any(isinstance(x, Traced) and ans is x.value for x in args[1:]):
            raise self.escape(f"{name} into an argument that is not named `out`")
        if varies(fn, args, kwargs):
            raise self.escape(f"{name}, whose result has a shape or dtype that depends on values,")
        return args[0]  # type: ignore[no-any-return]

    def _wrapped(self, ans: Any) -> Any:
        if isinstance(ans, tuple) and hasattr(ans, "_fields"):
            return type(ans)(*map(self._wrapped, ans))
        if isinstance(ans, UNPACKED):
            return type(ans)(map(self._wrapped, ans))
        if isinstance(ans, (np.ndarray, np.generic, int, float, complex)):
            return Traced(self, ans)
        if isinstance(ans, str):
            raise self.escape("printing it")
        if ans is None:
            return None
        raise self.escape(f"a result of type {type(ans).__name__}")

    def run(self, fn: Callable[..., Any], args: Any, params: dict[str, Any]) -> Any:
        """Run a function of the gradient table: traced through or, where values would leave it, as one instruction."""
        if not any(True for _ in traced_in((args, params))):
            return fn(*args, **params)
        args = [self.constant(x) if type(x) is np.ndarray else x for x in args]
        start, self.depth = len(self.instructions), self.depth + 1
        try:
            return fn(*args, **params)
        except EscapeError as error:
            del self.instructions[start:]
            if self.depth > 1:
                raise
            self.escaped = None
            set_tracer(None)
            try:
                ans = fn(*values_in(args), **values_in(params))
            finally:
                set_tracer(self)
            if ans is None or isinstance(ans, Variable):
                self.escaped = error
                raise
            outlined = tuple([_outline(x) if isinstance(x, Record) else x for x in args])
            result = self._wrapped(ans) if not isinstance(ans, dict) else {k: self._wrapped(x) for k, x in ans.items()}
            self.instructions.append(Instruction(fn, outlined, params, result, [], self.where()))
            return result
        finally:
            self.depth -= 1

    def effect(self, fn: Callable[[], Any], sets_grad: bool) -> Any:
        """Run something that updates parameters or gradients, such as an optimizer, as one instruction."""
        tensors = list(self.tensors.values())
        before = [(t, t.data, t.grad) for t in tensors]
        for t in tensors:
            t.data, t.grad = value_of(t.data), value_of(t.grad)
        given = [(t.data, t.grad) for t in tensors]
        set_tracer(None)
        try:
            ans = fn()
            replaced = any(t.data is not data for t, (data, _) in zip(tensors, given, strict=True))
            changed = [sets_grad or t.grad is not grad for t, (_, grad) in zip(tensors, given, strict=True)]
            grads = [t.grad for t in tensors]
        finally:
            set_tracer(self)
            for t, data, grad in before:
                t.data, t.grad = data, grad
        if replaced:
            raise CompileError(f"tg.compile cannot replay an update at {self.where()} that replaces `.data`")
        results = []
        for t, grad, is_new in zip(tensors, grads, changed, strict=True):
            if is_new:
                t.grad = None if grad is None else Traced(self, grad)
                results.append((t, t.grad))
        value = Traced(self, ans) if isinstance(ans, (int, float, np.generic, np.ndarray)) else None
        known = [(t, grad) for t, _, grad in before if grad is None or isinstance(grad, Traced)]
        writes = list(self.captured.values())
        self.instructions.append(Instruction(fn, known, {}, (value, results), writes, self.where(), "effect"))
        return value

    def followed(self, row: Row) -> tuple[list[Any], Any]:
        """The rules of a row, to be run by `run`."""

        def follow(vjp: Any) -> Any:
            return lambda *args, **params: self.run(vjp, args, params)

        together = None if row.together is None else follow(row.together)
        return [follow(vjp) if callable(vjp) else vjp for vjp in row.vjps], together

    def adding(self, row: Row) -> Callable[..., None]:
        """The function that adds a gradient to another in place, run as one instruction."""

        def run(total: Traced, *args: Any, **params: Any) -> None:
            assert row.add_to is not None
            row.add_to(total.value, *values_in(args), **values_in(params))
            args = tuple([_outline(x) if isinstance(x, Record) else x for x in args])
            self.instructions.append(Instruction(row.add_to, (total, *args), params, None, [total], self.where()))

        return run

    def take(self, x: Traced) -> bool:
        """Whether the rule that is running created this array, so that it may be modified. Answers yes once."""
        is_new = x.made >= self.rule_start and x.value.base is None and not x.is_scalar and id(x) not in self.taken
        self.taken.add(id(x))
        return is_new

    def require(self, condition: Callable[[Any], bool], x: Traced) -> bool:
        """A condition that a replay checks, too."""
        value = condition(x.value)
        self.instructions.append(Instruction(condition, (x, value), {}, None, [], self.where(), "guard"))
        return value

    def branch(self, x: Traced) -> bool:
        """A branch inside tensorgrad: the program holds as long as it goes the same way."""
        value = bool(x.value)
        if get_ident() != self.thread or tracer() is not self:
            return value
        if self.depth or not in_package[sys._getframe(2).f_code.co_filename]:
            raise self.escape("a branch that depends on it")
        self.instructions.append(Instruction(bool, (x, value), {}, None, [], self.where(), "guard"))
        return value

    def release(self) -> None:
        """Drop the values of the recorded call, except those of arrays that exist outside."""
        outside = {*map(id, self.captured.values()), *map(id, self.fixed.values())}
        for step in self.instructions:
            for x in (*step.results(), *step.reads(), *step.writes):
                if id(x) not in outside:
                    x.value = None  # type: ignore[assignment]
        self.alive = [x.value for x in (*self.captured.values(), *self.fixed.values())]

    # ------------------------------------------------------------------------------------------- places

    def where(self) -> Where:
        """The line of the user's code that runs."""
        if self.record is not None:
            return Where(self.record.code, self.record.instruction, self.record.row.name)
        frame: Any = sys._getframe(1)
        while _is_library(frame.f_code.co_filename) and frame.f_back is not None:
            frame = frame.f_back
        return Where(frame.f_code, frame.f_lasti)

    def escape(self, what: str) -> EscapeError:
        """The error for a value that would leave the program."""
        frame: Any = sys._getframe(1)
        while frame is not None and Path(frame.f_code.co_filename).parent == Path(__file__).parent:
            frame = frame.f_back
        if in_package[frame.f_code.co_filename]:
            what = f"{what} in {frame.f_code.co_name}"
        self.escaped = EscapeError(
            f"tg.compile cannot follow {what} at {self.where()}: a value computed inside the compiled function would "
            "be used outside NumPy, and a replay could not repeat that. Return the array and do this outside."
        )
        return self.escaped

    # ------------------------------------------------------------------------------------------- as an observer

    def after_call(self, *_: Any) -> None:
        """Nothing: `call` records."""

    def after_recording(self, *_: Any) -> None:
        """Nothing."""

    def before_rules(self, record: Record) -> None:
        """Remember whose gradient is computed."""
        if tracer() is self:
            self.record, self.rule_start = record, len(self.instructions)

    def after_rule(self, *_: Any) -> None:
        """Forget it."""
        if tracer() is self:
            self.record = None


@functools.cache
def _is_library(filename: str) -> bool:
    return in_package[filename] or Path(np.__file__).parent in Path(filename).parents


def _outline(record: Record) -> Outline:
    outline = Outline()
    outline.shape, outline.dtype = record.shape, record.dtype
    return outline
