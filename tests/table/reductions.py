"""Functions that reduce axes."""
# ruff: noqa: E501  (tables, a row a line)

import numpy as np

from table.rows import Row, away, distinct, larger, real

# fmt: off
AXES = [None, 0, 1, -1, (0, 2), (-1, 0), (2, 1, 0), ()]
REDUCTIONS = [
    Row(f"{name} {axis}{' keepdims' * keep}", lambda x, f=f, axis=axis, keep=keep: f(x, axis=axis, keepdims=keep), domain, [(2, 3, 2)])
    for name, f, domain in [("sum", np.sum, real), ("mean", np.mean, real), ("max", np.max, distinct), ("min", np.min, distinct),
                            ("prod", np.prod, away), ("var", np.var, real), ("std", np.std, distinct)]
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
]


ROWS = REDUCTIONS
# fmt: on
