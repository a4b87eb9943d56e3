"""Softmax and its logarithm, accurate for entries of any size, along an axis or a tuple of axes."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np

from tensorgrad.engine.registry import primitive, rule
from tensorgrad.engine.tape import Array
from tensorgrad.functional.arguments import floating
from tensorgrad.rules.reductions import restore
from tensorgrad.summation import widened

F = TypeVar("F", bound=Callable[..., Any])


def _parameters_by_position(apply: F) -> F:
    """Allow ``softmax(x, 1)`` for ``softmax(x, axis=1)``, although positional arguments of a primitive are inputs."""
    signature = inspect.signature(apply)

    @functools.wraps(apply)
    def named(x: Array, *args: Any, **params: Any) -> Any:
        if args:
            _, *given = signature.bind(x, *args, **params).arguments.items()
            params = dict(given)
        return apply(x, **params)

    return cast(F, named)


@_parameters_by_position
@primitive
def logsumexp(x: Array, axis: Any = None, keepdims: bool = False) -> Array:
    """``log(sum(exp(x)))`` over ``axis`` (all, by default), exact for entries of any size, including -inf.

    ``(..., C)`` with ``axis=-1`` becomes ``(...)``, or ``(..., 1)`` with ``keepdims``; for an empty axis, it is -inf.
    Raises ``AxisError`` if there is no such axis, ``TypeError`` if ``x`` is not of real numbers.

    Examples
    --------
    >>> print(tg.logsumexp(np.array([1000.0, 1000.0])).round(4))  # 1000 + log(2)
    1000.6931
    """
    given = floating(x)
    x = widened(given)
    largest = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    largest = np.where(np.isfinite(largest), largest, 0)
    with np.errstate(divide="ignore"):  # where all entries are -inf, the result is log(0) = -inf
        out = np.log(np.sum(np.exp(x - largest), axis=axis, keepdims=True)) + largest
    return (out if keepdims else np.squeeze(out, axis)).astype(given.dtype, copy=False)


@_parameters_by_position
@primitive
def log_softmax(x: Array, axis: Any = -1) -> Array:
    """``x - logsumexp(x)`` along ``axis``: the logarithms of the class probabilities, in the shape of ``x``.

    Raises ``AxisError`` if there is no such axis, ``TypeError`` if ``x`` is not of real numbers.

    Examples
    --------
    >>> tg.log_softmax(np.array([[0.0, 0.0], [1000.0, 0.0]]))
    array([[   -0.6931,    -0.6931],
           [    0.    , -1000.    ]])
    """
    given = floating(x)
    x = widened(given)
    shifted = x - np.maximum.reduce(x, axis, keepdims=True, initial=-np.inf)
    out = shifted - np.log(_total(np.exp(shifted), axis)) if x.size else shifted
    return out if x is given else out.astype(given.dtype)


@_parameters_by_position
@primitive
def softmax(x: Array, axis: Any = -1) -> Array:
    """``exp(x) / sum(exp(x))`` along ``axis``: the class probabilities, in the shape of ``x``.

    Raises ``AxisError`` if there is no such axis, ``TypeError`` if ``x`` is not of real numbers.

    Examples
    --------
    >>> tg.softmax(np.array([[0.0, 0.0], [1000.0, 0.0]]))
    array([[0.5, 0.5],
           [1. , 0. ]])
    """
    given = floating(x)
    return _softmax(widened(given), axis).astype(given.dtype, copy=False)


@primitive
def masked_softmax(x: Array, *, mask: Array) -> Array:
    """`softmax` along the last axis of the elements where ``mask``, which broadcasts to ``x``, is true; 0 elsewhere.

    A composition with `numpy.where` would mask the gradient, too, which is 0 there already.
    """
    seen = np.where(mask, widened(x), -np.inf)
    return _softmax(seen, -1, seen).astype(x.dtype, copy=False)


def _softmax(x: Array, axis: Any, out: Array = None) -> Array:
    """The softmax of any but float16, computed in ``out``, which may be ``x``."""
    out = np.asarray(np.subtract(x, np.max(x, axis=axis, keepdims=True, initial=-np.inf), out=out))
    np.exp(out, out=out)
    out /= _total(out, axis)
    return out


def _total(x: Array, axis: Any) -> Array:
    """The sum over ``axis``, which stays with length 1; over the last axis by BLAS, in a fifth of the time."""
    if axis in (-1, x.ndim - 1) and x.size and x.dtype.char in "fd":
        n = x.shape[-1]
        return np.reshape(np.reshape(x, (x.size // n, n)) @ np.ones(n, x.dtype), (*x.shape[:-1], 1))
    return np.add.reduce(x, axis, keepdims=True)


# fmt: off
rule(softmax,        lambda g, ans, _x, axis=-1: ans * (g - _inner(widened(g), ans, axis)))
rule(masked_softmax, lambda g, ans, _x, *, mask: ans * (g - _inner(widened(g), ans, -1)))
rule(log_softmax,    lambda g, ans, _x, axis=-1: g - np.exp(ans) * np.add.reduce(widened(g), axis, keepdims=True))
rule(logsumexp,      lambda g, ans, x, axis=None, keepdims=False:
                         _shared(restore(g, axis, keepdims), restore(ans, axis, keepdims), x))
# fmt: on


def _inner(x: Array, y: Array, axis: Any) -> Array:
    """``sum(x * y)`` over ``axis``, which stays with length 1."""
    if axis == -1:  # a fifth of the time
        return np.expand_dims(np.vecdot(x, y), -1)
    return np.sum(x * y, axis=axis, keepdims=True)


def _shared(g: Array, total: Array, x: Array) -> Array:
    """``g * exp(x - total)``; zeros where every entry is -inf."""
    return g * np.exp(x - widened(np.where(total == -np.inf, 0, total)))
