"""What a search may choose: ranges of numbers, and lists of values, of the options of `train.py`.

On the command line of `sweep.py`, ``--lr 1e-4:0.1:log`` is a range; in YAML, ``{low: 1.0e-4, high: 0.1, log: true}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import islice, product
from pathlib import Path
from typing import Any

import msgspec

from models import brief, read_yaml
from models.schema import checked, described
from tensorgrad.errors import ConfigError
from training.command_line import flag, suggestion
from training.grid import AXES, Settings, as_text, grid_of, parse_value
from training.options import OPTIONS

# Options that change the images by which trials are compared, or that are not a matter of choice.
NOT_SEARCHED = ("dataset", "seed", "validation", "watch_test")
MOST_CORNERS = 64
DIGITS = 4  # of the numbers that are drawn, for readable settings


class File(msgspec.Struct, forbid_unknown_fields=True):
    """The content of a YAML file with a search."""

    search: dict[Any, Any]  # options with ranges or lists of values
    common: dict[Any, Any] | None = None  # options of all trials


class Written(msgspec.Struct, forbid_unknown_fields=True):
    """A range in such a file."""

    low: Any
    high: Any
    log: bool = False


FILE = described(File, "must be a dict with search, and perhaps common")


@dataclass
class Range:
    """The numbers from ``low`` to ``high``, both included; with ``log``, by their logarithm."""

    low: float
    high: float
    log: bool = False
    is_list: bool = False  # whether a value of the option is a list, here of one number

    @property
    def is_integer(self) -> bool:
        """Whether these are integers."""
        return isinstance(self.low, int)

    def value(self, drawn: float) -> Any:
        """The value of the option for a number that was drawn, rounded to a few digits."""
        if self.is_integer:
            number: float = int(drawn)
        else:
            number = min(max(float(f"{drawn:.{DIGITS}g}"), self.low), self.high)
        return [number] if self.is_list else number

    def number(self, value: Any) -> float:
        """The number in a value."""
        return float(value[0] if self.is_list else value)


@dataclass
class Space:
    """The options of a search."""

    axes: dict[str, Range | list[Any]]  # by option: a range, or a list of values
    common: Settings  # the options with one value

    def description(self) -> dict[str, Any]:
        """The space for JSON, equal for equal spaces."""
        axes = {name: asdict(axis) if isinstance(axis, Range) else axis for name, axis in self.axes.items()}
        return {"axes": axes, "common": self.common}

    def corners(self) -> list[Settings]:
        """Combinations of the ends of the ranges and of the values in lists, of which there may be too many for all."""
        ends = [
            [axis.value(axis.low), axis.value(axis.high)] if isinstance(axis, Range) else axis
            for axis in self.axes.values()
        ]
        return [self.settings(dict(zip(self.axes, c, strict=True))) for c in islice(product(*ends), MOST_CORNERS)]

    def settings(self, chosen: Settings) -> Settings:
        """The settings of a run."""
        return {**self.common, **chosen}


def space_of(given: Mapping[str, Any], source: str = "") -> Space:
    """A space from options, each with a value, a list of values, or a range.

    Raises
    ------
    ConfigError
        If a name is not that of an option, a value or a range is out of range, or there is nothing to choose.
    """
    axes: dict[str, Range | list[Any]] = {}
    common: Settings = {}
    for name, written in given.items():
        where = f"{source}: {name}" if source else flag(name)
        if name not in AXES:
            raise ConfigError(f"{where} is not an option that a search can vary; {suggestion(str(name), AXES)}")
        if isinstance(written, dict):
            axes[name] = _range(name, written, where)
        elif not source and isinstance(written, list) and written[0].count(":") and _is_numeric(name):
            if len(written) > 1:
                raise ConfigError(f"{where} has one range or several values, got {' '.join(written)}")
            axes[name] = _range(name, _from_text(written[0], where), where)
        else:
            values = grid_of({name: written}, source).axes[name]
            if len(values) == 1:
                common[name] = values[0]
            else:
                axes[name] = values
        if name in axes and name in NOT_SEARCHED:
            raise ConfigError(f"{where} needs one value in a search, which compares trials by their accuracy on the "
                              "same validation images")  # fmt: skip
    if not axes:
        raise ConfigError(f"{source or '--search'} has nothing to choose: give an option a range, as in "
                          + ("lr: {low: 1.0e-4, high: 0.1, log: true}" if source else "--lr 1e-4:0.1:log")
                          + ", or several values")  # fmt: skip
    if common.get("validation") == 0:
        raise ConfigError(f"{source or '--search'} chooses by the validation images: it needs some, not validation 0")
    return Space(axes, common)


def _is_numeric(name: str) -> bool:
    """Whether the values of an option are numbers, or lists of numbers."""
    default = OPTIONS[name].default_for("mnist")
    item = default[0] if isinstance(default, list) and default else default
    return isinstance(item, int | float) and not isinstance(item, bool)


def _from_text(value: str, where: str) -> dict[str, Any]:
    """The range of a text such as ``1e-4:0.1:log``."""
    low, high, *rest = value.split(":")
    if rest not in ([], ["log"]):
        raise ConfigError(f"{where}: a range is LOW:HIGH or LOW:HIGH:log, got {brief(value)}")
    return {"low": low, "high": high, "log": bool(rest)}


def _range(name: str, given: Mapping[str, Any], where: str) -> Range:
    written = checked(dict(given), Written, where)
    if not _is_numeric(name):
        raise ConfigError(f"{where}: only numbers have a range: list the values")
    ends = [parse_value(name, value, f"{where}: {end}" if value is not None else where)
            for end, value in (("low", written.low), ("high", written.high))]  # fmt: skip
    is_list = isinstance(ends[0], list)
    low, high = (end[0] if is_list else end for end in ends)
    if is_list and max(map(len, ends)) > 1:
        raise ConfigError(f"{where}: the ends of a range are numbers, got {' and '.join(map(as_text, ends))}")
    if not low < high:
        raise ConfigError(f"{where}: low must be less than high, got {as_text(low)} and {as_text(high)}")
    if written.log and low <= 0:
        raise ConfigError(f"{where}: with log, low must be greater than 0, got {as_text(low)}")
    return Range(low, high, written.log, is_list)


def read_space(path: Path) -> Space:
    """The space of a YAML file with ``search``, a dict of ranges and lists, and perhaps ``common`` options.

    Raises
    ------
    ConfigError
        Naming the file and what was expected.
    """
    try:
        content = read_yaml(path, "the search")
    except FileNotFoundError as error:
        raise ConfigError(f"cannot read the search {path}: {error}") from None
    file = checked(content, FILE, str(path))
    return space_of({**(file.common or {}), **file.search}, str(path))
