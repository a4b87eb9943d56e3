"""Sliding blocks of images as columns, and images as sums of such blocks.

`unfold` and `fold` are each other's transposes. Both take images ``(N, C, H, W)`` and columns ``(N, C * kh * kw, L)``:
a column holds the elements of one block, and there are ``L`` blocks. ``kernel_size``, ``dilation``, ``padding`` and
``stride`` are one integer or one for each of the two axes. Wrong shapes raise `ShapeError`, other wrong arguments
``ValueError``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tensorgrad.engine.tape import Array
from tensorgrad.errors import ShapeError
from tensorgrad.functional.arguments import check_images, floating, per_axis
from tensorgrad.functional.windows import surround
from tensorgrad.rules import windows


def unfold(x: Array, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Array:
    """All blocks of ``x`` ``(N, C, H, W)``, padded with zeros, as columns ``(N, C * kh * kw, L)``.

    Examples
    --------
    >>> tg.unfold(np.arange(6.0).reshape(1, 1, 2, 3), (1, 2))
    array([[[0., 1., 3., 4.],
            [1., 2., 4., 5.]]])
    """
    x = floating(x)
    check_images(x, 2)
    kernel, dilation, padding, stride = _numbers(kernel_size, dilation, padding, stride)
    blocks = windows.unfold(surround(x, padding, padding), kernel=kernel, stride=stride, dilation=dilation)
    n, channels = x.shape[:2]
    return np.reshape(blocks, (n, channels * math.prod(kernel), math.prod(blocks.shape[-2:])))


def fold(x: Array, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Array:
    """Images ``(N, C, *output_size)``: the sum of the blocks in the columns of ``x``, ``(N, C * kh * kw, L)``.

    Examples
    --------
    >>> tg.fold(np.ones((1, 2, 4)), (2, 3), (1, 2))  # how many blocks contain each element
    array([[[[1., 2., 1.],
             [1., 2., 1.]]]])
    """
    x = floating(x)
    kernel, dilation, padding, stride = _numbers(kernel_size, dilation, padding, stride)
    size = per_axis(output_size, 2, "output_size", 1)
    padded = tuple(n + 2 * p for n, p in zip(size, padding, strict=True))
    counts = tuple((n - d * (k - 1) - 1) // s + 1 for n, d, k, s in zip(padded, dilation, kernel, stride, strict=True))
    if min(counts) < 1:
        raise ShapeError(f"a kernel of {kernel} with dilation {dilation} does not fit into {padded}, padding included")
    elements, blocks = math.prod(kernel), math.prod(counts)
    if x.ndim != 3 or x.shape[1] % elements or x.shape[2] != blocks:
        raise ShapeError(
            f"x must have shape (N, C * {elements}, {blocks}) for output_size {size}, kernel_size {kernel}, dilation "
            f"{dilation}, padding {padding} and stride {stride}, got {x.shape}"
        )
    columns = np.reshape(x, (x.shape[0], x.shape[1] // elements, *kernel, *counts))
    out = windows.fold(columns, shape=padded, stride=stride, dilation=dilation)
    (top, left), (height, width) = padding, size
    return out[:, :, top : top + height, left : left + width]


def _numbers(kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> list[windows.Ints]:
    named = {"kernel_size": kernel_size, "dilation": dilation, "padding": padding, "stride": stride}
    return [per_axis(value, 2, name, 0 if name == "padding" else 1) for name, value in named.items()]
