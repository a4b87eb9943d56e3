"""The tests of the suite, called as pytest would call them, and which rules and lines each of them runs."""

from __future__ import annotations

import importlib
import inspect
import itertools
import sys
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

SUITE = ["test_rules", "test_conventions", "test_functional", "test_linalg", "test_shapes", "test_assign", "test_recompute",
         "test_table"]  # fmt: skip


@dataclass(eq=False)
class Check:
    """A test with its parameters."""

    name: str
    run: Callable[[], Any]


def checks() -> Iterator[Check]:
    """All tests of the suite, but for those that Hypothesis draws."""
    for module in map(importlib.import_module, SUITE):
        for name, test in list(vars(module).items()):
            if name.startswith("test_") and not hasattr(test, "hypothesis"):
                yield from _cases(f"{module.__name__}.{name}", test)


def _cases(name: str, test: Any) -> Iterator[Check]:
    marks = getattr(test, "pytestmark", [])
    choices = []
    for mark in marks:
        if mark.name == "parametrize":
            names, values = mark.args[0], list(mark.args[1])
            names = [n.strip() for n in names.split(",")] if isinstance(names, str) else names
            ids = mark.kwargs.get("ids") or range(len(values))
            labels = map(ids, values) if callable(ids) else ids
            rows = values if len(names) > 1 else [[value] for value in values]
            cases = [dict(zip(names, row, strict=True)) for row in rows]
            choices.append(list(zip(map(str, labels), cases, strict=True)))
    noisy = any(mark.name == "filterwarnings" for mark in marks)
    needs_patch = "monkeypatch" in inspect.signature(test).parameters
    for case in itertools.product(*choices):
        arguments = {key: value for _, part in case for key, value in part.items()}

        def run(arguments: Any = arguments) -> None:
            with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
                warnings.simplefilter("ignore" if noisy else "error")
                test(**arguments, **({"monkeypatch": patch} if needs_patch else {}))

        yield Check(f"{name}[{'-'.join(label for label, _ in case)}]" if case else name, run)


class Seen:
    """What happened while the tests ran on the library as it is."""

    def __init__(self) -> None:
        self.seconds: dict[Check, float] = {}
        self.kills: Counter[Check] = Counter()
        self.ran: dict[Any, set[Check]] = defaultdict(set)  # by rule, and by file and line
        self.now: set[Any] = set()  # the rules and lines that the test of this moment ran
        self.left_out: list[str] = []  # tests that fail, and how

    def run(self, files: frozenset[str] = frozenset()) -> None:
        """Run all tests, each once, and see which lines of these files they run."""
        for check in checks():
            self.now.clear()
            start = time.perf_counter()
            sys.settrace(_tracer(files, self.now.add) if files else None)
            try:
                check.run()
            except BaseException as error:
                self.left_out.append(f"{check.name}: {error!r:.90}")
                self.now.clear()
            sys.settrace(None)
            self.seconds[check] = time.perf_counter() - start
            for key in self.now:
                self.ran[key].add(check)

    def that_ran(self, *keys: Any) -> list[Check]:
        """The tests that ran any of these rules, or lines."""
        return list(set().union(*(self.ran[key] for key in keys)))

    def in_order(self, found: list[Check], first: tuple[str, ...]) -> list[Check]:
        """The quickest first, and those that were often right; before them those of certain files."""

        def rank(check: Check) -> Any:
            return not check.name.startswith(first), self.seconds[check] / (1 + self.kills[check]) ** 2

        return sorted(found, key=rank)


def _tracer(files: frozenset[str], note: Callable[[Any], None]) -> Any:
    def line(frame: Any, event: str, _: Any) -> Any:
        note((frame.f_code.co_filename, frame.f_lineno))
        return line

    return lambda frame, event, _: line if frame.f_code.co_filename in files else None
