"""Networks from lists of dicts, each with the name, the type and the parameters of a layer.

::

    - {name: conv, type: Conv2d, params: {out_channels: 16, kernel_size: 3}}
    - {name: relu, type: ReLU}
    - {name: flatten, type: Flatten}
    - {name: output, type: Linear, params: {out_features: 10}}

Parameters that follow from the shape of the input can be left out, here ``in_channels`` and ``in_features``; so can
``out_features`` of a linear layer at the end, the number of classes. A list starts from images ``(N, 1, H, W)`` if one
of its layers before the first linear one takes images, otherwise from their pixels, ``(N, H * W)``. `models.layers` has
the types.

The files ``models/*.yaml`` contain such lists; ``train.py --hidden 400`` uses the list that `mlp` returns. A file can
also contain an entry of type ``Recipe``, whose parameters are options of ``train.py``; the command line overrides them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

import tensorgrad as tg
from models import user_class
from models.files import RECIPE, Entry, check
from models.layers import (
    LAYERS,
    Layer,
    Reshape,
    Shape,
    batch_shape,
    is_nested,
    make,
    parameters,
    result_shape,
    takes_images,
    takes_vectors,
)
from tensorgrad.errors import ConfigError

Network: TypeAlias = tg.nn.Sequential | user_class.UserNetwork


def build(entries: list[Entry], shape: int | Sequence[int], classes: int, rng: np.random.Generator,
          source: str = "the network") -> Network:  # fmt: skip
    """Create the network of a list: from images of a shape ``(H, W)``, or from a number of features, to logits.

    Raises
    ------
    ConfigError
        The message names ``source``, the entry, the shape of its input, and what was expected.
    """
    checked = check(entries, source)
    if checked and checked[0]["type"] == user_class.TYPE:
        return user_class.create(checked[0]["params"], _image_shape(shape), classes, rng, source)
    start = _image_shape(shape) if _starts_from_images(checked) else (math.prod(_as_tuple(shape)),)
    if checked and checked[-1]["type"] == "Linear":
        checked[-1]["params"] = {"out_features": classes} | checked[-1]["params"]
    layers, end = _layers(checked, start, rng, source)
    if end != (classes,):
        found = f"{end[0]} outputs" if len(end) == 1 else f"outputs of shape {batch_shape(end)}"
        raise ConfigError(f"{source}: the last layer has {found}, but the data set has {classes} classes")
    if len(start) > 1:  # the network is called with rows of pixels in any case
        name = next(name for name in ("images", *(f"images{i}" for i in range(len(layers) + 1))) if name not in layers)
        layers = {name: Reshape(start), **layers}
    return tg.nn.Sequential(layers)


def _as_tuple(shape: int | Sequence[int]) -> Shape:
    return (shape,) if isinstance(shape, int) else tuple(shape)


def _image_shape(shape: int | Sequence[int]) -> Shape:
    """``(1, H, W)``, the shape of an image with its channel."""
    given = _as_tuple(shape)
    return (1, *given) if len(given) == 2 else given


def _starts_from_images(entries: list[Entry]) -> bool:
    """Whether a layer before the first one that takes vectors works on images."""
    for entry in entries:
        kind, params = entry["type"], entry["params"]
        if kind not in LAYERS or takes_vectors(kind):
            return False
        nested = [params[name] for name, p in parameters(kind).items() if is_nested(p) and params.get(name)]
        if takes_images(kind) or any(_starts_from_images(inner) for inner in nested):
            return True
        if any(takes_vectors(layer["type"]) for inner in nested for layer in inner):
            return False
    return False


def _layers(entries: list[Entry], shape: Shape, rng: np.random.Generator,
            source: str) -> tuple[dict[str, Layer], Shape]:  # fmt: skip
    """The layers of a list by name, and the shape of the last one's results."""
    layers: dict[str, Layer] = {}
    for i, entry in enumerate(entries, 1):
        where, kind, params = f"{source}: entry {i} ({entry['name']!r})", entry["type"], entry["params"]
        if kind == RECIPE:
            raise ConfigError(f"{where}: a {RECIPE} is not a layer; `read` returns it separately")
        for name, parameter in parameters(kind).items():
            if params.get(name) is not None and is_nested(parameter):
                inner, _ = _layers(params[name], shape, rng, f"{where}: {name}")
                params = params | {name: inner if name == "layers" else tg.nn.Sequential(inner)}
        try:
            layers[entry["name"]] = make(kind, params, shape, rng)
            shape = result_shape(layers[entry["name"]], shape)
        except (TypeError, ValueError, IndexError, OverflowError, MemoryError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            reason = f"not enough memory: {reason}" if isinstance(error, MemoryError) else reason
            raise ConfigError(f"{where}: {reason} (its input has shape {batch_shape(shape)})") from None
    return layers, shape


def mlp(hidden: Sequence[int], classes: int, *, dropout: float = 0.0, input_dropout: float = 0.0,
        init: str = "he") -> list[Entry]:  # fmt: skip
    """The list of layers of a multi-layer perceptron with these hidden sizes, and ReLU after each hidden layer."""
    entries: list[Entry] = []
    if input_dropout:
        entries.append({"name": "input_dropout", "type": "Dropout", "params": {"p": input_dropout}})
    for i, size in enumerate(hidden, 1):
        number = "" if len(hidden) == 1 else str(i)
        entries.append({"name": f"hidden{number}", "type": "Linear", "params": {"out_features": size, "init": init}})
        entries.append({"name": f"relu{number}", "type": "ReLU", "params": {}})
        if dropout:
            entries.append({"name": f"dropout{number}", "type": "Dropout", "params": {"p": dropout}})
    entries.append({"name": "output", "type": "Linear", "params": {"out_features": classes, "init": init}})
    return entries


def hidden_sizes(entries: Sequence[Entry]) -> list[int]:
    """The sizes of the hidden linear layers of a list, for the name of a run."""
    linear = [entry["params"].get("out_features") for entry in entries if entry["type"] == "Linear"]
    return [size for size in linear[:-1] if isinstance(size, int)]


def resize(entries: Sequence[Entry], hidden: Sequence[int], source: str) -> list[Entry]:
    """The list of layers with other sizes of its hidden linear layers.

    Raises
    ------
    ConfigError
        If their number differs.
    """
    if entries[0]["type"] == user_class.TYPE:
        raise ConfigError(f"--hidden cannot be combined with a class: set the sizes in {source}")
    linear = [i for i, entry in enumerate(entries) if entry["type"] == "Linear"]
    if len(linear) != len(hidden) + 1:
        raise ConfigError(
            f"{source} has {max(len(linear) - 1, 0)} hidden Linear layers, but --hidden has {len(hidden)} sizes"
        )
    sizes = dict(zip(linear, hidden, strict=False))
    resized = []
    for i, entry in enumerate(entries):
        params = {name: value for name, value in entry["params"].items() if i not in linear or name != "in_features"}
        resized.append({**entry, "params": params | ({"out_features": sizes[i]} if i in sizes else {})})
    return resized
