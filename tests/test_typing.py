"""What type checkers know of tensorgrad: users' programs, and signatures that hold."""

import ast
import inspect
import re
from pathlib import Path

import pytest

import tensorgrad as tg

ROOT = Path(__file__).parent.parent
PROGRAMS = ROOT / "tests" / "typing"
SIGNATURES = ROOT / "tensorgrad" / "frontend" / "signatures.pyi"


@pytest.fixture(scope="module")
def complaints():
    """Of mypy about the programs in tests/typing, by file: (line, code)."""
    api = pytest.importorskip("mypy.api")
    names = [str(path) for path in sorted(PROGRAMS.glob("*.py"))]
    output, problems, _ = api.run(
        ["--strict", "--no-error-summary", "--config-file", str(ROOT / "pyproject.toml"), *names]
    )
    assert not problems, problems
    found = re.findall(r"^(.+?):(\d+): error: .*\[([\w-]+)\]$", output, re.M)
    assert len(found) == output.count(": error:"), output
    return {
        path.name: [(int(line), code) for name, line, code in found if Path(name).name == path.name]
        for path in PROGRAMS.glob("*.py")
    }


@pytest.mark.parametrize("program", ["tensors.py", "numpy_functions.py"])
def test_what_users_write_has_the_right_types(complaints, program):
    assert complaints[program] == []


def test_mistakes_are_found(complaints):
    lines = (PROGRAMS / "wrong.py").read_text(encoding="utf-8").splitlines()
    expected = [(i, code) for i, line in enumerate(lines, 1) for code in re.findall(r"# \[([\w-]+)\]$", line)]
    assert len(expected) > 5
    assert complaints["wrong.py"] == expected


# ------------------------------------------------------------------------------------------------ signatures.pyi


def signatures():
    """The methods and attributes of the stub, by name."""
    tree = ast.parse(SIGNATURES.read_text(encoding="utf-8"))
    (methods,) = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    return {node.name: node for node in methods.body}


def mismatch(stated, function):
    """The first parameter of a stub's method that a function does not take, or takes elsewhere; None if all is well."""
    taken = list(inspect.signature(function).parameters.values())
    for place, stated_one in enumerate(stated.args.args[1:], 1):
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
    """What `methods.py` hides from type checkers is what the stub states."""
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
