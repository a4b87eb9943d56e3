"""Every function separately, with random shapes and arguments: values, gradients, second derivatives, and float32."""

import ast
from pathlib import Path

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

TABLE_FILES = [path for path in Path(__file__).parent.glob("*.py") if not path.name.startswith("test_")]
_MADE = "with like=, of lists of tensors: a stack"
_ENDS = "PyTorch's endpoints cannot require a gradient"
_POLYNOMIAL = "PyTorch has no polynomials"
NOT_COMPARED = {
    **dict.fromkeys(
        ["array", "asanyarray", "asarray", "ascontiguousarray", "asfortranarray", "empty", "full", "ones"], _MADE
    ),
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
    """Every function occurs in the comparison's table, or in NOT_COMPARED with a reason."""
    numpys = {fn.__name__ for fn, entry in entries.items() if entry.differentiable and fn is not entry.run}
    known = numpys | set(functional.__all__)
    occurring = {getattr(op.ours, "__name__", "") for op in OPS}.union(*map(names_in, TABLE_FILES))
    assert known - occurring <= NOT_COMPARED.keys() <= known


def names_in(path):
    """The names in the second arguments of ``Op(name, ours, theirs)`` in a file, and in the functions that they name."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Op"]
    loops = [
        node.iter for node in ast.walk(tree) if isinstance(node, ast.comprehension)
    ]  # over functions, or their names
    todo, found = [*loops, *(call.args[1] for call in calls)], set()
    while todo:
        nodes = list(ast.walk(todo.pop()))
        names = {getattr(node, "attr", getattr(node, "id", getattr(node, "value", ""))) for node in nodes} - found
        names = {name for name in names if isinstance(name, str)}
        todo += [functions[name] for name in names if name in functions]
        found |= names
    return found


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
