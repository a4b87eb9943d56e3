"""The zero rule: what was not used has no gradient, whatever was computed there.

Of ``np.where(x > 0, np.sqrt(x), 0)`` at 0, the rule of ``sqrt`` is handed a zero, and makes 0 / 0 of it. That zero says
that the root was not used: the gradient is 0. In ``np.sqrt(x) ** 2`` it is handed a zero as well, but one that was
computed, where the limit is 1: there NaN is the honest answer. The two cannot be told apart by their values. So where a
rule gives NaN, this module finds out which elements of its input the result of the pass depends on at all.

It follows the functions from the result back, as the backward pass does, but with patterns of used elements in place of
gradients. A function that selects (``where``, indexing, ``maximum``, ``clip``) passes on what it selected. Any other is
asked at a random point, where no value is zero by chance: an element whose gradient is zero there was not used, because
an untracked factor is zero.

All this costs nothing as long as there is no NaN: a backward pass whose gradients have one is run a second time, with
this rule. Only a pass that is itself recorded, or watched by `detect_anomaly`, has it from the start.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tensorgrad.engine.aliasing import Saved
from tensorgrad.engine.tape import Array, Mode, Node, Outline, Record, Variable, current_mode, set_mode, value_of


class Needed(tuple[int, ...]):
    """The inputs that a rule for all of them is to give gradients for."""

    used: Callable[[], Any]
    """Which elements of the result the roots of the pass depend on."""


class ZeroRule:
    """The zero rule in one backward pass."""

    __slots__ = ("patterns", "recorded", "records", "seeds", "used_roots")

    def __init__(self, seeds: Mapping[Node, Array], records: list[Record], recorded: bool,
                 used: Callable[[], Any] | None = None) -> None:  # fmt: skip
        self.recorded = recorded
        self.seeds = seeds
        self.records = records
        self.used_roots = used  # if another pass called for this one: which elements of its root that one depends on
        self.patterns: dict[Node, Any] | None = None

    def applied(self, record: Record, i: int, g: Array, out: Array) -> Array:
        """What the rule of input ``i`` gave, with zero for what was not used.

        NaN is where it matters. In a pass that is itself recorded it matters wherever a function has a singular point,
        for a later derivative.
        """
        row = record.row
        if self.recorded and not row.reads:
            return out
        lost = np.isnan(value_of(out))
        may_tie = row.elementwise and all(record.parents or ())  # a choice between tracked inputs has a kink
        if self.recorded and row.singular and (not row.selects or may_tie) and np.count_nonzero(value_of(g) == 0):
            lost |= value_of(out) == 0
        if not np.count_nonzero(lost):
            return out
        lost &= ~self._matters(record, i, lost.shape)
        return np.where(lost, 0, out) if np.count_nonzero(lost) else out

    def used(self, record: Record) -> Any:
        """Which elements of a result the roots depend on."""
        if self.patterns is None:
            self.patterns = {node: self._of_seed(seed, node.shape) for node, seed in self.seeds.items()}
            self.records = list(reversed(self.records))
        mode = current_mode()
        set_mode(Mode(recording=False))
        try:
            while self.records and self.records[-1].number > record.number:
                _follow(self.records.pop(), self.patterns)
        finally:
            set_mode(mode)
        return self.patterns[record]

    def _matters(self, record: Record, i: int, shape: tuple[int, ...]) -> Any:
        """Which elements of what the rule of input ``i`` gave, of this shape, are those of something used."""
        used = self.used(record)
        if record.row.selects or not record.row.elementwise:
            used = _passed_on(record, i, used)
        return _summed_up(np.broadcast_to(used, np.broadcast_shapes(used.shape, shape)), shape)

    def _of_seed(self, seed: Array, shape: tuple[int, ...]) -> Any:
        """Which elements of a root are asked for: a seed is a factor, and a tracked one is no zero."""
        if self.used_roots is not None:
            return self.used_roots()
        if isinstance(seed, Variable) and seed.node is not None:
            return np.ones(shape, bool)
        return np.broadcast_to(value_of(seed) != 0, shape)


def _follow(record: Record, patterns: dict[Node, Any]) -> None:
    """Pass on which elements of a result are used to what it was computed from."""
    used = patterns.get(record)
    if used is None:
        return
    for i, parent in enumerate(record.parents or ()):
        if parent is not None:
            passed = _passed_on(record, i, used)
            before = patterns.get(parent)
            patterns[parent] = passed if before is None else passed | before


def _passed_on(record: Record, i: int, used: Any) -> Any:
    """Which elements of input ``i`` the used elements of a result depend on."""
    row, parent = record.row, (record.parents or ())[i]
    assert parent is not None
    everything = np.broadcast_to(True, parent.shape)
    if not row.selects and not _constants(record):
        if row.elementwise:
            return _summed_up(used, parent.shape)
        if used.all():
            return everything
    rng = np.random.default_rng(0)
    g = np.where(used, rng.uniform(0.5, 1.5, used.shape), 0).astype(record.dtype)
    try:
        with np.errstate(all="ignore"):
            pattern = _rule_at_random_point(record, i, g, used, rng)
        if row.elementwise:  # an element that was not used passes nothing on, not even 0 * inf
            pattern = pattern & used
        return _summed_up(pattern, parent.shape)
    except Exception:  # it is not defined there: let all matter, so that NaN stays
        return everything


def _constants(record: Record) -> bool:
    """Whether the rules read an input that no gradient flows to: it may be zero."""
    pairs = zip(record.inputs or (), record.parents or (), strict=True)
    return any(node is None and not isinstance(x, Outline) for x, node in pairs)


def _rule_at_random_point(record: Record, i: int, g: Any, used: Any, rng: np.random.Generator) -> Any:
    """Where the rule gives no zero: for its values if it selects by them, else for random ones in place of the tracked.

    In the latter case its values count, too, in case that it selects by them and does not say so.
    """
    row = record.row
    inputs = [x.data if type(x) is Saved else x for x in record.inputs or ()]
    ans = record if record.ans is None else record.ans.data
    if row.selects:
        return ~(_rule(record, i, g, ans, inputs, used) == 0)
    others = list(inputs)
    for k, (x, node) in enumerate(zip(inputs, record.parents or (), strict=True)):
        if node is not None or isinstance(x, Outline):
            others[k] = np.asarray(rng.uniform(0.5, 1.5, x.shape), x.dtype)
        elif type(x) is np.ndarray and x.dtype.kind in "fc":  # zero or not is all that counts
            others[k] = np.where(np.isfinite(x), x, x.dtype.type(1))
    other = np.asarray(row.fn(*others, **record.params))
    if other.shape != record.shape or other.dtype.kind != record.dtype.kind:
        raise TypeError(f"{row.name} is not to be called a second time")  # `recompute`, which has let go of it
    out = _rule(record, i, g, ans, inputs, used)
    return ~(_rule(record, i, g, other, others, used) == 0) | (np.isfinite(out) & (out != 0))


def _rule(record: Record, i: int, g: Any, ans: Any, inputs: list[Any], used: Any) -> Any:
    """What the rule of input ``i`` gives for these values."""
    row = record.row
    if row.together is None:
        vjp: Any = row.vjps[i]
        return vjp(g, ans, *inputs, **record.params)
    needed = Needed((i,))
    needed.used = lambda: used
    return row.together(g, ans, needed, *inputs, **record.params)[i]


def _summed_up(pattern: Any, shape: tuple[int, ...]) -> Any:
    """Undo a broadcast: an element matters if one of its repetitions does."""
    extra = pattern.ndim - len(shape)
    if extra > 0:
        pattern = np.any(pattern, axis=tuple(range(extra)))
    lengths = shape[len(shape) - pattern.ndim :]
    repeated = tuple(k for k, (n, m) in enumerate(zip(lengths, pattern.shape, strict=True)) if n == 1 != m)
    if repeated:
        pattern = np.any(pattern, axis=repeated, keepdims=True)
    return np.broadcast_to(pattern, shape)
