"""The representation of layers, and checks of their arguments and inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tensorgrad.errors import ShapeError

__all__: list[str] = []


def call(layer: Any, *sizes: Any, **options: tuple[Any, Any]) -> str:
    """The call that creates a layer, ``Conv2d(3, 8, kernel_size=3)``, without generator and default values.

    Each option is a pair of its value and its default; with ``...`` as the default, it is always shown.
    """
    shown = [repr(size) for size in sizes]
    shown += [f"{name}={value!r}" for name, (value, default) in options.items() if value != default]
    return f"{type(layer).__name__}({', '.join(shown)})"


def check_generator(layer: str, place: str, rng: Any) -> None:
    """Raise ``TypeError`` unless ``rng``, from which a layer draws its initial weights, is a generator."""
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"the {place} argument of {layer} is the random generator for its initial weights, "
                        f"such as np.random.default_rng(0), got {rng!r:.80}")  # fmt: skip


def check_sizes(layer: str, **sizes: Any) -> None:
    """Raise ``TypeError`` or ``ValueError`` unless all are integers of at least 1."""
    for name, size in sizes.items():
        if isinstance(size, bool) or not isinstance(size, (int, np.integer)):
            raise TypeError(f"{name} of {layer} must be an integer, got {size!r:.80}")
        if size < 1:
            raise ValueError(f"{name} of {layer} must be at least 1, got {size}")


def shape_of(x: Any) -> tuple[int, ...]:
    """The shape of an array, a tensor or nested lists."""
    shape = getattr(x, "shape", None)
    return shape if isinstance(shape, tuple) else np.shape(x)


def check_input(layer: Any, x: Any, *wanted: int | str) -> None:
    """Raise `ShapeError` unless ``x`` has the wanted shape, which consists of lengths, and names for any length.

    An initial ``"..."`` stands for any number of axes.
    """
    shape = shape_of(x)
    last = wanted[1:] if wanted[0] == "..." else wanted
    fits = len(shape) == len(last) or (last is not wanted and len(shape) > len(last))
    if fits and all(isinstance(b, str) or a == b for a, b in zip(shape[len(shape) - len(last) :], last, strict=True)):
        return
    remedy = ": write x[None] for a batch of one" if last is wanted and len(shape) == len(last) - 1 else ""
    raise ShapeError(f"{layer!r} takes x of shape {written(wanted)}, got {shape}{remedy}")


def written(shape: tuple[int | str, ...]) -> str:
    """A shape of lengths and names as text, such as ``(N, 3, H, W)``."""
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def run(layer: Any, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Call a function for a layer; an error gets a note that names the layer."""
    try:
        return function(*arguments, **options)
    except (ValueError, TypeError, IndexError) as error:
        error.add_note(f"in {layer!r}")
        raise
