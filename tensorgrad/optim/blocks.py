"""Large parameters split into blocks that fit in the cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from tensorgrad.engine.tape import Array

BYTES = 1 << 18  # per block: the five arrays of Adam fit in a second-level cache of 2 MiB

Block: TypeAlias = tuple[Array, Array, dict[str, Any], tuple[Array, ...]]


class Blocks:
    """Views of a parameter, its state and scratch arrays, in blocks of at most ``size`` elements; created once.

    A parameter that is smaller or not contiguous is a single block.
    """

    def __init__(self, p: Array, state: dict[str, Any], size: int, like: Callable[[Array], tuple[Array, ...]]) -> None:
        self.of = p, state, size, len(state)
        self.arrays = {what: x for what, x in state.items() if isinstance(x, np.ndarray)}
        self.order: Any = "C" if p.flags.c_contiguous else "F"
        self.cut = p.size > size and all(_contiguous(x, self.order) for x in (p, *self.arrays.values()))
        self.parts = [slice(i, i + size) for i in range(0, p.size, size)] if self.cut else []
        self.views = self._views(*(like(p.ravel(self.order)[:size]))) if self.cut else [(p, state, like(p))]

    def _views(self, *scratch: Array) -> list[tuple[Array, dict[str, Any], tuple[Array, ...]]]:
        p, *arrays = (x.ravel(self.order) for x in (self.of[0], *self.arrays.values()))
        state = dict(zip(self.arrays, arrays, strict=True))
        return [
            (p[at], {what: x[at] for what, x in state.items()}, tuple(s[: p[at].size] for s in scratch))
            for at in self.parts
        ]

    def fit(self, p: Array, state: dict[str, Any], size: int) -> bool:
        """Whether the blocks are those of this parameter and state."""
        own_p, own_state, own_size, entries = self.of
        if p is not own_p or state is not own_state or size != own_size or len(state) != entries:
            return False
        return not (self.cut and self.arrays) or all(state[what] is x for what, x in self.arrays.items())

    def with_gradient(self, g: Array) -> list[Block]:
        """``(p, g, state, scratch)`` of each block."""
        if not self.cut:
            ((p, state, scratch),) = self.views
            return [(p, g, state, scratch)]
        p = self.of[0]
        if (g is p or g.base is not None or p.base is not None) and np.may_share_memory(g, p):
            g = g.copy()  # set by the user; the update of earlier blocks would change it
        vector = g.ravel(self.order)  # a copy if its memory layout differs
        return [(part, vector[at], *rest) for at, (part, *rest) in zip(self.parts, self.views, strict=True)]


def _contiguous(x: np.ndarray[Any, Any], order: str) -> bool:
    return x.flags.c_contiguous if order == "C" else x.flags.f_contiguous
