"""Distributions of `scipy.stats`: densities, distribution functions and quantiles, with SciPy's parameter names.

A distribution is defined by the functions of its standard form (``loc=0, scale=1``); all arguments are broadcast. As in
SciPy, the density outside the support is 0, and invalid parameters give NaN. A distribution function that depends on a
shape parameter by a function without a derivative in `scipy.special` raises an error that names the parameter. Source
of the formulas: Johnson, Kotz and Balakrishnan (1994).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special as sp

from tensorgrad.engine.tape import Array, value_of
from tensorgrad.rules.special import student_log_density
from tensorgrad.scipy.distributions import Continuous, Discrete
from tensorgrad.scipy.multivariate import Dirichlet, MultivariateNormal

__all__ = ["beta", "binom", "chi2", "dirichlet", "expon", "gamma", "laplace", "lognorm", "multivariate_normal", "norm",
           "poisson", "t", "uniform"]  # fmt: skip

_LOG_2, _LOG_2PI = math.log(2), math.log(2 * math.pi)


def _log(cdf: Callable[..., Array], complement: Callable[..., Array]) -> Callable[..., Array]:
    """The logarithm of a distribution function; above 1/2, computed from its complement."""

    def logcdf(z: Array, *shapes: Array) -> Array:
        p = cdf(z, *shapes)
        return np.where(value_of(p) < 0.5, np.log(p), np.log1p(-complement(z, *shapes)))

    return logcdf


def _halves(z: Array) -> tuple[Any, Array, Array]:
    """Where ``z`` is negative, its negative part and its nonnegative part."""
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
""", (), log_density=lambda z: -0.5 * np.square(z) - 0.5 * _LOG_2PI, cdf=sp.ndtr, logcdf=sp.log_ndtr,
    sf=lambda z: sp.ndtr(-z), logsf=lambda z: sp.log_ndtr(-z), ppf=sp.ndtri)

t = Continuous("t", """Student's t distribution with ``df`` degrees of freedom, as `scipy.stats.t`.

Examples
--------
>>> x = tg.Tensor([0.0], requires_grad=True)
>>> tg.grad(tg.scipy.stats.t.cdf(x, df=1), x)  # 1 / pi
array([0.3183])
""", ("df",), log_density=lambda z, df: student_log_density(df, z), cdf=lambda z, df: sp.stdtr(df, z),
    logcdf=_log(lambda z, df: sp.stdtr(df, z), lambda z, df: sp.stdtr(df, -z)), sf=lambda z, df: sp.stdtr(df, -z),
    logsf=_log(lambda z, df: sp.stdtr(df, -z), lambda z, df: sp.stdtr(df, z)),
    ppf=lambda q, df: np.where(value_of(q) > 0, sp.stdtrit(df, q), -np.inf))

gamma = Continuous("gamma", """The gamma distribution, as `scipy.stats.gamma`: ``z**(a - 1) exp(-z) / gamma(a)``.

Examples
--------
>>> a = tg.Tensor([2.0], requires_grad=True)
>>> tg.grad(tg.scipy.stats.gamma.logpdf(1.0, a), a)  # -psi(2)
array([-0.4228])
""", ("a",), log_density=lambda z, a: sp.xlogy(a - 1, z) - z - sp.gammaln(a), cdf=lambda z, a: sp.gammainc(a, z),
    ppf=lambda q, a: sp.gammaincinv(a, q),
    logcdf=_log(lambda z, a: sp.gammainc(a, z), lambda z, a: sp.gammaincc(a, z)), sf=lambda z, a: sp.gammaincc(a, z),
    logsf=_log(lambda z, a: sp.gammaincc(a, z), lambda z, a: sp.gammainc(a, z)), lower=0)

beta = Continuous("beta", """The beta distribution, as `scipy.stats.beta`: ``z**(a - 1) (1 - z)**(b - 1) / B(a, b)``.

Examples
--------
>>> x = tg.Tensor([0.5], requires_grad=True)
>>> tg.grad(tg.scipy.stats.beta.cdf(x, 2.0, 2.0), x)
array([1.5])
""", ("a", "b"), log_density=lambda z, a, b: sp.xlogy(a - 1, z) + sp.xlog1py(b - 1, -z) - sp.betaln(a, b),
    cdf=lambda z, a, b: sp.betainc(a, b, z), ppf=lambda q, a, b: sp.betaincinv(a, b, q),
    logcdf=_log(lambda z, a, b: sp.betainc(a, b, z), lambda z, a, b: sp.betaincc(a, b, z)),
    sf=lambda z, a, b: sp.betaincc(a, b, z),
    logsf=_log(lambda z, a, b: sp.betaincc(a, b, z), lambda z, a, b: sp.betainc(a, b, z)), lower=0, upper=1)

expon = Continuous("expon", """The exponential distribution, as `scipy.stats.expon`: ``exp(-z)``.

Examples
--------
>>> scale = tg.Tensor([2.0], requires_grad=True)
>>> tg.grad(tg.scipy.stats.expon.logpdf(6.0, scale=scale), scale)
array([1.])
""", (), log_density=lambda z: -z, cdf=lambda z: -np.expm1(-z), ppf=lambda q: -np.log1p(-q),
    logcdf=_log(lambda z: -np.expm1(-z), lambda z: np.exp(-z)), sf=lambda z: np.exp(-z), logsf=lambda z: -z, lower=0)

chi2 = Continuous("chi2", """The chi-squared distribution with ``df`` degrees of freedom, as `scipy.stats.chi2`.

Examples
--------
>>> x = tg.Tensor([2.0], requires_grad=True)
>>> tg.grad(tg.scipy.stats.chi2.logpdf(x, 4), x)
array([0.])
""", ("df",), log_density=lambda z, df: sp.xlogy(0.5 * df - 1, z) - 0.5 * z - sp.gammaln(0.5 * df) - 0.5 * _LOG_2 * df,
    cdf=lambda z, df: sp.gammainc(0.5 * df, 0.5 * z), ppf=lambda q, df: 2 * sp.gammaincinv(0.5 * df, q),
    logcdf=_log(lambda z, df: sp.gammainc(0.5 * df, 0.5 * z), lambda z, df: sp.gammaincc(0.5 * df, 0.5 * z)),
    sf=lambda z, df: sp.gammaincc(0.5 * df, 0.5 * z),
    logsf=_log(lambda z, df: sp.gammaincc(0.5 * df, 0.5 * z), lambda z, df: sp.gammainc(0.5 * df, 0.5 * z)), lower=0)

uniform = Continuous("uniform", """The uniform distribution from ``loc`` to ``loc + scale``, as `scipy.stats.uniform`.

Examples
--------
>>> scale = tg.Tensor([2.0], requires_grad=True)
>>> tg.grad(tg.scipy.stats.uniform.ppf(0.25, scale=scale), scale)
array([0.25])
""", (), log_density=lambda z: 0 * z, cdf=lambda z: 1 * z, logcdf=np.log,
    sf=lambda z: 1 - z, logsf=lambda z: np.log1p(-z), ppf=lambda q: 1 * q, lower=0, upper=1)

laplace = Continuous("laplace", """The Laplace distribution, as `scipy.stats.laplace`: ``exp(-|z|) / 2``.

Examples
--------
>>> x = tg.Tensor([3.0], requires_grad=True)
>>> tg.grad(tg.scipy.stats.laplace.logpdf(x, loc=1.0, scale=4.0), x)
array([-0.25])
""", (), log_density=lambda z: -np.abs(z) - _LOG_2, cdf=_laplace_cdf, logcdf=_laplace_logcdf,
    sf=lambda z: _laplace_cdf(-z), logsf=lambda z: _laplace_logcdf(-z), ppf=_laplace_ppf)

lognorm = Continuous("lognorm", """The distribution of ``exp(s * y)`` for a normal ``y``, as `scipy.stats.lognorm`.

Examples
--------
>>> s = tg.Tensor([2.0], requires_grad=True)
>>> tg.grad(tg.scipy.stats.lognorm.logpdf(1.0, s), s)
array([-0.5])
""", ("s",), log_density=lambda z, s: -0.5 * np.square(np.log(z) / s) - np.log(s * z) - 0.5 * _LOG_2PI,
    cdf=lambda z, s: sp.ndtr(np.log(z) / s), logcdf=lambda z, s: sp.log_ndtr(np.log(z) / s),
    sf=lambda z, s: sp.ndtr(-np.log(z) / s), logsf=lambda z, s: sp.log_ndtr(-np.log(z) / s),
    ppf=lambda q, s: np.exp(s * sp.ndtri(q)), lower=math.ulp(0.0))  # the density at 0 is 0
# fmt: on


# fmt: off
poisson = Discrete("poisson", """The Poisson distribution with mean ``mu``, as `scipy.stats.poisson`.

Examples
--------
>>> mu = tg.Tensor([2.0], requires_grad=True)
>>> tg.grad(tg.scipy.stats.poisson.logpmf(6, mu), mu)
array([2.])
""", ("mu",), log_mass=lambda k, mu: sp.xlogy(k, mu) - sp.gammaln(k + 1) - mu,
    cdf=lambda k, mu: sp.gammaincc(k + 1, mu), valid=lambda mu: mu >= 0, upper=lambda mu: np.inf)

binom = Discrete("binom", """The binomial distribution of ``k`` successes in ``n`` trials, as `scipy.stats.binom`.

Examples
--------
>>> p = tg.Tensor([0.5], requires_grad=True)
>>> tg.grad(tg.scipy.stats.binom.logpmf(3, 4, p), p)
array([4.])
""", ("n", "p"), integers=("n",),
    log_mass=lambda k, n, p: sp.gammaln(n + 1) - sp.gammaln(k + 1) - sp.gammaln(n - k + 1)
                             + sp.xlogy(k, p) + sp.xlog1py(n - k, -p),
    cdf=lambda k, n, p: sp.betaincc(k + 1, np.where(n > k, n - k, 1).astype(k.dtype), p),
    valid=lambda n, p: (n >= 0) & (n == np.floor(n)) & (p >= 0) & (p <= 1), upper=lambda n, p: n)
# fmt: on


multivariate_normal, dirichlet = MultivariateNormal(), Dirichlet()


def __dir__() -> list[str]:
    return [*__all__, "__doc__"]
