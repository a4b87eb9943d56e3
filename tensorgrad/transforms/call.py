"""One evaluation of a function at given inputs, which supports any number of backward passes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tensorgrad.engine.record import next_number
from tensorgrad.engine.tape import Leaf, Node, Record, Variable, any_tracked, as_array, current_mode
from tensorgrad.errors import ShapeError
from tensorgrad.frontend.modes import recorded
from tensorgrad.frontend.tensor import Tensor
from tensorgrad.transforms import trees
from tensorgrad.transforms.gradients import grad

Function = Callable[..., Any]


class Call:
    """One evaluation of a function on copies of its inputs, which supports any number of backward passes."""

    def __init__(self, f: Function, inputs: tuple[Any, ...], create_graph: bool, inner: bool | None = None) -> None:
        check_function(f)
        if not inputs:
            raise TypeError("missing required argument: the inputs at which to differentiate, as in tg.vjp(f, x)")
        recording = current_mode().recording
        self.arguments = inputs
        start = next_number()
        self.inputs: list[Any] = [_own(x) for x in trees.leaves(list(inputs))]
        with recorded():
            copies = [np.positive(x) for x in self.inputs]  # f may write to these
            returned = f(*trees.refill(inputs, copies))
        self.structure = returned
        self.outputs: list[Any] = trees.leaves(returned)
        for k, out in enumerate(self.outputs):
            if not isinstance(out, Variable):
                self.outputs[k] = _constant(out, copies)
        own = {x.node for x in self.inputs if x.is_leaf}
        nested = recording and (len(own) < len(self.inputs) or _depend_on_others(self.outputs, own, start))
        self.create_graph = bool(create_graph if inner is None else inner) or nested
        self.pass_recorded = create_graph or self.create_graph
        values = self.outputs if self.create_graph else [out.data.copy() for out in self.outputs]
        self.result = trees.refill(returned, values)

    def pull(self, which: list[int], seeds: list[Any]) -> list[Any]:
        """The gradients of these outputs, for each input."""
        outputs = [self.outputs[k] for k in which]
        found = [None] * len(self.inputs)
        for seed, out in zip(seeds, outputs, strict=True):
            if seed is None and out.size != 1:
                raise ShapeError(f"an output of shape {out.shape} needs an upstream gradient g of the same shape")
        pass_recorded = self.pass_recorded or (current_mode().recording and any_tracked(seeds))
        if any(out.tracked for out in outputs):
            found = grad(outputs, self.inputs, seeds, create_graph=pass_recorded, retain_graph=True)
        return [full_gradient(g, x, pass_recorded) for g, x in zip(found, self.inputs, strict=True)]

    def as_inputs(self, results: list[Any]) -> Any:
        """Results, one for each input, in the structure of the inputs."""
        filled = trees.refill(self.arguments, results)
        return filled[0] if len(filled) == 1 else filled


def check_function(f: Any) -> None:
    """Raise ``TypeError`` if ``f`` is a tensor, or anything else that cannot be called."""
    if isinstance(f, Variable) or not callable(f):
        raise TypeError(f"the first argument must be a function, got {type(f).__name__}: for tensors, write "
                        "tg.grad(outputs, inputs)")  # fmt: skip


def _own(x: Any) -> Any:
    """A new tensor for this call, so that its gradient does not include other uses of the input."""
    if isinstance(x, Tensor) and x.tracked and current_mode().recording:
        return np.positive(x)
    array = as_array(x.data if isinstance(x, Variable) else x)
    if array.dtype.kind not in "fiubc":
        raise TypeError(
            f"inputs to differentiate are arrays of numbers, in lists, tuples, dicts and dataclasses, got {_named(x)}: "
            "bind it, or the field that holds it, in a function of the arrays (lambda x: f(x, value))"
        )
    if array.dtype.kind != "f":
        raise TypeError(
            f"inputs to differentiate must be floating-point, got {array.dtype}: write x.astype(float), or bind this "
            "argument (lambda x: f(x, labels))"
        )
    return Tensor(array, requires_grad=True)


def _named(x: Any) -> str:
    """What a value is, for an error message."""
    return f"an array of {x.dtype}" if isinstance(x, np.ndarray) else type(x).__name__


def _constant(out: Any, inputs: list[Any]) -> Tensor:
    """A number or an array that ``f`` returned, as a tensor that does not depend on the inputs: its derivative is 0."""
    is_number = isinstance(out, (int, float, np.ndarray, np.number)) and not isinstance(out, bool)
    if (
        not is_number
        or np.asarray(out).dtype.kind not in "fiu"
        or any(np.may_share_memory(out, x.data) for x in inputs)
    ):
        raise TypeError(
            f"f must return tensors or constants, got {_named(out)}: compute the result from the inputs with "
            "NumPy's functions, without .data or .item()"
        )
    return Tensor(
        np.asarray(out, np.result_type(out, np.float32) if isinstance(out, (np.ndarray, np.number)) else float)
    )


def _depend_on_others(outputs: list[Any], own: set[Node], start: int) -> bool:
    """Whether outputs depend on tracked tensors created before the call, such as a variable of a closure."""
    stack: list[Node] = [out.node for out in outputs if out.node is not None]
    seen = set(stack)
    while stack:
        node = stack.pop()
        if node in own:
            continue
        if isinstance(node, Leaf):
            if node.tensor() is not None:  # otherwise f created it, for a nested derivative
                return True
            continue
        assert isinstance(node, Record)
        if node.number < start:
            return True
        for parent in node.parents or ():
            if parent is not None and parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return False


def full_gradient(g: Any, like: Any, as_tensor: bool) -> Any:
    """A gradient, or zeros if there is none, as a tensor if ``as_tensor``."""
    if g is None:
        g = np.zeros(like.shape, like.dtype)
    return Tensor(g) if as_tensor and not isinstance(g, Variable) else g
