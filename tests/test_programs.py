"""Random programs: gradients and second derivatives compared with dual numbers, which are independent of tensorgrad.

The programs are those of `tests.random_programs`. One that fails is shortened, and printed with its seed.
"""

import os

import numpy as np
import pytest

from tensorgrad.engine.registry import row_of
from tensorgrad.engine.tape import value_of
from tests import random_programs
from tests.random_programs import UNARY, Program, failure, shrunk


def check(seeds):
    for seed in seeds:
        overwrite = bool(seed % 2)
        program = Program(seed)
        if failure(program, overwrite) is not None:
            program = shrunk(program, overwrite)
            raise AssertionError(f"{program}\noverwritten afterwards: {overwrite}\n{failure(program, overwrite)}")


START = int(os.environ.get("PROGRAM_SEED", "0"))


@pytest.mark.parametrize("start", range(0, 300, 30), ids="seeds from {}".format)
def test_random_programs(start):
    check(range(START + start, START + start + 30))


@pytest.mark.slow
@pytest.mark.parametrize("start", range(1000, 4000, 300), ids="seeds from {}".format)
def test_many_random_programs(start):
    check(range(START + start, START + start + 300))


# ------------------------------------------------------------------------------------------- tests of the comparison

WRONG = {
    "sin": (np.sin, lambda g, _ans, x: g * np.cos(x * (1 + 1e-8))),
    "a second derivative": (np.sin, lambda g, _ans, x: g * np.cos(np.array(value_of(x)))),
    "multiply": (np.multiply, lambda g, _ans, _x, y: g * y, lambda g, _ans, x, _y: g * abs(x)),
    "transpose": (np.transpose, lambda g, _ans, _x, axes=None: np.transpose(g, axes)),
    "right, in another form": (np.tanh, lambda g, ans, x: g * (1 - np.tanh(x) * ans)),
}


def found(seeds):
    """The first of the seeds whose program fails."""
    return next((seed for seed in seeds if failure(Program(seed), bool(seed % 2)) is not None), None)


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_row_is_found(name, monkeypatch):
    fn, *vjps = WRONG[name]
    row = row_of(fn)
    before = dict(vars(row))
    try:
        row.enter(vjps)
        wrong = found(range(40))
    finally:
        vars(row).clear()
        vars(row).update(before)
    assert (wrong is not None) == (not name.startswith("right"))
    assert found(range(5)) is None


def test_an_unnoticed_write_is_found(monkeypatch):
    """A write to the memory that tensorgrad does not notice changes the values that the backward pass reads."""

    def erase_memory(array):
        array.data[...] = 0.123

    monkeypatch.setattr(random_programs, "erase", erase_memory)
    assert found(range(1, 41, 2)) is not None


def test_a_failing_program_is_shortened(monkeypatch):
    monkeypatch.setitem(UNARY, "tanh", (lambda x: np.tanh(x) * 1.001, UNARY["tanh"][1]))
    seed = found(range(40))
    program = shrunk(Program(seed), bool(seed % 2))
    assert "tanh" in str(program)
    assert f"seed {seed}" in str(program)
    assert sum(step[0] != "zeros" for step in program.steps) <= 8
