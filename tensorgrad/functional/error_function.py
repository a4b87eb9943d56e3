"""The error function and its complement, by rational approximation.

Source: W. J. Cody, "Rational Chebyshev approximations for the error function", Mathematics of Computation 23, 1969.
Three quotients of polynomials, near zero, in between and far out, each to within a few units of the last place.

In a program that has imported `scipy.special`, SciPy's ``erf`` takes the place of the one here, which is several times
slower. SciPy is never imported for this: that takes a tenth of a second, and not when a user expects it. Its ``erfc``
is not used: far out it is less exact.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence

import numpy as np

from tensorgrad.engine.registry import primitive, rule
from tensorgrad.engine.tape import Array
from tensorgrad.functional.arguments import floating

__all__ = ["erf", "erfc"]

_NEAR = 0.46875  # where erf itself is approximated; beyond, erfc is
_FAR = 4.0
_VANISHED = 30.0  # erfc(30) is less than any float64

# fmt: off
# Polynomials, the coefficient of the highest power first.
_ERF_NEAR  = (1.85777706184603153e-1, 3.16112374387056560e0, 1.13864154151050156e2, 3.77485237685302021e2,
              3.20937758913846947e3), \
             (1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3)
_ERFC_MID  = (2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594e0, 6.61191906371416295e1,
              2.98635138197400131e2, 8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3,
              1.23033935479799725e3), \
             (1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2, 1.62138957456669019e3,
              3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3)
_ERFC_FAR  = (1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1, 1.25781726111229246e-1,
              1.60837851487422766e-2, 6.58749161529837803e-4), \
             (1.0, 2.56852019228982242e0, 1.87295284992346725e0, 5.27905102951428412e-1, 6.05183413124413191e-2,
              2.33520497626869185e-3)
# fmt: on


def _polynomial(coefficients: Sequence[float], x: Array) -> Array:
    total = coefficients[0] * x
    for coefficient in coefficients[1:-1]:
        total += coefficient
        total *= x
    total += coefficients[-1]
    return total


def _erf_near(x: Array) -> Array:
    above, below = _ERF_NEAR
    z = x * x
    return x * _polynomial(above, z) / _polynomial(below, z)


def _erfc_mid(x: Array) -> Array:
    above, below = _ERFC_MID
    return _bell(x) * (_polynomial(above, x) / _polynomial(below, x))


def _erfc_far(x: Array) -> Array:
    above, below = _ERFC_FAR
    x = np.minimum(x, _VANISHED)
    z = 1 / (x * x)
    return _bell(x) / x * (1 / math.sqrt(math.pi) - z * _polynomial(above, z) / _polynomial(below, z))


def _bell(x: Array) -> Array:
    """``exp(-x * x)``: of the square, the part that is exact in floating point first, then the rest."""
    coarse = np.trunc(16 * x) / 16
    return np.exp(-coarse * coarse) * np.exp(-(x - coarse) * (x + coarse))


def _erfc_beyond(x: Array) -> Array:
    """``erfc(x)`` for ``x > _NEAR``."""
    return np.piecewise(x, [x > _FAR], [_erfc_far, _erfc_mid])


@primitive
def erf(x: Array) -> Array:
    """``2 / sqrt(pi)`` times the integral of ``exp(-t * t)`` from 0 to ``x``, elementwise, as exact as float64.

    Examples
    --------
    >>> tg.erf(np.array([0.0, 0.5, 1.0]))
    array([0.    , 0.5205, 0.8427])
    """
    x = floating(x)
    special = sys.modules.get("scipy.special")
    if special is not None and x.dtype.char in "fd":
        return special.erf(x)
    wide = np.asarray(x, np.float64)
    near = np.absolute(wide) <= _NEAR
    out = np.piecewise(wide, [near], [_erf_near, lambda x: np.copysign(1 - _erfc_beyond(np.absolute(x)), x)])
    return out.astype(x.dtype)


@primitive
def erfc(x: Array) -> Array:
    """``1 - erf(x)``, elementwise, to full relative precision where that is small.

    Examples
    --------
    >>> 1 - tg.erf(np.array([10.0]))  # no digits left
    array([0.])
    >>> print(f"{tg.erfc(10.0):.3e}")
    2.088e-45
    """
    x = floating(x)
    wide = np.asarray(x, np.float64)
    regions = [wide > _NEAR, wide < -_NEAR]
    out = np.piecewise(wide, regions, [_erfc_beyond, lambda x: 2 - _erfc_beyond(-x), lambda x: 1 - _erf_near(x)])
    return out.astype(x.dtype)


# fmt: off
rule(erf,  lambda g, _ans, x: g *  2 / math.sqrt(math.pi) * np.exp(-x * x), singular=False, elementwise=True)
rule(erfc, lambda g, _ans, x: g * -2 / math.sqrt(math.pi) * np.exp(-x * x), singular=False, elementwise=True)
# fmt: on
