"""Schedules, pure functions from the number of updates to a factor; and `Plateau`, which depends on a metric."""
# ruff: noqa: E501  (tables with one row per line)

import json
import math

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import schedules
from tensorgrad.schedules import Plateau
from tests.helpers import each

H = 0.5**0.5
# fmt: off
VALUES = [
    # schedule                                  factors at updates 0, 1, 2, ...; the last one holds from there on
    ("constant()",                                schedules.constant(),                      [1, 1, 1, 1]),
    ("halving(3)",                                schedules.halving(3),                      [1, 1, 1, 0.5, 0.5, 0.5, 0.25]),
    ("step(2, 0.1)",                              schedules.step(2, 0.1),                    [1, 1, 0.1, 0.1, 0.01, 0.01]),
    ("step(1, 0.5)",                              schedules.step(1, 0.5),                    [1, 0.5, 0.25, 0.125]),
    ("step(step_size=2)",                         schedules.step(step_size=2),               [1, 1, 0.1, 0.1, 0.01]),
    ("multi_step([2, 3], 0.5)",                   schedules.multi_step([2, 3], 0.5),         [1, 1, 0.5, 0.25, 0.25]),
    ("multi_step({4, 1}, gamma=0.5)",             schedules.multi_step({4, 1}, gamma=0.5),   [1, 0.5, 0.5, 0.5, 0.25]),
    ("multi_step([2, 0, 2])",                     schedules.multi_step([2, 0, 2]),           [0.1, 0.1, 0.001]),
    ("multi_step(iter([]))",                      schedules.multi_step(iter([])),            [1, 1]),
    ("exponential(0.5)",                          schedules.exponential(0.5),                [1, 0.5, 0.25, 0.125]),
    ("exponential(gamma=1.0)",                    schedules.exponential(gamma=1.0),          [1, 1, 1]),
    ("polynomial(4)",                             schedules.polynomial(4),                   [1, 0.75, 0.5, 0.25, 0, 0]),
    ("polynomial(5, power=2.0)",                  schedules.polynomial(5, power=2.0),        [1, 0.64, 0.36, 0.16, 0.04, 0, 0]),
    ("polynomial(4, 0.5)",                        schedules.polynomial(4, 0.5),              [1, 0.75**0.5, H, 0.5, 0, 0]),
    ("linear(start_factor=1, end_factor=0, total_iter...", schedules.linear(start_factor=1, end_factor=0, total_iters=4),   [1, 0.75, 0.5, 0.25, 0, 0]),
    ("linear(start_factor=0.25, end_factor=0.75, tota...", schedules.linear(start_factor=0.25, end_factor=0.75, total_iters=4), [0.25, 0.375, 0.5, 0.625, 0.75, 0.75]),
    ("linear(total_iters=2)",                     schedules.linear(total_iters=2),           [1 / 3, 2 / 3, 1, 1]),
    ("linear(end_factor=3, total_iters=1)",       schedules.linear(end_factor=3, total_iters=1), [1 / 3, 3, 3]),
    ("cosine(4)",                                 schedules.cosine(4),                       [1, (1 + H) / 2, 0.5, (1 - H) / 2, 0, 0, 0]),
    ("cosine(2, eta_min=0.2)",                    schedules.cosine(2, eta_min=0.2),          [1, 0.6, 0.2, 0.2]),
    ("cosine(2, eta_min=0.1, lr=0.5)",            schedules.cosine(2, eta_min=0.1, lr=0.5),  [1, 0.6, 0.2, 0.2]),
    ("cosine(T_max=1)",                           schedules.cosine(T_max=1),                 [1, 0, 0]),
    ("cosine_restarts(2)",                        schedules.cosine_restarts(2),              [1, 0.5, 1, 0.5, 1]),
    ("cosine_restarts(4, eta_min=0.2)",           schedules.cosine_restarts(4, eta_min=0.2), [1, 0.6 + 0.4 * H, 0.6, 0.6 - 0.4 * H, 1, 0.6 + 0.4 * H, 0.6]),
    ("cosine_restarts(1, 2, 0.1, lr=0.5)",        schedules.cosine_restarts(1, 2, 0.1, lr=0.5), [1, 1, 0.6, 1, 0.6 + 0.4 * H, 0.6, 0.6 - 0.4 * H, 1]),
    ("cosine_restarts(T_0=1, T_mult=3)",          schedules.cosine_restarts(T_0=1, T_mult=3), [1, 1, 0.75, 0.25, 1]),
    ("cyclic(0.2, 1, 2)",                         schedules.cyclic(0.2, 1, 2),               [0.2, 0.6, 1, 0.6, 0.2, 0.6, 1, 0.6]),
    ("cyclic(0, 1, 1, 2, 'triangular2')",         schedules.cyclic(0, 1, 1, 2, "triangular2"), [0, 1, 0.5, 0, 0.5, 0.25, 0, 0.25]),
    ("cyclic(0.1, 0.5, 1, mode='exp_range', gamma=0.5, lr=0.5)", schedules.cyclic(0.1, 0.5, 1, mode="exp_range", gamma=0.5, lr=0.5), [0.2, 0.6, 0.2, 0.3, 0.2]),
    ("cyclic(0, 1, 1, scale_fn=...)",             schedules.cyclic(0, 1, 1, scale_fn=lambda cycle: 1 / cycle), [0, 1, 0, 1/2, 0, 1/3]),
    ("warm_up(schedules.constant(), 4)",          schedules.warm_up(schedules.constant(), 4), [0.25, 0.5, 0.75, 1, 1]),
    ("warm_up(schedules.constant(), 0)",          schedules.warm_up(schedules.constant(), 0), [1, 1]),
    ("warm_up(schedules.halving(2), 2)",          schedules.warm_up(schedules.halving(2), 2), [0.5, 1, 0.5, 0.5, 0.25]),
    ("warm_up(lambda update: 2, 2)",              schedules.warm_up(lambda update: 2, 2),    [1, 2, 2]),
    ("from_function(lambda update: 0.5 ** update)", schedules.from_function(lambda update: 0.5**update),  [1, 0.5, 0.25]),
    ("from_function(lr_lambda=lambda update: float32(...", schedules.from_function(lr_lambda=lambda update: np.float32(update)), [0, 1, 2]),
    ("one_cycle(1.0, 5, 0.4, 'linear', 2, 5)",    schedules.one_cycle(1.0, 5, 0.4, "linear", 2, 5), [0.5, 1, 0.7, 0.4, 0.1, 0.1, 0.1]),
    ("one_cycle(1.0, 5, pct_start=0.0, anneal_strateg...", schedules.one_cycle(1.0, 5, pct_start=0.0, anneal_strategy="linear", div_factor=2, final_div_factor=5),
                                                [0.82, 0.64, 0.46, 0.28, 0.1, 0.1]),
    ("one_cycle(1.0, 2, 0.5, 'linear')",          schedules.one_cycle(1.0, 2, 0.5, "linear"), [1, 4e-6, 4e-6]),  # where PyTorch divides by zero
    ("one_cycle(1.0, 3, 1.0, 'linear', 2)",       schedules.one_cycle(1.0, 3, 1.0, "linear", 2), [0.5, 0.75, 1, 1]),  # and here
    ("one_cycle(1.0, 1)",                         schedules.one_cycle(1.0, 1),               [4e-6, 4e-6]),
    # By torch 2.13.
    ("one_cycle(1.0, 10)",                        schedules.one_cycle(1.0, 10),              [0.04, 0.52, 1, 0.950484632013, 0.81174565395, 0.611262021936,
                                                 0.388741978064, 0.18825834605, 0.0495193679865, 4e-6, 4e-6]),
    ("one_cycle(max_lr=0.5, total_steps=10, pct_start...", schedules.one_cycle(max_lr=0.5, total_steps=10, pct_start=0.4, anneal_strategy="linear", div_factor=10,
                         final_div_factor=100, three_phase=True, lr=0.25),
                                                [0.2, 0.8, 1.4, 2, 1.4, 0.8, 0.2, 0.134, 0.068, 0.002, 0.002]),
    ("cosine_restarts(2, 2, 0.2)",                schedules.cosine_restarts(2, 2, 0.2),      [1, 0.6, 1, 0.882842712475, 0.6, 0.317157287525, 1, 0.969551813005]),
]
# fmt: on


@each(("name", "schedule", "expected"), VALUES, ids=[row[0] for row in VALUES])
def test_values(name, schedule, expected):
    np.testing.assert_allclose([schedule(i) for i in range(len(expected))], expected, rtol=1e-11, atol=1e-15)
    np.testing.assert_allclose(schedule(len(expected) - 1), expected[-1], rtol=1e-11, atol=1e-15)  # no state
    assert isinstance(float(schedule(10**9)), float)


@pytest.mark.parametrize("lr", [1.0, 0.1, 3.0])
def test_absolute_rates(lr):
    """With ``lr``, the argument is a learning rate; without it, a factor."""
    assert lr * schedules.cosine(9, 0.01, lr=lr)(9) == pytest.approx(0.01)
    assert lr * schedules.cosine(9, 0.01)(9) == pytest.approx(0.01 * lr)
    assert lr * schedules.cosine_restarts(2, 1, 0.02, lr=lr)(1) == pytest.approx((lr + 0.02) / 2)
    assert lr * schedules.cosine_restarts(2, 1, 0.02)(1) == pytest.approx((lr + 0.02 * lr) / 2)
    assert lr * schedules.one_cycle(0.7, 10, lr=lr)(2) == pytest.approx(0.7)
    assert lr * schedules.one_cycle(0.7, 10)(2) == pytest.approx(0.7 * lr)


def test_in_a_loop():
    w = tg.Tensor([1.0], requires_grad=True)
    optimizer, schedule = tg.optim.SGD([w], lr=0.5), schedules.step(1, 0.5)
    for update in range(3):
        w.grad = np.ones(1)
        optimizer.lr = 0.5 * schedule(update)
        optimizer.step()
    assert w.item() == 1 - 0.5 - 0.25 - 0.125


LENGTHS = [
    schedules.step, schedules.halving, schedules.cosine, schedules.polynomial, schedules.cosine_restarts,
    lambda n: schedules.linear(total_iters=n), lambda n: schedules.one_cycle(1.0, n),
]  # fmt: skip


@pytest.mark.parametrize(
    "make", LENGTHS, ids=["step", "halving", "cosine", "polynomial", "cosine_restarts", "linear", "one_cycle"]
)
@pytest.mark.parametrize("length", [0, -3])
def test_lengths_below_one_are_refused(make, length):
    with pytest.raises(ValueError, match=f"at least 1.*{length}"):
        make(length)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        pytest.param(
            lambda: schedules.warm_up(schedules.constant(), -1),
            ValueError,
            "-1",
            id="schedules.warm_up(schedules.constant(), -1) ValueError '-1'",
        ),
        pytest.param(
            lambda: schedules.step(1, -0.1), ValueError, "gamma", id="schedules.step(1, -0.1) ValueError 'gamma'"
        ),
        pytest.param(
            lambda: schedules.multi_step([1], math.nan),
            ValueError,
            "gamma",
            id="schedules.multi_step([1], math.nan) ValueError 'gamma'",
        ),
        pytest.param(
            lambda: schedules.exponential(-1), ValueError, "gamma", id="schedules.exponential(-1) ValueError 'gamma'"
        ),
        pytest.param(
            lambda: schedules.polynomial(5, 0), ValueError, "power", id="schedules.polynomial(5, 0) ValueError 'power'"
        ),
        pytest.param(
            lambda: schedules.linear(5), TypeError, "positional", id="schedules.linear(5) TypeError 'positional'"
        ),  # start_factor, in PyTorch
        pytest.param(
            lambda: schedules.linear(start_factor=-1, total_iters=5),
            ValueError,
            "start_factor",
            id="schedules.linear(start_factor=-1, total_iters=5) ValueError ",
        ),
        pytest.param(
            lambda: schedules.linear(end_factor=math.inf, total_iters=5),
            ValueError,
            "end_factor",
            id="schedules.linear(end_factor=math.inf, total_iters=5) ValueEr",
        ),
        pytest.param(
            lambda: schedules.cosine(5, -0.1),
            ValueError,
            "eta_min",
            id="schedules.cosine(5, -0.1) ValueError 'eta_min'",
        ),
        pytest.param(
            lambda: schedules.cosine(5, lr=0),
            ValueError,
            "lr, the base rate",
            id="schedules.cosine(5, lr=0) ValueError 'lr, the base rate'",
        ),
        pytest.param(
            lambda: schedules.cosine_restarts(5, 0),
            ValueError,
            "T_mult",
            id="schedules.cosine_restarts(5, 0) ValueError 'T_mult'",
        ),
        pytest.param(
            lambda: schedules.cosine_restarts(5, 1.5),
            ValueError,
            "T_mult",
            id="schedules.cosine_restarts(5, 1.5) ValueError 'T_mult'",
        ),
        pytest.param(
            lambda: schedules.cosine_restarts(5, 1, math.nan),
            ValueError,
            "eta_min",
            id="schedules.cosine_restarts(5, 1, math.nan) ValueError 'eta_mi",
        ),
        pytest.param(
            lambda: schedules.cyclic(0, 1, 0), ValueError, "step_size_up must be at least 1", id="cyclic up 0"
        ),
        pytest.param(lambda: schedules.cyclic(0, 1, 5, 0), ValueError, "step_size_down", id="cyclic down 0"),
        pytest.param(lambda: schedules.cyclic(-1, 1), ValueError, "base_lr", id="cyclic base_lr"),
        pytest.param(lambda: schedules.cyclic(0, math.nan), ValueError, "max_lr", id="cyclic max_lr"),
        pytest.param(lambda: schedules.cyclic(0, 1, gamma=-1), ValueError, "gamma", id="cyclic gamma"),
        pytest.param(lambda: schedules.cyclic(0, 1, mode="up"), ValueError, "'exp_range', got 'up'", id="cyclic mode"),
        pytest.param(
            lambda: schedules.cyclic(0, 1, scale_fn=abs, scale_mode="epoch"),
            ValueError,
            "scale_mode must be 'cycle' or 'iterations', got 'epoch'",
            id="cyclic scale_mode",
        ),
        pytest.param(
            lambda: schedules.one_cycle(-1, 5),
            ValueError,
            "max_lr",
            id="schedules.one_cycle(-1, 5) ValueError 'max_lr'",
        ),
        pytest.param(
            lambda: schedules.one_cycle(1, 5, 1.1),
            ValueError,
            "pct_start",
            id="schedules.one_cycle(1, 5, 1.1) ValueError 'pct_start'",
        ),
        pytest.param(
            lambda: schedules.one_cycle(1, 5, anneal_strategy="cosine"),
            ValueError,
            "anneal_strategy.*'cosine'",
            id="schedules.one_cycle(1, 5, anneal_strategy='cosine') ValueErr",
        ),
        pytest.param(
            lambda: schedules.one_cycle(1, 5, div_factor=0),
            ValueError,
            "div_factor",
            id="schedules.one_cycle(1, 5, div_factor=0) ValueError 'div_fact",
        ),
        pytest.param(
            lambda: schedules.one_cycle(1, 5, final_div_factor=-1),
            ValueError,
            "final_div_factor",
            id="schedules.one_cycle(1, 5, final_div_factor=-1) ValueError 'f",
        ),
        pytest.param(
            lambda: schedules.from_function(0.5),
            TypeError,
            "takes a function",
            id="schedules.from_function(0.5) TypeError 'takes a function'",
        ),
        pytest.param(
            lambda: schedules.from_function(lambda update: 1 - update)(3),
            ValueError,
            "-2.0 at update 3",
            id="schedules.from_function(lambda update: 1 - update)(3) ValueE",
        ),
        pytest.param(
            lambda: schedules.from_function(lambda update: math.nan)(0),
            ValueError,
            "nan",
            id="schedules.from_function(lambda update: math.nan)(0) ValueErr",
        ),
        pytest.param(
            lambda: Plateau("least"),
            ValueError,
            "mode must be 'min' or 'max'.*'least'",
            id="Plateau('least') ValueError \"mode must be 'min' or 'max'.*'l",
        ),
        pytest.param(
            lambda: Plateau(threshold_mode="mean"),
            ValueError,
            "threshold_mode",
            id="Plateau(threshold_mode='mean') ValueError 'threshold_mode'",
        ),
        pytest.param(lambda: Plateau(factor=1.0), ValueError, "factor", id="Plateau(factor=1.0) ValueError 'factor'"),
        pytest.param(lambda: Plateau(factor=0.0), ValueError, "factor", id="Plateau(factor=0.0) ValueError 'factor'"),
        pytest.param(
            lambda: Plateau(patience=-1), ValueError, "patience", id="Plateau(patience=-1) ValueError 'patience'"
        ),
        pytest.param(
            lambda: Plateau(threshold=-1), ValueError, "threshold", id="Plateau(threshold=-1) ValueError 'threshold'"
        ),
        pytest.param(
            lambda: Plateau(cooldown=-1), ValueError, "cooldown", id="Plateau(cooldown=-1) ValueError 'cooldown'"
        ),
        pytest.param(lambda: Plateau(min_lr=-1), ValueError, "min_lr", id="Plateau(min_lr=-1) ValueError 'min_lr'"),
        pytest.param(lambda: Plateau(eps=math.nan), ValueError, "eps", id="Plateau(eps=math.nan) ValueError 'eps'"),
    ],
)
def test_wrong_settings_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


# ------------------------------------------------------------------------------------------------ Plateau

NAN, INF = math.nan, math.inf
# fmt: off
PLATEAUS = [
    # settings                                              metrics, and the factor after each
    ({"patience": 0},                                       [3, 2, 2, 1, 1.5],       [1, 1, 0.1, 0.1, 0.01]),
    ({"patience": 1, "factor": 0.5},                        [1, 1, 1, 1, 1, 0, 0],   [1, 1, 0.5, 0.5] + [0.25] * 3),
    ({"patience": 2},                                       [1, 2, 2, 2],            [1, 1, 1, 0.1]),
    ({"patience": 0, "mode": "max"},                        [1, 2, 3, 3, 2.5],       [1, 1, 1, 0.1, 0.01]),
    ({"patience": 0, "threshold": 0.1},                     [10, 9.1, 8.9, 8],       [1, 0.1, 0.1, 0.1]),
    ({"patience": 0, "threshold": 0.1, "mode": "max"},      [10, 10.9, 11.1, 12.3],  [1, 0.1, 0.1, 0.1]),
    ({"patience": 0, "threshold": 0.1, "mode": "max"},      [-10, -10.9, -12],       [1, 1, 0.1]),  # as PyTorch
    ({"patience": 0, "threshold": 0.1},                     [-10, -8.9, -9.1, -9],   [1, 0.1, 0.1, 0.1]),
    ({"patience": 0, "threshold": 2, "threshold_mode": "abs"}, [10, 8.5, 7.9, 5],    [1, 0.1, 0.1, 0.1]),
    ({"patience": 0, "threshold": 2, "threshold_mode": "abs", "mode": "max"}, [-3, -2, -0.5], [1, 0.1, 0.1]),
    ({"patience": 0, "threshold": 0},                       [1, 1, 0.999],           [1, 0.1, 0.1]),
    ({"patience": 0, "cooldown": 2},                        [1, 1, 1, 1, 1, 1],      [1, 0.1, 0.1, 0.1, 0.01, 0.01]),
    ({"patience": 0, "min_lr": 0.05},                       [1, 1, 1, 1],            [1, 0.1, 0.05, 0.05]),
    ({"patience": 0, "min_lr": 0.05, "lr": 0.5},            [1, 1, 1, 1],            [1, 0.1, 0.1, 0.1]),
    ({"patience": 0, "eps": 0.2, "factor": 0.5},            [1, 1, 1, 1, 1],         [1, 0.5, 0.25, 0.25, 0.25]),
    ({"patience": 0, "eps": 0.02, "factor": 0.5, "lr": 0.1}, [1, 1, 1, 1, 1],        [1, 0.5, 0.25, 0.25, 0.25]),
    ({"patience": 0},                                       [NAN, INF, 1, NAN],      [0.1, 0.01, 0.01, 0.001]),
    ({"patience": 1},                                       [NAN, NAN, NAN],         [1, 0.1, 0.1]),
    ({"patience": 0, "mode": "max"},                        [-INF, 1, INF, INF],     [0.1, 0.1, 0.1, 0.01]),
    ({},                                                    [1] * 12,                [1] * 11 + [0.1]),
]
# fmt: on


@pytest.mark.parametrize(("settings", "metrics", "factors"), PLATEAUS)
def test_plateau(settings, metrics, factors):
    plateau = Plateau(**settings)
    np.testing.assert_allclose([plateau.step(metric) for metric in metrics], factors, rtol=1e-12)
    assert plateau.scale == pytest.approx(factors[-1])

    resumed = None  # created from a saved state at every step
    for metric, factor in zip(metrics, factors, strict=True):
        state = None if resumed is None else resumed.state_dict()
        resumed = Plateau(**settings)
        if state is not None:
            resumed.load_state_dict(json.loads(json.dumps(state)))
        assert resumed.step(metric) == pytest.approx(factor, rel=1e-12)


def test_plateau_takes_a_tensor():
    plateau = Plateau(patience=0)
    assert plateau.step(tg.Tensor(2.0, requires_grad=True) * 1) == 1
    assert plateau.step(np.float32(3)) == 0.1
    assert json.dumps(plateau.state_dict(), allow_nan=False, sort_keys=True) == (
        '{"best": 2.0, "cooldown_counter": 0, "num_bad_epochs": 0, "scale": 0.1}'
    )


def test_plateau_states_that_do_not_fit():
    plateau = Plateau(patience=0)
    plateau.step(1.0)
    good = plateau.state_dict()
    for state, message in [({}, "best"), (good | {"rate": 1}, "rate")]:
        with pytest.raises(tg.CheckpointError, match=message):
            plateau.load_state_dict(state)
    assert plateau.state_dict() == good
