"""Factorizations of matrices: Cholesky, QR, eigenvalues and singular values. Leading axes are batch axes.

A record has one result. A factorization with several results packs them, flattened, along the last axis; the function
that replaces NumPy's unpacks them into NumPy's result type.

The derivative of eigenvectors is proportional to 1 over the difference of their eigenvalues. If two eigenvalues are
equal to within rounding, gradients that depend on the individual eigenvectors are infinite; others are not affected,
nor are gradients of the eigenvalues and singular values alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from tensorgrad.engine.registry import implements, primitive, rule
from tensorgrad.engine.tape import Array, value_of
from tensorgrad.rules.kinks import abs_slope
from tensorgrad.rules.linalg import result_class, symmetric, t, without_gradient

cholesky = primitive(np.linalg.cholesky)


def pack(*parts: Array) -> Array:
    """Concatenate arrays with the same batch axes, each flattened along the last axis. The last one is of matrices."""
    batch = parts[-1].shape[:-2]
    flat = [np.reshape(part, (*batch, math.prod(part.shape[len(batch) :]))) for part in parts]
    return np.concatenate(flat, axis=-1)


def unpack(packed: Array, *cores: tuple[int, ...]) -> list[Array]:
    """The inverse of `pack`, given the shape of each part without the batch axes."""
    parts, start = [], 0
    for core in cores:
        stop = start + math.prod(core)
        parts.append(np.reshape(packed[..., start:stop], (*packed.shape[:-1], *core)))
        start = stop
    return parts


@primitive
def eigh(x: Array, *, UPLO: Any = "L") -> Array:  # noqa: N803  (NumPy's name)
    """Eigenvalues (n,) and eigenvectors (n, n) of symmetric matrices, packed."""
    return pack(*np.linalg.eigh(x, UPLO))


@primitive
def svd(x: Array) -> Array:
    """Compact singular value decomposition, packed: U (m, k), S (k,), Vh (k, n)."""
    return pack(*np.linalg.svd(x, full_matrices=False))


@primitive
def qr(x: Array) -> Array:
    """Q (m, n) and R (n, n) of matrices with m >= n, packed."""
    return pack(*np.linalg.qr(x))


# fmt: off
rule(cholesky,           lambda g, ans, _x: _cholesky_dx(g, ans))
rule(qr,                 lambda g, ans, _x: _qr_dx(g, ans, *_x.shape[-2:]))
rule(eigh,               together=lambda g, ans, needed, _x, *, UPLO="L":  # noqa: N803
                             {0: _eigh_dx(g, ans, _x.shape[-1], needed.used)})
rule(svd,                together=lambda g, ans, needed, _x: {0: _svd_dx(g, ans, _x.shape, needed.used)})
rule(np.linalg.eigvalsh, lambda g, _ans, x, UPLO="L": _eigvalsh_dx(g, np.linalg.eigh(x, UPLO).eigenvectors))  # noqa: N803
rule(np.linalg.svdvals,  lambda g, _ans, x: _svdvals_dx(g, *np.linalg.svd(x, full_matrices=False)))
# fmt: on


def _row(x: Array) -> Array:
    return np.expand_dims(x, -2)


def _column(x: Array) -> Array:
    return np.expand_dims(x, -1)


def _cholesky_dx(g: Array, ans: Array) -> Array:
    """Murray (2016), "Differentiation of the Cholesky decomposition"."""
    n = ans.shape[-1]
    inner = (t(ans) @ g) * (np.tri(n, dtype=ans.dtype) - 0.5 * np.eye(n, dtype=ans.dtype))
    half = np.linalg.solve(t(ans), inner)
    return symmetric(np.linalg.solve(t(ans), t(half)))


def _qr_dx(g: Array, ans: Array, m: int, n: int) -> Array:
    """Walter and Lehmann (2010), "Algorithmic differentiation of linear algebra functions"."""
    (q, r), (gq, gr) = unpack(ans, (m, n), (n, n)), unpack(g, (m, n), (n, n))
    lower = np.tri(n, dtype=ans.dtype)
    inner = r @ t(gr) - t(gq) @ q
    mirrored = inner * lower + t(inner * (lower - np.eye(n, dtype=ans.dtype)))
    return t(np.linalg.solve(r, t(gq + q @ mirrored)))


def _eigh_dx(g: Array, ans: Array, n: int, used: Callable[[], Any]) -> Array:
    """Giles (2008), "Collected matrix derivative results". The gradient is symmetric, as the input is."""
    (w, v), (gw, gv) = unpack(ans, (n,), (n, n)), unpack(g, (n,), (n, n))
    difference = _row(w) - _column(w)
    equal = _clear_diagonal(_negligible(difference, w))
    used_vectors = _used_parts(used, equal.any(), w, (n,), (n, n))[1].any(axis=-2)
    rotation = _off_diagonal_quotient(t(v) @ gv, difference, equal, _row(used_vectors))
    return symmetric(v @ (_column(gw) * np.eye(n, dtype=ans.dtype) + rotation) @ t(v))


def _eigvalsh_dx(g: Array, v: Array) -> Array:
    return v * _row(g) @ t(v)


def _svd_dx(g: Array, ans: Array, shape: tuple[int, ...], used: Callable[[], Any]) -> Array:
    """Townsend (2016), "Differentiating the singular value decomposition".

    First the part inside the spaces that the singular vectors span, then the parts orthogonal to them.
    """
    *_, m, n = shape
    k = min(m, n)
    (u, s, vh), (gu, gs, gvh) = unpack(ans, (m, k), (k,), (k, n)), unpack(g, (m, k), (k,), (k, n))
    difference = _row(s) - _column(s)
    equal, zero = _clear_diagonal(_negligible(difference, s)), _negligible(s, s)
    difference = difference * (_row(s) + _column(s))  # of the squares
    used_parts = _used_parts(used, equal.any() or zero.any(), s, (m, k), (k,), (k, n))
    used_u, used_vh = used_parts[0].any(axis=-2), used_parts[2].any(axis=-1)
    left, right = t(u) @ gu, vh @ t(gvh)
    by_left = _off_diagonal_quotient(left, difference, equal, _row(used_u))
    by_right = _off_diagonal_quotient(right, difference, equal, _row(used_vh))
    out = u @ ((by_left + t(by_left)) * _row(s) + _column(s) * (by_right + t(by_right))) @ vh
    out = out + u * _row(gs * _slope_of_values(gs, s, used_u, used_vh)) @ vh
    if m > k:
        out = out + _quotient(gu - u @ left, _row(s), _row(zero), _row(used_u)) @ vh
    if n > k:
        out = out + u @ _quotient(gvh - t(right) @ vh, _column(s), _column(zero), _column(used_vh))
    return out


def _slope_of_values(g: Array, s: Array, used_u: Any, used_vh: Any) -> Array:
    """1 for positive singular values; 0 for those that are 0, which have a kink there, as a norm has.

    If the vectors are used as well, as in ``(U * s) @ Vh``, the product is smooth: a value that passes through 0
    changes its sign if one of its vectors does. The slope is then 1. If only the vectors of one side are used, it is
    unknown.
    """
    zero = value_of(s) == 0
    if not zero.any():
        return abs_slope(s)
    unknown = (used_u != used_vh) & (value_of(g) != 0)
    return np.where(zero & (used_u & used_vh | unknown), np.where(unknown, np.nan, 1).astype(s.dtype), abs_slope(s))


def _svdvals_dx(g: Array, u: Array, s: Array, vh: Array) -> Array:
    """The gradient is 0 for singular values of 0."""
    return u * _row(g * abs_slope(s)) @ vh


def _used_parts(used: Callable[[], Any], degenerate: Any, w: Array, *cores: tuple[int, ...]) -> list[Any]:
    """Which elements of the parts of a result are used. It is only determined if some values are ``degenerate``."""
    if not degenerate:
        return [np.zeros((*w.shape[:-1], *core), bool) for core in cores]
    return unpack(used(), *cores)


def _negligible(x: Array, w: Array) -> Any:
    """Where ``x`` is within the rounding error of the eigenvalues or singular values ``w``."""
    largest = np.max(np.abs(value_of(w)), axis=-1, keepdims=True, initial=0)
    bound = w.shape[-1] * np.finfo(w.dtype).eps * largest
    return np.abs(value_of(x)) <= (bound if x.ndim == w.ndim else _column(bound))


def _clear_diagonal(mask: Any) -> Any:
    """The mask with False on the diagonal."""
    return mask & ~np.eye(mask.shape[-1], dtype=bool)


def _off_diagonal_quotient(x: Array, difference: Array, equal: Any, used: Any) -> Array:
    """``x / difference`` off the diagonal, 0 on it; see `_quotient`."""
    diagonal = np.eye(equal.shape[-1], dtype=bool)
    return _quotient(x, difference, equal | diagonal, used & ~diagonal)


def _quotient(x: Array, y: Array, zero: Any, used: Any) -> Array:
    """``x / y``; where ``zero`` is true, infinite or NaN for elements that are used, and 0 for others."""
    return np.where(zero & ~used, 0, x / np.where(zero, 0, y))


@implements(np.linalg.cholesky)
def _cholesky(a: Array, /, *, upper: bool = False) -> Array:
    return t(cholesky(t(a))) if upper else cholesky(a)


@implements(np.linalg.eigh)
def _eigh(a: Array, UPLO: Any = "L") -> Any:  # noqa: N803
    packed = eigh(a, UPLO=UPLO)
    n = np.shape(a)[-1]
    return result_class(np.linalg.eigh)(*unpack(packed, (n,), (n, n)))


@implements(np.linalg.svd)
def _svd(a: Array, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    if hermitian:
        return without_gradient(np.linalg.svd, a, "hermitian=True has no gradient rule: write it with np.linalg.eigh.",
                                full_matrices=full_matrices, compute_uv=compute_uv, hermitian=True)  # fmt: skip
    if not compute_uv:
        return np.linalg.svdvals(a)
    m, n = np.shape(a)[-2:]
    if full_matrices and m != n:
        return without_gradient(
            np.linalg.svd, a, "the vectors that full_matrices=True adds are not determined by the matrix: pass "
                              "full_matrices=False, or compute_uv=False for the singular values only.")  # fmt: skip
    k = min(m, n)
    return result_class(np.linalg.svd)(*unpack(svd(a), (m, k), (k,), (k, n)))


@implements(np.linalg.qr)
def _qr(a: Array, mode: str = "reduced") -> Any:
    m, n = np.shape(a)[-2:]
    if mode not in ("reduced", "r") and not (mode == "complete" and m <= n):
        return without_gradient(np.linalg.qr, a, f"mode={mode!r} has no gradient rule for shape {np.shape(a)}: only "
                                                 "the columns of mode='reduced' are determined by the matrix.",
                                mode=mode)  # fmt: skip
    k = min(m, n)
    q, r = unpack(qr(a if n == k else a[..., :k]), (m, k), (k, k))
    if n > k:  # Q depends on the first k columns only; the others are expressed in it
        r = np.concatenate([r, t(q) @ a[..., k:]], axis=-1)
    return r if mode == "r" else result_class(np.linalg.qr)(q, r)
