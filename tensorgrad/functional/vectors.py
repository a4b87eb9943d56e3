"""Vectors along an axis: their similarity, their normalization, and interpolation between two of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.engine.registry import primitive, rule
from tensorgrad.engine.tape import Array
from tensorgrad.functional.arguments import floating, in_precision_of
from tensorgrad.rules.reductions import of_dtype
from tensorgrad.summation import widened


def cosine_similarity(x1: Array, x2: Array, axis: int = 1, eps: float = 1e-8) -> Array:
    """The cosine of the angle between ``x1`` and ``x2``, vectors along ``axis``; norms are at least ``eps``.

    The other axes broadcast; ``axis`` is removed. Raises ``ValueError`` if the shapes do not broadcast,
    ``AxisError`` if there is no such axis, and ``TypeError`` if an input is not of real numbers.

    Examples
    --------
    >>> tg.cosine_similarity(np.array([[1.0, 0.0], [2.0, 2.0]]), np.array([[3.0, 0.0], [0.0, 1.0]]))
    array([1.    , 0.7071])
    """
    x1 = floating(x1)
    x2 = in_precision_of(x1, x2)
    dtype = np.result_type(x1.dtype, x2.dtype)
    x1, x2 = np.broadcast_arrays(widened(x1), widened(x2))
    return of_dtype(np.sum(_unit(x1, 2, axis, eps) * _unit(x2, 2, axis, eps), axis=axis), dtype)


def normalize(x: Array, p: float = 2.0, axis: Any = 1, eps: float = 1e-12) -> Array:
    """``x`` divided by its norm of order ``p`` along ``axis``, or by ``eps`` where the norm is less.

    ``axis`` is an int, or a tuple for the norm over several axes. The result has the shape of ``x``. Raises
    ``AxisError`` if there is no such axis, ``TypeError`` if ``x`` is not of real numbers.

    Examples
    --------
    >>> tg.normalize(np.array([[3.0, 4.0], [0.0, 0.0]]))
    array([[0.6, 0.8],
           [0. , 0. ]])
    >>> tg.normalize(np.array([[1.0, 2.0], [3.0, 8.0]]), p=1, axis=0)
    array([[0.25, 0.2 ],
           [0.75, 0.8 ]])
    """
    x = floating(x)
    return of_dtype(_unit(widened(x), p, axis, eps), x.dtype)


def _unit(x: Array, p: float, axis: Any, eps: float) -> Array:
    return x / np.maximum(np.linalg.vector_norm(x, axis=axis, keepdims=True, ord=p), eps)


@primitive
def between(start: Array, end: Array, weight: Array) -> Array:
    """``start + weight * (end - start)``, computed from the nearer end, so that it is exact at both."""
    difference = end - start
    return np.where(weight < 0.5, start + weight * difference, end - (1 - weight) * difference)


# fmt: off
rule(between, lambda g, _ans, _start, _end, weight: g * (1 - weight),
              lambda g, _ans, _start, _end, weight: g * weight,
              lambda g, _ans, start, end, _weight: g * (end - start), singular=False, elementwise=True)
# fmt: on


def lerp(input: Array, end: Array, weight: Array) -> Array:
    """``input + weight * (end - input)``, elementwise: linear interpolation, and extrapolation outside of [0, 1].

    The three broadcast. Raises ``ValueError`` if they do not, ``TypeError`` if one is not of real numbers.

    Examples
    --------
    >>> tg.lerp(np.array([0.0, 10.0]), np.array([1.0, 20.0]), 0.25)
    array([ 0.25, 12.5 ])
    """
    input = floating(input)
    return between(input, in_precision_of(input, end), in_precision_of(input, weight))
