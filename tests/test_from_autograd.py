"""docs/from-autograd.md: its examples are right, and each row of its table agrees with HIPS autograd."""

import re
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

import tensorgrad as tg
from tests.helpers import names_of_tables

TEXT = (Path(__file__).parents[1] / "docs" / "from-autograd.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def rows(section):
    """The first two columns, where they are code, of the first table after a line."""
    table = re.search(r"(^\|.*\n)+", TEXT.split(section, 1)[1], re.MULTILINE)[0]
    return re.findall(r"^\| `(.+?)` \| `(.+?)` \|", table, re.MULTILINE)


def run(title):
    """The names that the code of a section defines."""
    (block,) = re.findall(rf"##+ {title}\n.*?```python\n(.*?)```", TEXT, re.DOTALL)
    names: dict = {"__name__": "page"}
    exec(compile(block, "docs/from-autograd.md", "exec"), names)
    return names


# ------------------------------------------------------------------------------------------------ the examples


def test_all_blocks_are_tested_here():
    assert len(BLOCKS) == 4


def test_the_derivatives_of_tanh():
    """By the chain rule: each is a polynomial of y = tanh(x / 2), and y' = (1 - y^2) / 2."""
    names = run("Derivatives of tanh")
    y, polynomial = np.tanh(names["x"] / 2), np.polynomial.Polynomial([0, 1])
    assert len(names["curves"]) == 7
    for curve in names["curves"]:
        assert_allclose(curve, polynomial(y), atol=1e-12)
        polynomial = polynomial.deriv() * np.polynomial.Polynomial([0.5, 0, -0.5])


def test_the_negative_binomial_distribution():
    stats = pytest.importorskip("scipy.stats")
    names = run("A negative binomial distribution")
    r, p, x = names["r"], names["p"], names["x"]
    assert r == pytest.approx(5, rel=0.15)
    assert p == pytest.approx(0.5, rel=0.1)
    assert_allclose(names["log_likelihood"](r, p, x), np.sum(stats.nbinom.logpmf(x, r, 1 - p)), rtol=1e-12)
    for factors in ((1.01, 1), (0.99, 1), (1, 1.01), (1, 0.99)):
        assert np.sum(stats.nbinom.logpmf(x, r * factors[0], 1 - p * factors[1])) < names["log_likelihood"](r, p, x)


def test_the_variational_inference():
    """The best mean m and deviation s of the second variable, from the bound in closed form on a grid."""
    pytest.importorskip("scipy.stats")
    names = run("Variational inference")
    m, s = np.linspace(-2, 1, 301)[:, None], np.linspace(0.3, 2, 171)
    spread = np.exp(m - s**2)  # of the first variable, the best one
    bound = np.log(spread * s) - (m**2 + s**2) / (2 * 1.35**2) - m - spread**2 * np.exp(2 * s**2 - 2 * m) / 2
    i, j = np.unravel_index(bound.argmax(), bound.shape)
    assert_allclose(names["mean"].data, [0, m[i, 0]], atol=0.06)
    assert_allclose(np.exp(names["log_std"].data), [spread[i, j], s[j]], rtol=0.06)


def test_the_function_with_a_gradient_of_its_own():
    weights = np.exp([1.0, 4.0, 9.0]) / np.sum(np.exp([1.0, 4.0, 9.0]))
    names = run("A function with a gradient of its own")
    assert_allclose(names["gradient"], weights * [2, 4, 6], rtol=1e-12)


# ------------------------------------------------------------------------------------------------ the tables

NAMES = rows("## Names\n")
IMPORTS = rows("can be differentiated unchanged.\n")


def known(np_, more):
    return names_of_tables(np_) | {"np": np_} | more


def same(ours, theirs):
    if isinstance(theirs, dict):
        assert ours.keys() == theirs.keys()
        ours, theirs = list(ours.values()), list(theirs.values())
    if isinstance(theirs, (tuple, list)):
        assert len(ours) == len(theirs)
        for x, y in zip(ours, theirs, strict=True):
            same(x, y)
    else:
        assert_allclose(ours, theirs, rtol=1e-12)


def ours(code):
    return eval(code, known(np, {"tg": tg}))


def test_the_tables_are_found():
    assert len(NAMES) == 18
    assert len(IMPORTS) == 7


@pytest.mark.parametrize(("theirs", "line"), NAMES, ids=[row[0] for row in NAMES])
def test_our_line_runs(theirs, line):
    assert np.isfinite(np.concatenate([np.ravel(x) for x in leaves(ours(line))])).all()


def leaves(tree):
    items = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, (tuple, list)) else None
    return [tree] if items is None else [x for item in items for x in leaves(item)]


@pytest.mark.compare
@pytest.mark.parametrize(("theirs", "line"), NAMES, ids=[row[0] for row in NAMES])
def test_it_is_what_autograd_computes(theirs, line):
    autograd = pytest.importorskip("autograd")
    import autograd.numpy as anp
    from autograd.tracer import getval

    same(ours(line), eval(theirs, known(anp, {**vars(autograd), "getval": getval})))


@pytest.mark.parametrize("line", [row[1] for row in IMPORTS])
def test_what_is_imported_is_there(line):
    if "scipy" in line:
        pytest.importorskip("scipy.special")
    exec(line, {})


@pytest.mark.compare
@pytest.mark.parametrize("line", [row[0] for row in IMPORTS])
def test_it_is_there_in_autograd(line):
    pytest.importorskip("autograd")
    exec(line, {})


# ------------------------------------------------------------------------------------------------ what differs


def written(x):
    a = x * 2
    a[0] = x[1]
    return a.sum()


def shared(x):
    a = x * 2
    b = a
    b += x
    return a.sum()


PROGRAMS = {
    "assignment": (written, TypeError, [0, 3, 2]),
    "assignment to a name": (shared, [2, 2, 2], [3, 3, 3]),
    "dot": (lambda x: x.dot(x), AttributeError, [2, 4, 6]),
    "pad": (lambda x: np.sum(np.pad(x, 1) ** 2), TypeError, [2, 4, 6]),
    "no rule": (lambda x: np.sum(np.roots(x).real), NotImplementedError, tg.NoRuleError),
    "where": (lambda x: np.sum(np.where(x > 1, np.sqrt(x - 1), 0)), [np.nan, 0.5, 8**-0.5], [0, 0.5, 8**-0.5]),
    "norm": (lambda x: np.linalg.norm(x - x), [np.nan] * 3, [0, 0, 0]),
}


def check(gradient, program, expected):
    x = np.array([1.0, 2.0, 3.0])
    if isinstance(expected, type):
        with pytest.raises(expected):
            gradient(program)(x)
    else:
        assert_allclose(gradient(program)(x), expected, rtol=1e-12)


@pytest.mark.parametrize("name", PROGRAMS)
def test_what_differs_here(name):
    program, _, expected = PROGRAMS[name]
    check(tg.grad, program, expected)


@pytest.mark.compare
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", PROGRAMS)
def test_what_differs_in_autograd(name, monkeypatch):
    autograd = pytest.importorskip("autograd")
    program, expected, _ = PROGRAMS[name]
    monkeypatch.setitem(globals(), "np", autograd.numpy)
    check(autograd.grad, program, expected)
