"""Every optimizer updates in place, allocates nothing, changes nothing when it raises, and can be resumed."""

import math
import tracemalloc

import numpy as np
import pytest
from optim.kinds import EACH

import tensorgrad as tg
from tensorgrad.optim import ASGD, SGD, Adadelta, Adagrad, Adam, Adamax, AdamW, NAdam, Optimizer, RAdam, RMSprop, Rprop


def values(params):
    return {name: p.data.copy() for name, p in params.items()}


def assert_same(params, before):
    for name, p in params.items():
        np.testing.assert_array_equal(p.data, before[name])


# ------------------------------------------------------------------------------------------------ a step


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
    """Of ``sum(p**2) / 2``, set by hand."""
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
    p = tg.Tensor([3.0, -2.0], requires_grad=True)
    optimizer = kind([p], **chosen)
    optimizer.weight_decay, optimizer.maximize = 0.0, False
    base_lr = {Adagrad: 0.5, Adamax: 0.1, Adadelta: 20.0}.get(kind, 0.02)  # those whose rates fall, or begin low
    losses = []
    for step in range(1000):
        optimizer.lr = base_lr * (1 - step / 1000)
        optimizer.zero_grad()
        loss = np.sum((p - [1.0, 2.0]) ** 2 * [1.0, 5.0])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 1e-4 * losses[0]


def test_an_optimizer_of_ones_own_takes_one_method():
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


def test_velocity_may_last_and_gradients_may_be_shut_out():
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


# ------------------------------------------------------------------------------------------------ what is refused


@EACH
def test_float16_needs_an_eps_that_it_has(kind, chosen):
    """A gradient of zero is not divided by an eps that rounding made zero."""
    params = {"w": tg.Tensor([1.0], requires_grad=True), "h": tg.Tensor(np.ones(2, np.float16), requires_grad=True)}
    for p in params.values():
        p.grad = np.zeros_like(p.data)
    optimizer = kind(params, **chosen)
    if kind in (SGD, ASGD, Rprop):  # without a division
        optimizer.step()
        return
    with pytest.raises(ValueError, match=r"'h' is float16, in which eps=1e-\d+ underflows: use eps=1e-4, or float32"):
        optimizer.step()
    assert optimizer.state_dict() == {}
    kind(params, **(chosen | {"eps": 1e-4, "weight_decay": 0.0})).step()
    np.testing.assert_array_equal(params["h"].data, [1, 1])


def refuse_read_only(params):
    params["b"].data.flags.writeable = False
    return ValueError, "'b' is a read-only array"


def refuse_shape(params):
    params["b"].grad = np.ones(1)  # which would broadcast
    return tg.ShapeError, r"'b' has shape \(2,\), its \.grad \(1,\)"


def refuse_complex(params):
    params["b"].grad = np.ones(2, complex)
    return TypeError, "'b' is float64, its .grad complex128"


@pytest.mark.parametrize("spoil", [refuse_read_only, refuse_shape, refuse_complex])
@EACH
def test_a_refused_step_changes_nothing(leaves, kind, chosen, spoil):
    params = leaves()
    before = values(params)
    optimizer = kind(params, **chosen)
    for p in params.values():
        p.grad = np.ones(p.shape)
    error, message = spoil(params)
    with pytest.raises(error, match=message):
        optimizer.step()
    assert_same(params, before)
    assert optimizer.state_dict() == {}


@EACH
def test_a_step_leaves_pending_backward_passes_what_they_need(leaves, kind, chosen):
    params = leaves()
    before = values(params)
    pending = np.sum(params["b"] * params["b"])
    optimizer = kind(params, **chosen)
    for p in params.values():
        p.grad = np.ones(p.shape)
    optimizer.step()
    assert not np.array_equal(params["b"].data, before["b"])
    np.testing.assert_array_equal(tg.grad(pending, params["b"]), 2 * before["b"])


W = lambda: [tg.Tensor([1.0], requires_grad=True)]  # noqa: E731  (a cell of the table below)


REFUSED = [
    (SGD, lambda: [], {}, ValueError, "no parameters"),
    (Adam, lambda: {}, {}, ValueError, "no parameters"),
    (SGD, lambda: [np.ones(2)], {}, TypeError, "'0'"),
    (AdamW, lambda: {"w": W()[0] * 2}, {}, TypeError, "'w'.*leaf"),
    (SGD, lambda: W() * 2, {}, ValueError, "same parameter.*twice"),
    (SGD, W, {"lr": -0.1}, ValueError, r"lr.*-0\.1"),
    (SGD, W, {"lr": math.nan}, ValueError, "lr"),
    (Adam, W, {"lr": math.inf}, ValueError, "lr"),
    (SGD, W, {"momentum": 1.1}, ValueError, r"momentum.*\[0, 1\]"),
    (SGD, W, {"momentum": -0.5}, ValueError, "momentum"),
    (SGD, W, {"weight_decay": -1}, ValueError, "weight_decay"),
    (SGD, W, {"momentum": 0.5, "dampening": 1.5}, ValueError, "dampening"),
    (SGD, W, {"nesterov": True}, ValueError, "nesterov"),
    (SGD, W, {"nesterov": True, "momentum": 0.9, "dampening": 0.1}, ValueError, "nesterov.*dampening"),
    (Adam, W, {"betas": (1.0, 0.9)}, ValueError, r"betas\[0\].*1\.0"),
    (NAdam, W, {"betas": (0.9, -0.1)}, ValueError, r"betas\[1\]"),
    (RAdam, W, {"eps": -1e-8}, ValueError, "eps"),
    (NAdam, W, {"momentum_decay": -1}, ValueError, "momentum_decay"),
    (RMSprop, W, {"alpha": 1.0}, ValueError, "alpha"),
    (RMSprop, W, {"momentum": 1.5}, ValueError, "momentum"),
    (Adamax, W, {"betas": (0.9, 1.0)}, ValueError, r"betas\[1\]"),
    (Adadelta, W, {"rho": 1.5}, ValueError, r"rho.*\[0, 1\]"),
    (ASGD, W, {"lambd": -1}, ValueError, "lambd"),
    (ASGD, W, {"alpha": -1}, ValueError, "alpha"),
    (ASGD, W, {"t0": -1}, ValueError, "t0"),
    (Rprop, W, {"etas": (1.2, 0.5)}, ValueError, r"0 < eta_minus < 1 < eta_plus, got \(1.2, 0.5\)"),
    (Rprop, W, {"etas": (0.0, 1.2)}, ValueError, "etas"),
    (Rprop, W, {"step_sizes": (1.0, 0.1)}, ValueError, "step_sizes"),
    (Rprop, W, {"step_sizes": (-1.0, 0.1)}, ValueError, "step_sizes"),
    (Adagrad, W, {"lr_decay": -1}, ValueError, "lr_decay"),
    (Adagrad, W, {"initial_accumulator_value": -1}, ValueError, "initial_accumulator_value"),
]


@pytest.mark.parametrize(
    ("kind", "arguments", "settings", "error", "message"),
    REFUSED,
    ids=[f"{kind.__name__} {settings or message}" for kind, _, settings, _, message in REFUSED],
)
def test_wrong_settings_are_refused(kind, arguments, settings, error, message):
    with pytest.raises(error, match=message):
        kind(arguments(), **settings)


# ------------------------------------------------------------------------------------------------ saved and loaded


@EACH
def test_a_resumed_run_is_the_same_run(leaves, run, tmp_path, kind, chosen):
    whole = leaves()
    run(kind(whole, **chosen), range(10))

    first = leaves()
    optimizer = kind(first, **chosen)
    run(optimizer, range(4))
    state = optimizer.state_dict()
    tg.save(tmp_path / "optimizer.npz", state)
    second = {name: tg.Tensor(p.data.copy(), requires_grad=True) for name, p in first.items()}
    resumed = kind(second, **chosen)
    resumed.load_state_dict(tg.load(tmp_path / "optimizer.npz").arrays)
    resumed.load_state_dict(state)
    for entry in state.values():
        entry[...] = 77  # copies, both ways
    run(resumed, range(4, 10))
    assert_same(second, values(whole))


def test_a_state_of_sgd_is_its_velocities_by_parameter(leaves, run):
    optimizer = SGD(leaves(), 0.1, momentum=0.9)
    run(optimizer, range(1))
    assert {name: v.shape for name, v in optimizer.state_dict().items()} == {
        name: p.shape for name, p in leaves().items()
    }


def test_states_that_do_not_fit(leaves, run):
    params = leaves()
    optimizer = SGD(params, 0.1, momentum=0.9)
    for state in (
        {"x": np.ones(2)},
        {"w": np.ones(2)},
        {"b": np.ones((2, 1))},
        {"w": np.float64(1)},
        {"b": ["a", "b"]},
    ):
        with pytest.raises(tg.CheckpointError, match=next(iter(state))):
            optimizer.load_state_dict(state)
    assert optimizer.state_dict() == {}

    optimizer = Adam(params)
    run(optimizer, range(1))
    good = optimizer.state_dict()
    fresh = Adam(params)
    for spoilt, message in [
        ({k: v for k, v in good.items() if k != "exp_avg.w"}, "'w' lacks exp_avg"),
        ({k: v for k, v in good.items() if k != "step.b"}, "'b' lacks step"),
        (good | {"step.b": np.ones(2)}, "step.b"),
        (good | {"exp_avg_sq.b": np.ones(3)}, "exp_avg_sq.b"),
        (good | {"velocity.b": np.ones(2)}, "velocity.b"),
        (Adam(params, amsgrad=True), "lacks max_exp_avg_sq"),
    ]:
        target, state = (spoilt, good) if isinstance(spoilt, Adam) else (fresh, spoilt)
        with pytest.raises(tg.CheckpointError, match=message):
            target.load_state_dict(state)
    assert fresh.state_dict() == {}
    for name in params:
        fresh.load_state_dict({k: v for k, v in good.items() if not k.endswith(name)})  # one that had no update yet
