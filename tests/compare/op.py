"""A row of the comparison's table: a function in both libraries, and how its arguments are drawn."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp


class Unfit(Exception):
    """A function does not accept the drawn arguments."""


def alone(p, x):
    """No further arguments."""
    return [], {}


class Op(NamedTuple):
    """A function of both libraries.

    ``draw(p, x)`` says which other operands it gets (places in ``p.values``) and which parameters, for a first operand
    ``x``. ``domain``, one function or one for each operand, is applied to them by both libraries.
    """

    name: str
    ours: Callable[..., Any]
    theirs: Callable[..., Any]
    draw: Callable[..., Any] = alone
    domain: Any = ()
    ndim: tuple[int, int] = (0, 3)  # of the first operand
    safe: Callable[..., bool] = lambda *operands, **params: True  # are these far from every kink?
    order: int = 2  # up to which derivatives are compared

    def __repr__(self):
        return self.name

    def domains(self, operands):
        given = self.domain if isinstance(self.domain, tuple) else (self.domain,)
        return given + (free,) * (len(operands) - len(given))

    def run(self, fn, operands, params):
        return fn(*(f(x) for f, x in zip(self.domains(operands), operands, strict=True)), **params)


# ------------------------------------------------------------------------------------ domains, the same in both libraries


def free(x):
    """Any numbers."""
    return x


def positive(x):
    """At least 0.5."""
    return x * x + 0.5


def larger(x):
    """At least 1.2."""
    return x * x + 1.2


def unit(x):
    """Between -1/2 and 1/2."""
    return x / (1 + x * x)


def near_one(x):
    """Between 1/2 and 3/2."""
    return 1 + unit(x)


def small(x):
    """Between -2 and 2."""
    return 4 * x / (1 + x * x)


def parts_t(z):
    """`cases.rows.parts` for a tensor of PyTorch."""
    return (z.real * 2 + z.imag) if z.is_complex() else z * 2


# ------------------------------------------------------------------------------------------------------ far from kinks


def apart(x, axis=-1, **params):
    """Are no two elements close to each other?"""
    return bool(np.all(np.diff(np.sort(x, axis=None)) > 1e-4))


def nonzero(x, *others, **params):
    return bool(np.all(np.abs(x) > 1e-3))


def inside(x, **params):
    """Far from whole numbers and their halves?"""
    return bool(np.all(np.abs(np.remainder(4 * x + 0.5, 1) - 0.5) > 1e-3))


def differ(x, y, **params):
    return bool(np.all(np.abs(x - y) > 1e-4))


# ------------------------------------------------------------------------------------------------------------- arguments


def partner(draw, shape):
    """A shape that broadcasts with this one."""
    kept = draw(st.integers(0, len(shape)))
    drawn = tuple(draw(st.sampled_from((1, n) if n > 1 else (1, 2, 3))) for n in shape[kept:])
    return (draw(st.integers(1, 3)), *drawn) if kept == 0 and len(shape) < 3 and draw(st.booleans()) else drawn


def broadcasting(p, x):
    return [p.another(partner(p.draw, x.shape))], {}


def of_same_shape(p, x):
    return [p.another(x.shape)], {}


def with_axis(p, x):
    if not x.ndim:
        raise Unfit
    return [], {"axis": p.draw(st.integers(-x.ndim, x.ndim - 1))}


def with_axis_or_none(p, x):
    return [], {"axis": p.draw(st.sampled_from([None, *range(-x.ndim, x.ndim)]))}


def with_axis_keepdims(p, x):
    return [], with_axis(p, x)[1] | {"keepdims": p.draw(st.booleans())}


def with_axes(p, x):
    """One axis, several, or all."""
    one = st.sampled_from([None, *range(-x.ndim, x.ndim)])
    several = hnp.valid_tuple_axes(x.ndim, min_size=1) if x.ndim else one
    return [], {"axis": p.draw(st.one_of(one, several)), "keepdims": p.draw(st.booleans())}


def given(**choices):
    """Parameters chosen from lists."""
    return lambda p, x: ([], {name: p.draw(st.sampled_from(values)) for name, values in choices.items()})


def both(*drawers):
    """The combined parameters of several drawers."""

    def draw(p, x):
        operands, params = [], {}
        for drawer in drawers:
            more, named = drawer(p, x)
            operands, params = operands + more, params | named
        return operands, params

    return draw


def numbers(p, shape, low, high):
    """Integers, as a parameter."""
    return np.random.default_rng(p.draw(st.integers(0, 999))).integers(low, high, shape)


def mask(p, x, **params):
    return [], {"mask": numbers(p, x.shape, 0, 2).astype(bool)}


# ----------------------------------------------------------------------------------------------- NumPy's words for PyTorch


def dims(x, axis):
    return tuple(range(x.ndim)) if axis is None else axis


def over(fn):
    """A reduction of PyTorch over ``axis``, which may be one axis, several, or None for all."""
    return lambda x, axis=None, keepdims=False, **params: fn(x, dim=dims(x, axis), keepdim=keepdims, **params)


def one_by_one(fn):
    """The same for a reduction that accepts one axis at a time."""

    def reduce(x, axis=None, keepdims=False, **params):
        axes = sorted(a % x.ndim for a in (dims(x, axis) if not isinstance(axis, int) else (axis,)))
        for a in axes:
            x = fn(x, dim=a, keepdim=True, **params)
        return x if keepdims else x.reshape([n for a, n in enumerate(x.shape) if a not in axes])

    return reduce


def along(fn):
    """A function of PyTorch along ``axis``."""
    return lambda x, axis=-1, **params: fn(x, dim=axis, **params)
