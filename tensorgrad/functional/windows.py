"""Windows over images: their positions, and padding."""

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

    def are_points(self, shape: Ints) -> bool:
        """Whether each window is a single element of images of this shape, and each element a window."""
        return math.prod(self.kernel) == 1 == max(self.stride) and not any(self.before) and self.out == shape


def padded(x: Array, axes: Ints, windows: Windows, buffer: Array | None = None) -> Array:
    """The region that the windows cover, with zeros around the images; ``buffer``, an earlier result, is reused."""
    shape = tuple(x.shape[axis] for axis in axes)
    if not any(windows.before) and windows.lengths == shape:
        return x
    lengths, inside, taken = list(x.shape), [slice(None)] * x.ndim, [slice(None)] * x.ndim
    for axis, before, length, n in zip(axes, windows.before, windows.lengths, shape, strict=True):
        lengths[axis] = length
        inside[axis] = slice(max(before, 0), max(min(before + n, length), 0))
        taken[axis] = slice(max(-before, 0), max(min(length - before, n), 0))
    if buffer is None or buffer.shape != tuple(lengths):
        buffer = np.zeros(lengths, x.dtype)
    buffer[tuple(inside)] = x[tuple(taken)]
    return buffer


def surround(x: Array, before: Ints, after: Ints, value: float = 0) -> Array:
    """``x``, padded with ``before`` and ``after`` elements of this value along its last axes."""
    if not any(before + after):
        return x
    return np.pad(x, [(0, 0)] * (x.ndim - len(before)) + list(zip(before, after, strict=True)), constant_values=value)
