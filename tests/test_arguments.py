"""Arguments of functions: wrong ones are refused, and labels are copied."""
# ruff: noqa: E501  (tables with one row per line)

import itertools

import numpy as np
import pytest

import tensorgrad as tg
from tests.helpers import each, leaf

# fmt: off
REFUSED = [
    ("cross_entropy([1, 2], [0])",                lambda: tg.cross_entropy(leaf([1, 2]), [0]),                 tg.ShapeError, r"\(N, C\)"),
    ("cross_entropy([[1, 2]], [[0]])",            lambda: tg.cross_entropy(leaf([[1, 2]]), [[0]]),             tg.ShapeError, r"targets.reshape\(-1\)"),
    ("cross_entropy([[1, 2]], [0, 1])",           lambda: tg.cross_entropy(leaf([[1, 2]]), [0, 1]),            tg.ShapeError, r"\(1,\)"),
    ("cross_entropy([[1, 2]], [1.0])",            lambda: tg.cross_entropy(leaf([[1, 2]]), [1.0]),             TypeError,     "integers"),
    ("cross_entropy([[1, 2]], [True])",           lambda: tg.cross_entropy(leaf([[1, 2]]), [True]),            TypeError,     "integers"),
    ("cross_entropy([[1, 2]], [2])",              lambda: tg.cross_entropy(leaf([[1, 2]]), [2]),               IndexError,    r"0\.\.1"),
    ("cross_entropy([[1, 2]], [-1])",             lambda: tg.cross_entropy(leaf([[1, 2]]), [-1]),              IndexError,    r"0\.\.1"),
    ("cross_entropy([[1, 2]], [0], reduction='m')", lambda: tg.cross_entropy(leaf([[1, 2]]), [0], reduction="m"), ValueError,   "'m'"),
    ("dropout([1], 1.1, rng)",                    lambda: tg.dropout(leaf([1]), 1.1, np.random.default_rng(0)), ValueError,   r"\[0, 1\]"),
    ("dropout([1], -0.1, rng)",                   lambda: tg.dropout(leaf([1]), -.1, np.random.default_rng(0)), ValueError,   r"\[0, 1\]"),
    ("clip([1], 0, 1, min=0)",                    lambda: np.clip(leaf([1]), 0, 1, min=0),                     ValueError,    "both"),
    ("where([1], 0)",                             lambda: np.where(leaf([1]), 0),                              ValueError,    "both x and y"),
    ("correlate(1, [1, 2])",                      lambda: np.correlate(leaf(1), [1, 2]),                       ValueError,    "at least one-dim"),
    ("correlate([1, 2], 1)",                      lambda: np.correlate([1, 2], leaf(1)),                       ValueError,    "at least one-dim"),
    ("cumulative_sum([[1, 2]])",                  lambda: np.cumulative_sum(leaf([[1, 2]])),                   ValueError,    "axis is required"),
    ("interp([1], [0, 1], [0, 1], period=0)",     lambda: np.interp(leaf([1]), [0, 1], [0, 1], period=0),      ValueError,    "non-zero"),
    ("diff([1], -1)",                             lambda: np.diff(leaf([1]), -1),                              ValueError,    "non-negative"),
    ("diff(1)",                                   lambda: np.diff(leaf(1)),                                    ValueError,    "one dimensional"),
    ("gradient([1])",                             lambda: np.gradient(leaf([1])),                              ValueError,    "needs 2"),
    ("einsum('i', [[1]])",                        lambda: np.einsum("i", leaf([[1]])),                         ValueError,    "2 axes"),
    ("average([1, 2], weights=[1, -1])",          lambda: np.average(leaf([1, 2]), weights=[1, -1]),           ZeroDivisionError, "sum to zero"),
    ("quantile([1, 2], 1.5)",                     lambda: np.quantile(leaf([1, 2]), 1.5),                      ValueError,    "0 to 1"),
    ("quantile([1, 2], -0.5)",                    lambda: np.quantile(leaf([1, 2]), -0.5),                     ValueError,    "0 to 1"),
    ("quantile([1, 2], [[[0.5]]])",               lambda: np.quantile(leaf([1, 2]), [[[0.5]]]),                ValueError,    "at most two axes"),
    ("quantile(ones((0, 2)), 0.5, axis=0)",       lambda: np.quantile(leaf(np.ones((0, 2))), 0.5, axis=0),     IndexError,    "empty array"),
    ("cov(ones((2, 1, 2)))",                      lambda: np.cov(leaf(np.ones((2, 1, 2)))),                    ValueError,    "two axes"),
    ("cov([1, 2, 4], aweights=[1, -0.5, 1])",     lambda: np.cov(leaf([1, 2, 4]), aweights=[1, -0.5, 1]),      ValueError,    "negative"),
    ("stack([[1], [1, 2]])",                      lambda: np.stack([leaf([1]), leaf([1, 2])]),                 ValueError,    "same shape"),
    ("einsum('ij', [1])",                         lambda: np.einsum("ij", leaf([1])),                          ValueError,    "1 axes"),
    ("einsum('i,i', [1])",                        lambda: np.einsum("i,i", leaf([1])),                         ValueError,    "2 operands"),
    ("einsum([1], [0.5])",                        lambda: np.einsum(leaf([1]), [0.5]),                         TypeError,     "string"),
    ("[1, 2][0.5]",                               lambda: leaf([1, 2])[0.5],                                   IndexError,    "ind"),
    ("[1, 2][1]",                                 lambda: leaf([1, 2])[leaf(1)],                               IndexError,    "integers"),
    ("[1, 2][2]",                                 lambda: leaf([1, 2])[2],                                     IndexError,    "ind"),
    ("[1, 2].item()",                             lambda: leaf([1, 2]).item(),                                 ValueError,    r"\(2,\)"),
]
# fmt: on


@each(("name", "call", "error", "message"), REFUSED, ids=[row[0] for row in REFUSED])
def test_wrong_arguments_are_refused_with_a_remedy(name, call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_labels_are_kept_as_they_were():
    """Records have copies of labels and of integer tensors used as an index."""
    logits, labels = leaf([[1, 2, 3], [3, 2, 1]]), np.array([0, 1])
    expected = tg.grad(tg.cross_entropy(logits, labels), logits)
    for given in (labels, tg.Tensor(labels)):
        loss = tg.cross_entropy(logits, given)
        given[...] = 2
        np.testing.assert_array_equal(tg.grad(loss, logits), expected)
        labels[...] = [0, 1]
    index = tg.Tensor(np.array([0, 0, 1]))
    total = np.sum(logits[index] ** 2)
    index[...] = 1
    np.testing.assert_array_equal(tg.grad(total, logits), [[4, 8, 12], [6, 4, 2]])


def test_dropout_keeps_the_mean_and_draws_the_same_mask_for_the_same_seed():
    for dtype in (np.float16, np.float32, np.float64, np.int64):
        x = np.ones(20_000, dtype)
        y = tg.dropout(x, 0.3, np.random.default_rng(0))
        assert y.dtype == (np.float64 if dtype == np.int64 else dtype)
        np.testing.assert_allclose(np.unique(y), [0, 1 / 0.7], rtol=1e-3)
        np.testing.assert_allclose(np.mean(y.astype(float)), 1, atol=0.02)
        np.testing.assert_array_equal(y, tg.dropout(x, 0.3, np.random.default_rng(0)))


REDUCTIONS = (np.sum, np.mean, np.max, np.min, np.prod, np.std, np.var, np.ptp, np.cumsum, np.sort, np.nanmean, np.nansum)  # fmt: skip


@pytest.mark.parametrize("function", REDUCTIONS, ids=lambda function: function.__name__)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_an_axis_is_refused_where_numpy_refuses_it(function):
    for shape, axis in itertools.product([(), (2,), (0,)], [0, -1, 1, -2, (0,), ()]):
        x, outcomes = np.ones(shape), []
        for given in (x, tg.Tensor(x, requires_grad=True), tg.Tensor(x)):
            try:
                outcomes.append(np.shape(function(given, axis=axis)))
            except (ValueError, TypeError):  # AxisError is a ValueError
                outcomes.append("refused")
        assert outcomes[0] == outcomes[1] == outcomes[2], (shape, axis)


@each("indices", [np.array([1.0]), np.array([]), np.array([1], np.uint64), [1.0], [], True, np.int8([1])])
@each("mode", ["raise", "wrap", "clip", "edge", ""])
@each("tracked", [True, False])
def test_put_takes_the_indices_and_modes_that_numpy_takes(indices, mode, tracked):
    x, outcomes = np.arange(3.0), []
    for given in (x.copy(), tg.Tensor(x, requires_grad=tracked).copy()):
        try:
            np.put(given, indices, 5.0, mode)
            outcomes.append(np.array(given.tolist()).tolist())
        except (TypeError, ValueError):
            outcomes.append("refused")
    assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("other", [None, object(), [None]], ids=["None", "object", "list"])
def test_the_remedy_for_an_object_is_not_a_conversion_to_float(other):
    with pytest.raises(TypeError, match="can be combined with numbers") as raised:
        leaf([1.0]) + other
    assert "float(x)" not in str(raised.value)
