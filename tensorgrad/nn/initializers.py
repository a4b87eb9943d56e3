"""Initial weights: each draws an array of shape ``(fan_in, fan_out)`` from a generator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["INITS", "glorot", "he", "small"]

Array = Any


def he(rng: np.random.Generator, fan_in: int, fan_out: int) -> Array:
    """Normal with standard deviation ``sqrt(2 / fan_in)``, shape ``(fan_in, fan_out)``: for ReLU.

    Source: He et al., "Delving deep into rectifiers", 2015, equation 10.

    Examples
    --------
    >>> w = tg.nn.he(np.random.default_rng(0), 784, 400)
    >>> print(w.shape, w.std().round(3), np.sqrt(2 / 784).round(3))
    (784, 400) 0.051 0.051
    """
    return rng.standard_normal((fan_in, fan_out)) * np.sqrt(2 / max(fan_in, 1))


def glorot(rng: np.random.Generator, fan_in: int, fan_out: int) -> Array:
    """Uniform in ``+-sqrt(6 / (fan_in + fan_out))``, shape ``(fan_in, fan_out)``: for tanh and sigmoid.

    Source: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks",
    2010, equation 16.

    Examples
    --------
    >>> w = tg.nn.glorot(np.random.default_rng(0), 784, 400)
    >>> print(w.shape, np.abs(w).max().round(3), np.sqrt(6 / 1184).round(3))
    (784, 400) 0.071 0.071
    """
    limit = np.sqrt(6 / max(fan_in + fan_out, 1))
    return rng.uniform(-limit, limit, (fan_in, fan_out))


def small(rng: np.random.Generator, fan_in: int, fan_out: int) -> Array:
    """Normal with standard deviation 0.01, whatever the size of the layer: the custom before 2010.

    Examples
    --------
    >>> print(tg.nn.small(np.random.default_rng(0), 784, 400).std().round(3))
    0.01
    """
    return rng.standard_normal((fan_in, fan_out)) * 0.01


INITS: dict[str, Callable[..., Array]] = {"he": he, "glorot": glorot, "small": small}
