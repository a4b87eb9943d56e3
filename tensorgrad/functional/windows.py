"""Windows over images: their positions, and the layouts of images that convolutions use."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from tensorgrad.engine.tape import Array

Ints = tuple[int, ...]


class Windows(NamedTuple):
    """The positions of the windows along each spatial axis."""

    kernel: Ints
    out: Ints  # the number of windows
    before: Ints  # the number of elements by which the first window begins before the images
    stride: Ints
    dilation: Ints

    @property
    def lengths(self) -> Ints:
        """The lengths of the region that the windows cover, including padding."""
        parts = zip(self.kernel, self.out, self.stride, self.dilation, strict=True)
        return tuple((m - 1) * s + d * (k - 1) + 1 for k, m, s, d in parts)

    def at(self, place: Ints) -> tuple[slice, ...]:
        """The elements of all windows at a position in the kernel, which is given for the first axes."""
        parts = zip(place, self.out, self.stride, self.dilation, strict=False)
        return tuple(slice(p * d, p * d + (m - 1) * s + 1, s) for p, m, s, d in parts)

    def places(self, axes: int) -> list[tuple[slice, ...]]:
        """`at` for each position in the kernel along the first ``axes`` axes."""
        return [self.at(place) for place in np.ndindex(*self.kernel[:axes])]

    def are_points(self, shape: Ints) -> bool:
        """Whether each window is a single element of images of this shape, and each element a window."""
        return math.prod(self.kernel) == 1 == max(self.stride) and not any(self.before) and self.out == shape


def channels_last(x: Array) -> Array:
    """``(N, C, *spatial)`` as ``(*spatial except the last, N, last, C)``: rows of pixels of all images are adjacent."""
    return np.transpose(x, (*range(2, x.ndim - 1), 0, x.ndim - 1, 1))


def images_first(x: Array) -> Array:
    """``(*spatial except the last, N, last, C)`` as ``(N, *spatial, C)``."""
    return np.moveaxis(x, -3, 0)


def overlap(before: Ints, lengths: Ints, shape: Ints) -> tuple[list[slice], list[slice]]:
    """The slices of the region that the windows cover, and of images of this shape, where the two overlap."""
    triples = list(zip(before, lengths, shape, strict=True))
    inside = [slice(max(b, 0), max(min(b + n, length), 0)) for b, length, n in triples]
    return inside, [slice(max(-b, 0), max(min(length - b, n), 0)) for b, length, n in triples]


def padded(x: Array, axes: Ints, windows: Windows, buffer: Array | None = None) -> Array:
    """The region that the windows cover, with zeros around the images; ``buffer``, an earlier result, is reused."""
    shape = tuple(x.shape[axis] for axis in axes)
    if not any(windows.before) and windows.lengths == shape:
        return x
    lengths, inside, taken = list(x.shape), [slice(None)] * x.ndim, [slice(None)] * x.ndim
    where = overlap(windows.before, windows.lengths, shape)
    for axis, length, there, here in zip(axes, windows.lengths, *where, strict=True):
        lengths[axis], inside[axis], taken[axis] = length, there, here
    if buffer is None or buffer.shape != tuple(lengths):
        buffer = np.zeros(lengths, x.dtype)
    buffer[tuple(inside)] = x[tuple(taken)]
    return buffer
