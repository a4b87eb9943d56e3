"""Determinants and decompositions of singular matrices: every derivative is right or NaN."""
# ruff: noqa: E501  (tables with one row per line)

import itertools

import numpy as np
import pytest

import tensorgrad as tg
from tests.helpers import along, derivatives, right_or_nan

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # NumPy's, for divisions by zero


# ------------------------------------------------------------------------------------------------ determinants


def polarized(x, changes):
    """The derivative of the determinant in several directions: a sum over permutations, in plain Python."""
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
        for order in {3: (1, 2), 4: (1,)}.get(n, (1, 2, 3))  # higher orders are checked below, along directions
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


def test_the_exponential_of_a_log_determinant():
    """``sign * exp(logabsdet)`` is the determinant, which has a gradient where its logarithm has none."""
    for name, x in matrices(3).items():
        got = derivatives(lambda x: (lambda sign, log: sign * np.exp(log))(*np.linalg.slogdet(x)), x, 2)
        units = [np.outer(a, b) for a in np.eye(3) for b in np.eye(3)]
        if name != "nearly singular":
            right_or_nan(np.ravel(got[0]), [polarized(x, [e]) for e in units])
            right_or_nan(np.ravel(got[1]), [polarized(x, [e, f]) for e in units for f in units], atol=1e-5)


# ------------------------------------------------------------------------------------------------ decompositions

POLYNOMIALS = {  # functions of a factorization that are polynomials of the matrix, and those polynomials
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


SVDS = [  # a sixth of the pairs, with every name, is in the default suite
    pytest.param(name, matrix, marks=[] if (i + k) % 6 == 0 else pytest.mark.slow)
    for i, name in enumerate(POLYNOMIALS)
    for k, matrix in enumerate(DEGENERATE)
]


@pytest.mark.parametrize(("name", "matrix"), SVDS)
def test_a_matrix_composed_of_its_svd(name, matrix):
    x = DEGENERATE[matrix]
    weights = np.random.default_rng(0).standard_normal((4, 4))

    def weighted(fn):
        return lambda x: (lambda y: np.sum(y * weights[: y.shape[0], : y.shape[1]]) if y.ndim else y)(fn(x))

    composed, plain = POLYNOMIALS[name]
    for got, right in zip(derivatives(weighted(composed), x, 2), derivatives(weighted(plain), x, 2), strict=True):
        right_or_nan(got, right)


@pytest.mark.parametrize("name", ["(U * s) @ Vh", "U @ diag(s) @ Vh", "squared"])
def test_one_singular_value_of_a_square_matrix_may_be_zero(name):
    composed, plain = POLYNOMIALS[name]
    for x in (np.diag([1.0, 2, 0]), np.diag([0.0, 3]), np.ones((2, 2)), np.zeros((1, 1))):
        np.testing.assert_allclose(derivatives(composed, x, 1)[0], derivatives(plain, x, 1)[0], atol=1e-14)


@pytest.mark.parametrize(
    "x",
    [np.eye(2), np.zeros((2, 2)), np.diag([1.0, 2, 2]),
     *(pytest.param(np.diag(x), marks=pytest.mark.slow) for x in ([1.0, 0, 0], [1.0, 2, 3]))],
)  # fmt: skip
def test_a_matrix_composed_of_its_eigenvectors(x):
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
    first = derivatives(lambda x: np.linalg.svd(x).U[:, 0] ** 2, x, 1)[0]  # of another value than the one that is zero
    assert np.isfinite(first).all()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gradient_of_det_is_nan_for_a_matrix_that_is_not_finite(bad, dtype):
    """LAPACK's singular value decomposition of a matrix that contains an infinity may never return."""
    x = np.stack([2 * np.eye(3, dtype=dtype)] * 2)
    x[0, 0, 0] = bad
    t = tg.Tensor(x, requires_grad=True)
    with np.errstate(invalid="ignore"):
        np.sum(np.linalg.det(t)).backward()
    assert np.isnan(t.grad[0]).all()
    np.testing.assert_allclose(t.grad[1], 4 * np.eye(3))
