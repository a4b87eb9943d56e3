"""Undo an update if the rest of a program fails after it."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.engine.tape import Variable

_SCRATCH = ("_scratch", "_blocks")  # attributes of optimizers that are not used after a call


class Snapshot:
    """Copies of the values of objects: arrays, tensors with their gradients, optimizers, and what they contain."""

    def __init__(self, *objects: Any) -> None:
        self._values: dict[int, tuple[Any, Any]] = {}  # an object and its former content, by ``id``
        todo = list(objects)
        while todo:
            x = todo.pop()
            if id(x) in self._values:
                continue
            if isinstance(x, np.ndarray):
                self._values.update({id(x): (x, x.copy())} if x.flags.writeable else {})
            elif isinstance(x, Variable):
                self._values[id(x)] = x, x.grad
                todo.append(x.data)
            elif isinstance(x, (list, dict)):
                self._values[id(x)] = x, x.copy()
                todo += x.values() if isinstance(x, dict) else x
            elif hasattr(type(x), "compile_as_one_call"):
                self._values[id(x)] = x, dict(vars(x))
                todo += [item for name, item in vars(x).items() if name not in _SCRATCH]

    def restore(self) -> None:
        """Restore the values."""
        for x, former in self._values.values():
            if isinstance(x, np.ndarray):
                x[...] = former
            elif isinstance(x, Variable):
                x.grad = former
            elif isinstance(x, list):
                x[:] = former
            else:
                content = x if isinstance(x, dict) else vars(x)
                content.clear()
                content.update(former)
