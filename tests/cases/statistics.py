"""Averages, order statistics, covariances, counts."""
# ruff: noqa: E501  (tables with one row per line)

import numpy as np

from cases.rows import Row, distinct, positive, real
from tensorgrad.rules.statistics import _POSITION

W23 = np.array([[1.0, 0.5, 2.0], [0.2, 3.0, 1.0]])
COUNTS, WEIGHTS = np.array([1, 3, 2, 1]), np.array([0.5, 1.5, 1.0, 0.2])

# fmt: off
ORDER = [
    Row(f"median {axis} {shape}{' keepdims' * keep}", lambda x, axis=axis, keep=keep: np.median(x, axis=axis, keepdims=keep), distinct, [shape])
    for shape in ((3, 4), (2, 3, 3)) for axis in (None, 0, -1, (1, 0)) for keep in (False, True)
] + [
    Row(f"quantile {method}", lambda x, method=method: np.quantile(x, q=[0.15, 0.37, 0.5, 0.83], axis=1, method=method), distinct, [(2, 7)]) for method in _POSITION
] + [
    Row(f"quantile {method} of all", lambda x, method=method: np.quantile(x, 0.4, method=method), distinct, [(2, 3)]) for method in _POSITION
] + [
    Row("median of one", lambda x: np.median(x),              distinct,  [(1,)]),
    Row("median 0-d",    lambda x: np.median(x),              distinct,  [()]),
    Row("median to nothing", lambda x: np.median(x, axis=1),  distinct,  [(0, 3)]),
    Row("quantile of none", lambda x: np.quantile(x, 0.5, axis=0), distinct, [(3, 0)]),
    Row("quantile ends", lambda x: np.quantile(x, [0, 1], axis=0), distinct, [(3, 2)]),
    Row("quantile of one", lambda x: np.quantile(x, 0.3, axis=0), distinct, [(1, 2)]),
    Row("quantile 0-d",  lambda x: np.quantile(x, 0.3),       distinct,  [()]),
    Row("quantile axes", lambda x: np.quantile(x, 0.6, axis=(0, -1), keepdims=True), distinct, [(2, 3, 2)]),
    Row("quantile q",    lambda x, q: np.quantile(x, q, axis=1), lambda rng, shape: distinct(rng, shape) if shape == (2, 5) else np.array([0.3, 0.9]), [(2, 5), (2,)]),
    Row("quantile f64 q", lambda x: np.quantile(x, np.float64(0.3)), distinct, [(5,)]),
    Row("percentile",    lambda x: np.percentile(x, 35),      distinct,  [(2, 3)]),
    Row("percentile axis", lambda x: np.percentile(x, [10, 80.0], -1, keepdims=True), distinct, [(2, 4)]),
    Row("percentile hazen", lambda x: np.percentile(x, 66, axis=0, method="hazen"), distinct, [(4, 2)]),
]

AVERAGES = [
    Row(f"average {axis}{' keepdims' * keep}", lambda x, w, axis=axis, keep=keep: np.average(x, axis=axis, weights=w, keepdims=keep), positive, [(2, 3), (2, 3)])
    for axis in (None, 0, -1, (0, 1)) for keep in (False, True)
] + [
    Row("average plain", lambda x: np.average(x),             real,      [(2, 3)]),
    Row("average complex", lambda x, w: np.imag(np.average(np.fft.fft(x), weights=w)), positive, [(4,), (4,)]),
    Row("average plain axis", lambda x: np.average(x, axis=1, keepdims=True), real, [(2, 3)]),
    Row("average and count", lambda x: np.multiply(*np.average(x, axis=0, returned=True)), real, [(2, 3)]),
    Row("average of parts", lambda x: np.average(x, weights=[0.25, 0.75]), real, [(2,)]),
    Row("average of debts", lambda x: np.average(x, weights=[-0.25, -0.75]), real, [(2,)]),
    Row("average 1-d weights", lambda x, w: np.average(x, 1, w), positive, [(2, 3), (3,)]),
    Row("average 2-d weights", lambda x, w: np.average(x, axis=(2, 0), weights=w), positive, [(2, 3, 4), (4, 2)]),
    Row("average weights given", lambda x: np.average(x, weights=W23.astype(x.dtype)), real, [(2, 3)]),
    Row("average of list", lambda w: np.average([[1.0, -2.0, 0.5]], axis=1, weights=w), positive, [(1, 3)]),
    Row("average returned", lambda x, w: np.average(x, axis=0, weights=w, returned=True)[0], positive, [(2, 3), (2,)]),
    Row("average total", lambda w: np.average(W23.astype(w.dtype), axis=0, weights=w, returned=True)[1], positive, [(2,)]),
    Row("average product", lambda x, w: np.multiply(*np.average(x, weights=w, returned=True)), positive, [(2, 3), (2, 3)]),
]

COVARIANCES = [
    Row("cov",           lambda x: np.cov(x),                 real,      [(3, 4)]),
    Row("cov 1-d",       lambda x: np.cov(x),                 real,      [(4,)]),
    Row("cov columns",   lambda x: np.cov(x, rowvar=False),   real,      [(4, 3)]),
    Row("cov bias",      lambda x: np.cov(x, bias=True),      real,      [(2, 4)]),
    Row("cov ddof",      lambda x: np.cov(x, ddof=2),         real,      [(2, 4)]),
    Row("cov two",       lambda x, y: np.cov(x, y),           real,      [(2, 4), (4,)]),
    Row("cov two columns", lambda x, y: np.cov(x, y, False),  real,      [(4, 2), (4, 1)]),
    Row("cov of list",   lambda y: np.cov([1.0, 3.0, -2.0], y), real,    [(3,)]),
    Row("cov some aweights", lambda x: np.cov(x, aweights=[0.5, 0, 1, 2]), real, [(2, 4)]),
    Row("cov fweights",  lambda x: np.cov(x, fweights=COUNTS), real,     [(2, 4)]),
    Row("cov aweights",  lambda x, w: np.cov(x, aweights=w),  positive,  [(2, 4), (4,)]),
    Row("cov aweights ddof 0", lambda x, w: np.cov(x, aweights=w, ddof=0), positive, [(2, 4), (4,)]),
    Row("cov all weights", lambda x: np.cov(x, fweights=COUNTS, aweights=WEIGHTS), real, [(2, 4)]),
    Row("cov dtype",     lambda x: np.cov(x, dtype=x.dtype),  real,      [(2, 4)]),
    Row("corrcoef",      lambda x: np.corrcoef(x),            real,      [(3, 5)]),
    Row("corrcoef two",  lambda x, y: np.corrcoef(x, y),      real,      [(5,), (5,)]),
    Row("corrcoef columns", lambda x: np.corrcoef(x, rowvar=False), real, [(5, 2)]),
]

ROWS = ORDER + AVERAGES + COVARIANCES
# fmt: on
