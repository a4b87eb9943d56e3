"""Derivatives of functions, inside a compiled function."""

import collections

import numpy as np
import pytest

import tensorgrad as tg
from tests.compiling.steps import assert_same, programs

A = np.arange(9.0).reshape(3, 3) / 10


def loss(t):
    return np.sum(np.tanh(t @ A) ** 2)


DERIVATIVES = {
    "hessian": lambda x, v: tg.hessian(loss, x),
    "jacobian": lambda x, v: tg.jacobian(lambda t: np.tanh(t @ A), x),
    "jacobian of several": lambda x, v: tg.jacobian(lambda t, u: {"product": t * u, "sum": np.sum(t + u)}, x, v),
    "hvp": lambda x, v: tg.hvp(loss, x, v),
    "vjp": lambda x, v: tg.vjp(lambda t: np.tanh(t @ A), x)[1](v),
    "jvp": lambda x, v: tg.jvp(lambda t: np.tanh(t @ A), x, v),
    "value_and_grad": lambda x, v: tg.value_and_grad(loss)(x),
    "checkpoint": lambda x, v: tg.value_and_grad(lambda t: tg.checkpoint(loss)(t))(x),
}


@pytest.mark.parametrize("name", DERIVATIVES)
def test_derivatives(name):
    compiled = tg.compile(DERIVATIVES[name])
    for k in range(5):
        x, v = np.random.default_rng(k).standard_normal((2, 3))
        assert_same(compiled(x, v), DERIVATIVES[name](x, v))
    assert programs(compiled) == 1


@pytest.mark.parametrize(
    "fn", [tg.relu, tg.leaky_relu, lambda x: tg.prelu(x, 0.2), tg.elu, lambda x: tg.elu(x, 0.5), tg.celu, tg.selu]
)
def test_gradient_penalties_of_rectifiers(fn):
    def make():
        w = tg.Tensor(np.ones(5), requires_grad=True)

        def step(x):
            w.grad = None
            (g,) = tg.grad(np.sum(fn(x * w) ** 2), [w], create_graph=True)
            np.sum(g * g).backward()
            return w.grad

        return step

    ordinary, compiled = make(), tg.compile(make())
    for k in range(5):
        x = np.random.default_rng(k).standard_normal(5)
        assert_same(compiled(x), ordinary(x))
    assert programs(compiled) == 1


def test_a_named_tuple():
    pair = collections.namedtuple("pair", "images labels")

    def fn(batch):
        return pair(batch.images * 2, batch.labels + 1)

    compiled = tg.compile(fn)
    for k in range(5):
        batch = pair(np.full(2, float(k)), np.arange(2))
        assert_same(compiled(batch), fn(batch))
    assert programs(compiled) == 1
