"""Convolution and correlation of two vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.rules.shapes import asarray
from tensorgrad.table import also_complex, implements, primitive, rule
from tensorgrad.tape import Array


@primitive
def convolve(x: Array, y: Array, *, mode: Any) -> Array:
    """`numpy.convolve` in the modes ``"full"`` and ``"valid"``; in the latter ``y`` is not longer than ``x``."""
    return np.convolve(x, y, mode)


# fmt: off
rule(convolve, lambda g, ans, x, y, *, mode: np.convolve(g, y[::-1], "valid" if mode == "full" else "full"),
               lambda g, ans, x, y, *, mode: np.convolve(g, x[::-1], "valid"))
# fmt: on


@implements(np.convolve)
def _convolve(a: Array, v: Array, mode: Any = "full") -> Array:
    if mode not in ("full", "same", "valid"):
        raise ValueError(f"convolve: mode must be 'full', 'same' or 'valid', got {mode!r}")
    long, short = (np.reshape(x, (-1,)) if np.ndim(x) == 0 else asarray(x) for x in (a, v))
    if len(short) > len(long):
        long, short = short, long
    if mode != "same":
        return convolve(long, short, mode=mode)
    start = (len(short) - 1) // 2
    return convolve(long, short, mode="full")[start : start + len(long)]


@implements(np.correlate)
def correlate(a: Array, v: Array, mode: Any = "valid") -> Array:
    """``sum(a[n + k] * conj(v[n]))`` for every shift ``k`` at which the two overlap, wholly with ``"valid"``."""
    if np.ndim(a) == 0 or np.ndim(v) == 0:
        raise ValueError("correlate: both inputs must have an axis")
    turned = np.conj(asarray(v))[::-1] if np.iscomplexobj(v) else asarray(v)[::-1]
    if mode == "same" and np.size(a) < np.size(v):  # centred as if ``a`` were the one that moves
        return np.convolve(a, turned, "full")[np.size(a) // 2 :][: len(v)]
    return np.convolve(a, turned, mode)


also_complex(convolve, np.convolve, np.correlate)
