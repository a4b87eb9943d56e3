"""A program: two recordings that agree, as Python source, and its replay."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from tensorgrad.compiling import passes
from tensorgrad.compiling.emit import Source, function
from tensorgrad.compiling.guards import PLAIN, Attributes, is_same, sharing
from tensorgrad.compiling.memory import Memory
from tensorgrad.compiling.recording import Output, Recording
from tensorgrad.compiling.traced import PYTHON, Traced, TracedGenerator, leaves_of, owner_of, traced_in
from tensorgrad.engine.tape import Variable, current_mode
from tensorgrad.errors import CompileError


class NotReplayedError(Exception):
    """The recorded program is not the one for these values."""


class Program:
    """A recording as two functions: ``compute`` changes nothing outside the program, ``commit`` what the call changes.

    A third, ``applies``, tells whether everything that the program depends on is as it was recorded.
    """

    def __init__(self, recording: Recording, names: Sequence[str], leaves: Sequence[Any]) -> None:
        self.recording, self.names, self.mode = recording, names, current_mode()
        self.reach, self.arity = recording.reach, len(names)
        self.leaves = [
            type(leaf) if x is not None else leaf for x, leaf in zip(recording.arguments, leaves, strict=True)
        ]
        self.taken = [(i, isinstance(leaves[i], Variable)) for i, x in enumerate(recording.arguments) if x is not None]
        self.draws = [i for i, x in enumerate(recording.arguments) if isinstance(x, TracedGenerator)]
        self._optimize()
        owners = [owner_of(x) for _, x, *_ in recording.tensors.values()]
        owners += [owner_of(x) for _, _, x, _ in self.reach.arrays]
        self._owners = {owner: i for i, owner in enumerate(dict.fromkeys(owners))}
        arrays = [leaf.data if isinstance(leaf, Variable) else leaf for leaf in leaves]
        self._sharing = sharing(self._owners, *[arrays[i] for i in self._arrays()])
        self.build()

    # ------------------------------------------------------------------------------------------- from the recording

    def _optimize(self) -> None:
        """Run the passes."""
        r = self.recording
        captured = list(r.trace.captured.values())
        grads = [(t, r.final_grads[key]) for key, (t, *_) in r.tensors.items()]
        grads = [(t, g) for t, g in grads if g is None or isinstance(g, Traced)]
        kept = [g for _, g in grads if g is not None]
        kept += [x for step in r.trace.instructions if step.kind == "effect" for x in traced_in(step.args)]
        results = [x.data if isinstance(x, Output) else x for x in leaves_of(r.outputs)]
        results = [x for x in results if isinstance(x, Traced)]
        outside = [*captured, *[x for x in r.arguments if isinstance(x, Traced)]]
        program = passes.with_direct_calls(r.trace.instructions)
        program = passes.without_dead_code(program, [*kept, *results, *outside])
        self.grads, self.outputs, self.kept, self.results = grads, r.outputs, kept, results
        self.early, self.late = passes.with_changes_last(program, {x.storage for x in outside})
        for step in self.late:
            if step.kind in ("guard", "draw"):
                raise CompileError(
                    f"the compiled function computes at {step.where} after it has changed parameters or arrays, and "
                    "tg.compile could not undo the change if the computation fails: compile the two parts as functions "
                    "of their own"
                )

    def _arrays(self) -> list[int]:
        """The positions of the arguments that are arrays."""
        return [i for i, x in enumerate(self.recording.arguments) if isinstance(x, Traced)]

    # ------------------------------------------------------------------------------------------- to Python

    def build(self) -> None:
        """Plan the memory, and write and compile the source."""
        r, trace = self.recording, self.recording.trace
        captured = list(trace.captured.values())
        program = [*self.early, *self.late]
        read = {id(x) for step in program for x in (*step.reads(), *step.writes)} | set(map(id, self.results))
        memory = Memory(program, [*captured, *trace.fixed.values()], self.kept, self.results)
        source = Source(memory, {id(x): name for x, name in zip(r.arguments, self.names, strict=True) if x is not None})
        for x in captured:
            source.give_name(x, x.name or "array")
        for x in trace.fixed.values():
            source.give_name(x, "constant")
        for tensor, g in self.grads:
            if g is not None:
                source.give_name(g, f"d_{source.name(trace.captured[id(r.tensors[id(tensor)][1])])}")
        written = {x.storage for step in program for x in step.writes}
        self._entering = [r.tensors[key][0] for key, g in r.entry_grads.items() if id(g) in read]
        entering = [
            f"{source.give_name(g, g.name)} = {self._tensor(source, r.tensors[key][0])}.grad"
            + (".copy()" if g.storage in written else "")
            for key, g in r.entry_grads.items()
            if id(g) in read
        ]
        parameters = [name for name, x in zip(self.names, r.arguments, strict=True) if x is not None]
        early, late = entering + source.lines(self.early), self._commit(source)
        created = {id(x) for step in self.early for x in step.results() if id(x) not in memory.arrays}
        created |= {id(g) for g in r.entry_grads.values() if id(g) in read}
        used = [x for step in self.late for x in traced_in((step.args, step.kwargs, step.writes))]
        used += [*self.results, *self.kept]
        handed = list(dict.fromkeys(source.name(x) for x in used if id(x) in created))
        early.append(f"return {_tuple(handed)}")
        late.append(f"return {self._result(source)}")
        views = [] if not source.views else ["# views of arrays that exist before:", *source.views]
        self.source = (
            function("compute", parameters, [*views, *early])
            + "\n\n"
            + function("commit", [*parameters, *handed], late)
        )
        applies = function("applies", self.names, [f"return {' and '.join(self._conditions(source))}"])
        exec(compile(f"{self.source}\n\n{applies}", "<tg.compile>", "exec"), source.namespace)
        self.compute, self.commit, self.applies = (source.namespace[name] for name in ("compute", "commit", "applies"))
        self._buffers = [(t, memory.arrays[id(g)]) for t, g in self.grads if g is not None and id(g) in memory.arrays]
        self._references = [sys.getrefcount(x) for _, x in self._buffers]

    def _commit(self, source: Source) -> list[str]:
        """The lines that change parameters and gradients."""
        lines: list[str] = []
        there: dict[int, Any] = {}  # the gradient that each tensor has by then
        for step in self.late:
            if step.kind != "effect":
                lines += source.lines([step])
                continue
            lines += self._set_grads(source, step.args, there)
            value, results = step.out
            call = f"{source.constant(step.fn, step.fn.func.__qualname__.replace('.', '_'))}()"  # type: ignore[attr-defined]
            lines.append(call if value is None else f"{source.name(value)} = {call}")
            for tensor, g in results:
                there[id(tensor)] = g
                lines += [] if g is None else [f"{source.name(g)} = {self._tensor(source, tensor)}.grad"]
        return lines + self._set_grads(source, self.grads, there)

    def _set_grads(self, source: Source, pairs: Any, there: dict[int, Any]) -> list[str]:
        lines = []
        for tensor, g in pairs:
            if there.get(id(tensor), there) is not g:
                there[id(tensor)] = g
                lines.append(f"{self._tensor(source, tensor)}.grad = {'None' if g is None else source.name(g)}")
        return lines

    def _tensor(self, source: Source, tensor: Variable) -> str:
        return source.constant(tensor, f"{self.reach.tensors[id(tensor)][1]}_tensor")

    def _result(self, source: Source) -> str:
        """The result of the call: copies, which the caller owns."""
        copy = source.constant(np.array, "array")

        def text(x: Any) -> str:
            if isinstance(x, Output):
                return f"{source.constant(x.kind, x.kind.__name__)}({copy}({source.name(x.data)}))"
            if isinstance(x, Traced):
                if x.number in PYTHON:
                    return f"{x.number.__name__}({source.name(x)})"
                return f"{copy}({source.name(x)})" + ("[()]" if x.is_scalar else "")
            if isinstance(x, tuple) and hasattr(x, "_fields"):
                return f"{source.constant(type(x), type(x).__name__)}({', '.join(map(text, x))})"
            if type(x) is tuple:
                return _tuple(map(text, x))
            if type(x) is list:
                return f"[{', '.join(map(text, x))}]"
            if type(x) is dict:
                return f"{{{', '.join(f'{source.expression(key)}: {text(item)}' for key, item in x.items())}}}"
            return f"{copy}({source.constant(x)})" if isinstance(x, np.ndarray) else source.expression(x)

        return text(self.outputs)

    def _conditions(self, source: Source) -> list[str]:
        """What ``applies`` checks, as expressions."""
        source.namespace |= {"is_same": is_same, "current_mode": current_mode}
        conditions = [f"current_mode() == {source.constant(self.mode, 'mode')}"]
        for name, x, leaf in zip(self.names, self.recording.arguments, self.leaves, strict=True):
            conditions += _of_argument(source, name, x, leaf)
        if self.late and self._sharing:  # what is written to must share memory with the same arrays
            source.namespace["sharing"] = sharing
            arrays = [(i, is_tensor) for i, is_tensor in self.taken if i in self._arrays()]
            given = [f"{self.names[i]}.data" if is_tensor else self.names[i] for i, is_tensor in arrays]
            shared = f"sharing({source.constant(self._owners, 'owners')}, {', '.join(given)})"
            conditions.append(f"{shared} == {self._sharing}")
        for tensor, data, is_constant, has_no_grad in self.recording.tensors.values():
            name = self._tensor(source, tensor)
            conditions += [
                f"{name}.data is {source.constant(data)}",
                f"{name}.node is {'' if is_constant else 'not '}None",
                f"{name}.grad is {'' if has_no_grad else 'not '}None",
            ]
        conditions += [f"len({source.constant(x, 'container')}) == {n}" for x, n in self.reach.lengths]
        conditions += [f"{source.constant(x, 'set')} == {source.constant(y, 'set')}" for x, y in self.reach.sets]
        for container, key, value in self.reach.places:
            owner = source.constant(container, "container")
            index = source.expression(key)
            place = f"{owner}.get({index})" if isinstance(container, (dict, Attributes)) else f"{owner}[{index}]"
            conditions.append(_equal(source, place, value))
        for cell, value in self.reach.cells:
            conditions.append(_equal(source, f"{source.constant(cell, 'cell')}.cell_contents", value))
        return conditions

    # ------------------------------------------------------------------------------------------- replay

    def replay(self, values: Sequence[Any]) -> Any:
        """Run the program. Raises `NotReplayedError` if an ordinary call has to be made; nothing has changed then."""
        for (tensor, buffer), count in zip(self._buffers, self._references, strict=True):
            if sys.getrefcount(buffer) > count + (tensor.grad is buffer):
                self.build()  # the caller keeps a gradient of the last call
                break
        if self._entering:
            buffers = {id(buffer) for _, buffer in self._buffers}
            for tensor in self._entering:  # keep what the last replay left until this one is done
                if id(tensor.grad) in buffers:
                    tensor.grad = tensor.grad.copy()
        try:
            with np.errstate(divide="raise", invalid="raise"):
                handed = self.compute(*values)
        except Exception as error:  # a branch, an invalid operation, or an error that the ordinary call raises, too
            raise NotReplayedError from error
        return self.commit(*values, *handed)


def _tuple(items: Any) -> str:
    return f"({''.join(f'{item}, ' for item in items)})"


def _of_argument(source: Source, name: str, x: Any, leaf: Any) -> list[str]:
    """The conditions that an argument is of the kind recorded; ``leaf`` is its value or, of arrays, its class."""
    if x is None:
        return [_equal(source, name, leaf)]
    conditions = [f"type({name}) is {source.constant(leaf, leaf.__name__)}"]
    if isinstance(x, TracedGenerator):
        return conditions
    if issubclass(leaf, Variable):
        conditions.append(f"{name}.node is None")
        name = f"{name}.data"
    dtype = source.constant(x.dtype, "dtype")
    return [*conditions, f"{name}.shape == {x.shape}", f"{name}.dtype == {dtype}", f"{name}.strides == {x.strides}"]


def _equal(source: Source, place: str, value: Any) -> str:
    """The condition that a place holds what it held: the same object or an equal number or string."""
    name = source.constant(value, "value")
    return f"({place} is {name} or is_same({place}, {name}))" if isinstance(value, PLAIN) else f"{place} is {name}"
