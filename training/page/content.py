"""What a page shows: the network, and, if its data set is at hand, test images and a network without hidden layers."""

from __future__ import annotations

import base64
from types import SimpleNamespace
from typing import Any

import numpy as np

import tensorgrad as tg
from tensorgrad.data import Dataset
from tensorgrad.data.known import KNOWN
from training import images
from training.page.description import Entry, describe

TITLES = {"digits": "the small digits"} | {name: known.title for name, known in KNOWN.items()}
SAMPLES = 10  # test images, one of each class
EPOCHS, BATCH, RATE = 4, 128, 0.1  # of the network without hidden layers; enough for its best accuracy


def content(network: Any, o: SimpleNamespace, about: dict[str, Any], source: str, data: Dataset | None) -> Entry:
    """The content of a page as JSON: all that differs between networks.

    Raises
    ------
    ConfigError
        If the page cannot run the network; the message names ``source``.
    """
    height, width = about["shape"]
    scale = images.pixel_scale(o.pixels, about["brightest"])
    result: Entry = {
        "data": TITLES.get(about["name"]),
        "shape": [height, width],
        "brightest": about["brightest"],
        "scale": scale,
        "classes": images.class_names(about),
        "layers": describe(network, (height * width,), source),
        "parameters": sum(p.data.size for p in tg.nn.parameters(network).values()),
        "accuracy": None,
        "samples": [],
        "linear": None,
    }
    if data is not None:
        _, accuracy = images.score(network, data.test_images, data.test_labels, scale)
        result |= {"accuracy": accuracy, "tests": len(data.test_labels), "samples": _samples(data)}
        result["linear"] = _without_hidden_layers(data, scale)
    return result


def _samples(data: Dataset) -> list[Entry]:
    """The first test image of each class, of the first classes: label and pixels."""
    firsts = [np.flatnonzero(data.test_labels == label)[:1] for label in range(min(SAMPLES, data.classes))]
    chosen = np.concatenate(firsts).tolist()
    return [
        {"label": int(data.test_labels[i]), "pixels": base64.b64encode(data.test_images[i].tobytes()).decode("ascii")}
        for i in chosen
    ]


def _without_hidden_layers(data: Dataset, scale: float) -> Entry:
    """A linear layer from the pixels to the classes, trained on the same images: multinomial logistic regression."""
    rng = np.random.default_rng(0)
    layer = tg.nn.Linear(data.features, data.classes, rng, init="small")
    optimizer = tg.optim.SGD(tg.nn.parameters(layer), lr=RATE, momentum=0.9, nesterov=True)
    unit = images.pixel_scale("unit", data.brightest)
    pixels = images.rows(data.train_images, unit)
    total = EPOCHS * -(-len(pixels) // BATCH)
    schedule = tg.schedules.cosine(total, lr=RATE)
    for update in range(total):
        batch = rng.integers(0, len(pixels), BATCH)
        optimizer.lr = schedule(update)
        loss = tg.cross_entropy(layer(pixels[batch]), data.train_labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    _, accuracy = images.score(layer, data.test_images, data.test_labels, unit)
    layer.weight.data *= unit / scale  # the page multiplies pixels by the scale of the network
    return {"layers": describe(tg.nn.Sequential([layer]), (data.features,), "linear"), "accuracy": accuracy}
