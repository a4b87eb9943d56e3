"""Read and check lists of layers in YAML files: lists of dicts with a name, a type and parameters."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any, TypeAlias

from models import user_class
from models.layers import LAYERS, is_nested, parameters
from models.yaml_file import brief, read_yaml
from tensorgrad.errors import ConfigError

Entry: TypeAlias = dict[str, Any]

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
    recipe = recipes[0]["params"] if recipes else {}
    for name, value in recipe.items():
        items = value if isinstance(value, list) else [value]
        if any(isinstance(item, (list, dict)) for item in items):
            raise ConfigError(f"{path}: {RECIPE}: {name} must be a value, or a list of values, got {brief(value)}")
    return layers, recipe


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
    if not isinstance(entries, list):
        raise ConfigError(f"{source}: expected a list of layers (name, type, params), got {_describe(entries)}")
    remaining = [MAX_ENTRIES] if remaining is None else remaining
    remaining[0] -= len(entries)
    if remaining[0] < 0 or depth > MAX_DEPTH:  # a short text in YAML can be a large list, by aliases
        raise ConfigError(f"{source}: there are more than {MAX_ENTRIES:,} entries, or {MAX_DEPTH} lists in each other")
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
            raise ConfigError(f"{where}: name must be a text without dots, got {brief(name)}")
        if name in (other["name"] for other in checked):
            raise ConfigError(f"{where}: an earlier entry has the name {name!r}, too")
        if kind not in TYPES:
            raise ConfigError(f"{where} ({name!r}): unknown type {brief(kind)}; {_similar(kind)}")
        if not isinstance(params, dict | None):
            raise ConfigError(f"{where} ({name!r}): params must be a dict, got {_describe(params)}")
        checked.append({"name": name, "type": kind, "params": {}})
        checked[-1]["params"] = _nested(kind, params or {}, f"{where} ({name!r})", remaining, depth)
    kinds = [entry["type"] for entry in checked if entry["type"] != RECIPE]
    if len(kinds) > 1 and user_class.TYPE in kinds:
        raise ConfigError(f"{source}: a {user_class.TYPE} is a whole network, so no other layer can stand beside it")
    return checked


def _nested(kind: str, params: Entry, where: str, remaining: list[int], depth: int) -> Entry:
    """The parameters of an entry, after a check of those that are lists of entries."""
    if kind not in LAYERS:
        return params
    checked = dict(params)
    for name, parameter in parameters(kind).items():
        if params.get(name) is not None and is_nested(parameter):
            checked[name] = check(params[name], f"{where}: {name}", remaining, depth + 1)
            wrong = [entry["type"] for entry in checked[name] if entry["type"] not in LAYERS]
            if wrong or not checked[name]:
                found = wrong[0] if wrong else "list without any"
                raise ConfigError(f"{where}: {name} must be a list of layers, got a {found}")
    return checked


def _similar(kind: Any) -> str:
    """``did you mean NAME?``, or all types."""
    if kind == "Embedding":
        return "it takes integers, and the inputs of these networks are pixels"
    similar = difflib.get_close_matches(kind if isinstance(kind, str) else brief(kind), TYPES, 1)
    return f"did you mean {similar[0]}?" if similar else f"valid: {', '.join(TYPES)}"


def _describe(value: Any) -> str:
    return "nothing" if value is None else f"{type(value).__name__} ({brief(value):.40})"
