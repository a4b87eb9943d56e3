"""Compositions that are smooth where one of their parts is not: derivatives are right or NaN, never silently zero."""
# ruff: noqa: E501  (tables with one row per line)

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.engine.registry import row_of
from tests.helpers import along, check_equal, derivatives, right_or_nan

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's, for divisions by zero
NAN, INF = np.nan, np.inf


# ------------------------------------------------------------------------------------------------ smooth again


def powers(n):
    """The derivatives of ``x ** n`` at 0."""
    return [float(np.prod(range(1, n + 1))) if order == n else 0.0 for order in (1, 2, 3)]


KINKS = {  # functions of one variable t: |t| at 0, in many forms
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

ROOTS = {  # functions with infinite slope at 0, composed with an inverse: the result is t
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


PAIRS = [  # some, with every name several times, are in the default suite
    pytest.param(inner, outer, marks=[] if (i + k) % 14 == 0 or outer == "**2" else pytest.mark.slow)
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


UNDONE = {  # roots that the records show to be undone, so that all derivatives are known, and the resulting functions
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
    """All are the identity at 0: derivative 1, and higher derivatives 0, also in products with other factors."""
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
    """With ``norm(x)**2 = x @ A @ x``, the Hessian is ``2 A`` times the derivative of the outer function."""
    norm, matrix = NORMS[name]
    slopes = {
        "**2": (lambda r: r**2, 1), "exp(-r**2)": (lambda r: np.exp(-(r**2)), -1), "r*r": (lambda r: r * r, 1),
        "r**2 / (2 + r)": (lambda r: r**2 / (2 + r**2), 0.5), "cos": (np.cos, -0.5), "**3": (lambda r: r**3, 0),
    }  # fmt: skip
    for f, slope in slopes.values():
        first, second = derivatives(lambda x, f=f: f(norm(x)), np.zeros(3), 2)
        np.testing.assert_array_equal(first, 0)  # the convention, which is right here
        right_or_nan(second, 2 * slope * matrix)


def test_first_order_conventions_at_kinks():
    """The chosen derivative is 0, in every direction, and also by jvp."""
    for name, fn in {**KINKS, **{name: norm for name, (norm, _) in NORMS.items()}}.items():
        x = np.zeros(3 if name in NORMS else 1)
        if name in UNKNOWN:
            continue
        np.testing.assert_array_equal(derivatives(fn, x, 1)[0], 0, err_msg=name)
        np.testing.assert_array_equal(tg.jvp(fn, x, np.ones_like(x))[1], 0, err_msg=name)


def test_the_second_derivative_at_a_kink_is_not_invented():
    np.testing.assert_array_equal(derivatives(np.abs, [0.0, 1], 2)[1], 0)  # PyTorch's convention
    assert np.isnan(derivatives(np.linalg.norm, [0.0, 0], 2)[1]).any()
    assert np.isnan(derivatives(np.std, [1.0, 1], 2)[1]).any()
    assert np.isnan(derivatives(lambda x: np.hypot(x[0], x[1]), [0.0, 0], 2)[1]).any()


def test_single_elements_have_no_deviation():
    """The result is constant: all derivatives are 0."""
    for fn in (np.std, np.var, lambda x: np.std(x, where=[True]), np.nanstd, lambda x: np.nanstd(x * 1.0) ** 2):
        for got in derivatives(fn, [3.0], 3):
            np.testing.assert_array_equal(got, 0)


# ------------------------------------------------------------------------------------------------ tests of the checks


def with_row(fn, *vjps, **options):
    """A copy of a function with these rules."""
    other = tg.primitive(lambda *args, **params: fn(*args, **params))
    tg.rule(other, *vjps, **options)
    return other


WRONG = {  # rules that hide a kink by silent zeros
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


def test_an_undeclared_selection_loses_no_gradient():
    """At a random point it would select other elements."""
    negative = with_row(lambda x: np.minimum(x, 0), lambda g, ans, x: g * (x < 0))
    root = with_row(lambda x: np.sqrt(-x), lambda g, ans, x: -g / (2 * ans), elementwise=True)
    got = derivatives(lambda t: np.where([True, False], negative(root(t) - 3), 0) ** 2, [-4.0, 0], 2)
    np.testing.assert_allclose(got[0], [0.5, 0])  # of (sqrt(-t) - 3)**2
    assert np.isfinite(got[1]).all()
    assert row_of(negative).selects is False
