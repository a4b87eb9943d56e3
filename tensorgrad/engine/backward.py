"""The backward pass.

The records that lead to the roots are processed from the newest to the oldest: the rules of each are run, and the
gradients are accumulated at the nodes of its inputs. This is a loop, not a recursion, so that chains of any length
work, and each record is visited once, however many paths lead to it.

`backward_pass` finds the records, and lets a `_Pass` process them up to three times: without the zero rule; if there is
a NaN in the result, with it; and if there still is one, in a recorded pass, since some rules find a limit only there.
`_Pass.pull_back` is the body of the loop: it runs the rules of one record, and adds their results to the adjoints.
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
from tensorgrad.engine.sums import total
from tensorgrad.engine.tape import Array, Leaf, Mode, Node, Record, Variable, set_mode
from tensorgrad.engine.zero_rule import Needed, ZeroRule
from tensorgrad.errors import FreedGraphError, ShapeError
from tensorgrad.foreign import NDARRAYS
from tensorgrad.summation import total_of_array, widened

Parents: TypeAlias = tuple[Node | None, ...]
_ndarray = np.ndarray
_LARGE = 10_000  # elements; a larger gradient is checked for NaN by its operands, if they have fewer elements


def backward_pass(roots: Sequence[tuple[Variable, Array]], targets: Iterable[Node] | None = None, *,
                  create_graph: bool = False, retain_graph: bool = False, past_targets: bool = True,
                  used: Callable[[], Any] | None = None) -> dict[Node, Array]:  # fmt: skip
    """Compute the gradients of ``roots`` with respect to leaves or other nodes.

    Parameters
    ----------
    roots
        Pairs of a tracked tensor and the gradient to start from, in the shape of the tensor.
    targets
        Nodes to compute gradients for, leaves or not; None for all leaves. No other gradient is computed.
    create_graph
        Record the pass itself, so that its results can be differentiated. Implies ``retain_graph``.
    retain_graph
        Keep the saved values for another pass. Otherwise the records are freed after this one.
    past_targets
        Whether to continue from a target to its parents.
    used
        For a pass inside a rule: returns which elements of the (only) root are used by the outer pass.

    Returns
    -------
    dict
        The gradient of each leaf (or target) that the roots depend on. The caller owns the arrays.
    """
    seeds: dict[Any, Array] = {}
    for root, seed in roots:
        seeds[root.node] = seeds[root.node] + seed if root.node in seeds else seed
    records = reachable(seeds)
    useful = None if targets is None else _nodes_on_paths_to(targets := set(targets), records)
    kept: Any = targets or ()
    trace, mode, kind = tape.tracer(), tape.current_mode(), type(roots[0][0]) if create_graph else None
    zero_rule = ZeroRule(seeds, records, create_graph, used)
    # a pass whose gradients contain NaN is repeated with the zero rule, and then recorded, for rules that find a limit
    is_observed = bool(observers) and trace is None
    ways = [(kind, True)] if create_graph or is_observed else [(None, False), (None, True), (type(roots[0][0]), True)]
    current: Any = None
    try:
        for kind, applies_zero_rule in ways:
            if current is not None and not current.has_nan():
                break
            tape.set_tracer(trace if current is None else None)  # a program cannot find out which elements are used
            set_mode(Mode(kind is not None, None, mode.read_only))
            attempt = _Pass(seeds, zero_rule, kind, mode.read_only, applies_zero_rule)
            try:
                with np.errstate(divide="ignore", invalid="ignore"):
                    attempt.run(records, useful, kept, past_targets)
            except Exception:
                if kind is None or create_graph:
                    raise
                break  # a rule that cannot be recorded: the NaN remains
            current = attempt
        current.make_independent()
    finally:
        set_mode(mode)
        tape.set_tracer(trace)
    if not (retain_graph or create_graph):
        for record in records:
            record.inputs = None  # first, since a pass in another thread reads it last
            record.parents = record.ans = None
            record.params = tape.NO_PARAMS
    found: dict[Node, Array] = current.adjoints
    found = found if kind is None or create_graph else {node: tape.value_of(g) for node, g in found.items()}
    return found if trace is attempt.tracer else trace.unrecorded(found)


class _Pass:
    """One attempt at a backward pass, with the gradient accumulated at each node so far.

    A pass is ordinary if no rule may see anything but arrays that can be written to, and no zero rule is applied. Then
    gradients may be added in place: to adjoints that the pass owns, and by the ``add_to`` of a row.
    """

    def __init__(self, seeds: dict[Node, Array], zero_rule: ZeroRule, kind: type[Variable] | None, read_only: bool,
                 applies_zero_rule: bool) -> None:  # fmt: skip
        self.adjoints = dict(seeds)
        self.owned: set[Node] = set()  # nodes whose adjoint is an array that only this pass references
        self.postponed: dict[Record, None] = {}  # records whose gradients can be added to those of leaves in place
        self.zero_rule, self.applies_zero_rule = zero_rule, applies_zero_rule
        self.nan_seen = False
        self.added_in_place: set[Node] = set()  # nodes whose adjoint was modified by an ``add_to``
        self.kind, self.read_only = kind, read_only  # kind: the class of the tensors for rules, in a recorded pass
        self.tracer = tape.tracer()
        self.is_ordinary = kind is None and not read_only and not applies_zero_rule
        self.is_fast_path = self.is_ordinary and self.tracer is None
        self.own_kind = _ndarray if self.tracer is None else self.tracer.kind  # the class of arrays that it may modify

    def run(self, records: list[Record], useful: set[Node] | None, kept: set[Node], past_targets: bool) -> None:
        """Process all records from the newest to the oldest; keep the adjoints of the nodes in ``kept``."""
        for record in itertools.chain(records, self.postponed):
            g = self.adjoints.get(record) if record in kept else self.adjoints.pop(record, None)
            parents = record.parents
            if g is None or (record in kept and not past_targets):
                continue
            if useful is not None and parents is not None:
                parents = tuple([parent if parent in useful else None for parent in parents])
            self.pull_back(record, g, parents)

    def pull_back(  # noqa: C901  (splitting the loop would add a call per record: 5 % of the time of a small operation)
        self, record: Record, g: Array, parents: Parents | None
    ) -> None:
        """Run the rules of a record, and add the results to the adjoints of its parents."""
        row, params, saved, inputs = record.row, record.params, record.ans, record.inputs
        if inputs is None or parents is None:
            raise _freed_error(record)
        if row.add_to is not None and self.is_ordinary and self._is_postponed(record, g, parents):
            return
        if inputs is not parents:
            inputs = values_of(inputs)
        ans: Any = record if saved is None else saved.data
        is_unbroadcast = g.shape != record.shape  # then results may need summation even if they have the right shape
        if is_unbroadcast and not row.accepts_unbroadcast_g:
            g, is_unbroadcast = _broadcast_to(g, record.shape), False
        if not self.is_fast_path:
            g, ans, inputs = self._prepare(record, g, ans, inputs)  # type: ignore[assignment]
        adjoints, rules, together, i = self.adjoints, row.vjps, row.together, 0
        if self.tracer is not None:
            rules, together = self.tracer.followed(record)
        is_fast = self.is_fast_path and not is_unbroadcast
        try:
            if together is not None:
                needed = Needed([i for i, parent in enumerate(parents) if parent is not None])
                needed.used = functools.partial(self.zero_rule.used, record)
                found, inputs = together(g, ans, needed, *inputs, **params), ()
                if type(found) is not dict or not found.keys() >= {*needed}:
                    raise TypeError(f"the rule of {row.name!r} must return a dict for inputs {needed}, got {found}")
                rules = tuple([lambda *_, i=i, **__: found[i] for i in range(len(parents))])
            for i, parent in enumerate(parents):
                if parent is None:
                    continue
                if row.add_to is not None and self.is_ordinary and self._is_owned(parent):
                    add_to = row.add_to if self.tracer is None else self.tracer.adding(record)
                    add_to(adjoints[parent], g, i, *inputs, **params)
                    if g.size != 1 or not 0 < abs(g) < math.inf:  # a nonzero scalar is used: its NaN is not replaced
                        self.added_in_place.add(parent)
                    continue
                out = rules[i](g, ans, *inputs, **params) if params else rules[i](g, ans, *inputs)  # type: ignore[misc,operator]
                if not (is_fast and type(out) is _ndarray and out.dtype is parent.dtype and out.shape == parent.shape):
                    out = self._checked(record, i, parent, g, out)
                if type(parent) is Record and parent not in adjoints:
                    adjoints[parent] = out
                else:
                    self._add(parent, out, row, g, ans, inputs)
        except Exception as error:
            error.add_note(_error_note(record, i, parents))
            raise

    def _checked(self, record: Record, i: int, node: Node, g: Array, out: Array) -> Array:
        """The result of a rule after the zero rule, in the shape and dtype of the input."""
        if self.applies_zero_rule:
            out = self.zero_rule.apply(record, i, g, out)
        for observer in observers:
            observer.after_rule(record, i, g, out)
        return _cast_to_input(out, record, node)

    def _add(self, node: Node, out: Array, row: Row, g: Array, ans: Array, inputs: Sequence[Any]) -> None:
        """Add a gradient to the adjoint of a node, in place if the pass owns the array."""
        adjoint = self.adjoints.get(node)
        if out.size > _LARGE and self.is_ordinary:
            operands = [x for x in (g, ans, *inputs) if type(x) in NDARRAYS]
            are_smaller = row.together is None and sum([x.size for x in operands]) < out.size
            self.nan_seen = self.nan_seen or (not _all_finite(operands) if are_smaller else _has_nan(out))
        if adjoint is None:
            if type(node) is Leaf and is_new(out, g, ans, inputs):  # before the next line adds a reference
                self.owned.add(node)
            self.adjoints[node] = out
        elif self._is_owned(node):
            np.add(adjoint, out, out=adjoint)
        else:
            self.adjoints[node] = adjoint + out
            self.owned.add(node)

    def _is_postponed(self, record: Record, g: Array, parents: Parents) -> bool:
        """Postpone a record whose parents are all leaves, so that its gradients can be added to others in place."""
        if record in self.postponed or any([type(parent) is Record for parent in parents]):
            return False
        self.postponed[record], self.adjoints[record] = None, g
        return True

    def _is_owned(self, node: Node) -> bool:
        """Whether the adjoint of a node is an array of its full shape that this pass may modify."""
        adjoint: Any = self.adjoints.get(node) if node in self.owned and self.kind is None else None
        is_array = type(adjoint) is self.own_kind and not getattr(adjoint, "is_scalar", False)
        return is_array and adjoint.shape == node.shape and bool(adjoint.dtype == node.dtype)

    def _prepare(self, record: Record, g: Array, ans: Array, inputs: Sequence[Any]) -> tuple[Any, Any, Sequence[Any]]:
        """The arguments for a rule in a pass that is recorded, observed or read-only."""
        for observer in observers:
            observer.before_rules(record)
        if self.kind is not None:
            set_mode(Mode(True, record, self.read_only))
            ans = ans if record.ans is None else restored(self.kind, record.ans, record)
            triples = zip(inputs, record.inputs or (), record.parents or (), strict=True)
            inputs = [restored(self.kind, x, node) if type(x) is Saved else value for value, x, node in triples]
        if self.read_only:
            g, ans, inputs = read_only(g), read_only(ans), [read_only(x) for x in inputs]
        return g, ans, inputs

    def has_nan(self) -> bool:
        """Whether a gradient contains NaN. Large ones were checked by `_add`, unless they were modified in place."""
        unchecked = [g for node, g in self.adjoints.items()
                     if g.size <= _LARGE or type(node) is Record or node in self.added_in_place]  # fmt: skip
        return self.nan_seen or any(map(_has_nan, unchecked))

    def make_independent(self) -> None:
        """Broadcast each gradient that is returned to its full shape, and copy those that share memory."""
        for node, g in self.adjoints.items():
            if type(g) is not _ndarray and not isinstance(g, np.generic):
                full: Array = g if g.shape == node.shape else np.broadcast_to(g, node.shape)
                own = np.positive(full) if isinstance(g, Variable) else full.copy()
                self.adjoints[node] = full if node in self.owned else own
            elif not (self._is_owned(node) and g.base is None):
                self.adjoints[node] = np.full(node.shape, g, node.dtype)


def reachable(roots: Iterable[Node]) -> list[Record]:
    """All records that lead to ``roots``, from the newest to the oldest, which is a topological order."""
    seen: set[Node] = set(roots)
    stack = [node for node in seen if type(node) is Record]
    records = []
    while stack:
        record = stack.pop()
        records.append(record)
        parents = record.parents
        if parents is None:
            raise _freed_error(record)
        for parent in parents:
            if parent is not None and parent not in seen:
                seen.add(parent)
                if type(parent) is Record:
                    stack.append(parent)
    records.sort(key=operator.attrgetter("number"), reverse=True)
    return records


def _nodes_on_paths_to(targets: set[Node], records: list[Record]) -> set[Node]:
    """The nodes on a path from a record to a target, including both ends."""
    useful = set(targets)
    for record in reversed(records):
        parents = record.parents
        if parents is None:
            raise _freed_error(record)
        if any([parent in useful for parent in parents]):
            useful.add(record)
    return useful


def _cast_to_input(out: Array, record: Record, node: Node) -> Array:
    """The result of a rule in the dtype of its input, and in a shape that broadcasts to that of its input."""
    row, shape = record.row, node.shape
    if not hasattr(out, "dtype"):
        raise TypeError(f"the rule of {row.name!r} returned {type(out).__name__}, not an array")
    if row.accepts_unbroadcast_g and shape != record.shape != out.shape:
        out = _scale_by_repeats(out, record.shape, shape)
    if out.shape != shape:
        out = _undo_broadcast(out, shape)
    if out.dtype != node.dtype:
        if out.dtype.kind == "c" and node.dtype.kind != "c":
            if not row.complex:
                raise TypeError(f"the rule of {row.name!r} returned a complex gradient for a real input")
            out = np.real(out)
        out = out.astype(node.dtype)
    return out


def _undo_broadcast(out: Array, shape: tuple[int, ...]) -> Array:
    """Sum a gradient over the axes along which an input of this shape was broadcast.

    Where the gradient is constant along an axis, its length may stay 1: it still broadcasts to ``shape``.
    """
    add = total_of_array if type(out) is _ndarray else total
    leading, repeated = _repeated_axes(out.shape, shape)
    if leading:
        out = add(out, axis=leading)
    return add(out, axis=repeated, keepdims=True) if repeated else out


def _broadcast_to(g: Array, shape: tuple[int, ...]) -> Array:
    """`numpy.broadcast_to`; for few elements a new array, which is several times as fast."""
    if isinstance(g, Variable) or math.prod(shape) > _LARGE:
        return np.broadcast_to(g, shape)
    out = np.empty_like(g, shape=shape)
    out[...] = g
    return out


@functools.lru_cache(1024)
def _repeated_axes(of: tuple[int, ...], shape: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The axes of a gradient of shape ``of`` that an input of this shape does not have, and those of length 1 in it."""
    extra = max(len(of) - len(shape), 0)
    lengths, rest = shape[len(shape) - len(of) + extra :], of[extra:]
    if any(m not in (1, n) and n != 1 for n, m in zip(lengths, rest, strict=True)):
        raise ShapeError(f"the rule returned a gradient of shape {of} for an input of shape {shape}")
    return tuple(range(extra)), tuple(i for i, (n, m) in enumerate(zip(lengths, rest, strict=True)) if n == 1 != m)


def _scale_by_repeats(out: Array, of: tuple[int, ...], shape: tuple[int, ...]) -> Array:
    """Multiply by the lengths of axes of ``of`` that have length 1 in ``out`` and in ``shape``, as summing would."""
    out_shape, in_shape = (1,) * (len(of) - out.ndim) + out.shape, (1,) * (len(of) - len(shape)) + shape
    repeats = math.prod([n for n, m, k in zip(of, out_shape, in_shape, strict=True) if m == k == 1])
    return out if repeats == 1 else widened(out) * repeats


def _has_nan(g: Any) -> bool:
    """Whether an array contains NaN, which its minimum then is."""
    return not _is_bounded(g) and g.size > 0 and bool(np.isnan(np.minimum.reduce(g, axis=None)))


def _all_finite(arrays: Sequence[Any]) -> bool:
    """Whether all elements of all arrays are finite."""
    return all([_is_bounded(x) or bool(np.isfinite(x).all()) for x in arrays])


def _is_bounded(x: Any) -> bool:
    """Whether the sum of squares, computed by BLAS, is finite: the fastest proof that all elements are."""
    if type(x) is not _ndarray and type(x) in NDARRAYS:  # in a recorded program, a condition of its validity
        return bool(x.trace.require(_is_bounded, x))
    if type(x) is not _ndarray or x.dtype.char not in "fd" or not x.flags.forc:
        return False
    vector = x if x.ndim == 1 else x.ravel("K")
    return bool(np.dot(vector, vector) < math.inf)


def _freed_error(record: Record) -> FreedGraphError:
    return FreedGraphError(
        f"this graph, with {record.row.name!r} called at {record.where()}, was freed by an earlier backward pass: "
        "pass retain_graph=True to the earlier backward() or grad(), or compute the forward pass again")  # fmt: skip


def _error_note(record: Record, i: int, parents: Parents) -> str:
    shapes = ", ".join(str(np.shape(x)) for x in values_of(record.inputs or ()))
    return (f"tensorgrad: in the gradient rule of {record.row.name!r} for input {i + 1} of shape "
            f"{getattr(parents[i], 'shape', None)}; inputs {shapes}; output {record.shape}; parameters "
            f"{record.params}; it was called at {record.where()}")  # fmt: skip
