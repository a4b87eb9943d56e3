"""`tg.grad`: structures of inputs and outputs, and derivatives of higher order."""

import numpy as np
import pytest

import tensorgrad as tg
from tests.helpers import is_recording, leaf


def test_grad_of_inner_tensors_and_unused_inputs():
    x, unused = leaf([1.0, 2.0]), leaf(1.0)
    h = np.exp(x)
    loss = np.sum(h**2)
    gh, gx, nothing, gl = tg.grad(loss, [h, x, unused, loss])
    np.testing.assert_allclose(gh, 2 * h.data)
    np.testing.assert_allclose(gx, 2 * h.data**2)
    assert nothing is None
    assert gl == 1
    assert x.grad is None
    assert h.grad is None


def test_grad_of_several_outputs_is_the_sum():
    x = leaf([1.0, 2.0])
    y, z = x * 2, np.sum(x * x)
    plain = tg.Tensor([5.0])
    got = tg.grad([y, z, plain, z], x, [np.array([1.0, 10.0]), None, None, 3.0])
    np.testing.assert_allclose(got, [2 + 4 * 2 * 1, 20 + 4 * 2 * 2])


@pytest.mark.parametrize(
    "wrap",
    [pytest.param(lambda x: x, id="x"), pytest.param(lambda x: [x], id="[x]"), pytest.param(lambda x: (x,), id="(x,)")],
)
def test_grad_returns_the_structure_of_its_inputs(wrap):
    x = leaf([1.0, 2.0])
    got = tg.grad(np.sum(x * x), wrap(x))
    assert isinstance(got, np.ndarray) == isinstance(wrap(x), tg.Tensor)
    np.testing.assert_array_equal(got if isinstance(got, np.ndarray) else got[0], [2, 4])


def test_grad_refuses_tensors_without_a_gradient():
    x = leaf([1.0, 2.0])
    with pytest.raises(RuntimeError, match="input 2"):
        tg.grad(np.sum(x), [x, tg.Tensor([1.0])])
    with pytest.raises(RuntimeError, match="no gradient"):
        tg.grad(tg.Tensor(1.0), x)
    with pytest.raises(TypeError, match="ndarray"):
        tg.grad(np.sum(x), x.data)
    with pytest.raises(ValueError, match="2 outputs"):
        tg.grad([np.sum(x), np.sum(x)], x, [1.0])
    with pytest.raises(tg.ShapeError):
        tg.grad(x * 2, x)


def test_the_same_input_twice_gives_two_arrays():
    x = leaf([1.0, 2.0])
    one, two = tg.grad(np.sum(x * x), [x, x])
    one[...] = 0
    np.testing.assert_array_equal(two, [2, 4])


@pytest.mark.parametrize("x0", [-0.7, 0.3, 1.1])
def test_third_derivative_against_the_closed_form(x0):
    x = leaf(x0)
    y = np.tanh(x) * np.exp(2 * x) + x**5
    for _ in range(3):
        y = tg.grad(y, x, create_graph=True)
    t = np.tanh(x0)
    d = [t, 1 - t**2, -2 * t * (1 - t**2), (1 - t**2) * (6 * t**2 - 2)]  # of tanh
    e = np.exp(2 * x0) * 2.0 ** np.arange(4)  # of exp(2x)
    expected = d[0] * e[3] + 3 * d[1] * e[2] + 3 * d[2] * e[1] + d[3] * e[0] + 60 * x0**2
    np.testing.assert_allclose(y.item(), expected, rtol=1e-12)


def test_backward_through_backward_accumulates_tensors():
    x = leaf([1.0, 2.0])
    np.sum(x**3).backward(create_graph=True)
    assert isinstance(x.grad, tg.Tensor)
    first, x.grad = x.grad, None
    np.sum(first * first).backward()
    np.testing.assert_allclose(x.grad, 2 * 3 * x.data**2 * 6 * x.data)


def test_gradient_penalty_has_the_right_gradient():
    w, x = leaf([[0.5, -1.0], [1.5, 0.25]]), leaf([[1.0, 2.0]])

    def penalty(w, x):
        out = np.sum(np.tanh(x @ w))
        (g,) = tg.grad(out, [x], create_graph=True)
        return np.sum(g * g)

    assert tg.gradcheck(penalty, [w.data, x.data])


def test_a_backward_pass_under_no_grad():
    x = leaf([1.0, 2.0])
    loss = np.sum(x**3)
    with tg.no_grad():
        g = tg.grad(loss, x, create_graph=True)
        assert not is_recording()
    np.testing.assert_allclose(tg.grad(np.sum(g), x), 6 * x.data)
