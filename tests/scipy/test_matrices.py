"""Functions of `scipy.linalg`."""

import numpy as np
import pytest
import scipy.linalg as sl

import tensorgrad as tg
import tensorgrad.scipy.linalg as ours
from tests.helpers import draw, leaf

A, B, C = draw(3, 3) + 2 * np.eye(3), draw(3, seed=1), draw(3, 2, seed=2)
BATCH, RIGHT = draw(2, 3, 3) + 2 * np.eye(3), draw(2, 3, 2, seed=2)
SMALL = draw(2, 2, seed=3)


def positive(x):
    return x @ np.matrix_transpose(x) + np.eye(x.shape[-1], dtype=x.dtype)


def factor_and_solve(m, lower):
    return lambda a, b: m.cho_solve(m.cho_factor(positive(a), lower=lower), b)


# fmt: off
ROWS = [
    *[(f"solve_triangular {options}", lambda m, a, b, o=options: m.solve_triangular(a, b, **o), [A, right])
      for options in ({}, {"lower": True}, {"trans": 1}, {"trans": "T", "lower": True}, {"unit_diagonal": True},
                      {"lower": True, "unit_diagonal": True, "trans": 2}) for right in (B, C)],
    ("solve_triangular batch", lambda m, a, b: m.solve_triangular(a, b, lower=True), [BATCH, RIGHT]),
    ("solve_triangular broadcast", lambda m, a, b: m.solve_triangular(a, b), [A, RIGHT]),
    ("cho_factor", lambda m, a: np.triu(m.cho_factor(positive(a))[0]), [A]),
    ("cho_factor lower", lambda m, a: np.tril(m.cho_factor(positive(a), lower=True)[0]), [A]),
    ("cho_solve", lambda m, a, b: factor_and_solve(m, False)(a, b), [A, B]),
    ("cho_solve lower", lambda m, a, b: factor_and_solve(m, True)(a, b), [A, C]),
    ("block_diag", lambda m, *xs: m.block_diag(*xs), [C, B, SMALL]),
    ("block_diag batch", lambda m, *xs: m.block_diag(*xs), [RIGHT, SMALL]),
    ("block_diag one", lambda m, *xs: m.block_diag(*xs), [C]),
    ("expm", lambda m, a: m.expm(a), [A]),
    ("expm batch", lambda m, a: m.expm(a), [draw(2, 2, 2)]),
    ("expm zero", lambda m, a: m.expm(a), [np.zeros((2, 2))]),
    ("expm one", lambda m, a: m.expm(a), [np.array([[0.5]])]),
    ("sqrtm", lambda m, a: m.sqrtm(positive(a)), [A]),
    ("sqrtm batch", lambda m, a: m.sqrtm(positive(a)), [draw(2, 2, 2)]),
    ("sqrtm not symmetric", lambda m, a: m.sqrtm(a), [np.array([[3.0, 1.0], [0.5, 2.0]])]),
    ("solve_sylvester", lambda m, a, b, q: m.solve_sylvester(a, b, q), [A, positive(SMALL), C]),
]
WRONG = [
    (lambda t: ours.expm(t[0]), "A must be square"),
    (lambda t: ours.sqrtm(t[:1]), "A must be square"),
    (lambda t: ours.solve_triangular(t, np.ones(3)), r"\(\.\.\., N, K\) with N = 2"),
    (lambda t: ours.solve_triangular(t, np.ones(2), trans=3), "trans must be"),
    (lambda t: ours.solve_triangular(0 * t, np.ones(2)), "singular"),
    (lambda t: ours.cho_factor(-t), "positive definite"),
    (lambda t: ours.sqrtm(-t), "negative eigenvalue"),
    (lambda t: ours.solve_sylvester(t, t, np.ones((2, 3))), "M = 2 and N = 2"),
    (lambda t: ours.solve_sylvester(t, -t, t), "negative of one of b"),
    (lambda t: tg.grad(np.sum(ours.sqrtm(t * np.array([0.0, 1.0]))), t), "gradient of sqrtm"),
]
# fmt: on


@pytest.mark.parametrize(("name", "f", "arrays"), ROWS, ids=[row[0] for row in ROWS])
def test_values_and_derivatives(check, name, f, arrays):
    check(lambda *xs: f(ours, *xs), lambda *xs: f(sl, *xs), arrays, rtol=1e-10)


@pytest.mark.filterwarnings("ignore::scipy.linalg.LinAlgWarning")  # of sqrtm
@pytest.mark.parametrize(("f", "words"), WRONG)
def test_bad_input(f, words):
    with pytest.raises((ValueError, np.linalg.LinAlgError), match=words) as caught:
        f(leaf(np.eye(2)))
    assert "\n" not in str(caught.value)


def test_complex_matrices_are_refused():
    with pytest.raises(TypeError, match="complex"):
        ours.expm(1j * np.eye(2))


def test_a_batch_of_equations_of_sylvester():
    a, b, q = BATCH, np.stack([positive(SMALL)] * 2), RIGHT
    x = ours.solve_sylvester(a, b, q)
    np.testing.assert_allclose(a @ x + x @ b, q, atol=1e-12)
    assert tg.gradcheck(ours.solve_sylvester, [a, b[0], q])
    assert ours.solve_sylvester(a[:0], b[:0], q[:0]).shape == (0, 3, 2)


def test_only_one_triangle_of_a_triangular_matrix_is_read():
    a = leaf(A)
    g = tg.grad(np.sum(ours.solve_triangular(a, B, lower=True)), a)
    assert np.array_equal(g, np.tril(g))


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_the_derivative_of_expm_is_linear(scale):
    a, g = leaf(A), draw(3, 3, seed=5)
    np.testing.assert_allclose(tg.grad(ours.expm(a), a, g * scale), tg.grad(ours.expm(a), a, g) * scale, rtol=1e-12)
    _, expected = sl.expm_frechet(A.T, g)
    np.testing.assert_allclose(tg.grad(ours.expm(a), a, g), expected, rtol=1e-9)


def test_block_diag_of_nothing():
    assert ours.block_diag().shape == sl.block_diag().shape
