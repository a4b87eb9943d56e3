"""Helpers of pooling and sliding blocks: the windows of `tensorgrad.rules.windows`, and padding along the last axes."""

from __future__ import annotations

import numpy as np

from tensorgrad.engine.tape import Array
from tensorgrad.rules.windows import Ints as Ints
from tensorgrad.rules.windows import fold as fold
from tensorgrad.rules.windows import numbers_of_windows as numbers_of_windows
from tensorgrad.rules.windows import unfold as unfold


def surround(x: Array, before: Ints, after: Ints, value: float = 0) -> Array:
    """``x``, padded with ``before`` and ``after`` elements of this value along its last axes."""
    if not any(before + after):
        return x
    return np.pad(x, [(0, 0)] * (x.ndim - len(before)) + list(zip(before, after, strict=True)), constant_values=value)
