"""Linear algebra of singular and degenerate matrices, the types of results, and errors."""
# ruff: noqa: E501  (tables with one row per line)

import itertools
import math
import weakref

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.engine.backward import reachable
from tests.helpers import leaf
from tests.records import saved_inputs


def slope(fn, x):
    x = leaf(x)
    with np.errstate(all="ignore"):
        return tg.grad(np.sum(fn(x)), x)


rng = np.random.default_rng(0)
ORTHOGONAL = np.linalg.qr(rng.standard_normal((4, 4))).Q
EQUAL = ORTHOGONAL * [1.0, 2, 2, 3] @ ORTHOGONAL.T  # equal to within rounding, not exactly

# ------------------------------------------------------------------------------------------------ equal eigenvalues


@pytest.mark.parametrize(
    "x", [2 * np.eye(3), np.zeros((3, 3)), np.diag([1.0, 2, 2]), EQUAL], ids=["2I", "0", "pair", "Q"]
)
@pytest.mark.parametrize(
    "values",
    [
        np.linalg.eigvalsh,
        lambda x: np.linalg.eigh(x).eigenvalues,
        lambda x: np.linalg.svd(x, compute_uv=False),
        lambda x: np.linalg.svd(x, full_matrices=False).S,
        np.linalg.svdvals,
    ],
    ids=["eigvalsh", "eigh", "svd alone", "svd", "svdvals"],
)
def test_gradients_of_equal_eigenvalues_are_exact(values, x):
    """The sum of squared eigenvalues is the sum of squares of the matrix."""
    np.testing.assert_allclose(slope(lambda x: values(x) ** 2, x), 2 * x, atol=1e-14)


@pytest.mark.parametrize("x", [np.eye(4), EQUAL], ids=["I", "Q"])
@pytest.mark.parametrize(
    "power",
    [
        lambda x: np.linalg.eigh(x)[1] * np.linalg.eigh(x)[0] ** 0.5 @ np.linalg.eigh(x)[1].T,
        lambda x: np.linalg.svd(x)[0] * np.linalg.svd(x)[1] ** 0.5 @ np.linalg.svd(x)[2],
    ],
    ids=["eigh", "svd"],
)
def test_gradients_of_eigenvectors_of_equal_eigenvalues_are_not_finite(power, x):
    """A matrix square root by eigenvectors is differentiable, although the eigenvectors are not."""
    assert not np.isfinite(slope(lambda x: power(x) * rng.standard_normal((4, 4)), x)).any()


@pytest.mark.parametrize(
    "fn",
    [
        pytest.param(lambda x: np.linalg.eigh(x)[1][:, 3] ** 4, id="linalg.eigh(x)[1][:, 3] ** 4"),
        pytest.param(lambda x: np.linalg.svd(x)[0][:, 0] ** 4, id="linalg.svd(x)[0][:, 0] ** 4"),
    ],
)
def test_the_eigenvector_of_a_simple_eigenvalue_has_a_gradient_beside_equal_ones(fn):
    """The eigenvector of eigenvalue 3, with two other equal ones, compared with finite differences."""
    direction = rng.standard_normal((4, 4))
    direction = direction + direction.T
    numeric = (np.sum(fn(EQUAL + 1e-5 * direction)) - np.sum(fn(EQUAL - 1e-5 * direction))) / 2e-5
    np.testing.assert_allclose(np.sum(slope(fn, EQUAL) * direction), numeric, rtol=1e-7)


def test_one_degenerate_matrix_does_not_disturb_the_batch():
    x = np.stack([np.eye(3), np.diag([1.0, 2, 4])])
    gradient = slope(lambda x: np.linalg.eigh(x).eigenvectors * rng.standard_normal((3, 3)), x)
    assert not np.isfinite(gradient[0]).all()
    assert np.isfinite(gradient[1]).all()


# -------------------------------------------------------------------------------------------------- singular matrices

SINGULAR = {
    "rank 1 of 2": ([[1, 2], [2, 4]], [[4, -2], [-2, 1]]),
    "rank 2 of 3": ([[1, 2, 3], [4, 5, 6], [7, 8, 9]], [[-3, 6, -3], [6, -12, 6], [-3, 6, -3]]),
    "rank 1 of 3": (np.ones((3, 3)), np.zeros((3, 3))),
    "rank 0 of 2": (np.zeros((2, 2)), np.zeros((2, 2))),
    "rank 0 of 1": ([[0]], [[1]]),
    "underflow": (1e-200 * np.eye(2), 1e-200 * np.eye(2)),
}


@pytest.mark.parametrize("name", SINGULAR)
def test_gradient_of_a_zero_determinant_is_the_cofactors(name):
    x, cofactors = SINGULAR[name]
    np.testing.assert_allclose(slope(np.linalg.det, x), cofactors, atol=1e-13 if np.max(x) > 1e-9 else 0)


def test_third_derivative_of_a_determinant():
    """For 3 x 3 matrices, ``d3 det(x + t * u) / dt3`` is ``6 det(u)`` for every x."""
    u = rng.standard_normal((3, 3))
    for x in (u.T + 2 * np.eye(3), [[1.0, 2, 3], [4, 5, 6], [7, 8, 9]]):
        s = leaf(0.0)
        y = np.linalg.det(np.array(x) + s * u)
        for _ in range(3):
            y = tg.grad(y, s, create_graph=True)
        np.testing.assert_allclose(y.item(), 6 * np.linalg.det(u), rtol=1e-9)


def test_slogdet_of_a_singular_matrix_that_is_not_selected():
    x = np.array([[[1.0, 2], [2, 4]], [[2, 1], [0, 3]]])
    got = slope(lambda x: np.where([False, True], np.linalg.slogdet(x).logabsdet, 0), x)
    np.testing.assert_allclose(got, [np.zeros((2, 2)), np.linalg.inv(x[1]).T], rtol=1e-14)
    assert np.isinf(slope(lambda x: np.linalg.slogdet(x).logabsdet, x)[0]).all()


def test_norm_of_singular_values_has_gradient_zero_at_zero():
    for shape in [(2, 2), (3, 2), (2, 3)]:
        np.testing.assert_array_equal(slope(np.linalg.svdvals, np.zeros(shape)), np.zeros(shape))
        np.testing.assert_array_equal(slope(lambda x: np.linalg.svd(x, False).S, np.zeros(shape)), np.zeros(shape))


@pytest.mark.parametrize(
    "fn",
    [np.linalg.inv, pytest.param(lambda x: np.linalg.solve(x, x[0]), id="linalg.solve(x, x[0])"), np.linalg.cholesky],
)
def test_errors_of_linear_algebra_are_numpys(fn):
    with pytest.raises(np.linalg.LinAlgError):
        fn(leaf(np.zeros((2, 2))))


# ------------------------------------------------------------------------------------- what is returned and refused


@pytest.mark.parametrize(
    "fn",
    [
        np.linalg.eigh,
        np.linalg.slogdet,
        lambda x: np.linalg.svd(x, full_matrices=False),
        np.linalg.qr,
        lambda x: np.linalg.lstsq(x, x[0]),
    ],
    ids=["eigh", "slogdet", "svd", "qr", "lstsq"],
)
def test_results_have_numpys_types_and_names(fn):
    x = 2 * np.eye(3) + np.arange(9.0).reshape(3, 3) / 10
    expected, got = fn(x), fn(leaf(x))
    assert type(got) is type(expected)
    for part, value in zip(got, expected, strict=True):
        assert np.shape(part) == np.shape(value)
        np.testing.assert_allclose(getattr(part, "data", part), value, rtol=1e-12)
    assert np.linalg.matrix_rank(leaf(x)) == 3


@pytest.mark.parametrize("scale", [1e-20, 1, 1e20])
def test_the_threshold_for_zero_is_relative(scale):
    """A multiple of a matrix has the same vectors and the same rank."""
    x, weights = np.diag([1.0, 2, 4]) + 0.1, np.array([[1.0, 5, 2], [0, 3, 7], [4, 1, 1]])
    for vectors in (lambda x: np.linalg.eigh(x).eigenvectors, lambda x: np.linalg.svd(x).U):
        expected = slope(lambda x: vectors(x) ** 2 * weights, x)  # noqa: B023
        got = slope(lambda x: vectors(x) ** 2 * weights, x * scale) * scale  # noqa: B023
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-9)
    for values, rcond in ([2.0, 1], None), ([1, 1e-17], None), ([1, 1e-17], 0.0), ([1, 1e-17], -3), ([1, 1e-9], 1.5):
        a, b = np.diag(values) * scale, np.ones(2)
        assert np.linalg.lstsq(leaf(a), b, rcond=rcond)[2] == np.linalg.lstsq(a, b, rcond=rcond)[2]


def fewest_multiplications(n):
    """The number for a chain of matrices ``(n[0], n[1]), (n[1], n[2]), ...`` in the best order."""
    if len(n) < 3:
        return 0
    return min(
        fewest_multiplications(n[: k + 1]) + fewest_multiplications(n[k:]) + n[0] * n[k] * n[-1]
        for k in range(1, len(n) - 1)
    )


@pytest.mark.parametrize("ends", [(2, 2), (1, 2), (2, 1), (1, 1)])
def test_a_chain_of_matrices_is_multiplied_in_the_best_order(ends):
    """For random lengths, with and without vectors at the ends."""
    for _ in range(40):
        n = rng.integers(1, 9, 6)
        arrays = [leaf(np.ones(shape)) for shape in itertools.pairwise(n.tolist())]
        first, last = arrays[0], arrays[-1]
        arrays[0] = first if ends[0] == 2 else first[0]
        arrays[-1] = last if ends[1] == 2 else last[:, 0]
        n[0], n[-1] = n[0] if ends[0] == 2 else 1, n[-1] if ends[1] == 2 else 1
        products = [r for r in reachable([np.linalg.multi_dot(arrays).record]) if r.row.name == "matmul"]
        counted = sum(math.prod(r.shape) * saved_inputs(r)[0].shape[-1] for r in products)
        assert counted == fewest_multiplications(n.tolist())


def test_lstsq_of_deficient_rank_returns_no_residuals():
    x = np.array([[1.0, 2], [2, 4], [3, 6]])
    solution, distances, rank, _ = np.linalg.lstsq(leaf(x), [1.0, 0, 2])
    np.testing.assert_allclose(solution.data, np.linalg.lstsq(x, [1.0, 0, 2])[0], rtol=1e-12)
    assert distances.shape == (0,)
    assert rank == 1


@pytest.mark.parametrize(
    ("fn", "upper"),
    [
        (np.linalg.cholesky, False),
        pytest.param(lambda x: np.linalg.cholesky(x, upper=True), True, id="linalg.cholesky(x, upper=True) True"),
        pytest.param(
            lambda x: np.linalg.eigh(x).eigenvectors ** 2 * [1, 2, 3],
            False,
            id="linalg.eigh(x).eigenvectors ** 2 * [1, 2, 3] False",
        ),
        pytest.param(
            lambda x: np.linalg.eigh(x, "U").eigenvalues * [1, 2, 3],
            True,
            id="linalg.eigh(x, 'U').eigenvalues * [1, 2, 3] True",
        ),
        pytest.param(lambda x: np.linalg.eigvalsh(x) * [1, 2, 3], False, id="linalg.eigvalsh(x) * [1, 2, 3] False"),
        pytest.param(
            lambda x: np.linalg.eigvalsh(x, "U") * [1, 2, 3], True, id="linalg.eigvalsh(x, 'U') * [1, 2, 3] True"
        ),
        pytest.param(
            lambda x: np.linalg.pinv(x, hermitian=True) * [1, 2, 3],
            False,
            id="linalg.pinv(x, hermitian=True) * [1, 2, 3] False",
        ),
        pytest.param(
            lambda x: np.linalg.pinv(x, 0.5, hermitian=True) * [1, 2, 3],
            False,
            id="linalg.pinv(x, 0.5, hermitian=True) * [1, 2, 3] False",
        ),
    ],
)
def test_one_triangle_is_read_as_numpy_does(fn, upper):
    """For a matrix that is not symmetric, the gradient is that of the matrix with one triangle mirrored, and symmetric."""
    x = np.array([[2.0, 0.5, 0.7], [0.25, 3.0, -0.4], [0.1, 0.3, 4.5]])
    mirrored = np.triu(x) + np.triu(x, 1).T if upper else np.tril(x) + np.tril(x, -1).T
    np.testing.assert_allclose(fn(leaf(x)).data, fn(x), rtol=1e-12)
    gradient = slope(fn, x)
    np.testing.assert_allclose(gradient, slope(fn, mirrored), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(gradient, gradient.T, rtol=1e-12, atol=1e-14)


@pytest.mark.usefixtures("no_gc")
def test_everything_of_a_product_is_freed():
    """Products of chains leave no reference cycles."""
    x = leaf(np.eye(3))
    y = x * 2
    alive = weakref.ref(y.record)
    z = np.sum(np.linalg.multi_dot([y, y, y, y]) + np.linalg.matrix_power(y, 5) + np.linalg.eigh(y).eigenvectors)
    del y, z
    assert alive() is None


@pytest.mark.parametrize("p", [None, 2, 1, -1, np.inf, -np.inf, "fro"])
def test_the_condition_of_a_singular_matrix_is_infinite(p):
    """As in NumPy; other matrices of the batch have their own values and gradients."""
    x = np.array([[[1.0, 2], [3, 4.5]], [[1, 1], [0, 0]], [[0, 0], [0, 0]]])
    with np.errstate(all="ignore"):
        expected = np.linalg.cond(x, p)
    got = np.linalg.cond(leaf(x), p)
    assert np.isinf(got.data[1:]).all()
    np.testing.assert_allclose(got.data, expected, rtol=1e-12)
    np.testing.assert_allclose(
        slope(lambda x: np.linalg.cond(x, p)[0], x)[0], slope(lambda x: np.linalg.cond(x, p), x[0])
    )
    if p != -np.inf:  # there the norm itself is 0
        assert not np.isfinite(slope(lambda x: np.linalg.cond(x, p)[1], x)[1]).all()
