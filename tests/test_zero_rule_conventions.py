"""The zero rule in docs/conventions.md: NaN and infinity only where they are right."""
# ruff: noqa: E501  (tables with one row per line)

import numpy as np
import pytest

import tensorgrad as tg
from tests.helpers import each, leaf, slope, slopes

NAN = np.nan


# A function, with points outside its domain or where its derivative is infinite; at 2 all are regular.
# fmt: off
SINGULAR = [
    ("sqrt",       np.sqrt,                                [0, -1],          lambda x: 0.5 / np.sqrt(x),    lambda x: -0.25 * x**-1.5),
    ("log",        np.log,                                 [0, -1],          lambda x: 1 / x,               lambda x: -1 / x**2),
    ("log1p",      lambda x: np.log1p(x - 1),              [0, -1, NAN],     lambda x: 1 / x,               lambda x: -1 / x**2),
    ("1 / x",      lambda x: 1 / x,                        [0],              lambda x: -1 / x**2,           lambda x: 2 / x**3),
    ("x / x",      lambda x: x / x,                        [0],              lambda x: 0 * x,               lambda x: 0 * x),
    ("x**.5",      lambda x: x**0.5,                       [0, -1],          lambda x: 0.5 / np.sqrt(x),    lambda x: -0.25 * x**-1.5),
    ("x**1.5",     lambda x: x**1.5,                       [0, -1],          lambda x: 1.5 * np.sqrt(x),    lambda x: 0.75 / np.sqrt(x)),
    ("x**-2",      lambda x: x**-2,                        [0],              lambda x: -2 * x**-3,          lambda x: 6 * x**-4),
    ("x**[.5]",    lambda x: x ** np.array([0.5]),         [0, -1, NAN],     lambda x: 0.5 / np.sqrt(x),    lambda x: -0.25 * x**-1.5),
    ("x**x",       lambda x: x**x,                         [0, -1.5],        lambda x: x**x * (np.log(x) + 1), lambda x: x**x * ((np.log(x) + 1) ** 2 + 1 / x)),
    ("x log x",    lambda x: x * np.log(x),                [0, -1],          lambda x: np.log(x) + 1,       lambda x: 1 / x),
    ("sqrt of log", lambda x: np.sqrt(np.log(x)),          [0, 1, 0.5, -1],  lambda x: 0.5 / x / np.sqrt(np.log(x)), None),
    ("sin(log x)", lambda x: np.sin(np.log(x)),            [0, -1],          lambda x: np.cos(np.log(x)) / x, None),
    ("exp(sqrt x)", lambda x: np.exp(np.sqrt(x)),          [0, -1],          lambda x: np.exp(np.sqrt(x)) / 2 / np.sqrt(x), None),
    ("tanh(1/x)",  lambda x: np.tanh(1 / x),               [0],              lambda x: -(1 - np.tanh(1 / x) ** 2) / x**2, None),
    ("sigmoid(log)", lambda x: tg.sigmoid(np.log(x)),      [0, -1],          lambda x: 1 / (1 + x) ** 2,    None),
    ("square(sqrt)", lambda x: np.square(np.sqrt(x)),      [0, -1],          lambda x: 1 + 0 * x,           lambda x: 0 * x),
    ("|log|",      lambda x: abs(np.log(x)),               [0, -1],          lambda x: 1 / x,               lambda x: -1 / x**2),
    ("exp(big)",   lambda x: np.exp(1000 * (2 - x)) / 1,   [0, -1],          lambda x: -1000 * np.exp(1000 * (2 - x)), None),
    ("arctan(1/x)", lambda x: np.arctan(1 / x),            [0],              lambda x: -1 / (1 + x**2),     None),
    ("cbrt",       np.cbrt,                                [0, NAN],         lambda x: x ** (-2 / 3) / 3,   lambda x: -2 / 9 * x ** (-5 / 3)),
    ("reciprocal", np.reciprocal,                          [0, NAN],         lambda x: -1 / x**2,           lambda x: 2 / x**3),
    ("float_power", lambda x: np.float_power(x, 1.5),      [0, -1, NAN],     lambda x: 1.5 * np.sqrt(x),    lambda x: 0.75 / np.sqrt(x)),
    ("log2",       np.log2,                                [0, -1, NAN],     lambda x: 1 / x / np.log(2),   lambda x: -1 / x**2 / np.log(2)),
    ("log10",      np.log10,                               [0, -1, NAN],     lambda x: 1 / x / np.log(10),  lambda x: -1 / x**2 / np.log(10)),
    ("logaddexp",  lambda x: np.logaddexp(np.log(x), -np.inf), [0, -1], lambda x: 1 / x,            lambda x: -1 / x**2),
    ("logaddexp2", lambda x: np.logaddexp2(-np.inf, np.log2(x)), [0, -1], lambda x: 1 / x / np.log(2), lambda x: -1 / x**2 / np.log(2)),
    ("tanh(logaddexp)", lambda x: np.tanh(np.logaddexp(x, 2.0) - x),
                                                           [np.inf],         lambda x: (np.tanh(np.logaddexp(x, 2) - x) ** 2 - 1) / (1 + np.exp(x - 2)), None),
    ("tanh(logaddexp2)", lambda x: np.tanh(np.logaddexp2(2.0, x) - x),
                                                           [np.inf],         lambda x: (np.tanh(np.logaddexp2(2, x) - x) ** 2 - 1) / (1 + np.exp2(x - 2)), None),
    ("tanh(logsumexp)", lambda x: np.tanh(tg.logsumexp(np.reshape(x, (2, 1)), axis=1)),
                                                           [NAN],            lambda x: 1 - np.tanh(x) ** 2, lambda x: -2 * np.tanh(x) * (1 - np.tanh(x) ** 2)),
    ("arcsin",     lambda x: np.arcsin(x * 0.25),          [4, -4, 5, NAN],  lambda x: (16 - x**2) ** -0.5, lambda x: x * (16 - x**2) ** -1.5),
    ("arccos",     lambda x: np.arccos(x * 0.25),          [4, -4, 5, NAN],  lambda x: -((16 - x**2) ** -0.5), lambda x: -x * (16 - x**2) ** -1.5),
    ("arccosh",    np.arccosh,                             [1, 0, -1, NAN],  lambda x: (x**2 - 1) ** -0.5, lambda x: -x * (x**2 - 1) ** -1.5),
    ("arctanh",    lambda x: np.arctanh(x * 0.25),         [4, -4, 5, NAN],  lambda x: 4 / (16 - x**2),   lambda x: 8 * x / (16 - x**2) ** 2),
    ("arctan2",    lambda x: np.arctan2(x, x * x),         [0],              lambda x: -1 / (1 + x**2),     lambda x: 2 * x / (1 + x**2) ** 2),
    ("arctan2(1, x)", lambda x: np.arctan2(1.0, x),        [NAN],            lambda x: -1 / (1 + x**2),     lambda x: 2 * x / (1 + x**2) ** 2),
    ("sinc",       np.sinc,                                [NAN, np.inf],    lambda x: 0.5,                 lambda x: -0.5),
    ("hypot",      lambda x: np.hypot(x, x),               [0, NAN],         lambda x: np.sqrt(2),          None),
    ("remainder",  lambda x: np.remainder(5.0, x),         [0, NAN],         lambda x: -2,                  lambda x: 0),
    ("fmod",       lambda x: np.fmod(-5.0, x),             [0, NAN],         lambda x: 2,                   lambda x: 0),
    ("cross-entropy", lambda x: tg.binary_cross_entropy(x / 4, [0.25, 0.25], reduction="none"),
                                                           [NAN],            lambda x: 0.75 / (4 - x) - 0.25 / x, lambda x: 0.75 / (4 - x) ** 2 + 0.25 / x**2),
]
# fmt: on


UNUSED = {
    "where": lambda y: np.where([False, True], y, 0),
    "times 0": lambda y: y * np.array([0.0, 1.0]),  # NaN, perhaps, but its gradient is not
}


@each("unused", UNUSED.values(), ids=UNUSED)
@each(("name", "fn", "points", "first", "second"), SINGULAR, ids=[row[0] for row in SINGULAR])
def test_the_branch_that_where_does_not_select_has_gradient_zero(name, fn, points, first, second, unused):
    """Each bad point separately: NumPy's error flags for one element must not protect another."""
    for bad in points:
        x = np.array([bad, 2.0])
        got, got_second = slopes(lambda x: unused(fn(x)), x)
        np.testing.assert_allclose(got, [0, first(2.0)], rtol=1e-12, err_msg=f"at {bad}")
        if second:
            np.testing.assert_allclose(got_second, [0, second(2.0)], rtol=1e-12, err_msg=f"second, at {bad}")
        assert not np.isnan(got_second).any()


ROWWISE = {
    "std": lambda x: np.std(x, axis=1),
    "std where": lambda x: np.std(x, axis=1, where=[True, True, True]),
    "var": lambda x: np.var(x, axis=1),
    "prod": lambda x: np.prod(x, axis=1),
    "mean": lambda x: np.mean(x, axis=1),
    **{f"norm {n}": lambda x, n=n: np.linalg.norm(x, n, axis=1) for n in (0, 1, 2, 3, np.inf, -np.inf)},
}


def test_a_product_takes_nan_from_the_other_factor():
    """A limit of the zero rule, and its remedy."""
    x, keep, w = np.array([[NAN, 1.0], [2.0, 3.0]]), np.array([[False], [True]]), leaf([[1.0], [1.0]])
    assert np.isnan(tg.grad(np.sum(np.where(keep, x @ w, 0)), w)).any()
    np.testing.assert_array_equal(tg.grad(np.sum(np.where(keep, x, 0) @ w), w), [[2], [3]])


@each("power", [1, 2])
@each("bad", [NAN, np.inf, -np.inf])
@each("fn", ROWWISE.values(), ids=ROWWISE)
def test_rows_that_where_does_not_select_have_gradient_zero(fn, bad, power):
    """Up to second order; selected rows have the same gradient as alone."""
    good = [[1.0, 2.0, 4.0], [3.0, 3.5, 1.0]]
    mixed, keep = [good[0], [1.0, bad, 2.0], good[1], [bad, bad, bad]], np.array([True, False, True, False])
    with np.errstate(all="ignore"):
        got = np.array(slopes(lambda x: np.where(keep, fn(x) ** power, 0), mixed))
    np.testing.assert_array_equal(got[:, ~keep], 0)
    np.testing.assert_allclose(got[:, keep], slopes(lambda x: fn(x) ** power, good), rtol=1e-12)


@pytest.mark.parametrize(
    "choose",
    [
        lambda y: np.sum(y[1:]),
        lambda y: np.sum(y * np.array([0.0, 1.0])),  # an infinite value times 0 is NaN, but not its gradient
        lambda y: np.sum(np.where([False, True], y, 0)),
    ],
    ids=["index", "times 0", "where"],
)
@pytest.mark.parametrize(
    "fn", [np.sqrt, np.log, lambda x: 1 / x, lambda x: x**-0.5], ids=["sqrt", "log", "1/x", "x**-.5"]
)
def test_zero_upstream_gradient_by_any_way(choose, fn):
    x = leaf([0.0, 4.0])
    with np.errstate(all="ignore"):
        got = tg.grad(choose(fn(x)), x)
    assert got[0] == 0
    assert np.isfinite(got[1])
    assert got[1] != 0


def test_a_nonzero_upstream_gradient_is_infinite_where_the_slope_is():
    """The zero rule affects nothing else: an infinite derivative stays infinite for a nonzero upstream gradient."""
    with np.errstate(all="ignore"):
        assert slope(np.sqrt, [0.0]) == np.inf
        assert slope(np.log, [0.0]) == np.inf
        assert np.isnan(slope(np.sqrt, [-1.0]))
        assert np.isnan(slope(lambda x: x * np.log(x), [-1.0]))


@pytest.mark.parametrize(
    ("fn", "x", "second"),
    [
        (lambda x: (np.sqrt(x) - 1) ** 2, 1.0, 0.5),
        (lambda x: (np.log(x)) ** 2, 1.0, 2.0),
        (lambda x: (1 / x - 0.5) ** 2, 2.0, 2 / 16),
        (lambda x: (x**1.5 - 8) ** 2, 4.0, 18.0),
        (lambda x: (x ** np.array(1.5) - 8) ** 2, 4.0, 18.0),
        (lambda x: np.square(x * np.exp(x) - 0.0), 0.0, 2.0),
        (lambda x: (np.std(x * np.array([1.0, 3])) - 1) ** 2, 1.0, 2.0),
    ],
    ids=["sqrt", "log", "1/x", "x**1.5", "x**array", "x exp x", "std"],
)
def test_second_derivative_where_the_upstream_gradient_is_zero(fn, x, second):
    """At a regular point the outer derivative may be 0 by chance: its own derivative must survive the zero rule."""
    first, got = slopes(fn, x)
    np.testing.assert_allclose(first, 0, atol=1e-12)
    np.testing.assert_allclose(got, second, rtol=1e-12)
