"""Layers: callables that hold their parameters as attributes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from tensorgrad import functional
from tensorgrad.frontend.tensor import Tensor
from tensorgrad.nn.initializers import INITS

__all__ = ["Dropout", "Linear", "Sequential"]


class Linear:
    """``x @ weight + bias``, from ``(..., in_features)`` to ``(..., out_features)``.

    Parameters
    ----------
    in_features, out_features
        The lengths of the last axis before and after.
    rng
        The random generator for the initial weights.
    bias
        Whether there is a bias; it starts at 0.
    init
        ``"he"``, ``"glorot"`` or ``"small"``.
    dtype
        The dtype of the parameters.

    Examples
    --------
    >>> layer = tg.nn.Linear(3, 2, np.random.default_rng(0))
    >>> layer(np.ones((4, 3), np.float32)).shape
    (4, 2)
    >>> list(tg.nn.parameters(layer))
    ['weight', 'bias']
    """

    def __init__(self, in_features: int, out_features: int, rng: np.random.Generator, *, bias: bool = True,
                 init: str = "he", dtype: Any = np.float32) -> None:  # fmt: skip
        if init not in INITS:
            raise ValueError(f"init must be one of {', '.join(INITS)}, got {init!r}")
        if in_features < 1 or out_features < 1:
            raise ValueError(f"a linear layer needs a feature on each side, got {in_features} and {out_features}")
        self.weight = Tensor(INITS[init](rng, in_features, out_features), requires_grad=True, dtype=dtype)
        self.bias = Tensor(np.zeros(out_features, dtype), requires_grad=True) if bias else None

    def __call__(self, x: Any) -> Any:
        """From ``(..., in_features)`` to ``(..., out_features)``."""
        y = x @ self.weight
        return y if self.bias is None else y + self.bias


class Dropout:
    """Zero each element with probability ``p`` while training, that is, where an ``rng`` is passed.

    Examples
    --------
    >>> drop = tg.nn.Dropout(0.5)
    >>> drop(np.ones(4))  # no generator: evaluation
    array([1., 1., 1., 1.])
    >>> drop(np.ones(4), np.random.default_rng(0))
    array([2., 0., 0., 0.])
    """

    draws = True

    def __init__(self, p: float = 0.5) -> None:
        if not 0 <= p < 1:
            raise ValueError(f"dropout probability must be in [0, 1), got {p}")
        self.p = p

    def __call__(self, x: Any, rng: np.random.Generator | None = None) -> Any:
        """Apply dropout if an ``rng`` is passed."""
        return x if rng is None else functional.dropout(x, self.p, rng)


class Sequential:
    """Layers called one after the other; ``layers`` is the list or dict they were given in.

    A dict gives parameters the names of its keys: ``layers.hidden.weight`` in place of ``layers.0.weight``.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> net = tg.nn.Sequential({"hidden": tg.nn.Linear(3, 4, rng), "relu": tg.relu, "out": tg.nn.Linear(4, 2, rng)})
    >>> net(np.ones((5, 3), np.float32)).shape
    (5, 2)
    >>> list(tg.nn.parameters(net))
    ['layers.hidden.weight', 'layers.hidden.bias', 'layers.out.weight', 'layers.out.bias']
    """

    draws = True

    def __init__(self, layers: Iterable[Callable[..., Any]] | Mapping[str, Callable[..., Any]]) -> None:
        self.layers = dict(layers) if isinstance(layers, Mapping) else list(layers)

    def __call__(self, x: Any, rng: np.random.Generator | None = None) -> Any:
        """The result of the last layer; ``rng`` is passed to layers with ``draws = True``."""
        for layer in self.layers.values() if isinstance(self.layers, dict) else self.layers:
            x = layer(x, rng) if getattr(layer, "draws", False) else layer(x)
        return x
