"""Read and check lists of layers in YAML files: lists of dicts with a name, a type and parameters."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta

from models import user_class
from models.layers import LAYERS, is_nested, parameters
from models.schema import checked, described
from models.yaml_file import brief, read_yaml
from tensorgrad.errors import ConfigError

Entry: TypeAlias = dict[str, Any]


class Layer(msgspec.Struct, forbid_unknown_fields=True):
    """An entry, as it is written."""

    name: Annotated[str, Meta(pattern=r"^[^.]+$", description="must be a text without dots")]
    type: Any = None
    params: dict[Any, Any] | None = None


LAYER = described(Layer, "must be a dict with name, type and params")
LIST = described(list[Any], "must be a list of layers (name, type, params)")

RECIPE = "Recipe"
TYPES = (*LAYERS, user_class.TYPE, RECIPE)
MAX_ENTRIES, MAX_DEPTH = 10_000, 20


def read(path: str | Path) -> tuple[list[Entry], Entry]:
    """The layers of a YAML file, and the parameters of its recipe, an empty dict if it has none.

    Raises
    ------
    ConfigError
        The message names the file, the entry, and what was expected.
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
    if layers[0]["type"] == user_class.TYPE:
        layers[0]["params"] = user_class.complete(layers[0]["params"], path.parent, f"{path}: {layers[0]['name']!r}")
    return layers, recipes[0]["params"] if recipes else {}


def _models_near(path: Path) -> list[Path]:
    """The YAML files in the folder of ``path`` that are not hidden; if there are none, those in ``models`` below it."""
    found = [file for file in path.parent.glob("*.yaml") if not file.name.startswith(".")]
    return found or list((path.parent / "models").glob("*.yaml"))


def check(entries: Any, source: str, remaining: list[int] | None = None, depth: int = 0) -> list[Entry]:
    """The entries, with an empty dict for missing ``params``; ``remaining`` is the number of further entries allowed.

    Raises
    ------
    ConfigError
        The message names ``source``, the malformed entry, and what was expected.
    """
    checked(entries, LIST, source)
    remaining = [MAX_ENTRIES] if remaining is None else remaining
    remaining[0] -= len(entries)
    if remaining[0] < 0 or depth > MAX_DEPTH:  # a short text in YAML can be a large list, by aliases
        raise ConfigError(f"{source}: there are more than {MAX_ENTRIES:,} entries, or {MAX_DEPTH} lists in each other")
    layers: list[Entry] = []
    for i, entry in enumerate(entries, 1):
        where = f"{source}: entry {i}"
        layer = checked(entry, LAYER, where)
        if layer.name in (other["name"] for other in layers):
            raise ConfigError(f"{where}: an earlier entry has the name {layer.name!r}, too")
        where += f" ({layer.name!r})"
        if layer.type not in TYPES:
            raise ConfigError(f"{where}: unknown type {brief(layer.type)}; {_similar(layer.type)}")
        params = _nested(layer.type, layer.params or {}, where, remaining, depth)
        layers.append({"name": layer.name, "type": layer.type, "params": params})
    kinds = [entry["type"] for entry in layers if entry["type"] != RECIPE]
    if len(kinds) > 1 and user_class.TYPE in kinds:
        raise ConfigError(f"{source}: a {user_class.TYPE} is a whole network, so no other layer can stand beside it")
    return layers


def _nested(kind: str, params: Entry, where: str, remaining: list[int], depth: int) -> Entry:
    """The parameters of an entry, after a check of those that are lists of entries."""
    if kind not in LAYERS:
        return params
    values = dict(params)
    for name, parameter in parameters(kind).items():
        if params.get(name) is not None and is_nested(parameter):
            values[name] = check(params[name], f"{where}: {name}", remaining, depth + 1)
            wrong = [entry["type"] for entry in values[name] if entry["type"] not in LAYERS]
            if wrong or not values[name]:
                found = wrong[0] if wrong else "list without any"
                raise ConfigError(f"{where}: {name} must be a list of layers, got a {found}")
    return values


def _similar(kind: Any) -> str:
    """``did you mean NAME?``, or all types."""
    if kind == "Embedding":
        return "it takes integers, and the inputs of these networks are pixels"
    similar = difflib.get_close_matches(kind if isinstance(kind, str) else brief(kind), TYPES, 1)
    return f"did you mean {similar[0]}?" if similar else f"valid: {', '.join(TYPES)}"
