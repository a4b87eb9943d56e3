"""Likely reasons why a network has learned nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from tensorgrad.data import Dataset
from training import images


def explain(o: SimpleNamespace, data: Dataset, network: Any, accuracy: float,
            history: Sequence[Mapping[str, Any]]) -> str | None:  # fmt: skip
    """A message that a network is not better than a guess on the test images, and why; None if it is better.

    ``accuracy`` is the accuracy on the test images; ``history`` has a row for each epoch.
    """
    majority = float(np.bincount(data.test_labels).max() / len(data.test_labels))  # the share of the largest class
    if accuracy > 1.25 * max(majority, 1 / data.classes):
        return None
    examples = data.test_images[:1000]
    logits = images.predict(network, examples, images.pixel_scale(o.pixels, data.brightest))
    predicted = np.unique(logits.argmax(axis=1))
    if len(predicted) == 1:
        found = f"the network calls every image {data.class_names[predicted[0]]!r}"
    else:
        found = f"the network is not better than a guess ({accuracy:.1%}; the most frequent class has {majority:.1%})"
    return f"{found}. Likely: {'; '.join(_reasons(o, data, history))}."


def _reasons(o: SimpleNamespace, data: Dataset, history: Sequence[Mapping[str, Any]]) -> list[str]:
    """Likely reasons, the most likely first."""
    reasons = []
    train_accuracy = float(history[-1]["train_accuracy"]) if history else 0.0
    brightness = data.train_images[:1000].mean() / data.brightest
    largest = int(data.train_images.max())
    if train_accuracy > max(0.5, 3 / data.classes):
        reasons.append(f"the test labels do not belong to the test images, since {train_accuracy:.0%} of the training "
                       "images were right")  # fmt: skip
    if o.pixels == "raw" and data.brightest > 16 and o.lr > 0.001:
        reasons.append(f"raw pixels, 0 to {data.brightest}, need a learning rate near 0.0001: give --lr 0.0001, or "
                       "leave out --pixels raw")  # fmt: skip
    elif o.pixels == "raw" and data.brightest <= 16 and o.lr < 0.01:
        reasons.append(f"pixels of 0 to {data.brightest} are small for a learning rate of {o.lr:g}: give --lr 0.1")
    if largest < 0.1 * data.brightest:
        reasons.append(f"no pixel is above {largest}, of {data.brightest}: scale the images so that ink is "
                       f"{data.brightest}")  # fmt: skip
    if brightness > 0.5:
        reasons.append(f"the images are dark on white (their mean is {brightness:.0%} of white): invert them, so that "
                       "the background is 0")  # fmt: skip
    if o.pixels == "unit" and train_accuracy <= max(0.5, 3 / data.classes):
        rate = o.lr / 10 if o.lr > 0.01 else o.lr * 10
        level = "high" if o.lr > 0.01 else "low"
        reasons.append(f"the learning rate {o.lr:g} is too {level}: try --lr {rate:g}")
        if history and int(history[-1]["updates"]) < 100:
            reasons.append(f"{history[-1]['updates']} updates are few: give more --epochs")
    return reasons or [f"the learning rate {o.lr:g}, or labels that do not belong to their images"]
