"""Dropout."""

from __future__ import annotations

import numpy as np

from tensorgrad.engine.tape import Array
from tensorgrad.functional.arguments import floating


def dropout(x: Array, p: float, rng: np.random.Generator) -> Array:
    """Set each element of ``x``, of any shape, to 0 with probability ``p`` and scale the rest by ``1 / (1 - p)``.

    Raises ``ValueError`` if ``p`` is not in ``[0, 1]``, ``TypeError`` if ``x`` is not of real numbers.

    Source: Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", 2014.

    Examples
    --------
    >>> tg.dropout(np.ones(6), 0.5, np.random.default_rng(0))
    array([2., 0., 0., 0., 2., 2.])
    """
    if not 0 <= p <= 1:
        raise ValueError(f"dropout probability must be in [0, 1], got {p}")
    x = floating(x)
    if p == 0:
        return x
    supported = x.dtype in (np.float32, np.float64)  # by Generator.random
    drawn = x.dtype if supported else np.float64
    keep = rng.random(x.shape, drawn) >= p
    return x * (keep * x.dtype.type(1 / (1 - p) if p < 1 else 0))
