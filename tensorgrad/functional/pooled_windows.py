"""The largest element of every window, and the sum of every window, which pooling consists of.

For each position in the kernel, the elements of all windows are compared or added at once, in place: nothing is copied,
and arrays keep the order of their axes in memory. Padding is not copied either: it is left out of the windows. For the
largest elements, this is done for a few images at a time, which stay in the cache.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from tensorgrad.engine.registry import primitive, rule
from tensorgrad.engine.tape import Array, Variable
from tensorgrad.functional.windows import Ints, surround
from tensorgrad.rules.reductions import extreme_dx
from tensorgrad.rules.windows import fold, unfold
from tensorgrad.summation import widened

_CACHE = 1 << 19  # bytes of the images at a time
_MANY = 16  # elements in a window: for more, the largest is found in copies of the windows


class Pooled(NamedTuple):
    """The positions of the windows along each spatial axis; ``before`` and ``after`` are the padding."""

    kernel: Ints
    out: Ints
    before: Ints
    after: Ints
    stride: Ints
    dilation: Ints

    def pairs(self, axis: int, n: int) -> list[tuple[slice, slice]]:
        """For each position in the kernel along an axis, the windows with an element there, and these elements."""
        s, m, found = self.stride[axis], self.out[axis], []
        for k in range(self.kernel[axis]):
            offset = k * self.dilation[axis] - self.before[axis]
            first = max(-(offset // s), 0)
            end = max(min((n - 1 - offset) // s + 1, m), first)
            start = first * s + offset
            found.append(
                (slice(first, end), slice(start, start + (end - first - 1) * s + 1 if end > first else start, s))
            )
        return found

    def places(self, spatial: Ints) -> Iterator[tuple[tuple[Any, ...], tuple[Any, ...]]]:
        """For each position in the kernel, the windows and their elements, as indices of ``(N, C, ...)``."""
        for pairs in itertools.product(*[self.pairs(axis, n) for axis, n in enumerate(spatial)]):
            yield (..., *[windows for windows, _ in pairs]), (..., *[elements for _, elements in pairs])


@primitive
def largest(x: Array, *, where: Pooled) -> Array:
    """``(N, C, *spatial)`` to ``(N, C, *out)``: the largest element of every window, without padding."""
    if math.prod(where.kernel) > _MANY:
        return np.max(_side_by_side(x, where), axis=2)
    result = np.full_like(x, -np.inf, shape=(*x.shape[:2], *where.out))
    places = [*where.places(x.shape[2:])]
    for images in _few(x):
        x_part, of_part = x[images], result[images]
        for windows, elements in places:
            np.maximum(of_part[windows], x_part[elements], out=of_part[windows])
    return result


@primitive
def sum_windows(x: Array, *, where: Pooled) -> Array:
    """``(N, C, *spatial)`` to ``(N, C, *out)``: the sum of every window, along one axis after the other."""
    for axis in reversed(range(len(where.out))):
        shape = (*x.shape[: axis + 2], where.out[axis], *x.shape[axis + 3 :])
        total = np.zeros_like(x, shape=shape)
        lead = (slice(None),) * (axis + 2)
        for windows, elements in where.pairs(axis, x.shape[axis + 2]):
            part = total[(*lead, windows)]
            part += x[(*lead, elements)]
        x = total
    return x


@primitive
def spread_over_windows(g: Array, *, spatial: Ints, where: Pooled) -> Array:
    """The transpose of `sum_windows`: ``(N, C, *out)`` to ``(N, C, *spatial)``."""
    for axis, n in enumerate(spatial):
        out = np.zeros_like(g, shape=(*g.shape[: axis + 2], n, *g.shape[axis + 3 :]))
        lead = (slice(None),) * (axis + 2)
        for windows, elements in where.pairs(axis, n):
            part = out[(*lead, elements)]
            part += g[(*lead, windows)]
        g = out
    return g


# fmt: off
rule(largest,             lambda g, ans, x, *, where: _to_largest(g, ans, x, where), selects=True)
rule(sum_windows,         lambda g, _ans, _x, *, where: spread_over_windows(g, spatial=_x.shape[2:], where=where))
rule(spread_over_windows, lambda u, _ans, _g, *, spatial, where: sum_windows(u, where=where))
# fmt: on


def _to_largest(g: Array, ans: Array, x: Array, where: Pooled) -> Array:
    """``g``, shared equally by the largest elements of each window; padding, -inf, may be one of them."""
    if isinstance(g, Variable) or math.prod(where.kernel) > _MANY or np.min(ans, initial=0) == -np.inf:
        copies = extreme_dx(g, ans, _side_by_side(x, where), 2, False, nan=True)
        return _added_back(copies, x.shape[2:], where)
    g, places = widened(g), [*where.places(x.shape[2:])]
    out, has_nan = np.zeros_like(x, g.dtype), bool(np.isnan(np.max(ans, initial=0)))
    for images in _few(x):
        x_part, maxima, share, total = x[images], ans[images], g[images], out[images]
        count, ties = np.zeros_like(maxima, np.uint8), []
        for windows, elements in places:
            there = x_part[elements]
            tie = there == maxima[windows]
            if has_nan:
                tie |= there != there
            count[windows] += tie
            ties.append(tie)
        if count.max(initial=0) > 1:
            share = share / count
        for (windows, elements), tie in zip(places, ties, strict=True):
            part = total[elements]
            part += share[windows] * tie
    return out


def _few(x: Array) -> Iterator[slice]:
    """The images, a few at a time."""
    count = max(_CACHE // max(x[:1].nbytes, 1), 1)
    return (slice(start, start + count) for start in range(0, len(x), count))


def _side_by_side(x: Array, where: Pooled) -> Array:
    """The elements of every window, ``(N, C, elements, *out)``: a copy, which NumPy reduces much faster than a view."""
    padded = surround(x, where.before, where.after, -np.inf)
    view = unfold(padded, kernel=where.kernel, stride=where.stride, dilation=where.dilation)
    return np.reshape(view, (*x.shape[:2], math.prod(where.kernel), *where.out))


def _added_back(copies: Array, spatial: Ints, where: Pooled) -> Array:
    """The transpose of `_side_by_side`."""
    padded = tuple(b + n + a for b, n, a in zip(where.before, spatial, where.after, strict=True))
    of_windows = np.reshape(copies, (*copies.shape[:2], *where.kernel, *where.out))
    out = fold(of_windows, shape=padded, stride=where.stride, dilation=where.dilation)
    return out[(..., *[slice(b, b + n) for b, n in zip(where.before, spatial, strict=True)])]
