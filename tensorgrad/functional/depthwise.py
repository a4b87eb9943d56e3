"""Convolution with one filter for each channel, and its two gradients.

Lines that are not long are multiplied by band matrices, see `bands`. Otherwise, for three spatial axes, and if the
result of that is not finite, elements of the kernel are multiplied one after the other, for a few images at a time with
the channels last.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from tensorgrad.engine.tape import Array
from tensorgrad.functional import bands
from tensorgrad.functional.windows import Ints, Windows, channels_last, images_first, overlap, padded

_CACHE = 2 << 20  # bytes at a time
_LONG = 64  # elements in a line: for more, band matrices have too many zeros


def correlate(x: Array, w: Array, bias: Sequence[Array], windows: Windows) -> Array:
    """``(N, C, *spatial)`` and ``(C, 1, *kernel)`` to ``(N, C, *out)``."""
    if _has_bands(x.shape) and (found := bands.correlate(x, w, bias, windows)) is not None:
        return found
    result = np.empty((len(x), *windows.out, len(w)), x.dtype)
    axes, buffer = (*range(len(windows.out) - 1), len(windows.out)), None
    for images in _slices(x, windows):
        region = buffer = padded(channels_last(x[images]), axes, windows, buffer)
        total = product = None
        for place in np.ndindex(*windows.kernel):
            product = np.multiply(_at(region, place, windows), _line(w, place, windows), out=product)
            if total is None:
                total, product = product, None
            else:
                total += product
        result[images] = images_first(total)
    if bias:
        result += bias[0]
    return np.moveaxis(result, -1, 1)


def correlate_filters(x: Array, g: Array, windows: Windows) -> Array:
    """``(N, C, *spatial)`` and ``(N, C, *out)`` to ``(C, 1, *kernel)``."""
    if _has_bands(x.shape) and (found := bands.correlate_filters(x, g, windows)) is not None:
        return found
    total = np.zeros((*windows.kernel, x.shape[1]), x.dtype)
    axes, buffer, product = (*range(len(windows.out) - 1), len(windows.out)), None, None
    for images in _slices(x, windows):
        region = buffer = padded(channels_last(x[images]), axes, windows, buffer)
        grads = np.ascontiguousarray(channels_last(g[images]))
        if product is None or product.shape != grads.shape:
            product = np.empty_like(grads)
        ones = np.ones(math.prod(grads.shape[:-1]), x.dtype)
        for place in np.ndindex(*windows.kernel):
            np.multiply(_at(region, place, windows), grads, out=product)
            total[place] += ones @ product.reshape(len(ones), -1)
    return np.moveaxis(total, -1, 0)[:, np.newaxis]


def spread(g: Array, w: Array, shape: Ints, windows: Windows) -> Array:
    """``(N, C, *out)`` and ``(C, 1, *kernel)`` to ``(N, C, *shape)``: the transpose of `correlate`."""
    if _has_bands((*g.shape[:2], *shape)) and (found := bands.spread(g, w, shape, windows)) is not None:
        return found
    result = np.zeros((len(g), *shape, len(w)), g.dtype)
    inside, taken = overlap(windows.before, windows.lengths, shape)
    *above, last = windows.lengths
    for images in _slices(g, windows):
        grads = np.ascontiguousarray(channels_last(g[images]))
        covered, product = np.zeros((*above, grads.shape[-3], last, len(w)), g.dtype), np.empty_like(grads)
        for place in np.ndindex(*windows.kernel):
            there = _at(covered, place, windows)
            there += np.multiply(grads, _line(w, place, windows), out=product)
        result[(images, *taken)] = images_first(covered)[(slice(None), *inside)]
    return np.moveaxis(result, -1, 1)


def _has_bands(shape: Ints) -> bool:
    """Whether images ``(N, C, *spatial)`` are multiplied by band matrices."""
    return len(shape) < 5 and shape[-1] <= _LONG


def _slices(x: Array, windows: Windows) -> Iterator[slice]:
    """The images, a few at a time."""
    bytes_each = (math.prod(windows.lengths) + 3 * math.prod(windows.out)) * x.shape[1] * x.itemsize
    count = max(_CACHE // max(bytes_each, 1), 1)
    return (slice(start, min(start + count, len(x))) for start in range(0, len(x), count))


def _at(region: Array, place: Ints, windows: Windows) -> Array:
    """The elements of all windows at a position in the kernel."""
    *above, last = windows.at(place)
    return region[(*above, slice(None), last)]


def _line(w: Array, place: Ints, windows: Windows) -> Array:
    """The element of the kernel at a position, repeated for a row of windows: ``(last out, C)``."""
    return np.tile(w[(slice(None), 0, *place)], (windows.out[-1], 1))
