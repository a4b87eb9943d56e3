"""The library with one thing wrong, in all ways that `tests/mutate.py` tries."""

from collections.abc import Callable
from typing import NamedTuple

from mutants.checks import Check


class Mutant(NamedTuple):
    """One thing that is wrong, how to bring it about, and the tests that may notice."""

    family: str
    name: str
    install: Callable[[], None]
    checks: list[Check]
    first: tuple[str, ...] = ()  # the files of tests to begin with
    line: int = 0
