"""Derivatives by JAX and HIPS autograd, which transform functions, in the form of those in `both.py`."""

import numpy as np
import pytest

from compare.both import as_list, directions

jax = pytest.importorskip("jax")
autograd = pytest.importorskip("autograd")
jax.config.update("jax_enable_x64", True)


def levels(grad, fn, order):
    """The values of ``fn``, the gradients of their weighted sum, and so on, as in `compare.both.by_torch`."""

    def level(k):
        if k == 0:
            return lambda *xs: as_list(fn(*xs))
        lower = level(k - 1)

        def weighted(*xs):
            values = lower(*xs)
            return sum((x * seed).sum() for x, seed in zip(values, directions(values, k - 1), strict=True))

        return lambda *xs: list(grad(weighted, tuple(range(len(xs))))(*xs))

    return lambda *xs: [level(k)(*xs) for k in range(order + 1)]


def by_hips(fn, arrays, order=2):
    return levels(autograd.grad, fn, order)(*arrays)


def by_jax(fn, arrays, order=2):
    """The same with JAX; compiled as a whole, which takes less time than compiling each operation."""
    found = compiled(levels(jax.grad, fn, order))(*arrays)
    return [[np.asarray(x) for x in level] for level in found]


def compiled(fn):
    return jax.jit(fn, compiler_options={"xla_backend_optimization_level": 0})
