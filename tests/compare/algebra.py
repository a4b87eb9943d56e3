"""Products of matrices and vectors, linear algebra, Fourier transforms."""

import itertools

import numpy as np
from cases.rows import parts
from hypothesis import strategies as st

import tensorgrad as tg
from compare.both import t, torch
from compare.op import Op, Unfit, given, of_same_shape, partner, parts_t, unit

L = torch.linalg


# ------------------------------------------------------------------------------------------------------------- arguments


def right(p, x):
    """The right operand of a matrix product: a vector, a matrix, or a batch."""
    if not x.ndim:
        raise Unfit
    n = x.shape[-1]
    batch = p.draw(st.sampled_from([(), x.shape[:-2], (1,) * len(x.shape[:-2])]))
    return [p.another(p.draw(st.sampled_from([(n,), (*batch, n, 1), (*batch, n, 2)])))], {}


def dotted(p, x):
    if not x.ndim:
        return [p.another(())], {}
    n = x.shape[-1]
    return [p.another(p.draw(st.sampled_from([(), (n,), (n, 2), (2, n, 1)])))], {}


def with_last_axis(p, x):
    return [p.another((*p.draw(st.sampled_from([(), (2,)])), *x.shape[-1:]))], {}


def any_other(p, x):
    return [p.another(p.draw(st.sampled_from([(), (2,), (2, 3), (1, 2)])))], {}


def along_axis(p, x):
    axis = p.draw(st.integers(-x.ndim, x.ndim - 1))
    return [p.another(x.shape)], {"axis": axis}


def threes(p, x):
    if x.shape[-1] != 3:
        raise Unfit
    return [p.another((*partner(p.draw, x.shape[:-1]), 3))], {}


def paired_axes(p, x):
    count = p.draw(st.integers(0, x.ndim))
    mine = p.draw(st.permutations(range(x.ndim)))[:count]
    other = [x.shape[a] for a in mine] + [p.draw(st.integers(1, 2))]
    order = p.draw(st.permutations(range(len(other))))
    return [p.another([other[k] for k in order])], {"axes": (list(mine), [order.index(k) for k in range(count)])}


def counted_axes(p, x):
    count = p.draw(st.integers(0, x.ndim))
    return [p.another((*x.shape[x.ndim - count :], 2))], {"axes": count}


def subscripts(p, x):
    """One, two or three operands; labels repeat, and some of their axes have length 1."""
    length, terms = {}, [""]
    for n in x.shape:
        fitting = [label for label in "ijkl" if length.get(label, n) == n]
        terms[0] += p.draw(st.sampled_from(fitting))
        length[terms[0][-1]] = n
    operands = []
    for _ in range(p.draw(st.integers(0, 2))):
        terms.append(p.draw(st.text("ijklm", max_size=3)))
        shape = []
        for label in terms[-1]:
            length.setdefault(label, p.draw(st.integers(1, 3)))
            shape.append(1 if terms[-1].count(label) == 1 and p.draw(st.integers(0, 5)) == 0 else length[label])
        operands.append(p.another(shape))
    used = sorted(set("".join(terms)))
    out = "".join(p.draw(st.permutations(used))[: p.draw(st.integers(0, min(3, len(used))))]) if used else ""
    return operands, {"subscripts": ",".join(terms) + "->" + out}


def chain(p, x):
    m = [x.shape[-1], *(p.draw(st.integers(1, 3)) for _ in range(3))]
    return [p.another(shape) for shape in itertools.pairwise(m)], {}


def back(p, x):
    """A second matrix, such that x times it is square."""
    return [p.another(x.shape[:-2] + x.shape[:-3:-1])], {}


def back_and(*sizes):
    def draw(p, x):
        shape = p.draw(st.sampled_from([(x.shape[-2],), *[(*x.shape[:-1], n) for n in sizes]]))
        return [*back(p, x)[0], p.another(shape)], {}

    return draw


def power(p, x):
    return back(p, x)[0], {"n": p.draw(st.sampled_from([-2, -1, 0, 1, 2, 3, 5]))}


def transform(p, x):
    axis = p.draw(st.integers(-x.ndim, x.ndim - 1))
    norm = p.draw(st.sampled_from([None, "ortho", "forward", "backward"]))
    return [], {"n": p.draw(st.sampled_from([None, 1, 2, 3, 4, 5])), "axis": axis, "norm": norm}


def transforms(p, x):
    a, b = p.draw(st.permutations(range(x.ndim)))[:2]
    s = p.draw(st.sampled_from([None, (2, 3), (4, 1)]))
    return [], {"s": s, "axes": (a, b - x.ndim), "norm": p.draw(st.sampled_from([None, "ortho", "forward"]))}


def shifted(p, x):
    return [], {"axes": p.draw(st.sampled_from([None, *range(-x.ndim, x.ndim)]))}


# -------------------------------------------------------------------------------------- matrices far from singular ones


def diagonal(m, n):
    return np.eye(m, n) * (1 + 0.9 * np.arange(n))


def regular(x):
    return 0.6 * unit(x) + diagonal(*x.shape[-2:]).astype(x.dtype)


def regular_t(x):
    return 0.6 * unit(x) + t(diagonal(*x.shape[-2:])).to(x.dtype)


def square(fn):
    """A function of a regular square matrix, computed from matrices that need not be square."""
    return lambda x, y, *more, **params: fn(regular(x @ y), *more, **params)


def square_t(fn):
    return lambda x, y, *more, **params: fn(regular_t(x @ y), *more, **params)


def sym(fn):
    return square(lambda a, *more: fn(a + np.matrix_transpose(a), *more))


def sym_t(fn):
    return square_t(lambda a, *more: fn(a + a.mT, *more))


def flat(*matrices):
    return np.concatenate([np.reshape(m, -1) for m in matrices])


def flat_t(*matrices):
    return torch.cat([m.reshape(-1) for m in matrices])


def of_vectors(flat, last):
    """Functions of eigenvectors and singular vectors that do not depend on their sign."""

    def compared(w, *vectors):
        scaled = [v * w[..., None, :] for v in vectors]
        return flat(w, *[a @ last(b) for a in scaled for b in vectors], *[v * v for v in vectors])

    return compared


ours_of, theirs_of = of_vectors(flat, np.matrix_transpose), of_vectors(flat_t, lambda x: x.mT)


def svd(x):
    u, s, vh = np.linalg.svd(regular(x), full_matrices=False)
    return ours_of(s, u, np.matrix_transpose(vh))


def svd_t(x):
    u, s, vh = L.svd(regular_t(x), full_matrices=False)
    return theirs_of(s, u, vh.mT)


def values_apart(x):
    """Are singular values well separated from each other, and from 0?"""
    return bool(np.all(np.diff(np.linalg.svdvals(x)[..., ::-1], prepend=0) > 0.05))


def slogdet(a):
    return np.linalg.slogdet(a)[1]


def lstsq(x, b):
    return np.linalg.lstsq(regular(x), b)[0]


def cross_t(x, y):
    return L.cross(*torch.broadcast_tensors(x, y))


def tall(p, x):
    return [p.another((x.shape[0], 2))], {}


# fmt: off
PRODUCTS = [
    Op("@",            lambda x, y: x @ y,          lambda x, y: x @ y,         right),
    Op("matmul",       np.matmul,                   torch.matmul,               right, ndim=(1, 4)),
    Op("linalg.matmul", np.linalg.matmul,           L.matmul,                   right),
    Op("dot",          np.dot,                      lambda x, y: x * y if not x.ndim or not y.ndim else torch.tensordot(x, y, ([-1], [max(y.ndim - 2, 0)])), dotted),
    Op("inner",        np.inner,                    torch.inner,                with_last_axis, ndim=(1, 3)),
    Op("outer",        np.outer,                    lambda x, y: torch.outer(x.reshape(-1), y.reshape(-1)), any_other),
    Op("linalg.outer", np.linalg.outer,             torch.outer,                lambda p, x: ([p.another((2,))], {}), ndim=(1, 1)),
    Op("vdot",         np.vdot,                     lambda x, y: torch.vdot(x.reshape(-1), y.reshape(-1)), of_same_shape),
    Op("vecdot",       lambda x, y, axis: np.vecdot(x, y, axis=axis), lambda x, y, axis: L.vecdot(x, y, dim=axis), along_axis, ndim=(1, 3)),
    Op("linalg.vecdot", lambda x, y, axis: np.linalg.vecdot(x, y, axis=axis), lambda x, y, axis: L.vecdot(x, y, dim=axis), along_axis, ndim=(1, 3)),
    Op("matvec",       np.matvec,                   lambda x, y: torch.einsum("...ij,...j->...i", x, y), with_last_axis, ndim=(2, 2)),
    Op("vecmat",       lambda x, y: np.vecmat(y, np.matrix_transpose(x)), lambda x, y: torch.einsum("...ij,...j->...i", x, y), with_last_axis, ndim=(2, 2)),
    Op("cross",        np.cross,                    cross_t,                    threes, ndim=(1, 3)),
    Op("linalg.cross", np.linalg.cross,             cross_t,                    threes, ndim=(1, 3)),
    Op("kron",         np.kron,                     lambda x, y: torch.kron(x.contiguous(), y),               any_other),
    Op("tensordot",    np.tensordot,                lambda x, y, axes: torch.tensordot(x, y, axes), paired_axes),
    Op("tensordot n",  np.tensordot,                lambda x, y, axes: torch.tensordot(x, y, axes), counted_axes, ndim=(0, 2)),
    Op("linalg.tensordot", lambda x, y, axes: np.linalg.tensordot(x, y, axes=axes), lambda x, y, axes: torch.tensordot(x, y, axes), paired_axes),
    Op("einsum",       lambda *x, subscripts: np.einsum(subscripts, *x), lambda *x, subscripts: torch.einsum(subscripts, *x), subscripts),
    Op("multi_dot",    lambda *x: np.linalg.multi_dot(x), lambda *x: L.multi_dot(x), chain, ndim=(1, 2)),
    Op("convolve",     np.convolve,                 lambda x, y: torch.nn.functional.conv1d(x[None, None], y.flip(0)[None, None], padding=1)[0, 0], lambda p, x: ([p.another((2,))], {}), ndim=(1, 1)),
    Op("correlate",    lambda x, y: np.correlate(x, y, "full"), lambda x, y: torch.nn.functional.conv1d(x[None, None], y[None, None], padding=1)[0, 0], lambda p, x: ([p.another((2,))], {}), ndim=(1, 1)),
]

LINALG = [
    Op("inv",          square(np.linalg.inv),       square_t(L.inv),            back, ndim=(2, 3)),
    Op("det",          square(np.linalg.det),       square_t(L.det),            back, ndim=(2, 3)),
    Op("slogdet",      square(slogdet),             square_t(lambda a: L.slogdet(a)[1]), back, ndim=(2, 3)),
    Op("solve",        square(np.linalg.solve),     square_t(L.solve),          back_and(1, 3), ndim=(2, 3)),
    Op("tensorsolve",  square(np.linalg.tensorsolve), square_t(L.tensorsolve),  lambda p, x: ([*back(p, x)[0], p.another((x.shape[0],))], {}), ndim=(2, 2)),
    Op("tensorinv",    square(lambda a: np.linalg.tensorinv(a, 1)), square_t(lambda a: L.tensorinv(a, 1)), back, ndim=(2, 2)),
    Op("matrix_power", square(np.linalg.matrix_power), square_t(L.matrix_power), power, ndim=(2, 3)),
    Op("cholesky",     sym(np.linalg.cholesky),     sym_t(L.cholesky),          back, ndim=(2, 3)),
    Op("cholesky upper", sym(lambda a: np.linalg.cholesky(a, upper=True)), sym_t(lambda a: L.cholesky(a, upper=True)), back, ndim=(2, 3)),
    Op("eigvalsh",     sym(np.linalg.eigvalsh),     sym_t(L.eigvalsh),          back, ndim=(2, 3)),
    Op("eigh",         sym(lambda a: ours_of(*np.linalg.eigh(a))), sym_t(lambda a: theirs_of(*L.eigh(a))), back, ndim=(2, 3)),
    Op("svd",          svd,                         svd_t,                      ndim=(2, 3)),
    Op("svdvals",      np.linalg.svdvals,           L.svdvals,                  ndim=(2, 3), safe=values_apart),
    Op("qr",           lambda x: flat(*np.linalg.qr(regular(x))), lambda x: flat_t(*L.qr(regular_t(x))), ndim=(2, 3)),
    Op("pinv",         lambda x: np.linalg.pinv(regular(x)), lambda x: L.pinv(regular_t(x)), ndim=(2, 3)),
    Op("pinv hermitian", sym(lambda a: np.linalg.pinv(a, hermitian=True)), sym_t(lambda a: L.pinv(a, hermitian=True)), back, ndim=(2, 3)),
    Op("lstsq",        lstsq,                       lambda x, b: L.lstsq(regular_t(x), b).solution, tall, ndim=(2, 2), safe=lambda x, b: x.shape[0] >= x.shape[1]),
    Op("cond",         square(np.linalg.cond),      square_t(L.cond),           back, ndim=(2, 3), safe=lambda x, y: x.shape[-2] > 1),
    Op("linalg.diagonal", lambda x: np.linalg.diagonal(x, offset=1), lambda x: L.diagonal(x, offset=1), ndim=(2, 3)),
    Op("linalg.trace", np.linalg.trace,             lambda x: torch.diagonal(x, 0, -2, -1).sum(-1), ndim=(2, 3)),
]

FFT = [
    *[Op(f"fft.{name}", lambda x, n, axis, norm, f=getattr(np.fft, name): parts(f(x, n, axis, norm)), lambda x, n, axis, norm, f=getattr(torch.fft, name): parts_t(f(x, n, axis, norm)), transform, ndim=(1, 3))
      for name in ("fft", "ifft", "rfft", "ihfft")],
    *[Op(f"fft.{name}", lambda x, y, n, axis, norm, f=getattr(np.fft, name): f(x + 1j * y, n, axis, norm), lambda x, y, n, axis, norm, f=getattr(torch.fft, name): f(torch.complex(x, y), n, axis, norm),
         lambda p, x: ([p.another(x.shape)], transform(p, x)[1] | {"n": p.draw(st.integers(2, 6))}), ndim=(1, 3)) for name in ("irfft", "hfft")],
    *[Op(f"fft.{name}", lambda x, s, axes, norm, f=getattr(np.fft, name): parts(f(x, s, axes, norm)), lambda x, s, axes, norm, f=getattr(torch.fft, name): parts_t(f(x, s, axes, norm)), transforms, ndim=(2, 3))
      for name in ("fft2", "ifft2", "rfft2", "fftn", "ifftn", "rfftn")],
    *[Op(f"fft.{name}", lambda x, y, s, axes, norm, f=getattr(np.fft, name): f(x + 1j * y, s, axes, norm), lambda x, y, s, axes, norm, f=getattr(torch.fft, name): f(torch.complex(x, y), s, axes, norm),
         lambda p, x: ([p.another(x.shape)], transforms(p, x)[1] | {"s": (3, 2)}), ndim=(2, 3)) for name in ("irfft2", "irfftn")],
    Op("spectrum",     lambda x: np.abs(np.fft.rfft(x)) ** 2, lambda x: torch.abs(torch.fft.rfft(x)) ** 2, ndim=(1, 3), safe=lambda x: bool(np.all(np.abs(np.fft.rfft(x)) > 1e-2))),
    Op("fftshift",     lambda x, axes: np.fft.fftshift(x, axes), lambda x, axes: torch.fft.fftshift(x, axes), shifted, ndim=(1, 3)),
    Op("ifftshift",    lambda x, axes: np.fft.ifftshift(x, axes), lambda x, axes: torch.fft.ifftshift(x, axes), shifted, ndim=(1, 3)),
]

SOFTMAX = [
    Op("softmax",      lambda x, axis: tg.softmax(x, axis=axis),     lambda x, axis: torch.softmax(x, axis),     given(axis=[0, -1]), ndim=(1, 3)),
    Op("log_softmax",  lambda x, axis: tg.log_softmax(x, axis=axis), lambda x, axis: torch.log_softmax(x, axis), given(axis=[0, -1]), ndim=(1, 3)),
]
# fmt: on

OPS = PRODUCTS + LINALG + FFT + SOFTMAX
