"""Batch and group normalization compared with plain NumPy: several blocks, orders of memory, means far from 0."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.functional import standardized_channels

AXES = {None: (0, 3), 1: (2, 3), 2: (2, 3), 4: (2, 3)}


def plainly(x, w, b, groups, g):
    """The result, and the gradients, in float64."""
    x, w, b, g = (np.asarray(v, np.float64) for v in (x, w, b, g))
    shape, axis = (len(x), groups or 1, x.shape[1] // (groups or 1), -1), AXES[groups]
    column = (-1,) + (1,) * (x.ndim - 2)
    grouped = x.reshape(shape)
    inverse = 1 / np.sqrt(grouped.var(axis, keepdims=True) + 1e-5)
    standard = (grouped - grouped.mean(axis, keepdims=True)) * inverse
    scaled = (g * w.reshape(column)).reshape(shape)
    along = standard * (scaled * standard).mean(axis, keepdims=True)
    dx = inverse * (scaled - scaled.mean(axis, keepdims=True) - along)
    rest, standard = (0, *range(2, x.ndim)), standard.reshape(x.shape)
    return standard * w.reshape(column) + b.reshape(column), dx.reshape(x.shape), (g * standard).sum(rest), g.sum(rest)


@pytest.mark.parametrize("block", [1, 100, 1 << 16])
@pytest.mark.parametrize("last", [False, True], ids=["channels first", "channels last"])
@pytest.mark.parametrize("shape", [(7, 4), (5, 4, 1), (6, 4, 9), (3, 4, 5, 6)])
@pytest.mark.parametrize("groups", AXES)
def test_results_and_gradients(groups, shape, last, block, monkeypatch):
    if groups == 4 and np.prod(shape[2:]) == 1:
        pytest.skip("one value for each statistic")
    monkeypatch.setattr(standardized_channels, "_BLOCK", block)
    rng = np.random.default_rng(0)
    x = (rng.standard_normal(shape) + 100 * np.arange(4).reshape(-1, *[1] * (len(shape) - 2))).astype(np.float32)
    if last:
        x = np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1)
    w, b, g = (rng.standard_normal(s).astype(np.float32) for s in (4, 4, shape))
    leaves = [tg.Tensor(v, requires_grad=True) for v in (x, w, b)]
    if groups is None:
        out = tg.batch_norm(leaves[0], None, None, *leaves[1:], training=True)
    else:
        out = tg.group_norm(leaves[0], groups, *leaves[1:])
    out.backward(g)
    found = [out.data, *(leaf.grad for leaf in leaves)]
    for ours, right in zip(found, plainly(x, w, b, groups, g), strict=True):
        assert ours.dtype == np.float32
        np.testing.assert_allclose(ours, right, rtol=1e-3, atol=1e-3 * max(np.abs(right).max(), 1e-3))


EMPTY = {
    "no images": (lambda x: tg.group_norm(x, 2, np.ones(4)), (0, 4, 5)),
    "no pixels": (lambda x: tg.group_norm(x, 2, np.ones(4)), (2, 4, 0)),
    "no rows": (lambda x: tg.layer_norm(x, 4, np.ones(4)), (0, 4)),
    "no features": (lambda x: tg.layer_norm(x, 0), (3, 0)),
}


@pytest.mark.parametrize("name", EMPTY)
def test_empty_arrays(name):
    norm, shape = EMPTY[name]
    x = np.zeros(shape, np.float32)
    assert norm(x).shape == shape
    for derivative in (tg.grad(lambda x: np.sum(norm(x))), tg.grad(lambda x: np.sum(norm(x) ** 2))):
        assert derivative(x).shape == shape


def test_running_statistics_are_those_of_the_batch():
    x = np.random.default_rng(1).standard_normal((8, 3, 5)) * 2 + 50
    mean, var = np.zeros(3), np.ones(3)
    tg.batch_norm(x, mean, var, training=True, momentum=1.0)
    np.testing.assert_allclose(mean, x.mean((0, 2)))
    np.testing.assert_allclose(var, x.var((0, 2), ddof=1))
