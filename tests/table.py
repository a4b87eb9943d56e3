"""The table that drives most tests: a row for each function of the engine and each way to call it.

A row is ``(name, function, domain, shapes of the inputs)``. The function is written in NumPy and takes arrays as
well as tensors, so NumPy itself says what the forward value must be; for functions NumPy lacks, ``same`` is a
plain formula to compare with. The domain keeps inputs away from kinks and poles, where finite differences lie.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import tensorgrad as tg

# ---------------------------------------------------------------------------------------------------- domains


def real(rng, shape):
    """Anything."""
    return rng.standard_normal(shape)


def away(rng, shape):
    """Both signs, at least 0.2 from zero."""
    return rng.uniform(0.2, 1.7, shape) * np.where(rng.random(shape) < 0.5, -1, 1)


def distinct(rng, shape):
    """No two elements closer than 0.3, and none closer than 0.05 to 0 or 0.6."""
    n = int(np.prod(shape))
    return (rng.permutation(n).reshape(shape) - n // 2) * 0.4 + rng.uniform(0.3, 0.34, shape)


def positive(rng, shape):
    """Between 0.5 and 2."""
    return rng.uniform(0.5, 2, shape)


def unit(rng, shape):
    """Between -0.9 and 0.9."""
    return rng.uniform(-0.9, 0.9, shape)


def larger(rng, shape):
    """Between 1.2 and 3."""
    return rng.uniform(1.2, 3, shape)


class Row(NamedTuple):
    """One function, called in one way."""

    name: str
    fn: Callable[..., Any]
    domain: Callable[..., Any]
    shapes: list[tuple[int, ...]]
    same: Callable[..., Any] | None = None  # what NumPy would compute; by default ``fn`` of arrays

    def inputs(self, dtype=np.float64, seed=0, shapes=None):
        """Arrays in the domain, the same ones for the same seed."""
        rng = np.random.default_rng([seed, *self.name.encode()])
        return [np.asarray(self.domain(rng, shape), dtype) for shape in shapes or self.shapes]

    def expected(self, *arrays):
        """What the function's value must be."""
        return np.asarray((self.same or self.fn)(*arrays))


# Constants that stand on the other side of an operator.
A23 = np.array([[0.5, -1.5, 2.5], [1.25, -0.75, 1.75]])
A3 = np.array([1.5, 0.5, 2.25])
A34 = np.arange(12.0).reshape(3, 4) / 7 - 0.6
INTS = np.array([2, 3, 1])
MASK = np.array([[True, False, True], [False, True, True]])
REPEATS = np.array([[0, 2, 2], [1, 0, 2]])
LABELS = np.array([2, 0, 0, 1])


class Drawn:
    """A generator whose draws are known: evenly spaced in [0, 1), whatever the dtype."""

    @staticmethod
    def random(shape, dtype=np.float64):
        n = int(np.prod(shape))
        return (np.arange(n, dtype=dtype).reshape(shape) * 7 % max(n, 1)) / max(n, 1)


F32, F64, I8 = np.float32(1.5), np.float64(1.5), np.int8(3)

# fmt: off
# ruff: noqa: E501

# Functions of each element of one array; tests call them with other shapes too.
UNARY = [
    Row("neg",           lambda x: -x,                        real,      [(2, 3)]),
    Row("pos",           lambda x: +x,                        real,      [(2, 3)]),
    Row("abs",           lambda x: abs(x),                    away,      [(2, 3)]),
    Row("np.abs",        np.abs,                              away,      [(2, 3)]),
    Row("np.negative",   np.negative,                         real,      [(2, 3)]),
    Row("np.positive",   np.positive,                         real,      [(2, 3)]),
    Row("np.exp",        np.exp,                              real,      [(2, 3)]),
    Row("np.expm1",      np.expm1,                            real,      [(2, 3)]),
    Row("np.log",        np.log,                              positive,  [(2, 3)]),
    Row("np.log1p",      np.log1p,                            unit,      [(2, 3)]),
    Row("np.sqrt",       np.sqrt,                             positive,  [(2, 3)]),
    Row("np.square",     np.square,                           real,      [(2, 3)]),
    Row("np.sign",       np.sign,                             away,      [(2, 3)]),
    Row("np.sin",        np.sin,                              real,      [(2, 3)]),
    Row("np.cos",        np.cos,                              real,      [(2, 3)]),
    Row("np.tan",        np.tan,                              unit,      [(2, 3)]),
    Row("np.sinh",       np.sinh,                             real,      [(2, 3)]),
    Row("np.cosh",       np.cosh,                             real,      [(2, 3)]),
    Row("np.tanh",       np.tanh,                             real,      [(2, 3)]),
    Row("np.arctan",     np.arctan,                           real,      [(2, 3)]),
    Row("x + int",       lambda x: x + 2,                     real,      [(2, 3)]),
    Row("int + x",       lambda x: 2 + x,                     real,      [(2, 3)]),
    Row("x - float",     lambda x: x - 0.5,                   real,      [(2, 3)]),
    Row("float - x",     lambda x: 0.5 - x,                   real,      [(2, 3)]),
    Row("x * int",       lambda x: x * 3,                     real,      [(2, 3)]),
    Row("bool * x",      lambda x: True * x,                  real,      [(2, 3)]),
    Row("x / float",     lambda x: x / 4.0,                   real,      [(2, 3)]),
    Row("int / x",       lambda x: 2 / x,                     positive,  [(2, 3)]),
    Row("f32 + x",       lambda x: F32 + x,                   real,      [(2, 3)]),
    Row("x * f32",       lambda x: x * F32,                   real,      [(2, 3)]),
    Row("f64 - x",       lambda x: F64 - x,                   real,      [(2, 3)]),
    Row("x / f64",       lambda x: x / F64,                   real,      [(2, 3)]),
    Row("f64 / x",       lambda x: F64 / x,                   positive,  [(2, 3)]),
    Row("i8 * x",        lambda x: I8 * x,                    real,      [(2, 3)]),
    Row("x ** 2",        lambda x: x ** 2,                    real,      [(2, 3)]),
    Row("x ** 3",        lambda x: x ** 3,                    real,      [(2, 3)]),
    Row("x ** 1",        lambda x: x ** 1,                    real,      [(2, 3)]),
    Row("x ** 0",        lambda x: x ** 0,                    real,      [(2, 3)]),
    Row("x ** -1",       lambda x: x ** -1,                   positive,  [(2, 3)]),
    Row("x ** 0.5",      lambda x: x ** 0.5,                  positive,  [(2, 3)]),
    Row("x ** f64",      lambda x: x ** F64,                  positive,  [(2, 3)]),
    Row("2 ** x",        lambda x: 2 ** x,                    real,      [(2, 3)]),
    Row("f64 ** x",      lambda x: F64 ** x,                  real,      [(2, 3)]),
    Row("where x, c",    lambda x: np.where(np.sin(x) > 0, x, 2.0),     real, [(2, 3)]),
    Row("where c, x",    lambda x: np.where(np.sin(x) > 0, 2.0, x * x), real, [(2, 3)]),
    Row("maximum x, c",  lambda x: np.maximum(x, 0),          away,      [(2, 3)]),
    Row("minimum c, x",  lambda x: np.minimum(0.0, x),        away,      [(2, 3)]),
    Row("clip both",     lambda x: np.clip(x, -0.6, 0.6),     distinct,  [(2, 3)]),
    Row("clip below",    lambda x: np.clip(x, 0.0, None),     away,      [(2, 3)]),
    Row("clip above",    lambda x: np.clip(x, None, 0.0),     away,      [(2, 3)]),
    Row("x.clip",        lambda x: x.clip(-0.6, 0.6),         distinct,  [(2, 3)]),
    Row("x * x",         lambda x: x * x,                     real,      [(2, 3)]),
    Row("x ** x",        lambda x: x ** x,                    positive,  [(2, 3)]),
    Row("x / (x + 2)",   lambda x: x / (x * x + 2),           real,      [(2, 3)]),
    Row("relu",          tg.relu,                             away,      [(2, 3)], lambda x: x * (x > 0)),
    Row("sigmoid",       tg.sigmoid,                          real,      [(2, 3)], lambda x: 1 / (1 + np.exp(-x))),
    Row("softplus",      tg.softplus,                         real,      [(2, 3)], lambda x: np.log(1 + np.exp(x))),
    Row("dropout",       lambda x: tg.dropout(x, 0.4, Drawn),  real,      [(2, 3)],
                         lambda x: x * (Drawn.random(x.shape) >= 0.4) / x.dtype.type(0.6)),
    Row("dropout 0",     lambda x: tg.dropout(x, 0, Drawn) * 1,      real, [(2, 3)], lambda x: x),
]

# Functions of two arrays that broadcast.
BINARY = [
    Row("+",             lambda x, y: x + y,                  real,      [(2, 3), (2, 3)]),
    Row("-",             lambda x, y: x - y,                  real,      [(2, 3), (2, 3)]),
    Row("*",             lambda x, y: x * y,                  real,      [(2, 3), (2, 3)]),
    Row("/",             lambda x, y: x / y,                  positive,  [(2, 3), (2, 3)]),
    Row("**",            lambda x, y: x ** y,                 positive,  [(2, 3), (2, 3)]),
    Row("np.add",        np.add,                              real,      [(2, 3), (2, 3)]),
    Row("np.subtract",   np.subtract,                         real,      [(2, 3), (2, 3)]),
    Row("np.multiply",   np.multiply,                         real,      [(2, 3), (2, 3)]),
    Row("np.divide",     np.divide,                           larger,    [(2, 3), (2, 3)]),
    Row("np.power",      np.power,                            larger,    [(2, 3), (2, 3)]),
    Row("np.maximum",    np.maximum,                          real,      [(2, 3), (2, 3)]),
    Row("np.minimum",    np.minimum,                          real,      [(2, 3), (2, 3)]),
    Row("where(c, x, y)", lambda x, y: np.where(np.cos(x) > 0.5, x, y),      real, [(2, 3), (2, 3)]),
    Row("clip low",      lambda x, y: np.clip(x, y, None),    real,      [(2, 3), (2, 3)]),
    Row("clip high",     lambda x, y: np.clip(x, None, y),    real,      [(2, 3), (2, 3)]),
    Row("clip bounds",   lambda x, y: np.clip(x, y - 0.7, y + 0.7),          real, [(2, 3), (2, 3)]),
    Row("clip crossed",  lambda x, y: np.clip(x, y + 0.2, y - 0.3),          real, [(2, 3), (2, 3)]),
]

OPERANDS = [
    Row("x + array",     lambda x: x + A23,                   real,      [(3,)]),
    Row("array + x",     lambda x: A23 + x,                   real,      [(3,)]),
    Row("x - array",     lambda x: x - A3,                    real,      [(2, 1)]),
    Row("array - x",     lambda x: A3 - x,                    real,      [(2, 1)]),
    Row("x * list",      lambda x: x * [1.5, -2.0, 3.0],      real,      [(2, 3)]),
    Row("list * x",      lambda x: [1.5, -2.0, 3.0] * x,      real,      [(2, 3)]),
    Row("x ** list",     lambda x: x ** [1, 2, 0],            real,      [(2, 3)]),
    Row("x * tuple",     lambda x: x * (1.5, -2.0, 3.0),      real,      [(2, 3)]),
    Row("x ** tuple",    lambda x: np.power(x, (1.5, -2.0, 3.0)), positive, [(2, 3)]),
    Row("x @ tuple",     lambda x: x @ ((1.0, 2.0), (3.0, 4.0), (5.0, 6.0)), real, [(2, 3)]),
    Row("join tuple",    lambda x: np.concatenate([(1.0, 2.0), x]),          real, [(2,)]),
    Row("x * int array", lambda x: x * INTS,                  real,      [(2, 3)]),
    Row("x * mask",      lambda x: x * MASK,                  real,      [(2, 3)]),
    Row("x / array",     lambda x: x / A23,                   real,      [()]),
    Row("array / x",     lambda x: A23 / x,                   positive,  [()]),
    Row("x ** ints",     lambda x: x ** INTS,                 real,      [(2, 3)]),
    Row("ints ** x",     lambda x: INTS ** x,                 real,      [(2, 3)]),
    Row("array ** x",    lambda x: A3 ** x,                   real,      [(2, 1)]),
    Row("x @ array",     lambda x: x @ A34,                   real,      [(2, 3)]),
    Row("array @ x",     lambda x: A23 @ x,                   real,      [(3, 2)]),
    Row("maximum array", lambda x: np.maximum(A23, x),        real,      [(3,)]),
    Row("where 3 ways",  lambda x, y: np.where(MASK, x, y),   real,      [(2, 3), (2, 3)]),
    Row("where grows",   lambda x, y: np.where(MASK, x, y),   real,      [(3,), (2, 1)]),
    Row("clip 3 ways",   lambda x, y, z: np.clip(x, y, z),    distinct,  [(2, 3), (3,), ()]),
    Row("clip(min=)",    lambda x: np.clip(x, min=-0.6, max=0.6), distinct, [(2, 3)]),
]

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

INDEXING = [
    Row("x[i]",          lambda x: x[1],                      real,      [(3, 4)]),
    Row("x[-1]",         lambda x: x[-1],                     real,      [(3, 4)]),
    Row("x[np.int64]",   lambda x: x[np.int64(2)],            real,      [(3, 4)]),
    Row("x[i, j]",       lambda x: x[1, -2],                  real,      [(3, 4)]),
    Row("x[a:b]",        lambda x: x[1:3],                    real,      [(3, 4)]),
    Row("x[:, ::-1]",    lambda x: x[:, ::-1],                real,      [(3, 4)]),
    Row("x[::-2, 1:]",   lambda x: x[::-2, 1:],               real,      [(3, 4)]),
    Row("x[2:2]",        lambda x: x[2:2],                    real,      [(3, 4)]),
    Row("x[...]",        lambda x: x[...],                    real,      [(3, 4)]),
    Row("x[..., 0]",     lambda x: x[..., 0],                 real,      [(3, 4)]),
    Row("x[None]",       lambda x: x[None, :, np.newaxis, 1], real,      [(3, 4)]),
    Row("x[()]",         lambda x: x[()],                     real,      [()]),
    Row("x0[None]",      lambda x: x[None],                   real,      [()]),
    Row("x0[...]",       lambda x: x[...],                    real,      [()]),
    Row("x[True]",       lambda x: x[True],                   real,      [(3,)]),
    Row("x[mask]",       lambda x: x[MASK],                   real,      [(2, 3)]),
    Row("x[mask1]",      lambda x: x[MASK[0]],                real,      [(3, 4)]),
    Row("x[:, mask1]",   lambda x: x[:, MASK[1]],             real,      [(2, 3)]),
    Row("x[x > 0]",      lambda x: x[x > 0],                  away,      [(2, 3)]),
    Row("x[no mask]",    lambda x: x[np.zeros(3, bool)],      real,      [(3, 4)]),
    Row("x[repeats]",    lambda x: x[REPEATS],                real,      [(3, 2)]),
    Row("x[list]",       lambda x: x[[0, -1, 0]],             real,      [(3, 2)]),
    Row("x[[]]",         lambda x: x[[]],                     real,      [(3, 2)]),
    Row("x[array 0-d]",  lambda x: x[np.array(1)],            real,      [(3, 2)]),
    Row("x[uint8]",      lambda x: x[np.array([2, 2, 0], np.uint8)], real, [(3, 2)]),
    Row("x[pairs]",      lambda x: x[np.arange(4), LABELS],   real,      [(4, 3)]),
    Row("x[pairs twice]", lambda x: x[[0, 0, 1], [1, 1, 2]],  real,      [(4, 3)]),
    Row("x[outer]",      lambda x: x[[[0], [2]], [1, 1, 0]],  real,      [(3, 2)]),
    Row("x[:, repeats]", lambda x: x[:, [0, 0, 2]],           real,      [(2, 3)]),
    Row("x[i, :, list]", lambda x: x[1, :, [0, 2, 0]],        real,      [(2, 3, 3)]),
    Row("x[list, :, list]", lambda x: x[[0, 1], :, [2, 2]],   real,      [(2, 3, 3)]),
    Row("x[list, None]", lambda x: x[[0, 0], None, ..., ::-1], real,     [(2, 3)]),
    Row("x[mask, i]",    lambda x: x[MASK[0], 1],             real,      [(3, 2)]),
    Row("x[mask, list]", lambda x: x[MASK[0], [1, 1]],        real,      [(3, 2)]),
    Row("iteration",     lambda x: sum(row * k for k, row in enumerate(x)), real, [(3, 2)]),
    Row("unpacking",     lambda x: (lambda a, b: a * b)(*x),  real,      [(2, 3)]),
]

MATMULS = [
    Row(f"@ {a} {b}", lambda x, y: x @ y, real, [a, b]) for a, b in [
        ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 2)), ((2, 2, 3), (3,)), ((3,), (2, 3, 2)),
        ((2, 2, 3), (3, 2)), ((2, 3), (2, 3, 2)), ((2, 2, 3), (2, 3, 1)), ((1, 2, 3), (2, 3, 2)),
        ((2, 1, 1, 2), (2, 2, 1)), ((1, 1), (1, 1)), ((0, 3), (3, 2)), ((2, 0), (0, 3)), ((0, 2, 3), (3, 1))]
] + [
    Row(f"dot {a} {b}", lambda x, y: np.dot(x, y), real, [a, b]) for a, b in [
        ((), ()), ((), (3,)), ((2, 3), ()), ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 2)),
        ((2, 3), (2, 3, 2)), ((3,), (2, 3, 2)), ((2, 1, 3), (2, 3, 1)), ((2, 2), (1, 2, 2, 2)), ((2, 0), (0, 2))]
]
PRODUCTS = [*MATMULS, Row("matmul", np.matmul, real, [(2, 3), (3, 2)]), Row("x @ x", lambda x: x @ x, real, [(2, 2)]), Row("x @ x.T", lambda x: x @ x.T, real, [(2, 3)]), Row("x.dot", lambda x: x.dot(A3), real, [(2, 3)]), Row("dot(number)", lambda x: np.dot(x, 2.5), real, [(2, 3)]), Row("dot(array)", lambda x: np.dot(A23, x), real, [(3, 2)]), Row("vdot", np.vdot, real, [(3,), (3,)]), Row("vdot flat", np.vdot, real, [(2, 3), (2, 3)]), Row("vdot array", lambda x: np.vdot(A23, x), real, [(6,)]), Row("vdot 0-d", np.vdot, real, [(), (1,)]), Row("outer", np.outer, real, [(2,), (3,)]), Row("outer flat", np.outer, real, [(2, 2), ()]), Row("outer array", lambda x: np.outer(A3, x), real, [(2,)])]

EINSUMS = [
    Row(f"einsum {s} {shapes}", lambda *x, s=s: np.einsum(s, *x), real, shapes) for s, shapes in [
        ("i->i",          [(3,)]),                 ("ij->ji",        [(2, 3)]),              ("ij",            [(2, 3)]),
        ("ba",            [(2, 3)]),               ("ij->",          [(2, 3)]),              ("ij->j",         [(2, 3)]),
        ("ii",            [(3, 3)]),               ("ii->i",         [(3, 3)]),              ("iij->j",        [(2, 2, 3)]),
        ("iii->i",        [(2, 2, 2)]),            ("ijij->j",       [(2, 2, 2, 2)]),        ("iji->j",        [(2, 3, 2)]),
        ("i,i",           [(3,), (3,)]),           ("i,j->ij",       [(2,), (3,)]),          ("i,j->ji",       [(2,), (3,)]),
        ("i,j->",         [(2,), (3,)]),           ("i,j->j",        [(2,), (3,)]),          ("ij,j",          [(2, 3), (3,)]),
        ("ij,jk",         [(2, 3), (3, 2)]),       ("ij,jk->ki",     [(2, 3), (3, 2)]),      ("ij,ij->i",      [(2, 3), (2, 3)]),
        ("ij,kj->ik",     [(2, 3), (2, 3)]),       ("ii,i->i",       [(2, 2), (2,)]),        ("ii,jj->ij",     [(2, 2), (2, 2)]),
        ("ij,ij->ij",     [(2, 1), (1, 3)]),       ("ij,j->i",       [(2, 1), (3,)]),        ("ij,j->",        [(1, 3), (1,)]),
        ("bij,bjk->bik",  [(2, 2, 1), (2, 1, 2)]), ("bij,bjk->bik",  [(1, 2, 2), (2, 2, 1)]),
        ("...ij,...jk",   [(2, 2, 1), (1, 2)]),    ("...ij,...jk->...ik", [(2, 1, 1, 2), (2, 2, 1)]),
        ("...",           [(2, 3)]),               ("...i->...",     [(2, 3)]),              ("i...->...",     [(2, 3)]),
        ("...i,...i",     [(2, 3), (3,)]),         ("...,...->...",  [(2, 1), (3,)]),        ("...ii->...i",   [(2, 2, 2)]),
        ("...i,j...->ij...", [(2, 3), (2, 2)]),    ("i...,...",      [(2,), ()]),            (" i j , j k -> i k ", [(2, 2), (2, 2)]),
        ("i,i,i",         [(3,), (3,), (3,)]),     ("ij,jk,kl->il",  [(2, 2), (2, 1), (1, 2)]),
        ("ij,j,i->",      [(2, 3), (3,), (2,)]),   ("i,j,k->kji",    [(2,), (1,), (2,)]),    ("ij,jj,jk->ik",  [(2, 2), (2, 2), (2, 2)]),
        (",i->i",         [(), (3,)]),             (",",             [(), ()]),              ("ij,jk->ik",     [(0, 2), (2, 3)]),
        ("Ab,bC",         [(2, 2), (2, 3)]),       ("ij,kl->j",      [(2, 2), (2, 1)]),      ("ij->i",         [(2, 0)])]
] + [
    Row("einsum array",  lambda x: np.einsum("ij,jk", A23, x), real,     [(3, 2)]),
    Row("einsum twice",  lambda x: np.einsum("ij,kj", x, x),  real,      [(2, 2)]),
    Row("einsum optimize", lambda x, y, z: np.einsum("ij,jk,kl->il", x, y, z, optimize=True), real, [(2, 2), (2, 2), (2, 2)]),
    Row("einsum path",   lambda x, y, z: np.einsum("ij,jk,l->i", x, y, z, optimize=["einsum_path", (0, 1), (0, 1)]), real, [(2, 2), (2, 2), (2,)]),
]


def _shifted(x, axis):
    shares = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return shares / np.sum(shares, axis=axis, keepdims=True)


NETWORKS = [
    Row("softmax",       lambda x: tg.softmax(x),             real,      [(2, 3)], lambda x: _shifted(x, -1)),
    Row("softmax 0",     lambda x: tg.softmax(x, axis=0),     real,      [(2, 3)], lambda x: _shifted(x, 0)),
    Row("log_softmax",   lambda x: tg.log_softmax(x),         real,      [(2, 3)], lambda x: np.log(_shifted(x, -1))),
    Row("log_softmax 1", lambda x: tg.log_softmax(x, axis=1), real,      [(2, 3, 2)], lambda x: np.log(_shifted(x, 1))),
    *[Row(f"logsumexp {axis} {keep}", lambda x, a=axis, k=keep: tg.logsumexp(x, axis=a, keepdims=k), real, [(2, 3, 2)],
          lambda x, a=axis, k=keep: np.log(np.sum(np.exp(x), axis=a, keepdims=k))) for axis in (None, 0, -1, (0, 2)) for keep in (False, True)],
    *[Row(f"cross_entropy {how}", lambda x, how=how: tg.cross_entropy(x, LABELS, reduction=how), real, [(4, 3)],
          lambda x, f=f: f(-np.log(_shifted(x, -1))[np.arange(4), LABELS])) for how, f in (("mean", np.mean), ("sum", np.sum), ("none", lambda x: x))],
]
# fmt: on

ROWS = UNARY + BINARY + OPERANDS + REDUCTIONS + SHAPES + INDEXING + PRODUCTS + EINSUMS + NETWORKS


def ids(rows):
    """Names for pytest."""
    return [row.name for row in rows]
