"""A rule either reads an argument, or the argument's name begins with an underscore and is not saved."""

import ast
from pathlib import Path

import numpy as np
import pytest

import tensorgrad as tg

PACKAGE = Path(tg.__file__).parent
OUTLINE = {"shape", "dtype", "ndim", "size"}


def rules_in(tree):
    """The lambdas of the rows in a source, each with the names of its ``ans`` and its inputs."""
    for call in ast.walk(tree):
        if not (isinstance(call, ast.Call) and getattr(call.func, "id", "") == "rule"):
            continue
        vjps = [vjp for vjp in call.args[1:] if isinstance(vjp, ast.Lambda)]
        for vjp in vjps:
            yield vjp, [arg.arg for arg in vjp.args.args][1 : 2 + len(call.args) - 1]
        for keyword in call.keywords:
            if keyword.arg in ("each", "together") and isinstance(keyword.value, ast.Lambda):
                names = [arg.arg for arg in keyword.value.args.args]
                rest = [keyword.value.args.vararg.arg] if keyword.value.args.vararg else []
                yield keyword.value, [names[1], *names[3:], *rest]


def is_named(args, name):
    """Whether these are one argument, of this name."""
    return [getattr(arg, "id", "") for arg in args] == [name]


def faults(source):
    """Arguments that are saved but not read, or read but not saved."""
    for vjp, names in rules_in(ast.parse(source)):
        parents = {child: node for node in ast.walk(vjp) for child in ast.iter_child_nodes(node)}
        for name in names:
            uses = [parents[node] for node in ast.walk(vjp.body) if isinstance(node, ast.Name) and node.id == name]
            reads = [use for use in uses if not (isinstance(use, ast.Attribute) and use.attr in OUTLINE)]
            if name == "_ans":  # it may be passed on as the second argument of a part of the rule
                reads = [use for use in reads if not (isinstance(use, ast.Call) and is_named(use.args[1:2], name))]
            if bool(reads) == name.startswith("_"):
                yield f"line {vjp.lineno}: {name}"


def test_rows_name_what_they_read():
    found = {path: list(faults(path.read_text(encoding="utf-8"))) for path in sorted(PACKAGE.rglob("*.py"))}
    assert {path: lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ("rule(f, lambda g, _ans, x, y: g * y, lambda g, _ans, x, _y: g * x)", ["line 1: x"]),
        ("rule(f, lambda g, _ans, _x: g * _x)", ["line 1: _x"]),
        ("rule(f, lambda g, _ans, x: f_dx(g, _ans, x))", []),
        ("rule(f, lambda g, _ans, x: f_dx(g, x, _ans))", ["line 1: _ans"]),
        ("rule(f, lambda g, _ans, x: f_dx(g, x) * _ans)", ["line 1: _ans"]),
        ("rule(f, lambda g, ans, _x: g * _x.shape[0])", ["line 1: ans"]),
        ("rule(f, lambda g, _ans, _x, axis=None: np.sum(g, axis))", []),
        ("rule(f, each=lambda g, _ans, i, *parts, axis: g[i])", ["line 1: parts"]),
        ("rule(f, together=lambda g, ans, needed, *_xs: {i: g for i in needed})", ["line 1: ans"]),
    ],
)
def test_a_wrong_name_is_found(row, found):
    assert list(faults(row)) == found


@pytest.mark.parametrize(
    "read",
    [
        pytest.param(lambda _x: _x * 2, id="_x * 2"),
        np.sum,
        np.asarray,
        pytest.param(lambda _x: np.ones(2) @ _x, id="ones(2) @ _x"),
        pytest.param(lambda _x: _x[0], id="_x[0]"),
    ],
)
def test_the_values_of_what_is_not_saved_cannot_be_read(read):
    shady = tg.primitive(lambda x: x * 2)
    tg.rule(shady, lambda g, _ans, _x: g * 2 + 0 * read(_x))
    for x in (tg.Tensor(np.ones(2), requires_grad=True), tg.Tensor(np.ones(2), requires_grad=True) * 1):
        with pytest.raises(TypeError):
            np.sum(shady(x)).backward()


def test_an_outline_has_the_shape_and_the_dtype_of_any_input():
    seen = []

    def note(x):
        seen.append((x.shape, x.dtype, x.ndim, x.size))
        return 1.0

    def rule(g, _ans, _x, _y):
        return g * (note(_x) * note(_y))

    scaled = tg.primitive(lambda x, y: x * y)
    tg.rule(scaled, rule, rule)
    for y in (np.ones((2, 3)), tg.Tensor(np.ones((2, 3))), tg.Tensor(np.ones((2, 3)), requires_grad=True), 2.0):
        seen.clear()
        np.sum(scaled(tg.Tensor(np.ones((2, 3), np.float32), requires_grad=True), y)).backward()
        assert ((2, 3), np.float32, 2, 6) in seen
        assert ((2, 3), np.float64, 2, 6) in seen or (type(y) is float and ((), np.float64, 0, 1) in seen)


@pytest.mark.parametrize("kind", [tuple, list])
@pytest.mark.parametrize("params", [{}, {"axis": 0}])
@pytest.mark.parametrize("count", [1, 2])
def test_a_function_that_returns_several_arrays_is_refused_when_it_is_called(kind, params, count):
    """If they were stacked, the shape would be wrong."""

    @tg.primitive
    def halves(*xs, axis=0):
        return kind([xs[0] / 2, xs[0] / 2])

    tg.rule(halves, each=lambda g, ans, i, *xs, axis=0: g)
    xs = [tg.Tensor(np.ones(2), requires_grad=True) for _ in range(count)]
    with pytest.raises(TypeError, match=rf"halves returned a {kind.__name__}, not one array"):
        halves(*xs, **params)


@pytest.mark.parametrize("found", [{}, {0: np.ones(2)}, (np.ones(2),) * 2], ids=["none", "one", "tuple"])
def test_a_rule_for_all_inputs_that_leaves_one_out_is_named(found):
    add = tg.primitive(lambda x, y: x + y)
    tg.rule(add, together=lambda g, ans, needed, _x, _y: found)
    x, y = (tg.Tensor(np.ones(2), requires_grad=True) for _ in range(2))
    with pytest.raises(TypeError, match=r"the rule of '<lambda>' must return a dict for inputs \(0, 1\)"):
        np.sum(add(x, y)).backward()
    if found and type(found) is dict:  # inputs that are not needed may be omitted
        np.testing.assert_array_equal(tg.grad(np.sum(add(x, y.data)), x), [1, 1])
