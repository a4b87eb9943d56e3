"""`checkpoint`: recompute intermediate values in the backward pass instead of storing them in the forward pass."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np

from tensorgrad.engine.backward import backward_pass, reachable
from tensorgrad.engine.record import next_number
from tensorgrad.engine.registry import primitive, rule
from tensorgrad.engine.tape import Array, Leaf, Variable, current_mode, value_of
from tensorgrad.frontend.modes import recorded
from tensorgrad.frontend.tensor import Tensor
from tensorgrad.transforms import trees
from tensorgrad.transforms.former_values import original_class, with_former_values

F = TypeVar("F", bound=Callable[..., Any])


def checkpoint(f: F) -> F:
    """A function like ``f`` that recomputes its intermediate values in the backward pass instead of storing them.

    For a chain of ``n`` equal layers, checkpointed in parts of ``sqrt(n)`` layers, memory is needed for the values
    between the parts and inside one part, ``2 sqrt(n)`` instead of ``n``, at the cost of another forward pass.
    Source: Chen et al., "Training deep nets with sublinear memory cost", 2016.

    Parameters
    ----------
    f
        A function of tensors, or of nested lists, tuples and dicts that contain tensors, that returns a tensor or such
        a structure. It may use leaf tensors that are not arguments, such as the parameters of a model. It is called
        twice and must compute the same values both times; a `numpy.random.Generator` among its arguments is reset for
        the second call. Side effects, such as updating the running statistics of `batch_norm`, occur twice.

    Raises
    ------
    RuntimeError
        In the forward pass, if ``f`` uses a computed tensor that is not among its arguments; in the backward pass, if
        it does not compute the same values again.

    Examples
    --------
    >>> f = tg.checkpoint(lambda x: np.sum(np.exp(np.sin(x))))
    >>> x = tg.Tensor([0.0, 1.0], requires_grad=True)
    >>> f(x).backward()
    >>> x.grad
    array([1.    , 1.2534])
    """

    @functools.wraps(f)
    def checkpointed(*args: Any, **kwargs: Any) -> Any:
        if not current_mode().recording:
            return f(*args, **kwargs)
        part = _Part(f, (args, kwargs))
        returned = part.first_run()
        if part.value is None:
            return returned
        packed = recomputed(*part.inputs, *part.outside, part=part)
        part.value = part.inputs = None
        return _unpack(returned, packed)

    return cast(F, checkpointed)


@primitive
def recomputed(*sources: Array, part: _Part) -> Array:
    """The result of ``f``; the sources are the tensors that it was computed from."""
    return part.value


rule(recomputed, together=lambda g, ans, needed, *sources, part: part.gradients(needed, g, ans, sources), complex=True)


class _Part:
    """One call of a checkpointed function."""

    def __init__(self, f: Callable[..., Any], arguments: Any) -> None:
        self.f = f
        self.structure = arguments
        self.leaves = _with_copied_generators(trees.leaves(arguments))
        self.places = [k for k, leaf in enumerate(self.leaves) if isinstance(leaf, Variable)]
        self.inputs: Any = [self.leaves[k] for k in self.places]
        self.tracked = [_tracked(x) for x in self.inputs]
        for k in self.places:
            self.leaves[k] = None  # the record keeps their values
        self.outside: list[Any] = []  # leaves that f uses and that are not arguments
        self.value: Any = None

    def run(self, inputs: list[Any], leaves: list[Any]) -> Any:
        """Call the function on the leaves of its arguments, with these inputs in place of the tracked ones."""
        for k, x in zip(self.places, inputs, strict=True):
            leaves[k] = x
        args, kwargs = trees.refill(self.structure, leaves)
        return self.f(*args, **kwargs)

    def first_run(self) -> Any:
        """Call the function, and determine which leaves its result depends on."""
        start = next_number()
        inputs = [_own(x.data, tracked) for x, tracked in zip(self.inputs, self.tracked, strict=True)]
        returned = self.run(inputs, trees.leaves(self.structure))
        self.structure = trees.transform(lambda leaf: None, self.structure)
        packed = _pack(returned)
        if packed is None:
            return returned
        self.value = packed.data
        known = {x.node for x in inputs}
        for record in reachable([packed.node]):
            if record.number < start:
                raise RuntimeError(
                    f"the checkpointed function uses a tensor that was computed outside ({record.row.name!r} at "
                    f"{record.where()}): pass it as an argument"
                )
            for parent in record.parents or ():
                if isinstance(parent, Leaf) and parent not in known:
                    known.add(parent)
                    self.outside.append(parent.tensor())
        return returned

    def gradients(self, needed: Any, g: Any, ans: Any, sources: tuple[Any, ...]) -> dict[int, Any]:
        """The gradients of the sources in ``needed``, by calling the function again."""
        create_graph = current_mode().origin is not None
        with recorded():
            inputs = [_own(x, tracked) for x, tracked in zip(sources, self.tracked, strict=False)]
            with with_former_values(self.outside, sources[len(inputs) :]):
                packed: Any = _pack(self.run(inputs, _with_copied_generators(self.leaves)))
        if packed is None or not _equal_up_to_rounding(packed.data, value_of(ans)):
            raise RuntimeError(
                "the checkpointed function computed other values when it was called again: pass its random generator "
                "as an argument, and do not overwrite arrays that it reads"
            )
        packed.__class__ = original_class(packed)
        nodes = {i: (*inputs, *self.outside)[i].node for i in needed}
        found = backward_pass(
            [(packed, g)], nodes.values(), create_graph=create_graph, past_targets=False, used=needed.used
        )
        return {i: found.get(node, np.zeros(node.shape, node.dtype)) for i, node in nodes.items()}


def _equal_up_to_rounding(again: Any, first: Any) -> bool:
    """Whether two results are equal up to rounding, which may depend on the memory layout."""
    if again.shape != first.shape or not first.size:
        return bool(again.shape == first.shape)
    size = np.max(np.abs(first), initial=0, where=np.isfinite(first))
    return np.allclose(again, first, rtol=0, atol=1e3 * np.finfo(first.dtype).eps * size, equal_nan=True)


def _own(x: Any, tracked: bool) -> Any:
    """A new tensor of a value, at which the inner backward pass ends."""
    if isinstance(x, Variable):
        return np.positive(x)  # type: ignore[call-overload]
    if not tracked:
        return Tensor(x)
    if x.dtype.kind == "c":  # leaves are real, so make it a result of one
        return Tensor(np.zeros(x.shape, x.real.dtype), requires_grad=True) + x
    return Tensor(x, requires_grad=True)


def _with_copied_generators(leaves: list[Any]) -> list[Any]:
    """The arguments, with copies of random generators, whose state changes with every draw."""
    memo: dict[int, Any] = {}
    generators = (np.random.Generator, np.random.RandomState)
    return [copy.deepcopy(leaf, memo) if isinstance(leaf, generators) else leaf for leaf in leaves]


def _tracked(leaf: Any) -> bool:
    return isinstance(leaf, Variable) and leaf.tracked


def _pack(returned: Any) -> Any:
    """All tracked tensors in what a function returned, as one tensor."""
    outputs = [leaf for leaf in trees.leaves(returned) if _tracked(leaf)]
    if len(outputs) < 2:
        return outputs[0] if outputs else None
    return np.concatenate([np.reshape(out, (out.size,)) for out in outputs])


def _unpack(returned: Any, packed: Any) -> Any:
    """What a function returned, with parts of ``packed`` in place of its tracked tensors."""
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
