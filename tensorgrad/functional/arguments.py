"""Conversion and validation of arguments."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.engine.tape import Array, Variable, any_tracked, as_array
from tensorgrad.errors import ShapeError


def floating(x: Any) -> Array:
    """An array or tensor of real numbers; integers and booleans are cast to float64."""
    if not isinstance(x, Variable):
        x = as_array(x)
    if x.dtype.kind not in "fiub":
        raise TypeError(f"this function takes real numbers, got {x.dtype}")
    return x.astype(np.float64) if x.dtype.kind in "iub" else x


def in_precision_of(x: Array, y: Any) -> Array:
    """``y`` as an array or tensor of real numbers; a constant is cast to the dtype of ``x``, to avoid promotion."""
    y = floating(y)
    return y if y.dtype == x.dtype or any_tracked(y) else y.astype(x.dtype)


def per_axis(value: Any, axes: int, name: str, least: int) -> tuple[int, ...]:
    """A parameter with one integer for each axis, given as one for all or one for each; ``least`` is the minimum."""
    numbers = tuple(value) if isinstance(value, (tuple, list)) else (value,) * axes
    if len(numbers) != axes or not all(isinstance(n, (int, np.integer)) for n in numbers):
        raise ValueError(f"{name} must be an integer, or one for each of {axes} axes, got {value!r}")
    if min(numbers) < least:
        raise ValueError(f"{name} must be at least {least}, got {value!r}")
    return tuple(int(n) for n in numbers)


def check_images(x: Array, axes: int) -> None:
    """Raise `ShapeError` unless ``x`` is a batch: ``(N, C, *spatial)`` with ``axes`` spatial axes."""
    if x.ndim != axes + 2:
        remedy = ": write x[None] for a batch of one" if x.ndim == axes + 1 else ""
        raise ShapeError(f"x must have {axes + 2} axes, (N, C, *spatial), got shape {x.shape}{remedy}")


def check_same_shape(x: Array, y: Array, names: str = "input and target") -> None:
    """Raise `ShapeError` unless two arrays have the same shape."""
    if x.shape != y.shape:
        first, second = names.split(" and ")
        remedy = f"write {second}.reshape({first}.shape)" if x.size == y.size else "np.broadcast_to repeats one"
        raise ShapeError(f"{names} must have the same shape, got {x.shape} and {y.shape}: {remedy}")


def check_broadcastable(shape: tuple[int, ...], y: Array, name: str) -> None:
    """Raise `ShapeError` unless ``y`` broadcasts to ``shape``."""
    try:
        fits = np.broadcast_shapes(shape, y.shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise ShapeError(f"{name} must broadcast to shape {shape}, got {y.shape}")


def check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    """Raise ``ValueError`` unless ``value`` is one of ``choices``."""
    if value not in choices:
        raise ValueError(f"{name} must be {', '.join(map(repr, choices[:-1]))} or {choices[-1]!r}, got {value!r}")
