"""What a checkpoint says about a run besides its arrays: options, data and progress, each value checked before use."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, Literal, Required, TypedDict

import msgspec
from msgspec import Meta

from models.schema import Count, checked
from tensorgrad.errors import CheckpointError, ConfigError
from training.options import OPTIONS

_ADDED = (  # options that runs of version 0.2.0 lack; their defaults do what such runs did, but for augment
    "optimizer", "betas", "weight_decay", "clip", "gamma", "milestones", "power", "plateau_epochs", "label_smoothing",
    "ema", "patience", "from", "threads", "eager", "log", "augment", "rotation", "scaling", "shear", "translation",
    "elastic_amplitude", "elastic_sigma", "teachers", "temperature", "labelled_warps", "teachers_from", "adversarial",
)  # fmt: skip
_MAY_BE_NONE = {"dropout", "input_dropout", "init"} | {o.name for o in OPTIONS.values() if o.default is None}


class Row(TypedDict, total=False):
    """A row of metrics.csv; those of version 0.2.0 lack columns."""

    epoch: Required[Count]
    updates: Count
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float
    test_accuracy: float
    lr: float
    seconds: Required[float]
    threads: Count
    raw_val_accuracy: float


COLUMNS = tuple(Row.__annotations__)


class Progress(msgspec.Struct, forbid_unknown_fields=True):
    """The state of a run that, together with weights and optimizer, determines how it continues."""

    epoch: Count = 0  # completed epochs
    batch: Count = 0  # completed batches of the current epoch
    update: Count = 0  # completed updates of the weights, over all epochs
    loss_sum: float = 0.0  # over the images of the current epoch
    right: Count = 0  # correctly classified images of the current epoch
    seconds: float = 0.0  # of training, over all sessions
    best_epoch: Count = 0  # whose weights are in best.npz
    best_accuracy: float = -1.0  # on validation images, in that epoch
    best_loss: float = math.inf  # likewise
    threads: Count = 0  # in the current epoch; 0: not chosen yet
    extended: Count = 0  # the epoch after which the run was continued with more epochs
    plateau: dict[str, int | float | None] = {}  # the state of the schedule of this name
    random_state: Mapping[str, Any] = {}  # of the generator of dropout and shifts
    history: list[Row] = []  # for each epoch

    def __post_init__(self) -> None:
        if math.isnan(self.best_loss):
            self.best_loss = math.inf
        if len(self.history) not in (0, self.epoch):  # checkpoints of early versions have none
            raise ValueError(f"history has {len(self.history)} rows after {self.epoch} epochs")


class Result(TypedDict, total=False):
    """The content of result.json, with None in place of NaN."""

    status: Required[Literal["finished", "diverged"]]
    test_accuracy: float | None
    test_loss: float | None
    best_epoch: Count
    val_accuracy: float | None
    epochs: Count
    updates: Count
    seconds: float


class Decided(TypedDict, total=False):
    """What a run found out before its first update."""

    compile: bool
    threads: Count
    processes: Annotated[int, Meta(ge=1)]


class Images(msgspec.Struct):
    """A description of the images that a network classifies, and of their classes."""

    name: str
    shape: tuple[Annotated[int, Meta(ge=1)], Annotated[int, Meta(ge=1)]]
    classes: Annotated[int, Meta(ge=1, le=100_000)]
    brightest: Annotated[int, Meta(ge=1)]
    fingerprint: str
    class_names: list[str] | msgspec.UnsetType = msgspec.UNSET

    def __post_init__(self) -> None:
        if math.prod(self.shape) > 1_000_000:  # the network is tried with images of this size
            raise ValueError(f"images of {self.shape[0]} x {self.shape[1]} pixels are too large")
        if self.class_names is not msgspec.UNSET and len(self.class_names) != self.classes:
            raise ValueError(f"there are {len(self.class_names)} class_names for {self.classes} classes")


def options_in(saved: Any) -> SimpleNamespace:
    """The options in a checkpoint; `ConfigError` if one is missing, unknown or out of range."""
    names = {name: o.kind | None if name in _MAY_BE_NONE else o.kind for name, o in OPTIONS.items()}
    kind = msgspec.defstruct(
        "Options", [*names.items(), ("layers", list[Any]), ("decided", Decided)], forbid_unknown_fields=True
    )
    if isinstance(saved, dict):
        dataset = saved.get("dataset")
        added = {name: OPTIONS[name].default_for(dataset if isinstance(dataset, str) else "mnist") for name in _ADDED}
        saved = {**added, "augment": [], "decided": {}, **saved}
    return SimpleNamespace(**msgspec.structs.asdict(checked(saved, kind, "options")))


def progress_in(saved: Any) -> Progress:
    """The progress in a checkpoint; `ConfigError` if a value is unknown or not of its type."""
    if isinstance(saved, dict) and isinstance(rows := saved.get("history", []), list):
        saved = {**_with_nan(saved), "history": [_with_nan(row) for row in rows]}
    progress: Progress = checked(saved, Progress, "progress")
    return progress


class Trained(msgspec.Struct):
    """The options without which the network of a checkpoint cannot be used."""

    layers: list[Any]
    pixels: Literal["unit", "raw"]


def check_network(path: Path | str, config: Mapping[str, Any]) -> None:
    """Raise `CheckpointError` unless ``config``, of the checkpoint at ``path``, describes a network and its images."""
    try:
        checked(config.get("data"), Images, "data")
        checked(config.get("options"), Trained, "options")
    except ConfigError as error:
        raise CheckpointError(f"{path} does not describe its network: was it written by train.py? ({error})") from None


def without_nan(value: Any) -> Any:
    """The same value with None in place of NaN and infinities, which JSON cannot represent."""
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _with_nan(entry: Any) -> Any:
    """A dict with NaN in place of None."""
    if not isinstance(entry, dict):
        return entry
    return {name: math.nan if value is None else value for name, value in entry.items()}
