"""Arithmetic, powers, exponentials and logarithms of each element.

Rows marked ``singular`` have points where the derivative is infinite, or points where there is no value at all:
at these points a zero upstream gradient stays zero, so that the branch not selected by ``where`` never gives NaN.
"""

from __future__ import annotations

import math

import numpy as np

from tensorgrad import blas
from tensorgrad.engine.registry import also_complex, implements, primitive, rule
from tensorgrad.engine.tape import Array, Variable, any_tracked, value_of
from tensorgrad.rules.division import quotient, repeated_quotient
from tensorgrad.rules.kinks import settled, side, unit


@primitive
def steep_power(x: Array, y: Array) -> Array:
    """``x**y``, of infinite slope in ``y`` at ``0**0``, where `numpy.power` has a slope of 0 by convention."""
    return np.power(x, y)


_BLOCK = 1 << 14  # elements
_LN2, _LN10 = math.log(2), math.log(10)  # Python's floats leave float32 as it is

# fmt: off

# Arithmetic
rule(np.add,         lambda g, _ans, _x, _y: g,
                     lambda g, _ans, _x, _y: g)
rule(np.subtract,    lambda g, _ans, _x, _y: g,
                     lambda g, _ans, _x, _y: -g)
rule(np.multiply,    lambda g, _ans, _x, y: g * y,
                     lambda g, _ans, x, _y: g * x, singular=False)
rule(np.divide,      lambda g, _ans, _x, y: g / y,
                     lambda g, ans, _x, y: -g * ans / y)
rule(np.negative,    lambda g, _ans, _x: -g)
rule(np.positive,    lambda g, _ans, _x: g)
rule(np.reciprocal,  lambda g, ans, _x: -g * ans * ans)
rule(np.absolute,    lambda g, _ans, x: _absolute_dx(g, _ans, x))
rule(np.fabs,        lambda g, _ans, x: _absolute_dx(g, _ans, x))
rule(np.sign,        lambda g, _ans, _x: np.zeros_like(g), selects=True)

# Powers and roots
rule(np.power,       lambda g, _ans, x, y: _power_dx(g, _ans, x, y),
                     lambda g, ans, x, y: g * settled(ans * np.log(x), (x == 0) & (y >= 0)))
rule(np.float_power, lambda g, _ans, x, y: _power_dx(g, _ans, x, y),
                     lambda g, ans, x, y: g * settled(ans * np.log(x), (x == 0) & (y >= 0)))
rule(steep_power,    lambda g, _ans, x, y: _power_dx(g, _ans, x, y),
                     lambda g, ans, x, y: g * settled(ans * np.log(x), (x == 0) & (y > 0)), elementwise=True)
rule(np.square,      lambda g, _ans, x: (g + g) * x, singular=False,
                     add_to=lambda total, g, _i, x: add_product(total, g + g, x))
rule(np.sqrt,        lambda g, ans, _x: _root_dx(g, ans, 2))
rule(np.cbrt,        lambda g, ans, _x: _root_dx(g, ans, 3))

# Exponentials and logarithms
rule(np.exp,         lambda g, ans, _x: g * ans, singular=False)
rule(np.exp2,        lambda g, ans, _x: g * (ans * _LN2), singular=False)
rule(np.expm1,       lambda g, _ans, x: g * np.exp(x), singular=False)  # far below 0, ans + 1 would cancel
rule(np.log,         lambda g, _ans, x: g / x)
rule(np.log2,        lambda g, _ans, x: g / (x * _LN2))
rule(np.log10,       lambda g, _ans, x: g / (x * _LN10))
rule(np.log1p,       lambda g, _ans, x: g / (1 + x))
rule(np.logaddexp,   lambda g, ans, x, y: g * _share(ans, np.exp(-np.logaddexp(y - x, 0))),
                     lambda g, ans, x, y: g * _share(ans, np.exp(-np.logaddexp(x - y, 0))))
rule(np.logaddexp2,  lambda g, ans, x, y: g * _share(ans, np.exp2(-np.logaddexp2(y - x, 0))),
                     lambda g, ans, x, y: g * _share(ans, np.exp2(-np.logaddexp2(x - y, 0))))
# fmt: on

also_complex(
    np.add, np.subtract, np.multiply, np.divide, np.negative, np.positive, np.reciprocal, np.absolute,
    np.power, steep_power, np.square, np.sqrt, np.exp, np.exp2, np.expm1, np.log, np.log2, np.log10, np.log1p,
)  # fmt: skip


def _absolute_dx(g: Array, _ans: Array, x: Array) -> Array:
    """``g`` times the sign of ``x``, or times the conjugate of a complex number's direction; 0 at 0."""
    q, conjugate = quotient(g, _ans, x), x if x.dtype.kind != "c" else np.conjugate(x)
    if q is not None:
        return q * conjugate
    return g * (side(x) if x.dtype.kind != "c" else unit(conjugate, np.absolute(x)))


def _root_dx(g: Array, ans: Array, n: int) -> Array:
    """``g / (n * ans ** (n - 1))``, also at 0 if ``g`` is known to be a multiple of that power."""
    q = repeated_quotient(g, ans, ans, n - 1) if isinstance(g, Variable) else None
    if q is not None:
        return np.where(np.isnan(value_of(ans)), np.nan, q / n)
    return g / (ans + ans) if n == 2 else g / (n * ans * ans)


def add_product(total: Array, g: Array, x: Array) -> None:
    """``total += g * x`` for arrays: where ``g`` is a number, by BLAS or in blocks that stay in the cache."""
    alike = x.shape == total.shape and x.dtype == total.dtype and x.flags.c_contiguous and total.flags.c_contiguous
    if g.size > 1 or not alike or total.size < _BLOCK:
        total += g * x
    elif blas.enabled():
        blas.axpby(g.item(), x, 1, total)
    else:
        into, factor, scratch = total.reshape(-1), x.reshape(-1), np.empty(_BLOCK, x.dtype)
        for start in range(0, total.size, _BLOCK):
            part = into[start : start + _BLOCK]
            part += np.multiply(factor[start : start + _BLOCK], g.item(), out=scratch[: part.size])


def _power_dx(g: Array, _ans: Array, x: Array, y: Array) -> Array:
    """``g * y * x**(y - 1)``, and 0 for ``x**0`` even at ``x == 0``.

    For a root of 0, it is ``q * y * x**(y - 1 + n * y)`` if ``g`` is known to be ``q * ans**n`` with a large ``n``.
    """
    if type(y) is np.ndarray and y.size == 1:
        y = y.item()
    if not isinstance(y, (int, float)):
        power = steep_power if any_tracked([y]) else np.power
        return g * settled(y * power(x, y - 1), y == 0)
    if 0.01 < y < 1 and isinstance(g, Variable):
        n = math.ceil(1 / y) - 1
        q = repeated_quotient(g, _ans, x, n)
        if q is not None:
            return np.where(value_of(x) < 0, np.nan, q * (y * x ** ((n + 1) * y - 1)))
    return g * (y * x ** (y - 1) if y else np.zeros_like(x))


def _share(ans: Array, share: Array) -> Array:
    """The share of a term in a sum, told from the difference of their logarithms; none where both terms are zero."""
    return np.where(ans == -np.inf, 0, share)


@implements(np.real_if_close)
def real_if_close(a: Array, tol: float = 100) -> Array:
    """``a``, without an imaginary part that is no more than rounding."""
    return np.real(a) if np.iscomplexobj(a) and np.isrealobj(np.real_if_close(value_of(a), tol)) else a


also_complex(np.real_if_close)
