"""Every public name has an example in its docstring, and the examples print what they say."""

import doctest
import importlib
import inspect

import numpy as np
import pytest

import tensorgrad as tg
from tests.helpers import is_installed

NAMESPACES = {"tg": tg, "tg.nn": tg.nn, "tg.optim": tg.optim, "tg.schedules": tg.schedules, "tg.data": tg.data}
try:
    import tensorgrad.scipy
except ImportError:  # SciPy is in the extra `scipy`
    pass
else:
    NAMESPACES |= {f"tg.scipy.{name}": getattr(tensorgrad.scipy, name) for name in tensorgrad.scipy.__all__}


def own_methods(cls):
    """Public methods and properties that tensorgrad defines, including those of base classes."""
    for base in cls.__mro__:
        if base.__module__.startswith(("tensorgrad.engine", "tensorgrad.errors")):
            continue
        if base.__module__.startswith("tensorgrad"):
            for name, member in vars(base).items():
                function = member.fget if isinstance(member, property) else member
                is_function = callable(function) and inspect.isfunction(inspect.unwrap(function))
                is_own = is_function and getattr(function, "__qualname__", "").startswith(base.__name__ + ".")
                if is_own and not name.startswith("_"):
                    yield f"{base.__name__}.{name}", member


def public():
    found = {}
    for prefix, namespace in NAMESPACES.items():
        for name in namespace.__all__:
            thing = getattr(namespace, name)
            if "__doc__" in getattr(thing, "__dict__", {}) and hasattr(thing, "cdf"):
                found[f"{prefix}.{name}"] = thing  # a distribution, an object with a docstring of its own
                found |= dict(own_methods(type(thing)))
                continue
            is_error = inspect.isclass(thing) and issubclass(thing, Exception)
            if is_error or inspect.ismodule(thing) or not callable(thing) or not getattr(thing, "__module__", None):
                continue
            if not (inspect.isclass(thing) or inspect.isfunction(thing)):
                continue  # an alias of types, such as Schedule
            found[f"{prefix}.{name}"] = thing
            if inspect.isclass(thing):
                found |= dict(own_methods(thing))
    return found


PUBLIC = public()
for package, needing in {"onnx": ("tg.export", "tg.import_model"), "scipy": ("tg.minimize",)}.items():
    if not is_installed(package):  # in the extras `export` and `scipy`
        PUBLIC = {name: thing for name, thing in PUBLIC.items() if name not in needing}
ATTRIBUTES = {"Dataset.classes", "Dataset.shape", "Dataset.features", "Methods.ndim", "Methods.size", "Methods.nbytes"}
"""Attributes with a docstring of one line: those of data sets, which the class shows, and those of every ndarray."""


def failures(name, doc):
    """Run the examples of a docstring with a fixed array format; return their number and a report of failures."""
    report = []
    test = doctest.DocTestParser().get_doctest(doc or "", {"np": np, "tg": tg}, name, None, 0)
    with np.printoptions(precision=4, suppress=True):
        doctest.DocTestRunner(verbose=False).run(test, out=report.append)
    return len(test.examples), "".join(report)


@pytest.mark.parametrize("name", sorted(PUBLIC.keys() - ATTRIBUTES))
def test_every_public_name_has_an_example_that_runs(name):
    doc = inspect.getdoc(PUBLIC[name])
    count, report = failures(name, doc)
    assert count, f"{name} has no example in its docstring"
    assert "\nExamples\n--------\n" in doc
    assert not report, report


def test_the_names_are_found():
    assert len(PUBLIC) > 110
    assert {"tg.relu", "Tensor.backward", "Methods.sum", "Optimizer.step", "tg.nn.he", "Plateau.step"} <= PUBLIC.keys()
    assert PUBLIC.keys() >= ATTRIBUTES | {"tg.primitive", "tg.rule"}


@pytest.mark.parametrize("module", ["", ".transforms.derivatives", ".scipy"])
def test_examples_of_modules_run(module):
    if module == ".scipy":
        pytest.importorskip("scipy.special")
    doc = inspect.getdoc(importlib.import_module(f"tensorgrad{module}"))
    count, report = failures(module, doc)
    assert count
    assert not report, report


def test_a_wrong_output_and_a_missing_example_are_found():
    assert failures("right", ">>> tg.relu(np.array([-1.0, 2.0]))\narray([0., 2.])\n") == (1, "")
    assert "Expected" in failures("wrong", ">>> tg.relu(np.array([-1.0, 2.0]))\narray([0., 3.])\n")[1]
    assert failures("none", "Text alone.") == (0, "")


def test_the_help_of_a_tensor_starts_with_what_it_is():
    first = inspect.getdoc(tg.Tensor).splitlines()[0]
    assert first.startswith("An n-dimensional array")
