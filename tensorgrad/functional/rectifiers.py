"""Rectifiers: activation functions that are the identity for positive numbers, elementwise, with PyTorch's names.

``x`` has any shape, and the result has the same one. All but `relu` raise ``TypeError`` unless ``x`` is real.

The two parts of a function, for positive and for other elements, are computed from ``max(x, 0)`` and ``min(x, 0)``, and
added: `numpy.where` takes ten times as long if signs are random.
"""

from __future__ import annotations

import numpy as np

from tensorgrad.engine.registry import primitive, rule
from tensorgrad.engine.tape import Array, any_tracked
from tensorgrad.errors import ShapeError
from tensorgrad.functional.arguments import floating, in_precision_of

_MANY = 1 << 14  # elements
_FLOATS = frozenset(map(np.dtype, (np.float16, np.float32, np.float64)))


@primitive
def relu(x: Array) -> Array:
    """``max(x, 0)``, elementwise; the gradient at 0 is 0.

    Examples
    --------
    >>> tg.relu(np.array([-2.0, 0.0, 2.0]))
    array([0., 0., 2.])
    """
    return with_zero(np.maximum, x)


@primitive
def negative_part(x: Array) -> Array:
    """``min(x, 0)``; the gradient at 0 is 1."""
    return with_zero(np.minimum, x)


@primitive
def linear_below(x: Array, *, slope: float) -> Array:
    """``x`` where it is positive, else ``slope * x``."""
    out = np.asarray(with_zero(np.minimum, x))
    out *= slope
    out += with_zero(np.maximum, x)
    return out[()]


@primitive
def exponential_below(x: Array, *, alpha: float, scale: float = 1.0) -> Array:
    """``x`` where it is positive, else ``alpha * (exp(x / scale) - 1)``."""
    out = np.asarray(with_zero(np.minimum, x))
    if scale != 1:
        out /= scale
    np.expm1(out, out=out)
    out *= alpha
    out += with_zero(np.maximum, x)
    return out[()]


# fmt: off
rule(relu,          lambda g, ans, _x: g * (ans > 0), selects=True, elementwise=True)
rule(negative_part, lambda g, _ans, x: g * ~(x > 0), selects=True, elementwise=True)
rule(linear_below,  lambda g, _ans, x, *, slope: g * _one_above_zero(x, slope), selects=True, elementwise=True)
rule(exponential_below, lambda g, _ans, x, *, alpha, scale=1.0: g * _slope_of_exponential(x, alpha, scale),
                    elementwise=True)
# fmt: on


def with_zero(fn: np.ufunc, x: Array) -> Array:
    """``fn(x, 0)`` for `numpy.maximum` or `numpy.minimum`, which take half the time for an array of zeros."""
    if np.size(x) < _MANY or getattr(x, "dtype", None) not in _FLOATS:
        return fn(x, 0)
    zeros = np.zeros_like(x)
    return fn(x, zeros, out=zeros)


def _one_above_zero(x: Array, below: float) -> Array:
    """1 where ``x`` is positive, else ``below``."""
    above = (x > 0).astype(x.dtype)
    out = 1 - above
    out *= below
    out += above
    return out


def _slope_of_exponential(x: Array, alpha: float, scale: float) -> Array:
    """``alpha / scale * exp(x / scale)`` up to 0, and 1 for positive elements."""
    if any_tracked(x):
        return np.where(x > 0, 1, alpha / scale * np.exp(np.where(x > 0, 0, x) / scale))
    below = with_zero(np.minimum, x)
    slope = np.exp(below if scale == 1 else below / scale)
    return slope if alpha == scale else slope * _one_above_zero(x, alpha / scale)


def leaky_relu(x: Array, negative_slope: float = 0.01) -> Array:
    """``x`` where it is positive, else ``negative_slope * x``; the gradient at 0 is ``negative_slope``.

    Source: Maas et al., "Rectifier nonlinearities improve neural network acoustic models", 2013.

    Examples
    --------
    >>> tg.leaky_relu(np.array([-2.0, 0.0, 2.0]), negative_slope=0.1)
    array([-0.2,  0. ,  2. ])
    """
    x = floating(x)
    if isinstance(negative_slope, (int, float)):
        return linear_below(x, slope=negative_slope)
    return relu(x) + negative_slope * negative_part(x)


def prelu(x: Array, weight: Array) -> Array:
    """`leaky_relu` with a learned slope: a ``weight`` of one element, or ``(C,)`` for an ``x`` of ``(N, C, ...)``.

    The gradient at 0 is ``weight``. Raises `ShapeError` if the shapes do not match.

    Source: He et al., "Delving deep into rectifiers", 2015.

    Examples
    --------
    >>> tg.prelu(np.array([[-2.0, -2.0], [4.0, -4.0]]), np.array([0.5, 0.25]))
    array([[-1. , -0.5],
           [ 4. , -1. ]])
    """
    x = floating(x)
    weight = in_precision_of(x, weight)
    channels = x.shape[1] if x.ndim > 1 else 1
    if weight.ndim > 1 or weight.size not in (1, channels):
        raise ShapeError(f"weight must have one element or {channels}, one for each channel of x {x.shape}, got shape "
                         f"{weight.shape}")  # fmt: skip
    slope = np.reshape(weight, (-1,) + (1,) * max(x.ndim - 2, 0) if x.ndim else ())
    return relu(x) + slope * negative_part(x)


def elu(x: Array, alpha: float = 1.0) -> Array:
    """``x`` where it is positive, else ``alpha * (exp(x) - 1)``.

    Source: Clevert et al., "Fast and accurate deep network learning by exponential linear units", 2015.

    Examples
    --------
    >>> tg.elu(np.array([-2.0, 0.0, 2.0]))
    array([-0.8647,  0.    ,  2.    ])
    """
    return exponential_below(floating(x), alpha=alpha)


def celu(x: Array, alpha: float = 1.0) -> Array:
    """``x`` where it is positive, else ``alpha * (exp(x / alpha) - 1)``: an `elu` with slope 1 at 0 for any ``alpha``.

    Raises ``ValueError`` if ``alpha`` is 0.

    Source: Barron, "Continuously differentiable exponential linear units", 2017.

    Examples
    --------
    >>> tg.celu(np.array([-2.0, 0.0, 2.0]), alpha=0.5)
    array([-0.4908,  0.    ,  2.    ])
    """
    if alpha == 0:
        raise ValueError("celu needs an alpha other than 0")
    x = floating(x)
    if isinstance(alpha, (int, float)):
        return exponential_below(x, alpha=alpha, scale=alpha)
    return relu(x) + alpha * np.expm1(negative_part(x) / alpha)


def selu(x: Array) -> Array:
    """``scale * elu(x, alpha)``, with constants for which mean 0 and variance 1 are preserved from layer to layer.

    Source: Klambauer et al., "Self-normalizing neural networks", 2017.

    Examples
    --------
    >>> tg.selu(np.array([-2.0, 0.0, 2.0]))
    array([-1.5202,  0.    ,  2.1014])
    """
    return 1.0507009873554804934193349852946 * elu(x, 1.6732632423543772848170429916717)
