"""Compositions that are smooth where one of their parts is not: every derivative is right or NaN, never a silent zero."""
# ruff: noqa: E501  (tables, a row a line)

import itertools

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.engine.registry import row_of
from tensorgrad.rules import division
from tests.helpers import along, derivatives, leaf, right_or_nan

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of NumPy: what is divided by zero here is meant
NAN, INF = np.nan, np.inf


# ------------------------------------------------------------------------------------------------ smooth again


def powers(n):
    """The derivatives of ``x ** n`` at 0."""
    return [float(np.prod(range(1, n + 1))) if order == n else 0.0 for order in (1, 2, 3)]


KINKS = {  # of one variable t: |t| at 0, by many ways
    "abs": np.abs,
    "fabs": np.fabs,
    "complex abs": lambda t: np.abs(t * (3 + 4j)) / 5,
    "hypot": lambda t: np.hypot(t, 0 * t),
    "hypot(t, 0)": lambda t: np.hypot(t, 0.0),
    "norm": lambda t: np.linalg.norm(np.stack([t, 2 * t]), axis=0) / np.sqrt(5),
    "norm 1": lambda t: np.linalg.norm(np.stack([t, 2 * t]), 1, axis=0) / 3,
    "norm 3": lambda t: np.linalg.norm(np.stack([t, 2 * t]), 3, axis=0) / 9 ** (1 / 3),
    "norm 1.5": lambda t: np.linalg.norm(np.stack([t, t]), 1.5, axis=0) / 2 ** (2 / 3),
    "norm inf": lambda t: np.linalg.norm(np.stack([t, 2 * t]), INF, axis=0) / 2,
    "norm of one": lambda t: np.linalg.norm(t[None], axis=0),
    "std": lambda t: np.std(np.stack([t, -t]), axis=0),
    "nanstd": lambda t: np.nanstd(np.stack([t, -t, NAN * t]), axis=0),
    "std where": lambda t: np.std(np.stack([t, -t, t * t]), axis=0, where=np.array([[True], [True], [False]])),
    "sqrt of square": lambda t: np.sqrt(t * t),
    "power of square": lambda t: (t * t) ** 0.5,
    "float_power": lambda t: np.float_power(t * t, 0.5),
    "copysign": lambda t: np.copysign(t, 1.0),
    "frobenius": lambda t: np.linalg.norm(np.reshape(t, (-1, 1, 1)) * np.eye(2), axis=(1, 2)) / np.sqrt(2),
    "nuclear": lambda t: np.linalg.norm(np.reshape(t, (-1, 1, 1)) * np.eye(2), "nuc", axis=(1, 2)) / 2,
    "spectral": lambda t: np.linalg.norm(np.reshape(t, (-1, 1, 1)) * np.diag([1.0, 2]), 2, axis=(1, 2)) / 2,
    "svdvals": lambda t: np.linalg.svdvals(np.reshape(t, (-1, 1, 1)))[:, 0],
    "svd": lambda t: np.linalg.svd(np.reshape(t, (-1, 1, 1)), full_matrices=False).S[:, 0],
    "root of the sum": lambda t: np.sqrt(np.sum(np.stack([t, 2 * t]) ** 2, axis=0)) / np.sqrt(5),
    "maximum": lambda t: np.maximum(t, -t),
    "minimum": lambda t: -np.minimum(2 * t, -2 * t) / 2,
    "max": lambda t: np.max(np.stack([t, -t]), axis=0),
    "min": lambda t: -np.min(np.stack([t, -t, 0 * t]), axis=0),
    "ptp": lambda t: np.ptp(np.stack([t, -t]), axis=0) / 2,
    "max_pool1d": lambda t: tg.max_pool1d(np.reshape(np.stack([t, -t]), (1, 1, 2)), 2)[0, 0],
    "fmax": lambda t: np.fmax(t, -t),
    "fmin": lambda t: -np.fmin(-t, t),
}

UNKNOWN = ("sqrt of square", "power of square", "float_power", "root of the sum")  # not known to be kinks: NaN

EVEN = {  # f(|t|) that is smooth in t, and its first three derivatives at 0
    "**2": (lambda r: r**2, powers(2)),
    "**2.": (lambda r: r**2.0, powers(2)),
    "**[2]": (lambda r: r ** np.array([2.0]), powers(2)),
    "square": (np.square, powers(2)),
    "r * r": (lambda r: r * r, powers(2)),
    "**4": (lambda r: r**4, powers(4)),
    "exp(-r**2)": (lambda r: np.exp(-(r**2)), [0, -2, 0]),
    "r**2 / (1 + r**2)": (lambda r: r**2 / (1 + r**2), [0, 2, 0]),
    "sqrt(1 + r**2)": (lambda r: np.sqrt(1 + r**2), [0, 1, 0]),
    "cos": (np.cos, [0, -1, 0]),
    "cosh": (np.cosh, [0, 1, 0]),
    "log cosh": (lambda r: np.log(np.cosh(r)), [0, 1, 0]),
    "sinc": (np.sinc, [0, -(np.pi**2) / 3, 0]),
    "r tanh r": (lambda r: r * np.tanh(r), [0, 2, 0]),
    "matern 3/2": (lambda r: (1 + r) * np.exp(-r), [0, -1, INF]),
    "matern 5/2": (lambda r: (1 + r + r**2 / 3) * np.exp(-r), [0, -1 / 3, 0]),
    "vdot": (lambda r: np.vdot(r, r), powers(2)),
    "matmul": (lambda r: r @ r, powers(2)),
    "einsum": (lambda r: np.einsum("i,i", r, r), powers(2)),
    "sum of parts": (lambda r: r[0] * r[0], powers(2)),
    "where": (lambda r: np.where([True], r**2, 0), powers(2)),
    "where in between": (lambda r: np.where([True], r, 0) ** 2, powers(2)),
    "times a mask": (lambda r: (np.ones(1) * r) ** 2, powers(2)),
    "var": (lambda r: np.var(np.stack([r, -r]), axis=0), powers(2)),
    "prod": (lambda r: np.prod(np.stack([r, r]), axis=0), powers(2)),
    "cumprod": (lambda r: np.cumprod(np.stack([r, r]), axis=0)[1], powers(2)),
    "convolve": (lambda r: np.convolve(r, r), powers(2)),
    "r**3 / r": (lambda r: r * r * r / r, powers(2)),
}

ROOTS = {  # of t >= 0, infinitely steep at 0, and a composition that is smooth again: it is t
    "sqrt**2": lambda t: np.sqrt(t) ** 2,
    "square(sqrt)": lambda t: np.square(np.sqrt(t)),
    "sqrt * sqrt": lambda t: np.sqrt(t) * np.sqrt(t),
    "root times itself": lambda t: (lambda r: r * r)(np.sqrt(t)),
    "cbrt**3": lambda t: np.cbrt(t) ** 3,
    "(t**.5)**2": lambda t: (t**0.5) ** 2,
    "(t**.25)**4": lambda t: (t**0.25) ** 4,
    "(t**[.5])**2": lambda t: (t ** np.array([0.5])) ** 2,
    "(t**1.5)**(2/3)": lambda t: (t**1.5) ** (2 / 3),
    "(t**2)**.5": lambda t: (t**2) ** 0.5,
    "float_power": lambda t: np.float_power(t, 0.5) ** 2,
    "exp(log)": lambda t: np.exp(np.log(t)),
    "exp2(log2)": lambda t: np.exp2(np.log2(t)),
    "expm1(log1p)": lambda t: np.expm1(np.log1p(t)),
    "exp of logaddexp": lambda t: np.exp(np.logaddexp(np.log(t), np.log(t))) / 2,
    "exp of logsumexp": lambda t: np.exp(tg.logsumexp(np.stack([np.log(t), np.log(t)]), axis=0)) / 2,
    "1 / (1 / t)": lambda t: 1 / (1 / t),
    "t * t / t": lambda t: t * t / t,
    "1 - cos(arccos(1 - t))": lambda t: 1 - np.cos(np.arccos(1 - t)),
    "1 - sin(arcsin(1 - t))": lambda t: 1 - np.sin(np.arcsin(1 - t)),
    "cosh(arccosh(1 + t)) - 1": lambda t: np.cosh(np.arccosh(1 + t)) - 1,
    "1 - tanh(arctanh(1 - t))": lambda t: 1 - np.tanh(np.arctanh(1 - t)),
    "einsum": lambda t: np.einsum("i,i->i", np.sqrt(t), np.sqrt(t)),
    "matmul": lambda t: np.sqrt(t) @ np.sqrt(t),
    "of a part": lambda t: np.sqrt(np.concatenate([t, t]))[1] ** 2,
    "through where": lambda t: np.where(t >= 0, np.sqrt(t), 0) ** 2,
    "through maximum": lambda t: np.maximum(np.sqrt(t), -1) ** 2,
    "through clip": lambda t: np.clip(np.sqrt(t), -1, 1) ** 2,
    "prod": lambda t: np.prod(np.stack([np.sqrt(t), np.sqrt(t)]), axis=0),
    "norm**2 of roots": lambda t: np.linalg.norm(np.sqrt(t)) ** 2,
    "elu(log)": lambda t: tg.elu(np.log(t)) + 1,
    "determinant": lambda t: np.linalg.det(np.reshape(np.sqrt(t), (1, 1)) * np.eye(2)),
    "exp of slogdet": lambda t: np.exp(np.linalg.slogdet(np.reshape(t, (1, 1)))[1]),
}


PAIRS = [
    pytest.param(inner, outer, marks=[] if (i + k) % 4 == 0 or outer == "**2" else pytest.mark.slow)
    for i, inner in enumerate(KINKS)
    for k, outer in enumerate(EVEN)
]


@pytest.mark.parametrize(("inner", "outer"), PAIRS)
def test_an_even_function_of_a_distance_is_smooth(inner, outer):
    kink, (f, expected) = KINKS[inner], EVEN[outer]
    for order, (got, right) in enumerate(zip(derivatives(lambda t: f(kink(t)), [0.0], 3), expected, strict=True), 1):
        if np.isfinite(right):
            right_or_nan(got, right)
        if order == 1 and inner not in UNKNOWN and outer != "r**3 / r":
            assert np.isfinite(got).all()
    if outer == "**2":
        for got, right in zip(along(lambda t: f(kink(t)), [0.0], [2.0, 1.0, 0.5]), [0, 4, 0], strict=True):
            right_or_nan(got, right)


UNDONE = {  # roots that the records show to be undone, so that all derivatives are known, and what they give
    **{name: (ROOTS[name], lambda t: t) for name in (
        "sqrt**2", "square(sqrt)", "sqrt * sqrt", "root times itself", "cbrt**3", "(t**.5)**2", "(t**.25)**4",
        "(t**[.5])**2", "float_power", "matmul", "through where", "norm**2 of roots")},
    "sqrt**4": (lambda t: np.sqrt(t) ** 4, np.square),
    "cbrt**6": (lambda t: np.cbrt(t) ** 6, np.square),
    "exp(-sqrt**2)": (lambda t: np.exp(-(np.sqrt(t) ** 2)), lambda t: np.exp(-t)),
    "root of the sum": (lambda t: np.sqrt(np.sum(t * t)) ** 2, lambda t: np.sum(t * t)),
    "root of the variance": (lambda t: np.sqrt(np.var(np.stack([t, 3 * t]))) ** 2, lambda t: np.var(np.stack([t, 3 * t]))),
    "of where": (lambda t: np.where(t >= 0, np.sqrt(t), 0) ** 2 * (1 + t), lambda t: t * (1 + t)),
    "where of": (lambda t: np.where(t >= 0, np.sqrt(t) ** 2, 0), lambda t: t),
}  # fmt: skip


@pytest.mark.parametrize("name", UNDONE)
def test_a_root_that_is_seen_to_be_undone_has_all_derivatives(name):
    check_equal(*UNDONE[name], [0.0])
    with np.errstate(all="ignore"):
        check_equal(lambda t: np.sum(UNDONE[name][0](t)), lambda t: np.sum(UNDONE[name][1](t)), [0.0, 4.0])


def test_a_root_that_is_not_undone_keeps_its_slope():
    np.testing.assert_array_equal(derivatives(np.sqrt, [0.0], 1)[0], INF)
    np.testing.assert_array_equal(derivatives(lambda t: np.sqrt(t) ** 3, [0.0, 4.0], 1)[0], [0, 3])
    assert derivatives(lambda t: np.sqrt(t) ** 3, [0.0], 2)[1] == INF
    found = derivatives(lambda t: np.where(t > 0, np.sqrt(t), 5) ** 2 * (1 + t), [0.0, 4.0, -1.0], 1)[0]
    np.testing.assert_array_equal(found, [25, 9, 25])  # another constant is no multiple of the root
    for root in (lambda t: np.sqrt(t) ** 2, lambda t: (t**0.5) ** 2):  # there is no value below zero
        np.testing.assert_array_equal(derivatives(root, [0.0, 1.0, -1.0], 1)[0], [1, 1, NAN])


def test_a_rule_that_cannot_be_recorded_leaves_the_nan():
    """The limit is found in a recorded pass, which not every rule allows."""
    plain = with_row(np.exp, lambda g, ans, x: np.asarray(g) * np.asarray(ans))
    np.testing.assert_array_equal(derivatives(lambda t: np.sqrt(plain(t) - 1) ** 2, [0.0], 1)[0], NAN)


@pytest.mark.parametrize("name", ROOTS)
def test_a_root_that_is_undone_is_smooth(name):
    """All are the identity, at 0: slope 1, and no other derivative; in products with something else, too."""
    for factor, expected in ((lambda t: 1, [1, 0, 0]), (lambda t: 1 + t, [1, 2, 0]), (lambda t: np.exp(t), [1, 2, 3])):
        for got, right in zip(
            derivatives(lambda t, factor=factor: ROOTS[name](t) * factor(t), [0.0], 3), expected, strict=True
        ):
            right_or_nan(got, right)


NORMS = {
    "norm": (np.linalg.norm, np.eye(3)),
    "vector_norm": (np.linalg.vector_norm, np.eye(3)),
    "std": (np.std, (np.eye(3) - 1 / 3) / 3),
    "std ddof": (lambda x: np.std(x, ddof=1), (np.eye(3) - 1 / 3) / 2),
    "norm of deviations": (lambda x: np.linalg.norm(x - np.mean(x)), np.eye(3) - 1 / 3),
    "complex norm": (lambda x: np.linalg.norm(np.fft.fft(x)), 3 * np.eye(3)),
    "hypot": (lambda x: np.hypot(np.hypot(x[0], x[1]), x[2]), np.eye(3)),
    "weighted": (lambda x: np.linalg.norm(x * np.array([1.0, 2, 0])), np.diag([1.0, 4, 0])),
    "distance to itself": (lambda x: np.linalg.norm(x - 0.0 * x), np.eye(3)),
    "frobenius": (lambda x: np.linalg.norm(np.outer(x, [1.0, 0])), np.eye(3)),
}


@pytest.mark.parametrize("name", NORMS)
def test_functions_of_a_squared_norm_at_zero(name):
    """With ``norm(x)**2 = x @ A @ x``, the Hessian is ``2 A`` times the slope of what it is put into."""
    norm, matrix = NORMS[name]
    slopes = {
        "**2": (lambda r: r**2, 1), "exp(-r**2)": (lambda r: np.exp(-(r**2)), -1), "r*r": (lambda r: r * r, 1),
        "r**2 / (2 + r)": (lambda r: r**2 / (2 + r**2), 0.5), "cos": (np.cos, -0.5), "**3": (lambda r: r**3, 0),
    }  # fmt: skip
    for f, slope in slopes.values():
        first, second = derivatives(lambda x, f=f: f(norm(x)), np.zeros(3), 2)
        np.testing.assert_array_equal(first, 0)  # the convention, and here it is right
        right_or_nan(second, 2 * slope * matrix)


def test_first_order_conventions_at_kinks():
    """A chosen slope is 0, along every direction, and by jvp too."""
    for name, fn in {**KINKS, **{name: norm for name, (norm, _) in NORMS.items()}}.items():
        x = np.zeros(3 if name in NORMS else 1)
        if name in UNKNOWN:
            continue
        np.testing.assert_array_equal(derivatives(fn, x, 1)[0], 0, err_msg=name)
        np.testing.assert_array_equal(tg.jvp(fn, x, np.ones_like(x))[1], 0, err_msg=name)


def test_the_second_derivative_of_a_kink_is_none_that_was_made_up():
    np.testing.assert_array_equal(derivatives(np.abs, [0.0, 1], 2)[1], 0)  # PyTorch's convention
    assert np.isnan(derivatives(np.linalg.norm, [0.0, 0], 2)[1]).any()
    assert np.isnan(derivatives(np.std, [1.0, 1], 2)[1]).any()
    assert np.isnan(derivatives(lambda x: np.hypot(x[0], x[1]), [0.0, 0], 2)[1]).any()


def test_single_elements_have_no_deviation():
    """The result is constant: all derivatives are 0."""
    for fn in (np.std, np.var, lambda x: np.std(x, where=[True]), np.nanstd, lambda x: np.nanstd(x * 1.0) ** 2):
        for got in derivatives(fn, [3.0], 3):
            np.testing.assert_array_equal(got, 0)


# ------------------------------------------------------------------------------------------------ known multiples


def squares(x, axis=None, keepdims=False):
    return np.sum(x * x, axis=axis, keepdims=keepdims)


ROWS = np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 0.0]])
DISTANCES = {  # a distance that has a kink at this point, and its square, which has none
    "abs": (np.abs, lambda x: x * x, [0.0, 2.0, 0.0]),
    "fabs": (np.fabs, lambda x: x * x, [0.0, -2.0]),
    "complex abs": (lambda x: np.abs(x * (3 + 4j)), lambda x: 25 * x * x, [0.0, 2.0]),
    "abs of a function": (lambda x: np.abs(np.sin(x)), lambda x: np.sin(x) ** 2, [0.0, 1.0]),
    "hypot": (lambda x: np.hypot(x[:, 0], x[:, 1]), lambda x: squares(x, 1), ROWS),
    "hypot(x, 0)": (lambda x: np.hypot(x, 0.0), lambda x: x * x, [0.0, 2.0]),
    "norm": (np.linalg.norm, squares, np.zeros(3)),
    "norm of rows": (lambda x: np.linalg.norm(x, axis=1), lambda x: squares(x, 1), ROWS),
    "norm, keepdims": (
        lambda x: np.linalg.norm(x, axis=0, keepdims=True), lambda x: squares(x, 0, keepdims=True), ROWS.T),
    "frobenius": (lambda x: np.linalg.norm(x, axis=(0, 1)), squares, np.zeros((2, 2))),
    "complex norm": (lambda x: np.linalg.norm(x * (3 + 4j)), lambda x: 25 * squares(x), np.zeros(2)),
    "distance": (lambda x: np.linalg.norm(x[0] - x[1]), lambda x: squares(x[0] - x[1]), np.ones((2, 2))),
    "std": (np.std, np.var, np.ones(3)),
    "std of rows": (lambda x: np.std(x, axis=-1, ddof=1), lambda x: np.var(x, axis=-1, ddof=1), ROWS),
    "std, where": (lambda x: np.std(x, where=[True, True, False]), lambda x: np.var(x[:2]), [1.0, 1.0, 2.0]),
    "maximum": (lambda x: np.maximum(x, -x), lambda x: x * x, [0.0, 2.0, 0.0]),
    "minimum": (lambda x: np.minimum(x, -x), lambda x: x * x, [0.0, 2.0]),
    "fmax": (lambda x: np.fmax(x, -x), lambda x: x * x, [0.0, -2.0]),
    "fmin": (lambda x: np.fmin(-x, x), lambda x: x * x, [0.0, -2.0]),
    "max": (lambda x: np.max(np.stack([x, -x]), axis=0), lambda x: x * x, [0.0, 2.0]),
    "min": (lambda x: np.min(np.stack([x, -x]), axis=0, keepdims=True), lambda x: x * x, [0.0, 2.0]),
    "nanmax": (lambda x: np.nanmax(np.stack([x, -x, x * NAN]), axis=0), lambda x: x * x, [0.0, 2.0]),
    "nanmin": (lambda x: np.nanmin(np.stack([x, -x]), axis=0), lambda x: x * x, [0.0, 2.0]),
}  # fmt: skip
OF_SQUARES = {  # a function of the distance, and the same of its square: each asks for another step of the division
    "r**2": (lambda r: r**2, lambda s: s),
    "r**2.0": (lambda r: r**2.0, lambda s: s),
    "r**[2.0]": (lambda r: r ** np.array([2.0]), lambda s: s),
    "r*r": (lambda r: r * r, lambda s: s),
    "square": (np.square, lambda s: s),
    "square of a multiple": (lambda r: np.square(3 * r) ** 2, lambda s: 81 * s**2),
    "r**4": (lambda r: r**4, lambda s: s**2),
    "r*r*r*r": (lambda r: r * r * r * r, lambda s: s**2),
    "(r**2)**3": (lambda r: (r**2) ** 3, lambda s: s**3),
    "exp(-r**2)": (lambda r: np.exp(-(r**2)), lambda s: np.exp(-s)),
    "r**2 / (1 + r**2)": (lambda r: r**2 / (1 + r**2), lambda s: s / (1 + s)),
    "1 / (1 + r**2)": (lambda r: 1 / (1 + r * r), lambda s: 1 / (1 + s)),
    "sqrt(1 + r**2)": (lambda r: np.sqrt(1 + r**2), lambda s: np.sqrt(1 + s)),
    "(r / 2)**2": (lambda r: (r / 2) ** 2, lambda s: s / 4),
    "r**4 - r**2": (lambda r: r**4 - r**2, lambda s: s**2 - s),
    "+r": (lambda r: (+r) * (-r), lambda s: -s),
    "of the derivative": (lambda r: slope_of(lambda w: w * r**2 + (w * r) ** 2, r), lambda s: 3 * s),
}


def slope_of(fn, like):
    """The derivative of a function at 1, as part of a larger one."""
    w = tg.Tensor(np.ones(like.shape), requires_grad=True)
    return tg.grad(np.sum(fn(w)), w, create_graph=True)


def check_equal(fn, smooth, x, orders=3):
    """Check that all derivatives are those of a function without a kink: two in full, all in general directions."""
    for got, expected in zip(derivatives(fn, x, 2), derivatives(smooth, x, 2), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)
    directions = np.random.default_rng(0).uniform(-1, 1, (orders, *np.shape(x)))
    np.testing.assert_allclose(along(fn, x, directions), along(smooth, x, directions), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("outer", OF_SQUARES)
@pytest.mark.parametrize("inner", DISTANCES)
def test_where_the_gradient_is_a_known_multiple_of_the_distance_all_derivatives_are_right(inner, outer):
    (distance, square, x), (f, of_square) = DISTANCES[inner], OF_SQUARES[outer]
    check_equal(lambda x: f(distance(x)), lambda x: of_square(square(x)), x)


SEVERAL = {  # of more than a distance: a function, the same without a kink, and a point
    "abs * abs": (lambda x: np.abs(x) * np.abs(x), lambda x: x * x, [0.0, 1.0]),
    "norm * norm": (lambda x: np.linalg.norm(x) * np.linalg.norm(x), squares, np.zeros(2)),
    "(a a)(b b)": (lambda x: (abs(x) * 3 * abs(x)) * (abs(x) * abs(x)), lambda x: 3 * x**4, [0.0]),
    "times a variable": (lambda z: np.hypot(z[0], z[1]) ** 2 * z[2], lambda z: squares(z[:2]) * z[2], [0.0, 0, 3]),
    "over a variable": (lambda z: np.abs(z[0]) ** 2 / z[1], lambda z: z[0] ** 2 / z[1], [0.0, 3]),
    "times itself": (lambda x: np.linalg.norm(x) ** 2 * x, lambda x: squares(x) * x, np.zeros(2)),
    "of a product": (lambda x: (np.linalg.norm(x) * x) ** 2, lambda x: squares(x) * x**2, np.zeros(2)),
    "of scaled rows": (
        lambda x: (np.linalg.norm(x, axis=1, keepdims=True) * x) ** 2, lambda x: squares(x, 1, True) * x**2, ROWS),
    "two distances": (
        lambda z: np.abs(z[0]) ** 2 * np.abs(z[1]) ** 2, lambda z: z[0] ** 2 * z[1] ** 2, [0.0, 0.0]),
    "one in another": (lambda x: np.abs(np.abs(x)) ** 2, lambda x: x * x, [0.0, 2.0]),
    "hypot of hypot": (lambda x: np.hypot(np.hypot(x[0], x[1]), x[2]) ** 2, squares, np.zeros(3)),
}  # fmt: skip


@pytest.mark.parametrize("name", SEVERAL)
def test_known_multiples_of_several_variables(name):
    check_equal(*SEVERAL[name])


def sum_by_gradient(r):
    """The sum of the elements, as the gradient of a factor that they all have."""
    w = tg.Tensor(np.ones(1), requires_grad=True)
    return tg.grad(np.sum(w * r), w, create_graph=True)


KINKS_AFTER_ALL = {  # what has no derivative of this order at 0, and must not be given one
    "r": (np.linalg.norm, 2, 2),
    "r**1.5": (lambda x: np.linalg.norm(x) ** 1.5, 2, 2),
    "r**3": (lambda x: np.linalg.norm(x) ** 3, 2, 3),
    "|x|**3": (lambda x: np.abs(x) ** 3, 1, 3),
    "r**2 + r": (lambda x: np.linalg.norm(x) ** 2 + np.linalg.norm(x), 2, 2),
    "other elements": (lambda x: (lambda r: r * r[::-1])(np.abs(x)), 2, 2),
    "the sum": (lambda x: sum_by_gradient(np.abs(x)) ** 2, 2, 2),
    "other axes": (lambda x: (lambda x: np.linalg.norm(x, axis=0) * np.linalg.norm(x, axis=1))(x.reshape(2, 2)), 4, 2),
    "other inputs": (lambda x: np.abs(x[0]) * np.abs(x[1]), 2, 2),
}


@pytest.mark.parametrize("name", KINKS_AFTER_ALL)
def test_what_is_no_multiple_is_not_divided(name):
    fn, size, order = KINKS_AFTER_ALL[name]
    assert np.isnan(derivatives(fn, np.zeros(size), order)[-1]).any()


def test_a_value_that_was_overwritten_is_another_one():
    """Of ``|x|`` before and after a write to ``x``, the product is no square."""
    x = leaf([0.0])
    before = np.abs(x)
    with tg.no_grad():
        x[0] = 2.0
    first = tg.grad(np.sum(before * np.abs(x)), x, create_graph=True)
    np.testing.assert_array_equal(tg.grad(np.sum(first), x), 0)  # 1 if the two were taken for one


def test_first_derivatives_do_not_ask_for_a_quotient(monkeypatch):
    asked = []
    monkeypatch.setattr(division, "_Division", lambda *_: asked.append(1))
    for distance, _, x in DISTANCES.values():
        x = leaf(x)
        tg.grad(np.sum(distance(x) ** 2), x)  # not recorded
    for distance in (np.abs, np.linalg.norm, np.std, np.max, lambda x: np.hypot(x, 1.0)):
        derivatives(lambda x, distance=distance: distance(x) ** 2, [1.0, 2.0], 2)  # no kink
    assert not asked


@pytest.mark.parametrize("change", ["removed", "wrong"])
@pytest.mark.parametrize("fn", list(division._RULES), ids=lambda fn: fn.__name__)
def test_each_step_of_the_division_is_needed(fn, change, monkeypatch):
    """Without it, or with a wrong one, a function of the tables has a wrong derivative, or none."""
    tables = [(lambda x, f=f: f(np.abs(x)), lambda x, f=of: f(x * x), [0.0]) for f, of in OF_SQUARES.values()]
    right = division._RULES[fn]

    def twice(*args):
        found = right(*args)
        return None if found is None else found * 2

    monkeypatch.setitem(division._RULES, fn, (lambda *_: None) if change == "removed" else twice)
    failures = 0
    tables += [(f, of, [0.0]) for f, of in UNDONE.values()]
    for row in [*tables, *SEVERAL.values()]:
        try:
            check_equal(*row, orders=2)
        except AssertionError:
            failures += 1
    assert failures


BESIDE = {  # of rows of numbers: a function of each row, which has a kink at a row of zeros
    "norm": lambda x: np.linalg.norm(x, axis=-1),
    "norm 3": lambda x: np.linalg.norm(x, 3, axis=-1),
    "hypot": lambda x: np.hypot(x[..., 0], x[..., 1]),
    "std": lambda x: np.std(x, axis=-1),
    "complex abs": lambda x: np.abs(x[..., 0] + 1j * x[..., 1]),
    "power": lambda x: (x[..., 0] ** 2) ** (1 + x[..., 1] ** 2),
    "float_power": lambda x: np.float_power(x[..., 0] ** 2, 1 + x[..., 1] ** 2),
}


@pytest.mark.parametrize("name", BESIDE)
def test_a_kink_leaves_the_derivatives_beside_it_as_they_are(name):
    """Of both orders: the rows are independent of each other."""
    regular = np.array([[3.0, 4.0], [0.5, -1.0]])
    for got, expected in zip(
        derivatives(BESIDE[name], np.concatenate([[[0.0, 0.0]], regular]), 2),
        derivatives(BESIDE[name], regular, 2),
        strict=True,
    ):
        rest = got[1:] if got.ndim == 2 else got[1:, :, 1:, :]
        np.testing.assert_allclose(rest, expected, rtol=1e-12)


# ------------------------------------------------------------------------------------------------ powers


@pytest.mark.parametrize("power", [np.power, np.float_power])
def test_powers_of_zero(power):
    """The Hessian of ``x ** y`` at (0, 1) is 0, -inf; -inf, 0: right, or not a number."""
    first, second = derivatives(lambda z: power(z[0], z[1]), [0.0, 1.0], 2)
    np.testing.assert_array_equal(first, [1, 0])
    assert not np.isfinite(second[0, 1])
    assert not np.isfinite(second[1, 0])
    right_or_nan(np.diag(second), 0)
    for y, slope in ((-0.3, -INF), (-2.0, -INF), (0.0, 0), (0.5, 0), (1.0, 0)):
        np.testing.assert_array_equal(derivatives(lambda y: power(0.0, y), [y], 1)[0], slope)
    first, second = derivatives(lambda z: power(z[0], z[1]), [0.0, 3.0], 2)
    np.testing.assert_array_equal(first, [0, 0])
    right_or_nan(second, 0)
    second = derivatives(lambda z: power(z[0], z[1]), [2.0, 0.0], 2)[1]
    np.testing.assert_allclose(second, [[0, 0.5], [0.5, np.log(2) ** 2]], rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("x", [0.0, 5e-324, 1e-310, -5e-324, 1e-300, 1.0, 1e308, INF])
def test_x_to_the_zeroth_is_constant(x):
    for y in (0, 0.0, np.array(0.0), np.zeros(1), np.zeros(1, int)):
        for got in derivatives(lambda x, y=y: x**y, [x], 2):
            np.testing.assert_array_equal(got, 0)


# ------------------------------------------------------------------------------------------------ ties with an initial value


@pytest.mark.parametrize(("reduce", "sign"), [(np.max, 1), (np.min, -1), (np.nanmax, 1), (np.nanmin, -1)])
def test_an_initial_value_shares_ties(reduce, sign):
    x = sign * np.array([[1.0, 1, 0], [0, 1, 2], [0, 0.5, 0.5]])
    first = derivatives(lambda x: reduce(x[0], initial=sign), x, 1)[0]
    np.testing.assert_allclose(first, [[1 / 3, 1 / 3, 0], [0] * 3, [0] * 3])
    rows = derivatives(lambda x: reduce(x, axis=1, initial=sign * 1.0), x, 1)[0]
    np.testing.assert_allclose(rows, [[1 / 3, 1 / 3, 0], [0, 0, 1], [0, 0, 0]])
    masked = derivatives(lambda x: reduce(x, axis=1, initial=sign * 1.0, where=[True, False, True]), x, 1)[0]
    np.testing.assert_allclose(masked, [[1 / 2, 0, 0], [0, 0, 1], [0, 0, 0]])
    for axis, keepdims in itertools.product((None, 0, (0, 1)), (False, True)):
        got = reduce(leaf(x), axis=axis, keepdims=keepdims, initial=0.25)
        np.testing.assert_array_equal(got.data, reduce(x, axis=axis, keepdims=keepdims, initial=0.25))


def test_an_initial_value_may_be_tracked():
    first = leaf(1.0)
    np.testing.assert_allclose(tg.grad(np.max(leaf([1.0, 1, 0]), initial=first), first), 1 / 3)


# ------------------------------------------------------------------------------------------------ exponential units


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_far_below_zero_the_slope_of_elu_does_not_cancel(dtype):
    x = tg.Tensor(np.array([-5, -20, -30, -60], dtype), requires_grad=True)
    for fn, scale in ((tg.elu, 1), (tg.selu, 1.0507009873554805 * 1.6732632423543772), (np.expm1, 1)):
        got = tg.grad(np.sum(fn(x)), x)
        assert got.dtype == dtype
        np.testing.assert_allclose(
            got, scale * np.exp(x.data.astype(float)), rtol=1e-6 if dtype == np.float32 else 1e-13
        )
    second = derivatives(tg.elu, [-30.0], 2)[1]
    np.testing.assert_allclose(second.item(), np.exp(-30), rtol=1e-13)


# ------------------------------------------------------------------------------------------------ the checks are checked


def with_row(fn, *vjps, **options):
    """A function like another, with these rules."""
    other = tg.primitive(lambda *args, **params: fn(*args, **params))
    tg.rule(other, *vjps, **options)
    return other


WRONG = {  # rules that hide a kink: their zeros are silent ones
    "abs by sign": (with_row(np.abs, lambda g, ans, x: g * np.sign(x)), "**2"),
    "norm by where": (with_row(lambda x: np.abs(x), lambda g, ans, x: g * x / np.where(ans == 0, 1, ans)), "square"),
    "norm by inf": (
        with_row(lambda x: np.abs(x), lambda g, ans, x: g * x / np.where(ans == 0, np.inf, ans)),
        "exp(-r**2)",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_silent_zero_is_found(name):
    wrong, outer = WRONG[name]
    f, expected = EVEN[outer]
    got = derivatives(lambda t: f(wrong(t)), [0.0], 3)
    with pytest.raises(AssertionError):
        right_or_nan(np.concatenate([np.ravel(found) for found in got]), expected)


def test_a_zero_that_is_lost_is_found():
    hiding = with_row(np.sqrt, lambda g, ans, x: np.where(g == 0, 0, g / (2 * ans)))  # 0 for every zero
    with pytest.raises(AssertionError):
        right_or_nan(derivatives(lambda t: hiding(t) ** 2, [0.0], 1)[0], 1)
    root = with_row(np.sqrt, lambda g, ans, x: g / (2 * ans))
    np.testing.assert_array_equal(derivatives(lambda t: np.where([False, True], root(t), 0), [0.0, 4], 1)[0], [0, 0.25])


def test_a_rule_that_selects_and_does_not_say_so_loses_nothing():
    """It would select other elements at a random point."""
    negative = with_row(lambda x: np.minimum(x, 0), lambda g, ans, x: g * (x < 0))
    root = with_row(lambda x: np.sqrt(-x), lambda g, ans, x: -g / (2 * ans), elementwise=True)
    got = derivatives(lambda t: np.where([True, False], negative(root(t) - 3), 0) ** 2, [-4.0, 0], 2)
    np.testing.assert_allclose(got[0], [0.5, 0])  # of (sqrt(-t) - 3)**2
    assert np.isfinite(got[1]).all()
    assert row_of(negative).selects is False


@pytest.mark.parametrize("size", [100, 30_000])
def test_nan_is_found_in_gradients_of_any_size(size):
    """The engine may check only part of a large gradient; the position of the NaN must not matter."""
    mask = np.arange(size) % 2 == 0
    w = tg.Tensor(np.full(size, 2.0), requires_grad=True)
    values = np.where(mask, 3.0, np.nan)
    np.testing.assert_array_equal(tg.grad(np.sum(np.where(mask, w * values, 0)), w), np.where(mask, 3.0, 0.0))
    both = np.sum(np.where(mask, w, 0) * 2 + np.where(mask, w**2, 0))
    np.testing.assert_array_equal(tg.grad(both, w), np.where(mask, 6.0, 0.0))
    x = tg.Tensor(np.where(mask, 1.0, 1e4), requires_grad=True)
    with np.errstate(over="ignore"):
        out = np.sum(np.where(mask, np.exp(x), 0))
    np.testing.assert_array_equal(tg.grad(out, x), np.where(mask, np.exp(1.0), 0.0))
