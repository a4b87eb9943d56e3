"""Distributions of `scipy.stats`."""

import numpy as np
import pytest
import scipy.stats as st

import tensorgrad as tg
import tensorgrad.scipy.stats as ours
from tests.helpers import draw, leaf

Q, LOC, SCALE = np.array([[0.1], [0.45], [0.8]]), np.array([0.3, -0.2]), np.array([1.4, 0.6])
METHODS = ["logpdf", "pdf", "cdf", "logcdf", "sf", "logsf", "ppf"]

# fmt: off
CONTINUOUS = [  # name, shape parameters, and whether distribution functions differentiate in these
    ("norm",    [], True),
    ("t",       [np.array([2.5, 4.0])], False),
    ("gamma",   [np.array([2.5, 1.3])], False),
    ("beta",    [np.array([2.5, 1.3]), np.array([1.7, 3.1])], False),
    ("expon",   [], True),
    ("chi2",    [np.array([2.5, 5.0])], False),
    ("uniform", [], True),
    ("laplace", [], True),
    ("lognorm", [np.array([0.7, 1.3])], True),
]
DISCRETE = [
    ("poisson", [], np.array([0.7, 2.5])),
    ("binom",   [4], np.array([0.3, 0.8])),
]
WRONG = [
    (lambda t: ours.norm.logpdf(t, 0, 1, 2), TypeError, "norm takes the parameters loc, scale; got 3 positional"),
    (lambda t: ours.norm.logpdf(t, 0, loc=1), TypeError, "loc, scale"),
    (lambda t: ours.norm.logpdf(t, mean=1), TypeError, "mean"),
    (lambda t: ours.gamma.logpdf(t), TypeError, "gamma takes the parameters a, loc, scale"),
    (lambda t: ours.norm.logpdf(t + 0j), TypeError, "complex"),
    (lambda t: ours.poisson.logpmf(t, 2.0), tg.NoRuleError, "k is an integer"),
    (lambda t: ours.binom.logpmf(1, t, 0.5), tg.NoRuleError, "n is an integer"),
    (lambda t: ours.dirichlet.logpdf(t, np.ones(4)), tg.ShapeError, "alpha"),
    (lambda t: ours.dirichlet.logpdf(2 * t, np.ones(2)), ValueError, "sum to 1"),
    (lambda t: ours.dirichlet.logpdf(t, -np.ones(2)), ValueError, "positive"),
    (lambda t: ours.multivariate_normal.logpdf(t, np.zeros(3)), tg.ShapeError, r"mean \(D,\)"),
    (lambda t: ours.multivariate_normal.logpdf(np.stack([t, t]), cov=2.0), tg.ShapeError, r"mean \(D,\)"),
    (lambda t: ours.multivariate_normal.logpdf(t, cov=-1.0), np.linalg.LinAlgError, "positive definite"),
]
# fmt: on


def both(name, method):
    """Ours, and SciPy's."""
    return getattr(getattr(ours, name), method), getattr(getattr(st, name), method)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("name", "shapes", "smooth"), CONTINUOUS, ids=[row[0] for row in CONTINUOUS])
def test_values_and_derivatives(check, name, shapes, smooth, method):
    f, theirs = both(name, method)
    x = Q if method == "ppf" else st.norm.ppf(Q) if name in ("norm", "t") else Q + 0.03
    check(lambda x: f(x, *shapes), lambda x: theirs(x, *shapes), [x], rtol=1e-11)
    x = x if method == "ppf" else LOC + SCALE * x
    if smooth or "pdf" in method:
        check(f, theirs, [x, *shapes, LOC, SCALE], rtol=1e-11)
    else:
        check(lambda *xs: f(xs[0], *shapes, *xs[1:]), lambda *xs: theirs(xs[0], *shapes, *xs[1:]), [x, LOC, SCALE],
              rtol=1e-11)  # fmt: skip
        for i in range(len(shapes)):
            with pytest.raises(tg.NoRuleError, match=r"scipy\.special\.\w+: no gradient rule for (df|a|b),"):
                f(x, *shapes[:i], leaf(shapes[i]), *shapes[i + 1 :])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("name", "shapes", "smooth"), CONTINUOUS, ids=[row[0] for row in CONTINUOUS])
def test_edges(name, shapes, smooth, method):
    """Bounds of the support, points outside it, infinities, NaN, and invalid scales."""
    f, theirs = both(name, method)
    shapes = [shape[:1] for shape in shapes]
    x = np.array([-np.inf, -1.0, 0.0, 0.5, 1.0, 2.0, 40.0, np.inf, np.nan])
    with np.errstate(all="ignore"):
        for scale in (1.0, 3.0, 0.0, -1.0):
            expected = theirs(x, *shapes, loc=0.0, scale=scale)
            np.testing.assert_allclose(f(x, *shapes, loc=0.0, scale=scale), expected, rtol=1e-10, atol=1e-300)
        for shape in [-1.0] * bool(shapes):
            assert np.isnan(f(x, shape, *shapes[1:])).all()
        t = leaf(x[[1, 5, 6]] if method != "ppf" else Q)
        assert not np.isnan(tg.grad(f(t, *shapes), t, np.ones(t.shape))).any()


@pytest.mark.parametrize("method", ["cdf", "logcdf", "sf", "logsf"])
@pytest.mark.parametrize(("name", "shapes", "smooth"), CONTINUOUS, ids=[row[0] for row in CONTINUOUS])
def test_probabilities_of_unbounded_intervals_have_gradient_zero(name, shapes, smooth, method):
    """As in the likelihood of a time that is known to lie between a bound and infinity."""
    f, theirs = both(name, method)
    scale = leaf(2.0)
    for x in (-np.inf, np.inf):
        out = f(x, *[shape[0] for shape in shapes], 0.5, scale)
        assert out.item() == theirs(x, *[shape[0] for shape in shapes], 0.5, 2.0)
        assert tg.grad(out, scale) == 0


def test_far_from_the_centre():
    x = leaf([-40.0, -1e4])
    np.testing.assert_allclose(ours.norm.logcdf(x).data, st.norm.logcdf(x.data))
    np.testing.assert_allclose(tg.grad(np.sum(ours.norm.logcdf(x)), x), [40.0249688, 1e4], rtol=1e-7)
    assert tg.grad(np.sum(ours.uniform.cdf(x)), x).tolist() == [0, 0]
    for f, theirs in (both("norm", "sf"), both("norm", "logsf"), both("expon", "logsf"), both("laplace", "sf")):
        np.testing.assert_allclose(f(-x).data, theirs(-x.data), rtol=1e-12)
    assert ours.norm.sf(30.0) > 0  # and not 1 - cdf


@pytest.mark.parametrize("method", ["logpmf", "pmf", "cdf"])
@pytest.mark.parametrize(("name", "counts", "real"), DISCRETE, ids=[row[0] for row in DISCRETE])
def test_counts(check, name, counts, real, method):
    f, theirs = both(name, method)
    k = np.array([[1], [2], [4], [3]])
    check(lambda p: f(k, *counts, p), lambda p: theirs(k, *counts, p), [real], rtol=1e-11)
    check(lambda p: f(k, *counts, p, loc=1), lambda p: theirs(k, *counts, p, loc=1), [real], rtol=1e-11)
    edges = np.array([-1.0, 0.0, 0.5, 2.0, 4.0, 9.0])[:, None]
    np.testing.assert_allclose(f(edges, *counts, real), theirs(edges, *counts, real), rtol=1e-11)
    for p in (-1.0, 0.0, 1.0, 2.0):
        np.testing.assert_allclose(f(edges, *counts, p), theirs(edges, *counts, p), rtol=1e-11)


X, MEAN, FACTOR = draw(4, 3), draw(3, seed=1), draw(3, 3, seed=2)


@pytest.mark.parametrize("method", ["logpdf", "pdf"])
@pytest.mark.parametrize("x", [X, X[0], X.reshape(2, 2, 3)], ids=lambda x: str(x.shape))
def test_multivariate_normal(check, method, x):
    f, theirs = both("multivariate_normal", method)

    def covariance(a):
        return a @ a.T + np.eye(3, dtype=a.dtype)

    check(lambda x, m, a: f(x, m, covariance(a)), lambda x, m, a: theirs(x, m, covariance(a)), [x, MEAN, FACTOR])
    check(lambda x, v: f(x, MEAN, v * v), lambda x, v: theirs(x, MEAN, v * v), [x, MEAN], rtol=1e-11)
    check(lambda x, v: f(x, MEAN, v * v), lambda x, v: theirs(x, MEAN, v * v), [x, np.array(0.7)], rtol=1e-11)
    check(lambda x, a: f(x, cov=covariance(a)), lambda x, a: theirs(x, cov=covariance(a)), [x, FACTOR])


@pytest.mark.parametrize(
    "x", [0.5, [0.5, 1.0, 2.0], [[0.5], [1.0]], np.ones((2, 3, 1))], ids=lambda x: str(np.shape(x))
)
@pytest.mark.parametrize("parameters", [(), (0.3, 2.0), ([0.3], [[2.0]]), (None, 2.0), (0.3,)], ids=str)
def test_a_normal_distribution_of_one_dimension_has_a_point_for_each_number(check, x, parameters):
    f, theirs = both("multivariate_normal", "logpdf")
    check(lambda x: f(x, *parameters), lambda x: theirs(x, *parameters), [np.asarray(x)], rtol=1e-11)


@pytest.mark.parametrize(
    "x", [np.array([0.2, 0.3, 0.5]), np.array([[0.2, 0.1], [0.3, 0.1], [0.5, 0.8]])], ids=lambda x: str(x.shape)
)
def test_dirichlet(check, x):
    alpha = np.array([0.7, 1.6, 3.0])
    for method in ("logpdf", "pdf"):
        f, theirs = both("dirichlet", method)
        check(lambda x, a, f=f: f(x / np.sum(x, axis=0), a),
              lambda x, a, f=theirs: f(x / np.sum(x, axis=0), a), [x, alpha])  # fmt: skip
        check(lambda x, a, f=f: f(x[:-1], a), lambda x, a, f=theirs: f(x[:-1], a), [x, alpha])


@pytest.mark.parametrize(("f", "error", "words"), WRONG)
def test_bad_input(f, error, words):
    with pytest.raises(error, match=words) as caught:
        f(leaf([0.5, 0.5]))
    assert "\n" not in str(caught.value)
