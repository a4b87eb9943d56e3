"""Methods that ndarrays do not have, and tab completion."""

import importlib
import importlib.util
import inspect
import types

import numpy as np
import pytest

import tensorgrad as tg
from tests.helpers import leaf

X = np.array([[0.3, 1.7, 0.9], [2.1, 0.4, 1.2]])


# fmt: off
METHODS = [
    *[(name, getattr(np, name), {}) for name in (
        "exp", "expm1", "log", "log1p", "log2", "log10", "sqrt", "square", "abs", "sign", "sin", "cos", "tan", "sinh",
        "cosh", "tanh")],
    *[(name, getattr(tg, name), {}) for name in (
        "relu", "sigmoid", "softmax", "log_softmax", "logsumexp", "erf", "erfc")],
    ("softmax",     tg.softmax,     {"axis": 0}),
    ("log_softmax", tg.log_softmax, {"axis": 0}),
    ("logsumexp",   tg.logsumexp,   {"axis": 1, "keepdims": True}),
]
# fmt: on


@pytest.mark.parametrize(("name", "function", "options"), METHODS, ids=[f"{row[0]} {row[2] or ''}" for row in METHODS])
def test_a_method_is_its_function(name, function, options):
    results, gradients = [], []
    for call in (lambda x: getattr(x, name)(**options), lambda x: function(x, **options)):
        x = leaf(X)
        y = call(x)
        results.append(y)
        gradients.append(tg.grad(np.sum(y * y), x))
    np.testing.assert_array_equal(results[0].data, results[1].data)
    np.testing.assert_array_equal(*gradients)
    assert inspect.getdoc(getattr(tg.Tensor, name))


def test_methods_take_what_their_functions_take_in_the_same_order():
    x = leaf(X)
    np.testing.assert_array_equal(x.softmax(0).data, tg.softmax(x, 0).data)
    np.testing.assert_array_equal(x.logsumexp(1, True).data, tg.logsumexp(x, 1, True).data)
    assert list(inspect.signature(x.softmax).parameters) == ["axis"]
    with pytest.raises(TypeError):
        x.relu(3)


def test_every_method_that_is_declared_is_there():
    declared = [name for kind in tg.Tensor.__mro__ for name in inspect.get_annotations(kind)]
    t = tg.Tensor(1.0)
    assert [name for name in declared if not hasattr(t, name)] == []


# ------------------------------------------------------------------------------------------------ Tab completion


SCIPY = ["scipy", *(f"scipy.{name}" for name in ("integrate", "linalg", "signal", "sparse", "special", "stats"))]


@pytest.mark.parametrize("name", ["", "nn", "schedules", "optim", "data", "functional", *SCIPY])
def test_completion_shows_what_is_public_and_nothing_else(name):
    if name.startswith("scipy"):
        pytest.importorskip("scipy", reason="SciPy is in the extra `scipy`")
    module = importlib.import_module(f"tensorgrad.{name}".rstrip("."))
    shown = dir(module)
    assert {x for x in shown if not x.startswith("__")} == set(module.__all__)
    assert len(set(module.__all__)) == len(module.__all__)
    for x in module.__all__:
        assert not x.startswith("_")
        found = getattr(module, x)
        home = getattr(found, "__module__", None) or getattr(found, "__name__", "tensorgrad")
        assert isinstance(found, dict) or x == "Schedule" or home.startswith("tensorgrad"), x
        if isinstance(found, types.ModuleType):
            assert found.__name__ == f"{module.__name__}.{x}"


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(lambda: leaf(X), id="X"),
        pytest.param(lambda: tg.Tensor(X), id="Tensor(X)"),
        pytest.param(lambda: leaf(X) * 2, id="X * 2"),
    ],
)
def test_completion_of_a_tensor(made):
    shown = {name for name in dir(made()) if not name.startswith("__")}
    assert not {name for name in shown if name.startswith("_")}
    assert not shown & {"node", "record", "saved", "memory", "tracked"}
    assert {"data", "grad", "requires_grad", "is_leaf", "backward", "detach", "numpy", "item", "relu", "log_softmax",
            "T", "sum", "reshape", "shape", "dtype"} <= shown  # fmt: skip
    for name in shown:
        if name not in ("imag", "mT", "item"):  # which not every tensor supports
            getattr(made(), name)


def test_completion_shows_what_is_imported_late():
    assert {"data", "draw", "save", "load"} <= set(dir(tg))
    with pytest.raises(AttributeError, match="no_such"):
        _ = tg.no_such
