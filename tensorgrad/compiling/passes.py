"""Passes over a recorded program: what is not needed is left out, and the memory of results is planned.

A program is a list of instructions in the order of the recorded call. An instruction reads and creates `Traced` arrays,
and may write into existing ones; arrays with the same ``storage`` share memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from tensorgrad.compiling.layouts import varies
from tensorgrad.compiling.trace import Instruction
from tensorgrad.compiling.traced import Traced, mapped

_SHORTER = {np.sum: np.add, np.prod: np.multiply, np.max: np.maximum, np.amax: np.maximum, np.min: np.minimum,
            np.amin: np.minimum, np.any: np.logical_or, np.all: np.logical_and}  # fmt: skip
_AS_METHODS: dict[Any, Any] = {np.swapaxes: np.ndarray.swapaxes, np.transpose: np.ndarray.transpose,
                               np.reshape: np.ndarray.reshape, np.ravel: np.ndarray.ravel}  # fmt: skip
_COPIES = (np.positive, np.copy, np.ndarray.copy, np.asarray)


def with_direct_calls(program: list[Instruction]) -> list[Instruction]:
    """``np.sum(x)`` as ``np.add.reduce(x, axis=None)``, which is what it comes to, and other functions as methods."""
    return [Instruction(*_direct(step), step.out, step.writes, step.where, step.kind) for step in program]


def _direct(step: Instruction) -> tuple[Any, Any, dict[str, Any]]:
    fn, args, kwargs = step.fn, step.args, step.kwargs
    ufunc = _SHORTER.get(fn) if kwargs.keys() <= {"axis", "keepdims", "dtype"} else None
    if (ufunc is not None or is_reduction(fn)) and len(args) <= 2 and "out" not in kwargs:
        named = {"axis": args[1] if len(args) > 1 else kwargs.get("axis", None if ufunc is not None else 0), **kwargs}
        usual = {"keepdims": (False, np._NoValue), "dtype": (None,), "initial": (np._NoValue,), "where": (True,)}
        named = {name: x for name, x in named.items() if not any(x is y for y in usual.get(name, ()))}
        return fn if ufunc is None else ufunc.reduce, args[:1], named
    if kwargs or not args or not isinstance(args[0], Traced):
        return fn, args, kwargs
    if fn is np.reshape and args[2:] == ("C",):
        return np.ndarray.reshape, args[:2], {}
    if fn in _AS_METHODS and len(args) <= 2 + (fn is np.swapaxes):
        axes = [x % args[0].ndim for x in args[1:]] if fn is np.swapaxes else None
        if args[0].ndim == 2 and (axes in ([0, 1], [1, 0]) or (fn is np.transpose and args[1:] in ((), (None,)))):
            return np.ndarray.transpose, args[:1], {}
        return _AS_METHODS[fn], args, {}
    return fn, args, kwargs


def without_dead_code(program: list[Instruction], outputs: Iterable[Traced], captured: Iterable[Traced]
                      ) -> list[Instruction]:  # fmt: skip
    """Only the instructions that the outputs, the captured arrays, guards and effects depend on."""
    needed = {x.storage for x in (*outputs, *captured)}
    kept = []
    for step in reversed(program):
        touched = {x.storage for x in (*step.results(), *step.writes)}
        if step.kind != "call" or touched & needed:
            kept.append(step)
            needed |= {x.storage for x in (*step.reads(), *step.writes)}
    return kept[::-1]


def without_repeated_guards(program: list[Instruction]) -> list[Instruction]:
    """Without guards that follow the same guard, if the array was not written to in between."""
    seen: set[Any] = set()
    checked: list[tuple[Any, int]] = []
    out = []
    for step in program:
        if step.kind == "guard":
            key = step.fn, id(step.args[0])
            if key in seen:
                continue
            seen.add(key)
            checked.append((key, step.args[0].storage))
        written = {x.storage for x in step.writes}
        seen -= {key for key, storage in checked if storage in written}
        out.append(step)
    return out


def without_copies(program: list[Instruction], outputs: Sequence[Traced]
                   ) -> tuple[list[Instruction], dict[int, Traced]]:  # fmt: skip
    """Without copies of arrays that nobody writes to as long as the copy is used.

    Also returns what is in place of each copy, by ``id``.
    """
    written: dict[int, list[int]] = {}
    used: dict[int, int] = {}
    for i, step in enumerate(program):
        for x in step.writes:
            written.setdefault(x.storage, []).append(i)
        for x in (*step.reads(), *step.results(), *step.writes):
            used[x.storage] = i
    kept_forever = {x.storage for x in outputs}
    used.update(dict.fromkeys(kept_forever, len(program)))
    replaced: dict[int, Traced] = {}
    out = []
    for i, step in enumerate(program):
        step = _with(step, lambda x: replaced.get(id(x), x))
        (source,) = step.args if step.fn in _COPIES and len(step.args) == 1 else (None,)
        copy = step.out
        if (
            isinstance(source, Traced)
            and isinstance(copy, Traced)
            and step.kwargs.items() <= {"order": "C"}.items()
            and (source.shape, source.dtype, source.strides) == (copy.shape, copy.dtype, copy.strides)
            and source.name == ""  # a result of the program
            and copy.storage not in written
            and (copy.storage not in kept_forever or (source.storage not in kept_forever and source.owns_memory))
            and not any(i < at <= used[copy.storage] for at in written.get(source.storage, ()))
        ):
            replaced[id(copy)] = source
            old = copy.storage
            for later in program[i:]:  # views of the copy are views of the source from now on
                for x in (*later.results(), *later.reads(), *later.writes):
                    if x.storage == old:
                        x.storage = source.storage
            if old in kept_forever:
                kept_forever.add(source.storage)
            used[source.storage] = max(used[source.storage], used[old])
            continue
        out.append(step)
    return out, replaced


def with_changes_last(program: Sequence[Instruction], outside: set[int]) -> tuple[list[Instruction], list[Instruction]]:
    """The instructions that change nothing outside, and after them those that do, with all that depends on these."""
    early: list[Instruction] = []
    late: list[Instruction] = []
    read: set[int] = set()  # by the late ones
    written: set[int] = set()
    for step in program:
        reads, writes = ({x.storage for x in xs if x.size} for xs in (step.reads(), step.writes))
        if step.kind == "effect" or writes & (outside | read | written) or reads & written:
            late.append(step)
            read |= reads
            written |= writes | {x.storage for x in step.results()}
        else:
            early.append(step)
    return early, late


def _with(step: Instruction, change: Any) -> Instruction:
    return Instruction(step.fn, mapped(change, step.args), mapped(change, step.kwargs), step.out,
                       [change(x) for x in step.writes], step.where, step.kind)  # fmt: skip


# ------------------------------------------------------------------------------------------------ memory


def takes_out(step: Instruction) -> bool:
    """Whether the function can write its result into an array that it is given."""
    fn, x = step.fn, step.out
    if not isinstance(x, Traced) or step.writes or x.is_scalar or not x.owns_memory or "out" in step.kwargs:
        return False
    if step.kwargs.get("dtype") is not None or step.kind != "call":
        return False
    if isinstance(fn, np.ufunc):
        return fn.nout == 1 and len(step.args) == fn.nin
    return is_reduction(fn) and len(step.args) <= 2


def is_reduction(fn: Any) -> bool:
    """Whether this is ``ufunc.reduce`` of a ufunc."""
    return getattr(fn, "__name__", "") == "reduce" and isinstance(getattr(fn, "__self__", None), np.ufunc)


def is_view(step: Instruction) -> bool:
    """Whether the result shares memory with an argument."""
    if not isinstance(step.out, Traced) or step.writes or step.kind != "call":
        return False
    if varies(step.fn, step.args, step.kwargs):
        return False
    return any(x.storage == step.out.storage for x in step.reads())


class Memory:
    """The arrays of a program that exist before it runs, by the ``id`` of their stand-in."""

    def __init__(self, program: Sequence[Instruction], captured: Iterable[Traced], own: Iterable[Traced],
                 results: Iterable[Traced]) -> None:  # fmt: skip
        self.arrays: dict[int, Any] = {id(x): x.value for x in captured}
        self.in_place: dict[int, Traced] = {}  # a result, and the argument whose memory it takes over
        self.views: dict[int, Traced] = {}  # a view, and the array that it is a view of
        self._fixed = {x.storage for x in captured}  # storages that have an address before the program runs
        self._memory: dict[int, Any] = {}
        self._free: dict[int, list[Any]] = {}
        last: dict[int, int] = {}
        for i, step in enumerate(program):
            for x in (*step.reads(), *step.results(), *step.writes):
                last[x.storage] = i
        kept = {x.storage for x in own}
        last.update(dict.fromkeys((*kept, *[x.storage for x in results]), len(program)))
        for i, step in enumerate(program):
            x = step.out
            if takes_out(step) or is_blank(step):
                donor = self._donor(step, i, last) if x.storage not in kept else None
                if donor is not None:
                    self.in_place[id(x)] = donor
                    self._memory[x.storage] = self._memory.pop(donor.storage)
                    self.arrays[id(x)] = self.arrays[id(donor)]
                else:
                    self._allocate(x, shared=x.storage not in kept)
                self._fixed.add(x.storage)
            elif is_view(step) and x.storage in self._fixed and all(id(y) in self.arrays for y in step.reads()):
                view = step.fn(*mapped(self._array, step.args), **mapped(self._array, step.kwargs))
                if isinstance(view, np.ndarray) and np.may_share_memory(view, self._array(next(step.reads()))):
                    self.arrays[id(x)] = view
                    self.views[id(x)] = next(step.reads())
            for y in {z.storage: z for z in (*step.reads(), *step.results(), *step.writes)}.values():
                if last[y.storage] == i and y.storage in self._memory:
                    memory = self._memory.pop(y.storage)
                    self._free.setdefault(memory.nbytes, []).append(memory)

    def _array(self, x: Any) -> Any:
        return self.arrays[id(x)] if isinstance(x, Traced) else x

    def _allocate(self, x: Traced, shared: bool) -> None:
        if not shared:
            self.arrays[id(x)] = np.ndarray(x.shape, x.dtype, strides=x.strides)
            return
        free = self._free.get(x.nbytes)
        memory = free.pop() if free else np.empty(max(x.nbytes, 1), np.uint8)
        self._memory[x.storage] = memory
        self.arrays[id(x)] = np.ndarray(x.shape, x.dtype, memory, strides=x.strides)

    def _donor(self, step: Instruction, i: int, last: dict[int, int]) -> Traced | None:
        """An argument of the same layout that is not used afterwards, for an elementwise function to write into."""
        if not isinstance(step.fn, np.ufunc) or step.fn.signature is not None:
            return None
        x, read = step.out, list(step.reads())
        for y in read:
            fits = (y.shape, y.dtype, y.strides) == (x.shape, x.dtype, x.strides) and id(y) in self.arrays
            fits = fits and self.arrays[id(y)].flags.writeable
            alone = all(z is y for z in read if z.storage == y.storage)
            if fits and alone and last[y.storage] == i and y.storage in self._memory:
                return y
        return None


def is_blank(step: Instruction) -> bool:
    """Whether the instruction creates an array of zeros."""
    is_zeros = step.fn is np.zeros_like and isinstance(step.out, Traced) and step.kind == "call"
    return is_zeros and not step.out.is_scalar and step.out.owns_memory
