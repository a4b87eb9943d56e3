"""Resizing of images, by interpolation along one axis after the other."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tensorgrad.engine.tape import Array
from tensorgrad.errors import ShapeError
from tensorgrad.functional.adaptive_pooling import adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d
from tensorgrad.functional.arguments import check_choice, floating, per_axis
from tensorgrad.rules.reductions import of_dtype
from tensorgrad.summation import widened

_LINEAR = {"linear": 1, "bilinear": 2, "trilinear": 3}  # and the number of spatial axes
_MODES = ("nearest", "nearest-exact", *_LINEAR, "area")
_MEANS = {1: adaptive_avg_pool1d, 2: adaptive_avg_pool2d, 3: adaptive_avg_pool3d}


def interpolate(x: Array, size: Any = None, scale_factor: Any = None, mode: str = "nearest",
                align_corners: bool | None = None) -> Array:  # fmt: skip
    """Resize ``x``, ``(N, C, *spatial)`` with one to three spatial axes.

    Parameters
    ----------
    x
        The images.
    size, scale_factor
        The new lengths of the spatial axes, or the factors by which to multiply the old ones (rounded down): one number
        for all axes or one for each. Exactly one of the two must be given.
    mode
        ``"nearest"``: the element at ``floor(i * old / new)``, or ``floor(i / scale_factor)``.
        ``"nearest-exact"``: the element whose center is nearest to that of the new one.
        ``"linear"``, ``"bilinear"``, ``"trilinear"``, for one, two and three spatial axes: a weighted mean of the two
        nearest elements along each axis.
        ``"area"``: the mean of the elements that the new one covers; see `adaptive_avg_pool2d`.
    align_corners
        For linear interpolation, whether the centers of the first and last elements stay in place. By default, the
        outer edges of these elements do.

    Raises
    ------
    ShapeError
        If ``x`` does not have the number of axes that the mode requires, or an axis has length 0.
    ValueError
        If an option has an invalid value, or not exactly one of ``size`` and ``scale_factor`` is given.

    Examples
    --------
    >>> x = np.array([[[0.0, 1.0, 4.0]]])
    >>> tg.interpolate(x, scale_factor=2)
    array([[[0., 0., 1., 1., 4., 4.]]])
    >>> tg.interpolate(x, size=5, mode="linear", align_corners=True)
    array([[[0. , 0.5, 1. , 2.5, 4. ]]])
    """
    check_choice("mode", mode, _MODES)
    x = floating(x)
    axes = x.ndim - 2
    if axes not in (1, 2, 3) or _LINEAR.get(mode, axes) != axes:
        wanted = {1: "(N, C, L)", 2: "(N, C, H, W)", 3: "(N, C, D, H, W)"}.get(_LINEAR.get(mode, 0), "(N, C, *spatial)")
        fitting = next((other for other, count in _LINEAR.items() if count == axes and mode in _LINEAR), None)
        remedy = f": write mode={fitting!r}" if fitting else ""
        raise ShapeError(f"for mode {mode!r}, x must have shape {wanted}, got {x.shape}{remedy}")
    if not all(x.shape[2:]):
        raise ShapeError(f"x has no elements to interpolate, got shape {x.shape}")
    if align_corners is not None and mode not in _LINEAR:
        raise ValueError(f"align_corners is for linear interpolation, not for mode {mode!r}")
    sizes, scales = _sizes(x.shape[2:], size, scale_factor)
    if mode == "area":
        return _MEANS[axes](x, sizes)
    out = widened(x)
    for axis, (new, scale) in enumerate(zip(sizes, scales, strict=True), 2):
        if mode in _LINEAR:
            out = _linear(out, axis, new, scale, bool(align_corners))
        else:
            out = _nearest(out, axis, new, scale, 0.5 if mode == "nearest-exact" else 0)
    return of_dtype(out, x.dtype)


def _nearest(x: Array, axis: int, new: int, scale: float, center: float) -> Array:
    position = (np.arange(new) + center) * scale
    index = np.floor(position * (1 + 1e-12)).astype(int)  # an integer may have been rounded down
    return np.take(x, np.minimum(index, x.shape[axis] - 1), axis=axis)


def _linear(x: Array, axis: int, new: int, scale: float, align_corners: bool) -> Array:
    old = x.shape[axis]
    if new == old:
        return x
    if align_corners:
        position = np.arange(new) * ((old - 1) / max(new - 1, 1))
    else:
        position = np.maximum((np.arange(new) + 0.5) * scale - 0.5, 0)
    index = np.minimum(np.floor(position).astype(int), old - 1)
    weight = np.minimum(position - index, 1).astype(x.dtype).reshape(-1, *(1,) * (x.ndim - 1 - axis))
    low, high = (np.take(x, np.minimum(i, old - 1), axis=axis) for i in (index, index + 1))
    return low * (1 - weight) + high * weight


def _sizes(lengths: tuple[int, ...], size: Any, scale_factor: Any) -> tuple[tuple[int, ...], list[float]]:
    """The new lengths, and the distances of the new elements in units of the old ones."""
    if (size is None) == (scale_factor is None):
        raise ValueError(f"give either size or scale_factor, got size={size!r} and scale_factor={scale_factor!r}")
    axes = len(lengths)
    if scale_factor is None:
        sizes = per_axis(size, axes, "size", 1)
        return sizes, [old / new for old, new in zip(lengths, sizes, strict=True)]
    factors = tuple(scale_factor) if isinstance(scale_factor, (tuple, list)) else (scale_factor,) * axes
    if len(factors) != axes or not all(0 < factor < math.inf for factor in factors):
        raise ValueError(f"scale_factor must be above 0, for all axes or for each of {axes}, got {scale_factor!r}")
    sizes = tuple(math.floor(old * factor) for old, factor in zip(lengths, factors, strict=True))
    if min(sizes) < 1:
        raise ValueError(f"scale_factor {scale_factor!r} results in an axis of length 0 for the lengths {lengths}")
    return sizes, [1 / factor for factor in factors]
