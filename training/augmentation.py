"""The inputs of a training, batch by batch: images as they are, shifted, or warped at random in a second thread."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from types import SimpleNamespace, TracebackType
from typing import Any, Self

import numpy as np

from tensorgrad.data import Prefetch, Warps, batches, warp
from training import images

Array = Any
NAMES = ("affine", "elastic")
AMPLITUDES = {
    "affine": ("rotation", "scaling", "shear", "translation"),
    "elastic": ("elastic_amplitude", "elastic_sigma"),
}
TOGETHER = 16  # batches: the i-th image of each of them has the same warp, those of one batch have different ones


def names_in(value: Any) -> Any:
    """The names in a value of ``--augment``, perhaps separated by commas, in the order of `NAMES`; none in ``none``."""
    items = value if isinstance(value, (list, tuple)) else [value]
    parts = [part for item in items for part in (item.split(",") if isinstance(item, str) else [item])]
    return [name for name in NAMES if name in parts] + [part for part in parts if part not in (*NAMES, "none")]


def whole(count: int) -> slice:
    """The part of a batch of so many images that one process computes by itself."""
    return slice(None)


def warps(o: SimpleNamespace) -> Warps:
    """The warps of a run."""
    return Warps(**{amplitude: getattr(o, amplitude) for name in o.augment for amplitude in AMPLITUDES[name]})


class Inputs:
    """The inputs of a training from the batch numbered ``start`` of an epoch on, in a ``with`` block.

    Warps are drawn from the seed, the epoch and the batch alone, so that a training can be continued anywhere. While
    it uses some batches, the following ones are warped. ``part`` selects those images of a batch that are wanted.
    """

    def __init__(self, o: SimpleNamespace, pictures: Array, labels: Array, scale: float, epoch: int, start: int,
                 part: Callable[[int], slice] = whole) -> None:  # fmt: skip
        self._o, self._count, self._labels, self._scale, self._part = o, len(pictures), labels, scale, part
        self._shifted = images.Shifted(pictures, o.shift)
        self._warped = Prefetch(warped(o, pictures, scale, epoch, start, part)) if o.augment else None

    def epoch(self, epoch: int, start: int, rng: np.random.Generator) -> Iterator[tuple[Array, Array, Array]]:
        """Yield the batches of an epoch from ``start`` on: indices ``(B,)``, inputs ``(B, H * W)``, labels ``(B,)``.

        Epochs have to be asked for in turn. ``rng`` draws shifts.
        """
        if self._warped is None:
            for batch in batches(self._count, self._o.batch_size, order(self._o, epoch), start):
                mine = batch[self._part(len(batch))]
                drawn = self._shifted.draw(batch, rng)[self._part(len(batch))]
                yield mine, images.rows(drawn, self._scale), self._labels[mine]
            return
        remaining = math.ceil(self._count / self._o.batch_size) - start
        while remaining > 0:
            group = next(self._warped)
            yield from ((batch, inputs, self._labels[batch]) for batch, inputs in group)
            remaining -= len(group)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:  # fmt: skip
        if self._warped is not None:
            self._warped.close()


def order(o: SimpleNamespace, epoch: int) -> np.random.Generator:
    """The generator that draws the order of the images in an epoch, separately from the one of dropout and shifts."""
    return np.random.default_rng((o.seed, epoch + 1))


def warped(o: SimpleNamespace, pictures: Array, scale: float, epoch: int, start: int,
           part: Callable[[int], slice] = whole) -> Iterator[list[tuple[Array, Array]]]:  # fmt: skip
    """Yield groups of batches of warped images, to the end of the training: their indices, and the inputs."""
    distribution = warps(o)
    for at in range(epoch, o.epochs):
        parts = list(batches(len(pictures), o.batch_size, order(o, at)))
        for first in range(start - start % TOGETHER, len(parts), TOGETHER):
            group = parts[first : first + TOGETHER]
            indices = np.zeros((len(group[0]), len(group)), np.intp)  # the last batch may be shorter
            for i, batch in enumerate(group):
                indices[: len(batch), i] = batch
            rng = np.random.default_rng((o.seed, at + 1, first + 1))
            mine = part(len(indices))
            coordinates = distribution.draw(len(indices), pictures.shape[1:], rng)[mine]
            indices = indices[mine]
            inputs = warp(pictures[indices], coordinates)
            inputs = np.multiply(inputs, np.float32(scale), out=inputs).reshape(*indices.shape, -1)
            counts = [len(range(len(batch))[part(len(batch))]) for batch in group]  # the first ones of ``mine``
            skipped = max(start - first, 0)
            yield [(indices[:count, i], np.ascontiguousarray(inputs[:count, i]))
                   for i, count in enumerate(counts)][skipped:]  # fmt: skip
        start = 0
