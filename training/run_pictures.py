"""All pictures of a training run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import tensorgrad as tg
from tensorgrad.data import Dataset
from training import images, titles
from training.program import is_drawn
from training.run import Run, read_result
from training.state import Progress

LAST = "mistakes.png"  # the picture that is drawn last


def lacks_pictures(folder: Path) -> bool:
    """Whether a run has finished but was stopped before its pictures were drawn, which resuming it would do."""
    result = read_result(folder)
    finished = result is not None and result["status"] == "finished"
    return finished and not (folder / LAST).is_file() and (folder / "last.npz").is_file()


def draw(run: Run, network: Any, data: Dataset, progress: Progress, which: str) -> bool:
    """Draw the curves, the first layer's weights, the confusion matrix and the misclassified images of a run.

    The last two are those of the ``"test"`` or ``"validation"`` images. Returns whether that succeeded; if not, a line
    on standard error says why.
    """
    return is_drawn("train.py", lambda: _draw(run, network, data, progress, which))


def training_differs(o: Any) -> str:
    """How training differs from validation, which is why it may have more errors."""
    dropout = any(layer["type"] == "Dropout" and layer["params"].get("p", 0.5) for layer in o.layers)
    parts = ["dropout"] * dropout + ["shifts"] * bool(o.shift) + ["warps"] * bool(o.augment)
    return f"with {' and '.join(parts)}, mean over the epoch" if parts else "mean over the epoch"


def _draw(run: Run, network: Any, data: Dataset, progress: Progress, which: str) -> None:
    from training import metrics, pictures  # matplotlib takes a second to import

    o = vars(run.options)
    data_set, seed = titles.data_set(data.name, o["data"]), f"seed {o['seed']}"
    title = ", ".join(filter(None, (data_set, titles.network(o), seed)))
    if progress.history:
        whole = f"{data_set}: {', '.join([*titles.recipe(o), seed])}"
        how = training_differs(run.options)
        pictures.curves(run.folder / "curves.png", progress.history, whole, progress.best_epoch, how)
    first, shape = _first_weights(network, data)
    if first is not None:
        pictures.weights(run.folder / "weights.png", first, shape, f"{title}: weights of the first layer")
    if which == "test":
        shown, labels = data.test_images, data.test_labels
    else:
        held_out = images.hold_out(data, run.options.validation)[1]
        shown, labels = data.train_images[held_out], data.train_labels[held_out]
    if not len(labels):
        return
    scale = images.pixel_scale(run.options.pixels, data.brightest)
    probabilities = tg.softmax(images.predict(network, shown, scale))
    predicted = probabilities.argmax(axis=1)
    matrix = metrics.confusion_matrix(labels, predicted, data.classes)
    pictures.confusion(run.folder / "confusion.png", matrix, f"{title}: {which} images", data.class_names)
    pictures.mistakes(run.folder / LAST, shown, labels, predicted, np.max(probabilities, axis=1),
                      f"{title}: misclassified {which} images", data.class_names)  # fmt: skip


def _first_weights(network: Any, data: Dataset) -> tuple[Any, tuple[int, int]]:
    """The weights of the first layer, ``(H * W, units)``, and the (H, W) of a unit's: of an image, or of a filter."""
    for p in tg.nn.parameters(network).values():
        if p.ndim == 2 and p.shape[0] == data.features:
            return p.data, data.shape
        if p.ndim == 4 and p.shape[1] == 1:  # of a convolution of images with one channel
            return p.data.reshape(len(p), -1).T, (p.shape[2], p.shape[3])
    return None, data.shape
