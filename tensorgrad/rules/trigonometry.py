"""Trigonometric and hyperbolic functions and their inverses, angles, and the sine over its argument."""

from __future__ import annotations

import numpy as np

from tensorgrad.table import also_complex, primitive, rule
from tensorgrad.tape import Array


@primitive
def sinc_derivative(x: Array, *, order: int) -> Array:
    """The derivative of `numpy.sinc` of any order, to full precision near 0 as well.

    That of ``sin(y) / y`` follows from the one before by ``y f_n = sin(y + n pi/2) - n f_(n-1)``, which loses digits
    where ``y`` is small: there the power series takes its place.
    """
    y = np.pi * x
    small = np.abs(y) < order + 1
    z = np.where(small, 1, y)
    turns = np.sin(z), np.cos(z), -np.sin(z), -np.cos(z)
    far = turns[0] / z
    for n in range(1, order + 1):
        far = (turns[n % 4] - n * far) / z
    z = np.where(small, y, 0)
    k = (order + 1) // 2
    near, term, power = np.zeros_like(z), (-1) ** k * z ** (2 * k - order), 2 * k - order
    while power < 20 + 4 * order:
        near = near + term / (power + order + 1)
        term = -term * z * z / ((power + 1) * (power + 2))
        power += 2
    return np.pi**order * np.where(small, near, far)


# fmt: off

# Functions of an angle
rule(np.sin,      lambda g, ans, x: g * np.cos(x))
rule(np.cos,      lambda g, ans, x: -g * np.sin(x))
rule(np.tan,      lambda g, ans, x: g * (1 + ans * ans))
rule(np.sinc,     lambda g, ans, x: g * sinc_derivative(x, order=1), singular=True)
rule(sinc_derivative,
                  lambda g, ans, x, *, order: g * sinc_derivative(x, order=order + 1), singular=True)

# Angles
rule(np.arcsin,   lambda g, ans, x: g / np.sqrt((1 - x) * (1 + x)), singular=True)
rule(np.arccos,   lambda g, ans, x: -g / np.sqrt((1 - x) * (1 + x)), singular=True)
rule(np.arctan,   lambda g, ans, x: g / (1 + x * x))
rule(np.arctan2,  lambda g, ans, x, y: g * _over_square(y, np.hypot(x, y)),
                  lambda g, ans, x, y: -g * _over_square(x, np.hypot(x, y)), singular=True)
rule(np.hypot,    lambda g, ans, x, y: g * np.where(ans == 0, 0, x / ans),
                  lambda g, ans, x, y: g * np.where(ans == 0, 0, y / ans), singular=True)
rule(np.deg2rad,  lambda g, ans, x: np.deg2rad(g))
rule(np.rad2deg,  lambda g, ans, x: np.rad2deg(g))
rule(np.radians,  lambda g, ans, x: np.radians(g))
rule(np.degrees,  lambda g, ans, x: np.degrees(g))
rule(np.unwrap,   lambda g, ans, x, discont=None, axis=-1, *, period=2 * np.pi: g)  # whole periods are constant

# Hyperbolic
rule(np.sinh,     lambda g, ans, x: g * np.cosh(x))
rule(np.cosh,     lambda g, ans, x: g * np.sinh(x))
rule(np.tanh,     lambda g, ans, x: g * (1 - ans * ans))
rule(np.arcsinh,  lambda g, ans, x: g / np.cosh(ans))
rule(np.arccosh,  lambda g, ans, x: g / np.sinh(ans), singular=True)
rule(np.arctanh,  lambda g, ans, x: g / ((1 - x) * (1 + x)), singular=True)
# fmt: on

also_complex(
    np.sin, np.cos, np.tan, np.sinc, sinc_derivative, np.arcsin, np.arccos, np.arctan,
    np.sinh, np.cosh, np.tanh, np.arcsinh, np.arccosh, np.arctanh,
)  # fmt: skip


def _over_square(x: Array, radius: Array) -> Array:
    """``x / radius**2``, whose square may over- or underflow."""
    return x / radius / radius
