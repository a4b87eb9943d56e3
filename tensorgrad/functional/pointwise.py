"""Convolution with kernels of one element, and its two gradients: products of matrices with a pixel in each row."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tensorgrad.engine.tape import Array
from tensorgrad.functional.windows import Ints, Windows


def correlate(x: Array, w: Array, bias: Sequence[Array], windows: Windows, groups: int) -> Array:
    """``(N, C, *spatial)`` and ``(O, C, *ones)`` to ``(N, O, *spatial)``, in memory with the channels last."""
    out = np.matmul(_pixels(x), w.reshape(w.shape[:2]).T)
    for shift in bias:
        out += shift
    return _images(out, x.shape[2:])


def spread(g: Array, w: Array, shape: Ints, windows: Windows, groups: int) -> Array:
    """``(N, O, *shape)`` and ``(O, C, *ones)`` to ``(N, C, *shape)``: the transpose of `correlate`."""
    return _images(np.matmul(_pixels(g), w.reshape(w.shape[:2])), shape)


def correlate_filters(x: Array, g: Array, windows: Windows, groups: int) -> Array:
    """``(N, C, *spatial)`` and ``(N, O, *spatial)`` to ``(O, C, *ones)``."""
    of_images = np.matmul(np.swapaxes(_pixels(g), 1, 2), _pixels(x))
    return of_images.sum(0).reshape(g.shape[1], x.shape[1], *windows.kernel)


def _pixels(x: Array) -> Array:
    """``(N, C, *spatial)`` as ``(N, pixels, C)``."""
    return np.swapaxes(x.reshape(*x.shape[:2], math.prod(x.shape[2:])), 1, 2)


def _images(pixels: Array, spatial: Ints) -> Array:
    """The inverse of `_pixels`."""
    return np.moveaxis(pixels.reshape(len(pixels), *spatial, pixels.shape[2]), -1, 1)
