"""A row of the test table, and the domains its inputs are drawn from.

A domain keeps inputs away from kinks and poles, where finite differences are wrong.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

# ---------------------------------------------------------------------------------------------------- domains


def real(rng, shape):
    """Any numbers."""
    return rng.standard_normal(shape)


def away(rng, shape):
    """Both signs, at least 0.2 away from zero."""
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


# ---------------------------------------------------------------------------------------------------- complex numbers


def pair(x, y):
    """A complex number from two real ones."""
    return x + 1j * y


def parts(z):
    """The real and the imaginary part of a result, with different weights."""
    return np.real(z) * 2 + np.imag(z)


# ---------------------------------------------------------------------------------------------------- rows


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
        """The expected value of the function."""
        return np.asarray((self.same or self.fn)(*arrays))


def ids(rows):
    """Names for pytest."""
    return [row.name for row in rows]
