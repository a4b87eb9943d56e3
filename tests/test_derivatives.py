"""vjp, jvp, jacobian, hessian, hvp: compared with closed forms, for several and for nested inputs, of any order."""
# ruff: noqa: E501  (tables with one row per line)

from collections import namedtuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad.engine.registry import entries

RNG = np.random.default_rng(0)
A, X, V = RNG.standard_normal((2, 3)), RNG.standard_normal(3), RNG.standard_normal(3)


def tanh_layer(x):
    return np.tanh(A @ x)


def jacobian_of_the_layer(x):
    return (1 - np.tanh(A @ x) ** 2)[:, None] * A


def scalar(x):
    return np.sum(np.exp(x) * x[::-1])


def hessian_of_the_scalar(x):
    n = len(x)
    return np.diag(np.exp(x) * x[::-1]) + (np.exp(x)[:, None] + np.exp(x)[None, :]) * np.eye(n)[::-1]


def test_jacobian_of_a_vector_function():
    np.testing.assert_allclose(tg.jacobian(tanh_layer, X), jacobian_of_the_layer(X), rtol=1e-14)


def test_vjp_is_the_jacobian_from_the_left_and_can_be_called_again():
    outputs, pullback = tg.vjp(tanh_layer, X)
    np.testing.assert_allclose(outputs, np.tanh(A @ X))
    for g in (np.array([1.0, 0.0]), np.array([2.0, -3.0])):
        np.testing.assert_allclose(pullback(g), g @ jacobian_of_the_layer(X), rtol=1e-13)


def test_jvp_is_the_jacobian_from_the_right():
    outputs, pushed = tg.jvp(tanh_layer, X, V)
    np.testing.assert_allclose(outputs, np.tanh(A @ X))
    np.testing.assert_allclose(pushed, jacobian_of_the_layer(X) @ V, rtol=1e-13)


def test_hessian_and_its_products():
    np.testing.assert_allclose(tg.hessian(scalar, X), hessian_of_the_scalar(X), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(tg.hvp(scalar, X, V), hessian_of_the_scalar(X) @ V, rtol=1e-12)


def test_without_inputs_they_are_functions_of_the_first_argument():
    def f(x, y, *, power=1):
        return np.sum((x * y) ** power)

    for derivative in (tg.jacobian, tg.hessian):
        of_first = derivative(f)
        assert of_first.__name__ == "f"
        expected = derivative(lambda x: f(x, V, power=3), X)
        np.testing.assert_array_equal(of_first(X, V, power=3), expected)
    np.testing.assert_allclose(tg.jacobian(tg.jacobian(scalar))(X), hessian_of_the_scalar(X), rtol=1e-12, atol=1e-14)
    y = tg.Tensor(V, requires_grad=True)
    (slope,) = tg.grad([np.sum(tg.jacobian(f)(X, y))], [y])  # of a tensor that is not the first argument
    np.testing.assert_allclose(slope, np.ones(3))


@pytest.mark.parametrize("derivative", [tg.jacobian, tg.hessian, tg.vjp])
def test_a_tensor_in_place_of_a_function_is_refused(derivative):
    t = tg.Tensor(X, requires_grad=True)
    for inputs in ((), (X,)):
        with pytest.raises(TypeError, match=r"must be a function, got Tensor: .* tg\.grad\(outputs, inputs\)"):
            derivative(t, *inputs)


def test_gradient_without_a_seed():
    value, pullback = tg.vjp(scalar, X)
    np.testing.assert_allclose(value, scalar(X))
    np.testing.assert_allclose(pullback(), np.exp(X) * X[::-1] + np.exp(X[::-1]), rtol=1e-13)


def test_several_inputs_give_a_block_for_each():
    def f(w, b):
        return np.tanh(w @ X + b) ** 2

    w, b = A, np.array([0.3, -0.2])
    jw, jb = tg.jacobian(f, w, b)
    assert (jw.shape, jb.shape) == ((2, 2, 3), (2, 2))
    np.testing.assert_allclose(jw, np.einsum("ij,k->ijk", jb, X), rtol=1e-13)
    (hww, hwb), (hbw, hbb) = tg.hessian(lambda w, b: np.sum(f(w, b)), w, b)
    assert (hww.shape, hwb.shape, hbw.shape, hbb.shape) == ((2, 3, 2, 3), (2, 3, 2), (2, 2, 3), (2, 2))
    np.testing.assert_allclose(hwb, np.moveaxis(hbw, 0, -1), rtol=1e-13)
    np.testing.assert_allclose(hwb, np.einsum("ij,k->ikj", hbb, X), rtol=1e-13)
    vw, vb = RNG.standard_normal((2, 3)), RNG.standard_normal(2)
    pw, pb = tg.hvp(lambda w, b: np.sum(f(w, b)), (w, b), (vw, vb))
    np.testing.assert_allclose(pb, np.einsum("jik,ik->j", hbw, vw) + hbb @ vb, rtol=1e-12)
    np.testing.assert_allclose(pw, np.einsum("ikjl,jl->ik", hww, vw) + hwb @ vb, rtol=1e-12)
    _, pushed = tg.jvp(f, (w, b), (vw, vb))
    np.testing.assert_allclose(pushed, np.einsum("ijk,jk->i", jw, vw) + jb @ vb, rtol=1e-12)
    _, pullback = tg.vjp(f, w, b)
    gw, gb = pullback(np.array([1.0, 2.0]))
    np.testing.assert_allclose(
        (gw.sum(), gb.sum()), (np.einsum("ijk,i->", jw, [1, 2]), np.einsum("ij,i->", jb, [1, 2]))
    )


Pair = namedtuple("Pair", "first second")


def test_nested_structures_in_and_out():
    parameters = {"layers": [{"w": A, "b": np.zeros(2)}, {"w": A.T, "b": np.ones(3)}], "scale": np.array(2.0)}

    def f(p):
        h = np.tanh(p["layers"][0]["w"] @ X + p["layers"][0]["b"])
        return Pair(h * p["scale"], {"out": p["layers"][1]["w"] @ h + p["layers"][1]["b"]})

    outputs, pullback = tg.vjp(f, parameters)
    assert isinstance(outputs, Pair)
    gradient = pullback(Pair(np.ones(2), {"out": np.ones(3)}))
    assert gradient["layers"][0]["w"].shape == (2, 3)
    assert gradient["scale"].shape == ()
    blocks = tg.jacobian(f, parameters)
    assert blocks.second["out"]["layers"][1]["b"].tolist() == np.eye(3).tolist()
    assert blocks.first["layers"][1]["b"].tolist() == np.zeros((2, 3)).tolist()  # it does not depend on it
    total = blocks.first["scale"].sum() + blocks.second["out"]["scale"].sum()
    np.testing.assert_allclose(gradient["scale"], total)
    second = tg.hessian(lambda p: np.sum(f(p).second["out"]) ** 2, parameters)
    np.testing.assert_allclose(second["layers"][1]["b"]["layers"][1]["b"], np.full((3, 3), 2.0), rtol=1e-13)


def test_the_jacobian_takes_one_forward_pass_and_one_backward_pass_for_each_output():
    calls = {"forward": 0, "walks": 0}

    @tg.primitive
    def triple(x):
        calls["forward"] += 1
        return x * 3

    def rule(g, ans, x):
        calls["walks"] += 1
        return g * 3

    tg.rule(triple, rule)
    tg.jacobian(lambda x: triple(x)[:4], np.arange(100.0))
    assert calls == {"forward": 1, "walks": 4}


# ------------------------------------------------------------------------------------------------ of any order


def test_they_nest():
    nested = tg.jacobian(lambda x: tg.jacobian(scalar, x), X)
    np.testing.assert_allclose(nested, hessian_of_the_scalar(X), rtol=1e-12, atol=1e-14)
    _, second = tg.jvp(lambda x: tg.jvp(scalar, x, V)[1], X, V)
    np.testing.assert_allclose(second, V @ hessian_of_the_scalar(X) @ V, rtol=1e-12)
    third = tg.jacobian(lambda x: tg.hessian(scalar, x), X)
    along = tg.jvp(lambda x: tg.hvp(scalar, x, V), X, V)[1]
    np.testing.assert_allclose(along, np.einsum("ijk,j,k->i", third, V, V), rtol=1e-12)


def test_only_the_argument_is_differentiated():
    """A tensor that f also uses from its closure is a constant there."""
    x = tg.Tensor(X, requires_grad=True)
    found = tg.jacobian(lambda y: np.sum(x * y), x)
    np.testing.assert_allclose(found.data, X)
    assert found.requires_grad
    np.testing.assert_allclose(tg.grad(np.sum(found * found), x), 2 * X)


def test_a_loss_may_contain_derivatives():
    """The gradient of a Jacobian penalty with respect to a weight in the closure of f."""

    def penalty(w):
        return np.sum(tg.jacobian(lambda x: np.tanh(w @ x), X, create_graph=True) ** 2)

    assert tg.gradcheck(penalty, [A])
    assert tg.gradgradcheck(penalty, [A])


# fmt: off
COMPOSITIONS = [  # a function of one number, and its derivatives of third to fifth order
    ("sin(x) * exp(x)",                           lambda x: np.sin(x) * np.exp(x), lambda x: [2 * np.exp(x) * (np.cos(x) - np.sin(x)), -4 * np.exp(x) * np.sin(x),
                                                 -4 * np.exp(x) * (np.sin(x) + np.cos(x))]),
    ("log(1 + x * x)",                            lambda x: np.log(1 + x * x),     lambda x: [(4 * x**3 - 12 * x) / (1 + x**2) ** 3, -12 * (x**4 - 6 * x**2 + 1) / (1 + x**2) ** 4,
                                                 48 * x * (x**4 - 10 * x**2 + 5) / (1 + x**2) ** 5]),
    ("x ** 4.5 / sqrt(x)",                        lambda x: x**4.5 / np.sqrt(x),   lambda x: [24 * x, 24 + 0 * x, 0 * x]),
    ("1 / (1 - x)",                               lambda x: 1 / (1 - x),           lambda x: [6 / (1 - x) ** 4, 24 / (1 - x) ** 5, 120 / (1 - x) ** 6]),
    ("sigmoid(2 * x)",                            lambda x: tg.sigmoid(2 * x),     lambda x: [8 * _sigmoid(2 * x, 3), 16 * _sigmoid(2 * x, 4), 32 * _sigmoid(2 * x, 5)]),
    ("linalg.det(x * array([[2.0, 1], [1, 3]]) + eye(2)) * x", lambda x: np.linalg.det(x * np.array([[2.0, 1], [1, 3]]) + np.eye(2)) * x, lambda x: [30 + 0 * x, 0 * x, 0 * x]),
    ("einsum('i,i,i->', x * ones(3), ones(3) * x, array([1.0, 2...", lambda x: np.einsum("i,i,i->", x * np.ones(3), np.ones(3) * x, np.array([1.0, 2, 3]) * x), lambda x: [36 + 0 * x, 0 * x, 0 * x]),
    ("prod(x + arange(3.0)) * x",                 lambda x: np.prod(x + np.arange(3.0)) * x, lambda x: [24 * x + 18, 24 + 0 * x, 0 * x]),
    ("logsumexp(stack([x, 0 * x]))",              lambda x: tg.logsumexp(np.stack([x, 0 * x])), lambda x: [_sigmoid(x, 2), _sigmoid(x, 3), _sigmoid(x, 4)]),
]
# fmt: on


def _sigmoid(x, order):
    """Derivatives of the logistic function, as polynomials of its value."""
    p = np.polynomial.Polynomial([0, 1])
    for _ in range(order):
        p = p.deriv() * np.polynomial.Polynomial([0, 1, -1])
    return p(1 / (1 + np.exp(-x)))


@pytest.mark.parametrize(("name", "f", "expected"), COMPOSITIONS, ids=[row[0] for row in COMPOSITIONS])
@pytest.mark.parametrize("x", [0.3, 0.7, 1.6])
def test_derivatives_of_high_order_against_closed_forms(name, f, expected, x):
    derivative, found = f, []
    for _ in range(5):
        derivative = (lambda g: lambda y: tg.vjp(g, y, create_graph=True)[1]())(derivative)
        found.append(derivative(np.array(x)).item())
    np.testing.assert_allclose(found[2:], expected(np.array(x)), rtol=1e-10, atol=1e-10)


@given(st.integers(0, 3), st.integers(0, 3))
def test_property_any_sizes(m, n):
    a, x = np.random.default_rng(m + 7 * n).standard_normal((m, n)), np.ones(n)
    np.testing.assert_allclose(tg.jacobian(lambda x: np.sin(a @ x), x), np.cos(a @ x)[:, None] * a, atol=1e-12)
    assert tg.hessian(lambda x: np.sum((a @ x) ** 2), x).shape == (n, n)


def test_float32_stays():
    x = X.astype(np.float32)
    for result in (tg.jacobian(np.sin, x), tg.hessian(scalar, x), tg.hvp(scalar, x, V), *tg.jvp(np.sin, x, V)):
        assert result.dtype == np.float32
    assert tg.vjp(scalar, x)[1]().dtype == np.float32


def test_results_are_arrays_of_their_own_and_nothing_is_left_behind():
    x = X.copy()
    out, pullback = tg.vjp(lambda x: x * 1.0, x)
    one, two = pullback(np.ones(3)), pullback(np.ones(3))
    one[...] = 7
    np.testing.assert_array_equal(two, [1, 1, 1])
    np.testing.assert_array_equal(x, X)
    with tg.no_grad():  # derivatives are computed even if recording is off outside
        np.testing.assert_allclose(tg.jacobian(tanh_layer, X), jacobian_of_the_layer(X))
    assert out.shape == (3,)


# fmt: off
REFUSED = [
    ("hessian(tanh_layer, X)",               lambda: tg.hessian(tanh_layer, X),                        tg.ShapeError, "one element"),
    ("vjp(tanh_layer, X)[1]()",              lambda: tg.vjp(tanh_layer, X)[1](),                       tg.ShapeError, r"\(2,\)"),
    ("vjp(tanh_layer, X)[1](ones(3))",       lambda: tg.vjp(tanh_layer, X)[1](np.ones(3)),             tg.ShapeError, r"\(3,\)"),
    ("vjp(tanh_layer, X)[1]([ones(2)] * 2)", lambda: tg.vjp(tanh_layer, X)[1]([np.ones(2)] * 2),       ValueError,    "seed"),
    ("jvp(tanh_layer, X, ones(2))",          lambda: tg.jvp(tanh_layer, X, np.ones(2)),                tg.ShapeError, "tangents"),
    ("hvp(scalar, X, (V, V))",               lambda: tg.hvp(scalar, X, (V, V)),                        ValueError,    "vectors"),
    ("jacobian(lambda x: x.data, X)",        lambda: tg.jacobian(lambda x: x.data, X),                 TypeError,     "array of float64"),
    ("jacobian(lambda x: x.data[1:], X)",    lambda: tg.jacobian(lambda x: x.data[1:], X),             TypeError,     "array of float64"),
    ("jacobian(lambda x: x > 0, X)",         lambda: tg.jacobian(lambda x: x > 0, X),                  TypeError,     "array of bool"),
    ("jacobian(lambda x: 'text', X)",        lambda: tg.jacobian(lambda x: "text", X),                 TypeError,     "str"),
    ("jacobian(lambda x: 1j, X)",            lambda: tg.jacobian(lambda x: 1j, X),                     TypeError,     "complex"),
    ("jacobian(lambda x: None, X)",          lambda: tg.jacobian(lambda x: None, X),                   TypeError,     "NoneType"),
    ("jacobian(sin, arange(3))",             lambda: tg.jacobian(np.sin, np.arange(3)),                TypeError,     r"astype\(float\)"),
    ("jacobian(sin, X * 1j)",                lambda: tg.jacobian(np.sin, X * 1j),                      TypeError,     "complex128"),
    ("vjp(sin)",                        lambda: tg.vjp(np.sin),                              TypeError,     "inputs"),
]
# fmt: on


@pytest.mark.parametrize(("name", "call", "error", "message"), REFUSED, ids=[row[0] for row in REFUSED])
def test_invalid_arguments_are_refused(name, call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_structures_are_matched_by_their_keys():
    _, pullback = tg.vjp(lambda x: {"a": x, "b": 100 * x}, np.ones(1))
    np.testing.assert_array_equal(pullback({"b": [0.0], "a": [1.0]}), [1])
    for wrong in ({"a": [1.0]}, [1.0, 1.0], {"a": [1.0], "c": [1.0]}):
        with pytest.raises(ValueError, match="keys"):
            pullback(wrong)
    inputs = {"u": np.ones(1), "v": np.ones(1)}
    pushed = tg.jvp(lambda p: p["u"] + 10 * p["v"], inputs, {"v": np.zeros(1), "u": np.ones(1)})[1]
    np.testing.assert_array_equal(pushed, [1])


def test_a_function_may_write_to_its_argument():
    def f(a):
        a *= 2
        a[0] = 5.0
        return a * a

    for x in (X, tg.Tensor(X), tg.Tensor(X, requires_grad=True), tg.Tensor(X, requires_grad=True) * 1):
        found = tg.jacobian(f, x)
        np.testing.assert_allclose(found.data if isinstance(found, tg.Tensor) else found, np.diag([0, *8 * X[1:]]))
        np.testing.assert_array_equal(x.data if isinstance(x, tg.Tensor) else x, X)


def test_outputs_are_copies():
    out, pullback = tg.vjp(np.exp, np.ones(2))
    out[...] = 0
    np.testing.assert_allclose(pullback(np.ones(2)), np.e)


def test_constants_have_zero_derivatives():
    np.testing.assert_array_equal(tg.jacobian(lambda x: tg.Tensor([1.0, 2.0]), X), np.zeros((2, 3)))
    np.testing.assert_array_equal(tg.hessian(lambda x: np.sum(x), X), np.zeros((3, 3)))
    np.testing.assert_array_equal(tg.jvp(np.floor, X, V)[1], np.zeros(3))
    assert np.floor in entries


@pytest.mark.parametrize("constant", [3, 3.0, np.float32(3), np.array([1.0, 2.0]), np.ones((2, 2), int), np.int64(3)])
def test_a_constant_has_derivative_zero(constant):
    shape = np.shape(constant)
    np.testing.assert_array_equal(tg.jacobian(lambda x: constant, X), np.zeros((*shape, *X.shape)), strict=True)
    out, pullback = tg.vjp(lambda x: constant, X)
    np.testing.assert_array_equal(out, constant)
    np.testing.assert_array_equal(pullback(np.ones(shape)), np.zeros(X.shape), strict=True)
    out, slope = tg.jvp(lambda x: constant, X, V)
    np.testing.assert_array_equal(slope, np.zeros(shape))
    if not shape:
        np.testing.assert_array_equal(tg.hessian(lambda x: constant, X), np.zeros(X.shape * 2), strict=True)
        np.testing.assert_array_equal(tg.hvp(lambda x: constant, X, V), np.zeros(X.shape), strict=True)
        np.testing.assert_array_equal(tg.grad(lambda x: constant)(X), np.zeros(X.shape), strict=True)


def test_a_constant_among_the_outputs():
    by_x, by_nothing = tg.jacobian(lambda x: (2 * x, np.ones(2)), X)
    np.testing.assert_array_equal(by_x, 2 * np.eye(len(X)))
    np.testing.assert_array_equal(by_nothing, np.zeros((2, len(X))))
