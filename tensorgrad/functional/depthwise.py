"""Convolution with one filter for each channel, and its two gradients, as products with matrices that are mostly zeros.

A line of an image, multiplied by a matrix with a line of the kernel along its diagonals, is convolved with that line of
the kernel. The lines below a window are adjacent in memory, so that they are one row, multiplied by the bands of all
lines of the kernel, one below the other. This takes up to two thirds of the time of the alternative, unless lines are
long: `shifted_pixels` of a few channels together, with filters that are zero in all channels but one.

As zero times infinity is NaN, results that are not finite are computed again, by `shifted_pixels` of single channels,
which takes several times as long.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from tensorgrad.engine.tape import Array
from tensorgrad.functional import shifted_pixels
from tensorgrad.functional.windows import Ints, Windows

_LONG = 64  # elements in a line: for more, band matrices have too many zeros
_TOGETHER = 8  # channels, at most, where bands are not used


def correlate(x: Array, w: Array, bias: Sequence[Array], windows: Windows, groups: int) -> Array:
    """``(N, groups, *spatial)`` and ``(O, 1, *kernel)`` to ``(N, O, *out)``."""
    x = np.repeat(x, len(w) // groups, 1) if groups < len(w) else x  # a channel for each filter
    if _has_bands(x.shape):
        result = _correlate(x, w, bias, windows)
    else:
        together = _together(len(w))
        result = shifted_pixels.correlate(x, _widened(w, together), bias, windows, len(w) // together)
    return result if _is_finite(result) else shifted_pixels.correlate(x, w, bias, windows, len(w))


def spread(g: Array, w: Array, shape: Ints, windows: Windows, groups: int) -> Array:
    """``(N, O, *out)`` and ``(O, 1, *kernel)`` to ``(N, groups, *shape)``: the transpose of `correlate`."""
    if _has_bands((*g.shape[:2], *shape)):
        result = _spread(g, w, shape, windows)
    else:
        together = _together(len(w))
        result = shifted_pixels.spread(g, _widened(w, together), shape, windows, len(w) // together)
    if not _is_finite(result):
        result = shifted_pixels.spread(g, w, shape, windows, len(w))
    return result if groups == len(w) else result.reshape(len(g), groups, -1, *shape).sum(2)


def correlate_filters(x: Array, g: Array, windows: Windows, groups: int) -> Array:
    """``(N, groups, *spatial)`` and ``(N, O, *out)`` to ``(O, 1, *kernel)``."""
    features = g.shape[1]
    x = np.repeat(x, features // groups, 1) if groups < features else x
    if _has_bands(x.shape) and _is_finite(filters := _correlate_filters(x, g, windows)):
        return filters
    together, each = _together(features), np.arange(features)
    wide = shifted_pixels.correlate_filters(x, g, windows, features // together)
    return wide[each, each % together][:, np.newaxis]


def _has_bands(shape: Ints) -> bool:
    """Whether images ``(N, C, *spatial)`` are multiplied by band matrices."""
    return len(shape) < 5 and shape[-1] <= _LONG


def _together(channels: int) -> int:
    """The number of channels in a group for `shifted_pixels`."""
    return next(n for n in range(_TOGETHER, 0, -1) if channels % n == 0)


def _widened(w: Array, together: int) -> Array:
    """``(C, 1, *kernel)`` as ``(C, together, *kernel)``: each filter in the place of its channel in the group."""
    wide, each = np.zeros((len(w), together, *w.shape[2:]), w.dtype), np.arange(len(w))
    wide[each, each % together] = w[:, 0]
    return wide


# ------------------------------------------------------------------------------------------------ band matrices


def _correlate(x: Array, w: Array, bias: Sequence[Array], windows: Windows) -> Array:
    above, bands = _above(windows), _bands(w, x.shape[-1], windows)
    rows = _Rows(x.shape, above.reach, above.stride, above.out, x.dtype)
    rows.put(x, above.before)
    result = np.empty((*x.shape[:2], *windows.out), x.dtype)
    with np.errstate(invalid="ignore"):
        product = rows.times(above.stacked(bands))
        np.add(product, bias[0].reshape(-1, 1, 1, 1) if bias else 0, out=_channels_first(result))
    return result


def _spread(g: Array, w: Array, shape: Ints, windows: Windows) -> Array:
    """The convolution of ``g``, with zeros between its lines for a stride, with the kernel upside down."""
    above, bands = _above(windows), np.swapaxes(_bands(w, shape[-1], windows), -1, -2)
    result = np.empty((*g.shape[:2], *shape), g.dtype)
    lines = _channels_first(result)
    rows = _Rows(g.shape, above.reach, 1, lines.shape[2], g.dtype)
    rows.put(g, above.reach - 1 - above.before, above.stride)
    with np.errstate(invalid="ignore"):
        lines[...] = rows.times(above.stacked(bands)[:, ::-1])
    return result


def _correlate_filters(x: Array, g: Array, windows: Windows) -> Array:
    above = _above(windows)
    rows = _Rows(x.shape, above.reach, above.stride, above.out, x.dtype)
    rows.put(x, above.before)
    with np.errstate(invalid="ignore"):
        bands = rows.transposed_times(_channels_first(g))[:, :: above.dilation]  # (C, lines of the kernel, last, out)
        diagonals = [bands[..., elements, places].sum(-1) for elements, places in _diagonals(x.shape[-1], windows)]
    return np.stack(diagonals, -1).reshape(x.shape[1], 1, *windows.kernel)


class _Above(NamedTuple):
    """The positions of the windows along the axis above the last one."""

    out: int
    before: int
    stride: int
    dilation: int
    reach: int  # the number of lines from the first to the last that a window touches

    def stacked(self, bands: Array) -> Array:
        """Matrices ``(lines of the kernel, C, rows, columns)`` as ``(C, reach, rows, columns)``, zeros in between."""
        result = np.zeros((bands.shape[1], self.reach, *bands.shape[2:]), bands.dtype)
        result[:, :: self.dilation] = np.swapaxes(bands, 0, 1)
        return result


def _above(windows: Windows) -> _Above:
    if len(windows.out) == 1:
        return _Above(1, 0, 1, 1, 1)
    k, m, before, stride, dilation = (numbers[0] for numbers in windows)
    return _Above(m, before, stride, dilation, (k - 1) * dilation + 1)


class _Rows:
    """The lines of all images of a channel, one after the other, with zeros around images.

    A row consists of ``reach`` adjacent lines and begins ``step`` lines after the previous one. Rows overlap; those
    that do not are rows of a matrix for BLAS.
    """

    def __init__(self, shape: Ints, reach: int, step: int, results: int, dtype: Any) -> None:
        n, channels, *_, length = shape
        self.reach, self.length, self.results = reach, length, results
        self.of_image = results - 1 + -(-reach // step)  # rows; those after the first ``results`` are not used
        self.matrices = -(-reach // step)
        count = -(-n * self.of_image // self.matrices) * self.matrices
        unit = step * length
        self.shape = n, channels, count
        flat = np.zeros((channels, (count + self.matrices) * unit), dtype)
        self.lines = flat[:, : n * self.of_image * unit].reshape(channels, n, self.of_image * step, length)
        self.parts = [flat[:, i * unit : (i + count) * unit].reshape(channels, -1, self.matrices * unit)
                      for i in range(self.matrices)]  # fmt: skip

    def put(self, x: Array, first: int, step: int = 1) -> None:
        """Set the lines from images ``(N, C, *spatial)``; those of an image are ``step`` apart, from ``first`` on."""
        x = _channels_first(x)
        start = max(-(first // step), 0)
        stop = max(min((self.lines.shape[2] - 1 - first) // step + 1, x.shape[2]), start)
        there = slice(first + start * step, first + stop * step, step)
        self.lines[:, :, there] = x[:, :, start:stop]

    def times(self, matrix: Array) -> Array:
        """The products of rows and ``(C, reach, length, columns)``, as ``(C, N, results, columns)``."""
        _, channels, count = self.shape
        product = np.empty((channels, count, matrix.shape[-1]), matrix.dtype)
        matrix = matrix.reshape(channels, -1, matrix.shape[-1])
        for i, part in enumerate(self.parts):
            np.matmul(part[..., : matrix.shape[1]], matrix, out=product[:, i :: self.matrices])
        return self._by_image(product)

    def transposed_times(self, g: Array) -> Array:
        """The products of transposed rows and ``(C, N, results, columns)``, as ``(C, reach, length, columns)``."""
        _, channels, count = self.shape
        padded = np.zeros((channels, count, g.shape[-1]), g.dtype)
        self._by_image(padded)[...] = g
        wide = self.reach * self.length
        products = [np.swapaxes(part[..., :wide], 1, 2) @ padded[:, i :: self.matrices]
                    for i, part in enumerate(self.parts)]  # fmt: skip
        total: Array = sum(products)
        return total.reshape(channels, self.reach, self.length, -1)

    def _by_image(self, x: Array) -> Array:
        """``(C, rows, columns)`` as ``(C, N, results, columns)``."""
        n, channels, _ = self.shape
        return x[:, : n * self.of_image].reshape(channels, n, self.of_image, -1)[:, :, : self.results]


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


def _channels_first(x: Array) -> Array:
    """``(N, C, *spatial)`` as ``(C, N, lines, last)``: a view."""
    return np.swapaxes(x if x.ndim == 4 else x[:, :, np.newaxis], 0, 1)


def _is_finite(x: Array) -> bool:
    flat = x.ravel("K")
    with np.errstate(over="ignore"):
        return bool(np.isfinite(np.dot(flat, flat)))
