"""`detect_anomaly`: stop at the first NaN or infinity and report its origin.

A value counts as the first one if the inputs do not explain it: a NaN without a NaN among the inputs, or an infinity
with finite inputs. A mask of -inf and its `softmax` are therefore accepted; `log(0)` is not.

In this mode each record also has copies of the values it saved, to detect values that were overwritten through a raw
ndarray before they are used.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Sequence
from contextvars import ContextVar
from types import CodeType
from typing import Any, Self

import numpy as np

from tensorgrad.engine.aliasing import Saved
from tensorgrad.engine.caller import in_package, line_of
from tensorgrad.engine.record import observers
from tensorgrad.engine.registry import Row
from tensorgrad.engine.tape import Outline, Record, current_mode, value_of
from tensorgrad.errors import AnomalyError, OverwriteError
from tensorgrad.frontend.modes import FunctionDecorator

_watching: ContextVar[bool] = ContextVar("detect_anomaly", default=False)

_copies: weakref.WeakKeyDictionary[Record, list[Any]] = weakref.WeakKeyDictionary()

_BRANCH = "use harmless inputs where the result is not used: np.where(ok, {0}(np.where(ok, x, 1)), other)"
_EXP = (
    "exp overflows above 709 (88 in float32): tg.softmax, tg.log_softmax, tg.logsumexp, tg.sigmoid and tg.softplus "
    "subtract the maximum first"
)
_LOG = (
    "tg.log_softmax for log of a softmax, tg.logsumexp for log of a sum of exponentials, np.log1p for log(1 + x), or "
    + _BRANCH.format("np.log")
)
_ARC = "rounding may have moved the input out of [-1, 1]: np.clip it first"
REWRITES = {
    "exp": _EXP, "expm1": _EXP, "exp2": _EXP, "sinh": _EXP, "cosh": _EXP,
    "log": _LOG, "log2": _LOG, "log10": _LOG, "log1p": _LOG,
    "sqrt": _BRANCH.format("np.sqrt") + "; the length of a vector is np.linalg.norm, whose gradient at 0 is 0",
    "power": _BRANCH.format("np.power"), "float_power": _BRANCH.format("np.float_power"),
    "divide": "divide by np.where(y == 0, 1, y) inside an outer np.where(y == 0, other, ...), or by y + eps",
    "reciprocal": _BRANCH.format("np.reciprocal"),
    "arcsin": _ARC, "arccos": _ARC, "arctanh": _ARC,
    "multiply": "a factor is infinite, or the product overflows: scale the factors, or add their logarithms",
    "subtract": "inf - inf is NaN: mask with np.where, or use a large finite number in place of inf",
    "add": "inf - inf is NaN, and large sums overflow: mask with np.where, or rescale",
    "sum": "the sum overflows: scale the terms, or for exponentials use tg.logsumexp",
    "prod": "the product overflows: add logarithms instead of multiplying",
}  # fmt: skip


class detect_anomaly(FunctionDecorator):  # noqa: N801  (the field's name, used like a keyword)
    """Raise at the first NaN or infinity in a forward or backward pass. A context manager and decorator.

    The error names the operation, the index, the values there, the line that called the operation, and the usual
    way to rewrite it. Saved values that were overwritten through a raw ndarray are also detected. For debugging only:
    every result is inspected, and every saved value is copied.

    Raises
    ------
    AnomalyError
        Inside the context, at the operation that produced the value.
    OverwriteError
        In a backward pass, if a value that it needs has changed since the forward pass.

    Examples
    --------
    >>> x = tg.Tensor([1.0, 0.0], requires_grad=True)
    >>> with tg.detect_anomaly():  # doctest: +ELLIPSIS
    ...     np.log(x)
    Traceback (most recent call last):
        ...
    tensorgrad.errors.AnomalyError: the first infinity arose in 'log' at index ...
    """

    def __init__(self) -> None:
        self._entered: list[tuple[bool, Any]] = []

    def __enter__(self) -> Self:
        quiet = np.errstate(all="ignore")  # replaced by the more informative error
        quiet.__enter__()
        self._entered.append((_watching.get(), quiet))
        _watching.set(True)
        observers.append(_WATCHER)
        return self

    def __exit__(self, *error: Any) -> None:
        before, quiet = self._entered.pop()
        _watching.set(before)
        quiet.__exit__(*error)
        observers.remove(_WATCHER)


class _Watcher:
    """The observer of `detect_anomaly`; it is only active inside a `detect_anomaly` context."""

    def after_call(self, row: Row, values: Sequence[Any], params: dict[str, Any], ans: Any) -> None:
        """Check the result of an operation; in a recorded backward pass, `after_rule` does so."""
        if not _watching.get() or current_mode().origin is not None or ans.dtype.kind not in "fc":
            return
        inputs = [x for x in (*values, *params.values()) if isinstance(x, float) or _is_float(x)]
        index = _first(ans, inputs, row.elementwise)
        if index is None:
            return
        shown = ", ".join(_at(x, index, ans.shape) for x in values) if row.elementwise else _summary(values)
        raise AnomalyError(
            f"the first {_what(ans[index])} arose in {row.name!r} at index {_as_ints(index)}: {row.name}({shown}) = "
            f"{ans[index]}; called at {line_of(*_caller())}. Usual rewrite: {_rewrite(row)}."
        )

    def after_recording(self, record: Record, values: Sequence[Any], ans: Any) -> None:
        """Copy the inputs and the result of an operation, for comparison and for error messages."""
        if _watching.get():
            _copies[record] = [x.copy() if type(x) is np.ndarray else x for x in (*values, ans)]

    def before_rules(self, record: Record) -> None:
        """Raise if a value that a record saved has changed."""
        if not _watching.get():
            return
        for x, copy in zip(_saved_by(record), _copies.get(record, ()), strict=False):
            if type(x) is not np.ndarray or np.array_equal(x, copy, equal_nan=x.dtype.kind in "fc"):
                continue
            index = tuple(np.argwhere(~((x == copy) | ((x != x) & (copy != copy))))[0])
            raise OverwriteError(
                f"an array of shape {x.shape} that {record.row.name!r} saved was overwritten through an ndarray, after "
                f"the operation at {record.where()} and before the backward pass at {line_of(*_caller())}: element "
                f"{_as_ints(index)} was {copy[index]} and is {x[index]}. Write to a copy of the array, or write after "
                "backward()."
            )

    def after_rule(self, record: Record, i: int, g: Any, out: Any) -> None:
        """Check the gradient that a rule computed."""
        g, out = value_of(g), value_of(out)
        if not _watching.get() or not _is_float(out):
            return
        index = _first(out, [g], record.row.elementwise and g.shape == out.shape)
        if index is None:
            return
        row = record.row
        *inputs, ans = _copies.get(record) or _saved_by(record)
        if row.elementwise and out.shape == record.shape:
            shown = (
                f"upstream gradient {_at(g, index, out.shape)}, inputs "
                f"{', '.join(_at(x, index, out.shape) for x in inputs)}, output {_at(ans, index, out.shape)}"
            )
        else:
            shown = f"upstream gradient {_summary([g])}, inputs {_summary(inputs)}"
        raise AnomalyError(
            f"the first {_what(out[index])} of the backward pass arose in the gradient of {row.name!r} for input "
            f"{i + 1} at index {_as_ints(index)}: {shown}; the operation was called at {record.where()}. Usual "
            f"rewrite: {_rewrite(row)}."
        )


_WATCHER = _Watcher()


def _saved_by(record: Record) -> list[Any]:
    """The inputs and the result that a record saved; an outline or None for those it did not save."""
    return [x.data if isinstance(x, Saved) else x for x in (*(record.inputs or ()), record.ans)]


def _is_float(x: Any) -> bool:
    return not isinstance(x, Outline) and getattr(x, "dtype", None) is not None and x.dtype.kind in "fc"


def _first(out: Any, inputs: list[Any], elementwise: bool) -> tuple[Any, ...] | None:
    """The index of the first NaN or infinity in ``out`` that the inputs do not explain."""
    nan, inf = np.isnan(out), np.isinf(out)
    if not nan.any() and not inf.any():
        return None
    for x in inputs:
        x_nan, x_bad = (np.isnan(x), ~np.isfinite(x)) if elementwise else (np.isnan(x).any(), ~np.isfinite(x).all())
        nan, inf = nan & ~x_nan, inf & ~x_bad
    found = np.argwhere(nan | inf)
    return tuple(found[0]) if len(found) else None


def _at(x: Any, index: tuple[Any, ...], shape: tuple[int, ...]) -> str:
    """The element of a (broadcast) input for this element of the result."""
    if x is None or isinstance(x, Outline):
        return "(not saved)"
    return str(np.broadcast_to(x, shape)[index])


def _summary(values: Sequence[Any]) -> str:
    return ", ".join(
        f"array of shape {x.shape} from {np.fmin.reduce(x, axis=None):.6g} to {np.fmax.reduce(x, axis=None):.6g}"
        if _is_float(x) and x.size and x.dtype.kind == "f"
        else f"array of shape {np.shape(x)}"
        for x in values
        if x is not None
    )


def _what(value: Any) -> str:
    return "NaN" if np.isnan(value) else "infinity"


def _as_ints(index: tuple[Any, ...]) -> tuple[int, ...]:
    return tuple(int(i) for i in index)


def _rewrite(row: Row) -> str:
    return REWRITES.get(row.name, "check the inputs, and mask or rescale them first")


def _caller() -> tuple[CodeType, int]:
    """The user's code, and the offset of the instruction."""
    frame = sys._getframe(1)
    while in_package[frame.f_code.co_filename] and frame.f_back is not None:
        frame = frame.f_back
    return frame.f_code, frame.f_lasti
