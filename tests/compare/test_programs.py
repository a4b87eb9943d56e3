"""Random programs of several functions: values, gradients, second derivatives; and in float32, loosely.

The same 5000 programs are tested each time; ``PROGRAMS=9000`` tests 9000 others. A failure is reduced to a small program,
which is printed with its inputs and the code that reproduces it.
"""

import os

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings

from compare.both import TOLERANCE, by_tensorgrad, by_torch, disagreements, met
from compare.programs import programs
from compare.table import OPS

pytestmark = [
    pytest.mark.compare,
    pytest.mark.filterwarnings("ignore:Using padding='same'"),  # of PyTorch, which says that it is slow
]

COUNT = int(os.environ.get("PROGRAMS", "0"))
LARGEST = 1e4  # beyond it, rounding alone makes the difference


def tame(results):
    return all(np.isfinite(x).all() and np.max(np.abs(x), initial=0) < LARGEST for level in results for x in level)


def differences(program, dtype, order):
    """A description of the differences, unless PyTorch's own result depends on the rounding of the inputs."""
    inputs = [x.astype(dtype) for x in program.inputs]
    theirs = by_torch(program.theirs, inputs, order)
    assume(tame(theirs))
    tolerance = TOLERANCE[dtype]
    found = disagreements(by_tensorgrad(program.ours, inputs, order), theirs, tolerance)
    if found:
        rng = np.random.default_rng(0)
        moved = [x * (1 + rng.choice([-1, 1], x.shape) * np.finfo(dtype).eps * 4).astype(dtype) for x in inputs]
        assume(not disagreements(by_torch(program.theirs, moved, order), theirs, tolerance / 10))
    return found


@settings(
    derandomize=not COUNT, max_examples=COUNT or 5000, suppress_health_check=list(HealthCheck), database=None,
    report_multiple_bugs=False,
)  # fmt: skip
@given(programs(OPS))
def test_programs(program):
    found = differences(program, np.float64, program.order) + differences(program, np.float32, 1)
    assert not found, "\n".join(found)
    met.program(program.names)
