"""Nested structures: lists, tuples, named tuples, dicts and dataclasses, with arrays or tensors as their leaves."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any


def leaves(tree: Any) -> list[Any]:
    """All leaves, depth first; those of a dict in the order of its keys."""
    return list(_iterate(tree))


def _iterate(tree: Any) -> Iterator[Any]:
    if _is_dataclass(tree):
        tree = _fields(tree)
    if isinstance(tree, dict):
        tree = tree.values()
    elif not isinstance(tree, (list, tuple)):
        yield tree
        return
    for item in tree:
        yield from _iterate(item)


def leaves_like(structure: Any, tree: Any, what: str) -> list[Any]:
    """The leaves of a tree in the order of the leaves of ``structure``, which it must match; dicts match by key."""
    if _is_dataclass(structure):
        if type(tree) is not type(structure):
            raise ValueError(f"{what} must be a {type(structure).__name__}, got {type(tree).__name__}")
        structure, tree = _fields(structure), _fields(tree)
    if isinstance(structure, dict):
        if not isinstance(tree, dict) or tree.keys() != structure.keys():
            given = sorted(map(str, tree)) if isinstance(tree, dict) else type(tree).__name__
            raise ValueError(f"{what} must have the keys {sorted(map(str, structure))}, got {given}")
        pairs = [(structure[key], tree[key]) for key in structure]
    elif isinstance(structure, (list, tuple)):
        if not isinstance(tree, (list, tuple)) or len(tree) != len(structure):
            given = f"{len(tree)}" if isinstance(tree, (list, tuple)) else type(tree).__name__
            raise ValueError(f"{what} must be a list or tuple of {len(structure)}, got {given}")
        pairs = list(zip(structure, tree, strict=True))
    else:
        return [tree]
    return [leaf for part, item in pairs for leaf in leaves_like(part, item, what)]


def transform(fn: Callable[[Any], Any], tree: Any) -> Any:
    """The same structure, with ``fn(leaf)`` in place of each leaf, called in the order of `leaves`."""
    if _is_dataclass(tree):
        new = copy.copy(tree)
        for name, item in _fields(tree).items():
            object.__setattr__(new, name, transform(fn, item))  # works for frozen dataclasses as well
        return new
    if isinstance(tree, dict):
        new = copy.copy(tree)  # preserves the class and the order of the keys
        for key, item in tree.items():
            new[key] = transform(fn, item)
        return new
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(transform(fn, item) for item in tree))
    if isinstance(tree, (list, tuple)):
        return type(tree)(transform(fn, item) for item in tree)
    return fn(tree)


def refill(tree: Any, new: list[Any]) -> Any:
    """The same structure, with the elements of the list as its leaves."""
    rest = iter(new)
    return transform(lambda _: next(rest), tree)


def _is_dataclass(tree: Any) -> bool:
    return hasattr(type(tree), "__dataclass_fields__")


def _fields(tree: Any) -> dict[str, Any]:
    return {name: getattr(tree, name) for name in tree.__dataclass_fields__}
