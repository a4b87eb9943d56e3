"""Factorizations of matrices: Cholesky, QR, eigenvalues and singular values. Leading axes are a batch.

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
from tensorgrad.rules.kinks import side
from tensorgrad.rules.linalg import symmetric, t, without_gradient

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
    """Giles (2008), "Collected matrix derivative results"; symmetric, as the input is meant to be."""
    (w, v), (gw, gv) = unpack(ans, (n,), (n, n)), unpack(g, (n,), (n, n))
    distance = _row(w) - _column(w)
    equal = _pairs(_negligible(distance, w))
    asked = _asked(used, equal.any(), w, (n,), (n, n))[1].any(axis=-2)
    turned = _turning(t(v) @ gv, distance, equal, _row(asked))
    return symmetric(v @ (_column(gw) * np.eye(n, dtype=ans.dtype) + turned) @ t(v))


def _eigvalsh_dx(g: Array, v: Array) -> Array:
    return v * _row(g) @ t(v)


def _svd_dx(g: Array, ans: Array, shape: tuple[int, ...], used: Callable[[], Any]) -> Array:
    """Townsend (2016), "Differentiating the singular value decomposition": within its spaces, then beside them."""
    *_, m, n = shape
    k = min(m, n)
    (u, s, vh), (gu, gs, gvh) = unpack(ans, (m, k), (k,), (k, n)), unpack(g, (m, k), (k,), (k, n))
    distance = _row(s) - _column(s)
    equal, none = _pairs(_negligible(distance, s)), _negligible(s, s)
    distance = distance * (_row(s) + _column(s))
    asked_u, _, asked_vh = _asked(used, equal.any() or none.any(), s, (m, k), (k,), (k, n))
    by_u, by_vh = asked_u.any(axis=-2), asked_vh.any(axis=-1)
    left, right = t(u) @ gu, vh @ t(gvh)
    turned_left = _turning(left, distance, equal, _row(by_u))
    turned_right = _turning(right, distance, equal, _row(by_vh))
    out = u @ ((turned_left + t(turned_left)) * _row(s) + _column(s) * (turned_right + t(turned_right))) @ vh
    out = out + u * _row(gs * _slope_of_values(gs, s, by_u, by_vh)) @ vh
    if m > k:
        out = out + _quotient(gu - u @ left, _row(s), _row(none), _row(by_u)) @ vh
    if n > k:
        out = out + u @ _quotient(gvh - t(right) @ vh, _column(s), _column(none), _column(by_vh))
    return out


def _slope_of_values(g: Array, s: Array, by_u: Any, by_vh: Any) -> Array:
    """1, and 0 at 0, where singular values have a kink as a norm has.

    Not so in a composition with the vectors, such as ``(U * s) @ Vh``: beyond 0 a value has the other sign if a vector
    is turned. With the vectors of one side alone, it is not known.
    """
    zero = value_of(s) == 0
    if not zero.any():
        return side(s)
    unknown = (by_u != by_vh) & (value_of(g) != 0)
    return np.where(zero & (by_u & by_vh | unknown), np.where(unknown, np.nan, 1).astype(s.dtype), side(s))


def _svdvals_dx(g: Array, u: Array, s: Array, vh: Array) -> Array:
    """The gradient is 0 for singular values of 0."""
    return u * _row(g * side(s)) @ vh


def _asked(used: Callable[[], Any], degenerate: Any, w: Array, *cores: tuple[int, ...]) -> list[Any]:
    """Which elements of the parts of a result are used; not looked for where it does not matter."""
    if not degenerate:
        return [np.zeros((*w.shape[:-1], *core), bool) for core in cores]
    return unpack(used(), *cores)


def _negligible(x: Array, w: Array) -> Any:
    """Where ``x`` is within the rounding errors of eigenvalues or singular values ``w``."""
    largest = np.max(np.abs(value_of(w)), axis=-1, keepdims=True, initial=0)
    bound = w.shape[-1] * np.finfo(w.dtype).eps * largest
    return np.abs(value_of(x)) <= (bound if x.ndim == w.ndim else _column(bound))


def _pairs(mask: Any) -> Any:
    """Clear the diagonal."""
    return mask & ~np.eye(mask.shape[-1], dtype=bool)


def _turning(x: Array, distance: Array, equal: Any, asked: Any) -> Array:
    """``x / distance`` off the diagonal."""
    diagonal = np.eye(equal.shape[-1], dtype=bool)
    return _quotient(x, distance, equal | diagonal, asked & ~diagonal)


def _quotient(x: Array, y: Array, zero: Any, asked: Any) -> Array:
    """``x / y``; where ``y`` counts as zero, infinite or NaN, but 0 if ``x`` is not asked for."""
    return np.where(zero & ~asked, 0, x / np.where(zero, 0, y))


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
