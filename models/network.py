"""Networks from lists of dicts, each with the name, the type and the parameters of a layer.

::

    - {name: hidden, type: Linear, params: {out_features: 400, init: he}}
    - {name: relu, type: ReLU}
    - {name: output, type: Linear, params: {out_features: 10}}

The files ``models/*.yaml`` contain such lists; ``train.py --hidden 400`` uses the list above (`mlp`). A file can also
contain an entry of type ``Recipe``, whose parameters are options of ``train.py``; the command line overrides them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import tensorgrad as tg
from models.two_layer import TwoLayer
from models.yaml_file import read_yaml
from tensorgrad.errors import ConfigError

Layer = Callable[..., Any]
Entry = dict[str, Any]

RECIPE = "Recipe"


# For every type, a function (input features, generator, *, parameters of the type) -> (layer, output features). It
# raises a ValueError for a wrong parameter.


def _linear(features: int, rng: np.random.Generator, *, out_features: int, in_features: int | None = None,
            bias: bool = True, init: str = "he") -> tuple[Layer, int]:  # fmt: skip
    if in_features is not None and in_features != features:
        raise ValueError(f"in_features is {in_features!r}, but the input has {features} features; it can be left out")
    _check_integer("out_features", out_features)
    if not isinstance(bias, bool):
        raise ValueError(f"bias must be true or false, got {bias!r}")
    if init not in tuple(tg.nn.INITS):
        raise ValueError(f"init must be one of {', '.join(tg.nn.INITS)}, got {init!r}")
    return tg.nn.Linear(features, out_features, rng, bias=bias, init=init), out_features


def _two_layer(features: int, rng: np.random.Generator, *, hidden: int, out_features: int) -> tuple[Layer, int]:
    _check_integer("hidden", hidden)
    _check_integer("out_features", out_features)
    return TwoLayer(features, hidden, out_features, rng), out_features


def _dropout(features: int, rng: np.random.Generator, *, p: float = 0.5) -> tuple[Layer, int]:
    if isinstance(p, bool) or not isinstance(p, int | float) or not 0 <= p < 1:
        raise ValueError(f"p must be a number of at least 0 and less than 1, got {p!r}")
    return tg.nn.Dropout(p), features


def _elementwise(function: Layer) -> Callable[..., tuple[Layer, int]]:
    def make(features: int, rng: np.random.Generator) -> tuple[Layer, int]:
        return function, features

    return make


LAYERS: dict[str, Callable[..., tuple[Layer, int]]] = {
    "Linear": _linear,
    "ReLU": _elementwise(tg.relu),
    "Sigmoid": _elementwise(tg.sigmoid),
    "Softplus": _elementwise(tg.softplus),
    "Tanh": _elementwise(np.tanh),
    "Dropout": _dropout,
    "TwoLayer": _two_layer,
}


def read(path: str | Path) -> tuple[list[Entry], Entry]:
    """The layers of a YAML file, and the parameters of its recipe, an empty dict if it has none.

    Raises
    ------
    ConfigError
        Naming the file, the entry, and what was expected.
    """
    path = Path(path)
    try:
        content = read_yaml(path, "the model file")
    except FileNotFoundError:
        others = ", ".join(sorted(map(str, _models_near(path))))
        raise ConfigError(f"no model file {path}" + (f"; existing ones: {others}" if others else "")) from None
    entries = check(content, str(path))
    recipes = [entry for entry in entries if entry["type"] == RECIPE]
    if len(recipes) > 1:
        raise ConfigError(f"{path}: {len(recipes)} entries of type {RECIPE}; only one is allowed")
    layers = [entry for entry in entries if entry["type"] != RECIPE]
    if not layers:
        raise ConfigError(f"{path}: the list contains no layer")
    return layers, recipes[0]["params"] if recipes else {}


def _models_near(path: Path) -> list[Path]:
    """The YAML files in the folder of ``path`` that are not hidden; if there are none, those in ``models`` below it."""
    found = [file for file in path.parent.glob("*.yaml") if not file.name.startswith(".")]
    return found or list((path.parent / "models").glob("*.yaml"))


def check(entries: Any, source: str) -> list[Entry]:
    """The entries, with an empty dict for missing ``params``.

    Raises
    ------
    ConfigError
        Naming ``source``, the malformed entry, and what was expected.
    """
    if not isinstance(entries, list):
        raise ConfigError(f"{source}: expected a list of layers (name, type, params), got {_describe(entries)}")
    checked: list[Entry] = []
    for i, entry in enumerate(entries, 1):
        where = f"{source}: entry {i}"
        if not isinstance(entry, dict):
            raise ConfigError(f"{where}: expected a dict with name, type and params, got {_describe(entry)}")
        unknown = [key for key in entry if key not in ("name", "type", "params")]
        if unknown:
            raise ConfigError(f"{where}: unknown key {unknown[0]!r}; valid: name, type, params")
        name, kind, params = entry.get("name"), entry.get("type"), entry.get("params")
        if not isinstance(name, str) or not name or "." in name:
            raise ConfigError(f"{where}: name must be a text without dots, got {name!r}")
        if name in (other["name"] for other in checked):
            raise ConfigError(f"{where}: an earlier entry has the name {name!r}, too")
        if kind not in (*LAYERS, RECIPE):
            raise ConfigError(f"{where} ({name!r}): unknown type {kind!r}; valid: {', '.join([*LAYERS, RECIPE])}")
        if not isinstance(params, dict | None):
            raise ConfigError(f"{where} ({name!r}): params must be a dict, got {_describe(params)}")
        checked.append({"name": name, "type": kind, "params": params or {}})
    return checked


def build(entries: list[Entry], features: int, classes: int, rng: np.random.Generator,
          source: str = "the network") -> tg.nn.Sequential:  # fmt: skip
    """Create the network of a list of layers: from inputs ``(N, features)`` to logits ``(N, classes)``.

    Raises
    ------
    ConfigError
        Naming ``source``, the entry, and what was expected.
    """
    layers: dict[str, Layer] = {}
    for i, entry in enumerate(check(entries, source), 1):
        where = f"{source}: entry {i} ({entry['name']!r})"
        if entry["type"] == RECIPE:
            raise ConfigError(f"{where}: a {RECIPE} is not a layer; `read` returns it separately")
        make = LAYERS[entry["type"]]
        known = [p for p in inspect.signature(make).parameters.values() if p.kind is p.KEYWORD_ONLY]
        names = [p.name for p in known]
        for name in entry["params"]:
            if name not in names:
                raise ConfigError(
                    f"{where}: {entry['type']} has no parameter {name!r}; valid: {', '.join(names) or 'none'}"
                )
        for p in known:
            if p.default is p.empty and p.name not in entry["params"]:
                raise ConfigError(f"{where}: {entry['type']} needs the parameter {p.name!r}")
        try:
            layers[entry["name"]], features = make(features, rng, **entry["params"])
        except (TypeError, ValueError) as error:
            raise ConfigError(f"{where}: {error}") from None
    if features != classes:
        raise ConfigError(f"{source}: the last layer has {features} outputs, but the data set has {classes} classes")
    return tg.nn.Sequential(layers)


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


def resize(entries: Sequence[Entry], hidden: Sequence[int], source: str) -> list[Entry]:
    """The same list of layers with other sizes of its hidden linear layers.

    Raises
    ------
    ConfigError
        If their number differs.
    """
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


def _check_integer(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} must be an integer of at least 1, got {value!r}")


def _describe(value: Any) -> str:
    return "nothing" if value is None else f"{type(value).__name__} ({value!r:.40})"
