"""Windows over images and their transpose: the two primitives behind convolution and pooling.

`unfold` and `fold` are each other's transposes, ``sum(unfold(x) * y) == sum(x * fold(y))``, so each is the other's
gradient. Images are ``(..., *spatial)``, windows ``(..., *kernel, *out)``: for each place in the kernel, what all the
windows have there, side by side, as the matrix products and sums that follow want it.
"""

from __future__ import annotations

import numpy as np

from tensorgrad.engine.registry import primitive, rule
from tensorgrad.engine.sums import wide
from tensorgrad.engine.tape import Array
from tensorgrad.errors import ShapeError

Ints = tuple[int, ...]


@primitive
def unfold(x: Array, *, kernel: Ints, stride: Ints, dilation: Ints) -> Array:
    """All windows over the last axes of ``x``, ``(..., *spatial)`` to ``(..., *kernel, *out)``: a view, read-only."""
    axes = len(kernel)
    spatial, steps = x.shape[-axes:], x.strides[-axes:]
    out = numbers_of_windows(spatial, kernel, stride, dilation)
    inside = tuple(d * step for d, step in zip(dilation, steps, strict=True))
    across = tuple(s * step for s, step in zip(stride, steps, strict=True))
    return np.lib.stride_tricks.as_strided(
        x, x.shape[:-axes] + kernel + out, x.strides[:-axes] + inside + across, writeable=False
    )


@primitive
def fold(x: Array, *, shape: Ints, stride: Ints, dilation: Ints) -> Array:
    """Add all windows back where they came from: ``(..., *kernel, *out)`` to ``(..., *shape)``."""
    axes = len(shape)
    kernel, counts = x.shape[-2 * axes : -axes], x.shape[-axes:]
    out: Array = np.zeros(x.shape[: -2 * axes] + shape, wide(x.dtype) or x.dtype)
    everywhere = (slice(None),) * axes
    for place in np.ndindex(kernel):
        starts = [p * d for p, d in zip(place, dilation, strict=True)]
        there = [slice(a, a + n * s, s) for a, n, s in zip(starts, counts, stride, strict=True)]
        out[(..., *there)] += x[(..., *place, *everywhere)]
    return out.astype(x.dtype, copy=False)


def _same_windows(g: Array, shape: Ints, stride: Ints, dilation: Ints) -> Array:
    """The windows over ``g`` that stand in an array of this shape: ``g`` may have room for more."""
    axes = len(shape) // 2
    found = unfold(g, kernel=shape[:axes], stride=stride, dilation=dilation)
    return found[(..., *map(slice, shape[axes:]))]


# fmt: off
rule(unfold, lambda g, _ans, _x, *, kernel, stride, dilation:
                  fold(g, shape=_x.shape[-len(kernel):], stride=stride, dilation=dilation))
rule(fold,   lambda g, _ans, _x, *, shape, stride, dilation:
                  _same_windows(g, _x.shape[-2 * len(shape):], stride, dilation))
# fmt: on


def numbers_of_windows(spatial: Ints, kernel: Ints, stride: Ints, dilation: Ints) -> Ints:
    """How many windows fit along each axis."""
    spans = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    if any(n < span for n, span in zip(spatial, spans, strict=True)):
        raise ShapeError(f"a kernel of {kernel} with dilation {dilation} does not fit into {spatial}, padding included")
    return tuple((n - span) // s + 1 for n, span, s in zip(spatial, spans, stride, strict=True))


def surround(x: Array, before: Ints, after: Ints, value: float = 0) -> Array:
    """``x`` with so many elements of this value before and after it along its last axes."""
    if not any(before + after):
        return x
    return np.pad(x, [(0, 0)] * (x.ndim - len(before)) + list(zip(before, after, strict=True)), constant_values=value)
