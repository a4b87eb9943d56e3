"""Multivariate distributions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.special as sp

from tensorgrad.engine.tape import Array, value_of
from tensorgrad.errors import ShapeError
from tensorgrad.functional.arguments import floating, in_precision_of
from tensorgrad.scipy.linalg import solve_triangular

_LOG_2PI = math.log(2 * math.pi)


class MultivariateNormal:
    """The multivariate normal distribution, as `scipy.stats.multivariate_normal`.

    ``x`` is ``(..., D)``, ``mean`` is ``(D,)``, and ``cov`` is a positive definite matrix ``(D, D)``, a vector of
    variances, or one variance for all elements. Results are ``(...)``. D is the length of ``mean`` or, without one, of
    the matrix ``cov``, and otherwise 1; if it is 1, ``x`` may be ``()`` or ``(N,)``, for N points.
    Raises ``LinAlgError`` if ``cov`` is not positive definite.

    Examples
    --------
    >>> mean = tg.Tensor([0.0, 0.0], requires_grad=True)
    >>> tg.grad(tg.scipy.stats.multivariate_normal.logpdf(np.ones(2), mean, np.diag([1.0, 4.0])), mean)
    array([1.  , 0.25])
    """

    def logpdf(self, x: Any, mean: Any = None, cov: Any = 1.0) -> Array:
        """The logarithm of the density at ``x``.

        Examples
        --------
        >>> tg.scipy.stats.multivariate_normal.logpdf(np.ones((3, 2)), np.zeros(2))
        array([-2.8379, -2.8379, -2.8379])
        """
        x = floating(x)
        cov = in_precision_of(x, cov)
        mean = np.zeros(len(cov) if cov.ndim == 2 else 1, x.dtype) if mean is None else in_precision_of(x, mean)
        d = mean.size
        if d == 1 and x.ndim < 2:
            x = np.reshape(x, (*x.shape, 1))
        if cov.ndim < 2:
            cov = np.diag(np.broadcast_to(cov, (d,)))
        if cov.shape != (d, d) or mean.shape not in ((), (d,)) or x.shape[-1] != d:
            raise ShapeError(f"multivariate_normal: the shapes of x (..., D), mean (D,) and cov (D, D) do not match: "
                             f"{x.shape}, {mean.shape} and {cov.shape}")  # fmt: skip
        factor = np.linalg.cholesky(cov)
        z = np.reshape(np.broadcast_to(x - mean, (*x.shape[:-1], d)), (-1, d))
        z = np.reshape(np.matrix_transpose(solve_triangular(factor, z.T, lower=True)), (*x.shape[:-1], d))
        return -0.5 * np.sum(np.square(z), axis=-1) - np.sum(np.log(np.diagonal(factor))) - 0.5 * d * _LOG_2PI

    def pdf(self, x: Any, mean: Any = None, cov: Any = 1.0) -> Array:
        """The density at ``x``.

        Examples
        --------
        >>> tg.scipy.stats.multivariate_normal.pdf(np.zeros((2, 2)), np.zeros(2), np.eye(2))
        array([0.1592, 0.1592])
        """
        return np.exp(self.logpdf(x, mean, cov))


class Dirichlet:
    """The Dirichlet distribution of ``K`` proportions that sum to 1, as `scipy.stats.dirichlet`.

    ``x`` is ``(K,)`` or ``(K, N)``, with or without the last proportion; ``alpha`` is ``(K,)``; results are ``()`` or
    ``(N,)``. Raises ``ValueError`` if the proportions do not sum to 1, one is negative, or an ``alpha`` is not
    positive.

    Examples
    --------
    >>> alpha = tg.Tensor([1.0, 1.0], requires_grad=True)
    >>> tg.grad(tg.scipy.stats.dirichlet.logpdf(np.array([0.5, 0.5]), alpha), alpha)
    array([0.3069, 0.3069])
    """

    def logpdf(self, x: Any, alpha: Any) -> Array:
        """The logarithm of the density at ``x``.

        Examples
        --------
        >>> tg.scipy.stats.dirichlet.logpdf(np.array([[0.2, 0.5], [0.8, 0.5]]), np.array([2.0, 1.0]))
        array([-0.9163,  0.    ])
        """
        x = floating(x)
        alpha = in_precision_of(x, alpha)
        if alpha.ndim != 1 or x.ndim not in (1, 2) or len(x) not in (alpha.size, alpha.size - 1):
            raise ShapeError(f"dirichlet: the shapes of x (K,) or (K, N) and alpha (K,) do not match: {x.shape} and "
                             f"{alpha.shape}")  # fmt: skip
        if len(x) < alpha.size:
            x = np.concatenate([x, 1 - np.sum(x, axis=0, keepdims=True)])
        values, tolerance = value_of(x), 1e-9 + 10 * np.finfo(x.dtype).eps
        if np.any(values < 0) or np.any(np.abs(np.sum(values, axis=0) - 1) > tolerance):
            raise ValueError("dirichlet: x must not be negative, and must sum to 1 along the first axis")
        if not np.all(value_of(alpha) > 0):
            raise ValueError("dirichlet: alpha must be positive")
        constant = sp.gammaln(np.sum(alpha)) - np.sum(sp.gammaln(alpha))
        return constant + np.sum(sp.xlogy(alpha - 1, x.T).T, axis=0)

    def pdf(self, x: Any, alpha: Any) -> Array:
        """The density at ``x``.

        Examples
        --------
        >>> tg.scipy.stats.dirichlet.pdf(np.array([[0.2, 0.5], [0.8, 0.5]]), np.array([2.0, 1.0]))
        array([0.4, 1. ])
        """
        return np.exp(self.logpdf(x, alpha))
