"""Powers of zero, ties with an initial value, and exponential functions far below zero."""

import itertools

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.rules.norms import even_power, odd_power
from tests.helpers import derivatives, leaf, right_or_nan

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's, for divisions by zero
INF = np.inf


@pytest.mark.parametrize("order", [1, 2, 2.5, 3, 4])
def test_powers_of_magnitudes(order):
    """Those that the derivatives of norms consist of: ``|x| ** order``, and the same with the sign of ``x``."""
    x = np.array([[-1.3, 0.4, 2.0], [0.7, -2.1, 1.1]])
    size, sign = np.abs(x), np.sign(x)
    for power, signs in ((even_power, [np.ones(x.shape), sign]), (odd_power, [sign, np.ones(x.shape)])):
        t = leaf(x)
        first = tg.grad(np.sum(power(t, order=order)), t, create_graph=True)
        second = tg.grad(np.sum(np.sin(first)), t)
        np.testing.assert_allclose(power(x, order=order), signs[0] * size**order, rtol=1e-14)
        np.testing.assert_allclose(first.data, order * signs[1] * size ** (order - 1), rtol=1e-14)
        curvature = order * (order - 1) * signs[0] * size ** (order - 2)
        np.testing.assert_allclose(second, np.cos(first.data) * curvature, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("power", [np.power, np.float_power])
def test_powers_of_zero(power):
    """The Hessian of ``x ** y`` at (0, 1) is 0, -inf; -inf, 0: right, or NaN."""
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


# ------------------------------------------------------------------------------------------------ ties


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
