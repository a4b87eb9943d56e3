"""Linear algebra: linear equations, inverses, determinants, powers, products. Leading axes are batch axes.

For factorizations (Cholesky, QR, eigenvalues, singular values) see `decompositions`.
"""

from __future__ import annotations

import functools
import itertools
import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tensorgrad.engine.registry import also_complex, implements, primitive, rule
from tensorgrad.engine.tape import Array, any_tracked, current_mode, value_of
from tensorgrad.errors import NoRuleError
from tensorgrad.frontend.dispatch import nondifferentiable

nondifferentiable(np.linalg.matrix_rank)

t = np.matrix_transpose
solve = primitive(np.linalg.solve)
pinv = primitive(np.linalg.pinv)


@functools.cache
def result_class(function: Callable[..., Any]) -> Any:
    """The class of the results of a function such as `numpy.linalg.eigh`, which NumPy does not export."""
    return type(function(np.eye(1)))


@primitive
def slogdet(x: Array) -> Array:
    """Sign and logarithm of the absolute value of the determinant, along a new last axis."""
    return np.stack(np.linalg.slogdet(x), axis=-1)


@primitive
def cofactors(x: Array, *changes: Array) -> Array:
    """The gradient of the determinant of a matrix of any rank, or its derivative in the directions ``changes``.

    The determinant is linear in each row, so that these are sums of minors. For a diagonal matrix with elements ``s``
    (the general case is reduced to it by the singular value decomposition), the derivative in ``m`` directions ``e`` is
    the sum over all distinct ``i_1 ... i_m`` and their permutations ``j`` of
    ``sign * p[i_1 ... i_m] * e_1[i_1, j_1] * ... * e_m[i_m, j_m]``, where ``p`` is the product of all other ``s``. The
    gradient is the factor of the last direction, which is therefore not an argument. It is NaN for a matrix that is not
    finite, of which LAPACK's decomposition may not end.
    """
    is_finite = np.isfinite(x).all(axis=(-2, -1), keepdims=True)
    u, s, vh = np.linalg.svd(np.where(is_finite, x, 0))
    changes = tuple(t(u) @ change @ t(vh) for change in changes)
    n, m = x.shape[-1], len(changes) + 1
    products = _products_of_others(s, m)
    labels = "abcdefghijklmnopqrstuvwxyz"[:m]
    out = np.zeros(np.broadcast_shapes(u.shape, *(change.shape for change in changes)), x.dtype)
    for order in itertools.permutations(range(m)):
        row, column = labels[-1], labels[order[-1]]
        factors = ["..." + labels, *(f"...{labels[k]}{labels[order[k]]}" for k in range(m - 1))]
        sign = np.linalg.det(np.eye(m)[list(order)])
        if row == column:
            term = np.einsum(",".join(factors) + "->..." + row, products, *changes)
            out[..., np.arange(n), np.arange(n)] += sign * term
        else:
            out += sign * np.einsum(",".join(factors) + "->..." + row + column, products, *changes)
    orientation = np.sign(np.linalg.det(u) * np.linalg.det(vh))  # 1 or -1
    return np.where(is_finite, np.expand_dims(orientation, (-1, -2)) * (u @ out @ vh), np.nan).astype(x.dtype)


def _products_of_others(s: Array, m: int) -> Array:
    """The products of all elements except ``m`` distinct ones, by the indices of those; 0 for equal indices."""
    n = s.shape[-1]
    at = np.indices((n,) * m)
    different = np.ones((n,) * m, bool)
    for j, k in itertools.combinations(range(m), 2):
        different &= at[j] != at[k]
    products = different * np.ones(1, s.dtype)
    for k in range(n):
        products = products * np.where((at == k).any(axis=0), 1, np.expand_dims(s[..., k], tuple(range(-m, 0))))
    return products


# fmt: off
rule(np.linalg.inv, lambda g, ans, _x: -t(ans) @ g @ t(ans))
rule(solve,         lambda g, ans, x, _y: -np.linalg.solve(t(x), g) @ t(ans),
                    lambda g, _ans, x, _y: np.linalg.solve(t(x), g))
rule(pinv,          lambda g, ans, x, *, rcond, hermitian: _pinv_dx(g, ans, x, hermitian))
rule(np.linalg.det, lambda g, ans, x: np.expand_dims(g, (-1, -2)) * _det_dx(ans, x))
rule(slogdet,       lambda g, ans, x: _logdet_dx(np.expand_dims(g[..., 1], (-1, -2)), ans, x))
rule(cofactors,     each=lambda g, _ans, i, x, *changes: cofactors(x, *changes[:max(i - 1, 0)], *changes[i:], g))
# fmt: on


def symmetric(x: Array) -> Array:
    """The symmetric part, ``(x + x.T) / 2``."""
    return 0.5 * (x + t(x))


def without_gradient(fn: Any, x: Array, why: str, **params: Any) -> Any:
    """Run a function on the values; raise `NoRuleError` if the argument requires a gradient."""
    if current_mode().recording and any_tracked(x):
        raise NoRuleError(f"np.linalg.{fn.__name__}: {why}")
    return fn(value_of(x), **params)


# ------------------------------------------------------------------------------------------------ determinants


def _det_dx(ans: Array, x: Array) -> Array:
    """Cofactors: ``det(x) * inv(x).T``; by singular values if the matrix is singular or ill-conditioned."""
    if np.all(value_of(ans) != 0):
        inverse = np.linalg.inv(x)
        condition = np.linalg.norm(value_of(x), axis=(-2, -1)) * np.linalg.norm(value_of(inverse), axis=(-2, -1))
        if not np.any(condition > np.finfo(x.dtype).eps ** -0.5):
            return np.expand_dims(ans, (-1, -2)) * t(inverse)
    return cofactors(x)


def _logdet_dx(g: Array, ans: Array, x: Array) -> Array:
    """``inv(x).T``; infinite for a singular matrix."""
    singular = np.expand_dims(np.isneginf(value_of(ans)[..., 1]), (-1, -2))
    if not singular.any():
        return g * t(np.linalg.inv(x))
    regular = np.where(singular, np.eye(x.shape[-1], dtype=x.dtype), x)
    infinite = 1 / np.square(0 * x)  # its derivative is NaN
    return np.where(singular, g * infinite, g * t(np.linalg.inv(regular)))


@implements(np.linalg.slogdet)
def _slogdet(a: Array) -> Any:
    packed = slogdet(a)
    return result_class(np.linalg.slogdet)(packed[..., 0], packed[..., 1])


# ------------------------------------------------------------------------------------------- equations and inverses


@implements(np.linalg.solve)
def _solve(a: Array, b: Array) -> Array:
    if np.ndim(b) == 1:  # one vector for the whole batch; otherwise b holds matrices
        return np.squeeze(solve(a, np.expand_dims(b, -1)), -1)
    return solve(a, b)


@implements(np.linalg.pinv)
def _pinv(a: Array, rcond: Any = None, hermitian: bool = False, *, rtol: Any = np._NoValue) -> Array:
    if rcond is not None and rtol is not np._NoValue:
        raise ValueError("pinv: pass rcond or rtol, not both")
    default = rcond is None and rtol is np._NoValue
    cut = 1e-15 if default else rtol if rcond is None else rcond
    rounding = max(np.shape(a)[-2:]) * np.finfo(np.result_type(a.dtype, np.float32)).eps
    cut = rounding if cut is None else value_of(cut)
    if default or np.all(cut <= rounding):
        return pinv(a, rcond=cut, hermitian=hermitian)
    singular_values = np.abs(np.linalg.eigvalsh(value_of(a))) if hermitian else np.linalg.svdvals(value_of(a))
    largest = np.max(singular_values, axis=-1, keepdims=True, initial=0)
    dropped = singular_values <= np.expand_dims(cut, -1) * largest
    if not np.any(dropped & (singular_values > rounding * largest)):  # only zeros are dropped
        return pinv(a, rcond=cut, hermitian=hermitian)
    if hermitian:
        s, u = np.linalg.eigh(a)
        vh = t(u)
    else:
        u, s, vh = np.linalg.svd(a, full_matrices=False)
    return t(vh * np.expand_dims(np.where(dropped, 0, 1 / np.where(dropped, 1, s)), -1)) @ t(u)


def _pinv_dx(g: Array, ans: Array, x: Array, hermitian: bool) -> Array:
    """Golub and Pereyra (1973), "The differentiation of pseudo-inverses": for changes that preserve the rank."""
    if hermitian:
        x = np.tril(x) + t(np.tril(x, -1))  # NumPy reads the lower triangle
    g = t(g)
    across, along = t(ans) @ ans, ans @ t(ans)
    out = (g - x @ (ans @ g)) @ along + across @ (g - (g @ ans) @ x) - t(ans) @ t(g) @ t(ans)
    return symmetric(out) if hermitian else out


@implements(np.linalg.lstsq)
def lstsq(a: Array, b: Array, rcond: float | None = None) -> tuple[Array, Array, int, Array]:
    """The shortest ``x`` that minimizes ``|a @ x - b|``, squared residuals, and rank and singular values of ``a``."""
    if np.ndim(a) != 2 or np.ndim(b) not in (1, 2):
        raise np.linalg.LinAlgError(
            f"lstsq: a must be a matrix and b a vector or matrix, got {np.ndim(a)} and {np.ndim(b)} axes"
        )
    m, n = np.shape(a)
    s = np.linalg.svdvals(a)
    eps = float(np.finfo(s.dtype).eps)
    cut = eps * max(m, n) if rcond is None else rcond if 0 < rcond < 1 else eps  # as LAPACK does
    x = np.linalg.pinv(a, rcond=cut) @ b
    rank = int(np.count_nonzero(value_of(s) > cut * np.max(value_of(s), initial=0)))
    distance = np.atleast_1d(np.sum(np.square(b - a @ x), axis=0))
    return x, distance if rank == n < m else distance[:0], rank, s


@implements(np.linalg.tensorinv)
def tensorinv(a: Array, ind: int = 2) -> Array:
    """The inverse with respect to ``tensordot``: that of the matrix whose rows are the first ``ind`` axes."""
    if ind <= 0:
        raise ValueError(f"tensorinv: ind must be positive, got {ind}")
    n = math.prod(a.shape[ind:])
    return np.reshape(np.linalg.inv(np.reshape(a, (n, a.size // max(n, 1)))), a.shape[ind:] + a.shape[:ind])


@implements(np.linalg.tensorsolve)
def tensorsolve(a: Array, b: Array, axes: Sequence[int] | None = None) -> Array:
    """The ``x`` of ``tensordot(a, x, x.ndim) == b``; ``axes`` of ``a`` are first moved to its end."""
    if axes is not None:
        last = [range(np.ndim(a))[i] for i in axes]
        a = np.transpose(a, [i for i in range(np.ndim(a)) if i not in last] + last)
    shape = np.shape(a)[np.ndim(b) :]
    n = math.prod(shape)
    if np.size(b) != n or np.size(a) != n * n:
        raise np.linalg.LinAlgError(f"tensorsolve: a of shape {np.shape(a)} does not match b of shape {np.shape(b)}: "
                                    "it must be reshapeable to a square matrix")  # fmt: skip
    return np.reshape(np.linalg.solve(np.reshape(a, (n, n)), np.ravel(b)), shape)


@implements(np.linalg.cond)
def cond(x: Array, p: Any = None) -> Array:
    """The condition number ``norm(x, p) * norm(inv(x), p)``; for the 2-norm, a ratio of singular values."""
    values = value_of(x)
    with np.errstate(divide="ignore", invalid="ignore"):
        if p is None or p in (2, -2):
            s = np.linalg.svdvals(x)
            out = s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
        else:
            singular = np.linalg.slogdet(values).sign == 0
            regular = np.where(np.expand_dims(singular, (-1, -2)), np.eye(x.shape[-1], dtype=x.dtype), x)
            inverse = np.linalg.norm(np.linalg.inv(regular), p, axis=(-2, -1))
            out = np.linalg.norm(x, p, axis=(-2, -1)) * np.where(singular, np.inf, inverse)
        undefined = np.isnan(value_of(out)) & ~np.isnan(values).any(axis=(-2, -1))  # 0 / 0, for a matrix of zeros
    return np.where(undefined, np.inf, out) if undefined.any() else out


# ------------------------------------------------------------------------------------------------------- products


@implements(np.linalg.matrix_power)
def matrix_power(a: Array, n: int) -> Array:
    """The product of ``n`` factors ``a``, by repeated squaring; for negative ``n``, of the inverse."""
    n = operator.index(n)
    if np.ndim(a) < 2 or a.shape[-1] != a.shape[-2]:
        raise np.linalg.LinAlgError(f"matrix_power: the matrices must be square, got shape {np.shape(a)}")
    if n == 0:
        return np.where(True, np.eye(a.shape[-1], dtype=a.dtype), a)
    if n < 0:
        a, n = np.linalg.inv(a), -n
    power = None
    while True:
        if n % 2:
            power = a if power is None else np.matmul(power, a)
        n //= 2
        if not n:
            return power
        a = np.matmul(a, a)


@implements(np.linalg.multi_dot)
def multi_dot(arrays: Sequence[Array]) -> Array:
    """The product of matrices, in the order with the fewest multiplications; the first and last may be vectors."""
    ndims, last = [np.ndim(x) for x in arrays], len(arrays) - 1
    if last < 1:
        raise ValueError(f"multi_dot: at least two arrays are required, got {len(arrays)}")
    if set(ndims[1:-1]) - {2} or {ndims[0], ndims[-1]} - {1, 2}:
        raise np.linalg.LinAlgError(f"multi_dot: arrays must be matrices, or vectors at the ends, got {ndims} axes")
    lengths = [np.shape(arrays[0])[0] if ndims[0] == 2 else 1, *(np.shape(x)[-1] for x in arrays)]
    lengths[-1] = lengths[-1] if ndims[-1] == 2 else 1
    best = {(i, i): (0, i) for i in range(last + 1)}  # arrays i to j: number of multiplications, end of the left part
    for width in range(1, last + 1):
        for i in range(last + 1 - width):
            j = i + width
            best[i, j] = min(
                (best[i, k][0] + best[k + 1, j][0] + lengths[i] * lengths[k + 1] * lengths[j + 1], k)
                for k in range(i, j)
            )
    return _multiply(arrays, best, 0, last)


def _multiply(arrays: Sequence[Array], best: dict[tuple[int, int], tuple[int, int]], i: int, j: int) -> Array:
    if i == j:
        return arrays[i]
    split = best[i, j][1]
    return np.matmul(_multiply(arrays, best, i, split), _multiply(arrays, best, split + 1, j))


@implements(np.linalg.matrix_transpose)
def _matrix_transpose(x: Array, /) -> Array:
    return np.matrix_transpose(x)


@implements(np.linalg.diagonal)
def _diagonal(x: Array, /, *, offset: int = 0) -> Array:
    return np.diagonal(x, offset, axis1=-2, axis2=-1)


@implements(np.linalg.trace)
def _trace(x: Array, /, *, offset: int = 0, dtype: Any = None) -> Array:
    return np.trace(x, offset, axis1=-2, axis2=-1, dtype=dtype)


@implements(np.linalg.eig)
def _eig(a: Array) -> Any:
    return without_gradient(np.linalg.eig, a, _COMPLEX)


@implements(np.linalg.eigvals)
def _eigvals(a: Array) -> Any:
    return without_gradient(np.linalg.eigvals, a, _COMPLEX)


_COMPLEX = ("there is no gradient rule for the eigenvalues of a general matrix, which are complex. For a symmetric "
            "matrix write np.linalg.eigh or eigvalsh; if no gradient is needed, pass t.detach().")  # fmt: skip


also_complex(
    np.linalg.inv, solve, np.linalg.solve, np.linalg.tensorinv, np.linalg.tensorsolve, np.linalg.matrix_power,
    np.linalg.multi_dot, np.linalg.matrix_transpose, np.linalg.diagonal, np.linalg.trace,
)  # fmt: skip
