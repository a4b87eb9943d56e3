"""Derivatives of functions of several arrays, against ``torch.func``; third derivatives; dtypes."""

import numpy as np
import pytest

import tensorgrad as tg
from compare.both import torch
from compare.op import positive, small

pytestmark = [
    pytest.mark.compare,
    pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated"),  # which torch.func uses
]

func = torch.func
X, Y = np.random.default_rng(1).standard_normal((2, 3)), np.random.default_rng(2).standard_normal(3)
V, W = np.random.default_rng(3).standard_normal((2, 3)), np.random.default_rng(4).standard_normal(3)


def mlp(x, y):
    return np.tanh(x * y) @ np.exp(small(y)) + np.log(positive(x)).sum(1)


def mlp_t(x, y):
    return torch.tanh(x * y) @ torch.exp(small(y)) + torch.log(positive(x)).sum(1)


def softmax(x, y):
    return tg.softmax(x @ np.outer(y, y), axis=1)


def softmax_t(x, y):
    return torch.softmax(x @ torch.outer(y, y), 1)


def solved(x, y):
    return np.linalg.solve(np.outer(y, y) + 2 * np.eye(3), x.T) * y[:, None]


def solved_t(x, y):
    return torch.linalg.solve(torch.outer(y, y) + 2 * torch.eye(3, dtype=y.dtype), x.T) * y[:, None]


def written(x, y):
    z = x * x + 0 * y
    z[1, 1:] = y[:2] * z[0, 0]
    z[:, 0] += y[0]
    return np.sort(z, axis=1) / positive(y)


def written_t(x, y):
    z = torch.stack([x[0] ** 2, torch.cat([x[1, :1] ** 2, y[:2] * x[0, 0] ** 2])])
    z = torch.cat([z[:, :1] + y[0], z[:, 1:]], 1)
    return torch.sort(z, 1).values / positive(y)


FUNCTIONS = pytest.mark.parametrize(
    ("ours", "theirs"),
    [(mlp, mlp_t), (softmax, softmax_t), (solved, solved_t), (written, written_t)],
    ids=["mlp", "softmax", "solved", "written"],
)


def t(*arrays):
    return tuple(torch.tensor(x) for x in arrays)


def same(ours, theirs):
    """Structures of tuples with equal arrays in them."""
    if isinstance(theirs, tuple):
        assert len(ours) == len(theirs)
        for x, y in zip(ours, theirs, strict=True):
            same(x, y)
    else:
        np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-10, atol=1e-12)


def total(ours):
    return lambda x, y: (ours(x, y) ** 2).sum()


@FUNCTIONS
def test_jacobian(ours, theirs):
    same(tg.jacobian(ours, X, Y), func.jacrev(theirs, (0, 1))(*t(X, Y)))
    same(tg.jacobian(lambda x: ours(x, Y), X), func.jacfwd(lambda x: theirs(x, *t(Y)))(*t(X)))


@FUNCTIONS
def test_jacobian_in_float32(ours, theirs):
    narrow = [x.astype(np.float32) for x in (X, Y)]
    for mine, other in zip(tg.jacobian(ours, *narrow), func.jacrev(theirs, (0, 1))(*t(*narrow)), strict=True):
        if ours is not solved:  # which makes float64 of it with np.eye
            assert mine.dtype == np.float32
        np.testing.assert_allclose(mine, other.numpy(), rtol=1e-4, atol=1e-5)


@FUNCTIONS
def test_hessian(ours, theirs):
    same(tg.hessian(total(ours), X, Y), func.hessian(total(theirs), (0, 1))(*t(X, Y)))


@FUNCTIONS
def test_vjp(ours, theirs):
    out, pull = tg.vjp(ours, X, Y)
    other, pull_t = func.vjp(theirs, *t(X, Y))
    same(out, other)
    for seed in range(3):
        g = np.random.default_rng(seed).standard_normal(out.shape)
        same(pull(g), pull_t(torch.tensor(g)))


@FUNCTIONS
def test_jvp(ours, theirs):
    same(tg.jvp(ours, (X, Y), (V, W)), func.jvp(theirs, t(X, Y), t(V, W)))


@FUNCTIONS
def test_hvp(ours, theirs):
    product = func.jvp(func.grad(total(theirs), (0, 1)), t(X, Y), t(V, W))[1]
    same(tg.hvp(total(ours), (X, Y), (V, W)), product)


@FUNCTIONS
def test_third_derivative(ours, theirs):
    """The derivative of the Hessian in a direction, by nested calls. Only backward: PyTorch's nested `jvp` of solve is wrong."""
    mine = tg.jvp(lambda y: tg.hessian(lambda y: total(ours)(X, y), y), Y, W)[1]
    other = func.jacrev(func.jacrev(func.jacrev(lambda y: total(theirs)(*t(X), y))))(*t(Y))
    np.testing.assert_allclose(mine, other.numpy() @ W, rtol=1e-9, atol=1e-10)


def test_structures():
    """Dicts and lists as inputs and outputs."""
    mine = tg.vjp(lambda p: {"a": p["w"] @ p["b"], "c": [p["b"] ** 2]}, {"w": X, "b": Y})
    other = func.vjp(lambda p: {"a": p["w"] @ p["b"], "c": [p["b"] ** 2]}, dict(zip("wb", t(X, Y), strict=True)))
    g = np.array([0.5, -2.0])
    pulled, (pulled_t,) = mine[1]({"a": g, "c": [W]}), other[1]({"a": torch.tensor(g), "c": [torch.tensor(W)]})
    for name in "wb":
        same(pulled[name], pulled_t[name])
    same(mine[0]["c"][0], other[0]["c"][0])
