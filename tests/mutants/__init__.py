"""Mutants: copies of the library with one error each, for `tests/mutate.py`."""

from collections.abc import Callable
from typing import NamedTuple

from mutants.checks import Check


class Mutant(NamedTuple):
    """One error, a function that introduces it, and the tests that may notice it."""

    family: str
    name: str
    install: Callable[[], None]
    checks: list[Check]
    first: tuple[str, ...] = ()  # the test files to begin with
    line: int = 0
