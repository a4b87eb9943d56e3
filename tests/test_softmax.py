"""Softmax, its logarithm, sigmoid and softplus, for large and infinite numbers; and rows that are not selected."""

import numpy as np
import pytest

import tensorgrad as tg
from tests.helpers import each, leaf, slope, slopes

BIG = [[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4], [1e4, 1e4, 1e4 - 1], [-np.inf, 0.0, 1.0], [-np.inf, -np.inf, 5.0]]


@pytest.mark.parametrize("x", BIG)
def test_log_softmax_is_exact_for_any_logits(x):
    finite = [np.longdouble(v) for v in x if v > -np.inf]
    total = max(finite) + np.log(sum(np.exp(v - max(finite)) for v in finite))
    shares = np.exp(np.array(x, np.longdouble) - total).astype(float)
    t = leaf(x)
    np.testing.assert_allclose(tg.logsumexp(t).data, float(total), rtol=1e-15)
    np.testing.assert_allclose(tg.log_softmax(t).data, np.array(x) - float(total), rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(tg.softmax(t).data, shares, rtol=1e-11, atol=1e-300)
    np.testing.assert_allclose(slope(tg.logsumexp, x), shares, rtol=1e-11, atol=1e-300)
    np.testing.assert_allclose(slope(lambda t: tg.log_softmax(t)[2], x), [0, 0, 1] - shares, rtol=1e-9, atol=1e-11)
    assert np.isfinite(slope(lambda t: tg.cross_entropy(t[None], [2]), x)).all()


def rows_alone(fn):
    """A function of rows, whose results are in the positions of the rows."""
    return lambda x: np.reshape(fn(x), (len(x), -1))


OF_ROWS = {
    "softmax": tg.softmax,
    "log_softmax": tg.log_softmax,
    "logsumexp": rows_alone(lambda x: tg.logsumexp(x, axis=1)),
    "logsumexp keepdims": lambda x: tg.logsumexp(x, axis=-1, keepdims=True),
    "cross_entropy": rows_alone(lambda x: tg.cross_entropy(x, [0, 2], reduction="none")),
    "cross_entropy shares": rows_alone(lambda x: tg.cross_entropy(x, np.eye(3)[[0, 2]], reduction="none")),
    "layer_norm": lambda x: tg.layer_norm(x, 3),
    "layer_norm affine": lambda x: tg.layer_norm(x, 3, leaf([1, 2, 3]), leaf([0, 1, 2])),
    "log of softmax": lambda x: np.log(tg.softmax(x)),
    "exp of logsumexp": lambda x: np.exp(tg.logsumexp(x, 1, True)),
}


@each("fn", OF_ROWS.values(), ids=OF_ROWS)
@each("bad", [[np.nan, 1, 2], [np.nan] * 3, [-np.inf] * 3, [-np.inf, 0, np.nan], [np.inf, 0, 1]])
def test_a_row_that_is_not_selected_has_gradient_zero(fn, bad):
    def some(x):
        return np.square(np.where([[False], [True]], fn(x), 0))

    good = [1.0, 2.0, 4.0]
    first, second = slopes(some, [bad, good])
    first_without, second_without = slopes(some, [[1.0, 0.0, 3.0], good])
    np.testing.assert_array_equal([first[0], second[0]], np.zeros((2, 3)))
    np.testing.assert_allclose(first[1], first_without[1], rtol=1e-12)
    np.testing.assert_allclose(second[1], second_without[1], rtol=1e-12)


def test_a_row_that_is_used_keeps_its_nan():
    with np.errstate(invalid="ignore"):
        for fn in (tg.softmax, tg.log_softmax, lambda x: tg.logsumexp(x, 1), lambda x: tg.layer_norm(x, 3)):
            got = slope(lambda x, fn=fn: np.square(fn(x)), [[np.nan, 1, 2], [1, 2, 4]])
            assert np.isnan(got[0]).all()
            assert np.isfinite(got[1]).all()


def test_axis_of_softmax_by_position_and_of_length_zero():
    x = np.arange(6.0).reshape(2, 3) ** 2
    for fn in (tg.softmax, tg.log_softmax, tg.logsumexp):
        np.testing.assert_array_equal(fn(x, 0), fn(x, axis=0))
        np.testing.assert_array_equal(fn(leaf(x), 0).data, fn(x, axis=0))
        np.testing.assert_array_equal(
            slope(lambda t, fn=fn: fn(t, 0) ** 2, x), slope(lambda t, fn=fn: fn(t, axis=0) ** 2, x)
        )
        for wrong, error in [((1, 2, 3), TypeError), ((5,), np.exceptions.AxisError)]:
            with pytest.raises(error):
                fn(leaf(x), *wrong)
        with pytest.raises(TypeError, match="axis"):
            fn(x, 1, axis=1)
    np.testing.assert_array_equal(tg.logsumexp(x, 1, True), tg.logsumexp(x, axis=1, keepdims=True))
    for fn in (tg.softmax, tg.log_softmax):
        for shape, axis in [((2, 0), 1), ((0, 2), 0), ((0, 2), 1), ((0,), -1)]:
            assert fn(leaf(np.zeros(shape)), axis).shape == shape
            assert slope(lambda t, fn=fn, axis=axis: fn(t, axis), np.zeros(shape)).shape == shape


def test_logsumexp_of_nothing_and_of_infinities():
    assert tg.logsumexp(leaf([-np.inf, -np.inf])).item() == -np.inf
    np.testing.assert_array_equal(slope(tg.logsumexp, [-np.inf, -np.inf]), [0, 0])
    assert tg.logsumexp(leaf([])).item() == -np.inf
    assert tg.logsumexp(leaf([1.0, np.inf])).item() == np.inf
    with np.errstate(invalid="ignore"):
        assert slope(tg.logsumexp, [1.0, np.inf])[0] == 0
    assert np.isnan(tg.logsumexp(leaf([0.0, np.nan])).item())
    rows = tg.logsumexp(leaf([[-np.inf, -np.inf], [0, 0]]), axis=1)
    np.testing.assert_allclose(rows.data, [-np.inf, np.log(2)])


def test_sigmoid_and_softplus_do_not_overflow():
    x = [-1e4, -800.0, -40.0, 0.0, 40.0, 800.0, 1e4]
    np.testing.assert_allclose(tg.sigmoid(leaf(x)).data, [0, 0, np.exp(-40), 0.5, 1, 1, 1], rtol=1e-15)
    np.testing.assert_allclose(slope(tg.softplus, x), [0, 0, np.exp(-40), 0.5, 1, 1, 1], rtol=1e-15)
    np.testing.assert_allclose(slope(tg.sigmoid, x), [0, 0, np.exp(-40), 0.25, 0, 0, 0], rtol=1e-15, atol=1e-17)
    np.testing.assert_allclose(tg.softplus(leaf(x)).data, [0, 0, np.exp(-40), np.log(2), 40, 800, 1e4], rtol=1e-15)


def test_mixed_indices_follow_numpy():
    """Two arrays with a slice between them: NumPy puts their axis first."""
    x = leaf(np.arange(24).reshape(2, 3, 4))
    assert x[0, :, [0, 1]].shape == (2, 3)
    assert x[[0, 1], :, [0, 1]].shape == (2, 3)
    assert x[:, [0, 1], [0, 1]].shape == (2, 2)
