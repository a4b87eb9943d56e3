"""Functions that move elements without changing them: reshaping, axes, joining."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tensorgrad.table import implements, primitive, rule
from tensorgrad.tape import Array

# fmt: off
rule(np.reshape,      lambda g, ans, x, shape=None: np.reshape(g, x.shape))
rule(np.transpose,    lambda g, ans, x, axes=None: np.transpose(g, None if axes is None else _inverse(axes)))
rule(np.swapaxes,     lambda g, ans, x, axis1, axis2: np.swapaxes(g, axis1, axis2))
rule(np.expand_dims,  lambda g, ans, x, axis: np.reshape(g, x.shape))
rule(np.squeeze,      lambda g, ans, x, axis=None: np.reshape(g, x.shape))
rule(np.broadcast_to, lambda g, ans, x, shape: g)  # undone by the engine, as every broadcast
# fmt: on


def _inverse(axes: int | Sequence[int]) -> list[int]:
    """The permutation that undoes ``axes``, whose entries may be negative."""
    order = np.atleast_1d(axes)
    return [int(i) for i in np.argsort(order % max(len(order), 1))]


@implements(np.ravel)
def ravel(x: Array) -> Array:
    """All elements in one axis, in row-major order."""
    return np.reshape(x, (x.size,))


@primitive
def concatenate(*parts: Array, axis: int = 0) -> Array:
    """Join arrays along an existing axis."""
    return np.concatenate(parts, axis)


def _part(g: Array, ans: Array, i: int, *parts: Array, axis: int = 0) -> Array:
    start = sum(part.shape[axis] for part in parts[:i])
    here: list[Any] = [slice(None)] * g.ndim
    here[axis] = slice(start, start + parts[i].shape[axis])
    return g[tuple(here)]


rule(concatenate, each=_part)


@implements(np.concatenate)
def _concatenate(arrays: Sequence[Array], axis: int | None = 0) -> Array:
    if axis is None:
        return concatenate(*(np.ravel(x) for x in arrays))
    return concatenate(*arrays, axis=axis)


@implements(np.stack)
def stack(arrays: Sequence[Array], axis: int = 0) -> Array:
    """Join arrays of one shape along a new axis."""
    arrays = list(arrays)
    shapes = {np.shape(x) for x in arrays}
    if len(shapes) > 1:
        raise ValueError(f"stack: all arrays must have the same shape, got {sorted(shapes)}")
    return concatenate(*(np.expand_dims(x, axis) for x in arrays), axis=axis)
