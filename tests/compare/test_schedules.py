"""Schedules over fifty updates, and the one that follows a metric."""

import random

import pytest

from compare.both import torch
from tensorgrad import schedules

pytestmark = pytest.mark.compare

BASE = 0.1
theirs = torch.optim.lr_scheduler

# fmt: off
SCHEDULES = [
    ("step",        schedules.step(7, 0.3),                             lambda o: theirs.StepLR(o, step_size=7, gamma=0.3)),
    ("halving",     schedules.halving(9),                               lambda o: theirs.StepLR(o, 9, 0.5)),
    ("multi_step",  schedules.multi_step([20, 3, 20, 31], gamma=0.3),   lambda o: theirs.MultiStepLR(o, [20, 3, 20, 31], 0.3)),
    ("exponential", schedules.exponential(0.9),                         lambda o: theirs.ExponentialLR(o, 0.9)),
    ("linear",      schedules.linear(total_iters=5),                    lambda o: theirs.LinearLR(o)),
    ("linear up",   schedules.linear(start_factor=0.25, end_factor=0.9, total_iters=30), lambda o: theirs.LinearLR(o, 0.25, 0.9, 30)),
    ("linear down", schedules.linear(start_factor=1, end_factor=0, total_iters=30), lambda o: theirs.LinearLR(o, 1, 0, 30)),
    ("polynomial",  schedules.polynomial(30, 2.5),                      lambda o: theirs.PolynomialLR(o, 30, 2.5)),
    ("polynomial 1", schedules.polynomial(total_iters=30),              lambda o: theirs.PolynomialLR(o, 30)),
    ("cosine",      schedules.cosine(49, 1e-3, lr=BASE),                lambda o: theirs.CosineAnnealingLR(o, 49, 1e-3)),
    ("cosine to 0", schedules.cosine(50),                               lambda o: theirs.CosineAnnealingLR(o, 50)),
    ("from_function",        schedules.from_function(lambda update: 0.95**update),         lambda o: theirs.LambdaLR(o, lambda update: 0.95**update)),
    ("constant",    schedules.constant(),                               lambda o: theirs.ConstantLR(o, 1.0)),
    ("warm_up",     schedules.warm_up(schedules.constant(), 10),        lambda o: theirs.LambdaLR(o, lambda update: min(1, (update + 1) / 10))),
    *[(f"cosine_restarts {first} {times}", schedules.cosine_restarts(first, times, 1e-3, lr=BASE),
       lambda o, first=first, times=times: theirs.CosineAnnealingWarmRestarts(o, first, times, 1e-3))
      for first, times in ((10, 1), (5, 2), (3, 3), (50, 1))],
    *[(f"cyclic {mode} {up} {down}", schedules.cyclic(0.02, 0.5, up, down, mode, 0.9, lr=BASE),
       lambda o, mode=mode, up=up, down=down: theirs.CyclicLR(o, 0.02, 0.5, up, down, mode, 0.9, cycle_momentum=False))
      for mode in ("triangular", "triangular2", "exp_range") for up, down in ((5, None), (3, 7), (8, 1), (100, 1))],
    *[(f"cyclic {how}", schedules.cyclic(0.02, 0.5, 4, scale_fn=lambda x: 1 / (1 + x), scale_mode=how, lr=BASE),
       lambda o, how=how: theirs.CyclicLR(o, 0.02, 0.5, 4, scale_fn=lambda x: 1 / (1 + x), scale_mode=how, cycle_momentum=False))
      for how in ("cycle", "iterations")],
    ("one_cycle",   schedules.one_cycle(0.5, 50, lr=BASE),              lambda o: theirs.OneCycleLR(o, 0.5, 50)),
    *[(f"one_cycle {total} {pct} {how}{' three' * three}",
       schedules.one_cycle(0.5, total, pct, how, 10.0, 100.0, three, lr=BASE),
       lambda o, total=total, pct=pct, how=how, three=three: theirs.OneCycleLR(o, 0.5, total, pct_start=pct,
           anneal_strategy=how, div_factor=10.0, final_div_factor=100.0, three_phase=three))
      for total in (50, 57) for pct in (0.3, 0.0, 0.5, 0.13, 1.0) for how in ("cos", "linear") for three in (False, True)],
]
# fmt: on


def optimizer():
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=BASE, momentum=0.9)


@pytest.mark.parametrize(("name", "ours", "make"), SCHEDULES, ids=[row[0] for row in SCHEDULES])
def test_fifty_updates(name, ours, make):
    o = optimizer()
    schedule = make(o)
    for update in range(50):
        if update:
            o.step()
            schedule.step()
        assert ours(update) * BASE == pytest.approx(o.param_groups[0]["lr"], rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("seed", range(100))
def test_plateau(seed):
    """A random walk, with a NaN or an infinity now and then; saved and restored after every epoch."""
    draw = random.Random(seed)
    chosen = {
        "mode": draw.choice(["min", "max"]), "factor": draw.choice([0.1, 0.5]), "patience": draw.choice([0, 1, 3]),
        "threshold": draw.choice([0, 1e-4, 0.1]), "threshold_mode": draw.choice(["rel", "abs"]),
        "cooldown": draw.choice([0, 2]), "min_lr": draw.choice([0, 1e-3]), "eps": draw.choice([1e-8, 1e-2]),
    }  # fmt: skip
    o = optimizer()
    other, plateau = theirs.ReduceLROnPlateau(o, **chosen), schedules.Plateau(**chosen, lr=BASE)
    x = draw.choice([1.0, -1.0])
    for _ in range(50):
        x += draw.uniform(-0.2, 0.2)
        metric = draw.choice([float("nan"), float("inf")]) if draw.random() < 0.05 else x
        other.step(metric)
        assert BASE * plateau.step(metric) == pytest.approx(o.param_groups[0]["lr"], rel=1e-12)
        state, plateau = plateau.state_dict(), schedules.Plateau(**chosen, lr=BASE)
        plateau.load_state_dict(state)
