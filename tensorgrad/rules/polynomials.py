"""Polynomials, given by their coefficients, highest power first; and the modified Bessel function of order 0."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.engine.registry import also_complex, implements, primitive, rule
from tensorgrad.engine.tape import Array, value_of
from tensorgrad.rules.shapes import asarray


@implements(np.polyval)
def polyval(p: Array, x: Array) -> Array:
    """The value of a polynomial, by Horner's scheme."""
    p, x = asarray(p), asarray(x)
    value = np.zeros_like(value_of(x))
    for coefficient in p:
        value = value * x + coefficient
    return value


@implements(np.polyadd)
def polyadd(a1: Array, a2: Array) -> Array:
    """The sum of two polynomials."""
    return np.add(*_same_length(a1, a2))


@implements(np.polysub)
def polysub(a1: Array, a2: Array) -> Array:
    """The difference of two polynomials."""
    return np.subtract(*_same_length(a1, a2))


def _same_length(*polynomials: Array) -> list[Array]:
    arrays = [np.atleast_1d(asarray(p)) for p in polynomials]
    n = max(map(len, arrays))
    return [np.concatenate([np.zeros(n - len(p), p.dtype), p]) if len(p) < n else p for p in arrays]


@implements(np.polymul)
def polymul(a1: Array, a2: Array) -> Array:
    """The product of two polynomials."""
    return np.convolve(_without_leading_zeros(a1), _without_leading_zeros(a2))


def _without_leading_zeros(p: Array) -> Array:
    p = np.trim_zeros(np.atleast_1d(asarray(p)), "f")
    return p if len(p) else np.zeros(1, p.dtype)


@implements(np.polyder)
def polyder(p: Array, m: int = 1) -> Array:
    """The derivative of a polynomial, of order ``m``."""
    m = int(m)
    if m < 0:
        raise ValueError("polyder: the order of the derivative must not be negative")
    p = asarray(p)
    for _ in range(m):
        p = p[:-1] * np.arange(len(p) - 1, 0, -1)
    return p


@implements(np.polyint)
def polyint(p: Array, m: int = 1, k: Array = None) -> Array:
    """The integral of a polynomial, of order ``m``, with the constants ``k``."""
    m = int(m)
    if m < 0:
        raise ValueError("polyint: the order of the integral must not be negative")
    p, k = asarray(p), np.atleast_1d(asarray(0.0 if k is None else k))
    if len(k) != 1 and len(k) < m:
        raise ValueError(f"polyint: k must have one element or {m}, got {len(k)}")
    constants = np.broadcast_to(k, (m,)) if len(k) == 1 else k
    for i in range(m):
        p = np.concatenate([p / np.arange(len(p), 0, -1), constants[i : i + 1]])
    return p


@implements(np.polyfit)
def polyfit(x: Array, y: Array, deg: int, rcond: Any = None, *, w: Array = None) -> Array:
    """The polynomial of degree ``deg`` that fits the points ``(x, y)`` in the sense of (weighted) least squares."""
    x, y = np.multiply(asarray(x), 1.0), np.multiply(asarray(y), 1.0)
    if deg < 0 or x.ndim != 1 or x.size == 0 or y.ndim not in (1, 2) or len(x) != len(y):
        raise ValueError(f"polyfit: x must be a vector, y must have the same length, and the degree must not be "
                         f"negative; got shapes {x.shape} and {y.shape} and degree {deg}")  # fmt: skip
    powers = np.vander(x, deg + 1)
    if w is not None:
        w = np.multiply(asarray(w), 1.0)
        if w.shape != (len(x),):
            raise ValueError(f"polyfit: w must have the shape of x, {x.shape}, got {w.shape}")
        powers, y = powers * w[:, None], y * (w[:, None] if y.ndim == 2 else w)
    scale = np.sqrt(np.sum(value_of(powers) ** 2, axis=0))  # the result does not depend on it
    found = np.linalg.lstsq(powers / scale, y, len(x) * np.finfo(x.dtype).eps if rcond is None else rcond)[0]
    return found / (scale[:, None] if y.ndim == 2 else scale)


# ------------------------------------------------------------------------------------------------ Bessel functions


@primitive
def i0_derivative(x: Array, *, order: int) -> Array:
    """The derivative of `numpy.i0` of any order: the mean of ``cos(a)**order * exp(x cos(a))`` over all angles ``a``.

    The mean over equidistant angles converges faster than any power of their number. The terms of ``a`` and ``pi - a``
    are combined, so that there is no cancellation where ``x`` is small.
    Source: Trefethen and Weideman, "The exponentially convergent trapezoidal rule", 2014.
    """
    largest = np.max(np.abs(x), initial=0, where=np.isfinite(x))
    count = 16 + 2 * order + int(3 * np.sqrt(largest))
    half = np.sinh if order % 2 else np.cosh
    total = np.zeros_like(x)
    for cosine in np.cos((np.arange(count) + 0.5) * (np.pi / 2 / count)):
        total += cosine**order / count * half(x * cosine)
    return total


# fmt: off
rule(np.i0,         lambda g, _ans, x: g * i0_derivative(x, order=1))
rule(i0_derivative, lambda g, _ans, x, *, order: g * i0_derivative(x, order=order + 1))
# fmt: on

also_complex(np.polyval, np.polyadd, np.polysub, np.polymul, np.polyder, np.polyint)
