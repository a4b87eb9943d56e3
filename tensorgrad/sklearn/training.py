"""How an estimator trains its network: batches, epochs, early stopping."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from tensorgrad import functional, nn, optim, schedules
from tensorgrad.frontend.modes import no_grad

Array = Any
ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "relu": functional.relu, "gelu": functional.gelu, "silu": functional.silu, "sigmoid": functional.sigmoid,
    "tanh": np.tanh,
}  # fmt: skip
_CHUNK = 1000  # examples that are evaluated at a time


class Examples(NamedTuple):
    """Inputs ``(N, features)``, targets, and the weights of the examples ``(N,)`` or None."""

    x: Array
    y: Array
    weights: Array | None

    def at(self, rows: Array) -> Examples:
        """The examples with these indices."""
        return Examples(self.x[rows], self.y[rows], None if self.weights is None else self.weights[rows])


def mlp(sizes: list[int], activation: str | Callable[[Any], Any], dropout: float, rng: np.random.Generator,
        dtype: Any) -> nn.Sequential:  # fmt: skip
    """A multi-layer perceptron with these sizes, with the activation and dropout after each hidden layer."""
    if not callable(activation) and activation not in ACTIVATIONS:
        raise ValueError(f"activation must be a function or one of {', '.join(ACTIVATIONS)}, got {activation!r:.80}")
    function = activation if callable(activation) else ACTIVATIONS[activation]
    layers: list[Any] = []
    for inputs, outputs in itertools.pairwise(sizes[:-1]):
        layers += [nn.Linear(inputs, outputs, rng, dtype=dtype), function]
        layers += [nn.Dropout(dropout)] if dropout else []
    return nn.Sequential([*layers, nn.Linear(sizes[-2], sizes[-1], rng, init="glorot", dtype=dtype)])


def optimizer_of(kind: Any, parameters: Mapping[str, Any], lr: float, options: Mapping[str, Any] | None) -> Any:
    """The optimizer of a name or a class."""
    made = getattr(optim, kind, None) if isinstance(kind, str) else kind
    if not (isinstance(made, type) and issubclass(made, optim.Optimizer)):
        raise ValueError(f"optimizer must be a class of tg.optim or its name, such as 'Adam', got {kind!r:.80}")
    return made(parameters, lr=lr, **(options or {}))


def schedule_of(name: str, updates: int) -> Callable[[int], float]:
    """The factor of the learning rate at each update."""
    if name not in ("constant", "cosine"):
        raise ValueError(f"schedule must be 'constant' or 'cosine', got {name!r:.80}")
    return schedules.constant() if name == "constant" else schedules.cosine(updates)


class Trainer:
    """A network, its optimizer, and a loss ``loss(outputs, targets)`` of each example ``(N,)``."""

    def __init__(self, network: Any, optimizer: Any, loss: Callable[[Any, Array], Any]) -> None:
        self.network, self.optimizer, self.loss = network, optimizer, loss
        self.draws = bool(getattr(network, "draws", False))

    def epoch(self, examples: Examples, batch_size: int, rng: np.random.Generator, rate: Callable[[], float]) -> float:
        """Update the weights with each example once; return the mean loss.

        If all examples fit in a batch, their order is kept: an example with weight 2 then does what two of them do.
        """
        count, total, weight = len(examples.x), 0.0, 0.0
        order = np.arange(count) if count <= batch_size else rng.permutation(count)
        nn.train(self.network)
        for first in range(0, count, batch_size):
            batch = examples if count <= batch_size else examples.at(order[first : first + batch_size])
            size = float(len(batch.x) if batch.weights is None else batch.weights.sum())
            if size > 0:
                self.optimizer.lr = rate()
                total, weight = total + size * self._update(batch, size, rng), weight + size
        nn.eval(self.network)
        return total / weight if weight else math.nan

    def _update(self, batch: Examples, size: float, rng: np.random.Generator) -> float:
        outputs = self.network(batch.x, rng) if self.draws else self.network(batch.x)
        losses = self.loss(outputs, batch.y)
        loss = np.mean(losses) if batch.weights is None else np.sum(losses * batch.weights) / size
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return float(loss.item())

    def outputs(self, x: Array) -> Array:
        """The outputs of the network in evaluation mode."""
        with no_grad(), nn.eval(self.network):
            parts = [self.network(x[i : i + _CHUNK]).data for i in range(0, len(x), _CHUNK)]
        return np.concatenate(parts)
