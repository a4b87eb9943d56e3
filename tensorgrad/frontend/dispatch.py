"""NumPy's protocols: how a NumPy function is applied to tensors.

`Tensor.__array_ufunc__` (NEP 13) and `Tensor.__array_function__` (NEP 18) call this module. A function in the gradient
table is run and recorded. A function that is not in the table, or that is called with arguments its rule does not
support, raises `NoRuleError` if an argument requires a gradient; otherwise it runs on the values. Functions whose
results have no gradient (comparisons, positions, shapes) always run on the values.
"""

from __future__ import annotations

import functools
import inspect
import operator
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from tensorgrad.engine.aliasing import keep_saved, read_only
from tensorgrad.engine.indexing import getitem, scatter
from tensorgrad.engine.registry import Entry, Signature, entries
from tensorgrad.engine.tape import Variable, any_tracked, as_array, current_mode, value_of
from tensorgrad.errors import NoRuleError
from tensorgrad.foreign import plain
from tensorgrad.frontend.assign import as_index, assign, needs_recording

_BY_METHOD: dict[tuple[Any, str], Callable[..., Any]] = {
    (np.add, "reduce"): np.sum, (np.multiply, "reduce"): np.prod, (np.maximum, "reduce"): np.max,
    (np.minimum, "reduce"): np.min, (np.add, "accumulate"): np.cumsum, (np.multiply, "accumulate"): np.cumprod,
}  # fmt: skip
_UFUNC_DEFAULTS = {"where": True, "casting": "same_kind", "order": "K", "subok": True}
_SIMPLE = frozenset((int, float, bool, str, type(None)))


families: dict[str, str] = {}
"""Rules loaded when a function of these modules is first called with a tensor: from the module to that of the rules."""


def call_ufunc(kind: type[Variable], ufunc: np.ufunc, method: str, inputs: Any, out: Any, kwargs: Any) -> Any:
    """``ufunc(*inputs, out=..., **kwargs)`` or one of its methods, for tensors of class ``kind``."""
    if method == "__call__":
        return call(kind, ufunc, inputs, kwargs) if out is None else write_into(kind, ufunc, inputs, out, kwargs)
    if out is None and (ufunc, method) in _BY_METHOD:  # methods of ufuncs have the default axis 0
        return call(kind, _BY_METHOD[ufunc, method], inputs, {"axis": 0, **kwargs})
    if out is None and method == "outer" and not kwargs:
        x, y = (z if isinstance(z, Variable) else as_array(z) for z in inputs)
        return call(kind, ufunc, (entries[np.reshape].run(x, x.shape + (1,) * len(y.shape)), y), {})
    if method == "at" and _requires_recording(inputs):
        return _at(kind, ufunc, *inputs)
    kwargs = kwargs if out is None else {**kwargs, "out": out}
    return _without_rule(kind, getattr(ufunc, method), inputs, kwargs, name=f"{_name_of(ufunc)}.{method}")


def _at(kind: type[Variable], ufunc: np.ufunc, target: Any, index: Any, *others: Any) -> None:
    """``ufunc.at(target, index, values)``: recorded as an assignment to the target."""
    if not isinstance(target, Variable):
        raise NoRuleError(f"np.{ufunc.__name__}.at into an array that is not a tensor would lose the gradient: make it "
                          "a tensor, F = np.zeros(n, like=t).")  # fmt: skip
    index = as_index(index)
    if ufunc in (np.add, np.subtract):
        return _add_at(ufunc, target, index, *others)
    places = np.arange(target.data.size).reshape(target.shape)[index]
    if np.unique(places).size != np.size(places):
        raise NoRuleError(f"np.{ufunc.__name__}.at of a tensor is recorded for distinct indices only, and some are "
                          "repeated here: group the values by index first, or, for few of them, write a loop over "
                          f"F[i] = np.{ufunc.__name__}(F[i], v).")  # fmt: skip
    assign(target, index, call(kind, ufunc, (entries[getitem].run(target, index=index), *others), {}))
    return None


def _add_at(ufunc: np.ufunc, target: Any, index: Any, values: Any) -> None:
    """``np.add.at(target, index, values)``, and ``np.subtract.at``, also for repeated indices."""
    values = values if isinstance(values, Variable) else as_array(values)
    values = entries[np.broadcast_to].run(values, shape=target.data[index].shape)
    values = values if values.dtype == target.dtype else entries[np.astype].run(values, target.dtype)
    added = scatter(values, index=index, shape=target.shape)
    assign(target, ..., entries[ufunc].run(target, added), fresh=True)


def call(kind: type[Variable], func: Any, args: Any, kwargs: Any) -> Any:
    """``func(*args, **kwargs)``, for tensors of class ``kind``."""
    entry = entries.get(func)
    if entry is None and _load_family(func):
        entry = entries.get(func)
    if entry is None:
        return _without_rule(kind, func, args, kwargs)
    run, signature = entry.run, entry.signature
    if not kwargs and entry.complex and (signature is None or len(args) == signature.arity):
        return run(*args)
    if not entry.complex and _any_complex((args, kwargs)):
        return _without_rule(kind, func, args, kwargs, " for complex values")
    if signature is not None and not signature.accepted.isdisjoint(_CHECKED) and not hasattr(run, "row"):
        run = functools.partial(_checked, func, run)  # a row calls NumPy's function, which checks them
    if signature is None or (len(args) == signature.arity and _is_simple(kwargs, signature.accepted)):
        return run(*args, **kwargs)
    inputs, others = args[: signature.arity], args[signature.arity :]
    all_positional = 0 < len(others) <= len(signature.positional) and not (kwargs or signature.variadic)
    if all_positional and all(map(_is_plain, others)):
        return run(*inputs, **dict(zip(signature.positional, others, strict=False)))
    inputs, params, problem = _normalized(func, args, kwargs, signature)
    if problem and entry.fallback is not None and _requires_recording(args, kwargs):
        run, fallback_signature = entry.fallback
        inputs, params, problem = _normalized(
            func, args, kwargs, fallback_signature, fallback_signature.accepted - signature.accepted
        )
    return _without_rule(kind, func, args, kwargs, problem) if problem else run(*inputs, **params)


def _checked(func: Any, run: Callable[..., Any], *inputs: Any, **params: Any) -> Any:
    """Run a composition. For unusual arguments, NumPy's function is run first, so that it raises its own errors."""
    axis, shape = params.get("axis"), getattr(inputs[0], "shape", None) if inputs else None
    if type(axis) is tuple and func in _SEVERAL_AXES and shape is not None:
        valid = {n % len(shape) for n in axis if type(n) is int and -len(shape) <= n < len(shape)}
        is_usual = 0 < len(valid) == len(axis)
    else:
        is_usual = axis is None or (type(axis) is int and shape != ())
    dtype = params.get("dtype")
    if is_usual and params.get("kind") is None and (dtype is None or np.dtype(dtype).kind in "fc"):
        return run(*inputs, **params)
    _run_on_values(func, inputs, params)
    if not is_usual and not (type(axis) is tuple and not axis):
        params["axis"] = _plain_axis(axis)
    return run(*inputs, **params)


def _plain_axis(axis: Any) -> int | tuple[int, ...]:
    """An axis or axes that NumPy accepts, as an integer, or as a tuple of several."""
    if isinstance(axis, (tuple, list, np.ndarray)) and np.ndim(axis):
        axes = tuple([operator.index(n) for n in axis])
        return axes[0] if len(axes) == 1 else axes
    return int(axis)


_CHECKED = frozenset(("axis", "dtype", "kind"))
_SEVERAL_AXES = frozenset((
    np.prod, np.var, np.std, np.ptp, np.average, np.median, np.quantile, np.percentile, np.nansum, np.nanmean,
    np.nanvar, np.nanstd, np.nanprod, np.nanmedian, np.nanquantile, np.nanpercentile, np.flip, np.roll,
))  # fmt: skip


def _load_family(func: Any) -> bool:
    """Load the rules for the module that a function belongs to, except where users have registered their own."""
    for module, family in families.items():
        if _is_in(module, func):
            own = {} if family in sys.modules else {fn: entries.pop(fn) for fn in tuple(entries) if _is_in(module, fn)}
            import_module(family)  # waits for another thread that imports it
            entries.update(own)
            return True
    return False


def _is_in(module: str, func: Any) -> bool:
    return getattr(sys.modules.get(module), getattr(func, "__name__", ""), None) is func


def _name_of(func: Any) -> str:
    """The name of a function and its module: ``np.exp``, ``scipy.special.expit``."""
    name = getattr(func, "__name__", str(func))
    module = getattr(func, "__module__", None) or "numpy"
    if isinstance(func, np.ufunc):  # not all ufuncs have a ``__module__``
        found = [known for known in ("numpy", *families, *[f"{known}._ufuncs" for known in families])
                 if _is_in(known, func)]  # fmt: skip
        module = found[0] if found else ""
    return f"{module.replace('numpy', 'np', 1)}.{name}" if module else name


def _is_simple(kwargs: dict[str, Any], accepted: frozenset[str]) -> bool:
    """Whether all parameters are numbers or strings that the rule accepts."""
    return all(name in accepted and type(value) in _SIMPLE for name, value in kwargs.items())


def _is_plain(value: Any) -> bool:
    """Whether a parameter is a number or a string, or a tuple of them, such as a shape."""
    return type(value) in _SIMPLE or (type(value) is tuple and _SIMPLE.issuperset(map(type, value)))


def _normalized(func: Any, args: Any, kwargs: Any, signature: Signature,
                may_be_tracked: frozenset[str] = frozenset()) -> tuple[Any, dict[str, Any], str]:  # fmt: skip
    """Normalize the arguments of a NumPy call: positional inputs, keyword parameters, and a description of problems."""
    inputs, params = _named(func, args, kwargs, signature)
    unknown = [name for name in params if name not in signature.accepted]
    if hasattr(entries[func].run, "row"):  # its parameters carry no gradient
        for name, value in params.items():
            if type(value) not in _SIMPLE and name not in may_be_tracked:
                if _requires_recording(value):
                    unknown.append(name)
                params[name] = value_of(value)
    if not unknown:
        return inputs, params, ""
    names, known = (", ".join(sorted(map(repr, names))) for names in (unknown, signature.accepted))
    return inputs, params, f" for these arguments: {names} (supported besides the inputs: {known or 'none'})"


def _named(func: Any, args: Any, kwargs: Any, signature: Signature) -> tuple[Any, dict[str, Any]]:
    """The positional inputs and the keyword parameters, without parameters that equal NumPy's default."""
    arity, positional, accepted, variadic = signature
    names, defaults = _parameters(func)
    names = names or (*map(str, range(arity)), *positional, "further positional arguments")
    inputs, others = (args, ()) if variadic else (args[:arity], args[arity:])
    params = dict(zip(names[arity:], others, strict=False)) | kwargs
    if len(inputs) < arity:
        inputs += tuple([params.pop(name) for name in names[len(inputs) : arity] if name in params])
    for name, value in list(params.items()):
        if value is np._NoValue or (name not in accepted and _is_default(value, defaults.get(name))):
            del params[name]
    return inputs, params


def _is_default(value: Any, default: Any) -> bool:
    return value is None or (type(value) in _SIMPLE and value == default)


@functools.cache
def _parameters(func: Any) -> tuple[tuple[str, ...], dict[str, Any]]:
    """The names of NumPy's parameters, and their defaults."""
    try:
        parameters = inspect.signature(func).parameters
    except ValueError:  # ufuncs, and other functions in C, until NumPy 2.4
        return (), _UFUNC_DEFAULTS
    return tuple(parameters), {name: parameter.default for name, parameter in parameters.items()}


def _requires_recording(*values: Any) -> bool:
    """Whether recording is on and one of the values requires a gradient."""
    return current_mode().recording and any_tracked(values)


def _any_complex(x: Any) -> bool:
    if isinstance(x, (list, tuple, dict)):
        return any(map(_any_complex, x.values() if isinstance(x, dict) else x))
    return isinstance(x, complex) or (isinstance(x, (Variable, np.ndarray, np.generic)) and x.dtype.kind == "c")


def _without_rule(kind: Any, func: Any, args: Any, kwargs: Any, problem: str = "", name: str = "") -> Any:
    """Run a function on the values, or raise `NoRuleError` if a gradient would be lost."""
    if _requires_recording(args, kwargs):
        name = name or _name_of(func)
        raise NoRuleError(f"{name}: no gradient rule{problem}. Write it with functions that have one, add a row with "
                          "tg.primitive and tg.rule, or pass t.detach() if no gradient is wanted.")  # fmt: skip

    def wrap(result: Any) -> Any:
        if isinstance(result, (list, tuple)):
            return (list if isinstance(result, list) else tuple)(map(wrap, result))
        return kind(result) if isinstance(result, (np.ndarray, np.number)) else result

    return wrap(_run_on_values(func, args, kwargs))


def write_into(kind: type[Variable], ufunc: np.ufunc, inputs: Any, out: tuple[Any, ...], kwargs: Any) -> Any:
    """``ufunc(..., out=target)`` and ``target += x``: recorded as an assignment if a gradient depends on it."""
    targets = [target for target in out if isinstance(target, Variable)]
    if current_mode().recording and (any_tracked(inputs) or any(needs_recording(target, ()) for target in targets)):
        name, target = f"writing the result of {_name_of(ufunc)} into an existing array", out[0]
        where = kwargs.get("where", True)
        if kwargs.keys() - {"where"} or (len(out), len(targets)) != (1, 1):
            if not targets:
                raise NoRuleError(f"{name} that is not a tensor would lose the gradient: write F = F + t instead of "
                                  f"F += t, F = {_name_of(ufunc)}(...) instead of out=F, or make F a tensor: "
                                  "np.zeros(n, like=t).")  # fmt: skip
            raise NoRuleError(f"{name} is supported for one tensor only, without other arguments: write "
                              f"t = {_name_of(ufunc)}(...), or t[...] = np.where(...).")  # fmt: skip
        if where is True:
            result = call(kind, ufunc, inputs, {})
        else:
            with np.errstate(all="ignore"):  # for elements that are not selected
                result = call(kind, ufunc, inputs, {})
            result = entries[np.where].run(value_of(where), result, target)
        if not np.can_cast(result.dtype, target.dtype, "same_kind"):
            raise TypeError(f"{name}: cannot cast the result from {result.dtype} to {target.dtype}")
        assign(target, ..., result, fresh=True)
        return target
    for target in targets:
        keep_saved(target)
    ufunc(*map(plain, value_of(inputs)), out=value_of(out), **kwargs)
    return out[0] if len(out) == 1 else out


def nondifferentiable(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Register a function whose results have no gradient; return the function that replaces it."""
    inputs = fn.nin if isinstance(fn, np.ufunc) else 0  # a further positional argument of a ufunc is its output

    def run(*args: Any, **kwargs: Any) -> Any:
        if kwargs or len(args) > inputs:
            return _run_on_values(fn, args, kwargs)
        return fn(*map(value_of, args))

    entries[fn] = Entry(functools.update_wrapper(run, fn), differentiable=False)
    return run


def _run_on_values(fn: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Any:
    """Run a function on the values of tensors, which are read-only except for ``out`` and ``ufunc.at``."""
    name = getattr(fn, "__name__", fn)
    out = args[:1] if name == "at" else kwargs.get("out")
    targets = [target for target in (out if isinstance(out, tuple) else (out,)) if isinstance(target, Variable)]
    for target in targets:
        if _requires_recording(target):
            raise NoRuleError(f"np.{name} cannot write into a tensor on the tape: assign its result instead")
        keep_saved(target)

    def value(x: Any) -> Any:
        if isinstance(x, Variable):
            return x.data if any(x is target for target in targets) else read_only(x.data)
        return type(x)(map(value, x)) if type(x) in (list, tuple) else x

    try:
        return fn(*map(value, args), **{name: value(arg) for name, arg in kwargs.items()})
    except ValueError as error:
        if "read-only" not in str(error):
            raise
        raise NoRuleError(f"np.{name} would write to a tensor: pass out=t by name, or assign its result") from error
