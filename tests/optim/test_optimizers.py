"""Every optimizer updates in place, allocates nothing, and minimises."""

import tracemalloc

import numpy as np
import pytest
from optim.kinds import EACH
from optim.values import assert_same, values

import tensorgrad as tg
from tensorgrad.optim import SGD, Adadelta, Adagrad, Adamax, Optimizer, Rprop


@EACH
def test_a_step_reads_gradients_and_writes_values_in_place(leaves, gradient, kind, chosen):
    params = leaves()
    memory = {name: p.data for name, p in params.items()}
    optimizer = kind(params, **chosen)
    for step in range(3):
        before = values(params)
        gradients = {name: np.asarray(gradient(step, x)) for name, x in before.items()}
        for name, p in params.items():
            p.grad = gradients[name].copy()
            p.grad.flags.writeable = False
        optimizer.step()
        for name, p in params.items():
            assert p.data is memory[name]
            np.testing.assert_array_equal(p.grad, gradients[name])
            waits = kind is Rprop and step > 0  # where a sign has changed
            assert waits or (p.data != before[name]).all()


@EACH
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_step_allocates_nothing(kind, chosen, order):
    params = [tg.Tensor(np.ones((100, 100), order=order), requires_grad=True) for _ in range(3)]
    optimizer = kind(params, **chosen)
    for p in params:
        p.grad = np.ones_like(p.data)
    for _ in range(8):  # of the rectified kind, the first steps take another branch
        optimizer.step()
    tracemalloc.start()
    optimizer.step()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8000  # one parameter is 80,000 bytes


@EACH
def test_views_and_strides_do_not_matter(gradient, run, kind, chosen):
    x = np.random.default_rng(0).standard_normal((4, 3))
    plain = tg.Tensor(x.copy(), requires_grad=True)
    base = np.zeros((6, 8))
    base[::2, 1::2] = x.T
    strided = tg.Tensor(base[::2, 1::2].T, requires_grad=True)
    for p in (plain, strided):
        run(kind([p], **chosen), range(3))
    np.testing.assert_array_equal(strided.data, plain.data)
    np.testing.assert_array_equal(base[::2, 1::2], plain.data.T)
    assert not base[1::2].any()


@EACH
def test_a_gradient_that_is_the_parameter_itself(kind, chosen):
    """The gradient of ``sum(p**2) / 2``, set by hand."""
    p, q = (tg.Tensor([1.0, -2.0], requires_grad=True) for _ in range(2))
    one, other = kind([p], **chosen), kind([q], **chosen)
    for _ in range(3):
        p.grad, q.grad = p.data, q.data.copy()
        one.step()
        other.step()
    np.testing.assert_array_equal(p.data, q.data)


@EACH
def test_frozen_and_unused_parameters_stay(leaves, kind, chosen):
    params = leaves()
    before = values(params)
    params["w"].grad = np.ones((2, 2))
    params["w"].requires_grad = False
    optimizer = kind(params, **chosen)
    optimizer.step()
    assert_same(params, before)
    assert optimizer.state_dict() == {}


@EACH
def test_state_has_the_precision_of_its_parameter(leaves, run, kind, chosen):
    params = leaves(np.float32)
    optimizer = kind(params, **chosen)
    run(optimizer, range(2))
    resumed = kind(leaves(np.float32), **chosen)
    resumed.load_state_dict({key: np.asarray(x, np.float64) for key, x in optimizer.state_dict().items()})
    for state in (optimizer.state_dict(), resumed.state_dict()):
        for key, x in state.items():
            number = key.startswith(("step.", "mu_product.", "eta.", "mu."))
            assert number or (x.dtype == np.float32 and x.shape == params[key[-1]].shape), key
            assert not key.startswith("step.") or (x.shape == () and x.dtype.kind == "i")


def test_learning_rate_can_be_set_between_steps(leaves):
    params = leaves()
    before = values(params)
    optimizer = SGD(params, 0.1)
    for p in params.values():
        p.grad = np.ones(p.shape)
    optimizer.lr = 2.0
    optimizer.step()
    assert_same(params, {name: x - 2 for name, x in before.items()})


def test_momentum_can_be_set_between_steps(leaves, run):
    optimizer = SGD(leaves(), 0.1)
    run(optimizer, range(1))
    assert optimizer.state_dict() == {}
    optimizer.momentum = 0.9
    run(optimizer, range(1))
    assert optimizer.state_dict().keys() == set("wbse")


def test_gradients_of_create_graph_and_of_other_precision():
    p = tg.Tensor(np.ones(2, np.float32), requires_grad=True)
    np.sum(p**3).backward(create_graph=True)
    p.grad = p.grad.detach()
    SGD([p], 0.5).step()
    np.testing.assert_array_equal(p.data, [-0.5, -0.5])
    p.grad = np.ones(2)
    SGD([p], 0.5).step()
    assert p.dtype == np.float32
    np.testing.assert_array_equal(p.data, [-1, -1])


@EACH
@pytest.mark.parametrize("dtype", [np.int8, np.uint8, bool, np.float16, np.float64])
def test_gradients_set_by_hand_may_be_of_any_real_kind(kind, chosen, dtype):
    g = np.array([1, 100]).astype(dtype)  # the square of 100 is no int8, and 65504 the largest float16
    p, q = (tg.Tensor(np.ones(2, np.float32), requires_grad=True) for _ in range(2))
    p.grad, q.grad = g, g.astype(np.float32)
    kind([p], **chosen).step()
    kind([q], **chosen).step()
    np.testing.assert_array_equal(p.data, q.data)


def test_one_tensor_is_enough():
    p = tg.Tensor(np.ones((2, 3)), requires_grad=True)
    p.grad = np.ones((2, 3))
    SGD(p, 0.5).step()
    np.testing.assert_array_equal(p.data, np.full((2, 3), 0.5))


def test_zero_grad(leaves):
    params = leaves()
    np.sum(params["w"] @ params["b"]).backward()
    SGD(params, 0.1).zero_grad()
    assert [p.grad for p in params.values()] == [None] * 4


@EACH
def test_it_minimises(kind, chosen):
    p, goal, curvature = tg.Tensor([3.0, -2.0], requires_grad=True), np.array([1.0, 2.0]), np.array([1.0, 5.0])
    optimizer = kind([p], **chosen)
    optimizer.weight_decay, optimizer.maximize = 0.0, False
    base_lr = {Adagrad: 0.5, Adamax: 0.1, Adadelta: 20.0}.get(kind, 0.02)  # those whose rates fall, or begin low
    losses = []
    for step in range(1000):
        optimizer.lr = base_lr * (1 - step / 1000)
        losses.append(np.sum((p.data - goal) ** 2 * curvature))
        p.grad = 2 * (p.data - goal) * curvature
        optimizer.step()
    assert losses[-1] < 1e-4 * losses[0]


def test_a_user_defined_optimizer_needs_one_method():
    class SignDescent(Optimizer):
        def _update(self, p, d, state, *scratch):
            self._descend(p, self.lr * np.sign(d))

    p = tg.Tensor([1.0, -2.0], requires_grad=True)
    optimizer = SignDescent([p], 0.5)
    p.grad = np.array([3.0, -0.1])
    optimizer.step()
    np.testing.assert_array_equal(p.data, [0.5, -1.5])
    base = Optimizer([p], 0.5)
    with pytest.raises(NotImplementedError):
        base.step()


def test_momentum_and_dampening_of_1():
    """momentum=1 and dampening=1, as in PyTorch."""
    p = tg.Tensor([1.0], requires_grad=True)
    optimizer = SGD([p], 0.5, momentum=1.0, dampening=1.0)
    for gradient in (2.0, 7.0, -3.0):
        p.grad = np.array([gradient])
        optimizer.step()
    assert p.item() == 1 - 3 * 0.5 * 2
    q = tg.Tensor([1.0], requires_grad=True)
    optimizer = SGD([q], 0.5, momentum=1.0)
    for gradient in (2.0, 4.0):
        q.grad = np.array([gradient])
        optimizer.step()
    assert q.item() == 1 - 0.5 * 2 - 0.5 * 6
