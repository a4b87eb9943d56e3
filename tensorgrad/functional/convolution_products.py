"""Convolution as matrix products, and its gradients: three functions, each of which is a gradient of the others.

    out[n, o, i] = sum over c, k of w[o, c, k] * x[n, c, i * stride + k * dilation - before]

is linear in ``x`` and in ``w``; elements outside ``x`` are 0. `convolution` computes ``out`` from ``x`` and
``w``; its gradients are `convolution_transposed`, in the shape of ``x``, and `convolution_filters`, in that of ``w``.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tensorgrad.engine.registry import primitive, rule
from tensorgrad.engine.sums import total
from tensorgrad.engine.tape import Array, Variable
from tensorgrad.functional import depthwise, products_of_windows
from tensorgrad.functional.windows import Ints, Windows
from tensorgrad.summation import wide


@primitive
def convolution(x: Array, w: Array, *bias: Array, out: Ints, before: Ints, stride: Ints, dilation: Ints,
                groups: int) -> Array:  # fmt: skip
    """``(N, C, *spatial)`` with ``(O, C / groups, *kernel)`` to ``(N, O, *out)``, in memory with the channels last."""
    dtype, (x, w, *shift) = _alike(x, w, *bias)
    windows = Windows(w.shape[2:], out, before, stride, dilation)
    if _is_depthwise(w, groups):
        parts = [depthwise.correlate(_repeated(x, w, groups), w, shift, windows)]
    else:
        slices = _groups(groups, x.shape[1], len(w))
        parts = [products_of_windows.correlate(x[:, c], w[o], [b[o] for b in shift], windows) for c, o in slices]
    return _joined(parts, dtype)


@primitive
def convolution_transposed(g: Array, w: Array, *, shape: Ints, before: Ints, stride: Ints, dilation: Ints,
                           groups: int) -> Array:  # fmt: skip
    """``(N, O, *out)`` with ``(O, C / groups, *kernel)`` to ``(N, C, *shape)``, in memory in the order of ``g``."""
    dtype, (g, w) = _alike(g, w)
    windows = Windows(w.shape[2:], g.shape[2:], before, stride, dilation)
    slices = _groups(groups, w.shape[1] * groups, len(w))
    if _is_depthwise(w, groups):
        each = depthwise.spread(g, w, shape, windows)
        parts = [each if len(w) == groups else each.reshape(len(g), *shape, groups, -1).sum(-1)]
    elif max(stride) == 1 and math.prod(shape) <= 1.2 * math.prod(windows.out):  # with the kernel reversed
        flipped = np.swapaxes(np.flip(w, tuple(range(2, w.ndim))), 0, 1)
        seen = windows.seen_from(shape)
        parts = [products_of_windows.correlate(g[:, o], flipped[:, o], [], seen) for _, o in slices]
    else:
        parts = [products_of_windows.spread(g[:, o], w[o], shape, windows) for _, o in slices]
    images = _joined(parts, dtype)
    return np.ascontiguousarray(images) if g.flags.c_contiguous else images


@primitive
def convolution_filters(x: Array, g: Array, *, kernel: Ints, before: Ints, stride: Ints, dilation: Ints,
                        groups: int) -> Array:  # fmt: skip
    """``(N, C, *spatial)`` with ``(N, O, *out)`` to ``(O, C / groups, *kernel)``."""
    dtype, (x, g) = _alike(x, g)
    w = np.empty((g.shape[1], x.shape[1] // groups, *kernel), x.dtype)
    windows = Windows(kernel, g.shape[2:], before, stride, dilation)
    if _is_depthwise(w, groups):
        w[...] = depthwise.correlate_filters(_repeated(x, w, groups), g, windows)
    else:
        for c, o in _groups(groups, x.shape[1], len(w)):
            w[o] = products_of_windows.correlate_filters(x[:, c], g[:, o], windows)
    return w.astype(dtype, copy=False)


# fmt: off
rule(convolution,
     lambda g, _ans, _x, w, *_bias, out, **where: convolution_transposed(g, w, shape=_x.shape[2:], **where),
     lambda g, _ans, x, _w, *_bias, out, **where: convolution_filters(x, g, kernel=_w.shape[2:], **where),
     lambda g, _ans, _x, _w, _bias, **_where:     _sum_for_channels(g), singular=False)
rule(convolution_transposed,
     lambda u, _ans, _g, w, *, shape, **where: convolution(u, w, out=_g.shape[2:], **where),
     lambda u, _ans, g, _w, *, shape, **where: convolution_filters(u, g, kernel=_w.shape[2:], **where), singular=False)
rule(convolution_filters,
     lambda v, _ans, _x, g, *, kernel, **where: convolution_transposed(g, v, shape=_x.shape[2:], **where),
     lambda v, _ans, x, _g, *, kernel, **where: convolution(x, v, out=_g.shape[2:], **where), singular=False)
# fmt: on


def _sum_for_channels(g: Array) -> Array:
    """The sum over all axes but that of the channels, computed with the channels last if they are last in memory."""
    last = np.moveaxis(g, 1, -1)
    if not isinstance(last, Variable) and last.flags.c_contiguous:
        return total(last, axis=tuple(range(g.ndim - 1)))
    return np.sum(g, axis=(0, *range(2, g.ndim)))


def _alike(*arrays: Array) -> tuple[Any, list[Array]]:
    """The dtype of the result, and the arrays in the dtype to compute in."""
    dtype = np.result_type(*arrays)
    return dtype, [x.astype(wide(dtype) or dtype, copy=False) for x in arrays]


def _groups(groups: int, channels: int, filters: int) -> list[tuple[slice, slice]]:
    """The channels and the filters of each group."""
    c, o = channels // groups, filters // groups
    return [(slice(i * c, i * c + c), slice(i * o, i * o + o)) for i in range(groups)]


def _joined(parts: list[Array], dtype: Any) -> Array:
    """Images of several groups of channels, which are the last axis, with the channels as axis 1."""
    images = parts[0] if len(parts) == 1 else np.concatenate(parts, -1)
    return np.moveaxis(images.astype(dtype, copy=False), -1, 1)


def _is_depthwise(w: Array, groups: int) -> bool:
    """Whether each channel is a group of its own."""
    return groups > 1 and bool(w.shape[1] == 1)


def _repeated(x: Array, w: Array, groups: int) -> Array:
    """One channel for each filter."""
    return x if len(w) == groups else np.repeat(x, len(w) // groups, 1)
