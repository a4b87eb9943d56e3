"""Distributions of `scipy.stats`: densities, distribution functions and quantiles, with SciPy's names of parameters.

What a distribution computes follows from its standard form, and broadcasts. As in SciPy, values outside of the support
have density 0, and parameters that are not allowed give NaN. A distribution function has no derivative in a shape
parameter for which `scipy.special` has none: the error says which. Formulas: Johnson, Kotz and Balakrishnan (1994).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special as sp

from tensorgrad.engine.tape import Array, any_tracked, current_mode, value_of
from tensorgrad.errors import NoRuleError, ShapeError
from tensorgrad.functional.arguments import floating, in_precision_of
from tensorgrad.rules.special import student_log_density
from tensorgrad.scipy.linalg import solve_triangular

__all__ = ["beta", "binom", "chi2", "dirichlet", "expon", "gamma", "laplace", "lognorm", "multivariate_normal", "norm",
           "poisson", "t", "uniform"]  # fmt: skip

_LOG_2, _LOG_2PI = math.log(2), math.log(2 * math.pi)


def _bound(name: str, defaults: dict[str, Any], args: tuple[Any, ...], given: dict[str, Any]) -> list[Any]:
    """The parameters of a distribution in their order; those without a default are None there."""
    both = set(list(defaults)[: len(args)]) & given.keys()
    bound = defaults | dict(zip(defaults, args, strict=False)) | given
    missing = [parameter for parameter, value in bound.items() if value is None]
    if len(args) > len(defaults) or given.keys() - defaults.keys() or both or missing:
        raise TypeError(f"{name} takes the parameters {', '.join(defaults)}: got {len(args)} by position and "
                        f"{sorted(given) or 'none'} by name")  # fmt: skip
    return list(bound.values())


def _nan_unless(valid: Any, out: Array) -> Array:
    """NaN, and a gradient that is NaN, for parameters that are not allowed."""
    return out if np.all(valid) else out * np.where(valid, 1, np.nan).astype(out.dtype)


class Continuous:
    """A continuous distribution of ``loc + scale * z``, given the functions of ``z``.

    ``inside`` is a number between the bounds of the support.
    """

    inside = 0.5

    def __init__(self, name: str, doc: str, shapes: tuple[str, ...], *, log_density: Callable[..., Array],
                 cdf: Callable[..., Array], ppf: Callable[..., Array], logcdf: Callable[..., Array],
                 lower: float = -math.inf, upper: float = math.inf) -> None:  # fmt: skip
        self.name, self.__doc__ = name, doc
        self.defaults = dict.fromkeys(shapes) | {"loc": 0.0, "scale": 1.0}
        self._log_density, self._cdf, self._ppf, self._logcdf = log_density, cdf, ppf, logcdf
        self.lower, self.upper = lower, upper

    def __repr__(self) -> str:
        return f"<distribution {self.name}({', '.join(self.defaults)})>"

    def _parameters(self, x: Any, args: Any, given: Any) -> tuple[Array, list[Array], Any]:
        """The point, shapes with ``loc`` and ``scale``, and where they are allowed."""
        x = floating(x)
        parameters = [in_precision_of(x, p) for p in _bound(self.name, self.defaults, args, given)]
        valid: Any = True
        for i, parameter in enumerate(parameters):
            if i != len(parameters) - 2:  # loc may be any number
                valid = valid & (value_of(parameter) > 0)
        return x, parameters, valid

    def _of_z(self, fn: Callable[..., Array], below: float, above: float, x: Any, args: Any, given: Any) -> Any:
        """A function of the standard form, its values outside the support, and the scale."""
        x, (*shapes, loc, scale), valid = self._parameters(x, args, given)
        with np.errstate(divide="ignore", invalid="ignore"):
            z = (x - loc) / scale
            low, high = value_of(z) < self.lower, value_of(z) > self.upper
            if np.any(low) or np.any(high):
                out = fn(np.where(low | high, self.inside, z).astype(z.dtype), *shapes)
                out = np.where(low, below, np.where(high, above, out)).astype(out.dtype)
            else:
                out = fn(z, *shapes)
            return _nan_unless(valid, out), scale

    def logpdf(self, x: Any, *args: Any, **parameters: Any) -> Array:
        """The logarithm of the density at ``x``."""
        out, scale = self._of_z(self._log_density, -math.inf, -math.inf, x, args, parameters)
        with np.errstate(divide="ignore", invalid="ignore"):
            return out - np.log(scale)

    def pdf(self, x: Any, *args: Any, **parameters: Any) -> Array:
        """The density at ``x``."""
        return np.exp(self.logpdf(x, *args, **parameters))

    def cdf(self, x: Any, *args: Any, **parameters: Any) -> Array:
        """The probability of at most ``x``."""
        return self._of_z(self._cdf, 0.0, 1.0, x, args, parameters)[0]

    def logcdf(self, x: Any, *args: Any, **parameters: Any) -> Array:
        """The logarithm of the probability of at most ``x``."""
        return self._of_z(self._logcdf, -math.inf, 0.0, x, args, parameters)[0]

    def ppf(self, q: Any, *args: Any, **parameters: Any) -> Array:
        """The quantile of ``q``: the ``x`` whose `cdf` is ``q``. NaN if that is no probability."""
        q, (*shapes, loc, scale), valid = self._parameters(q, args, parameters)
        fine = (value_of(q) >= 0) & (value_of(q) <= 1)
        q = q if np.all(fine) else np.where(fine, q, 0.5).astype(q.dtype)
        with np.errstate(divide="ignore", invalid="ignore"):
            return _nan_unless(valid & fine, loc + scale * self._ppf(q, *shapes))


def _log(cdf: Callable[..., Array], complement: Callable[..., Array]) -> Callable[..., Array]:
    """The logarithm of a distribution function, near 1 by what is left to 1."""

    def logcdf(z: Array, *shapes: Array) -> Array:
        p = cdf(z, *shapes)
        return np.where(value_of(p) < 0.5, np.log(p), np.log1p(-complement(z, *shapes)))

    return logcdf


def _halves(z: Array) -> tuple[Any, Array, Array]:
    """Where ``z`` is negative, and its negative and other parts."""
    below = value_of(z) < 0
    return below, np.where(below, z, 0).astype(z.dtype), np.where(below, 0, z).astype(z.dtype)


def _laplace_cdf(z: Array) -> Array:
    below, left, right = _halves(z)
    return np.where(below, 0.5 * np.exp(left), 1 - 0.5 * np.exp(-right))


def _laplace_logcdf(z: Array) -> Array:
    below, left, right = _halves(z)
    return np.where(below, left - _LOG_2, np.log1p(-0.5 * np.exp(-right)))


def _laplace_ppf(q: Array) -> Array:
    above = value_of(q) > 0.5
    return np.where(above, -1, 1).astype(q.dtype) * np.log(2 * np.where(above, 1 - q, q))


# fmt: off
norm = Continuous("norm", """The normal distribution, as `scipy.stats.norm`: ``exp(-z**2 / 2) / sqrt(2 pi)``.

Examples
--------
>>> mu = tg.Tensor([0.0], requires_grad=True)
>>> tg.grad(tg.scipy.stats.norm.logpdf(2.0, loc=mu), mu)
array([2.])
""", (), log_density=lambda z: -0.5 * np.square(z) - 0.5 * _LOG_2PI, cdf=sp.ndtr, logcdf=sp.log_ndtr, ppf=sp.ndtri)

t = Continuous("t", """Student's distribution with ``df`` degrees of freedom, as `scipy.stats.t`.

Examples
--------
>>> x = tg.Tensor([0.0], requires_grad=True)
>>> tg.grad(tg.scipy.stats.t.cdf(x, df=1), x)  # 1 / pi
array([0.3183])
""", ("df",), log_density=lambda z, df: student_log_density(df, z), cdf=lambda z, df: sp.stdtr(df, z),
    logcdf=_log(lambda z, df: sp.stdtr(df, z), lambda z, df: sp.stdtr(df, -z)),
    ppf=lambda q, df: np.where(value_of(q) > 0, sp.stdtrit(df, q), -np.inf))

gamma = Continuous("gamma", """The gamma distribution, as `scipy.stats.gamma`: ``z**(a - 1) exp(-z) / gamma(a)``.

Examples
--------
>>> a = tg.Tensor([2.0], requires_grad=True)
>>> tg.grad(tg.scipy.stats.gamma.logpdf(1.0, a), a)  # -psi(2)
array([-0.4228])
""", ("a",), log_density=lambda z, a: sp.xlogy(a - 1, z) - z - sp.gammaln(a), cdf=lambda z, a: sp.gammainc(a, z),
    ppf=lambda q, a: sp.gammaincinv(a, q),
    logcdf=_log(lambda z, a: sp.gammainc(a, z), lambda z, a: sp.gammaincc(a, z)), lower=0)

beta = Continuous("beta", """The beta distribution, as `scipy.stats.beta`: ``z**(a - 1) (1 - z)**(b - 1) / B(a, b)``.

Examples
--------
>>> x = tg.Tensor([0.5], requires_grad=True)
>>> tg.grad(tg.scipy.stats.beta.cdf(x, 2.0, 2.0), x)
array([1.5])
""", ("a", "b"), log_density=lambda z, a, b: sp.xlogy(a - 1, z) + sp.xlog1py(b - 1, -z) - sp.betaln(a, b),
    cdf=lambda z, a, b: sp.betainc(a, b, z), ppf=lambda q, a, b: sp.betaincinv(a, b, q),
    logcdf=_log(lambda z, a, b: sp.betainc(a, b, z), lambda z, a, b: sp.betaincc(a, b, z)), lower=0, upper=1)

expon = Continuous("expon", """The exponential distribution, as `scipy.stats.expon`: ``exp(-z)``.

Examples
--------
>>> scale = tg.Tensor([2.0], requires_grad=True)
>>> tg.grad(tg.scipy.stats.expon.logpdf(6.0, scale=scale), scale)
array([1.])
""", (), log_density=lambda z: -z, cdf=lambda z: -np.expm1(-z), ppf=lambda q: -np.log1p(-q),
    logcdf=_log(lambda z: -np.expm1(-z), lambda z: np.exp(-z)), lower=0)

chi2 = Continuous("chi2", """The chi-squared distribution with ``df`` degrees of freedom, as `scipy.stats.chi2`.

Examples
--------
>>> x = tg.Tensor([2.0], requires_grad=True)
>>> tg.grad(tg.scipy.stats.chi2.logpdf(x, 4), x)
array([0.])
""", ("df",), log_density=lambda z, df: sp.xlogy(0.5 * df - 1, z) - 0.5 * z - sp.gammaln(0.5 * df) - 0.5 * _LOG_2 * df,
    cdf=lambda z, df: sp.gammainc(0.5 * df, 0.5 * z), ppf=lambda q, df: 2 * sp.gammaincinv(0.5 * df, q),
    logcdf=_log(lambda z, df: sp.gammainc(0.5 * df, 0.5 * z), lambda z, df: sp.gammaincc(0.5 * df, 0.5 * z)), lower=0)

uniform = Continuous("uniform", """The uniform distribution from ``loc`` to ``loc + scale``, as `scipy.stats.uniform`.

Examples
--------
>>> scale = tg.Tensor([2.0], requires_grad=True)
>>> tg.grad(tg.scipy.stats.uniform.ppf(0.25, scale=scale), scale)
array([0.25])
""", (), log_density=lambda z: 0 * z, cdf=lambda z: 1 * z, logcdf=np.log, ppf=lambda q: 1 * q, lower=0, upper=1)

laplace = Continuous("laplace", """Laplace's distribution, as `scipy.stats.laplace`: ``exp(-|z|) / 2``.

Examples
--------
>>> x = tg.Tensor([3.0], requires_grad=True)
>>> tg.grad(tg.scipy.stats.laplace.logpdf(x, loc=1.0, scale=4.0), x)
array([-0.25])
""", (), log_density=lambda z: -np.abs(z) - _LOG_2, cdf=_laplace_cdf, logcdf=_laplace_logcdf, ppf=_laplace_ppf)

lognorm = Continuous("lognorm", """The distribution of ``exp(s * y)`` for a normal ``y``, as `scipy.stats.lognorm`.

Examples
--------
>>> s = tg.Tensor([2.0], requires_grad=True)
>>> tg.grad(tg.scipy.stats.lognorm.logpdf(1.0, s), s)
array([-0.5])
""", ("s",), log_density=lambda z, s: -0.5 * np.square(np.log(z) / s) - np.log(s * z) - 0.5 * _LOG_2PI,
    cdf=lambda z, s: sp.ndtr(np.log(z) / s), logcdf=lambda z, s: sp.log_ndtr(np.log(z) / s),
    ppf=lambda q, s: np.exp(s * sp.ndtri(q)), lower=math.ulp(0.0))  # the density at 0 is 0
# fmt: on


class Discrete:
    """A distribution over the integers ``k - loc`` from 0 to an upper bound; differentiable in its real parameters."""

    def __init__(self, name: str, doc: str, shapes: tuple[str, ...], *, log_mass: Callable[..., Array],
                 cdf: Callable[..., Array], valid: Callable[..., Any],
                 upper: Callable[..., Any], whole: tuple[str, ...] = ()) -> None:  # fmt: skip
        self.name, self.__doc__ = name, doc
        self.defaults = dict.fromkeys(shapes) | {"loc": 0}
        self.whole = {"k", "loc", *whole}
        self._log_mass, self._cdf, self._valid, self._upper = log_mass, cdf, valid, upper

    def __repr__(self) -> str:
        return f"<distribution {self.name}({', '.join(self.defaults)})>"

    def _parameters(self, k: Any, args: Any, given: Any) -> tuple[Array, list[Array], Any, Any]:
        """The count, shapes, where these are allowed, and the largest count."""
        named = {"k": k} | dict(zip(self.defaults, _bound(self.name, self.defaults, args, given), strict=True))
        for name in self.whole & named.keys():
            if current_mode().recording and any_tracked(named[name]):
                raise NoRuleError(f"{self.name}: {name} is an integer, in which there is no derivative: pass "
                                  f"{name}.detach()")  # fmt: skip
            named[name] = value_of(named[name])
        first, *_ = real = [floating(p) for name, p in named.items() if name not in self.whole]
        shapes = [in_precision_of(first, p) for name, p in named.items() if name not in ("k", "loc")]
        values = [value_of(p) for p in shapes]
        k = in_precision_of(real[0], np.subtract(named["k"], named["loc"]))
        return k, shapes, self._valid(*values), self._upper(*values)

    def logpmf(self, k: Any, *args: Any, **parameters: Any) -> Array:
        """The logarithm of the probability of ``k``."""
        k, shapes, valid, upper = self._parameters(k, args, parameters)
        inside = (k >= 0) & (k == np.floor(k)) & (k <= upper)
        out = self._log_mass(np.where(inside | np.isnan(k), k, 0).astype(k.dtype), *shapes)
        return _nan_unless(valid, np.where(inside | np.isnan(k), out, -np.inf).astype(out.dtype))

    def pmf(self, k: Any, *args: Any, **parameters: Any) -> Array:
        """The probability of ``k``."""
        return np.exp(self.logpmf(k, *args, **parameters))

    def cdf(self, k: Any, *args: Any, **parameters: Any) -> Array:
        """The probability of at most ``k``."""
        k, shapes, valid, upper = self._parameters(k, args, parameters)
        k = np.floor(k)
        inside = ~((k < 0) | (k >= upper))
        out = self._cdf(np.where(inside, k, 0).astype(k.dtype), *shapes)
        return _nan_unless(valid, np.where(inside, out, np.where(k < 0, 0, 1)).astype(out.dtype))


# fmt: off
poisson = Discrete("poisson", """Poisson's distribution of mean ``mu``, as `scipy.stats.poisson`.

Examples
--------
>>> mu = tg.Tensor([2.0], requires_grad=True)
>>> tg.grad(tg.scipy.stats.poisson.logpmf(6, mu), mu)
array([2.])
""", ("mu",), log_mass=lambda k, mu: sp.xlogy(k, mu) - sp.gammaln(k + 1) - mu,
    cdf=lambda k, mu: sp.gammaincc(k + 1, mu), valid=lambda mu: mu >= 0, upper=lambda mu: np.inf)

binom = Discrete("binom", """The binomial distribution, as `scipy.stats.binom`: of ``n`` trials, ``k`` succeed.

Examples
--------
>>> p = tg.Tensor([0.5], requires_grad=True)
>>> tg.grad(tg.scipy.stats.binom.logpmf(3, 4, p), p)
array([4.])
""", ("n", "p"), whole=("n",),
    log_mass=lambda k, n, p: sp.gammaln(n + 1) - sp.gammaln(k + 1) - sp.gammaln(n - k + 1)
                             + sp.xlogy(k, p) + sp.xlog1py(n - k, -p),
    cdf=lambda k, n, p: sp.betaincc(k + 1, np.where(n > k, n - k, 1).astype(k.dtype), p),
    valid=lambda n, p: (n >= 0) & (n == np.floor(n)) & (p >= 0) & (p <= 1), upper=lambda n, p: n)
# fmt: on


class MultivariateNormal:
    """The normal distribution of vectors, as `scipy.stats.multivariate_normal`.

    ``x`` is ``(..., D)``, ``mean`` ``(D,)``, and ``cov`` a positive definite matrix ``(D, D)``, a vector of
    variances, or one variance for all; the results are ``(...)``.
    Raises ``LinAlgError`` if ``cov`` is not positive definite.

    Examples
    --------
    >>> mean = tg.Tensor([0.0, 0.0], requires_grad=True)
    >>> tg.grad(tg.scipy.stats.multivariate_normal.logpdf(np.ones(2), mean, np.diag([1.0, 4.0])), mean)
    array([1.  , 0.25])
    """

    def logpdf(self, x: Any, mean: Any = 0.0, cov: Any = 1.0) -> Array:
        """The logarithm of the density at ``x``."""
        x = floating(x)
        mean, cov = (in_precision_of(x, p) for p in (mean, cov))
        d = max(x.shape[-1:], mean.shape[-1:], cov.shape[-1:], key=len)
        d = d[0] if d else 1
        if cov.ndim < 2:
            cov = np.diag(np.broadcast_to(cov, (d,)))
        if cov.shape != (d, d) or mean.shape not in ((), (d,)):
            raise ShapeError(f"multivariate_normal: x (..., D), mean (D,) and cov (D, D) must belong together, got "
                             f"{x.shape}, {mean.shape} and {cov.shape}")  # fmt: skip
        factor = np.linalg.cholesky(cov)
        z = np.reshape(np.broadcast_to(x - mean, (*x.shape[:-1], d)), (-1, d))
        z = np.reshape(np.matrix_transpose(solve_triangular(factor, z.T, lower=True)), (*x.shape[:-1], d))
        return -0.5 * np.sum(np.square(z), axis=-1) - np.sum(np.log(np.diagonal(factor))) - 0.5 * d * _LOG_2PI

    def pdf(self, x: Any, mean: Any = 0.0, cov: Any = 1.0) -> Array:
        """The density at ``x``."""
        return np.exp(self.logpdf(x, mean, cov))


class Dirichlet:
    """Dirichlet's distribution of ``K`` shares that sum to 1, as `scipy.stats.dirichlet`.

    ``x`` is ``(K,)`` or ``(K, N)``, or without the last share; ``alpha`` is ``(K,)``; the results are ``()`` or
    ``(N,)``. Raises ``ValueError`` if the shares do not sum to 1 or one is negative, or an ``alpha`` is not positive.

    Examples
    --------
    >>> alpha = tg.Tensor([1.0, 1.0], requires_grad=True)
    >>> tg.grad(tg.scipy.stats.dirichlet.logpdf(np.array([0.5, 0.5]), alpha), alpha)
    array([0.3069, 0.3069])
    """

    def logpdf(self, x: Any, alpha: Any) -> Array:
        """The logarithm of the density at ``x``."""
        x = floating(x)
        alpha = in_precision_of(x, alpha)
        if alpha.ndim != 1 or x.ndim not in (1, 2) or len(x) not in (alpha.size, alpha.size - 1):
            raise ShapeError(f"dirichlet: x (K,) or (K, N) and alpha (K,) must belong together, got {x.shape} and "
                             f"{alpha.shape}")  # fmt: skip
        if len(x) < alpha.size:
            x = np.concatenate([x, 1 - np.sum(x, axis=0, keepdims=True)])
        values, far = value_of(x), 1e-9 + 10 * np.finfo(x.dtype).eps
        if np.any(values < 0) or np.any(np.abs(np.sum(values, axis=0) - 1) > far):
            raise ValueError("dirichlet: the shares x must not be negative, and sum to 1 along the first axis")
        if not np.all(value_of(alpha) > 0):
            raise ValueError("dirichlet: alpha must be positive")
        constant = sp.gammaln(np.sum(alpha)) - np.sum(sp.gammaln(alpha))
        return constant + np.sum(sp.xlogy(alpha - 1, x.T).T, axis=0)

    def pdf(self, x: Any, alpha: Any) -> Array:
        """The density at ``x``."""
        return np.exp(self.logpdf(x, alpha))


multivariate_normal, dirichlet = MultivariateNormal(), Dirichlet()
