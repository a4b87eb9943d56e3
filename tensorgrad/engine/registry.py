"""The gradient table: which functions record, and how each pulls a gradient back.

A differentiable function has a `Row`: one *vector-Jacobian product* per input, ``vjp(g, ans, *inputs, **params)``,
the upstream gradient ``g`` in, the gradient of that input out. Rows are written in NumPy. Given arrays they run at
NumPy speed; given tensors the same line records, so second and further derivatives need no rules of their own.

What a row names is what a record saves: an argument with a leading underscore, ``_x`` or ``_ans``, has a shape and a
dtype but no values. What no row mentions, because the backward pass does it for all of them: undoing a broadcast,
keeping the dtype of the input, and keeping zero what was not used.

An `Entry` says what runs in place of a NumPy function that meets a tensor: a row's function, a composition of other
functions, or the function itself on plain values.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias, TypeVar, cast

import numpy as np

from tensorgrad.engine.record import runner
from tensorgrad.engine.tape import Array
from tensorgrad.errors import NoRuleError

Vjp: TypeAlias = Callable[..., Array]
F = TypeVar("F", bound=Callable[..., Any])


class Signature(NamedTuple):
    """How a function of the table may be called: what its rule (or composition) names, and nothing else."""

    arity: int  # inputs, which come first
    positional: tuple[str, ...] = ()  # the parameters after them, in NumPy's order
    accepted: frozenset[str] = frozenset()  # these and the keyword-only ones
    variadic: bool = False

    @classmethod
    def of(cls, fn: Any, arity: int | None = None, skip: int = 0) -> Signature:
        """Read off a Python function whose first ``skip`` parameters and then ``arity`` inputs come first."""
        code = fn.__code__
        if arity is None:
            arity = code.co_argcount - len(fn.__defaults__ or ())
        positional = code.co_varnames[skip + arity : code.co_argcount]
        named = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
        return cls(arity, positional, frozenset(positional + named), bool(code.co_flags & inspect.CO_VARARGS))


class Entry:
    """What runs when a NumPy function meets a tensor, and how it may be called: without a signature, as the function.

    ``fallback`` is for arguments that the rule does not cover. The results of what is not ``differentiable`` are
    piecewise constant, and plain. A composition may not hold for ``complex`` values.
    """

    def __init__(self, run: Callable[..., Any], signature: Signature | None = None, *,
                 fallback: tuple[Callable[..., Any], Signature] | None = None, differentiable: bool = True,
                 complex: bool = True) -> None:  # fmt: skip
        self.run, self.signature, self.fallback = run, signature, fallback
        self.differentiable, self.complex = differentiable, complex


entries: dict[Callable[..., Any], Entry] = {}
"""The table, keyed by function: NumPy's and those that `primitive` made."""


class Saving(NamedTuple):
    """What a record saves, for the rules of those of its inputs that are tracked."""

    inputs: tuple[bool, ...]
    ans: bool


class Row:
    """A function's row in the gradient table: its rules, and what the engine has to know of them."""

    def __init__(self, fn: Callable[..., Any]) -> None:
        self.fn = self.forward = fn  # what runs may be a quicker function of the same results
        self.name: str = getattr(fn, "__name__", str(fn))
        self._is_ufunc = isinstance(fn, np.ufunc) and fn.signature is None
        self.complex = False
        self.enter(())

    def enter(self, vjps: Sequence[Vjp | str | None], together: Vjp | None = None, *, singular: bool = True,
              selects: bool = False, elementwise: bool = False,
              add_to: Callable[..., None] | None = None) -> None:  # fmt: skip
        """Set the rules; see `rule`."""
        self.vjps, self.together = tuple(vjps), together
        self.singular, self.selects, self.add_to = singular, selects, add_to
        self.elementwise = elementwise or self._is_ufunc
        self.accepts_unbroadcast_g = elementwise
        self.savings: dict[tuple[bool, ...], Saving] = {}
        self.is_partial = None in self.vjps or together is not None or not self.vjps  # see `record_call`
        self.__dict__.pop("reads", None)

    @functools.cached_property
    def reads(self) -> bool:
        """Whether the rules read any values, so that NaN may come of a zero."""
        savings = [named(vjp, len(self.vjps)) for vjp in self.vjps if callable(vjp)]
        return self.together is not None or any(saving.ans or any(saving.inputs) for saving in savings)

    def vjp(self, i: int) -> Vjp | None:
        """The rule of input ``i``; None where the function is piecewise constant in it."""
        vjp = self.vjps[i] if i < len(self.vjps) else ""
        if not isinstance(vjp, str):
            return vjp
        raise NoRuleError(vjp or f"{self.name} has no gradient rule for its input {i + 1}. Give it one: "
                          f"tg.rule({self.name}, lambda g, ans, x: ...), with a lambda for each input.")  # fmt: skip

    def saving(self, *tracked: bool) -> Saving:
        """What the rules of the tracked inputs read."""
        found = self.savings.get(tracked)
        if found is None:
            count = len(tracked)
            if self.together is not None:
                found = self.savings[tracked] = named(self.together, count, skip=1)
                return found
            vjps = [self.vjp(i) for i in range(count) if tracked[i]]
            asked = [named(vjp, count) for vjp in vjps if vjp is not None] or [Saving((False,) * count, False)]
            inputs = tuple(map(any, zip(*(saving.inputs for saving in asked), strict=True)))
            found = self.savings[tracked] = Saving(inputs, any(saving.ans for saving in asked))
        return found


def named(vjp: Vjp, count: int, skip: int = 0) -> Saving:
    """What a rule for ``count`` inputs reads, by the names of its arguments: all but those that begin with ``_``.

    ``skip`` arguments stand between ``ans`` and the inputs.
    """
    try:
        parameters = list(inspect.signature(vjp).parameters.values())
    except ValueError:  # a function in C that does not tell
        parameters = []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    rest = next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), "")
    names += [rest] * (2 + skip + count - len(names))
    _g, ans, *inputs = (not name.startswith("_") for name in names[: 2 + skip + count])
    return Saving(tuple(inputs[skip:]), ans)


def primitive(fn: F) -> F:
    """Make a function of arrays one that records; give it its gradient with `rule`. Usable as a decorator.

    Inputs that differentiate are positional; whatever else the function takes (``axis``, ``keepdims``) is
    passed by name. On arrays alone it is the function itself.
    """
    run = runner(Row(fn))
    entries[run] = Entry(run)
    return cast(F, run)


def declare(fn: Callable[..., Any]) -> Callable[..., Any]:
    """What runs in place of a NumPy function, whose row may be entered later."""
    if fn not in entries:
        entries[fn] = Entry(runner(Row(fn)))
    return entries[fn].run


def row_of(fn: Callable[..., Any]) -> Row | None:
    """The row of a NumPy function or `primitive`, if it has one."""
    entry = entries.get(fn)
    return getattr(fn if entry is None else entry.run, "row", None)


def rule(fn: Callable[..., Any], *vjps: Vjp | str | None, each: Vjp | None = None, together: Vjp | None = None,
         complex: bool = False, **options: Any) -> None:  # fmt: skip
    """Enter the row of ``fn``, a NumPy function or a `primitive`, into the gradient table.

    Parameters
    ----------
    fn
        The function whose gradient this is.
    *vjps
        One per input, ``vjp(g, ans, *inputs, **params)``, where ``g`` has the shape of the output ``ans``.
        It may return the gradient in the shape of the input or in any shape that broadcasting relates to
        it. It must not write to anything it is given. An argument whose name begins with an underscore is not saved
        for the backward pass: it has ``shape``, ``dtype``, ``ndim`` and ``size``, but no values. None marks an input in
        which the function is piecewise constant; a string, one whose derivative has no rule: it says so in the error
        that a call with a tracked input there raises. Beyond the inputs it names, in NumPy's order, the parameters it
        supports; all others are refused when the function is called.
    each
        In place of ``vjps`` for a function of any number of inputs: ``each(g, ans, i, *inputs, **params)``
        is the gradient of input ``i``.
    together
        In place of ``vjps`` where the gradients are computed together: ``together(g, ans, needed, *inputs, **params)``
        returns a dict with the gradient of each input whose position is in the tuple ``needed``. ``needed.used()``
        tells which elements of the result are used at all: of others, ``g`` is 0 whatever they are.
    complex
        The rules hold for complex values, too: see `also_complex`.
    singular : bool
        Whether a derivative of the function, of whatever order, is infinite or undefined at some points, which must
        stay without effect where a function that selects leaves them out. True by default; False saves the engine the
        trouble to look.
    selects : bool
        The function leaves elements out, so that zeros in its gradient mean "not used": what was computed there, NaN
        perhaps, must not count. False by default.
    elementwise : bool
        Each element of the result depends on the elements in its place alone, as of NumPy's ufuncs, which need not say
        so; and the rules may be given a ``g`` that is not yet of the shape of ``ans``, but broadcasts to it.
    add_to
        ``add_to(total, g, i, *inputs, **params)`` adds the gradient of input ``i`` to the array ``total`` in place.
    """
    for vjp in (fn, *vjps, each, together):
        if vjp is not None and not callable(vjp) and not (isinstance(vjp, str) and vjp):
            raise TypeError(f"rule takes a function and the rules of its gradients, got {vjp!r}")
    row = row_of(fn) or Row(fn)
    row.enter(vjps, _together(each) if each is not None else together, **options)
    row.complex = row.complex or complex
    if row.fn is not fn:
        return  # a primitive, which is called by its own name
    described = next((vjp for vjp in vjps if inspect.isfunction(vjp)), None)
    signature = Signature(len(vjps), variadic=row.together is not None)
    if described is not None:
        signature = Signature.of(described, len(vjps), skip=2)
    entry = entries.get(fn)
    run = runner(row) if entry is None or not hasattr(entry.run, "row") else entry.run
    entries[fn] = Entry(run, signature, fallback=None if entry is None else entry.fallback)


def _together(each: Vjp) -> Vjp:
    """All gradients by a rule for one."""

    @functools.wraps(each)  # what it names is what is saved: see `named`
    def together(g: Array, ans: Array, needed: Sequence[int], *inputs: Array, **params: Any) -> dict[int, Array]:
        return {i: each(g, ans, i, *inputs, **params) for i in needed}

    return together


def also_complex(*fns: Callable[..., Any]) -> None:
    """The rules of these functions hold for complex values as well.

    The gradient of a complex ``z`` is the ``g`` for which ``dL = Re(sum(g * dz))``, so that the rule of an analytic
    function is the textbook's, with no conjugate in it. Leaves and losses are real; only what lies between is complex.
    """
    for fn in fns:
        holder: Row | Entry = row_of(fn) or entries[fn]
        holder.complex = True


def implements(fn: Callable[..., Any], complex: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enter a composition of other functions in place of the NumPy function ``fn``; it needs no row."""

    def enter(composition: Callable[..., Any]) -> Callable[..., Any]:
        entries[fn] = Entry(composition, Signature.of(composition), complex=complex)
        return composition

    return enter


def fallback(fn: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enter a composition for the calls of ``fn`` that its rule does not cover, so that it can stay short and fast."""

    def enter(composition: Callable[..., Any]) -> Callable[..., Any]:
        entries[fn].fallback = composition, Signature.of(composition)
        return composition

    return enter
