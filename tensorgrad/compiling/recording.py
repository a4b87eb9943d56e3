"""A recorded call, and the comparison of two of them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tensorgrad.compiling.guards import PLAIN, Dependencies, is_same, state_of
from tensorgrad.compiling.layouts import layout
from tensorgrad.compiling.trace import Trace
from tensorgrad.compiling.traced import PYTHON, Traced, TracedGenerator, leaves_of, mapped, value_of
from tensorgrad.engine.record import observers
from tensorgrad.engine.tape import Leaf, Record, Variable, set_tracer
from tensorgrad.errors import CompileError


class Output:
    """An array or a tensor among the results; ``kind`` is its class."""

    def __init__(self, data: Any, kind: Any = None) -> None:
        self.data = data
        kind = kind or getattr(data, "number", None) or np.ndarray
        is_number = kind in PYTHON or issubclass(kind, np.generic)
        # what is called in turn with the result, to make what the caller gets, and owns
        self.made_by = [kind] if is_number else [np.array] if kind is np.ndarray else [np.array, kind]

    def own(self) -> Any:
        """The result of the recorded call, as the caller gets it."""
        return functools.reduce(lambda x, make: make(x), self.made_by, value_of(self.data))


class Recording:
    """One call, run on stand-ins. It has the effects and the result of an ordinary call."""

    def __init__(self, fn: Callable[..., Any], names: Sequence[str], leaves: Sequence[Any]) -> None:
        self.trace = Trace()
        self.dependencies = Dependencies(fn, [*zip(leaves, names, strict=True)])
        passed = set(map(id, leaves))
        self.tensors = {
            key: tensor
            for key, (tensor, _) in self.dependencies.tensors.items()
            if tensor.node is not None or key not in passed
        }
        if any(t.node is not None and not isinstance(t.node, Leaf) for t in self.tensors.values()):
            raise CompileError(
                "a tensor that was computed outside the compiled function requires a gradient: its graph would have to "
                "be differentiated again in every call. Pass it as an argument after .detach(), or compute it inside."
            )
        self.state = state_of(self.tensors.values())
        self.data = {key: tensor.data for key, tensor in self.tensors.items()}
        self.arguments: list[Any] = []  # the stand-in of each argument; None for what has none
        self._given = [self._argument(name, x) for name, x in zip(names, leaves, strict=True)]
        self._others = [x for x, stand_in in zip(leaves, self.arguments, strict=True) if stand_in is None]  # kept alive
        self._hidden = [g for g in self.dependencies.generators.values() if id(g) not in passed]

    def run(self, fn: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Call the function with stand-ins in place of the arguments; returns its result."""
        states = [str(g.bit_generator.state) for g in self._hidden]
        given = iter(self._given)
        args, kwargs = everything = mapped(lambda _: next(given), (args, kwargs))
        before = leaves_of(everything)
        try:
            self._enter()
            result = fn(*args, **kwargs)
            if self.trace.escaped is not None:  # caught by the function
                raise self.trace.escaped
            self._refuse(before, leaves_of(everything), states)
            self.outputs = mapped(self._output, result)
            self.trace.write_grads()
            replaced = [x.name for x in self.dependencies.arrays if x.current() is not self.trace.captured[id(x.value)]]
        finally:
            self._leave()
        if changed := next(iter(replaced), self.dependencies.changed()):
            raise CompileError(
                f"the compiled function sets {changed!r}, which a replay would not do: do it outside, or write into an "
                "array, as in x[...] = y"
            )
        owned = mapped(lambda x: x.own() if isinstance(x, Output) else x, self.outputs)
        self.trace.release()
        return owned

    def _argument(self, name: str, x: Any) -> Any:
        """The object that the function is called with in place of an argument."""
        given: Any = x
        stand_in: Any = None
        if isinstance(x, np.ndarray) and type(x) is not np.ndarray:
            raise CompileError(
                f"the argument {name!r} of the compiled function is a {type(x).__name__}, whose operations may differ "
                "from those of an ndarray: pass np.asarray(x)"
            )
        if isinstance(x, np.ndarray):
            given = stand_in = Traced(self.trace, x, name)
        elif isinstance(x, np.random.Generator):
            given = stand_in = TracedGenerator(self.trace, x, name)
        elif isinstance(x, Variable) and x.node is None:
            given = object.__new__(type(x))
            given.data = stand_in = Traced(self.trace, x.data, name)
            given.grad = given.node = given.saved = given.memory = None
        self.arguments.append(stand_in)
        return given

    def _enter(self) -> None:
        """Replace the data of tensors, and other arrays that the function reaches, by stand-ins; observe all calls."""
        self.trace.tensors = self.tensors
        for key, tensor in self.tensors.items():
            name = self.dependencies.tensors[key][1]
            tensor.data = self.trace.capture(tensor.data, name)  # type: ignore[assignment]
            self.trace.read_grad(tensor, f"{name}.grad")
        for binding in self.dependencies.arrays:
            binding.assign(self.trace.capture(binding.value, binding.name))
        observers.append(self.trace)
        set_tracer(self.trace)

    def _leave(self) -> None:
        """Undo `_enter`."""
        set_tracer(None)
        observers[:] = [x for x in observers if x is not self.trace]
        for binding in self.dependencies.arrays:
            if binding.current() is not binding.value:
                binding.assign(binding.value)
        for key, tensor in self.tensors.items():
            tensor.data, tensor.grad, tensor.saved = self.data[key], value_of(tensor.grad), None
            if isinstance(tensor.grad, Variable):  # which is refused
                tensor.grad.data = value_of(tensor.grad.data)

    def _refuse(self, before: list[Any], after: list[Any], states: list[str]) -> None:
        """Raise a `CompileError` if the call has changed something that a replay would not change."""
        if len(after) != len(before) or any(x is not y for x, y in zip(after, before, strict=True)):
            raise CompileError(
                "the compiled function changes a list or dict among its arguments, which a replay would not do: "
                "return the new items, or write into an array, as in x[...] = y"
            )
        if states != [str(g.bit_generator.state) for g in self._hidden]:
            raise CompileError(
                "the compiled function draws from a generator that is not an argument: pass it as an argument, so that "
                "every replay draws from it"
            )
        captured: dict[int, Any] = self.trace.captured
        if any(t.data is not captured[id(self.data[key])] for key, t in self.tensors.items()):
            raise CompileError(
                "the compiled function replaces the `.data` of a tensor: write into it, as in w.data[...] = x or "
                "w.data -= x"
            )

    def _output(self, x: Any) -> Any:
        if isinstance(x, Variable):
            if isinstance(x.node, Record) and x.node.inputs is not None:
                raise CompileError(
                    "the compiled function returns a tensor whose backward pass has not run: call backward() inside, "
                    "or return x.detach()"
                )
            return Output(x.data, type(x)) if isinstance(x.data, Traced) and id(x) not in self.tensors else x
        if isinstance(x, (Traced, np.ndarray)):
            return Output(x)
        if isinstance(x, (int, float, str, bool, type(None), np.generic)):
            return x
        raise CompileError(f"the compiled function returns a {type(x).__name__}: return arrays, tensors and numbers")


# ------------------------------------------------------------------------------------------------ comparison


def agree(first: Recording, second: Recording) -> bool:
    """Whether two recordings of a function took the same branches.

    Raises
    ------
    CompileError
        If they differ where no condition of a replay would show it.
    """
    a, b = first.trace.instructions, second.trace.instructions
    for one, other in zip(a, b, strict=False):
        if one.kind == other.kind == "guard" and one.fn is other.fn and one.args[1] != other.args[1]:
            if one.fn is not layout:
                return False
            raise CompileError(
                f"tg.compile cannot replay the function: at {other.where}, the shape or dtype of a result depends on "
                "the values of arrays. Keep shapes fixed, as with np.where(mask, x, 0) in place of x[mask]."
            )
        pairs = zip(leaves_of((one.args, one.kwargs)), leaves_of((other.args, other.kwargs)), strict=False)
        if not _is_same_function(one.fn, other.fn) or not all(_agree(x, y) for x, y in pairs):
            raise CompileError(
                f"tg.compile cannot replay the function: at {other.where}, two calls with arguments of the same kind "
                f"called {getattr(one.fn, '__name__', one.fn)} with different constants. A value that changes from "
                "call to call must be an argument of the compiled function, as an array."
            )
    if len(a) != len(b):
        where = (a + b)[min(len(a), len(b)) - 1].where
        raise CompileError(f"tg.compile cannot replay the function: two calls ran differently from {where} on")
    return True


def _agree(x: Any, y: Any) -> bool:
    x, y = (z.value if isinstance(z, Traced) and id(z.value) in z.trace.fixed else z for z in (x, y))
    if isinstance(x, Traced) or isinstance(y, Traced):
        return type(x) is type(y) and x.index == y.index
    if isinstance(x, np.ndarray) and isinstance(y, np.ndarray):
        return x is y or (x.shape == y.shape and x.dtype == y.dtype and x.tobytes() == y.tobytes())
    return type(x) is type(y) and (is_same(x, y) or not isinstance(x, PLAIN))


def _is_same_function(f: Any, g: Any) -> bool:
    if isinstance(f, functools.partial) and isinstance(g, functools.partial):  # of an effect
        return (
            f.func is g.func
            and f.keywords == g.keywords
            and all(x is y or x == y for x, y in zip(f.args, g.args, strict=True))
        )
    return f is g or f == g or getattr(f, "__code__", f) is getattr(g, "__code__", None)
