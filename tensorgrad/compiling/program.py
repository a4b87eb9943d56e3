"""A program: two recordings that agree, as Python source, and its replay."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import compress
from typing import Any

import numpy as np

from tensorgrad.compiling import passes
from tensorgrad.compiling.emit import Source, function
from tensorgrad.compiling.guards import conditions
from tensorgrad.compiling.memory import Memory
from tensorgrad.compiling.recording import Output, Recording
from tensorgrad.compiling.traced import Traced, TracedGenerator, leaves_of, traced_in
from tensorgrad.compiling.undo import Snapshot
from tensorgrad.engine.tape import Variable


class NotReplayedError(Exception):
    """The program was recorded for other values."""


class Program:
    """A recording as two functions: ``compute`` changes nothing outside the program, ``commit`` what the call changes.

    A third, ``applies``, returns whether everything that the program depends on is as it was when it was recorded.
    ``kind`` is the kind of the arguments.
    """

    def __init__(self, recording: Recording, kind: Any, leaves: Sequence[Any], exact: bool = True) -> None:
        r = self.recording = recording
        self.dependencies, self.kind = r.dependencies, kind
        self.inputs = [(i, isinstance(leaves[i], Variable)) for i, x in enumerate(r.arguments) if x is not None]
        self.generators = [i for i, x in enumerate(r.arguments) if isinstance(x, TracedGenerator)]
        results = [x.data for x in leaves_of(r.outputs) if isinstance(x, Output)]
        self._results = [x for x in results if isinstance(x, Traced)]
        grads = [(tensor, r.final_grads[key]) for key, tensor in r.tensors.items()]
        grads = [(t, g) for t, g in grads if g is None or isinstance(g, Traced)]  # after the call
        outside = [*r.trace.captured.values(), *[x for x in r.arguments if isinstance(x, Traced)]]
        program = passes.with_direct_calls(r.trace.instructions)
        program = program if exact else passes.with_dot_products(program)
        program = passes.without_dead_code(program, [*traced_in([g for _, g in grads]), *self._results, *outside])
        if not exact:
            program, grads = passes.with_products(program, grads, self._results)
        pairs = [pair for step in program if step.kind == "effect" for pair in step.args]
        self._grads, self._named = grads, [pair for pair in (*grads, *pairs) if pair[1] is not None]
        self._kept = [g for _, g in self._named]
        not_computed = {id(t) for t, g in grads if g is None}
        self._products = [] if exact else [t for t, g in pairs if g is not None and id(t) in not_computed]
        self._early, self._late = passes.with_changes_last(program, {x.storage for x in outside})
        self._can_fail_late = any(step.kind in ("guard", "draw") for step in self._late)
        changed = {x.storage for step in self._late if step.kind == "call" for x in step.writes}
        self._changed: list[Any] = [x.value for x in r.trace.captured.values() if x.storage in changed]
        self._changed += r.tensors.values()
        for step in self._late:
            self._changed += [*step.fn.args, step.fn.keywords] if step.kind == "effect" else []  # type: ignore[attr-defined]
        stand_ins = [r.arguments[i] for i, _ in self.inputs]
        self._writes = [isinstance(x, Traced) and x.storage in changed for x in stand_ins]  # to each of the values
        self._build(leaves)

    def _build(self, leaves: Sequence[Any] | None = None) -> None:
        """Plan the memory, and write and compile the source; ``applies`` only if the arguments are given."""
        r, program = self.recording, [*self._early, *self._late]
        fixed = r.trace.fixed.values()
        memory = Memory(program, [*r.trace.captured.values(), *fixed], self._kept, self._results)
        source = Source(memory)
        parameters = [source.give_name(x, name) for name, x in zip(r.names, r.arguments, strict=True) if x is not None]
        for x in r.trace.captured.values():
            source.give_name(x, x.name or "array")
        for x in fixed:
            source.give_name(x, "constant")
        for key, tensor in r.tensors.items():
            source.constant(tensor, f"{r.dependencies.tensors[key][1]}_tensor")
        for tensor, g in self._named:
            source.give_name(g, f"d_{source.name(r.trace.captured[id(r.data[id(tensor)])])}")
        read = {id(x) for step in program for x in (*step.reads(), *step.writes)} | set(map(id, self._results))
        written = {x.storage for step in program for x in step.writes}
        entering = {key: g for key, g in r.entry_grads.items() if id(g) in read}  # gradients of earlier calls
        self._entering = [r.tensors[key] for key in entering]
        early = [f"{source.give_name(g, g.name)} = {source.constant(r.tensors[key])}.grad"
                 + (".copy()" if g.storage in written else "") for key, g in entering.items()]  # fmt: skip
        early += source.lines(self._early)
        late = [*self._commit(source), f"return {source.expression(r.outputs)}"]
        created = {id(x) for step in self._early for x in step.results() if id(x) not in memory.arrays}
        created |= set(map(id, entering.values()))
        used = [x for step in self._late for x in traced_in((step.args, step.kwargs, step.writes))]
        intermediates = dict.fromkeys(source.name(x) for x in (*used, *self._results, *self._kept) if id(x) in created)
        early.append(f"return ({''.join(f'{name}, ' for name in intermediates)})")
        views = ["# views of arrays that exist before:", *source.views] if source.views else []
        compute = function("compute", parameters, [*views, *early])
        self.source = f"{compute}\n\n{function('commit', [*parameters, *intermediates], late)}"
        texts = [self.source]
        if leaves is not None:
            holds = " and ".join(conditions(source, r, leaves, bool(self._late)))
            texts.append(function("applies", r.names, [f"return {holds}"]))
        exec(compile("\n\n".join(texts), "<tg.compile>", "exec"), source.namespace)
        self.compute, self.commit = source.namespace["compute"], source.namespace["commit"]
        if leaves is not None:
            self.applies = source.namespace["applies"]
        self._buffers = [(t, memory.arrays[id(g)]) for t, g in self._grads if g is not None and id(g) in memory.arrays]
        self._references = [sys.getrefcount(x) for _, x in self._buffers]

    def _commit(self, source: Source) -> list[str]:
        """The lines that change parameters and gradients."""
        lines: list[str] = []
        current: dict[int, Any] = {}  # the gradient of each tensor at this point

        def set_grads(pairs: Any) -> None:
            for tensor, g in pairs:
                if current.get(id(tensor), current) is not g:
                    current[id(tensor)] = g
                    lines.append(f"{source.constant(tensor)}.grad = {source.expression(g)}")

        for step in self._late:
            if step.kind != "effect":
                lines += source.lines([step])
                continue
            set_grads(step.args)
            value, results = step.out
            fn: Any = step.fn  # a partial
            call = f"{source.constant(fn, fn.func.__qualname__.replace('.', '_'))}()"
            lines.append(call if value is None else f"{source.name(value)} = {call}")
            for tensor, g in results:
                current[id(tensor)] = g
                lines += [] if g is None else [f"{source.name(g)} = {source.constant(tensor)}.grad"]
        set_grads(self._grads)
        return lines

    def replay(self, values: Sequence[Any]) -> Any:
        """Run the program. Raises `NotReplayedError` if an ordinary call is needed; then nothing has changed."""
        for (tensor, buffer), count in zip(self._buffers, self._references, strict=True):
            if sys.getrefcount(buffer) > count + (tensor.grad is buffer):
                self._build()  # the caller keeps a gradient of the last call
                break
        if self._entering:
            buffers = {id(buffer) for _, buffer in self._buffers}
            for tensor in self._entering:  # keep the gradients of the last replay until this one is done
                if id(tensor.grad) in buffers:
                    tensor.grad = tensor.grad.copy()
        try:
            with np.errstate(divide="raise", invalid="raise"):
                intermediates = self.compute(*values)
        except Exception as error:  # a branch, an invalid operation, or an error that the ordinary call raises, too
            raise NotReplayedError from error
        if not self._can_fail_late:
            try:
                return self.commit(*values, *intermediates)
            except BaseException:
                for tensor in self._products:
                    tensor.grad = None
                raise
        snapshot = Snapshot(*self._changed, *compress(values, self._writes))
        try:
            with np.errstate(divide="raise", invalid="raise"):
                return self.commit(*values, *intermediates)
        except BaseException as error:
            snapshot.restore()
            if not isinstance(error, Exception):
                raise
            raise NotReplayedError from error
