"""`primitive` for functions whose arguments are structures: tuples, dicts and dataclasses that hold tensors."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

from tensorgrad.engine import registry
from tensorgrad.engine.registry import Entry, Row, entries
from tensorgrad.engine.tape import Array, Variable, any_tracked
from tensorgrad.errors import NoRuleError
from tensorgrad.transforms import trees

F = TypeVar("F", bound=Callable[..., Any])


def primitive(fn: F) -> F:
    """Make a function of arrays differentiable; its gradient is set with `rule`. Can be used as a decorator.

    Inputs to differentiate with respect to are positional; other parameters (``axis``, ``keepdims``) are passed by
    name. An input may be a tuple, list, dict or dataclass that holds tensors: the function and its rules are given the
    same structure of arrays, and a rule returns the gradient in that structure. Called with arrays only, it is the
    function itself.

    Raises
    ------
    NoRuleError
        At a call, if an input is another object with tensors in its attributes.

    Examples
    --------
    >>> @tg.primitive
    ... def cube(x):
    ...     return x**3
    >>> tg.rule(cube, lambda g, _ans, x: g * 3 * x**2)
    >>> x = tg.Tensor([1.0, 2.0], requires_grad=True)
    >>> tg.grad(np.sum(cube(x)), x)
    array([ 3., 12.])

    With a structure of inputs:

    >>> @tg.primitive
    ... def area(sides):
    ...     return sides["width"] * sides["height"]
    >>> tg.rule(area, lambda g, _ans, sides: {"width": g * sides["height"], "height": g * sides["width"]})
    >>> tg.grad(np.sum(area({"width": x, "height": np.array([3.0, 4.0])})), x)
    array([3., 4.])
    """
    run = registry.primitive(fn)
    row: Row = run.row  # type: ignore[attr-defined]
    flat = _of_leaves(fn, row)

    @functools.wraps(fn)
    def call(*args: Any, **params: Any) -> Any:
        parts = [_tensors_and_others(row.name, arg) for arg in args]
        if all(len(part) == 1 and part[0] is arg for part, arg in zip(parts, args, strict=True)):
            return run(*args, **params)
        structure = _Structure([None if part[0] is arg else arg for part, arg in zip(parts, args, strict=True)])
        return flat(*itertools.chain(*parts), structure=structure, **params)

    call.row = row  # type: ignore[attr-defined]
    entries[call] = Entry(call)
    return cast(F, call)


def _tensors_and_others(name: str, arg: Any) -> list[Any]:
    """The leaves of an argument that holds tensors; any other argument as it is."""
    if isinstance(arg, Variable):
        return [arg]
    leaves = trees.leaves(arg)
    for leaf in leaves:
        if not isinstance(leaf, Variable) and any_tracked(list(getattr(leaf, "__dict__", {}).values())):
            raise NoRuleError(
                f"{name}: an input of class {type(leaf).__name__} has tensors in its attributes, which are not found "
                "there: make it a dataclass, a dict or a tuple"
            )
    return leaves if any(isinstance(leaf, Variable) for leaf in leaves) else [arg]


class _Structure:
    """The structure of the positional arguments, without the values of their leaves."""

    def __init__(self, args: Sequence[Any]) -> None:
        self.args = tuple(trees.transform(lambda _: None, arg) for arg in args)

    def filled(self, leaves: Sequence[Any]) -> tuple[Any, ...]:
        """The arguments with these leaves."""
        return cast("tuple[Any, ...]", trees.refill(self.args, list(leaves)))


def _of_leaves(fn: Callable[..., Any], row: Row) -> Callable[..., Any]:
    """The same function of the leaves of its arguments, with the rules of ``row``."""

    def run(*leaves: Array, structure: _Structure, **params: Any) -> Any:
        return fn(*structure.filled(leaves), **params)

    def together(g: Array, ans: Array, needed: Sequence[int], *leaves: Array, structure: _Structure,
                 **params: Any) -> dict[int, Array]:  # fmt: skip
        args = structure.filled(leaves)
        gradients: list[Any] = []
        for i, arg in enumerate(args):
            mine = range(len(gradients), len(gradients) + len(trees.leaves(arg)))
            vjp = row.vjp(i) if any(k in needed for k in mine) else None
            gradient = None if vjp is None else vjp(g, ans, *args, **params)
            what = f"the gradient of {row.name}"
            gradients += [None] * len(mine) if vjp is None else trees.leaves_like(arg, gradient, what)
        return {k: gradients[k] for k in needed}

    run.__name__, run.__module__ = row.name, fn.__module__
    flat = registry.primitive(run)
    registry.rule(flat, together=together, complex=True)
    return flat
