"""Each convention of docs/conventions.md for points without a derivative, and NaN only where it is right."""
# ruff: noqa: E501  (tables with one row per line)

import numpy as np
import pytest

import tensorgrad as tg
from tests.helpers import each, leaf, slope, slopes

NAN = np.nan


# fmt: off
AT_A_POINT = [
    # function                           where                derivative there
    ("relu(0)",       tg.relu,                               [-1, 0, 2],          [0, 0, 1]),
    ("leaky_relu(0)", lambda x: tg.leaky_relu(x, 0.1),       [-1, 0, 2],          [0.1, 0.1, 1]),
    ("elu(0)",        lambda x: tg.elu(x, 2),                [0, 2],              [2, 1]),
    ("celu(0)",       lambda x: tg.celu(x, 2),               [0, 2],              [1, 1]),
    ("prelu(0)",      lambda x: tg.prelu(x, 0.1),            [-1, 0, 2],          [0.1, 0.1, 1]),
    ("relu6 edges",   tg.relu6,                              [-1, 0, 3, 6, 7],    [0, 0, 1, 0, 0]),
    ("hardsigmoid edges", tg.hardsigmoid,                    [-4, -3, 0, 3, 4],   [0, 0, 1/6, 0, 0]),
    ("hardswish edges", tg.hardswish,                        [-4, -3, 0, 3, 4],   [0, 0, 1/2, 1, 1]),
    ("cummax ties",   lambda x: tg.cummax(x, 0).values,      [1, 3, 3, 2],        [1, 1, 2, 0]),
    ("cummin ties",   lambda x: tg.cummin(x, 0).values,      [3, 1, 1, 2],        [1, 1, 2, 0]),
    ("softsign(0)",   tg.softsign,                           [-1, 0, 1],          [1/4, 1, 1/4]),
    ("hardtanh edges", tg.hardtanh,                          [-2, -1, 0, 1, 2],   [0, 0, 1, 0, 0]),
    ("hardtanh of one value", lambda x: tg.hardtanh(x, 1, 1), [0, 1, 2],          [0, 0, 0]),
    ("max_pool ties", lambda x: tg.max_pool1d(x, 3),         [[[2, 2, 1, 0, 0, 0]]], [[[1/2, 1/2, 0, 1/3, 1/3, 1/3]]]),
    ("max_pool of -inf", lambda x: tg.max_pool1d(x, 2, padding=1), [[[-np.inf, 3, 2]]], [[[1/2, 1, 0]]]),
    ("adaptive_max_pool ties", lambda x: tg.adaptive_max_pool1d(x, 2), [[[2, 2, 1, 1, 1]]], [[[1/2, 1/2, 1/3, 1/3, 1/3]]]),
    ("dropout(p=1)",  lambda x: tg.dropout(x, 1, np.random.default_rng(0)), [-1, 0, 2], [0, 0, 0]),
    ("l1_loss of equals", lambda x: tg.l1_loss(x, [1, 2], reduction="sum"), [1, 3], [0, 1]),
    ("huber_loss(delta)", lambda x: tg.huber_loss(x, [0, 0, 0], reduction="sum", delta=2), [-2, 0, 2], [-2, 0, 2]),
    ("|0|",           np.abs,                                [-1, 0, 2],          [-1, 0, 1]),
    ("|0| complex",   lambda x: np.abs(x * 1j),              [-1, 0, 2],          [-1, 0, 1]),
    ("|-0.|",         abs,                                   [-0.0],              [0]),
    ("sign",          np.sign,                               [-1, 0, 2],          [0, 0, 0]),
    ("clip edges",    lambda x: np.clip(x, -1, 1),           [-2, -1, 0, 1, 2],   [0, 1, 1, 1, 0]),
    ("clip one edge", lambda x: np.clip(x, 1, 1),            [0, 1, 2],           [0, 1, 0]),
    ("maximum tie",   lambda x: np.maximum(x, 0),            [-1, 0, 1],          [0, 0.5, 1]),
    ("minimum tie",   lambda x: np.minimum(x, 0),            [-1, 0, 1],          [1, 0.5, 0]),
    ("maximum nan",   lambda x: np.maximum(x, [1, NAN, NAN]), [NAN, 1, NAN],      [1, 1, 1]),
    ("minimum nan",   lambda x: np.minimum([1, NAN, NAN], x), [NAN, 1, NAN],      [1, 1, 1]),
    ("minimum tie, 2", lambda x: np.minimum(0, x),           [-1, 0, 1],          [1, 0.5, 0]),
    ("maximum self",  lambda x: np.maximum(x, x),            [3],                 [1]),
    ("x ** 0",        lambda x: x ** 0,                      [-1, 0, 2],          [0, 0, 0]),
    ("x ** 0.",       lambda x: x ** 0.0,                    [-1, 0, 2],          [0, 0, 0]),
    ("x ** [0]",      lambda x: x ** np.zeros(3),            [-1, 0, 2],          [0, 0, 0]),
    ("x ** [0] int",  lambda x: x ** np.zeros(3, int),       [-1, 0, 2],          [0, 0, 0]),
    ("x ** 1",        lambda x: x ** 1,                      [-1, 0, 2],          [1, 1, 1]),
    ("x ** [1]",      lambda x: x ** np.ones(3),             [-1, 0, 2],          [1, 1, 1]),
    ("x ** 2",        lambda x: x ** 2,                      [-1, 0, 2],          [-2, 0, 4]),
    ("x ** [2]",      lambda x: x ** np.array([2., 2, 2]),   [-1, 0, 2],          [-2, 0, 4]),
    ("0 ** y",        lambda y: np.power(0.0, y),            [0, 1, 2],           [0, 0, 0]),
    ("0 float_power y", lambda y: np.float_power(0.0, y),    [0, 1, 2],           [0, 0, 0]),
    ("max ties",      np.max,                                [1, 3, 3, 3, 0],     [0, 1/3, 1/3, 1/3, 0]),
    ("min ties",      np.min,                                [1, 3, 1, 3, 2],     [1/2, 0, 1/2, 0, 0]),
    ("max axis ties", lambda x: np.max(x, axis=1),           [[1, 1], [2, 5]],    [[1/2, 1/2], [0, 1]]),
    ("max of -inf",   np.max,                                [-np.inf, -np.inf],  [1/2, 1/2]),
    ("max all axes",  lambda x: np.max(x, axis=(0, 1)),      [[4, 4], [4, 4]],    [[1/4, 1/4], [1/4, 1/4]]),
    ("std of equals", np.std,                                [2, 2, 2],           [0, 0, 0]),
    ("norm at 0",     lambda x: np.std(x, axis=0),           [[1, 0], [1, 2]],    [[0, -1/2], [0, 1/2]]),
    ("sort ties",     lambda x: np.sort(x) * [1, 2, 3, 4],   [5, 3, 5, 3],        [3, 1, 4, 2]),
    ("sort many ties", lambda x: np.sort(x) * np.arange(60), [i % 3 for i in range(60)], [i // 3 + 20 * (i % 3) for i in range(60)]),
    ("sort nan",      lambda x: np.sort(x) * [1, 2, 3, 4],   [np.nan, 1, np.nan, 0], [3, 2, 4, 1]),
    ("unique ties",   lambda x: np.unique(x) * [1, 2],       [5, 3, 5, 3],        [2, 1, 0, 0]),
    ("trim_zeros",    np.trim_zeros,                         [0, 2, 0, 3, 0],     [0, 1, 1, 1, 0]),
    ("prod one zero", np.prod,                               [2, 0, 3],           [0, 6, 0]),
    ("prod two zeros", np.prod,                              [0, 0, 3],           [0, 0, 0]),
    ("cumprod zeros", np.cumprod,                            [2, 0, 3, 0],        [1, 8, 0, 0]),
    ("cumprod nan",   lambda x: np.cumprod(x)[:2],           [2, 3, np.nan, 4],   [4, 2, 0, 0]),
    ("cumprod inf",   lambda x: np.cumprod(x)[:2],           [2, 3, np.inf, 4],   [4, 2, 0, 0]),
    ("ptp ties",      np.ptp,                                [1, 1, 3, 3],        [-1/2, -1/2, 1/2, 1/2]),
    ("ptp of equals", np.ptp,                                [2, 2],              [0, 0]),
    ("median",        np.median,                             [3, 1, 2],           [0, 0, 1]),
    ("median of two", np.median,                             [3, 1, 2, 9],        [1/2, 0, 1/2, 0]),
    ("median nan",    np.median,                             [1, np.nan, 2],      [0, 1, 0]),
    ("median of a column with nan", lambda x: np.median(x, axis=0), [[1, np.nan], [2, 3], [5, 4]], [[0, 1], [1, 0], [0, 0]]),
    ("quantile on an element", lambda x: np.quantile(x, 0.5), [3, 1, 2],          [0, 0, 1]),
    ("quantile in q", lambda q: np.quantile([0.0, 1, 5], q), [0, 0.25, 0.5, 1],   [2, 2, 8, 8]),
    ("nansum",        np.nansum,                             [1, np.nan, 2],      [1, 0, 1]),
    ("nanmean",       np.nanmean,                            [1, np.nan, 2],      [1/2, 0, 1/2]),
    ("nanprod",       np.nanprod,                            [2, np.nan, 3],      [3, 0, 2]),
    ("nanmax ties",   np.nanmax,                             [3, np.nan, 3, 1],   [1/2, 0, 1/2, 0]),
    ("nanmin ties",   np.nanmin,                             [np.inf, np.nan, np.inf], [1/2, 0, 1/2]),
    ("nanstd",        np.nanstd,                             [1, np.nan, 2],      [-1/2, 0, 1/2]),
    ("nanmedian",     np.nanmedian,                          [1, np.nan, 2],      [1/2, 0, 1/2]),
    ("nancumsum",     np.nancumsum,                          [1, np.nan, 2],      [3, 0, 1]),
    ("nancumprod",    np.nancumprod,                         [2, np.nan, 3],      [5, 0, 2]),
    ("norm 0",        lambda x: np.linalg.norm(x, 0),        [0, -2, 3],          [0, 0, 0]),
    ("norm 1",        lambda x: np.linalg.norm(x, 1),        [0, -2, 3],          [0, -1, 1]),
    ("norm 1/2",      lambda x: np.linalg.norm(x, 0.5),      [0, -4, 4],          [0, -2, 2]),
    ("norm 3/2",      lambda x: np.linalg.norm(x, 1.5),      [0, -4, 0],          [0, -1, 0]),
    ("norm inf ties", lambda x: np.linalg.norm(x, np.inf),   [3, -3, 1],          [1/2, -1/2, 0]),
    ("norm -inf ties", lambda x: np.linalg.norm(x, -np.inf), [3, -1, 1],          [0, -1/2, 1/2]),
    ("norm of rows",  lambda x: np.linalg.norm(x, axis=1),   [[0, 0], [-3, 4]],   [[0, 0], [-0.6, 0.8]]),
    ("matrix norm ties", lambda x: np.linalg.norm(x, 1),     [[1, 2], [2, -1]],   [[1/2, 1/2], [1/2, -1/2]]),
    ("floor",         np.floor,                              [-0.5, 0, 1, 1.5],   [0, 0, 0, 0]),
    ("ceil",          np.ceil,                               [-0.5, 0, 1, 1.5],   [0, 0, 0, 0]),
    ("trunc",         np.trunc,                              [-0.5, 0, 1, 1.5],   [0, 0, 0, 0]),
    ("rint",          np.rint,                               [-0.5, 0, 1, 1.5],   [0, 0, 0, 0]),
    ("round",         lambda x: np.round(x, 1),              [-0.5, 0, 1, 1.55],  [0, 0, 0, 0]),
    ("floor_divide",  lambda x: np.floor_divide(x, 2),       [-0.5, 0, 2, 3],     [0, 0, 0, 0]),
    ("1 floor_divide y", lambda y: np.floor_divide(1.0, y),  [-0.5, 1, 2],        [0, 0, 0]),
    ("remainder",     lambda x: np.remainder(x, 2),          [-2, -1, 0, 2],      [1, 1, 1, 1]),
    ("1 remainder y", lambda y: np.remainder(1.0, y),        [0.1, 0.5, -0.3],    [-9, -2, 4]),
    ("fmod",          lambda x: np.fmod(x, 2),               [-2, -1, 0, 2],      [1, 1, 1, 1]),
    ("1 fmod y",      lambda y: np.fmod(1.0, y),             [0.1, 0.5, -0.3],    [-9, -2, 3]),
    ("modf",          lambda x: np.modf(x)[0],               [-1, 0, 1.5],        [1, 1, 1]),
    ("modf whole",    lambda x: np.modf(x)[1],               [-1, 0, 1.5],        [0, 0, 0]),
    ("frexp",         lambda x: np.frexp(x)[0],              [-1, 0, 3],          [1/2, 1, 1/4]),
    ("nextafter",     lambda x: np.nextafter(x, 1),          [0, 1, 2],           [1, 1, 1]),
    ("spacing",       np.spacing,                            [0, 1, 2],           [0, 0, 0]),
    ("heaviside",     lambda x: np.heaviside(x, 0.5),        [-1, 0, 2],          [0, 0, 0]),
    ("heaviside 0, y", lambda y: np.heaviside([-1.0, 0, 2], y), [5, 5, 5],        [0, 1, 0]),
    ("copysign(0)",   lambda x: np.copysign(x, -1),          [-2, 0, 3],          [1, 0, -1]),
    ("copysign 3, y", lambda y: np.copysign(3.0, y),         [-2, 0, 3],          [0, 0, 0]),
    ("fabs(0)",       np.fabs,                               [-1, 0, 2],          [-1, 0, 1]),
    ("fmax tie",      lambda x: np.fmax(x, 0),               [-1, 0, 1],          [0, 0.5, 1]),
    ("fmin tie",      lambda x: np.fmin(0, x),               [-1, 0, 1],          [1, 0.5, 0]),
    ("fmax nan",      lambda x: np.fmax(x, [0, np.nan]),     [np.nan, 1],         [0, 1]),
    ("fmin nan",      lambda x: np.fmin([0, np.nan], x),     [np.nan, 1],         [0, 1]),
    ("nan_to_num",    np.nan_to_num,                         [np.nan, np.inf, 3], [0, 0, 1]),
    ("hypot(0, 0)",   lambda x: np.hypot(x, 0),              [-2, 0, 3],          [-1, 0, 1]),
    ("0 hypot y",     lambda y: np.hypot(0, y),              [-2, 0, 3],          [-1, 0, 1]),
    ("cbrt(0)",       np.cbrt,                               [0, 1],              [np.inf, 1/3]),
    ("arcsin(1)",     np.arcsin,                             [-1, 0, 1],          [np.inf, 1, np.inf]),
    ("arccosh(1)",    np.arccosh,                            [1],                 [np.inf]),
    ("sinc(0)",       np.sinc,                               [0, 1],              [0, -1]),
    ("logaddexp -inf", lambda x: np.logaddexp(x, -np.inf),   [-np.inf, 0],        [0, 1]),
    ("logaddexp big", lambda x: np.logaddexp(x, 1e16),       [1e16, np.inf],      [0.5, 1]),
    ("unwrap",        np.unwrap,                             [0, 4, 9, 2],        [1, 1, 1, 1]),
    ("interp at nan", lambda fp: np.where([False, True], np.interp([np.nan, 0.5], [0, 1], fp), 0), [1, 3], [1/2, 1/2]),
    ("interp knots",  lambda x: np.interp(x, [0, 1, 3], [0, 2, 0]), [-1, 0, 1, 2, 3, 4], [0, 2, -1, -1, 0, 0]),
    ("piecewise",     lambda x: np.piecewise(x, [x < 0], [-1, 1]), [-1, 0, 1],    [0, 0, 0]),
]
# fmt: on


@each(("name", "fn", "x", "expected"), AT_A_POINT, ids=[row[0] for row in AT_A_POINT])
def test_derivative_at_a_point(name, fn, x, expected):
    np.testing.assert_allclose(slope(fn, x), expected, rtol=1e-15)


def test_tie_of_two_tensors_is_shared():
    x, y = leaf([1, 2]), leaf([1, 3])
    np.sum(np.maximum(x, y)).backward()
    np.testing.assert_array_equal([x.grad, y.grad], [[0.5, 0], [0.5, 1]])


def test_maximum_and_max_let_nan_through():
    """NaN propagates, and the gradient goes to the element that is NaN."""
    x = leaf([np.nan, 1.0])
    assert slope(np.max, x.data)[0] == 1
    assert np.isnan(np.max(x).item())


def test_complex_deviations_and_norms_of_zero_have_second_derivatives():
    """|z|**2 has the derivatives of the sum of squares of its parts, also at z = 0."""
    x = np.array([1.0, 0, 0])  # its spectrum is 1 everywhere: no deviation
    parts = tg.hessian(lambda x: np.var(np.real(np.fft.fft(x))) + np.var(np.imag(np.fft.fft(x))), x)
    np.testing.assert_allclose(np.diag(parts), [0, 2, 2], atol=1e-15)
    np.testing.assert_allclose(tg.hessian(lambda x: np.var(np.fft.fft(x)), x), parts, atol=1e-15)
    squared = tg.hessian(lambda x: np.linalg.norm(np.fft.fft(x)) ** 2, np.ones(3))  # two of three are 0
    np.testing.assert_allclose(squared, 6 * np.eye(3), atol=1e-14)


def test_many_elements_of_half_precision():
    """Counts above the largest float16 make neither a gradient 0 nor a mean infinite."""
    x = tg.Tensor(np.ones(70_000, np.float16), requires_grad=True)
    for fn in (np.mean, np.max, np.min, np.nanmax, np.nanmin, np.nanmean, lambda x: np.linalg.norm(x, np.inf)):
        np.testing.assert_allclose(tg.grad(fn(x), x), 1 / 70_000, rtol=1e-2)
    x = tg.Tensor(np.full(2000, 60, np.float16), requires_grad=True)
    for mean in (np.mean(x, where=np.arange(2000) % 5 > 0), np.nanmean(x)):
        assert mean.dtype == np.float16
        assert mean.item() == 60


def test_sinc_of_every_order():
    """sinc(x) is the integral of cos(pi x t) over 0 <= t <= 1; its derivatives are the integrals of those of the cosine."""
    t, weights = np.polynomial.legendre.leggauss(60)
    t, weights = (t + 1) / 2, weights / 2
    x = leaf([0, 1e-9, -1e-4, 0.2, 0.6, -0.9, 2.3, 7])
    derivative = np.sinc(x)
    for n in range(1, 6):
        derivative = tg.grad(np.sum(derivative), x, create_graph=True)
        angle = np.pi * x.data[:, None] * t
        expected = np.pi**n * np.sum(weights * t**n * np.cos(angle + n * np.pi / 2), axis=1)
        np.testing.assert_allclose(derivative.data, expected, rtol=1e-12, atol=1e-13 * np.pi**n)


@pytest.mark.parametrize("order", [None, 1, 2, 3, 1.5, 0.5, -1, -2, np.inf, -np.inf, 0])
def test_a_norm_has_gradient_zero_at_zero(order):
    """The second derivative is not finite there; and a vector of zeros does not affect the others."""
    for fn in (lambda x: np.linalg.norm(x, order, axis=1), lambda x: np.linalg.norm(x, order, axis=1) ** 2):
        first, second = slopes(fn, np.array([[0.0, 0, 0], [1, -2, 3], [3, -4, 4]]))
        np.testing.assert_array_equal(first[0], 0)
        assert np.isfinite(first).all()
        assert np.isfinite(second[1:]).all()


@pytest.mark.parametrize("order", [None, "fro", 1, -1, np.inf, -np.inf, 2, -2, "nuc"])
def test_a_matrix_norm_has_gradient_zero_at_zero(order):
    np.testing.assert_array_equal(slope(lambda x: np.linalg.norm(x, order), np.zeros((2, 3))), 0)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of NumPy: empty slices
@pytest.mark.parametrize("name", ["nansum", "nanmean", "nanprod", "nanmax", "nanmin", "nanvar", "nanstd", "nanmedian"])
def test_all_nan_is_as_in_numpy_and_has_gradient_zero(name):
    fn, x = getattr(np, name), np.array([[np.nan, np.nan], [1, 2]])
    np.testing.assert_array_equal(fn(leaf(x), axis=1).data, fn(x, axis=1))
    if name != "nanmedian":  # like the median, it passes the gradient to NaN
        np.testing.assert_array_equal(slope(lambda t: fn(t, axis=1), x)[0], [0, 0])
    assert np.isfinite(slope(lambda t: fn(t, axis=1), x)).all()


def test_cumprod_past_overflow_leaves_no_nan():
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(slope(lambda x: np.cumprod(x)[:1], [1e200, 1e200, 1e200, 1]), [1, 0, 0, 0])


def test_cumprod_with_zeros_to_third_order():
    """The third derivative of a product of four factors, by three of them, is the remaining factor."""
    x = leaf([2, 0, 3, 0])
    first = tg.grad(np.cumprod(x)[-1], x, create_graph=True)
    second = tg.grad(first[1], x, create_graph=True)
    np.testing.assert_array_equal(second.data, [0, 0, 0, 6])
    np.testing.assert_array_equal(tg.grad(second[3], x), [3, 0, 2, 0])


def test_plain_statistics():
    """Counts and positions have no derivative; histogram edges that depend on the values have one."""
    x, edges = np.array([[1.0, 3.0], [0.0, 5.0]]), [0, 2, 6]
    for fn in (
        np.any, np.all, np.argmax, np.argmin, np.nanargmax, np.nanargmin, np.count_nonzero,
        lambda x: np.any(x, axis=0, where=[[True, False]], keepdims=True), lambda x: np.all(x, axis=1),
        lambda x: np.digitize(x, edges), lambda x: np.searchsorted(edges, x), lambda x: np.histogram(x, edges)[0],
        lambda x: np.where(x)[1], lambda x: np.histogram(x, 4, range=(0, 8))[1], lambda x: np.histogram(x, edges, density=True)[0],
    ):  # fmt: skip
        out = fn(leaf(x))
        assert not isinstance(out, tg.Tensor)
        np.testing.assert_array_equal(out, fn(x))
    for call in (lambda: np.histogram(leaf(x)), lambda: np.histogram(x, edges, weights=leaf(x))):
        with pytest.raises(tg.NoRuleError, match="range"):
            call()


@each("exponent", [-3, -2, -1, 1, 2, 3, 4, 5, 3.0, 2.5])
@each("dtype", [np.float32, np.float64, np.float16])
def test_small_whole_powers_are_numpys_but_for_two_units(exponent, dtype):
    rng = np.random.default_rng(0)
    x = rng.standard_normal(2000) * 10.0 ** rng.integers(-20, 20, 2000)
    with np.errstate(all="ignore"):
        x = np.concatenate([x, [1e-30, 1e30, -1e19, 1e-19, 0, -0.0, np.inf, -np.inf, np.nan]]).astype(dtype)
        got, expected = (leaf(x, dtype) ** exponent).data, np.power(x, dtype(exponent))
        assert np.power(leaf(x, dtype), exponent).data.tolist() == got.tolist() or np.isnan(got).any()
        assert got.dtype == dtype
        np.testing.assert_array_equal(np.signbit(got)[:-5], np.signbit(expected)[:-5])
        exact = np.isnan(expected) | np.isinf(expected)
        np.testing.assert_array_equal(got[exact], expected[exact])
        np.testing.assert_array_max_ulp(got[~exact], expected[~exact], 2)
        y = leaf(np.array([0.7, 1.3, 2.1]), dtype)
        slope = tg.grad(np.sum(y**exponent), y)
    np.testing.assert_allclose(slope, exponent * y.data.astype(float) ** (exponent - 1), rtol=8 * np.finfo(dtype).eps)
