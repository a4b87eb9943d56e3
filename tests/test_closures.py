"""Nested derivatives are recorded if something outside is tracked: an input, a variable of a closure or a seed."""
# ruff: noqa: E501  (tables with one row per line)

import numpy as np
import pytest

import tensorgrad as tg
from tests.helpers import each, leaf

XS = np.array([1.0, 2.0, -0.5])


# Each takes a number `a` and returns a number computed from a derivative of a function of x with `a` in its closure.
# fmt: off
INNER = {  # name: (function of a, its derivative)
    "jacobian": (lambda a: np.sum(tg.jacobian(lambda x: a * x**2, XS)),                    lambda a: 2 * XS.sum()),
    "jacobian nonlinear": (lambda a: np.sum(tg.jacobian(lambda x: np.exp(a * x), XS)),     lambda a: np.sum((1 + a * XS) * np.exp(a * XS))),
    "hessian": (lambda a: np.sum(tg.hessian(lambda x: np.sum(a**2 * x**3), XS)),           lambda a: 12 * a * XS.sum()),
    "hvp": (lambda a: np.sum(tg.hvp(lambda x: np.sum(a**2 * x**3), XS, np.ones(3))),       lambda a: 12 * a * XS.sum()),
    "jvp": (lambda a: np.sum(tg.jvp(lambda x: np.sin(a * x), XS, np.ones(3))[1]),          lambda a: np.sum(np.cos(a * XS) - a * XS * np.sin(a * XS))),
    "jvp value": (lambda a: np.sum(tg.jvp(lambda x: np.sin(a * x), XS, np.ones(3))[0]),    lambda a: np.sum(XS * np.cos(a * XS))),
    "vjp": (lambda a: np.sum(tg.vjp(lambda x: np.sin(a * x), XS)[1](np.ones(3))),          lambda a: np.sum(np.cos(a * XS) - a * XS * np.sin(a * XS))),
    "vjp value": (lambda a: np.sum(tg.vjp(lambda x: np.sin(a * x), XS)[0]),                lambda a: np.sum(XS * np.cos(a * XS))),
    "grad": (lambda a: np.sum(tg.grad(np.sum(np.sin(a * (x := leaf(XS)))), x, create_graph=True)), lambda a: np.sum(np.cos(a * XS) - a * XS * np.sin(a * XS))),
    "cotangent": (lambda a: np.sum(tg.vjp(lambda x: x**3, XS)[1](a * np.ones(3))),         lambda a: np.sum(3 * XS**2)),
    "tangent": (lambda a: np.sum(tg.jvp(lambda x: x**3, XS, a * np.ones(3))[1]),           lambda a: np.sum(3 * XS**2)),
    "vector": (lambda a: np.sum(tg.hvp(lambda x: np.sum(x**3), XS, a * np.ones(3))),       lambda a: np.sum(6 * XS)),
    "grad_outputs": (lambda a: np.sum(tg.grad((x := leaf(XS))**3, x, a * np.ones(3))),     lambda a: np.sum(3 * XS**2)),
    "both": (lambda a: np.sum(tg.vjp(lambda x: a * x**3, XS)[1](a * np.ones(3))),          lambda a: np.sum(6 * a * XS**2)),
    "input": (lambda a: np.sum(tg.jacobian(lambda x: x**3, a * XS)),                       lambda a: np.sum(6 * a * XS**2)),
    "input and closure": (lambda a: np.sum(tg.jacobian(lambda x: a * x**3, a * XS)),       lambda a: np.sum(9 * a**2 * XS**2)),
    "not used": (lambda a: np.sum(tg.jacobian(lambda x: x**2, XS)) + a,                    lambda a: 1.0),
}
OUTER = {  # name: the derivative at a number
    "backward": lambda f, a: _backward(f, a),
    "grad":     lambda f, a: tg.grad(f(x := leaf(a)), x),
    "vjp":      lambda f, a: tg.vjp(f, a)[1](),
    "jvp":      lambda f, a: tg.jvp(f, np.array(a), np.array(1.0))[1],
    "jacobian": lambda f, a: tg.jacobian(f, np.array(a)),
}
# fmt: on


def _backward(f, a):
    x = leaf(a)
    f(x).backward()
    return x.grad


@each("outer", OUTER)
@each("inner", INNER)
def test_the_derivative_of_a_derivative_with_a_closure(outer, inner):
    f, slope = INNER[inner]
    np.testing.assert_allclose(OUTER[outer](f, 1.3), slope(1.3), rtol=1e-12)


@pytest.mark.parametrize("inner", INNER)
def test_a_closure_under_gradcheck_and_to_second_order(inner):
    f, slope = INNER[inner]
    second = tg.hessian(f, np.array(1.3)) if inner != "not used" else 0.0
    numeric = (slope(1.3 + 1e-5) - slope(1.3 - 1e-5)) / 2e-5
    np.testing.assert_allclose(second, numeric, rtol=1e-7, atol=1e-7)
    assert tg.gradcheck(f, [np.array(1.3)])


def test_the_example():
    xs = np.array([1.0, 2.0])
    assert tg.vjp(lambda a: np.sum(tg.jacobian(lambda x: a * x**2, xs)) + a, 3.0)[1]() == 7


def test_two_levels_of_closures():
    """d/da d/db d/dx of a b^2 x^3, each inside the next."""

    def of_b(a):
        return lambda b: tg.jacobian(lambda x: a * b**2 * x**3, np.array(2.0))  # 3 a b^2 x^2

    def of_a(a):
        return tg.vjp(of_b(a), np.array(3.0))[1]()  # 6 a b x^2

    np.testing.assert_allclose(tg.vjp(of_a, np.array(5.0))[1](), 6 * 3 * 4)
    a = leaf(5.0)
    of_a(a).backward()
    np.testing.assert_allclose(a.grad, 6 * 3 * 4)
    np.testing.assert_allclose(tg.hessian(lambda a: of_a(a) * a, np.array(5.0)), 2 * 6 * 3 * 4)


def test_results_that_depend_on_nothing_outside_are_arrays():
    for found in (
        tg.jacobian(lambda x: x**2, XS),
        tg.hessian(lambda x: np.sum(x**2), XS),
        tg.hvp(lambda x: np.sum(x**2), XS, XS),
        tg.jvp(np.sin, XS, XS)[1],
        tg.vjp(np.sin, XS)[1](XS),
    ):
        assert type(found) is np.ndarray
    frozen = tg.Tensor(2.0)
    assert type(tg.jacobian(lambda x: frozen * x, XS)) is np.ndarray


def test_under_no_grad_nothing_outside_is_recorded():
    a = leaf(1.3)
    with tg.no_grad():
        for found in (
            tg.jacobian(lambda x: a * x**2, XS),
            tg.hessian(lambda x: np.sum(a * x**2), XS),
            tg.hvp(lambda x: np.sum(a * x**2), XS, XS),
            tg.jvp(lambda x: a * x, XS, XS)[1],
            tg.vjp(lambda x: a * x, XS)[1](XS),
            tg.vjp(lambda x: x**2, XS)[1](a * np.ones(3)),
        ):
            assert not isinstance(found, tg.Tensor) or not found.requires_grad
    np.testing.assert_allclose(tg.jacobian(lambda x: a * x**2, XS).data, np.diag(2 * 1.3 * XS))


def test_the_parameters_of_a_model_in_the_closure():
    """A gradient penalty on the inputs, with respect to the weights, against finite differences."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4, 3))

    def penalty(weight, bias):
        model = tg.nn.Sequential([tg.nn.Linear(3, 2, rng, dtype=float), np.tanh])
        model.layers[0].weight, model.layers[0].bias = weight, bias
        return np.sum(tg.jacobian(lambda x: np.sum(model(x) ** 2), x) ** 2)

    assert tg.gradcheck(penalty, [rng.standard_normal((3, 2)), rng.standard_normal(2)])


def test_parameters_get_their_gradients_by_backward():
    model = tg.nn.Linear(3, 1, np.random.default_rng(0), dtype=float)
    slope = tg.jacobian(lambda x: np.sum(model(x) ** 2), XS)  # 2 (x w + b) w
    np.sum(slope).backward()
    w, b = model.weight.data, model.bias.data
    np.testing.assert_allclose(model.bias.grad, [2 * w.sum()])
    np.testing.assert_allclose(model.weight.grad, 2 * XS[:, None] * w.sum() + 2 * (XS @ w + b))


def test_a_pullback_can_be_called_again_with_other_seeds():
    a = leaf(2.0)
    _, pullback = tg.vjp(lambda x: a * x**2, XS)
    for seed in (np.ones(3), XS):
        np.testing.assert_allclose(tg.grad(np.sum(pullback(seed)), a, retain_graph=True), np.sum(2 * XS * seed))
    s = leaf(np.ones(3))
    np.testing.assert_allclose(tg.grad(np.sum(pullback(s)), [a, s])[1], 2 * 2 * XS)
