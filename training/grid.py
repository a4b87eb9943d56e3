"""The runs of a sweep: from grids to the settings of their runs, and to the names of the runs' folders.

A sweep is a list of *grids*. A grid has *axes*, options of `train.py` with lists of values; its *cells* are all
combinations of the values, each with a run for every seed. A run that several grids share is run once.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta

from models import brief, read_yaml
from models.schema import checked, described
from tensorgrad.errors import ConfigError
from training.command_line import flag, suggestion
from training.options import OPTIONS, check

NOT_AXES = ("out", "quiet", "data", "eager", "threads", "log")
AXES = tuple(name for name in OPTIONS if name not in NOT_AXES)
MOST_RUNS = 100_000
LONGEST_NAME = 120  # file systems allow 255 bytes

ACCURACY = described(Annotated[float, Meta(ge=0, le=1)], "must be an accuracy of 0 to 1")
Settings = dict[str, Any]


class File(msgspec.Struct, forbid_unknown_fields=True):
    """The content of a YAML file with a sweep."""

    grids: Annotated[list[Any], Meta(min_length=1, description="must be a list of dicts with name and axes")]
    common: dict[Any, Any] | None = None  # options of all grids


class Entry(msgspec.Struct, forbid_unknown_fields=True):
    """A grid in such a file."""

    axes: dict[Any, Any]
    name: str = ""
    sample: Annotated[int, Meta(ge=1)] | None = None
    report: dict[Any, Any] | None = None


ENTRY = described(Entry, "must be a dict with name and axes")
FILE = described(File, "must be a dict with grids, and perhaps common")


@dataclass
class Grid:
    """All combinations of the values of some options."""

    axes: dict[str, list[Any]]  # values by option
    name: str = "grid"
    sample: int | None = None  # if not None, only so many combinations, drawn at random, each with all seeds
    report: dict[str, float] = field(default_factory=dict)  # published accuracies by the value of the only varied axis

    @property
    def varied(self) -> list[str]:
        """The options with several values, without the seed."""
        return [name for name, values in self.axes.items() if len(values) > 1 and name != "seed"]

    def settings(self) -> list[Settings]:
        """The settings of every run; the seed varies fastest."""
        axes = {name: values for name, values in self.axes.items() if name != "seed"}
        total = math.prod(map(len, axes.values()))
        chosen = [_combination(axes, i) for i in (range(total) if self.sample is None else _drawn(total, self.sample))]
        seeds: list[Settings] = [{"seed": seed} for seed in self.axes["seed"]] if "seed" in self.axes else [{}]
        return [cell | seed for cell in chosen for seed in seeds]


def _combination(axes: Mapping[str, list[Any]], i: int) -> Settings:
    """Combination ``i`` of the values, of which those of the last option vary fastest."""
    chosen = {}
    for name, values in reversed(list(axes.items())):
        i, k = divmod(i, len(values))
        chosen[name] = values[k]
    return {name: chosen[name] for name in axes}


def _drawn(total: int, sample: int) -> list[int]:
    """Random combinations, in order. A larger sample contains the smaller ones, whose runs are not run again."""
    rng = np.random.default_rng(0)
    if total <= MOST_RUNS:
        return sorted(rng.permutation(total)[:sample].tolist())
    drawn: dict[int, None] = {}
    while len(drawn) < sample:
        drawn[int(rng.random() * total)] = None
    return sorted(drawn)


def grid_of(given: Mapping[str, Any], source: str = "", **about: Any) -> Grid:
    """A grid from options, each with a value or a list of values in the form of the command line of `train.py`.

    Raises
    ------
    ConfigError
        If a name is not that of an option, a value is out of range, or one is repeated.
    """
    axes: dict[str, list[Any]] = {}
    for name, written in given.items():
        where = f"{source}: {name}" if source else flag(name)
        if name not in AXES:
            raise ConfigError(f"{where} is not an option that a sweep can vary; {suggestion(str(name), AXES)}")
        values = written if isinstance(written, list) else [written]
        if not values:
            raise ConfigError(f"{where} has no values")
        axes[name] = []
        for value in values:
            parsed = parse_value(name, value, where)
            if parsed in axes[name]:
                raise ConfigError(f"{where} has the value {as_text(parsed)} twice")
            axes[name].append(parsed)
    grid = Grid(axes, **about)
    seeds = len(axes.get("seed", [0]))
    total = math.prod(map(len, axes.values())) // seeds
    count = seeds * min(total, total if grid.sample is None else grid.sample)
    if count > MOST_RUNS:
        raise ConfigError(
            f"{source or 'the sweep'}: {count:,} runs are more than a sweep can have, {MOST_RUNS:,}: vary fewer values,"
            " or draw some of the combinations, with --sample 20 or, in a YAML file, sample: 20"
        )
    return grid


def parse_value(name: str, value: Any, where: str) -> Any:
    """One value of an option: ``400,200`` is a list, ``none`` an empty list, ``true`` and ``false`` are booleans."""
    default = OPTIONS[name].default_for("mnist")
    if isinstance(value, str):
        if isinstance(default, list):
            value = [] if value == "none" and not default else value.split(",")
        elif isinstance(default, bool):
            value = {"true": True, "false": False}.get(value.lower(), value)
    elif value is None or isinstance(value, dict) or (isinstance(value, list) and not isinstance(default, list)):
        raise ConfigError(f"{where} cannot be {'null' if value is None else brief(value)}")
    if value == [] and default != []:
        raise ConfigError(f"{where} needs at least one number in each value")
    try:
        return check({name: value})[name]
    except ConfigError as error:
        raise ConfigError(str(error).replace(flag(name), where, 1)) from None


def read_file(path: Path) -> list[Grid]:
    """The grids of a YAML file with ``common`` options and ``grids``, each with a ``name`` and ``axes``.

    Raises
    ------
    ConfigError
        Naming the file, the grid, and what was expected.
    """
    try:
        content = read_yaml(path, "the sweep")
    except FileNotFoundError as error:
        raise ConfigError(f"cannot read the sweep {path}: {error}") from None
    if isinstance(content, dict) and "search" in content:
        raise ConfigError(f"{path}: `search` needs --search N, the number of trials")
    file = checked(content, FILE, str(path))
    grids: list[Grid] = []
    for i, given in enumerate(file.grids, 1):
        where = f"{path}: grid {i}"
        if isinstance(given, dict) and given.get("name"):
            where += f" ({given['name']!s:.80})"
        entry = checked(given, ENTRY, where)
        name = entry.name or f"grid {i}"
        if file_name(name) in [file_name(grid.name) for grid in grids]:
            raise ConfigError(f"{where}: another grid has the name {name}, too")
        grid = grid_of({**(file.common or {}), **entry.axes}, where, sample=entry.sample, name=name)
        grid.report = _report(entry.report or {}, grid, where)
        grids.append(grid)
    return grids


def _report(given: dict[Any, Any], grid: Grid, where: str) -> dict[str, float]:
    """Published accuracies by the value, as text, of the only varied axis of the grid."""
    if not given:
        return {}
    if len(grid.varied) != 1:
        raise ConfigError(f"{where}: report must map the values of a single varied axis to accuracies of 0 to 1")
    name, accuracies = grid.varied[0], {}
    for value, accuracy in given.items():
        shown = as_text(parse_value(name, value, f"{where}: report: {name}"))
        if shown not in map(as_text, grid.axes[name]):
            raise ConfigError(f"{where}: report: {shown} is not a value of {name}")
        accuracies[shown] = checked(accuracy, ACCURACY, f"{where}: report: {shown}")
    return accuracies


def all_settings(grids: Sequence[Grid]) -> dict[str, Settings]:
    """The settings of every run of all grids by the name of its folder, each combination once.

    A name consists of the options that differ between the runs, and does not depend on which of them a sample draws.
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


def key(value: Any) -> str:
    """A text that is the same for equal settings, and differs otherwise."""
    return json.dumps(value, sort_keys=True)


def digest(content: str) -> str:
    """A hash of a text: eight hexadecimal digits."""
    return hashlib.sha256(content.encode()).hexdigest()[:8]


def folder_name(settings: Settings, names: Sequence[str]) -> str:
    """A name such as ``lr-0.1_hidden-400_seed-0`` from the values of the options in ``names``."""
    return file_name("_".join(f"{name}-{as_text(settings[name])}" for name in names if name in settings)) or "run"


def file_name(content: str) -> str:
    """A text as a file name without characters that are special to shells or file systems."""
    name = re.sub(r"[^A-Za-z0-9._+=-]+", "-", content.replace(",", "+")).strip("-.")
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 9]}-{digest(content)}"


def as_text(value: Any) -> str:
    """A value of an option as it is written on the command line of a sweep."""
    if isinstance(value, list):
        return ",".join(map(as_text, value)) or "none"
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    return str(value).lower() if isinstance(value, bool) else str(value)
