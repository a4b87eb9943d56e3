"""Derivatives of functions: products with the Jacobian from both sides, the Jacobian, the Hessian, and its products.

``f`` takes one or several inputs, which are arrays or nested lists, tuples and dicts of arrays, and returns a tensor or
such a structure of tensors. Results have the structure of the inputs: a single result for a single input, a tuple for
several inputs. Results are arrays. They are tensors, which can be differentiated again, if an input is a tensor that
requires a gradient (so that these functions can be nested) or ``create_graph`` is True.

>>> import numpy as np, tensorgrad as tg
>>> tg.hessian(lambda x: np.sum(x**3), np.array([1.0, 2.0]))
array([[ 6.,  0.],
       [ 0., 12.]])
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tensorgrad.engine.record import next_number
from tensorgrad.engine.tape import Leaf, Node, Record, Variable, any_tracked, as_array, current_mode, value_of
from tensorgrad.errors import ShapeError
from tensorgrad.frontend.modes import recorded
from tensorgrad.frontend.tensor import Tensor
from tensorgrad.transforms import trees
from tensorgrad.transforms.gradients import grad

Function = Callable[..., Any]


def vjp(f: Function, *inputs: Any, create_graph: bool = False) -> tuple[Any, Callable[..., Any]]:
    """The outputs of ``f``, and a function that computes vector-Jacobian products: ``g -> g @ J``.

    Parameters
    ----------
    f
        A function of the inputs.
    *inputs
        The point at which to differentiate.
    create_graph
        Whether what the second result returns can be differentiated again.

    Returns
    -------
    outputs, pullback
        ``pullback(g)``, where ``g`` has the structure and shapes of the outputs, can be called any number of times.
        For an output with one element, ``pullback()`` is the gradient.

    Examples
    --------
    >>> out, pullback = tg.vjp(lambda x: x**2, np.array([1.0, 2.0]))
    >>> out
    array([1., 4.])
    >>> pullback(np.array([1.0, 10.0]))
    array([ 2., 40.])
    """
    call = Call(f, inputs, create_graph)

    def pullback(g: Any = None) -> Any:
        seeds = [None] * len(call.outputs) if g is None else trees.leaves_like(call.structure, g, "the gradient")
        return call.as_inputs(call.pull(list(range(len(seeds))), seeds))

    return call.result, pullback


def jvp(f: Function, inputs: Any, tangents: Any, create_graph: bool = False) -> tuple[Any, Any]:
    """The outputs of ``f``, and the Jacobian-vector products ``J @ v`` for ``tangents``.

    Takes one forward and two backward passes: the pullback is linear in its argument, and its transpose is the
    pushforward. Source: Townsend, "A new trick for calculating Jacobian vector products", 2017.

    Parameters
    ----------
    f
        A function of the inputs.
    inputs
        An array, or a tuple or list of the inputs of ``f``.
    tangents
        Directions, of the structure and shapes of the inputs.

    Examples
    --------
    >>> out, slope = tg.jvp(lambda x: np.sum(x**2), np.array([1.0, 2.0]), np.array([0.0, 1.0]))
    >>> print(out, slope)
    5.0 4.0
    """
    inputs, tangents = _as_tuple(inputs), _as_tuple(tangents)
    call = Call(f, inputs, True, inner=create_graph)
    directions = _like(tangents, call, "tangents")
    ones = [Tensor(np.ones(out.shape, out.dtype), requires_grad=True) for out in call.outputs]
    pulled = call.pull(list(range(len(ones))), list(ones))
    pairs = [(g, v) for g, v in zip(pulled, directions, strict=True) if isinstance(g, Tensor) and g.tracked]
    found = [None] * len(ones)
    if pairs:
        found = grad([g for g, _ in pairs], ones, [v for _, v in pairs], create_graph=call.create_graph)
    pushed = [_full(g, out, call.create_graph) for g, out in zip(found, call.outputs, strict=True)]
    return call.result, trees.refill(call.structure, pushed)


def jacobian(f: Function, *inputs: Any, create_graph: bool = False) -> Any:
    """The Jacobian: an array of shape ``output.shape + input.shape`` for each pair of an output and an input.

    Takes one forward pass, and one backward pass for each element of the outputs.

    Returns
    -------
    ndarray or Tensor
        For nested outputs, the structure of the outputs, with the structure of the inputs at each leaf.

    Examples
    --------
    >>> tg.jacobian(lambda x: np.array([1.0, 2.0]) * x[0] + x[1] ** 2, np.array([1.0, 3.0]))
    array([[1., 6.],
           [2., 6.]])
    """
    call = Call(f, inputs, create_graph)
    blocks = []
    for k, out in enumerate(call.outputs):
        rows = []
        for i in range(out.size):
            seed = np.zeros(out.size, out.dtype)
            seed[i] = 1
            rows.append(call.pull([k], [seed.reshape(out.shape)]))
        join = np.stack if call.create_graph and rows else np.array
        columns = list(zip(*rows, strict=True)) or [()] * len(call.inputs)
        blocks.append(
            call.as_inputs(
                [
                    np.reshape(join(list(column)) if column else np.zeros(0, x.dtype), out.shape + x.shape)
                    for column, x in zip(columns, call.inputs, strict=True)
                ]
            )
        )
    return trees.refill(call.structure, blocks)


def hessian(f: Function, *inputs: Any, create_graph: bool = False) -> Any:
    """The Hessian of a function whose output has one element: an array of shape ``input.shape + input.shape``.

    For several or nested inputs, there is a block for each pair: the structure of the inputs, with the same structure
    at each leaf. Takes one forward pass, and one backward pass more than the number of elements of the inputs.

    Raises
    ------
    ShapeError
        If the output has more than one element: take the `jacobian` of its gradients instead.

    Examples
    --------
    >>> tg.hessian(lambda x: x[0] ** 2 * x[1], np.array([1.0, 2.0]))
    array([[4., 2.],
           [2., 0.]])
    """
    return jacobian(_gradient(f), *inputs, create_graph=create_graph)


def hvp(f: Function, inputs: Any, vectors: Any, create_graph: bool = False) -> Any:
    """The Hessian of ``f``, whose output has one element, times a vector, without computing the Hessian.

    Takes one forward and two backward passes. ``inputs`` and ``vectors`` are as in `jvp`.

    Examples
    --------
    >>> tg.hvp(lambda x: np.sum(x**3), np.array([1.0, 2.0]), np.array([1.0, 1.0]))  # 6 x
    array([ 6., 12.])
    """
    inputs, vectors = _as_tuple(inputs), _as_tuple(vectors)
    call = Call(_gradient(f), inputs, create_graph)
    seeds = _like(vectors, call, "vectors")
    return call.as_inputs(call.pull(list(range(len(seeds))), seeds))


class Call:
    """One evaluation of a function on copies of its inputs, which supports any number of backward passes."""

    def __init__(self, f: Function, inputs: tuple[Any, ...], create_graph: bool, inner: bool | None = None) -> None:
        if not inputs:
            raise TypeError("missing required argument: the inputs at which to differentiate")
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
                raise ShapeError(f"an output of shape {out.shape} needs a gradient of the same shape to pull back")
        pass_recorded = self.pass_recorded or (current_mode().recording and any_tracked(seeds))
        if any(out.tracked for out in outputs):
            found = grad(outputs, self.inputs, seeds, create_graph=pass_recorded, retain_graph=True)
        return [_full(g, x, pass_recorded) for g, x in zip(found, self.inputs, strict=True)]

    def as_inputs(self, results: list[Any]) -> Any:
        """Results, one for each input, in the structure of the inputs."""
        filled = trees.refill(self.arguments, results)
        return filled[0] if len(filled) == 1 else filled


def _own(x: Any) -> Any:
    """A new tensor for this call, so that its gradient does not include other uses of the input."""
    if isinstance(x, Tensor) and x.tracked and current_mode().recording:
        return np.positive(x)
    array = as_array(x.data if isinstance(x, Variable) else x)
    if array.dtype.kind != "f":
        raise TypeError(
            f"inputs to differentiate must be floating-point, got {array.dtype}: write x.astype(float), or bind this "
            "argument (lambda x: f(x, labels))"
        )
    return Tensor(array, requires_grad=True)


def _constant(out: Any, inputs: list[Any]) -> Tensor:
    """A number or an array that ``f`` returned, as a tensor that does not depend on the inputs: its derivative is 0."""
    is_number = isinstance(out, (int, float, np.ndarray, np.number)) and not isinstance(out, bool)
    if (
        not is_number
        or np.asarray(out).dtype.kind not in "fiu"
        or any(np.may_share_memory(out, x.data) for x in inputs)
    ):
        raise TypeError(
            f"f must return tensors or constants, got {type(out).__name__}: compute the result from the inputs with "
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


def _gradient(f: Function) -> Function:
    def gradient(*inputs: Any) -> Any:
        call = Call(f, inputs, True)
        if len(call.outputs) != 1 or call.outputs[0].size != 1:
            shapes = ", ".join(str(out.shape) for out in call.outputs)
            raise ShapeError(f"a Hessian needs a function whose output has one element, got {shapes}: sum the output")
        return call.as_inputs(call.pull([0], [None]))

    return gradient


def _full(g: Any, like: Any, as_tensor: bool) -> Any:
    """A gradient, or zeros if there is none, as a tensor if ``as_tensor``."""
    if g is None:
        g = np.zeros(like.shape, like.dtype)
    return Tensor(g) if as_tensor and not isinstance(g, Variable) else g


def _like(vectors: tuple[Any, ...], call: Call, what: str) -> list[Any]:
    """The leaves of ``vectors``, which must have the shapes of the inputs."""
    leaves = trees.leaves_like(call.arguments, vectors, what)
    shapes, expected = [np.shape(value_of(v)) for v in leaves], [x.shape for x in call.inputs]
    if shapes != expected:
        raise ShapeError(f"{what} must have the shapes of the inputs, {expected}, got {shapes}")
    return [v if isinstance(v, Tensor) else as_array(v, x.dtype) for v, x in zip(leaves, call.inputs, strict=True)]


def _as_tuple(x: Any) -> tuple[Any, ...]:
    return tuple(x) if isinstance(x, (list, tuple)) else (x,)
