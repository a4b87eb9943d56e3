"""A training step of a network of linear layers and ReLU: the task, and the base class of all contenders.

A step gathers a batch from the images, runs the layers and cross-entropy forward and backward, and updates by SGD with
weight decay; float32. Each contender is what a user of its library would write for speed: the library's own layers,
loss and optimizer where it has them, and its compiler where it has one. Libraries are imported where they are needed.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

LR, DECAY = 0.1, 5e-4
CHECKED, TOLERANCE = 20, 0.002  # the steps that are compared, and how closely they must agree


PENALTIES: dict[str, Callable[[Any], Any]] = {"sum(w**2)": lambda w: np.sum(w**2), "vdot": lambda w: np.vdot(w, w)}


@dataclass
class Task:
    """The images (N, features), their labels, batches as arrays of indices, and initial weights: w, b, w, b, ..."""

    images: Any
    labels: Any
    batches: Sequence[Any]
    start: list[Any]
    lr: float = LR
    decay: float = DECAY
    penalty: str = ""  # one of `PENALTIES`, in the loss, where its value is computed, instead of decay of the weights


def difference(weights: Sequence[Any], reference: Sequence[Any], start: Sequence[Any]) -> float:
    """The largest relative difference of an array, in the Euclidean norm, relative to the change of the reference.

    Rounding can switch single units on or off, so that differences of single weights can be large.
    """
    norm = np.linalg.norm
    return max(float(norm(a - b) / norm(b - s)) for a, b, s in zip(weights, reference, start, strict=True))


def random_images(count: int, features: int, classes: int) -> tuple[Any, Any]:
    """Random images and labels, the same each time."""
    rng = np.random.default_rng(0)
    images = rng.random((count, features), np.float32)
    images -= 0.5  # with a mean of 0, training is stable
    return images, rng.integers(0, classes, count)


def initial_weights(widths: Sequence[int]) -> list[Any]:
    """Weights and biases of the layers between these widths, the same each time."""
    rng = np.random.default_rng(1)
    start = []
    for rows, columns in itertools.pairwise(widths):
        scale = np.float32((2 / rows) ** 0.5)
        start += [rng.standard_normal((rows, columns), np.float32) * scale, np.zeros(columns, np.float32)]
    return start


def random_task(images: Any, labels: Any, batch: int, widths: Sequence[int]) -> Task:
    """Random batches, the same each time."""
    rng = np.random.default_rng(2)
    return Task(images, labels, [rng.integers(0, len(labels), batch) for _ in range(64)], initial_weights(widths))


class Contender:
    """Base class: a call runs the next step, which subclasses implement in `step`, and returns the loss."""

    needs: str = "numpy"  # the package that it imports, and the name of its distribution
    distribution: str = "numpy"

    @classmethod
    def missing(cls) -> str:
        """A message if the package is not installed, otherwise an empty string; nothing is imported."""
        return "" if importlib.util.find_spec(cls.needs) else f"{cls.distribution} is not installed"

    @classmethod
    def version(cls) -> str:
        """The version of the library."""
        return importlib.metadata.version(cls.distribution)

    def __init__(self, task: Task) -> None:
        self.task, self.steps = task, 0
        self.lr, self.decay, self.penalty = task.lr, task.decay, task.penalty
        self.params: list[Any] = [p.copy() for p in task.start]

    def __call__(self) -> float:
        batch = self.task.batches[self.steps % len(self.task.batches)]
        self.steps += 1
        return self.step(batch)

    def step(self, batch: Any) -> float:
        raise NotImplementedError

    def weights(self) -> list[Any]:
        """Arrays in the shapes of the initial weights."""
        return [np.asarray(p) for p in self.params]

    @property
    def layers(self) -> list[tuple[Any, Any]]:
        """The parameters of each layer: w, b."""
        return pairs(self.params)


def pairs(params: Sequence[Any]) -> list[tuple[Any, Any]]:
    """[(w, b), (w, b), ...] of [w, b, w, b, ...]."""
    return list(zip(params[::2], params[1::2], strict=True))
