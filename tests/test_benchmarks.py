"""The benchmarks run, with and without PyTorch, and check the results that they compare. No test asserts a time."""

import gc
import importlib
import os
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
RUNS = {
    "step": ["--rounds", "1", "--batch", "4", "--allocator", "default"],
    "ops": ["--rounds", "1"],
    "ops --gc": ["--gc"],
    "optimizers": ["--rounds", "1", "--steps", "1"],
    "networks": ["--seconds", "0.001", "--allocator", "default", "gelu", "3x3, 14x14", "step"],
    "functions": ["--rounds", "1", "--calls", "1"],
    "importing": ["--rounds", "1"],
    "memory": None,  # takes no arguments
}
SMALLER = {  # smaller values for constants that determine the time
    "step": {"IMAGES": 100, "FEATURES": 12, "HIDDEN": 8},
    "networks": {"ROUNDS": 1, "SMALL": 32, "BATCH": 2, "CONTEXT": 4, "WIDTH": 8, "UNITS": 4, "STEPS": 3},
    "memory": {"LAYERS": 16, "UNITS": 4, "BATCH": 8, "ROUNDS": 1},
}


@pytest.fixture
def program(monkeypatch):
    """Import a benchmark as if run as a program, and remove it after the test."""
    modules = [path.stem for path in BENCHMARKS.glob("*.py")]
    for name in modules:
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])
    monkeypatch.setattr(os, "environ", os.environ.copy())
    monkeypatch.setattr(
        gc, "unfreeze", lambda: None
    )  # conftest.py freezes all tests; unfreezing would slow every later collection
    monkeypatch.setattr(gc, "collect", lambda: 0)
    yield importlib.import_module
    for name in modules:
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("run", "torch"),
    [*((run, "with PyTorch") for run in RUNS), ("step", "without"), ("networks", "without"), ("importing", "without")],
)
def test_prints_its_table(run, torch, program, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "jax", None)
    if torch == "without":
        monkeypatch.setitem(sys.modules, "torch", None)
    else:
        pytest.importorskip("torch")
    name = run.split()[0]
    module = program(name)
    for constant, value in SMALLER.get(name, {}).items():
        monkeypatch.setattr(module, constant, value)
    assert module.main(*([] if RUNS[run] is None else [RUNS[run]])) == 0
    printed = capsys.readouterr().out
    if name == "memory":
        assert "parts of 4" in printed
        return
    assert "NumPy " + np.__version__ in printed
    assert ("PyTorch not installed" in printed) == (torch == "without")
    rows = [line for line in printed.splitlines() if line.startswith("|")]
    if name == "networks" and torch == "without":  # there is nothing to compare with
        assert not rows
        return
    assert len(rows) > 3
    assert len({row.count("|") for row in rows}) == 1


def test_a_contender_with_other_results_is_found(program, monkeypatch):
    step = program("step")
    for constant, value in SMALLER["step"].items():
        monkeypatch.setattr(step, constant, value)
    task = step.task(4)
    wrong = step.TunedNumPy(task)
    wrong.params[2] *= 2
    with pytest.raises(AssertionError, match="tuned: losses"):
        step.check({"plain": step.PlainNumPy(task), "tuned": wrong})


def test_ratios_are_computed_within_each_round(program):
    measuring = program("measuring")
    ours, base = np.array([2.0, 20.0, 4.0]), np.array([1.0, 10.0, 1.0])
    assert measuring.ratio(ours, base) == 2
    assert measuring.spread(ours, base) == "2.00 (2.00 to 3.00)"
    assert measuring.spread(base, base) == "1"


def test_the_order_rotates_from_round_to_round(program):
    calls = []
    seconds = program("measuring").interleave({name: lambda name=name: calls.append(name) for name in "abc"}, 3)
    assert "".join(calls) == "aabbcc" + "bbccaa" + "ccaabb"  # the first of two warms up
    assert {name: len(values) for name, values in seconds.items()} == dict.fromkeys("abc", 3)


def test_threads_and_other_kernels_cause_warnings(program, monkeypatch, capsys):
    measuring = program("measuring")
    monkeypatch.setitem(sys.modules, "torch", None)
    os.environ.update(OPENBLAS_CORETYPE="Haswell", OMP_NUM_THREADS="2", OPENBLAS_NUM_THREADS="1")
    measuring.header()
    printed = capsys.readouterr().out
    assert "WARNING: OMP_NUM_THREADS should be 1" in printed
    assert "WARNING: OPENBLAS_CORETYPE=Haswell" in printed
