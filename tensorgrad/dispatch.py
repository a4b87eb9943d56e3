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

from tensorgrad.errors import NoRuleError
from tensorgrad.table import Signature, functions, rows, run_on_values, signatures
from tensorgrad.tape import Variable, any_tracked, before_write, mode, value_of

_BY_REDUCE: dict[Any, Callable[..., Any]] = {
    np.add: np.sum, np.multiply: np.prod, np.maximum: np.max, np.minimum: np.min,
}  # fmt: skip
_WRITERS = {np.copyto, np.put, np.putmask, np.place, np.fill_diagonal, np.put_along_axis}


def call_ufunc(
    kind: type[Variable], ufunc: np.ufunc, method: str, inputs: Any, out: Any, kwargs: dict[str, Any]
) -> Any:
    """``ufunc(*inputs, out=..., **kwargs)`` or one of its methods, for tensors of class ``kind``."""
    if method == "reduce" and ufunc in _BY_REDUCE and out is None:
        kwargs.setdefault("axis", 0)  # a ufunc's default, where the function of that name takes all axes
        return call(kind, _BY_REDUCE[ufunc], inputs, kwargs)
    if method != "__call__":
        raise NoRuleError(
            f"np.{ufunc.__name__}.{method} has no gradient rule for a Tensor. Write it with functions that "
            "have, or apply it to t.detach().data if no gradient is wanted."
        )
    return call(kind, ufunc, inputs, kwargs) if out is None else write_into(ufunc, inputs, out, kwargs)


def call(kind: type[Variable], func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """``func(*args, **kwargs)``, for tensors of class ``kind``."""
    function = functions.get(func)
    if function is None:
        return _run_on_values(kind, func, args, kwargs, "no gradient rule")
    signature = signatures.get(func)
    if signature is not None and (kwargs or len(args) != signature.arity):
        try:
            args, kwargs = _sort_arguments(func, args, kwargs, signature)
        except _Unsupported as problem:
            return _run_on_values(kind, func, args, kwargs, str(problem))
    return function(*args, **kwargs)


def _sort_arguments(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any],
                    signature: Signature) -> tuple[tuple[Any, ...], dict[str, Any]]:  # fmt: skip
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
    unknown = kwargs.keys() - accepted
    if unknown or (len(args) > arity + len(positional) and not variadic):
        raise _Unsupported(unknown or "so many positional ones", signature)
    if not variadic:
        kwargs |= dict(zip(positional, args[arity:], strict=False))
        args = args[:arity]
    if functions[func] in rows:
        tracked = {name for name, arg in kwargs.items() if any_tracked(arg)}
        if tracked and mode.recording:
            raise _Unsupported(tracked, signature)
        kwargs = value_of(kwargs)
    return args, kwargs


class _Unsupported(Exception):
    """The gradient rule of a function says nothing of the arguments it was called with."""

    def __init__(self, unknown: Any, signature: Signature) -> None:
        names = unknown if isinstance(unknown, str) else ", ".join(sorted(map(repr, unknown)))
        known = ", ".join(sorted(signature.accepted)) or "none"
        super().__init__(f"no gradient rule for these arguments: {names} (beside its inputs it takes: {known})")


def _run_on_values(kind: type[Variable], func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], why: str) -> Any:
    """Run a function the table does not know on the values, unless a gradient would be lost: then refuse."""
    if mode.recording and any_tracked((args, kwargs)):
        raise NoRuleError(
            f"{_name(func)}: {why}. Write it with functions that have one, add a row with tg.primitive and tg.rule, "
            "or pass t.detach() if no gradient is wanted."
        )
    writes_to = [*args, *kwargs.values()][:1] if func in _WRITERS else ()  # the first argument, named or not
    return _wrap(kind, run_on_values(func, args, kwargs, writes_to))


def write_into(ufunc: np.ufunc, inputs: tuple[Any, ...], out: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """``ufunc(..., out=target)`` and ``target += x``: only where no gradient is at stake."""
    name = f"writing the result of np.{ufunc.__name__} into an existing array"
    if mode.recording and any_tracked((inputs, out)):
        raise NoRuleError(
            f"{name} is not recorded. Write t = t + x instead of t += x (and no out=); to update a parameter, "
            "do it under tg.no_grad()."
        )
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
