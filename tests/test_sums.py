"""Gradients that are sums, and counts, are accurate in float16 and over 2e7 rows."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.engine.broadcasting import total

N = 4096
PART = np.float16(1 / N)
ZEROS = np.zeros(N, int)
NOISE = np.random.default_rng(0).normal(size=70_000).astype(np.float16)

# Every element of the leaf is used in N places, each with weight 1 / N: its gradient is 1.
REPEATED = {
    "rows": ((4,), lambda b: b + np.zeros((N, 4), np.float16)),
    "the mean": ((4,), lambda b: np.mean(b + np.zeros((N, 4), np.float16)) * np.float16(4 * N)),
    "columns": ((4, 1), lambda b: b + np.zeros((4, N), np.float16)),
    "channels": ((4, 1, 1), lambda b: b + np.zeros((64, 4, 8, 8), np.float16)),
    "multiplied": ((4,), lambda b: b * np.ones((N, 4), np.float16)),
    "broadcast_to": ((4,), lambda b: np.broadcast_to(b, (N, 4))),
    "repeat": ((3, 4), lambda b: np.repeat(b, N, axis=0)),
    "repeat unequally": ((2, 4), lambda b: np.repeat(b, [N, N], axis=0)),
    "tile": ((3, 4), lambda b: np.tile(b, (N, 1))),
    "resize": ((2, 4), lambda b: np.resize(b, (N, 8))),
    "take": ((1, 4), lambda b: np.take(b, ZEROS, axis=0)),
    "rows of a table": ((1, 4), lambda b: b[ZEROS]),
    "embedding": ((1, 4), lambda b: tg.functional.embedding(ZEROS, b)),
    "matmul": ((4, 1), lambda b: np.ones((N, 4), np.float16) @ b),
    "einsum": ((4,), lambda b: np.einsum("i,ni->ni", b, np.ones((N, 4), np.float16))),
    "windows": ((1,), lambda b: np.lib.stride_tricks.sliding_window_view(np.resize(b, 2 * N - 1), N)[:, :1]),
    "cumsum": ((1, 4), lambda b: np.cumsum(np.concatenate([b, np.zeros((N - 1, 4), np.float16)]), axis=0)),
}


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("name", REPEATED)
def test_float16_is_added_up_in_float32(name, create_graph):
    shape, use = REPEATED[name]
    b = tg.Tensor(np.zeros(shape, np.float16), requires_grad=True)
    out = use(b)
    out.backward(np.full(out.shape, PART if out.ndim else 1 / 4 / N, np.float16), create_graph=create_graph)
    gradient = b.grad.data if create_graph else b.grad
    assert gradient.dtype == np.float16
    np.testing.assert_allclose(gradient, 1 if out.ndim else 1 / 4, rtol=1e-3)


def test_float16_is_added_to_what_is_there():
    b = tg.Tensor(np.zeros((2, 4), np.float16), requires_grad=True)
    (np.sum(b[ZEROS] * PART) + np.sum(b)).backward()
    np.testing.assert_allclose(b.grad, [[2] * 4, [1] * 4], rtol=1e-3)


def in_both(f, x):
    """Value and gradient in float16, and in float64."""
    for dtype in (np.float16, np.float64):
        leaf = tg.Tensor(x.astype(dtype), requires_grad=True)
        out = f(leaf)
        out.backward((64 * (1 + np.arange(out.size) % 3)).reshape(out.shape).astype(dtype))
        assert out.dtype == leaf.grad.dtype == dtype
        yield out.data, leaf.grad


COUNTS = {
    "mean": np.mean,
    "var": np.var,
    "var with ddof": lambda x: np.var(x, ddof=1),
    "var of columns": lambda x: np.var(np.reshape(x, (-1, 2)), axis=0),
    "max": lambda x: np.max(x * 0),
    "min": lambda x: np.min(x * 0),
    "softmax": tg.softmax,
    "log_softmax": tg.log_softmax,
    "logsumexp": tg.logsumexp,
    "avg_pool": lambda x: tg.avg_pool2d(np.reshape(x, (1, 1, 250, 280)), (250, 280)),
    "rms_norm": lambda x: tg.rms_norm(np.reshape(x, (1, -1)), 70_000),
    "normalize": lambda x: tg.normalize(np.reshape(x, (1, -1))),
    "cosine_similarity": lambda x: tg.cosine_similarity(np.reshape(x, (1, -1)), np.ones((1, 70_000), x.dtype)),
    "adaptive_avg_pool": lambda x: tg.adaptive_avg_pool1d(np.reshape(x, (1, 1, 70_000)), 3),
    "max_pool": lambda x: tg.max_pool2d(np.reshape(x * 0, (1, 1, 250, 280)), (250, 280)),
    "attention": lambda x: tg.functional.scaled_dot_product_attention(
        np.ones((1, 1), x.dtype), np.reshape(x, (-1, 1)) * 0, np.reshape(x, (-1, 1))
    ),
    "cross_entropy": lambda x: tg.cross_entropy(np.reshape(x, (-1, 2)), np.zeros(35_000, int)),
    "cross_entropy, some ignored": lambda x: tg.cross_entropy(
        np.reshape(x, (-1, 1)), np.arange(70_000) % 2, ignore_index=1
    ),
    "cross_entropy with weights": lambda x: tg.cross_entropy(
        np.reshape(x, (-1, 1)), np.zeros(70_000, int), weight=np.ones(1)
    ),
    "mse_loss": lambda x: tg.functional.mse_loss(x, np.zeros(70_000)),
    "kl_div": lambda x: tg.functional.kl_div(np.reshape(x, (-1, 2)), np.full((35_000, 2), 0.5), reduction="batchmean"),
}  # fmt: skip


@pytest.mark.parametrize("name", COUNTS)
def test_70_000_elements_of_float16_are_counted(name):
    (value, gradient), (exact, exact_gradient) = in_both(COUNTS[name], NOISE)
    scale = np.max(np.abs(exact_gradient))
    np.testing.assert_allclose(value, exact, rtol=5e-3, atol=5e-3 * np.max(np.abs(exact)))
    np.testing.assert_allclose(gradient, exact_gradient, rtol=5e-3, atol=5e-3 * scale)


def test_layer_norm_adds_up_its_bias():
    bias = tg.Tensor(np.zeros(2, np.float16), requires_grad=True)
    out = tg.functional.layer_norm(np.reshape(NOISE, (-1, 2)), 2, None, bias)
    out.backward(np.full(out.shape, 1 / 35_000, np.float16))
    np.testing.assert_allclose(bias.grad, np.float16(1 / 35_000) * 35_000.0, rtol=1e-3)


MANY = 17_000_000  # float32 counts up to 16,777,216
LONG = {
    "rows": ((2,), (MANY, 2)),
    "one column": ((1,), (MANY, 1)),
    "in the middle": ((2, 1, 2), (2, MANY // 2, 2)),
    "two axes": ((2,), (5000, MANY // 5000, 2)),
    "first and last": ((1, 2, 1), (MANY // 1000, 2, 1000)),
}


@pytest.mark.parametrize("name", LONG)
def test_float32_counts_beyond_16777216(name):
    shape, of = LONG[name]
    ones = np.ones(of, np.float32)
    axis = tuple(i for i in range(len(of)) if i < len(of) - len(shape) or (1 == shape[i - len(of)] != of[i]))
    out = total(ones, axis=axis, keepdims=len(of) == len(shape))
    assert out.dtype == np.float32
    assert out.shape == shape
    np.testing.assert_array_equal(out, ones.size // out.size)


def test_a_bias_of_float32_in_17_million_rows():
    b = tg.Tensor(np.zeros(1, np.float32), requires_grad=True)
    (b + np.zeros((MANY, 1), np.float32)).backward(np.ones((MANY, 1), np.float32))
    assert b.grad == MANY


def test_a_row_of_float32_taken_17_million_times():
    b = tg.Tensor(np.zeros(2, np.float32), requires_grad=True)
    b[np.zeros(MANY, np.int8)].backward(np.ones(MANY, np.float32))
    assert list(b.grad) == [MANY, 0]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.complex128, np.longdouble])
@pytest.mark.parametrize("shape", [(), (0, 3), (3, 0), (5, 7), (100, 40), (40, 10, 20), (70_000, 2)])
def test_total_is_a_sum(shape, dtype):
    c = np.random.default_rng(0).normal(size=shape).astype(dtype)
    for x in (c, np.asfortranarray(c), c[::-1] if c.ndim else c):
        for n in range(1, x.ndim + 1):
            for axis in (tuple(range(n)), tuple(range(x.ndim - n, x.ndim))):
                for keepdims in (False, True):
                    exact = np.sum(x, axis=axis, dtype=complex if dtype is np.complex128 else float, keepdims=keepdims)
                    out = total(x, axis=axis, keepdims=keepdims)
                    assert out.dtype == (np.float32 if dtype == np.float16 else dtype)
                    np.testing.assert_allclose(out, exact, rtol=1e-4, atol=1e-3)
                    assert np.shape(out) == exact.shape


@pytest.mark.parametrize("axis", [(0,), (1,), (0, 1)])
def test_total_differentiates(axis):
    x = np.random.default_rng(0).normal(size=(3, 4))
    for keepdims in (False, True):
        tg.gradcheck(lambda t, k=keepdims: total(t, axis=axis, keepdims=k) ** 2, [x])
        tg.gradgradcheck(lambda t, k=keepdims: total(t, axis=axis, keepdims=k) ** 2, [x])


@pytest.mark.parametrize("options", [{}, {"where": np.ones(70_000, bool)}, {"ddof": 1}])
@pytest.mark.parametrize("size", [1, 50])
def test_the_deviation_of_many_halves_and_its_gradient_are_finite(options, size):
    """The number of elements, and the square of one, may exceed the largest float16."""
    x = tg.Tensor((NOISE * size).astype(np.float16), requires_grad=True)
    out = np.std(x, **options)
    exact = x.data.astype(float)
    assert out.dtype == np.float16
    np.testing.assert_allclose(out.data, np.std(exact, **options), rtol=1e-3)
    factor = 30_000 // size
    got = tg.grad(out * factor, x)
    expected = factor * (exact - exact.mean()) / ((x.size - options.get("ddof", 0)) * np.std(exact, **options))
    assert got.dtype == np.float16
    np.testing.assert_allclose(got, expected, rtol=2e-3, atol=1e-3)
