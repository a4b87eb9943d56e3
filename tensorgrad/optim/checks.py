"""Checks of parameters and options."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np

from tensorgrad.frontend.tensor import Tensor

Params: TypeAlias = "Tensor | Iterable[Tensor] | Mapping[str, Tensor]"


def by_name(params: Params, first: int = 0) -> dict[str, Tensor]:
    """Tensors by name: those of a dict, or numbered from ``first``.

    Raises
    ------
    TypeError
        If a parameter is not a Tensor.
    ValueError
        If a parameter occurs twice.
    """
    if isinstance(params, Tensor):
        params = [params]
    named = dict(params) if isinstance(params, Mapping) else {str(i): p for i, p in enumerate(params, first)}
    for name, p in named.items():
        if not isinstance(p, Tensor):
            remedy = (
                ": optimizers take parameter groups as a list of dicts"
                if name == "params" or isinstance(p, Mapping)
                else ""
            )
            raise TypeError(f"parameter {name!r} must be a leaf Tensor, got {p!r:.80}{remedy}")
    if len({id(p) for p in named.values()}) < len(named):
        raise ValueError("the same parameter was given twice")
    return named


def check_writable(name: str, p: Tensor) -> None:
    """Raise a ValueError if a parameter is a read-only array."""
    if not p.data.flags.writeable:
        raise ValueError(f"parameter {name!r} is a read-only array: give the Tensor a copy of it")


def in_range(what: str, value: float, end: float = np.inf, *, closed: bool = False) -> float:
    """The value, if it is in [0, end), or [0, end] if ``closed``; otherwise, also for NaN, raise a ValueError."""
    if not (0 <= value < end or (closed and value == end)):
        raise ValueError(f"{what} must be in [0, {end}{']' if closed else ')'}, got {value}")
    return value


def both_in_range(betas: Any) -> tuple[float, float]:
    """The two decay rates of Adam and its variants, each in [0, 1)."""
    beta1, beta2 = betas
    return in_range("betas[0]", beta1, 1), in_range("betas[1]", beta2, 1)
