"""Dual numbers: exact derivatives by forward differentiation, without tensorgrad."""

import numpy as np


class Dual:
    """``value + e * dot`` with ``e ** 2 = 0``, for forward differentiation. Value and dot may themselves be duals."""

    def __init__(self, value, dot):
        self.value, self.dot = value, dot


def lift(f):
    """Apply a linear function to both parts of a dual number."""

    def run(x, *args, **kwargs):
        if isinstance(x, Dual):
            return Dual(run(x.value, *args, **kwargs), run(x.dot, *args, **kwargs))
        return f(x, *args, **kwargs)

    return run


def lift_many(f):
    """The same for a function of a list of inputs."""

    def run(xs, *args):
        if any(isinstance(x, Dual) for x in xs):
            return Dual(run([value(x) for x in xs], *args), run([dot(x) for x in xs], *args))
        return f(xs, *args)

    return run


def value(x):
    """The value of a dual number; anything else unchanged."""
    return x.value if isinstance(x, Dual) else x


def dot(x):
    return x.dot if isinstance(x, Dual) else np.zeros(np.shape(x))


def add(x, y):
    if isinstance(x, Dual) or isinstance(y, Dual):
        return Dual(add(value(x), value(y)), add(dot(x), dot(y)))
    return np.asarray(np.add(x, y))


def times(x, y):
    if isinstance(x, Dual) or isinstance(y, Dual):
        return Dual(times(value(x), value(y)), add(times(dot(x), value(y)), times(value(x), dot(y))))
    return np.asarray(np.multiply(x, y))


def matmul(x, y):
    if isinstance(x, Dual) or isinstance(y, Dual):
        return Dual(matmul(value(x), value(y)), add(matmul(dot(x), value(y)), matmul(value(x), dot(y))))
    return np.asarray(x @ y)


def smooth(f, derivative):
    """An elementwise function and its derivative, which is composed of functions of this file."""

    def run(x):
        if isinstance(x, Dual):
            return Dual(run(x.value), times(derivative(x.value), x.dot))
        return np.asarray(f(x))

    return run


sin = smooth(np.sin, lambda x: cos(x))
cos = smooth(np.cos, lambda x: times(sin(x), -1.0))
exp = smooth(np.exp, lambda x: exp(x))
tanh = smooth(np.tanh, lambda x: add(1.0, times(times(tanh(x), tanh(x)), -1.0)))
reciprocal = smooth(lambda x: 1.0 / x, lambda x: times(times(reciprocal(x), reciprocal(x)), -1.0))
log = smooth(np.log, lambda x: reciprocal(x))
root = smooth(np.sqrt, lambda x: times(reciprocal(root(x)), 0.5))


def parts(x):
    """All arrays of a dual number."""
    return [*parts(x.value), *parts(x.dot)] if isinstance(x, Dual) else [x]


def write(x, index, y):
    if isinstance(x, Dual):
        write(x.value, index, value(y))
        write(x.dot, index, dot(y))
    else:
        x[index] = y


def raised(x, levels):
    """A constant as a dual number with ``levels`` levels, so that derivatives can be written to it."""
    return x if not levels else Dual(raised(x, levels - 1), raised(np.zeros(np.shape(x)), levels - 1))
