"""Compiled training steps leave the same bits behind as the steps themselves."""

import numpy as np
import pytest

import tensorgrad as tg
from tests.compiling.steps import Training, assert_same, batch, programs

OPTIMIZERS = {
    name: kind
    for name in tg.optim.__all__
    if isinstance(kind := getattr(tg.optim, name), type)
    and issubclass(kind, tg.optim.Optimizer)
    and kind is not tg.optim.Optimizer
}


def train(prepare=lambda training: None, change=lambda training, k: None, n=10, most=1, **options):
    """Both trainings side by side; ``change`` is called before each step."""
    ours, theirs = Training(**options), Training(**options)
    prepare(ours), prepare(theirs)
    step = tg.compile(ours.step)
    rngs = np.random.default_rng(1), np.random.default_rng(1)
    for k in range(n):
        change(ours, k), change(theirs, k)
        x, y = batch(k, dtype=options.get("dtype", np.float32))
        assert_same(step(x, y, rngs[0]), theirs.step(x, y, rngs[1]))
        assert_same(ours.state(), theirs.state())
    assert rngs[0].bit_generator.state == rngs[1].bit_generator.state
    assert 1 <= programs(step) <= most
    return step


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer(name):
    train(optimizer=lambda params: OPTIMIZERS[name](params, lr=0.01))


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("what", ["dropout", "penalty", "clipping", "averages", "all"])
def test_parts_of_a_step(what, dtype):
    def prepare(training):
        training.l2 = 1e-3 if what in ("penalty", "all") else 0.0
        training.clip = 0.5 if what in ("clipping", "all") else None
        training.ema = tg.optim.EMA(training.params, 0.9) if what in ("averages", "all") else None

    train(prepare, rate=0.5 if what in ("dropout", "all") else 0.0, dtype=dtype)


def test_the_learning_rate_and_momentum_are_read_at_every_call():
    def change(training, k):
        training.optimizer.lr = 0.1 / (k + 1)
        training.optimizer.momentum = 0.9 if k < 7 else 0.5

    train(change=change, most=1)


def test_a_schedule():
    schedule = tg.schedules.cosine(10)

    def change(training, k):
        training.optimizer.lr = 0.1 * schedule(k)

    train(change=change, most=1)


def test_a_frozen_parameter_is_recorded_anew():
    def change(training, k):
        if k == 5:
            tg.nn.freeze(training.net, "layers.hidden")
        if k == 8:
            for p in training.params.values():
                p.requires_grad = True

    train(change=change, most=3, n=12)


def test_a_changed_number_is_recorded_anew():
    def change(training, k):
        training.l2 = 0.0 if k < 5 else 0.01

    train(change=change, most=2)


def test_replaced_data_is_recorded_anew():
    def change(training, k):
        if k == 5:
            for p in training.params.values():
                p.data = p.data * 1.5

    train(change=change, most=2)


def test_gradients_accumulate():
    ours, theirs = Training(), Training()

    def accumulate(training, x, y):
        tg.cross_entropy(training.net(x), y).backward()

    step = tg.compile(lambda x, y: accumulate(ours, x, y))
    for k in range(9):
        step(*batch(k))
        accumulate(theirs, *batch(k))
        assert_same(ours.state(), theirs.state())
        if k % 3 == 2:
            for training in (ours, theirs):
                training.optimizer.step()
                training.optimizer.zero_grad()
    assert 1 <= programs(step) <= 2


def test_an_abandoned_call_adds_nothing_to_a_gradient():
    w = tg.Tensor(np.ones(3), requires_grad=True)
    v = tg.Tensor(np.ones(3), requires_grad=True)

    def step(p, x, z):
        np.sum(x * p).backward()
        return np.log(z)

    compiled = tg.compile(lambda x, z: step(w, x, z))
    with np.errstate(divide="ignore"):
        for z in (1.0, 2.0, 3.0, 4.0, 0.0, 0.0, 5.0):
            assert_same(compiled(np.full(3, 2.0), np.full(2, z)), step(v, np.full(3, 2.0), np.full(2, z)))
            assert_same(w.grad, v.grad)
    assert programs(compiled) >= 1


def test_a_gradient_that_the_caller_keeps_is_not_overwritten():
    training = Training()
    step = tg.compile(training.step)
    kept = []
    for k in range(8):
        step(*batch(k))
        p = training.params["layers.out.weight"]
        kept.append((p.grad, p.grad.copy(), p.grad[0]))
    for grad, copy, row in kept:
        np.testing.assert_array_equal(grad, copy)
        np.testing.assert_array_equal(row, copy[0])


def test_results_belong_to_the_caller():
    step = tg.compile(lambda x: (np.exp(x), {"twice": x * 2}))
    results = [step(np.full(3, float(k))) for k in range(5)]
    for k, (exp, named) in enumerate(results):
        np.testing.assert_array_equal(exp, np.exp(np.full(3, float(k))))
        np.testing.assert_array_equal(named["twice"], np.full(3, 2.0 * k))


def test_evaluation_under_no_grad():
    training = Training()
    predict = tg.compile(lambda x: np.argmax(training.net(x), axis=1))
    for k in range(6):
        x, _ = batch(k)
        expected = np.argmax(training.net(x).data, axis=1)
        with tg.no_grad():
            assert_same(predict(x), expected)
    assert programs(predict) == 1


def test_running_statistics():
    """Arrays outside that are written to in place are followed."""
    mean, scale = np.zeros(3), tg.Tensor(np.ones(3), requires_grad=True)

    def step(x, mean):
        m = np.mean(x, axis=0)
        mean *= 0.9
        mean += 0.1 * m
        np.sum((x - m) * scale).backward()

    compiled, other = tg.compile(lambda x: step(x, mean)), np.zeros(3)
    for k in range(6):
        x = np.random.default_rng(k).random((4, 3))
        scale.grad = None
        compiled(x)
        got = scale.grad
        scale.grad = None
        step(x, other)
        assert_same([mean, got], [other, scale.grad])
    assert programs(compiled) >= 1
