"""Passes over a recorded program: unneeded instructions are removed, and those with side effects are moved to the end.

A program is a list of instructions in the order of the recorded call. An instruction reads and creates `Traced` arrays,
and may write into existing ones; arrays with the same ``storage`` share memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np

from tensorgrad.compiling.trace import Instruction
from tensorgrad.compiling.traced import Traced
from tensorgrad.engine.registry import row_of


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
    """The instructions without side effects, and those that have some, with the instructions that depend on them."""
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


# ------------------------------------------------------------------------------------------------ not exact


def with_dot_products(program: Sequence[Instruction]) -> list[Instruction]:
    """``vdot(x, x)`` for the sum of ``square(x)``, which need not be computed then."""
    out = list(program)
    for i, step in enumerate(program):
        if step.fn is not np.square or step.kwargs or not isinstance(step.out, Traced) or step.out.dtype.kind != "f":
            continue
        users = [k for k in _users(program, step.out) if k != i]
        total, (x,) = program[users[0]] if len(users) == 1 else step, step.args
        is_sum = len(total.args) == 1 and (total.fn is np.sum or (total.fn == np.add.reduce and "axis" in total.kwargs))
        is_whole = total.kwargs.keys() <= {"axis", "keepdims", "dtype"} and total.kwargs.get("axis") is None
        if is_sum and is_whole and not any(total.kwargs.values()) and not _written(program[i : users[0]], [x]):
            out[users[0]] = total._replace(fn=np.vdot, args=(x, x), kwargs={})
    return out


Grads: TypeAlias = list[tuple[Any, Any]]  # tensors, and their gradients after the call


def with_products(program: list[Instruction], grads: Grads, results: Iterable[Traced]
                  ) -> tuple[list[Instruction], Grads]:  # fmt: skip
    """Replace a gradient that only an optimizer reads by a `Product`, if the optimizer can add this to the parameter.

    The ``.grad`` of the parameter is then None after the call.
    """
    grads, kept = list(grads), {x.storage for x in results}
    for k, (tensor, g) in enumerate(grads):
        users = _users(program, g) if g is not None and g.storage not in kept else []
        updates = [i for i in users if _updates(program[i], tensor)]
        if len(updates) != 1 or (product := _product(program, users, updates[0], g)) is None:
            continue
        (position,), (a, b, decay) = updates, product
        update, first, others = program[position], users[0], users[1:]
        operands = [*update.kwargs.get("operands", ()), a, b]
        changed = {i: _without(program[i], g) for i in others if i > position}
        changed[position] = update._replace(kwargs={**update.kwargs, "operands": operands})
        arguments = (a, b, decay) if decay else (a, b)
        changed[first] = program[first]._replace(fn=update.kwargs["product"], args=arguments)
        added = {i for i in others if program[i].kind == "call"}  # the gradient of a penalty
        program = [changed.get(i, step) for i, step in enumerate(program) if i not in added]
        grads[k] = (tensor, None)
    return program, grads


def _product(program: Sequence[Instruction], users: Sequence[int], update: int, g: Traced) -> Any:
    """The two factors of a gradient, and the multiple of the parameter that is added; None if it has another form."""
    creation, decay = program[users[0]], 0.0
    factors: Any = creation.args if creation.fn is np.matmul and creation.out is g and not creation.kwargs else ()
    if not all(isinstance(x, Traced) and x.ndim == 2 and x.dtype == g.dtype for x in factors):
        return None
    others = [program[i] for i in users[1:] if program[i].kind != "effect" or program[i].out[1]]
    penalty = row_of(np.square)
    if len(others) == 1 and penalty is not None and others[0].fn is penalty.add_to:  # of a penalty in the loss
        _, scale, _, p = others[0].args
        (parameter,) = [tensor.data for tensor, x in program[update].args if x is g]
        if p.value is parameter and isinstance(scale, (np.ndarray, np.generic)) and not others[0].kwargs:
            factors, decay, others = (*factors, p), 2 * float(scale), []
    if others or not factors or _written(program[users[0] : update], factors):
        return None
    return *factors[:2], decay


def _users(program: Sequence[Instruction], x: Traced) -> list[int]:
    """The positions of the instructions that create, read or write an array."""
    return [i for i, step in enumerate(program) if any(y.storage == x.storage for y in step.touched())]


def _written(program: Iterable[Instruction], arrays: Iterable[Traced]) -> bool:
    """Whether any of the arrays is written to."""
    return bool({x.storage for x in arrays} & {x.storage for step in program for x in step.writes})


def _updates(step: Instruction, tensor: Any) -> bool:
    """Whether this is the update of an optimizer that can add products to a tensor."""
    if step.kind != "effect" or step.kwargs["product"] is None:
        return False
    groups = step.fn.args[0].param_groups  # type: ignore[attr-defined]
    return any(group.takes_products for group in groups if any(p is tensor for p in group.params.values()))


def _without(step: Instruction, g: Traced) -> Instruction:
    """An effect after an update, without the gradient that the update has used."""
    return step._replace(args=[(tensor, None if x is g else x) for tensor, x in step.args])
