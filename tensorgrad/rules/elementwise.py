"""Functions of each element: arithmetic, exponentials, trigonometry, choices between elements.

Rows marked ``singular`` have points where the derivative is infinite, or points where there is no value at all:
there a zero upstream gradient stays zero, so that the branch that ``where`` did not take never turns into NaN.
"""

from __future__ import annotations

import numpy as np

from tensorgrad.table import functions, implements, primitive, rows, rule
from tensorgrad.tape import Array

where = primitive(np.where)
clip = primitive(np.clip)

# fmt: off

# Arithmetic
rule(np.add,      lambda g, ans, x, y: g,
                  lambda g, ans, x, y: g)
rule(np.subtract, lambda g, ans, x, y: g,
                  lambda g, ans, x, y: -g)
rule(np.multiply, lambda g, ans, x, y: g * y,
                  lambda g, ans, x, y: g * x)
rule(np.divide,   lambda g, ans, x, y: g / y,
                  lambda g, ans, x, y: -g * ans / y, singular=True)
rule(np.power,    lambda g, ans, x, y: g * _power_dx(x, y),
                  lambda g, ans, x, y: g * ans * np.log(np.where(x == 0, 1, x)), singular=True)
rule(np.negative, lambda g, ans, x: -g)
rule(np.positive, lambda g, ans, x: g)
rule(np.square,   lambda g, ans, x: (g + g) * x)
rule(np.absolute, lambda g, ans, x: g * np.sign(x))
rule(np.sign,     lambda g, ans, x: np.zeros_like(g))

# Exponentials, logarithms, roots
rule(np.exp,      lambda g, ans, x: g * ans)
rule(np.expm1,    lambda g, ans, x: g * (ans + 1))
rule(np.log,      lambda g, ans, x: g / x, singular=True)
rule(np.log1p,    lambda g, ans, x: g / (1 + x), singular=True)
rule(np.sqrt,     lambda g, ans, x: g / (ans + ans), singular=True)

# Trigonometry
rule(np.sin,      lambda g, ans, x: g * np.cos(x))
rule(np.cos,      lambda g, ans, x: -g * np.sin(x))
rule(np.tan,      lambda g, ans, x: g * (1 + ans * ans))
rule(np.sinh,     lambda g, ans, x: g * np.cosh(x))
rule(np.cosh,     lambda g, ans, x: g * np.sinh(x))
rule(np.tanh,     lambda g, ans, x: g * (1 - ans * ans))
rule(np.arctan,   lambda g, ans, x: g / (1 + x * x))

# Choices: a tie shares the gradient, the boundary of clip passes it
rule(np.maximum,  lambda g, ans, x, y: g * _wins(x > y, x == y, g),
                  lambda g, ans, x, y: g * _wins(y > x, x == y, g), masks=True)
rule(np.minimum,  lambda g, ans, x, y: g * _wins(x < y, x == y, g),
                  lambda g, ans, x, y: g * _wins(y < x, x == y, g), masks=True)
rule(where,       None,
                  lambda g, ans, condition, x, y: np.where(condition, g, 0),
                  lambda g, ans, condition, x, y: np.where(condition, 0, g), masks=True)
rule(clip,        lambda g, ans, x, low, high: np.where(_less(x, low) | _less(high, x), 0, g),
                  lambda g, ans, x, low, high: np.where(_less(x, low) & ~_less(high, low), g, 0),
                  lambda g, ans, x, low, high: np.where(_less(high, x) | _less(high, low), g, 0), masks=True)
# fmt: on

for _function in [fn for fn in functions if isinstance(fn, np.ufunc)]:
    rows[functions[_function]].short = True  # the rules above work element by element, whatever the shape of g


def _power_dx(x: Array, y: Array) -> Array:
    """``y * x**(y - 1)``, and 0 for ``x**0`` even at ``x == 0``."""
    if isinstance(y, (int, float)):
        return y * x ** (y - 1) if y else np.zeros_like(x)
    return y * x ** np.where((x == 0) & (y == 0), 1, y - 1)


def _wins(strictly: Array, tie: Array, g: Array) -> Array:
    """1 where an input is chosen, 1/2 at a tie, 0 elsewhere; in the precision of ``g``."""
    return strictly + tie * g.dtype.type(0.5)


def _less(x: Array, y: Array) -> Array:
    """``x < y``; a bound that is not there is never crossed."""
    return np.False_ if x is None or y is None else np.less(x, y)


@implements(np.where)
def _where(condition: Array, x: Array = None, y: Array = None) -> Array:
    if x is None and y is None:
        return np.nonzero(condition)
    if x is None or y is None:
        raise ValueError("where: give both x and y, or neither")
    return where(condition, x, y)


@implements(np.clip)
def _clip(a: Array, a_min: Array = None, a_max: Array = None, *, min: Array = None, max: Array = None) -> Array:
    if not (min is None or a_min is None) or not (max is None or a_max is None):
        raise ValueError("clip: give a bound as a_min or min, a_max or max, not as both")
    return clip(a, min if a_min is None else a_min, max if a_max is None else a_max)
