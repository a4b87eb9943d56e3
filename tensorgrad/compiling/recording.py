"""A recorded call, and the comparison of two of them."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tensorgrad.compiling import passes
from tensorgrad.compiling.emit import Source, function
from tensorgrad.compiling.guards import Reach, at, is_same, of_tensor, put
from tensorgrad.compiling.trace import Instruction, Trace, Traced, TracedGenerator, leaves_of, mapped, values_in
from tensorgrad.engine.record import observers
from tensorgrad.engine.tape import Record, Variable, current_mode, set_tracer
from tensorgrad.errors import CompileError


class Recording:
    """One call, run on stand-ins. It has the effects and the result of an ordinary call."""

    def __init__(self, fn: Callable[..., Any], names: Sequence[str], leaves: Sequence[Any],
                 rebuilt: Callable[[Sequence[Any]], Any]) -> None:  # fmt: skip
        self.trace = trace = Trace()
        self.reach = Reach(fn, dict(zip(names, leaves, strict=True)))
        self.arguments: list[Any] = []
        given = []
        passed = {id(x) for x in leaves}
        for name, x in zip(names, leaves, strict=True):
            if isinstance(x, np.ndarray):
                self.arguments.append(Traced(trace, x, name))
            elif isinstance(x, np.random.Generator):
                self.arguments.append(TracedGenerator(trace, x, name))
            elif isinstance(x, Variable) and x.node is None:
                stand_in = type(x)(x.data)
                stand_in.data = Traced(trace, x.data, name)
                self.arguments.append(stand_in.data)
                given.append(stand_in)
                continue
            else:
                self.arguments.append(None)
                given.append(x)
                continue
            given.append(self.arguments[-1])
        states = [(g, str(g.bit_generator.state)) for g, _ in self.reach.generators.values() if id(g) not in passed]
        self.tensors = {key: of_tensor(t) for key, (t, _) in self.reach.tensors.items()
                        if t.node is not None or key not in passed}  # fmt: skip
        self.entry_grads: dict[int, Traced] = {}
        for key, (tensor, data, _, _) in self.tensors.items():
            name = self.reach.tensors[key][1]
            tensor.data = trace.capture(data, name)
            if isinstance(tensor.grad, np.ndarray):
                tensor.grad = self.entry_grads[key] = Traced(trace, tensor.grad, f"{name}.grad")
        for container, key, array, name in self.reach.arrays:
            put(container, key, trace.capture(array, name))
        trace.tensors = {key: entry[0] for key, entry in self.tensors.items()}
        observers.append(trace)
        set_tracer(trace)
        try:
            args, kwargs = rebuilt(given)
            result = fn(*args, **kwargs)
            for generator, before in states:
                if str(generator.bit_generator.state) != before:
                    raise CompileError("the compiled function draws from a generator that is not an argument: pass it "
                                       "as an argument, so that every replay draws from it")  # fmt: skip
            for t, data, *_ in self.tensors.values():
                if t.data is not trace.captured[id(data)]:
                    raise CompileError("the compiled function replaces the `.data` of a tensor: write into it, as in "
                                       "w.data[...] = x or w.data -= x")  # fmt: skip
            self.outputs = mapped(self._output, result)
        finally:
            set_tracer(None)
            observers.remove(trace)
            replaced = [name for container, key, array, name in self.reach.arrays
                        if at(container, key) is not trace.captured[id(array)]]  # fmt: skip
            for container, key, array, _ in self.reach.arrays:
                put(container, key, array)
            self.final_grads = {key: t.grad for key, (t, *_) in self.tensors.items()}
            for tensor, data, *_ in self.tensors.values():
                tensor.data = data
                tensor.grad = _released(tensor.grad)
                tensor.saved = None
        changed = [*replaced, *filter(None, [self.reach.changed()])]
        if changed:
            raise CompileError(f"the compiled function sets {changed[0]!r}, which a replay would not do: do it outside"
                               ", or write into an array, as in x[...] = y")  # fmt: skip
        self.result = mapped(_own, self.outputs)
        trace.release()

    def _output(self, x: Any) -> Any:
        if isinstance(x, Variable):
            if isinstance(x.node, Record) and x.node.inputs is not None:
                raise CompileError(
                    "the compiled function returns a tensor whose backward pass has not run: call backward() inside, "
                    "or return x.detach()"
                )
            if id(x) in self.trace.tensors:
                return x
            data = x.data
            return Output(type(x), data) if isinstance(data, Traced) else x
        if isinstance(x, (Traced, int, float, str, bool, type(None), np.ndarray, np.generic)):
            return x
        raise CompileError(f"the compiled function returns a {type(x).__name__}: return arrays, tensors and numbers")


class Output:
    """A tensor among the results."""

    def __init__(self, kind: type[Variable], data: Traced) -> None:
        self.kind, self.data = kind, data


def _released(x: Any) -> Any:
    return x.value if isinstance(x, Traced) else x


def _own(x: Any) -> Any:
    """A result as the caller gets it: a copy."""
    if isinstance(x, Output):
        return x.kind(x.data.value.copy())  # type: ignore[call-arg]
    if isinstance(x, Traced):
        return values_in(x) if x.is_scalar else x.value.copy()
    return x


# ------------------------------------------------------------------------------------------------ comparison


def check_agreement(first: Recording, second: Recording) -> None:
    """Raise a `CompileError` if two recordings of a function differ in what no guard watches."""
    a, b = first.trace.instructions, second.trace.instructions
    same = {id(x): y for x, y in zip(first.arguments, second.arguments, strict=True) if isinstance(x, Traced)}
    same |= {id(x): second.trace.captured.get(key) for key, x in first.trace.captured.items()}
    fixed = {id(x): x.value for x in (*first.trace.fixed.values(), *second.trace.fixed.values())}
    same |= {id(x): second.entry_grads.get(key) for key, x in first.entry_grads.items()}
    for one, other in zip(a, b, strict=False):
        pairs = list(zip(leaves_of((one.args, one.kwargs)), leaves_of((other.args, other.kwargs)), strict=False))
        if not _is_same_function(one.fn, other.fn) or not all(_agree(fixed.get(id(x), x), fixed.get(id(y), y), same) for x, y in pairs):
            raise CompileError(
                f"tg.compile cannot replay the function: at {other.where}, two calls with arguments of the same kind "
                f"called {getattr(one.fn, '__name__', one.fn)} with different constants. A value that changes from "
                "call to call must be an argument of the compiled function, as an array."
            )
        for x, y in zip(leaves_of(one.out), leaves_of(other.out), strict=False):
            if isinstance(x, Traced):
                same[id(x)] = y
    if len(a) != len(b):
        where = (a + b)[min(len(a), len(b)) - 1].where
        raise CompileError(f"tg.compile cannot replay the function: two calls ran differently from {where} on")


def _agree(x: Any, y: Any, same: dict[int, Any]) -> bool:
    if isinstance(x, Traced) or isinstance(y, Traced):
        return same.get(id(x)) is y
    if isinstance(x, np.ndarray) and isinstance(y, np.ndarray):
        return x is y or (x.dtype == y.dtype and np.array_equal(x, y, equal_nan=x.dtype.kind in "fc"))
    if type(x) is not type(y):
        return False
    if isinstance(x, (int, float, complex, str, bytes, np.generic, np.dtype)):
        return bool(x == y or (x != x and y != y))
    return True


def _is_same_function(f: Any, g: Any) -> bool:
    if isinstance(f, functools.partial) and isinstance(g, functools.partial):  # of an effect
        return f.func is g.func and f.keywords == g.keywords and all(x is y or x == y for x, y in zip(f.args, g.args, strict=True))
    return f is g or f == g or getattr(f, "__code__", f) is getattr(g, "__code__", None)


