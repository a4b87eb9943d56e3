"""NumPy's protocols: what becomes of a NumPy call that meets a tensor.

NumPy asks the tensor (NEP 13 ``__array_ufunc__``, NEP 18 ``__array_function__``), and the tensor asks here. A function
in the table runs and records. One that is not, or one called with arguments that its rule does not speak of, is refused
by name; only where no gradient is at stake does it run, on the values.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from tensorgrad.assign import assign
from tensorgrad.errors import NoRuleError
from tensorgrad.rules import load_all
from tensorgrad.table import Signature, compositions, functions, rows, run_on_values, signatures, wider
from tensorgrad.tape import Variable, any_tracked, at_stake, before_write, mode, value_of

_BY_METHOD: dict[tuple[Any, str], Callable[..., Any]] = {
    (np.add, "reduce"): np.sum, (np.multiply, "reduce"): np.prod, (np.maximum, "reduce"): np.max,
    (np.minimum, "reduce"): np.min, (np.add, "accumulate"): np.cumsum, (np.multiply, "accumulate"): np.cumprod,
}  # fmt: skip


def call_ufunc(
    kind: type[Variable], ufunc: np.ufunc, method: str, inputs: Any, out: Any, kwargs: dict[str, Any]
) -> Any:
    """``ufunc(*inputs, out=..., **kwargs)`` or one of its methods, for tensors of class ``kind``."""
    if method == "__call__":
        return call(kind, ufunc, inputs, kwargs) if out is None else write_into(kind, ufunc, inputs, out, kwargs)
    if out is None and (ufunc, method) in _BY_METHOD:
        kwargs.setdefault("axis", 0)  # a ufunc's default, where the function of that name takes all axes
        return call(kind, _BY_METHOD[ufunc, method], inputs, kwargs)
    if out is None and method == "outer" and not kwargs:
        x, y = (z if isinstance(z, Variable) else np.asarray(z) for z in inputs)
        return call(kind, ufunc, (functions[np.reshape](x, x.shape + (1,) * len(y.shape)), y), {})
    return _run_on_values(kind, getattr(ufunc, method), inputs, kwargs if out is None else {**kwargs, "out": out},
                          "no gradient rule", f"np.{ufunc.__name__}.{method}")  # fmt: skip


def call(kind: type[Variable], func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """``func(*args, **kwargs)``, for tensors of class ``kind``."""
    function = functions.get(func)
    if function is None:
        load_all()
        function = functions.get(func)
    if function is None:
        return _run_on_values(kind, func, args, kwargs, "no gradient rule")
    if compositions.get(func) is False and _any_complex((args, kwargs)) and not _holds_for_complex(func):
        return _run_on_values(kind, func, args, kwargs, "no gradient rule for complex values")
    signature = signatures.get(func)
    if signature is not None and (kwargs or len(args) != signature.arity):
        try:
            args, kwargs = _sort_arguments(func, args, kwargs, signature)
        except _Unsupported as problem:
            function, more = wider.get(func, (function, signature))
            new = more.accepted - signature.accepted
            if not (new & kwargs.keys() and mode.recording and any_tracked((args, kwargs))):
                return _run_on_values(kind, func, args, kwargs, str(problem))
            try:
                args, kwargs = _sort_arguments(func, args, kwargs, more, may_be_tracked=new)
            except _Unsupported as problem:
                return _run_on_values(kind, func, args, kwargs, str(problem))
    return function(*args, **kwargs)


def _sort_arguments(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], signature: Signature,
                    may_be_tracked: frozenset[str] = frozenset()) -> tuple[Any, dict[str, Any]]:  # fmt: skip
    """Arguments as a caller of NumPy may give them -> (the inputs by position, the rest by name)."""
    arity, positional, accepted, variadic = signature
    kwargs = {
        name: arg for name, arg in kwargs.items() if arg is not np._NoValue and (name in accepted or arg is not None)
    }
    if len(args) < arity:
        for name in list(inspect.signature(func).parameters)[len(args) : arity]:
            if name not in kwargs:
                raise TypeError(f"{_name(func)}() misses its argument {name!r}")
            args += (kwargs.pop(name),)
    if not variadic and len(args) > arity + len(positional):
        args, kwargs = _name_all(func, args, kwargs, arity + len(positional))
    unknown = kwargs.keys() - accepted
    if unknown:
        kwargs = _without_defaults(func, kwargs, unknown)
        unknown = kwargs.keys() - accepted
    if unknown:
        raise _Unsupported(unknown, signature)
    if not variadic:
        kwargs |= dict(zip(positional, args[arity:], strict=False))
        args = args[:arity]
    if functions[func] in rows:  # its parameters carry no gradient
        tracked = {name for name, arg in kwargs.items() if name not in may_be_tracked and any_tracked(arg)}
        if tracked and mode.recording:
            raise _Unsupported(tracked, signature)
        kwargs = {name: arg if name in may_be_tracked else value_of(arg) for name, arg in kwargs.items()}
    return args, kwargs


def _name_all(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], n: int) -> tuple[Any, dict[str, Any]]:
    """The arguments after the first ``n`` by name."""
    try:
        names = list(inspect.signature(func).parameters)
        named = dict(zip(names[n:], args[n:], strict=False))
    except ValueError:  # NumPy does not tell
        named = {}
    if len(named) < len(args) - n:
        raise _Unsupported("so many positional ones", signatures[func])
    return args[:n], kwargs | {name: arg for name, arg in named.items() if arg is not None}


_UFUNC_DEFAULTS = {"where": True, "casting": "same_kind", "order": "K", "subok": True}


def _without_defaults(func: Any, kwargs: dict[str, Any], unknown: Any) -> dict[str, Any]:
    """Leave out what is NumPy's default anyway."""
    if isinstance(func, np.ufunc):
        defaults: dict[str, Any] = _UFUNC_DEFAULTS
    else:
        defaults = {name: p.default for name, p in inspect.signature(func).parameters.items()}
    same = {name for name in unknown if type(kwargs[name]) in (bool, int, str) and kwargs[name] == defaults.get(name)}
    return {name: arg for name, arg in kwargs.items() if name not in same}


def _holds_for_complex(func: Any) -> bool:
    load_all()  # which says it for the compositions of all families
    return compositions[func]


def _any_complex(x: Any) -> bool:
    if isinstance(x, (Variable, np.ndarray)):
        return x.dtype.kind == "c"
    if isinstance(x, dict):
        return any(map(_any_complex, x.values()))
    return isinstance(x, complex) or (isinstance(x, (list, tuple)) and any(map(_any_complex, x)))


class _Unsupported(Exception):
    """The gradient rule of a function says nothing of the arguments it was called with."""

    def __init__(self, unknown: Any, signature: Signature) -> None:
        names = unknown if isinstance(unknown, str) else ", ".join(sorted(map(repr, unknown)))
        known = ", ".join(sorted(signature.accepted)) or "none"
        super().__init__(f"no gradient rule for these arguments: {names} (beside its inputs it takes: {known})")


def _run_on_values(kind: type[Variable], func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], why: str,
                   name: str = "") -> Any:  # fmt: skip
    """Run a function the table does not know on the values, unless a gradient would be lost: then refuse."""
    if mode.recording and any_tracked((args, kwargs)):
        raise NoRuleError(
            f"{name or _name(func)}: {why}. Write it with functions that have one, add a row with tg.primitive and "
            "tg.rule, or pass t.detach() if no gradient is wanted."
        )
    return _wrap(kind, run_on_values(func, args, kwargs, args[:1] if name.endswith(".at") else ()))


def write_into(
    kind: type[Variable], ufunc: np.ufunc, inputs: tuple[Any, ...], out: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """``ufunc(..., out=target)`` and ``target += x``: an assignment, where a gradient is at stake."""
    name = f"writing the result of np.{ufunc.__name__} into an existing array"
    target = out[0]
    if mode.recording and (any_tracked(inputs) or any(isinstance(t, Variable) and at_stake(t, ()) for t in out)):
        if len(out) > 1 or kwargs or not isinstance(target, Variable):
            raise NoRuleError(
                f"{name} is recorded for one tensor, without further arguments: write t = np.{ufunc.__name__}(...), "
                "or t[...] = np.where(...)."
            )
        result = functions[ufunc](*inputs) if ufunc in functions else call(kind, ufunc, inputs, {})
        if not np.can_cast(result.dtype, target.dtype, "same_kind"):
            raise TypeError(f"{name}: a result of {result.dtype} does not go into a tensor of {target.dtype}")
        assign(target, ..., result, fresh=True)
        return target
    for target in out:
        if isinstance(target, Variable):
            before_write(target, name)
    ufunc(*value_of(inputs), out=value_of(out), **kwargs)
    return out[0] if len(out) == 1 else out


def _name(func: Any) -> str:
    module = (getattr(func, "__module__", None) or "numpy").replace("numpy", "np", 1)
    return f"{module}.{getattr(func, '__name__', func)}"


def _wrap(kind: Any, result: Any) -> Any:
    if isinstance(result, (np.ndarray, np.number)):
        return kind(result)
    if isinstance(result, (list, tuple)):
        return (list if isinstance(result, list) else tuple)(_wrap(kind, item) for item in result)
    return result
