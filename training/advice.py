"""Likely reasons why a network has learned nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from tensorgrad.data import Dataset
from training import images, options


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
    train_accuracy = float(history[-1]["train_accuracy"]) if history else 0.0
    if train_accuracy > max(0.5, 3 / data.classes):
        return [f"the test labels do not belong to the test images, since {train_accuracy:.0%} of the training images "
                "were right"]  # fmt: skip
    reasons = []
    if o.pixels == "raw" and data.brightest > 16 and o.lr > 0.001:
        reasons.append(f"raw pixels, 0 to {data.brightest}, need a learning rate near 0.0001: give --lr 0.0001, or "
                       "leave out --pixels raw")  # fmt: skip
    elif o.pixels == "raw" and data.brightest <= 16 and o.lr < 0.01:
        reasons.append(f"pixels of 0 to {data.brightest} are small for a learning rate of {o.lr:g}: give --lr 0.1")
    about_options = _about_options(o)
    reasons += [*_about_images(data), *about_options]
    if o.pixels == "unit" and not about_options:
        usual = options.OPTIONS["lr"].default_for(data.name, o.optimizer)
        is_high = o.lr * (o.batch_size if o.loss == "sum" else 1) >= usual
        rate, level = (o.lr / 10, "high") if is_high else (o.lr * 10, "low")
        reasons.append(f"the learning rate {o.lr:g} is too {level}: try --lr {rate:g}")
        if history and int(history[-1]["updates"]) < 100:
            reasons.append(f"{history[-1]['updates']} updates are few: give more --epochs")
        if len(reasons) == 1 and usual / 3 <= o.lr <= 3 * usual:
            reasons.append("or the labels do not belong to the images")
    return reasons or [f"the learning rate {o.lr:g}, or labels that do not belong to their images"]


def _about_images(data: Dataset) -> list[str]:
    """What may be wrong with the images."""
    reasons = []
    examples = data.train_images[:1000]
    ink = int(np.quantile(examples, 0.999))  # single bright pixels do not count
    if ink < 0.1 * data.brightest:
        found = f"no pixel is above {ink}" if examples.max() == ink else f"99.9 % of the pixels are at most {ink}"
        reasons.append(f"{found}, of {data.brightest}: scale the images so that ink is {data.brightest}")
    if (brightness := examples.mean() / data.brightest) > 0.5:
        reasons.append(f"the images are dark on white (their mean is {brightness:.0%} of white): invert them, so that "
                       "the background is 0")  # fmt: skip
    return reasons


def moves_too_far(o: SimpleNamespace) -> bool:
    """Whether adversarial training moves images farther than to those of other classes, typically."""
    return bool(o.adversarial >= (5 if o.pixels == "unit" else 5 * 255))


def _about_options(o: SimpleNamespace) -> list[str]:
    """Options with which hardly any network learns."""
    dropout = max((layer["params"].get("p", 0.5) for layer in o.layers if layer["type"] == "Dropout"), default=0.0)
    decay = o.weight_decay * (o.lr if o.optimizer == "adamw" else 1)
    return [
        f"{name} {value:g} {effect}: give a smaller one"
        for name, value, is_large, effect in (
            ("--l2", o.l2, o.l2 >= 0.1, "pulls the weights to 0"),
            ("--weight-decay", o.weight_decay, decay >= 0.1, "pulls the weights to 0"),
            ("--adversarial", o.adversarial, moves_too_far(o), "moves images farther than the digits are apart"),
            ("--shrink", o.shrink, o.shrink >= 0.01, "pulls the weights to 0"),
            ("dropout", dropout, dropout > 0.9, "leaves few units"),
            ("--label-smoothing", o.label_smoothing, o.label_smoothing > 0.9, "leaves little of the labels"),
        )
        if is_large
    ]
