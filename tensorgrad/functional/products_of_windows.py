"""Convolution of images with filters by matrix products, for many channels and for few, and its two gradients.

A few images are computed at a time, so that copies stay in the cache, with the channels last. The windows along the
last spatial axis are copied, and each row of the kernel is a matrix product: this copies an element as often as the
kernel is wide, not as often as it has elements. For few channels, whole windows are copied instead, for a single
product. ``python benchmarks/networks.py conv`` measures both.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.lib.stride_tricks import as_strided

from tensorgrad.engine.tape import Array
from tensorgrad.functional.windows import Ints, Windows, channels_last, images_first, overlap, padded

_CACHE = 2 << 20  # bytes of copies at a time
_FEW = 16  # elements in a row of a window: for fewer, whole windows are copied

# OpenBLAS multiplies matrices directly, without rearranging them first, up to `_SMALL` multiplications in a product.
# This is faster by a third if the second matrix fits into the first-level cache and the first has enough rows.
_SMALL, _FITS, _TALL = 1_000_000, 8192, 24


def correlate(x: Array, w: Array, bias: Sequence[Array], windows: Windows) -> Array:
    """``(N, C, *spatial)`` and ``(O, C, *kernel)`` to ``(N, *out, O)``."""
    n, (features, channels) = len(x), w.shape[:2]
    result = np.empty((n, *windows.out, features), x.dtype)
    if windows.are_points(x.shape[2:]):
        pixels = np.swapaxes(x.reshape(n, channels, math.prod(windows.out)), 1, 2)
        np.matmul(pixels, w.reshape(features, channels).T, out=result.reshape(*pixels.shape[:2], features))
        for shift in bias:
            result += shift
    elif _are_few(channels, windows):
        filters = np.concatenate([w.reshape(features, -1).T, *(shift[np.newaxis] for shift in bias)])
        for images, columns in _columns(x, features, windows, ones=len(bias)):
            np.matmul(columns.T, filters, out=result[images].reshape(-1, features))
    else:
        _correlate_rows(x, w, bias, windows, result)
    return result


def _correlate_rows(x: Array, w: Array, bias: Sequence[Array], windows: Windows, result: Array) -> None:
    """`correlate` with a product for each row of the kernel."""
    features, channels = w.shape[:2]
    matrices, places = _kernel_rows(w), windows.places(len(windows.out) - 1)
    lines = result.reshape(*result.shape[:-2], -1)  # added to faster than pixels are
    line = np.tile(bias[0], windows.out[-1]) if bias else x.dtype.type(0)
    product = np.empty(0, x.dtype)
    for images, rows, shape in _rows(x, channels, features, windows):
        total = np.matmul(rows[places[0]].reshape(*shape, -1), matrices[0])
        product = product if product.shape == total.shape else np.empty_like(total)
        for place, matrix in zip(places[1:], matrices[1:], strict=True):
            total += np.matmul(rows[place].reshape(*shape, -1), matrix, out=product)
        in_lines = total.reshape(*windows.out[:-1], -1, lines.shape[-1])
        np.add(np.moveaxis(in_lines, -2, 0), line, out=lines[images])


def correlate_filters(x: Array, g: Array, windows: Windows) -> Array:
    """``(N, C, *spatial)`` and ``(N, O, *out)`` to ``(O, C, *kernel)``."""
    channels, features, kernel = x.shape[1], g.shape[1], windows.kernel
    if windows.are_points(x.shape[2:]) or _are_few(channels, windows):
        total = np.zeros((channels * math.prod(kernel), features), x.dtype)
        for images, columns in _columns(x, features, windows):
            total += columns @ np.moveaxis(g[images], 1, -1).reshape(-1, features)
        return total.T.reshape(features, channels, *kernel)
    places = windows.places(len(kernel) - 1)
    total = np.zeros((len(places), kernel[-1] * channels, features), x.dtype)
    for images, rows, shape in _rows(x, channels, features, windows):
        grads = channels_last(g[images]).reshape(*shape, features)
        for place, matrix in zip(places, total, strict=True):
            products = np.matmul(np.swapaxes(rows[place].reshape(*shape, -1), -1, -2), grads)
            matrix += products.sum(tuple(range(products.ndim - 2)))
    return np.moveaxis(total.reshape(*kernel, channels, features), (-1, -2), (0, 1))


def spread(g: Array, w: Array, shape: Ints, windows: Windows) -> Array:
    """``(N, O, *out)`` and ``(O, C, *kernel)`` to ``(N, *shape, C)``: the transpose of `correlate`."""
    features, channels, *kernel = w.shape
    result = np.zeros((len(g), *shape, channels), g.dtype)
    matrices = np.ascontiguousarray(np.swapaxes(_kernel_rows(w), -1, -2))
    *above, last = windows.lengths
    places, along = windows.places(len(above)), windows.along_last()
    inside, taken = overlap(windows.before, windows.lengths, shape)
    for images, n, batch_shape in _batches(len(g), channels, features, windows, g.itemsize):
        grads = channels_last(g[images]).reshape(*batch_shape, features)
        rows = np.zeros((*above, n * windows.out[-1], kernel[-1] * channels), g.dtype)
        for place, matrix in zip(places, matrices, strict=True):
            there = rows[place]
            there += np.matmul(grads, matrix).reshape(there.shape)
        rows = rows.reshape(*above, n, windows.out[-1], kernel[-1], channels)
        covered = np.zeros((*above, n, last, channels), g.dtype)
        for k, place_in_line in enumerate(along):
            covered[..., place_in_line, :] += rows[..., k, :]
        result[(images, *taken)] = images_first(covered)[(slice(None), *inside)]
    return result


def _are_few(channels: int, windows: Windows) -> bool:
    return channels * windows.kernel[-1] < _FEW


def _kernel_rows(w: Array) -> Array:
    """Filters ``(O, C, *kernel)`` as a matrix ``(last * C, O)`` for each row of the kernel, one after the other."""
    matrices = np.ascontiguousarray(np.transpose(w, (*range(2, w.ndim), 1, 0)))
    return matrices.reshape(math.prod(w.shape[2:-1]), w.shape[-1] * w.shape[1], len(w))


def _slices(n: int, bytes_each: int, most: int) -> Iterator[slice]:
    """The images, a few at a time."""
    count = max(min(_CACHE // max(bytes_each, 1), most), 1)
    return (slice(start, min(start + count, n)) for start in range(0, n, count))


def _batches(n: int, channels: int, features: int, windows: Windows,
             itemsize: int) -> Iterator[tuple[slice, int, Ints]]:  # fmt: skip
    """A few images at a time: their slice, their number, and the shape of the batch of matrices of their windows."""
    *above, last = windows.out
    elements = windows.kernel[-1] * channels
    most = _SMALL // max(last * elements * features, 1)  # images in a product that is computed directly
    direct = elements * features <= _FITS and most * last >= _TALL
    each = math.prod(windows.lengths[:-1]) * last * elements + 2 * math.prod(windows.out) * features
    merges = above and not direct and windows.stride[-2] == 1
    for images in _slices(n, each * itemsize, most if direct else n):
        count = images.stop - images.start
        yield images, count, (*above[:-1], above[-1] * count * last) if merges else (*above, count * last)


def _rows(x: Array, channels: int, features: int, windows: Windows) -> Iterator[tuple[slice, Array, Ints]]:
    """The windows along the last axis, ``(*spatial except the last, N * last, last kernel * C)``, for a few images.

    They are preceded by the slice of the images, and followed by the shape from `_batches`.
    """
    axes = (*range(len(windows.out) - 1), len(windows.out))
    copied, buffer, size = np.empty(0, x.dtype), None, windows.kernel[-1]
    for images, n, batch_shape in _batches(len(x), channels, features, windows, x.itemsize):
        region = buffer = padded(channels_last(x[images]), axes, windows, buffer)
        *steps, step, across = region.strides
        shape = (*region.shape[:-2], windows.out[-1], size, channels)
        strides = (*steps, step * windows.stride[-1], step * windows.dilation[-1], across)
        copied = copied if copied.shape == shape else np.empty(shape, x.dtype)
        copied[...] = as_strided(region, shape, strides)
        yield images, copied.reshape(*shape[: len(axes) - 1], n * windows.out[-1], size * channels), batch_shape


def _columns(x: Array, features: int, windows: Windows, ones: int = 0) -> Iterator[tuple[slice, Array]]:
    """The windows of a few images at a time as columns, ``(C * kernel, N * out)``, followed by rows of ones."""
    elements, axes, buffer = x.shape[1] * math.prod(windows.kernel), tuple(range(2, x.ndim)), None
    for images in _slices(len(x), 2 * (elements + features) * math.prod(windows.out) * x.itemsize, len(x)):
        region = buffer = padded(np.swapaxes(x[images], 0, 1), axes, windows, buffer)  # (C, N, *spatial)
        of_channels, of_images, *steps = region.strides
        inside = [d * step for d, step in zip(windows.dilation, steps, strict=True)]
        across = [s * step for s, step in zip(windows.stride, steps, strict=True)]
        shape = (len(region), *windows.kernel, region.shape[1], *windows.out)
        columns = np.empty((elements + ones, region.shape[1] * math.prod(windows.out)), x.dtype)
        columns[:elements].reshape(shape)[...] = as_strided(region, shape, (of_channels, *inside, of_images, *across))
        columns[elements:] = 1
        yield images, columns
