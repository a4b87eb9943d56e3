"""The zero rule: elements that were not used have gradient 0, whatever was computed there.

For ``np.where(x > 0, np.sqrt(x), 0)`` at 0, the upstream gradient of ``sqrt`` is 0, and its rule computes 0 / 0. That
zero means that the root was not used, so the gradient is 0. For ``np.exp(np.log(x))`` the upstream gradient is 0 as
well, but it was computed, and the limit of the product is 1: there NaN is better than 0. The values alone do not
distinguish the two cases. So where a rule returns NaN, this module determines which elements the roots depend on.

It traverses the records as the backward pass does, but with boolean patterns of used elements in place of gradients.
For a function that selects (``where``, indexing, ``maximum``, ``clip``), the selected elements are used. The rule of
any other function is evaluated at a random point, where no value is zero by chance: an element whose gradient is zero
there is not used, because an untracked factor is zero.

This costs nothing unless there is a NaN: a backward pass whose gradients contain one is repeated with the zero rule. It
is applied from the start only in a pass that is itself recorded, or observed by `detect_anomaly`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tensorgrad.engine import tape
from tensorgrad.engine.aliasing import Saved
from tensorgrad.engine.broadcasting import undo_broadcast
from tensorgrad.engine.registry import Needed
from tensorgrad.engine.tape import Array, Mode, Node, Outline, Record, Variable, current_mode, set_mode, value_of


class ZeroRule:
    """The zero rule for one backward pass."""

    __slots__ = ("patterns", "recorded", "records", "seeds", "used_roots")

    def __init__(self, seeds: Mapping[Node, Array], records: list[Record], recorded: bool,
                 used: Callable[[], Any] | None = None) -> None:  # fmt: skip
        self.recorded, self.seeds, self.records = recorded, seeds, records
        self.used_roots = used  # in a nested pass: returns which elements of the root the outer pass depends on
        self.patterns: dict[Node, Any] | None = None

    def apply(self, record: Record, i: int, g: Array, out: Array) -> Array:
        """The result of the rule of input ``i``, with zeros for elements that were not used.

        Only elements that are NaN are examined. In a pass that is itself recorded, so are all singular points, for the
        sake of later derivatives.
        """
        row = record.row
        may_read_nothing = self.recorded and row.together is None and record.ans is None
        if may_read_nothing and all([isinstance(x, Outline) for x in record.inputs or ()]):
            return out  # the rule cannot have turned a zero into NaN
        suspect = np.isnan(value_of(out))
        has_kink = row.elementwise and all(record.parents or ())  # if it selects between tracked inputs
        if self.recorded and row.singular and (not row.selects or has_kink) and np.count_nonzero(value_of(g) == 0):
            suspect |= value_of(out) == 0
        if not np.count_nonzero(suspect):
            return out
        unused = suspect & ~self._used_in_result(record, i, suspect.shape)
        return np.where(unused, 0, out) if np.count_nonzero(unused) else out

    def used(self, record: Record) -> Any:
        """Which elements of the result of a record the roots depend on."""
        if self.patterns is None:
            self.patterns = {node: self._pattern_of_seed(seed, node.shape) for node, seed in self.seeds.items()}
            self.records = list(reversed(self.records))
        mode = current_mode()
        set_mode(Mode(recording=False))
        try:
            while self.records and self.records[-1].number > record.number:
                _propagate(self.records.pop(), self.patterns)
        finally:
            set_mode(mode)
        return self.patterns[record]

    def _used_in_result(self, record: Record, i: int, shape: tuple[int, ...]) -> Any:
        """Which elements of the result of the rule of input ``i``, of this shape, belong to used elements."""
        used = self.used(record)
        if record.row.selects or not record.row.elementwise:
            used = _pattern_of_input(record, i, used)
        return _any_repeated(np.broadcast_to(used, np.broadcast_shapes(used.shape, shape)), shape)

    def _pattern_of_seed(self, seed: Array, shape: tuple[int, ...]) -> Any:
        """Which elements of a root are used: those with a nonzero seed; all if the seed is tracked."""
        if self.used_roots is not None:
            return self.used_roots()
        if isinstance(seed, Variable) and seed.node is not None:
            return np.ones(shape, bool)
        return np.broadcast_to(value_of(seed) != 0, shape)


def _propagate(record: Record, patterns: dict[Node, Any]) -> None:
    """Update the patterns of the parents of a record from the pattern of its result."""
    used = patterns.get(record)
    if used is None:
        return
    for i, parent in enumerate(record.parents or ()):
        if parent is not None:
            pattern = _pattern_of_input(record, i, used)
            before = patterns.get(parent)
            patterns[parent] = pattern if before is None else pattern | before


def _pattern_of_input(record: Record, i: int, used: Any) -> Any:
    """Which elements of input ``i`` the used elements of a result depend on."""
    row, parent = record.row, (record.parents or ())[i]
    assert parent is not None
    all_used = np.broadcast_to(True, parent.shape)
    if not row.selects and not _reads_untracked_inputs(record):
        if row.elementwise:
            return _any_repeated(used, parent.shape)
        if used.all():
            return all_used
    rng = np.random.default_rng(0)
    g = np.where(used, rng.uniform(0.5, 1.5, used.shape), 0).astype(record.dtype)
    try:
        with np.errstate(all="ignore"):
            pattern = _rule_at_random_point(record, i, g, used, rng)
        if row.elementwise:  # unused elements of the result use no input, even if the rule gives 0 * inf
            pattern = pattern & used
        return _any_repeated(pattern, parent.shape)
    except Exception:  # not defined at the random point: treat all elements as used, so that NaN stays
        return all_used


def _reads_untracked_inputs(record: Record) -> bool:
    """Whether the rules read an input that no gradient flows to, which may be zero."""
    pairs = zip(record.inputs or (), record.parents or (), strict=True)
    return any(node is None and not isinstance(x, Outline) for x, node in pairs)


def _rule_at_random_point(record: Record, i: int, g: Any, used: Any, rng: np.random.Generator) -> Any:
    """Where the rule gives no zero: for the recorded values if the function selects, else for random tracked inputs.

    In the latter case elements with a nonzero gradient for the recorded values are included, in case the function
    selects but is not declared to.
    """
    row = record.row
    inputs = [x.data if type(x) is Saved else x for x in record.inputs or ()]
    ans = record if record.ans is None else record.ans.data
    if row.selects:
        return ~(_call_rule(record, i, g, ans, inputs, used) == 0)
    others = list(inputs)
    for k, (x, node) in enumerate(zip(inputs, record.parents or (), strict=True)):
        if node is not None or isinstance(x, Outline):
            others[k] = np.asarray(rng.uniform(0.5, 1.5, x.shape), x.dtype)
        elif type(x) in tape.NDARRAYS and x.dtype.kind in "fc":  # it only matters whether an element is zero
            others[k] = np.where(np.isfinite(x), x, x.dtype.type(1))
    other = tape.as_array(row.fn(*others, **record.params))
    if other.shape != record.shape or other.dtype.kind != record.dtype.kind:
        raise TypeError(f"{row.name} cannot be called a second time")  # `checkpoint`, whose result has been released
    out = _call_rule(record, i, g, ans, inputs, used)
    return ~(_call_rule(record, i, g, other, others, used) == 0) | (np.isfinite(out) & (out != 0))


def _call_rule(record: Record, i: int, g: Any, ans: Any, inputs: list[Any], used: Any) -> Any:
    """The result of the rule of input ``i`` for these values."""
    row = record.row
    if row.together is None:
        return row.vjps[i](g, ans, *inputs, **record.params)  # type: ignore[misc,operator]
    needed = Needed((i,))
    needed.used = lambda: used
    return row.together(g, ans, needed, *inputs, **record.params)[i]


def _any_repeated(pattern: Any, shape: tuple[int, ...]) -> Any:
    """Undo a broadcast: an element is used if any of its repetitions is."""
    return np.broadcast_to(undo_broadcast(pattern, shape, np.any), shape)
