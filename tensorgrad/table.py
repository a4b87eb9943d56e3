"""The gradient table: which functions record, and how each pulls a gradient back.

A `primitive` is a function with a `Row`: one *vector-Jacobian product* per input, ``vjp(g, ans, *inputs, **params)``,
the upstream gradient ``g`` in, the gradient of that input out. Rows are written in NumPy. Given arrays they run at
NumPy speed; given tensors the same line records, so second and further derivatives need no rules of their own.

What no row mentions, because the walk does it for all of them: undoing a broadcast, keeping the dtype of the input, and
keeping a zero gradient zero where a derivative is infinite.
"""

from __future__ import annotations

import dis
import functools
import inspect
import itertools
import sys
from collections.abc import Callable, Sequence
from types import CodeType
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from tensorgrad.anomaly import after_forward, keep_copies, watchers
from tensorgrad.caller import ours
from tensorgrad.errors import NoRuleError
from tensorgrad.tape import (
    Array,
    Node,
    Outline,
    Record,
    Variable,
    add_reader,
    as_array,
    before_write,
    locked,
    mode,
    share_with_source,
    value_of,
)

Vjp: TypeAlias = Callable[..., Array]

_frame = sys._getframe
_ndarray = np.ndarray  # a global name is found faster than an attribute, in code that runs at every operation
numbers = itertools.count()
_NO_PARAMS: dict[str, Any] = {}

rows: dict[Callable[..., Any], Row] = {}
"""The gradient table, keyed by what runs the function: the result of `primitive`."""

functions: dict[Callable[..., Any], Callable[..., Any]] = {}
"""From a NumPy function to what runs in its place when it meets a tensor."""

wider: dict[Callable[..., Any], tuple[Callable[..., Any], Signature]] = {}
"""Compositions for arguments that the rule of a function says nothing of, so that it can stay short and fast."""

compositions: dict[Callable[..., Any], bool] = {}
"""NumPy functions that are composed of others, and whether the composition is NumPy's for complex values too."""

without_gradient: set[Callable[..., Any]] = set()
"""NumPy functions whose results are piecewise constant: positions, predicates, shapes."""

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

    __slots__ = (
        "add_to",
        "complex",
        "elementwise",
        "fn",
        "masks",
        "name",
        "plans",
        "short",
        "singular",
        "together",
        "vjps",
    )

    def __init__(self, fn: Callable[..., Any]) -> None:
        self.fn = fn
        self.name: str = getattr(fn, "__name__", str(fn))
        self.vjps: Sequence[Vjp | None] = ()
        self.elementwise = isinstance(fn, np.ufunc) and fn.signature is None
        self.together: Vjp | None = None
        self.singular = False
        self.masks = False
        self.complex = False  # its rules hold for complex values
        self.add_to: Callable[..., None] | None = None  # adds the gradient of its only input into an array: see `rule`
        self.short = False  # its rules may be given g short: broadcasting to the shape of ans, not yet of that shape
        self.plans: dict[int, Plan] = {}  # by the bits of the tracked inputs, and one more for how many there are

    def plan(self, tracked: int, count: int) -> Plan:
        """What to save of ``count`` inputs when those in the bits of ``tracked`` are tracked."""
        if isinstance(self.vjps, _Each):
            bits, every = tuple(i for i in range(count) if tracked >> i & 1), tuple(range(count))
            reads_inputs, reads_ans = _reads_of_each(self.vjps.each)
            kept, dropped = (every, ()) if reads_inputs else ((), every)
            plan = self.plans[tracked | 1 << count] = Plan(bits, kept, (), dropped, reads_ans)
            return plan
        parents = []
        reads: set[int] = set()
        outlines: set[int] = set()
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
                read, outline = _reads(self.vjps[i], count)
                reads |= read
                outlines |= outline
        kept = tuple(i for i in range(count) if i in reads)
        outlined = tuple(i for i in range(count) if i in outlines - reads)
        dropped = tuple(i for i in range(count) if i not in reads | outlines)
        plan = self.plans[tracked | 1 << count] = Plan(tuple(parents), kept, outlined, dropped, -1 in reads)
        return plan


class Plan(NamedTuple):
    """What a record saves: only what the rules of its tracked inputs read."""

    parents: tuple[int, ...]  # tracked inputs that a gradient flows to
    kept: tuple[int, ...]
    outlined: tuple[int, ...]  # of which the rules read no more than an `Outline` tells
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
        if params:
            params = _plain_params(row.name, params)
        values = list(args)
        parents: list[tuple[int, Node]] = []
        careful = int(row.singular)
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
                        careful |= node.careful
            elif type(arg) is not _ndarray and isinstance(arg, (list, tuple, np.ndarray)):
                values[i] = as_array(arg)
        ans = fn(*values, **params) if params else fn(*values)
        if kind is None:
            return ans
        if type(ans) is not _ndarray:
            ans = np.asarray(ans)
        if watchers:
            after_forward(row, values, params, ans)
        out = new(kind)
        out.data = ans
        out.grad = out.readers = out.record = out.views = None
        out.tracked = False
        if ans.base is not None or any(ans is x for x in values):
            share_with_source(args, out)
        if not tracked:
            if ans.dtype.kind == "O":
                raise TypeError(f"{row.name} of these inputs is an array of Python objects: a Tensor holds numbers")
            return out
        recording = mode.recording
        if not recording:
            return out

        plan = row.plans.get(tracked | 1 << len(args)) or row.plan(tracked, len(args))
        if len(parents) != len(plan.parents):
            parents = [(i, node) for i, node in parents if i in plan.parents]
            if not parents:
                return out
        dtype = ans.dtype
        if dtype.kind != "f" or careful & 2:
            careful = _check_kind(row, ans, values, careful)
        out.tracked = True
        out.record = record = Record()
        record.number = next(numbers)
        record.row = row
        record.parents = parents
        record.params = {name: frozen(value) for name, value in params.items()} if params else _NO_PARAMS
        record.shape = ans.shape
        record.dtype = dtype
        record.inputs = values
        record.ans = None
        record.careful = careful | 1 if recording == 2 else careful
        if recording == 2:
            record.caller = mode.caller
        else:
            frame = _frame(1)  # as `caller` does; the call would cost more
            code = frame.f_code
            while ours[code.co_filename] and frame.f_back is not None:
                frame = frame.f_back
                code = frame.f_code
            record.caller = code, frame.f_lasti
        if watchers:
            keep_copies(record, values, ans)
        for i in plan.dropped:
            values[i] = None
        for i in plan.outlined:
            if type(values[i]) is _ndarray:
                values[i] = Outline(values[i])
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


def _check_kind(row: Row, ans: Any, values: list[Any], careful: int) -> int:
    """Refuse what does not differentiate: integers, and complex values where the rules speak of real ones alone."""
    kind = ans.dtype.kind
    if kind not in "fc":
        raise NoRuleError(f"{row.name} gave {ans.dtype} from a tensor that requires a gradient: only "
                          "floating-point results differentiate")  # fmt: skip
    if not row.complex and (kind == "c" or any(getattr(x, "dtype", None) in _COMPLEX for x in values)):
        raise NoRuleError(
            f"{row.name}: no gradient rule for complex values. Take np.real, np.imag or np.abs first, write it with "
            "functions that have one, or, if its rule holds for them, enter it with tg.rule(..., complex=True)."
        )
    return careful & ~2 | (2 if kind == "c" else 0)


_COMPLEX = (np.complex64, np.complex128, np.clongdouble)


def _plain_params(name: str, params: dict[str, Any]) -> dict[str, Any]:
    """Parameters without tensors in them: no gradient flows to what is passed by name."""
    for param, value in params.items():
        if isinstance(value, Variable):
            if value.tracked and mode.recording:
                raise NoRuleError(f"{name}: {param!r} requires a gradient: pass it by position, as an input")
            params = params | {param: value.data}
    return params


def frozen(param: Any) -> Any:
    """A parameter for a record to keep, that a later write to an array or list in it does not reach."""
    kind = type(param)
    if kind is _ndarray:
        return param.copy()
    return kind(frozen(item) for item in param) if kind is tuple or kind is list else param


class _Each(Sequence[Vjp]):
    """The rules of a function of any number of inputs: one rule that is told which."""

    def __init__(self, each: Vjp) -> None:
        self.each = each

    def __getitem__(self, i: Any) -> Any:
        return lambda g, ans, *inputs, **params: self.each(g, ans, i, *inputs, **params)

    def __len__(self) -> int:
        return sys.maxsize


_OUTLINE = frozenset(("shape", "ndim", "size", "dtype"))


def _reads(vjp: Vjp | None, count: int) -> tuple[set[int], set[int]]:
    """Which inputs (0, 1, ...) and output (-1) a rule reads, told from its bytecode; and of which just the outline."""
    if vjp is None:
        return set(), set()
    if not inspect.isfunction(vjp) or vjp.__code__.co_argcount < 2 + count:  # cannot be told: all of them
        return set(range(-1, count)), set()
    slots = {name: i - 1 for i, name in enumerate(vjp.__code__.co_varnames[1 : 2 + count])}
    read: set[int] = set()
    outlined: set[int] = set()
    instructions = list(dis.get_instructions(vjp))
    for instruction, following in itertools.zip_longest(instructions, instructions[1:]):
        found = [slots[name] for name in _names(instruction) if name in slots]
        if found and following is not None and following.opname == "LOAD_ATTR" and following.argval in _OUTLINE:
            outlined.add(found.pop())
        read.update(found)
    return read, outlined


def _reads_of_each(each: Vjp) -> tuple[bool, bool]:
    """Whether a rule for any number of inputs reads them, and the output."""
    if not inspect.isfunction(each) or not each.__code__.co_flags & inspect.CO_VARARGS or each.__code__.co_cellvars:
        return True, True
    code = each.__code__
    inputs = code.co_varnames[code.co_argcount + code.co_kwonlyargcount]
    names = {name for instruction in dis.get_instructions(each) for name in _names(instruction)}
    return inputs in names, code.co_argcount < 3 or code.co_varnames[1] in names


def _names(instruction: dis.Instruction) -> list[str]:
    """The variables that an instruction speaks of; two at once in newer versions of Python."""
    values = instruction.argval if isinstance(instruction.argval, tuple) else (instruction.argval,)
    return [value for value in values if isinstance(value, str)]


def rule(fn: Callable[..., Any], *vjps: Vjp | None, each: Vjp | None = None,
         together: Vjp | None = None, singular: bool = False, masks: bool = False, complex: bool = False,
         add_to: Callable[..., None] | None = None) -> None:  # fmt: skip
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
    together
        In place of ``vjps`` where the gradients are computed together: ``together(g, ans, needed, *inputs, **params)``
        returns a dict with the gradient of each input whose position is in the tuple ``needed``.
    singular
        The function has points where its derivative is infinite or undefined. There, and outside its
        domain, a zero upstream gradient stays zero instead of becoming ``0 * inf``.
    masks
        The function leaves elements out, so that zeros in its gradient mean "not used": what was computed
        there, NaN perhaps, must not count.
    complex
        The rules hold for complex values, too: see `also_complex`.
    add_to
        ``add_to(total, g, **params)`` adds the gradient of the only input to ``total`` in place: for functions that
        take a small part of an input, of which many are taken.
    """
    for vjp in (fn, *vjps, each, together):
        if vjp is not None and not callable(vjp):
            raise TypeError(f"rule takes a function and the rules of its gradients, got {vjp!r}")
    apply = fn if fn in rows else functions.get(fn)
    if apply not in rows:
        apply = primitive(fn)
    row = rows[apply]
    if together is not None:
        each = _one_of(together)
    row.vjps = vjps if each is None else _Each(each)
    row.together = together
    row.singular, row.masks, row.short, row.add_to = singular, masks, False, add_to
    row.complex = row.complex or complex
    row.plans.clear()
    if apply is not fn:
        functions[fn] = apply
        described = next((vjp for vjp in vjps if inspect.isfunction(vjp)), None)
        signatures[fn] = (
            Signature.of(described, len(vjps), skip=2) if described else Signature(len(vjps), variadic=each is not None)
        )


def _one_of(together: Vjp) -> Vjp:
    """The gradient of one input, where all of them are computed together."""
    return lambda g, ans, i, *inputs, **params: together(g, ans, (i,), *inputs, **params)[i]


def also_complex(*fns: Callable[..., Any]) -> None:
    """The rules of these functions hold for complex values as well.

    The gradient of a complex ``z`` is the ``g`` for which ``dL = Re(sum(g * dz))``, so that the rule of an analytic
    function is the textbook's, with no conjugate in it. Leaves and losses are real; only what lies between is complex.
    """
    for fn in fns:
        if fn in compositions:
            compositions[fn] = True
        else:
            rows[fn if fn in rows else functions[fn]].complex = True


def plain(*fns: Callable[..., Any]) -> None:
    """Enter functions whose results carry no gradient (comparisons, shapes): they run on the values."""
    for fn in fns:
        functions[fn] = _on_values(fn)
        without_gradient.add(fn)


def _on_values(fn: Callable[..., Any]) -> Callable[..., Any]:
    inputs = fn.nin if isinstance(fn, np.ufunc) else 0  # beyond them, an argument may be what is written to

    def apply(*args: Any, **kwargs: Any) -> Any:
        if kwargs or len(args) > inputs:
            return run_on_values(fn, args, kwargs)
        return fn(*map(value_of, args))

    return functools.update_wrapper(apply, fn)


def run_on_values(fn: Callable[..., Any], args: Any, kwargs: dict[str, Any], writes_to: Any = ()) -> Any:
    """Run a function on the values of tensors, which it can read but, for ``out`` and ``writes_to``, not write to."""
    out, name = kwargs.get("out"), getattr(fn, "__name__", fn)
    targets = [*writes_to, *(out if isinstance(out, tuple) else (out,))]
    for target in targets:
        if isinstance(target, Variable):
            if mode.recording and target.tracked:
                raise NoRuleError(f"np.{name} does not write into a tensor on the tape: assign what it returns")
            before_write(target, f"np.{name}")

    def value(x: Any) -> Any:
        if isinstance(x, Variable):
            return x.data if any(x is target for target in targets) else locked(x.data)
        if type(x) in (list, tuple):
            return type(x)(value(item) for item in x)
        return x

    try:
        return fn(*map(value, args), **{name: value(arg) for name, arg in kwargs.items()})
    except ValueError as error:
        if "read-only" not in str(error):
            raise
        raise NoRuleError(
            f"np.{name} would write to a tensor: pass out=t by name, or assign what it returns"
        ) from error


def otherwise(fn: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enter a composition for the calls of ``fn`` that its rule does not cover."""

    def enter(composition: Callable[..., Any]) -> Callable[..., Any]:
        wider[fn] = composition, Signature.of(composition)
        return composition

    return enter


def implements(fn: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enter a composition of other functions in place of the NumPy function ``fn``; it needs no row."""

    def enter(composition: Callable[..., Any]) -> Callable[..., Any]:
        functions[fn] = composition
        compositions[fn] = False
        signatures[fn] = Signature.of(composition)
        return composition

    return enter
