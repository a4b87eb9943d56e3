"""Attention masks, ignored labels, and class weights."""

import numpy as np
import pytest

import tensorgrad as tg
from tests.helpers import draw, leaf

RNG = np.random.default_rng
X, W2, Q = np.ones((1, 2, 4, 4)), np.ones((2, 2, 3, 3)), np.ones((2, 3))


@pytest.mark.parametrize("mask", [np.zeros((3, 4), bool), np.full((3, 4), -np.inf)], ids=["bool", "-inf"])
def test_a_query_without_keys_gives_zeros_and_gets_no_gradient(mask):
    mask = mask.copy()
    mask[0] = np.array([1, 1, 0, 1]) if mask.dtype == bool else [0, 0, -np.inf, 0]
    q, k, v = leaf(draw(3, 2)), leaf(draw(4, 2, seed=1)), leaf(draw(4, 5, seed=2))
    out = tg.scaled_dot_product_attention(q, k, v, mask)
    np.testing.assert_array_equal(out.data[1:], np.zeros((2, 5)))
    dq, dk, dv = tg.grad(np.sum(out * draw(3, 5, seed=3)), [q, k, v])
    np.testing.assert_array_equal(dq[1:], np.zeros((2, 2)))
    np.testing.assert_array_equal([np.abs(dk[2]).sum(), np.abs(dv[2]).sum()], [0, 0])
    kept = [0, 1, 3]
    np.testing.assert_allclose(
        out.data[0], tg.scaled_dot_product_attention(q.data[:1], k.data[kept], v.data[kept])[0], rtol=1e-14
    )


def test_attention_of_large_scores_takes_the_largest():
    q, k, v = leaf([[1e4, 0]]), leaf([[1.0, 0], [-1e4, 0], [1e4, 0]]), leaf(draw(3, 2))
    out = tg.scaled_dot_product_attention(q, k, v)
    np.testing.assert_array_equal(out.data[0], v.data[2])
    for gradient in tg.grad(np.sum(out), [q, k, v]):
        assert np.isfinite(gradient).all()


def test_a_float64_mask_leaves_float32_as_it_is():
    q = draw(3, 2).astype(np.float32)
    assert tg.scaled_dot_product_attention(q, q, q, np.where(np.eye(3), 0, -np.inf)).dtype == np.float32


def test_attention_drops_weights_for_a_seed():
    q, k, v = np.zeros((50, 1)), np.zeros((400, 1)), np.ones((400, 1))
    once, again = (tg.scaled_dot_product_attention(q, k, v, dropout_p=0.25, rng=RNG(0)) for _ in range(2))
    np.testing.assert_array_equal(once, again)
    np.testing.assert_allclose(once.mean(), 1, atol=0.02)
    assert 0.01 < once.std() < 0.1


@pytest.mark.parametrize("weight", [None, [1.0, 2.0, 3.0]])
def test_where_all_labels_are_ignored_the_mean_is_nan_and_the_gradient_zero(weight):
    x = leaf(draw(2, 3))
    assert tg.cross_entropy(x, [-100, -100], weight, reduction="sum").item() == 0
    with pytest.warns(RuntimeWarning, match="invalid value"):
        loss = tg.cross_entropy(x, [-100, -100], weight)
    assert np.isnan(loss.item())
    np.testing.assert_array_equal(tg.grad(loss, x), np.zeros((2, 3)))


def test_an_ignored_row_may_hold_anything():
    x = leaf([[np.nan, np.inf, 0.0], [1, 2, 3]])
    with np.errstate(invalid="ignore"):
        loss = tg.cross_entropy(x, [-100, 1], label_smoothing=0.1)
    np.testing.assert_allclose(loss.item(), tg.cross_entropy(x.data[1:], [1], label_smoothing=0.1))
    with np.errstate(invalid="ignore"):
        got = tg.grad(loss, x)
    np.testing.assert_allclose(got[1], tg.grad(tg.cross_entropy(y := leaf(x.data[1:]), [1], label_smoothing=0.1), y)[0])


def test_the_row_for_padding_is_read_but_not_trained():
    weight, indices = leaf(draw(4, 2)), np.array([[0, 3], [3, 1]])
    for padding in (3, -1):
        given = indices.copy()
        out = tg.embedding(given, weight, padding_idx=padding)
        np.testing.assert_array_equal(out.data, weight.data[indices])
        given[...] = 2  # the record has a copy
        np.testing.assert_array_equal(tg.grad(np.sum(out), weight), [[1, 1], [1, 1], [0, 0], [0, 0]])


def test_losses_of_one_class_and_of_no_channel():
    np.testing.assert_array_equal(tg.cross_entropy([[3.0], [2.0]], [-100, 0]), 0)
    np.testing.assert_array_equal(tg.cross_entropy(Q, Q, ignore_index=-1), tg.cross_entropy(Q, Q))
    np.testing.assert_array_equal(
        tg.conv2d(X[:, :0], W2[:, :0], [1.0, 2]), np.broadcast_to([[[[1.0]], [[2]]]], (1, 2, 2, 2))
    )


def test_one_hot():
    np.testing.assert_array_equal(tg.one_hot([2, 0]), [[0, 0, 1], [1, 0, 0]])
    np.testing.assert_array_equal(tg.one_hot([[1]], 4), [[[0, 1, 0, 0]]])
    assert tg.one_hot(np.zeros((0, 2), int)).shape == (0, 2, 0)
    x, labels = draw(2, 3), [2, 0]
    np.testing.assert_allclose(tg.cross_entropy(x, tg.one_hot(labels, 3)), tg.cross_entropy(x, labels), rtol=1e-15)


def test_probabilities_of_0_and_1_cost_100_at_most_with_a_slope_of_1e12():
    p, target = leaf([0.0, 1, 0, 1]), [1.0, 0, 0, 1]
    losses = tg.binary_cross_entropy(p, target, reduction="none")
    np.testing.assert_array_equal(losses.data, [100, 100, 0, 0])
    np.testing.assert_allclose(tg.grad(np.sum(losses), p), [-1e12, 1e12, 1, -1])


def test_a_divergence_from_a_probability_of_0_has_gradient_0_there():
    log_q, p = leaf([-np.inf, -0.5, -1]), leaf([0, 0.25, 0.75])
    loss = tg.kl_div(log_q, p, reduction="sum")
    np.testing.assert_allclose(loss.item(), 0.25 * (np.log(0.25) + 0.5) + 0.75 * (np.log(0.75) + 1))
    dq, dp = tg.grad(loss, [log_q, p])
    np.testing.assert_allclose(dq, [0, -0.25, -0.75])
    np.testing.assert_allclose(dp, [0, np.log(0.25) + 1.5, np.log(0.75) + 2])
