"""From the images of a data set to the inputs of a network: held-out images, pixel scale, random shifts."""

from __future__ import annotations

import math
import zlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

import tensorgrad as tg
from tensorgrad.data import Dataset
from tensorgrad.data.known import DIGITS
from tensorgrad.errors import ConfigError

Array = Any


def hold_out(data: Dataset, fraction: float) -> tuple[Array, Array]:
    """Split the training images: the indices of those to train on and of those to validate on, disjoint and sorted.

    The split depends only on the number of images, so that runs with different seeds are validated on the same ones.

    Raises
    ------
    ConfigError
        If one of the two parts would be empty, unless ``fraction`` is 0.
    """
    count = len(data.train_labels)
    order = np.random.default_rng(count).permutation(count)
    held_out = round(count * fraction)
    if held_out >= count or (fraction and not held_out):
        raise ConfigError(
            f"--validation {fraction:g} of {count} training images leaves {count - held_out} to train on and "
            f"{held_out} to validate on: each must be at least 1 (or --validation 0)"
        )
    return np.sort(order[held_out:]), np.sort(order[:held_out])


def pixel_scale(pixels: str, brightest: int) -> float:
    """The factor of the pixels: with ``"unit"`` the value ``brightest`` becomes 1; with ``"raw"`` the factor is 1."""
    return 1 / brightest if pixels == "unit" else 1.0


def rows(images: Array, scale: float) -> Array:
    """The inputs ``(N, H * W)`` float32 of a network: the pixels of ``(N, H, W)`` uint8 images times ``scale``."""
    pixels = np.multiply(images, np.float32(scale), dtype=np.float32, order="C")
    return pixels.reshape(len(images), -1)


class Shifted:
    """Images ``(N, H, W)`` to be shifted at random, by up to ``limit`` pixels in both directions, and padded with 0."""

    def __init__(self, images: Array, limit: int) -> None:
        count, height, width = images.shape
        self._positions = 2 * limit + 1  # of a window on a padded image, down and to the right
        self._shape = height, width + 2 * limit  # of a window with what follows in each of its rows
        self._size = (height + 2 * limit) * (width + 2 * limit)
        pixels = np.zeros(count * self._size + 2 * limit, images.dtype)
        padded = pixels[: count * self._size].reshape(count, height + 2 * limit, width + 2 * limit)
        padded[:, limit : limit + height, limit : limit + width] = images
        # The pixels that follow each pixel, enough for a window: to select one is one copy.
        self._windows = np.lib.stride_tricks.sliding_window_view(pixels, math.prod(self._shape))
        self._width = width

    def draw(self, batch: Array, rng: np.random.Generator) -> Array:
        """The images ``(B, H, W)`` with the indices ``batch``."""
        first = batch * self._size
        if self._positions > 1:
            down, right = rng.integers(0, self._positions, (2, len(batch)))
            first = first + down * self._shape[1] + right
        return self._windows[first].reshape(-1, *self._shape)[:, :, : self._width]


def predict(network: Any, images: Array, scale: float, chunk: int = 1000) -> Array:
    """The network's logits ``(N, C)`` for images ``(N, H, W)``, in evaluation mode and without recording.

    ``chunk`` images are computed at a time.
    """
    with tg.no_grad(), tg.nn.eval(network):
        parts = [network(rows(images[i : i + chunk], scale)).data for i in range(0, len(images), chunk)]
    return np.concatenate(parts)


def score(network: Any, images: Array, labels: Array, scale: float) -> tuple[float, float]:
    """The mean cross-entropy in nats, and the accuracy in 0..1, on images ``(N, H, W)``; NaN if there are none."""
    if not len(labels):
        return float("nan"), float("nan")
    logits = predict(network, images, scale)
    loss = tg.cross_entropy(logits, labels)
    return loss.item(), float(np.mean(logits.argmax(axis=1) == labels))


def about(data: Dataset) -> dict[str, Any]:
    """A description of a data set for checkpoints, with a checksum of its training data."""
    fingerprint = zlib.crc32(data.train_labels.tobytes(), zlib.crc32(np.ascontiguousarray(data.train_images).data))
    names = {} if data.class_names == DIGITS else {"class_names": list(data.class_names)}
    return {
        "name": data.name,
        "shape": list(data.shape),
        "classes": data.classes,
        "brightest": data.brightest,
        "fingerprint": f"{fingerprint:08x}",
        **names,
    }


def class_names(about: dict[str, Any]) -> list[str]:
    """The names of the classes in such a description; without names, their numbers."""
    names: list[str] = about.get("class_names") or [str(label) for label in range(about["classes"])]
    return names


def recorded_place(o: SimpleNamespace) -> str | None:
    """Where the data of a training were, if that exists here; a network share, which may not answer, is not tried."""
    place: Any = getattr(o, "data", None)
    is_local = isinstance(place, str) and not place.startswith(("\\\\", "//"))
    return place if is_local and Path(place).exists() else None
