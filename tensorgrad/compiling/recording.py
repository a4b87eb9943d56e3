"""A recorded call, and the comparison of two of them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from tensorgrad.compiling.guards import Reach, at, of_tensor, put
from tensorgrad.compiling.layouts import layout
from tensorgrad.compiling.trace import Trace
from tensorgrad.compiling.traced import Traced, TracedGenerator, leaves_of, mapped, value_of, values_in
from tensorgrad.engine.record import observers
from tensorgrad.engine.tape import Record, Variable, set_tracer
from tensorgrad.errors import CompileError


class Recording:
    """One call, run on stand-ins. It has the effects and the result of an ordinary call."""

    def __init__(self, fn: Callable[..., Any], names: Sequence[str], leaves: Sequence[Any]) -> None:
        self.trace = Trace()
        self.reach = Reach(fn, dict(zip(names, leaves, strict=True)))
        passed = set(map(id, leaves))
        self.tensors = {
            key: of_tensor(tensor)
            for key, (tensor, _) in self.reach.tensors.items()
            if tensor.node is not None or key not in passed
        }
        self.arguments: list[Any] = []  # the stand-in of each argument; None for what has none
        self._given = [self._argument(name, x) for name, x in zip(names, leaves, strict=True)]
        self._hidden = [g for g in self.reach.generators.values() if id(g) not in passed]

    def run(self, fn: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """Call the function with stand-ins in place of the arguments; returns its result."""
        states = [str(g.bit_generator.state) for g in self._hidden]
        try:
            self._enter()
            args, kwargs = everything = _filled((args, kwargs), iter(self._given))
            passed_in = list(_parts(everything))
            result = fn(*args, **kwargs)
            if self.trace.escaped is not None:  # the function has caught it
                raise self.trace.escaped
            left = list(_parts(everything))
            if len(left) != len(passed_in) or any(x is not y for x, y in zip(left, passed_in, strict=True)):
                raise CompileError(
                    "the compiled function changes a list or dict among its arguments, which a replay would not do: "
                    "return the new items, or write into an array, as in x[...] = y"
                )
            self._check(states != [str(g.bit_generator.state) for g in self._hidden])
            self.outputs = mapped(self._output, result)
            self.final_grads = {key: tensor.grad for key, (tensor, *_) in self.tensors.items()}
            captured = self.trace.captured
            replaced = [name for owner, key, x, name in self.reach.arrays if at(owner, key) is not captured[id(x)]]
        finally:
            self._leave()
        if changed := next(iter(replaced), self.reach.changed()):
            raise CompileError(
                f"the compiled function sets {changed!r}, which a replay would not do: do it outside, or write into an "
                "array, as in x[...] = y"
            )
        owned = mapped(_own, self.outputs)
        self.trace.release()
        return owned

    def _argument(self, name: str, x: Any) -> Any:
        """What the function is given in place of an argument."""
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
        """Put stand-ins into the tensors and in place of the arrays that the function reaches."""
        self.entry_grads: dict[int, Traced] = {}
        for key, (tensor, data, *_) in self.tensors.items():
            name = self.reach.tensors[key][1]
            tensor.data = self.trace.capture(data, name)
            if isinstance(tensor.grad, np.ndarray):
                tensor.grad = self.entry_grads[key] = Traced(self.trace, tensor.grad, f"{name}.grad")
        for container, key, array, name in self.reach.arrays:
            put(container, key, self.trace.capture(array, name))
        self.trace.tensors = {key: tensor for key, (tensor, *_) in self.tensors.items()}
        observers.append(self.trace)
        set_tracer(self.trace)

    def _leave(self) -> None:
        """Put everything back."""
        set_tracer(None)
        observers[:] = [x for x in observers if x is not self.trace]
        for container, key, array, _ in self.reach.arrays:
            if at(container, key) is not array:
                put(container, key, array)
        for tensor, data, *_ in self.tensors.values():
            tensor.data, tensor.grad, tensor.saved = data, value_of(tensor.grad), None

    def _check(self, drew: bool) -> None:
        """Refuse what a replay would not do."""
        if drew:
            raise CompileError(
                "the compiled function draws from a generator that is not an argument: pass it as an argument, so that "
                "every replay draws from it"
            )
        if any(t.data is not self.trace.captured[id(data)] for t, data, *_ in self.tensors.values()):
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
            if id(x) in self.trace.tensors:
                return x
            data = x.data
            return Output(type(x), data) if isinstance(data, Traced) else x
        if isinstance(x, (Traced, int, float, str, bool, type(None), np.ndarray, np.generic)):
            return x
        raise CompileError(f"the compiled function returns a {type(x).__name__}: return arrays, tensors and numbers")


def _parts(tree: Any) -> Iterator[Any]:
    """The lists, tuples and dicts in nested ones, with their keys and items."""
    yield tree
    if type(tree) in (list, tuple, dict):
        for item in tree.items() if type(tree) is dict else tree:
            yield from item[:1] if type(tree) is dict else ()
            yield from _parts(item[1] if type(tree) is dict else item)


class Output:
    """A tensor among the results."""

    def __init__(self, kind: type[Variable], data: Traced) -> None:
        self.kind, self.data = kind, data


def _filled(tree: Any, leaves: Iterator[Any]) -> Any:
    """Lists, tuples and dicts of the same form with other leaves."""
    if type(tree) in (list, tuple):
        return type(tree)([_filled(item, leaves) for item in tree])
    return {key: _filled(item, leaves) for key, item in tree.items()} if type(tree) is dict else next(leaves)


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
        if one.fn is other.fn is layout and one.args[1] != other.args[1]:
            raise CompileError(
                f"tg.compile cannot replay the function: at {other.where}, the shape or dtype of a result depends on "
                "the values of arrays. Keep shapes fixed, as with np.where(mask, x, 0) in place of x[mask]."
            )
        pairs = list(zip(leaves_of((one.args, one.kwargs)), leaves_of((other.args, other.kwargs)), strict=False))
        if not _is_same_function(one.fn, other.fn) or not all(
            _agree(fixed.get(id(x), x), fixed.get(id(y), y), same) for x, y in pairs
        ):
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
        return (
            f.func is g.func
            and f.keywords == g.keywords
            and all(x is y or x == y for x, y in zip(f.args, g.args, strict=True))
        )
    return f is g or f == g or getattr(f, "__code__", f) is getattr(g, "__code__", None)
