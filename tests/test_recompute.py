"""`checkpoint`: the same values and gradients with less memory, and an error if the computation differs."""

import gc
import tracemalloc

import numpy as np
import pytest

import tensorgrad as tg

RNG = np.random.default_rng(0)
WEIGHTS = [RNG.standard_normal((4, 4)) for _ in range(3)]


class Model:
    """A chain of layers, in parts that are checkpointed or not."""

    def __init__(self):
        self.weights = [tg.Tensor(w.copy(), requires_grad=True) for w in WEIGHTS]

    def part(self, x, n):
        for w in self.weights[:n]:
            x = np.tanh(x @ w)
        return x

    def __call__(self, x, wrap):
        return np.sum(wrap(self.part)(wrap(self.part)(x * 1.5, 2) * self.weights[0][0], 3) ** 2)


def plain(f):
    return f


@pytest.mark.parametrize("order", [1, 2])
def test_gradients_of_inputs_and_of_weights_from_outside(order):
    x0 = RNG.standard_normal((2, 4))
    found = []
    for wrap in (plain, tg.checkpoint):
        model, x = Model(), tg.Tensor(x0, requires_grad=True)
        inputs = [x, *model.weights]
        gradients = tg.grad(model(x, wrap), inputs, create_graph=order == 2)
        if order == 2:
            gradients = tg.grad(sum(np.sum(g * g) for g in gradients), inputs)
        found.append(gradients)
    for one, two in zip(*found, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-12)


def test_as_backward_with_accumulation_and_retained_graphs():
    model, x = Model(), tg.Tensor(np.ones((2, 4)), requires_grad=True)
    loss = model(x, tg.checkpoint)
    loss.backward(retain_graph=True)
    first = x.grad.copy()
    loss.backward()
    np.testing.assert_allclose(x.grad, 2 * first)
    with pytest.raises(tg.FreedGraphError):
        loss.backward()


def structured(pair, *, scale, name):
    a, b = pair["a"], pair["b"]
    return {"sum": a + b * scale, "rest": [np.sin(a) * b, name, (b.astype(np.float32) * 2, 3)]}


def test_nested_arguments_and_results():
    a, b = np.array([1.0, 2.0]), np.array([[3.0, 4.0], [5.0, 6.0]])

    def loss(a, b, wrap):
        out = wrap(structured)({"a": a, "b": b}, scale=2.0, name="x")
        assert out["rest"][1:2] == ["x"]
        assert out["rest"][2][0].dtype == np.float32
        assert out["rest"][2][1] == 3
        return np.sum(out["sum"] * out["rest"][0]) + np.sum(out["rest"][2][0])

    inputs = [tg.Tensor(v, requires_grad=True) for v in (a, b)]
    for one, two in zip(*(tg.grad(loss(*inputs, wrap), inputs) for wrap in (plain, tg.checkpoint)), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-6)


def test_a_generator_among_the_arguments_draws_the_same_again():
    def noisy(x, rng):
        return tg.dropout(x, 0.5, rng) * x

    x = tg.Tensor(np.arange(1.0, 50), requires_grad=True)
    rngs = [np.random.default_rng(1), np.random.default_rng(1)]
    one, two = (tg.grad(np.sum(wrap(noisy)(x, rng)), x) for wrap, rng in zip((plain, tg.checkpoint), rngs, strict=True))
    np.testing.assert_array_equal(one, two)
    assert rngs[0].random() == rngs[1].random()  # the user's generator has advanced once


def test_only_the_gradients_that_are_asked_for():
    x, w = tg.Tensor([1.0, 2.0], requires_grad=True), tg.Tensor([3.0, 4.0], requires_grad=True)
    out = tg.checkpoint(lambda x: x * w)(x)
    seed = np.ones(2)
    np.testing.assert_array_equal(tg.grad(out, x, seed, retain_graph=True), [3, 4])
    seed *= 10
    np.testing.assert_array_equal(tg.grad(out, w, seed, retain_graph=True), [10, 20])
    np.testing.assert_array_equal(tg.grad(out, [w, x], seed)[1], [30, 40])


def test_complex_values_inside_and_across_the_boundary():
    x0 = np.array([1.0, 2.0, 4.0])
    for f in (lambda x: np.abs(np.fft.fft(x)), lambda x: np.fft.fft(x)):
        one, two = (tg.vjp(lambda x, w=w, f=f: np.abs(w(f)(x) * 2), x0)[1](np.ones(3)) for w in (plain, tg.checkpoint))
        np.testing.assert_allclose(one, two, rtol=1e-12)
    across = tg.checkpoint(lambda z: np.real(z * z))
    assert tg.gradcheck(lambda x: across(np.fft.fft(x)), [x0])


def test_second_derivatives_with_a_constant_gradient_upstream():
    x = np.array([0.3, 0.7, -0.2])
    one, two = (tg.hessian(lambda a, w=w: np.sum(w(lambda q: np.sin(q) * q)(a)), x) for w in (plain, tg.checkpoint))
    np.testing.assert_allclose(one, two, rtol=1e-12)
    assert np.diag(two).all()


def test_constant_arguments_are_kept():
    x, c = tg.Tensor(np.zeros(3), requires_grad=True), tg.Tensor(np.ones(3))
    out = tg.checkpoint(lambda x, c: x * c)(x, c)
    c[0] = 50
    np.testing.assert_array_equal(tg.grad(np.sum(out), x), [1, 1, 1])


def test_one_generator_in_two_places():
    def noisy(x, a, b):
        return tg.dropout(x, 0.5, a) * b.random()

    x = tg.Tensor(np.ones(9), requires_grad=True)
    one, two = (
        tg.grad(np.sum(w(noisy)(x, r, r)), x) for w in (plain, tg.checkpoint) for r in [np.random.default_rng(0)]
    )
    np.testing.assert_array_equal(one, two)


def test_nested():
    inner = tg.checkpoint(lambda x: np.tanh(x) * x)
    outer = tg.checkpoint(lambda x: inner(inner(x)))
    assert tg.gradcheck(outer, [np.array([0.3, 0.7])])
    assert tg.gradgradcheck(outer, [np.array([0.3, 0.7])])


def test_another_computation_the_second_time_is_an_error():
    rng, x = np.random.default_rng(2), tg.Tensor(np.ones(9), requires_grad=True)
    with pytest.raises(RuntimeError, match="random generator"):
        np.sum(tg.checkpoint(lambda x: tg.dropout(x, 0.5, rng))(x)).backward()
    labels = np.array([1.0, 2.0, 3.0])
    out = np.sum(tg.checkpoint(lambda x, y: x[:3] * y)(x, labels))
    labels[0] = 7
    with pytest.raises(RuntimeError, match="other values"):
        out.backward()


def test_what_is_recomputed_from_may_be_overwritten():
    model, x = Model(), tg.Tensor(np.ones((2, 4)), requires_grad=True)
    expected = tg.grad(model(x, plain), [x, *model.weights])
    loss = model(x, tg.checkpoint)
    for w in (x, *model.weights):
        with tg.no_grad():
            w += 1
    for got, g in zip(tg.grad(loss, [x, *model.weights]), expected, strict=True):
        np.testing.assert_allclose(got, g, rtol=1e-12)


def test_a_tensor_computed_outside_must_be_an_argument():
    x = tg.Tensor(np.ones(3), requires_grad=True)
    h = np.exp(x)
    with pytest.raises(RuntimeError, match=r"'exp'.*pass it as an argument"):
        tg.checkpoint(lambda y: y * h)(x)
    np.testing.assert_allclose(tg.grad(np.sum(tg.checkpoint(lambda y, h: y * h)(x, h)), x), 2 * np.e)
    np.testing.assert_allclose(tg.grad(np.sum(tg.checkpoint(lambda y: y * x)(x)), x), [2, 2, 2])


def test_without_gradients_it_is_the_function_itself():
    f = tg.checkpoint(lambda x: np.exp(x))
    assert f(np.zeros(2)).tolist() == [1, 1]
    assert not f(tg.Tensor([0.0])).requires_grad
    with tg.no_grad():
        assert not f(tg.Tensor([0.0], requires_grad=True)).requires_grad
    assert tg.checkpoint(structured).__name__ == "structured"


def test_an_error_inside_is_the_users():
    def broken(x):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        tg.checkpoint(broken)(tg.Tensor([1.0], requires_grad=True))
    assert (tg.Tensor([1.0], requires_grad=True) * 2).requires_grad


def peak(wrap, layers=64, width=16, rows=4096):
    """The peak memory in bytes of a forward and backward pass through a chain of layers, in parts of 8."""
    weights = [tg.Tensor(np.eye(width), requires_grad=True) for _ in range(layers)]

    def part(x, start):
        for w in weights[start : start + 8]:
            x = np.tanh(x @ w)
        return x

    gc.collect()
    tracemalloc.start()
    x = tg.Tensor(np.ones((rows, width)))
    for start in range(0, layers, 8):
        x = wrap(part)(x, start)
    np.sum(x).backward()
    memory = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return memory


def test_memory_is_that_of_the_boundaries_and_one_part():
    assert peak(tg.checkpoint) < 0.35 * peak(plain)


def test_a_gradient_with_respect_to_the_result_does_not_compute_the_function_again():
    calls = []

    def part(x):
        calls.append(1)
        return np.tanh(x)

    y = tg.checkpoint(part)(tg.Tensor(np.ones(3), requires_grad=True))
    loss = np.sum(y**2)
    np.testing.assert_allclose(tg.grad(loss, y, retain_graph=True), 2 * y.data)
    assert len(calls) == 1
    loss.backward()
    assert len(calls) == 2
