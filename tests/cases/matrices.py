"""Diagonals and triangles of matrices, and matrices created from vectors."""

import numpy as np

from cases.rows import Row, away, real

# fmt: off
MATRICES = [
    *[Row(f"diag {k}",     lambda x, k=k: np.diag(x, k),       real,      [(3,)]) for k in (0, 1, -2)],
    *[Row(f"diag of {k}",  lambda x, k=k: np.diag(x, k=k),     real,      [(3, 4)]) for k in (0, 2, -1, 4)],
    Row("diag empty",    lambda x: np.diag(x, 1),             real,      [(0,)]),
    Row("diagonal",      lambda x: np.diagonal(x),            real,      [(2, 3)]),
    Row("diagonal below", lambda x: np.diagonal(x, -1),       real,      [(3, 2, 2)]),
    Row("diagonal axes", lambda x: np.diagonal(x, 1, axis1=-1, axis2=0), real, [(3, 2, 4)]),
    Row("diagonal axes 2", lambda x: np.diagonal(x, offset=-1, axis1=1, axis2=2), real, [(2, 3, 2)]),
    Row("diagonal empty", lambda x: np.diagonal(x),           real,      [(0, 3, 2)]),
    Row("diagflat",      lambda x: np.diagflat(x, 1),         real,      [(2, 2)]),
    Row("diagflat 0-d",  lambda x: np.diagflat(x, k=-1),      real,      [()]),
    Row("trace",         lambda x: np.trace(x),               real,      [(2, 3)]),
    Row("trace axes",    lambda x: np.trace(x, 1, -1, 0),     real,      [(3, 2, 4)]),
    Row("trace dtype",   lambda x: np.trace(x, offset=-1, axis1=1, axis2=2, dtype=np.float64), real, [(2, 3, 2)]),
    *[Row(f"tril {k}",     lambda x, k=k: np.tril(x, k),       real,      [(3, 4)]) for k in (0, 1, -1)],
    *[Row(f"triu {k}",     lambda x, k=k: np.triu(x, k=k),     real,      [(2, 3, 2)]) for k in (0, 1, -1)],
    Row("tril 1-d",      lambda x: np.tril(x),                real,      [(3,)]),
    Row("triu empty",    lambda x: np.triu(x),                real,      [(0, 2)]),
    Row("vander",        lambda x: np.vander(x),              away,      [(3,)]),
    Row("vander N",      lambda x: np.vander(x, 4, increasing=True), away, [(2,)]),
    Row("vander empty",  lambda x: np.vander(x, N=2),         away,      [(0,)]),
]

ROWS = MATRICES
# fmt: on
