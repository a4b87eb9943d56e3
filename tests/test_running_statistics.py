"""Running statistics of batch normalization."""

import numpy as np
import pytest

import tensorgrad as tg
from tests.helpers import draw, leaf


@pytest.mark.parametrize("wrap", [np.array, tg.Tensor])
def test_running_statistics_move_towards_those_of_the_batch(wrap):
    x = draw(4, 3, 5) * [[2], [3], [4]] + [[1], [0], [-1]]
    start = np.array([1.0, 2, 3])
    mean, var = wrap(start.copy()), wrap(start.copy())
    tg.batch_norm(leaf(x), mean, var, training=True, momentum=0.25)
    np.testing.assert_allclose(np.asarray(mean), 0.75 * start + 0.25 * x.mean(axis=(0, 2)), rtol=1e-14)
    np.testing.assert_allclose(np.asarray(var), 0.75 * start + 0.25 * x.var(axis=(0, 2), ddof=1), rtol=1e-14)
    before = np.array(mean)
    tg.batch_norm(leaf(x), mean, var)
    np.testing.assert_array_equal(np.asarray(mean), before)


def test_running_statistics_keep_their_precision_and_stay_if_the_call_fails():
    mean, var = np.zeros(3, np.float32), np.ones(3, np.float32)
    with pytest.raises(tg.ShapeError):
        tg.batch_norm(draw(4, 3), mean, var, weight=np.ones(4), training=True)
    np.testing.assert_array_equal([mean, var], [[0, 0, 0], [1, 1, 1]])
    out = tg.batch_norm(draw(4, 3).astype(np.float32), mean, var, training=True)
    assert out.dtype == mean.dtype == np.float32


def test_a_later_batch_does_not_disturb_a_pending_backward():
    mean, var = np.zeros(3), np.ones(3)
    x = leaf(draw(4, 3))
    out = tg.batch_norm(x, mean, var)
    expected = tg.grad(tg.batch_norm(x, mean.copy(), var.copy()), x, np.ones((4, 3)))
    tg.batch_norm(draw(4, 3, seed=1) * 9, mean, var, training=True, momentum=1)
    np.testing.assert_array_equal(tg.grad(out, x, np.ones((4, 3))), expected)


def test_statistics_of_float16_do_not_overflow():
    """The squares of numbers do, from 256 on."""
    x = np.array([[600, 0, -600, 100], [1, -300, 2, 500], [0.01, 0, -0.01, 0.02]])
    half = x.astype(np.float16)

    def statistics(dtype):
        return {"running_mean": np.ones(4, dtype), "running_var": np.full(4, 1e5, np.float32)}

    for fn in (
        lambda x: tg.layer_norm(x, 4, [1, 2, 3, 4]),
        lambda x: tg.group_norm(x, 2),
        lambda x: tg.batch_norm(x, training=True),
        lambda x: tg.batch_norm(x, **statistics(x.dtype)),
    ):
        weights, (one, other) = draw(3, 4).astype(np.float16), (leaf(half, np.float16), leaf(half))
        got, expected = fn(one), fn(other)
        assert got.dtype == np.float16
        np.testing.assert_allclose(got.data, expected.data, rtol=2e-3, atol=1e-5)
        first, exact = (tg.grad(np.sum(y * weights.astype(y.dtype)), z) for y, z in ((got, one), (expected, other)))
        assert (np.abs(first - exact) < 5e-3 * np.abs(exact).max(axis=1, keepdims=True) + 1e-7).all()
    var = np.ones(4, np.float32)
    tg.batch_norm(leaf(half, np.float16), None, var, training=True, momentum=1)
    np.testing.assert_allclose(var, half.astype(float).var(axis=0, ddof=1), rtol=1e-6)


def test_a_constant_takes_the_precision_of_the_input_and_a_parameter_keeps_its_own():
    x, w, v = leaf(draw(2, 3, 4), np.float32), draw(3, 3, 1), draw(3)
    for fn in (
        lambda v: tg.conv1d(x, v[:, None, None] * w), lambda v: tg.conv1d(x, w, v), lambda v: tg.group_norm(x, 1, v),
        lambda v: tg.conv_transpose1d(x, w, v), lambda v: tg.batch_norm(x, bias=v, training=True),
        lambda v: tg.layer_norm(x[..., :3], 3, v),
        lambda v: tg.binary_cross_entropy_with_logits(x[..., 0], [[0, 1, 1]] * 2, pos_weight=v),
    ):  # fmt: skip
        for constant in (v, np.arange(3), tg.Tensor(v)):
            assert fn(constant).dtype == np.float32
        assert fn(leaf(v)).dtype == np.float64
    assert tg.batch_norm(x, np.zeros(3), np.ones(3)).dtype == np.float32
