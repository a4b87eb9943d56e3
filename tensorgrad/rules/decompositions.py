"""Factorizations of matrices: Cholesky, QR, eigenvalues and singular values. Leading axes are a batch.

A record has one result. A factorization with several packs them, flattened, along one last axis, and what takes NumPy's
place unpacks them again into NumPy's own result type.

Eigenvectors turn at a rate of 1 over the distance of their eigenvalues. Where two are equal, to rounding, a gradient
that does not ask how they turn is not disturbed by it; one that does is infinite. Eigenvalues and singular values by
themselves know nothing of this.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tensorgrad.rules.linalg import symmetric, t, without_gradient
from tensorgrad.table import implements, primitive, rule
from tensorgrad.tape import Array, value_of

cholesky = primitive(np.linalg.cholesky)
EighResult: Any = type(np.linalg.eigh(np.eye(1)))
SVDResult: Any = type(np.linalg.svd(np.eye(1)))
QRResult: Any = type(np.linalg.qr(np.eye(1)))


def pack(*parts: Array) -> Array:
    """Arrays with the same batch axes in one, each flattened along the last axis; the last of them are matrices."""
    batch = parts[-1].shape[:-2]
    flat = [np.reshape(part, (*batch, math.prod(part.shape[len(batch) :]))) for part in parts]
    return np.concatenate(flat, axis=-1)


def unpack(packed: Array, *cores: tuple[int, ...]) -> list[Array]:
    """Undo `pack`, given the shape of each part without the batch."""
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
rule(cholesky,           lambda g, ans, x: _cholesky_dx(g, ans))
rule(qr,                 lambda g, ans, x: _qr_dx(g, ans, *x.shape[-2:]))
rule(eigh,               lambda g, ans, x, *, UPLO="L": _eigh_dx(g, ans, x.shape[-1]))  # noqa: N803
rule(svd,                lambda g, ans, x: _svd_dx(g, ans, *x.shape[-2:]))
rule(np.linalg.eigvalsh, lambda g, ans, x, UPLO="L": _eigvalsh_dx(g, np.linalg.eigh(x, UPLO).eigenvectors))  # noqa: N803
rule(np.linalg.svdvals,  lambda g, ans, x: _svdvals_dx(g, *np.linalg.svd(x, full_matrices=False)))
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


def _eigh_dx(g: Array, ans: Array, n: int) -> Array:
    """Giles (2008), "Collected matrix derivative results"; symmetric, as the input is meant to be."""
    (w, v), (gw, gv) = unpack(ans, (n,), (n, n)), unpack(g, (n,), (n, n))
    return symmetric(v @ (_column(gw) * np.eye(n, dtype=ans.dtype) + _turning(t(v) @ gv, w)) @ t(v))


def _eigvalsh_dx(g: Array, v: Array) -> Array:
    return v * _row(g) @ t(v)


def _svd_dx(g: Array, ans: Array, m: int, n: int) -> Array:
    """Townsend (2016), "Differentiating the singular value decomposition": within its spaces, then beside them."""
    k = min(m, n)
    (u, s, vh), (gu, gs, gvh) = unpack(ans, (m, k), (k,), (k, n)), unpack(g, (m, k), (k,), (k, n))
    left, right = t(u) @ gu, vh @ t(gvh)
    turned_left, turned_right = _turning(left, s, squared=True), _turning(right, s, squared=True)
    out = u @ ((turned_left + t(turned_left)) * _row(s) + _column(s) * (turned_right + t(turned_right))) @ vh
    out = out + _svdvals_dx(gs, u, s, vh)
    none = _negligible(s, s)
    if m > k:
        out = out + _quotient(gu - u @ left, _row(s), _row(none)) @ vh
    if n > k:
        out = out + u @ _quotient(gvh - t(right) @ vh, _column(s), _column(none))
    return out


def _svdvals_dx(g: Array, u: Array, s: Array, vh: Array) -> Array:
    """No slope at 0, where singular values have a kink as a norm has."""
    return u * _row(g * np.sign(s)) @ vh


def _turning(x: Array, w: Array, squared: bool = False) -> Array:
    """``x_ij / (w_j - w_i)``, or of the squares; 0 on the diagonal."""
    distance = _row(w) - _column(w)
    equal = _negligible(distance, w)
    if squared:
        distance = distance * (_row(w) + _column(w))
    return _quotient(x * (1 - np.eye(w.shape[-1], dtype=w.dtype)), distance, equal)


def _negligible(x: Array, w: Array) -> Array:
    """Where ``x`` is within the rounding errors of eigenvalues or singular values ``w``."""
    largest = np.max(np.abs(value_of(w)), axis=-1, keepdims=True, initial=0)
    bound = w.shape[-1] * np.finfo(w.dtype).eps * largest
    return np.abs(value_of(x)) <= (bound if x.ndim == w.ndim else _column(bound))


def _quotient(x: Array, y: Array, zero: Array) -> Array:
    """``x / y``; where ``y`` counts as zero, 0 for no ``x`` at all, and infinite otherwise."""
    limit = np.where(value_of(x) == 0, 0, np.inf).astype(x.dtype)
    return np.where(zero, limit, x / np.where(zero, 1, y))


@implements(np.linalg.cholesky)
def _cholesky(a: Array, /, *, upper: bool = False) -> Array:
    return t(cholesky(t(a))) if upper else cholesky(a)


@implements(np.linalg.eigh)
def _eigh(a: Array, UPLO: Any = "L") -> Any:  # noqa: N803
    packed = eigh(a, UPLO=UPLO)
    n = np.shape(a)[-1]
    return EighResult(*unpack(packed, (n,), (n, n)))


@implements(np.linalg.svd)
def _svd(a: Array, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    if hermitian:
        return without_gradient(np.linalg.svd, a, "hermitian=True has no rule: write it with np.linalg.eigh.",
                                full_matrices=full_matrices, compute_uv=compute_uv, hermitian=True)  # fmt: skip
    if not compute_uv:
        return np.linalg.svdvals(a)
    m, n = np.shape(a)[-2:]
    if full_matrices and m != n:
        return without_gradient(
            np.linalg.svd, a, "the vectors that full_matrices=True adds are not determined by the matrix: pass "
                              "full_matrices=False, or compute_uv=False for singular values alone.")  # fmt: skip
    k = min(m, n)
    return SVDResult(*unpack(svd(a), (m, k), (k,), (k, n)))


@implements(np.linalg.qr)
def _qr(a: Array, mode: str = "reduced") -> Any:
    m, n = np.shape(a)[-2:]
    if mode not in ("reduced", "r") and not (mode == "complete" and m <= n):
        return without_gradient(np.linalg.qr, a, f"mode={mode!r} has no rule for a shape {np.shape(a)}: only the "
                                                 "columns of mode='reduced' are determined by the matrix.",
                                mode=mode)  # fmt: skip
    k = min(m, n)
    q, r = unpack(qr(a if n == k else a[..., :k]), (m, k), (k, k))
    if n > k:  # Q comes from the first columns alone, the others only turn with it
        r = np.concatenate([r, t(q) @ a[..., k:]], axis=-1)
    return r if mode == "r" else QRResult(q, r)
