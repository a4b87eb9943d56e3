"""Functions of adjacent elements along an axis: differences, numerical gradients, linear interpolation."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from tensorgrad.engine.indexing import scatter
from tensorgrad.engine.registry import also_complex, implements, primitive, rule
from tensorgrad.engine.tape import Array, any_tracked
from tensorgrad.rules.shapes import asarray

interp = primitive(np.interp)

# fmt: off
rule(interp,   lambda g, _ans, x, xp, fp, *, left=None, right=None: g * _slope(x, xp, fp),
               lambda g, _ans, x, xp, fp, *, left=None, right=None: _spread(-g * _slope(x, xp, fp), x, xp),
               lambda g, _ans, x, xp, _fp, *, left=None, right=None: _spread(_inside(g, x, xp, left, right), x, xp),
               selects=True)
# fmt: on

# ------------------------------------------------------------------------------------------------ interpolation


@implements(np.interp)
def _interp(x: Array, xp: Array, fp: Array, left: Any = None, right: Any = None, period: Any = None) -> Array:
    if period is None:
        return interp(x, xp, fp, left=left, right=right)
    if period == 0:
        raise ValueError("interp: period must be a non-zero value")
    period = np.float64(abs(period))
    x, xp = np.remainder(x, period), np.remainder(xp, period)
    order = np.argsort(xp)
    xp, fp = xp[order], asarray(fp)[order]
    xp = np.concatenate([xp[-1:] - period, xp, xp[:1] + period])
    return interp(x, xp, np.concatenate([fp[-1:], fp, fp[:1]]))


def _between(x: Array, xp: Array) -> tuple[Any, Any, Array]:
    """The indices of the knots before and after each ``x``, and their distance; infinite beyond the last knot."""
    i = np.clip(np.searchsorted(xp, x, "right") - 1, 0, None)
    k = np.minimum(i + 1, len(xp) - 1)
    return i, k, np.where(i == k, np.inf, xp[k] - xp[i])


def _slope(x: Array, xp: Array, fp: Array) -> Array:
    """The slope to the right of each ``x``; 0 outside the knots, where the interpolation is constant."""
    i, k, gap = _between(x, xp)
    return np.where(np.less(x, xp[0]), 0, (fp[k] - fp[i]) / gap)


def _spread(g: Array, x: Array, xp: Array) -> Array:
    """Distribute each gradient to the two knots around its ``x``, by their interpolation weights."""
    x = np.where(np.isnan(x) & (g == 0), xp[0], x)  # unused elements may be NaN
    i, k, gap = _between(x, xp)
    weight = (np.clip(x, xp[0], xp[-1]) - xp[i]) / gap
    return scatter(g - g * weight, index=i, shape=xp.shape) + scatter(g * weight, index=k, shape=xp.shape)


def _inside(g: Array, x: Array, xp: Array, left: Any, right: Any) -> Array:
    """The gradient, with 0 where the result is ``left`` or ``right``."""
    g = g if left is None else np.where(np.less(x, xp[0]), 0, g)
    return g if right is None else np.where(np.greater(x, xp[-1]), 0, g)


# ------------------------------------------------------------------------------------------------ differences


@implements(np.diff)
def diff(a: Array, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Array:
    """The ``n``-th discrete difference along an axis."""
    if n < 0:
        raise ValueError(f"diff: order must be non-negative but got {n}")
    if n == 0:
        return a
    a = asarray(a)
    if a.ndim == 0:
        raise ValueError("diff requires input that is at least one dimensional")
    axis = normalize_axis_index(axis, a.ndim)
    edge = (*a.shape[:axis], 1, *a.shape[axis + 1 :])
    before, after = (
        [] if x is None else [np.broadcast_to(x, edge) if np.ndim(x) == 0 else x] for x in (prepend, append)
    )
    if before or after:
        a = np.concatenate([*before, a, *after], axis)
    rest = (slice(None),) * axis
    for _ in range(n):
        step = np.not_equal if a.dtype == bool else np.subtract
        a = step(a[(*rest, slice(1, None))], a[(*rest, slice(-1))])
    return a


@implements(np.ediff1d)
def ediff1d(ary: Array, to_end: Any = None, to_begin: Any = None) -> Array:
    """The differences of consecutive elements of the flattened array, with optional elements before and after."""
    ary = np.ravel(asarray(ary))

    def converted(name: str, x: Any) -> list[Array]:
        if x is None:
            return []
        x = np.ravel(asarray(x))
        if not np.can_cast(x.dtype, ary.dtype, "same_kind"):
            raise TypeError(f"ediff1d: cannot cast {name} from {x.dtype} to {ary.dtype}")
        return [x if x.dtype == ary.dtype else x.astype(ary.dtype)]

    return np.concatenate([*converted("to_begin", to_begin), ary[1:] - ary[:-1], *converted("to_end", to_end)])


@implements(np.gradient)
def gradient(f: Array, *spacing: Array, axis: Any = None, edge_order: int = 1) -> Any:
    """Numerical gradient by central differences; ``spacing`` is the step, or the coordinates, of each axis."""
    f = asarray(f)
    if f.dtype.kind in "iub":
        f = f.astype(np.float64)
    axes = range(f.ndim) if axis is None else normalize_axis_tuple(axis, f.ndim)
    if not spacing:
        spacing = (1.0,)
    if len(spacing) == 1 and np.ndim(spacing[0]) == 0:
        spacing *= len(axes)
    if len(spacing) != len(axes):
        raise TypeError(f"gradient: expected one spacing, or one for each of {len(axes)} axes, got {len(spacing)}")
    if edge_order not in (1, 2):
        raise ValueError(f"gradient: edge_order must be 1 or 2, got {edge_order}")
    slopes = tuple(_slopes(f, h, axis, edge_order) for axis, h in zip(axes, spacing, strict=True))
    return slopes[0] if len(slopes) == 1 else slopes


def _slopes(f: Array, spacing: Array, axis: int, edge_order: int) -> Array:
    """The weighted mean of the slopes on both sides of each element; one-sided at the edges."""
    n = f.shape[axis]
    if n <= edge_order:
        raise ValueError(f"gradient: axis {axis} has {n} elements, edge_order={edge_order} needs {edge_order + 1}")
    if np.ndim(spacing) and np.shape(spacing) != (n,):
        raise ValueError(f"gradient: the coordinates of axis {axis} must have shape ({n},), got {np.shape(spacing)}")
    step = np.diff(asarray(spacing) * 1.0) if np.ndim(spacing) else spacing
    if np.ndim(step) and not any_tracked(step) and np.all(step == step[0]):
        step = step[0]
    f = np.swapaxes(f, axis, -1)
    slope = np.diff(f) / step
    change = slope[..., 1:] - slope[..., :-1]
    if np.ndim(step) == 0:
        weight = 0.5
        inside = (f[..., 2:] - f[..., :-2]) / (2 * step)  # does not depend on the element itself, which may be NaN
    else:
        weight = step[:-1] / (step[:-1] + step[1:])
        inside = slope[..., :-1] + change * weight
    first, last = slope[..., :1], slope[..., -1:]
    if edge_order == 2:
        first = first - (change * weight)[..., :1]
        last = last + (change * (1 - weight))[..., -1:]
    out = np.swapaxes(np.concatenate([first, inside, last], -1), axis, -1)
    return out if out.dtype == f.dtype else out.astype(f.dtype)


also_complex(interp, np.interp, np.diff, np.ediff1d, np.gradient)
