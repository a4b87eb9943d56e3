"""Random programs as compiled functions: replayed with fresh inputs, they give what they give uncompiled."""

import os

import numpy as np
import pytest

import tensorgrad as tg
from tests.compiling.steps import programs
from tests.random_programs import Program, apply_step

START = int(os.environ.get("PROGRAM_SEED", "0"))


def function_of(program, order):
    """The loss, its gradient, and that of the gradient along a direction, of arrays."""

    def run(leaves, other):
        leaves = [tg.Tensor(array, requires_grad=True) for array in leaves]
        arrays = list(leaves)
        for step in program.steps:
            apply_step(step, arrays, 0, tensors=True)
        loss = sum(program.loss(arrays, np.sum, np.multiply)) + np.sum(leaves[0] * other)
        results = [loss.detach(), arrays[-1].detach()]
        if order == 1:
            return [*results, *tg.grad(loss, leaves)]
        recorded = tg.grad(loss, leaves, create_graph=True)
        along = sum(np.sum(g * d) for g, d in zip(recorded, program.directions, strict=True))
        results += [g.detach() for g in recorded]
        return [*results, *(tg.grad(along, leaves) if along.requires_grad else [])]

    return run


def check(seeds, order, exact=True):
    for seed in seeds:
        program, rng = Program(seed), np.random.default_rng(seed)
        function = function_of(program, order)
        compiled = tg.compile(function, exact=exact)
        for _ in range(5):
            leaves = [rng.uniform(-1, 1, shape) for shape in program.shapes]
            other = rng.uniform(-1, 1, program.shapes[0])
            with np.errstate(all="ignore"):
                expected, got = function(leaves, other), compiled(leaves, other)
            for x, y in zip(expected, got, strict=True):
                assert (x is None) == (y is None)
                if x is not None:
                    assert (x.shape, x.dtype) == (y.shape, y.dtype)
                    x, y = (getattr(z, "data", z) if isinstance(z, tg.Tensor) else z for z in (x, y))
                    np.testing.assert_allclose(y, x, rtol=1e-12, atol=1e-12, err_msg=f"{program}\norder {order}")
        assert programs(compiled) == 1


@pytest.mark.parametrize(("order", "count"), [(1, 8), (2, 3)])
def test_random_programs(order, count):
    check(range(START, START + count), order)


def test_random_programs_that_need_not_be_exact():
    check(range(START + 20, START + 24), order=1, exact=False)


@pytest.mark.slow
@pytest.mark.parametrize("start", range(1000, 1500, 100), ids="seeds from {}".format)
def test_many_random_programs(start):
    check(range(START + start, START + start + 100), order=1)
    check(range(START + start, START + start + 30), order=2)
    check(range(START + start, START + start + 30), order=1, exact=False)
