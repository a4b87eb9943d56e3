"""Errors in rules, missing rules, and the dtypes of results and gradients."""

import numpy as np
import pytest

import tensorgrad as tg
from tests.helpers import is_recording, leaf


def test_an_error_inside_a_rule_says_where():
    broken = tg.primitive(lambda x, y, *, axis: x + y)
    broken.__name__ = "broken"
    tg.rule(broken, lambda g, ans, x, y, *, axis: g, lambda g, ans, x, y, *, axis: 1 / 0)
    x, y = leaf([1.0, 2.0]), leaf([[3.0, 4.0]])
    with pytest.raises(ZeroDivisionError) as caught:
        np.sum(broken(x, y, axis=5)).backward()
    (note,) = caught.value.__notes__
    assert "input 2" in note
    assert "(1, 2)" in note
    assert "'axis': 5" in note
    assert is_recording()


@pytest.mark.parametrize("bad", [None, 1.0, [1.0, 2.0], np.zeros(3), np.zeros((5, 2, 2))[:, :, :0]])
def test_an_invalid_result_of_a_rule_is_an_error(bad):
    odd = tg.primitive(lambda x: x * 2)
    tg.rule(odd, lambda g, ans, x: bad)
    with pytest.raises(Exception) as caught:  # noqa: PT011  (any exception; the note is tested)
        np.sum(odd(leaf([1.0, 2.0]))).backward()
    assert "tensorgrad" in caught.value.__notes__[0]


def test_a_primitive_without_a_rule_is_refused_in_the_forward_pass():
    lonely = tg.primitive(lambda x: x * 2)
    with pytest.raises(tg.NoRuleError, match=r"tg\.rule"):
        lonely(leaf(1.0))
    assert lonely(np.float64(2)) == 4
    assert lonely(tg.Tensor(2.0)).item() == 4
    half = tg.primitive(lambda x, y: x * y)
    tg.rule(half, lambda g, ans, x, y: g * y)
    assert half(leaf(1.0), 2.0).item() == 2
    with pytest.raises(tg.NoRuleError, match="input 2"):
        half(1.0, leaf(2.0))


def test_one_function_called_with_fewer_and_more_inputs():
    """The inputs to save are determined separately for each number of inputs."""
    scaled = tg.primitive(lambda x, y=None: x * x if y is None else x * x * y)
    tg.rule(
        scaled,
        lambda g, ans, x, y=None: g * 2 * x * (1 if y is None else y),
        lambda g, ans, x, y=None: g * x * x,
    )
    for _ in range(2):
        x, y = leaf(3.0), leaf(5.0)
        assert tg.grad(scaled(x), x) == 6
        assert tg.grad(scaled(x, 5.0), x) == 30
        assert tg.grad(scaled(x, y), y) == 9
        assert tg.grad(scaled(2.0, y), y) == 4


def test_results_that_are_not_real_floats_are_refused():
    x = leaf([1.0, 2.0])
    with pytest.raises(tg.NoRuleError, match="floating-point"):
        np.sum(x, dtype=int)


@pytest.mark.parametrize(
    "fn",
    [
        pytest.param(lambda x, y: x * y, id="x * y"),
        pytest.param(lambda x, y: x @ y, id="x @ y"),
        pytest.param(lambda x, y: np.concatenate([x, y]), id="concatenate([x, y])"),
        np.vdot,
    ],
)
def test_mixed_precision(fn):
    """The result has the wider dtype, each gradient the dtype of its input."""
    x = tg.Tensor(np.array([1.5, 2.0], np.float32), requires_grad=True)
    y = tg.Tensor(np.array([3.0, 4.0], np.float64), requires_grad=True)
    out = np.sum(fn(x, y))
    assert out.dtype == np.float64
    out.backward()
    assert (x.grad.dtype, y.grad.dtype) == (np.float32, np.float64)


def test_scalars_keep_float32():
    x = tg.Tensor(np.ones(2, np.float32), requires_grad=True)
    y = np.sum(((x * 2.0 + 1) / 3 - 0.5) ** 2) ** 0.5
    assert y.dtype == np.float32
    y.backward()
    assert x.grad.dtype == np.float32
    optimizer = tg.optim.SGD([x], 0.1, momentum=0.9, weight_decay=1e-2, nesterov=True)
    optimizer.step()
    assert x.dtype == np.float32
    assert {v.dtype for v in optimizer.state_dict().values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize("order", [1, 2])
def test_a_gradient_that_is_constant_along_an_axis_is_summed_where_the_input_was_broadcast(order):
    """The gradient of the difference has the shape of r, (2, 1), but still has to be summed over three columns."""
    k, q, r = leaf([[1.0], [2.0]]), leaf(np.ones((2, 3))), leaf([[3.0], [4.0]])
    if order == 1:
        np.testing.assert_array_equal(tg.grad(np.sum(k * (q - r)), r), [[-3], [-6]])
        np.testing.assert_array_equal(tg.grad(np.sum(k * (q * r)), r), [[3], [6]])
    else:
        g = tg.grad(np.sum(k * (q - r) ** 2), q, create_graph=True)  # 2 k (q - r)
        np.testing.assert_array_equal(tg.grad(np.sum(g), r), [[-6], [-12]])
