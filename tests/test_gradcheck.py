"""gradcheck itself: it passes for right gradients, and fails for wrong ones."""
# ruff: noqa: E501  (tables with one row per line)

import re

import numpy as np
import pytest

import tensorgrad as tg

X = np.array([[0.5, -1.5, 2.0], [1.0, 0.25, -0.75]])
V = np.array([0.5, 1.5, -1.0])


def function(forward, *vjps):
    """A function with these gradient rules."""
    new = tg.primitive(forward)
    tg.rule(new, *vjps)
    return new


def overwriting(index):
    """A rule that returns the right gradient of a square and then writes to its input."""

    def vjp(g, ans, x):
        gradient = 2 * g * x
        (g, ans, x)[index][...] = 0
        return gradient

    return vjp


def noisy():
    rng = np.random.default_rng(0)
    return lambda x: x * rng.standard_normal()


def detached_second(g, ans, x):
    """The first derivative is right; the second is wrong, since the factor is not recorded."""
    return g * 3 * (x.detach().data if isinstance(x, tg.Tensor) else x) ** 2


# fmt: off
WRONG_FIRST = [
    # name                 f                                                                            inputs
    ("sign",               function(np.sin, lambda g, ans, x: -g * np.cos(x)),                          [X]),
    ("factor",             function(lambda x: x * x, lambda g, ans, x: g * x),                          [X]),
    ("a millionth part",   function(lambda x: x * x, lambda g, ans, x: g * x * 2.0002),                 [X]),
    ("one element",        function(lambda x: x * x, lambda g, ans, x: g * (2 * x + (x == 2.0))),       [X]),
    ("zero",               function(lambda x: x * x, lambda g, ans, x: g * 0),                          [X]),
    ("forgets g",          function(lambda x: x * x, lambda g, ans, x: 2 * x),                          [X]),
    ("one input of two",   function(lambda x, y: x * y, lambda g, ans, x, y: g * y, lambda g, ans, x, y: g * y), [X, X + 1]),
    ("None for a slope",   function(lambda x, y: x * y, lambda g, ans, x, y: g * y, None),              [X, X + 1]),
    ("axis",               function(lambda x: x.cumsum(0), lambda g, ans, x: g[:, ::-1].cumsum(1)[:, ::-1]), [X]),
    ("broadcast axis",     function(lambda x: x.sum(1), lambda g, ans, x: np.broadcast_to(np.sum(g), x.shape)), [X]),
    ("transposed",         function(lambda x: x.T, lambda g, ans, x: np.reshape(g, x.shape)),           [X]),
    ("mean for sum",       function(lambda x: x.sum(), lambda g, ans, x: g / x.size),                   [X]),
    ("permuted",           function(lambda x: x[::-1] * 1, lambda g, ans, x: g),                        [X]),
    ("NaN",                function(lambda x: x * x, lambda g, ans, x: np.where(x > 1, np.nan, 2 * g * x)), [X]),
    ("inf",                function(lambda x: x * x, lambda g, ans, x: np.where(x > 1, np.inf, 2 * g * x)), [X]),
    ("second output",      lambda x: (x * x, function(np.exp, lambda g, ans, x: g)(x)),                 [X]),
    ("detached in f",      lambda x: x * x.detach(),                                                    [X]),
    ("constant in f",      lambda x: tg.Tensor(x.data * 2) * x,                                         [X]),
    ("no gradient at all", lambda x: tg.Tensor(x.data**2),                                              [X]),
    ("0-d",                function(lambda x: x * x, lambda g, ans, x: g),                              [np.array(1.5)]),
    ("kink",               np.abs,                                                                      [np.array([1.0, 1e-8])]),
]

WRONG_SECOND = [
    ("detached",           function(lambda x: x**3, detached_second),                                   [V]),
    ("rounded factor",     function(np.sin, lambda g, ans, x: g * np.cos(x.data if isinstance(x, tg.Tensor) else x)), [V]),
    ("answer off the tape", function(np.exp, lambda g, ans, x: g * (ans.data if isinstance(ans, tg.Tensor) else ans)), [V]),
    ("g off the tape",     function(lambda x: x**2, lambda g, ans, x: (g.data if isinstance(g, tg.Tensor) else g) * 2 * x), [V]),
    ("wrong inner rule",   lambda x: function(lambda x: x**2, lambda g, ans, x: 2 * g * wrong_copy(x))(x), [V]),
]
# fmt: on

wrong_copy = function(lambda x: x + 0.0, lambda g, ans, x: -g)


@pytest.mark.parametrize(
    ("f", "inputs"),
    [
        (np.tanh, X),
        pytest.param(lambda x, y: x @ y, [X, V], id="x @ y"),
        pytest.param(lambda x: (np.exp(x), np.sum(x), x[0]), X, id="(exp(x), sum(x), x[0]) X"),
        pytest.param(lambda x, i: x[i], [X, np.array([0, 1, 1])], id="x[i]"),
        pytest.param(lambda x, mask: np.where(mask, x * x, 0), [X, X > 0], id="where(mask, x * x, 0)"),
        pytest.param(lambda x: x * 0 + 3, X, id="x * 0 + 3 X"),
        pytest.param(lambda x: x, np.array(2.0), id="x array(2.0)"),
        pytest.param(lambda x: np.sum(x), np.zeros((0, 3)), id="sum(x) zeros((0, 3))"),
        pytest.param(lambda x: np.exp(x) * 1e6, V, id="exp(x) * 1000000.0 V"),
        pytest.param(lambda *x: sum(x[1:], x[0]), (X, V, np.array(1.0)), id="sum(x[1:], x[0]) (X, V, array(1.0))"),
        pytest.param(lambda x: x * x, tg.Tensor(X), id="x * x Tensor(X)"),
        pytest.param(lambda x, y: x * 2, [X, V], id="x * 2"),  # an input that is not used
        pytest.param(
            lambda x: (x * x, tg.Tensor(np.ones(2))), X, id="(x * x, Tensor(ones(2))) X"
        ),  # an output that does not depend
    ],
)
def test_right_gradients_pass(f, inputs):
    assert tg.gradcheck(f, inputs) is True
    assert tg.gradgradcheck(f, inputs) is True


@pytest.mark.parametrize(("name", "f", "inputs"), WRONG_FIRST, ids=[row[0] for row in WRONG_FIRST])
def test_fails_on_a_wrong_gradient(name, f, inputs):
    with np.errstate(all="ignore"), pytest.raises(tg.GradcheckError, match="analytic"):
        tg.gradcheck(f, inputs)


@pytest.mark.parametrize(("name", "f", "inputs"), WRONG_SECOND, ids=[row[0] for row in WRONG_SECOND])
def test_fails_on_a_wrong_second_derivative_only(name, f, inputs):
    assert tg.gradcheck(f, inputs)
    with pytest.raises(tg.GradcheckError):
        tg.gradgradcheck(f, inputs)


@pytest.mark.parametrize("index", [0, 1, 2], ids=["g", "ans", "x"])
def test_fails_on_a_rule_that_writes_to_what_it_is_given(index):
    f = function(lambda x: x * x, overwriting(index))
    with pytest.raises(tg.GradcheckError, match=r"writes to an array.*(<lambda>|input 1)"):
        tg.gradcheck(f, X)
    with pytest.raises((tg.GradcheckError, RuntimeError)):
        tg.gradgradcheck(f, X)


def test_fails_on_an_in_place_operation_in_a_rule():
    def vjp(g, ans, x):
        g *= 2 * x
        return g

    with pytest.raises(tg.GradcheckError, match="writes to an array"):
        tg.gradcheck(function(lambda x: x * x, vjp), X)


def test_fails_on_a_function_that_draws():
    with pytest.raises(tg.GradcheckError, match="random generator"):
        tg.gradcheck(noisy(), X)
    with pytest.raises(tg.GradcheckError):
        tg.gradgradcheck(noisy(), X)


def test_fails_on_a_function_that_leaves_the_tape():
    for f in (lambda x: x.data * 2, lambda x: np.sum(x).item(), lambda x: (x, x.data), lambda x: None):
        for check in (tg.gradcheck, tg.gradgradcheck):
            with pytest.raises(tg.GradcheckError, match=r"must return tensors.*from the inputs"):
                check(f, X)


@pytest.mark.parametrize("check", [tg.gradcheck, tg.gradgradcheck])
def test_never_passes_without_having_checked_anything(check):
    for nothing in ([], np.array([1, 2, 3]), [np.array([True])]):
        with pytest.raises(TypeError, match="float64"):
            check(lambda *x: tg.Tensor(1.0), nothing)
    with pytest.raises(tg.GradcheckError, match="nothing"):
        check(lambda x: (), X)


@pytest.mark.parametrize("check", [tg.gradcheck, tg.gradgradcheck])
@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.longdouble, complex])
def test_refuses_what_is_not_float64(check, dtype):
    with pytest.raises(TypeError, match=r"float64.*input 2"):
        check(lambda x, y: x * y, [X, X.astype(dtype)])


def test_the_message_has_both_numbers_and_the_worst_index():
    f = function(lambda x: x * x, lambda g, ans, x: g * (2 * x + 1000.0 * (x == 0.25) + 0.01 * (x > 1)))
    direction = np.random.default_rng(0).standard_normal(X.shape)
    with pytest.raises(tg.GradcheckError) as caught:
        tg.gradcheck(lambda k, x: f(x) + 0 * k, [np.zeros(3), X])
    message = str(caught.value)
    assert "input 2" in message
    assert "2 of 6" in message
    assert "(1, 1)" in message
    analytic, numeric = map(float, re.search(r"analytic (\S+), numeric (\S+)", message).groups())
    np.testing.assert_allclose(analytic, direction[1, 1] * 1000.5)
    np.testing.assert_allclose(numeric, direction[1, 1] * 0.5, rtol=1e-6)


def test_inputs_are_left_alone_and_errors_pass_through():
    x = X.copy()
    assert tg.gradcheck(np.exp, x)
    np.testing.assert_array_equal(x, X)
    assert x.flags.writeable
    with pytest.raises(ZeroDivisionError):
        tg.gradcheck(lambda x: x * (1 / 0), X)
    with pytest.raises(ZeroDivisionError):
        tg.gradcheck(function(lambda x: x * 1, lambda g, ans, x: 1 / 0), X)
    np.sum(tg.Tensor(X, requires_grad=True)).backward()  # rules get writable arrays again


def test_tolerances_and_step_are_settings():
    rough = function(np.exp, lambda g, ans, x: g * ans * 1.001)
    with pytest.raises(tg.GradcheckError):
        tg.gradcheck(rough, X)
    assert tg.gradcheck(rough, X, rtol=1e-2)
    assert tg.gradcheck(rough, X, atol=1.0)
    with pytest.raises(tg.GradcheckError):
        tg.gradcheck(np.exp, X, eps=0.3)
