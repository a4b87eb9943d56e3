"""Passes over a recorded program: what is not needed is left out, and what changes something outside comes last.

A program is a list of instructions in the order of the recorded call. An instruction reads and creates `Traced` arrays,
and may write into existing ones; arrays with the same ``storage`` share memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tensorgrad.compiling.trace import Instruction
from tensorgrad.compiling.traced import Traced

_REDUCTIONS = {np.sum: np.add, np.prod: np.multiply, np.max: np.maximum, np.amax: np.maximum, np.min: np.minimum,
               np.amin: np.minimum, np.any: np.logical_or, np.all: np.logical_and}  # fmt: skip
_METHODS: dict[Any, Any] = {np.swapaxes: np.ndarray.swapaxes, np.transpose: np.ndarray.transpose,
                            np.reshape: np.ndarray.reshape, np.ravel: np.ndarray.ravel}  # fmt: skip


def with_direct_calls(program: Iterable[Instruction]) -> list[Instruction]:
    """``np.sum(x)`` as ``np.add.reduce(x, axis=None)``, which is what it comes to, and other functions as methods."""
    return [step._replace(**_direct(step.fn, step.args, step.kwargs)) for step in program]


def _direct(fn: Any, args: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
    """The fields of an instruction that change."""
    if (is_reduction(fn) or (fn in _REDUCTIONS and kwargs.keys() <= {"axis", "keepdims", "dtype"})) and len(args) <= 2:
        axis = args[1] if len(args) > 1 else kwargs.get("axis", None if fn in _REDUCTIONS else 0)
        usual = {"keepdims": False, "dtype": None, "initial": np._NoValue, "axis": kwargs.get("axis")}
        others = {name: x for name, x in kwargs.items() if x is not usual.get(name, usual)}
        reduce = _REDUCTIONS[fn].reduce if fn in _REDUCTIONS else fn
        return {"fn": reduce, "args": args[:1], "kwargs": {"axis": axis, **others}}
    if fn is np.swapaxes and args[1:] in ((-1, -2), (0, 1)) and args[0].ndim == 2:
        return {"fn": np.ndarray.transpose, "args": args[:1]}
    if fn in _METHODS and isinstance(args[0], Traced) and not kwargs and len(args) <= 2 + (fn is np.swapaxes):
        return {"fn": _METHODS[fn]}
    return {}


def is_reduction(fn: Any) -> bool:
    """Whether this is ``ufunc.reduce`` of a ufunc."""
    return getattr(fn, "__name__", "") == "reduce" and isinstance(getattr(fn, "__self__", None), np.ufunc)


def without_dead_code(program: list[Instruction], kept: Iterable[Traced]) -> list[Instruction]:
    """Only the instructions that the arrays in ``kept``, guards and effects depend on."""
    needed = {x.storage for x in kept}
    out = []
    for step in reversed(program):
        if step.kind != "call" or any(x.storage in needed for x in (*step.results(), *step.writes)):
            out.append(step)
            needed.update(x.storage for x in (*step.reads(), *step.writes))
    return out[::-1]


def with_changes_last(program: Sequence[Instruction], outside: set[int]) -> tuple[list[Instruction], list[Instruction]]:
    """The instructions that change nothing outside, and after them those that do, with all that depends on these."""
    early: list[Instruction] = []
    late: list[Instruction] = []
    read: set[int] = set()  # by the late ones
    written: set[int] = set()
    for step in program:
        reads, writes = ({x.storage for x in xs if x.size} for xs in (step.reads(), step.writes))
        if step.kind == "effect" or writes & (outside | read | written) or reads & written:
            late.append(step)
            read |= reads
            written |= writes | {x.storage for x in step.results()}
        else:
            early.append(step)
    return early, late
