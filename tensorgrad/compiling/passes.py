"""Passes over a recorded program: unneeded instructions are removed, and those with side effects are moved to the end.

A program is a list of instructions in the order of the recorded call. An instruction reads and creates `Traced` arrays,
and may write into existing ones; arrays with the same ``storage`` share memory.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tensorgrad.compiling.trace import Instruction
from tensorgrad.compiling.traced import Traced
from tensorgrad.engine.backward import surely_finite
from tensorgrad.engine.registry import row_of


def without_dead_code(program: list[Instruction], kept: Iterable[Traced]) -> list[Instruction]:
    """Only the instructions that the arrays in ``kept``, guards and effects depend on."""
    needed = {x.storage for x in kept}
    out = []
    for step in reversed(program):
        if step.kind != "call" or any(x.storage in needed for x in (*step.results, *step.writes)):
            out.append(step)
            needed.update(x.storage for x in (*step.reads, *step.writes))
    return out[::-1]


def with_changes_last(program: Sequence[Instruction], outside: set[int]) -> tuple[list[Instruction], list[Instruction]]:
    """The instructions without side effects, and those that have some, with the instructions that depend on them."""
    early: list[Instruction] = []
    late: list[Instruction] = []
    read: set[int] = set()  # by the late ones
    written: set[int] = set()
    for step in program:
        reads, writes = ({x.storage for x in xs if x.size} for xs in (step.reads, step.writes))
        if step.kind == "effect" or writes & (outside | read | written) or reads & written:
            late.append(step)
            read |= reads
            written |= writes | {x.storage for x in step.results}
        else:
            early.append(step)
    return early, late


def with_joined_checks(program: Sequence[Instruction]) -> list[Instruction]:
    """One check that arrays are finite in place of several in a row."""
    out: list[Instruction] = []
    for step in program:
        if step.kind == "guard" and step.fn is surely_finite and step.args[-1] is True:
            is_next = bool(out) and out[-1].fn is all_finite
            arrays = (*(out.pop().args[0] if is_next else ()), step.args[0])
            step = dataclasses.replace(step, fn=all_finite, args=(arrays, True))
        out.append(step)
    return out


def all_finite(arrays: Iterable[Any]) -> bool:
    """`surely_finite` of several arrays; a program computes the same without calling it: see `emit`."""
    return all(map(surely_finite, arrays))


# ------------------------------------------------------------------------------------------------ not exact


def with_dot_products(program: Sequence[Instruction]) -> list[Instruction]:
    """``vdot(x, x)`` for the sum of ``square(x)``, which need not be computed then."""
    out = list(program)
    for i, step in enumerate(program):
        if step.fn is not np.square or step.kwargs or not isinstance(step.out, Traced) or step.out.dtype.kind != "f":
            continue
        users = [k for k, user in enumerate(program) if k != i and _touches(user, step.out)]
        total, (x,) = program[users[0]] if len(users) == 1 else step, step.args
        is_sum = len(total.args) == 1 and (total.fn is np.sum or (total.fn == np.add.reduce and "axis" in total.kwargs))
        is_whole = total.kwargs.keys() <= {"axis", "keepdims", "dtype"} and total.kwargs.get("axis") is None
        if is_sum and is_whole and not any(total.kwargs.values()) and not _written(program[i : users[0]], [x]):
            out[users[0]] = dataclasses.replace(total, fn=np.vdot, args=(x, x), kwargs={})
    return out


def with_products(program: list[Instruction], results: Iterable[Traced]) -> list[Instruction]:
    """Replace a gradient that only an optimizer reads by a `Product`, if the optimizer can add this to the parameter.

    After the update, the ``.grad`` of the parameter is set to None.
    """
    for step in [step for step in program if step.fn is setattr and step.args[2] is not None]:
        tensor, _, g = step.args
        updates = [i for i, other in enumerate(program) if _updates(other, tensor)]
        is_read = any(other.fn is getattr and other.args[0] is tensor for other in program)
        if len(updates) != 1 or is_read or any(x.storage == g.storage for x in results):
            continue
        users = [other for other in program if other is not step and _touches(other, g)]
        product, update = _product(program[: updates[0]], users, tensor, g), program[updates[0]]
        if product is not None:
            make = {"fn": _function(update).product, "args": product, "kwargs": {}, "out": g}
            forget = {"fn": setattr, "args": (tensor, "grad", None), "kwargs": {}}
            made, last = (dataclasses.replace(update, writes=(), **changes) for changes in (make, forget))
            program[updates[0] : updates[0] + 1] = [made, dataclasses.replace(step), update, last]
            program = [other for other in program if other is not step and other not in users]
    return program


def _product(before: Sequence[Instruction], users: Sequence[Instruction], tensor: Any, g: Traced) -> Any:
    """The two factors of a gradient, and the multiple of the parameter that is added; None if it has another form."""
    creation, others = users[0], users[1:]
    factors: Any = creation.args if creation.fn is np.matmul and creation.out is g and not creation.kwargs else ()
    if not factors or not all(isinstance(x, Traced) and x.ndim == 2 and x.dtype == g.dtype for x in factors):
        return None
    if _written(before[before.index(creation) :], factors):
        return None
    penalty = row_of(np.square)
    if len(others) == 1 and penalty is not None and others[0].fn is penalty.add_to:  # of a penalty in the loss
        _, scale, _, p = others[0].args
        if p.value is tensor.data and isinstance(scale, (np.ndarray, np.generic)) and not others[0].kwargs:
            return *factors, 2 * float(scale)
    return None if others else factors


def _touches(step: Instruction, x: Traced) -> bool:
    """Whether an instruction creates, reads or writes an array."""
    return any(y.storage == x.storage for y in step.touched)


def _written(program: Iterable[Instruction], arrays: Iterable[Traced]) -> bool:
    """Whether any of the arrays is written to."""
    return bool({x.storage for x in arrays} & {x.storage for step in program for x in step.writes})


def _function(step: Instruction) -> Any:
    """The function that an effect calls."""
    return getattr(step.fn, "func", None)


def _updates(step: Instruction, tensor: Any) -> bool:
    """Whether this is the update of an optimizer that can add products to a tensor."""
    if getattr(_function(step), "product", None) is None:
        return False
    groups = step.fn.args[0].param_groups  # type: ignore[attr-defined]
    return any(group.takes_products for group in groups if any(p is tensor for p in group.params.values()))
