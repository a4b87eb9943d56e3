"""A program: two recordings that agree, as Python source, and its replay."""

from __future__ import annotations

import contextvars
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from tensorgrad.compiling import passes
from tensorgrad.compiling.emit import Source, function
from tensorgrad.compiling.guards import sharing, state_of
from tensorgrad.compiling.recording import Output, Recording
from tensorgrad.compiling.traced import Traced, TracedGenerator, leaves_of, owner_of
from tensorgrad.engine.tape import Variable
from tensorgrad.errors import CompileError


class NotReplayedError(Exception):
    """The program was recorded for other values."""


class Program:
    """A recording as a generator function that changes nothing up to its first ``yield`` and returns by its second."""

    def __init__(self, recording: Recording, leaves: Sequence[Any], name: str, exact: bool) -> None:
        r, trace = recording, recording.trace
        self.dependencies, self.state, self.tensors = r.dependencies, r.state, list(r.tensors.values())
        self.inputs = [(i, isinstance(leaves[i], Variable)) for i, x in enumerate(r.arguments) if x is not None]
        self.generators = [i for i, x in enumerate(r.arguments) if isinstance(x, TracedGenerator)]
        results = [x.data for x in leaves_of(r.outputs) if isinstance(x, Output) and isinstance(x.data, Traced)]
        outside = [*trace.captured.values(), *[x for x in r.arguments if isinstance(x, Traced)]]
        program = trace.instructions if exact else passes.with_dot_products(trace.instructions)
        program = passes.without_dead_code(program, [*results, *outside])
        program = program if exact else passes.with_products(program, results)
        early, late = passes.with_changes_last(passes.with_joined_checks(program), {x.storage for x in outside})
        if check := next((step for step in late if step.kind in ("guard", "draw")), None):
            raise CompileError(
                f"tg.compile cannot replay the function: at {check.where}, it computes after an update. If that needs "
                "an ordinary call, the update cannot be undone. Compile the part up to the update and the rest as two "
                "functions."
            )
        self._watch_memory([*r.data.values(), *[binding.value for binding in r.dependencies.arrays]], leaves, late)

        grads = [(step.args[0], step.args[2]) for step in late if step.fn is setattr and step.args[2] is not None]
        source = Source([*early, *late], [g for _, g in grads], results)
        name = source.unused_name(name)
        parameters = [source.name(x) for x in r.arguments if x is not None]
        source.namespace |= {source.name(x): x.value for x in (*trace.captured.values(), *trace.fixed.values())}
        for key, tensor in r.tensors.items():
            source.constant(tensor, f"{r.dependencies.tensors[key][1]}_tensor")
        for tensor, g in grads:
            source.name(g, f"d_{source.name(trace.captured[id(tensor.data)])}")
        lines = [*source.lines(early), "yield  # nothing has changed so far", *source.lines(late)]
        self.source = function(name, parameters, [*lines, f"yield {source.expression(r.outputs)}"])
        exec(compile(self.source, "<tg.compile>", "exec"), source.namespace)

        self.run, self._namespace = source.namespace[name], source.namespace
        # gradients, and the references to them besides ``.grad``; one less if the program reads the last gradient
        read = {id(step.args[0]) for step in early if step.fn is getattr}
        named = [(tensor, source.name(g)) for tensor, g in grads]
        self._gradients = [(tensor, name, sys.getrefcount(source.namespace[name]) - (id(tensor) in read))
                           for tensor, name in named if name in source.namespace]  # fmt: skip
        products = {id(step.out) for step in late if isinstance(step.fn, type)}
        self._products = [tensor for tensor, g in grads if id(g) in products]
        self._context = contextvars.copy_context()
        self._context.run(np.seterr, divide="raise", invalid="raise", over="raise")

    def _watch_memory(self, reached: Sequence[Any], leaves: Sequence[Any], late: Sequence[Any]) -> None:
        """If the program writes to arrays outside, the arguments must share memory with the same arrays."""
        self._owners = {owner: i for i, owner in enumerate(dict.fromkeys(map(owner_of, reached)))}
        self._alive = reached  # so that no ``id`` is reused
        self._writes = any(step.writes for step in late)
        self._sharing = sharing(self._owners, self._values(leaves))

    def _values(self, leaves: Sequence[Any]) -> list[Any]:
        """What the program is called with: the arrays and generators among the arguments."""
        return [leaves[i].data if is_tensor else leaves[i] for i, is_tensor in self.inputs]

    def applies(self, leaves: Sequence[Any]) -> bool:
        """Whether everything that the program depends on is as it was when it was recorded."""
        if self.state != state_of(self.tensors) or not self.dependencies.hold():
            return False
        return not self._writes or self._sharing == sharing(self._owners, self._values(leaves))

    def replay(self, leaves: Sequence[Any]) -> Any:
        """Run the program. Raises `NotReplayedError` if an ordinary call is needed; then nothing has changed."""
        names, count = self._namespace, sys.getrefcount
        for tensor, name, references in self._gradients:
            if count(names[name]) > references + (tensor.grad is names[name]):
                names[name] = np.empty_like(names[name])  # the caller or the program needs the last gradient
        states = [leaves[i].bit_generator.state for i in self.generators]
        run = self.run(*self._values(leaves))
        try:
            self._context.run(next, run)
        except Exception as error:  # a branch, an invalid operation, or an error that the ordinary call raises, too
            for i, state in zip(self.generators, states, strict=True):
                leaves[i].bit_generator.state = state
            raise NotReplayedError from error
        try:
            return next(run)
        except BaseException:
            for tensor in self._products:
                tensor.grad = None
            raise
