"""Arrays ``(N, C, ...)`` of mean 0 and variance 1, with a scale and a shift for each channel.

Statistics are taken of each channel over the batch (``groups=None``), or of each of ``groups`` groups of channels in
each element of the batch. Both are pooled from those of single channels of single elements: these are sums along one
axis, which are products with BLAS, of a few elements at a time. Compared with means and variances over several axes,
a layer takes a third of the time (``python benchmarks/networks.py norm``).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from tensorgrad.engine.registry import primitive, rule
from tensorgrad.engine.tape import Array, Variable
from tensorgrad.functional.standardized import standardize, without_moments
from tensorgrad.summation import widened

_BLOCK = 1 << 16  # elements that are computed at a time, in the cache


@primitive
def standardize_channels(x: Array, weight: Array, bias: Array, *, statistics: Array, groups: int | None,
                         eps: float) -> Array:  # fmt: skip
    """``standardize(x) * weight + bias``, where the weight and the bias are ``(C,)``.

    ``statistics`` are the `channel_statistics` of ``x``, which the gradients need, too.
    """
    images = _images(x)
    out = np.empty_like(images, np.result_type(images, weight, bias))
    mean, variance = statistics
    scale = weight / np.sqrt(variance + eps)
    for block in _blocks(images):
        part = np.subtract(images[block], _of(mean, block), out=out[block])
        part *= _of(scale, block)
        part += bias[:, np.newaxis]
    return out.reshape(x.shape).astype(np.result_type(x, weight, bias), copy=False)


def _standardize_channels_gradients(g: Array, _ans: Array, needed: Sequence[int], x: Array, weight: Array, _bias: Array,
                                    *, statistics: Array, groups: int | None,
                                    eps: float) -> dict[int, Array]:  # fmt: skip
    if isinstance(g, Variable) or isinstance(x, Variable) or isinstance(weight, Variable):  # a pass that is recorded
        return _recorded(g, x, weight, groups, eps)
    images, upstream = _images(x), _images(g)
    out = np.empty_like(images, np.result_type(upstream, images, weight))
    mean, variance = statistics
    inverse = 1 / np.sqrt(variance + eps)
    ones, sums = np.ones(images.shape[2], out.dtype), np.empty((2, *images.shape[:2]), out.dtype)
    for block in _blocks(images):
        np.matmul(upstream[block], ones, out=sums[0, block])
        centered = images[block] - _of(mean, block)
        centered *= upstream[block]
        np.matmul(centered, ones, out=sums[1, block])
    sums[1] *= inverse
    across, along = (_pooled(total * (weight / max(len(ones), 1)), groups) for total in sums)
    scale, slope, shift = inverse * weight, along * np.square(inverse), across * inverse
    for block in _blocks(images):
        part = np.multiply(upstream[block], _of(scale, block), out=out[block])
        centered = images[block] - _of(mean, block)
        centered *= _of(slope, block)
        centered += _of(shift, block)
        part -= centered
    return {0: out.reshape(x.shape), 1: sums[1].sum(0), 2: sums[0].sum(0)}


rule(standardize_channels, together=_standardize_channels_gradients)


def _recorded(g: Array, x: Array, weight: Array, groups: int | None, eps: float) -> dict[int, Array]:
    """The same gradients, with functions of the table."""
    shape = (len(x), groups or 1, x.shape[1] // (groups or 1), math.prod(x.shape[2:]))
    axis = (0, 3) if groups is None else (2, 3)
    grouped = np.reshape(x, shape)
    standard = standardize(grouped, axis=axis, eps=eps)
    scaled = g * np.reshape(weight, (-1,) + (1,) * (x.ndim - 2))
    dx = np.reshape(without_moments(np.reshape(scaled, shape), standard, grouped, axis, eps, True), x.shape)
    rest = (0, *range(2, x.ndim))
    return {0: dx, 1: np.sum(g * np.reshape(standard, x.shape), axis=rest), 2: np.sum(g, axis=rest)}


@primitive
def channel_statistics(x: Array, *, groups: int | None) -> Array:
    """The means and (biased) variances, ``(2, N, C)``, or ``(2, 1, C)`` over the batch; they have no gradient."""
    images = _images(x)
    length, moments = images.shape[2], np.empty((2, *images.shape[:2]), images.dtype)
    average = np.full(length, 1 / max(length, 1), images.dtype)
    for block in _blocks(images):
        mean = np.matmul(images[block], average, out=moments[0, block])
        centered = images[block] - mean[..., np.newaxis]
        np.matmul(np.square(centered, out=centered), average, out=moments[1, block])
    mean = _pooled(moments[0], groups)
    return np.stack([mean, _pooled(moments[1] + np.square(moments[0] - mean), groups)])


def _pooled(values: Array, groups: int | None) -> Array:
    """Means over the batch, or over the channels of each group, for each channel: ``(1, C)`` or ``(N, C)``."""
    if groups is None:
        return np.mean(values, axis=0, keepdims=True)
    n, channels = values.shape
    return np.repeat(np.mean(values.reshape(n, groups, channels // groups), axis=-1), channels // groups, axis=1)


def _images(x: Array) -> Array:
    """``(N, C, ...)`` as ``(N, C, L)``."""
    return widened(x).reshape(*x.shape[:2], math.prod(x.shape[2:]))


def _of(values: Array, block: slice) -> Array:
    """What belongs to a block, of an array ``(N, C)`` or ``(1, C)``."""
    return (values if len(values) == 1 else values[block])[..., np.newaxis]


def _blocks(images: Array) -> Iterator[slice]:
    """The batch, a few elements at a time."""
    count = max(_BLOCK // max(images[:1].size, 1), 1)
    return (slice(start, start + count) for start in range(0, len(images), count))
