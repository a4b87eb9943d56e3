"""The size of the engine, the complexity of functions, and which modules may import which."""

import ast
import functools
import io
import re
import tokenize
from pathlib import Path

import pytest

import tensorgrad as tg

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "tensorgrad"
FILES = sorted(PACKAGE.rglob("*.py"))


# ------------------------------------------------------------------------------------------------ size


def lines_of_code(source):
    """Lines of code: without blank lines, comments and docstrings."""
    nothing = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in nothing:
            lines |= set(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            lines -= set(range(node.lineno, node.end_lineno + 1))
    return len(lines)


def test_lines_are_counted_without_comments_blanks_and_docstrings():
    assert (
        lines_of_code(
            '"""A\nB."""\n\nx = 1  # one\n# two\n\ndef f(a,\n      b):\n    """C."""\n    return """D\nE"""\n'
        )
        == 5
    )


@pytest.mark.parametrize(("files", "most"), [("engine/*.py", 1000), ("blas.py", 70)])
def test_these_parts_stay_short(files, most):
    assert 0 < sum(lines_of_code(path.read_text(encoding="utf-8")) for path in PACKAGE.glob(files)) <= most


# ------------------------------------------------------------------------------------------------ complexity


def test_no_function_is_too_complex_except_two():
    """Ruff limits the complexity of functions (C901, see pyproject.toml). Exceptions are few, each with its reason."""
    assert "max-complexity = 12" in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    programs = ("*.py", "training/*.py", "models/*.py", "examples/*.py")
    sources = [*FILES, *(path for pattern in programs for path in ROOT.glob(pattern))]
    marked = [
        line
        for path in sources
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.search(r"#\s*noqa:.*C901", line)
    ]
    assert len(marked) <= 2, marked
    assert all(re.search(r"C901\s+\(.{10,}\)", line) for line in marked), marked


# ------------------------------------------------------------------------------------------------ imports

MAY_IMPORT = {
    "errors": set(),
    "blas": set(),
    "summation": set(),
    "foreign": {"errors"},
    "engine": {"summation", "errors", "foreign"},
    "frontend": {"errors", "foreign", "engine"},
    "rules": {"summation", "errors", "blas", "foreign", "engine", "frontend"},
    "transforms": {"errors", "engine", "frontend"},
    "minimizing": {"errors", "engine", "frontend", "transforms"},
    "debug": {"errors", "engine", "frontend", "transforms"},
    "functional": {"summation", "errors", "blas", "engine", "frontend", "rules"},
    "scipy": {"errors", "engine", "frontend", "rules", "functional"},
    "nn": {"errors", "engine", "frontend", "functional"},
    "sklearn": {"errors", "frontend", "functional", "nn", "optim", "schedules"},
    "optim": {"errors", "blas", "engine", "frontend"},
    "compiling": {"errors", "foreign", "engine"},
    "schedules": {"errors", "engine"},
    "checkpoints": {"errors", "engine"},
    "data": {"errors"},
    "drawing": {"errors", "engine", "frontend", "checkpoints", "nn"},
    "exporting": {"errors", "frontend", "functional", "checkpoints", "nn"},
}
"""For each layer of the package, the layers that it may import from. New layers are added here."""


@functools.cache
def statements(path):
    """The statements of a file, which several tests read."""
    return ast.parse(path.read_text(encoding="utf-8")).body


def imports(path):
    """The modules of the package that a file imports, also those for type annotations only."""
    for node in (node for statement in statements(path) for node in ast.walk(statement)):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            module = node.module or ""
            for alias in node.names:
                whole = f"{module}.{alias.name}"
                yield whole if module.startswith("tensorgrad") and is_module(whole) else module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def is_module(name):
    path = ROOT.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").exists()


def layer(name):
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else ""


def test_imports_go_one_way():
    wrong = []
    for path in FILES:
        here = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if here not in ("__init__", "__main__"):
            found = {layer(name) for name in imports(path) if name.split(".")[0] == "tensorgrad"}
            wrong += [(path, name) for name in found - {here} - MAY_IMPORT[here]]
    assert not wrong


def test_layers_have_no_import_cycles():
    assert not in_circles(MAY_IMPORT)
    assert in_circles({"a": {"b"}, "b": {"a"}, "c": set()}) == {"a", "b"}


def in_circles(graph):
    """The nodes that lead to a circle, or outside of the graph."""
    done: set[str] = set()
    while ready := {here for here, others in graph.items() if here not in done and others <= done}:
        done |= ready
    return graph.keys() - done


def test_modules_have_no_import_cycles():
    """Imports for type annotations do not count."""
    graph = {}
    for path in FILES:
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        graph[name] = {
            found
            for node in statements(path)
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tensorgrad")
            for found in {f"{node.module}.{a.name}" if is_module(f"{node.module}.{a.name}") else node.module
                          for a in node.names}
        }  # fmt: skip
    graph = {name: others - {name} for name, others in graph.items() if name.count(".") > 1 or name in graph}
    done: set[str] = set()
    packages = {name for name in graph if (ROOT.joinpath(*name.split(".")) / "__init__.py").exists()}
    while len(done) < len(graph):
        ready = {name for name, others in graph.items() if name not in done and others - packages <= done}
        assert ready, f"a circle among {sorted(set(graph) - done)}"
        done |= ready


@pytest.mark.parametrize("name", ["", "nn", "optim", "data", "functional", "schedules"])
def test_no_module_has_the_name_of_something_public(name):
    """Otherwise the result would depend on the order of imports."""
    public = getattr(tg, name) if name else tg
    folder = PACKAGE / name if name else PACKAGE
    modules = {path.stem for path in folder.glob("*.py")} | {path.parent.name for path in folder.glob("*/__init__.py")}
    whole = {x for x in public.__all__ if type(getattr(public, x)) is type(tg)}
    assert not (modules & set(public.__all__)) - whole


PROGRAMS_MAY_IMPORT = {"models": {"models", "tensorgrad"}, "training": {"models", "tensorgrad", "training"}}
"""For the parts of the programs, the parts of the project that their modules may import from."""


def wrong_imports(path, allowed):
    """The imports of other parts of the project in a file, apart from those in functions."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    modules = [name for node in tree.body for name in (
        [node.module or ""] if isinstance(node, ast.ImportFrom) else
        [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
    )]  # fmt: skip
    ours = {path.stem for path in ROOT.glob("*.py")} | {"models", "tensorgrad", "training", "tests", "benchmarks"}
    return {name for name in modules if name.split(".")[0] in ours - allowed}


def test_the_parts_of_the_programs_import_one_way():
    found = {
        path.name: wrong_imports(path, allowed)
        for part, allowed in PROGRAMS_MAY_IMPORT.items() for path in ROOT.glob(f"{part}/*.py")
    }  # fmt: skip
    assert len(found) > 40
    assert not any(found.values()), found
    assert wrong_imports(ROOT / "train.py", {"tensorgrad", "training"}) == {"models"}  # as an example


def test_modules_of_training_have_no_import_cycles():
    """Here, imports for type annotations count."""
    files = {path.stem: path for path in ROOT.glob("training/*.py")}
    graph = {}
    for name, path in files.items():
        nodes = [n for n in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(n, (ast.ImportFrom, ast.If))]
        nodes += [n for node in nodes if isinstance(node, ast.If) for n in node.body if isinstance(n, ast.ImportFrom)]
        modules = {f"{n.module}.{alias.name}" for n in nodes if isinstance(n, ast.ImportFrom) for alias in n.names}
        graph[name] = {parts[1] for m in modules if (parts := m.split("."))[0] == "training"} & files.keys() - {name}
    assert "options" in graph["state"]
    assert not in_circles(graph)
