"""Linear algebra: inverses, equations, determinants, factorizations.

Factorizations are tested by quantities that they determine uniquely, because the signs of vectors are arbitrary.
"""
# ruff: noqa: E501  (tables with one row per line)

import math

import numpy as np

from cases.rows import Row, real

A33 = np.array([[2.5, 0.5, -1.0], [0.25, 1.5, 0.75], [-0.5, 1.0, 2.0]])
A32 = np.array([[0.5, -1.5], [1.25, -0.75], [2.0, 1.0]])
A24 = np.array([[1.0, 0.5, -0.25, 2.0], [-1.5, 0.75, 1.0, 0.5]])

# ---------------------------------------------------------------------------------------------------- domains


def regular(rng, shape):
    """Far from singular, with well-separated eigenvalues and singular values; any numbers if it is not a matrix."""
    if len(shape) < 2:
        return real(rng, shape)
    m, n = shape[-2:]
    return 0.3 * rng.uniform(-1, 1, shape) + np.eye(m, n) * (1 + 0.9 * np.arange(n))


def tensor(rng, shape):
    """A regular square matrix in another shape; any numbers if the number of elements is not a square."""
    n = math.isqrt(math.prod(shape))
    return regular(rng, (n, n)).reshape(shape) if n * n == math.prod(shape) else real(rng, shape)


def singular(rng, shape):
    """The last column is the sum of the others, so that the rank is deficient by one."""
    x = regular(rng, shape)
    return np.concatenate([x[..., :-1], np.sum(x[..., :-1], -1, keepdims=True)], -1)


def of_rank_one(rng, shape):
    """All columns are multiples of one."""
    x = regular(rng, shape)
    return x[..., :1] * np.array([1.0, -2.0, 0.5, 3.0])[: shape[-1]]


# ---------------------------------------------------------------------------------------------------- what is compared


def t(x):
    return np.swapaxes(x, -1, -2)


def sym(x):
    return x + t(x)


def ones_to(n):
    return np.arange(1, n + 1, dtype=np.float32)


def flat(*parts, ndim=2):
    """Matrices of any shape side by side."""
    return np.concatenate(
        [np.reshape(x, (*x.shape[: x.ndim - ndim], math.prod(x.shape[x.ndim - ndim :]))) for x in parts], -1
    )


def eigh(x, *args, **kwargs):
    w, v = np.linalg.eigh(sym(x), *args, **kwargs)
    weights = ones_to(w.shape[-1])
    return flat(np.expand_dims(w, -2), (v * weights) @ t(v), v * v, v[..., :1, :] * v)


def svd(x, **kwargs):
    u, s, vh = np.linalg.svd(x, **kwargs)
    weights = ones_to(s.shape[-1])
    return flat(np.expand_dims(s, -2), (u * weights) @ vh, (u * weights) @ t(u), (t(vh) * weights) @ vh, u * u, vh * vh)


def svd_of(part):
    def only(x):
        factors = np.linalg.svd(x, full_matrices=False)
        weights = ones_to(factors[1].shape[-1])
        u = factors[0] if part == 0 else t(factors[2])
        return (u * weights) @ t(u)

    return only


def qr(x, *args, **kwargs):
    q, r = np.linalg.qr(x, *args, **kwargs)
    return flat(q, r)


def lstsq(a, b, **kwargs):
    x, distance, _, s = np.linalg.lstsq(a, b, **kwargs)
    return np.concatenate([np.ravel(x), distance, s])


# fmt: off
SQUARE = [
    Row(f"{name} {shape}", fn, regular, [shape]) for name, fn in [
        ("inv", np.linalg.inv), ("det", np.linalg.det), ("slogdet", lambda x: np.linalg.slogdet(x).logabsdet * np.linalg.slogdet(x)[0]),
        ("cholesky", lambda x: np.linalg.cholesky(sym(x))), ("eigh", eigh), ("eigvalsh", lambda x: np.linalg.eigvalsh(sym(x))), ("pinv square", np.linalg.pinv)]
    for shape in [(3, 3), (1, 1), (2, 4, 4), (2, 1, 2, 2), (0, 0), (0, 2, 2)]
] + [
    Row(f"{name} {shape}", fn, regular, [shape]) for name, fn in [
        ("pinv", np.linalg.pinv), ("svd", lambda x: svd(x, full_matrices=False)), ("svdvals", np.linalg.svdvals), ("qr", qr), ("svd u", svd_of(0)), ("svd vh", svd_of(2))]
    for shape in [(3, 3), (4, 2), (2, 4), (3, 1), (1, 3), (2, 3, 2), (2, 1, 2, 3), (0, 3, 2)]
]

SOLVE = [
    Row(f"solve {a} {b}", np.linalg.solve, regular, [a, b]) for a, b in [
        ((3, 3), (3,)), ((3, 3), (3, 2)), ((1, 1), (1,)), ((2, 3, 3), (3,)), ((3, 3), (2, 3, 2)), ((2, 3, 3), (2, 3, 1)), ((2, 3, 3), (3, 2)),
        ((2, 1, 2, 2), (3, 2, 1)), ((0, 0), (0,)), ((2, 2), (2, 0)), ((0, 2, 2), (2, 1)), ((2, 2, 2), (2, 2))]
] + [
    Row("solve array",   lambda x: np.linalg.solve(A33, x),   real,      [(3, 2)]),
    Row("solve vector",  lambda x: np.linalg.solve(x, A33[0]), regular,  [(2, 3, 3)]),
    Row("solve itself",  lambda x: np.linalg.solve(x, x[0]),  regular,   [(3, 3)]),
    Row("tensorinv",     np.linalg.tensorinv,                 tensor,    [(2, 3, 6)]),
    Row("tensorinv 1",   lambda x: np.linalg.tensorinv(x, ind=1), tensor, [(6, 3, 2)]),
    Row("tensorinv of one", lambda x: np.linalg.tensorinv(x, ind=1), tensor, [(1, 1)]),
    Row("tensorsolve",   np.linalg.tensorsolve,               tensor,    [(2, 3, 6), (2, 3)]),
    Row("tensorsolve many", np.linalg.tensorsolve,            tensor,    [(3, 2, 1, 2, 3), (3, 2)]),
    Row("tensorsolve axes", lambda x, y: np.linalg.tensorsolve(np.transpose(x, (0, 2, 1)), y, axes=(1,)), tensor, [(2, 3, 6), (2, 3)]),
    Row("lstsq tall",    lstsq,                               regular,   [(4, 2), (4,)]),
    Row("lstsq tall, many", lstsq,                            regular,   [(4, 2), (4, 3)]),
    Row("lstsq wide",    lstsq,                               regular,   [(2, 4), (2,)]),
    Row("lstsq square",  lambda x, y: lstsq(x, y, rcond=-1),  regular,   [(3, 3), (3, 2)]),
    Row("lstsq cut",     lambda x, y: lstsq(x, y, rcond=0.5), regular,   [(4, 3), (4,)]),
    Row("lstsq array",   lambda y: np.linalg.lstsq(A32, y)[0], real,     [(3,)]),
]

DETERMINANTS = [
    Row("det singular",  np.linalg.det,                       singular,  [(3, 3)]),
    Row("det singular 2", np.linalg.det,                      singular,  [(2, 2)]),
    Row("det singular, many", np.linalg.det,                  singular,  [(2, 3, 3)]),
    Row("det singular 1", lambda x: np.linalg.det(x - x[0]),  real,      [(1, 1)]),
    Row("det of rank 1", np.linalg.det,                       of_rank_one, [(3, 3)]),
    Row("det of rank 1 of 4", np.linalg.det,                  of_rank_one, [(4, 4)]),
    Row("det mixed",     lambda x: np.linalg.det(np.stack([x, x[:, [0, 1, 1]]])), regular, [(3, 3)]),
    Row("det negative",  lambda x: np.linalg.det(x[::-1]),    regular,   [(2, 2)]),
    Row("slogdet negative", lambda x: np.linalg.slogdet(x[::-1])[1], regular, [(2, 2)]),
]

FACTORS = [
    Row("cholesky upper", lambda x: np.linalg.cholesky(sym(x), upper=True), regular, [(2, 3, 3)]),
    Row("cholesky of product", lambda x: np.linalg.cholesky(x @ t(x)), regular, [(3, 3)]),
    Row("eigh U",        lambda x: eigh(x, "U"),              regular,   [(3, 3)]),
    Row("eigh UPLO=",    lambda x: eigh(x, UPLO="L"),         regular,   [(3, 3)]),
    Row("eigh values",   lambda x: np.linalg.eigh(sym(x)).eigenvalues, regular, [(3, 3)]),
    Row("eigvalsh U",    lambda x: np.linalg.eigvalsh(sym(x), UPLO="U"), regular, [(3, 3)]),
    Row("svd square, full", svd,                              regular,   [(3, 3)]),
    Row("svd values",    lambda x: np.linalg.svd(x, compute_uv=False), regular, [(3, 2)]),
    Row("svd S",         lambda x: np.linalg.svd(x, False).S, regular,   [(2, 3)]),
    Row("qr r",          lambda x: np.linalg.qr(x, "r"),      regular,   [(4, 3)]),
    Row("qr r wide",     lambda x: np.linalg.qr(x, mode="r"), regular,   [(2, 3)]),
    Row("qr Q",          lambda x: np.linalg.qr(x).Q,         regular,   [(3, 2)]),
    Row("qr complete, square", lambda x: qr(x, "complete"),   regular,   [(3, 3)]),
    Row("qr complete",   lambda x: qr(x, "complete"),         regular,   [(2, 3)]),
    Row("pinv of rank 2", lambda x: np.linalg.pinv(A32 @ x @ A24, rcond=1e-5), regular, [(2, 2)]),
    Row("pinv padded",   lambda x: np.linalg.pinv(np.pad(x, (0, 1))), regular, [(2, 2)]),
    Row("pinv cut, small", lambda x: np.linalg.pinv(x * 1e-10, 0.5) * 1e-10, regular, [(4, 3)]),
    Row("pinv rtol",     lambda x: np.linalg.pinv(x, rtol=1e-3), regular, [(3, 2)]),
    Row("pinv rtol=None", lambda x: np.linalg.pinv(x, rtol=None), regular, [(2, 3)]),
    Row("pinv cut",      lambda x: np.linalg.pinv(x, 0.5),    regular,   [(4, 3)]),
    Row("pinv cut, each", lambda x: np.linalg.pinv(x, rcond=np.array([0.5, 0.1])), regular, [(2, 2, 3)]),
    Row("pinv hermitian", lambda x: np.linalg.pinv(sym(x), hermitian=True), regular, [(3, 3)]),
    Row("pinv hermitian cut", lambda x: np.linalg.pinv(sym(x), 0.5, True), regular, [(3, 3)]),
]

POWERS = [
    Row(f"matrix_power {n}", lambda x, n=n: np.linalg.matrix_power(x, n), regular, [(2, 3, 3)]) for n in (-3, -1, 0, 1, 2, 3, 6)
] + [
    Row("multi_dot 2",   lambda x, y: np.linalg.multi_dot([x, y]), real, [(2, 3), (3, 2)]),
    Row("multi_dot 3",   lambda x, y, z: np.linalg.multi_dot((x, y, z)), real, [(2, 3), (3, 4), (4, 1)]),
    Row("multi_dot 4",   lambda *x: np.linalg.multi_dot(x),   real,      [(4, 1), (1, 3), (3, 2), (2, 4)]),
    Row("multi_dot vectors", lambda *x: np.linalg.multi_dot(x), real,    [(3,), (3, 2), (2, 2), (2,)]),
    Row("multi_dot row", lambda *x: np.linalg.multi_dot(x),   real,      [(3,), (3, 2), (2, 4)]),
    Row("multi_dot column", lambda *x: np.linalg.multi_dot(x), real,     [(2, 3), (3, 2), (2,)]),
    Row("multi_dot array", lambda x: np.linalg.multi_dot([A33, x, A32.tolist()]), real, [(3, 3)]),
    Row("multi_dot twice", lambda x: np.linalg.multi_dot([x, A33, x]), real, [(3, 3)]),
] + [
    Row(f"cond {p}", lambda x, p=p: np.linalg.cond(x, p),     regular,   [(2, 3, 3)]) for p in (None, 2, -2, 1, np.inf, "fro")
] + [
    Row("cond of tall",  np.linalg.cond,                      regular,   [(4, 2)]),
    Row("linalg.matrix_transpose", np.linalg.matrix_transpose, real,     [(2, 3, 4)]),
    Row("linalg.diagonal", np.linalg.diagonal,                real,      [(2, 3, 4)]),
    Row("linalg.diagonal 1", lambda x: np.linalg.diagonal(x, offset=1), real, [(2, 3, 4)]),
    Row("linalg.trace",  np.linalg.trace,                     real,      [(2, 3, 4)]),
    Row("linalg.trace -1", lambda x: np.linalg.trace(x, offset=-1), real, [(2, 3, 4)]),
]


ROWS = SQUARE + SOLVE + DETERMINANTS + FACTORS + POWERS
# fmt: on
