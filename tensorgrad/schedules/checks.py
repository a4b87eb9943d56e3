"""The type of a schedule, and checks of arguments."""

from __future__ import annotations

import math
from collections.abc import Callable

Schedule = Callable[[int], float]


def fraction(name: str, rate: float, lr: float) -> float:
    """An absolute rate as a fraction of the base rate ``lr``; a ValueError names what is out of range."""
    if not 0 < lr < math.inf:
        raise ValueError(f"lr, the base rate, must be greater than 0, got {lr}")
    not_negative(name, rate)
    return rate / lr


def not_negative(name: str, value: float) -> None:
    """Raise a ValueError unless a number is finite and at least 0."""
    if not 0 <= value < math.inf:
        raise ValueError(f"{name} must be at least 0, got {value}")


def at_least_one(name: str, value: int) -> None:
    """Raise a ValueError unless a number of updates is at least 1."""
    if value < 1:
        raise ValueError(f"{name} must be at least 1 update, got {value}")
