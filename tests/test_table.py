"""User-defined rows, and the values that a record saves for their rules."""
# ruff: noqa: E501  (tables with one row per line)

import contextlib
from decimal import Decimal

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.engine.registry import entries, row_of
from tensorgrad.engine.tape import Outline
from tests.helpers import leaf


def gradient(f, *values):
    leaves = [leaf(value) for value in values]
    np.sum(f(*leaves)).backward()
    return [x.grad for x in leaves]


@contextlib.contextmanager
def entered(fn, *vjps, **options):
    """A row for a NumPy function, as a user would register it; removed at the end of the block."""
    entry, row = entries.get(fn), row_of(fn)
    before = row and dict(vars(row))
    try:
        tg.rule(fn, *vjps, **options)
        yield
    finally:
        if entry is None:
            del entries[fn]
        else:
            entries[fn] = entry
        if before:
            vars(row).clear()
            vars(row).update(before)


class Method:
    """Rules that are methods and callable objects."""

    def x(self, g, ans, x):
        return g * x

    def ans(self, g, ans, x):
        return g * ans

    def __call__(self, g, ans, x):
        return g * (x + ans)


@pytest.mark.parametrize(
    ("vjp", "expected"), [(Method().x, 2), (Method().ans, 5), (Method(), 7)], ids=["reads x", "reads ans", "callable"]
)
def test_rules_that_are_not_functions_are_given_all_values(vjp, expected):
    function = tg.primitive(lambda x: x + 3)
    tg.rule(function, vjp)
    np.testing.assert_allclose(gradient(function, [2.0])[0], [expected])


def test_a_user_defined_row_for_a_numpy_function():
    with entered(np.cbrt, lambda g, ans, x: g.reshape(x.shape) / (3 * ans * ans)):  # g has the shape of the output
        np.testing.assert_allclose(gradient(np.cbrt, [1.0, 8.0])[0], [1 / 3, 1 / 12])
    with entered(np.hypot, each=lambda g, ans, i, *xs: g * xs[i] / ans):
        np.testing.assert_allclose(np.ravel(gradient(np.hypot, [3.0], [4.0])), [0.6, 0.8])
    with entered(np.floor, None):
        assert not np.floor(leaf([1.5])).requires_grad
    with entered(np.rint, Method()):
        np.testing.assert_allclose(gradient(np.rint, [2.2])[0], [4.2])
    with entered(np.unique_values, lambda g, ans, x: g * x):
        np.testing.assert_allclose(gradient(np.unique_values, [1.0])[0], [1])
    with pytest.raises(tg.NoRuleError):
        np.unique_values(leaf([1.0]))
    np.testing.assert_allclose(gradient(np.cbrt, [8.0])[0], [1 / 12])


def test_a_new_row_for_a_function_replaces_the_old_one_everywhere():
    with entered(np.tanh, lambda g, ans, x: 7 * g):
        np.testing.assert_allclose(gradient(np.tanh, [1.0])[0], [7])
        np.testing.assert_allclose(gradient(lambda x: np.multiply(np.tanh(x), 2), [1.0])[0], [14])
    np.testing.assert_allclose(gradient(np.tanh, [0.0])[0], [1])


def test_what_is_saved_is_decided_for_each_number_of_inputs():
    """An optional input is saved, and protected from writes, in the calls that pass it."""
    for order in ((False, True), (True, False)):
        scaled = tg.primitive(lambda x, k=2.0: x * k)
        tg.rule(scaled, lambda g, ans, x, k=2.0: g * k)
        for given in order:
            x, k = leaf([1.0, 2.0]), tg.Tensor([3.0, 4.0])
            out = np.sum(scaled(x, k) if given else scaled(x))
            if given:
                k[0] = 100
            np.testing.assert_array_equal(tg.grad(out, x), [3, 4] if given else [2, 2])


def test_parameters_are_kept_as_they_were():
    scaled = tg.primitive(lambda x, *, k: x * k[0])
    tg.rule(scaled, lambda g, ans, x, *, k: g * k[0])
    for wrap in (tuple, list):
        x, k = leaf([1.0]), np.array([3.0])
        out = scaled(x, k=wrap([k]))
        k[0] = 100
        np.testing.assert_array_equal(tg.grad(out, x), [3])
    shift = np.array([1])
    y = np.sum(np.roll(leaf_x := leaf([1.0, 2.0, 3.0]), shift) * [1.0, 2.0, 3.0])
    shift[0] = 2
    np.testing.assert_array_equal(tg.grad(y, leaf_x), [2, 3, 1])


def test_the_zero_rule_holds_for_a_users_row():
    root = tg.primitive(lambda x: np.sqrt(x))
    tg.rule(root, lambda g, ans, x: g / (2 * ans))
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(
            gradient(lambda x: np.where(x > 0, root(x), 0), [0.0, 4.0, -1.0])[0], [0, 0.25, 0]
        )


# fmt: off
NO_ROWS = [
    ("rule(3, lambda g, ans, x: g)",             lambda: tg.rule(3, lambda g, ans, x: g),                 "function"),
    ("rule(primitive(lambda x: x), 3)",          lambda: tg.rule(tg.primitive(lambda x: x), 3),           "function"),
    ("run_with(lambda g, ans, x: None)",         lambda: run_with(lambda g, ans, x: None),                "NoneType, not an array"),
    ("run_with(lambda g, ans, x: 1.0)",          lambda: run_with(lambda g, ans, x: 1.0),                 "float, not an array"),
    ("run_with(lambda g, ans, x: g * (2 + 1j))", lambda: run_with(lambda g, ans, x: g * (2 + 1j)),        "complex gradient for a real input"),
]
# fmt: on


def run_with(vjp):
    double = tg.primitive(lambda x: x * 2)
    tg.rule(double, vjp)
    gradient(double, [1.0, 2.0])


@pytest.mark.parametrize(("name", "call", "message"), NO_ROWS, ids=[row[0] for row in NO_ROWS])
def test_invalid_rows_are_refused(name, call, message):
    with pytest.raises(TypeError, match=message):
        call()


def test_gradients_that_are_computed_together():
    """One call computes the gradients of all inputs that need one, and of no others."""
    calls = []
    product = tg.primitive(lambda x, y: x * y)

    def together(g, ans, needed, x, y):
        calls.append(needed)
        return {i: g * (y, x)[i] for i in needed}

    tg.rule(product, together=together)
    x, y = leaf([2.0]), leaf([3.0])
    np.sum(product(x, y)).backward()
    assert (x.grad, y.grad) == ([3], [2])
    tg.grad(product(x, y), y)
    tg.grad(product(x.data, y), y)
    assert calls == [(0, 1), (1,), (1,)]
    assert tg.gradgradcheck(product, [np.array([2.0]), np.array([3.0])])


def test_a_user_defined_function_of_complex_values():
    turn = tg.primitive(lambda z: z * 1j)
    tg.rule(turn, lambda g, ans, z: g * 1j, complex=True)
    assert tg.gradcheck(lambda x: np.real(turn(x * (2 + 1j))), [np.array([1.0, 2.0])])
    real = tg.primitive(lambda z: z * 2)
    tg.rule(real, lambda g, ans, z: g * 2)
    with pytest.raises(tg.NoRuleError, match="complex=True"):
        real(leaf([1.0]) * 1j)


def test_inputs_are_passed_by_position():
    with pytest.raises(tg.NoRuleError, match="position"):
        tg.relu(x=leaf([0.0]))
    with tg.no_grad():
        assert tg.relu(x=tg.Tensor([1.0])) == [1]


def test_only_the_outline_of_an_unread_input_is_kept():
    x = leaf([[1.0, 2.0]]) * 1
    for function in (np.mean, lambda t: np.reshape(t, (2,)), lambda t: t[0], lambda t: np.expand_dims(t, 0)):
        (kept,) = function(x).record.inputs
        assert isinstance(kept, Outline)
        assert (kept.shape, kept.size, kept.ndim, kept.dtype) == ((1, 2), 2, 2, np.float64)
    with tg.no_grad():
        total = np.mean(x)
        x[...] = 0  # no pending backward pass needs it
    assert total.data == 1.5


@pytest.mark.parametrize("index", [np.array([0, 1]), [0, 1]], ids=["array", "list"])
def test_an_index_may_be_written_to_afterwards(index):
    x = leaf([1.0, 2.0, 3.0])
    y = np.sum(x[index])
    index[0] = index[1] = 2
    y.backward()
    np.testing.assert_array_equal(x.grad, [1, 1, 0])


TARGETS = np.array([np.nan, 1.0])


def endless(p):
    """Infinity where the target is missing (and the computation NaN); elsewhere ``|p|``."""
    return np.hypot(p * TARGETS, [np.inf, 0.0])


def assigned(p):
    y = p * TARGETS
    y[0] = 5
    return y


def assigned_through_a_view(p):
    y = p * TARGETS
    seen = y.T
    y[0] = 5
    return seen


# fmt: off
MASKED = [  # a function, and its gradient at (1, 2)
    ("where",     lambda p: np.where(np.isnan(TARGETS), 0, (p - TARGETS) ** 2),       [0, 2]),
    ("index",     lambda p: ((p - TARGETS) ** 2)[~np.isnan(TARGETS)],                 [0, 2]),
    ("product",   lambda p: np.where(np.isnan(TARGETS), 0, p * TARGETS + p * p),      [0, 5]),
    ("maximum",   lambda p: np.maximum(-endless(p), -5.0),                            [0, -1]),
    ("minimum",   lambda p: np.minimum(endless(p), 5.0),                              [0, 1]),
    ("fmax",      lambda p: np.fmax(p * TARGETS, 0.0),                                [0, 1]),
    ("fmin",      lambda p: np.fmin(p * TARGETS, 9.0),                                [0, 1]),
    ("clip",      lambda p: np.clip(endless(p), 0, 5),                                [0, 1]),
    ("hardtanh",  lambda p: tg.hardtanh(endless(p), 0, 5),                            [0, 1]),
    ("relu",      lambda p: tg.relu(5 - endless(p)),                                  [0, -1]),
    ("heaviside", lambda p: np.heaviside([1.0, 0.0], p * TARGETS),                    [0, 1]),
    ("nan_to_num", lambda p: np.nan_to_num(p * TARGETS),                              [0, 1]),
    ("max",       lambda p: np.max(-endless(p)),                                      [0, -1]),
    ("min",       lambda p: np.min(endless(p)),                                       [0, 1]),
    ("nanmax",    lambda p: np.nanmax(p * TARGETS),                                   [0, 1]),
    ("nanmin",    lambda p: np.nanmin(p * TARGETS),                                   [0, 1]),
    ("diagonal",  lambda p: np.diagonal(np.reshape(p * TARGETS, (1, 2)), 1),          [0, 1]),
    ("tril",      lambda p: np.tril(np.reshape(p * TARGETS, (2, 1)), -1),             [0, 1]),
    ("triu",      lambda p: np.triu(np.reshape(p * TARGETS, (1, 2)), 1),              [0, 1]),
    ("interp",    lambda p: np.interp(endless(p), [0.0, 4.0], [0.0, 8.0]),            [0, 2]),
    ("assigned",  assigned,                                                           [0, 1]),
    ("assigned through a view", assigned_through_a_view,                              [0, 1]),
]
# fmt: on


@pytest.mark.parametrize(("name", "fn", "expected"), MASKED, ids=[row[0] for row in MASKED])
def test_nan_that_is_not_selected_does_not_reach_gradients(name, fn, expected):
    """Elements computed from a NaN target that are not selected do not affect the gradient."""
    np.testing.assert_allclose(gradient(fn, [1.0, 2.0])[0], expected)


def test_second_derivatives_of_overwritten_elements_are_not_nan():
    """The first derivative by x is ``p * TARGETS``, with 0 for overwritten elements."""
    x, p = leaf([3.0, 4.0]), leaf([1.0, 2.0])
    y = x * 1
    y[0] = 5
    first = tg.grad(np.sum(y * (p * TARGETS)), x, create_graph=True)
    np.testing.assert_array_equal(first.data, [0, 2])
    np.testing.assert_array_equal(tg.grad(np.sum(first), p), [0, 1])


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


def test_tensors_of_objects_are_refused():
    with pytest.raises(TypeError, match="numbers"):
        tg.Tensor([1.0]) + Decimal("0.5")


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, bool])
def test_neural_functions_of_integers_do_not_wrap_around(dtype):
    x = np.array([0, 1], dtype)
    np.testing.assert_allclose(tg.sigmoid(x), tg.sigmoid(x.astype(float)))
    np.testing.assert_allclose(tg.logsumexp(x), tg.logsumexp(x.astype(float)))


def test_a_flattened_tensor_is_a_copy():
    w = leaf([[1.0, 2.0]])
    assert not np.shares_memory(w.flatten().data, w.data)
    assert tg.Tensor([True]).copy().data == [True]
