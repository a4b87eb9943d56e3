"""Measure a trained network on the test images, or let it read your own handwriting.

python evaluate.py checkpoints/mnist-400.npz                         # on the test images
python evaluate.py checkpoints/mnist-400.npz --image three.png ...   # on pictures of single digits
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

import models
import tensorgrad as tg
from training import images, metrics
from training.guard import guarded
from training.run import finite


def main(arguments: list[str] | None = None) -> int:
    """Run the program; errors caused by the user result in a one-line message and a non-zero exit code."""
    parser = argparse.ArgumentParser(prog="evaluate.py", description=__doc__, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("checkpoint", help="an .npz file of train.py, such as best.npz in a run's folder")
    parser.add_argument("--data", metavar="DIR", help="folder with the MNIST files")
    parser.add_argument("--image", metavar="FILE", nargs="+", help="pictures of one digit each, of any size, dark on "
                        "light or light on dark; the classes are printed, the likeliest first")  # fmt: skip
    given = parser.parse_args(arguments)
    return guarded("evaluate.py", start, given)


def start(given: argparse.Namespace) -> int:
    """Evaluate the network on the test images, or classify the given pictures."""
    network, o, about = restore(given.checkpoint)
    if given.image:
        return read_pictures(network, o, about, given.image)
    return measure(network, o, about, given.data)


def restore(path: str) -> tuple[Any, SimpleNamespace, dict[str, Any]]:
    """The network of a checkpoint, the options of its training, and a description of its training data."""
    if Path(path).is_dir():
        there = ", ".join(sorted(file.name for file in Path(path).glob("*.npz"))) or "none"
        raise tg.CheckpointError(f"{path} is a folder, not a checkpoint: name the best.npz in it "
                                 f"(its .npz files: {there})")  # fmt: skip
    arrays, config = tg.load(path)
    needed = {"options": {"layers", "pixels"}, "data": {"name", "shape", "classes", "brightest"}}
    if not all(isinstance(config.get(part), dict) and keys <= config[part].keys() for part, keys in needed.items()):
        raise tg.CheckpointError(f"{path} does not name the network of its weights: was it written by train.py?")
    o, about = SimpleNamespace(**config["options"]), config["data"]
    numbers = [*about["shape"], about["classes"], about["brightest"]] if isinstance(about["shape"], list) else []
    if len(numbers) != 4 or not all(type(number) is int and number > 0 for number in numbers):
        raise tg.CheckpointError(f"{path} does not say what images its network reads")
    features = about["shape"][0] * about["shape"][1]
    network = models.build(o.layers, features, about["classes"], np.random.default_rng(0), str(path))
    try:
        tg.nn.load_state_dict(network, {k: v for k, v in arrays.items() if not k.startswith("optimizer.")})
        if not finite(network):
            raise tg.CheckpointError("its weights are not all numbers")
    except tg.CheckpointError as error:
        raise tg.CheckpointError(f"{path}: {error}") from None
    return network, o, about


def measure(network: Any, o: SimpleNamespace, about: dict[str, Any], folder: str | None) -> int:
    """Print accuracy, precision, recall and the confusion matrix for the test images."""
    data = tg.data.load(about["name"], folder)
    if list(data.shape) != about["shape"]:
        raise tg.DataError(f"the network reads images of {about['shape']}, these are {data.shape}")
    if images.about(data)["fingerprint"] != about["fingerprint"]:
        print("these are not the data that the network was trained on, but others in the same format")
    logits = images.predict(network, data.test_images, images.pixel_scale(o.pixels, data.brightest))
    confusion = metrics.confusion_matrix(data.test_labels, logits.argmax(axis=1), data.classes)
    print(f"{data}\n")
    print(metrics.table(confusion))
    print("\nconfusions (rows: true digit, columns: predicted)\n")
    print(metrics.confusion_text(confusion))
    return 0


def read_pictures(network: Any, o: SimpleNamespace, about: dict[str, Any], files: list[str]) -> int:
    """Print the classes of each picture with their probabilities, the most likely first."""
    from training import handwriting

    forms = {(28, 28): handwriting.to_mnist, (8, 8): handwriting.to_digits}
    shape = tuple(about["shape"])
    if shape not in forms:
        raise tg.DataError(f"pictures can be brought into 28x28 or 8x8; this network reads {shape[0]}x{shape[1]}")
    code = 0
    for file in files:
        try:
            image = forms[shape](handwriting.read_image(Path(file)))
        except (tg.DataError, OSError) as error:
            sys.stderr.write(f"evaluate.py: error: {error}\n")
            code = 2
            continue
        scale = images.pixel_scale(o.pixels, about["brightest"])
        chances = tg.softmax(images.predict(network, image[None], scale).astype(np.float64))[0]
        ranked = np.argsort(-chances, kind="stable")
        print(f"{file}: {ranked[0]}")
        print("   " + "   ".join(f"{digit} {chances[digit]:.1%}" for digit in ranked))
    return code


if __name__ == "__main__":
    sys.exit(main())
