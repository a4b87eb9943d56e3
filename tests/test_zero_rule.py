"""The zero rule: a zero of what was left out stays zero; a zero that was computed is never carried on in silence.

Three kinds of tests: what a function that selects leaves out has gradient 0, whatever stood there; of compositions that
are smooth again where a part of them has a kink or a singular point, every derivative is right or NaN; and a rule that
puts a silent zero there would be found.
"""
# ruff: noqa: E501  (tables, a row a line)

import itertools

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.engine.registry import row_of

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of NumPy: what is divided by zero here is meant

NAN, INF = np.nan, np.inf


def leaf(x):
    return tg.Tensor(np.array(x, float), requires_grad=True)


def derivatives(fn, x, orders):
    """All derivatives of ``fn(x).sum()``: the gradient, the Hessian and so on."""

    def next_order(fn):
        return lambda x: tg.jacobian(fn, x)

    out, found = lambda x: np.sum(fn(x)), []
    for _ in range(orders):
        out = next_order(out)
        found.append(np.asarray(out(np.array(x, float))))
    return found


def along(fn, x, directions):
    """Derivatives along one direction after the other: what a program does that never forms a Hessian."""
    x = leaf(x)
    y, found = np.sum(fn(x)), []
    for direction in directions:
        g = tg.grad(y, x, create_graph=True)
        y = np.sum(g * direction)
        found.append(y.item())
        if not y.requires_grad:
            break
    return found + [0.0] * (len(directions) - len(found))


def right_or_nan(got, expected, rtol=1e-6, atol=1e-6):
    """No wrong number: every element is what it should be, or not a number (or infinite, where that says the same)."""
    got, expected = np.broadcast_arrays(got, expected)
    known = np.isfinite(got)
    np.testing.assert_allclose(got[known], expected[known], rtol=rtol, atol=atol)


# ------------------------------------------------------------------------------------------------ what is left out

# Functions of each element, with points that are singular or outside their domain; 0.5 is a regular one.
# fmt: off
OF_ELEMENTS = {
    "sqrt": (np.sqrt, [0, -1, NAN]),
    "cbrt": (np.cbrt, [0, NAN]),
    "log": (np.log, [0, -1]),
    "log2 of sqrt": (lambda x: np.log2(np.sqrt(x)), [0, -1]),
    "log1p": (lambda x: np.log1p(-x), [1, 2]),
    "1 / x": (lambda x: 1 / x, [0]),
    "x / x": (lambda x: x / x, [0, NAN]),
    "reciprocal": (np.reciprocal, [0]),
    "x**.5": (lambda x: x**0.5, [0, -1]),
    "x**1.5": (lambda x: x**1.5, [0, -1]),
    "x**-1": (lambda x: x**-1.0, [0]),
    "x**[.5]": (lambda x: x ** np.array([0.5]), [0, -1]),
    "x**x": (lambda x: x**x, [0, -1.5]),
    "float_power": (lambda x: np.float_power(x, 0.5), [0, -1]),
    "arcsin": (np.arcsin, [1, -1, 2]),
    "arccos": (np.arccos, [1, -1, 2]),
    "arccosh": (lambda x: np.arccosh(2 * x), [0.5 - 1e-17, 0]),
    "arctanh": (np.arctanh, [1, -1, 2]),
    "arctan2": (lambda x: np.arctan2(x, x), [0, NAN]),
    "hypot": (lambda x: np.hypot(x, 2 * x), [0, NAN]),
    "abs": (np.abs, [0, NAN]),
    "maximum": (lambda x: np.maximum(x, -x), [0, NAN]),
    "minimum": (lambda x: np.minimum(x, -x), [0, NAN]),
    "fmax": (lambda x: np.fmax(x, -x), [0]),
    "fmin": (lambda x: np.fmin(x, -x), [0]),
    "fabs": (np.fabs, [0, NAN]),
    "abs**1.5": (lambda x: np.abs(x) ** 1.5, [0, NAN]),
    "complex abs": (lambda x: np.abs(x * (1 + 2j)), [0, NAN]),
    "angle": (lambda x: np.angle(x * (1 + 2j)), [0, NAN]),
    "logaddexp": (lambda x: np.logaddexp(np.log(x), np.log(2 * x)), [0, -1]),
    "sigmoid(log)": (lambda x: tg.sigmoid(np.log(x)), [0, -1]),
    "softsign": (tg.softsign, [0, NAN]),
    "elu": (lambda x: tg.elu(np.log(x)), [0, -1]),
    "exp(1/x)": (lambda x: np.exp(-1 / x), [0]),
    "sqrt of sum": (lambda x: np.sqrt(np.sum(np.stack([x, x]) ** 2, axis=0)), [0, NAN]),
}



def overwritten(y):
    y = y.copy()
    y[0] = 5.0
    return y


LEAVES_OUT = {
    "where": lambda y: np.where([False, True], y, 0),
    "other branch": lambda y: np.where([True, False], 3.0, y),
    "index": lambda y: y[1],
    "mask": lambda y: y[np.array([False, True])],
    "take": lambda y: np.take(y, [1, 1]),
    "zero factor": lambda y: np.array([0.0, 1.0]) * y,
    "weights @": lambda y: np.array([0.0, 1.0]) @ y,
    "einsum": lambda y: np.einsum("i,i", y, np.array([0.0, 1.0])),
    "put together": lambda y: np.concatenate([y[1:], y[1:]]),
    "overwritten": overwritten,
    "sum where": lambda y: np.sum(y, where=np.array([False, True])),
}
# fmt: on


@pytest.mark.parametrize("then", [lambda y: y, np.square], ids=["", "squared"])
@pytest.mark.parametrize("way", LEAVES_OUT)
@pytest.mark.parametrize("name", OF_ELEMENTS)
def test_what_is_left_out_stays_zero(name, way, then):
    """To second order; and what is kept has the derivatives that it has alone."""
    fn, points = OF_ELEMENTS[name]
    for bad in points:
        x = np.array([bad, 0.6])
        finite = way in ("zero factor", "weights @", "einsum") and not np.isfinite(fn(x)).all()
        then_ = (lambda y: y) if finite else then  # the value itself is NaN, but its gradient is not
        first, second = derivatives(lambda x, then_=then_: then_(LEAVES_OUT[way](fn(x))), x, 2)
        kept = {"take": lambda y: np.concatenate([y, y]), "put together": lambda y: np.concatenate([y, y])}.get(way)
        alone = derivatives(lambda x, then_=then_, kept=kept: then_((kept or (lambda y: y))(fn(x))), x[1:], 2)
        np.testing.assert_allclose(first, [0, alone[0].item()], rtol=1e-12, atol=1e-14, err_msg=f"at {bad}")
        np.testing.assert_allclose(second, [[0, 0], [0, alone[1].item()]], rtol=1e-11, atol=1e-14, err_msg=f"at {bad}")


@pytest.mark.parametrize("name", OF_ELEMENTS)
def test_rows_of_a_jacobian_do_not_disturb_each_other(name):
    """The seed of a row is 1 at one element: what is singular in another one is not asked for."""
    fn, points = OF_ELEMENTS[name]
    for bad in points:
        jacobian = tg.jacobian(fn, np.array([bad, 0.6]))
        assert jacobian[1, 0] == 0
        assert np.isfinite(jacobian[1, 1])
        by_product = tg.vjp(fn, np.array([bad, 0.6]))[1](np.array([0.0, 1.0]))
        np.testing.assert_array_equal(np.ravel(by_product), jacobian[1])


OF_ROWS = {
    **{
        f"norm {p}": (lambda x, p=p: np.linalg.norm(x, p, axis=1), [[0, 0, 0], [NAN, 1, 2]])
        for p in (None, 1, 1.5, 3, 0.5, -1, INF, -INF)
    },
    "std": (lambda x: np.std(x, axis=1), [[1, 1, 1], [NAN, 1, 2], [INF, 1, 2]]),
    "std where": (lambda x: np.std(x, axis=1, where=[True, True, False]), [[1, 1, 2], [NAN, 1, 2]]),
    "nanstd": (lambda x: np.nanstd(x, axis=1), [[1, 1, 1], [NAN, 1, 1]]),
    "prod of roots": (lambda x: np.prod(np.sqrt(x), axis=1), [[0, 0, 1], [-1, 1, 2]]),
    "logsumexp": (lambda x: tg.logsumexp(x, axis=1), [[-INF, -INF, -INF], [NAN, 1, 2]]),
    "logsumexp of log": (lambda x: tg.logsumexp(np.log(x), axis=1), [[0, 0, 0], [0, 1, 2], [-1, 1, 2]]),
    "cosine": (lambda x: x[:, 0] / np.linalg.norm(x, axis=1), [[0, 0, 0]]),
    "max of roots": (lambda x: np.max(np.sqrt(x), axis=1), [[0, 0, 0], [-1, -1, -1]]),
    "einsum": (lambda x: np.einsum("ij,ij->i", np.sqrt(x), np.log(x)), [[0, 1, 2], [-1, 1, 2]]),
}


@pytest.mark.parametrize("name", OF_ROWS)
def test_rows_that_are_left_out_stay_zero(name):
    fn, rows = OF_ROWS[name]
    good = [0.5, 1.5, 2.5]
    for bad in rows:
        for pick in (lambda y: np.where([False, True], y, 0), lambda y: y[1], lambda y: y * np.array([0.0, 1.0])):
            first, second = derivatives(lambda x, pick=pick: pick(fn(x)), [bad, good], 2)
            alone = derivatives(fn, [good], 2)
            np.testing.assert_array_equal(first[0], 0)
            np.testing.assert_array_equal(second[0], 0)
            np.testing.assert_array_equal(second[1, :, 0], 0)
            np.testing.assert_allclose(first[1], alone[0][0], rtol=1e-12)
            np.testing.assert_allclose(second[1, :, 1], alone[1][0, :, 0], rtol=1e-11, atol=1e-14)


def test_a_computed_zero_is_none_that_was_selected():
    """Both at once: of two roots at 0, one is left out, of the other the square is taken."""
    first = derivatives(lambda x: np.where([True, False], np.sqrt(x) ** 2, np.sqrt(x)), [0, 4], 1)[0]
    right_or_nan(first[0], 1)
    assert first[1] == 0.25
    first = derivatives(lambda x: np.where([False, True], np.sqrt(x) ** 2, 0), [0, 4], 1)[0]
    np.testing.assert_array_equal(first, [0, 1])


def test_a_zero_factor_that_is_tracked_is_a_computed_zero():
    w, x = leaf([0.0, 1.0]), leaf([0.0, 4.0])
    assert np.isnan(tg.grad(np.sum(w * np.sqrt(x)), x)[0])
    np.testing.assert_array_equal(tg.grad(np.sum(w.data * np.sqrt(x)), x), [0, 0.25])


def test_through_a_checkpoint_it_is_the_same():
    root = tg.checkpoint(lambda x: np.sqrt(x))
    x = np.array([0.0, 4.0])
    got = derivatives(lambda x: np.where(x > 0, root(x), 0), x, 2)
    np.testing.assert_array_equal(got[0], [0, 0.25])
    np.testing.assert_array_equal(got[1], [[0, 0], [0, -1 / 32]])
    for first in (derivatives(lambda x: root(x) ** 2, x, 1)[0], derivatives(lambda x: root(x**2) ** 2, x, 1)[0]):
        assert first[0] != 0  # where the limit is 1, or 0 by two wrong ways
    calls = []

    @tg.checkpoint
    def counted(x):
        calls.append(x.shape)
        return np.sqrt(x)

    x = leaf(x)
    np.testing.assert_array_equal(tg.grad(np.sum(np.where(x.data > 0, counted(x), 0)), x), [0, 0.25])
    assert len(calls) <= 3  # once, and for each of two passes; never to find out what is used


# ------------------------------------------------------------------------------------------------ smooth again


def powers(n):
    """The derivatives of ``x ** n`` at 0."""
    return [float(np.prod(range(1, n + 1))) if order == n else 0.0 for order in (1, 2, 3)]


KINKS = {  # of one variable t: |t| at 0, by many ways
    "abs": np.abs,
    "fabs": np.fabs,
    "complex abs": lambda t: np.abs(t * (3 + 4j)) / 5,
    "hypot": lambda t: np.hypot(t, 0 * t),
    "hypot(t, 0)": lambda t: np.hypot(t, 0.0),
    "norm": lambda t: np.linalg.norm(np.stack([t, 2 * t]), axis=0) / np.sqrt(5),
    "norm 1": lambda t: np.linalg.norm(np.stack([t, 2 * t]), 1, axis=0) / 3,
    "norm 3": lambda t: np.linalg.norm(np.stack([t, 2 * t]), 3, axis=0) / 9 ** (1 / 3),
    "norm 1.5": lambda t: np.linalg.norm(np.stack([t, t]), 1.5, axis=0) / 2 ** (2 / 3),
    "norm inf": lambda t: np.linalg.norm(np.stack([t, 2 * t]), INF, axis=0) / 2,
    "norm of one": lambda t: np.linalg.norm(t[None], axis=0),
    "std": lambda t: np.std(np.stack([t, -t]), axis=0),
    "nanstd": lambda t: np.nanstd(np.stack([t, -t, NAN * t]), axis=0),
    "std where": lambda t: np.std(np.stack([t, -t, t * t]), axis=0, where=np.array([[True], [True], [False]])),
    "sqrt of square": lambda t: np.sqrt(t * t),
    "power of square": lambda t: (t * t) ** 0.5,
    "float_power": lambda t: np.float_power(t * t, 0.5),
    "copysign": lambda t: np.copysign(t, 1.0),
    "maximum": lambda t: np.maximum(t, -t),
    "minimum": lambda t: -np.minimum(2 * t, -2 * t) / 2,
    "fmax": lambda t: np.fmax(t, -t),
    "fmin": lambda t: -np.fmin(-t, t),
    "frobenius": lambda t: np.linalg.norm(np.reshape(t, (-1, 1, 1)) * np.eye(2), axis=(1, 2)) / np.sqrt(2),
    "nuclear": lambda t: np.linalg.norm(np.reshape(t, (-1, 1, 1)) * np.eye(2), "nuc", axis=(1, 2)) / 2,
    "spectral": lambda t: np.linalg.norm(np.reshape(t, (-1, 1, 1)) * np.diag([1.0, 2]), 2, axis=(1, 2)) / 2,
    "svdvals": lambda t: np.linalg.svdvals(np.reshape(t, (-1, 1, 1)))[:, 0],
    "svd": lambda t: np.linalg.svd(np.reshape(t, (-1, 1, 1)), full_matrices=False).S[:, 0],
    "root of the sum": lambda t: np.sqrt(np.sum(np.stack([t, 2 * t]) ** 2, axis=0)) / np.sqrt(5),
}

UNKNOWN = ("sqrt of square", "power of square", "float_power", "root of the sum")  # not known to be kinks: NaN

EVEN = {  # f(|t|) that is smooth in t, and its first three derivatives at 0
    "**2": (lambda r: r**2, powers(2)),
    "**2.": (lambda r: r**2.0, powers(2)),
    "**[2]": (lambda r: r ** np.array([2.0]), powers(2)),
    "square": (np.square, powers(2)),
    "r * r": (lambda r: r * r, powers(2)),
    "**4": (lambda r: r**4, powers(4)),
    "exp(-r**2)": (lambda r: np.exp(-(r**2)), [0, -2, 0]),
    "r**2 / (1 + r**2)": (lambda r: r**2 / (1 + r**2), [0, 2, 0]),
    "sqrt(1 + r**2)": (lambda r: np.sqrt(1 + r**2), [0, 1, 0]),
    "cos": (np.cos, [0, -1, 0]),
    "cosh": (np.cosh, [0, 1, 0]),
    "log cosh": (lambda r: np.log(np.cosh(r)), [0, 1, 0]),
    "sinc": (np.sinc, [0, -(np.pi**2) / 3, 0]),
    "r tanh r": (lambda r: r * np.tanh(r), [0, 2, 0]),
    "matern 3/2": (lambda r: (1 + r) * np.exp(-r), [0, -1, INF]),
    "matern 5/2": (lambda r: (1 + r + r**2 / 3) * np.exp(-r), [0, -1 / 3, 0]),
    "vdot": (lambda r: np.vdot(r, r), powers(2)),
    "matmul": (lambda r: r @ r, powers(2)),
    "einsum": (lambda r: np.einsum("i,i", r, r), powers(2)),
    "sum of parts": (lambda r: r[0] * r[0], powers(2)),
    "where": (lambda r: np.where([True], r**2, 0), powers(2)),
    "where in between": (lambda r: np.where([True], r, 0) ** 2, powers(2)),
    "times a mask": (lambda r: (np.ones(1) * r) ** 2, powers(2)),
    "var": (lambda r: np.var(np.stack([r, -r]), axis=0), powers(2)),
    "prod": (lambda r: np.prod(np.stack([r, r]), axis=0), powers(2)),
    "cumprod": (lambda r: np.cumprod(np.stack([r, r]), axis=0)[1], powers(2)),
    "convolve": (lambda r: np.convolve(r, r), powers(2)),
    "r**3 / r": (lambda r: r * r * r / r, powers(2)),
}

ROOTS = {  # of t >= 0, infinitely steep at 0, and a composition that is smooth again: it is t
    "sqrt**2": lambda t: np.sqrt(t) ** 2,
    "square(sqrt)": lambda t: np.square(np.sqrt(t)),
    "sqrt * sqrt": lambda t: np.sqrt(t) * np.sqrt(t),
    "root times itself": lambda t: (lambda r: r * r)(np.sqrt(t)),
    "cbrt**3": lambda t: np.cbrt(t) ** 3,
    "(t**.5)**2": lambda t: (t**0.5) ** 2,
    "(t**.25)**4": lambda t: (t**0.25) ** 4,
    "(t**[.5])**2": lambda t: (t ** np.array([0.5])) ** 2,
    "(t**1.5)**(2/3)": lambda t: (t**1.5) ** (2 / 3),
    "(t**2)**.5": lambda t: (t**2) ** 0.5,
    "float_power": lambda t: np.float_power(t, 0.5) ** 2,
    "exp(log)": lambda t: np.exp(np.log(t)),
    "exp2(log2)": lambda t: np.exp2(np.log2(t)),
    "expm1(log1p)": lambda t: np.expm1(np.log1p(t)),
    "exp of logaddexp": lambda t: np.exp(np.logaddexp(np.log(t), np.log(t))) / 2,
    "exp of logsumexp": lambda t: np.exp(tg.logsumexp(np.stack([np.log(t), np.log(t)]), axis=0)) / 2,
    "1 / (1 / t)": lambda t: 1 / (1 / t),
    "t * t / t": lambda t: t * t / t,
    "1 - cos(arccos(1 - t))": lambda t: 1 - np.cos(np.arccos(1 - t)),
    "1 - sin(arcsin(1 - t))": lambda t: 1 - np.sin(np.arcsin(1 - t)),
    "cosh(arccosh(1 + t)) - 1": lambda t: np.cosh(np.arccosh(1 + t)) - 1,
    "1 - tanh(arctanh(1 - t))": lambda t: 1 - np.tanh(np.arctanh(1 - t)),
    "einsum": lambda t: np.einsum("i,i->i", np.sqrt(t), np.sqrt(t)),
    "matmul": lambda t: np.sqrt(t) @ np.sqrt(t),
    "of a part": lambda t: np.sqrt(np.concatenate([t, t]))[1] ** 2,
    "through where": lambda t: np.where(t >= 0, np.sqrt(t), 0) ** 2,
    "through maximum": lambda t: np.maximum(np.sqrt(t), -1) ** 2,
    "through clip": lambda t: np.clip(np.sqrt(t), -1, 1) ** 2,
    "prod": lambda t: np.prod(np.stack([np.sqrt(t), np.sqrt(t)]), axis=0),
    "norm**2 of roots": lambda t: np.linalg.norm(np.sqrt(t)) ** 2,
    "elu(log)": lambda t: tg.elu(np.log(t)) + 1,
    "determinant": lambda t: np.linalg.det(np.reshape(np.sqrt(t), (1, 1)) * np.eye(2)),
    "exp of slogdet": lambda t: np.exp(np.linalg.slogdet(np.reshape(t, (1, 1)))[1]),
}


PAIRS = [
    pytest.param(inner, outer, marks=[] if (i + k) % 4 == 0 or outer == "**2" else pytest.mark.slow)
    for i, inner in enumerate(KINKS)
    for k, outer in enumerate(EVEN)
]


@pytest.mark.parametrize(("inner", "outer"), PAIRS)
def test_an_even_function_of_a_distance_is_smooth(inner, outer):
    kink, (f, expected) = KINKS[inner], EVEN[outer]
    for order, (got, right) in enumerate(zip(derivatives(lambda t: f(kink(t)), [0.0], 3), expected, strict=True), 1):
        if np.isfinite(right):
            right_or_nan(got, right)
        if order == 1 and inner not in UNKNOWN and outer != "r**3 / r":
            assert np.isfinite(got).all()
    if outer == "**2":
        for got, right in zip(along(lambda t: f(kink(t)), [0.0], [2.0, 1.0, 0.5]), [0, 4, 0], strict=True):
            right_or_nan(got, right)


@pytest.mark.parametrize("name", ROOTS)
def test_a_root_that_is_undone_is_smooth(name):
    """All are the identity, at 0: slope 1, and no other derivative; in products with something else, too."""
    for factor, expected in ((lambda t: 1, [1, 0, 0]), (lambda t: 1 + t, [1, 2, 0]), (lambda t: np.exp(t), [1, 2, 3])):
        for got, right in zip(
            derivatives(lambda t, factor=factor: ROOTS[name](t) * factor(t), [0.0], 3), expected, strict=True
        ):
            right_or_nan(got, right)


NORMS = {
    "norm": (np.linalg.norm, np.eye(3)),
    "vector_norm": (np.linalg.vector_norm, np.eye(3)),
    "std": (np.std, (np.eye(3) - 1 / 3) / 3),
    "std ddof": (lambda x: np.std(x, ddof=1), (np.eye(3) - 1 / 3) / 2),
    "norm of deviations": (lambda x: np.linalg.norm(x - np.mean(x)), np.eye(3) - 1 / 3),
    "complex norm": (lambda x: np.linalg.norm(np.fft.fft(x)), 3 * np.eye(3)),
    "hypot": (lambda x: np.hypot(np.hypot(x[0], x[1]), x[2]), np.eye(3)),
    "weighted": (lambda x: np.linalg.norm(x * np.array([1.0, 2, 0])), np.diag([1.0, 4, 0])),
    "distance to itself": (lambda x: np.linalg.norm(x - 0.0 * x), np.eye(3)),
    "frobenius": (lambda x: np.linalg.norm(np.outer(x, [1.0, 0])), np.eye(3)),
}


@pytest.mark.parametrize("name", NORMS)
def test_functions_of_a_squared_norm_at_zero(name):
    """With ``norm(x)**2 = x @ A @ x``, the Hessian is ``2 A`` times the slope of what it is put into."""
    norm, matrix = NORMS[name]
    slopes = {
        "**2": (lambda r: r**2, 1), "exp(-r**2)": (lambda r: np.exp(-(r**2)), -1), "r*r": (lambda r: r * r, 1),
        "r**2 / (2 + r)": (lambda r: r**2 / (2 + r**2), 0.5), "cos": (np.cos, -0.5), "**3": (lambda r: r**3, 0),
    }  # fmt: skip
    for f, slope in slopes.values():
        first, second = derivatives(lambda x, f=f: f(norm(x)), np.zeros(3), 2)
        np.testing.assert_array_equal(first, 0)  # the convention, and here it is right
        right_or_nan(second, 2 * slope * matrix)


def test_first_order_conventions_at_kinks():
    """A chosen slope is 0, along every direction, and by jvp too."""
    for name, fn in {**KINKS, **{name: norm for name, (norm, _) in NORMS.items()}}.items():
        x = np.zeros(3 if name in NORMS else 1)
        if name in UNKNOWN:
            continue
        np.testing.assert_array_equal(derivatives(fn, x, 1)[0], 0, err_msg=name)
        np.testing.assert_array_equal(tg.jvp(fn, x, np.ones_like(x))[1], 0, err_msg=name)


def test_the_second_derivative_of_a_kink_is_none_that_was_made_up():
    np.testing.assert_array_equal(derivatives(np.abs, [0.0, 1], 2)[1], 0)  # PyTorch's convention
    assert np.isnan(derivatives(np.linalg.norm, [0.0, 0], 2)[1]).any()
    assert np.isnan(derivatives(np.std, [1.0, 1], 2)[1]).any()
    assert np.isnan(derivatives(lambda x: np.hypot(x[0], x[1]), [0.0, 0], 2)[1]).any()


def test_single_elements_have_no_deviation():
    """A constant, of whatever was there: all derivatives are 0."""
    for fn in (np.std, np.var, lambda x: np.std(x, where=[True]), np.nanstd, lambda x: np.nanstd(x * 1.0) ** 2):
        for got in derivatives(fn, [3.0], 3):
            np.testing.assert_array_equal(got, 0)


# ------------------------------------------------------------------------------------------------ powers


@pytest.mark.parametrize("power", [np.power, np.float_power])
def test_powers_of_zero(power):
    """The Hessian of ``x ** y`` at (0, 1) is 0, -inf; -inf, 0: right, or not a number."""
    first, second = derivatives(lambda z: power(z[0], z[1]), [0.0, 1.0], 2)
    np.testing.assert_array_equal(first, [1, 0])
    assert not np.isfinite(second[0, 1])
    assert not np.isfinite(second[1, 0])
    right_or_nan(np.diag(second), 0)
    for y, slope in ((-0.3, -INF), (-2.0, -INF), (0.0, 0), (0.5, 0), (1.0, 0)):
        np.testing.assert_array_equal(derivatives(lambda y: power(0.0, y), [y], 1)[0], slope)
    first, second = derivatives(lambda z: power(z[0], z[1]), [0.0, 3.0], 2)
    np.testing.assert_array_equal(first, [0, 0])
    right_or_nan(second, 0)
    second = derivatives(lambda z: power(z[0], z[1]), [2.0, 0.0], 2)[1]
    np.testing.assert_allclose(second, [[0, 0.5], [0.5, np.log(2) ** 2]], rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("x", [0.0, 5e-324, 1e-310, -5e-324, 1e-300, 1.0, 1e308, INF])
def test_x_to_the_zeroth_is_constant(x):
    for y in (0, 0.0, np.array(0.0), np.zeros(1), np.zeros(1, int)):
        for got in derivatives(lambda x, y=y: x**y, [x], 2):
            np.testing.assert_array_equal(got, 0)


# ------------------------------------------------------------------------------------------------ ties with an initial value


@pytest.mark.parametrize(("reduce", "sign"), [(np.max, 1), (np.min, -1), (np.nanmax, 1), (np.nanmin, -1)])
def test_an_initial_value_shares_ties(reduce, sign):
    x = sign * np.array([[1.0, 1, 0], [0, 1, 2], [0, 0.5, 0.5]])
    first = derivatives(lambda x: reduce(x[0], initial=sign), x, 1)[0]
    np.testing.assert_allclose(first, [[1 / 3, 1 / 3, 0], [0] * 3, [0] * 3])
    rows = derivatives(lambda x: reduce(x, axis=1, initial=sign * 1.0), x, 1)[0]
    np.testing.assert_allclose(rows, [[1 / 3, 1 / 3, 0], [0, 0, 1], [0, 0, 0]])
    masked = derivatives(lambda x: reduce(x, axis=1, initial=sign * 1.0, where=[True, False, True]), x, 1)[0]
    np.testing.assert_allclose(masked, [[1 / 2, 0, 0], [0, 0, 1], [0, 0, 0]])
    for axis, keepdims in itertools.product((None, 0, (0, 1)), (False, True)):
        got = reduce(leaf(x), axis=axis, keepdims=keepdims, initial=0.25)
        np.testing.assert_array_equal(got.data, reduce(x, axis=axis, keepdims=keepdims, initial=0.25))


def test_an_initial_value_may_be_tracked():
    first = leaf(1.0)
    np.testing.assert_allclose(tg.grad(np.max(leaf([1.0, 1, 0]), initial=first), first), 1 / 3)


# ------------------------------------------------------------------------------------------------ exponential units


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_far_below_zero_the_slope_of_elu_does_not_cancel(dtype):
    x = tg.Tensor(np.array([-5, -20, -30, -60], dtype), requires_grad=True)
    for fn, scale in ((tg.elu, 1), (tg.selu, 1.0507009873554805 * 1.6732632423543772), (np.expm1, 1)):
        got = tg.grad(np.sum(fn(x)), x)
        assert got.dtype == dtype
        np.testing.assert_allclose(
            got, scale * np.exp(x.data.astype(float)), rtol=1e-6 if dtype == np.float32 else 1e-13
        )
    second = derivatives(tg.elu, [-30.0], 2)[1]
    np.testing.assert_allclose(second.item(), np.exp(-30), rtol=1e-13)


# ------------------------------------------------------------------------------------------------ determinants


def polarized(x, changes):
    """The derivative of the determinant along changes, one in a row each: a sum over permutations, in plain Python."""
    n, total = len(x), 0.0
    for order in itertools.permutations(range(n)):
        sign = (-1) ** sum(order[i] > order[j] for i, j in itertools.combinations(range(n), 2))
        for rows in itertools.permutations(range(n), len(changes)):
            term = float(sign)
            for row in range(n):
                term *= (changes[rows.index(row)] if row in rows else x)[row][order[row]]
            total += term
    return total


def matrices(n):
    rng = np.random.default_rng(n)
    u, v = rng.standard_normal((2, n))
    return {
        "zeros": np.zeros((n, n)),
        "rank one": np.outer(u, v),
        "ones": np.ones((n, n)),
        "diagonal": np.diag([1.0, 2, 0, 3][:n]),
        "two zeros": np.diag([0.0, 2, 0, 3][:n]),
        "rank n - 1": rng.standard_normal((n, n)) @ np.diag([0.0] + [1.0] * (n - 1)) @ rng.standard_normal((n, n)),
        "nilpotent": np.eye(n, k=1),
        "identity": np.eye(n),
        "regular": rng.standard_normal((n, n)),
        "nearly singular": np.outer(u, v) + 1e-12 * np.eye(n),
    }


@pytest.mark.parametrize("n", [1, 2, 3, 4])
@pytest.mark.parametrize("name", matrices(1))
def test_a_determinant_has_all_derivatives_at_every_matrix(name, n):
    x = matrices(n)[name]
    units = [np.outer(a, b) for a in np.eye(n) for b in np.eye(n)]
    expected = [
        np.array([polarized(x, es) for es in itertools.product(units, repeat=order)])
        for order in (1, 2, 3)[: 3 if n < 4 else 2]
    ]
    for got, right in zip(derivatives(np.linalg.det, x, len(expected)), expected, strict=True):
        np.testing.assert_allclose(np.ravel(got), right, atol=1e-12)
    directions = np.random.default_rng(0).standard_normal((4, n, n))
    expected = [polarized(x, directions[: k + 1]) for k in range(4)]
    np.testing.assert_allclose(along(np.linalg.det, x, directions), expected, rtol=1e-9, atol=1e-10)


def test_determinants_in_batches():
    for n in (2, 3):
        batch = np.stack(list(matrices(n).values()))
        directions = np.random.default_rng(0).standard_normal((3, n, n))
        expected = np.sum([[polarized(x, directions[: k + 1]) for k in range(3)] for x in batch], axis=0)
        np.testing.assert_allclose(along(np.linalg.det, batch, directions), expected, rtol=1e-9, atol=1e-10)
        squares = np.sum([[2 * polarized(x, []) * polarized(x, directions[:1])] for x in batch])
        np.testing.assert_allclose(
            along(lambda x: np.linalg.det(x) ** 2, batch, directions[:1]), [squares], rtol=1e-9, atol=1e-10
        )


def test_a_logarithm_of_a_determinant_undone():
    """``sign * exp(logabsdet)`` is the determinant, which has a gradient where its logarithm has none."""
    for name, x in matrices(3).items():
        got = derivatives(lambda x: (lambda sign, log: sign * np.exp(log))(*np.linalg.slogdet(x)), x, 2)
        units = [np.outer(a, b) for a in np.eye(3) for b in np.eye(3)]
        if name != "nearly singular":
            right_or_nan(np.ravel(got[0]), [polarized(x, [e]) for e in units])
            right_or_nan(np.ravel(got[1]), [polarized(x, [e, f]) for e in units for f in units], atol=1e-5)


# ------------------------------------------------------------------------------------------------ decompositions

PUT_TOGETHER = {  # functions of a factorization that give a polynomial of the matrix, and that polynomial
    "(U * s) @ Vh": (lambda x: (lambda u, s, v: (u * s) @ v)(*np.linalg.svd(x, full_matrices=False)), lambda x: x),
    "U @ diag(s) @ Vh": (
        lambda x: (lambda u, s, v: u @ np.diag(s) @ v)(*np.linalg.svd(x, full_matrices=False)),
        lambda x: x,
    ),
    "squared": (lambda x: (lambda u, s, v: ((u * s) @ v) ** 2)(*np.linalg.svd(x, full_matrices=False)), lambda x: x**2),
    "(U * s**2) @ U.T": (
        lambda x: (lambda u, s, v: (u * s**2) @ u.T)(*np.linalg.svd(x, full_matrices=False)),
        lambda x: x @ x.T,
    ),
    "V @ s**2 @ V.T": (
        lambda x: (lambda u, s, v: (v.T * s**2) @ v)(*np.linalg.svd(x, full_matrices=False)),
        lambda x: x.T @ x,
    ),
    "sum of squares": (lambda x: np.sum(np.linalg.svd(x, full_matrices=False).S ** 2), lambda x: np.sum(x * x)),
    "svdvals": (lambda x: np.sum(np.linalg.svdvals(x) ** 2), lambda x: np.sum(x * x)),
    "fourth powers": (lambda x: np.sum(np.linalg.svdvals(x) ** 4), lambda x: np.sum((x @ x.T) ** 2)),
}
DEGENERATE = {
    "diag(1, 2, 0)": np.diag([1.0, 2, 0]), "zeros": np.zeros((2, 2)), "identity": np.eye(3), "rank one": np.ones((3, 3)),
    "pair": np.diag([1.0, 2, 2]), "tall": np.diag([1.0, 2, 0])[:, :2], "tall rank one": np.ones((3, 2)), "wide": np.ones((2, 3)),
    "regular": np.array([[1.0, 2], [3, 5]]), "1 x 1": np.zeros((1, 1)), "of zero rows": np.diag([1.0, 2, 0, 0]),
}  # fmt: skip


@pytest.mark.parametrize("x", DEGENERATE.values(), ids=DEGENERATE)
@pytest.mark.parametrize("name", PUT_TOGETHER)
def test_a_matrix_put_together_from_its_svd(name, x):
    weights = np.random.default_rng(0).standard_normal((4, 4))

    def weighted(fn):
        return lambda x: (lambda y: np.sum(y * weights[: y.shape[0], : y.shape[1]]) if y.ndim else y)(fn(x))

    composed, plain = PUT_TOGETHER[name]
    for got, right in zip(derivatives(weighted(composed), x, 2), derivatives(weighted(plain), x, 2), strict=True):
        right_or_nan(got, right)


@pytest.mark.parametrize("name", ["(U * s) @ Vh", "U @ diag(s) @ Vh", "squared"])
def test_one_zero_singular_value_of_a_square_matrix_is_no_obstacle(name):
    composed, plain = PUT_TOGETHER[name]
    for x in (np.diag([1.0, 2, 0]), np.diag([0.0, 3]), np.ones((2, 2)), np.zeros((1, 1))):
        np.testing.assert_allclose(derivatives(composed, x, 1)[0], derivatives(plain, x, 1)[0], atol=1e-14)


@pytest.mark.parametrize(
    "x", [np.eye(2), np.zeros((2, 2)), np.diag([1.0, 2, 2]), np.diag([1.0, 0, 0]), np.diag([1.0, 2, 3])]
)
def test_a_matrix_put_together_from_its_eigenvectors(x):
    fns = {
        "x": (lambda x: (lambda w, v: (v * w) @ v.T)(*np.linalg.eigh(x)), lambda x: x),
        "x @ x": (lambda x: (lambda w, v: (v * w**2) @ v.T)(*np.linalg.eigh(x)), lambda x: x @ x),
        "trace": (lambda x: np.sum(np.linalg.eigh(x)[0]), np.trace),
        "squares": (lambda x: np.sum(np.linalg.eigvalsh(x) ** 2), lambda x: np.sum(x * x)),
    }
    weights = np.random.default_rng(0).standard_normal((3, 3))[: len(x), : len(x)]
    for composed, plain in fns.values():
        for got, right in zip(
            derivatives(lambda x, f=composed: f(0.5 * (x + x.T)) * weights, x, 2),
            derivatives(lambda x, f=plain: f(0.5 * (x + x.T)) * weights, x, 2),
            strict=True,
        ):
            right_or_nan(got, right)


def test_singular_values_alone_keep_their_conventions():
    x = np.diag([1.0, 2, 0])
    for fn in (np.linalg.svdvals, lambda x: np.linalg.svd(x, False).S, lambda x: np.linalg.norm(x, "nuc")):
        np.testing.assert_allclose(derivatives(fn, x, 1)[0], np.diag([1.0, 1, 0]), atol=1e-15)
        np.testing.assert_array_equal(derivatives(fn, np.zeros((2, 3)), 1)[0], 0)
    np.testing.assert_allclose(derivatives(lambda x: np.linalg.svd(x).S[0], x, 1)[0], np.diag([0.0, 1, 0]), atol=1e-15)
    first = derivatives(lambda x: np.linalg.svd(x).U[:, 0] ** 2, x, 1)[0]  # beside a zero value, but not of it
    assert np.isfinite(first).all()


# ------------------------------------------------------------------------------------------------ the checks are checked


def with_row(fn, *vjps, **options):
    """A function like another, with these rules."""
    other = tg.primitive(lambda *args, **params: fn(*args, **params))
    tg.rule(other, *vjps, **options)
    return other


WRONG = {  # rules that hide a kink: their zeros are silent ones
    "abs by sign": (with_row(np.abs, lambda g, ans, x: g * np.sign(x)), "**2"),
    "norm by where": (with_row(lambda x: np.abs(x), lambda g, ans, x: g * x / np.where(ans == 0, 1, ans)), "square"),
    "norm by inf": (
        with_row(lambda x: np.abs(x), lambda g, ans, x: g * x / np.where(ans == 0, np.inf, ans)),
        "exp(-r**2)",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_silent_zero_is_found(name):
    wrong, outer = WRONG[name]
    f, expected = EVEN[outer]
    got = derivatives(lambda t: f(wrong(t)), [0.0], 3)
    with pytest.raises(AssertionError):
        right_or_nan(np.concatenate([np.ravel(found) for found in got]), expected)


def test_a_zero_that_is_lost_is_found():
    hiding = with_row(np.sqrt, lambda g, ans, x: np.where(g == 0, 0, g / (2 * ans)))  # 0 for every zero
    with pytest.raises(AssertionError):
        right_or_nan(derivatives(lambda t: hiding(t) ** 2, [0.0], 1)[0], 1)
    root = with_row(np.sqrt, lambda g, ans, x: g / (2 * ans))
    np.testing.assert_array_equal(derivatives(lambda t: np.where([False, True], root(t), 0), [0.0, 4], 1)[0], [0, 0.25])


def test_a_rule_that_selects_and_does_not_say_so_loses_nothing():
    """At the random point where it is asked it would select otherwise."""
    negative = with_row(lambda x: np.minimum(x, 0), lambda g, ans, x: g * (x < 0))
    root = with_row(lambda x: np.sqrt(-x), lambda g, ans, x: -g / (2 * ans), elementwise=True)
    got = derivatives(lambda t: np.where([True, False], negative(root(t) - 3), 0) ** 2, [-4.0, 0], 2)
    np.testing.assert_allclose(got[0], [0.5, 0])  # of (sqrt(-t) - 3)**2
    assert np.isfinite(got[1]).all()
    assert row_of(negative).selects is False


@pytest.mark.parametrize("size", [100, 30_000])
def test_nan_is_found_in_gradients_of_any_size(size):
    """Only part of a large gradient may be looked at first; what it holds must not matter."""
    mask = np.arange(size) % 2 == 0
    w = tg.Tensor(np.full(size, 2.0), requires_grad=True)
    values = np.where(mask, 3.0, np.nan)
    np.testing.assert_array_equal(tg.grad(np.sum(np.where(mask, w * values, 0)), w), np.where(mask, 3.0, 0.0))
    both = np.sum(np.where(mask, w, 0) * 2 + np.where(mask, w**2, 0))
    np.testing.assert_array_equal(tg.grad(both, w), np.where(mask, 6.0, 0.0))
    x = tg.Tensor(np.where(mask, 1.0, 1e4), requires_grad=True)
    with np.errstate(over="ignore"):
        out = np.sum(np.where(mask, np.exp(x), 0))
    np.testing.assert_array_equal(tg.grad(out, x), np.where(mask, np.exp(1.0), 0.0))
