"""What a checkpoint says about a run besides its arrays: options, data and progress, each value checked before use."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from models import brief
from tensorgrad.errors import CheckpointError, ConfigError
from training.options import OPTIONS, check
from training.values import text

COLUMNS = (
    "epoch", "updates", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "test_accuracy", "lr", "seconds",
    "threads", "raw_val_accuracy",
)  # fmt: skip
_COUNTS = ("epoch", "updates", "threads")  # columns of integers
_ADDED = (  # options that runs of version 0.2.0 lack; their defaults do what such runs did, but for augment
    "optimizer", "betas", "weight_decay", "clip", "gamma", "milestones", "power", "plateau_epochs", "label_smoothing",
    "ema", "patience", "from", "threads", "eager", "log", "augment", "rotation", "scaling", "shear", "translation",
    "elastic_amplitude", "elastic_sigma", "teachers", "temperature", "labelled_warps", "teachers_from",
)  # fmt: skip
_MAY_BE_NONE = {"dropout", "input_dropout", "init"} | {o.name for o in OPTIONS.values() if o.default is None}
_LISTS = ("layers", "hidden", "freeze", "betas", "milestones", "augment", "teachers")
_MOST = 2**53  # of a count


@dataclass
class Progress:
    """The state of a run that, together with weights and optimizer, determines how it continues."""

    epoch: int = 0  # completed epochs
    batch: int = 0  # completed batches of the current epoch
    update: int = 0  # completed updates of the weights, over all epochs
    loss_sum: float = 0.0  # over the images of the current epoch
    right: int = 0  # correctly classified images of the current epoch
    seconds: float = 0.0  # of training, over all sessions
    best_epoch: int = 0  # whose weights are in best.npz
    best_accuracy: float = -1.0  # on validation images, in that epoch
    best_loss: float = math.inf  # likewise
    threads: int = 0  # in the current epoch; 0: not chosen yet
    extended: int = 0  # the epoch after which the run was continued with more epochs
    plateau: dict[str, Any] = field(default_factory=dict)  # the state of the schedule of this name
    random_state: Mapping[str, Any] = field(default_factory=dict)  # of the generator of dropout and shifts
    history: list[dict[str, Any]] = field(default_factory=list)  # a row of metrics.csv for each epoch


def options_in(saved: Any) -> SimpleNamespace:
    """The options in a checkpoint; `ConfigError` if one is missing or out of range."""
    _require(isinstance(saved, dict), "options", saved)
    dataset = saved.get("dataset")
    added = {name: OPTIONS[name].default_for(dataset if isinstance(dataset, str) else "mnist") for name in _ADDED}
    added["augment"] = []
    options = {**added, "decided": {}, **saved}
    if missing := sorted((OPTIONS.keys() | {"layers"}) - options.keys()):
        raise ConfigError(f"{missing[0]} is missing")
    for name in _LISTS:
        _require(isinstance(options[name], list), name, options[name])
    for name, value in options.items():
        if name in OPTIONS and OPTIONS[name].parse is text and value is not None:
            _require(isinstance(value, str) and "\0" not in value, name, value)
    decided = options["decided"]
    _require(isinstance(decided, dict) and _is_count(decided.get("threads", 1)), "decided", decided)
    given = {name: value for name, value in options.items() if name in OPTIONS}
    checked = check({name: value for name, value in given.items() if value is not None or name not in _MAY_BE_NONE})
    return SimpleNamespace(**options | checked)


def progress_in(saved: Any) -> Progress:
    """The progress in a checkpoint; `ConfigError` if a value is unknown or not of its type."""
    _require(isinstance(saved, dict), "progress", saved)
    known = {part.name: part.type for part in fields(Progress)}
    for name, value in saved.items():
        _require(name in known, "progress", name)
        _require(_VALID[str(known[name])](value), name, value)
    _require(all(map(_is_number, saved.get("plateau", {}).values())), "plateau", saved.get("plateau"))
    progress = Progress(**saved)
    for name, value in vars(progress).items():
        if value is None:  # JSON has no NaN and no infinity
            setattr(progress, name, math.inf if name == "best_loss" else math.nan)
    progress.history = [
        {key: math.nan if value is None else value for key, value in row.items()} for row in progress.history
    ]
    if len(progress.history) not in (0, progress.epoch):  # checkpoints of early versions have none
        raise ConfigError(f"history has {len(progress.history)} rows after {progress.epoch} epochs")
    return progress


def check_data(path: Path | str, about: Any) -> None:
    """Raise `CheckpointError` unless ``about``, from the checkpoint at ``path``, describes images and their classes."""
    needed = {"name", "shape", "classes", "brightest", "fingerprint"}
    if not isinstance(about, dict) or not needed <= about.keys():
        raise CheckpointError(f"{path} does not describe the network of its weights: was it written by train.py?")
    numbers = [*about["shape"], about["classes"], about["brightest"]] if isinstance(about["shape"], list) else []
    texts = (about["name"], about["fingerprint"])
    if len(numbers) != 4 or not all(type(number) is int and number > 0 for number in numbers) or not all(
            isinstance(value, str) for value in texts):  # fmt: skip
        raise CheckpointError(f"{path} does not describe the images that its network classifies")
    if numbers[0] * numbers[1] > 1_000_000 or numbers[2] > 100_000:  # the network is tried with images of this size
        raise CheckpointError(f"{path} describes images of {numbers[0]} x {numbers[1]} pixels in {numbers[2]} "
                              "classes, which are too many")  # fmt: skip
    names = about.get("class_names", [])
    if not isinstance(names, list) or not all(isinstance(n, str) for n in names) or (
            "class_names" in about and len(names) != about["classes"]):  # fmt: skip
        raise CheckpointError(f"{path} does not describe the classes of its network")


def _require(condition: bool, name: str, value: Any) -> None:
    if not condition:
        raise ConfigError(f"{name} is {brief(value)}")


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < _MOST


def _is_number(value: Any) -> bool:
    return value is None or (type(value) in (int, float) and abs(value) < _MOST**16)


def _is_history(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(row, dict) and _is_row(row) for row in value)


_VALID = {  # by the type of a field of `Progress`
    "int": _is_count,
    "float": _is_number,
    "dict[str, Any]": lambda value: isinstance(value, dict),
    "Mapping[str, Any]": lambda value: isinstance(value, dict),
    "list[dict[str, Any]]": _is_history,
}


def _is_row(row: dict[str, Any]) -> bool:
    """Whether it is a row of metrics.csv; those of version 0.2.0 lack columns."""
    return {"epoch", "seconds"} <= row.keys() <= set(COLUMNS) and all(
        _is_count(value) if name in _COUNTS else _is_number(value) for name, value in row.items()
    )
