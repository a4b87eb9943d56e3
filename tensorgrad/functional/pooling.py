"""Pooling: the largest element of every window, or the mean.

``x`` is ``(N, C, *spatial)``; ``kernel_size``, ``stride`` (by default the size of the kernel), ``padding`` and
``dilation`` are one integer or one for each spatial axis. For a maximum, padding is -inf; in a mean it counts as zeros,
unless ``count_include_pad=False``. ``ceil_mode`` allows a last window that extends beyond the edge. Equal maxima share
the gradient, as they do in `numpy.max`. Wrong shapes raise `ShapeError`, other wrong arguments ``ValueError``.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from tensorgrad.engine.tape import Array
from tensorgrad.functional.arguments import check_images, floating, per_axis
from tensorgrad.functional.pooled_windows import Pooled, largest, sum_windows
from tensorgrad.rules.reductions import of_dtype
from tensorgrad.rules.windows import Ints, numbers_of_windows
from tensorgrad.summation import widened


def max_pool1d(x: Array, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
               ceil_mode: bool = False) -> Array:  # fmt: skip
    """The largest element of every window of ``x`` ``(N, C, L)``.

    Examples
    --------
    >>> tg.max_pool1d(np.arange(6.0).reshape(1, 1, 6), 2)
    array([[[1., 3., 5.]]])
    """
    return _max_pool(1, x, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool2d(x: Array, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
               ceil_mode: bool = False) -> Array:  # fmt: skip
    """The largest element of every window of ``x`` ``(N, C, H, W)``.

    Examples
    --------
    >>> tg.max_pool2d(np.arange(16.0).reshape(1, 1, 4, 4), 2)
    array([[[[ 5.,  7.],
             [13., 15.]]]])
    """
    return _max_pool(2, x, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool3d(x: Array, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
               ceil_mode: bool = False) -> Array:  # fmt: skip
    """The largest element of every window of ``x`` ``(N, C, D, H, W)``.

    Examples
    --------
    >>> tg.max_pool3d(np.ones((1, 3, 4, 4, 4)), 2).shape
    (1, 3, 2, 2, 2)
    """
    return _max_pool(3, x, kernel_size, stride, padding, dilation, ceil_mode)


def avg_pool1d(x: Array, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
               count_include_pad: bool = True) -> Array:  # fmt: skip
    """The mean of every window of ``x`` ``(N, C, L)``.

    Examples
    --------
    >>> tg.avg_pool1d(np.arange(6.0).reshape(1, 1, 6), 2)
    array([[[0.5, 2.5, 4.5]]])
    """
    return _avg_pool(1, x, kernel_size, stride, padding, ceil_mode, count_include_pad)


def avg_pool2d(x: Array, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
               count_include_pad: bool = True) -> Array:  # fmt: skip
    """The mean of every window of ``x`` ``(N, C, H, W)``.

    Examples
    --------
    >>> tg.avg_pool2d(np.arange(16.0).reshape(1, 1, 4, 4), 2)
    array([[[[ 2.5,  4.5],
             [10.5, 12.5]]]])
    """
    return _avg_pool(2, x, kernel_size, stride, padding, ceil_mode, count_include_pad)


def avg_pool3d(x: Array, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
               count_include_pad: bool = True) -> Array:  # fmt: skip
    """The mean of every window of ``x`` ``(N, C, D, H, W)``.

    Examples
    --------
    >>> tg.avg_pool3d(np.ones((1, 3, 4, 4, 4)), 2).shape
    (1, 3, 2, 2, 2)
    """
    return _avg_pool(3, x, kernel_size, stride, padding, ceil_mode, count_include_pad)


def _max_pool(axes: int, x: Array, kernel_size: Any, stride: Any, padding: Any, dilation: Any,
              ceil_mode: bool) -> Array:  # fmt: skip
    x = floating(x)
    kernel, stride, before, dilation = _numbers(axes, x, kernel_size, stride, padding, dilation)
    return largest(x, where=_where(x, kernel, stride, before, dilation, ceil_mode))


def _avg_pool(axes: int, x: Array, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool,
              count_include_pad: bool) -> Array:  # fmt: skip
    x = floating(x)
    kernel, stride, before, dilation = _numbers(axes, x, kernel_size, stride, padding, 1)
    where = _where(x, kernel, stride, before, dilation, ceil_mode)
    counts = []
    for n, k, s, p, out in zip(x.shape[2:], kernel, stride, before, where.out, strict=True):
        margin = p if count_include_pad else 0
        starts = np.arange(out) * s - p
        counts.append(np.minimum(starts + k, n + margin) - np.maximum(starts, -margin))
    count = functools.reduce(np.multiply.outer, counts)
    total = sum_windows(widened(x), where=where)
    same = count.size and (count == count.flat[0]).all()
    return of_dtype(total / (float(count.flat[0]) if same else count.astype(total.dtype)), x.dtype)


def _where(x: Array, kernel: Ints, stride: Ints, before: Ints, dilation: Ints, ceil_mode: bool) -> Pooled:
    after = _after(x.shape[2:], kernel, stride, before, dilation, ceil_mode)
    lengths = tuple(b + n + a for b, n, a in zip(before, x.shape[2:], after, strict=True))
    out = numbers_of_windows(lengths, kernel, stride, dilation)
    return Pooled(kernel, out, before, after, stride, dilation)


def _numbers(axes: int, x: Array, kernel_size: Any, stride: Any, padding: Any, dilation: Any) -> tuple[Ints, ...]:
    check_images(x, axes)
    kernel = per_axis(kernel_size, axes, "kernel_size", 1)
    stride = kernel if stride is None else per_axis(stride, axes, "stride", 1)
    before, dilation = per_axis(padding, axes, "padding", 0), per_axis(dilation, axes, "dilation", 1)
    if any(2 * p > d * (k - 1) + 1 for p, k, d in zip(before, kernel, dilation, strict=True)):
        raise ValueError(f"padding must be at most half the kernel, got {padding!r} and kernel_size {kernel_size!r}")
    return kernel, stride, before, dilation


def _after(spatial: Ints, kernel: Ints, stride: Ints, before: Ints, dilation: Ints, ceil_mode: bool) -> Ints:
    """The padding after each axis: the same as before it, and more if the last window extends beyond the edge."""
    if not ceil_mode:
        return before
    after = []
    for n, k, s, p, d in zip(spatial, kernel, stride, before, dilation, strict=True):
        steps = -((d * (k - 1) + 1 - n - 2 * p) // s)  # rounded up
        if steps * s >= n + p:  # a window must not start in the padding at the end
            steps -= 1
        after.append(max(p, steps * s + d * (k - 1) + 1 - n - p))
    return tuple(after)
