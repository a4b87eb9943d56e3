"""From a data set's images to the rows a network reads: held-out images, pixel scale, random shifts."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

import tensorgrad as tg
from tensorgrad.data import Dataset
from tensorgrad.errors import ConfigError

Array = Any


def hold_out(data: Dataset, fraction: float) -> tuple[Array, Array]:
    """Split the training images: the indices to train on, and those to validate on, disjoint and sorted.

    The split depends on the data set's size alone, so that runs with different seeds are compared on the same images.
    """
    count = len(data.train_labels)
    order = np.random.default_rng(count).permutation(count)
    held = round(count * fraction)
    if held >= count or (fraction and not held):
        raise ConfigError(
            f"--validation {fraction:g} of {count} training images leaves {count - held} to train on and {held} to "
            f"validate on: each must be at least 1 (or --validation 0)"
        )
    return np.sort(order[held:]), np.sort(order[:held])


def pixel_scale(pixels: str, brightest: int) -> float:
    """What pixels are multiplied by: ``"unit"`` makes the brightest 1, ``"raw"`` leaves them as they are."""
    return 1 / brightest if pixels == "unit" else 1.0


def rows(images: Array, scale: float) -> Array:
    """Pixels ``(N, H, W)`` uint8 -> network input ``(N, H * W)`` float32, multiplied by ``scale``."""
    return np.multiply(images.reshape(len(images), -1), np.float32(scale), dtype=np.float32)


def shifted(images: Array, limit: int, rng: np.random.Generator) -> Array:
    """Move each of the images ``(N, H, W)`` by up to ``limit`` pixels both ways; paper comes in at the edges."""
    if limit == 0:
        return images
    count, height, width = images.shape
    padded = np.zeros((count, height + 2 * limit, width + 2 * limit), images.dtype)
    padded[:, limit:-limit, limit:-limit] = images
    down, right = rng.integers(0, 2 * limit + 1, (2, count))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(1, 2))
    return windows[np.arange(count), down, right]


def predict(network: Any, images: Array, scale: float, chunk: int = 1000) -> Array:
    """The network's logits ``(N, C)`` for images ``(N, H, W)``, in evaluation mode and without recording."""
    with tg.no_grad(), tg.nn.eval(network):
        parts = [network(rows(images[at : at + chunk], scale)).data for at in range(0, len(images), chunk)]
    return np.concatenate(parts)


def score(network: Any, images: Array, labels: Array, scale: float) -> tuple[float, float]:
    """The mean cross-entropy and the accuracy on labelled images; NaN where there are none."""
    if not len(labels):
        return float("nan"), float("nan")
    logits = predict(network, images, scale)
    loss = tg.cross_entropy(logits, labels)
    return loss.item(), float(np.mean(logits.argmax(axis=1) == labels))


def about(data: Dataset) -> dict[str, Any]:
    """The description of the training data stored in a checkpoint."""
    fingerprint = zlib.crc32(data.train_labels.tobytes(), zlib.crc32(np.ascontiguousarray(data.train_images).data))
    return {
        "name": data.name,
        "shape": list(data.shape),
        "classes": data.classes,
        "brightest": data.brightest,
        "fingerprint": f"{fingerprint:08x}",
    }
