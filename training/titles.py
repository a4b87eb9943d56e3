"""What titles of pictures say: the data set and the recipe of runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from tensorgrad.data.known import KNOWN
from training.grid import as_text

_FORMS = (
    ("lr", "learning rate {}"), ("schedule", "{} schedule"), ("batch_size", "batch {}"), ("epochs", "{} epochs"),
    ("l2", "L2 penalty {}"), ("shrink", "shrinkage {}"),
)  # fmt: skip


def data_set(name: str, place: str | None = None) -> str:
    """The title of a data set; of files, the name of the file or folder at ``place``."""
    if name == "files" and place:
        return label_of(Path(place).name)
    return KNOWN[name].title if name in KNOWN else name


def network(o: Mapping[str, Any]) -> str:
    """The network of a run with these options: the name of its model file, or the sizes of its hidden layers."""
    if o.get("model"):
        return label_of(o["model"])
    return f"{as_text(o['hidden'])} hidden units" if o.get("hidden") else ""


def recipe(o: Mapping[str, Any], varied: Collection[str] = ()) -> list[str]:
    """The network and the most important options of runs with these options, but for those that are varied."""
    parts = [] if {"hidden", "model"} & set(varied) else [network(o)]
    parts += [form.format(as_text(o[name])) for name, form in _FORMS if o.get(name) and name not in varied]
    return [part for part in parts if part]


def label_of(value: Any) -> str:
    """A value of an option as a label: of the path to a model file only the name, and at most 24 characters."""
    label = as_text(value)
    if isinstance(value, str) and label.endswith((".yaml", ".yml")):
        label = Path(label).stem
    return label if len(label) <= 24 else label[:11] + "…" + label[-12:]
