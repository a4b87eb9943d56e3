"""The functions of the gradient table: names, parameters, formula, flags and conventions, from registry and source.

Part of `docs/gradients.py`, which writes the page.
"""

from __future__ import annotations

import ast
import functools
import inspect
import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from gradient_rows import ROOT, tg

from tensorgrad import functional
from tensorgrad.engine import registry
from tensorgrad.transforms import recompute  # noqa: F401  (it adds a row to the table)

NAMESPACES = {"np": np, "np.linalg": np.linalg, "np.fft": np.fft, "np.lib.stride_tricks": np.lib.stride_tricks,
              "np.lib.scimath": np.lib.scimath}  # fmt: skip
PUBLIC = {f"{prefix}.{name}": getattr(module, name) for prefix, module in NAMESPACES.items() for name in dir(module)
          if not name.startswith("_") and hasattr(getattr(module, name), "__name__")}  # fmt: skip

NAMES: dict[Any, list[str]] = {}
"""All public names of each function of NumPy; its ``__name__`` first."""

for _name, _fn in PUBLIC.items():
    NAMES.setdefault(_fn, []).append(_name)
for _fn, _names in NAMES.items():
    _names.sort(key=lambda name, fn=_fn: (not name.endswith(f".{fn.__name__}"), len(name), name))

LONGEST = 110  # longer formulas of compositions are not shown


def sentence(doc: str) -> str:
    """The first sentence of a docstring."""
    first = " ".join(doc.split("\n\n")[0].split())
    first = re.split(r"(?<=[^.]\.)\s+(?=[A-Z\"])", first)[0]
    first = re.sub(r"`numpy\.(\w+)`", r"`np.\1`", first.replace("``", "`"))
    return first if first.endswith(".") else first + "."


@dataclass(eq=False)
class Entry:
    """A function: one row of the page."""

    file: str
    line: int
    row: registry.Row | None = None
    composition: Callable[..., Any] | None = None  # runs in its place; it may call the row
    names: list[str] = field(default_factory=list)  # public ones
    keys: set[Any] = field(default_factory=set)  # its keys in the registry
    ways: list[str] = field(default_factory=list)  # operators, methods

    @property
    def vjps(self) -> list[Any]:
        """The functions of its row."""
        return rules_of(self.row) if self.row else []

    @property
    def public(self) -> bool:
        """Whether users can call it."""
        return bool(self.names or self.ways)

    def title(self) -> str:
        """How it is called, and other names, operators and methods."""
        call = f"`{self.names[0] if self.names else self.row.name}({', '.join(self.parameters())})`"
        others = ", ".join(f"`{other}`" for other in [*self.names[1:], *self.ways])
        if not self.names:
            return f"{others}<br>*{call}*" if others else f"*{call}*"
        return f"{call}<br>{others}" if others else call

    def parameters(self) -> list[str]:
        """Inputs and parameters; after a semicolon those that only the fallback accepts."""
        if self.composition is not None:
            return _parameters(self.composition, 0)
        vjp = next(vjp for vjp in self.vjps if vjp is not None)
        found = _parameters(vjp, 3 if self.row.together else 2)
        fallbacks = [entry.fallback[0] for key in self.keys if (entry := registry.entries.get(key)) and entry.fallback]
        more = [name for name in _parameters(fallbacks[0], 0) if name not in found] if fallbacks else []
        return [*found[:-1], f"{found[-1]}; {more[0]}", *more[1:]] if more else found

    def gradient(self) -> str:
        """The formula for each input, or the composition."""
        if self.row is None:
            doc, formula = inspect.getdoc(self.composition), _single_return(self.composition)
            return "*composed*" + (f": {sentence(doc)}" if doc else "") + (f"<br>`{formula}`" if formula else "")
        if self.row.together:
            return f"{'input `i`' if each_of(self.row) else 'all'}: `{formula_of(self.vjps[0])}`"
        if len(self.vjps) == 1:
            return f"`{formula_of(self.vjps[0])}`"
        inputs = _parameters(next(vjp for vjp in self.vjps if vjp is not None), 2)
        return "<br>".join(
            f"{x}: " + (f"`{formula_of(vjp)}`" if vjp else "none") for x, vjp in zip(inputs, self.vjps, strict=False)
        )

    def flags(self) -> list[str]:
        """Which of the flags "selects" and "complex" it has."""
        row = self.row
        composed = [registry.entries[key] for key in self.keys if key in registry.entries]
        also = any(entry.complex and entry.differentiable and not hasattr(entry.run, "row") for entry in composed)
        flags = {"selects": row and row.selects, "complex": also or (row and row.complex)}
        return [name for name, flag in flags.items() if flag]

    def helpers(self) -> dict[str, str]:
        """Functions of the package that its formula calls, and their docstrings."""
        found = {}
        for vjp in filter(None, self.vjps):
            for name in _called(formula_of(vjp)):
                function = vjp.__globals__.get(name)
                if inspect.isfunction(function) and function.__doc__ and registry.row_of(function) is None:
                    found[name] = function.__doc__
        return found


def collect() -> list[Entry]:
    """All differentiable functions of the registry."""
    entries: list[Entry] = []
    of_row: dict[Any, Entry] = {}
    for entered in registry.entries.values():
        row = getattr(entered.run, "row", None)
        vjps = [vjp for vjp in rules_of(row) if vjp] if row and entered.run not in of_row else []
        if vjps:
            entry = Entry(_file(vjps[0]), vjps[0].__code__.co_firstlineno, row, keys={row})
            of_row[entered.run] = entry
            entries.append(entry)
    for fn, entered in registry.entries.items():
        runs = entered.run
        if not entered.differentiable or fn is runs:
            continue
        entry = of_row.get(runs)
        if entry is None:
            file = _file(runs)
            same = [e for e in of_row.values() if e.row.fn is fn or (e.file == file and _stands_for(e.row.fn, fn))]
            entry = same[0] if same else Entry(file, runs.__code__.co_firstlineno)
            entry.composition = runs
            if entry not in entries:
                entries.append(entry)
        entry.keys.add(fn)
        entry.names += NAMES[fn]
    for name in functional.__all__:
        fn = getattr(functional, name)
        same = [e for e in of_row.values() if e.row is registry.row_of(fn)]
        entry = same[0] if same else Entry(_file(fn), fn.__code__.co_firstlineno, composition=fn, keys={fn})
        entry.names.append(f"tg.{name}")
        if entry not in entries:
            entries.append(entry)
    return entries


def each_of(row: registry.Row) -> Any:
    """The rule ``each`` of a row, if it has one for all inputs."""
    closure = inspect.getclosurevars(row.together).nonlocals if row.together else {}
    return closure.get("each")


def rules_of(row: registry.Row) -> list[Any]:
    """The functions of a row, as they were given to `rule`."""
    return [each_of(row) or row.together] if row.together else list(row.vjps)


def _stands_for(primitive: Any, fn: Any) -> bool:
    """Whether a primitive of the package implements a function of NumPy, with arguments in another form."""
    return primitive not in NAMES and primitive.__name__ == fn.__name__


# ------------------------------------------------------------------------------------------------ sources


def _file(fn: Any) -> str:
    return Path(fn.__code__.co_filename).relative_to(ROOT).as_posix()


@functools.cache
def _source(file: str) -> tuple[str, ast.Module]:
    text = (ROOT / file).read_text(encoding="utf-8")
    return text, ast.parse(text)


def formula_of(vjp: Any) -> str:
    """The body of a rule's lambda, as in the table; for a function, its call."""
    if vjp.__name__ != "<lambda>":
        return f"{vjp.__name__}(g, ans, {', '.join(_parameters(vjp, 2))})"
    text, tree = _source(_file(vjp))
    code = vjp.__code__
    arguments = list(inspect.signature(vjp).parameters)
    for node in ast.walk(tree):
        if isinstance(node, ast.Lambda) and node.lineno == code.co_firstlineno:
            named = [*node.args.args, node.args.vararg, *node.args.kwonlyargs, node.args.kwarg]
            if [arg.arg for arg in named if arg] == arguments:
                return _segment(text, node.body)
    raise LookupError(f"no lambda in line {code.co_firstlineno} of {_file(vjp)}")


def _segment(text: str, node: ast.AST) -> str:
    lines = (ast.get_source_segment(text, node) or "").splitlines()
    return " ".join(re.sub(r"\s+#.*", "", line).strip() for line in lines).replace("  ", " ")


def _single_return(fn: Any) -> str:
    """The expression that a function returns, if it has no other statement and the expression is short and public."""
    text, tree = _source(_file(fn))
    found = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    node = next(n for n in found if fn.__code__.co_firstlineno in (n.lineno, *(d.lineno for d in n.decorator_list)))
    *before, last = node.body[isinstance(node.body[0], ast.Expr) :]  # without the docstring
    if before or not isinstance(last, ast.Return):
        return ""
    formula = _segment(text, last.value)
    inner = [name for name in _called(formula) if name.startswith("_") or name in fn.__code__.co_freevars]
    return formula if len(formula) <= LONGEST and not inner else ""


def _called(formula: str) -> set[str]:
    """The functions that a formula calls by a name without a dot."""
    return set(re.findall(r"(?<![\w.])(\w+)\(", formula))


def _parameters(fn: Any, skip: int) -> list[str]:
    """The parameters of a function after the first ``skip`` ones, as in a signature."""
    found, star = [], False
    for parameter in list(inspect.signature(fn).parameters.values())[skip:]:
        if parameter.kind is parameter.VAR_POSITIONAL:
            star = True
        elif parameter.kind is parameter.KEYWORD_ONLY and not star:
            found.append("*")
            star = True
        found.append("*" * (parameter.kind is parameter.VAR_POSITIONAL) + parameter.name.removeprefix("_"))
    return found


# ------------------------------------------------------------------------------------------------ other lists


def conventions() -> Callable[[Entry], list[int]]:
    """A function that finds the lines of docs/conventions.md about a function, by the names in their first column."""
    lines: dict[int, set[str]] = {}
    for number, line in enumerate((ROOT / "docs" / "conventions.md").read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("| ") and not line.startswith("| function"):
            subject = line.split("|")[1]
            spans = " ".join(re.findall(r"`([^`]*)`", subject)) + (" getitem" if "index" in subject else "")
            lines[number] = set(re.findall(r"[A-Za-z_]\w+|\*\*|/", spans))
    operators = {"x / y": "/", "x ** y": "**"}

    def notes(entry: Entry) -> list[int]:
        names = {name.rpartition(".")[2] for name in entry.names} | {operators.get(way, "") for way in entry.ways}
        names |= {entry.row.name} if not entry.names else set()
        return [number for number, words in lines.items() if words & names]

    return notes


def results_without_gradient() -> dict[str, list[str]]:
    """Functions with plain results, in the groups that comments in their lists define."""
    groups: dict[str, list[str]] = defaultdict(list)
    for path in sorted((ROOT / "tensorgrad" / "rules").glob("*.py")):
        file = path.relative_to(ROOT).as_posix()
        text, tree = _source(file)
        comments = {n: line.strip()[2:] for n, line in enumerate(text.splitlines(), 1) if line.strip().startswith("# ")}
        for node in ast.walk(tree):
            if isinstance(node, ast.For) and "nondifferentiable(" in ast.unparse(node.body[0]):
                for arg in node.iter.elts:
                    above = [comments[n] for n in range(node.lineno, arg.lineno) if n in comments]
                    groups[above[-1] if above else "others"].append(ast.unparse(arg))
    missing = {NAMES[fn][0] for fn in without_gradient()} - {name for some in groups.values() for name in some}
    groups["others"] = sorted({*groups.pop("others", []), *missing})
    return {group: some for group, some in groups.items() if some}


def without_gradient() -> list[Any]:
    """Functions of NumPy with plain results."""
    return [fn for fn, entry in registry.entries.items() if not entry.differentiable]


def refusals(entries: list[Entry], rows: Any) -> dict[str, str]:
    """Functions of NumPy that support its protocols and have no rule, with a specific remedy if the error has one."""
    square = np.array([[2.0, 1.0], [0.5, 3.0]])
    found = {}
    for fn, names in NAMES.items():
        if (isinstance(fn, np.ufunc) or hasattr(fn, "_implementation")) and fn not in registry.entries:
            found[names[0]] = ""
    for entry in entries:
        if entry.composition and entry not in rows:
            try:
                entry.composition(tg.Tensor(square, requires_grad=True))
            except tg.NoRuleError as error:
                found[entry.names[0]] = str(error).partition(": ")[2]
            except Exception:
                continue
    return dict(sorted(found.items()))
