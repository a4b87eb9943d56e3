"""`compile`: record a function once, and replay it as a flat list of NumPy calls."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Generic, ParamSpec, TypeVar, cast

import numpy as np

from tensorgrad.compiling.emit import BranchError
from tensorgrad.compiling.guards import signature
from tensorgrad.compiling.program import Program
from tensorgrad.compiling.recording import Recording, check_agreement
from tensorgrad.engine.record import observers
from tensorgrad.engine.tape import Variable, current_mode, tracer
from tensorgrad.errors import CompileError

P, R = ParamSpec("P"), TypeVar("R")
_MOST_PROGRAMS = 8
_NESTED = (list, tuple, dict)


class Compiled(Generic[P, R]):
    """A function that is replayed where it was recorded, and otherwise called."""

    def __init__(self, fn: Callable[P, R]) -> None:
        self._fn = fn
        self._signature = inspect.signature(fn)
        self._recordings: dict[Any, Recording] = {}
        self._programs: dict[Any, list[Program]] = {}
        self._flat_programs: list[Program] = []  # those of flat arguments, the newest first
        self._gave_up = False
        self._busy = _thread_lock()
        self._newest: Program | None = None
        functools.update_wrapper(self, fn)

    @property
    def source(self) -> str:
        """The newest program, as Python."""
        if self._newest is None:
            raise CompileError("there is no program yet: the first two calls record it")
        return self._newest.source

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function."""
        if tracer() is not None or observers or self._gave_up or not self._busy.acquire(blocking=False):
            return self._fn(*args, **kwargs)
        try:
            return self._call(args, kwargs)
        finally:
            self._busy.release()

    def _call(self, args: Any, kwargs: Any) -> R:
        if not kwargs and not any([type(x) in _NESTED for x in args]):
            for program in self._flat_programs:
                if len(args) == program.arity and program.applies(*args):
                    return self._replay(program, args, args, kwargs)
        names, leaves, rebuilt = self._flat(args, kwargs)
        key = (current_mode(), signature(args), signature(kwargs) if kwargs else None)
        programs = self._programs.get(key, ())
        for program in programs:
            if program.applies(*leaves):
                return self._replay(program, leaves, args, kwargs)
        if len(programs) >= _MOST_PROGRAMS or len(self._programs) > 8 * _MOST_PROGRAMS:
            self._gave_up = True
            what = programs[-1].reach.changed() if programs else "the shape or the value of an argument"
            warnings.warn(f"tg.compile has recorded {self._fn.__name__} {_MOST_PROGRAMS} times, because "
                          f"{what or 'a parameter'} keeps changing, and calls it without compiling from now on: pass a "
                          "number that changes as an array", stacklevel=3)  # fmt: skip
            return self._fn(*args, **kwargs)
        recording = Recording(self._fn, names, leaves, rebuilt)
        first = self._recordings.pop(key, None)
        if first is not None and first.reach.changed() is None and _same_state(first, recording):
            check_agreement(first, recording)
            self._newest = Program(recording, names, leaves)
            self._programs.setdefault(key, []).append(self._newest)
            if not kwargs and not any(type(x) in _NESTED for x in args):
                self._flat_programs.insert(0, self._newest)
        else:
            self._recordings[key] = recording
        return cast(R, recording.result)

    def _replay(self, program: Program, leaves: Sequence[Any], args: Any, kwargs: Any) -> R:
        states = [leaves[i].bit_generator.state for i in program.draws]
        try:
            return cast(R, program.replay([leaves[i].data if is_tensor else leaves[i] for i, is_tensor in program.taken]))
        except (BranchError, FloatingPointError):
            for i, state in zip(program.draws, states, strict=True):
                leaves[i].bit_generator.state = state
            return self._fn(*args, **kwargs)

    def _flat(self, args: Any, kwargs: Any) -> tuple[list[str], list[Any], Callable[[Sequence[Any]], Any]]:
        """The arguments as a list, their names, and the function that puts a list into the same form."""
        names: list[str] = []
        leaves: list[Any] = []

        def visit(x: Any, name: str) -> None:
            if type(x) in (list, tuple):
                for i, item in enumerate(x):
                    visit(item, f"{name}_{i}")
            elif type(x) is dict:
                for key, item in x.items():
                    visit(item, f"{name}_{key}")
            else:
                names.append(name if name.isidentifier() and name not in names else f"argument_{len(names)}")
                leaves.append(x)

        try:
            bound = self._signature.bind(*args, **kwargs).arguments
        except TypeError:
            self._fn(*args, **kwargs)
            raise
        by_position = list(bound)[: len(args)]
        for i, x in enumerate(args):
            visit(x, by_position[i] if i < len(by_position) else f"argument_{i}")
        for name, x in kwargs.items():
            visit(x, name)

        def rebuilt(given: Sequence[Any]) -> Any:
            rest = iter(given)

            def build(x: Any) -> Any:
                if type(x) in (list, tuple):
                    return type(x)([build(item) for item in x])
                return {key: build(item) for key, item in x.items()} if type(x) is dict else next(rest)

            return build(args), build(kwargs)

        return names, leaves, rebuilt


def _same_state(first: Recording, second: Recording) -> bool:
    """Whether the captured tensors were in the same state at both recordings."""
    a, b = first.tensors, second.tensors
    return a.keys() == b.keys() and all(
        a[key][1] is b[key][1] and a[key][2:] == b[key][2:] for key in a
    )


def _thread_lock() -> Any:
    from _thread import allocate_lock

    return allocate_lock()


def compile(fn: Callable[P, R]) -> Compiled[P, R]:
    """Record a function at its first two calls, and replay it as a flat list of NumPy calls from then on.

    The function may do a whole training step: forward pass, `backward`, and the optimizer. A replay gives the same
    numbers, without the tape and without allocating memory.
    """
    return Compiled(fn)
