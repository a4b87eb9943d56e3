"""The tape: what an operation leaves behind, and the walk back along it.

The engine knows arrays, records and rules; it knows nothing of any function in particular, nor of neural
networks. Three ideas carry it:

* A `Record` is what remains of one operation: which function, from what, with which values. It points
  backward only, to where its inputs came from and never to its own output, so there are no reference
  cycles and a dropped result frees all that led to it.
* A `primitive` is a function with a `Row` in the gradient table: one *vector-Jacobian product* per input,
  ``vjp(g, ans, *inputs, **params)``: the upstream gradient ``g`` in, the gradient of that input out.
* Rows are written in NumPy. Given arrays they run at NumPy speed; given tensors (``create_graph``) the same
  line records, so the second derivative and all further ones need no rules of their own.

What no row mentions, because the walk does it for all of them: undoing a broadcast, keeping the dtype of
the input, and keeping a zero gradient zero where a derivative is infinite.
"""

from __future__ import annotations

import dis
import functools
import inspect
import itertools
import operator
import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Sequence
from contextlib import ContextDecorator
from types import CodeType, TracebackType
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from tensorgrad.errors import FreedGraphError, NoRuleError, OverwriteError, ShapeError

Array: TypeAlias = Any  # an ndarray or NumPy scalar; a tensor where the walk itself is recorded
Vjp: TypeAlias = Callable[..., Array]

_ndarray, _ref = np.ndarray, weakref.ref  # found faster than attributes, in code that runs at every operation
_numbers = itertools.count()
_NO_PARAMS: dict[str, Any] = {}
_NUMBER = operator.attrgetter("number")


class Variable:
    """What the tape sees of a tensor: a value, and how it came to be.

    ``record`` is None for a leaf. ``readers`` are weak references to the records that saved this value for
    their backward pass; tensors that share memory through tensorgrad share the list.
    """

    __slots__ = ("__weakref__", "data", "grad", "readers", "record", "tracked")

    data: np.ndarray[Any, Any]
    grad: Array
    tracked: bool
    record: Record | None
    readers: list[weakref.ref[Record]] | None
    careful = False  # as in a Record

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes."""
        return self.data.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of an element."""
        return self.data.dtype


class Record:
    """One operation on the tape; also the graph node of that operation's result."""

    __slots__ = (
        "__weakref__", "ans", "careful", "dtype", "guards", "inputs", "number", "params", "parents", "row", "shape",
    )  # fmt: skip

    row: Row
    parents: list[tuple[int, Node]] | None  # (position of the input, its node); None once freed
    inputs: list[Any] | None  # arrays; None in place of one that no rule will read
    guards: list[Any] | None  # the readers of each kept input, and of the output
    params: dict[str, Any]
    ans: Any
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    careful: bool  # infinities and NaN may be among its values: see `_keep_zeros`
    number: int  # counts up, so that sorting by it is a topological order

    def free(self) -> None:
        """Let go of everything saved; a later walk over this record is an error."""
        self.parents = self.inputs = self.ans = self.guards = None

    def __repr__(self) -> str:
        return f"<record {self.number}: {self.row.name} -> {self.shape}>"


Node: TypeAlias = "Variable | Record"  # a leaf is its own node


class _Mode(threading.local):
    """Switches of the current thread."""

    recording: int = 1  # 0: not at all; 1: what the user computes; 2: the rules of a walk with create_graph
    locked = False  # hand rules read-only arrays (gradcheck does)


mode = _Mode()


class no_grad(ContextDecorator):  # noqa: N801  (the field's name, used like a keyword)
    """Do not record inside: ``with no_grad():`` or ``@no_grad()``. Nests, and is exception-safe."""

    def __init__(self) -> None:
        self._before: list[int] = []

    def __enter__(self) -> no_grad:
        self._before.append(mode.recording)
        mode.recording = 0
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:  # fmt: skip
        mode.recording = self._before.pop()

    def _recreate_cm(self) -> no_grad:
        return no_grad()  # of each call its own, so that threads do not meet in one

    def __call__(self, func: Any) -> Any:
        """Decorate a function."""
        if inspect.isgeneratorfunction(func) or inspect.iscoroutinefunction(func) or inspect.isasyncgenfunction(func):
            raise TypeError(
                f"no_grad cannot decorate {func.__name__!r}: a generator or coroutine runs after the call "
                "returned. Write `with tg.no_grad():` inside it."
            )
        return super().__call__(func)


# ------------------------------------------------------------------------------------------ the gradient table


rows: dict[Callable[..., Any], Row] = {}
"""The gradient table, keyed by what runs the function: the result of `primitive`."""

table: dict[Callable[..., Any], Callable[..., Any]] = {}
"""From a NumPy function to what runs in its place when it meets a tensor."""

signatures: dict[Callable[..., Any], Signature] = {}
"""From a NumPy function to how its entry in the table may be called; absent: as the function itself."""


class Signature(NamedTuple):
    """How a function of the table may be called: what its rule (or composition) names, and nothing else."""

    arity: int  # inputs, which come first
    positional: tuple[str, ...] = ()  # the parameters after them, in NumPy's order
    accepted: frozenset[str] = frozenset()  # these and the keyword-only ones
    variadic: bool = False

    @classmethod
    def of(cls, fn: Any, arity: int | None = None, skip: int = 0) -> Signature:
        """Read off a Python function whose first ``skip`` parameters and then ``arity`` inputs come first."""
        code: CodeType = fn.__code__
        if arity is None:
            arity = code.co_argcount - len(fn.__defaults__ or ())
        positional = code.co_varnames[skip + arity : code.co_argcount]
        named = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
        return cls(arity, positional, frozenset(positional + named), bool(code.co_flags & inspect.CO_VARARGS))


class Row:
    """A function's row in the gradient table."""

    __slots__ = ("elementwise", "fn", "name", "plans", "singular", "vjps")

    def __init__(self, fn: Callable[..., Any]) -> None:
        self.fn = fn
        self.name: str = getattr(fn, "__name__", str(fn))
        self.vjps: Sequence[Vjp | None] = ()
        self.elementwise = isinstance(fn, np.ufunc) and fn.signature is None
        self.singular = False
        self.plans: dict[int, Plan] = {}

    def plan(self, tracked: int, count: int) -> Plan:
        """What to save of ``count`` inputs when those in the bits of ``tracked`` are tracked."""
        if isinstance(self.vjps, _Each):
            return Plan(tuple(i for i in range(count) if tracked >> i & 1), tuple(range(count)), (), True)
        parents = []
        reads: set[int] = set()
        for i in range(count):
            if not tracked >> i & 1:
                continue
            if i >= len(self.vjps):
                raise NoRuleError(
                    f"{self.name} has no gradient rule for its input {i + 1}. Give it one: "
                    f"tg.rule({self.name}, lambda g, ans, x: ...), with a lambda for each input."
                )
            if self.vjps[i] is not None:
                parents.append(i)
                reads |= _reads(self.vjps[i], count)
        kept = tuple(i for i in range(count) if i in reads)
        dropped = tuple(i for i in range(count) if i not in reads)
        plan = self.plans[tracked] = Plan(tuple(parents), kept, dropped, -1 in reads)
        return plan


class Plan(NamedTuple):
    """What a record saves: only what the rules of its tracked inputs read."""

    parents: tuple[int, ...]  # tracked inputs that a gradient flows to
    kept: tuple[int, ...]
    dropped: tuple[int, ...]
    keeps_ans: bool


def primitive(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function of arrays one that records; give it its gradient with `rule`. Usable as a decorator.

    Inputs that differentiate are positional; whatever else the function takes (``axis``, ``keepdims``) is
    passed by name. On arrays alone it is the function itself.
    """
    row = Row(fn)
    new = object.__new__

    def apply(*args: Any, **params: Any) -> Any:
        values = list(args)
        parents: list[tuple[int, Node]] = []
        careful = row.singular
        tracked = 0  # the positions of tracked inputs, as bits
        kind: Any = None
        for i, arg in enumerate(args):
            if isinstance(arg, Variable):
                values[i] = arg.data
                kind = type(arg)
                if arg.tracked:
                    node = arg.record or arg
                    parents.append((i, node))
                    tracked |= 1 << i
                    if node.careful:
                        careful = True
            elif type(arg) is list or type(arg) is tuple:
                values[i] = np.asarray(arg)
        ans = fn(*values, **params) if params else fn(*values)
        if kind is None:
            return ans
        if type(ans) is not _ndarray:
            ans = np.asarray(ans)
        out = new(kind)
        out.data = ans
        out.grad = out.readers = out.record = None
        out.tracked = False
        if ans.base is not None or ans is values[0] or ans is values[-1]:
            _share_with_source(args, out)
        if not tracked:
            return out
        recording = mode.recording
        if not recording:
            return out

        plan = row.plans.get(tracked) or row.plan(tracked, len(args))
        if len(parents) != len(plan.parents):
            parents = [(i, node) for i, node in parents if i in plan.parents]
            if not parents:
                return out
        dtype = ans.dtype
        if dtype.kind != "f":
            raise NoRuleError(f"{row.name} gave {dtype} from a tensor that requires a gradient: only real "
                              "floating-point results differentiate")  # fmt: skip
        out.tracked = True
        out.record = record = Record()
        record.number = next(_numbers)
        record.row = row
        record.parents = parents
        record.params = params or _NO_PARAMS
        record.shape = ans.shape
        record.dtype = dtype
        record.inputs = values
        record.ans = None
        record.careful = careful or recording == 2
        for i in plan.dropped:
            values[i] = None
        record.guards = None
        if plan.kept or plan.keeps_ans:
            guards: list[Any] = [None] * (len(args) + 1)
            record.guards = guards
            for i in plan.kept:
                arg = args[i]
                if isinstance(arg, Variable):
                    guards[i] = add_reader(arg, record)
            if plan.keeps_ans:
                record.ans = ans
                guards[-1] = add_reader(out, record)
        return out

    functools.update_wrapper(apply, fn)
    rows[apply] = row
    return apply


class _Each(Sequence[Vjp]):
    """The rules of a function of any number of inputs: one rule that is told which."""

    def __init__(self, each: Vjp) -> None:
        self.each = each

    def __getitem__(self, i: Any) -> Any:
        return lambda g, ans, *inputs, **params: self.each(g, ans, i, *inputs, **params)

    def __len__(self) -> int:
        return sys.maxsize


def _reads(vjp: Vjp | None, count: int) -> set[int]:
    """Which inputs (0, 1, ...) and output (-1) a rule reads, told from its bytecode."""
    if vjp is None:
        return set()
    code = getattr(vjp, "__code__", None)
    if not isinstance(code, CodeType) or code.co_argcount < 2 + count:  # cannot be told: all of them
        return set(range(-1, count))
    slots = {name: i - 1 for i, name in enumerate(code.co_varnames[1 : 2 + count])}
    read: set[int] = set()
    for instruction in dis.get_instructions(code):
        names = instruction.argval if isinstance(instruction.argval, tuple) else (instruction.argval,)
        read |= {slots[name] for name in names if isinstance(name, str) and name in slots}
    return read


def rule(fn: Callable[..., Any], *vjps: Vjp | None, each: Vjp | None = None,
         singular: bool = False) -> None:  # fmt: skip
    """Enter the row of ``fn``, a NumPy function or a `primitive`, into the gradient table.

    Parameters
    ----------
    fn
        The function whose gradient this is.
    *vjps
        One per input, ``vjp(g, ans, *inputs, **params)``, where ``g`` has the shape of the output ``ans``.
        It may return the gradient in the shape of the input or in any shape that broadcasting relates to
        it. It must not write to anything it is given. None marks an input in which the function is
        piecewise constant. Beyond the inputs it names, in NumPy's order, the parameters it supports; all
        others are refused when the function is called.
    each
        In place of ``vjps`` for a function of any number of inputs: ``each(g, ans, i, *inputs, **params)``
        is the gradient of input ``i``.
    singular
        The function has points where its derivative is infinite or undefined. There, and outside its
        domain, a zero upstream gradient stays zero instead of becoming ``0 * inf``.
    """
    apply = fn if fn in rows else primitive(fn)
    row = rows[apply]
    row.vjps = _Each(each) if each else vjps
    row.singular = singular
    row.elementwise = row.elementwise or singular
    row.plans.clear()
    if apply is not fn:
        table[fn] = apply
        signatures[fn] = Signature.of(next(filter(None, vjps)), len(vjps), skip=2)


def plain(*fns: Callable[..., Any]) -> None:
    """Enter functions whose results carry no gradient (comparisons, shapes): they run on the values."""
    for fn in fns:
        table[fn] = _on_values(fn)


def _on_values(fn: Callable[..., Any]) -> Callable[..., Any]:
    def apply(*args: Any, **kwargs: Any) -> Any:
        return fn(*map(value_of, args), **value_of(kwargs))

    return functools.update_wrapper(apply, fn)


def value_of(x: Any) -> Any:
    """``x`` with the values of tensors in place of tensors, in lists and tuples too."""
    if isinstance(x, Variable):
        return x.data
    if type(x) in (list, tuple):
        return type(x)(value_of(item) for item in x)
    return {key: value_of(item) for key, item in x.items()} if type(x) is dict else x


def implements(fn: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enter a composition of other functions in place of the NumPy function ``fn``; it needs no row."""

    def enter(composition: Callable[..., Any]) -> Callable[..., Any]:
        table[fn] = composition
        signatures[fn] = Signature.of(composition)
        return composition

    return enter


# ------------------------------------------------------------------------------------------------ the walk back


def walk(roots: Iterable[tuple[Variable, Array]], targets: Iterable[Variable] | None = None, *,
         create_graph: bool = False, retain_graph: bool = False) -> dict[Node, Array]:  # fmt: skip
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
    records = _reachable(adjoints)
    wanted = None if targets is None else {target.record or target for target in targets}
    useful = None if wanted is None else _leading_to(wanted, records)
    invalid: list[str] = []  # NumPy tells of 0 * inf and 0 / 0 here, as they happen
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
                if g is None or not parents or inputs is None:
                    continue
                if create_graph:
                    inputs, ans = _relink(record, kind)
                if not row.elementwise and g.shape != record.shape:
                    g = np.broadcast_to(g, record.shape)
                if mode.locked:
                    g, ans, inputs = _lock(g), _lock(ans), [_lock(x) for x in inputs]
                for i, parent in parents:
                    like = parent if type(parent) is Record else parent.data  # type: ignore[union-attr]
                    try:
                        out = row.vjps[i](g, ans, *inputs, **record.params)  # type: ignore[misc]
                        if row.elementwise and (record.careful or invalid):
                            out = _keep_zeros(g, out)
                        invalid.clear()
                        if row.elementwise and like.shape != record.shape != out.shape:
                            out = np.broadcast_to(out, record.shape)
                        if out.shape != like.shape:
                            out = _undo_broadcast(out, like.shape)
                        if out.dtype is not like.dtype and out.dtype != like.dtype:
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
        for node, g in adjoints.items():
            if g.shape != node.shape:
                g = adjoints[node] = np.broadcast_to(g, node.shape)
            if isinstance(g, Variable):
                adjoints[node] = g if node in owned else np.positive(g)  # type: ignore[call-overload]
            elif node not in owned or type(g) is not np.ndarray or g.base is not None:
                adjoints[node] = np.array(g, dtype=node.dtype)
    finally:
        mode.recording = recording
    return adjoints


def _reachable(roots: Iterable[Node]) -> list[Record]:
    """All records behind ``roots``, the newest first: every record before what it was made from."""
    seen = {node for node in roots if type(node) is Record}
    stack = list(seen)
    while stack:
        record = stack.pop()
        if record.parents is None:
            raise FreedGraphError(
                f"This graph was already walked back, and its {record.row.name!r} was freed by that walk. "
                "Pass retain_graph=True to the earlier backward() or grad(), or compute the forward pass again."
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
    out.data, out.record, out.tracked, out.readers, out.grad = data, record, record is not None, readers, None
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


def _keep_zeros(g: Array, out: Array) -> Array:
    """Where ``g`` is zero, ``0 * inf``, ``0 / 0`` and ``0 * nan`` are zero: what was not used has no gradient.

    This is looked after where such values can arise: at singular functions, in all that was computed from them, in
    the rules of a recorded walk, and where NumPy reports an invalid operation. Regular points keep their form, so
    that derivatives with respect to ``g`` stay right where ``g`` is 0.
    """
    nan = np.isnan(value_of(out))
    if not np.count_nonzero(nan):
        return out
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


def _lock(x: Any) -> Any:
    if type(x) is not np.ndarray:
        return x
    view = x.view()
    view.flags.writeable = False
    return view


def _describe(record: Record, i: int, parent: Node) -> str:
    shapes = ", ".join(str(getattr(x, "shape", "not kept")) for x in record.inputs or ())
    return (
        f"tensorgrad: in the gradient rule of {record.row.name!r} for input {i + 1} of shape "
        f"{parent.shape}; inputs {shapes}; output {record.shape}; parameters {record.params}"
    )


# ------------------------------------------------------------------------------------------- guarding what is saved


def add_reader(saved: Variable, record: Record) -> list[weakref.ref[Record]]:
    """Remember that a record needs this value; forget, now and then, those that no longer do."""
    readers = saved.readers
    if readers is None:
        saved.readers = readers = [_ref(record)]
        return readers
    readers.append(_ref(record))
    count = len(readers)
    if count >= 64 and count & (count - 1) == 0:  # at powers of two, which costs O(1) per entry
        readers[:] = [r for r in readers if (other := r()) is not None and other.parents is not None]
    return readers


def share_readers(source: Variable, view: Variable) -> None:
    """Writing to a view writes to its source: both have the same readers."""
    if source.readers is None:
        source.readers = []
    view.readers = source.readers


def _share_with_source(args: tuple[Any, ...], out: Variable) -> None:
    """If a result is a view of one of the arguments, let the two share their readers."""
    for arg in args:
        if isinstance(arg, Variable) and np.may_share_memory(arg.data, out.data):
            share_readers(arg, out)
            return


def before_write(target: Variable, writer: str) -> None:
    """Raise `OverwriteError` if a backward pass still to come needs the value about to be overwritten."""
    for reader in target.readers or ():
        record = reader()
        if record is not None and record.parents is not None:
            raise OverwriteError(
                f"{writer} would overwrite a tensor of shape {target.shape} that {record.row.name!r} "
                f"(result of shape {record.shape}) saved for a backward pass that has not run. Run backward() "
                "first, drop what was computed from it, or compute that under tg.no_grad()."
            )
    if target.readers:
        target.readers.clear()
