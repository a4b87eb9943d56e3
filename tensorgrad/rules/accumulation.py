"""Gradients that are added to others in place: for the ``add_to`` of rows."""

from __future__ import annotations

import numpy as np

from tensorgrad import blas
from tensorgrad.engine.tape import Array

_MANY, _BLOCK = 1 << 14, 1 << 16  # elements


def add_product(total: Array, g: Array, x: Array) -> None:
    """``total += g * x`` for arrays. If ``g`` is a number, by BLAS, or in blocks that fit into the cache."""
    alike = x.shape == total.shape and x.dtype == total.dtype and x.flags.c_contiguous and total.flags.c_contiguous
    if g.size > 1 or not alike or total.size < _MANY:
        total += g * x
    elif blas.enabled():
        blas.axpby(g.item(), x, 1, total)
    else:
        into, factor, scratch = total.reshape(-1), x.reshape(-1), np.empty(min(_BLOCK, total.size), x.dtype)
        for start in range(0, total.size, _BLOCK):
            part = into[start : start + _BLOCK]
            part += np.multiply(factor[start : start + _BLOCK], g.item(), out=scratch[: part.size])


def add_to_square(total: Array, g: Array, _i: int, x: Array) -> None:
    """Add the gradient of ``x**2``, or of the sum of its elements."""
    with np.errstate(over="ignore"):
        twice = g + g
    if g.size == 1 and np.isfinite(twice):
        add_product(total, twice, x)
    else:  # ``x + x`` is finite where ``x**2`` is
        total += g * (x + x)
