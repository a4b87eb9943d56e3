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
from tensorgrad.functional import depthwise, pointwise, shifted_pixels, whole_windows
from tensorgrad.functional.windows import Ints, Windows
from tensorgrad.summation import wide

_FEW = 16  # elements in a row of a window: for fewer, whole windows are copied


@primitive
def convolution(x: Array, w: Array, *bias: Array, out: Ints, before: Ints, stride: Ints, dilation: Ints,
                groups: int) -> Array:  # fmt: skip
    """``(N, C, *spatial)`` with ``(O, C / groups, *kernel)`` to ``(N, O, *out)``."""
    dtype, (x, w, *shift) = _alike(x, w, *bias)
    windows = Windows(w.shape[2:], out, before, stride, dilation)
    images = _method(x.shape[1:], windows, groups).correlate(x, w, shift, windows, groups)
    return images.astype(dtype, copy=False)


@primitive
def convolution_transposed(g: Array, w: Array, *, shape: Ints, before: Ints, stride: Ints, dilation: Ints,
                           groups: int) -> Array:  # fmt: skip
    """``(N, O, *out)`` with ``(O, C / groups, *kernel)`` to ``(N, C, *shape)``."""
    dtype, (g, w) = _alike(g, w)
    windows = Windows(w.shape[2:], g.shape[2:], before, stride, dilation)
    images = _method((w.shape[1] * groups, *shape), windows, groups).spread(g, w, shape, windows, groups)
    return images.astype(dtype, copy=False)


@primitive
def convolution_filters(x: Array, g: Array, *, kernel: Ints, before: Ints, stride: Ints, dilation: Ints,
                        groups: int) -> Array:  # fmt: skip
    """``(N, C, *spatial)`` with ``(N, O, *out)`` to ``(O, C / groups, *kernel)``."""
    dtype, (x, g) = _alike(x, g)
    windows = Windows(kernel, g.shape[2:], before, stride, dilation)
    filters = _method(x.shape[1:], windows, groups).correlate_filters(x, g, windows, groups)
    return filters.astype(dtype, copy=False)


def _method(shape: Ints, windows: Windows, groups: int) -> Any:
    """The module whose functions are the fastest for images of this shape, without the axis of the batch.

    Each of them computes the same: ``correlate``, the result of a convolution; ``spread``, the gradient of the images;
    and ``correlate_filters``, that of the filters.
    """
    channels, *spatial = shape
    if groups == channels > 1:
        return depthwise
    if groups == 1 and windows.are_points(tuple(spatial)):
        return pointwise
    if groups == 1 and channels * windows.kernel[-1] < _FEW:
        return whole_windows
    return shifted_pixels


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
