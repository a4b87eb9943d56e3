"""Convolution with one filter for each channel, and its two gradients, as products with band matrices.

A line of an image, multiplied by a matrix with a line of the kernel along its diagonals, is convolved with that line of
the kernel. Most factors are zeros; this is nevertheless faster than the loops of `depthwise` unless lines are long.
As zero times infinity is NaN, None is returned if a result is not finite.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from tensorgrad.engine.tape import Array
from tensorgrad.functional.windows import Ints, Windows, overlap


def correlate(x: Array, w: Array, bias: Sequence[Array], windows: Windows) -> Array | None:
    """``(N, C, *spatial)`` and ``(C, 1, *kernel)`` to ``(N, C, *out)``."""
    lines, bands = _lines(x, windows), _bands(w, x.shape[-1], windows)
    shape = (x.shape[1], *windows.out[:-1], len(x), windows.out[-1])
    total, product = np.zeros(shape, x.dtype), np.empty(shape, x.dtype)
    with np.errstate(invalid="ignore"):
        for place, band in zip(_places(windows), bands, strict=True):
            np.matmul(_as_matrices(lines[place]), band, out=_as_matrices(product))
            total += product
    if bias:
        total += bias[0].reshape(-1, *(1,) * (x.ndim - 1))
    return np.ascontiguousarray(_images_first(total)) if _is_finite(total) else None


def spread(g: Array, w: Array, shape: Ints, windows: Windows) -> Array | None:
    """``(N, C, *out)`` and ``(C, 1, *kernel)`` to ``(N, C, *shape)``: the transpose of `correlate`."""
    grads = np.ascontiguousarray(_channels_first(g))
    lines = np.zeros((len(w), *windows.lengths[:-1], len(g), shape[-1]), g.dtype)
    with np.errstate(invalid="ignore"):
        for place, band in zip(_places(windows), _bands(w, shape[-1], windows), strict=True):
            there = lines[place]
            there += np.matmul(_as_matrices(grads), np.swapaxes(band, 1, 2)).reshape(there.shape)
    if not _is_finite(lines):
        return None
    result = np.zeros((len(g), len(w), *shape), g.dtype)
    inside, taken = overlap(windows.before[:-1], windows.lengths[:-1], shape[:-1])
    result[(slice(None), slice(None), *taken)] = _images_first(lines[(slice(None), *inside)])
    return result


def correlate_filters(x: Array, g: Array, windows: Windows) -> Array | None:
    """``(N, C, *spatial)`` and ``(N, C, *out)`` to ``(C, 1, *kernel)``."""
    lines, grads = _lines(x, windows), _as_matrices(np.ascontiguousarray(_channels_first(g)))
    with np.errstate(invalid="ignore"):
        bands = np.stack([np.swapaxes(_as_matrices(lines[place]), 1, 2) @ grads for place in _places(windows)])
    diagonals = [bands[..., elements, places].sum(-1) for elements, places in _diagonals(x.shape[-1], windows)]
    w = np.moveaxis(np.stack(diagonals, -1), 1, 0)  # (C, elements of the kernel above the last axis, last axis)
    return w.reshape(x.shape[1], 1, *windows.kernel) if _is_finite(bands) else None


def _lines(x: Array, windows: Windows) -> Array:
    """``(N, C, *spatial)`` as ``(C, *spatial except the last, N, last)``, padded except along the last axis."""
    lines = np.zeros((x.shape[1], *windows.lengths[:-1], len(x), x.shape[-1]), x.dtype)
    inside, taken = overlap(windows.before[:-1], windows.lengths[:-1], x.shape[2:-1])
    lines[(slice(None), *inside)] = _channels_first(x)[(slice(None), *taken)]
    return lines


def _bands(w: Array, length: int, windows: Windows) -> Array:
    """The matrices ``(length, last out)`` for each line of the kernel and each channel."""
    by_line = np.moveaxis(w.reshape(len(w), -1, windows.kernel[-1]), 1, 0)
    bands = np.zeros((*by_line.shape[:2], length, windows.out[-1]), w.dtype)
    for k, (elements, places) in enumerate(_diagonals(length, windows)):
        bands[..., elements, places] = by_line[..., k, np.newaxis]
    return bands


def _diagonals(length: int, windows: Windows) -> Iterator[tuple[Array, Array]]:
    """For each element of a line of the kernel, the elements of a line that it multiplies, and the windows."""
    k, m, before, stride, dilation = (numbers[-1] for numbers in windows)
    for j in range(k):
        elements = np.arange(m) * stride + j * dilation - before
        inside = (elements >= 0) & (elements < length)
        yield elements[inside], np.arange(m)[inside]


def _places(windows: Windows) -> list[tuple[slice, ...]]:
    return [(slice(None), *place) for place in windows.places(len(windows.kernel) - 1)]


def _channels_first(x: Array) -> Array:
    """``(N, C, *spatial)`` as ``(C, *spatial except the last, N, last)``."""
    return np.moveaxis(x, 0, -2)


def _images_first(x: Array) -> Array:
    return np.moveaxis(x, -2, 0)


def _as_matrices(x: Array) -> Array:
    """``(C, ..., last)`` as ``(C, rows, last)``."""
    return x.reshape(len(x), math.prod(x.shape[1:-1]), x.shape[-1])


def _is_finite(x: Array) -> bool:
    flat = x.reshape(-1)
    return bool(np.isfinite(np.dot(flat, flat)))
