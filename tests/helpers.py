"""What many tests need."""

import numpy as np

import tensorgrad as tg


def leaf(x, dtype=float):
    """A tensor that requires a gradient, with a copy of these values."""
    return tg.Tensor(np.array(x, dtype), requires_grad=True)
