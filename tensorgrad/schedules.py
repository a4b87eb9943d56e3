"""Learning-rate schedules: pure functions from the number of updates done (0, 1, ...) to a factor of the base rate.

A schedule has no state, so a resumed run needs only the number of its next update.
"""

from __future__ import annotations

import math
from collections.abc import Callable

Schedule = Callable[[int], float]


def constant() -> Schedule:
    """Always 1."""
    return lambda update: 1.0


def step(every: int, gamma: float = 0.1) -> Schedule:
    """Multiplied by ``gamma`` after every ``every`` updates."""
    _at_least_one("every", every)
    return lambda update: gamma ** (update // every)


def halving(every: int) -> Schedule:
    """Halved after every ``every`` updates."""
    return step(every, 0.5)


def cosine(total: int, final: float = 0.0) -> Schedule:
    """Half a cosine from 1 down to ``final`` at ``total`` updates, and ``final`` from there.

    Source: Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017, equation 5.
    """
    _at_least_one("total", total)
    return lambda update: final + (1 - final) * (1 + math.cos(math.pi * min(update / total, 1))) / 2


def linear(total: int, final: float = 0.0) -> Schedule:
    """A straight line from 1 down to ``final`` at ``total`` updates, and ``final`` from there."""
    _at_least_one("total", total)
    return lambda update: 1 + (final - 1) * min(update / total, 1)


def warm_up(schedule: Schedule, updates: int) -> Schedule:
    """Multiply a schedule by a ramp: ``1/updates, 2/updates, ...`` and 1 from there on."""
    if updates < 0:
        raise ValueError(f"warm-up must take 0 updates or more, got {updates}")
    return lambda update: schedule(update) * min(1.0, (update + 1) / max(updates, 1))


def _at_least_one(name: str, value: int) -> None:
    if value < 1:
        raise ValueError(f"{name} must be at least 1 update, got {value}")
