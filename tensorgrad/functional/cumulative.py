"""Cumulative maximum and minimum."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from tensorgrad.engine.tape import Array, value_of
from tensorgrad.functional.arguments import floating


class Extremes(NamedTuple):
    """Values, and their indices in the input."""

    values: Array
    indices: Array


def cummax(x: Array, axis: int) -> Extremes:
    """The largest element so far along ``axis``, and its index: a named tuple of ``values`` and ``indices``.

    Both have the shape of ``x``; the indices are a plain array. Of equal elements the last one counts, and gets the
    gradient. NaN is larger than all numbers. Raises ``AxisError`` if there is no such axis, ``TypeError`` if ``x`` is
    not of real numbers.

    Examples
    --------
    >>> values, indices = tg.cummax(np.array([1.0, 3.0, 2.0, 3.0]), 0)
    >>> values
    array([1., 3., 3., 3.])
    >>> indices
    array([0, 1, 1, 3])
    """
    return _extremes(np.maximum, x, axis)


def cummin(x: Array, axis: int) -> Extremes:
    """The smallest element so far along ``axis``, and its index: a named tuple of ``values`` and ``indices``.

    Both have the shape of ``x``; the indices are a plain array. Of equal elements the last one counts, and gets the
    gradient. NaN is smaller than all numbers. Raises ``AxisError`` if there is no such axis, ``TypeError`` if ``x`` is
    not of real numbers.

    Examples
    --------
    >>> tg.cummin(np.array([[3.0, 1.0, 2.0]]), axis=1).values
    array([[3., 1., 1.]])
    """
    return _extremes(np.minimum, x, axis)


def _extremes(extreme: Any, x: Array, axis: int) -> Extremes:
    x = floating(x)
    axis = normalize_axis_index(axis, x.ndim)
    given = value_of(x)
    so_far = extreme.accumulate(given, axis)
    attained = (given == so_far) | np.isnan(given)
    numbers = np.arange(given.shape[axis]).reshape(-1, *(1,) * (given.ndim - 1 - axis))
    indices = np.maximum.accumulate(np.where(attained, numbers, 0), axis)
    return Extremes(np.take_along_axis(x, indices, axis), indices)
