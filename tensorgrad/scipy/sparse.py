"""Products of sparse matrices and tensors, and sparse systems of linear equations.

The sparse matrix is a constant, in any of SciPy's formats; the gradient flows to the tensor. Results are dense.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as ss
from scipy.sparse.linalg import splu

from tensorgrad.engine.registry import primitive, rule
from tensorgrad.engine.tape import Array
from tensorgrad.errors import ShapeError
from tensorgrad.functional.arguments import floating

__all__ = ["matmul", "spsolve"]

_TRANSPOSED = {"N": "T", "T": "N"}


@primitive
def _product(x: Array, *, matrix: Any) -> Array:
    return np.asarray(matrix @ x)


@primitive
def _solution(b: Array, *, factors: Any, trans: str) -> Array:
    return factors.solve(np.ascontiguousarray(b), trans)


# fmt: off
rule(_product,  lambda g, _ans, _x, *, matrix: _product(g, matrix=matrix.T))
rule(_solution, lambda g, _ans, _b, *, factors, trans: _solution(g, factors=factors, trans=_TRANSPOSED[trans]))
# fmt: on


def _matrix(x: Any) -> Any:
    if x.ndim != 2 or x.dtype.kind not in "fiub":
        raise TypeError(f"the sparse matrix must be real and have 2 axes, got {x.dtype} and {x.ndim} axes")
    return x.astype(float) if x.dtype.kind in "iub" else x


def matmul(A: Any, B: Any) -> Array:  # noqa: N803  (as in A @ t)
    """The product ``A @ B`` of a sparse matrix and a tensor, or of a tensor and a sparse matrix.

    ``(M, N)`` times ``(N,)`` or ``(N, K)`` is ``(M,)`` or ``(M, K)``; ``(M,)`` or ``(K, M)`` times ``(M, N)`` is
    ``(N,)`` or ``(K, N)``. The backward pass uses the transpose, which shares the memory of the matrix: do not write to
    the matrix before the backward pass. Raises ``TypeError`` unless exactly one of the two is sparse.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> A, t = csr_array([[0.0, 2.0], [3.0, 0.0]]), tg.Tensor([1.0, 10.0], requires_grad=True)
    >>> out = tg.scipy.sparse.matmul(A, t)
    >>> out.data, tg.grad(out[0], t)
    (array([20.,  3.]), array([0., 2.]))
    """
    if ss.issparse(A) == ss.issparse(B):
        raise TypeError(f"matmul takes one sparse matrix and one tensor, got {type(A).__name__} and {type(B).__name__}")
    left = ss.issparse(A)
    matrix, x = (_matrix(A), floating(B)) if left else (_matrix(B), floating(A))
    if x.ndim not in (1, 2) or x.shape[0 if left else -1] != matrix.shape[1 if left else 0]:
        raise ShapeError(f"matmul: shapes {A.shape} and {np.shape(x) if left else B.shape} do not match")
    return _product(x, matrix=matrix) if left else np.transpose(_product(np.transpose(x), matrix=matrix.T))


def spsolve(A: Any, b: Array) -> Array:  # noqa: N803  (SciPy's name)
    """The solution ``x`` of ``A @ x = b`` for a sparse matrix, as `scipy.sparse.linalg.spsolve`.

    ``A`` is ``(N, N)``; ``b`` and the solution are ``(N,)`` or ``(N, K)``. The gradient flows to ``b``. The matrix is
    factored once; the backward pass uses the same factors. Raises ``LinAlgError`` if it is singular.

    Examples
    --------
    >>> from scipy.sparse import csc_array
    >>> A, b = csc_array([[2.0, 0.0], [1.0, 4.0]]), tg.Tensor([2.0, 9.0], requires_grad=True)
    >>> x = tg.scipy.sparse.spsolve(A, b)
    >>> x.data, tg.grad(np.sum(x), b)
    (array([1., 2.]), array([0.375, 0.25 ]))
    """
    if not ss.issparse(A):
        raise TypeError(f"spsolve takes a sparse matrix, got {type(A).__name__}: use np.linalg.solve for dense ones")
    matrix, b = _matrix(A), floating(b)
    if matrix.shape[0] != matrix.shape[1] or b.ndim not in (1, 2) or b.shape[0] != matrix.shape[0]:
        raise ShapeError(f"spsolve takes shapes (N, N) and (N,) or (N, K), got {matrix.shape} and {b.shape}")
    dtype = np.result_type(matrix.dtype, b.dtype, np.float32)
    try:
        factors = splu(ss.csc_array(matrix).astype(dtype))
    except RuntimeError as error:
        raise np.linalg.LinAlgError("spsolve: the matrix is singular") from error
    return _solution(b.astype(dtype, copy=False), factors=factors, trans="N")


def __dir__() -> list[str]:
    return [*__all__, "__doc__"]
