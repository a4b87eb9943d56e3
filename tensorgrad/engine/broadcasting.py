"""Broadcasting, of which gradient rules know nothing: gradients are broadcast before a rule, and summed after it."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np

from tensorgrad.engine.registry import also_complex, primitive, rule
from tensorgrad.engine.tape import Array, Variable
from tensorgrad.errors import ShapeError
from tensorgrad.summation import total_of_array, widened

total = primitive(total_of_array)
rule(total, lambda g, _ans, _x, *, axis, keepdims=False: g if keepdims else np.expand_dims(g, axis), singular=False)
also_complex(total)

_FEW = 10_000  # elements


def undo_broadcast(x: Array, shape: tuple[int, ...], reduce: Callable[..., Array]) -> Array:
    """Reduce an array, by `total` or `numpy.any`, along the axes along which one of this shape was broadcast.

    Where a gradient is constant along an axis, its length may stay 1: it still broadcasts to ``shape``.
    """
    leading, repeated = _repeated_axes(x.shape, shape)
    if leading:
        x = reduce(x, axis=leading)
    return reduce(x, axis=repeated, keepdims=True) if repeated else x


def broadcast_to(g: Array, shape: tuple[int, ...]) -> Array:
    """`numpy.broadcast_to`; for few elements a new array, which is several times as fast."""
    if isinstance(g, Variable) or math.prod(shape) > _FEW:
        return np.broadcast_to(g, shape)
    out = np.empty(shape, g.dtype) if type(g) is np.ndarray else np.empty_like(g, shape=shape)
    out[...] = g
    return out


def scale_by_repeats(out: Array, of: tuple[int, ...], shape: tuple[int, ...]) -> Array:
    """Multiply by the lengths of axes of ``of`` that have length 1 in ``out`` and in ``shape``, as summing would."""
    out_shape, in_shape = (1,) * (len(of) - out.ndim) + out.shape, (1,) * (len(of) - len(shape)) + shape
    repeats = math.prod([n for n, m, k in zip(of, out_shape, in_shape, strict=True) if m == k == 1])
    return out if repeats == 1 else widened(out) * repeats


@functools.lru_cache(1024)
def _repeated_axes(of: tuple[int, ...], shape: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The axes of an array of shape ``of`` that one of this shape does not have, and those of length 1 in it."""
    extra = max(len(of) - len(shape), 0)
    lengths, rest = shape[len(shape) - len(of) + extra :], of[extra:]
    if any(m not in (1, n) and n != 1 for n, m in zip(lengths, rest, strict=True)):
        raise ShapeError(f"the rule returned a gradient of shape {of} for an input of shape {shape}")
    return tuple(range(extra)), tuple(i for i, (n, m) in enumerate(zip(lengths, rest, strict=True)) if n == 1 != m)
