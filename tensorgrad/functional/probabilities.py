"""Softmax and its logarithm, exact for entries of any size, along an axis or a tuple of them."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from tensorgrad.functional.arguments import floating
from tensorgrad.rules.reductions import restore
from tensorgrad.table import primitive, rows, rule
from tensorgrad.tape import Array, value_of


def _parameters_by_position(apply: Callable[..., Any]) -> Callable[..., Any]:
    """``softmax(x, 1)`` as well as ``softmax(x, axis=1)``: for a primitive, what comes by position is an input."""
    signature = inspect.signature(apply)

    @functools.wraps(apply)
    def named(x: Array, *args: Any, **params: Any) -> Any:
        if args:
            _, *given = signature.bind(x, *args, **params).arguments.items()
            params = dict(given)
        return apply(x, **params)

    rows[named] = rows.pop(apply)
    return named


@_parameters_by_position
@primitive
def logsumexp(x: Array, axis: Any = None, keepdims: bool = False) -> Array:
    """``log(sum(exp(x)))`` over ``axis`` (all, by default), exact for entries of any size, -inf among them.

    ``(..., C)`` with ``axis=-1`` becomes ``(...)``, or ``(..., 1)`` with ``keepdims``; of no entries, it is -inf.
    Raises ``AxisError`` if there is no such axis, ``TypeError`` if ``x`` is not of real numbers.
    """
    x = floating(x)
    largest = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    largest = np.where(np.isfinite(largest), largest, 0)
    with np.errstate(divide="ignore"):  # log(0) = -inf is the answer where all entries are -inf
        out = np.log(np.sum(np.exp(x - largest), axis=axis, keepdims=True)) + largest
    return out if keepdims else np.squeeze(out, axis)


@_parameters_by_position
@primitive
def log_softmax(x: Array, axis: Any = -1) -> Array:
    """``x - logsumexp(x)`` along ``axis``: the logarithms of the class probabilities, in the shape of ``x``.

    Raises ``AxisError`` if there is no such axis, ``TypeError`` if ``x`` is not of real numbers.
    """
    x = floating(x)
    shifted = x - np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True)) if x.size else shifted


@_parameters_by_position
@primitive
def softmax(x: Array, axis: Any = -1) -> Array:
    """``exp(x) / sum(exp(x))`` along ``axis``: the class probabilities, in the shape of ``x``.

    Raises ``AxisError`` if there is no such axis, ``TypeError`` if ``x`` is not of real numbers.
    """
    x = floating(x)
    out = np.exp(x - np.max(x, axis=axis, keepdims=True, initial=-np.inf))
    return out / np.sum(out, axis=axis, keepdims=True)


# fmt: off
rule(softmax,     lambda g, ans, x, axis=-1: ans * (g - np.sum(g * ans, axis=axis, keepdims=True)), singular=True)
rule(log_softmax, lambda g, ans, x, axis=-1: g - np.exp(ans) * np.sum(g, axis=axis, keepdims=True), singular=True)
rule(logsumexp,   lambda g, ans, x, axis=None, keepdims=False:
                      _shared(restore(g, axis, keepdims), restore(ans, axis, keepdims), x), singular=True)
# fmt: on


def _shared(g: Array, total: Array, x: Array) -> Array:
    """``g * exp(x - total)``; zeros where every entry is -inf, and where ``g`` is 0, whatever the entries are."""
    out = g * np.exp(x - np.where(total == -np.inf, 0, total))
    unused = np.isnan(value_of(out)) & (value_of(g) == 0)  # the walk does so only where g has the shape of x
    return np.where(unused, 0, out) if unused.any() else out
