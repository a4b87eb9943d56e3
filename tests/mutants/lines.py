"""Every line of the rules, and of the functions they call, with one operator, constant or condition changed."""

from __future__ import annotations

import ast
import functools
import gc
import types
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mutants import Mutant
from mutants.checks import Seen

PACKAGE = Path(__file__).parents[2] / "tensorgrad"
SOURCES = sorted([*PACKAGE.glob("rules/*.py"), *PACKAGE.glob("functional/*.py")])
FILES = frozenset(map(str, SOURCES))

OTHERWISE: dict[type, type] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult,
    ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.And: ast.Or, ast.Or: ast.And, ast.Lt: ast.LtE,
    ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot,
    ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
ORDERED = ast.Sub | ast.Div | ast.FloorDiv | ast.Mod | ast.Pow | ast.MatMult


def variants(node: ast.AST) -> Iterator[ast.AST]:
    """Expressions that could be written by mistake instead of this one."""
    match node:
        case ast.BinOp(left, op, right):
            if type(op) in OTHERWISE:
                yield ast.BinOp(left, OTHERWISE[type(op)](), right)
            if isinstance(op, ORDERED):
                yield ast.BinOp(right, op, left)
        case ast.UnaryOp(ast.USub() | ast.Not() | ast.Invert(), operand):
            yield operand
        case ast.BoolOp(op, values):
            yield ast.BoolOp(OTHERWISE[type(op)](), values)
        case ast.Compare(left, [op], right):
            yield ast.Compare(left, [OTHERWISE[type(op)]()], right)
        case ast.Constant(bool() as value):
            yield ast.Constant(not value)
        case ast.Constant(int() | float() as value):
            yield from (ast.Constant(value + 1), ast.Constant(value - 1))


def expressions(
    node: ast.AST, name: str = "", inside: bool = False, around: ast.AST | None = None
) -> Iterator[tuple[str, ast.AST, ast.AST, Any]]:
    """The expressions in functions: function name, the node to show, the expression, and a function to replace it."""
    inside = inside or isinstance(node, ast.FunctionDef | ast.Lambda)
    if isinstance(node, ast.FunctionDef):
        name = node.name
    elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "rule":
        name = ast.unparse(node.args[0])
    if around is None or not isinstance(node, ast.UnaryOp | ast.Slice | ast.keyword | ast.Tuple | ast.Starred):
        around = node
    for field, value in ast.iter_fields(node):
        for k, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if not isinstance(child, ast.AST) or _is_irrelevant(field, child):
                continue
            if inside:
                put = functools.partial(setattr, node, field) if k is None else functools.partial(value.__setitem__, k)
                yield name, around, child, put
            yield from expressions(child, name, inside, around)


def _is_irrelevant(field: str, node: ast.AST) -> bool:
    """Whether this is a type, an error message, ``strict=``, or a default, which is not part of a function's code."""
    return (
        field in ("annotation", "returns", "decorator_list")
        or isinstance(node, ast.arguments | ast.Raise | ast.JoinedStr)
        or (isinstance(node, ast.keyword) and node.arg == "strict")
    )


def codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """The code objects of a module and of everything that is defined in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from codes(constant)


class Module:
    """A file, and the functions that run its code."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tree = ast.parse(path.read_text())
        self.codes = list(codes(compile(self.tree, str(path), "exec")))
        self.functions = defaultdict(list)
        for function in gc.get_objects():
            if type(function) is types.FunctionType and function.__code__.co_filename == str(path):
                self.functions[function.__code__].append(function)

    def change(self, put: Any, node: ast.AST, other: ast.AST) -> None:
        """Replace an expression in all functions that contain it."""
        put(ast.copy_location(other, node))
        changed = 0
        for old, new in zip(self.codes, codes(compile(self.tree, str(self.path), "exec")), strict=True):
            for function in self.functions[old] if new != old else []:
                function.__code__ = new
                changed += 1
        if not changed:
            raise RuntimeError("no function runs this code")


def broken_lines(seen: Seen) -> Iterator[Mutant]:
    """All mutants of lines."""
    for path in SOURCES:
        module = Module(path)
        for name, parent, node, put in expressions(module.tree):
            number = isinstance(getattr(node, "operand", node), ast.Constant)
            shown = parent if number and not isinstance(parent, ast.stmt) else node
            for other in variants(node):
                before = ast.unparse(shown)
                put(ast.copy_location(other, node))
                after = ast.unparse(parent if shown is parent else other)
                put(node)
                found = seen.that_ran(*((str(path), line) for line in range(node.lineno, node.end_lineno + 1)))
                install = functools.partial(module.change, put, node, other)
                yield Mutant(path.stem, f"{path.stem}.{name}: {before} -> {after}", install, found, line=node.lineno)
