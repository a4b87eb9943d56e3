"""SGD against its formulas, written out; and what an optimizer must not do."""

import itertools
import tracemalloc

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.optim import SGD

START = [np.array([[1.0, -2.0], [0.5, 3.0]]), np.array([0.25, -0.75])]
SETTINGS = [
    {"lr": lr, "momentum": m, "nesterov": n, "weight_decay": d}
    for lr, m, n, d in itertools.product([0.1, 0.0], [0.0, 0.9], [False, True], [0.0, 0.05])
    if m or not n
]


def leaves(dtype=np.float64):
    return [tg.Tensor(x.astype(dtype), requires_grad=True) for x in START]


def gradient(step, x):
    """Gradients that depend on the step and on the value, as a loss would give."""
    return np.cos(x * (step + 1)) + 0.1 * step


def pytorch(x, steps, lr, momentum, nesterov, weight_decay):
    """The update as PyTorch documents it: the first velocity is the first gradient."""
    velocity = None
    for step in range(steps):
        d = gradient(step, x) + weight_decay * x
        if momentum:
            velocity = d if velocity is None else momentum * velocity + d
            d = d + momentum * velocity if nesterov else velocity
        x = x - lr * d
    return x


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda s: " ".join(f"{k}={v}" for k, v in s.items()))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_steps_against_the_formulas(settings, dtype):
    params = leaves(dtype)
    optimizer = SGD(params, **settings)
    for step in range(5):
        for p in params:
            p.grad = gradient(step, p.data).astype(dtype)
        kept = [p.grad.copy() for p in params]
        optimizer.step()
        for p, g in zip(params, kept, strict=True):
            np.testing.assert_array_equal(p.grad, g)  # read, not written
    for p, x in zip(params, START, strict=True):
        assert p.dtype == dtype
        np.testing.assert_allclose(p.data, pytorch(x, 5, **settings), rtol=1e-5 if dtype == np.float32 else 1e-13)


def test_known_numbers():
    """One parameter by hand: p = 1, g = 0.5 each time, lr 0.1, momentum 0.9, decay 0.1."""
    p = tg.Tensor([1.0], requires_grad=True)
    optimizer = SGD([p], lr=0.1, momentum=0.9, weight_decay=0.1)
    p.grad = np.array([0.5])
    optimizer.step()  # v = 0.6, p = 0.94
    np.testing.assert_allclose(p.data, [0.94], rtol=1e-15)
    optimizer.step()  # v = 0.54 + 0.594 = 1.134, p = 0.8266
    np.testing.assert_allclose(p.data, [0.8266], rtol=1e-14)


def test_a_step_allocates_nothing():
    params = [tg.Tensor(np.ones((100, 100)), requires_grad=True) for _ in range(3)]
    for settings in SETTINGS:
        optimizer = SGD(params, **settings)
        for p in params:
            p.grad = np.ones(p.shape)
        optimizer.step()
        tracemalloc.start()
        optimizer.step()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 8000  # one parameter is 80,000 bytes


def test_values_are_updated_in_place():
    (p, _) = params = leaves()
    memory = p.data
    p.grad = np.ones(p.shape)
    SGD(params, 0.5).step()
    assert p.data is memory
    np.testing.assert_array_equal(memory, START[0] - 0.5)


def test_frozen_and_unused_parameters_stay():
    params = leaves()
    params[0].grad = np.ones((2, 2))
    params[0].requires_grad = False
    optimizer = SGD(params, 0.1, momentum=0.9, weight_decay=0.1)
    optimizer.step()
    for p, x in zip(params, START, strict=True):
        np.testing.assert_array_equal(p.data, x)
    assert optimizer.state_dict() == {}


def test_learning_rate_can_be_set_between_steps():
    (p, _) = params = leaves()
    optimizer = SGD(params, 0.1)
    p.grad = np.ones(p.shape)
    optimizer.lr = 2.0
    optimizer.step()
    np.testing.assert_array_equal(p.data, START[0] - 2)


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


def refuse_read_only(params):
    params[1].data.flags.writeable = False
    return ValueError, "read-only"


def refuse_shape(params):
    params[1].grad = np.ones((2, 2))
    return tg.ShapeError, r"'1' has shape \(2,\), its \.grad \(2, 2\)"


def refuse_broadcast(params):
    params[1].grad = np.ones(1)
    return tg.ShapeError, "shape"


@pytest.mark.parametrize("spoil", [refuse_read_only, refuse_shape, refuse_broadcast])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_refused_step_changes_nothing(spoil, momentum):
    params = leaves()
    for p in params:
        p.grad = np.ones(p.shape)
    error, message = spoil(params)
    optimizer = SGD(params, 0.1, momentum=momentum)
    with pytest.raises(error, match=message):
        optimizer.step()
    for p, x in zip(params, START, strict=True):
        np.testing.assert_array_equal(p.data, x)
    assert optimizer.state_dict() == {}


def test_zero_grad():
    params = leaves()
    np.sum(params[0] @ params[1]).backward()
    SGD(params, 0.1).zero_grad()
    assert [p.grad for p in params] == [None, None]


@pytest.mark.parametrize(
    ("arguments", "settings", "error", "message"),
    [
        (lambda: [], {"lr": 0.1}, ValueError, "no parameters"),
        (lambda: {}, {"lr": 0.1}, ValueError, "no parameters"),
        (lambda: [np.ones(2)], {"lr": 0.1}, TypeError, "'0'"),
        (lambda: {"w": leaves()[0] * 2}, {"lr": 0.1}, TypeError, "'w'.*leaf"),
        (leaves, {"lr": -0.1}, ValueError, r"lr.*-0\.1"),
        (leaves, {"lr": float("nan")}, ValueError, "lr"),
        (leaves, {"lr": float("inf")}, ValueError, "lr"),
        (leaves, {"lr": 0.1, "momentum": 1.0}, ValueError, "momentum"),
        (leaves, {"lr": 0.1, "momentum": -0.5}, ValueError, "momentum"),
        (leaves, {"lr": 0.1, "weight_decay": -1}, ValueError, "weight_decay"),
        (leaves, {"lr": 0.1, "nesterov": True}, ValueError, "nesterov"),
    ],
)
def test_wrong_settings_are_refused(arguments, settings, error, message):
    with pytest.raises(error, match=message):
        SGD(arguments(), **settings)


@pytest.mark.parametrize("nesterov", [False, True])
def test_a_resumed_run_is_the_same_run(nesterov):
    def run(params, optimizer, steps):
        for step in steps:
            for p in params.values():
                p.grad = gradient(step, p.data)
            optimizer.step()

    options = {"lr": 0.1, "momentum": 0.9, "nesterov": nesterov, "weight_decay": 0.01}
    whole = dict(zip("wb", leaves(), strict=True))
    run(whole, SGD(whole, **options), range(6))

    first = dict(zip("wb", leaves(), strict=True))
    optimizer = SGD(first, **options)
    run(first, optimizer, range(3))
    state = optimizer.state_dict()
    second = {name: tg.Tensor(p.data.copy(), requires_grad=True) for name, p in first.items()}
    resumed = SGD(second, **options)
    resumed.load_state_dict(state)
    for velocity in state.values():
        velocity[...] = np.nan  # copies, both ways
    run(second, resumed, range(3, 6))
    for name in whole:
        np.testing.assert_array_equal(second[name].data, whole[name].data)


def test_velocities_that_do_not_fit():
    params = dict(zip("wb", leaves(), strict=True))
    optimizer = SGD(params, 0.1, momentum=0.9)
    for state in ({"x": np.ones(2)}, {"w": np.ones(2)}, {"b": np.ones((2, 1))}, {"w": np.float64(1)}):
        with pytest.raises(tg.CheckpointError, match=next(iter(state))):
            optimizer.load_state_dict(state)
    assert optimizer.state_dict() == {}


def test_it_minimises():
    p = tg.Tensor([3.0, -2.0], requires_grad=True)
    optimizer = SGD([p], 0.02, momentum=0.9, nesterov=True)
    for _ in range(200):
        optimizer.zero_grad()
        np.sum((p - [1.0, 2.0]) ** 2 * [1.0, 5.0]).backward()
        optimizer.step()
    np.testing.assert_allclose(p.data, [1, 2], atol=1e-5)
