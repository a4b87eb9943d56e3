"""Convolution without copies of windows: the elements of all windows at a position in the kernel are shifted pixels.

With the pixels of images as rows of a matrix, these elements are the same matrix, beginning some rows later. Therefore
a convolution is a sum of products of shifted matrices, and so are its gradients:

    out[p] = sum over k of x[p + shift[k]] @ w[k]
    x[p + shift[k]] += g[p] @ w[k].T,    w[k] += x[p + shift[k]].T @ g[p]

Source: Anderson, Vasudevan, Keane and Gregg, "Low-memory GEMM-based convolution algorithms for deep neural networks",
2017, where the elements of the kernel are multiplied one at a time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from tensorgrad.engine.tape import Array
from tensorgrad.functional.pixel_matrices import PixelMatrices
from tensorgrad.functional.small_products import Term, products
from tensorgrad.functional.windows import Ints, Windows, padded

_KEPT, _LARGE = 32, 1 << 20  # how many `Plan` objects are kept for the next call, and bytes beyond which none is


class Plan(NamedTuple):
    """The memory that a function below uses, and its products, which are prepared for this memory."""

    matrices: PixelMatrices
    kernel: Array
    multiply: Callable[[], object]


_idle: dict[Any, Plan] = {}
"""Plans of earlier calls that no call uses now, by `_planned`'s arguments; the one that was used last is the last."""


def _to_results(pixels: Array, kernel: Array, results: Array) -> Term:
    """``results += pixels @ kernel``."""
    return pixels, kernel, results


def _to_pixels(pixels: Array, kernel: Array, results: Array) -> Term:
    """``pixels += results @ kernel.T``."""
    return results, kernel.T, pixels


def _to_kernel(pixels: Array, kernel: Array, results: Array) -> Term:
    """``kernel += pixels.T @ results``."""
    return pixels.T, results, kernel


@contextlib.contextmanager
def _planned(product: Callable[..., Term], *sizes: Any) -> Iterator[Plan]:
    """A new plan, or one from an earlier call: for small images, making one takes a fifth of the time."""
    plan = _idle.pop((product, sizes), None) or _plan(product, PixelMatrices(*sizes))
    yield plan  # after an error, the memory may hold anything, and the plan is not kept
    if plan.matrices.images.nbytes + plan.matrices.results.nbytes + plan.kernel.nbytes <= _LARGE:
        _idle[product, sizes] = plan
        for oldest in list(_idle)[:-_KEPT]:
            _idle.pop(oldest, None)


def _plan(product: Callable[..., Term], matrices: PixelMatrices) -> Plan:
    kernel = np.empty((matrices.groups, matrices.elements, matrices.channels, matrices.features), matrices.dtype)
    return Plan(matrices, kernel, products(
        [product(pixels, kernel[group, elements].reshape(pixels.shape[1], -1), results)
         for group, elements, pixels, results in matrices.terms()]
    ))  # fmt: skip


def correlate(x: Array, w: Array, bias: Sequence[Array], windows: Windows, groups: int) -> Array:
    """``(N, C, *spatial)`` and ``(O, C / groups, *kernel)`` to ``(N, O, *out)``, in memory with the channels last."""
    result = _channels_last((len(x), len(w), *windows.out), x.dtype)
    shift = bias[0].reshape(groups, 1, -1) if bias else 0
    with _planned(_to_results, windows, x.shape, len(w), groups, x.dtype) as (matrices, kernel, multiply):
        kernel[...] = matrices.pack(w)
        for parts, (results, of_result) in matrices.batches(x, result):
            for part, of_x in parts:
                part[...] = of_x
            matrices.results[...] = shift
            multiply()
            of_result[...] = results
    return result


def spread(g: Array, w: Array, shape: Ints, windows: Windows, groups: int) -> Array:
    """``(N, O, *out)`` and ``(O, C / groups, *kernel)`` to ``(N, C, *shape)``: the transpose of `correlate`."""
    shape = (len(g), groups * w.shape[1], *shape)
    result = np.empty(shape, g.dtype) if g.flags.c_contiguous else _channels_last(shape, g.dtype)
    with _planned(_to_pixels, windows, shape, len(w), groups, g.dtype) as (matrices, kernel, multiply):
        kernel[...] = matrices.pack(w)
        if not matrices.grid.covers:
            result[...] = 0
        for parts, (results, of_g) in matrices.batches(result, g):
            matrices.images[...] = 0
            results[...] = of_g
            multiply()
            for part, of_result in parts:
                of_result[...] = part
    return result


def correlate_filters(x: Array, g: Array, windows: Windows, groups: int) -> Array:
    """``(N, C, *spatial)`` and ``(N, O, *out)`` to ``(O, C / groups, *kernel)``."""
    features = g.shape[1]
    with _planned(_to_kernel, windows, x.shape, features, groups, x.dtype) as (matrices, total, multiply):
        total[...] = 0
        for parts, (results, of_g) in matrices.batches(x, g):
            for part, of_x in parts:
                part[...] = of_x
            results[...] = of_g
            multiply()
        filters, is_finite = matrices.unpack(total), np.isfinite(total).all()
    if not is_finite:
        return _filters_by_element(x, g, windows, groups)
    return filters.reshape(features, matrices.channels, *windows.kernel)


def _filters_by_element(x: Array, g: Array, windows: Windows, groups: int) -> Array:
    """`correlate_filters` for images that are not finite: between lines, zeros of ``g`` turn them into NaN."""
    region = padded(x, tuple(range(2, x.ndim)), windows)
    x, g = (array.reshape(len(array), groups, -1, *array.shape[2:]) for array in (region, g))
    pixels = "xyz"[: len(windows.kernel)]
    w = np.empty((groups, g.shape[2], x.shape[2], *windows.kernel), x.dtype)
    for place in np.ndindex(*windows.kernel):
        w[(..., *place)] = np.einsum(f"ngc{pixels},ngo{pixels}->goc", x[(..., *windows.at(place))], g)
    return w.reshape(-1, *w.shape[2:])


def _channels_last(shape: Ints, dtype: Any) -> Array:
    """An array ``(N, C, *spatial)`` without values, in memory with the channels last."""
    n, channels, *lengths = shape
    return np.moveaxis(np.empty((n, *lengths, channels), dtype), -1, 1)
