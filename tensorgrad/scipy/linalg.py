"""Functions of `scipy.linalg`: triangular and Cholesky solvers, functions of matrices, the Sylvester equation.

Leading axes are batch axes, and those of several inputs are broadcast. Rules follow Giles (2008), "An extended
collection of matrix derivative results". They use functions of this module, so that derivatives exist to any order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg as sl

from tensorgrad.engine.registry import primitive, rule
from tensorgrad.engine.tape import Array, value_of
from tensorgrad.errors import ShapeError
from tensorgrad.functional.arguments import check_choice, floating

__all__ = ["block_diag", "cho_factor", "cho_solve", "expm", "solve_sylvester", "solve_triangular", "sqrtm"]

t = np.matrix_transpose


def _square(name: str, x: Any) -> Array:
    """``x`` as floating-point square matrices ``(..., N, N)``; raises if it is not."""
    x = floating(x)
    if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
        raise ShapeError(f"{name} must be square matrices, (..., N, N), got shape {x.shape}")
    return x


def _columns(name: str, a: Array, b: Any) -> tuple[Array, bool]:
    """A right-hand side as matrices ``(..., N, K)``, and whether it was a vector ``(N,)``."""
    b = floating(b)
    is_vector = b.ndim == 1
    b = np.expand_dims(b, -1) if is_vector else b
    if b.ndim < 2 or b.shape[-2] != a.shape[-1]:
        raise ShapeError(f"{name} must be (N,) or (..., N, K) with N = {a.shape[-1]}, got shape {floating(b).shape}")
    return b, is_vector


def _each(fn: Callable[..., Any], signature: str, *arrays: Array) -> Array:
    """Apply a function of single matrices to each matrix of a batch."""
    if all(x.ndim == 2 for x in arrays):
        return fn(*arrays)
    return np.vectorize(fn, otypes=[np.result_type(*arrays)], signature=signature)(*arrays)


# ------------------------------------------------------------------------------------------- triangular matrices


@primitive
def _triangular(a: Array, b: Array, *, lower: bool, unit_diagonal: bool) -> Array:
    def solve(a: Array, b: Array) -> Array:
        return sl.solve_triangular(a, b, lower=lower, unit_diagonal=unit_diagonal)

    return _each(solve, "(n,n),(n,k)->(n,k)", a, b)


def _triangular_db(g: Array, a: Array, lower: bool, unit_diagonal: bool) -> Array:
    return _triangular(t(a), g, lower=not lower, unit_diagonal=unit_diagonal)


def _triangular_da(g: Array, ans: Array, a: Array, lower: bool, unit_diagonal: bool) -> Array:
    """The gradient of ``a``: 0 outside the triangle that is read."""
    full = -_triangular_db(g, a, lower, unit_diagonal) @ t(ans)
    return np.tril(full, -int(unit_diagonal)) if lower else np.triu(full, int(unit_diagonal))


# fmt: off
rule(_triangular, lambda g, ans, a, _b, *, lower, unit_diagonal: _triangular_da(g, ans, a, lower, unit_diagonal),
                  lambda g, _ans, a, _b, *, lower, unit_diagonal: _triangular_db(g, a, lower, unit_diagonal))
# fmt: on


def solve_triangular(a: Array, b: Array, trans: Any = 0, lower: bool = False, unit_diagonal: bool = False) -> Array:
    """The solution ``x`` of ``a @ x = b`` for a triangular ``a``, as `scipy.linalg.solve_triangular`.

    ``a`` is ``(..., N, N)``, and only one triangle of it is read; ``b`` and ``x`` are ``(N,)`` or ``(..., N, K)``.
    ``trans=1`` or ``"T"`` solves with the transpose. Raises ``LinAlgError`` for a singular matrix.

    Examples
    --------
    >>> a, b = np.array([[2.0, 0.0], [1.0, 4.0]]), tg.Tensor([2.0, 9.0], requires_grad=True)
    >>> x = tg.scipy.linalg.solve_triangular(a, b, lower=True)
    >>> x.data, tg.grad(np.sum(x), b)
    (array([1., 2.]), array([0.375, 0.25 ]))
    """
    check_choice("trans", str(trans), ("0", "1", "2", "N", "T", "C"))
    a = _square("a", a)
    b, is_vector = _columns("b", a, b)
    if trans not in (0, "N"):
        a, lower = t(a), not lower
    x = _triangular(a, b, lower=bool(lower), unit_diagonal=bool(unit_diagonal))
    return np.squeeze(x, -1) if is_vector else x


def cho_factor(a: Array, lower: bool = False) -> tuple[Array, bool]:
    """The Cholesky factor ``c`` of a positive definite matrix, and ``lower``, as `scipy.linalg.cho_factor`.

    ``a`` is ``(..., N, N)``; only its upper triangle (or its lower one, with ``lower``) is read. The other triangle of
    ``c`` is 0, whereas in SciPy it has arbitrary values. Raises ``LinAlgError`` if a matrix is not positive definite.

    Examples
    --------
    >>> a = tg.Tensor([[4.0, 2.0], [2.0, 5.0]], requires_grad=True)
    >>> c, lower = tg.scipy.linalg.cho_factor(a)
    >>> c.data
    array([[2., 1.],
           [0., 2.]])
    """
    a = _square("a", a)
    return (np.linalg.cholesky(a), True) if lower else (t(np.linalg.cholesky(t(a))), False)


def cho_solve(c_and_lower: tuple[Array, bool], b: Array) -> Array:
    """The solution of ``a @ x = b``, given the result of `cho_factor` for ``a``, as `scipy.linalg.cho_solve`.

    ``b`` and the solution are ``(N,)`` or ``(..., N, K)``.

    Examples
    --------
    >>> a, b = np.array([[4.0, 2.0], [2.0, 5.0]]), tg.Tensor([6.0, 7.0], requires_grad=True)
    >>> tg.scipy.linalg.cho_solve(tg.scipy.linalg.cho_factor(a), b).data
    array([1., 1.])
    """
    c, lower = c_and_lower
    half = solve_triangular(c, b, trans=0 if lower else 1, lower=lower)
    return solve_triangular(c, half, trans=1 if lower else 0, lower=lower)


def block_diag(*arrs: Array) -> Array:
    """A block diagonal matrix, as `scipy.linalg.block_diag`.

    Each block is ``(..., M, N)``, or a vector, which is one row. The result is (sum of all ``M``, sum of all ``N``).

    Examples
    --------
    >>> t = tg.Tensor([[3.0]], requires_grad=True)
    >>> tg.scipy.linalg.block_diag(np.ones((1, 2)), t).data
    array([[1., 1., 0.],
           [0., 0., 3.]])
    """
    blocks = [np.atleast_2d(floating(x)) for x in arrs] or [np.zeros((1, 0))]
    widths = [x.shape[-1] for x in blocks]
    batch = np.broadcast_shapes(*(x.shape[:-2] for x in blocks))
    rows, before = [], 0
    for x, width in zip(blocks, widths, strict=True):
        around = [(0, 0)] * len(batch) + [(0, 0), (before, sum(widths) - before - width)]
        rows.append(np.pad(np.broadcast_to(x, (*batch, *x.shape[-2:])), around))
        before += width
    return np.concatenate(rows, axis=-2)


# ------------------------------------------------------------------------------------------- functions of matrices


@primitive
def _expm(a: Array) -> Array:
    return sl.expm(a)


def _expm_da(g: Array, a: Array) -> Array:
    """The derivative of ``expm`` at the transpose in the direction ``g``: a block of a larger exponential.

    Source: Van Loan, "Computing integrals involving the matrix exponential", 1978.
    """
    size = np.max(np.abs(value_of(g)), axis=(-2, -1), keepdims=True, initial=0)
    size = np.where((size > 0) & np.isfinite(size), size, 1)  # the result is linear in g: normalize it for expm
    n = a.shape[-1]
    above = np.concatenate([t(a), np.broadcast_to(g / size, a.shape)], axis=-1)
    below = np.concatenate([np.zeros_like(value_of(a)), t(a)], axis=-1)
    return expm(np.concatenate([above, below], axis=-2))[..., :n, n:] * size


rule(_expm, lambda g, _ans, a: _expm_da(g, a))


def expm(A: Array) -> Array:  # noqa: N803  (SciPy's name)
    """The exponential of square matrices ``(..., N, N)``, as `scipy.linalg.expm`.

    The gradient is the Fréchet derivative at the transpose: Al-Mohy and Higham (2009).

    Examples
    --------
    >>> a = tg.Tensor([[0.0, 1.0], [0.0, 0.0]], requires_grad=True)
    >>> out = tg.scipy.linalg.expm(a)
    >>> out.data, tg.grad(out[0, 1], a)
    (array([[1., 1.],
           [0., 1.]]), array([[0.5   , 1.    ],
           [0.1667, 0.5   ]]))
    """
    return _expm(_square("A", A))


@primitive
def _sqrtm(a: Array) -> Array:
    def root(a: Array) -> Array:
        out = sl.sqrtm(a)
        if np.iscomplexobj(out):
            if np.any(np.abs(out.imag) > 100 * np.finfo(a.dtype).eps * np.max(np.abs(out), initial=0)):
                raise ValueError("sqrtm: a matrix with a negative eigenvalue has no real square root")
            out = out.real
        return out.astype(a.dtype, copy=False)

    return _each(root, "(n,n)->(n,n)", a)


def sqrtm(A: Array) -> Array:  # noqa: N803  (SciPy's name)
    """The principal square root ``X`` of matrices ``(..., N, N)``, with ``X @ X = A``, as `scipy.linalg.sqrtm`.

    The root must be real, as it is for positive definite matrices, for example. The gradient is the solution of a
    Sylvester equation; it raises ``LinAlgError`` at a singular matrix. Raises ``ValueError`` if the root is complex.

    Examples
    --------
    >>> a = tg.Tensor([[4.0, 0.0], [0.0, 9.0]], requires_grad=True)
    >>> x = tg.scipy.linalg.sqrtm(a)
    >>> x.data, tg.grad(np.sum(x), a)
    (array([[2., 0.],
           [0., 3.]]), array([[0.25  , 0.2   ],
           [0.2   , 0.1667]]))
    """
    return _sqrtm(_square("A", A))


@primitive
def _sylvester(a: Array, b: Array, q: Array) -> Array:
    return _each(_bartels_stewart, "(m,m),(n,n),(m,n)->(m,n)", a, b, q)


def _bartels_stewart(a: Array, b: Array, q: Array) -> Array:
    """`scipy.linalg.solve_sylvester`, which returns huge numbers where there is no solution; here, an error."""
    r, u = sl.schur(a)
    s, v = sl.schur(b.T)
    (solve,) = sl.get_lapack_funcs(("trsyl",), (r, s))
    y, scale, info = solve(r, s, u.T @ q @ v, tranb="T")
    if info:
        raise np.linalg.LinAlgError(
            "solve_sylvester: an eigenvalue of a is the negative of one of b, so that the equation has no unique "
            "solution; the gradient of sqrtm, which solves such an equation, does not exist at a singular matrix"
        )
    return u @ (scale * y) @ v.T


# fmt: off
rule(_sqrtm,     lambda g, ans, _a: _sylvester(t(ans), t(ans), g))
rule(_sylvester, lambda g, ans, a, b, _q: -_sylvester(t(a), t(b), g) @ t(ans),
                 lambda g, ans, a, b, _q: -t(ans) @ _sylvester(t(a), t(b), g),
                 lambda g, _ans, a, b, _q: _sylvester(t(a), t(b), g))
# fmt: on


def solve_sylvester(a: Array, b: Array, q: Array) -> Array:
    """The solution ``X`` of ``a @ X + X @ b = q``, as `scipy.linalg.solve_sylvester`.

    ``a`` is ``(..., M, M)``, ``b`` is ``(..., N, N)``, ``q`` and the solution are ``(..., M, N)``. Raises
    ``LinAlgError`` if an eigenvalue of ``a`` is the negative of an eigenvalue of ``b``. Source: Bartels and Stewart
    (1972).

    Examples
    --------
    >>> a, b, q = np.diag([1.0, 2.0]), np.array([[3.0]]), tg.Tensor([[4.0], [10.0]], requires_grad=True)
    >>> x = tg.scipy.linalg.solve_sylvester(a, b, q)
    >>> x.data.T, tg.grad(np.sum(x), q).T
    (array([[1., 2.]]), array([[0.25, 0.2 ]]))
    """
    a, b, q = _square("a", a), _square("b", b), floating(q)
    if q.shape[-2:] != (a.shape[-1], b.shape[-1]):
        raise ShapeError(f"q must be (..., M, N) with M = {a.shape[-1]} and N = {b.shape[-1]}, got shape {q.shape}")
    return _sylvester(a, b, q)


def __dir__() -> list[str]:
    return [*__all__, "__doc__"]
