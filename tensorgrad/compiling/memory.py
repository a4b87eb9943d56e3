"""The memory of a program: the arrays that exist before it runs, some of which use the same memory in turn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tensorgrad.compiling.layouts import varies
from tensorgrad.compiling.passes import is_reduction
from tensorgrad.compiling.trace import Instruction
from tensorgrad.compiling.traced import Traced, mapped


class Memory:
    """The arrays of a program that exist before it runs, by the ``id`` of their stand-in.

    Parameters
    ----------
    program
        The instructions, in order.
    outside
        Arrays that exist already.
    own
        Arrays whose memory is not shared with others, such as gradients, which exist after the program.
    results
        Other arrays that are used after the program.
    """

    def __init__(self, program: Sequence[Instruction], outside: Iterable[Traced], own: Iterable[Traced],
                 results: Iterable[Traced]) -> None:  # fmt: skip
        self.arrays: dict[int, Any] = {id(x): x.value for x in outside}
        self.in_place: dict[int, Traced] = {}  # a result, and the argument whose memory it takes over
        self.views: dict[int, Traced] = {}  # a view, and the array that it is a view of
        self._shared: dict[int, Any] = {}  # the memory that each storage uses at present
        self._free: dict[int, list[Any]] = {}  # by size
        self._own = {x.storage for x in own}
        self._last = {x.storage: i for i, step in enumerate(program) for x in step.touched()}
        self._last.update(dict.fromkeys((*self._own, *[x.storage for x in results]), len(program)))
        for i, step in enumerate(program):
            if accepts_out(step) or is_zeros(step):
                self._place(step, i)
            elif is_view(step) and all(id(y) in self.arrays for y in step.reads()):
                self._view(step)
            for storage in {x.storage for x in step.touched()} & self._shared.keys():
                if self._last[storage] == i:
                    memory = self._shared.pop(storage)
                    self._free.setdefault(memory.nbytes, []).append(memory)

    def _place(self, step: Instruction, i: int) -> None:
        """Decide where a result is written: in memory of its own, over an argument, or in memory used before."""
        x = step.out
        if x.storage in self._own:
            self.arrays[id(x)] = np.ndarray(x.shape, x.dtype, strides=x.strides)
        elif (donor := self._donor(step, i)) is not None:
            self.in_place[id(x)] = donor
            self._shared[x.storage] = self._shared.pop(donor.storage)
            self.arrays[id(x)] = self.arrays[id(donor)]
        else:
            free = self._free.get(x.nbytes)
            self._shared[x.storage] = memory = free.pop() if free else np.empty(max(x.nbytes, 1), np.uint8)
            self.arrays[id(x)] = np.ndarray(x.shape, x.dtype, memory, strides=x.strides)

    def _donor(self, step: Instruction, i: int) -> Traced | None:
        """An argument of the same layout that is not used afterwards, for an elementwise function to write into."""
        if not isinstance(step.fn, np.ufunc) or step.fn.signature is not None:
            return None
        x, read = step.out, list(step.reads())
        for y in read:
            fits = (y.shape, y.dtype, y.strides) == (x.shape, x.dtype, x.strides) and id(y) in self.arrays
            alone = all(z is y for z in read if z.storage == y.storage)
            if fits and alone and y.storage in self._shared and self._last[y.storage] == i:
                return y if self.arrays[id(y)].flags.writeable else None
        return None

    def _view(self, step: Instruction) -> None:
        source = next(step.reads())
        args, kwargs = mapped(lambda x: self.arrays[id(x)] if isinstance(x, Traced) else x, (step.args, step.kwargs))
        view = step.fn(*args, **kwargs)
        if isinstance(view, np.ndarray) and np.may_share_memory(view, self.arrays[id(source)]):
            self.arrays[id(step.out)], self.views[id(step.out)] = view, source


def accepts_out(step: Instruction) -> bool:
    """Whether the function can write its result into an array passed as ``out``."""
    fn, x, kwargs = step.fn, step.out, step.kwargs
    if not isinstance(x, Traced) or step.writes or x.is_scalar or not x.owns_memory or step.kind != "call":
        return False
    if "out" in kwargs or kwargs.get("dtype") is not None:
        return False
    return fn.nout == 1 and len(step.args) == fn.nin if isinstance(fn, np.ufunc) else is_reduction(fn)


def is_view(step: Instruction) -> bool:
    """Whether the result shares memory with an argument."""
    if not isinstance(step.out, Traced) or step.writes or step.kind != "call":
        return False
    return not varies(step.fn, step.args, step.kwargs) and any(x.storage == step.out.storage for x in step.reads())


def is_zeros(step: Instruction) -> bool:
    """Whether the instruction creates an array of zeros."""
    x = step.out
    return step.fn is np.zeros_like and step.kind == "call" and not x.is_scalar and x.owns_memory
