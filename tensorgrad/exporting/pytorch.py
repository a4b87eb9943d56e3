"""Weights under the names and in the layout of PyTorch's modules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from tensorgrad import nn
from tensorgrad.errors import CheckpointError
from tensorgrad.nn.walking import walk

__all__ = ["from_pytorch", "to_pytorch"]

Array = Any


class _Place(NamedTuple):
    """Where PyTorch keeps an array: its name, and whether it is the transpose."""

    name: str
    is_transposed: bool


def _places(model: Any) -> dict[str, _Place]:
    """The place of every parameter and buffer, by its name.

    The layers of a `Sequential` are called ``layers.0`` here and ``0`` there; the weight of a `Linear` is ``(in, out)``
    here and ``(out, in)`` there.
    """
    outer = {path for path, item in walk(model) if isinstance(item, nn.Sequential)}
    linear = {path for path, item in walk(model) if isinstance(item, nn.Linear)}
    places = {}
    for name in nn.state_dict(model):
        parts = name.split(".")
        kept = [part for i, part in enumerate(parts) if not (part == "layers" and ".".join(parts[:i]) in outer)]
        holder, _, last = name.rpartition(".")
        places[name] = _Place(".".join(kept), last == "weight" and holder in linear)
    return places


def to_pytorch(model: Any) -> dict[str, Array]:
    """The parameters and buffers of a model as contiguous arrays, by their names in PyTorch."""
    state = nn.state_dict(model)
    return {place.name: np.array(state[name].T if place.is_transposed else state[name], order="C")
            for name, place in _places(model).items()}  # fmt: skip


def from_pytorch(model: Any, state: Mapping[str, Array]) -> None:
    """Set the parameters and buffers of a model to arrays with PyTorch's names.

    Raises
    ------
    CheckpointError
        If an array is missing, unexpected or of another shape.
    """
    places = _places(model)
    names = {place.name: name for name, place in places.items()}
    unexpected = sorted(state.keys() - names.keys())
    missing = sorted(names.keys() - state.keys())
    if unexpected or missing:
        problems = [f"missing {name}" for name in missing] + [f"unexpected {name}" for name in unexpected]
        raise CheckpointError(f"the weights do not fit the network: {'; '.join(problems)}")
    nn.load_state_dict(model, {name: np.transpose(state[place.name]) if place.is_transposed else state[place.name]
                               for name, place in places.items()})  # fmt: skip
