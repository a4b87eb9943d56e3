"""``t.flat``: the elements of a tensor as a one-dimensional sequence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tensorgrad.engine.tape import Variable


class Flat:
    """The elements of a tensor in row-major order. Supports iteration, indexing and assignment."""

    __slots__ = ("base",)

    def __init__(self, tensor: Variable) -> None:
        self.base: Any = tensor

    def __len__(self) -> int:
        return int(self.base.size)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.base.ravel())

    def __getitem__(self, index: Any) -> Any:
        return self.base.ravel()[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        numbers = np.arange(len(self))[index]
        self.base[np.unravel_index(numbers, self.base.shape) if self.base.ndim else ...] = value

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray[Any, Any]:
        return np.array(self.base.ravel(), dtype, copy=copy)
