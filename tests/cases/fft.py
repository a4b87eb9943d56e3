"""Fourier transforms and complex numbers, with real inputs and real results."""
# ruff: noqa: E501  (tables with one row per line)

import itertools

import numpy as np

from cases.rows import Row, away, pair, parts, real

# fmt: off
COMPLEX = [
    Row("real",          lambda x, y: np.real(pair(x, y) * (2 - 1j)),        real, [(2, 3), (2, 3)]),
    Row("imag",          lambda x, y: np.imag(pair(x, y) * (2 - 1j)),        real, [(2, 3), (2, 3)]),
    Row("conj",          lambda x, y: parts(np.conj(pair(x, y)) * (1 + 2j)), real, [(2, 3), (2, 3)]),
    Row("|z|",           lambda x, y: np.abs(pair(x, y)),     away,      [(2, 3), (2, 3)]),
    Row("angle",         lambda x, y: np.angle(pair(x, y)),   away,      [(2, 3), (2, 3)]),
    Row("angle deg",     lambda x, y: np.angle(pair(x, y), deg=True), away, [(2,), (2,)]),
    Row(".real .imag",   lambda x, y: pair(x, y).real * pair(x, y).imag,     real, [(3,), (3,)]),
    Row(".conj()",       lambda x, y: (pair(x, y) * pair(x, y).conj()).real, real, [(3,), (3,)]),
    Row("real of real",  lambda x: np.real(x) * x.real,       real,      [(3,)]),
    Row("imag of real",  lambda x: np.imag(x) + x.imag + x,   real,      [(3,)]),
    Row("real_if_close z", lambda x: np.real_if_close(x + 0j),  real,      [(3,)]),
    *[Row(f"norm of z {axis} {keep}", lambda x, axis=axis, keep=keep: np.linalg.norm(x * (1 + 2j) + x * x, axis=axis, keepdims=keep), real, [(2, 3)])
      for axis, keep in [(0, False), (0, True), (1, False)]],
    Row("real_if_close of z", lambda x: parts(np.real_if_close(x * (1 + 2j))), real, [(3,)]),
    Row("z * w",         lambda x, y: parts(pair(x, y) * pair(y, 2.0)),      real, [(2, 1), (1, 3)]),
    Row("z / w",         lambda x, y: parts(pair(x, y) / pair(y, x)),        away, [(2, 3), (2, 3)]),
    Row("1 / z",         lambda x, y: parts(np.reciprocal(pair(x, y))),      away, [(3,), (3,)]),
    Row("z ** 3",        lambda x, y: parts(pair(x, y) ** 3),                away, [(3,), (3,)]),
    Row("z ** w",        lambda x, y: parts(pair(x, y) ** pair(y, x)),       away, [(3,), (3,)]),
    Row("z @ w",         lambda x, y: parts(pair(x, x) @ pair(y, 1.0)),      real, [(2, 3), (3, 2)]),
    Row("einsum z",      lambda x, y: parts(np.einsum("ij,jk->ki", x * 1j, pair(y, y))), real, [(2, 3), (3, 2)]),
    Row("sum z",         lambda x, y: parts(np.sum(pair(x, y) * 1j, axis=0)), real, [(2, 3), (2, 3)]),
    Row("mean z",        lambda x, y: parts(np.mean(pair(x, y) * 1j)),       real, [(2, 3), (2, 3)]),
    Row("prod z",        lambda x, y: parts(np.prod(pair(x, y), axis=1)),    real, [(2, 3), (2, 3)]),
    Row("z[i]",          lambda x: parts((x * 1j)[[0, 0, 1]]),               real, [(2, 3)]),
    Row("astype complex", lambda x: np.real(x.astype(np.complex128) * (1 + 1j)), real, [(3,)]),
    Row("concatenate z", lambda x: parts(np.concatenate([x * 1j, x])),       real, [(2, 3)]),
    Row("stack z",       lambda x: parts(np.stack([x * 1j, x])),             real, [(2, 3)]),
    Row("reshape z",     lambda x: parts(np.reshape(x * 1j, (3, 2)).T),      real, [(2, 3)]),
    Row("where z",       lambda x: parts(np.where(np.real(x) > 0, x * 1j, x)), away, [(2, 3)]),
    Row("assign z",      lambda x: parts(_assigned(x * 1j, x)),              real, [(4,)]),
    Row("assign z to a view", lambda x: parts(_assigned_through_a_view(x * 1j, x)), real, [(2, 3)]),
    *[Row(f"{name} z",   lambda x, fn=fn: parts(fn(x * (1 + 2j))),           real, [(2, 3)]) for name, fn in [
        ("broadcast_to", lambda z: np.broadcast_to(z, (2, 2, 3))),  ("copy", np.copy),      ("moveaxis", lambda z: np.moveaxis(z, 0, 1)),
        ("matrix_transpose", np.matrix_transpose),   ("fliplr", np.fliplr),                 ("flipud", np.flipud),
        ("rot90", np.rot90),                         ("roll", lambda z: np.roll(z, 2)),     ("repeat", lambda z: np.repeat(z, 2)),
        ("tile", lambda z: np.tile(z, (2, 3))),      ("diagonal", np.diagonal),             ("diagflat", np.diagflat),
        ("tril", np.tril),                           ("triu", np.triu),                     ("pad", lambda z: np.pad(z, 1)),
        ("windows", lambda z: np.lib.stride_tricks.sliding_window_view(z, (2, 2)))]],
    *[Row(f"{f.__name__} z", lambda x, y, f=f: parts(f(pair(x, y))),         away, [(2, 3), (2, 3)])
      for f in (np.exp, np.log, np.sqrt, np.sin, np.cos, np.tan, np.sinh, np.cosh, np.tanh, np.square, np.negative, np.expm1, np.log1p,
                np.log2, np.log10, np.exp2, np.arcsin, np.arccos, np.arctan, np.arcsinh, np.arccosh, np.arctanh)],
]

FFTS = [
    *[Row(f"{f.__name__} {n} {axis} {norm}", lambda x, f=f, n=n, axis=axis, norm=norm: parts(f(x, n, axis, norm)), real, [(4, 3)])
      for f in (np.fft.fft, np.fft.ifft, np.fft.rfft, np.fft.ihfft)
      for n, axis, norm in [(None, -1, None), (None, 0, "ortho"), (6, 0, "forward"), (2, 1, "backward"), (5, -2, None)]],
    *[Row(f"{f.__name__} {n} {axis} {norm}", lambda x, y, f=f, n=n, axis=axis, norm=norm: f(pair(x, y), n, axis, norm), real, [(4, 3), (4, 3)])
      for f in (np.fft.irfft, np.fft.hfft)
      for n, axis, norm in [(None, -1, None), (None, 0, "ortho"), (7, 0, "forward"), (3, 1, "backward"), (5, -2, None), (8, 0, None)]],
    *[Row(f"{f.__name__} {s} {axes} {norm}", lambda x, f=f, s=s, axes=axes, norm=norm: parts(f(x, s, axes, norm)), real, [(2, 3, 4)])
      for f in (np.fft.fft2, np.fft.ifft2, np.fft.rfft2, np.fft.fftn, np.fft.ifftn, np.fft.rfftn)
      for s, axes, norm in [(None, (-2, -1), None), ((2, 5), (0, 2), "ortho"), ((4, 2), (2, 1), "forward")]],
    *[Row(f"{f.__name__} {s} {axes} {norm}", lambda x, f=f, s=s, axes=axes, norm=norm: f(pair(x, x * x), s, axes, norm), real, [(2, 3, 4)])
      for f in (np.fft.irfft2, np.fft.irfftn)
      for s, axes, norm in [(None, (-2, -1), None), ((2, 5), (0, 2), "ortho"), ((4, 2), (2, 1), "forward")]],
    Row("fftn",          lambda x: parts(np.fft.fftn(x)),     real,      [(2, 3)]),
    Row("fftn s -1",     lambda x: parts(np.fft.fftn(x, (-1, 4), (0, 2))),  real, [(2, 2, 3)]),
    Row("rfftn s",       lambda x: parts(np.fft.rfftn(x, (2, 4), (0, 2))), real, [(2, 2, 3)]),
    Row("fft z",         lambda x, y: parts(np.fft.fft(pair(x, y), 4)), real, [(3,), (3,)]),
    Row("there and back", lambda x: np.fft.ifft(np.fft.fft(x) * np.fft.fft([1.0, 2.0, 0.5])).real, real, [(2, 3)]),
    Row("power",         lambda x: np.abs(np.fft.rfft(x)) ** 2, real,    [(5,)]),
    *[Row(f"{f.__name__} {axes}", lambda x, f=f, axes=axes: f(x, axes), real, [(3, 4)])
      for f, axes in itertools.product((np.fft.fftshift, np.fft.ifftshift), (None, 0, (-1, 0)))],
]
# fmt: on


def _assigned(z, x):
    z = +z
    z[1:3] = x[:2]
    z[0] = 1j * x[3]
    return z


def _assigned_through_a_view(z, x):
    z = +z
    seen = z.T
    z[0] = x[1] * (2 - 1j)
    return seen * z.T


ROWS = COMPLEX + FFTS
