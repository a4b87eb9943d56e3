"""Types: users' programs, as mypy checks them and at run time, and the stubs, compared with the functions."""

import ast
import inspect
import re
import runpy
import types
import typing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import tensorgrad as tg

ROOT = Path(__file__).parent.parent
PROGRAMS = ROOT / "tests" / "typing"
SIGNATURES = ROOT / "tensorgrad" / "frontend" / "signatures.pyi"
FUNCTIONS = ROOT / "tensorgrad" / "functional" / "__init__.pyi"


@pytest.mark.slow
def test_mypy_finds_the_mistakes_that_are_marked_and_no_others():
    """A single run for all programs: reading NumPy's types takes most of the time, unless mypy has cached them."""
    api = pytest.importorskip("mypy.api")
    names = [str(path) for path in sorted(PROGRAMS.glob("*.py"))]
    options = ["--no-error-summary", "--config-file", str(ROOT / "pyproject.toml")]
    output, problems, _ = api.run([*options, "--cache-dir", str(ROOT / ".mypy_cache"), *names])
    assert not problems, problems
    found = [
        (Path(name).name, int(line), code)
        for name, line, code in re.findall(r"^(.+?):(\d+): error: .*\[([\w-]+)\]$", output, re.M)
    ]
    assert len(found) == output.count(": error:"), output
    assert found == marked(), output


def marked():
    """The mistakes in the programs of tests/typing, from the comments next to them: (file, line, mypy's code)."""
    mistakes = [
        (path.name, number, code)
        for path in sorted(PROGRAMS.glob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for code in re.findall(r"# \[([\w-]+)\]$", line)
    ]
    assert {name for name, *_ in mistakes} == {"wrong.py"}
    assert len(mistakes) > 5
    return mistakes


@pytest.mark.parametrize("program", ["tensors", "numpy_functions", "functions", "derivatives", "layers", "training"])
def test_the_types_that_are_stated_are_those_at_run_time(program, monkeypatch):
    right = []

    def check(value, kind):  # and keep no reference to a tensor, which would keep its records alive
        assert is_of(value, kind), f"{value!r} is no {kind}"
        right.append(kind)

    monkeypatch.setattr(typing, "assert_type", check)
    runpy.run_path(str(PROGRAMS / f"{program}.py"))
    assert right


def is_of(value, kind):
    """Whether a value has a type, as far as that can be checked at run time; every value matches Any."""
    if kind is Any or kind is type(None):
        return kind is Any or value is None
    parts = typing.get_args(kind)
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        return any(is_of(value, part) for part in parts)
    origin = typing.get_origin(kind) or kind
    origin = getattr(origin, "__value__", origin)  # NDArray is defined by a `type` statement from Python 3.12 on
    return isinstance(value, typing.get_origin(origin) or origin)


def test_a_stated_type_that_is_wrong_is_noticed():
    assert is_of(np.ones(2), NDArray[Any] | None)
    assert not is_of(np.ones(2), tg.Tensor)
    assert not is_of(tg.Tensor(1.0), NDArray[Any] | None)
    assert not is_of([], tuple[Any, ...])


# ------------------------------------------------------------------------------------------------ the stubs


def signatures():
    """The methods and attributes of the stub, by name."""
    tree = ast.parse(SIGNATURES.read_text(encoding="utf-8"))
    (methods,) = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    return {node.name: node for node in methods.body}


def functions():
    """The statements of the other stub that define functions, including overloads."""
    return [node for node in ast.parse(FUNCTIONS.read_text(encoding="utf-8")).body if isinstance(node, ast.FunctionDef)]


def mismatch(stated, function, first=1):
    """The first parameter in a stub that the function does not accept, or not at that position; None if all match."""
    taken = list(inspect.signature(function).parameters.values())
    for place, stated_one in enumerate(stated.args.args[first:], first):
        if place >= len(taken) or taken[place].name != stated_one.arg or taken[place].kind is taken[place].KEYWORD_ONLY:
            return stated_one.arg
    by_name = {one.name for one in taken if one.kind is not one.POSITIONAL_ONLY}
    return next((one.arg for one in stated.args.kwonlyargs if one.arg not in by_name), None)


def test_the_stub_says_what_runs():
    for name, stated in signatures().items():
        there = inspect.getattr_static(tg.Tensor, name)
        if stated.decorator_list:
            assert isinstance(there, property), name
        else:
            assert mismatch(stated, getattr(tg.Tensor, name)) is None, name


def test_the_stub_states_all_that_has_no_types_of_its_own():
    """The stub declares exactly the methods that `methods.py` hides from type checkers."""
    hidden = {
        name.id
        for block in ast.walk(ast.parse((SIGNATURES.parent / "methods.py").read_text(encoding="utf-8")))
        if isinstance(block, ast.If) and isinstance(block.test, ast.UnaryOp)
        for statement in block.body
        for target in statement.targets
        for name in ast.walk(target)
        if isinstance(name, ast.Name)
    }
    assert hidden == set(signatures())


@pytest.mark.parametrize("stub", ["axes=0", "dtype=0, axis=0", "axis=0, *, keepdim=0", "axis=0, dtype=0, keepdims=0"])
def test_a_stub_that_is_wrong_is_noticed(stub):
    assert mismatch(ast.parse(f"def sum(self, {stub}): ...").body[0], tg.Tensor.sum) is not None


def defaults(stated):
    """The default values that a stub states, by the name of the parameter."""
    given = [*stated.args.posonlyargs, *stated.args.args]
    last = zip(given[len(given) - len(stated.args.defaults) :], stated.args.defaults, strict=True)
    pairs = [*last, *zip(stated.args.kwonlyargs, stated.args.kw_defaults, strict=True)]
    return {one.arg: ast.literal_eval(value) for one, value in pairs if value is not None}


def test_the_stub_of_the_functions_says_what_runs():
    for stated in functions():
        function = getattr(tg.functional, stated.name)
        taken = inspect.signature(function).parameters
        assert mismatch(stated, function, first=0) is None, stated.name
        assert [one.arg for one in (*stated.args.args, *stated.args.kwonlyargs)] == list(taken), stated.name
        there = {name: one.default for name, one in taken.items() if one.default is not one.empty}
        assert defaults(stated) == there, stated.name


def test_the_stub_of_the_functions_states_all_of_them():
    """Type checkers need literal names; at run time, the modules define them."""
    (names,) = [
        ast.literal_eval(node.value)
        for node in ast.parse(FUNCTIONS.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    ]
    assert names == sorted(tg.functional.__all__)
    assert {node.name for node in functions()} == set(names)


def test_a_default_that_is_wrong_is_noticed():
    (stated,) = ast.parse("def f(x, axis=-1, *, keepdims=False, a): ...").body
    assert defaults(stated) == {"axis": -1, "keepdims": False}
