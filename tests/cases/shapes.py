"""Functions that change the shape of an array or permute its axes."""

import numpy as np

from cases.rows import Row, real

A23 = np.array([[0.5, -1.5, 2.5], [1.25, -0.75, 1.75]])


def flat(parts):
    """Several results as one, with different weights."""
    assert isinstance(parts, (list, tuple))
    return np.concatenate([np.ravel(part) * (k + 1) for k, part in enumerate(parts)])


# fmt: off
SHAPES = [
    Row("reshape",       lambda x: np.reshape(x, (3, 2)),     real,      [(2, 3)]),
    Row("reshape -1",    lambda x: x.reshape(-1, 2),          real,      [(2, 3)]),
    Row("reshape ()",    lambda x: x.reshape(()),             real,      [(1, 1)]),
    Row("reshape 0-d",   lambda x: np.reshape(x, (1, 1)),     real,      [()]),
    Row("reshape empty", lambda x: np.reshape(x, (3, 0)),     real,      [(0, 2)]),
    Row("reshape F",     lambda x: np.reshape(x, (3, -1), order="F"), real, [(2, 3, 2)]),
    Row("reshape A",     lambda x: np.reshape(np.copy(x, order="F"), (2, 6), order="A"), real, [(2, 3, 2)]),
    Row("reshape A, C",  lambda x: np.reshape(np.copy(x, order="C"), (2, 6), "A"), real, [(3, 4)]),
    Row("reshape copy",  lambda x: np.reshape(x, (3, 2), copy=True), real, [(2, 3)]),
    Row("ravel",         lambda x: np.ravel(x),               real,      [(2, 3)]),
    Row("ravel 0-d",     lambda x: x.ravel(),                 real,      [()]),
    Row("ravel empty",   lambda x: np.ravel(x),               real,      [(2, 0)]),
    Row("ravel F",       lambda x: np.ravel(x, order="F"),    real,      [(2, 3)]),
    Row("ravel A",       lambda x: np.ravel(np.copy(x, order="F"), "A"), real, [(2, 3)]),
    Row("ravel K",       lambda x: np.ravel(np.transpose(np.copy(x, "C"), (2, 0, 1))[::-1], "K"), real, [(2, 3, 4)]),
    Row("flatten",       lambda x: x.flatten(),               real,      [(2, 3)]),
    Row("copy",          lambda x: x.copy(),                  real,      [(2, 3)]),
    Row("np.copy",       lambda x: np.copy(x),                real,      [(2, 3)]),
    Row("np.copy order", lambda x: np.copy(x, order="F"),     real,      [(2, 3)]),
    Row("astype",        lambda x: x.astype(np.float64),      real,      [(2, 3)]),
    Row("np.astype",     lambda x: np.astype(x, np.float64),  real,      [(2, 3)]),
    Row("np.astype f4",  lambda x: np.astype(np.astype(x, np.longdouble), np.float64, copy=False), real, [(3,)]),
    Row("expand_dims",   lambda x: np.expand_dims(x, 1),      real,      [(2, 3)]),
    Row("expand_dims 2", lambda x: np.expand_dims(x, (0, -1)), real,     [(2, 3)]),
    Row("squeeze",       lambda x: np.squeeze(x),             real,      [(1, 3, 1)]),
    Row("squeeze -1",    lambda x: x.squeeze(-1),             real,      [(1, 3, 1)]),
    Row("squeeze 2",     lambda x: np.squeeze(x, axis=(0, 2)), real,     [(1, 3, 1)]),
    Row("atleast_1d 0-d", lambda x: np.atleast_1d(x) * 2,     real,      [()]),
    Row("atleast_1d",    lambda x: np.atleast_1d(x) * 2,      real,      [(2, 3)]),
    Row("atleast_1d all", lambda x, y: flat(np.atleast_1d(x, y, A23, 4.0)), real, [(), (2,)]),
    Row("atleast_2d 0-d", lambda x: np.atleast_2d(x),         real,      [()]),
    Row("atleast_2d 1-d", lambda x: np.atleast_2d(x),         real,      [(3,)]),
    Row("atleast_2d all", lambda x, y: flat(np.atleast_2d(x, y)), real,  [(2, 1, 2), (2,)]),
    Row("atleast_3d 0-d", lambda x: np.atleast_3d(x),         real,      [()]),
    Row("atleast_3d 1-d", lambda x: np.atleast_3d(x),         real,      [(3,)]),
    Row("atleast_3d 2-d", lambda x: np.atleast_3d(x),         real,      [(2, 3)]),
    Row("atleast_3d all", lambda x, y: flat(np.atleast_3d(x, y)), real,  [(0,), (2,)]),
]

AXES = [
    Row(".T",            lambda x: x.T,                       real,      [(2, 3)]),
    Row("transpose",     lambda x: np.transpose(x),           real,      [(2, 3, 2)]),
    Row("transpose axes", lambda x: np.transpose(x, (2, 0, 1)), real,    [(2, 3, 2)]),
    Row("transpose neg", lambda x: x.transpose(-1, 0, -2),    real,      [(2, 3, 2)]),
    Row("transpose one", lambda x: np.transpose(x, 0),        real,      [(3,)]),
    Row("permute_dims",  lambda x: np.permute_dims(x, (1, 0)), real,     [(2, 3)]),
    Row("matrix_transpose", lambda x: np.matrix_transpose(x), real,      [(2, 3, 4)]),
    Row("swapaxes",      lambda x: np.swapaxes(x, 0, -1),     real,      [(2, 3, 2)]),
    Row("moveaxis",      lambda x: np.moveaxis(x, 0, -1),     real,      [(2, 3, 4)]),
    Row("moveaxis 2",    lambda x: np.moveaxis(x, [0, -1], [1, 0]), real, [(2, 3, 4)]),
    Row("moveaxis none", lambda x: np.moveaxis(x, (), ()),    real,      [()]),
    Row("rollaxis",      lambda x: np.rollaxis(x, 2),         real,      [(2, 3, 4)]),
    Row("rollaxis back", lambda x: np.rollaxis(x, 0, 3),      real,      [(2, 3, 4)]),
    Row("rollaxis neg",  lambda x: np.rollaxis(x, -3, start=-1), real,   [(2, 3, 4)]),
    Row("flip",          lambda x: np.flip(x),                real,      [(2, 3)]),
    Row("flip 0",        lambda x: np.flip(x, 0),             real,      [(2, 3)]),
    Row("flip 2",        lambda x: np.flip(x, axis=(-1, 0)),  real,      [(2, 3, 2)]),
    Row("flip 0-d",      lambda x: np.flip(x),                real,      [()]),
    Row("flip empty",    lambda x: np.flip(x, 1),             real,      [(0, 2)]),
    Row("fliplr",        lambda x: np.fliplr(x),              real,      [(2, 3)]),
    Row("flipud",        lambda x: np.flipud(x),              real,      [(2, 3)]),
    Row("rot90",         lambda x: np.rot90(x),               real,      [(2, 3)]),
    Row("rot90 k",       lambda x: np.rot90(x, k=-3, axes=(-1, 0)), real, [(2, 3, 4)]),
    Row("rot90 twice",   lambda x: np.rot90(x, 2, (1, 2)),    real,      [(2, 3, 4)]),
    Row("roll",          lambda x: np.roll(x, 2),             real,      [(2, 3)]),
    Row("roll 1",        lambda x: np.roll(x, -1, axis=1),    real,      [(2, 3)]),
    Row("roll axes",     lambda x: np.roll(x, (1, -2), axis=(0, -1)), real, [(2, 3)]),
    Row("roll both",     lambda x: np.roll(x, 1, axis=(0, 1)), real,     [(2, 3)]),
    Row("roll twice",    lambda x: np.roll(x, (1, 4), axis=(1, 1)), real, [(2, 3)]),
    Row("roll unsigned", lambda x: np.roll(x, np.uint8(1)),   real,      [(3,)]),
    Row("roll 0-d",      lambda x: np.roll(x, 2),             real,      [()]),
    Row("roll empty",    lambda x: np.roll(x, 1, axis=0),     real,      [(0, 2)]),
]

BROADCASTS = [
    Row("broadcast_to",  lambda x: np.broadcast_to(x, (2, 3)), real,     [(3,)]),
    Row("broadcast 1s",  lambda x: np.broadcast_to(x, (4, 2, 3)), real,  [(2, 1)]),
    Row("broadcast 0-d", lambda x: np.broadcast_to(x, (2, 2)), real,     [()]),
    Row("broadcast none", lambda x: np.broadcast_to(x, (0, 3)), real,    [(1, 3)]),
    Row("broadcast_arrays", lambda x, y: flat(np.broadcast_arrays(x, y, A23)), real, [(2, 1), (3,)]),
    Row("broadcast_arrays 0", lambda x, y: flat(np.broadcast_arrays(x, y)), real, [(0, 1), ()]),
    Row("meshgrid",      lambda x, y: flat(np.meshgrid(x, y)), real,     [(2,), (3,)]),
    Row("meshgrid ij",   lambda x, y: flat(np.meshgrid(x, y, indexing="ij")), real, [(2,), (3,)]),
    Row("meshgrid sparse", lambda x, y: flat(np.meshgrid(x, y, sparse=True)), real, [(2,), (3,)]),
    Row("meshgrid view", lambda x, y, z: flat(np.meshgrid(x, y, z, copy=False)), real, [(2,), (3,), (2,)]),
    Row("meshgrid one",  lambda x: flat(np.meshgrid(x)),      real,      [(3,)]),
    Row("meshgrid 0-d",  lambda x: flat(np.meshgrid(x, [1.0, 2.0])), real, [()]),
    Row("meshgrid empty", lambda x, y: flat(np.meshgrid(x, y)), real,    [(0,), (2,)]),
]

ROWS = SHAPES + AXES + BROADCASTS
# fmt: on
