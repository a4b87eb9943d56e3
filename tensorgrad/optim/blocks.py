"""Large parameters cut into blocks, so that what one NumPy call leaves in the cache is there for the next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from tensorgrad.engine.tape import Array

BYTES = 1 << 18  # of a block: the five that Adam works on fit into a second-level cache of 2 MiB

Block: TypeAlias = tuple[Array, Array, dict[str, Any], tuple[Array, ...]]


class Blocks:
    """A parameter, what is remembered of it, and scratch, in blocks of at most ``size`` elements: views, made once.

    A parameter that has no more elements, or is not contiguous, is one block as it is.
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
        """Whether these are still the blocks of this parameter and state."""
        mine, its, length, entries = self.of
        if p is not mine or state is not its or size != length or len(state) != entries:
            return False
        return not self.cut or all(state[what] is x for what, x in self.arrays.items())

    def with_gradient(self, g: Array) -> list[Block]:
        """``(p, g, state, scratch)`` of each block."""
        if not self.cut:
            ((p, state, scratch),) = self.views
            return [(p, g, state, scratch)]
        if np.may_share_memory(g, self.of[0]):
            g = g.copy()  # set by hand; the blocks before would have changed it
        vector = g.ravel(self.order)  # a copy if it is laid out otherwise
        return [(p, vector[at], *rest) for at, (p, *rest) in zip(self.parts, self.views, strict=True)]


def _contiguous(x: np.ndarray[Any, Any], order: str) -> bool:
    return x.flags.c_contiguous if order == "C" else x.flags.f_contiguous
