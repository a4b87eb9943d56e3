"""Functions that select between elements: maximum and minimum, where, clip, nan_to_num, select and similar functions.

At a tie, both inputs get half of the gradient. ``clip`` has derivative 1 on the boundary. Elements that were not
selected have gradient 0.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tensorgrad.engine.indexing import scatter
from tensorgrad.engine.registry import also_complex, implements, primitive, rule
from tensorgrad.engine.tape import Array, Variable, any_tracked, as_array, value_of
from tensorgrad.rules.division import quotient
from tensorgrad.rules.kinks import abs_slope, tie_slope
from tensorgrad.rules.shapes import asarray

where = primitive(np.where)
clip = primitive(np.clip)
nan_to_num = primitive(np.nan_to_num)

_WEAK = (int, float, complex)  # Python scalars, which do not determine the dtype of the result

# fmt: off
rule(np.maximum,    lambda g, _ans, x, y: _chosen(g, _ans, ~(x <= y), x, y),  # true for NaN
                    lambda g, _ans, x, y: _chosen(g, _ans, ~(y <= x), y, x), selects=True)
rule(np.minimum,    lambda g, _ans, x, y: _chosen(g, _ans, ~(x >= y), x, y),
                    lambda g, _ans, x, y: _chosen(g, _ans, ~(y >= x), y, x), selects=True)
rule(np.fmax,       lambda g, ans, x, y: _chosen(g, ans, (ans == x) & (x != y), x, y),  # false for NaN
                    lambda g, ans, x, y: _chosen(g, ans, (ans == y) & (x != y), y, x), selects=True)
rule(np.fmin,       lambda g, ans, x, y: _chosen(g, ans, (ans == x) & (x != y), x, y),
                    lambda g, ans, x, y: _chosen(g, ans, (ans == y) & (x != y), y, x), selects=True)
rule(where,         None,
                    lambda g, _ans, condition, _x, _y: np.where(condition, g, 0),
                    lambda g, _ans, condition, _x, _y: np.where(condition, 0, g), selects=True)
rule(clip,          lambda g, _ans, x, low, high: np.where(_less(x, low) | _less(high, x), 0, g),
                    lambda g, _ans, x, low, high: np.where(_less(x, low) & ~_less(high, low), g, 0),
                    lambda g, _ans, x, low, high: np.where(_less(high, x) | _less(high, low), g, 0), selects=True)
rule(np.copysign,   lambda g, ans, x, _y: g * abs_slope(x) * np.sign(ans),
                    lambda g, _ans, _x, _y: np.zeros_like(g))
rule(np.heaviside,  lambda g, _ans, _x, _y: np.zeros_like(g),
                    lambda g, _ans, x, _y: np.where(x == 0, g, 0), selects=True)
rule(nan_to_num,    lambda g, _ans, x, *, nan=0.0, posinf=None, neginf=None: np.where(np.isfinite(x), g, 0),
                    selects=True)
# fmt: on


def _chosen(g: Array, _ans: Array, strictly: Array, x: Array, y: Array) -> Array:
    """``g`` where ``x`` is selected, half of it at a tie with ``y``, 0 elsewhere.

    At a tie of two tracked inputs, a composition may be smooth again, as ``maximum(x, -x) ** 2`` is. Its second
    derivative is known only where the result is 0 and ``g`` is a multiple ``q`` of it: that of ``q * x``. At other ties
    it is NaN.
    """
    tie = x == y
    share = strictly + tie * g.dtype.type(0.5)
    if not (any_tracked([x]) and any_tracked([y]) and np.any(value_of(tie))):
        return g * share
    q = quotient(g, _ans, x)
    if q is None:
        return g * (share + tie_slope(x - y))
    return q * np.where(share != 0, x, 0.0) * (share + tie_slope(np.where(x == 0, 1, x - y)))


def _less(x: Array, y: Array) -> Array:
    """``x < y``; False if a bound is None."""
    return np.False_ if x is None or y is None else np.less(x, y)


@implements(np.where)
def _where(condition: Array, x: Array = None, y: Array = None) -> Array:
    if x is None and y is None:
        return np.nonzero(condition)
    if x is None or y is None:
        raise ValueError("where: pass both x and y, or neither")
    return where(condition, x, y)


@implements(np.clip)
def _clip(a: Array, a_min: Array = None, a_max: Array = None, *, min: Array = None, max: Array = None) -> Array:
    if not (min is None or a_min is None) or not (max is None or a_max is None):
        raise ValueError("clip: a bound can be given as a_min or min, a_max or max, not as both")
    return clip(a, min if a_min is None else a_min, max if a_max is None else a_max)


@implements(np.nan_to_num)
def _nan_to_num(x: Array, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Array:
    x = asarray(x)
    out = nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)
    if copy:
        return out
    x[...] = out
    return x if x.ndim else out  # as in NumPy, for a 0-d array


@implements(np.select)
def select(condlist: Sequence[Array], choicelist: Sequence[Array], default: Array = 0) -> Array:
    """For each element, the first choice whose condition holds."""
    if not len(condlist) == len(choicelist) > 0:
        raise ValueError(
            f"select: expected as many conditions as choices, at least one, got {len(condlist)} and {len(choicelist)}"
        )
    for i, condition in enumerate(condlist):
        if as_array(value_of(condition)).dtype != bool:
            raise TypeError(f"select: condition {i} must be boolean")
    *choices, out = (x if type(x) in _WEAK else asarray(x) for x in (*choicelist, default))
    if not isinstance(out, Variable):
        out = np.asarray(out, np.result_type(*choices, out))
    for condition, choice in zip(reversed(condlist), reversed(choices), strict=True):
        out = np.where(condition, choice, out)
    return out


@implements(np.choose)
def choose(a: Array, choices: Sequence[Array], *, mode: Any = "raise") -> Array:
    """``choices[a[i]][i]`` for each element ``i``; ``mode`` specifies how out-of-range values of ``a`` are treated."""
    choices = list(choices)
    index = np.choose(value_of(a), list(range(len(choices))), mode=mode)  # valid indices, or NumPy's error
    return np.select([index == k for k in range(len(choices))], choices, choices[-1])


@implements(np.piecewise)
def piecewise(x: Array, condlist: Any, funclist: Sequence[Callable[..., Array] | Array], *args: Any) -> Array:
    """Apply each function (or value) where its condition is true, later ones last. An extra one is the default."""
    if np.isscalar(condlist) or (np.ndim(condlist[0]) == 0 and x.ndim != 0):
        condlist = [condlist]
    conditions = [as_array(value_of(condition), bool) for condition in condlist]
    if len(conditions) == len(funclist) - 1:
        conditions.append(~np.any(conditions, axis=0))
    if len(conditions) != len(funclist):
        raise ValueError(f"piecewise: with {len(conditions)} conditions, as many functions or one more are expected, "
                         f"got {len(funclist)}")  # fmt: skip
    out = np.where(False, x, 0)  # zeros, recorded
    for condition, value in zip(conditions, funclist, strict=True):
        if callable(value):
            part = x[condition]
            if not part.size:
                continue
            value = scatter(np.broadcast_to(value(part, *args), part.shape), index=condition, shape=x.shape)
        out = np.where(condition, value, out)
    return out if out.dtype == x.dtype else out.astype(x.dtype)


also_complex(where, np.where, np.select, np.choose, np.piecewise)
