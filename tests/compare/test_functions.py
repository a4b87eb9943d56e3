"""Every function separately, with random shapes and arguments: values, gradients, second derivatives, and float32."""

import types

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compare.both import compare, met
from compare.programs import calls
from compare.table import OPS
from tensorgrad import functional
from tensorgrad.engine.registry import entries

pytestmark = [
    pytest.mark.compare,
    pytest.mark.filterwarnings("ignore:Using padding='same'"),  # of PyTorch, which says that it is slow
]

EACH = settings(
    derandomize=True,
    max_examples=20,
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
    database=None,
)

_MADE = "with like=, of lists of tensors: a stack"
_ENDS = "PyTorch's takes ends that require no gradient"
_POLYNOMIAL = "PyTorch has no polynomials"
NOT_COMPARED = {
    **dict.fromkeys(["array", "asanyarray", "asarray", "ascontiguousarray", "asfortranarray", "full"], _MADE),
    **dict.fromkeys(["geomspace", "linspace", "logspace"], _ENDS),
    **dict.fromkeys(["polyadd", "polyder", "polyfit", "polyint", "polymul", "polysub", "polyval"], _POLYNOMIAL),
    "apply_over_axes": "PyTorch has none",
    "logn": "PyTorch has none",
    "eig": "refused: its values are complex",
    "eigvals": "refused: they are complex",
    "empty_like": "its values are not defined",
    "histogram": "counts: PyTorch's have no gradient either",
    "interp": "PyTorch has none",
    "nextafter": "PyTorch has no gradient of it",
    "real_if_close": "PyTorch has none",
    "spacing": "PyTorch has none",
    "unwrap": "PyTorch has none",
}


@pytest.mark.parametrize("op", OPS, ids=[op.name for op in OPS])
@EACH
@given(st.data())
def test_function(op, data):
    program = data.draw(calls(op), "program")
    compare(program.ours, program.theirs, program.inputs, op.order)
    narrow = [x.astype(np.float32) for x in program.inputs]
    compare(program.ours, program.theirs, narrow, min(op.order, 1))
    met.program(program.names)


def test_every_function_is_compared():
    """Every function occurs in the code of the comparison's table, or in NOT_COMPARED with a reason."""
    numpys = {fn.__name__ for fn, entry in entries.items() if entry.differentiable and fn is not entry.run}
    known = numpys | set(functional.__all__)
    spoken = set().union(*(names(op.ours) for op in OPS))
    assert known - spoken == set(NOT_COMPARED)


def names(fn, seen=None):
    """The names in the code of a function, and of all functions of the tests that it calls."""
    seen = set() if seen is None else seen
    if id(fn) in seen:
        return set()
    seen.add(id(fn))
    if isinstance(fn, types.CodeType):
        return set(fn.co_names).union(*(names(c, seen) for c in fn.co_consts if isinstance(c, types.CodeType)))
    if not isinstance(fn, types.FunctionType) or not fn.__module__.startswith("compare"):
        return {getattr(fn, "__name__", "")}
    inside = [*(fn.__defaults__ or ()), *(cell.cell_contents for cell in fn.__closure__ or ())]
    called = [value for name in fn.__code__.co_names if callable(value := fn.__globals__.get(name))]
    return names(fn.__code__, seen).union(*(names(f, seen) for f in (*inside, *called) if callable(f)))


def test_a_wrong_gradient_is_noticed():
    """The comparison itself: wrong values, gradients, second derivatives and shapes fail."""
    x = np.array([0.3, -1.2])
    for ours, theirs in [
        (lambda x: x * 1.00001, lambda x: x),
        (lambda x: x * x.shape[0], lambda x: x * 2 + (x.detach() - x) * 1e-5),
        (lambda x: x[None], lambda x: x),
        (lambda x: x * x, lambda x: x * x.detach() * 2 - x.detach() ** 2),
    ]:
        with pytest.raises(AssertionError, match=r"differs|PyTorch has"):
            compare(ours, theirs, [x])
