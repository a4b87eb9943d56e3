"""The gradient table: which functions are recorded, and their gradient rules.

A differentiable function has a `Row` with one *vector-Jacobian product* per input, ``vjp(g, ans, *inputs, **params)``,
which takes the upstream gradient ``g`` and returns the gradient of that input. Rules are written in NumPy. Called with
arrays, they run at the speed of NumPy; called with tensors, they are recorded, so that higher derivatives need no
further rules.

The names of a rule's arguments determine what a record saves: for an argument with a leading underscore, ``_x`` or
``_ans``, the rule receives the shape and dtype, but no values. The backward pass undoes broadcasting, casts to the
dtype of the input and applies the zero rule, so rules need not.

An `Entry` determines what runs when a NumPy function is called with a tensor: the function of a row, a composition of
other functions, or the function itself on the values.
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
    """The arguments that a function of the table accepts: those that its rule (or composition) names."""

    arity: int  # the number of inputs, which come first
    positional: tuple[str, ...] = ()  # the positional parameters after them, in NumPy's order
    accepted: frozenset[str] = frozenset()  # all parameters, including keyword-only ones
    variadic: bool = False

    @classmethod
    def of(cls, fn: Any, arity: int | None = None, skip: int = 0) -> Signature:
        """The signature of a Python function with ``skip`` other parameters and then ``arity`` inputs in front."""
        code = fn.__code__
        if arity is None:
            arity = code.co_argcount - len(fn.__defaults__ or ())
        positional = code.co_varnames[skip + arity : code.co_argcount]
        named = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
        return cls(arity, positional, frozenset(positional + named), bool(code.co_flags & inspect.CO_VARARGS))


class Entry:
    """What runs when a NumPy function is called with a tensor. Without a signature, all arguments are passed on.

    ``fallback`` is for arguments that the rule does not support. If ``differentiable`` is False, the function is
    piecewise constant and returns plain values. ``complex`` says whether a composition supports complex values.
    """

    def __init__(self, run: Callable[..., Any], signature: Signature | None = None, *,
                 fallback: tuple[Callable[..., Any], Signature] | None = None, differentiable: bool = True,
                 complex: bool = True) -> None:  # fmt: skip
        self.run, self.signature, self.fallback = run, signature, fallback
        self.differentiable, self.complex = differentiable, complex


entries: dict[Callable[..., Any], Entry] = {}
"""The table, by function: NumPy's functions and those created by `primitive`."""


class Saving(NamedTuple):
    """Which inputs, and whether the result, a record saves for the rules of its tracked inputs."""

    inputs: tuple[bool, ...]
    ans: bool


class Needed(tuple[int, ...]):
    """The positions of the inputs for which a rule with ``together`` computes gradients."""

    used: Callable[[], Any]
    """Returns which elements of the result the roots of the pass depend on."""


class Row:
    """A function's row in the gradient table: its rules and their properties."""

    def __init__(self, fn: Callable[..., Any]) -> None:
        self.fn = self.forward = fn  # `forward`, which runs, may be replaced by a faster equivalent
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
        self.accepts_unbroadcast_g = elementwise  # the package's own rules of ufuncs do, too: see `rules/__init__.py`
        self.savings: dict[tuple[bool, ...], Saving] = {}
        self.is_partial = None in self.vjps or together is not None or not self.vjps  # see `record_call`

    def vjp(self, i: int) -> Vjp | None:
        """The rule of input ``i``; None if the function is piecewise constant in it."""
        vjp = self.vjps[i] if i < len(self.vjps) else ""
        if not isinstance(vjp, str):
            return vjp
        raise NoRuleError(vjp or f"{self.name} has no gradient rule for its input {i + 1}. Give it one: "
                          f"tg.rule({self.name}, lambda g, ans, x: ...), with a lambda for each input.")  # fmt: skip

    def saving(self, *tracked: bool) -> Saving:
        """The values that the rules of the tracked inputs read."""
        found = self.savings.get(tracked)
        if found is None:
            count = len(tracked)
            if self.together is not None:
                found = self.savings[tracked] = named(self.together, count, skip=1)
                return found
            vjps = [self.vjp(i) for i in range(count) if tracked[i]]
            savings = [named(vjp, count) for vjp in vjps if vjp is not None] or [Saving((False,) * count, False)]
            inputs = tuple(map(any, zip(*(saving.inputs for saving in savings), strict=True)))
            found = self.savings[tracked] = Saving(inputs, any(saving.ans for saving in savings))
        return found


def named(vjp: Vjp, count: int, skip: int = 0) -> Saving:
    """The values that a rule for ``count`` inputs reads: the arguments whose names do not begin with an underscore.

    ``skip`` is the number of arguments between ``ans`` and the inputs.
    """
    try:
        parameters = list(inspect.signature(vjp).parameters.values())
    except ValueError:  # a function in C without a signature
        parameters = []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    rest = next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), "")
    names += [rest] * (2 + skip + count - len(names))
    _g, ans, *inputs = (not name.startswith("_") for name in names[: 2 + skip + count])
    return Saving(tuple(inputs[skip:]), ans)


def primitive(fn: F) -> F:
    """Make a function of arrays differentiable; its gradient is set with `rule`. Can be used as a decorator.

    `transforms.structures.primitive`, which users call, also accepts structures of arrays as inputs.
    """
    run = runner(Row(fn))
    entries[run] = Entry(run)
    return cast(F, run)


def declare(fn: Callable[..., Any]) -> Callable[..., Any]:
    """The function that runs in place of a NumPy function, whose row may be entered later."""
    if fn not in entries:
        entries[fn] = Entry(runner(Row(fn)))
    return entries[fn].run


def row_of(fn: Callable[..., Any]) -> Row | None:
    """The row of a NumPy function or `primitive`, if it has one."""
    entry = entries.get(fn)
    return getattr(fn if entry is None else entry.run, "row", None)


def rule(fn: Callable[..., Any], *vjps: Vjp | str | None, each: Vjp | None = None, together: Vjp | None = None,
         complex: bool = False, **options: Any) -> None:  # fmt: skip
    """Register the row of ``fn``, a NumPy function or a `primitive`, in the gradient table.

    Parameters
    ----------
    fn
        The function to differentiate.
    *vjps
        One per input, ``vjp(g, ans, *inputs, **params)``, where ``g`` has the shape of the output ``ans``.
        It may return the gradient in the shape of the input, or in any shape that is broadcast to or from it. It must
        not modify its arguments. An argument whose name begins with an underscore is not saved for the backward pass:
        it has ``shape``, ``dtype``, ``ndim`` and ``size``, but no values. None marks an input in which the function is
        piecewise constant. A string marks an input without a rule, and is the message of the error that a call with a
        tracked input there raises. After the inputs follow the supported parameters, in NumPy's order; others are
        refused when the function is called.
    each
        In place of ``vjps``, for a function of any number of inputs: ``each(g, ans, i, *inputs, **params)`` returns
        the gradient of input ``i``.
    together
        In place of ``vjps``, to compute all gradients together: ``together(g, ans, needed, *inputs, **params)``
        returns a dict with the gradient of each input whose position is in the tuple ``needed``. ``needed.used()`` is
        a boolean array of the elements of the result that are used; for all others, ``g`` is 0.
    complex
        Whether the rules hold for complex values as well: see `also_complex`.
    singular : bool
        Whether a derivative of the function, of any order, is infinite or undefined at some points, which must not
        affect the gradient where those elements are not selected. True by default; False skips the check.
    selects : bool
        Whether the function selects elements, so that a zero in its gradient means "not used", and a NaN computed for
        such an element is ignored. False by default.
    elementwise : bool
        Whether each element of the result depends only on the elements in the same position, as for ufuncs, for which
        it is implied; and the rules accept a ``g`` that only broadcasts to the shape of ``ans``.
    add_to
        ``add_to(total, g, i, *inputs, **params)`` adds the gradient of input ``i`` to the array ``total`` in place.

    Examples
    --------
    >>> @tg.primitive
    ... def scaled(x, y, *, factor):
    ...     return factor * x * y
    >>> tg.rule(
    ...     scaled,
    ...     lambda g, _ans, _x, y, *, factor: g * factor * y,
    ...     lambda g, _ans, x, _y, *, factor: g * factor * x,
    ... )
    >>> x, y = tg.Tensor(2.0, requires_grad=True), tg.Tensor(3.0, requires_grad=True)
    >>> tg.grad(scaled(x, y, factor=10.0), [x, y])
    (array(30.), array(20.))
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
    """A rule for all gradients, from a rule for one."""

    @functools.wraps(each)  # the names of its arguments determine what is saved: see `named`
    def together(g: Array, ans: Array, needed: Sequence[int], *inputs: Array, **params: Any) -> dict[int, Array]:
        return {i: each(g, ans, i, *inputs, **params) for i in needed}

    return together


def also_complex(*fns: Callable[..., Any]) -> None:
    """Declare that the rules of these functions hold for complex values as well.

    The gradient of a complex ``z`` is the ``g`` for which ``dL = Re(sum(g * dz))``, so that the rule of an analytic
    function contains no conjugate. Leaves and losses are real; only intermediate values are complex.
    """
    for fn in fns:
        holder: Row | Entry = row_of(fn) or entries[fn]
        holder.complex = True


def implements(fn: Callable[..., Any], complex: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a composition of other functions, which needs no row, in place of the NumPy function ``fn``."""

    def enter(composition: Callable[..., Any]) -> Callable[..., Any]:
        entries[fn] = Entry(composition, Signature.of(composition), complex=complex)
        return composition

    return enter


def fallback(fn: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register a composition for calls of ``fn`` with arguments that its rule does not support."""

    def enter(composition: Callable[..., Any]) -> Callable[..., Any]:
        entries[fn].fallback = composition, Signature.of(composition)
        return composition

    return enter
