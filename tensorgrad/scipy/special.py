"""Functions of `scipy.special` that are not ufuncs. The rules of its ufuncs are in `tensorgrad.rules.special`."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np
import scipy.special as sp

from tensorgrad.engine.tape import Array, value_of
from tensorgrad.functional import probabilities
from tensorgrad.functional.arguments import floating, in_precision_of
from tensorgrad.rules import special as rules

__all__ = ["log_softmax", "logsumexp", "multigammaln", "polygamma", "softmax"]


def polygamma(n: Any, x: Array) -> Array:
    """The derivative of order ``n`` of the digamma function, as `scipy.special.polygamma`.

    ``n``, an integer or an array of integers, and ``x`` are broadcast. The derivative is ``polygamma(n + 1, x)``:
    Abramowitz and Stegun (1964), 6.4.1. Raises ``ValueError`` if an order is not a nonnegative integer.

    Examples
    --------
    >>> x = tg.Tensor([1.0], requires_grad=True)
    >>> tg.grad(tg.scipy.special.polygamma(0, x), x)  # pi**2 / 6
    array([1.6449])
    """
    orders, x = np.asarray(value_of(n)), floating(x)
    if np.any((orders < 0) | (orders != np.floor(orders))):
        raise ValueError(f"polygamma: the order n must be a nonnegative integer, got {n}")
    if orders.ndim == 0:
        return rules.polygamma(x, order=int(orders))
    out = np.zeros(np.broadcast_shapes(orders.shape, x.shape), x.dtype)
    for order in np.unique(orders):
        out = np.where(orders == order, rules.polygamma(x, order=int(order)), out)
    return out


def multigammaln(a: Array, d: int) -> Array:
    """The logarithm of the gamma function of dimension ``d``, as `scipy.special.multigammaln`.

    In the shape of ``a``: the sum of ``gammaln(a - j / 2)`` for ``j`` from 0 to ``d - 1``, plus
    ``d (d - 1) / 4 * log(pi)``: Muirhead (1982), theorem 2.1.12. Raises ``ValueError`` unless ``a > (d - 1) / 2``.

    Examples
    --------
    >>> a = tg.Tensor([3.0], requires_grad=True)
    >>> tg.grad(tg.scipy.special.multigammaln(a, 2), a)
    array([1.6259])
    """
    a, d = floating(a), operator.index(d)
    if d < 1 or np.any(value_of(a) <= 0.5 * (d - 1)):
        raise ValueError(f"multigammaln: d must be positive and a > (d - 1) / 2, got d = {d}, a = {value_of(a)}")
    total = sp.gammaln(a)
    for j in range(1, d):
        total = total + sp.gammaln(a - 0.5 * j)
    return total + 0.25 * d * (d - 1) * math.log(math.pi)


def logsumexp(a: Array, axis: Any = None, b: Array | None = None, keepdims: bool = False,
              return_sign: bool = False) -> Any:  # fmt: skip
    """``log(sum(b * exp(a)))``, as `scipy.special.logsumexp`.

    With ``return_sign``, the result is a pair: the logarithm of the absolute value of the sum, and the sign of the sum.
    ``(..., C)`` with ``axis=-1`` becomes ``(...)``, or ``(..., 1)`` with ``keepdims``. For a negative sum, the result
    without ``return_sign`` is NaN. An element of ``a`` whose weight ``b`` is 0 has gradient 0.
    Source: Blanchard, Higham and Higham (2021), eq. 1.3.

    Examples
    --------
    >>> x = tg.Tensor([1000.0, 1000.0], requires_grad=True)
    >>> tg.grad(tg.scipy.special.logsumexp(x, b=np.array([3.0, 1.0])), x)
    array([0.75, 0.25])
    """
    a = floating(a)
    if b is None:
        out = probabilities.logsumexp(a, axis=axis, keepdims=keepdims)
        return (out, np.where(np.isneginf(value_of(out)), 0, np.ones_like(value_of(out)))) if return_sign else out
    b = in_precision_of(a, b)
    a = np.where(value_of(b) == 0, -np.inf, a)
    largest = np.max(value_of(a), axis=axis, keepdims=True, initial=-np.inf)
    largest = np.where(np.isfinite(largest), largest, 0)
    total = np.sum(b * np.exp(a - largest), axis=axis, keepdims=True)
    sign = np.sign(value_of(total))
    is_zero = np.all(np.isneginf(value_of(a)) | (value_of(b) == 0), axis=axis, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        total = np.where(is_zero, 1, np.abs(total) if return_sign else total)
        out = np.where(is_zero, -np.inf, np.log(total) + largest)
    if not keepdims:
        out, sign = np.squeeze(out, axis), np.squeeze(sign, axis)
    return (out, sign) if return_sign else out


def softmax(x: Array, axis: Any = None) -> Array:
    """``exp(x) / sum(exp(x))`` over ``axis`` (all, by default), in the shape of ``x``, as `scipy.special.softmax`.

    Examples
    --------
    >>> tg.scipy.special.softmax(np.array([[0.0, 0.0], [1000.0, 1000.0]]))
    array([[0. , 0. ],
           [0.5, 0.5]])
    """
    return probabilities.softmax(x, axis=axis)


def log_softmax(x: Array, axis: Any = None) -> Array:
    """``x - logsumexp(x)`` over ``axis`` (all, by default), in the shape of ``x``, as `scipy.special.log_softmax`.

    Examples
    --------
    >>> tg.scipy.special.log_softmax(np.array([0.0, 1000.0]))
    array([-1000.,     0.])
    """
    return probabilities.log_softmax(x, axis=axis)


def __dir__() -> list[str]:
    return [*__all__, "__doc__"]
