"""A program: two recordings that agree, as Python source, and its replay."""

from __future__ import annotations

import contextvars
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from tensorgrad.compiling import passes
from tensorgrad.compiling.emit import Source, function
from tensorgrad.compiling.guards import conditions
from tensorgrad.compiling.recording import Output, Recording
from tensorgrad.compiling.traced import Traced, TracedGenerator, leaves_of, traced_in
from tensorgrad.engine.tape import Variable
from tensorgrad.errors import CompileError


class NotReplayedError(Exception):
    """The program was recorded for other values."""


class Program:
    """A recording as a generator function, which changes nothing up to its first ``yield``, and then yields the result.

    Another function, ``applies``, returns whether everything that the program depends on is as it was when it was
    recorded.
    """

    def __init__(self, recording: Recording, leaves: Sequence[Any], name: str, exact: bool) -> None:
        r = self.recording = recording
        self.dependencies = r.dependencies
        self.inputs = [(i, isinstance(leaves[i], Variable)) for i, x in enumerate(r.arguments) if x is not None]
        self.generators = [i for i, x in enumerate(r.arguments) if isinstance(x, TracedGenerator)]
        results = [x.data for x in leaves_of(r.outputs) if isinstance(x, Output) and isinstance(x.data, Traced)]
        grads = [(tensor, r.final_grads[key]) for key, tensor in r.tensors.items()]
        grads = [(t, g) for t, g in grads if g is None or isinstance(g, Traced)]  # after the call
        outside = [*r.trace.captured.values(), *[x for x in r.arguments if isinstance(x, Traced)]]
        program = r.trace.instructions if exact else passes.with_dot_products(r.trace.instructions)
        program = passes.without_dead_code(program, [*traced_in([g for _, g in grads]), *results, *outside])
        self._products: list[Any] = []  # tensors whose gradient is not computed
        if not exact:
            computed = grads
            program, grads = passes.with_products(program, computed, results)
            self._products = [t for (t, new), (_, old) in zip(grads, computed, strict=True) if new is not old]
        early, late = passes.with_changes_last(program, {x.storage for x in outside})
        if check := next((step for step in late if step.kind in ("guard", "draw")), None):
            raise CompileError(
                f"tg.compile cannot replay the function: at {check.where}, it computes after an update. If that needs "
                "an ordinary call, the update cannot be undone. Compile the part up to the update and the rest as two "
                "functions."
            )
        updates = [pair for step in late if step.kind == "effect" for pair in step.args]  # tensors and gradients
        kept = [(tensor, g) for tensor, g in (*grads, *updates) if g is not None]

        source = Source([*early, *late], [g for _, g in kept], results)
        name = source.unused_name(name)
        parameters = [source.give_name(x, n) for n, x in zip(r.names, r.arguments, strict=True) if x is not None]
        for x in (*r.trace.captured.values(), *r.trace.fixed.values()):
            source.namespace[source.give_name(x, x.name or "constant")] = x.value
        for key, tensor in r.tensors.items():
            source.constant(tensor, f"{r.dependencies.tensors[key][1]}_tensor")
        for tensor, g in kept:
            source.give_name(g, f"d_{source.name(r.trace.captured[id(r.data[id(tensor)])])}")
        used = {id(x) for step in program for x in (*step.reads(), *step.writes)} | set(map(id, results))
        written = {x.storage for step in program for x in step.writes}
        entering = {key: g for key, g in r.entry_grads.items() if id(g) in used}  # gradients of earlier calls
        lines = [f"{source.give_name(g, g.name)} = {source.constant(r.tensors[key])}.grad"
                 + (".copy()" if g.storage in written else "") for key, g in entering.items()]  # fmt: skip
        lines += [*source.lines(early), "yield  # nothing has changed so far", *_changes(source, late, grads)]
        self.source = function(name, parameters, [*lines, f"yield {source.expression(r.outputs)}"])
        holds = " and ".join(conditions(source, r, leaves, bool(late)))
        applies = function("applies", r.names, [f"return {holds}"])
        exec(compile(f"{self.source}\n\n{applies}", "<tg.compile>", "exec"), source.namespace)
        self.run, self.applies = source.namespace[name], source.namespace["applies"]

        self._namespace = source.namespace
        # gradients, and the references to them besides ``.grad``; one less if the program reads the last gradient
        named = [(t, source.name(g)) for t, g in grads if g is not None]
        self._gradients = [(t, name, sys.getrefcount(source.namespace[name]) - (id(t) in entering))
                           for t, name in named if name in source.namespace]  # fmt: skip
        self._context = contextvars.copy_context()
        self._context.run(np.seterr, divide="raise", invalid="raise", over="raise")

    def replay(self, values: Sequence[Any]) -> Any:
        """Run the program. Raises `NotReplayedError` if an ordinary call is needed; then nothing has changed."""
        names, count = self._namespace, sys.getrefcount
        for tensor, name, references in self._gradients:
            if count(names[name]) > references + (tensor.grad is names[name]):
                names[name] = np.empty_like(names[name])  # the caller or the program needs the last gradient
        run = self.run(*values)
        try:
            self._context.run(next, run)
        except Exception as error:  # a branch, an invalid operation, or an error that the ordinary call raises, too
            raise NotReplayedError from error
        try:
            return next(run)
        except BaseException:
            for tensor in self._products:
                tensor.grad = None
            raise


def _changes(source: Source, late: Sequence[Any], grads: Sequence[tuple[Any, Any]]) -> list[str]:
    """The lines that change parameters and gradients."""
    lines: list[str] = []
    current: dict[int, Any] = {}  # the gradient of each tensor at this point

    def set_grads(pairs: Any) -> None:
        for tensor, g in pairs:
            if current.get(id(tensor), current) is not g:
                current[id(tensor)] = g
                lines.append(f"{source.constant(tensor)}.grad = {source.expression(g)}")

    for step in late:
        if step.kind != "effect":
            lines += source.lines([step])
            continue
        set_grads(step.args)
        value, results = step.out
        call = f"{source.constant(step.fn, step.fn.func.__qualname__.replace('.', '_'))}()"
        lines.append(call if value is None else f"{source.name(value)} = {call}")
        for tensor, g in results:
            current[id(tensor)] = g
            lines += [] if g is None else [f"{source.name(g)} = {source.constant(tensor)}.grad"]
    set_grads(grads)
    return lines
