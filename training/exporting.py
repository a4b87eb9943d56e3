"""The network of a checkpoint as a file of another library, with what is known about it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

import models
import tensorgrad as tg
from training import images


def write(network: Any, o: SimpleNamespace, about: dict[str, Any], checkpoint: str, file: str) -> None:
    """Write the network to ``file``, and its model card.

    Raises
    ------
    ExportError
        If it cannot be expressed in this format.
    """
    pixels = math.prod(about["shape"])
    scaled = f"divided by {about['brightest']}" if o.pixels == "unit" else f"as they are, 0 to {about['brightest']}"
    height, width = about["shape"]
    metadata = {
        "data set": about["name"],
        "classes": images.class_names(about),
        "input": f"images of {height} x {width} pixels, in rows: float32, (N, {pixels})",
        "input normalisation": f"pixel values {scaled}; the background is 0",
        "output": f"logits, (N, {about['classes']}), whose softmax is the probabilities of the classes",
        **accuracies(Path(checkpoint)),
        "layers": o.layers,
    }
    is_class = isinstance(network, models.UserNetwork) and Path(file).suffix == ".safetensors"
    tg.export(network.layers if is_class else network, file, np.zeros((1, pixels), np.float32), metadata)


def accuracies(checkpoint: Path) -> dict[str, str]:
    """The accuracy on validation images according to a checkpoint, and on test images according to its run."""
    found: dict[str, Any] = {}
    history = tg.load(checkpoint).config.get("progress", {}).get("history", [])
    if history:
        found["validation accuracy"] = history[-1].get("val_accuracy")
    try:
        result = json.loads((checkpoint.parent / "result.json").read_text(encoding="utf-8"))
        if checkpoint.name == "best.npz" and result["best_epoch"] == len(history):
            found["test accuracy"] = result["test_accuracy"]
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return {name: f"{value:.2%}" for name, value in found.items() if isinstance(value, float) and math.isfinite(value)}
