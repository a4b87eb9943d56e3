"""Functions that move elements."""

import numpy as np

from table.rows import Row, real

A23 = np.array([[0.5, -1.5, 2.5], [1.25, -0.75, 1.75]])
A3 = np.array([1.5, 0.5, 2.25])

# fmt: off
SHAPES = [
    Row("reshape",       lambda x: np.reshape(x, (3, 2)),     real,      [(2, 3)]),
    Row("reshape -1",    lambda x: x.reshape(-1, 2),          real,      [(2, 3)]),
    Row("reshape ()",    lambda x: x.reshape(()),             real,      [(1, 1)]),
    Row("reshape 0-d",   lambda x: np.reshape(x, (1, 1)),     real,      [()]),
    Row("reshape empty", lambda x: np.reshape(x, (3, 0)),     real,      [(0, 2)]),
    Row("ravel",         lambda x: np.ravel(x),               real,      [(2, 3)]),
    Row("ravel 0-d",     lambda x: x.ravel(),                 real,      [()]),
    Row("flatten",       lambda x: x.flatten(),               real,      [(2, 3)]),
    Row("copy",          lambda x: x.copy(),                  real,      [(2, 3)]),
    Row("astype",        lambda x: x.astype(np.float64),      real,      [(2, 3)]),
    Row(".T",            lambda x: x.T,                       real,      [(2, 3)]),
    Row("transpose",     lambda x: np.transpose(x),           real,      [(2, 3, 2)]),
    Row("transpose axes", lambda x: np.transpose(x, (2, 0, 1)), real,    [(2, 3, 2)]),
    Row("transpose neg", lambda x: x.transpose(-1, 0, -2),    real,      [(2, 3, 2)]),
    Row("transpose one", lambda x: np.transpose(x, 0),        real,      [(3,)]),
    Row("permute_dims",  lambda x: np.permute_dims(x, (1, 0)), real,     [(2, 3)]),
    Row("swapaxes",      lambda x: np.swapaxes(x, 0, -1),     real,      [(2, 3, 2)]),
    Row("expand_dims",   lambda x: np.expand_dims(x, 1),      real,      [(2, 3)]),
    Row("expand_dims 2", lambda x: np.expand_dims(x, (0, -1)), real,     [(2, 3)]),
    Row("squeeze",       lambda x: np.squeeze(x),             real,      [(1, 3, 1)]),
    Row("squeeze -1",    lambda x: x.squeeze(-1),             real,      [(1, 3, 1)]),
    Row("squeeze 2",     lambda x: np.squeeze(x, axis=(0, 2)), real,     [(1, 3, 1)]),
    Row("broadcast_to",  lambda x: np.broadcast_to(x, (2, 3)), real,     [(3,)]),
    Row("broadcast 1s",  lambda x: np.broadcast_to(x, (4, 2, 3)), real,  [(2, 1)]),
    Row("broadcast 0-d", lambda x: np.broadcast_to(x, (2, 2)), real,     [()]),
    Row("broadcast none", lambda x: np.broadcast_to(x, (0, 3)), real,    [(1, 3)]),
    Row("concatenate",   lambda x, y: np.concatenate([x, y]), real,      [(2, 3), (1, 3)]),
    Row("concatenate -1", lambda x, y: np.concatenate((x, y), axis=-1),  real, [(2, 1), (2, 3)]),
    Row("concatenate all", lambda x, y: np.concatenate([x, y], axis=None), real, [(2, 2), ()]),
    Row("concatenate array", lambda x: np.concatenate([A23, x, A23]),    real, [(2, 3)]),
    Row("concatenate empty", lambda x, y: np.concatenate([x, y]),        real, [(0, 3), (1, 3)]),
    Row("concatenate twice", lambda x: np.concatenate([x, x * x, x]),    real, [(2,)]),
    Row("concatenate rows", lambda x: np.concatenate(x),      real,      [(2, 3)]),
    Row("stack",         lambda x, y: np.stack([x, y]),       real,      [(2, 3), (2, 3)]),
    Row("stack -1",      lambda x, y: np.stack([x, y], axis=-1), real,   [(2, 3), (2, 3)]),
    Row("stack -2",      lambda x, y: np.stack((x, y), -2),   real,      [(2, 3), (2, 3)]),
    Row("stack 0-d",     lambda x, y: np.stack([x, y, x]),    real,      [(), ()]),
    Row("stack array",   lambda x: np.stack([A3, x], 1),      real,      [(3,)]),
]


ROWS = SHAPES
# fmt: on
