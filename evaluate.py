"""Measure a trained network on the test images, classify pictures with it, export it, or compare runs.

    python evaluate.py checkpoints/mnist-400.npz                         # the test images
    python evaluate.py checkpoints/mnist-400.npz --image three.png ...   # photographs or scans of handwritten digits
    python evaluate.py checkpoints/mnist-400.npz --page digit.html       # a page to draw a digit
    python evaluate.py checkpoints/mnist-400.npz --export digits.onnx    # for onnxruntime; .safetensors for PyTorch
    python evaluate.py --compare runs/mnist-400-seed0 runs/mnist-800-seed0 ...

For each picture, the digits are printed from left to right, then the classes with their probabilities for each digit.
A comparison prints the settings that differ and what was reached, and draws the curves.
"""

if __name__ == "__main__":  # before other imports, so that Ctrl-C ends the program without a traceback
    import _signal as signals  # type: ignore[import-not-found]  # built in: its import reads no file

    if signals.getsignal(signals.SIGINT) is signals.default_int_handler:
        signals.signal(signals.SIGINT, signals.SIG_DFL)
    from training import startup

    startup.prepare("evaluate.py")

import argparse
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

import models
import tensorgrad as tg
from tensorgrad.checkpoints import write_whole
from training import comparison, images, metrics
from training.command_line import Parser
from training.program import is_drawn, run_program
from training.run import finite, weights_in
from training.state import check_network


def command_line() -> Parser:
    """The command line."""
    parser = Parser("evaluate.py", description=__doc__)
    parser.add_argument("checkpoint", nargs="?", help="a file written by train.py, such as best.npz of a run")
    parser.add_argument("--data", metavar="DIR", help="folder or file with the data set, as for train.py")
    parser.add_argument("--image", metavar="FILE", nargs="+", action="extend", help="pictures of handwritten "
                        "digits: files, folders or patterns such as 'photos/*.jpg'; can be repeated")  # fmt: skip
    parser.add_argument("--show", metavar="DIR", help="write to this folder, for each picture, what was found and what "
                        "the network saw")  # fmt: skip
    parser.add_argument("--export", metavar="FILE", help="write the network to FILE.onnx or FILE.safetensors, with "
                        "a model card")  # fmt: skip
    parser.add_argument("--page", metavar="FILE", help="write a page in HTML on which to draw for the network, which "
                        "needs no other file and no connection")  # fmt: skip
    parser.add_argument("--compare", metavar="RUN", nargs="+", help="folders of runs, or checkpoints, to be compared")
    parser.add_argument("--out", metavar="FILE", help="with --compare: the file of the picture (comparison.png)")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="with --image and --compare: print the results as JSON")
    form.add_argument("--csv", action="store_true", help="with --image: print them as CSV, a row for each digit")
    return parser


def start(given: argparse.Namespace) -> int:
    """Do what the options ask for, by default evaluate the network on the test images; return the exit code."""
    check_options(given)
    if given.compare:
        return compare(given)
    if given.checkpoint is None and given.image:
        given.checkpoint = checkpoint_among(given.image)
    if given.checkpoint is None:
        command_line().error("name a checkpoint, such as best.npz in the folder of a run, or runs to --compare")
    network, o, about = restore(given.checkpoint)
    if given.image:
        from training import reading

        form = "json" if given.json else "csv" if given.csv else "text"
        return reading.read_pictures(reading.Reader(network, o, about), given.image, form, given.show)
    if given.page:
        return write_page(network, o, about, given)
    if given.export:
        from training import exporting

        exporting.write(network, o, about, given.checkpoint, given.export)
        print(f"{given.export}, and its model card {given.export}.md")
        return 0
    return measure(network, o, about, given.data)


def check_options(given: argparse.Namespace) -> None:
    """Refuse options that would have no effect."""
    for name in ("export", "page", "show", "out"):
        if getattr(given, name) == "":
            raise tg.ConfigError(f"--{name} must not be empty")
    tasks = [f"--{name}" for name in ("image", "export", "page", "compare") if getattr(given, name)]
    if len(tasks) > 1:
        raise tg.ConfigError(f"{tasks[0]} cannot be combined with {tasks[1]}")
    if given.compare and given.checkpoint:
        raise tg.ConfigError(f"--compare names all runs: leave out {given.checkpoint}, or name it after --compare")
    for name, users in {"out": ["--compare"], "json": ["--image", "--compare"], "csv": ["--image"],
                        "show": ["--image"]}.items():  # fmt: skip
        if getattr(given, name) and not {*tasks} & {*users}:
            raise tg.ConfigError(f"--{name} is an option of {' and '.join(users)}")


def checkpoint_among(pictures: list[str]) -> str | None:
    """Take the checkpoint out of ``pictures``, where it is in ``--image a.png b.png best.npz``."""
    checkpoints = [name for name in pictures if name.endswith(".npz")]
    if not checkpoints:
        return None
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
    check_network(path, config)
    o, about = SimpleNamespace(**config["options"]), config["data"]
    network = models.build(o.layers, about["shape"], about["classes"], np.random.default_rng(0), str(path))
    try:
        tg.nn.load_state_dict(network, weights_in(arrays))
        if not finite(network):
            raise tg.CheckpointError("not all of its weights are finite")
    except tg.CheckpointError as error:
        raise tg.CheckpointError(f"{path}: {error}") from None
    return network, o, about


def load_data(o: SimpleNamespace, about: dict[str, Any], folder: str | None) -> tg.data.Dataset:
    """The data set of the training, by default from the folder of the training."""
    return tg.data.load(about["name"], images.recorded_place(o) if folder is None else folder)


def measure(network: Any, o: SimpleNamespace, about: dict[str, Any], folder: str | None) -> int:
    """Print accuracy, precision, recall and the confusion matrix for the test images; return the exit code.

    Raises
    ------
    DataError
        If the images do not have the shape that the network expects.
    """
    data = load_data(o, about, folder)
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


def write_page(network: Any, o: SimpleNamespace, about: dict[str, Any], given: argparse.Namespace) -> int:
    """Write a page on which one draws for the network; return the exit code.

    Raises
    ------
    ConfigError
        If the page cannot run one of the layers.
    """
    from training import page

    data = None
    try:
        data = load_data(o, about, given.data)
        if images.about(data)["fingerprint"] != about["fingerprint"]:
            data = None
        missing = "the data set that is at hand is not that of the training"
    except (tg.DataError, OSError) as error:
        if given.data:
            raise
        missing = str(error)
    if data is None:
        print(f"without test images, and without a network that has no hidden layer: {missing}")
    document = page.page(page.content(network, o, about, given.checkpoint, data)).encode()
    write_whole(Path(given.page), lambda file: file.write(document))
    print(f"{given.page}: {len(document) / 1e6:.2f} MB")
    return 0


def compare(given: argparse.Namespace) -> int:
    """Print the settings that differ between runs and what they reached, and draw their curves; return the exit code.

    Raises
    ------
    ConfigError, CheckpointError
        If there are fewer than two runs, or one of them is not a run.
    """
    entries = comparison.read(given.compare)
    comparison.add_test_accuracies(entries, given.data)
    different = comparison.differences(entries)
    path = Path(given.out or "comparison.png")

    def draw() -> None:
        from training import comparison_pictures  # matplotlib takes a second to import

        comparison_pictures.draw(path, entries, different)

    if given.json:
        print(json.dumps({"runs": comparison.as_dicts(entries, different), "picture": str(path)}, indent=2))
    else:
        print(comparison.text(entries, different), end=f"\n\nthe curves are in {path}\n")
    return 0 if is_drawn("evaluate.py", draw) else 1


def main(arguments: list[str] | None = None) -> int:
    """Run the program, by default with the arguments of the command line; return its exit code."""
    return run_program("evaluate.py", lambda: start(command_line().parse(arguments)))


if __name__ == "__main__":
    sys.exit(main())
