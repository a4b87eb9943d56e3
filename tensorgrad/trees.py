"""Nested structures: lists, tuples, named tuples and dicts, with arrays or tensors as their leaves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any


def leaves(tree: Any) -> list[Any]:
    """All leaves, depth first; a dict's in the order of its keys."""
    return list(_walk(tree))


def _walk(tree: Any) -> Iterator[Any]:
    if isinstance(tree, dict):
        tree = tree.values()
    elif not isinstance(tree, (list, tuple)):
        yield tree
        return
    for item in tree:
        yield from _walk(item)


def transform(fn: Callable[[Any], Any], tree: Any) -> Any:
    """The same structure, with ``fn(leaf)`` in place of each leaf, called in the order of `leaves`."""
    if isinstance(tree, dict):
        return {key: transform(fn, item) for key, item in tree.items()}
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(transform(fn, item) for item in tree))
    if isinstance(tree, (list, tuple)):
        return type(tree)(transform(fn, item) for item in tree)
    return fn(tree)


def refill(tree: Any, new: list[Any]) -> Any:
    """The same structure, with the leaves of the list in place of its own."""
    rest = iter(new)
    return transform(lambda _: next(rest), tree)
