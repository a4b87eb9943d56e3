"""Measure a trained network on the test images, or classify pictures of your own handwriting.

    python evaluate.py checkpoints/mnist-400.npz                         # the test images
    python evaluate.py checkpoints/mnist-400.npz --image three.png ...   # photographs or scans of handwritten digits

For each picture, the digits are printed from left to right, then the classes with their probabilities for each digit.
"""

from __future__ import annotations

if __name__ == "__main__":  # first of all: from here on, Ctrl-C ends the program in one line
    from training import startup

    startup.prepare("evaluate.py")

import argparse
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

import models
import tensorgrad as tg
from training import images, metrics
from training.command_line import Parser
from training.program import run_program
from training.run import finite, weights_in
from training.state import check_data


def command_line() -> Parser:
    """The command line."""
    parser = Parser("evaluate.py", description=__doc__)
    parser.add_argument(
        "checkpoint", nargs="?", help="a file written by train.py, such as best.npz in the folder of a run"
    )
    parser.add_argument("--data", metavar="DIR", help="folder or file with the data set, as for train.py")
    parser.add_argument("--image", metavar="FILE", nargs="+", action="extend", help="pictures of handwritten "
                        "digits: files, folders or patterns such as 'photos/*.jpg'; can be repeated")  # fmt: skip
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print the answers for the pictures as JSON")
    form.add_argument("--csv", action="store_true", help="print them as CSV, a row for each digit")
    parser.add_argument("--show", metavar="DIR", help="write to this folder, for each picture, what was found and what "
                        "the network saw")  # fmt: skip
    return parser


def start(given: argparse.Namespace) -> int:
    """Evaluate the network on the test images, or read the given pictures; return the exit code of the program."""
    checkpoint = given.checkpoint or checkpoint_among(given.image or [])
    if not given.image and (given.json or given.csv or given.show is not None):
        raise tg.errors.ConfigError("--json, --csv and --show are about pictures: add --image FILE")
    network, o, about = restore(checkpoint)
    if given.image:
        from training import reading

        form = "json" if given.json else "csv" if given.csv else "text"
        return reading.read_pictures(reading.Reader(network, o, about), given.image, form, given.show)
    return measure(network, o, about, given.data)


def checkpoint_among(pictures: list[str]) -> str:
    """Take the checkpoint out of ``pictures``, where it is in ``--image a.png b.png best.npz``."""
    checkpoints = [name for name in pictures if name.endswith(".npz")]
    if not checkpoints:
        command_line().error("the following arguments are required: checkpoint")
    pictures.remove(checkpoints[-1])
    return checkpoints[-1]


def restore(path: str) -> tuple[Any, SimpleNamespace, dict[str, Any]]:
    """The network of a checkpoint, the options of its training, and a description of its training data.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    CheckpointError
        If it is not a checkpoint of train.py, is damaged, or contains NaN.
    """
    if Path(path).is_dir():
        files = ", ".join(sorted(file.name for file in Path(path).glob("*.npz"))) or "none"
        raise tg.CheckpointError(f"{path} is a folder, not a checkpoint: name the best.npz in it "
                                 f"(its .npz files: {files})")  # fmt: skip
    arrays, config = tg.load(path)
    o, about = config.get("options"), config.get("data", {})
    check_data(path, about)
    if not isinstance(o, dict) or not {"layers", "pixels"} <= o.keys():
        raise tg.CheckpointError(f"{path} does not describe the network of its weights: was it written by train.py?")
    o = SimpleNamespace(**o)
    network = models.build(o.layers, about["shape"], about["classes"], np.random.default_rng(0), str(path))
    try:
        tg.nn.load_state_dict(network, weights_in(arrays))
        if not finite(network):
            raise tg.CheckpointError("not all of its weights are finite")
    except tg.CheckpointError as error:
        raise tg.CheckpointError(f"{path}: {error}") from None
    return network, o, about


def measure(network: Any, o: SimpleNamespace, about: dict[str, Any], folder: str | None) -> int:
    """Print accuracy, precision, recall and the confusion matrix for the test images; return the exit code.

    Raises
    ------
    DataError
        If the images do not have the shape that the network expects.
    """
    recorded: Any = getattr(o, "data", None)
    is_local = isinstance(recorded, str) and not recorded.startswith(("\\\\", "//"))
    if folder is None and is_local and Path(recorded).exists():
        folder = recorded  # that of the training
    data = tg.data.load(about["name"], folder)
    if data.classes != about["classes"]:
        raise tg.DataError(f"the network has {about['classes']} classes, these data {data.classes}")
    if list(data.shape) != about["shape"]:
        raise tg.DataError(
            f"the network classifies images of shape {tuple(about['shape'])}, these have shape {data.shape}"
        )
    if images.about(data)["fingerprint"] != about["fingerprint"]:
        print("these are other data than those on which the network was trained, in the same format")
    logits = images.predict(network, data.test_images, images.pixel_scale(o.pixels, data.brightest))
    confusion = metrics.confusion_matrix(data.test_labels, logits.argmax(axis=1), data.classes)
    print(f"{data}\n")
    print(metrics.table(confusion, data.class_names))
    print("\nconfusion matrix (rows: true class, columns: predicted class)\n")
    print(metrics.confusion_text(confusion, data.class_names))
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Run the program, by default with the arguments of the command line; return its exit code."""
    return run_program("evaluate.py", lambda: start(command_line().parse(arguments)))


if __name__ == "__main__":
    sys.exit(main())
