"""Functions of neural networks beyond their rows in the table: extremes, arguments, masks, running statistics."""
# ruff: noqa: E501  (tables, a row a line)

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad import functional
from tensorgrad.functional.folding import fold, unfold
from tests.helpers import leaf

RNG = np.random.default_rng


def draw(*shape, seed=0):
    return RNG(seed).standard_normal(shape)


def gelu_of_tanh(x):
    return tg.gelu(x, approximate="tanh")


ACTIVATIONS = [
    tg.relu, tg.leaky_relu, tg.elu, tg.selu, tg.gelu, gelu_of_tanh, tg.silu, tg.mish,
    tg.softsign, tg.hardtanh, tg.log_sigmoid, tg.sigmoid, tg.softplus, tg.erf, tg.erfc,
]  # fmt: skip


def test_every_function_is_public():
    assert len(set(functional.__all__)) == len(functional.__all__)
    for name in functional.__all__:
        assert getattr(tg, name) is getattr(functional, name)
        assert name in tg.__all__
        assert getattr(functional, name).__doc__


# --------------------------------------------------------------------------------------------- extremes


def test_erf_and_erfc_are_those_of_the_c_library():
    edges = [0.46875, 4.0, 26.5, 27.3, 30.0]
    x = np.concatenate([np.linspace(-7, 7, 20001), np.linspace(-30, 30, 2001), edges, np.nextafter(edges, 99),
                        [0.0, 1e-300, 1e300, np.inf]])  # fmt: skip
    x = np.concatenate([x, -x])
    np.testing.assert_allclose(tg.erf(x), [math.erf(v) for v in x], rtol=6e-16)
    np.testing.assert_allclose(tg.erfc(x), [math.erfc(v) for v in x], rtol=2e-15, atol=1e-307)
    assert np.signbit(tg.erf(np.array(-0.0)))
    assert (
        np.isnan(tg.erf(np.array([np.nan, 1]))).tolist()
        == np.isnan(tg.erfc(np.array([np.nan, 1]))).tolist()
        == [True, False]
    )
    single = x[np.abs(x) < 1e30].astype(np.float32)
    assert tg.erf(single).dtype == tg.erfc(single).dtype == np.float32
    np.testing.assert_allclose(tg.erf(single), [math.erf(v) for v in single], rtol=1e-7, atol=1e-44)


@pytest.mark.parametrize("fn", ACTIVATIONS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_activations_of_large_numbers_are_finite_to_second_order(fn, dtype):
    x = leaf([-1e4, -700, -90, -30, 30, 90, 700, 1e4], dtype)
    out = fn(x)
    first = tg.grad(np.sum(out), x, create_graph=True)
    second = tg.grad(np.sum(first), x) if first.requires_grad else np.zeros(8)
    assert np.isfinite([out.data, first.data, second]).all()
    assert (np.abs(first.data) <= 2).all()
    assert (np.abs(second) < 1e-4).all()


def test_lower_tails_keep_their_relative_precision():
    x = np.array([-5.0, -10, -20, -30])
    e = np.exp(x)
    np.testing.assert_allclose(tg.gelu(x[:3]), [v / 2 * math.erfc(-v / math.sqrt(2)) for v in x[:3]], rtol=1e-13)
    np.testing.assert_allclose(tg.gelu(x[1:2], "tanh"), -10 * np.exp(-2 * math.sqrt(2 / math.pi) * 54.715), rtol=1e-12)
    np.testing.assert_allclose(tg.silu(x), x * e / (1 + e), rtol=1e-14)
    np.testing.assert_allclose(tg.log_sigmoid(-x), -np.log1p(e), rtol=1e-14)
    for sign in (1, -1):
        target = np.full(4, (1 - sign) // 2)
        losses = tg.binary_cross_entropy_with_logits(sign * x, target, reduction="none")
        np.testing.assert_allclose(losses, np.log1p(e), rtol=1e-14)


@pytest.mark.parametrize(
    "fn",
    [
        *ACTIVATIONS,
        pytest.param(
            lambda x: tg.binary_cross_entropy_with_logits(x, np.ones(3), reduction="none"),
            id="binary_cross_entropy_with_logits(x, ones(3), reduction='n...",
        ),
    ],
)
def test_missing_data_that_are_left_out_leave_no_nan(fn):
    x = leaf([np.nan, 0.5, -0.5])
    with np.errstate(invalid="ignore"):
        tg_loss = np.sum(np.where(np.isnan(x.data), 0, fn(x)))
        got = tg.grad(tg_loss, x)
    assert got[0] == 0
    assert np.isfinite(got).all()


SHARP = np.array([[1e4, -1e4, 0], [-1e4, -1e4, 1e4]])


@pytest.mark.parametrize(
    ("loss", "value", "gradient"),
    [
        (lambda x: tg.cross_entropy(x, [0, 0], reduction="sum"), 2e4, [[0, 0, 0], [-1, 0, 1]]),
        (lambda x: tg.cross_entropy(x, np.eye(3)[[0, 0]], reduction="sum"), 2e4, [[0, 0, 0], [-1, 0, 1]]),
        (lambda x: tg.binary_cross_entropy_with_logits(x, np.eye(3)[:2], reduction="sum"),
         2e4 + np.log(2), [[0, 0, 0.5], [0, -1, 1]]),
        (lambda x: tg.huber_loss(x, np.zeros((2, 3)), reduction="sum"), 5e4 - 2.5, np.sign(SHARP)),
    ],
    ids=["labels", "shares", "logits", "huber"],
)  # fmt: skip
def test_losses_of_large_numbers_are_exact(loss, value, gradient):
    x = leaf(SHARP)
    out = loss(x)
    np.testing.assert_allclose(out.item(), value, rtol=1e-15)
    np.testing.assert_allclose(tg.grad(out, x), gradient, atol=1e-15)


def test_a_class_that_is_impossible_and_does_not_occur_costs_nothing():
    logits, right = leaf([[-np.inf, 0, 1]]), np.array([[0, 0.25, 0.75]])
    loss = tg.cross_entropy(logits, right)
    shares = np.array([0, 1, np.e]) / (1 + np.e)
    np.testing.assert_allclose(loss.item(), -0.25 * np.log(shares[1]) - 0.75 * np.log(shares[2]), rtol=1e-14)
    np.testing.assert_allclose(tg.grad(loss, logits), [shares - right[0]], atol=1e-15)
    targets = leaf([[0.0, 1, 0]])  # but the gradient of its probability is there
    np.testing.assert_allclose(
        tg.grad(tg.cross_entropy(logits.data, targets), targets)[0, 1:], -np.log(shares[1:]), rtol=1e-14
    )


@pytest.mark.parametrize("fn", [
    *ACTIVATIONS[:-2], tg.softmax, tg.log_softmax, tg.logsumexp, tg.erf,
    pytest.param(lambda x: tg.mse_loss(x, x[::-1]), id="mse_loss(x, x[:-1])"), pytest.param(lambda x: tg.l1_loss(x, x[::-1]), id="l1_loss(x, x[:-1])"), pytest.param(lambda x: tg.layer_norm(x, 3), id="layer_norm(x, 3)"),
    pytest.param(lambda x: tg.conv1d(x[None, None], -np.ones((1, 1, 2), int)), id="conv1d(x[None, None], -ones((1, 1, 2), int))"), pytest.param(lambda x: tg.max_pool1d(x[None, None], 2, padding=1), id="max_pool1d(x[None, None], 2, padding=1)"),
    pytest.param(lambda x: tg.avg_pool1d(x[None, None], 2), id="avg_pool1d(x[None, None], 2)"), pytest.param(lambda x: tg.cross_entropy(x[None], [0]), id="cross_entropy(x[None], [0])"),
    pytest.param(lambda x: tg.scaled_dot_product_attention(x[:, None], x[:, None], x[:, None]), id="scaled_dot_product_attention(x[:, None], x[:, None], x[:,..."),
])  # fmt: skip
def test_integers_do_not_wrap_around(fn):
    for dtype in (np.uint8, np.int8, np.int64, bool):
        x = np.array([0, 1, 1]) if dtype is bool else np.array([3, 100, 120])
        got, expected = fn(x.astype(dtype)), fn(x.astype(float))
        np.testing.assert_allclose(got, expected, rtol=1e-14)
        assert isinstance(got, (np.ndarray, np.generic))


def test_lists_and_tensors_that_need_no_gradient_are_welcome():
    assert isinstance(tg.gelu([1.0, 2.0]), np.ndarray)
    assert isinstance(tg.gelu(tg.Tensor([1, 2])), tg.Tensor)
    assert tg.mse_loss([1, 2], [1, 4]) == 2
    assert tg.cross_entropy([[0.0, 0.0]], [1]) == np.log(2)
    assert tg.cross_entropy(tg.Tensor(np.zeros((1, 2), np.float32)), tg.Tensor([1]), [1.0, 2.0]).dtype == np.float32


# --------------------------------------------------------------------------------------------- windows


@st.composite
def geometry(draw):
    axes = draw(st.integers(1, 3))

    def numbers(low, high):
        return tuple(draw(st.integers(low, high)) for _ in range(axes))

    kernel, stride, dilation = numbers(1, 3), numbers(1, 3), numbers(1, 2)
    lengths = tuple(d * (k - 1) + 1 + draw(st.integers(0, 3)) for d, k in zip(dilation, kernel, strict=True))
    return lengths, kernel, stride, dilation


@given(geometry())
def test_property_fold_is_the_transpose_of_unfold(drawn):
    lengths, kernel, stride, dilation = drawn
    x = draw(2, *lengths)
    view = unfold(x, kernel=kernel, stride=stride, dilation=dilation)
    assert np.shares_memory(view, x)
    assert not view.flags.writeable
    for place in np.ndindex(view.shape[1 + len(kernel) :]):
        window = tuple(
            slice(p * s, p * s + d * (k - 1) + 1, d) for p, s, d, k in zip(place, stride, dilation, kernel, strict=True)
        )
        np.testing.assert_array_equal(view[(..., *place)], x[(slice(None), *window)])
    y = draw(*view.shape, seed=1)
    back = fold(y, shape=lengths, stride=stride, dilation=dilation)
    assert back.shape == x.shape
    np.testing.assert_allclose(np.sum(view * y), np.sum(x * back), atol=1e-10)


@given(geometry(), st.integers(1, 2), st.data())
def test_property_the_transposed_convolution_is_the_transpose_of_the_convolution(drawn, groups, data):
    lengths, kernel, stride, dilation = drawn
    axes = len(kernel)
    padding = tuple(data.draw(st.integers(0, 1)) for _ in range(axes))
    name = f"{axes}d"
    x, weight = draw(2, 2 * groups, *lengths), draw(3 * groups, 2, *kernel, seed=1)
    y = getattr(tg, "conv" + name)(x, weight, None, stride, padding, dilation, groups)
    extra = tuple(
        (n + 2 * p - d * (k - 1) - 1) % s
        for n, p, d, k, s in zip(lengths, padding, dilation, kernel, stride, strict=True)
    )
    assume(all(e < max(s, d) for e, s, d in zip(extra, stride, dilation, strict=True)))
    z = draw(*y.shape, seed=2)
    back = getattr(tg, "conv_transpose" + name)(z, weight, None, stride, padding, extra, groups, dilation)
    assert back.shape == x.shape
    np.testing.assert_allclose(np.sum(y * z), np.sum(x * back), atol=1e-9)


def test_padding_wins_no_maximum_and_gets_no_gradient():
    x = leaf(-1 - np.arange(9.0).reshape(1, 1, 3, 3))
    out = tg.max_pool2d(x, 3, stride=2, padding=1)
    np.testing.assert_array_equal(out.data, [[[[-1, -2], [-4, -5]]]])
    np.testing.assert_array_equal(tg.grad(np.sum(out), x).ravel(), [1, 1, 0, 1, 1, 0, 0, 0, 0])


# --------------------------------------------------------------------------------------------- running statistics


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
    """The squares of its numbers do, from 256 on."""
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


# --------------------------------------------------------------------------------------------- masks and labels


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
        given[...] = 2  # the tape has its own copy
        np.testing.assert_array_equal(tg.grad(np.sum(out), weight), [[1, 1], [1, 1], [0, 0], [0, 0]])


def test_of_one_class_or_no_channel():
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


# --------------------------------------------------------------------------------------------- arguments

X, W2, Q = np.ones((1, 2, 4, 4)), np.ones((2, 2, 3, 3)), np.ones((2, 3))

# fmt: off
REFUSED = [
    ("gelu sigmoid",       lambda: tg.gelu(1.0, "sigmoid"),                                  ValueError,    "approximate must be 'none' or 'tanh', got 'sigmoid'"),
    ("hardtanh crossed",   lambda: tg.hardtanh(1.0, 1, -1),                                  ValueError,    "min_val <= max_val"),
    ("complex",            lambda: tg.silu(1j),                                              TypeError,     "real numbers, got complex128"),
    ("text",               lambda: tg.mse_loss(["a"], [1]),                                  TypeError,     "real numbers"),

    ("conv, one image",    lambda: tg.conv2d(X[0], W2),                                      tg.ShapeError, r"x must have 4 axes.*\(2, 4, 4\): write x\[None\]"),
    ("conv, 2 axes",       lambda: tg.conv1d(X[0, 0], W2),                                   tg.ShapeError, r"x must have 3 axes.*x\[None\]"),
    ("conv weight",        lambda: tg.conv2d(X, W2[0]),                                      tg.ShapeError, "weight must have 4 axes"),
    ("conv kernel 0",      lambda: tg.conv2d(X, W2[..., :0]),                                tg.ShapeError, "weight must have 4 axes"),
    ("conv channels",      lambda: tg.conv2d(X, W2[:, :1]),                                  tg.ShapeError, "takes 1 channels.* has 2"),
    ("conv groups",        lambda: tg.conv2d(X, np.ones((3, 1, 1, 1)), groups=2),            tg.ShapeError, "3 filters do not divide into 2 groups"),
    ("conv groups 0",      lambda: tg.conv2d(X, W2, groups=0),                               ValueError,    "groups must be a positive integer"),
    ("conv groups float",  lambda: tg.conv2d(X, W2, groups=1.0),                             ValueError,    "groups must be a positive integer"),
    ("conv bias",          lambda: tg.conv2d(X, W2, np.ones(1)),                             tg.ShapeError, r"bias must have shape \(2,\)"),
    ("conv bias broad",    lambda: tg.conv2d(X, W2, np.ones((2, 2, 2))),                     tg.ShapeError, r"bias must have shape \(2,\)"),
    ("conv too large",     lambda: tg.conv2d(X, W2, dilation=2),                             tg.ShapeError, r"kernel of \(3, 3\) with dilation \(2, 2\) does not fit into \(4, 4\)"),
    ("conv stride 0",      lambda: tg.conv2d(X, W2, stride=0),                               ValueError,    "stride must be at least 1, got 0"),
    ("conv stride 3",      lambda: tg.conv2d(X, W2, stride=(1, 1, 1)),                       ValueError,    "one for each of 2 axes"),
    ("conv stride float",  lambda: tg.conv2d(X, W2, stride=1.5),                             ValueError,    "must be an integer"),
    ("conv padding -1",    lambda: tg.conv2d(X, W2, padding=-1),                             ValueError,    "padding must be at least 0"),
    ("conv padding full",  lambda: tg.conv2d(X, W2, padding="full"),                         ValueError,    "'same', 'valid' or integers, got 'full'"),
    ("conv kernel 0, high", lambda: tg.conv2d(X, W2[:, :, :0]),                              tg.ShapeError, "weight must have 4 axes"),
    ("conv dilation 0",    lambda: tg.conv2d(X, W2, dilation=0),                             ValueError,    "dilation must be at least 1"),
    ("conv same stride",   lambda: tg.conv2d(X, W2, padding="same", stride=2),               ValueError,    "needs a stride of 1"),
    ("convT channels",     lambda: tg.conv_transpose2d(X, W2[:1]),                           tg.ShapeError, "takes 1 channels.* has 2"),
    ("convT groups",       lambda: tg.conv_transpose2d(X, W2, groups=3),                     tg.ShapeError, "do not divide into 3 groups"),
    ("convT padding",      lambda: tg.conv_transpose2d(X[..., :1, :1], W2, padding=2),       tg.ShapeError, "nothing is left"),
    ("convT no image",     lambda: tg.conv_transpose2d(X[..., :0, :], W2),                   tg.ShapeError, "nothing is left"),
    ("convT all padding",  lambda: tg.conv_transpose2d(X[..., :1, :1], W2[..., :2, :2], padding=1), tg.ShapeError, "nothing is left"),
    ("convT stride 0",     lambda: tg.conv_transpose2d(X, W2, stride=0),                     ValueError,    "stride must be at least 1"),
    ("convT dilation 0",   lambda: tg.conv_transpose2d(X, W2, dilation=0),                   ValueError,    "dilation must be at least 1"),
    ("convT padding -1",   lambda: tg.conv_transpose2d(X, W2, padding=-1),                   ValueError,    "padding must be at least 0"),
    ("convT extra -1",     lambda: tg.conv_transpose2d(X, W2, output_padding=-1),            ValueError,    "output_padding must be at least 0"),
    ("convT extra",        lambda: tg.conv_transpose2d(X, W2, output_padding=1),             ValueError,    "less than the stride or the dilation"),

    ("pool axes",          lambda: tg.max_pool1d(X, 2),                                      tg.ShapeError, "x must have 3 axes"),
    ("pool padding",       lambda: tg.max_pool2d(X, 2, padding=2),                           ValueError,    "at most half the kernel"),
    ("avg pool padding",   lambda: tg.avg_pool2d(X, 3, padding=(1, 2)),                      ValueError,    "at most half the kernel"),
    ("pool kernel 0",      lambda: tg.avg_pool2d(X, 0),                                      ValueError,    "kernel_size must be at least 1"),
    ("pool stride 0",      lambda: tg.avg_pool2d(X, 2, stride=0),                            ValueError,    "stride must be at least 1"),
    ("pool padding -1",    lambda: tg.avg_pool2d(X, 2, padding=-1),                          ValueError,    "padding must be at least 0"),
    ("pool dilation 0",    lambda: tg.max_pool2d(X, 2, dilation=0),                          ValueError,    "dilation must be at least 1"),
    ("pool too large",     lambda: tg.avg_pool2d(X, 5),                                      tg.ShapeError, "does not fit"),

    ("layer_norm shape",   lambda: tg.layer_norm(Q, 2),                                      tg.ShapeError, r"does not end in normalized_shape \(2,\)"),
    ("layer_norm nothing", lambda: tg.layer_norm(Q, ()),                                     tg.ShapeError, "does not end in"),
    ("layer_norm weight",  lambda: tg.layer_norm(Q, 3, np.ones(1)),                          tg.ShapeError, r"weight must have shape \(3,\), got \(1,\)"),
    ("batch_norm bias",    lambda: tg.batch_norm(Q, bias=np.ones((2, 3)), training=True),    tg.ShapeError, r"bias must have shape \(3,\)"),
    ("batch_norm 1 axis",  lambda: tg.batch_norm(Q[0], training=True),                       tg.ShapeError, r"\(N, C, ...\)"),
    ("batch_norm one",     lambda: tg.batch_norm(Q[:1], training=True),                      ValueError,    "more than one value per channel"),
    ("batch_norm half",    lambda: tg.batch_norm(Q, np.ones(3)),                             ValueError,    "training=True"),
    ("batch_norm eval",    lambda: tg.batch_norm(Q),                                         ValueError,    "training=True"),
    ("batch_norm running", lambda: tg.batch_norm(Q, np.ones(1), np.ones(3)),                 tg.ShapeError, r"running_mean must have shape \(3,\)"),
    ("batch_norm list",    lambda: tg.batch_norm(Q, [0.0, 0, 0], None, training=True),       TypeError,     "running_mean must be an array of floats"),
    ("batch_norm ints",    lambda: tg.batch_norm(Q, np.zeros(3), np.ones(3, int)),           TypeError,     "running_var must be an array of floats"),
    ("batch_norm leaf",    lambda: tg.batch_norm(Q, leaf(np.zeros(3)), None, training=True), TypeError,     "without a gradient"),
    ("group_norm groups",  lambda: tg.group_norm(Q, 2),                                      tg.ShapeError, "do not divide into 2 groups"),
    ("group_norm 0",       lambda: tg.group_norm(Q, 0),                                      tg.ShapeError, "do not divide into 0 groups"),
    ("group_norm 1 axis",  lambda: tg.group_norm(Q[0], 1),                                   tg.ShapeError, r"\(N, C, ...\)"),

    ("embedding floats",   lambda: tg.embedding([1.0], Q),                                   TypeError,     r"integers.*indices.astype\(int\)"),
    ("embedding mask",     lambda: tg.embedding([True, False], Q),                           TypeError,     "integers"),
    ("embedding -1",       lambda: tg.embedding([-1], Q),                                    IndexError,    r"0\.\.1, got -1\.\.-1"),
    ("embedding 2",        lambda: tg.embedding([0, 2], Q),                                  IndexError,    r"0\.\.1, got 0\.\.2"),
    ("embedding table",    lambda: tg.embedding([0], Q[0]),                                  tg.ShapeError, r"\(V, D\)"),
    ("embedding padding",  lambda: tg.embedding([0], Q, 2),                                  IndexError,    "padding_idx"),
    ("one_hot 3",          lambda: tg.one_hot([3], 3),                                       IndexError,    r"0\.\.2"),
    ("one_hot 0",          lambda: tg.one_hot([0], 0),                                       IndexError,    "got 0"),
    ("one_hot -1",         lambda: tg.one_hot([-1]),                                         IndexError,    "got -1"),

    ("attention shapes",   lambda: tg.scaled_dot_product_attention(Q, Q[:, :2], Q),          tg.ShapeError, r"\(\.\.\., L, E\)"),
    ("attention values",   lambda: tg.scaled_dot_product_attention(Q, Q, Q[:1]),             tg.ShapeError, r"\(\.\.\., S, V\)"),
    ("attention 1 axis",   lambda: tg.scaled_dot_product_attention(Q[0], Q, Q),              tg.ShapeError, r"\(\.\.\., L, E\)"),
    ("attention mask",     lambda: tg.scaled_dot_product_attention(Q, Q, Q, np.ones((3, 2), bool)), tg.ShapeError, r"attn_mask must broadcast to shape \(2, 2\)"),
    ("attention mask 3",   lambda: tg.scaled_dot_product_attention(Q, Q, Q, np.ones((3, 2, 2), bool)), tg.ShapeError, "attn_mask must broadcast"),
    ("attention int mask", lambda: tg.scaled_dot_product_attention(Q, Q, Q, np.ones((2, 2), int)), TypeError, r"attn_mask.astype\(bool\)"),
    ("attention both",     lambda: tg.scaled_dot_product_attention(Q, Q, Q, np.ones((2, 2), bool), is_causal=True), ValueError, "not both"),
    ("attention no rng",   lambda: tg.scaled_dot_product_attention(Q, Q, Q, dropout_p=0.1),  ValueError,    "rng="),

    ("mse broadcast",      lambda: tg.mse_loss(np.ones(3), np.ones((3, 1))),                 tg.ShapeError, r"\(3,\) and \(3, 1\): write target.reshape\(input.shape\)"),
    ("l1 broadcast",       lambda: tg.l1_loss(Q, np.ones(3)),                                tg.ShapeError, r"\(2, 3\) and \(3,\): np.broadcast_to"),
    ("mse number",         lambda: tg.mse_loss(Q, 0.0),                                      tg.ShapeError, "same shape"),
    ("huber broadcast",    lambda: tg.huber_loss(Q, Q[:1]),                                  tg.ShapeError, "same shape"),
    ("bce broadcast",      lambda: tg.binary_cross_entropy(Q, Q[:1]),                        tg.ShapeError, "same shape"),
    ("bce logits shape",   lambda: tg.binary_cross_entropy_with_logits(Q, Q.T),              tg.ShapeError, "same shape"),
    ("kl_div broadcast",   lambda: tg.kl_div(Q, Q[0]),                                       tg.ShapeError, "same shape"),
    ("bce weight",         lambda: tg.binary_cross_entropy(Q, Q, np.ones((2, 2, 3))),        tg.ShapeError, r"weight must broadcast to shape \(2, 3\)"),
    ("bce pos_weight",     lambda: tg.binary_cross_entropy_with_logits(Q, Q, pos_weight=np.ones(2)), tg.ShapeError, "pos_weight must broadcast"),
    ("mse reduction",      lambda: tg.mse_loss(Q, Q, reduction="batchmean"),                 ValueError,    "'mean', 'sum' or 'none', got 'batchmean'"),
    ("kl_div reduction",   lambda: tg.kl_div(Q, Q, reduction=None),                          ValueError,    "'none' or 'batchmean', got None"),
    ("nll reduction",      lambda: tg.nll_loss(Q, [0, 1], reduction="avg"),                  ValueError,    "got 'avg'"),
    ("huber delta",        lambda: tg.huber_loss(Q, Q, delta=0),                             ValueError,    "delta must be positive"),
    ("smooth_l1 beta",     lambda: tg.smooth_l1_loss(Q, Q, beta=-1),                         ValueError,    "beta must not be negative"),
    ("bce range",          lambda: tg.binary_cross_entropy([1.5], [1]),                      ValueError,    "binary_cross_entropy_with_logits"),
    ("bce below",          lambda: tg.binary_cross_entropy([-0.1], [1]),                     ValueError,    "probabilities"),

    ("ce smoothing",       lambda: tg.cross_entropy(Q, [0, 1], label_smoothing=1.5),         ValueError,    r"label_smoothing must be in \[0, 1\]"),
    ("ce smoothing < 0",   lambda: tg.cross_entropy(Q, [0, 1], label_smoothing=-0.5),        ValueError,    r"label_smoothing must be in \[0, 1\]"),
    ("ce weight",          lambda: tg.cross_entropy(Q, [0, 1], [1.0, 2.0]),                  tg.ShapeError, r"weight must have shape \(3,\), one for each class"),
    ("ce places",          lambda: tg.cross_entropy(np.ones((2, 3, 4)), np.zeros(8, int)),   tg.ShapeError, r"targets must have shape \(2, 4\), got \(8,\): write targets.reshape\(2, 4\)"),
    ("ce not one-hot",     lambda: tg.cross_entropy(Q, np.array([[0, 1, 2], [1, 0, 0]])),    ValueError,    "one-hot"),
    ("ce two hot",         lambda: tg.cross_entropy(Q, np.array([[0, 1, 1], [1, 0, 0]])),    ValueError,    "one-hot"),
    ("ce minus one",       lambda: tg.cross_entropy(Q, np.array([[0, -1, 0], [1, 0, 0]])),   ValueError,    "one-hot"),
    ("ce ignore 0",        lambda: tg.cross_entropy(Q, Q, ignore_index=0),                   ValueError,    "none to ignore"),
    ("ce ignore shares",   lambda: tg.cross_entropy(Q, Q, ignore_index=1),                   ValueError,    "none to ignore"),
    ("ce class",           lambda: tg.cross_entropy(Q, [-100, 3]),                           IndexError,    r"0\.\.2"),
    ("ce class -1",        lambda: tg.cross_entropy(Q, [-100, -1]),                          IndexError,    r"0\.\.2"),
    ("nll shape",          lambda: tg.nll_loss(Q[0], [0]),                                   tg.ShapeError, r"input must have shape \(N, C\)"),
    ("nll shares",         lambda: tg.nll_loss(Q, Q),                                        tg.ShapeError, "one integer per row of input"),
]
# fmt: on


@pytest.mark.parametrize(("name", "call", "error", "message"), REFUSED, ids=[row[0] for row in REFUSED])
def test_wrong_arguments_are_refused_with_a_remedy(name, call, error, message):
    with pytest.raises(error, match=message):
        call()
