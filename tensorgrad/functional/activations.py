"""Activation functions, elementwise, with PyTorch's names, parameters and conventions.

``x`` has any shape, and the result has the same one (except for `glu`). All raise ``TypeError`` unless ``x`` is real.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from tensorgrad.engine.registry import primitive, rule
from tensorgrad.engine.tape import Array, any_tracked, value_of
from tensorgrad.errors import ShapeError
from tensorgrad.functional.arguments import check_choice, floating
from tensorgrad.functional.error_function import computed_gelu, gelu_and_slope, normal_cdf
from tensorgrad.functional.rectifiers import with_zero


@primitive
def sigmoid(x: Array) -> Array:
    """``1 / (1 + exp(-x))``, elementwise, to full relative precision in both tails.

    Examples
    --------
    >>> tg.sigmoid(np.array([-2.0, 0.0, 2.0]))
    array([0.1192, 0.5   , 0.8808])
    """
    out = np.asarray(np.negative(floating(x)))
    with np.errstate(over="ignore"):  # exp(-x) overflows where 1 / (1 + exp(-x)) underflows
        out = np.exp(out, out=out)
    out += 1
    return np.reciprocal(out, out=out)[()]


@primitive
def softplus(x: Array) -> Array:
    """``log(1 + exp(x))``, elementwise, without overflow.

    Examples
    --------
    >>> tg.softplus(np.array([-1e3, 0.0, 1e3]))  # log(1 + exp(1000)) would overflow
    array([   0.    ,    0.6931, 1000.    ])
    """
    x = floating(x)
    out = np.log1p(np.exp(-np.absolute(x)))  # as `numpy.logaddexp`, in a seventh of the time
    return out + with_zero(np.maximum, x)


@primitive
def softsign(x: Array) -> Array:
    """``x / (1 + |x|)``, elementwise.

    Examples
    --------
    >>> tg.softsign(np.array([-2.0, 0.0, 2.0]))
    array([-0.6667,  0.    ,  0.6667])
    """
    x = floating(x)
    return x / (1 + np.absolute(x))


@primitive
def bounded(x: Array, *, low: float, high: float) -> Array:
    """``x`` clipped to ``[low, high]``, with gradient 0 on the boundary."""
    return np.clip(x, low, high)


# fmt: off
rule(sigmoid,  lambda g, ans, _x: g * ans * (1 - ans), singular=False, elementwise=True)
rule(softplus, lambda g, _ans, x: g * sigmoid(x), singular=False, elementwise=True)
rule(softsign, lambda g, _ans, x: g / np.square(1 + np.absolute(x)), elementwise=True)
rule(bounded,  lambda g, ans, _x, *, low, high: g * ((low < ans) & (ans < high)), selects=True,
               elementwise=True)
# fmt: on


def gelu(x: Array, approximate: str = "none") -> Array:
    """``x`` times the probability that a normal variable is below ``x``.

    ``approximate="tanh"`` uses ``(1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))) / 2`` as that probability. Raises
    ``ValueError`` for other values.

    Source: Hendrycks and Gimpel, "Gaussian error linear units", 2016.

    Examples
    --------
    >>> tg.gelu(np.array([-2.0, 0.0, 2.0]))
    array([-0.0455,  0.    ,  1.9545])
    >>> tg.gelu(np.array([-2.0, 0.0, 2.0]), approximate="tanh")
    array([-0.0454,  0.    ,  1.9546])
    """
    check_choice("approximate", approximate, ("none", "tanh"))
    x = floating(x)
    if approximate == "tanh":  # (1 + tanh(u)) / 2 is sigmoid(2 u), which does not cancel
        return x * sigmoid(2 * math.sqrt(2 / math.pi) * x * (1 + 0.044715 * np.square(x)))
    return computed_gelu(x, gelu_and_slope(value_of(x))) if any_tracked(x) else x * normal_cdf(x)


def silu(x: Array) -> Array:
    """``x * sigmoid(x)``, also called swish.

    Source: Elfwing et al., "Sigmoid-weighted linear units", 2017.

    Examples
    --------
    >>> tg.silu(np.array([-2.0, 0.0, 2.0]))
    array([-0.2384,  0.    ,  1.7616])
    """
    x = floating(x)
    return x * sigmoid(x)


def glu(x: Array, axis: int = -1) -> Array:
    """``a * sigmoid(b)``, where ``a`` and ``b`` are the halves of ``x`` along ``axis``.

    The result has half the length along ``axis``. Raises `ShapeError` if the length is odd, ``AxisError`` if there is
    no such axis.

    Source: Dauphin et al., "Language modeling with gated convolutional networks", 2017.

    Examples
    --------
    >>> tg.glu(np.array([[3.0, 5.0, 0.0, 1e3]]))
    array([[1.5, 5. ]])
    """
    x = floating(x)
    axis = normalize_axis_index(axis, x.ndim)
    if x.shape[axis] % 2:
        raise ShapeError(f"glu needs an even length along axis {axis}, got shape {x.shape}")
    a, b = np.split(x, 2, axis)
    return a * sigmoid(b)


def mish(x: Array) -> Array:
    """``x * tanh(softplus(x))``.

    Source: Misra, "Mish: a self regularized non-monotonic activation function", 2019.

    Examples
    --------
    >>> tg.mish(np.array([-2.0, 0.0, 2.0]))
    array([-0.2525,  0.    ,  1.944 ])
    """
    x = floating(x)
    return x * np.tanh(softplus(x))


def hardtanh(x: Array, min_val: float = -1.0, max_val: float = 1.0) -> Array:
    """``x`` clipped to ``[min_val, max_val]``; unlike that of `numpy.clip`, the gradient on the boundary is 0.

    Raises ``ValueError`` if ``min_val > max_val``.

    Examples
    --------
    >>> tg.hardtanh(np.array([-2.0, 0.0, 2.0]))
    array([-1.,  0.,  1.])
    """
    if min_val > max_val:
        raise ValueError(f"hardtanh needs min_val <= max_val, got {min_val} and {max_val}")
    return bounded(floating(x), low=min_val, high=max_val)


def relu6(x: Array) -> Array:
    """``x`` clipped to ``[0, 6]``; the gradient at 0 and 6 is 0.

    Source: Krizhevsky, "Convolutional deep belief networks on CIFAR-10", 2010.

    Examples
    --------
    >>> tg.relu6(np.array([-2.0, 2.0, 8.0]))
    array([0., 2., 6.])
    """
    return bounded(floating(x), low=0, high=6)


def hardsigmoid(x: Array) -> Array:
    """``relu6(x + 3) / 6``: 0 up to -3, 1 from 3 on, and a straight line between; the gradient at -3 and 3 is 0.

    Source: Courbariaux et al., "BinaryConnect: training deep neural networks with binary weights during propagations",
    2015, with another slope.

    Examples
    --------
    >>> tg.hardsigmoid(np.array([-4.0, 0.0, 1.5]))
    array([0.  , 0.5 , 0.75])
    """
    return relu6(floating(x) + 3) / 6


def hardswish(x: Array) -> Array:
    """``x * hardsigmoid(x)``; the gradient is 0 at -3, and 1 at 3.

    Source: Howard et al., "Searching for MobileNetV3", 2019.

    Examples
    --------
    >>> tg.hardswish(np.array([-4.0, -1.0, 1.5]))
    array([-0.    , -0.3333,  1.125 ])
    """
    x = floating(x)
    return x * hardsigmoid(x)


def log_sigmoid(x: Array) -> Array:
    """``log(sigmoid(x))``, without overflow: ``-softplus(-x)``.

    Examples
    --------
    >>> tg.log_sigmoid(np.array([-1e3, 0.0, 1e3]))
    array([-1000.    ,    -0.6931,    -0.    ])
    """
    return -softplus(-floating(x))
