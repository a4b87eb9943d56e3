"""The tests of the suite, called as pytest calls them, and the rules and lines that each of them runs."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import itertools
import sys
import tempfile
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings

SUITE = ["test_rules", "test_rule_properties", "test_conventions", "test_zero_rule_conventions", "test_softmax",
         "test_arguments", "test_functional", "test_running_statistics", "test_masks_and_labels",
         "test_functional_arguments", "test_linalg", "test_linalg_arguments", "test_shapes", "test_assign",
         "test_assign_memory", "test_recompute", "test_table", "test_numpy_protocol", "test_python_protocols",
         "test_namespaces", "test_zero_rule", "test_smooth_compositions", "test_division", "test_powers_and_ties",
         "test_selections"]  # fmt: skip
PARAM = type(pytest.param())


@dataclass(eq=False)
class Check:
    """A test with its parameters."""

    name: str
    run: Callable[[], Any]


def checks() -> Iterator[Check]:
    """All tests of the suite. Hypothesis draws the same values every time, and does not shrink failures."""
    settings.register_profile("mutants", deadline=None, derandomize=True, max_examples=60, phases=[Phase.generate])
    settings.load_profile("mutants")
    for module in map(importlib.import_module, SUITE):
        for name, test in list(vars(module).items()):
            if name.startswith("test_"):
                yield from _cases(f"{module.__name__}.{name}", test, getattr(module, "pytestmark", None))


def _cases(name: str, test: Any, of_module: Any) -> Iterator[Check]:
    marks = getattr(test, "pytestmark", []) + ([] if of_module is None else [of_module])
    choices = [_choices(*mark.args, **mark.kwargs) for mark in marks if mark.name == "parametrize"]
    noisy = any(mark.name == "filterwarnings" for mark in marks)
    fixtures = inspect.signature(test).parameters
    for case in itertools.product(*choices):
        arguments = {key: value for _, part in case for key, value in part.items()}

        def run(arguments: dict[str, Any] = arguments) -> None:
            folder = tempfile.TemporaryDirectory() if "tmp_path" in fixtures else contextlib.nullcontext("")
            with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch, folder as path:
                warnings.simplefilter("ignore" if noisy else "error")
                given = {"monkeypatch": patch, "tmp_path": Path(path)}
                test(**arguments, **{key: value for key, value in given.items() if key in fixtures})

        yield Check(f"{name}[{'-'.join(label for label, _ in case)}]" if case else name, run)


def _choices(names: Any, values: Any, ids: Any = None) -> list[tuple[str, dict[str, Any]]]:
    """The ids and arguments of a ``pytest.mark.parametrize``."""
    names, values = [n.strip() for n in names.split(",")] if isinstance(names, str) else names, list(values)
    labels = map(ids, values) if callable(ids) else ids or range(len(values))
    choices = []
    for label, value in zip(labels, values, strict=True):
        if isinstance(value, PARAM):
            label, row = value.id or label, value.values
        else:
            row = value if len(names) > 1 else [value]
        choices.append((str(label), dict(zip(names, row, strict=True))))
    return choices


class Seen:
    """The results of the tests on the unmodified library."""

    def __init__(self) -> None:
        self.seconds: dict[Check, float] = {}
        self.kills: Counter[Check] = Counter()
        self.ran: dict[Any, set[Check]] = defaultdict(set)  # by rule, and by file and line
        self.now: set[Any] = set()  # the rules and lines that the current test ran
        self.left_out: list[str] = []  # tests that fail, with their errors

    def run(self, files: frozenset[str] = frozenset()) -> None:
        """Run all tests once, and note which lines of these files they run."""
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
        """The order in which to try tests: certain files first, then fast tests and those that killed many mutants."""

        def rank(check: Check) -> Any:
            return not check.name.startswith(first), self.seconds[check] / (1 + self.kills[check]) ** 2

        return sorted(found, key=rank)


def _tracer(files: frozenset[str], note: Callable[[Any], None]) -> Any:
    def line(frame: Any, event: str, _: Any) -> Any:
        note((frame.f_code.co_filename, frame.f_lineno))
        return line

    return lambda frame, event, _: line if frame.f_code.co_filename in files else None
