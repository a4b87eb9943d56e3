"""Windows over images: where they lie, and the copies that convolutions compute with."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from tensorgrad.engine.tape import Array

Ints = tuple[int, ...]


class Windows(NamedTuple):
    """Where the windows lie along each spatial axis."""

    kernel: Ints
    out: Ints  # how many windows there are
    before: Ints  # so many elements before the images, the first window begins
    stride: Ints
    dilation: Ints

    @property
    def lengths(self) -> Ints:
        """The lengths of what the windows cover, padding included."""
        parts = zip(self.kernel, self.out, self.stride, self.dilation, strict=True)
        return tuple((m - 1) * s + d * (k - 1) + 1 for k, m, s, d in parts)

    def at(self, place: Ints) -> tuple[slice, ...]:
        """The elements at a place of the kernel, which is given along the first axes, in all windows."""
        parts = zip(place, self.out, self.stride, self.dilation, strict=False)
        return tuple(slice(p * d, p * d + (m - 1) * s + 1, s) for p, m, s, d in parts)

    def places(self, axes: int) -> list[tuple[slice, ...]]:
        """`at` for each place of the kernel along so many axes."""
        return [self.at(place) for place in np.ndindex(*self.kernel[:axes])]

    def along_last(self) -> list[slice]:
        """`at` for each place of the kernel along the last axis alone."""
        first = (0,) * (len(self.kernel) - 1)
        return [self.at((*first, k))[-1] for k in range(self.kernel[-1])]

    def seen_from(self, shape: Ints) -> Windows:
        """The windows over results to which each element of images of this shape belongs, for a stride of 1."""
        parts = zip(self.kernel, self.before, self.dilation, strict=True)
        return self._replace(out=shape, before=tuple(d * (k - 1) - b for k, b, d in parts))

    def are_points(self, shape: Ints) -> bool:
        """Whether the windows are the single elements of images of this shape."""
        return math.prod(self.kernel) == 1 == max(self.stride) and not any(self.before) and self.out == shape


def channels_last(x: Array) -> Array:
    """``(N, C, *spatial)`` as ``(*spatial but the last, N, last, C)``: a row of pixels of all images together."""
    return np.transpose(x, (*range(2, x.ndim - 1), 0, x.ndim - 1, 1))


def images_first(x: Array) -> Array:
    """``(*spatial but the last, N, last, C)`` as ``(N, *spatial, C)``."""
    return np.moveaxis(x, -3, 0)


def overlap(before: Ints, lengths: Ints, shape: Ints) -> tuple[list[slice], list[slice]]:
    """Where images of this shape lie in what the windows cover, and which part of the images that is."""
    triples = list(zip(before, lengths, shape, strict=True))
    inside = [slice(max(b, 0), max(min(b + n, length), 0)) for b, length, n in triples]
    return inside, [slice(max(-b, 0), max(min(length - b, n), 0)) for b, length, n in triples]


def padded(x: Array, axes: Ints, windows: Windows, room: Array | None = None) -> Array:
    """What the windows cover, with zeros around the images. ``room`` is the result for other images, to be reused."""
    shape = tuple(x.shape[axis] for axis in axes)
    if not any(windows.before) and windows.lengths == shape:
        return x
    lengths, inside, taken = list(x.shape), [slice(None)] * x.ndim, [slice(None)] * x.ndim
    where = overlap(windows.before, windows.lengths, shape)
    for axis, length, there, here in zip(axes, windows.lengths, *where, strict=True):
        lengths[axis], inside[axis], taken[axis] = length, there, here
    if room is None or room.shape != tuple(lengths):
        room = np.zeros(lengths, x.dtype)
    room[tuple(inside)] = x[tuple(taken)]
    return room
