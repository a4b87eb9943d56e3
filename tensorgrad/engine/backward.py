"""The backward pass.

The records that lead to the roots are processed from the newest to the oldest: the rules of each are run, and the
gradients are accumulated at the nodes of its inputs. This is a loop, not a recursion, so that chains of any length
work, and each record is visited once, however many paths lead to it.

`backward_pass` finds the records, and lets a `Pass` process them up to three times: without the zero rule; if there
may be a NaN in the result, with it; and if there still is one, in a recorded pass, since some rules find a limit only
there. `Pass.pull_back` is the body of the loop: it runs the rules of one record, and adds their results to the
adjoints.
"""

from __future__ import annotations

import functools
import itertools
import math
import operator
import sys
from collections.abc import Callable, Container, Iterable, Sequence
from typing import Any, NoReturn, TypeAlias

import numpy as np

from tensorgrad.engine import tape
from tensorgrad.engine.aliasing import Saved, read_only, restored, values_of
from tensorgrad.engine.broadcasting import broadcast_to, scale_by_repeats, total, undo_broadcast
from tensorgrad.engine.record import observers
from tensorgrad.engine.registry import Needed, Row
from tensorgrad.engine.tape import Array, Leaf, Mode, Node, Record, Variable, set_mode
from tensorgrad.engine.zero_rule import ZeroRule
from tensorgrad.errors import FreedGraphError
from tensorgrad.foreign import NDARRAYS
from tensorgrad.summation import total_of_array

Parents: TypeAlias = tuple[Node | None, ...]
_ndarray = np.ndarray
_LARGE = 10_000  # elements; for larger gradients, fewer passes over them are made


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
    targets = None if targets is None else set(targets)
    useful = None if targets is None else _nodes_on_paths_to(targets, records)
    trace, mode, tensor_class = tape.tracer(), tape.current_mode(), type(roots[0][0])
    zero_rule = ZeroRule(seeds, records, create_graph, used)
    # Attempts, until there is no NaN: the class of the tensors for rules in a recorded pass, and whether the zero rule
    # is applied. Observers see each step, so that a recorded pass, which finds all limits, comes first for them.
    attempts: list[Any] = [(None, False), (None, True), (tensor_class, True)]
    if create_graph or (observers and trace is None):
        attempts = [(tensor_class, True)] if create_graph else [(tensor_class, True), (None, True)]
    result: Any = None
    try:
        for recorded_class, applies_zero_rule in attempts:
            if result is not None and not result.may_have_nan():
                break
            tape.set_tracer(trace if result is None else None)  # a program cannot find out which elements are used
            set_mode(Mode(recorded_class is not None, None, mode.read_only))
            attempt = Pass(seeds, zero_rule, recorded_class, mode.read_only, applies_zero_rule)
            try:
                with np.errstate(divide="ignore", invalid="ignore"):
                    attempt.run(records, useful, targets or (), past_targets)
            except Exception:
                if recorded_class is None or create_graph:
                    raise
                continue  # a rule that cannot be recorded
            result = attempt
        result.make_independent()
    finally:
        set_mode(mode)
        tape.set_tracer(trace)
    if not (retain_graph or create_graph):
        for record in records:
            record.inputs = None  # first, so that a pass in another thread finds the record freed
            record.parents = record.ans = None
            record.params = tape.NO_PARAMS
    found: dict[Node, Array] = result.adjoints
    if result.tensor_class is not None and not create_graph:
        found = {node: tape.value_of(g) for node, g in found.items()}
    return found if trace is result.tracer else trace.unrecorded(found)


class Pass:
    """One attempt at a backward pass, with the gradient accumulated at each node so far: its *adjoint*.

    Rules get plain arrays that they could write to, and no zero rule is applied, if ``adds_in_place``. Then gradients
    are added in place, to adjoints that the pass owns, and by the ``add_to`` of a row.
    """

    def __init__(self, seeds: dict[Node, Array], zero_rule: ZeroRule, tensor_class: type[Variable] | None,
                 read_only: bool, applies_zero_rule: bool) -> None:  # fmt: skip
        self.adjoints = dict(seeds)
        self.owned: set[Node] = set()  # nodes whose adjoint is an array that only this pass references
        self.postponed: dict[Record, None] = {}  # records whose gradients can be added to those of leaves in place
        self.zero_rule, self.applies_zero_rule = zero_rule, applies_zero_rule
        self.nan_seen = False
        self.checked: set[Node] = set()  # large leaves whose gradients were searched for NaN when they were added
        self.tensor_class, self.read_only = tensor_class, read_only
        self.tracer = tape.tracer()
        self.adds_in_place = tensor_class is None and not read_only and not applies_zero_rule
        self.is_plain = self.adds_in_place and self.tracer is None

    def run(self, records: list[Record], useful: set[Node] | None, kept: Container[Node], past_targets: bool) -> None:
        """Process all records from the newest to the oldest; keep the adjoints of the nodes in ``kept``."""
        for record in itertools.chain(records, self.postponed):
            g = self.adjoints.get(record) if record in kept else self.adjoints.pop(record, None)
            parents = record.parents
            if g is None or (record in kept and not past_targets):
                continue
            if useful is not None and parents is not None:
                parents = tuple([parent if parent in useful else None for parent in parents])
                if not any(parents):
                    continue
            self.pull_back(record, g, parents)

    def pull_back(  # noqa: C901  (splitting the loop would add a call per record: 5 % of the time of a small operation)
        self, record: Record, g: Array, parents: Parents | None
    ) -> None:
        """Run the rules of a record, and add the results to the adjoints of its parents.

        ``g`` is not modified: other nodes may have the same array. It may be smaller than the result of the record, to
        whose shape it then broadcasts: the gradient of a sum is one number. ``parents`` are those of the record, with
        None for each that no gradient is needed for.
        """
        row: Row = record.row if self.tracer is None else self.tracer.row(record)
        params, saved_ans, inputs = record.params, record.ans, record.inputs
        if inputs is None or parents is None:
            _raise_freed(record)
        if row.add_to is not None and self.adds_in_place and self._postpone(record, g, parents):
            return
        if inputs is not parents:  # else nothing was saved
            inputs = values_of(inputs)
        ans: Any = record if saved_ans is None else saved_ans.data
        is_unbroadcast = g.shape != record.shape  # then results may need summation even if they have the right shape
        if is_unbroadcast and not row.accepts_unbroadcast_g:
            g, is_unbroadcast = broadcast_to(g, record.shape), False
        if not self.is_plain:
            g, ans, inputs = self._prepare(record, g, ans, inputs)  # type: ignore[assignment]
        adjoints, rules, found, i = self.adjoints, row.vjps, None, None
        simple = self.is_plain and not is_unbroadcast
        try:
            if row.together is not None:
                found, inputs = self._run_together(row, record, g, ans, inputs, parents), ()  # no work for each pair
            for i, parent in enumerate(parents):
                if parent is None:
                    continue
                if row.add_to is not None and self.adds_in_place and self._is_owned(parent):
                    row.add_to(adjoints[parent], g, i, *inputs, **params)
                    if g.size != 1 or not 0 < abs(g) < math.inf:  # a nonzero scalar is used: its NaN is not replaced
                        self.checked.discard(parent)
                    continue
                if found is not None:
                    out = found.pop(i)
                else:
                    out = rules[i](g, ans, *inputs, **params) if params else rules[i](g, ans, *inputs)  # type: ignore[misc,operator]
                if not (simple and type(out) is _ndarray and out.dtype is parent.dtype and out.shape == parent.shape):
                    out = self._checked(record, i, parent, g, out)
                if type(parent) is Record and parent not in adjoints and (row.add_to is None or out.size <= _LARGE):
                    adjoints[parent] = out
                else:
                    self._add(parent, out, row, g, ans, inputs)
        except Exception as error:
            error.add_note(_error_note(record, i, parents))
            raise

    def _run_together(self, row: Row, record: Record, g: Array, ans: Array, inputs: Any, parents: Parents) -> Any:
        """The results of a rule for several inputs, by position."""
        needed = Needed([i for i, parent in enumerate(parents) if parent is not None])
        needed.used = functools.partial(self.zero_rule.used, record)
        found = row.together(g, ans, needed, *inputs, **record.params)  # type: ignore[misc]
        if not isinstance(found, dict) or not found.keys() >= {*needed}:
            raise TypeError(f"the rule of {row.name!r} must return a dict for inputs {needed}, got {found}")
        return {i: found[i] for i in needed}

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
        is_large = self.adds_in_place and type(node) is Leaf and node.size > _LARGE
        if is_large and (adjoint is None or node in self.checked):
            self.nan_seen = self.nan_seen or _may_have_nan(out, row, (g, ans, *inputs))
            self.checked.add(node)
        if adjoint is None:
            # The gradients of other slices may follow, which are added in place. The next line adds a reference.
            if (type(node) is Leaf or row.add_to is not None) and _is_new(out, g, ans, inputs):
                self.owned.add(node)
            self.adjoints[node] = out
        elif self._is_owned(node):
            np.add(adjoint, out, out=adjoint)
        else:
            self.adjoints[node] = adjoint + out
            self.owned.add(node)

    def _postpone(self, record: Record, g: Array, parents: Parents) -> bool:
        """Postpone a record whose parents are all leaves, so that its gradients can be added to others in place."""
        if record in self.postponed or any([type(parent) is Record for parent in parents]):
            return False
        self.postponed[record], self.adjoints[record] = None, g
        return True

    def _is_owned(self, node: Node) -> bool:
        """Whether the adjoint of a node is an array of its full shape that this pass may modify."""
        adjoint: Any = self.adjoints.get(node) if node in self.owned and self.tensor_class is None else None
        is_array = type(adjoint) is _ndarray if self.tracer is None else self.tracer.may_modify(adjoint)
        return is_array and adjoint.shape == node.shape and bool(adjoint.dtype == node.dtype)

    def _prepare(self, record: Record, g: Array, ans: Array, inputs: Sequence[Any]) -> tuple[Any, Any, Sequence[Any]]:
        """Set the mode for a pass that is recorded, observed or read-only, and return the arguments for its rule."""
        for observer in observers:
            observer.before_rules(record)
        if self.tensor_class is not None:
            set_mode(Mode(True, record, self.read_only))
            ans = ans if record.ans is None else restored(self.tensor_class, record.ans, record)
            triples = zip(inputs, record.inputs or (), record.parents or (), strict=True)
            inputs = [restored(self.tensor_class, x, node) if type(x) is Saved else value for value, x, node in triples]
        if self.read_only:
            g, ans, inputs = read_only(g), read_only(ans), [read_only(x) for x in inputs]
        return g, ans, inputs

    def may_have_nan(self) -> bool:
        """Whether a gradient contains NaN or, if that is not known, may contain one."""
        return self.nan_seen or any([_has_nan(g) for node, g in self.adjoints.items() if node not in self.checked])

    def make_independent(self) -> None:
        """Broadcast each gradient that is returned to its full shape, and copy those that share memory."""
        for node, g in self.adjoints.items():
            if type(g) is not _ndarray and not isinstance(g, np.generic):
                full: Array = g if g.shape == node.shape else np.broadcast_to(g, node.shape)
                if full is not g or node not in self.owned:
                    full = np.positive(full) if isinstance(g, Variable) else full.copy()
                self.adjoints[node] = full
            elif not (self._is_owned(node) and g.base is None):
                self.adjoints[node] = np.full(node.shape, g, node.dtype)


def _is_new(out: Any, g: Any, ans: Any, inputs: Any) -> bool:
    """Whether a rule created this array and kept no reference to it, so that it may be modified and returned."""
    if type(out) is not _ndarray and type(out) in NDARRAYS:
        return bool(out.trace.take(out))
    unshared = type(out) is _ndarray and out.base is None and sys.getrefcount(out) <= _REFERENCES_OF_NEW
    return unshared and out is not g and out is not ans and all([out is not x for x in inputs])


def _references_of_new() -> int:
    """The result of `sys.getrefcount` for an array without other references, in calls nested as those of `_is_new`."""

    def is_new(out: Any) -> int:
        return sys.getrefcount(out)

    def add(out: Any) -> int:
        return is_new(out)

    out = np.empty(1)
    count = add(out)
    return count if out is not None else 0  # so that the variable is in use until here, as in `pull_back`


_REFERENCES_OF_NEW = _references_of_new()  # depends on the version of Python


def reachable(roots: Iterable[Node]) -> list[Record]:
    """All records that lead to ``roots``, from the newest to the oldest, which is a topological order."""
    seen: set[Node] = set(roots)
    stack = [node for node in seen if type(node) is Record]
    records = []
    while stack:
        record = stack.pop()
        records.append(record)
        for parent in record.parents or _raise_freed(record):
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
        if any([parent in useful for parent in record.parents or _raise_freed(record)]):
            useful.add(record)
    return useful


def _cast_to_input(out: Array, record: Record, node: Node) -> Array:
    """The result of a rule in the dtype of its input, and in a shape that broadcasts to that of its input."""
    row, shape = record.row, node.shape
    if not hasattr(out, "dtype"):
        raise TypeError(f"the rule of {row.name!r} returned {type(out).__name__}, not an array")
    if row.accepts_unbroadcast_g and shape != record.shape != out.shape:
        out = scale_by_repeats(out, record.shape, shape)
    if out.shape != shape:
        out = undo_broadcast(out, shape, total_of_array if type(out) is _ndarray else total)
    if out.dtype != node.dtype:
        if out.dtype.kind == "c" and node.dtype.kind != "c":
            if not row.complex:
                raise TypeError(f"the rule of {row.name!r} returned a complex gradient for a real input")
            out = np.real(out)
        out = out.astype(node.dtype)
    return out


def _may_have_nan(out: Array, row: Row, arguments: Sequence[Any]) -> bool:
    """Whether the result of a rule contains NaN or, if it consists of products, one of the factors is not finite.

    Each element of a factor of a matrix product contributes to all elements of a row, or of a column, of the product:
    if one of the factors is not finite, neither is the first row or the first column.
    """
    if row.fn is np.matmul and type(out) is _ndarray and out.ndim == 2 and _all_finite([out[0], out[:, 0]]):
        return False
    operands = [x for x in arguments if type(x) in NDARRAYS or isinstance(x, np.generic)]
    is_product = not row.singular and row.together is None
    return not _all_finite(operands) if is_product and sum([x.size for x in operands]) < out.size else _has_nan(out)


def _has_nan(g: Any) -> bool:
    """Whether an array contains NaN, which its minimum then is."""
    return not surely_finite(g) and g.size > 0 and bool(np.isnan(np.minimum.reduce(g, axis=None)))


def _all_finite(arrays: Sequence[Any]) -> bool:
    """Whether all elements of all arrays are finite."""
    return all([surely_finite(x) or bool(np.isfinite(x).all()) for x in arrays])


def surely_finite(x: Any) -> bool:
    """Whether the sum of squares, computed by BLAS, is finite: the fastest proof that all elements are.

    If it is not, or cannot be computed so, they may still be.
    """
    if type(x) is not _ndarray and type(x) in NDARRAYS:  # in a recorded program, a condition of its validity
        return bool(x.trace.require(surely_finite, x))
    if type(x) is not _ndarray or x.dtype.char not in "fd" or not (x.flags.forc or x.ndim == 1):
        return False
    x = x if x.flags.c_contiguous else x.T  # so that a matrix is not copied
    return bool(np.vdot(x, x) < math.inf)  # which, unlike `numpy.dot`, does not warn of an overflow


def _raise_freed(record: Record) -> NoReturn:
    raise FreedGraphError(
        f"this graph, with {record.row.name!r} called at {record.where()}, was freed by an earlier backward pass: "
        "pass retain_graph=True to the earlier backward() or grad(), or compute the forward pass again")  # fmt: skip


def _error_note(record: Record, i: int | None, parents: Parents) -> str:
    shapes = ", ".join(str(np.shape(x)) for x in values_of(record.inputs or ()))
    of_input = "" if i is None else f" for input {i + 1} of shape {getattr(parents[i], 'shape', None)}"
    return (f"tensorgrad: in the gradient rule of {record.row.name!r}{of_input}; inputs {shapes}; output "
            f"{record.shape}; parameters {record.params}; it was called at {record.where()}")  # fmt: skip
