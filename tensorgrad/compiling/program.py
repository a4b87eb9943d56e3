"""A program: recorded from a call of the function, compared with a second recording, and replayed."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tensorgrad.compiling import passes
from tensorgrad.compiling.emit import Source, function
from tensorgrad.compiling.guards import Reach, at, is_same, of_tensor, put
from tensorgrad.compiling.trace import Instruction, Trace, Traced, TracedGenerator, leaves_of, mapped, traced_in
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
        return x.value[()] if x.is_scalar else x.value.copy()
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


# ------------------------------------------------------------------------------------------------ replay


class Program:
    """A recording as two functions: ``compute`` changes nothing outside the program, ``commit`` what the call changes."""

    def __init__(self, recording: Recording, names: Sequence[str], leaves: Sequence[Any]) -> None:
        self.mode, self._leaves = current_mode(), leaves
        self.tensors = list(recording.tensors.values())
        self.reach = recording.reach
        self._recording, self._names = recording, names
        self.arity = len(names)
        self.taken = [(i, isinstance(leaf, Variable)) for i, (x, leaf) in enumerate(zip(recording.arguments, leaves, strict=True))
                      if x is not None]  # fmt: skip
        self.draws = [i for i, x in enumerate(recording.arguments) if isinstance(x, TracedGenerator)]
        self.build()

    def build(self) -> None:
        """Plan the memory, and write and compile the source."""
        r = self._recording
        grads = [(t, r.final_grads[key]) for key, (t, *_) in r.tensors.items()
                 if r.final_grads[key] is not r.entry_grads.get(key) or isinstance(r.final_grads[key], Traced)]  # fmt: skip
        grads = [(t, g) for t, g in grads if g is None or isinstance(g, Traced)]
        kept = [x for _, x in grads if isinstance(x, Traced)]
        for step in r.trace.instructions:
            if step.kind == "effect":
                kept += [g for _, g in step.args if isinstance(g, Traced)]
        results = [x.data if isinstance(x, Output) else x for x in leaves_of(r.outputs)]
        results = [x for x in results if isinstance(x, Traced)]
        captured = list(r.trace.captured.values())
        program = passes.with_direct_calls(r.trace.instructions)
        program = passes.without_dead_code(program, [*kept, *results], captured)
        program = passes.without_repeated_guards(program)
        program, replaced = passes.without_copies(program, [*kept, *results])
        kept, results = ([replaced.get(id(x), x) for x in group] for group in (kept, results))
        grads = [(t, replaced.get(id(x), x)) for t, x in grads]
        outside = {x.storage for x in (*captured, *r.arguments) if isinstance(x, Traced)}
        first_write = next((i for i, step in enumerate(program) if step.kind == "effect"
                            or any(x.storage in outside for x in step.writes)), len(program))  # fmt: skip
        late = next((step for step in program[first_write:] if step.kind in ("guard", "draw")), None)
        if late is not None:
            raise CompileError(
                f"the compiled function computes at {late.where} after it has changed parameters or arrays, and tg.compile "
                "could not undo the change if the computation fails: compile the two parts as functions of their own"
            )
        memory = passes.Memory(program, [*captured, *r.trace.fixed.values()], kept, results)
        names = {id(x): name for x, name in zip(r.arguments, self._names, strict=True) if x is not None}
        source = Source(memory, names)
        for x in captured:
            source.give_name(x, x.name or "array")
        for tensor, g in grads:
            if isinstance(g, Traced):
                owner = r.trace.captured[id(r.tensors[id(tensor)][1])]
                source.give_name(g, f"d_{source.name(owner)}")
        entering = [f"{source.give_name(g, g.name)} = {source.constant(r.tensors[key][0], 'tensor')}.grad"
                    for key, g in r.entry_grads.items() if _is_read(g, program) or any(g is x for x in results)]  # fmt: skip
        parameters = [name for name, x in zip(self._names, r.arguments, strict=True) if x is not None]
        early = entering + source.lines(program[:first_write])
        late_lines = self._commit(source, program[first_write:], grads)
        handed = self._handed_over(source, program, first_write, results, kept)
        outputs = mapped(lambda x: Output(x.kind, replaced.get(id(x.data), x.data)) if isinstance(x, Output)
                         else replaced.get(id(x), x), r.outputs)  # fmt: skip
        applies = self._conditions(source)
        self.source = (function("compute", parameters, early, f"({''.join(f'{name}, ' for name in handed)})") + "\n\n"
                       + function("commit", [*parameters, *handed], [*late_lines, f"return {self._returned(source, outputs)}"], ""))  # fmt: skip
        exec(compile(self.source, "<tg.compile>", "exec"), source.namespace)
        source.namespace["is_same"] = is_same
        exec(compile(applies, "<tg.compile>", "exec"), source.namespace)
        self.compute, self.commit = source.namespace["compute"], source.namespace["commit"]
        self.applies = source.namespace["applies"]
        self.grad_buffers = [(t, memory.arrays[id(g)]) for t, g in grads if isinstance(g, Traced) and id(g) in memory.arrays]
        self._references = [sys.getrefcount(x) for _, x in self.grad_buffers]

    def _conditions(self, source: Source) -> str:
        """The source of ``applies()``: whether everything that the program depends on is as it was recorded."""
        conditions = [f"current_mode() == {source.constant(self.mode)}"]
        source.namespace["current_mode"] = current_mode
        for name, x, leaf in zip(self._names, self._recording.arguments, self._leaves, strict=True):
            conditions += _fits(source, name, x, leaf)
        for tensor, data, is_constant, has_no_grad in self.tensors:
            name = self._tensor(source, tensor)
            conditions += [f"{name}.data is {source.constant(data)}",
                           f"{name}.node is {'' if is_constant else 'not '}None",
                           f"{name}.grad is {'' if has_no_grad else 'not '}None"]  # fmt: skip
        for container, key, value in self.reach.places:
            where = f"{source.constant(container, 'container')}.get({key!r})" if isinstance(container, dict) else \
                f"{source.constant(container, 'container')}[{key!r}]"
            conditions.append(_equal(source, where, value))
        for cell, value in self.reach.cells:
            conditions.append(_equal(source, f"{source.constant(cell, 'cell')}.cell_contents", value))
        lengths = [f"len({source.constant(container, 'container')}) == {n}" for container, n in self.reach.lengths]
        return function("applies", self._names, [], " and ".join([*conditions, *lengths]))

    def _returned(self, source: Source, outputs: Any) -> str:
        copy = source.constant(np.array, "array")

        def text(x: Any) -> str:
            if isinstance(x, Output):
                return f"{source.constant(x.kind, x.kind.__name__)}({copy}({source.name(x.data)}))"
            if isinstance(x, Traced):
                return f"{copy}({source.name(x)})" + ("[()]" if x.is_scalar else "")
            if isinstance(x, tuple) and hasattr(x, "_fields"):
                return f"{source.constant(type(x), type(x).__name__)}({', '.join(map(text, x))})"
            if type(x) is tuple:
                return f"({''.join(f'{text(item)}, ' for item in x)})"
            if type(x) is list:
                return f"[{', '.join(map(text, x))}]"
            if type(x) is dict:
                return f"{{{', '.join(f'{source.expression(key)}: {text(item)}' for key, item in x.items())}}}"
            return source.expression(x) if not isinstance(x, np.ndarray) else f"{copy}({source.constant(x)})"

        return text(outputs)

    def _commit(self, source: Source, program: Sequence[Instruction], grads: Any) -> list[str]:
        lines = []
        for step in program:
            if step.kind == "effect":
                for tensor, g in step.args:
                    value = "None" if g is None else source.name(g)
                    lines.append(f"{self._tensor(source, tensor)}.grad = {value}")
                value, results = step.out
                call = f"{source.constant(step.fn, step.fn.func.__qualname__.replace('.', '_'))}()"
                lines.append(call if value is None else f"{source.name(value)} = {call}")
                for tensor, g in results:
                    if g is not None:
                        lines.append(f"{source.name(g)} = {self._tensor(source, tensor)}.grad")
            else:
                lines += source.lines([step])
        for tensor, g in grads:
            lines.append(f"{self._tensor(source, tensor)}.grad = {'None' if g is None else source.name(g)}")
        return lines

    def _tensor(self, source: Source, tensor: Variable) -> str:
        name = self.reach.tensors[id(tensor)][1] if id(tensor) in self.reach.tensors else ""
        return source.constant(tensor, f"{name}_tensor")

    def _handed_over(self, source: Source, program: Sequence[Instruction], first_write: int, results: Sequence[Traced],
                     kept: Sequence[Traced]) -> list[str]:  # fmt: skip
        """The names of arrays that ``compute`` creates at run time and ``commit`` uses."""
        created = {id(x): x for step in program[:first_write] for x in step.results() if id(x) not in source.memory.arrays}
        created |= {id(g): g for g in self._recording.entry_grads.values()}
        used = [x for step in program[first_write:] for x in traced_in((step.args, step.kwargs, step.writes))]
        names = [source.name(x) for x in (*used, *results, *kept) if id(x) in created]
        return list(dict.fromkeys(names))

    def replay(self, values: Sequence[Any]) -> Any:
        """Run the program. Raises `BranchError` or FloatingPointError before anything has changed."""
        for (tensor, buffer), count in zip(self.grad_buffers, self._references, strict=True):
            if sys.getrefcount(buffer) > count + (tensor.grad is buffer):
                self.build()  # the caller keeps a gradient of the last call
                break
        with np.errstate(divide="raise", invalid="raise"):
            handed = self.compute(*values)
        return self.commit(*values, *handed)


def _equal(source: Source, where: str, value: Any) -> str:
    """The condition that a place holds what it held: the same object or, for numbers, an equal one."""
    name = source.constant(value, "value")
    if type(value) in (int, float):
        return f"({where} is {name} or is_same({where}, {name}))"
    return f"{where} is {name}"


def _fits(source: Source, name: str, x: Any, leaf: Any) -> list[str]:
    """The conditions that an argument is of the kind that was recorded."""
    if isinstance(x, TracedGenerator):
        return [f"type({name}) is {source.constant(type(leaf), 'Generator')}"]
    if not isinstance(x, Traced):
        return [f"{name} is {source.constant(leaf, 'value')}" if not isinstance(leaf, _NUMBERS)
                else f"type({name}) is {source.constant(type(leaf))} and {name} == {leaf!r}"]  # fmt: skip
    conditions = [f"type({name}) is {source.constant(type(leaf))}"]
    if isinstance(leaf, Variable):
        conditions.append(f"{name}.node is None")
        name, leaf = f"{name}.data", leaf.data
    return [*conditions, f"{name}.shape == {leaf.shape}", f"{name}.dtype == {source.constant(leaf.dtype, 'dtype')}",
            f"{name}.strides == {leaf.strides}"]  # fmt: skip


_NUMBERS = (int, float, bool, str, bytes)


def _is_read(x: Traced, program: Sequence[Instruction]) -> bool:
    return any(x is y for step in program for y in (*step.reads(), *step.writes))
