"""SciPy's special functions. This module is imported when one of SciPy's ufuncs is first called with a tensor.

A row that a user registered before that is kept. Where the formula of a derivative suffers from cancellation, as for
``erfcx`` and ``dawsn`` far from 0, a function of this module computes the derivatives of any order. The derivatives of
Bessel functions are Bessel functions of adjacent orders.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special as sp

from tensorgrad.engine import registry
from tensorgrad.engine.registry import primitive
from tensorgrad.engine.tape import Array, value_of
from tensorgrad.frontend.dispatch import nondifferentiable
from tensorgrad.rules.kinks import abs_slope, normalized, zero_at_kink

_FAR = 6.0  # beyond this, the asymptotic series of erfcx and dawsn are exact to float64 precision
_TERMS = 30
_GAUSS = [  # nodes and weights on the interval from 0 to 1
    (0.5 + 0.5 * node, 0.5 * weight)
    for node, weight in zip(*(a.tolist() for a in np.polynomial.legendre.leggauss(4)), strict=True)
]


def rule(fn: Any, *vjps: Any, **options: Any) -> None:
    """Register a row, unless a user has registered one."""
    if fn not in registry.entries or registry.entries[fn].run is fn:
        registry.rule(fn, *vjps, elementwise=True, **options)


def _no_rule(name: str, what: str) -> str:
    """The error message for an input that has no rule."""
    return (f"scipy.special.{name}: no gradient rule for {what}, which requires a gradient. If {what} is a constant, "
            "pass an array or t.detach().")  # fmt: skip


def _solution_derivative(x: Array, order: int, sign: int, first: Callable[..., Any], constant: float) -> Array:
    """The derivative of a solution ``first`` of ``y' = sign * 2 x y + constant``, by recurrence.

    For large ``x`` the derivative of the asymptotic series of ``y`` is used instead, which is
    ``-constant * sum((sign * -1)**n (2n - 1)!! / (2 x**2)**n) / (sign * 2 x)``.
    """
    before, near = first(x), sign * 2 * x * first(x) + constant
    for n in range(1, order):
        before, near = near, sign * 2 * (x * near + n * before)
    far = np.abs(x) > _FAR if sign < 0 else x > _FAR
    z = np.where(far, x, 1).astype(np.float64)
    total, coefficient = np.zeros_like(z), -constant * sign / 2
    for n in range(_TERMS):
        power = 2 * n + 1
        total += coefficient * (-1) ** order * math.prod(range(power, power + order)) * z ** float(-power - order)
        coefficient *= -sign * (2 * n + 1) / 2
    return np.where(far, total, near).astype(x.dtype)


@primitive
def erfcx_derivative(x: Array, *, order: int) -> Array:
    """The derivative of ``erfcx`` of any order."""
    return _solution_derivative(x, order, 1, sp.erfcx, -2 / math.sqrt(math.pi))


@primitive
def dawsn_derivative(x: Array, *, order: int) -> Array:
    """The derivative of ``dawsn`` of any order."""
    return _solution_derivative(x, order, -1, sp.dawsn, 1.0)


@primitive
def polygamma(x: Array, *, order: int) -> Array:
    """The derivative of ``psi`` of any order."""
    return (-1.0) ** (order + 1) * math.factorial(order) * sp.zeta(order + 1.0, x) if order else sp.psi(x)


@primitive
def polygamma_difference(x: Array, y: Array, *, order: int) -> Array:
    """``polygamma(x) - polygamma(x + y)``. For a small ``y``, minus the integral of the derivative from 0 to ``y``."""
    small = (x > 0) & (y >= 0) & (y < x / 64)
    out = polygamma(x, order=order) - polygamma(x + y, order=order)
    if not np.any(small):
        return out
    width, total = np.where(small, y, 0), np.zeros_like(out)
    for node, weight in _GAUSS:
        total += weight * polygamma(x + node * width, order=order + 1)
    return np.where(small, -width * total, out)


@primitive
def exprel_derivative(z: Array, *, order: int) -> Array:
    """The derivative of ``(exp(z) - 1) / z``: the integral of ``t**order * exp(z * t)`` from 0 to 1."""
    small, negative = np.abs(z) < order + 2, z <= -order - 2
    y, term, by_series = np.where(small, z, 0), np.ones_like(z), np.zeros_like(z)
    for k in range(40 + 4 * order):
        by_series, term = by_series + term / (order + k + 1), term * y / (k + 1)
    x = np.where(negative, -z, 1)
    power = x ** (order + 1)
    by_gamma = sp.gammainc(order + 1.0, x) * math.factorial(order) / power
    w = np.where(small | negative, 1, z)
    by_recurrence = np.expm1(w) / w
    for n in range(1, order + 1):
        by_recurrence = (np.exp(w) - n * by_recurrence) / w
    return np.where(small, by_series, np.where(negative, by_gamma, by_recurrence)).astype(z.dtype)


# fmt: off
# The error function and related functions
rule(sp.erf,      lambda g, _ans, x: g * (2 / math.sqrt(math.pi)) * np.exp(-x * x), singular=False)
rule(sp.erfc,     lambda g, _ans, x: g * (-2 / math.sqrt(math.pi)) * np.exp(-x * x), singular=False)
rule(sp.erfcx,    lambda g, _ans, x: g * erfcx_derivative(x, order=1))
rule(erfcx_derivative,
                  lambda g, _ans, x, *, order: g * erfcx_derivative(x, order=order + 1))
rule(sp.erfinv,   lambda g, ans, _x: g * (math.sqrt(math.pi) / 2) * np.exp(ans * ans))
rule(sp.erfcinv,  lambda g, ans, _x: g * (-math.sqrt(math.pi) / 2) * np.exp(ans * ans))
rule(sp.erfi,     lambda g, _ans, x: g * (2 / math.sqrt(math.pi)) * np.exp(x * x), singular=False)
rule(sp.dawsn,    lambda g, _ans, x: g * dawsn_derivative(x, order=1))
rule(dawsn_derivative,
                  lambda g, _ans, x, *, order: g * dawsn_derivative(x, order=order + 1))
rule(sp.ndtr,     lambda g, _ans, x: g * (1 / math.sqrt(2 * math.pi)) * np.exp(-0.5 * x * x), singular=False)
rule(sp.log_ndtr, lambda g, _ans, x: g * _hazard(x))
rule(sp.ndtri,    lambda g, ans, _x: g * math.sqrt(2 * math.pi) * np.exp(0.5 * ans * ans))

# Logistic
rule(sp.expit,    lambda g, ans, x: g * ans * sp.expit(-x))
rule(sp.logit,    lambda g, _ans, x: g / (x * (1 - x)))
rule(sp.log_expit, lambda g, _ans, x: g * sp.expit(-x))

# The gamma function and related functions
rule(sp.gamma,    lambda g, ans, x: g * ans * sp.psi(x))
rule(sp.gammaln,  lambda g, _ans, x: g * sp.psi(x))
rule(sp.rgamma,   lambda g, _ans, x: g * _rgamma_dx(x))
rule(sp.loggamma, lambda g, _ans, x: g * sp.psi(x))
rule(sp.psi,      lambda g, _ans, x: g * polygamma(x, order=1))
rule(polygamma,   lambda g, _ans, x, *, order: g * polygamma(x, order=order + 1))
rule(polygamma_difference,
                  lambda g, _ans, x, y, *, order: g * polygamma_difference(x, y, order=order + 1),
                  lambda g, _ans, x, y, *, order: -g * polygamma(x + y, order=order + 1))
rule(sp.beta,     lambda g, ans, x, y: g * ans * polygamma_difference(x, y, order=0),
                  lambda g, ans, x, y: g * ans * polygamma_difference(y, x, order=0))
rule(sp.betaln,   lambda g, _ans, x, y: g * polygamma_difference(x, y, order=0),
                  lambda g, _ans, x, y: g * polygamma_difference(y, x, order=0))
rule(sp.gammainc, _no_rule("gammainc", "a"),
                  lambda g, _ans, a, x: g * _gamma_density(a, x))
rule(sp.gammaincc, _no_rule("gammaincc", "a"),
                  lambda g, _ans, a, x: -g * _gamma_density(a, x))
rule(sp.gammaincinv, _no_rule("gammaincinv", "a"),
                  lambda g, ans, a, _y: g / _gamma_density(a, ans))
rule(sp.betainc,  _no_rule("betainc", "a"), _no_rule("betainc", "b"),
                  lambda g, _ans, a, b, x: g * _beta_density(a, b, x))
rule(sp.betaincc, _no_rule("betaincc", "a"), _no_rule("betaincc", "b"),
                  lambda g, _ans, a, b, x: -g * _beta_density(a, b, x))
rule(sp.betaincinv, _no_rule("betaincinv", "a"), _no_rule("betaincinv", "b"),
                  lambda g, ans, a, b, _y: g / _beta_density(a, b, ans))

rule(sp.stdtr,    _no_rule("stdtr", "df"),
                  lambda g, _ans, df, t: g * np.exp(student_log_density(df, t)))
rule(sp.stdtrit,  _no_rule("stdtrit", "df"),
                  lambda g, ans, df, _p: g * np.exp(-student_log_density(df, ans)))

# Entropies and losses
rule(sp.xlogy,    lambda g, _ans, x, y: g * zero_at_kink(np.log(y), (x == 0) & (y <= 0)),
                  lambda g, _ans, x, y: g * zero_at_kink(x / y, (x == 0) & (y == 0)))
rule(sp.xlog1py,  lambda g, _ans, x, y: g * zero_at_kink(np.log1p(y), (x == 0) & (y <= -1)),
                  lambda g, _ans, x, y: g * zero_at_kink(x / (1 + y), (x == 0) & (y == -1)))
rule(sp.entr,     lambda g, _ans, x: -g * (np.log(x) + 1))
rule(sp.rel_entr, lambda g, _ans, x, y: g * (np.log(x / y) + 1),
                  lambda g, _ans, x, y: -g * zero_at_kink(x / y, (x == 0) & (y == 0)))
rule(sp.kl_div,   lambda g, _ans, x, y: g * np.log(x / y),
                  lambda g, _ans, x, y: g * (1 - zero_at_kink(x / y, (x == 0) & (y == 0))))
rule(sp.huber,    lambda g, _ans, d, r: g * np.where(np.abs(r) <= d, 0, np.abs(r) - d),
                  lambda g, _ans, d, r: g * np.where(np.abs(r) <= d, r, d * np.sign(r)))
rule(sp.pseudo_huber,
                  lambda g, _ans, d, r: g * _pseudo_huber_dd(d, r),
                  lambda g, _ans, d, r: g * d * normalized(r, np.hypot(d, r)))
rule(sp.boxcox,   lambda g, _ans, x, y: g * np.power(x, y - 1),
                  lambda g, _ans, x, y: g * _boxcox_dy(x, y))
rule(sp.inv_boxcox,
                  lambda g, ans, _x, y: g * np.power(ans, 1 - y),
                  lambda g, ans, _x, y: -g * np.power(ans, 1 - y) * _boxcox_dy(ans, y))
rule(sp.exprel,   lambda g, _ans, x: g * exprel_derivative(x, order=1))
rule(exprel_derivative,
                  lambda g, _ans, z, *, order: g * exprel_derivative(z, order=order + 1))

# Bessel functions; jn is jv
rule(sp.j0,       lambda g, _ans, x: -g * sp.j1(x))
rule(sp.j1,       lambda g, _ans, x: g * 0.5 * (sp.j0(x) - sp.jv(2, x)))
rule(sp.jv,       _no_rule("jv", "the order"),
                  lambda g, _ans, v, x: g * 0.5 * (sp.jv(v - 1, x) - sp.jv(v + 1, x)))
rule(sp.y0,       lambda g, _ans, x: -g * sp.y1(x))
rule(sp.y1,       lambda g, _ans, x: g * 0.5 * (sp.y0(x) - sp.yv(2, x)))
rule(sp.yn,       _no_rule("yn", "the order"),
                  lambda g, _ans, n, x: g * 0.5 * (sp.yv(n - 1, x) - sp.yv(n + 1, x)))
rule(sp.yv,       _no_rule("yv", "the order"),
                  lambda g, _ans, v, x: g * 0.5 * (sp.yv(v - 1, x) - sp.yv(v + 1, x)))
rule(sp.i0,       lambda g, _ans, x: g * sp.i1(x))
rule(sp.i1,       lambda g, _ans, x: g * 0.5 * (sp.i0(x) + sp.iv(2, x)))
rule(sp.iv,       _no_rule("iv", "the order"),
                  lambda g, _ans, v, x: g * 0.5 * (sp.iv(v - 1, x) + sp.iv(v + 1, x)))
rule(sp.i0e,      lambda g, ans, x: g * (sp.i1e(x) - abs_slope(x) * ans))
rule(sp.i1e,      lambda g, ans, x: g * (0.5 * (sp.i0e(x) + sp.ive(2, x)) - abs_slope(x) * ans))
rule(sp.ive,      _no_rule("ive", "the order"),
                  lambda g, ans, v, x: g * (0.5 * (sp.ive(v - 1, x) + sp.ive(v + 1, x)) - abs_slope(x) * ans))
rule(sp.k0,       lambda g, _ans, x: -g * sp.k1(x))
rule(sp.k1,       lambda g, _ans, x: g * -0.5 * (sp.k0(x) + sp.kv(2, x)))
rule(sp.kn,       _no_rule("kn", "the order"),
                  lambda g, _ans, n, x: g * -0.5 * (sp.kv(n - 1, x) + sp.kv(n + 1, x)))
rule(sp.kv,       _no_rule("kv", "the order"),
                  lambda g, _ans, v, x: g * -0.5 * (sp.kv(v - 1, x) + sp.kv(v + 1, x)))
rule(sp.k0e,      lambda g, ans, x: g * (ans - sp.k1e(x)))
rule(sp.k1e,      lambda g, ans, x: g * (ans - 0.5 * (sp.k0e(x) + sp.kve(2, x))))
rule(sp.kve,      _no_rule("kve", "the order"),
                  lambda g, ans, v, x: g * (ans - 0.5 * (sp.kve(v - 1, x) + sp.kve(v + 1, x))))

# Exponential integrals
rule(sp.exp1,     lambda g, _ans, x: -g * np.exp(-x) / x)
rule(sp.expi,     lambda g, _ans, x: g * np.exp(x) / x)

# Elementary functions, of which NumPy has some as well
rule(sp.expm1,    lambda g, _ans, x: g * np.exp(x), singular=False)
rule(sp.exp2,     lambda g, ans, _x: g * ans * math.log(2), singular=False)
rule(sp.exp10,    lambda g, ans, _x: g * ans * math.log(10), singular=False)
rule(sp.log1p,    lambda g, _ans, x: g / (1 + x))
rule(sp.cosm1,    lambda g, _ans, x: -g * np.sin(x), singular=False)
# fmt: on

if sp.gammasgn not in registry.entries:
    nondifferentiable(sp.gammasgn)  # a sign, piecewise constant


def _hazard(x: Array) -> Array:
    """The density of the normal distribution divided by its distribution function, without overflow or cancellation."""
    below = value_of(x) < 0
    left, right = np.where(below, x, 0), np.where(below, 0, x)
    density = np.exp(-0.5 * right * right) / (math.sqrt(2 * math.pi) * sp.ndtr(right))
    return np.where(below, math.sqrt(2 / math.pi) / sp.erfcx(-math.sqrt(0.5) * left), density)


def _rgamma_dx(x: Array) -> Array:
    """``-psi(x) / gamma(x)``; for ``x < 1/2`` by the reflection formula, which holds at the poles of both, too."""
    reflects = value_of(x) < 0.5
    y, z = np.where(reflects, x, 0), np.where(reflects, 1, x)
    factor = np.cos(np.pi * y) - np.sin(np.pi * y) * (1 / np.pi) * sp.psi(1 - y)
    return np.where(reflects, sp.gamma(1 - y) * factor, -sp.psi(z) * sp.rgamma(z))


def _gamma_density(a: Array, x: Array) -> Array:
    return np.exp(sp.xlogy(a - 1, x) - x - sp.gammaln(a))


def _beta_density(a: Array, b: Array, x: Array) -> Array:
    return np.exp(sp.xlogy(a - 1, x) + sp.xlog1py(b - 1, -x) - sp.betaln(a, b))


def student_log_density(df: Array, t: Array) -> Array:
    """The logarithm of the density of Student's distribution."""
    half = np.full_like(value_of(df), 0.5)  # in the dtype of df; betaln would convert a Python number to float64
    return -sp.betaln(0.5 * df, half) - 0.5 * np.log(df) - 0.5 * (df + 1) * np.log1p(np.square(t) / df)


def _pseudo_huber_dd(d: Array, r: Array) -> Array:
    """``2 d (s - 1) - r**2 / (d s)`` with ``s = sqrt(1 + (r / d)**2)``, in a form without cancellation."""
    length = np.hypot(d, r)
    return np.square(normalized(r, length + d)) * r * normalized(r, length)


def _boxcox_dy(x: Array, y: Array) -> Array:
    log = np.log(x)
    return log * log * exprel_derivative(y * log, order=1)
