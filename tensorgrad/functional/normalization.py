"""Normalization over features, over the batch, and over groups of channels.

All of them subtract a mean (except `rms_norm`), divide by a standard deviation, then scale and shift; they differ in
the axes of the mean. Statistics of float16 are computed in float32; parameters that require no gradient are cast to
the dtype of ``x``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.engine.tape import NDARRAYS, Array, Variable, any_tracked, value_of
from tensorgrad.errors import ShapeError
from tensorgrad.frontend.modes import no_grad
from tensorgrad.functional.arguments import floating, in_precision_of
from tensorgrad.functional.standardized import standardize, standardize_rows
from tensorgrad.functional.standardized_channels import channel_statistics, standardize_channels
from tensorgrad.summation import widened


def layer_norm(x: Array, normalized_shape: Any, weight: Array = None, bias: Array = None, eps: float = 1e-5) -> Array:
    """Standardize ``x`` over its last axes, which must have lengths ``normalized_shape``, an int or a tuple.

    ``weight`` and ``bias``, of that shape or None, scale and shift the result, which has the shape of ``x``. Raises
    `ShapeError` if the shapes do not match.

    Source: Ba et al., "Layer normalization", 2016.

    Examples
    --------
    >>> tg.layer_norm(np.array([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]]), 3)
    array([[-1.2247,  0.    ,  1.2247],
           [-1.2247,  0.    ,  1.2247]])
    """
    x = floating(x)
    shape = _last_axes(x, normalized_shape)
    return standardize_rows(x, *_scale_and_shift(x, weight, bias, shape), eps=eps)


def rms_norm(x: Array, normalized_shape: Any, weight: Array = None, eps: float | None = None) -> Array:
    """``x / sqrt(mean(x**2) + eps) * weight``, where the mean is over the last axes, of lengths ``normalized_shape``.

    ``weight``, of that shape or None, scales the result, which has the shape of ``x``. ``eps`` is the resolution of
    the dtype of ``x`` by default (for float16, that of float32). Raises `ShapeError` if the shapes do not
    match.

    Source: Zhang and Sennrich, "Root mean square layer normalization", 2019.

    Examples
    --------
    >>> tg.rms_norm(np.array([[1.0, 7.0], [-3.0, 3.0]]), 2)
    array([[ 0.2,  1.4],
           [-1. ,  1. ]])
    """
    x = floating(x)
    shape = _last_axes(x, normalized_shape)
    if eps is None:
        eps = float(np.finfo(np.float32 if x.dtype == np.float16 else x.dtype).eps)
    return _affine(standardize(x, axis=tuple(range(-len(shape), 0)), eps=eps, center=False), weight, None, shape, shape)


def batch_norm(x: Array, running_mean: Array = None, running_var: Array = None, weight: Array = None,
               bias: Array = None, training: bool = False, momentum: float = 0.1,
               eps: float = 1e-5) -> Array:  # fmt: skip
    """Standardize each channel of ``x``, ``(N, C, ...)``, over all other axes.

    Parameters
    ----------
    x
        The batch.
    running_mean, running_var
        Arrays ``(C,)`` or None. In training they are updated in place:
        ``running = (1 - momentum) * running + momentum * statistic``, with the unbiased variance.
        Otherwise, ``running_mean`` is subtracted and the result is divided by the square root of ``running_var + eps``.
    weight, bias
        ``(C,)`` or None: scale and shift the result.
    training
        Whether to use the mean and (biased) variance of this batch.
    momentum, eps
        See above; ``eps`` is added to the variance.

    Raises
    ------
    ShapeError
        If the shapes do not match.
    ValueError
        In training, if there is only one value per channel; otherwise, if there are no running statistics.

    Notes
    -----
    Source: Ioffe and Szegedy, "Batch normalization", 2015.

    Examples
    --------
    >>> x, mean, var = np.array([[1.0, 10.0], [3.0, 30.0]]), np.zeros(2), np.ones(2)
    >>> tg.batch_norm(x, mean, var, training=True)
    array([[-1., -1.],
           [ 1.,  1.]])
    >>> mean  # updated with momentum 0.1
    array([0.2, 2. ])
    """
    x = floating(x)
    if x.ndim < 2:
        raise ShapeError(f"x must have shape (N, C, ...), got {x.shape}")
    channels = x.shape[1]
    column = (channels,) + (1,) * (x.ndim - 2)
    _check_running("running_mean", running_mean, channels)
    _check_running("running_var", running_var, channels)
    if not training:
        if running_mean is None or running_var is None:
            raise ValueError("batch_norm needs running_mean and running_var, or training=True")
        wide = widened(x)
        mean, var = (
            np.reshape(value_of(running).astype(wide.dtype), column) for running in (running_mean, running_var)
        )
        out = (wide - mean) / np.sqrt(var + eps)
        return _affine(out if wide is x else out.astype(x.dtype), weight, bias, (channels,), column)
    if x.size < 2 * channels:
        raise ValueError(f"batch_norm in training needs more than one value per channel, got x of shape {x.shape}")
    statistics = channel_statistics(value_of(x), groups=None)
    weight, bias = _scale_and_shift(x, weight, bias, (channels,))
    out = standardize_channels(x, weight, bias, statistics=statistics, groups=None, eps=eps)
    if running_mean is not None or running_var is not None:
        mean, var = statistics[0, 0], statistics[1, 0]
        count = x.size // channels
        with no_grad():
            if running_mean is not None:
                running_mean[...] = (1 - momentum) * running_mean + momentum * mean
            if running_var is not None:
                running_var[...] = (1 - momentum) * running_var + momentum * var * (count / (count - 1))
    return out


def group_norm(x: Array, num_groups: int, weight: Array = None, bias: Array = None, eps: float = 1e-5) -> Array:
    """Standardize each of ``num_groups`` groups of channels of ``x``, ``(N, C, ...)``, in each of the ``N``.

    ``weight`` and ``bias``, ``(C,)`` or None, scale and shift the channels. Raises `ShapeError` if the shapes do not
    match, or the groups do not divide the channels.

    Source: Wu and He, "Group normalization", 2018.

    Examples
    --------
    >>> tg.group_norm(np.array([[1.0, 3.0, 10.0, 30.0]]), num_groups=2)
    array([[-1.,  1., -1.,  1.]])
    """
    x = floating(x)
    if x.ndim < 2:
        raise ShapeError(f"x must have shape (N, C, ...), got {x.shape}")
    channels = x.shape[1]
    if num_groups < 1 or channels % num_groups:
        raise ShapeError(f"x {x.shape}: its {channels} channels do not divide into {num_groups} groups")
    statistics = channel_statistics(value_of(x), groups=num_groups)
    weight, bias = _scale_and_shift(x, weight, bias, (channels,))
    return standardize_channels(x, weight, bias, statistics=statistics, groups=num_groups, eps=eps)


def _last_axes(x: Array, normalized_shape: Any) -> tuple[int, ...]:
    """``normalized_shape`` as a tuple; raises `ShapeError` unless the shape of ``x`` ends with it."""
    shape = (normalized_shape,) if isinstance(normalized_shape, (int, np.integer)) else tuple(normalized_shape)
    if not shape or x.shape[-len(shape) :] != shape:
        raise ShapeError(f"x of shape {x.shape} does not end in normalized_shape {shape}")
    return shape


def _check_running(name: str, running: Any, channels: int) -> None:
    if running is None:
        return
    is_array = isinstance(running, (*NDARRAYS, Variable))
    if not is_array or running.dtype.kind != "f" or any_tracked(running):
        raise TypeError(f"{name} must be an array of floats without a gradient, because it is updated in place")
    if running.shape != (channels,):
        raise ShapeError(f"{name} must have shape {(channels,)}, one for each channel, got {running.shape}")


def _scale_and_shift(x: Array, weight: Array, bias: Array, shape: tuple[int, ...]) -> list[Array]:
    """The parameters, or ones and zeros in their places."""
    return [
        np.full(shape, constant, x.dtype)
        if parameter is None
        else in_precision_of(x, _of_shape(name, parameter, shape))
        for name, parameter, constant in (("weight", weight, 1), ("bias", bias, 0))
    ]


def _affine(out: Array, weight: Array, bias: Array, shape: tuple[int, ...], column: tuple[int, ...]) -> Array:
    """``out * weight + bias``, where the parameters have shape ``shape`` and are reshaped to ``column``."""
    for name, parameter in (("weight", weight), ("bias", bias)):
        if parameter is not None:
            _of_shape(name, parameter, shape)
    if weight is not None:
        out = out * np.reshape(in_precision_of(out, weight), column)
    return out if bias is None else out + np.reshape(in_precision_of(out, bias), column)


def _of_shape(name: str, parameter: Array, shape: tuple[int, ...]) -> Array:
    if np.shape(parameter) != shape:
        raise ShapeError(f"{name} must have shape {shape}, got {np.shape(parameter)}")
    return parameter
