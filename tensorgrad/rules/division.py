"""Division of an upstream gradient by a result that may be 0, if the tape shows that the gradient is a multiple of it.

The gradient of ``f(r)`` with ``r = |x|`` is ``g * x / r`` with ``g = f'(r)``: 0 / 0 where ``x`` is 0. If ``g`` was
computed as a multiple ``q * r``, as for ``r ** 2``, the gradient is ``q * x``, at 0 as well, and its derivatives are
right there, too. The quotient ``q`` is computed symbolically from the records of ``g``.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from tensorgrad.engine.aliasing import Saved, restored
from tensorgrad.engine.broadcasting import total
from tensorgrad.engine.tape import ZERO, Array, Node, Record, Variable, value_of
from tensorgrad.summation import total_of_array

_MAX_DEPTH = 64  # of the search from ``g`` back to the result


def quotient(g: Array, ans: Array, x: Array) -> Array | None:
    """``g / ans``; None if it is not known, or not needed: no element of ``x`` is 0, or the pass is not recorded."""
    if not isinstance(g, Variable) or g.node is None or np.all(value_of(x)):
        return None
    return _Division(ans.node if isinstance(ans, Variable) else ans, type(g)).of(g.node, _MAX_DEPTH)


def repeated_quotient(g: Array, ans: Array, x: Array, n: int) -> Array | None:
    """``g / ans ** n``, likewise."""
    q: Array | None = g
    for _ in range(n):
        q = None if q is None else quotient(q, ans, x)
    return q


def depends_on(g: Array, ans: Array) -> bool:
    """Whether ``g`` was computed from ``ans``, in a recorded pass."""
    first: Any = ans.node if isinstance(ans, Variable) else ans
    stack: list[Any] = [g.node] if isinstance(g, Variable) else []
    seen: set[Record] = set()
    while stack:
        node = stack.pop()
        if node is first:
            return True
        if isinstance(node, Record) and node not in seen and node.number > first.number:
            seen.add(node)
            stack += node.parents or ()
    return False


class _Division:
    """Division of values on the tape by the result of one record, the ``divisor``."""

    def __init__(self, divisor: Any, kind: type[Variable]) -> None:
        self.divisor, self.kind = divisor, kind
        self.known: dict[Node, Array | None] = {}

    def of(self, node: Node | None, depth: int) -> Array | None:
        """The quotient for a node, in the shape of its value; None if that is not known to be a multiple."""
        if not isinstance(node, Record) or node.inputs is None or node.parents is None or not depth:
            return None
        if node not in self.known:
            if self._is_divisor(node):
                self.known[node] = np.ones(node.shape, node.dtype)
            else:
                parts = [self.of(parent, depth - 1) for parent in node.parents] if node.row.fn in _RULES else []
                is_multiple = any([part is not None for part in parts])
                self.known[node] = _RULES[node.row.fn](self, node, *parts) if is_multiple else None
        return self.known[node]

    def value(self, record: Record, i: int) -> Array:
        """An input of a record, as a tensor if it was one."""
        assert record.inputs is not None
        assert record.parents is not None
        x = record.inputs[i]
        return restored(self.kind, x, record.parents[i]) if type(x) is Saved else x

    def _is_divisor(self, record: Record) -> bool:
        """Whether a record is the divisor, or a call of the same function with the same inputs."""
        a, b = record, self.divisor
        is_same_call = a.row is b.row and a.parents == b.parents and a.params == b.params
        return a is b or (is_same_call and all(map(operator.is_, a.inputs or (), b.inputs)))


def _product(division: _Division, record: Record, p: Array | None, q: Array | None) -> Array:
    return division.value(record, 0) * q if p is None else p * division.value(record, 1)


def _power(division: _Division, record: Record, p: Array | None, _q: Array | None) -> Array | None:
    x, y = division.value(record, 0), division.value(record, 1)
    is_multiple = p is not None and record.parents[1] is None and np.all(np.greater_equal(y, 1))  # type: ignore[index]
    return p * x ** (y - 1) if is_multiple else None


def _selection(division: _Division, record: Record, _condition: None, *parts: Array | None) -> Array | None:
    """A selection between multiples, and 0, which is a multiple of anything."""
    assert record.inputs is not None
    condition, *branches = record.inputs
    if any([part is None and branch is not ZERO for part, branch in zip(parts, branches, strict=True)]):
        return None
    p, q = [0 if part is None else part for part in parts]
    return np.where(condition, p, q)


def _total(division: _Division, record: Record, p: Array) -> Array | None:
    """A sum, if the divisor is constant along the axes that are summed over."""
    shape = (1,) * (p.ndim - len(division.divisor.shape)) + division.divisor.shape
    return total(p, **record.params) if all([shape[i] == 1 for i in record.params["axis"]]) else None


_RULES: dict[Callable[..., Any], Callable[..., Array | None]] = {
    np.positive: lambda _division, _record, p: p,
    np.negative: lambda _division, _record, p: -p,
    np.add: lambda _division, _record, p, q: None if p is None or q is None else p + q,
    np.multiply: _product,
    np.divide: lambda division, record, p, _q: None if p is None else p / division.value(record, 1),
    np.power: _power,
    np.square: lambda division, record, p: p * division.value(record, 0),
    np.where: _selection,
    total_of_array: _total,
}
