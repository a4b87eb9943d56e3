"""Arithmetic, powers, exponentials and logarithms of each element.

Rows marked ``singular`` have points where the derivative is infinite, or points where there is no value at all:
there a zero upstream gradient stays zero, so that the branch that ``where`` did not take never turns into NaN.
"""

from __future__ import annotations

import math

import numpy as np

from tensorgrad.table import also_complex, implements, rule
from tensorgrad.tape import Array, value_of

_LN2, _LN10 = math.log(2), math.log(10)  # Python's floats leave float32 as it is

# fmt: off

# Arithmetic
rule(np.add,         lambda g, ans, x, y: g,
                     lambda g, ans, x, y: g)
rule(np.subtract,    lambda g, ans, x, y: g,
                     lambda g, ans, x, y: -g)
rule(np.multiply,    lambda g, ans, x, y: g * y,
                     lambda g, ans, x, y: g * x)
rule(np.divide,      lambda g, ans, x, y: g / y,
                     lambda g, ans, x, y: -g * ans / y, singular=True)
rule(np.negative,    lambda g, ans, x: -g)
rule(np.positive,    lambda g, ans, x: g)
rule(np.reciprocal,  lambda g, ans, x: -g * ans * ans, singular=True)
rule(np.absolute,    lambda g, ans, x: g * _direction(x))
rule(np.fabs,        lambda g, ans, x: g * np.sign(x))
rule(np.sign,        lambda g, ans, x: np.zeros_like(g))

# Powers and roots
rule(np.power,       lambda g, ans, x, y: g * _power_dx(x, y),
                     lambda g, ans, x, y: g * ans * np.log(np.where(x == 0, 1, x)), singular=True)
rule(np.float_power, lambda g, ans, x, y: g * _power_dx(x, y),
                     lambda g, ans, x, y: g * ans * np.log(np.where(x == 0, 1, x)), singular=True)
rule(np.square,      lambda g, ans, x: (g + g) * x)
rule(np.sqrt,        lambda g, ans, x: g / (ans + ans), singular=True)
rule(np.cbrt,        lambda g, ans, x: g / (3 * ans * ans), singular=True)

# Exponentials and logarithms
rule(np.exp,         lambda g, ans, x: g * ans)
rule(np.exp2,        lambda g, ans, x: g * (ans * _LN2))
rule(np.expm1,       lambda g, ans, x: g * (ans + 1))
rule(np.log,         lambda g, ans, x: g / x, singular=True)
rule(np.log2,        lambda g, ans, x: g / (x * _LN2), singular=True)
rule(np.log10,       lambda g, ans, x: g / (x * _LN10), singular=True)
rule(np.log1p,       lambda g, ans, x: g / (1 + x), singular=True)
rule(np.logaddexp,   lambda g, ans, x, y: g * _share(ans, np.exp(-np.logaddexp(y - x, 0))),
                     lambda g, ans, x, y: g * _share(ans, np.exp(-np.logaddexp(x - y, 0))), singular=True)
rule(np.logaddexp2,  lambda g, ans, x, y: g * _share(ans, np.exp2(-np.logaddexp2(y - x, 0))),
                     lambda g, ans, x, y: g * _share(ans, np.exp2(-np.logaddexp2(x - y, 0))), singular=True)
# fmt: on

also_complex(
    np.add, np.subtract, np.multiply, np.divide, np.negative, np.positive, np.reciprocal, np.absolute,
    np.power, np.square, np.sqrt, np.exp, np.exp2, np.expm1, np.log, np.log2, np.log10, np.log1p,
)  # fmt: skip


def _direction(x: Array) -> Array:
    """The derivative of ``|x|``: the sign of ``x``, or the conjugate of a complex number's direction; 0 at 0."""
    if x.dtype.kind != "c":
        return np.sign(x)
    size = np.absolute(x)
    return np.conjugate(x) / np.where(size == 0, 1, size)


def _power_dx(x: Array, y: Array) -> Array:
    """``y * x**(y - 1)``, and 0 for ``x**0`` even at ``x == 0``."""
    if isinstance(y, (int, float)):
        return y * x ** (y - 1) if y else np.zeros_like(x)
    return y * x ** np.where((x == 0) & (y == 0), 1, y - 1)


def _share(ans: Array, share: Array) -> Array:
    """The share of a term in a sum, told from the difference of their logarithms; none where both terms are zero."""
    return np.where(ans == -np.inf, 0, share)


@implements(np.real_if_close)
def real_if_close(a: Array, tol: float = 100) -> Array:
    """``a``, without an imaginary part that is no more than rounding."""
    return np.real(a) if np.iscomplexobj(a) and np.isrealobj(np.real_if_close(value_of(a), tol)) else a


also_complex(np.real_if_close)
