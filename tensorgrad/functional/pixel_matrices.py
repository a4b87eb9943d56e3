"""Images as matrices in which the windows at a position in the kernel are shifted pixels: see `shifted_pixels`.

The pixels of a few images, with zeros between the lines, are the rows of a matrix, in the order ``(*spatial except the
last, N, last)``, and the channels are its columns. For strides there is a matrix for each remainder of the positions.
Results are the rows of a matrix in the same order; what is computed for the gaps between lines is not used.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from tensorgrad.engine.tape import Array
from tensorgrad.functional.windows import Ints, Windows

_CACHE = 1 << 19  # bytes of the matrices of the images that are computed at a time

Shift = tuple[int, int]
"""A matrix, and the row where the elements of all windows at a position in the kernel begin."""


class Grid(NamedTuple):
    """Where pixels are. Slices are for axes ``(groups, *spatial except the last, N, last)``."""

    shape: Ints  # of the rows of a matrix
    out_shape: Ints  # of the rows of the results
    size: int  # the rows of a matrix and some more, which are zeros
    parts: list[tuple[Any, Any]]  # for each matrix, where there are elements of the images, and which
    inside: Any  # where there are results, not gaps between lines
    above: list[Shift]  # for each position in the kernel along all axes but the last; each has matrices for the last
    along: list[Shift]  # for each position along the last axis
    runs: list[list[int]]  # positions along the last axis that are adjacent rows of one matrix
    covers: bool  # whether every element of the images is in a matrix


class _Axis(NamedTuple):
    shifts: list[Shift]
    parts: list[tuple[slice, slice]]  # as in `Grid`
    reach: int  # the number of windows and the last shift
    pitch: int  # the distance of lines: beyond the end of a line, windows find the zeros in front of the next


def _axis(length: int, windows: Windows, i: int) -> _Axis:
    k, m, before, stride, dilation = (numbers[i] for numbers in windows)
    remainders = sorted({j * dilation % stride for j in range(k)})
    shifts = [(remainders.index(j * dilation % stride), j * dilation // stride) for j in range(k)]
    reach = m + shifts[-1][1]
    parts, start_of_data, end = [], reach, m
    for remainder in remainders:
        first = (remainder - before) % stride
        start = (first + before) // stride
        count = max(min(-(-(length - first) // stride), reach - start), 0)
        parts.append((slice(start, start + count), slice(first, first + count * stride, stride)))
        if count:
            start_of_data, end = min(start_of_data, start), max(end, start + count)
    return _Axis(shifts, parts, reach, max(end, reach - start_of_data))


@functools.lru_cache(256)
def grid_of(windows: Windows, lengths: Ints, n: int) -> Grid:
    """The positions for ``n`` images of these lengths."""
    axes = [_axis(length, windows, i) for i, length in enumerate(lengths)]
    *others, last = axes
    inner = (*[axis.pitch for axis in others[1:]], n, last.pitch)
    shape, out_shape = (*[axis.reach for axis in others[:1]], *inner), (*windows.out[: len(others[:1])], *inner)
    above = [(0, 0)]
    for i, axis in enumerate(others):
        step, count = math.prod(shape[i + 1 :]), len(axis.parts)
        above = [(m * count + k, row + j * step) for (m, row), (k, j) in itertools.product(above, axis.shifts)]
    parts = [(_with_images([there for there, _ in pairs]), _with_images([here for _, here in pairs]))
             for pairs in itertools.product(*[axis.parts for axis in axes])]  # fmt: skip
    counts = [sum(there.stop - there.start for there, _ in axis.parts) for axis in axes]
    covers = counts == list(lengths)
    beyond = max(row for _, row in above) + last.reach + windows.kernel[-1]
    size = max(math.prod(shape), math.prod(out_shape) + beyond)
    inside = _with_images([slice(m) for m in windows.out])
    return Grid(shape, out_shape, size, parts, inside, above, last.shifts, _runs(last.shifts), covers)


def _with_images(slices: list[slice]) -> tuple[slice, ...]:
    """Slices for spatial axes with those for all groups and all images."""
    return (slice(None), *slices[:-1], slice(None), slices[-1])


def _runs(shifts: list[Shift]) -> list[list[int]]:
    runs: list[list[int]] = []
    for j in sorted(range(len(shifts)), key=lambda j: shifts[j]):
        matrix, row = shifts[j]
        if runs and shifts[runs[-1][-1]] == (matrix, row - 1):
            runs[-1].append(j)
        else:
            runs.append([j])
    return runs


class Term(NamedTuple):
    """A product: ``results += pixels @ kernel``, where the kernel are these elements of `PixelMatrices.pack`."""

    group: int
    elements: slice
    pixels: Array
    results: Array


class PixelMatrices:
    """The matrices of a few images, ``(matrices, groups, rows, C)``, and of their results, ``(groups, rows, O)``.

    ``C`` and ``O`` are numbers of channels in a group. ``m`` adjacent elements of the kernel are multiplied at once:
    ``m`` rows of a matrix are one row of ``m`` times as many columns, which contributes to every m-th result.
    """

    def __init__(self, windows: Windows, shape: Ints, features: int, groups: int, dtype: np.dtype[Any]) -> None:
        number, channels, *lengths = shape
        one = grid_of(windows, tuple(lengths), 1)
        each = (len(one.parts) * channels * one.size + features * math.prod(one.out_shape)) * dtype.itemsize
        most = max(min(_CACHE // max(each, 1), number), 1)
        self.few = min(range(most, most // 2, -1), key=lambda few: -number % few)  # images at a time
        self.groups, self.channels, self.features = groups, channels // groups, features // groups
        self.elements, self.dtype = math.prod(windows.kernel), dtype
        self.grid = grid = grid_of(windows, tuple(lengths), self.few)
        self.images = np.zeros((len(grid.parts), groups, grid.size, self.channels), dtype)
        self.results = np.zeros((groups, math.prod(grid.out_shape), self.features), dtype)
        lines = self.images[:, :, : math.prod(grid.shape)].reshape(-1, groups, *grid.shape, self.channels)
        self._parts = [(of_part[there], here) for of_part, (there, here) in zip(lines, grid.parts, strict=True)]
        self._inside = self.results.reshape(groups, *grid.out_shape, self.features)[grid.inside]
        last = windows.kernel[-1]
        self._order = [p * last + j for p in range(len(grid.above)) for run in grid.runs for j in run]

    def terms(self) -> Iterator[Term]:
        """All products."""
        count, start = self.results.shape[1], 0
        matrices = self.images.reshape(-1, 1 + max(m for m, _ in self.grid.along), *self.images.shape[1:])
        for (above, row), run in itertools.product(self.grid.above, self.grid.runs):
            m, (matrix, column) = len(run), self.grid.along[run[0]]
            for o, group in itertools.product(range(m), range(self.groups)):
                rows, first = -(-(count - o) // m), row + column + o
                pixels = matrices[above, matrix, group, first : first + rows * m].reshape(rows, m * self.channels)
                yield Term(group, slice(start, start + m), pixels, self.results[group, o::m])
            start += m

    def pack(self, w: Array) -> Array:
        """Filters ``(O, C, *kernel)`` of all groups as ``(groups, elements, C, O)``."""
        w = w.reshape(self.groups, self.features, self.channels, len(self._order))
        return np.transpose(w[..., self._order], (0, 3, 2, 1))

    def unpack(self, w: Array) -> Array:
        """The inverse of `pack`, but with flat elements of the kernel: ``(groups, O, C, elements)``."""
        result = np.empty((self.groups, self.features, self.channels, len(self._order)), w.dtype)
        result[..., self._order] = np.transpose(w, (0, 3, 2, 1))
        return result

    def batches(self, x: Array, y: Array) -> Iterator[tuple[list[tuple[Array, Array]], tuple[Array, Array]]]:
        """Pairs of views, for a few images at a time: of the matrices and ``x``, and of the results and ``y``.

        ``x`` and ``y`` are ``(N, C, *spatial)``; both arrays in a pair have the same shape.
        """
        x, y = self._in_order(x), self._in_order(y)
        for start in range(0, x.shape[-3], self.few):
            images = x[..., start : start + self.few, :, :]
            n = images.shape[-3]
            if n < self.few:  # nothing of earlier images may remain
                self.images[...], self.results[...] = 0, 0
            parts = [(part[..., :n, :, :], images[here]) for part, here in self._parts]
            yield parts, (self._inside[..., :n, :, :], y[..., start : start + n, :, :])

    def _in_order(self, x: Array) -> Array:
        """``(N, C, *spatial)`` as ``(groups, *spatial except the last, N, last, C)``."""
        n, channels, *lengths = x.shape
        x = x.reshape(n, self.groups, channels // self.groups, *lengths)
        return np.transpose(x, (1, *range(3, x.ndim - 1), 0, x.ndim - 1, 2))
