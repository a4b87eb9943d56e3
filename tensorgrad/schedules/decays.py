"""Schedules that fall, or rise, from one factor to another."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

from tensorgrad.schedules.checks import Schedule, at_least_one, not_negative


def constant() -> Schedule:
    """A constant factor of 1.

    Examples
    --------
    >>> schedule = tg.schedules.constant()
    >>> [round(schedule(update), 4) for update in (0, 10, 20)]
    [1.0, 1.0, 1.0]
    """
    return lambda update: 1.0


def step(step_size: int, gamma: float = 0.1) -> Schedule:
    """Multiplied by ``gamma`` after every ``step_size`` updates. PyTorch's StepLR.

    Examples
    --------
    >>> schedule = tg.schedules.step(10)
    >>> [round(schedule(update), 4) for update in (0, 10, 20)]
    [1.0, 0.1, 0.01]
    """
    at_least_one("step_size", step_size)
    not_negative("gamma", gamma)
    return lambda update: gamma ** (update // step_size)


def halving(step_size: int) -> Schedule:
    """Halved after every ``step_size`` updates.

    Examples
    --------
    >>> schedule = tg.schedules.halving(10)
    >>> [round(schedule(update), 4) for update in (0, 10, 20)]
    [1.0, 0.5, 0.25]
    """
    return step(step_size, 0.5)


def multi_step(milestones: Iterable[int], gamma: float = 0.1) -> Schedule:
    """Multiplied by ``gamma`` each time the number of updates reaches a milestone. PyTorch's MultiStepLR.

    Examples
    --------
    >>> schedule = tg.schedules.multi_step([10, 20])
    >>> [round(schedule(update), 4) for update in (0, 10, 20)]
    [1.0, 0.1, 0.01]
    """
    not_negative("gamma", gamma)
    ordered = sorted(milestones)
    return lambda update: gamma ** bisect_right(ordered, update)


def exponential(gamma: float) -> Schedule:
    """Multiplied by ``gamma`` after every update. PyTorch's ExponentialLR.

    Examples
    --------
    >>> schedule = tg.schedules.exponential(0.9)
    >>> [round(schedule(update), 4) for update in (0, 10, 20)]
    [1.0, 0.3487, 0.1216]
    """
    not_negative("gamma", gamma)
    return lambda update: gamma**update


def polynomial(total_iters: int, power: float = 1.0) -> Schedule:
    """``(1 - update / total_iters) ** power``, then 0. PyTorch's PolynomialLR.

    Examples
    --------
    >>> schedule = tg.schedules.polynomial(20, power=2)
    >>> [round(schedule(update), 4) for update in (0, 10, 20)]
    [1.0, 0.25, 0.0]
    """
    at_least_one("total_iters", total_iters)
    if not power > 0:
        raise ValueError(f"power must be greater than 0, got {power}")
    return lambda update: (1 - min(update / total_iters, 1)) ** power


def linear(*, start_factor: float = 1 / 3, end_factor: float = 1.0, total_iters: int) -> Schedule:
    """A straight line from ``start_factor`` to ``end_factor`` in ``total_iters`` updates, then constant.

    PyTorch's LinearLR.

    Examples
    --------
    >>> schedule = tg.schedules.linear(start_factor=1.0, end_factor=0.0, total_iters=20)
    >>> [round(schedule(update), 4) for update in (0, 10, 20)]
    [1.0, 0.5, 0.0]
    """
    at_least_one("total_iters", total_iters)
    not_negative("start_factor", start_factor)
    not_negative("end_factor", end_factor)
    return lambda update: start_factor + (end_factor - start_factor) * min(update / total_iters, 1)
