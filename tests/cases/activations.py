"""Activation functions, dropout, the error function, softmax and related functions."""
# ruff: noqa: E501  (tables with one row per line)

import math

import numpy as np

import tensorgrad as tg
from cases.rows import Row, away, real
from tensorgrad.functional.error_function import normal_cdf


class Drawn:
    """A generator whose draws are known: evenly spaced in [0, 1), whatever the dtype."""

    @staticmethod
    def random(shape, dtype=np.float64):
        n = int(np.prod(shape))
        return (np.arange(n, dtype=dtype).reshape(shape) * 7 % max(n, 1)) / max(n, 1)


def each(fn):
    """A function of one number, for arrays of any shape; computed in float64."""
    return lambda x: np.array([fn(float(v)) for v in x.flat], x.dtype).reshape(x.shape)


def _sigmoid(x):
    return 1 / (1 + math.exp(-x))


def _phi(x):
    """The probability that a normal variable is below x."""
    return (1 + math.erf(x / math.sqrt(2))) / 2


def _shares(x, axis):
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)


# fmt: off
# Elementwise functions of one array; tests call them with other shapes as well.
UNARY = [
    Row("relu",           tg.relu,                                 away, [(2, 3)], lambda x: x * (x > 0)),
    Row("leaky_relu",     tg.leaky_relu,                           away, [(2, 3)], each(lambda x: x if x > 0 else 0.01 * x)),
    Row("leaky_relu 0.3", lambda x: tg.leaky_relu(x, 0.3),         away, [(2, 3)], each(lambda x: x if x > 0 else 0.3 * x)),
    Row("elu",            tg.elu,                                  away, [(2, 3)], each(lambda x: x if x > 0 else math.exp(x) - 1)),
    Row("elu 0.7",        lambda x: tg.elu(x, alpha=0.7),          away, [(2, 3)], each(lambda x: x if x > 0 else 0.7 * (math.exp(x) - 1))),
    Row("celu",           tg.celu,                                 away, [(2, 3)], each(lambda x: x if x > 0 else math.exp(x) - 1)),
    Row("celu 0.7",       lambda x: tg.celu(x, alpha=0.7),         away, [(2, 3)], each(lambda x: x if x > 0 else 0.7 * (math.exp(x / 0.7) - 1))),
    Row("prelu constant", lambda x: tg.prelu(x, 0.3),              away, [(2, 3)], each(lambda x: x if x > 0 else 0.3 * x)),
    Row("relu6",          lambda x: tg.relu6(5 * x),               away, [(2, 3)], each(lambda x: max(0, min(5 * x, 6)))),
    Row("hardsigmoid",    lambda x: tg.hardsigmoid(4 * x),         away, [(2, 3)], each(lambda x: max(0, min(4 * x / 6 + 0.5, 1)))),
    Row("hardswish",      lambda x: tg.hardswish(4 * x),           away, [(2, 3)], each(lambda x: 4 * x * max(0, min(4 * x / 6 + 0.5, 1)))),
    Row("selu",           tg.selu,                                 away, [(2, 3)], each(lambda x: 1.0507009873554805 * (x if x > 0 else 1.6732632423543772 * (math.exp(x) - 1)))),
    Row("gelu",           tg.gelu,                                 real, [(2, 3)], each(lambda x: x * _phi(x))),
    Row("gelu tanh",      lambda x: tg.gelu(x, "tanh"),            real, [(2, 3)], each(lambda x: x / 2 * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))))),
    Row("silu",           tg.silu,                                 real, [(2, 3)], each(lambda x: x * _sigmoid(x))),
    Row("mish",           tg.mish,                                 real, [(2, 3)], each(lambda x: x * math.tanh(math.log(1 + math.exp(x))))),
    Row("softsign",       tg.softsign,                             away, [(2, 3)], each(lambda x: x / (1 + abs(x)))),
    Row("hardtanh",       lambda x: tg.hardtanh(2 * x),            away, [(2, 3)], each(lambda x: max(-1, min(2 * x, 1)))),
    Row("hardtanh a, b",  lambda x: tg.hardtanh(x, -0.1, 0.15),    away, [(2, 3)], each(lambda x: max(-0.1, min(x, 0.15)))),
    Row("log_sigmoid",    tg.log_sigmoid,                          real, [(2, 3)], each(lambda x: math.log(_sigmoid(x)))),
    Row("sigmoid",        tg.sigmoid,                              real, [(2, 3)], each(_sigmoid)),
    Row("softplus",       tg.softplus,                             real, [(2, 3)], each(lambda x: math.log(1 + math.exp(x)))),
    Row("erf",            tg.erf,                                  real, [(2, 3)], each(math.erf)),
    Row("normal_cdf",     normal_cdf,                              real, [(2, 3)], each(_phi)),
    Row("erfc",           tg.erfc,                                 real, [(2, 3)], each(math.erfc)),
    Row("dropout",        lambda x: tg.dropout(x, 0.4, Drawn),     real, [(2, 3)], lambda x: x * (Drawn.random(x.shape) >= 0.4) / x.dtype.type(0.6)),
    Row("dropout 1",      lambda x: tg.dropout(x, 1, Drawn),       real, [(2, 3)], lambda x: 0 * x),
    Row("dropout 0",      lambda x: tg.dropout(x, 0, Drawn) * 1,   real, [(2, 3)], lambda x: x),
]

# Of whole arrays.
OTHERS = [
    Row("prelu",          tg.prelu,                                away, [(2, 3, 2), (3,)], lambda x, w: np.where(x > 0, x, w[:, None] * x)),
    Row("prelu one",      tg.prelu,                                away, [(2, 3), (1,)],    lambda x, w: np.where(x > 0, x, w * x)),
    Row("prelu number",   tg.prelu,                                away, [(3,), ()],        lambda x, w: np.where(x > 0, x, w * x)),
    Row("prelu of one",   lambda x, w: tg.prelu(x[0], w),          away, [(1,), (1,)],      lambda x, w: np.where(x > 0, x, w * x)[0]),
    Row("glu",            tg.glu,                                  real, [(2, 6)],          lambda x: x[:, :3] * each(_sigmoid)(x[:, 3:])),
    Row("glu 0",          lambda x: tg.glu(x, axis=0),             real, [(4, 3)],          lambda x: x[:2] * each(_sigmoid)(x[2:])),
]

SOFTMAX = [
    Row("softmax",        lambda x: tg.softmax(x),                 real, [(2, 3)],    lambda x: _shares(x, -1)),
    Row("softmax 0",      lambda x: tg.softmax(x, axis=0),         real, [(2, 3)],    lambda x: _shares(x, 0)),
    Row("softmax of 2",   lambda x: tg.softmax(x, (0, -1)),        real, [(2, 3, 2)], lambda x: _shares(x, (0, 2))),
    Row("log_softmax",    lambda x: tg.log_softmax(x),             real, [(2, 3)],    lambda x: np.log(_shares(x, -1))),
    Row("log_softmax 1",  lambda x: tg.log_softmax(x, 1),          real, [(2, 3, 2)], lambda x: np.log(_shares(x, 1))),
    Row("logsumexp by position", lambda x: tg.logsumexp(x, 1, True), real, [(2, 3, 2)], lambda x: np.log(np.sum(np.exp(x), axis=1, keepdims=True))),
    *[Row(f"logsumexp {axis} {keep}", lambda x, a=axis, k=keep: tg.logsumexp(x, axis=a, keepdims=k), real, [(2, 3, 2)],
          lambda x, a=axis, k=keep: np.log(np.sum(np.exp(x), axis=a, keepdims=k))) for axis in (None, 0, -1, (0, 2)) for keep in (False, True)],
]

ROWS = UNARY + OTHERS + SOFTMAX
# fmt: on
