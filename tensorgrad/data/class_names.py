"""Names of classes in a file ``labels.json`` or ``class_names.json`` beside the data."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from tensorgrad.data.dataset import Dataset
from tensorgrad.errors import DataError

FILES = ("labels.json", "class_names.json")


def renamed(data: Dataset, place: Path) -> Dataset:
    """The data set with the names of its classes that a file in the folder ``place``, or beside a file, contains.

    The file contains a list of names, of the labels from 0 on or, if there is no label 0, from 1 on; or an object with
    the name of each label, ``{"0": "cat"}``, or the label of each name, ``{"cat": 0}``. Other classes keep their names.

    Raises
    ------
    DataError
        If the file contains something else.
    """
    folder = place if place.is_dir() else place.parent
    path = next((path for path in (folder / name for name in FILES) if path.is_file()), None)
    if path is None:
        return data
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} cannot be read: {' '.join(str(error).split()):.200}") from None
    names = _by_label(content, 0 if "0" in data.class_names else 1, path)
    class_names = tuple(names.get(name, name) for name in data.class_names)
    if len(set(class_names)) < len(class_names):
        raise DataError(f"{path}: two classes have the same name")
    return replace(data, class_names=class_names)


def _by_label(content: Any, first: int, path: Path) -> dict[str, str]:
    """The names by label, as a text."""
    if isinstance(content, list) and all(isinstance(name, str) for name in content):
        return {str(first + i): name for i, name in enumerate(content)}
    if isinstance(content, dict):
        if all(isinstance(name, str) for name in content.values()):
            return dict(content)
        if all(type(label) is int for label in content.values()):
            return {str(label): name for name, label in content.items()}
    raise DataError(f'{path}: expected a list of names of classes, or an object such as {{"0": "cat", "1": "dog"}}')
