"""How functions enter the table, and what a record keeps for their rules."""

import contextlib
from fractions import Fraction

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import table
from tensorgrad.rules import load_all


def leaf(value):
    return tg.Tensor(np.array(value, float), requires_grad=True)


def gradient(f, *values):
    leaves = [leaf(value) for value in values]
    np.sum(f(*leaves)).backward()
    return [x.grad for x in leaves]


@contextlib.contextmanager
def entered(fn, *vjps, **options):
    """A row for a NumPy function, as a user would enter it, until the end of the test."""
    load_all()
    saved = {name: dict(getattr(table, name)) for name in ("rows", "functions", "signatures", "compositions")}
    row = saved["rows"].get(saved["functions"].get(fn))
    before = row and {name: getattr(row, name) for name in ("vjps", "singular", "masks", "short", "complex")}
    try:
        tg.rule(fn, *vjps, **options)
        yield
    finally:
        for name, content in saved.items():
            getattr(table, name).clear()
            getattr(table, name).update(content)
        for name, value in (before or {}).items():
            setattr(row, name, value)
        if row:
            row.plans.clear()


class Method:
    """Rules that are not plain functions."""

    def x(self, g, ans, x):
        return g * x

    def ans(self, g, ans, x):
        return g * ans

    def __call__(self, g, ans, x):
        return g * (x + ans)


@pytest.mark.parametrize(
    ("vjp", "expected"), [(Method().x, 2), (Method().ans, 5), (Method(), 7)], ids=["reads x", "reads ans", "callable"]
)
def test_a_rule_that_is_no_function_is_given_all_it_may_read(vjp, expected):
    function = tg.primitive(lambda x: x + 3)
    tg.rule(function, vjp)
    np.testing.assert_allclose(gradient(function, [2.0])[0], [expected])


def test_a_numpy_function_of_the_users_own():
    with entered(np.cbrt, lambda g, ans, x: g.reshape(x.shape) / (3 * ans * ans)):  # g is of the output's shape
        np.testing.assert_allclose(gradient(np.cbrt, [1.0, 8.0])[0], [1 / 3, 1 / 12])
    with entered(np.hypot, each=lambda g, ans, i, *xs: g * xs[i] / ans):
        np.testing.assert_allclose(np.ravel(gradient(np.hypot, [3.0], [4.0])), [0.6, 0.8])
    with entered(np.floor, None):
        assert not np.floor(leaf([1.5])).requires_grad
    with entered(np.rint, Method()):
        np.testing.assert_allclose(gradient(np.rint, [2.2])[0], [4.2])
    with entered(np.i0, lambda g, ans, x: g * x):
        np.testing.assert_allclose(gradient(np.i0, [1.0])[0], [1])
    with pytest.raises(tg.NoRuleError):
        np.i0(leaf([1.0]))
    np.testing.assert_allclose(gradient(np.cbrt, [8.0])[0], [1 / 12])


def test_a_new_row_for_a_function_replaces_the_old_one_everywhere():
    row = table.rows[table.functions[np.tanh]]
    before, short = row.vjps, row.short
    try:
        tg.rule(np.tanh, lambda g, ans, x: 7 * g)
        np.testing.assert_allclose(gradient(np.tanh, [1.0])[0], [7])
    finally:
        row.vjps, row.short = before, short
        row.plans.clear()


def test_inputs_are_passed_by_position():
    with pytest.raises(tg.NoRuleError, match="position"):
        tg.relu(x=leaf([0.0]))
    with tg.no_grad():
        assert tg.relu(x=tg.Tensor([1.0])) == [1]


def test_of_what_rules_ask_no_values_only_the_outline_is_kept():
    x = leaf([[1.0, 2.0]]) * 1
    for function in (np.mean, lambda t: np.reshape(t, (2,)), lambda t: t[0], lambda t: np.expand_dims(t, 0)):
        (kept,) = function(x).record.inputs
        assert isinstance(kept, table.Outline)
        assert (kept.shape, kept.size, kept.ndim, kept.dtype) == ((1, 2), 2, 2, np.float64)
    with tg.no_grad():
        total = np.mean(x)
        x[...] = 0  # nothing pending needs it
    assert total.data == 1.5


@pytest.mark.parametrize("index", [np.array([0, 1]), [0, 1]], ids=["array", "list"])
def test_an_index_may_be_written_to_afterwards(index):
    x = leaf([1.0, 2.0, 3.0])
    y = np.sum(x[index])
    index[0] = index[1] = 2
    y.backward()
    np.testing.assert_array_equal(x.grad, [1, 1, 0])


TARGETS = np.array([np.nan, 1.0])
MASKED = {
    "where": lambda p: np.where(np.isnan(TARGETS), 0, (p - TARGETS) ** 2),
    "index": lambda p: ((p - TARGETS) ** 2)[~np.isnan(TARGETS)],
    "product": lambda p: np.where(np.isnan(TARGETS), 0, p * TARGETS + p * p),
}


@pytest.mark.parametrize("name", MASKED)
def test_missing_data_that_are_left_out_leave_no_nan(name):
    (g,) = gradient(MASKED[name], [1.0, 2.0])
    np.testing.assert_allclose(g, [0, 2 if name != "product" else 5])


def test_a_singular_function_of_all_elements():
    norm = tg.primitive(lambda x: np.sqrt(np.sum(x * x)))
    tg.rule(norm, lambda g, ans, x: g * x / ans, singular=True)
    np.testing.assert_allclose(gradient(norm, [3.0, 4.0])[0], [0.6, 0.8])
    np.testing.assert_allclose(gradient(lambda x: norm(x) * 0, [0.0, 0.0])[0], [0, 0])


def test_a_rule_gets_g_in_the_shape_of_the_output():
    shapes = []
    double = tg.primitive(lambda x: x * 2)
    tg.rule(double, lambda g, ans, x: shapes.append(g.shape) or g * 2)
    gradient(lambda x: np.sum(double(x), axis=1, keepdims=True), [[1.0, 2.0]])
    assert shapes == [(1, 2)]


def test_objects_are_no_numbers():
    with pytest.raises(TypeError, match="numbers"):
        tg.Tensor([1.0]) + Fraction(1, 2)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, bool])
def test_neural_functions_of_integers_do_not_wrap_around(dtype):
    x = np.array([0, 1], dtype)
    np.testing.assert_allclose(tg.sigmoid(x), tg.sigmoid(x.astype(float)))
    np.testing.assert_allclose(tg.logsumexp(x), tg.logsumexp(x.astype(float)))


def test_a_flattened_tensor_is_a_copy():
    w = leaf([[1.0, 2.0]])
    assert not np.shares_memory(w.flatten().data, w.data)
    assert tg.Tensor([True]).copy().data == [True]
