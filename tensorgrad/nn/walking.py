"""The objects in a model, found through attributes, lists, tuples and dicts, so that no base class is needed."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

from tensorgrad.frontend.tensor import Tensor

__all__: list[str] = []


def walk(model: Any) -> Iterator[tuple[str, Any]]:
    """A model and all objects in it, including tensors, each with its path (``layers.0.weight``), in order.

    A tensor, or an object that holds others, is listed once, under its first path.
    """
    seen: set[int] = set()

    def visit(path: str, item: Any) -> Iterator[tuple[str, Any]]:
        if id(item) in seen:
            return
        inner = list(_children(item))
        if inner or isinstance(item, Tensor):
            seen.add(id(item))
        yield path, item
        for name, child in inner:
            yield from visit(f"{path}.{name}" if path else name, child)

    yield from visit("", model)


def _children(item: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(item, Tensor):
        return
    if isinstance(item, Mapping):
        yield from ((str(key), value) for key, value in item.items())
    elif isinstance(item, (list, tuple)):
        yield from ((str(i), value) for i, value in enumerate(item))
    elif hasattr(item, "__dict__") and not isinstance(item, (type, ModuleType)) and not inspect.isroutine(item):
        yield from vars(item).items()
