"""Normalization: over features, over the batch, over groups of channels."""
# ruff: noqa: E501  (tables with one row per line)

import numpy as np

import tensorgrad as tg
from cases.rows import Row, real

MEAN, VAR = np.array([0.3, -0.7, 1.1]), np.array([0.5, 2.0, 1.3])


def _standard(x, axis, eps=1e-5):
    return (x - x.mean(axis=axis, keepdims=True)) / np.sqrt(x.var(axis=axis, keepdims=True) + x.dtype.type(eps))


def _scaled(x, axis, eps):
    return x / np.sqrt(np.mean(x**2, axis=axis, keepdims=True) + x.dtype.type(eps))


def _groups(x, groups, eps=1e-5):
    """Each image and each group separately."""
    out = np.empty_like(x)
    size = x.shape[1] // groups
    for n, g in np.ndindex(len(x), groups):
        part = x[n, g * size : (g + 1) * size]
        out[n, g * size : (g + 1) * size] = _standard(part, None, eps)
    return out


def _running(x):
    """The running statistics, in the precision of the input."""
    return {"running_mean": MEAN.astype(x.dtype), "running_var": VAR.astype(x.dtype)}


def _channels(v):
    return v[:, None, None]


# fmt: off
ROWS = [
    Row("layer_norm",            lambda x, w, b: tg.layer_norm(x, (3,), w, b),                real, [(4, 3), (3,), (3,)],       lambda x, w, b: _standard(x, 1) * w + b),
    Row("layer_norm constants",  lambda x: tg.layer_norm(x, 3, [1, 2, 4], MEAN),              real, [(4, 3)],                   lambda x: _standard(x, 1) * np.array([1, 2, 4], x.dtype) + MEAN.astype(x.dtype)),
    Row("layer_norm int eps",    lambda x: tg.layer_norm(x, 4, eps=0.5),                      real, [(2, 3, 4)],               lambda x: _standard(x, 2, 0.5)),
    Row("layer_norm 2 axes",     lambda x, w: tg.layer_norm(x, [3, 2], w),                    real, [(2, 3, 2), (3, 2)],       lambda x, w: _standard(x, (1, 2)) * w),
    Row("layer_norm bias",       lambda x, b: tg.layer_norm(x, 3, bias=b),                    real, [(3,), (3,)],              lambda x, b: _standard(x, 0) + b),
    Row("rms_norm",              lambda x, w: tg.rms_norm(x, 3, w),                           real, [(4, 3), (3,)],             lambda x, w: _scaled(x, 1, np.finfo(x.dtype).eps) * w),
    Row("rms_norm 2 axes",       lambda x: tg.rms_norm(x, (3, 2), eps=0.5),                   real, [(2, 3, 2)],                lambda x: _scaled(x, (1, 2), 0.5)),
    Row("batch_norm train",      lambda x, w, b: tg.batch_norm(x, weight=w, bias=b, training=True), real, [(5, 3), (3,), (3,)], lambda x, w, b: _standard(x, 0) * w + b),
    Row("batch_norm train 2d",   lambda x, w, b: tg.batch_norm(x, None, None, w, b, True, eps=0.1), real, [(2, 3, 2, 2), (3,), (3,)],
                                 lambda x, w, b: _standard(x, (0, 2, 3), 0.1) * _channels(w) + _channels(b)),
    Row("batch_norm eval",       lambda x, w, b: tg.batch_norm(x, **_running(x), weight=w, bias=b), real, [(4, 3), (3,), (3,)],
                                 lambda x, w, b: (x - _running(x)["running_mean"]) / np.sqrt(_running(x)["running_var"] + 1e-5) * w + b),
    Row("batch_norm constants",  lambda x: tg.batch_norm(x, MEAN, VAR, VAR, MEAN),            real, [(4, 3)],                   lambda x: ((x - MEAN) / np.sqrt(VAR + 1e-5) * VAR + MEAN).astype(x.dtype)),
    Row("batch_norm eval 2d",    lambda x: tg.batch_norm(x, **_running(x), eps=0.1),          real, [(2, 3, 2, 2)],
                                 lambda x: (x - _channels(_running(x)["running_mean"])) / np.sqrt(_channels(_running(x)["running_var"]) + 0.1)),
    Row("group_norm",            lambda x, w, b: tg.group_norm(x, 2, w, b),                   real, [(2, 4, 3), (4,), (4,)],    lambda x, w, b: _groups(x, 2) * w[:, None] + b[:, None]),
    Row("group_norm 1, 2d",      lambda x, w: tg.group_norm(x, 1, w, eps=0.2),                real, [(2, 3, 2, 2), (3,)],      lambda x, w: _groups(x, 1, 0.2) * _channels(w)),
    Row("group_norm of all",     lambda x, b: tg.group_norm(x, 3, bias=b),                    real, [(2, 3, 2, 2), (3,)],      lambda x, b: _groups(x, 3) + _channels(b)),
]
# fmt: on
