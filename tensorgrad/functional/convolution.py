"""Convolutions and transposed convolutions over one, two and three axes.

As in PyTorch, the kernel is not flipped. ``x`` is ``(N, C, *spatial)``; the weight of a convolution
``(out, C / groups, *kernel)``, that of a transposed one ``(C, out / groups, *kernel)``; the bias ``(out,)``.
``stride``, ``padding`` and ``dilation`` are one integer or one for each spatial axis. A weight or bias without a
gradient takes the precision of ``x``. Wrong shapes raise `ShapeError`, other wrong arguments ``ValueError``.

A convolution, its transpose and the gradient of its filters are sums of matrix products. `convolution_products` has
their rules, and chooses how they are computed, by what was measured to be the fastest:

* `shifted_pixels`, in general: a product for each element of the kernel. With pixels as the rows of a matrix
  (`pixel_matrices`) and channels as its columns, the elements of all windows at a position in the kernel are the same
  matrix from a later row on, so that nothing has to be copied.
* `whole_windows`, for less than 16 channels times elements in a row of the kernel, such as the images themselves: with
  few columns, products are slow, so that whole windows are copied (im2col) for a single one.
* `pointwise`, for kernels of one element: that is one product of matrices.
* `depthwise`, for one filter for each channel: in the other ways it would be products with vectors. Instead, lines of
  images are multiplied by band matrices.

For the sizes of ``benchmarks/networks.py``, the last three take 0.3 to 0.9 times as long as the first would.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.engine.tape import Array
from tensorgrad.errors import ShapeError
from tensorgrad.functional.arguments import check_images, floating, in_precision_of, per_axis
from tensorgrad.functional.convolution_products import convolution, convolution_transposed
from tensorgrad.rules.windows import Ints, numbers_of_windows


def conv1d(x: Array, weight: Array, bias: Array = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
           groups: int = 1) -> Array:  # fmt: skip
    """Convolve ``x`` ``(N, C, L)`` with ``weight`` ``(out, C / groups, k)``: see `conv2d`.

    Examples
    --------
    >>> x, w = np.arange(5.0).reshape(1, 1, 5), np.array([[[-1.0, 0.0, 1.0]]])
    >>> tg.conv1d(x, w)
    array([[[2., 2., 2.]]])
    >>> tg.conv1d(x, w, padding="same")
    array([[[ 1.,  2.,  2.,  2., -3.]]])
    """
    return _convolve(1, x, weight, bias, stride, padding, dilation, groups)


def conv2d(x: Array, weight: Array, bias: Array = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
           groups: int = 1) -> Array:  # fmt: skip
    """Convolve images with filters: ``out[n, o, i] = bias[o] + sum over c, k of weight[o, c, k] * x[n, c, i + k]``.

    Parameters
    ----------
    x
        Images, ``(N, C, H, W)``.
    weight
        Filters, ``(out, C / groups, kH, kW)``.
    bias
        ``(out,)``, or None.
    stride
        The distance between adjacent windows.
    padding
        The number of zeros before and after each axis; ``"same"`` keeps the length, ``"valid"`` means no padding.
    dilation
        The distance between adjacent elements of the kernel.
    groups
        The number of groups of channels, each with its own filters.

    Raises
    ------
    ShapeError
        If the shapes do not match, or the kernel is larger than the padded images.
    ValueError
        If a parameter is out of range, or ``"same"`` is combined with a stride.

    Examples
    --------
    >>> x = np.arange(9.0).reshape(1, 1, 3, 3)
    >>> tg.conv2d(x, np.ones((1, 1, 2, 2)))
    array([[[[ 8., 12.],
             [20., 24.]]]])
    >>> tg.conv2d(x, np.ones((8, 1, 3, 3)), padding=1, stride=2).shape
    (1, 8, 2, 2)
    """
    return _convolve(2, x, weight, bias, stride, padding, dilation, groups)


def conv3d(x: Array, weight: Array, bias: Array = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
           groups: int = 1) -> Array:  # fmt: skip
    """Convolve ``x`` ``(N, C, D, H, W)`` with ``weight`` ``(out, C / groups, kD, kH, kW)``: see `conv2d`.

    Examples
    --------
    >>> tg.conv3d(np.ones((2, 1, 4, 4, 4)), np.ones((5, 1, 3, 3, 3)), padding=1).shape
    (2, 5, 4, 4, 4)
    """
    return _convolve(3, x, weight, bias, stride, padding, dilation, groups)


def conv_transpose1d(x: Array, weight: Array, bias: Array = None, stride: Any = 1, padding: Any = 0,
                     output_padding: Any = 0, groups: int = 1, dilation: Any = 1) -> Array:  # fmt: skip
    """The transpose of `conv1d`, ``(N, C, L)`` with ``weight`` ``(C, out / groups, k)``: see `conv_transpose2d`.

    Examples
    --------
    >>> tg.conv_transpose1d(np.array([[[1.0, 10.0]]]), np.array([[[1.0, 2.0]]]), stride=2)
    array([[[ 1.,  2., 10., 20.]]])
    """
    return _convolve_transposed(1, x, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose2d(x: Array, weight: Array, bias: Array = None, stride: Any = 1, padding: Any = 0,
                     output_padding: Any = 0, groups: int = 1, dilation: Any = 1) -> Array:  # fmt: skip
    """The transpose of `conv2d`: each element of ``x`` adds a multiple of the kernel to the result.

    ``x`` is ``(N, C, H, W)``, ``weight`` ``(C, out / groups, kH, kW)``. Along each axis, the length becomes
    ``(n - 1) * stride - 2 * padding + dilation * (k - 1) + 1 + output_padding``; ``output_padding`` selects one of the
    lengths that a convolution with a stride maps to the same length. Errors are those of `conv2d`.

    Source: Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", 2016, section 4.

    Examples
    --------
    >>> x = tg.conv2d(np.ones((1, 3, 8, 8)), np.ones((4, 3, 2, 2)), stride=2)
    >>> x.shape
    (1, 4, 4, 4)
    >>> tg.conv_transpose2d(x, np.ones((4, 3, 2, 2)), stride=2).shape  # the shape of the input again
    (1, 3, 8, 8)
    """
    return _convolve_transposed(2, x, weight, bias, stride, padding, output_padding, groups, dilation)


def conv_transpose3d(x: Array, weight: Array, bias: Array = None, stride: Any = 1, padding: Any = 0,
                     output_padding: Any = 0, groups: int = 1, dilation: Any = 1) -> Array:  # fmt: skip
    """The transpose of `conv3d`, ``(N, C, D, H, W)`` with ``(C, out / groups, ...)``: see `conv_transpose2d`.

    Examples
    --------
    >>> tg.conv_transpose3d(np.ones((1, 2, 3, 3, 3)), np.ones((2, 4, 2, 2, 2)), stride=2).shape
    (1, 4, 6, 6, 6)
    """
    return _convolve_transposed(3, x, weight, bias, stride, padding, output_padding, groups, dilation)


def _convolve(axes: int, x: Array, weight: Array, bias: Array, stride: Any, padding: Any, dilation: Any,
              groups: int) -> Array:  # fmt: skip
    x = floating(x)
    weight = in_precision_of(x, weight)
    _check(axes, x, weight, groups)
    channels = x.shape[1]
    features, taken, *kernel = weight.shape
    if taken * groups != channels:
        raise ShapeError(
            f"weight {weight.shape} with {groups} groups takes {taken * groups} channels, x {x.shape} has {channels}"
        )
    if features % groups:
        raise ShapeError(f"weight {weight.shape}: its {features} filters do not divide into {groups} groups")
    stride, dilation = per_axis(stride, axes, "stride", 1), per_axis(dilation, axes, "dilation", 1)
    before, after = _margins(padding, tuple(kernel), stride, dilation)
    lengths = tuple(n + b + a for n, b, a in zip(x.shape[2:], before, after, strict=True))
    out = numbers_of_windows(lengths, tuple(kernel), stride, dilation)
    where = {"out": out, "before": before, "stride": stride, "dilation": dilation, "groups": groups}
    return convolution(x, weight, *_bias(bias, x, features), **where)


def _convolve_transposed(axes: int, x: Array, weight: Array, bias: Array, stride: Any, padding: Any,
                         output_padding: Any, groups: int, dilation: Any) -> Array:  # fmt: skip
    x = floating(x)
    weight = in_precision_of(x, weight)
    _check(axes, x, weight, groups)
    channels, *spatial = x.shape[1:]
    taken, made, *kernel = weight.shape
    if taken != channels:
        raise ShapeError(f"weight {weight.shape} takes {taken} channels, x {x.shape} has {channels}")
    if channels % groups:
        raise ShapeError(f"x {x.shape}: its {channels} channels do not divide into {groups} groups")
    stride, dilation = per_axis(stride, axes, "stride", 1), per_axis(dilation, axes, "dilation", 1)
    padding, extra = per_axis(padding, axes, "padding", 0), per_axis(output_padding, axes, "output_padding", 0)
    if any(e >= max(s, d) for e, s, d in zip(extra, stride, dilation, strict=True)):
        raise ValueError(f"output_padding must be less than the stride or the dilation, got {output_padding!r}")
    full = tuple((m - 1) * s + d * (k - 1) + 1 for m, s, d, k in zip(spatial, stride, dilation, kernel, strict=True))
    if any(m < 1 or f + e <= 2 * p for m, f, e, p in zip(spatial, full, extra, padding, strict=True)):
        raise ShapeError(f"nothing is left of x {x.shape} after padding {padding}")

    shape = tuple(f + e - 2 * p for f, e, p in zip(full, extra, padding, strict=True))
    images = convolution_transposed(x, weight, shape=shape, before=padding, stride=stride, dilation=dilation,
                                    groups=groups)  # fmt: skip
    for vector in _bias(bias, x, made * groups):
        images = images + np.reshape(vector, (-1,) + (1,) * axes)
    return images


def _check(axes: int, x: Array, weight: Array, groups: int) -> None:
    check_images(x, axes)
    if weight.ndim != axes + 2 or 0 in weight.shape[2:]:
        raise ShapeError(f"weight must have {axes + 2} axes, two of them for channels, got {weight.shape}")
    if not isinstance(groups, (int, np.integer)) or groups < 1:
        raise ValueError(f"groups must be a positive integer, got {groups!r}")


def _margins(padding: Any, kernel: Ints, stride: Ints, dilation: Ints) -> tuple[Ints, Ints]:
    """The number of zeros before and after each axis."""
    if padding == "valid":
        padding = 0
    elif padding == "same":
        if max(stride) > 1:
            raise ValueError(f"padding='same' needs a stride of 1, got {stride}")
        total = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        return tuple(t // 2 for t in total), tuple(t - t // 2 for t in total)
    elif isinstance(padding, str):
        raise ValueError(f"padding must be 'same', 'valid' or integers, got {padding!r}")
    both = per_axis(padding, len(kernel), "padding", 0)
    return both, both


def _bias(bias: Array, x: Array, filters: int) -> list[Array]:
    """The bias, if there is one."""
    if bias is None:
        return []
    bias = in_precision_of(x, bias)
    if bias.shape != (filters,):
        raise ShapeError(f"bias must have shape {(filters,)}, one for each filter, got {bias.shape}")
    return [bias]
