"""Products and equations with the sparse matrices of `scipy.sparse`."""

import numpy as np
import pytest
import scipy.sparse as ss
from scipy.sparse.linalg import spsolve

import tensorgrad as tg
import tensorgrad.scipy.sparse as ours
from tests.helpers import draw, leaf

A = np.array([[0.0, 2.0, 0.0], [3.0, 0.0, 0.5]])
SQUARE = np.array([[2.0, 0.0, 1.0], [0.0, 3.0, 0.0], [0.5, 0.0, 4.0]])
FORMATS = ["csr_array", "csc_array", "coo_array", "csr_matrix", "dia_array", "lil_array"]


@pytest.mark.parametrize("kind", FORMATS)
def test_products(check, kind):
    matrix = getattr(ss, kind)(A)
    for x in (draw(3), draw(3, 2), draw(3, 0)):
        if x.size:
            check(lambda x: ours.matmul(matrix, x * x), lambda x: A @ (x * x), [x], single=False)
        assert ours.matmul(matrix, x).shape == (A @ x).shape
    for x in (draw(2), draw(4, 2)):
        check(lambda x: ours.matmul(x * x, matrix), lambda x: (x * x) @ A, [x], single=False)


@pytest.mark.parametrize("kind", FORMATS)
def test_equations(check, kind):
    matrix = getattr(ss, kind)(SQUARE)
    for b in (draw(3), draw(3, 2)):
        check(lambda b: ours.spsolve(matrix, b * b), lambda b: spsolve(ss.csc_array(SQUARE), b * b), [b], single=False)
    assert ours.spsolve(matrix, draw(3, 1)).shape == (3, 1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtypes(dtype):
    matrix, x = ss.csr_array(SQUARE.astype(dtype)), leaf(draw(3), dtype)
    for out in (ours.matmul(matrix, x), ours.matmul(x, matrix), ours.spsolve(matrix, x)):
        assert (out.dtype, tg.grad(np.sum(out), x).dtype) == (dtype, dtype)
    whole = ss.csr_array(SQUARE.round().astype(int))
    assert ours.matmul(whole, x.data.astype(int)).dtype == float
    assert ours.spsolve(whole, leaf(draw(3))).dtype == float


MATRIX = ss.csr_array(A)
WRONG = [
    (lambda t: ours.matmul(MATRIX, t), ValueError, r"\(2, 3\) and \(2,\)"),
    (lambda t: ours.matmul(np.stack([t, t]), MATRIX.T), ValueError, r"\(2, 2\) and \(3, 2\)"),
    (lambda t: ours.matmul(t, t), TypeError, "one sparse matrix and one tensor"),
    (lambda t: ours.matmul(MATRIX * 1j, t), TypeError, "must be real"),
    (lambda t: ours.spsolve(np.eye(2), t), TypeError, r"np\.linalg\.solve"),
    (lambda t: ours.spsolve(MATRIX, t), ValueError, r"\(N, N\)"),
    (lambda t: ours.spsolve(ss.csc_array(np.ones((2, 2))), t), np.linalg.LinAlgError, "singular"),
    (lambda t: MATRIX.T @ t, TypeError, r"tensorgrad\.scipy\.sparse\.matmul\(A, t\)"),
    (lambda t: t @ MATRIX, TypeError, r"tensorgrad\.scipy\.sparse\.matmul\(t, x\)"),
]


@pytest.mark.parametrize(("f", "error", "words"), WRONG)
def test_bad_input(f, error, words):
    with pytest.raises(error, match=words) as caught:
        f(leaf([1.0, 2.0]))
    assert "\n" not in str(caught.value)
