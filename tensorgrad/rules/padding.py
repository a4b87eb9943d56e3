"""Padding: with a constant, or with what lies at the edges."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.errors import NoRuleError
from tensorgrad.rules.ordering import along
from tensorgrad.table import also_complex, implements, primitive, rule
from tensorgrad.tape import Array, value_of

_MOVING = ("edge", "reflect", "symmetric", "wrap")  # modes that pad with elements of the array


@primitive
def pad(x: Array, *, widths: Any, inside: tuple[slice, ...], constant_values: Any) -> Array:
    """Surround with a constant; ``x`` is what lies ``inside``."""
    return np.pad(x, widths, constant_values=constant_values)


rule(pad, lambda g, ans, x, *, widths, inside, constant_values: g[inside])
also_complex(pad)


@implements(np.pad)
def _pad(array: Array, pad_width: Any, mode: Any = "constant", *, constant_values: Any = None) -> Array:
    if mode not in ("constant", *_MOVING):
        raise NoRuleError(
            f"np.pad: no gradient rule for mode {mode!r}; there is one for 'constant' (with constant_values), "
            f"{', '.join(map(repr, _MOVING))}. Join parts with np.concatenate, or pad t.data if no gradient is wanted."
        )
    if array.ndim == 0:
        return np.copy(array)
    widths = _pairs(value_of(pad_width), array.ndim)
    if mode == "constant":
        inside = tuple(slice(before, before + n) for (before, _), n in zip(widths, array.shape, strict=True))
        values = 0 if constant_values is None else constant_values
        return pad(array, widths=widths, inside=inside, constant_values=values)
    if constant_values is not None:
        raise ValueError(f"pad: constant_values belong to mode 'constant', not to {mode!r}")
    padded = np.copy(array)
    for axis, n in enumerate(array.shape):
        numbers = np.pad(np.arange(n), widths[axis], mode)  # of the elements along the axis
        if len(numbers) > n:
            front, back = numbers[: widths[axis][0]], numbers[widths[axis][0] + n :]
            padded = np.concatenate([along(padded, axis, front), padded, along(padded, axis, back)], axis)
    return padded


def _pairs(pad_width: Any, ndim: int) -> Any:
    """The widths before and behind each axis, written out."""
    if isinstance(pad_width, dict):
        given = {range(ndim)[axis]: width for axis, width in pad_width.items()}
        return np.array([np.broadcast_to(given.get(axis, 0), 2) for axis in range(ndim)])
    return np.array(np.broadcast_to(pad_width, (ndim, 2)))
