"""Norms of vectors and matrices, of every order."""
# ruff: noqa: E501  (tables with one row per line)

import numpy as np

from cases.rows import Row, away, distinct

inf = np.inf
VECTOR = [None, 2, 1, inf, -inf, 0, 3, 1.5, 0.5, -1, -2.5]
MATRIX = [None, "fro", 1, -1, inf, -inf, 2, -2, "nuc"]

# fmt: off
ROWS = [
    Row(f"norm {order}, axis {axis}{' keepdims' * keep}", lambda x, order=order, axis=axis, keep=keep: np.linalg.norm(x, order, axis, keep), distinct, [(2, 3)])
    for order in VECTOR for axis, keep in ((0, False), (-1, True))
] + [
    Row(f"norm {order} of vector", lambda x, order=order: np.linalg.norm(x, order), away, [(4,)]) for order in (None, 2, 1, 2.5, 0.7)
] + [
    Row(f"vector_norm {order}, axis {axis}", lambda x, order=order, axis=axis: np.linalg.vector_norm(x, ord=order, axis=axis), distinct, [(2, 3, 2)])
    for order in (2, 1, inf, 3.5) for axis in (None, (2, 0), -2)
] + [
    Row(f"norm {order} of matrix{' keepdims' * keep}", lambda x, order=order, keep=keep: np.linalg.norm(x, order, keepdims=keep), distinct, [(3, 4)])
    for order in MATRIX for keep in (False, True)
] + [
    Row(f"norm {order} of matrices {axis}{' keepdims' * keep}", lambda x, order=order, axis=axis, keep=keep: np.linalg.norm(x, order, axis, keep), distinct, [(2, 4, 3)])
    for order in MATRIX for axis, keep in (((0, 1), False), ((-1, 0), False), ((2, 1), True))
] + [
    Row("norm of cube",  lambda x: np.linalg.norm(x),         away,      [(2, 3, 2)]),
    Row("norm of cube keepdims", lambda x: np.linalg.norm(x, keepdims=True), away, [(2, 3, 2)]),
    Row("norm 0-d",      lambda x: np.linalg.norm(x),         away,      [()]),
    Row("norm complex",  lambda x: np.linalg.norm(np.fft.rfft(x)), away, [(5,)]),
    Row("norm complex 0", lambda x: np.linalg.norm(np.fft.fft(x * [1, -1])), away, [(3, 2)]),
    Row("norm complex axes", lambda x: np.linalg.norm(np.fft.fft(x), axis=(0, -1), keepdims=True), away, [(2, 3, 2)]),
    Row("norm 3 complex", lambda x: np.linalg.norm(np.fft.fft(x), 3, axis=0), away, [(2, 3)]),
    Row("norm 1 of complex matrix", lambda x: np.linalg.norm(np.fft.fft(x), 1), away, [(2, 4)]),
    Row("vector_norm",   lambda x: np.linalg.vector_norm(x),  away,      [(2, 3)]),
    Row("vector_norm keepdims", lambda x: np.linalg.vector_norm(x, axis=(0, 1), keepdims=True, ord=1), away, [(2, 3, 2)]),
    Row("matrix_norm",   lambda x: np.linalg.matrix_norm(x),  away,      [(2, 3, 2)]),
    Row("matrix_norm 1", lambda x: np.linalg.matrix_norm(x, ord=1, keepdims=True), distinct, [(2, 3, 2)]),
    Row("norm nothing",  lambda x: np.linalg.norm(x, axis=0), away,      [(0, 3)]),
    Row("norm inf nothing", lambda x: np.linalg.norm(x, inf, axis=0), away, [(0, 3)]),
    Row("norm 1 nothing", lambda x: np.linalg.norm(x, 1),     away,      [(3, 0)]),
    Row("norm to nothing", lambda x: np.linalg.norm(x, 3, axis=1), away, [(0, 3)]),
]
# fmt: on
