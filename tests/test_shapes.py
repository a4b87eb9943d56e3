"""Functions that move elements: views and copies, errors, and the gradient of each element."""
# ruff: noqa: E501  (tables with one row per line)

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.lib.stride_tricks import sliding_window_view

import tensorgrad as tg
from tests.helpers import each, leaf

# fmt: off
FUNCTIONS = [
    ("reshape",            lambda x: np.reshape(x, (4, 6))),
    ("reshape copy",       lambda x: np.reshape(x, (4, 6), copy=True)),
    ("reshape F",          lambda x: np.reshape(x, (4, 6), order="F")),
    ("reshape of .T F",    lambda x: np.reshape(x.T, (6, 4), order="F")),
    ("ravel",              lambda x: np.ravel(x)),
    ("ravel of .T",        lambda x: np.ravel(x.T)),
    ("ravel of .T K",      lambda x: np.ravel(x.T, order="K")),
    ("ravel of .T A",      lambda x: np.ravel(x.T, order="A")),
    ("ravel with gaps",    lambda x: np.ravel(x[0, 0, ::2])),
    ("copy",               lambda x: np.copy(x)),
    ("astype",             lambda x: np.astype(x, float)),
    ("astype copy=False",  lambda x: np.astype(x, float, copy=False)),
    ("atleast_1d",         lambda x: np.atleast_1d(x)),
    ("atleast_3d",         lambda x: np.atleast_3d(x[0])),
    ("transpose",          lambda x: np.transpose(x, (2, 0, 1))),
    ("moveaxis",           lambda x: np.moveaxis(x, 0, 2)),
    ("rollaxis",           lambda x: np.rollaxis(x, 2)),
    ("matrix_transpose",   lambda x: np.matrix_transpose(x)),
    ("flip",               lambda x: np.flip(x, 1)),
    ("rot90",              lambda x: np.rot90(x)),
    ("roll",               lambda x: np.roll(x, 0)),
    ("broadcast_arrays",   lambda x: np.broadcast_arrays(x, np.ones(4))[0]),
    ("meshgrid",           lambda x: np.meshgrid(x[0, 0], [1, 2])[0]),
    ("meshgrid view",      lambda x: np.meshgrid(x[0, 0], [1, 2], copy=False)[0]),
    ("concatenate one",    lambda x: np.concatenate([x])),
    ("block one",          lambda x: np.block(x)),
    ("split",              lambda x: np.split(x, 2, axis=-1)[1]),
    ("hsplit",             lambda x: np.hsplit(x, 3)[1]),
    ("unstack",            lambda x: np.unstack(x, axis=1)[2]),
    ("tile once",          lambda x: np.tile(x, 1)),
    ("repeat once",        lambda x: np.repeat(x, 1, axis=0)),
    ("resize",             lambda x: np.resize(x, (2, 3, 4))),
    ("insert nothing",     lambda x: np.insert(x, [], [])),
    ("delete nothing",     lambda x: np.delete(x, [], axis=0)),
    ("diagonal",           lambda x: np.diagonal(x)),
    ("diag",               lambda x: np.diag(x[0])),
    ("diagflat",           lambda x: np.diagflat(x[0])),
    ("tril",               lambda x: np.tril(x, 5)),
    ("sort",               lambda x: np.sort(x)),
    ("take",               lambda x: np.take(x, [0, 1], axis=0)),
    ("take one",           lambda x: np.take(x, 0, axis=0)),
    ("take_along_axis",    lambda x: np.take_along_axis(x, np.arange(2)[:, None, None], 0)),
    ("compress",           lambda x: np.compress([True, True], x, axis=0)),
    ("trim_zeros",         lambda x: np.trim_zeros(x[0, 0])),
    ("unique",             lambda x: np.unique(x)),
    ("pad nothing",        lambda x: np.pad(x, 0)),
    ("pad edge nothing",   lambda x: np.pad(x, 0, "edge")),
    ("windows",            lambda x: sliding_window_view(x, (1, 2), axis=(0, 1))),
]
# fmt: on


@each(("name", "fn"), FUNCTIONS, ids=[name for name, _ in FUNCTIONS])
def test_views_and_copies_are_numpys(name, fn):
    x = np.arange(1.0, 25).reshape(2, 3, 4)
    expected = fn(x)
    for t in (tg.Tensor(x), tg.Tensor(x, requires_grad=True)):
        out = fn(t)
        np.testing.assert_array_equal(out.data, expected)
        assert np.shares_memory(out.data, x) == np.shares_memory(expected, x)


# fmt: off
REFUSED = [
    ("pad(x, 1, 'mean')",                        lambda x: np.pad(x, 1, "mean"),                        tg.NoRuleError, "'mean'"),
    ("pad(x, 1, 'reflect', reflect_type='odd')", lambda x: np.pad(x, 1, "reflect", reflect_type="odd"), tg.NoRuleError, "reflect_type"),
    ("pad(Tensor([1, 1]), 1, constant_values=x[0, 0])", lambda x: np.pad(tg.Tensor(np.ones(2, int)), 1, constant_values=x[0, 0]), tg.NoRuleError, "int64"),
    ("pad(x, 1, 'edge', constant_values=2)",     lambda x: np.pad(x, 1, "edge", constant_values=2),     ValueError,     "'edge'"),
    ("pad(x, -1)",                               lambda x: np.pad(x, -1),                               ValueError,     "negative"),
    ("pad(x, 1.5, 'wrap')",                      lambda x: np.pad(x, 1.5, "wrap"),                      TypeError,      "integral"),
    ("pad(x[:0], 1, 'edge')",                    lambda x: np.pad(x[:0], 1, "edge"),                    ValueError,     "empty axis"),
    ("meshgrid(x[0], indexing='yx')",            lambda x: np.meshgrid(x[0], indexing="yx"),            ValueError,     "'yx'"),
    ("block([[x], x])",                          lambda x: np.block([[x], x]),                          ValueError,     r"\[1, 2\]"),
    ("block([x, []])",                           lambda x: np.block([x, []]),                           ValueError,     "empty"),
    ("concatenate([x, x[0]])",                   lambda x: np.concatenate([x, x[0]]),                   ValueError,     "dimension"),
    ("concatenate([x, x], axis=2)",              lambda x: np.concatenate([x, x], axis=2),              IndexError,     "axis 2"),
    ("concatenate([x[0, 0], x[0, 0]])",          lambda x: np.concatenate([x[0, 0], x[0, 0]]),          ValueError,     "zero-dimensional"),
    ("concatenate([x, x], out=ones((4, 3)))",    lambda x: np.concatenate([x, x], out=np.ones((4, 3))), tg.NoRuleError, "'out'"),
    ("stack([x, x[0]])",                         lambda x: np.stack([x, x[0]]),                         ValueError,     "same shape"),
    ("split(x, 2, axis=1)",                      lambda x: np.split(x, 2, axis=1),                      ValueError,     "equal division"),
    ("hsplit(x[0, 0], 1)",                       lambda x: np.hsplit(x[0, 0], 1),                       ValueError,     "at least 1 axes"),
    ("vsplit(x[0], 1)",                          lambda x: np.vsplit(x[0], 1),                          ValueError,     "at least 2 axes"),
    ("dsplit(x, 1)",                             lambda x: np.dsplit(x, 1),                             ValueError,     "at least 3 axes"),
    ("diag(ones((1, 1, 1)) * x[0, 0])",          lambda x: np.diag(np.ones((1, 1, 1)) * x[0, 0]),       ValueError,     r"\(1, 1, 1\)"),
    ("vander(x)",                                lambda x: np.vander(x),                                ValueError,     r"\(2, 3\)"),
    ("rollaxis(x, 0, 4)",                        lambda x: np.rollaxis(x, 0, 4),                        IndexError,     "axis 4"),
    ("take(x, [3], axis=1)",                     lambda x: np.take(x, [3], axis=1),                     IndexError,     "out of bounds"),
    ("take(x, x[0])",                            lambda x: np.take(x, x[0]),                            TypeError,      "int64"),
    ("take_along_axis(x, array([0]), 0)",        lambda x: np.take_along_axis(x, np.array([0]), 0),     ValueError,     "2 axes"),
    ("trim_zeros(x, 'a')",                       lambda x: np.trim_zeros(x, "a"),                       ValueError,     "'a'"),
    ("sort(x, order='f')",                       lambda x: np.sort(x, order="f"),                       tg.NoRuleError, "'order'"),
    ("union1d(x, x)",                            lambda x: np.union1d(x, x),                            tg.NoRuleError, "np.union1d"),
    ("insert(arange(3), 1, x[0, 0])",            lambda x: np.insert(np.arange(3), 1, x[0, 0]),         tg.NoRuleError, "int64"),
    ("bincount([0, 1], x)",                      lambda x: np.bincount([0, 1], x),                      ValueError,     r"\(2, 3\)"),
    ("sliding_window_view(x, 2)",                lambda x: sliding_window_view(x, 2),                   ValueError,     "2 axes"),
    ("sliding_window_view(x, 4, axis=0)",        lambda x: sliding_window_view(x, 4, axis=0),           ValueError,     "window"),
    ("lib.stride_tricks.as_strided(x, (2, 2))",  lambda x: np.lib.stride_tricks.as_strided(x, (2, 2)),  TypeError,      "requires a gradient"),
]
# fmt: on


@each(("name", "call", "error", "message"), REFUSED, ids=[row[0] for row in REFUSED])
def test_calls_without_a_rule_or_with_invalid_arguments_are_refused(name, call, error, message):
    with pytest.raises(error, match=message):
        call(leaf([[1, 2, 3], [4, 5, 6]]))


def test_parameters_that_are_arrays_are_copied():
    """The caller may modify the arrays of indices, counts and widths afterwards."""
    x = leaf([[1, 2, 3], [4, 5, 6]])
    numbers = np.array([1, 0])
    for fn in (
        lambda: np.take(x, numbers, axis=0),
        lambda: np.take_along_axis(x, numbers[:, None], axis=1),
        lambda: np.repeat(x, numbers, axis=0),
        lambda: np.tile(x, numbers),
        lambda: np.pad(x, numbers),
        lambda: np.pad(x, numbers, "reflect"),
        lambda: np.insert(x, numbers, 7.0),
        lambda: np.delete(x, numbers, axis=1),
        lambda: np.bincount(numbers, x[:, 0]),
    ):
        before, out = tg.grad(np.sum(fn() ** 2), x), np.sum(fn() ** 2)
        numbers[...] = [0, 1]
        np.testing.assert_array_equal(tg.grad(out, x), before)
        numbers[...] = [1, 0]


@pytest.mark.parametrize(
    "leave_out",
    [
        pytest.param(lambda x: np.tril(x), id="tril(x)"),
        pytest.param(lambda x: np.triu(x.T), id="triu(x.T)"),
        pytest.param(lambda x: np.diagonal(x), id="diagonal(x)"),
        pytest.param(lambda x: np.trace(x, offset=0), id="trace(x, offset=0)"),
        pytest.param(lambda x: np.delete(x, 1), id="delete(x, 1)"),
        pytest.param(lambda x: np.compress([1, 0, 1, 1], x), id="compress([1, 0, 1, 1], x)"),
        pytest.param(lambda x: np.take(x, [0, 3]), id="take(x, [0, 3])"),
        pytest.param(lambda x: np.array_split(x, [1], axis=1)[0], id="array_split(x, [1], axis=1)[0]"),
    ],
)
def test_nan_that_is_not_selected_does_not_reach_gradients(leave_out):
    x = leaf([[1, np.nan], [2, 3]])
    slope = tg.grad(np.sum(leave_out(x * x * x)), x)
    assert slope[0, 0] == 3
    assert slope[0, 1] == 0


def test_integers_and_untracked_numbers_are_sorted_as_in_numpy():
    for dtype in (np.int8, np.bool_, np.float32):
        x = np.array([[3, 0, 1], [2, 2, 0]]).astype(dtype)
        for fn in (np.sort, np.unique, lambda x: np.partition(x, 1, axis=None)[1], lambda x: np.pad(x, 1, "wrap")):
            out = fn(tg.Tensor(x))
            assert out.dtype == fn(x).dtype
            np.testing.assert_array_equal(out.data, fn(x))
    np.testing.assert_array_equal(np.bincount(tg.Tensor(np.array([0, 2, 2]))), [1, 0, 2])
    t = tg.Tensor(np.array([np.nan, 2, np.nan, 1]))
    np.testing.assert_array_equal(np.sort(t).data, [1, 2, np.nan, np.nan])


@st.composite
def movement(draw):
    """A shape, and a function that moves elements of arrays of this shape."""
    shape = draw(hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4))
    ndim = len(shape)
    axis = draw(st.integers(-ndim, ndim - 1))
    axes = draw(hnp.valid_tuple_axes(ndim, min_size=1))
    few = st.integers(0, 3)
    counts = draw(st.lists(few, min_size=shape[axis], max_size=shape[axis]))
    widths = draw(st.lists(st.tuples(few, few), min_size=ndim, max_size=ndim))
    numbers = draw(st.lists(st.integers(-shape[axis], shape[axis] - 1), max_size=4))
    shift, offset = draw(st.integers(-5, 5)), draw(st.integers(-2, 2))
    mode = draw(st.sampled_from(["constant", "edge", "reflect", "symmetric", "wrap"]))
    windows = tuple(draw(st.integers(1, shape[k])) for k in axes)
    moves = [
        lambda x: np.roll(x, shift, axis),
        lambda x: np.roll(x, shift, axes),
        lambda x: np.flip(x, axes),
        lambda x: np.moveaxis(x, axis, 0),
        lambda x: np.rollaxis(x, axis, ndim),
        lambda x: np.tile(x, widths[0]),
        lambda x: np.repeat(x, shift % 3, axis),
        lambda x: np.repeat(x, counts, axis),
        lambda x: np.pad(x, widths, mode),
        lambda x: np.take(x, numbers, axis),
        lambda x: np.delete(x, numbers, axis),
        lambda x: np.insert(x, numbers, 0, axis),
        lambda x: np.resize(x, widths[0]),
        lambda x: np.sort(x, axis),
        lambda x: np.concatenate([x, x[::-1], x], axis),
        lambda x: np.stack([x, x[::-1]], axis),
        lambda x: np.concatenate(np.array_split(x, 3, axis)[::-1], axis),
        lambda x: np.ravel(x.T, "F"),
        lambda x: sliding_window_view(x, windows, axis=axes),
        *([lambda x: np.rot90(x, shift, (0, -1)), lambda x: np.diagonal(x, offset, -1, 0)] if ndim > 1 else []),
        *([lambda x: np.tril(x, offset), lambda x: np.matrix_transpose(x)] if ndim > 1 else []),
        *([lambda x: np.diag(x, offset)] if ndim < 3 else []),
    ]
    return shape, draw(st.sampled_from(moves))


@given(movement())
def test_property_each_element_gets_the_gradient_of_where_it_went(movement):
    """The gradient of each element is the sum of the weights at all positions of the element in the result."""
    shape, move = movement
    x = np.random.default_rng(0).permutation(np.prod(shape)).reshape(shape) + 1.0
    t = tg.Tensor(x, requires_grad=True)
    out, expected = move(t), move(x)
    np.testing.assert_array_equal(out.data, expected)
    assert np.shares_memory(out.data, x) == np.shares_memory(expected, x)
    weights = np.random.default_rng(1).integers(1, 9, expected.shape).astype(float)
    total = np.zeros(x.size + 1)
    for number, weight in zip(np.ravel(expected).astype(int), np.ravel(weights), strict=True):
        total[number] += weight  # 0 is padding
    np.testing.assert_array_equal(tg.grad(out, t, weights), total[x.astype(int)])
