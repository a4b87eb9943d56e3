"""Arithmetic, powers, exponentials and logarithms of each element.

Rows without ``singular=False`` have points where the derivative is infinite or the function is undefined. If the result
at such a point is not used, as in the branch that ``where`` does not select, the gradient there is 0, not NaN.
"""

from __future__ import annotations

import math

import numpy as np

from tensorgrad.engine.registry import also_complex, implements, primitive, row_of, rule
from tensorgrad.engine.tape import NDARRAYS, Array, Variable, any_tracked, value_of
from tensorgrad.rules.accumulation import add_to_square
from tensorgrad.rules.division import quotient, repeated_quotient
from tensorgrad.rules.kinks import abs_slope, normalized, zero_at_kink


@primitive
def steep_power(x: Array, y: Array) -> Array:
    """``x**y`` with an infinite derivative in ``y`` at ``0**0``, where that of `numpy.power` is 0 by convention."""
    return np.power(x, y)


_LN2, _LN10 = math.log(2), math.log(10)  # Python floats, so that float32 stays float32

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
                     lambda g, ans, x, y: g * zero_at_kink(ans * np.log(x), (x == 0) & (y >= 0)))
rule(np.float_power, lambda g, _ans, x, y: _power_dx(g, _ans, x, y),
                     lambda g, ans, x, y: g * zero_at_kink(ans * np.log(x), (x == 0) & (y >= 0)))
rule(steep_power,    lambda g, _ans, x, y: _power_dx(g, _ans, x, y),
                     lambda g, ans, x, y: g * zero_at_kink(ans * np.log(x), (x == 0) & (y > 0)), elementwise=True)
rule(np.square,      lambda g, _ans, x: g * (x + x), singular=False,
                     add_to=add_to_square)
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
    """``g`` times the sign of ``x``, for complex numbers times the conjugate of ``x / |x|``; 0 at 0."""
    q, conjugate = quotient(g, _ans, x), x if x.dtype.kind != "c" else np.conjugate(x)
    if q is not None:
        return q * conjugate
    return g * (abs_slope(x) if x.dtype.kind != "c" else normalized(conjugate, np.absolute(x)))


def _root_dx(g: Array, ans: Array, n: int) -> Array:
    """``g / (n * ans ** (n - 1))``, also at 0 if ``g`` is known to be a multiple of that power."""
    q = repeated_quotient(g, ans, ans, n - 1) if isinstance(g, Variable) else None
    if q is not None:
        return np.where(np.isnan(value_of(ans)), np.nan, q / n)
    return g / (ans + ans) if n == 2 else g / (n * ans * ans)


def power(x: Array, y: Array) -> Array:
    """`numpy.power` of arrays; small whole powers of float32 and float64 by one or two multiplications.

    These differ from NumPy's by at most two units in the last place. Of float32 they are up to several hundred times as
    fast, of float64 several times; further multiplications would lose further digits.
    """
    if type(y) in (int, float) and type(x) in NDARRAYS and x.dtype.char in "fd" and -2 <= y <= 4:
        if y == 3:
            return np.square(x) * x
        if y == 4:
            return np.square(np.square(x))
        if y == -1:
            return np.reciprocal(x)
        if y == -2:
            return np.square(np.reciprocal(x))
    return np.power(x, y)


_row = row_of(np.power)
assert _row is not None
_row.forward = power


def _power_dx(g: Array, _ans: Array, x: Array, y: Array) -> Array:
    """``g * y * x**(y - 1)``, and 0 for ``x**0`` even at ``x == 0``.

    For a root of 0, it is ``q * y * x**(y - 1 + n * y)`` if ``g`` is known to be ``q * ans**n`` with a large ``n``.
    """
    if type(y) is np.ndarray and y.size == 1:
        y = y.item()
    if not isinstance(y, (int, float)):
        raised = steep_power if any_tracked([y]) else np.power
        return g * zero_at_kink(y * raised(x, y - 1), y == 0)
    if 0.01 < y < 1 and isinstance(g, Variable):
        n = math.ceil(1 / y) - 1
        q = repeated_quotient(g, _ans, x, n)
        if q is not None:
            return np.where(value_of(x) < 0, np.nan, q * (y * x ** ((n + 1) * y - 1)))
    if not y:
        return g * np.zeros_like(x)
    return g * (y * (power(x, y - 1) if type(x) in NDARRAYS and y not in (1, 2, 3) else x ** (y - 1)))


def _share(ans: Array, share: Array) -> Array:
    """``share``, the fraction of a sum that one of its two terms is; 0 where both terms are 0."""
    return np.where(ans == -np.inf, 0, share)


@implements(np.real_if_close)
def real_if_close(a: Array, tol: float = 100) -> Array:
    """``a`` without its imaginary part, if that is within rounding errors."""
    return np.real(a) if np.iscomplexobj(a) and np.isrealobj(np.real_if_close(value_of(a), tol)) else a


also_complex(np.real_if_close)
