"""Convolution as matrix products, and its gradients: three functions, each of which is a gradient of the others.

    out[n, o, i] = sum over c, k of w[o, c, k] * x[n, c, i * stride + k * dilation - before]

is linear in ``x`` and in ``w``; elements outside ``x`` are 0. `convolution` computes ``out`` from ``x`` and
``w``; its gradients are `convolution_transposed`, in the shape of ``x``, and `convolution_filters`, in that of ``w``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.engine.broadcasting import total
from tensorgrad.engine.registry import primitive, rule
from tensorgrad.engine.tape import Array, Variable
from tensorgrad.functional import depthwise, shifted_pixels, whole_windows
from tensorgrad.functional.windows import Ints, Windows
from tensorgrad.summation import wide

_FEW = 16  # elements in a row of a window: for fewer, whole windows are copied


@primitive
def convolution(x: Array, w: Array, *bias: Array, out: Ints, before: Ints, stride: Ints, dilation: Ints,
                groups: int) -> Array:  # fmt: skip
    """``(N, C, *spatial)`` with ``(O, C / groups, *kernel)`` to ``(N, O, *out)``."""
    dtype, (x, w, *shift) = _alike(x, w, *bias)
    windows = Windows(w.shape[2:], out, before, stride, dilation)
    if _is_depthwise(w, groups):
        images = depthwise.correlate(_repeated(x, len(w), groups), w, shift, windows)
    elif _are_whole(x.shape, windows, groups):
        images = whole_windows.correlate(x, w, shift, windows)
    else:
        images = shifted_pixels.correlate(x, w, shift, windows, groups)
    return images.astype(dtype, copy=False)


@primitive
def convolution_transposed(g: Array, w: Array, *, shape: Ints, before: Ints, stride: Ints, dilation: Ints,
                           groups: int) -> Array:  # fmt: skip
    """``(N, O, *out)`` with ``(O, C / groups, *kernel)`` to ``(N, C, *shape)``, in memory in the order of ``g``."""
    dtype, (g, w) = _alike(g, w)
    windows = Windows(w.shape[2:], g.shape[2:], before, stride, dilation)
    if _is_depthwise(w, groups):
        images = depthwise.spread(g, w, shape, windows)
        if len(w) > groups:
            images = images.reshape(len(g), groups, -1, *shape).sum(2)
    elif windows.are_points(shape) and groups == 1:
        images = whole_windows.spread_points(g, w)
    else:
        images = shifted_pixels.spread(g, w, shape, windows, groups)
    return images.astype(dtype, copy=False)


@primitive
def convolution_filters(x: Array, g: Array, *, kernel: Ints, before: Ints, stride: Ints, dilation: Ints,
                        groups: int) -> Array:  # fmt: skip
    """``(N, C, *spatial)`` with ``(N, O, *out)`` to ``(O, C / groups, *kernel)``."""
    dtype, (x, g) = _alike(x, g)
    windows = Windows(kernel, g.shape[2:], before, stride, dilation)
    if groups == x.shape[1] > 1:
        w = depthwise.correlate_filters(_repeated(x, g.shape[1], groups), g, windows)
    elif _are_whole(x.shape, windows, groups):
        w = whole_windows.correlate_filters(x, g, windows)
    else:
        w = shifted_pixels.correlate_filters(x, g, windows, groups)
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


def _are_whole(shape: Ints, windows: Windows, groups: int) -> bool:
    """Whether copies of whole windows, or single pixels, are multiplied: see `whole_windows`."""
    return groups == 1 and (windows.are_points(shape[2:]) or shape[1] * windows.kernel[-1] < _FEW)


def _is_depthwise(w: Array, groups: int) -> bool:
    """Whether each channel is a group of its own."""
    return groups > 1 and bool(w.shape[1] == 1)


def _repeated(x: Array, features: int, groups: int) -> Array:
    """One channel for each filter."""
    return x if features == groups else np.repeat(x, features // groups, 1)
