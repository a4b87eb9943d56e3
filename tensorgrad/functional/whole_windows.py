"""Convolution of few channels, and the gradient of the filters, by copies of the windows (im2col).

For few channels, `shifted_pixels` would add up products with few columns. Instead, whole windows are copied, each
element as often as the kernel has elements, for a few images at a time, and there is one product. For images of one
channel, such as those of MNIST, this takes about half of the time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.lib.stride_tricks import as_strided

from tensorgrad.engine.tape import Array
from tensorgrad.functional.shifted_pixels import spread as spread
from tensorgrad.functional.windows import Windows, padded

_CACHE = 2 << 20  # bytes of copies at a time


def correlate(x: Array, w: Array, bias: Sequence[Array], windows: Windows, groups: int) -> Array:
    """``(N, C, *spatial)`` and ``(O, C, *kernel)`` to ``(N, O, *out)``, in memory with the channels last."""
    features = len(w)
    result = np.empty((len(x), *windows.out, features), x.dtype)
    filters = np.concatenate([w.reshape(features, -1).T, *(shift[np.newaxis] for shift in bias)])
    for images, columns in _columns(x, features, windows, ones=len(bias)):
        elements = columns.reshape(len(columns), -1).T
        np.matmul(elements, filters, out=result[images].reshape(len(elements), features))
    return np.moveaxis(result, -1, 1)


def correlate_filters(x: Array, g: Array, windows: Windows, groups: int) -> Array:
    """``(N, C, *spatial)`` and ``(N, O, *out)`` to ``(O, C, *kernel)``."""
    features = g.shape[1]
    total = np.zeros((x.shape[1] * math.prod(windows.kernel), features), x.dtype)
    for images, columns in _columns(x, features, windows):
        upstream = g[images].reshape(columns.shape[1], features, -1)
        total += np.matmul(np.swapaxes(columns, 0, 1), np.swapaxes(upstream, 1, 2)).sum(0)
    return total.T.reshape(features, x.shape[1], *windows.kernel)


def _columns(x: Array, features: int, windows: Windows, ones: int = 0) -> Iterator[tuple[slice, Array]]:
    """The windows of a few images at a time as columns, ``(C * kernel, N, out)``, followed by rows of ones."""
    elements, axes, buffer = x.shape[1] * math.prod(windows.kernel), tuple(range(2, x.ndim)), None
    each = 2 * (elements + features) * math.prod(windows.out) * x.itemsize
    few = max(_CACHE // max(each, 1), 1)
    for start in range(0, len(x), few):
        images = slice(start, start + few)
        region = buffer = padded(np.swapaxes(x[images], 0, 1), axes, windows, buffer)  # (C, N, *spatial)
        of_channels, of_images, *steps = region.strides
        inside = [d * step for d, step in zip(windows.dilation, steps, strict=True)]
        across = [s * step for s, step in zip(windows.stride, steps, strict=True)]
        shape = (len(region), *windows.kernel, region.shape[1], *windows.out)
        columns = np.empty((elements + ones, region.shape[1], math.prod(windows.out)), x.dtype)
        columns[:elements].reshape(shape)[...] = as_strided(region, shape, (of_channels, *inside, of_images, *across))
        columns[elements:] = 1
        yield images, columns
