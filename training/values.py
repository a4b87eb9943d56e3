"""Parsers of the values of options.

A parser turns a value as it was written, on a command line or in YAML, into that of the option, or raises a ValueError.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from models import brief


def integer(least: int, most: float = math.inf) -> Callable[[Any], int]:
    """A parser of integers from ``least`` to ``most``, both included."""
    message = f"must be an integer of at least {least}" + (f" and at most {most}" if most < math.inf else "")

    def parse(value: Any) -> int:
        try:
            parsed = int(str(value))
        except ValueError:
            parsed = least - 1
        if not least <= parsed <= most or isinstance(value, bool):
            raise ValueError(f"{message}, got {brief(value)}")
        return parsed

    return parse


def number(least: float = 0.0, below: float = math.inf, *, open: bool = False) -> Callable[[Any], float]:
    """A parser of finite numbers from ``least`` (excluded if ``open``) to ``below`` (excluded)."""
    start = f"greater than {least:g}" if open else f"of at least {least:g}"
    message = f"must be a number {start}" + (f" and less than {below:g}" if below < math.inf else "")

    def parse(value: Any) -> float:
        try:
            parsed = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            parsed = math.nan
        if not (least < parsed or (parsed == least and not open)) or not parsed < below:
            raise ValueError(f"{message}, got {brief(value)}")
        return parsed

    return parse


def one_of(*names: str) -> Callable[[Any], str]:
    """A parser of one of these names."""

    def parse(value: Any) -> str:
        if value not in names:
            raise ValueError(f"must be one of {', '.join(names)}, got {brief(value)}")
        return str(value)

    return parse


def names_of(*names: str) -> Callable[[Any], list[str]]:
    """A parser of a list of some of these names, which may also be separated by commas; ``none`` is an empty list."""

    def parse(value: Any) -> list[str]:
        items = value if isinstance(value, (list, tuple)) else [value]
        found = [one_of(*names, "none")(name) for item in items for name in str(item).split(",")]
        return [name for name in names if name in found]

    return parse


def list_of(item: Callable[[Any], Any]) -> Callable[[Any], list[Any]]:
    """A parser of a list, or of a single value, whose items ``item`` parses."""

    def parse(value: Any) -> list[Any]:
        return [item(v) for v in (value if isinstance(value, (list, tuple)) else [value])]

    return parse


def pair_of(item: Callable[[Any], Any]) -> Callable[[Any], list[Any]]:
    """A parser of two values that ``item`` parses."""

    def parse(value: Any) -> list[Any]:
        parsed = list_of(item)(value)
        if len(parsed) != 2:
            raise ValueError(f"must be two numbers, got {brief(value)}")
        return parsed

    return parse


def boolean(value: Any) -> bool:
    """Parse True or False."""
    if not isinstance(value, bool):
        raise ValueError(f"must be true or false, got {brief(value)}")
    return value


def text(value: Any) -> str:
    """Parse a text that is not empty."""
    if not str(value):
        raise ValueError("must not be empty")
    return str(value)
