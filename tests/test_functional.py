"""Functions of neural networks in addition to their rows in the table: extreme values, and windows."""
# ruff: noqa: E501  (tables with one row per line)

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import tensorgrad as tg
from tensorgrad import blas, functional
from tensorgrad.functional import (
    convolution_products,
    depthwise,
    pixel_matrices,
    pooled_windows,
    shifted_pixels,
    whole_windows,
)
from tensorgrad.rules.windows import fold, unfold
from tests.helpers import draw, leaf


def gelu_of_tanh(x):
    return tg.gelu(x, approximate="tanh")


def prelu(x):
    return tg.prelu(x, 0.25)


ACTIVATIONS = [
    tg.relu, tg.leaky_relu, prelu, tg.elu, tg.celu, tg.selu, tg.gelu, gelu_of_tanh, tg.silu, tg.mish,
    tg.softsign, tg.hardtanh, tg.relu6, tg.hardsigmoid, tg.hardswish, tg.log_sigmoid, tg.sigmoid, tg.softplus, tg.erf, tg.erfc,
]  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("fn", [tg.relu, tg.leaky_relu, prelu, tg.elu, tg.celu, tg.selu, tg.softplus])
def test_activations_of_many_elements_are_those_of_few(fn, dtype):
    def value_and_slope(x):
        t = tg.Tensor(x, requires_grad=True)
        out = fn(t)
        out.backward(np.ones_like(x))
        assert out.dtype == dtype
        return out.data, t.grad

    few = np.array([-0.0, 0, 1, -1, np.inf, -np.inf, np.nan, 3, -3], dtype)
    few, many = (np.tile(few, (n, 1000)).T[::2].T for n in (1, 5))  # not contiguous
    for of_few, of_many in zip(value_and_slope(few), value_and_slope(many), strict=True):
        np.testing.assert_array_equal(of_many, np.tile(of_few, (5, 1)))
    assert fn(many).tobytes() == fn(many.copy()).tobytes()


@pytest.mark.parametrize("dtype", [bool, np.int8, np.int64, ">f4", np.float16, np.longdouble])
def test_the_dtype_of_relu_does_not_depend_on_the_number_of_elements(dtype):
    for fn in (tg.relu, tg.elu):
        few, many = (fn(np.ones(n, dtype)) for n in (10, 20_000))
        assert few.dtype == many.dtype


def test_the_slopes_of_rectifiers_can_be_learned():
    for fn, expected in (
        (tg.leaky_relu, [0.7, 1, -3]),
        (tg.prelu, [0.7, 1, -3]),
        (tg.celu, [np.exp(-3 / 0.7), 1, np.expm1(-3 / 0.7) + 3 / 0.7 * np.exp(-3 / 0.7)]),
    ):
        x, slope = leaf([-3.0, 2.0]), leaf(0.7)
        np.sum(fn(x, slope)).backward()
        np.testing.assert_allclose([*x.grad, slope.grad], expected, rtol=1e-14)


@pytest.mark.parametrize("slope", [-0.5, 0, 0.01, 1, 3])
def test_a_rectifier_is_linear_on_both_sides_of_zero(slope):
    x = np.array([-np.inf, -1e300, -2, -5e-324, 0, 5e-324, 2, 1e300, np.inf, np.nan])
    weight = leaf(slope)
    with np.errstate(invalid="ignore", over="ignore"):
        expected = np.where(x > 0, x, slope * x)
        results = [tg.leaky_relu(x, slope), tg.leaky_relu(leaf(x), weight).data, tg.prelu(leaf(x), weight).data]
    for result in results:
        np.testing.assert_array_equal(result, expected)
    below, above = tg.grad(lambda x: np.sum(tg.leaky_relu(x, weight)), argnums=0)(np.array([-2.0, 3.0]))
    assert (below, above) == (slope, 1)
    np.sum(tg.leaky_relu(np.array([-2.0, 0, 3.0]), weight)).backward()
    assert weight.grad == -2


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
def test_nan_that_is_not_selected_does_not_reach_gradients(fn):
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


def test_a_class_with_probability_zero_that_does_not_occur_costs_nothing():
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
    pytest.param(lambda x: tg.adaptive_avg_pool1d(x[None, None], 2), id="adaptive_avg_pool1d"), pytest.param(lambda x: tg.adaptive_max_pool1d(x[None, None], 2), id="adaptive_max_pool1d"),
    pytest.param(lambda x: tg.interpolate(x[None, None], 5, mode="linear"), id="interpolate"), pytest.param(lambda x: tg.unfold(x[None, None, None], (1, 2)), id="unfold"),
    pytest.param(lambda x: tg.fold(x[None, None], (1, 3), 1), id="fold"), pytest.param(lambda x: tg.cummax(x, 0).values, id="cummax"), pytest.param(lambda x: tg.cummin(x, 0).values, id="cummin"),
    pytest.param(lambda x: tg.normalize(x, axis=0), id="normalize"), pytest.param(lambda x: tg.cosine_similarity(x, x[::-1], 0), id="cosine_similarity"), pytest.param(lambda x: tg.lerp(x, x[::-1], 0.3), id="lerp"),
    pytest.param(lambda x: tg.rms_norm(x, 3), id="rms_norm"), pytest.param(lambda x: tg.glu(x[:2]), id="glu"),
    pytest.param(lambda x: tg.avg_pool1d(x[None, None], 2), id="avg_pool1d(x[None, None], 2)"), pytest.param(lambda x: tg.cross_entropy(x[None], [0]), id="cross_entropy(x[None], [0])"),
    pytest.param(lambda x: tg.scaled_dot_product_attention(x[:, None], x[:, None], x[:, None]), id="scaled_dot_product_attention(x[:, None], x[:, None], x[:,..."),
])  # fmt: skip
def test_integers_do_not_wrap_around(fn):
    for dtype in (np.uint8, np.int8, np.int64, bool):
        x = np.array([0, 1, 1]) if dtype is bool else np.array([3, 100, 120])
        got, expected = fn(x.astype(dtype)), fn(x.astype(float))
        np.testing.assert_allclose(got, expected, rtol=1e-14)
        assert isinstance(got, (np.ndarray, np.generic))


def test_the_last_of_equal_extremes_counts_and_nan_is_the_most_extreme():
    """As in PyTorch; `tests/compare` has no rows with equal elements."""
    x = leaf([1, 3, 3, 2, np.nan, 5, np.nan, 7])
    values, indices = tg.cummax(x, 0)
    np.testing.assert_array_equal(values.data, np.maximum.accumulate(x.data))
    np.testing.assert_array_equal(indices, [0, 1, 2, 2, 4, 4, 6, 6])
    assert type(indices) is np.ndarray
    np.testing.assert_array_equal(tg.grad(np.sum(values[:4]), x), [1, 1, 2, 0, 0, 0, 0, 0])
    assert tg.cummin(-x, 0).indices.tolist() == indices.tolist()
    with tg.no_grad():
        assert not tg.cummax(x, 0).values.requires_grad
    plain = tg.cummin([[2, 1], [0, 3]], 0)
    assert type(plain.values) is np.ndarray
    assert plain.values.tolist() == [[2, 1], [0, 1]]


def test_interpolation_between_ends_is_exact_at_both():
    rng = np.random.default_rng(0)
    x, y = (rng.standard_normal(1000).astype(np.float32) for _ in range(2))
    for weight, end in ((0, x), (1, y)):
        np.testing.assert_array_equal(tg.lerp(x, y, weight), end)
    assert tg.lerp(x, y, np.float64(0.3)).dtype == np.float32


def test_nearest_indices_are_not_off_by_rounding():
    """Positions that are integers, and scale factors that are fractions; values of PyTorch 2.13 in float64."""
    x = np.arange(30.0)[None, None]
    for old, new in itertools.product(range(1, 31), range(1, 50)):
        expected = [i * old // new for i in range(new)]
        np.testing.assert_array_equal(tg.interpolate(x[..., :old], new)[0, 0], expected)
    exact = tg.interpolate(x[..., :16], scale_factor=1.3, mode="nearest-exact")[0, 0]
    np.testing.assert_array_equal(tg.interpolate(x[..., :3], scale_factor=1.3, mode="linear"), x[..., :3])  # 3 again
    assert exact.tolist() == [0, 1, 1, 2, 3, 4, 5, 5, 6, 7, 8, 8, 9, 10, 11, 11, 12, 13, 14, 15]


def test_vectors_of_length_zero_stay_finite():
    x = leaf([[0.0, 0.0], [3.0, 4.0]])
    for fn in (tg.normalize, lambda x: tg.cosine_similarity(x, x[::-1]), lambda x: tg.rms_norm(x, 2)):
        first = tg.grad(np.sum(fn(x) * [[1.0, 2.0], [0.5, 3.0]] if fn(x).ndim == 2 else fn(x)), x, create_graph=True)
        assert np.isfinite(fn(x).data).all()
        assert np.isfinite(first.data).all()
    np.testing.assert_array_equal(tg.normalize(x).data, [[0, 0], [0.6, 0.8]])


def test_lists_and_tensors_that_need_no_gradient_are_accepted():
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


def test_padding_is_never_the_maximum_and_gets_no_gradient():
    x = leaf(-1 - np.arange(9.0).reshape(1, 1, 3, 3))
    out = tg.max_pool2d(x, 3, stride=2, padding=1)
    np.testing.assert_array_equal(out.data, [[[[-1, -2], [-4, -5]]]])
    np.testing.assert_array_equal(tg.grad(np.sum(out), x).ravel(), [1, 1, 0, 1, 1, 0, 0, 0, 0])


METHODS = {  # attributes of the modules that compute convolutions, for each way to compute them
    "whole windows, one image at a time": {whole_windows: {"_CACHE": 1}, convolution_products: {"_FEW": 10**9}},
    "whole windows, few images at a time": {whole_windows: {"_CACHE": 3000}, convolution_products: {"_FEW": 10**9}},
    "shifted pixels, one image at a time": {
        pixel_matrices: {"_CACHE": 1},
        shifted_pixels: {"_idle": {}},
        convolution_products: {"_FEW": 0},
    },
    "shifted pixels, two images at a time": {
        pixel_matrices: {"_CACHE": 3000},
        shifted_pixels: {"_idle": {}},
        convolution_products: {"_FEW": 0},
    },
    "shifted pixels by NumPy": {
        shifted_pixels: {"_idle": {}},
        convolution_products: {"_FEW": 0},
        blas: {"_routines": dict},
    },
    "several channels of a depthwise convolution together": {depthwise: {"_LONG": 0}, shifted_pixels: {"_idle": {}}},
}


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=20)
@given(geometry(), st.sampled_from([(1, 2, 3), (2, 2, 1), (3, 1, 2)]), st.data())
def test_property_all_ways_to_compute_a_convolution_agree(method, drawn, channels, data):
    lengths, kernel, stride, dilation = drawn
    padding = tuple(data.draw(st.integers(0, 2)) for _ in kernel)
    groups, inputs, outputs = channels
    x, weight = leaf(draw(3, groups * inputs, *lengths)), leaf(draw(groups * outputs, inputs, *kernel, seed=1))
    bias = leaf(draw(groups * outputs, seed=2))

    def results():
        y = getattr(tg, f"conv{len(kernel)}d")(x, weight, bias, stride, padding, dilation, groups)
        first = tg.grad(np.sum(y**3), [x, weight, bias], create_graph=True)
        return [y, *first, *tg.grad(sum(np.sum(g**2) for g in first), [x, weight, bias])]

    expected = results()
    with pytest.MonkeyPatch.context() as patch:
        for module, constants in METHODS[method].items():
            for name, value in constants.items():
                patch.setattr(module, name, value)
        for got, wanted in zip(results(), expected, strict=True):
            values = wanted if isinstance(wanted, np.ndarray) else wanted.data
            np.testing.assert_allclose(tg.Tensor(got).data, values, atol=1e-9 * (1 + np.abs(values).max(initial=0)))


def test_a_convolution_reuses_memory_in_which_nothing_is_left_of_earlier_images(monkeypatch):
    """Calls in turns, with as many images as before and fewer, and with values that are not finite."""
    monkeypatch.setattr(shifted_pixels, "_idle", {})
    weight, bias, g = leaf(draw(3, 8, 3, 3)), leaf(draw(3, seed=1)), draw(5, 3, 6, 4, seed=2)
    batches = [draw(n, 8, 6, 4, seed=3 + n) for n in (5, 3, 5)]

    def results(x):
        y = tg.conv2d(leaf(x), weight, bias, padding=1)
        return [y.data, *tg.grad(y, [weight, bias], g[: len(x)])]

    expected = []
    for x in batches:
        shifted_pixels._idle.clear()
        expected.append(results(x))
    plans = shifted_pixels._idle
    assert len(plans) == 2  # of the last call: of the result, and of the gradient of the filters
    for _ in range(2):
        for x, wanted in zip(batches, expected, strict=True):
            with np.errstate(invalid="ignore"):
                results(np.full_like(x, np.inf))
            for got, value in zip(results(x), wanted, strict=True):
                np.testing.assert_array_equal(got, value)
    assert len(plans) == 4
    monkeypatch.setattr(shifted_pixels, "_KEPT", 1)
    results(batches[1])
    assert len(plans) == 1
    monkeypatch.setattr(shifted_pixels, "_LARGE", 0)
    results(batches[1])
    assert not plans


@pytest.mark.parametrize("channels", [(1, 6, 2), (3, 1, 1), (1, 1, 2)], ids=["many", "single", "few"])
@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_a_pixel_that_is_not_finite_reaches_only_what_depends_on_it(channels, value):
    groups, inputs, outputs = channels
    x, g = draw(2, groups * inputs, 5, 6), draw(2, groups * outputs, 3, 4, seed=2)
    weight = leaf(draw(groups * outputs, inputs, 3, 3, seed=1))
    with np.errstate(invalid="ignore"):
        plain = tg.conv2d(x, weight, groups=groups)
        expected = tg.grad(plain, weight, g)
        x[1, 0, 0, 0] = value
        y = tg.conv2d(x, weight, groups=groups)
        got = tg.grad(y, weight, g)
    seen = np.zeros(plain.shape, bool)
    seen[1, :outputs, 0, 0] = True
    np.testing.assert_array_equal(np.isfinite(y.data), ~seen)
    np.testing.assert_allclose(y.data[~seen], plain.data[~seen])
    seen = np.zeros(weight.shape, bool)
    seen[:outputs, 0, 0, 0] = True
    np.testing.assert_array_equal(np.isfinite(got), ~seen)
    np.testing.assert_allclose(got[~seen], expected[~seen])


@pytest.mark.parametrize("pool", [tg.max_pool2d, tg.avg_pool2d])
@pytest.mark.parametrize("kernel", [2, 3, 5])
def test_pooling_gives_the_same_gradient_in_a_recorded_pass_and_for_any_order_in_memory(pool, kernel):
    values = np.random.default_rng(0).integers(0, 4, (2, 3, 7, 8)).astype(float)  # with ties
    values[0, 0, 2, 2] = np.nan
    g = draw(*pool(values, kernel, 2, kernel // 2).shape)
    last = np.moveaxis(np.ascontiguousarray(np.moveaxis(values, 1, -1)), -1, 1)
    plain, recorded, of_last = (
        tg.grad(pool(x, kernel, 2, kernel // 2), x, g, create_graph=create_graph)
        for x, create_graph in (
            (leaf(values), False),
            (leaf(values), True),
            (tg.Tensor(last, requires_grad=True), False),
        )
    )
    np.testing.assert_allclose(plain, recorded.data, atol=1e-12)
    np.testing.assert_allclose(plain, of_last, atol=1e-12)


def test_max_pooling_of_one_image_at_a_time(monkeypatch):
    x = leaf(np.random.default_rng(0).integers(0, 4, (3, 2, 7, 8)).astype(float))
    y = tg.max_pool2d(x, 3, 2, 1)
    expected = y.data, tg.grad(y, x, draw(*y.shape))
    monkeypatch.setattr(pooled_windows, "_CACHE", 1)
    y = tg.max_pool2d(x, 3, 2, 1)
    np.testing.assert_array_equal(y.data, expected[0])
    np.testing.assert_array_equal(tg.grad(y, x, draw(*y.shape)), expected[1])


def test_convolutions_of_float16_are_added_up_in_float32():
    x = np.ones((1, 4096, 1, 2), np.float16)
    weight = np.ones((1, 4096, 1, 1), np.float16)
    np.testing.assert_array_equal(tg.conv2d(x, weight).ravel(), [4096, 4096])  # in float16, 2048 + 1 is 2048
    depthwise_weight = np.ones((2, 1, 1, 3000), np.float16)
    np.testing.assert_array_equal(
        tg.conv2d(np.ones((1, 2, 1, 3000), np.float16), depthwise_weight, groups=2).ravel(), 3000
    )
    table = tg.Tensor(np.ones((2, 1), np.float16), requires_grad=True)
    np.testing.assert_array_equal(tg.grad(np.sum(tg.embedding(np.zeros(4096, int), table)), table), [[4096], [0]])
