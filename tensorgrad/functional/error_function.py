"""The error function, its complement and the normal distribution function, by rational approximation.

Source for float64: W. J. Cody, "Rational Chebyshev approximations for the error function", Mathematics of Computation
23, 1969. There are three quotients of polynomials, for small, medium and large arguments, each accurate to a few units
in the last place. In a program that has imported `scipy.special`, SciPy's ``erf`` is used instead, which is several
times as fast. SciPy is not imported for this purpose, since that takes a tenth of a second. Its ``erfc`` is not used,
since it is less accurate for large arguments.

For float32 and float16, one expression suffices for the whole range. For ``erf`` it is a quotient in float64: results
are accurate to 0.54 units in the last place. For the other functions it is a polynomial in ``1 / (1 + p * x)`` in
float32, multiplied by ``exp(-x * x)``, for which the square is computed in float64: results are accurate to 9 units in
the worst case, also for large arguments, and to one on average.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence

import numpy as np

from tensorgrad.engine.registry import primitive, rule
from tensorgrad.engine.tape import Array, Variable
from tensorgrad.functional.arguments import floating

_NEAR = 0.46875  # where erf itself is approximated; beyond, erfc is
_FAR = 4.0
_VANISHED = 30.0  # erfc(30) underflows in float64

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

# For float32: erf(x) / x in x**2 up to 3.93, where erf is 1, to 2e-9; exp(x**2 / 2) times the probability that a normal
# variable is above x, in 1 / (1 + _NORMAL_STEP * x), to 3e-8 up to 14.2, where the probability is 0.
_ERF_SINGLE  = (-1.2857727582e-8, 4.6200088331e-6, 3.7716581351e-4, 3.8402943047e-3, 5.4254717928e-2, 1.8514783581e-1,
                1.1283791692e0), \
               (6.2500393577e-5, 1.3024074007e-3, 1.5434836152e-2, 1.1388697412e-1, 4.9741640458e-1, 1.0)
_NORMAL_STEP = 0.265
_NORMAL_TAIL = (3.0624484141e-2, -1.4330068561e-1, 2.1595042892e-1, -1.1428650087e-1, 1.3655495836e-1, 6.0895016001e-2,
                1.0255508976e-1, 1.0526677855e-1, 1.0574041138e-1)  # times 1 / (1 + _NORMAL_STEP * x)
# fmt: on

_ONE_SINGLE = 3.93  # erf is 1 in float32 from here on
_GONE_SINGLE = 15.0  # and the probability that a normal variable is above this is 0
_DENSITY = 1 / math.sqrt(2 * math.pi)  # of a normal variable, at 0
_BLOCK = 1 << 15  # elements that are computed at a time, in the cache


def _polynomial(coefficients: Sequence[float], x: Array, out: Array = None) -> Array:
    total = np.multiply(x, coefficients[0], out=out)
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
    """``exp(-x * x)``, as the product of a factor for the part of the square that is exact, and one for the rest."""
    coarse = np.trunc(16 * x) / 16
    return np.exp(-coarse * coarse) * np.exp(-(x - coarse) * (x + coarse))


def _in_blocks(function: Callable[..., None], x: Array, *results: int) -> Array:
    """``function(x, *outs)`` for a float32 or float16 array, a block at a time: an array ``(*results, *x.shape)``."""
    out = np.empty((*results, *x.shape), np.float32)
    flat, parts = x.reshape(-1), out.reshape(*(results or (1,)), x.size)
    for start in range(0, x.size, _BLOCK):
        block = slice(start, start + _BLOCK)
        function(flat[block].astype(np.float32, copy=False), *[part[block] for part in parts])
    return out.astype(x.dtype, copy=False)


def _erf_single(x: Array, out: Array) -> None:
    above, below = _ERF_SINGLE
    wide = np.clip(x, -_ONE_SINGLE, _ONE_SINGLE).astype(np.float64)
    square = wide * wide
    wide *= _polynomial(above, square)
    wide /= _polynomial(below, square)
    out[...] = wide


def _erfc_single(x: Array, out: Array) -> None:
    _tail_single(x, out, 2)
    np.subtract(np.multiply(np.less(x, 0), np.float32(2)), out, out=out)  # `where` would be slow
    np.absolute(out, out=out)


def _normal_cdf_single(x: Array, out: Array) -> Array:
    bell = _tail_single(x, out, 1)
    np.subtract(np.greater(x, 0), out, out=out)
    np.absolute(out, out=out)
    return bell


def _gelu_single(x: Array, value: Array, slope: Array) -> None:
    np.multiply(x, _normal_cdf_single(x, value), out=slope)
    slope *= _DENSITY
    slope += value
    value *= x


def _tail_single(x: Array, out: Array, n: int) -> Array:
    """``n`` times the probability that a normal variable is above ``sqrt(n) * |x|``. Returns the exponential in it."""
    distance = np.minimum(np.absolute(x), _GONE_SINGLE)
    t = distance * (_NORMAL_STEP * math.sqrt(n))
    t += 1
    np.reciprocal(t, out=t)
    _polynomial([n * c for c in _NORMAL_TAIL], t, out)
    out *= t
    wide = distance.astype(np.float64)
    wide *= wide
    wide *= -0.5 * n
    rounded = wide.astype(np.float32)  # without AVX-512, exponentials of float64 take four times as long
    wide -= rounded
    bell = np.exp(rounded, out=rounded)
    bell += bell * wide.astype(np.float32)
    out *= bell
    return bell


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
    if x.dtype.char in "ef":
        return _in_blocks(_erf_single, x)
    special = sys.modules.get("scipy.special")
    if special is not None and x.dtype.char == "d":
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
    if x.dtype.char in "ef":
        return _in_blocks(_erfc_single, x)
    wide = np.asarray(x, np.float64)
    regions = [wide > _NEAR, wide < -_NEAR]
    out = np.piecewise(wide, regions, [_erfc_beyond, lambda x: 2 - _erfc_beyond(-x), lambda x: 1 - _erf_near(x)])
    return out.astype(x.dtype)


@primitive
def normal_cdf(x: Array) -> Array:
    """The probability that a normal variable is below ``x``: ``erfc(-x / sqrt(2)) / 2``."""
    return _in_blocks(_normal_cdf_single, x) if x.dtype.char in "ef" else 0.5 * erfc(-math.sqrt(0.5) * x)


@primitive
def gelu_and_slope(x: Array) -> Array:
    """``x * normal_cdf(x)`` and its derivative, ``(2, *x.shape)``: together, they take one exponential."""
    if x.dtype.char in "ef":
        return _in_blocks(_gelu_single, x, 2)
    cdf = normal_cdf(x)
    return np.stack([x * cdf, cdf + x * _DENSITY * np.exp(-0.5 * x * x)])


@primitive
def computed_gelu(x: Array, value_and_slope: Array) -> Array:
    """The first of the results of `gelu_and_slope`, which were computed before for the sake of the gradient."""
    return value_and_slope[0]


# fmt: off
rule(erf,  lambda g, _ans, x: g *  2 / math.sqrt(math.pi) * np.exp(-x * x), singular=False, elementwise=True)
rule(erfc, lambda g, _ans, x: g * -2 / math.sqrt(math.pi) * np.exp(-x * x), singular=False, elementwise=True)
rule(normal_cdf, lambda g, _ans, x: g * _DENSITY * np.exp(-0.5 * x * x), singular=False, elementwise=True)
rule(computed_gelu, lambda g, _ans, x, parts: g * _gelu_slope(g, x, parts), None, singular=False, elementwise=True)
# fmt: on


def _gelu_slope(g: Array, x: Array, parts: Array) -> Array:
    """The slope; where it may be differentiated, as a function of ``x``."""
    if isinstance(x, Variable) or isinstance(g, Variable):
        return normal_cdf(x) + x * (_DENSITY * np.exp(-0.5 * x * x))
    return parts[1]
