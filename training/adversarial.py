"""Inputs moved in the direction in which their loss grows fastest: adversarial training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import tensorgrad as tg

Array = Any  # an ndarray


def moved(inputs: Array, losses: Callable[[Any], Any], distance: float) -> Array:
    """Each of ``inputs`` (B, ...), moved by ``distance`` along the gradient of its loss; ``losses(x)`` has shape (B,).

    The distance is Euclidean, in the units of the inputs; an input without a gradient is not moved. A network that is
    trained on such inputs learns to be right in a neighbourhood of each image (Goodfellow, Shlens and Szegedy,
    "Explaining and harnessing adversarial examples", 2015; with this norm, Miyato, Dai and Goodfellow, "Adversarial
    training methods for semi-supervised text classification", 2017, equation 5).
    """
    x = tg.Tensor(inputs, requires_grad=True)
    (slope,) = tg.grad(np.sum(losses(x)), (x,))
    axes = tuple(range(1, slope.ndim))
    largest = np.max(np.abs(slope), axis=axes, keepdims=True)
    direction = slope / np.where(largest > 0, largest, 1)  # the square of a small gradient would be 0
    norm = np.sqrt(np.sum(direction * direction, axis=axes, keepdims=True))
    return inputs + direction * (distance / np.maximum(norm, 1))
