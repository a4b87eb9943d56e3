"""Where calculus leaves a choice: each convention of the documentation, and that a NaN stays where it belongs."""
# ruff: noqa: E501  (tables, a row a line)

import numpy as np
import pytest

import tensorgrad as tg
from tests.helpers import leaf

NAN = np.nan


def slope(fn, x):
    """Derivative of ``sum(fn(x))`` at every element of x."""
    x = leaf(x)
    out = fn(x)
    return tg.grad(np.sum(out), x) if out.requires_grad else np.zeros(x.shape)


def slopes(fn, x):
    """First and second derivative, elementwise."""
    x = leaf(x)
    with np.errstate(all="ignore"):
        first = tg.grad(np.sum(fn(x)), x, create_graph=True)
        second = tg.grad(np.sum(first), x) if first.requires_grad else None
    return first.data, np.zeros(x.shape) if second is None else second


# fmt: off
AT_A_POINT = [
    # function                           where                derivative there
    ("relu(0)",       tg.relu,                               [-1, 0, 2],          [0, 0, 1]),
    ("leaky_relu(0)", lambda x: tg.leaky_relu(x, 0.1),       [-1, 0, 2],          [0.1, 0.1, 1]),
    ("elu(0)",        lambda x: tg.elu(x, 2),                [0, 2],              [2, 1]),
    ("softsign(0)",   tg.softsign,                           [-1, 0, 1],          [1/4, 1, 1/4]),
    ("hardtanh edges", tg.hardtanh,                          [-2, -1, 0, 1, 2],   [0, 0, 1, 0, 0]),
    ("hardtanh of one value", lambda x: tg.hardtanh(x, 1, 1), [0, 1, 2],          [0, 0, 0]),
    ("max_pool ties", lambda x: tg.max_pool1d(x, 3),         [[[2, 2, 1, 0, 0, 0]]], [[[1/2, 1/2, 0, 1/3, 1/3, 1/3]]]),
    ("max_pool of -inf", lambda x: tg.max_pool1d(x, 2, padding=1), [[[-np.inf, 3, 2]]], [[[1/2, 1, 0]]]),
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


@pytest.mark.parametrize(("name", "fn", "x", "expected"), AT_A_POINT, ids=[row[0] for row in AT_A_POINT])
def test_derivative_at_a_point(name, fn, x, expected):
    np.testing.assert_allclose(slope(fn, x), expected, rtol=1e-15)


def test_tie_of_two_tensors_is_shared():
    x, y = leaf([1, 2]), leaf([1, 3])
    np.sum(np.maximum(x, y)).backward()
    np.testing.assert_array_equal([x.grad, y.grad], [[0.5, 0], [0.5, 1]])


def test_maximum_and_max_let_nan_through():
    """A NaN is not lost on the way back: whoever made the result NaN is told so by its gradient."""
    x = leaf([np.nan, 1.0])
    assert slope(np.max, x.data)[0] == 1
    assert np.isnan(np.max(x).item())


def test_complex_deviations_and_norms_of_zero_have_second_derivatives():
    """|z|**2 is differentiated as the sum of the squares of its parts, where z is 0, too."""
    x = np.array([1.0, 0, 0])  # its spectrum is 1 everywhere: no deviation
    parts = tg.hessian(lambda x: np.var(np.real(np.fft.fft(x))) + np.var(np.imag(np.fft.fft(x))), x)
    np.testing.assert_allclose(np.diag(parts), [0, 2, 2], atol=1e-15)
    np.testing.assert_allclose(tg.hessian(lambda x: np.var(np.fft.fft(x)), x), parts, atol=1e-15)
    squared = tg.hessian(lambda x: np.linalg.norm(np.fft.fft(x)) ** 2, np.ones(3))  # two of three are 0
    np.testing.assert_allclose(squared, 6 * np.eye(3), atol=1e-14)


def test_many_elements_of_half_precision():
    """Counts beyond the largest float16 do not make gradients 0, nor do sums make a mean infinite."""
    x = tg.Tensor(np.ones(70_000, np.float16), requires_grad=True)
    for fn in (np.mean, np.max, np.min, np.nanmax, np.nanmin, np.nanmean, lambda x: np.linalg.norm(x, np.inf)):
        np.testing.assert_allclose(tg.grad(fn(x), x), 1 / 70_000, rtol=1e-2)
    x = tg.Tensor(np.full(2000, 60, np.float16), requires_grad=True)
    for mean in (np.mean(x, where=np.arange(2000) % 5 > 0), np.nanmean(x)):
        assert mean.dtype == np.float16
        assert mean.item() == 60


def test_sinc_of_every_order():
    """sinc(x) is the integral of cos(pi x t) over 0 <= t <= 1, and so are its derivatives of those of the cosine."""
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
    """Not so the second derivative, of which nothing is made up; and a vector of zeros spoils no other."""
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
    if name != "nanmedian":  # like the median, it gives NaN its gradient
        np.testing.assert_array_equal(slope(lambda t: fn(t, axis=1), x)[0], [0, 0])
    assert np.isfinite(slope(lambda t: fn(t, axis=1), x)).all()


def test_cumprod_past_overflow_leaves_no_nan():
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(slope(lambda x: np.cumprod(x)[:1], [1e200, 1e200, 1e200, 1]), [1, 0, 0, 0])


def test_cumprod_with_zeros_to_third_order():
    """Of a product of four, each third derivative is the factor that is left."""
    x = leaf([2, 0, 3, 0])
    first = tg.grad(np.cumprod(x)[-1], x, create_graph=True)
    second = tg.grad(first[1], x, create_graph=True)
    np.testing.assert_array_equal(second.data, [0, 0, 0, 6])
    np.testing.assert_array_equal(tg.grad(second[3], x), [3, 0, 2, 0])


def test_plain_statistics():
    """What is counted or found is no function to differentiate; edges of a histogram that follow the values are one."""
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


# --------------------------------------------------------------------------------------------- the zero rule

# A function, with points outside its domain or where its slope is infinite; at 2 all are regular.
# fmt: off
SINGULAR = [
    ("sqrt",       np.sqrt,                                [0, -1],          lambda x: 0.5 / np.sqrt(x),    lambda x: -0.25 * x**-1.5),
    ("log",        np.log,                                 [0, -1],          lambda x: 1 / x,               lambda x: -1 / x**2),
    ("log1p",      lambda x: np.log1p(x - 1),              [0, -1, NAN],     lambda x: 1 / x,               lambda x: -1 / x**2),
    ("1 / x",      lambda x: 1 / x,                        [0],              lambda x: -1 / x**2,           lambda x: 2 / x**3),
    ("x / x",      lambda x: x / x,                        [0],              lambda x: 0 * x,               lambda x: 0 * x),
    ("x**.5",      lambda x: x**0.5,                       [0, -1],          lambda x: 0.5 / np.sqrt(x),    lambda x: -0.25 * x**-1.5),
    ("x**1.5",     lambda x: x**1.5,                       [0, -1],          lambda x: 1.5 * np.sqrt(x),    lambda x: 0.75 / np.sqrt(x)),
    ("x**-2",      lambda x: x**-2,                        [0],              lambda x: -2 * x**-3,          lambda x: 6 * x**-4),
    ("x**[.5]",    lambda x: x ** np.array([0.5]),         [0, -1, NAN],     lambda x: 0.5 / np.sqrt(x),    lambda x: -0.25 * x**-1.5),
    ("x**x",       lambda x: x**x,                         [0, -1.5],        lambda x: x**x * (np.log(x) + 1), lambda x: x**x * ((np.log(x) + 1) ** 2 + 1 / x)),
    ("x log x",    lambda x: x * np.log(x),                [0, -1],          lambda x: np.log(x) + 1,       lambda x: 1 / x),
    ("sqrt of log", lambda x: np.sqrt(np.log(x)),          [0, 1, 0.5, -1],  lambda x: 0.5 / x / np.sqrt(np.log(x)), None),
    ("sin(log x)", lambda x: np.sin(np.log(x)),            [0, -1],          lambda x: np.cos(np.log(x)) / x, None),
    ("exp(sqrt x)", lambda x: np.exp(np.sqrt(x)),          [0, -1],          lambda x: np.exp(np.sqrt(x)) / 2 / np.sqrt(x), None),
    ("tanh(1/x)",  lambda x: np.tanh(1 / x),               [0],              lambda x: -(1 - np.tanh(1 / x) ** 2) / x**2, None),
    ("sigmoid(log)", lambda x: tg.sigmoid(np.log(x)),      [0, -1],          lambda x: 1 / (1 + x) ** 2,    None),
    ("square(sqrt)", lambda x: np.square(np.sqrt(x)),      [0, -1],          lambda x: 1 + 0 * x,           lambda x: 0 * x),
    ("|log|",      lambda x: abs(np.log(x)),               [0, -1],          lambda x: 1 / x,               lambda x: -1 / x**2),
    ("exp(big)",   lambda x: np.exp(1000 * (2 - x)) / 1,   [0, -1],          lambda x: -1000 * np.exp(1000 * (2 - x)), None),
    ("arctan(1/x)", lambda x: np.arctan(1 / x),            [0],              lambda x: -1 / (1 + x**2),     None),
    ("cbrt",       np.cbrt,                                [0, NAN],         lambda x: x ** (-2 / 3) / 3,   lambda x: -2 / 9 * x ** (-5 / 3)),
    ("reciprocal", np.reciprocal,                          [0, NAN],         lambda x: -1 / x**2,           lambda x: 2 / x**3),
    ("float_power", lambda x: np.float_power(x, 1.5),      [0, -1, NAN],     lambda x: 1.5 * np.sqrt(x),    lambda x: 0.75 / np.sqrt(x)),
    ("log2",       np.log2,                                [0, -1, NAN],     lambda x: 1 / x / np.log(2),   lambda x: -1 / x**2 / np.log(2)),
    ("log10",      np.log10,                               [0, -1, NAN],     lambda x: 1 / x / np.log(10),  lambda x: -1 / x**2 / np.log(10)),
    ("logaddexp",  lambda x: np.logaddexp(np.log(x), -np.inf), [0, -1], lambda x: 1 / x,            lambda x: -1 / x**2),
    ("logaddexp2", lambda x: np.logaddexp2(-np.inf, np.log2(x)), [0, -1], lambda x: 1 / x / np.log(2), lambda x: -1 / x**2 / np.log(2)),
    ("tanh(logaddexp)", lambda x: np.tanh(np.logaddexp(x, 2.0) - x),
                                                           [np.inf],         lambda x: (np.tanh(np.logaddexp(x, 2) - x) ** 2 - 1) / (1 + np.exp(x - 2)), None),
    ("tanh(logaddexp2)", lambda x: np.tanh(np.logaddexp2(2.0, x) - x),
                                                           [np.inf],         lambda x: (np.tanh(np.logaddexp2(2, x) - x) ** 2 - 1) / (1 + np.exp2(x - 2)), None),
    ("tanh(logsumexp)", lambda x: np.tanh(tg.logsumexp(np.reshape(x, (2, 1)), axis=1)),
                                                           [NAN],            lambda x: 1 - np.tanh(x) ** 2, lambda x: -2 * np.tanh(x) * (1 - np.tanh(x) ** 2)),
    ("arcsin",     lambda x: np.arcsin(x * 0.25),          [4, -4, 5, NAN],  lambda x: (16 - x**2) ** -0.5, lambda x: x * (16 - x**2) ** -1.5),
    ("arccos",     lambda x: np.arccos(x * 0.25),          [4, -4, 5, NAN],  lambda x: -((16 - x**2) ** -0.5), lambda x: -x * (16 - x**2) ** -1.5),
    ("arccosh",    np.arccosh,                             [1, 0, -1, NAN],  lambda x: (x**2 - 1) ** -0.5, lambda x: -x * (x**2 - 1) ** -1.5),
    ("arctanh",    lambda x: np.arctanh(x * 0.25),         [4, -4, 5, NAN],  lambda x: 4 / (16 - x**2),   lambda x: 8 * x / (16 - x**2) ** 2),
    ("arctan2",    lambda x: np.arctan2(x, x * x),         [0],              lambda x: -1 / (1 + x**2),     lambda x: 2 * x / (1 + x**2) ** 2),
    ("arctan2(1, x)", lambda x: np.arctan2(1.0, x),        [NAN],            lambda x: -1 / (1 + x**2),     lambda x: 2 * x / (1 + x**2) ** 2),
    ("sinc",       np.sinc,                                [NAN, np.inf],    lambda x: 0.5,                 lambda x: -0.5),
    ("hypot",      lambda x: np.hypot(x, x),               [0, NAN],         lambda x: np.sqrt(2),          None),
    ("remainder",  lambda x: np.remainder(5.0, x),         [0, NAN],         lambda x: -2,                  lambda x: 0),
    ("fmod",       lambda x: np.fmod(-5.0, x),             [0, NAN],         lambda x: 2,                   lambda x: 0),
    ("cross-entropy", lambda x: tg.binary_cross_entropy(x / 4, [0.25, 0.25], reduction="none"),
                                                           [NAN],            lambda x: 0.75 / (4 - x) - 0.25 / x, lambda x: 0.75 / (4 - x) ** 2 + 0.25 / x**2),
]
# fmt: on


UNUSED = {
    "where": lambda y: np.where([False, True], y, 0),
    "times 0": lambda y: y * np.array([0.0, 1.0]),  # NaN, perhaps, but its gradient is not
}


@pytest.mark.parametrize("unused", UNUSED.values(), ids=UNUSED)
@pytest.mark.parametrize(("name", "fn", "points", "first", "second"), SINGULAR, ids=[row[0] for row in SINGULAR])
def test_branch_where_did_not_take_stays_zero(name, fn, points, first, second, unused):
    """At each bad point by itself: NumPy's error flags, raised for one element, must not be what saves another."""
    for bad in points:
        x = np.array([bad, 2.0])
        got, got_second = slopes(lambda x: unused(fn(x)), x)
        np.testing.assert_allclose(got, [0, first(2.0)], rtol=1e-12, err_msg=f"at {bad}")
        if second:
            np.testing.assert_allclose(got_second, [0, second(2.0)], rtol=1e-12, err_msg=f"second, at {bad}")
        assert not np.isnan(got_second).any()


ROWWISE = {
    "std": lambda x: np.std(x, axis=1),
    "std where": lambda x: np.std(x, axis=1, where=[True, True, True]),
    "var": lambda x: np.var(x, axis=1),
    "prod": lambda x: np.prod(x, axis=1),
    "mean": lambda x: np.mean(x, axis=1),
    **{f"norm {n}": lambda x, n=n: np.linalg.norm(x, n, axis=1) for n in (0, 1, 2, 3, np.inf, -np.inf)},
}


def test_a_product_takes_nan_from_the_other_factor():
    """A limit of the zero rule, and its remedy."""
    x, keep, w = np.array([[NAN, 1.0], [2.0, 3.0]]), np.array([[False], [True]]), leaf([[1.0], [1.0]])
    assert np.isnan(tg.grad(np.sum(np.where(keep, x @ w, 0)), w)).any()
    np.testing.assert_array_equal(tg.grad(np.sum(np.where(keep, x, 0) @ w), w), [[2], [3]])


@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize("bad", [NAN, np.inf, -np.inf])
@pytest.mark.parametrize("fn", ROWWISE.values(), ids=ROWWISE)
def test_rows_that_where_did_not_take_have_gradient_zero(fn, bad, power):
    """To second order as well, and the rows that were taken have the gradient that they have alone."""
    good = [[1.0, 2.0, 4.0], [3.0, 3.5, 1.0]]
    mixed, keep = [good[0], [1.0, bad, 2.0], good[1], [bad, bad, bad]], np.array([True, False, True, False])
    with np.errstate(all="ignore"):
        got = np.array(slopes(lambda x: np.where(keep, fn(x) ** power, 0), mixed))
    np.testing.assert_array_equal(got[:, ~keep], 0)
    np.testing.assert_allclose(got[:, keep], slopes(lambda x: fn(x) ** power, good), rtol=1e-12)


@pytest.mark.parametrize(
    "choose",
    [
        lambda y: np.sum(y[1:]),
        lambda y: np.sum(y * np.array([0.0, 1.0])),  # an infinite value times 0 is NaN, but not its gradient
        lambda y: np.sum(np.where([False, True], y, 0)),
    ],
    ids=["index", "times 0", "where"],
)
@pytest.mark.parametrize(
    "fn", [np.sqrt, np.log, lambda x: 1 / x, lambda x: x**-0.5], ids=["sqrt", "log", "1/x", "x**-.5"]
)
def test_zero_upstream_gradient_by_any_way(choose, fn):
    x = leaf([0.0, 4.0])
    with np.errstate(all="ignore"):
        got = tg.grad(choose(fn(x)), x)
    assert got[0] == 0
    assert np.isfinite(got[1])
    assert got[1] != 0


def test_a_nonzero_upstream_gradient_is_infinite_where_the_slope_is():
    """The zero rule hides nothing else: an infinite slope that was asked for is infinite."""
    with np.errstate(all="ignore"):
        assert slope(np.sqrt, [0.0]) == np.inf
        assert slope(np.log, [0.0]) == np.inf
        assert np.isnan(slope(np.sqrt, [-1.0]))
        assert np.isnan(slope(lambda x: x * np.log(x), [-1.0]))


@pytest.mark.parametrize(
    ("fn", "x", "second"),
    [
        (lambda x: (np.sqrt(x) - 1) ** 2, 1.0, 0.5),
        (lambda x: (np.log(x)) ** 2, 1.0, 2.0),
        (lambda x: (1 / x - 0.5) ** 2, 2.0, 2 / 16),
        (lambda x: (x**1.5 - 8) ** 2, 4.0, 18.0),
        (lambda x: (x ** np.array(1.5) - 8) ** 2, 4.0, 18.0),
        (lambda x: np.square(x * np.exp(x) - 0.0), 0.0, 2.0),
        (lambda x: (np.std(x * np.array([1.0, 3])) - 1) ** 2, 1.0, 2.0),
    ],
    ids=["sqrt", "log", "1/x", "x**1.5", "x**array", "x exp x", "std"],
)
def test_second_derivative_where_the_upstream_gradient_is_zero(fn, x, second):
    """At a regular point the outer derivative may be 0 by chance: its own derivative must survive the zero rule."""
    first, got = slopes(fn, x)
    np.testing.assert_allclose(first, 0, atol=1e-12)
    np.testing.assert_allclose(got, second, rtol=1e-12)


# --------------------------------------------------------------------------------------------- softmax and its logarithm

BIG = [[1e4, -1e4, 0.0], [-1e4, -1e4, -1e4], [1e4, 1e4, 1e4 - 1], [-np.inf, 0.0, 1.0], [-np.inf, -np.inf, 5.0]]


@pytest.mark.parametrize("x", BIG, ids=str)
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
    """A function of rows, each result in the place of its row."""
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


@pytest.mark.parametrize("fn", OF_ROWS.values(), ids=OF_ROWS)
@pytest.mark.parametrize(
    "bad", [[np.nan, 1, 2], [np.nan] * 3, [-np.inf] * 3, [-np.inf, 0, np.nan], [np.inf, 0, 1]], ids=str
)
def test_a_row_that_is_left_out_has_gradient_zero_whatever_it_holds(fn, bad):
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


# --------------------------------------------------------------------------------------------- arguments of the functions


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
    ("correlate(1, [1, 2])",                      lambda: np.correlate(leaf(1), [1, 2]),                       ValueError,    "must have an axis"),
    ("correlate([1, 2], 1)",                      lambda: np.correlate([1, 2], leaf(1)),                       ValueError,    "must have an axis"),
    ("cumulative_sum([[1, 2]])",                  lambda: np.cumulative_sum(leaf([[1, 2]])),                   ValueError,    "axis is required"),
    ("interp([1], [0, 1], [0, 1], period=0)",     lambda: np.interp(leaf([1]), [0, 1], [0, 1], period=0),      ValueError,    "non-zero"),
    ("diff([1], -1)",                             lambda: np.diff(leaf([1]), -1),                              ValueError,    "non-negative"),
    ("diff(1)",                                   lambda: np.diff(leaf(1)),                                    ValueError,    "one dimensional"),
    ("gradient([1])",                             lambda: np.gradient(leaf([1])),                              ValueError,    "needs 2"),
    ("einsum('i', [[1]])",                        lambda: np.einsum("i", leaf([[1]])),                         ValueError,    "2 axes"),
    ("average([1, 2], weights=[1, -1])",          lambda: np.average(leaf([1, 2]), weights=[1, -1]),           ZeroDivisionError, "sum to zero"),
    ("quantile([1, 2], 1.5)",                     lambda: np.quantile(leaf([1, 2]), 1.5),                      ValueError,    "0 to 1"),
    ("quantile([1, 2], -0.5)",                    lambda: np.quantile(leaf([1, 2]), -0.5),                     ValueError,    "0 to 1"),
    ("quantile([1, 2], [[[0.5]]])",               lambda: np.quantile(leaf([1, 2]), [[[0.5]]]),                ValueError,    "1-d"),
    ("quantile(ones((0, 2)), 0.5, axis=0)",       lambda: np.quantile(leaf(np.ones((0, 2))), 0.5, axis=0),     IndexError,    "without elements"),
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


@pytest.mark.parametrize(("name", "call", "error", "message"), REFUSED, ids=[row[0] for row in REFUSED])
def test_wrong_arguments_are_refused_with_a_remedy(name, call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_labels_are_kept_as_they_were():
    """The tape keeps its own copy of labels and of integer tensors used as an index."""
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
