"""Functions that reduce axes."""
# ruff: noqa: E501  (tables with one row per line)

import numpy as np

from cases.rows import Row, away, distinct, larger, real

MASK = np.array([[True, False], [True, True], [False, True]])

# fmt: off
AXES = [None, 0, 1, -1, (0, 2), (-1, 0), (2, 1, 0), ()]
REDUCTIONS = [
    Row(f"{name} {axis}{' keepdims' * keep}", lambda x, f=f, axis=axis, keep=keep: f(x, axis=axis, keepdims=keep), domain, [(2, 3, 2)])
    for name, f, domain in [("sum", np.sum, real), ("mean", np.mean, real), ("max", np.max, distinct), ("min", np.min, distinct),
                            ("prod", np.prod, away), ("var", np.var, real), ("std", np.std, distinct), ("ptp", np.ptp, distinct)]
    for axis in AXES for keep in (False, True) if not (axis == () and name in ("var", "std"))
] + [
    Row("var ddof",      lambda x: np.var(x, axis=0, ddof=1), real,      [(3, 2)]),
    Row("std ddof",      lambda x: np.std(x, axis=1, ddof=1, keepdims=True), distinct, [(2, 3)]),
    Row("std ddof .5",   lambda x: np.std(x, ddof=0.5),       distinct,  [(2, 3)]),
    Row("var complete",  lambda x: np.var(x, axis=(0, 1), ddof=2), real, [(2, 3)]),
    Row("sum method",    lambda x: x.sum(0),                  real,      [(2, 3)]),
    Row("mean method",   lambda x: x.mean((0, 1)),            real,      [(2, 3)]),
    Row("max method",    lambda x: x.max(1, keepdims=True),   distinct,  [(2, 3)]),
    Row("min method",    lambda x: x.min(),                   distinct,  [(2, 3)]),
    Row("prod method",   lambda x: x.prod(axis=1),            away,      [(2, 3)]),
    Row("var method",    lambda x: x.var(0, ddof=1),          real,      [(3, 2)]),
    Row("std method",    lambda x: x.std(1),                  distinct,  [(2, 3)]),
    Row("sum dtype",     lambda x: np.sum(x, 0, np.float64),  real,      [(2, 3)]),
    Row("add.reduce",    lambda x: np.add.reduce(x),          real,      [(2, 3)]),
    Row("add.reduce 1",  lambda x: np.add.reduce(x, axis=1, keepdims=True),  real, [(2, 3)]),
    Row("multiply.reduce", lambda x: np.multiply.reduce(x),   away,      [(3, 2)]),
    Row("maximum.reduce", lambda x: np.maximum.reduce(x, axis=None), distinct, [(2, 3)]),
    Row("prod zeros",    lambda x: np.prod(x * [[1, 0, 1], [0, 1, 0]], axis=1), away, [(2, 3)]),
    Row("prod long",     lambda x: np.prod(x),                larger,    [(7,)]),
    Row("sum 0-d",       lambda x: np.sum(x),                 real,      [()]),
    Row("max 0-d",       lambda x: np.max(x),                 real,      [()]),
    Row("prod 0-d",      lambda x: np.prod(x),                real,      [()]),
    Row("sum nothing",   lambda x: np.sum(x, axis=0),         real,      [(0, 3)]),
    Row("sum to nothing", lambda x: np.sum(x, axis=1),        real,      [(0, 3)]),
    Row("prod nothing",  lambda x: np.prod(x, axis=0),        real,      [(0, 3)]),
    Row("mean to nothing", lambda x: np.mean(x, axis=1),      real,      [(0, 3)]),
    Row("max to nothing", lambda x: np.max(x, axis=1),        real,      [(0, 3)]),
    Row("var to nothing", lambda x: np.var(x, axis=1),        real,      [(0, 3)]),
    Row("amax",          lambda x: np.amax(x, axis=0),        distinct,  [(2, 3)]),
    Row("amin",          lambda x: np.amin(x, 1, keepdims=True), distinct, [(2, 3)]),
    Row("ptp 0-d",       lambda x: np.ptp(x),                 real,      [()]),
    Row("var correction", lambda x: np.var(x, axis=0, correction=1), real, [(3, 2)]),
    Row("var complex",   lambda x: np.var(np.fft.fft(x), axis=0), real, [(3, 4)]),
    Row("std complex",   lambda x: np.std(np.fft.fft(x), ddof=1), real,  [(5,)]),
    Row("var complex 0", lambda x: np.var(np.fft.fft(x * [1, 0, 0, 0])), real, [(4,)]),  # some deviations are 0
    Row("var dtype",     lambda x: np.var(x, 0, np.float64, ddof=1), real, [(3, 2)]),
    Row("std dtype",     lambda x: np.std(x, axis=1, dtype=np.float64), distinct, [(2, 3)]),
    Row("prod dtype",    lambda x: np.prod(x, 0, np.float64), away,      [(3, 2)]),
    Row("mean where dtype", lambda x: np.mean(x, 0, np.float64, where=MASK), real, [(3, 2)]),
    Row("var mean",      lambda x: np.var(x, axis=0, mean=np.mean(x, axis=0, keepdims=True)), real, [(3, 2)]),
    Row("var of mean",   lambda x, y: np.var(x, axis=1, mean=y, ddof=1), real, [(2, 3), (2, 1)]),
    Row("var where",     lambda x: np.var(x, axis=0, where=MASK), real,  [(3, 2)]),
    Row("var where ddof", lambda x: np.var(x, where=MASK, ddof=1, keepdims=True), real, [(3, 2)]),
    Row("var where row", lambda x: np.var(x, axis=-1, where=[True, False, True]), real, [(2, 3)]),
    Row("std correction", lambda x: np.std(x, axis=0, correction=1.5), distinct, [(3, 2)]),
    Row("std mean",      lambda x: np.std(x, axis=0, mean=np.mean(x, axis=0, keepdims=True)), distinct, [(3, 2)]),
    Row("std of mean",   lambda x, y: np.std(x, axis=1, mean=y, keepdims=True, ddof=1), distinct, [(2, 3), (2, 1)]),
    Row("std where",     lambda x: np.std(x, axis=(0, 1), where=MASK, ddof=1), distinct, [(3, 2)]),
    Row("std where axis", lambda x: np.std(x, axis=0, where=MASK), distinct, [(3, 2)]),
    Row("prod where",    lambda x: np.prod(x, axis=0, where=MASK), away, [(3, 2)]),
    Row("prod initial",  lambda x: np.prod(x, axis=1, initial=2.5), away, [(3, 2)]),
    Row("prod initial 2", lambda x: np.prod(x, initial=2),    away,      [(3,)]),
    Row("prod initial 0", lambda x: np.prod(x, initial=0),    away,      [(3,)]),
    Row("sum initial 1", lambda x: np.sum(x * x, initial=1),  real,      [(3,)]),
    Row("sum initial -1", lambda x: np.sum(x * x, initial=-1), real,     [(3,)]),
    Row("sum where",     lambda x: np.sum(x, axis=0, where=MASK), real,  [(3, 2)]),
    Row("sum initial",   lambda x: np.sum(x, 1, initial=2.5, keepdims=True), real, [(3, 2)]),
    Row("sum method where", lambda x: x.sum(where=MASK, initial=-1.0), real, [(3, 2)]),
    Row("mean where",    lambda x: np.mean(x, axis=1, where=MASK), real, [(3, 2)]),
    Row("mean method where", lambda x: x.mean(0, where=MASK, keepdims=True), real, [(3, 2)]),
    Row("max initial",   lambda x: np.max(x, axis=0, initial=0.1), distinct, [(3, 2)]),
    Row("max where",     lambda x: np.max(x, axis=1, initial=-5.0, where=MASK), distinct, [(3, 2)]),
    Row("min where",     lambda x: np.min(x, initial=5.0, where=MASK, keepdims=True), distinct, [(3, 2)]),
    Row("max of nothing", lambda x: np.max(x, axis=0, initial=2.0), distinct, [(0, 2)]),
    Row("apply_over_axes", lambda x: np.apply_over_axes(np.sum, x * x, [0, -1]), real, [(2, 3, 2)]),
    Row("apply_over_axes 1", lambda x: np.apply_over_axes(lambda y, axis: np.max(y, axis, keepdims=True), x, 1), distinct,
                         [(3, 2)]),
    Row("prod initial where", lambda x: np.prod(x, where=MASK, initial=-1.5, keepdims=True), away, [(3, 2)]),
]


ROWS = REDUCTIONS
# fmt: on
