"""Trigonometric and hyperbolic functions and their inverses, angles, and ``sinc``."""

from __future__ import annotations

import numpy as np

from tensorgrad.engine.registry import also_complex, primitive, rule
from tensorgrad.engine.tape import Array
from tensorgrad.rules.division import quotient
from tensorgrad.rules.kinks import normalized


@primitive
def sinc_derivative(x: Array, *, order: int) -> Array:
    """The derivative of `numpy.sinc` of any order, to full precision, near 0 as well.

    The derivatives ``f_n`` of ``sin(y) / y`` satisfy ``y f_n = sin(y + n pi/2) - n f_(n-1)``. This recurrence loses
    digits where ``y`` is small; there the power series is used instead.
    """
    y = np.pi * x
    small = np.abs(y) < order + 1
    z = np.where(small, 1, y)
    derivatives_of_sin = np.sin(z), np.cos(z), -np.sin(z), -np.cos(z)
    by_recurrence = derivatives_of_sin[0] / z
    for n in range(1, order + 1):
        by_recurrence = (derivatives_of_sin[n % 4] - n * by_recurrence) / z
    z = np.where(small, y, 0)
    k = (order + 1) // 2
    by_series, term, power = np.zeros_like(z), (-1) ** k * z ** (2 * k - order), 2 * k - order
    while power < 20 + 4 * order:
        by_series = by_series + term / (power + order + 1)
        term = -term * z * z / ((power + 1) * (power + 2))
        power += 2
    return np.pi**order * np.where(small, by_series, by_recurrence)


# fmt: off

# Functions of an angle
rule(np.sin,      lambda g, _ans, x: g * np.cos(x), singular=False)
rule(np.cos,      lambda g, _ans, x: -g * np.sin(x), singular=False)
rule(np.tan,      lambda g, ans, _x: g * (1 + ans * ans))
rule(np.sinc,     lambda g, _ans, x: g * sinc_derivative(x, order=1), singular=False)
rule(sinc_derivative,
                  lambda g, _ans, x, *, order: g * sinc_derivative(x, order=order + 1),
                  elementwise=True, singular=False)

# Angles
rule(np.arcsin,   lambda g, _ans, x: g / _sqrt_1_minus_square(x))
rule(np.arccos,   lambda g, _ans, x: -g / _sqrt_1_minus_square(x))
rule(np.arctan,   lambda g, _ans, x: g / (1 + x * x), singular=False)
rule(np.arctan2,  lambda g, _ans, x, y: g * _divide_by_square(y, np.hypot(x, y)),
                  lambda g, _ans, x, y: -g * _divide_by_square(x, np.hypot(x, y)))
rule(np.hypot,    lambda g, ans, x, _y: _hypot_dx(g, ans, x),
                  lambda g, ans, _x, y: _hypot_dx(g, ans, y))
rule(np.deg2rad,  lambda g, _ans, _x: np.deg2rad(g))
rule(np.rad2deg,  lambda g, _ans, _x: np.rad2deg(g))
rule(np.radians,  lambda g, _ans, _x: np.radians(g))
rule(np.degrees,  lambda g, _ans, _x: np.degrees(g))
rule(np.unwrap,   lambda g, _ans, _x, discont=None, axis=-1, *, period=2 * np.pi: g)  # whole periods are constant

# Hyperbolic
rule(np.sinh,     lambda g, _ans, x: g * np.cosh(x), singular=False)
rule(np.cosh,     lambda g, _ans, x: g * np.sinh(x), singular=False)
rule(np.tanh,     lambda g, ans, _x: g * (1 - ans * ans), singular=False)
rule(np.arcsinh,  lambda g, ans, _x: g / np.cosh(ans), singular=False)
rule(np.arccosh,  lambda g, ans, _x: g / np.sinh(ans))
rule(np.arctanh,  lambda g, _ans, x: g / ((1 - x) * (1 + x)))
# fmt: on

also_complex(
    np.sin, np.cos, np.tan, np.sinc, sinc_derivative, np.arcsin, np.arccos, np.arctan,
    np.sinh, np.cosh, np.tanh, np.arcsinh, np.arccosh, np.arctanh,
)  # fmt: skip


def _hypot_dx(g: Array, ans: Array, x: Array) -> Array:
    """``g * x / ans``; 0 where the hypotenuse ``ans`` is 0."""
    q = quotient(g, ans, ans)
    return g * normalized(x, ans) if q is None else q * x


def _sqrt_1_minus_square(x: Array) -> Array:
    """``sqrt(1 - x**2)``; for complex numbers on the branch of `numpy.arcsin`."""
    return np.sqrt((1 - x) * (1 + x)) if x.dtype.kind != "c" else np.cos(np.arcsin(x))


def _divide_by_square(x: Array, radius: Array) -> Array:
    """``x / radius**2``, without the square, which may overflow or underflow."""
    return x / radius / radius
