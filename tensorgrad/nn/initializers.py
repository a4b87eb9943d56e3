"""Initial weights, drawn from a generator: an array of shape ``(fan_in, fan_out)``, or of another shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from tensorgrad.frontend.tensor import Tensor

__all__ = ["INITS", "glorot", "he", "pytorch", "small"]

Array = Any
Shape: TypeAlias = "tuple[int, ...] | None"


def he(rng: np.random.Generator, fan_in: int, fan_out: int, shape: Shape = None) -> Array:
    """Normal with standard deviation ``sqrt(2 / fan_in)``, shape ``(fan_in, fan_out)``: for ReLU.

    Source: He et al., "Delving deep into rectifiers", 2015, equation 10.

    Examples
    --------
    >>> w = tg.nn.he(np.random.default_rng(0), 784, 400)
    >>> print(w.shape, w.std().round(3), np.sqrt(2 / 784).round(3))
    (784, 400) 0.051 0.051
    """
    return rng.standard_normal(shape or (fan_in, fan_out)) * np.sqrt(2 / max(fan_in, 1))


def glorot(rng: np.random.Generator, fan_in: int, fan_out: int, shape: Shape = None) -> Array:
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
    return rng.uniform(-limit, limit, shape or (fan_in, fan_out))


def small(rng: np.random.Generator, fan_in: int, fan_out: int, shape: Shape = None) -> Array:
    """Normal with standard deviation 0.01 for layers of any size, which was common before 2010.

    Examples
    --------
    >>> print(tg.nn.small(np.random.default_rng(0), 784, 400).std().round(3))
    0.01
    """
    return rng.standard_normal(shape or (fan_in, fan_out)) * 0.01


def pytorch(rng: np.random.Generator, fan_in: int, fan_out: int, shape: Shape = None) -> Array:
    """Uniform in ``+-1 / sqrt(fan_in)``: PyTorch's default for linear and convolutional layers, including biases.

    Examples
    --------
    >>> w = tg.nn.pytorch(np.random.default_rng(0), 784, 400)
    >>> print(w.shape, np.abs(w).max().round(3), np.round(1 / np.sqrt(784), 3))
    (784, 400) 0.036 0.036
    """
    limit = 1 / np.sqrt(max(fan_in, 1))
    return rng.uniform(-limit, limit, shape or (fan_in, fan_out))


INITS: dict[str, Callable[..., Array]] = {"he": he, "glorot": glorot, "small": small, "pytorch": pytorch}


def initial_bias(init: str, rng: np.random.Generator, fan_in: int, count: int, dtype: Any) -> Tensor:
    """The initial bias: 0, except in PyTorch's scheme, where it is drawn like the weights."""
    values = pytorch(rng, fan_in, count, (count,)) if init == "pytorch" else np.zeros(count)
    return Tensor(values, requires_grad=True, dtype=dtype)


def check_init(init: str) -> None:
    """Raise ``ValueError`` unless ``init`` is the name of a scheme."""
    if init not in tuple(INITS):
        raise ValueError(f"init must be one of {', '.join(INITS)}, got {init!r}")
