"""`checkpoint`: recompute in the backward pass instead of storing in the forward pass."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from tensorgrad import trees
from tensorgrad.table import functions, numbers, primitive, rule
from tensorgrad.tape import Array, Record, Variable, mode, value_of
from tensorgrad.tensor import Tensor
from tensorgrad.walk import reachable, walk


def checkpoint(f: Callable[..., Any]) -> Callable[..., Any]:
    """A function like ``f`` whose inner values are not kept for the backward pass, but computed there once more.

    A chain of ``n`` equal layers, checkpointed in parts of ``sqrt(n)``, keeps the values between the parts and those
    inside of one part in place of all ``n``, for one more forward pass.
    Source: Chen et al., "Training deep nets with sublinear memory cost", 2016.

    Parameters
    ----------
    f
        A function of tensors, or of nested lists, tuples and dicts with tensors and anything else in them, that returns
        a tensor or such a structure. It may use leaf tensors from outside, the parameters of a model. It is called
        twice and must do the same both times; a `numpy.random.Generator` among its arguments is set back for that.
        What it does beside, such as the running statistics of `batch_norm`, is done twice.

    Raises
    ------
    RuntimeError
        In the forward pass, if ``f`` uses a computed tensor that is not among its arguments; in the backward pass, if
        it does not give the same values again.
    """

    @functools.wraps(f)
    def checkpointed(*args: Any, **kwargs: Any) -> Any:
        if not mode.recording:
            return f(*args, **kwargs)
        part = _Part(f, (args, kwargs))
        returned = part.first_run()
        if part.value is None:
            return returned
        packed = recomputed(*part.inputs, *part.outside, part=part)
        part.value = part.inputs = None
        return _unpack(returned, packed)

    return checkpointed


@primitive
def recomputed(*sources: Array, part: _Part) -> Array:
    """What ``f`` gave: the sources are the tensors that it was computed from."""
    return part.value


rule(recomputed, together=lambda g, ans, needed, *sources, part: part.gradients(needed, g, ans, sources), complex=True)


class _Part:
    """One call of a checkpointed function."""

    def __init__(self, f: Callable[..., Any], arguments: Any) -> None:
        self.f = f
        self.structure = arguments
        self.leaves = _as_they_were(trees.leaves(arguments))
        self.places = [k for k, leaf in enumerate(self.leaves) if isinstance(leaf, Variable)]
        self.inputs: Any = [self.leaves[k] for k in self.places]
        self.tracked = [_tracked(x) for x in self.inputs]
        for k in self.places:
            self.leaves[k] = None  # the record keeps their values
        self.outside: list[Any] = []  # leaves that f uses and is not given
        self.value: Any = None

    def run(self, inputs: list[Any], leaves: list[Any]) -> Any:
        """Call the function on the leaves of its arguments, with these inputs in place of the tracked ones."""
        for k, x in zip(self.places, inputs, strict=True):
            leaves[k] = x
        args, kwargs = trees.refill(self.structure, leaves)
        return self.f(*args, **kwargs)

    def first_run(self) -> Any:
        """What the function returns; on the way, find out what it is computed from."""
        start = next(numbers)
        inputs = [_own(x.data, tracked) for x, tracked in zip(self.inputs, self.tracked, strict=True)]
        returned = self.run(inputs, trees.leaves(self.structure))
        self.structure = trees.transform(lambda leaf: None, self.structure)
        packed = _pack(returned)
        if packed is None:
            return returned
        self.value = packed.data
        known = {id(x.record or x) for x in inputs}
        for record in reachable([packed.record or packed]):
            if record.number < start:
                raise RuntimeError(
                    f"the checkpointed function uses a tensor that was computed before ({record.row.name!r} at "
                    f"{record.where()}): pass it as an argument"
                )
            for _, parent in record.parents or ():
                if not isinstance(parent, Record) and id(parent) not in known:
                    known.add(id(parent))
                    self.outside.append(parent)
        return returned

    def gradients(self, needed: tuple[int, ...], g: Any, ans: Any, sources: tuple[Any, ...]) -> dict[int, Any]:
        """The gradients for these of the sources, by computing the function once more."""
        create_graph = mode.recording == 2
        recording, mode.recording = mode.recording, 1
        try:
            inputs = [_own(x, tracked) for x, tracked in zip(sources, self.tracked, strict=False)]
            packed: Any = _pack(self.run(inputs, _as_they_were(self.leaves)))
        finally:
            mode.recording = recording
        if packed is None or not _as_before(packed.data, value_of(ans)):
            raise RuntimeError(
                "the checkpointed function gave other values when it was called again: pass its random generator as an "
                "argument, and overwrite no array that it reads"
            )
        sources = (*inputs, *self.outside)
        found = walk([(packed, g)], [sources[i] for i in needed], create_graph=create_graph, through=False)
        nodes = {i: sources[i].record or sources[i] for i in needed}
        return {i: found.get(node, np.zeros(node.shape, node.dtype)) for i, node in nodes.items()}


def _as_before(again: Any, first: Any) -> bool:
    """Equal but for rounding, which may differ with how arrays lie in memory."""
    if again.shape != first.shape or not first.size:
        return again.shape == first.shape
    size = np.max(np.abs(first), initial=0, where=np.isfinite(first))
    return np.allclose(again, first, rtol=0, atol=1e3 * np.finfo(first.dtype).eps * size, equal_nan=True)


def _own(x: Any, tracked: bool) -> Any:
    """A value as a tensor of its own, to which gradients are pulled back and no further."""
    if isinstance(x, Variable):
        return functions[np.positive](x)
    if not tracked:
        return Tensor(x)
    if x.dtype.kind == "c":  # no leaf, but the result of one
        return functions[np.add](Tensor(np.zeros(x.shape, x.real.dtype), requires_grad=True), x)
    return Tensor(x, requires_grad=True)


def _as_they_were(leaves: list[Any]) -> list[Any]:
    """The arguments; of generators, whose state moves on with every draw, copies."""
    memo: dict[int, Any] = {}
    generators = (np.random.Generator, np.random.RandomState)
    return [copy.deepcopy(leaf, memo) if isinstance(leaf, generators) else leaf for leaf in leaves]


def _tracked(leaf: Any) -> bool:
    return isinstance(leaf, Variable) and bool(leaf.tracked)


def _pack(returned: Any) -> Any:
    """All tensors on the tape in what a function returned, as one tensor."""
    outputs = [leaf for leaf in trees.leaves(returned) if _tracked(leaf)]
    if len(outputs) < 2:
        return outputs[0] if outputs else None
    return np.concatenate([np.reshape(out, (out.size,)) for out in outputs])


def _unpack(returned: Any, packed: Any) -> Any:
    """What a function returned, with parts of ``packed`` in place of the tensors that it was packed from."""
    if sum(map(_tracked, trees.leaves(returned))) == 1:
        return trees.transform(lambda leaf: packed if _tracked(leaf) else leaf, returned)
    end = 0

    def piece(leaf: Any) -> Any:
        nonlocal end
        if not _tracked(leaf):
            return leaf
        end += leaf.size
        return np.reshape(packed[end - leaf.size : end], leaf.shape).astype(leaf.dtype)

    return trees.transform(piece, returned)
