"""A labelled set of images in memory, and iteration over it in batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tensorgrad.data.known import DIGITS
from tensorgrad.errors import ConfigError


@dataclass(frozen=True, eq=False)
class Dataset:
    """Training and test images of ``H`` x ``W`` pixels with their labels; the arrays are read-only.

    Attributes
    ----------
    train_images, test_images
        ``(N, H, W)`` uint8, from 0 for the background to `brightest`.
    train_labels, test_labels
        ``(N,)`` int64, each in ``0 .. classes - 1``.
    brightest
        The largest possible pixel value: 255 in MNIST, 16 in the small digits.
    source
        Where the data came from, for display.
    class_names
        What is shown for each class; by default the digits.

    Examples
    --------
    >>> data = tg.data.digits()
    >>> print(data)
    digits: 1,437 + 360 images of 8x8, from the digits that come with tensorgrad
    >>> data.shape, data.features, data.classes
    ((8, 8), 64, 10)
    """

    name: str
    train_images: NDArray[np.uint8] = field(repr=False)
    train_labels: NDArray[np.int64] = field(repr=False)
    test_images: NDArray[np.uint8] = field(repr=False)
    test_labels: NDArray[np.int64] = field(repr=False)
    brightest: int
    source: str
    class_names: tuple[str, ...] = field(default=DIGITS, repr=False)

    @property
    def classes(self) -> int:
        """The number of classes."""
        return len(self.class_names)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width ``(H, W)`` of an image, in pixels."""
        _, height, width = self.train_images.shape
        return height, width

    @property
    def features(self) -> int:
        """The number of pixels of an image, ``H * W``."""
        height, width = self.shape
        return height * width

    def __str__(self) -> str:
        height, width = self.shape
        train, test = len(self.train_images), len(self.test_images)
        names = ", ".join(self.class_names[:3]) + ", ..." * (self.classes > 3)
        classes = "" if self.class_names == DIGITS else f" in {self.classes} classes ({names})"
        return f"{self.name}: {train:,} + {test:,} images of {height}x{width}{classes}, from {self.source}"


def batches(count: int, size: int, rng: np.random.Generator, start: int = 0) -> Iterator[NDArray[np.int64]]:
    """Yield the indices ``range(count)`` once, shuffled, in batches.

    Parameters
    ----------
    count
        The number of examples.
    size
        The length of each batch; the last one may be shorter.
    rng
        The only source of randomness. One permutation is drawn at the call, for any `start`.
    start
        The number of batches to skip. An epoch that was interrupted after `start` batches can be continued with a
        generator in the state that it had at the beginning of the epoch.

    Raises
    ------
    ConfigError
        `size` is not positive, or `count` or `start` is negative.

    Examples
    --------
    >>> [batch.tolist() for batch in tg.data.batches(5, 2, np.random.default_rng(0))]
    [[2, 4], [3, 0], [1]]
    """
    if size < 1:
        raise ConfigError(f"batch size must be at least 1, got {size}")
    if count < 0 or start < 0:
        raise ConfigError(f"count and start must not be negative, got {count} and {start}")
    order = rng.permutation(count)
    return (order[at : at + size] for at in range(start * size, count, size))
