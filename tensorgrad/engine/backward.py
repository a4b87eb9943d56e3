"""The backward pass.

It takes the records behind a result, the newest first, runs the rules of each, and adds up what arrives at each node.
It is a loop, not a recursion: a chain of any length works, and a value that many paths lead to is visited once.
"""

from __future__ import annotations

import functools
import itertools
import math
import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np

from tensorgrad.engine import tape
from tensorgrad.engine.aliasing import Saved, is_new, read_only, restored, values_of
from tensorgrad.engine.record import observers
from tensorgrad.engine.registry import Row
from tensorgrad.engine.sums import total, total_of_array, widened
from tensorgrad.engine.tape import Array, Leaf, Mode, Node, Record, Variable, set_mode
from tensorgrad.engine.zero_rule import Needed, ZeroRule
from tensorgrad.errors import FreedGraphError, ShapeError

Parents: TypeAlias = tuple[Node | None, ...]
_ndarray = np.ndarray
_LARGE = 10_000  # elements of a gradient, of which it pays to look through what it was made of, if that is less


def backward_pass(roots: Sequence[tuple[Variable, Array]], targets: Iterable[Node] | None = None, *,
                  create_graph: bool = False, retain_graph: bool = False, through: bool = True,
                  used: Callable[[], Any] | None = None) -> dict[Node, Array]:  # fmt: skip
    """Pull the gradients of ``roots`` back along the tape.

    Parameters
    ----------
    roots
        Pairs of a tracked tensor and the gradient to start from, of the tensor's shape.
    targets
        Nodes to compute gradients for, leaves or not; None for all leaves. No other gradient is computed.
    create_graph
        Record the pass itself, so that its results can be differentiated; implies ``retain_graph``.
    retain_graph
        Keep what the records saved, for another pass. Otherwise the records are freed when this one is done.
    through
        Whether to go on from a target to what it was made from.
    used
        Of a rule that is itself a backward pass: which elements of the only root its result depends on.

    Returns
    -------
    dict
        The gradient of each leaf (or target) that the roots depend on. The caller owns the arrays.
    """
    seeds: dict[Any, Array] = {}
    for root, seed in roots:
        seeds[root.node] = seeds[root.node] + seed if root.node in seeds else seed
    records = reachable(seeds)
    useful = None if targets is None else _leading_to(targets := set(targets), records)
    ends: Any = targets or ()
    mode, kind = tape.current_mode(), type(roots[0][0]) if create_graph else None
    zero_rule = ZeroRule(seeds, records, create_graph, used)
    set_mode(Mode(create_graph, None, mode.read_only))
    try:
        with np.errstate(divide="ignore", invalid="ignore"):
            this = _Pass(seeds, zero_rule, kind, mode.read_only, careful=create_graph or bool(observers))
            this.run(records, useful, ends, through)
            if not this.careful and this.has_nan():
                this = _Pass(seeds, zero_rule, kind, mode.read_only, careful=True)
                this.run(records, useful, ends, through)
        this.make_independent()
    finally:
        set_mode(mode)
    if not (retain_graph or create_graph):
        for record in records:
            record.inputs = None  # first: a pass in another thread that finds them has found the rest before
            record.parents = record.ans = None
            record.params = tape.NO_PARAMS
    return this.adjoints


class _Pass:
    """One backward pass: what has arrived at each node so far. A *careful* one applies the zero rule."""

    def __init__(self, seeds: dict[Node, Array], zero_rule: ZeroRule, kind: type[Variable] | None, read_only: bool,
                 careful: bool) -> None:  # fmt: skip
        self.adjoints = dict(seeds)
        self.owned: set[Node] = set()  # whose adjoint is an array that this pass made and nobody else holds
        self.last: dict[Record, None] = {}  # what can be added to a leaf in place, once there is something to add it to
        self.zero_rule, self.careful = zero_rule, careful
        self.nan_seen = False
        self.added: set[Node] = set()  # whose gradient a rule has added to in place
        self.kind, self.read_only = kind, read_only  # of the tensors that rules are given, if the pass is recorded
        self.plain = kind is None and not read_only and not careful

    def run(self, records: list[Record], useful: set[Node] | None, ends: set[Node], through: bool) -> None:
        """For each record, the newest first: pull back, and add where it belongs."""
        for record in itertools.chain(records, self.last):
            g = self.adjoints.get(record) if record in ends else self.adjoints.pop(record, None)
            parents = record.parents
            if g is None or (record in ends and not through):
                continue
            if useful is not None and parents is not None:
                parents = tuple([parent if parent in useful else None for parent in parents])
            self.pull_back(record, g, parents)

    def pull_back(  # noqa: C901  (the loop, on one screen: another call for each record would cost 5 % of a tiny op)
        self, record: Record, g: Array, parents: Parents | None
    ) -> None:
        """Run the rules of a record, and add what they give to the adjoints of its parents."""
        row, params, saved, inputs = record.row, record.params, record.ans, record.inputs
        if inputs is None or parents is None:
            raise _freed(record)
        if row.add_to is not None and self.plain and self._is_postponed(record, g, parents):
            return
        if inputs is not parents:
            inputs = values_of(inputs)
        ans: Any = record if saved is None else saved.data
        is_short = g.shape != record.shape  # then what a rule gives has to be summed up, even if it has the right shape
        if is_short and not row.accepts_unbroadcast_g:
            g, is_short = _in_full(g, record.shape), False
        if not self.plain:
            g, ans, inputs = self._prepare(record, g, ans, inputs)  # type: ignore[assignment]
        adjoints, rules, i = self.adjoints, row.vjps, 0
        is_quick = self.plain and not is_short
        try:
            if row.together is not None:
                needed = Needed([i for i, parent in enumerate(parents) if parent is not None])
                needed.used = functools.partial(self.zero_rule.used, record)
                found, inputs = row.together(g, ans, needed, *inputs, **params), ()
                if type(found) is not dict or not found.keys() >= {*needed}:
                    raise TypeError(f"the rule of {row.name!r} owes a dict with gradients for inputs {needed}: {found}")
                rules = tuple([lambda *_, i=i, **__: found[i] for i in range(len(parents))])
            for i, parent in enumerate(parents):
                if parent is None:
                    continue
                if row.add_to is not None and self.plain and self._is_ours(parent):
                    row.add_to(adjoints[parent], g, i, *inputs, **params)
                    if g.size != 1 or not 0 < abs(g) < math.inf:  # of one number that is not 0, all is used: NaN stays
                        self.added.add(parent)
                    continue
                out = rules[i](g, ans, *inputs, **params) if params else rules[i](g, ans, *inputs)  # type: ignore[misc,operator]
                if not (is_quick and type(out) is _ndarray and out.dtype is parent.dtype and out.shape == parent.shape):
                    out = self._checked(record, i, parent, g, out)
                if type(parent) is Record and parent not in adjoints:
                    adjoints[parent] = out
                else:
                    self._add(parent, out, row, g, ans, inputs)
        except Exception as error:
            error.add_note(_described(record, i, parents))
            raise

    def _checked(self, record: Record, i: int, node: Node, g: Array, out: Array) -> Array:
        """What a rule gave: zero where it was not used, in the shape and dtype of the input."""
        if self.careful:
            out = self.zero_rule.applied(record, i, g, out)
        for observer in observers:
            observer.after_rule(record, i, g, out)
        return _fitted(out, record, node)

    def _add(self, node: Node, out: Array, row: Row, g: Array, ans: Array, inputs: Sequence[Any]) -> None:
        """Add a gradient to the adjoint of a node, in place where this pass made the array."""
        held = self.adjoints.get(node)
        if out.size > _LARGE and self.plain:
            made_of = [x for x in (g, ans, *inputs) if type(x) is _ndarray]
            is_less = row.together is None and sum([x.size for x in made_of]) < out.size
            self.nan_seen = self.nan_seen or (not _finite(made_of) if is_less else _has_nan(out))
        if held is None:
            if type(node) is Leaf and is_new(out, g, ans, inputs):  # asked before another reference is made
                self.owned.add(node)
            self.adjoints[node] = out
        elif self._is_ours(node):
            np.add(held, out, out=held)
        else:
            self.adjoints[node] = held + out
            self.owned.add(node)

    def _is_postponed(self, record: Record, g: Array, parents: Parents) -> bool:
        """Whether all gradients of a record belong to leaves, and can be added in place when the others have been."""
        if record in self.last or any([type(parent) is Record for parent in parents]):
            return False
        self.last[record], self.adjoints[record] = None, g
        return True

    def _is_ours(self, node: Node) -> bool:
        """Whether this pass made a whole array for this node, which it may write to."""
        held = self.adjoints.get(node) if node in self.owned and self.kind is None else None
        return type(held) is _ndarray and held.shape == node.shape and held.dtype == node.dtype

    def _prepare(self, record: Record, g: Array, ans: Array, inputs: Sequence[Any]) -> tuple[Any, Any, Sequence[Any]]:
        """What a rule is given where it is not plain arrays, or where someone looks on."""
        for observer in observers:
            observer.before_rules(record)
        if self.kind is not None:
            set_mode(Mode(True, record, self.read_only))
            ans = ans if record.ans is None else restored(self.kind, record.ans, record)
            known = zip(inputs, record.inputs or (), record.parents or (), strict=True)
            inputs = [restored(self.kind, x, node) if type(x) is Saved else value for value, x, node in known]
        if self.read_only:
            g, ans, inputs = read_only(g), read_only(ans), [read_only(x) for x in inputs]
        return g, ans, inputs

    def has_nan(self) -> bool:
        """Whether a gradient has an element that is not a number. What is large was looked through as it was made."""
        looked_at = [g for node, g in self.adjoints.items()
                     if g.size <= _LARGE or type(node) is Record or node in self.added]  # fmt: skip
        return self.nan_seen or any(map(_has_nan, looked_at))

    def make_independent(self) -> None:
        """Give each gradient that is handed out its full shape and memory of its own."""
        for node, g in self.adjoints.items():
            if isinstance(g, Variable):
                full: Array = g if g.shape == node.shape else np.broadcast_to(g, node.shape)  # type: ignore[call-overload]
                self.adjoints[node] = full if node in self.owned else np.positive(full)
            elif not (self._is_ours(node) and g.base is None):
                self.adjoints[node] = np.full(node.shape, g, node.dtype)


def reachable(roots: Iterable[Node]) -> list[Record]:
    """All records behind ``roots``, the newest first: every record before what it was made from."""
    seen: set[Node] = set(roots)
    stack = [node for node in seen if type(node) is Record]
    records = []
    while stack:
        record = stack.pop()
        records.append(record)
        parents = record.parents
        if parents is None:
            raise _freed(record)
        for parent in parents:
            if parent is not None and parent not in seen:
                seen.add(parent)
                if type(parent) is Record:
                    stack.append(parent)
                else:
                    parent.refresh()  # type: ignore[attr-defined]
    records.sort(key=operator.attrgetter("number"), reverse=True)
    return records


def _leading_to(targets: set[Node], records: list[Record]) -> set[Node]:
    """The nodes on a path from a record to a target, those included."""
    useful = set(targets)
    for record in reversed(records):
        parents = record.parents
        if parents is None:
            raise _freed(record)
        if any([parent in useful for parent in parents]):
            useful.add(record)
    return useful


def _fitted(out: Array, record: Record, node: Node) -> Array:
    """What a rule gave in the shape of its input, but for axes along which it is the same, and in its dtype."""
    row, shape = record.row, node.shape
    if not hasattr(out, "dtype"):
        raise TypeError(f"the rule of {row.name!r} returned {type(out).__name__}, not an array")
    if row.accepts_unbroadcast_g and shape != record.shape != out.shape:
        out = _times_repeated(out, record.shape, shape)
    if out.shape != shape:
        out = _undo_broadcast(out, shape)
    if out.dtype != node.dtype:
        if out.dtype.kind == "c" and node.dtype.kind != "c":
            if not row.complex:
                raise TypeError(f"the rule of {row.name!r} gave a complex gradient for a real input")
            out = np.real(out)
        out = out.astype(node.dtype)
    return out


def _undo_broadcast(out: Array, shape: tuple[int, ...]) -> Array:
    """Sum a gradient over the axes along which an input of this shape was repeated.

    Where the gradient is the same along an axis, it may stay short: it still broadcasts to ``shape``.
    """
    add = total_of_array if type(out) is _ndarray else total
    leading, repeated = _repeated_axes(out.shape, shape)
    if leading:
        out = add(out, axis=leading)
    return add(out, axis=repeated, keepdims=True) if repeated else out


def _in_full(g: Array, shape: tuple[int, ...]) -> Array:
    """`np.broadcast_to`, which takes several times as long as to fill an array of few elements."""
    is_small = not isinstance(g, Variable) and math.prod(shape) <= _LARGE
    return np.full(shape, g, g.dtype) if is_small else np.broadcast_to(g, shape)


@functools.lru_cache(1024)
def _repeated_axes(of: tuple[int, ...], shape: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The axes of a gradient of shape ``of`` that an input of this shape lacks, and those where it has length 1."""
    extra = max(len(of) - len(shape), 0)
    lengths, rest = shape[len(shape) - len(of) + extra :], of[extra:]
    if any(m not in (1, n) and n != 1 for n, m in zip(lengths, rest, strict=True)):
        raise ShapeError(f"the rule gave a gradient of shape {of} for an input of shape {shape}")
    return tuple(range(extra)), tuple(i for i, (n, m) in enumerate(zip(lengths, rest, strict=True)) if n == 1 != m)


def _times_repeated(out: Array, of: tuple[int, ...], shape: tuple[int, ...]) -> Array:
    """A gradient that is the same along axes of a result of shape ``of`` that an input was repeated along, as a sum."""
    short, had = (1,) * (len(of) - out.ndim) + out.shape, (1,) * (len(of) - len(shape)) + shape
    times = math.prod([n for n, m, k in zip(of, short, had, strict=True) if m == k == 1])
    return out if times == 1 else widened(out) * times


def _has_nan(g: Any) -> bool:
    """Whether an element is not a number: then neither is the least."""
    return not _is_bounded(g) and g.size > 0 and bool(np.isnan(np.minimum.reduce(g, axis=None)))


def _finite(arrays: Sequence[Any]) -> bool:
    """Whether no element of the arrays is infinite or not a number."""
    return all([_is_bounded(x) or bool(np.isfinite(x).all()) for x in arrays])


def _is_bounded(x: Any) -> bool:
    """Whether the sum of squares is finite, by a BLAS: the quickest way to see that all elements are."""
    if type(x) is not _ndarray or x.dtype.char not in "fd" or not x.flags.forc:
        return False
    vector = x.ravel("K")
    return bool(np.dot(vector, vector) < math.inf)


def _freed(record: Record) -> FreedGraphError:
    return FreedGraphError(
        f"this graph was freed by an earlier backward pass, with its {record.row.name!r} (called at {record.where()}): "
        "pass retain_graph=True to the earlier backward() or grad(), or compute the forward pass again")  # fmt: skip


def _described(record: Record, i: int, parents: Parents) -> str:
    shapes = ", ".join(str(np.shape(x)) for x in values_of(record.inputs or ()))
    return (f"tensorgrad: in the gradient rule of {record.row.name!r} for input {i + 1} of shape "
            f"{getattr(parents[i], 'shape', None)}; inputs {shapes}; output {record.shape}; parameters "
            f"{record.params}; it was called at {record.where()}")  # fmt: skip
