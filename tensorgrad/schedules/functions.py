"""Schedules that are composed of others, or of user-defined functions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import SupportsFloat

from tensorgrad.schedules.checks import Schedule


def warm_up(schedule: Schedule, updates: int) -> Schedule:
    """Multiply a schedule by a ramp: ``1/updates, 2/updates, ...``, then 1.

    Examples
    --------
    >>> schedule = tg.schedules.warm_up(tg.schedules.constant(), 20)
    >>> [round(schedule(update), 4) for update in (0, 10, 20)]
    [0.05, 0.55, 1.0]
    """
    if updates < 0:
        raise ValueError(f"warm-up must take 0 updates or more, got {updates}")
    return lambda update: schedule(update) * min(1.0, (update + 1) / max(updates, 1))


def from_function(lr_lambda: Callable[[int], SupportsFloat]) -> Schedule:
    """A user-defined schedule whose values are checked to be finite and nonnegative. PyTorch's LambdaLR.

    Examples
    --------
    >>> schedule = tg.schedules.from_function(lambda update: 1 / (1 + update))
    >>> [round(schedule(update), 4) for update in (0, 10, 20)]
    [1.0, 0.0909, 0.0476]
    """
    if not callable(lr_lambda):
        raise TypeError(f"from_function takes a function of the number of updates done, got {lr_lambda!r}")

    def schedule(update: int) -> float:
        factor = float(lr_lambda(update))
        if not 0 <= factor < math.inf:
            raise ValueError(f"the schedule returned {factor} at update {update}: it must be finite and >= 0")
        return factor

    return schedule
