"""Differential equations as in `scipy.integrate`, compared with SciPy's values and closed forms."""

import numpy as np
import pytest
import scipy.integrate as si

import tensorgrad as tg
import tensorgrad.scipy.integrate as ours
from tests.helpers import leaf

TIGHT = {"rtol": 1e-10, "atol": 1e-12}


def pendulum(t, y, k):
    return [y[1], -k * np.sin(y[0]) - 0.1 * t * y[1]]


def decay(t, y, k):
    return -k * y


@pytest.mark.parametrize("method", ["RK45", "RK23"])
@pytest.mark.parametrize(
    ("span", "points"),
    [((0.0, 3.0), None), ((0.0, 3.0), 5), ((2.0, -1.0), None), ((2.0, -1.0), 7), ((1.0, 1.0), None)],
)
def test_values_are_scipys(method, span, points):
    y0, t_eval = np.array([1.0, 0.2]), None if points is None else np.linspace(*span, points)
    for options in ({}, {"rtol": 1e-6, "atol": 1e-8, "max_step": 0.3, "first_step": None}):
        expected = si.solve_ivp(pendulum, span, y0, method=method, t_eval=t_eval, args=(2.0,), **options)
        found = ours.solve_ivp(pendulum, span, y0, method, t_eval, (2.0,), **options)
        of_tensors = ours.solve_ivp(pendulum, span, leaf(y0), method, t_eval, (leaf(2.0),), **options)
        assert isinstance(found.y, np.ndarray)
        assert found.success
        np.testing.assert_array_equal(found.t, expected.t)
        np.testing.assert_allclose(found.y, expected.y, rtol=1e-13, atol=1e-14)
        np.testing.assert_allclose(of_tensors.y.data, expected.y, rtol=1e-13, atol=1e-14)
        assert of_tensors.y.requires_grad


@pytest.mark.parametrize("times", [[0, 0.5, 2.0], [1.0, 0.0, -1.0], [0.0, 0.0, 1.0, 1.0], [0.3]])
def test_odeint_agrees_with_scipys(times):
    for y0 in ([1.0, 0.2], [0.5, -0.3]):
        expected = si.odeint(pendulum, y0, times, args=(2.0,), tfirst=True)
        found = ours.odeint(pendulum, np.array(y0), times, args=(2.0,), tfirst=True)
        np.testing.assert_allclose(found, expected, atol=2e-7)
        np.testing.assert_array_equal(ours.odeint(lambda y, t: pendulum(t, y, 2.0), leaf(y0), times).data, found)
    assert ours.odeint(lambda y, t: -y, 1.0, times).shape == (len(times), 1)


SOLVERS = {
    "odeint": lambda f, y0, k, t: ours.odeint(f, y0, t, args=(k,), tfirst=True, **TIGHT)[-1],
    "RK45": lambda f, y0, k, t: ours.solve_ivp(f, t[[0, -1]], y0, args=(k,), **TIGHT).y[:, -1],
    "RK45 t_eval": lambda f, y0, k, t: ours.solve_ivp(f, t[[0, -1]], y0, "RK45", t, (k,), **TIGHT).y[:, -1],
    "RK23": lambda f, y0, k, t: ours.solve_ivp(f, t[[0, -1]], y0, "RK23", args=(k,), rtol=1e-7, atol=1e-9).y[:, -1],
}


@pytest.mark.parametrize("solve", SOLVERS.values(), ids=SOLVERS)
def test_derivatives_of_orders_one_and_two_are_those_of_the_closed_form(solve):
    t, y0, k = np.array([0.0, 0.4, 1.5]), np.array([1.0, 0.3]), np.array(0.7)

    def exact(y0, k):
        return y0 * np.exp(-k * t[-1])

    def found(y0, k):
        return solve(decay, y0, k, t)

    np.testing.assert_allclose(found(y0, k), exact(y0, k), rtol=1e-6)
    for value, expected in zip(tg.jacobian(found, y0, k), tg.jacobian(exact, y0, k), strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-6, atol=1e-8)

    def twice(f):
        return tg.hessian(lambda k: np.sum(np.square(f(y0, k))), k)

    np.testing.assert_allclose(twice(found), twice(exact), rtol=1e-6)


@pytest.mark.parametrize("solve", SOLVERS.values(), ids=SOLVERS)
def test_a_nonlinear_equation_against_differences(solve):
    t = np.array([0.0, 0.2, 0.5])
    assert tg.gradcheck(lambda y0, k: solve(pendulum, y0, k, t), [np.array([1.0, 0.2]), np.array(2.0)],
                        eps=1e-4, rtol=1e-3)  # fmt: skip


def test_what_the_right_hand_side_uses_gets_a_gradient():
    """A weight in the closure."""
    w = leaf([[0.0, 1.0], [-1.0, 0.0]])
    y = ours.odeint(lambda y, t: w @ y, np.array([1.0, 0.0]), [0, 1.0])
    np.testing.assert_allclose(y.data[-1], [np.cos(1), -np.sin(1)], rtol=1e-6)
    assert np.all(tg.grad(y[-1, 0], w) != 0)


WRONG = [
    (lambda t: ours.solve_ivp(decay, (0, 1), t, "LSODA", args=(1,)), ValueError, "method must be"),
    (lambda t: ours.solve_ivp(decay, (0, 1), t, args=(1,), events=None), TypeError, "events"),
    (lambda t: ours.solve_ivp(decay, (0, 1), t[0], args=(1,)), ValueError, r"vector \(N,\)"),
    (lambda t: ours.solve_ivp(decay, t, np.ones(2), args=(1,)), tg.NoRuleError, "rule for times"),
    (lambda t: ours.solve_ivp(decay, (0, 1), np.ones(2), args=t[0]), TypeError, "args must be a tuple .* got Tensor"),
    (lambda t: ours.odeint(decay, t, [0, 1.0], 2.0), TypeError, r"args must be a tuple .* write \(x,\)"),
    (lambda t: ours.solve_ivp(lambda s, y: y[:1], (0, 1), t), ValueError, "must return 2 derivatives"),
    (lambda t: ours.odeint(lambda y, s: y, t, t), tg.NoRuleError, "rule for times"),
    (lambda t: ours.odeint(lambda y, s: y, t, [0, 1, 0.5]), ValueError, "increases or decreases"),
    (lambda t: ours.odeint(lambda y, s: y, t[None], [0, 1]), ValueError, r"vector \(N,\)"),
    (lambda t: ours.odeint(lambda y, s: y * y, t, [0, 3]), RuntimeError, "step size"),
]


@pytest.mark.parametrize(("f", "error", "words"), WRONG)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_bad_input(f, error, words):
    with pytest.raises(error, match=words) as caught:
        f(leaf([1.0, 2.0]))
    assert "\n" not in str(caught.value)


def test_no_further_arguments_may_be_written_as_in_scipy():
    y = [solve(args) for args in (None, ()) for solve in (
        lambda args: ours.solve_ivp(lambda t, y: -y, (0, 1), leaf([1.0]), args=args).y[0, -1].item(),
        lambda args: ours.odeint(lambda y, t: -y, leaf([1.0]), [0, 1.0], args)[1, 0].item(),
    )]  # fmt: skip
    np.testing.assert_allclose(y, np.exp(-1), rtol=1e-3)


def test_times_that_are_not_reached_are_left_out():
    """As in SciPy: of an integration that fails, and of an interval of no length."""
    found = ours.solve_ivp(lambda t, y: y * y, (0, 3), leaf([1.0]), t_eval=[0.0, 0.5, 2.0])
    assert (found.status, found.t.tolist(), found.y.shape) == (-1, [0.0, 0.5], (1, 2))
    assert ours.solve_ivp(lambda t, y: y, (1, 1), leaf([1.0]), t_eval=[1.0]).y.shape == (1, 0)
