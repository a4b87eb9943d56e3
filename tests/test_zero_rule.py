"""The zero rule: the gradient of elements that are not selected is zero, whatever their values."""

import functools

import numpy as np
import pytest

import tensorgrad as tg
from tests.helpers import derivatives, leaf, right_or_nan

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's, for divisions by zero
NAN, INF = np.nan, np.inf


# Elementwise functions, with points that are singular or outside their domain; 0.5 is a regular point.
# fmt: off
OF_ELEMENTS = {
    "sqrt": (np.sqrt, [0, -1, NAN]),
    "cbrt": (np.cbrt, [0, NAN]),
    "log": (np.log, [0, -1]),
    "log2 of sqrt": (lambda x: np.log2(np.sqrt(x)), [0, -1]),
    "log1p": (lambda x: np.log1p(-x), [1, 2]),
    "1 / x": (lambda x: 1 / x, [0]),
    "x / x": (lambda x: x / x, [0, NAN]),
    "reciprocal": (np.reciprocal, [0]),
    "x**.5": (lambda x: x**0.5, [0, -1]),
    "x**1.5": (lambda x: x**1.5, [0, -1]),
    "x**-1": (lambda x: x**-1.0, [0]),
    "x**[.5]": (lambda x: x ** np.array([0.5]), [0, -1]),
    "x**x": (lambda x: x**x, [0, -1.5]),
    "float_power": (lambda x: np.float_power(x, 0.5), [0, -1]),
    "arcsin": (np.arcsin, [1, -1, 2]),
    "arccos": (np.arccos, [1, -1, 2]),
    "arccosh": (lambda x: np.arccosh(2 * x), [0.5 - 1e-17, 0]),
    "arctanh": (np.arctanh, [1, -1, 2]),
    "arctan2": (lambda x: np.arctan2(x, x), [0, NAN]),
    "hypot": (lambda x: np.hypot(x, 2 * x), [0, NAN]),
    "abs": (np.abs, [0, NAN]),
    "maximum": (lambda x: np.maximum(x, -x), [0, NAN]),
    "minimum": (lambda x: np.minimum(x, -x), [0, NAN]),
    "fmax": (lambda x: np.fmax(x, -x), [0]),
    "fmin": (lambda x: np.fmin(x, -x), [0]),
    "fabs": (np.fabs, [0, NAN]),
    "abs**1.5": (lambda x: np.abs(x) ** 1.5, [0, NAN]),
    "complex abs": (lambda x: np.abs(x * (1 + 2j)), [0, NAN]),
    "angle": (lambda x: np.angle(x * (1 + 2j)), [0, NAN]),
    "logaddexp": (lambda x: np.logaddexp(np.log(x), np.log(2 * x)), [0, -1]),
    "sigmoid(log)": (lambda x: tg.sigmoid(np.log(x)), [0, -1]),
    "softsign": (tg.softsign, [0, NAN]),
    "elu": (lambda x: tg.elu(np.log(x)), [0, -1]),
    "exp(1/x)": (lambda x: np.exp(-1 / x), [0]),
    "sqrt of sum": (lambda x: np.sqrt(np.sum(np.stack([x, x]) ** 2, axis=0)), [0, NAN]),
}



def overwritten(y):
    y = y.copy()
    y[0] = 5.0
    return y


LEAVES_OUT = {
    "where": lambda y: np.where([False, True], y, 0),
    "other branch": lambda y: np.where([True, False], 3.0, y),
    "index": lambda y: y[1],
    "mask": lambda y: y[np.array([False, True])],
    "take": lambda y: np.take(y, [1, 1]),
    "zero factor": lambda y: np.array([0.0, 1.0]) * y,
    "weights @": lambda y: np.array([0.0, 1.0]) @ y,
    "einsum": lambda y: np.einsum("i,i", y, np.array([0.0, 1.0])),
    "put together": lambda y: np.concatenate([y[1:], y[1:]]),
    "overwritten": overwritten,
    "sum where": lambda y: np.sum(y, where=np.array([False, True])),
}
# fmt: on


def unchanged(y):
    return y


@functools.cache
def derivatives_alone(name, twice, then):
    """The derivatives with only the selected element, as a vector; it may be selected twice."""
    fn = OF_ELEMENTS[name][0]
    return derivatives(lambda x: then(np.concatenate([fn(x)] * 2) if twice else fn(x)), [0.6], 2)


WAYS = [  # a sixth of the pairs is in the default suite: each function in about two ways, each way several times
    pytest.param(name, way, marks=pytest.mark.slow if (i + k) % 6 else [])
    for i, name in enumerate(OF_ELEMENTS)
    for k, way in enumerate(LEAVES_OUT)
]


@pytest.mark.parametrize(("name", "way"), WAYS)
def test_elements_that_are_not_selected_have_gradient_zero(name, way):
    """Up to second order; selected elements have the same derivatives as alone."""
    fn, points = OF_ELEMENTS[name]
    for bad in points:
        x = np.array([bad, 0.6])
        infinite = way in ("zero factor", "weights @", "einsum") and not np.isfinite(fn(x)).all()
        for then in (unchanged,) if infinite else (unchanged, np.square):  # the value is NaN, but not its gradient
            first, second = derivatives(lambda x, then=then: then(LEAVES_OUT[way](fn(x))), x, 2)
            alone = derivatives_alone(name, way in ("take", "put together"), then)
            message = f"{then.__name__} at {bad}"
            np.testing.assert_allclose(first, [0, alone[0].item()], rtol=1e-12, atol=1e-14, err_msg=message)
            np.testing.assert_allclose(second, [[0, 0], [0, alone[1].item()]], rtol=1e-11, atol=1e-14, err_msg=message)


@pytest.mark.parametrize("name", OF_ELEMENTS)
def test_rows_of_a_jacobian_do_not_disturb_each_other(name):
    """The seed of a row is 1 at one element, so a singular point at another element has no effect."""
    fn, points = OF_ELEMENTS[name]
    for bad in points:
        jacobian = tg.jacobian(fn, np.array([bad, 0.6]))
        assert jacobian[1, 0] == 0
        assert np.isfinite(jacobian[1, 1])
        by_product = tg.vjp(fn, np.array([bad, 0.6]))[1](np.array([0.0, 1.0]))
        np.testing.assert_array_equal(np.ravel(by_product), jacobian[1])


OF_ROWS = {
    **{
        f"norm {p}": (lambda x, p=p: np.linalg.norm(x, p, axis=1), [[0, 0, 0], [NAN, 1, 2]])
        for p in (None, 1, 1.5, 3, 0.5, -1, INF, -INF)
    },
    "std": (lambda x: np.std(x, axis=1), [[1, 1, 1], [NAN, 1, 2], [INF, 1, 2]]),
    "std where": (lambda x: np.std(x, axis=1, where=[True, True, False]), [[1, 1, 2], [NAN, 1, 2]]),
    "nanstd": (lambda x: np.nanstd(x, axis=1), [[1, 1, 1], [NAN, 1, 1]]),
    "prod of roots": (lambda x: np.prod(np.sqrt(x), axis=1), [[0, 0, 1], [-1, 1, 2]]),
    "logsumexp": (lambda x: tg.logsumexp(x, axis=1), [[-INF, -INF, -INF], [NAN, 1, 2]]),
    "logsumexp of log": (lambda x: tg.logsumexp(np.log(x), axis=1), [[0, 0, 0], [0, 1, 2], [-1, 1, 2]]),
    "cosine": (lambda x: x[:, 0] / np.linalg.norm(x, axis=1), [[0, 0, 0]]),
    "max of roots": (lambda x: np.max(np.sqrt(x), axis=1), [[0, 0, 0], [-1, -1, -1]]),
    "einsum": (lambda x: np.einsum("ij,ij->i", np.sqrt(x), np.log(x)), [[0, 1, 2], [-1, 1, 2]]),
}


@pytest.mark.parametrize("name", OF_ROWS)
def test_rows_that_are_not_selected_have_gradient_zero(name):
    fn, rows = OF_ROWS[name]
    good = [0.5, 1.5, 2.5]
    for bad in rows:
        for pick in (lambda y: np.where([False, True], y, 0), lambda y: y[1], lambda y: y * np.array([0.0, 1.0])):
            first, second = derivatives(lambda x, pick=pick: pick(fn(x)), [bad, good], 2)
            alone = derivatives(fn, [good], 2)
            np.testing.assert_array_equal(first[0], 0)
            np.testing.assert_array_equal(second[0], 0)
            np.testing.assert_array_equal(second[1, :, 0], 0)
            np.testing.assert_allclose(first[1], alone[0][0], rtol=1e-12)
            np.testing.assert_allclose(second[1, :, 1], alone[1][0, :, 0], rtol=1e-11, atol=1e-14)


def test_a_computed_zero_does_not_count_as_unused():
    """Two roots at 0: one is not selected, the other is squared."""
    first = derivatives(lambda x: np.where([True, False], np.sqrt(x) ** 2, np.sqrt(x)), [0, 4], 1)[0]
    right_or_nan(first[0], 1)
    assert first[1] == 0.25
    first = derivatives(lambda x: np.where([False, True], np.sqrt(x) ** 2, 0), [0, 4], 1)[0]
    np.testing.assert_array_equal(first, [0, 1])


def test_a_zero_factor_that_is_tracked_is_a_computed_zero():
    w, x = leaf([0.0, 1.0]), leaf([0.0, 4.0])
    assert np.isnan(tg.grad(np.sum(w * np.sqrt(x)), x)[0])
    np.testing.assert_array_equal(tg.grad(np.sum(w.data * np.sqrt(x)), x), [0, 0.25])


def test_through_a_checkpoint_it_is_the_same():
    root = tg.checkpoint(lambda x: np.sqrt(x))
    x = np.array([0.0, 4.0])
    got = derivatives(lambda x: np.where(x > 0, root(x), 0), x, 2)
    np.testing.assert_array_equal(got[0], [0, 0.25])
    np.testing.assert_array_equal(got[1], [[0, 0], [0, -1 / 32]])
    for first in (derivatives(lambda x: root(x) ** 2, x, 1)[0], derivatives(lambda x: root(x**2) ** 2, x, 1)[0]):
        assert first[0] != 0  # the limit is 1
    calls = []

    @tg.checkpoint
    def counted(x):
        calls.append(x.shape)
        return np.sqrt(x)

    x = leaf(x)
    np.testing.assert_array_equal(tg.grad(np.sum(np.where(x.data > 0, counted(x), 0)), x), [0, 0.25])
    assert len(calls) <= 3  # once in the forward pass and once for each of two backward passes


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


# ------------------------------------------------------------------------------------------------ large leaves

UNSELECTED = {  # functions of a leaf of zeros, and their gradient; one part is not selected, and has an infinite slope
    "an element": (lambda w: np.where(False, np.sqrt(w[0]), 0.0) + np.sum(w), 1),
    "a sum, first": (lambda w: np.sum(w * 1.0) + np.where(False, np.sqrt(np.sum(w)), 0.0), 1),
    "a sum, last": (lambda w: np.where(False, np.sqrt(np.sum(w)), 0.0) + np.sum(w * np.ones(w.shape)), 1),
    "a mean and a penalty": (lambda w: np.where(False, np.sqrt(np.mean(w)), 0.0) + np.vdot(w, w), 0),
    "a reciprocal": (lambda w: np.where(False, 1 / np.sum(w), 0.0) + np.sum(w * w), 0),
    "a maximum": (lambda w: np.maximum(np.sqrt(np.sum(w)), 1) + np.sum(w * 2 * np.ones(w.shape)), 2),
    "an average": (lambda w: np.where(False, np.sqrt(np.average(w)), 0.0) + np.sum(w), 1),
    "keepdims": (lambda w: np.sum(np.where(False, np.sqrt(np.sum(w, axis=0, keepdims=True)), w)), 1),
    "columns": (lambda w: np.sum(np.where(False, np.sqrt(np.mean(w.reshape(2, -1), axis=1)), 0)) + np.vdot(w, w), 0),
    "a quotient": (lambda w: np.sum(np.where([[False], [True]], w.reshape(2, -1) / [[0.0], [1.0]], 0)), [0, 1]),
    "an outer quotient": (lambda w: np.sum(w.reshape(2, -1) / [[0.0], [1.0]] * [[0.0], [1.0]]), [0, 1]),
}


@pytest.mark.parametrize("n", [9_998, 10_002, 30_000])
@pytest.mark.parametrize("name", UNSELECTED)
def test_what_is_not_selected_has_gradient_zero_in_leaves_of_any_size(name, n):
    fn, slope = UNSELECTED[name]
    expected = np.repeat(np.atleast_1d(slope), n // np.size(slope))
    for gradient in (lambda w: tg.grad(fn)(w.data), lambda w: tg.grad(fn(w), w), backward_of(fn)):
        np.testing.assert_array_equal(gradient(leaf(np.zeros(n))), expected)


def backward_of(fn):
    def gradient(w):
        fn(w).backward()
        return w.grad

    return gradient


PRODUCTS = {  # of a leaf w (60, 200), and of what it is multiplied by
    "x @ w": ((30, 60), lambda w, x: x @ w),
    "many x @ w": ((900, 60), lambda w, x: x @ w),
    "w @ x": ((200, 30), lambda w, x: w @ x),
    "a batch of x @ w": ((5, 6, 60), lambda w, x: x @ w),
    "w @ a batch of x": ((5, 200, 6), lambda w, x: w @ x),
}


@pytest.mark.parametrize("position", [0, 3, -1])
@pytest.mark.parametrize("name", PRODUCTS)
def test_a_product_with_a_value_that_is_not_finite_in_any_row_and_column(name, position):
    """One slope is infinite, and not selected."""
    shape, product = PRODUCTS[name]
    rng = np.random.default_rng(0)
    w, x = leaf(rng.uniform(0.5, 1, (60, 200))), rng.uniform(0.5, 1, shape)
    y = product(w.data, x)
    selected = np.ones(y.shape, bool)
    selected[..., position, position] = False
    shift = np.where(selected, 1, -y)
    np.sum(np.where(selected, np.sqrt(product(w, x) + shift), 0)).backward()
    v = leaf(w.data)
    np.sum(product(v, x) * np.where(selected, 0.5 / np.sqrt(y + 1), 0)).backward()
    np.testing.assert_allclose(w.grad, v.grad, rtol=1e-12)


@pytest.mark.parametrize("n", [10_002, 40_000])
def test_a_quotient_of_a_column_and_a_row_that_is_larger_than_both(n):
    w = leaf(np.zeros((n // 2, 2)))
    column = np.arange(n // 2, dtype=float)[:, None] % 2
    np.sum(np.where(column > 0, w / np.array([[0.0, 2.0]]), 0)[:, 1] * column[:, 0]).backward()
    np.testing.assert_array_equal(w.grad, column * [[0.0, 0.5]])
