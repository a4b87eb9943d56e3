"""The walk back along the tape.

The walk takes the records behind a result, the newest first, runs the rule of each, adds up what arrives at each value,
and lets go of everything as soon as it is used. It is a loop, not a recursion: a chain of any length works, and a value
that many paths lead to is visited once.
"""

from __future__ import annotations

import operator
import sys
from collections.abc import Iterable
from typing import Any

import numpy as np

from tensorgrad.anomaly import after_rule, compare_with_copies, watchers
from tensorgrad.errors import FreedGraphError, ShapeError
from tensorgrad.tape import Array, Node, Record, Variable, locked, mode, value_of

_NUMBER = operator.attrgetter("number")


def seed_for(output: Variable, seed: Any) -> Any:
    """The gradient a walk starts from: ``seed`` in the shape and dtype of ``output``, or 1."""
    if output.data.dtype.kind == "c":
        raise TypeError(
            "a complex tensor has no gradient to start from: differentiate np.real, np.imag or np.abs of it"
        )
    if seed is None:
        if output.data.size != 1:
            raise ShapeError(
                f"a tensor of shape {output.shape} has no single gradient: reduce it first, with .sum() or "
                f".mean(), or pass a seed of shape {output.shape}"
            )
        return np.ones(output.shape, output.dtype)
    if isinstance(seed, Variable) and seed.shape == output.shape and seed.dtype == output.dtype:
        return seed
    seed = np.asarray(value_of(seed))
    if seed.dtype.kind not in "fiub":
        raise TypeError(f"the seed must hold real numbers, not {seed.dtype}")
    seed = seed.astype(output.dtype, copy=False)
    if seed.shape != output.shape:
        raise ShapeError(f"the seed has shape {seed.shape}, the tensor {output.shape}: they must be the same")
    return seed


def walk(roots: Iterable[tuple[Variable, Array]], targets: Iterable[Variable] | None = None, *,
         create_graph: bool = False, retain_graph: bool = False,
         through: bool = True) -> dict[Node, Array]:  # fmt: skip
    """Pull the gradients of ``roots`` back along the tape.

    Parameters
    ----------
    roots
        Pairs of a tracked tensor and the gradient to start from, of the tensor's shape.
    targets
        Tensors to compute gradients for, leaves or not; None for all leaves. No other gradient is computed.
    create_graph
        Record the walk itself, so that its results can be differentiated; implies ``retain_graph``.
    retain_graph
        Keep what the records saved, for another walk. Otherwise each record is freed as soon as it is done.
    through
        Whether to walk on from a target to what it was made from.

    Returns
    -------
    dict
        The gradient of each leaf (or target) that the roots depend on. The arrays are nobody else's.
    """
    kind: type[Variable] = Variable
    adjoints: dict[Node, Array] = {}
    owned: set[Node] = set()  # whose adjoint is an array this walk made and nobody else holds
    for root, seed in roots:
        kind = type(root)
        node = root.record or root
        adjoints[node] = adjoints[node] + seed if node in adjoints else seed
    records = reachable(adjoints)
    wanted = None if targets is None else {target.record or target for target in targets}
    useful = None if wanted is None else _leading_to(wanted, records)
    ends = frozenset() if through or wanted is None else wanted
    invalid: list[str] = []  # NumPy tells of 0 * inf and 0 / 0 here, as they happen
    masked = False  # whether a function was passed that leaves elements out
    freeing = not (retain_graph or create_graph)

    recording = mode.recording
    mode.recording = 2 if create_graph else 0
    try:
        with np.errstate(divide="ignore", invalid="call", call=lambda what, _: invalid.append(what)):
            for record in records:
                g = adjoints.pop(record, None) if wanted is None or record not in wanted else adjoints.get(record)
                row, inputs, ans, parents = record.row, record.inputs, record.ans, record.parents
                if useful is not None:
                    parents = [(i, parent) for i, parent in parents or () if parent in useful]
                if g is None or not parents or inputs is None or record in ends:
                    continue
                if watchers:
                    compare_with_copies(record)
                if create_graph:
                    inputs, ans = _relink(record, kind)
                    mode.caller = record.caller
                masked = masked or row.masks
                if not row.short and g.shape != record.shape:
                    g = np.broadcast_to(g, record.shape)
                if mode.locked:
                    g, ans, inputs = locked(g), locked(ans), [locked(x) for x in inputs]
                found = None
                if row.together is not None:
                    found = row.together(g, ans, tuple(i for i, _ in parents), *inputs, **record.params)
                for i, parent in parents:
                    if row.add_to is not None and parent in owned and not (create_graph or watchers):
                        held = adjoints[parent]
                        if type(held) is np.ndarray and held.shape == parent.shape:
                            row.add_to(held, g, **record.params)
                            continue
                    like = parent if type(parent) is Record else parent.data  # type: ignore[union-attr]
                    try:
                        out = row.vjps[i](g, ans, *inputs, **record.params) if found is None else found[i]  # type: ignore[misc]
                        if type(out) is not np.ndarray and not hasattr(out, "shape"):
                            raise TypeError(f"the rule of {row.name!r} returned {type(out).__name__}, not an array")
                        if (masked or record.careful or invalid) and (row.elementwise or row.singular) and out is not g:
                            out = _keep_zeros(g, out, row.elementwise)
                        invalid.clear()
                        if watchers:
                            after_rule(record, i, g, out)
                        if row.short and like.shape != record.shape != out.shape:
                            out = np.broadcast_to(out, record.shape)
                        if out.shape != like.shape:
                            out = _undo_broadcast(out, like.shape)
                        if out.dtype is not like.dtype and out.dtype != like.dtype:
                            if out.dtype.kind == "c" and like.dtype.kind != "c":
                                if not row.complex:
                                    raise TypeError(
                                        f"the rule of {row.name!r} gave a complex gradient for a real input"
                                    )
                                out = np.real(out)
                            out = out.astype(like.dtype)
                    except Exception as error:
                        error.add_note(_describe(record, i, parent))
                        raise
                    held = adjoints.get(parent)
                    if held is None:
                        if type(parent) is not Record and _is_new(out, g, ans, inputs):
                            owned.add(parent)
                        adjoints[parent] = out
                    elif parent in owned and type(held) is np.ndarray and held.shape == like.shape and not create_graph:
                        np.add(held, out, out=held)
                    else:
                        adjoints[parent] = held + out
                        owned.add(parent)
                if freeing:
                    record.free()
        _make_independent(adjoints, owned)
    finally:
        mode.recording = recording
    return adjoints


def _make_independent(adjoints: dict[Node, Array], owned: set[Node]) -> None:
    """Give each gradient that is handed out its full shape and memory of its own."""
    for node, g in adjoints.items():
        if g.shape != node.shape:
            g = adjoints[node] = np.broadcast_to(g, node.shape)
        if isinstance(g, Variable):
            adjoints[node] = g if node in owned else np.positive(g)  # type: ignore[call-overload]
        elif node not in owned or type(g) is not np.ndarray or g.base is not None:
            adjoints[node] = np.array(g, dtype=node.dtype)


def reachable(roots: Iterable[Node]) -> list[Record]:
    """All records behind ``roots``, the newest first: every record before what it was made from."""
    seen = {node for node in roots if type(node) is Record}
    stack = list(seen)
    while stack:
        record = stack.pop()
        if record.parents is None:
            raise FreedGraphError(
                f"this graph was already walked back, which freed its {record.row.name!r} (called at "
                f"{record.where()}): pass retain_graph=True to the earlier backward() or grad(), or compute the "
                "forward pass again"
            )
        for _, parent in record.parents:
            if type(parent) is Record and parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return sorted(seen, key=_NUMBER, reverse=True)


def _leading_to(wanted: set[Node], records: list[Record]) -> set[Node]:
    """The nodes on a path from a record to a wanted node, those included."""
    useful = set(wanted)
    for record in reversed(records):
        if any(parent in useful for _, parent in record.parents or ()):
            useful.add(record)
    return useful


def _relink(record: Record, kind: type[Variable]) -> tuple[list[Any], Any]:
    """The saved arrays as tensors again, on the tape and guarded as before, so that a rule run on them records."""
    inputs, ans, guards = list(record.inputs or ()), record.ans, record.guards
    if guards is None:
        return inputs, ans
    nodes = dict(record.parents or ())
    for i, data in enumerate(inputs):
        if guards[i] is not None:
            node = nodes.get(i)
            inputs[i] = node if isinstance(node, Variable) else _tensor(data, node, guards[i], kind)
    return inputs, None if guards[-1] is None else _tensor(ans, record, guards[-1], kind)


def _tensor(data: Any, record: Record | None, readers: Any, kind: type[Variable]) -> Variable:
    out = kind.__new__(kind)
    out.data, out.record, out.tracked, out.readers = data, record, record is not None, readers
    out.grad = out.views = None
    return out


def _undo_broadcast(out: Array, shape: tuple[int, ...]) -> Array:
    """Sum a gradient over the axes along which an input of this shape was repeated.

    Where the gradient is the same along an axis, it may stay short: it still broadcasts to ``shape``.
    """
    extra = out.ndim - len(shape)
    if extra > 0:
        out = np.add.reduce(out, axis=tuple(range(extra)))
    lengths = shape[len(shape) - out.ndim :]
    repeated = tuple(i for i, (n, m) in enumerate(zip(lengths, out.shape, strict=True)) if n == 1 != m)
    if repeated:
        out = np.add.reduce(out, axis=repeated, keepdims=True)
    if any(m not in (1, n) for n, m in zip(lengths, out.shape, strict=True)):
        raise ShapeError(f"the rule gave a gradient of shape {out.shape} for an input of shape {shape}")
    return out


def _keep_zeros(g: Array, out: Array, elementwise: bool) -> Array:
    """Where ``g`` is zero, ``0 * inf``, ``0 / 0`` and ``0 * nan`` are zero: what was not used has no gradient.

    This is looked after where it can matter: at singular functions and in all that was computed from them, in the
    rules of a recorded walk, behind functions that leave elements out, and where NumPy reports an invalid operation.
    Regular points keep their form, so that derivatives with respect to ``g`` stay right where ``g`` is 0.
    """
    nan = np.isnan(value_of(out))
    if not np.count_nonzero(nan):
        return out
    if not elementwise and g.shape != out.shape and g.size != 1:
        return out  # which element of g belongs to which of out, only the rule knows
    unused = nan & (value_of(g) == 0)
    return np.where(unused, 0, out) if unused.any() else out


def _is_new(out: Array, g: Array, ans: Array, inputs: list[Any]) -> bool:
    """Whether a rule made this array itself and kept no reference, so that it can be added into and handed over."""
    if type(out) is not np.ndarray or out.base is not None or sys.getrefcount(out) > _REFERENCES_OF_NEW:
        return False
    return out is not g and out is not ans and all(out is not x for x in inputs)


def _references_of_new() -> int:
    def count(x: Any) -> int:
        return sys.getrefcount(x)

    new = np.empty(1)
    references = count(new)
    return references if new is not None else 0


_REFERENCES_OF_NEW = _references_of_new()  # which versions of Python count differently


def _describe(record: Record, i: int, parent: Node) -> str:
    shapes = ", ".join(str(getattr(x, "shape", "not kept")) for x in record.inputs or ())
    return (
        f"tensorgrad: in the gradient rule of {record.row.name!r} for input {i + 1} of shape "
        f"{parent.shape}; inputs {shapes}; output {record.shape}; parameters {record.params}; "
        f"it was called at {record.where()}"
    )
