"""Convolution of images with filters by matrix products, for many channels and for few, and its two gradients.

A few images are computed at a time, so that copies stay in the cache, with the channels last. The windows along the
last spatial axis are laid side by side, and each row of the kernel is a matrix product: this copies an element as often
as the kernel is wide, not as often as it has elements. Where channels are few, whole windows are laid out instead, for
a single product. ``python benchmarks/networks.py conv`` measures both.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from tensorgrad.engine.tape import Array
from tensorgrad.functional.windows import (
    Ints,
    Windows,
    channels_first,
    channels_last,
    images_first,
    overlap,
    padded,
    spatial_axes,
)

_CACHE = 1 << 20  # bytes of copies at a time
_FEW = 16  # elements in a row of a window: for fewer, whole windows are laid out

# OpenBLAS multiplies matrices directly, without rearranging them first, up to so many multiplications in a product.
# This is faster by a third if the second matrix also fits into the innermost cache, and the first is not too low.
_SMALL, _FITS, _TALL = 1_000_000, 8192, 24


def correlate(x: Array, w: Array, bias: Sequence[Array], windows: Windows) -> Array:
    """``(N, C, *spatial)`` and ``(O, C, *kernel)`` to ``(N, *out, O)``."""
    n, (features, channels) = len(x), w.shape[:2]
    result = np.empty((n, *windows.out, features), x.dtype)
    lines = result.reshape(n, *windows.out[:-1], windows.out[-1] * features)
    shift = np.tile(bias[0], windows.out[-1]) if bias else w.dtype.type(0)  # whole lines are added faster than pixels
    if windows.are_points(x.shape[2:]):
        np.matmul(
            np.swapaxes(x.reshape(n, channels, -1), 1, 2),
            w.reshape(features, channels).T,
            out=result.reshape(n, -1, features),
        )
        if bias:
            lines += shift
    elif _are_few(channels, windows):
        filters = np.ascontiguousarray(w.reshape(features, -1).T)
        for images, columns in _columns(x, features, windows):
            np.matmul(columns.T, filters, out=result[images].reshape(-1, features))
            if bias:
                lines[images] += shift
    else:
        filters = _kernel_rows(w)
        for images, rows, at_once in _rows(x, features, windows):
            total = product = None
            for place in np.ndindex(*windows.kernel[:-1]):
                product = np.matmul(
                    rows[windows.at(place)].reshape(*at_once, rows.shape[-1]), filters[place], out=product
                )
                if total is None:
                    total, product = product, None
                else:
                    total += product
            of_lines = np.reshape(total, (*windows.out[:-1], -1, lines.shape[-1]))
            np.add(np.moveaxis(of_lines, -2, 0), shift, out=lines[images])
    return result


def correlate_filters(x: Array, g: Array, windows: Windows) -> Array:
    """``(N, C, *spatial)`` and ``(N, O, *out)`` to ``(O, C, *kernel)``."""
    channels, features, kernel = x.shape[1], g.shape[1], windows.kernel
    if windows.are_points(x.shape[2:]):
        total = np.zeros((channels, features), x.dtype)
        for images in _slices(len(x), (channels + features) * math.prod(windows.out) * x.itemsize):
            ours, theirs = (np.moveaxis(z[images], 1, -1).reshape(-1, z.shape[1]) for z in (x, g))
            total += ours.T @ theirs
        return total.T.reshape(features, channels, *kernel)
    if _are_few(channels, windows):
        total = np.zeros((channels * math.prod(kernel), features), x.dtype)
        for images, columns in _columns(x, features, windows):
            total += columns @ np.moveaxis(g[images], 1, -1).reshape(-1, features)
        return total.T.reshape(features, channels, *kernel)
    total = np.zeros((*kernel[:-1], kernel[-1] * channels, features), x.dtype)
    for images, rows, at_once in _rows(x, features, windows):
        ours = channels_last(g[images]).reshape(*at_once, features)
        for place in np.ndindex(*kernel[:-1]):
            theirs = rows[windows.at(place)].reshape(*at_once, rows.shape[-1])
            products = np.matmul(np.swapaxes(theirs, -1, -2), ours)
            total[place] += products.sum(tuple(range(products.ndim - 2)))
    return np.moveaxis(total.reshape(*kernel, channels, features), (-1, -2), (0, 1))


def spread(g: Array, w: Array, shape: Ints, windows: Windows) -> Array:
    """``(N, O, *out)`` and ``(O, C, *kernel)`` to ``(N, *shape, C)``: the transpose of `correlate`."""
    features, channels, *kernel = w.shape
    result = np.zeros((len(g), *shape, channels), g.dtype)
    filters = np.ascontiguousarray(np.swapaxes(_kernel_rows(w), -1, -2))
    *above, length = windows.lengths
    along = [windows.at((0,) * (len(shape) - 1) + (k,))[-1] for k in range(kernel[-1])]
    inside, taken = overlap(windows.before, windows.lengths, shape)
    for images, at_once in _batches(len(g), channels, features, windows, g.itemsize):
        n = images.stop - images.start
        ours = channels_last(g[images]).reshape(*at_once, features)
        rows = np.zeros((*above, n * windows.out[-1], kernel[-1] * channels), g.dtype)
        product = None
        for place in np.ndindex(*kernel[:-1]):
            product = np.matmul(ours, filters[place], out=product)
            there = rows[windows.at(place)]
            there += product.reshape(there.shape)
        rows = rows.reshape(*above, n, windows.out[-1], kernel[-1], channels)
        covered = np.zeros((*above, n, length, channels), g.dtype)
        for k in range(kernel[-1]):
            covered[..., along[k], :] += rows[..., k, :]
        result[(images, *taken)] = images_first(covered)[(slice(None), *inside)]
    return result


def _are_few(channels: int, windows: Windows) -> bool:
    return channels * windows.kernel[-1] < _FEW


def _kernel_rows(w: Array) -> Array:
    """Filters ``(O, C, *kernel)`` as a matrix ``(last * C, O)`` for each row of the kernel."""
    last_first = np.transpose(w, (*range(2, w.ndim), 1, 0))
    return np.ascontiguousarray(last_first).reshape(*w.shape[2:-1], w.shape[-1] * w.shape[1], len(w))


def _slices(n: int, bytes_each: int, most: int = 1 << 62) -> Iterator[slice]:
    """The images, a few at a time."""
    count = max(min(_CACHE // max(bytes_each, 1), most), 1)
    return (slice(start, min(start + count, n)) for start in range(0, n, count))


def _batches(n: int, channels: int, features: int, windows: Windows, itemsize: int) -> Iterator[tuple[slice, Ints]]:
    """The images, a few at a time, and the shape in which their windows are multiplied: matrices of so many rows."""
    *above, last = windows.out
    elements = windows.kernel[-1] * channels
    most = _SMALL // max(last * elements * features, 1)  # images in a product that OpenBLAS computes directly
    direct = elements * features <= _FITS and most * last >= _TALL
    bytes_each = math.prod(windows.lengths[:-1]) * last * elements + 2 * math.prod(windows.out) * features
    for images in _slices(n, bytes_each * itemsize, most if direct else n):
        rows = (images.stop - images.start) * last
        merge = above and not direct and windows.stride[-2] == 1
        yield images, (*above[:-1], above[-1] * rows) if merge else (*above, rows)


def _rows(x: Array, features: int, windows: Windows) -> Iterator[tuple[slice, Array, Ints]]:
    """The windows along the last axis, ``(*spatial but the last, N * last, last kernel * C)``, a few images at a time.

    Beside them the images, and the shape for the products, as in `_batches`.
    """
    channels, size, room, laid = x.shape[1], windows.kernel[-1], None, None
    for images, at_once in _batches(len(x), channels, features, windows, x.itemsize):
        side = channels_last(x[images])
        side = room = padded(side, spatial_axes(side, first=False), windows, room)
        *above, n, _, _ = side.shape
        *steps, step, across = side.strides
        shape = (*above, n, windows.out[-1], size, channels)
        if laid is None or laid.shape != shape:
            laid = np.empty(shape, x.dtype)
        strides = (*steps, step * windows.stride[-1], step * windows.dilation[-1], across)
        laid[...] = np.lib.stride_tricks.as_strided(side, shape, strides)
        yield images, laid.reshape(*above, n * windows.out[-1], size * channels), at_once


def _columns(x: Array, features: int, windows: Windows) -> Iterator[tuple[slice, Array]]:
    """The windows as columns, ``(C * kernel, N * out)``, a few images at a time."""
    room, elements = None, x.shape[1] * math.prod(windows.kernel)
    for images in _slices(len(x), 2 * (elements + features) * math.prod(windows.out) * x.itemsize):
        side = channels_first(x[images])
        side = room = padded(side, spatial_axes(side, first=True), windows, room)
        of_channels, of_images, *steps = side.strides
        inside = [d * step for d, step in zip(windows.dilation, steps, strict=True)]
        across = [s * step for s, step in zip(windows.stride, steps, strict=True)]
        shape, strides = (
            (*side.shape[:1], *windows.kernel, side.shape[1], *windows.out),
            (of_channels, *inside, of_images, *across),
        )
        laid = np.lib.stride_tricks.as_strided(side, shape, strides)
        yield images, laid.reshape(elements, -1)
