"""Draw the pictures of a run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

import tensorgrad as tg
from tensorgrad.data import Dataset
from training import images
from training.run import Progress, Run


def draw(run: Run, network: Any, data: Dataset, progress: Progress, which: str) -> None:
    """Draw curves, first-layer weights, and confusions and mistakes on the ``"test"`` or ``"validation"`` images."""
    from training import metrics, pictures  # matplotlib takes a second to import

    o: SimpleNamespace = run.options
    title = run.folder.name.encode(errors="replace").decode()  # a name may hold bytes that are no text
    if progress.history:
        pictures.curves(run.folder / "curves.png", progress.history, title)
    first = next((p for p in tg.nn.parameters(network).values() if p.shape[:1] == (data.features,)), None)
    if first is not None:
        pictures.weights(run.folder / "weights.png", first.data, data.shape, f"{title}: weights of the first layer")
    if which == "test":
        shown, labels = data.test_images, data.test_labels
    else:
        held_out = images.hold_out(data, o.validation)[1]
        shown, labels = data.train_images[held_out], data.train_labels[held_out]
    if not len(labels):
        return
    chances = tg.softmax(images.predict(network, shown, images.pixel_scale(o.pixels, data.brightest)))
    said = chances.argmax(axis=1)
    matrix = metrics.confusion_matrix(labels, said, data.classes)
    pictures.confusion(run.folder / "confusion.png", matrix, f"{title}: {which} images")
    sure = np.max(chances, axis=1)
    pictures.mistakes(run.folder / "mistakes.png", shown, labels, said, sure, f"{title}: {which} images misread")
