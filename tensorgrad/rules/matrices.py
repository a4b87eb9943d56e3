"""Diagonals and triangles of matrices, and matrices created from vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.engine.registry import also_complex, implements, primitive, rule
from tensorgrad.engine.tape import Array


@primitive
def on_diagonal(x: Array, *, offset: int, axis1: int, axis2: int, shape: tuple[int, ...]) -> Array:
    """Zeros with ``x`` on a diagonal: the transpose of `numpy.diagonal`."""
    out = np.zeros(shape, x.dtype)
    diagonal = np.diagonal(out, offset, axis1, axis2)
    diagonal.flags.writeable = True  # NumPy returns a read-only view
    diagonal[...] = x
    return out


# fmt: off
rule(np.diagonal, lambda g, _ans, _x, offset=0, axis1=0, axis2=1:
                      on_diagonal(g, offset=offset, axis1=axis1, axis2=axis2, shape=_x.shape), selects=True)
rule(on_diagonal, lambda g, _ans, _x, *, offset, axis1, axis2, shape: np.diagonal(g, offset, axis1, axis2))
rule(np.tril,     lambda g, _ans, _x, k=0: np.tril(g, k), selects=True)
rule(np.triu,     lambda g, _ans, _x, k=0: np.triu(g, k), selects=True)
# fmt: on

also_complex(np.diagonal, on_diagonal, np.tril, np.triu)


@implements(np.diag)
def diag(v: Array, k: int = 0) -> Array:
    """A diagonal of a matrix, or the matrix with a vector as its diagonal."""
    if v.ndim == 1:
        n = v.size + abs(k)
        return on_diagonal(v, offset=k, axis1=0, axis2=1, shape=(n, n))
    if v.ndim == 2:
        return np.diagonal(v, k)
    raise ValueError(f"diag: the array must have one or two axes, got shape {v.shape}")


@implements(np.diagflat)
def diagflat(v: Array, k: int = 0) -> Array:
    """The matrix with all elements on a diagonal."""
    return np.diag(np.ravel(v), k)


@implements(np.trace)
def trace(a: Array, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None) -> Array:
    """Sum of a diagonal."""
    return np.sum(np.diagonal(a, offset, axis1, axis2), axis=-1, dtype=dtype)


@implements(np.vander)
def vander(x: Array, N: int | None = None, increasing: bool = False) -> Array:  # noqa: N803  (NumPy's name)
    """The Vandermonde matrix: the powers of each element in a row, highest power first."""
    if x.ndim != 1:
        raise ValueError(f"vander: the array must have one axis, got shape {x.shape}")
    powers = np.arange(x.size if N is None else N)
    return np.power(np.expand_dims(x, 1), powers if increasing else powers[::-1])
