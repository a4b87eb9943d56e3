"""Adaptive pooling: the mean or the largest element of each of a given number of windows.

``x`` is ``(N, C, *spatial)``, the result ``(N, C, *output_size)``. ``output_size`` is one integer for all spatial axes
or one for each, where None keeps the length of the axis. Along an axis of length ``n``, window ``i`` of ``size``
consists of the elements from ``floor(i * n / size)`` up to, but not including, ``ceil((i + 1) * n / size)``; windows
may overlap. Equal maxima share the gradient, as in `numpy.max`. Wrong shapes raise `ShapeError`, other invalid
arguments ``ValueError``.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from tensorgrad.engine.tape import Array
from tensorgrad.errors import ShapeError
from tensorgrad.functional.arguments import check_images, floating, per_axis
from tensorgrad.functional.pooling import avg_pool1d, avg_pool2d, avg_pool3d, max_pool1d, max_pool2d, max_pool3d
from tensorgrad.rules.reductions import of_dtype
from tensorgrad.summation import widened

_AVG = {1: avg_pool1d, 2: avg_pool2d, 3: avg_pool3d}
_MAX = {1: max_pool1d, 2: max_pool2d, 3: max_pool3d}


def adaptive_avg_pool1d(x: Array, output_size: Any) -> Array:
    """The mean of each of ``output_size`` windows of ``x`` ``(N, C, L)``.

    Examples
    --------
    >>> tg.adaptive_avg_pool1d(np.arange(5.0).reshape(1, 1, 5), 2)  # of elements 0 to 2, and 2 to 4
    array([[[1., 3.]]])
    """
    return _avg_pool(1, x, output_size)


def adaptive_avg_pool2d(x: Array, output_size: Any) -> Array:
    """The mean of each of ``output_size`` windows of ``x`` ``(N, C, H, W)``.

    Examples
    --------
    >>> tg.adaptive_avg_pool2d(np.arange(12.0).reshape(1, 1, 3, 4), 1)  # of the whole image
    array([[[[5.5]]]])
    >>> tg.adaptive_avg_pool2d(np.arange(12.0).reshape(1, 1, 3, 4), (None, 2)).shape
    (1, 1, 3, 2)
    """
    return _avg_pool(2, x, output_size)


def adaptive_avg_pool3d(x: Array, output_size: Any) -> Array:
    """The mean of each of ``output_size`` windows of ``x`` ``(N, C, D, H, W)``.

    Examples
    --------
    >>> tg.adaptive_avg_pool3d(np.ones((1, 3, 4, 5, 6)), (1, 2, 3)).shape
    (1, 3, 1, 2, 3)
    """
    return _avg_pool(3, x, output_size)


def adaptive_max_pool1d(x: Array, output_size: Any) -> Array:
    """The largest element of each of ``output_size`` windows of ``x`` ``(N, C, L)``.

    Examples
    --------
    >>> tg.adaptive_max_pool1d(np.arange(5.0).reshape(1, 1, 5), 2)  # of elements 0 to 2, and 2 to 4
    array([[[2., 4.]]])
    """
    return _max_pool(1, x, output_size)


def adaptive_max_pool2d(x: Array, output_size: Any) -> Array:
    """The largest element of each of ``output_size`` windows of ``x`` ``(N, C, H, W)``.

    Examples
    --------
    >>> tg.adaptive_max_pool2d(np.arange(12.0).reshape(1, 1, 3, 4), (1, 2))
    array([[[[ 9., 11.]]]])
    """
    return _max_pool(2, x, output_size)


def adaptive_max_pool3d(x: Array, output_size: Any) -> Array:
    """The largest element of each of ``output_size`` windows of ``x`` ``(N, C, D, H, W)``.

    Examples
    --------
    >>> tg.adaptive_max_pool3d(np.ones((1, 3, 4, 5, 6)), (1, 2, 3)).shape
    (1, 3, 1, 2, 3)
    """
    return _max_pool(3, x, output_size)


def _avg_pool(axes: int, x: Array, output_size: Any) -> Array:
    x = floating(x)
    sizes = _sizes(axes, x, output_size)
    if kernel := _kernel(x, sizes):
        return _AVG[axes](x, kernel)
    windows, inside = _windows(x, sizes)
    total = np.sum(widened(np.where(inside, windows, 0)), axis=tuple(range(3, windows.ndim, 2)))
    count = np.sum(inside, axis=tuple(range(1, inside.ndim, 2)))
    return of_dtype(total / count.astype(total.dtype), x.dtype)


def _max_pool(axes: int, x: Array, output_size: Any) -> Array:
    x = floating(x)
    sizes = _sizes(axes, x, output_size)
    if kernel := _kernel(x, sizes):
        return _MAX[axes](x, kernel)
    windows, inside = _windows(x, sizes)
    return np.max(np.where(inside, windows, -np.inf), axis=tuple(range(3, windows.ndim, 2)))


def _sizes(axes: int, x: Array, output_size: Any) -> tuple[int, ...]:
    """The number of windows along each spatial axis."""
    check_images(x, axes)
    if not all(x.shape[2:]):
        raise ShapeError(f"x has no elements to pool, got shape {x.shape}")
    sizes = tuple(output_size) if isinstance(output_size, (tuple, list)) else (output_size,) * axes
    if len(sizes) == axes:
        sizes = tuple(n if size is None else size for n, size in zip(x.shape[2:], sizes, strict=True))
    return per_axis(sizes, axes, "output_size", 1)


def _kernel(x: Array, sizes: tuple[int, ...]) -> tuple[int, ...] | None:
    """The size of the windows if they have one size and do not overlap, else None."""
    if any(n % size for n, size in zip(x.shape[2:], sizes, strict=True)):
        return None
    return tuple(n // size for n, size in zip(x.shape[2:], sizes, strict=True))


def _windows(x: Array, sizes: tuple[int, ...]) -> tuple[Array, Array]:
    """The windows, ``(N, C, size, elements, size, elements, ...)``, and a mask of the elements that belong to them."""
    shape = list(x.shape[:2])
    inside = []
    for axis, size in enumerate(sizes, 2):
        n = x.shape[axis]
        starts, ends = np.arange(size) * n // size, -(np.arange(1, size + 1) * -n // size)
        index = starts[:, None] + np.arange(np.max(ends - starts))
        inside.append(index < ends[:, None])
        x = np.take(x, np.minimum(index, n - 1).ravel(), axis=axis)
        shape += index.shape
    return np.reshape(x, shape), functools.reduce(np.multiply.outer, inside)
