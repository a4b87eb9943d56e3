"""The folder of a sweep: ``sweep.json``, with the settings and the data of each run, and temporary files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict

from tensorgrad.errors import ConfigError
from training.folders import is_empty, locked, read_json, remove_temporary_files, write_json
from training.grid import Settings, key


class Record(TypedDict):
    """A run of a sweep."""

    settings: Settings
    data: str  # a text that identifies the data set


Records = dict[str, Record]  # by the names of the runs' folders


def read_records(folder: Path) -> Records:
    """The runs that the folder of a sweep contains; none if there is no such folder.

    Raises
    ------
    ConfigError
        If the folder contains something else, or if ``sweep.json`` is damaged.
    """
    path = folder / "sweep.json"
    if not path.is_file():
        if folder.exists() and not is_empty(folder):
            raise ConfigError(f"--out {folder} is not empty and contains no sweep: name another folder")
        return {}
    records: Records = read_json(path, Records)
    return records


def merge(known: Records, runs: Mapping[str, Settings], data: Mapping[str, str], folder: Path) -> Records:
    """Records of ``runs``, of which each keeps the name that it has in ``known``.

    ``data`` identifies the data by the `key` of the settings.

    Raises
    ------
    ConfigError
        If a name stands for other settings or data in ``known``.
    """
    records: Records = {name: {"settings": run, "data": data[key(run)]} for name, run in runs.items()}
    names = {key(record): name for name, record in known.items()}
    records = {names.get(key(record), name): record for name, record in records.items()}
    for name, record in records.items():
        if known.get(name, record) != record:
            raise ConfigError(
                f"--out {folder} contains a sweep with other settings or data ({name}): name another folder"
            )
    return records


def write_records(folder: Path, records: Records) -> None:
    """Write ``sweep.json``."""
    write_json(folder / "sweep.json", records)


def clean(folder: Path) -> None:
    """Remove temporary files that killed processes left in the folder of a sweep or those of its runs.

    The caller holds the lock of the sweep. Runs that another process is working on are left alone.
    """
    remove_temporary_files(folder)
    for run in (folder / "runs").glob("*/"):
        try:
            with locked(run, "in use"):
                remove_temporary_files(run)
        except ConfigError:
            continue
