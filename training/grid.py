"""The runs of a sweep: from axes to settings, from settings to the names of their folders.

A sweep is a list of *grids*. A grid maps options of `train.py` to lists of values; its cells are all combinations. Runs
that two grids share are run once.
"""

from __future__ import annotations

import difflib
import hashlib
import itertools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import models
from tensorgrad.checkpoints import write_whole
from tensorgrad.errors import ConfigError
from training.options import OPTIONS, check

NOT_AXES = ("out", "quiet", "data")
AXES = tuple(name for name in OPTIONS if name not in NOT_AXES)
LONGEST_NAME = 120  # file systems allow 255 bytes

Settings = dict[str, Any]


@dataclass
class Grid:
    """All combinations of the values of some options."""

    axes: dict[str, list[Any]]  # those with one value are fixed
    name: str = "grid"
    sample: int | None = None  # that many combinations drawn at random in place of all, each with all seeds
    report: dict[str, float] = field(default_factory=dict)  # accuracies to show beside ours, by the value of the axis

    @property
    def varied(self) -> list[str]:
        """The options with several values, seeds apart."""
        return [name for name, values in self.axes.items() if len(values) > 1 and name != "seed"]

    def settings(self) -> list[Settings]:
        """The settings of every run, seeds varying fastest."""
        axes = {name: values for name, values in self.axes.items() if name != "seed"}
        chosen = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
        if self.sample is not None:  # a larger sample holds the smaller one, whose runs need not be run again
            drawn = np.random.default_rng(0).permutation(len(chosen))[: self.sample]
            chosen = [chosen[i] for i in sorted(drawn)]
        seeds: list[Settings] = [{"seed": seed} for seed in self.axes["seed"]] if "seed" in self.axes else [{}]
        return [cell | seed for cell in chosen for seed in seeds]


def grid_of(given: Mapping[str, Any], source: str = "", **about: Any) -> Grid:
    """A grid from lists of values as they were written; each is read and checked as `train.py` would.

    Raises
    ------
    ConfigError
        If a name is no option, a value is out of range, or one stands there twice.
    """
    axes: dict[str, list[Any]] = {}
    for name, written in given.items():
        where = f"{source}: {name}" if source else flag(name)
        if name not in AXES:
            raise ConfigError(f"{where} is no axis of a sweep; {nearest(str(name), AXES)}")
        values = written if isinstance(written, list) else [written]
        if not values:
            raise ConfigError(f"{where} has no values")
        axes[name] = []
        for value in values:
            read = _read(name, value, where)
            if read in axes[name]:
                raise ConfigError(f"{where} has the value {text(read)} twice")
            axes[name].append(read)
    return Grid(axes, **about)


def _read(name: str, value: Any, where: str) -> Any:
    """One value, which may be ``400,200`` for a list, ``none`` for an empty one, ``true`` or ``false`` for a switch."""
    default = OPTIONS[name].default
    if isinstance(value, str):
        if isinstance(default, list):
            value = [] if value == "none" and not default else value.split(",")
        elif isinstance(default, bool):
            value = {"true": True, "false": False}.get(value.lower(), value)
    elif value is None or isinstance(value, dict) or (isinstance(value, list) and not isinstance(default, list)):
        raise ConfigError(f"{where} cannot be {json.dumps(value, default=str)}")
    if value == [] and default != []:
        raise ConfigError(f"{where} needs at least one number in each value")
    try:
        return check({name: value})[name]
    except ConfigError as error:
        raise ConfigError(str(error).replace(flag(name), where, 1)) from None


def flag(name: Any) -> str:
    """An option as the command line has it."""
    return "--" + str(name).replace("_", "-")


def nearest(name: str, valid: Iterable[str]) -> str:
    """A suggestion: the closest valid name, or all valid names."""
    valid = tuple(valid)
    like = difflib.get_close_matches(name.strip("-").replace("-", "_"), valid, 1)
    return f"did you mean {like[0]}?" if like else f"valid: {', '.join(valid)}"


def read_file(path: Path) -> list[Grid]:
    """The grids of a YAML file: ``common`` options, and ``grids``, each with a ``name`` and ``axes``.

    Raises
    ------
    ConfigError
        Naming the file, the grid and what would be right.
    """
    import yaml

    try:
        content = models.load_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the sweep {path}: {error}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # of which a bad date is the second
        raise ConfigError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict) or not isinstance(content.get("grids"), list) or not content["grids"]:
        raise ConfigError(f"{path}: expected `grids`, a list of dicts with name and axes, and perhaps `common` options")
    _refuse_unknown(content, ("common", "grids"), str(path))
    common = content.get("common") or {}
    if not isinstance(common, dict):
        raise ConfigError(f"{path}: common must be a dict of options, got {common!r}")
    grids: list[Grid] = []
    for i, entry in enumerate(content["grids"], 1):
        where = f"{path}: grid {i}"
        if not isinstance(entry, dict) or not isinstance(entry.get("axes"), dict):
            raise ConfigError(f"{where}: expected a dict with name and axes")
        _refuse_unknown(entry, ("name", "axes", "sample", "report"), where)
        name = str(entry.get("name", f"grid {i}"))
        if file_name(name) in [file_name(grid.name) for grid in grids]:
            raise ConfigError(f"{where}: the name {name} is taken by another grid")
        where = f"{path}: grid {i} ({name})" if "name" in entry else where
        sample = entry.get("sample")
        if sample is not None and (isinstance(sample, bool) or not isinstance(sample, int) or sample < 1):
            raise ConfigError(f"{where}: sample must be a whole number of at least 1, got {sample!r}")
        grid = grid_of({**common, **entry["axes"]}, where, sample=sample, name=name)
        grid.report = _report(entry.get("report") or {}, grid, where)
        grids.append(grid)
    return grids


def _report(given: Any, grid: Grid, where: str) -> dict[str, float]:
    """Accuracies of another's experiment by the value of the grid's one axis."""
    if not given:
        return {}
    if not isinstance(given, dict) or len(grid.varied) != 1:
        raise ConfigError(f"{where}: report must be a dict from the values of the one axis to accuracies of 0 to 1")
    name, read = grid.varied[0], {}
    for value, accuracy in given.items():
        key = text(_read(name, value, f"{where}: report: {name}"))
        if key not in map(text, grid.axes[name]):
            raise ConfigError(f"{where}: report: {key} is not a value of {name}")
        if isinstance(accuracy, bool) or not isinstance(accuracy, int | float) or not 0 <= accuracy <= 1:
            raise ConfigError(f"{where}: report: {key} must be an accuracy of 0 to 1, got {accuracy!r}")
        read[key] = float(accuracy)
    return read


def _refuse_unknown(entry: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    unknown = [key for key in entry if key not in known]
    if unknown:
        raise ConfigError(f"{where}: unknown key {unknown[0]!r}; valid: {', '.join(known)}")


def all_settings(grids: Sequence[Grid]) -> dict[str, Settings]:
    """The settings of every run of all grids by the name of its folder, each combination once.

    The name is made of the options that differ, which do not depend on what a sample draws.
    """
    runs = {key(settings): settings for grid in grids for settings in grid.settings()}
    options = dict.fromkeys(name for grid in grids for name in grid.axes if name != "seed") | {"seed": None}
    values = {name: {key(value) for grid in grids for value in grid.axes.get(name, [None])} for name in options}
    names = [name for name in options if len(values[name]) > 1]
    named: dict[str, Settings] = {}
    for run in runs.values():
        name = folder_name(run, names)
        named[name if name not in named else f"{name}-{digest(key(run))}"] = run
    return named


def remember(folder: Path, runs: Mapping[str, Settings], marks: Mapping[str, str]) -> dict[str, Settings]:
    """Note which settings and data each run folder stands for; refuse a folder in which they stand for others.

    Returns the runs under the names they have there: one that was named before keeps its name.
    """
    path = folder / "sweep.json"
    try:
        known = dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{path} is damaged: {error}") from None
    if not known and any(folder.iterdir()):
        raise ConfigError(f"--out {folder} is not empty and holds no sweep: name another folder")
    noted: dict[str, dict[str, Any]]
    noted = {name: {"settings": settings, "data": marks[key(settings)]} for name, settings in runs.items()}
    names = {key(note): name for name, note in known.items()}
    noted = {names.get(key(note), name): note for name, note in noted.items()}
    for name, note in noted.items():
        if known.get(name, note) != note:
            raise ConfigError(
                f"--out {folder} holds a sweep with other settings or data (of {name}): name another folder"
            )
    content = json.dumps(known | noted, indent=1) + "\n"
    write_whole(path, lambda file: file.write(content.encode()))
    return {name: note["settings"] for name, note in noted.items()}


def key(value: Any) -> str:
    """The same text for the same settings."""
    return json.dumps(value, sort_keys=True)


def digest(content: str) -> str:
    """Eight letters that stand for a text."""
    return hashlib.sha256(content.encode()).hexdigest()[:8]


def folder_name(settings: Settings, names: Sequence[str]) -> str:
    """``lr-0.1_hidden-400_seed-0``, of the options that differ between the runs of the sweep."""
    return file_name("_".join(f"{name}-{text(settings[name])}" for name in names if name in settings)) or "run"


def file_name(content: str) -> str:
    """A text as a file name that is safe for shells and file systems."""
    name = re.sub(r"[^A-Za-z0-9._+=-]+", "-", content.replace(",", "+")).strip("-.")
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 9]}-{digest(content)}"


def text(value: Any) -> str:
    """A value as it is written on the command line."""
    if isinstance(value, list):
        return ",".join(map(text, value)) or "none"
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    return str(value).lower() if isinstance(value, bool) else str(value)
