"""Functions that reduce axes: sum, mean, max, min, prod, var, std.

``axis`` is None (all axes), an int or a tuple of ints. Ties share the gradient of ``max`` and ``min`` equally.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tensorgrad.table import implements, rule
from tensorgrad.tape import Array

# fmt: off
rule(np.sum,  lambda g, ans, x, axis=None, dtype=None, *, keepdims=False:
                  restore(g, axis, keepdims))
rule(np.mean, lambda g, ans, x, axis=None, dtype=None, *, keepdims=False:
                  restore(g / max(x.size // max(g.size, 1), 1), axis, keepdims))
rule(np.max,  lambda g, ans, x, axis=None, *, keepdims=False:
                  restore(g, axis, keepdims) * _portion(x, restore(ans, axis, keepdims), axis, g), masks=True)
rule(np.min,  lambda g, ans, x, axis=None, *, keepdims=False:
                  restore(g, axis, keepdims) * _portion(x, restore(ans, axis, keepdims), axis, g), masks=True)
rule(np.std,  lambda g, ans, x, axis=None, *, ddof=0, keepdims=False:
                  restore(g / (np.where(ans == 0, 1, ans) * (_count(x, g) - ddof)), axis, keepdims)
                  * (x - np.mean(x, axis=axis, keepdims=True)))
# fmt: on


def restore(reduced: Array, axis: Any, keepdims: bool) -> Array:
    """Put the reduced axes back, with length 1, so that the array broadcasts against the input again."""
    return reduced if keepdims or axis is None else np.expand_dims(reduced, axis)


def _count(x: Array, reduced: Array) -> int:
    """How many elements went into each of the reduced ones."""
    return int(x.size // max(reduced.size, 1))


def _portion(x: Array, extreme: Array, axis: Any, g: Array) -> Array:
    """Each element's part in an extreme: ``1 / ties`` where it equals it; NaN is an extreme of its own."""
    ties = (x == extreme) | (x != x)
    return ties / np.sum(ties, axis=axis, keepdims=True).astype(g.dtype)


@implements(np.var)
def var(x: Array, axis: Any = None, *, ddof: float = 0, keepdims: bool = False) -> Array:
    """Mean squared distance from the mean, with ``n - ddof`` for ``n``."""
    squares = np.square(x - np.mean(x, axis=axis, keepdims=True))
    total = np.sum(squares, axis=axis, keepdims=keepdims)
    return total / max(_count(x, total) - ddof, 0)


@implements(np.prod)
def prod(x: Array, axis: Any = None, *, keepdims: bool = False) -> Array:
    """Products of pairs, then of pairs of those: zeros need no special case, in derivatives of any order."""
    if x.dtype.kind in "biu":  # NumPy multiplies small integers as large ones
        x = x.astype(np.prod(np.zeros(0, x.dtype)).dtype)
    axes = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    reduced = tuple(sorted(range(x.ndim)[i] for i in axes))
    kept = tuple(i for i in range(x.ndim) if i not in reduced)
    rest = tuple(x.shape[i] for i in kept)
    factors = np.reshape(np.transpose(x, reduced + kept), (math.prod(x.shape[i] for i in reduced), *rest))
    if factors.shape[0] == 0:  # the empty product is 1, of whatever it was that had no elements
        factors = np.sum(factors, axis=0, keepdims=True) + 1
    while (n := factors.shape[0]) > 1:
        pairs = factors[: n - n % 2 : 2] * factors[1::2]
        factors = np.concatenate([pairs, factors[n - 1 :]]) if n % 2 else pairs
    shape = tuple(1 if i in reduced else n for i, n in enumerate(x.shape)) if keepdims else rest
    return np.reshape(factors, shape)
