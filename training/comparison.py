"""Runs and checkpoints side by side: the settings that differ, what they reached, and their curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

import models
import tensorgrad as tg
from tensorgrad.errors import CheckpointError, ConfigError
from training import images, metrics
from training.grid import as_text
from training.options import OPTIONS
from training.run import read_result, weights_in
from training.state import Progress, check_network, options_in, progress_in

PICTURE = "comparison.png"
_NOT_COMPARED = ("out", "quiet", "data", "eager", "log")  # options that do not change what is learned
_HEADINGS = ("run", "validation", "test", "best epoch", "epochs", "time", "parameters")


@dataclass
class Entry:
    """A run, or a checkpoint, and what is known of it."""

    name: str
    path: Path  # of the checkpoint with its last state
    weights: Path  # of the checkpoint that is evaluated
    options: SimpleNamespace
    about: dict[str, Any]  # the description of its data
    progress: Progress
    status: str  # finished, diverged, unfinished, or checkpoint
    parameters: int
    test_accuracy: float | None = None

    def settings(self) -> dict[str, str]:
        """Its options as texts by name, with the types of its layers and the fingerprint of its data."""
        o = vars(self.options)
        layers = "-".join(str(layer.get("type")) for layer in o["layers"])
        texts = {name: "-" if o[name] is None else as_text(o[name]) for name in OPTIONS if name not in _NOT_COMPARED}
        return {**texts, "layers": layers, "data": self.about["fingerprint"]}

    def results(self) -> dict[str, Any]:
        """What it reached, by the names in result.json."""
        p = self.progress
        has_best = p.best_epoch > 0 and np.isfinite(p.best_accuracy)
        return {
            "status": self.status, "val_accuracy": p.best_accuracy if has_best else None,
            "test_accuracy": self.test_accuracy, "best_epoch": p.best_epoch or None, "epochs": p.epoch,
            "updates": p.update, "seconds": p.seconds, "parameters": self.parameters,
        }  # fmt: skip


def read(places: Sequence[str]) -> list[Entry]:
    """The runs and checkpoints at ``places``, named after their folders or, where these have the same name, as given.

    Raises
    ------
    ConfigError, CheckpointError, FileNotFoundError
        If there are fewer than two, or one of them is not a run.
    """
    if len(places) < 2:
        raise ConfigError("--compare needs at least two runs or checkpoints")
    entries = [_read_one(Path(place)) for place in places]
    resolved = [entry.path.resolve() for entry in entries]
    for i, path in enumerate(resolved):
        if path in resolved[:i]:
            raise ConfigError(f"--compare: {places[i]} is named twice")
    names = [entry.name for entry in entries]
    for entry, place in zip(entries, places, strict=True):
        if names.count(entry.name) > 1:
            entry.name = place
    return entries


def _read_one(place: Path) -> Entry:
    path, best = place, place
    if place.is_dir():
        path = place / "last.npz"
        if not path.is_file():
            found = ", ".join(sorted(file.name for file in place.glob("*.npz"))[:5])
            what = f"name one of its checkpoints ({found})" if found else "no last.npz is in it"
            raise ConfigError(f"--compare: {place} is not the folder of a run: {what}")
        best = place / "best.npz" if (place / "best.npz").is_file() else path
    config = tg.load(path).config
    about: Any = config.get("data")
    check_network(path, config)
    try:
        o, p = options_in(config.get("options")), progress_in(config.get("progress"))
    except ConfigError as error:
        raise CheckpointError(f"{path} is not a checkpoint of train.py: {error}") from None
    result = read_result(place) if place.is_dir() else None
    status = "checkpoint" if not place.is_dir() else "unfinished" if result is None else str(result["status"])
    network = models.build(o.layers, about["shape"], about["classes"], np.random.default_rng(0), str(path))
    count = sum(parameter.size for parameter in tg.nn.parameters(network).values())
    name = place.resolve().name if place.is_dir() else f"{place.resolve().parent.name}/{place.name}"
    return Entry(name, path, best, o, about, p, status, count, (result or {}).get("test_accuracy"))


def add_test_accuracies(entries: Sequence[Entry], folder: str | None) -> None:
    """Evaluate the weights of those whose accuracy on the test images is not recorded, if their data can be found."""
    loaded: dict[tuple[str, str | None], Any] = {}
    for entry in entries:
        if entry.test_accuracy is not None or entry.status == "diverged":
            continue
        name = entry.about["name"]
        where = None if name == "digits" else folder or images.recorded_place(entry.options)
        try:
            if (name, where) not in loaded:
                loaded[name, where] = tg.data.load(name, where, download=False)
        except (tg.DataError, ConfigError):
            continue  # the column remains empty
        data = loaded[name, where]
        if images.about(data)["fingerprint"] == entry.about["fingerprint"]:
            network = models.build(entry.options.layers, data.shape, data.classes, np.random.default_rng(0))
            tg.nn.load_state_dict(network, weights_in(tg.load(entry.weights).arrays))
            scale = images.pixel_scale(entry.options.pixels, data.brightest)
            entry.test_accuracy = images.score(network, data.test_images, data.test_labels, scale)[1]


def differences(entries: Sequence[Entry]) -> list[str]:
    """The names of the settings that are not the same in all."""
    settings = [entry.settings() for entry in entries]
    different = [name for name in settings[0] if len({one[name] for one in settings}) > 1]
    if "dataset" in different and "data" in different:
        different.remove("data")
    if {"model", "hidden", "dropout", "input_dropout", "init"} & set(different) and "layers" in different:
        different.remove("layers")  # which follow from these
    return different


def text(entries: Sequence[Entry], different: Sequence[str]) -> str:
    """The settings that differ, and what was reached, as plain text."""
    parts = []
    if different:
        rows = [("run", *(name.replace("_", " ") for name in different))]
        rows += [(entry.name, *(_short(entry.settings()[name]) for name in different)) for entry in entries]
        parts.append("settings that differ\n\n" + _table(rows))
    else:
        parts.append("all settings are the same")
    rows = [_HEADINGS]
    for entry in entries:
        p, o, found = entry.progress, entry.options, entry.results()
        epochs = f"{p.epoch}" if p.epoch == o.epochs else f"{p.epoch} of {o.epochs}"
        note = "" if entry.status in ("finished", "checkpoint") else f" ({entry.status})"
        rows.append((
            entry.name + note, _percent(found["val_accuracy"]), _percent(found["test_accuracy"]),
            str(found["best_epoch"] or "-"), epochs, f"{p.seconds:.1f} s", f"{entry.parameters:,}",
        ))  # fmt: skip
    return "\n\n".join([*parts, "results", _table(rows)])


def as_dicts(entries: Sequence[Entry], different: Sequence[str]) -> list[dict[str, Any]]:
    """The same for programs: each run with its settings that differ from the others', and its results."""
    return [
        {"run": entry.name, "settings": {name: entry.settings()[name] for name in different}, **entry.results()}
        for entry in entries
    ]


def _table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells in lines, the first of which is a heading; the first column is on the left."""
    width = max(len(row[0]) for row in rows)
    heading, *lines = metrics.aligned([(row[0].ljust(width), *row[1:]) for row in rows], gap="   ")
    return "\n".join(line.rstrip() for line in [heading, "-" * len(heading), *lines])


def _percent(accuracy: float | None) -> str:
    return "-" if accuracy is None else f"{accuracy:.2%}"


def _short(value: str) -> str:
    return value if len(value) <= 30 else f"{value[:12]}...{value[-15:]}"
