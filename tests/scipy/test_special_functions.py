"""Functions of `scipy.special` that are not ufuncs."""

import numpy as np
import pytest
import scipy.special as sp

import tensorgrad as tg
import tensorgrad.scipy.special as ours
from tests.helpers import draw, leaf

X, B = draw(3, 4), draw(3, 4, seed=1)

# fmt: off
ROWS = [  # the function, further arguments, inputs
    ("polygamma 0", lambda m, x: m.polygamma(0, x), [np.abs(X) + 0.3]),
    ("polygamma 2", lambda m, x: m.polygamma(2, x), [np.abs(X) + 0.3]),
    ("polygamma orders", lambda m, x: m.polygamma(np.array([[0], [1], [4]]), x), [np.abs(X[0]) + 0.3]),
    ("multigammaln", lambda m, a: m.multigammaln(a, 3), [np.abs(X) + 1.2]),
    ("multigammaln 1", lambda m, a: m.multigammaln(a, 1), [np.abs(X) + 0.2]),
    ("logsumexp", lambda m, a: m.logsumexp(a), [X]),
    ("logsumexp axis", lambda m, a: m.logsumexp(a, axis=1), [X]),
    ("logsumexp axes", lambda m, a: m.logsumexp(a, axis=(0, 1), keepdims=True), [X]),
    ("logsumexp b", lambda m, a, b: m.logsumexp(a, axis=0, b=b, keepdims=True), [X, np.abs(B)]),
    ("logsumexp b broadcast", lambda m, a, b: m.logsumexp(a, axis=-1, b=b), [X, np.abs(B[0])]),
    ("logsumexp sign", lambda m, a, b: m.logsumexp(a, axis=1, b=b, return_sign=True)[0], [X, B]),
    ("logsumexp large", lambda m, a: m.logsumexp(a, b=np.array([1.0, 2.0, 0.0])), [np.array([1e4, 1e4 + 1, 3e4])]),
    ("softmax", lambda m, x: m.softmax(x), [X]),
    ("softmax axis", lambda m, x: m.softmax(x, axis=0), [X]),
    ("log_softmax", lambda m, x: m.log_softmax(x), [X]),
    ("log_softmax axis", lambda m, x: m.log_softmax(x, axis=-1), [X]),
]
WRONG = [
    (lambda t: ours.polygamma(-1, t), "nonnegative integer"),
    (lambda t: ours.polygamma(0.5, t), "nonnegative integer"),
    (lambda t: ours.multigammaln(t, 9), r"a > \(d - 1\) / 2"),
    (lambda t: ours.multigammaln(t, 0), "positive"),
    (lambda t: ours.logsumexp(t, axis=3), "axis 3"),
]
# fmt: on


@pytest.mark.parametrize(("name", "f", "arrays"), ROWS, ids=[row[0] for row in ROWS])
def test_values_and_derivatives(check, name, f, arrays):
    check(lambda *xs: f(ours, *xs), lambda *xs: f(sp, *xs), arrays)


@pytest.mark.parametrize(("f", "words"), WRONG)
def test_bad_input(f, words):
    with pytest.raises(ValueError, match=words) as caught:
        f(leaf([1.0, 2.0]))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("b", [None, np.array([1.0, 2.0]), np.zeros(2), np.array([1.0, -1.0])])
@pytest.mark.parametrize("a", [[-np.inf, -np.inf], [-np.inf, 1.0], [1.0, 1.0]])
def test_edges_of_logsumexp(a, b):
    t = leaf(a)
    out, sign = ours.logsumexp(t, b=b, return_sign=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = sp.logsumexp(np.array(a), b=b, return_sign=True)
        np.testing.assert_allclose([out.data, sign], expected)
        found = tg.grad(out, t)
    terms = np.exp(a) * (1 if b is None else b)
    if np.any(terms) and np.sum(terms) == 0:  # a sum of 0 by cancellation: the derivative is infinite
        assert not np.isfinite(found).any()
    else:
        np.testing.assert_allclose(found, terms / (np.sum(terms) or 1))


def test_a_negative_sum_has_no_logarithm():
    assert np.isnan(ours.logsumexp(np.array([1.0]), b=np.array([-1.0])))
