"""Derivatives of functions: `vjp` and `jvp` (products with the Jacobian), `jacobian`, `hessian`, `hvp`.

A function ``f`` takes one or several inputs, which are arrays or nested lists, tuples and dicts of arrays, and returns
a tensor or such a structure of tensors. Results have the structure of the inputs: a single result for a single input, a
tuple for several inputs. Results are arrays. They are tensors, which can be differentiated again, if an input is a
tensor that requires a gradient (so that these functions can be nested) or ``create_graph`` is True.

>>> import numpy as np, tensorgrad as tg
>>> tg.hessian(lambda x: np.sum(x**3), np.array([1.0, 2.0]))
array([[ 6.,  0.],
       [ 0., 12.]])
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, overload

import numpy as np

from tensorgrad.engine.tape import as_array, value_of
from tensorgrad.errors import ShapeError
from tensorgrad.frontend.tensor import Tensor
from tensorgrad.transforms import trees
from tensorgrad.transforms.call import Call, Function, check_function, full_gradient
from tensorgrad.transforms.gradients import grad

if TYPE_CHECKING:  # docs/typing.md says which calls have which types
    from numpy.typing import NDArray

    Values: TypeAlias = NDArray[Any] | float
    ToTensor: TypeAlias = Callable[..., Tensor]
    Pullback: TypeAlias = Callable[..., NDArray[Any]]
    Pullbacks: TypeAlias = Callable[..., tuple[NDArray[Any], ...]]


@overload
def vjp(f: ToTensor, x: Values | Tensor, /, *, create_graph: Literal[True]
        ) -> tuple[Tensor, Callable[..., Tensor]]: ...  # fmt: skip
@overload
def vjp(f: ToTensor, x: Values, /, *, create_graph: Literal[False] = ...) -> tuple[NDArray[Any], Pullback]: ...
@overload
def vjp(f: ToTensor, x: Tensor, /, *, create_graph: Literal[False] = ...
        ) -> tuple[Tensor | Any, Callable[..., Tensor | Any]]: ...  # fmt: skip
@overload
def vjp(f: ToTensor, x: Values, y: Values, /, *others: Values, create_graph: Literal[False] = ...
        ) -> tuple[NDArray[Any], Pullbacks]: ...  # fmt: skip
@overload
def vjp(f: Function, /, *inputs: Any, create_graph: bool = ...) -> tuple[Any, Callable[..., Any]]: ...


def vjp(f: Function, *inputs: Any, create_graph: bool = False) -> tuple[Any, Callable[..., Any]]:
    """The outputs of ``f``, and a function that computes vector-Jacobian products ``g @ J``.

    Parameters
    ----------
    f
        A function of the inputs.
    *inputs
        The point at which to differentiate.
    create_graph
        Whether the results of ``pullback`` can be differentiated again.

    Returns
    -------
    outputs, pullback
        ``pullback(g)`` takes a ``g`` with the structure and shapes of the outputs, and returns ``g @ J`` in the
        structure of the inputs. It can be called any number of times. For an output with one element, ``pullback()``
        returns the gradient.

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


@overload
def jvp(f: ToTensor, inputs: Any, tangents: Any, create_graph: Literal[True]) -> tuple[Tensor, Tensor]: ...
@overload
def jvp(f: ToTensor, inputs: Values | Sequence[Values], tangents: Any, create_graph: Literal[False] = ...
        ) -> tuple[NDArray[Any], NDArray[Any]]: ...  # fmt: skip
@overload
def jvp(f: ToTensor, inputs: Tensor, tangents: Any, create_graph: Literal[False] = ...
        ) -> tuple[Tensor | Any, Tensor | Any]: ...  # fmt: skip
@overload
def jvp(f: Function, inputs: Any, tangents: Any, create_graph: bool = ...) -> tuple[Any, Any]: ...


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
    pushed = [full_gradient(g, out, call.create_graph) for g, out in zip(found, call.outputs, strict=True)]
    return call.result, trees.refill(call.structure, pushed)


@overload
def jacobian(f: ToTensor, x: Values | Tensor, /, *, create_graph: Literal[True]) -> Tensor: ...
@overload
def jacobian(f: ToTensor, x: Values, /, *, create_graph: Literal[False] = ...) -> NDArray[Any]: ...
@overload
def jacobian(f: ToTensor, x: Tensor, /, *, create_graph: Literal[False] = ...) -> Tensor | Any: ...
@overload
def jacobian(f: ToTensor, x: Values, y: Values, /, *others: Values, create_graph: Literal[False] = ...
             ) -> tuple[NDArray[Any], ...]: ...  # fmt: skip
@overload
def jacobian(f: Function, /, *inputs: Any, create_graph: bool = ...) -> Any: ...


def jacobian(f: Function, *inputs: Any, create_graph: bool = False) -> Any:
    """The Jacobian: an array of shape ``output.shape + input.shape`` for each pair of an output and an input.

    Takes one forward pass, and one backward pass for each element of the outputs. Without inputs, the result is the
    function ``(x, ...)`` that computes it with respect to its first argument, as in JAX and HIPS autograd.

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
    if not inputs:
        return _of_first_argument(jacobian, f, create_graph)
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


@overload
def hessian(f: Function, x: Values | Tensor, /, *, create_graph: Literal[True]) -> Tensor: ...
@overload
def hessian(f: Function, x: Values, /, *, create_graph: Literal[False] = ...) -> NDArray[Any]: ...
@overload
def hessian(f: Function, x: Tensor, /, *, create_graph: Literal[False] = ...) -> Tensor | Any: ...
@overload
def hessian(f: Function, x: Values, y: Values, /, *others: Values, create_graph: Literal[False] = ...
            ) -> tuple[tuple[NDArray[Any], ...], ...]: ...  # fmt: skip
@overload
def hessian(f: Function, /, *inputs: Any, create_graph: bool = ...) -> Any: ...


def hessian(f: Function, *inputs: Any, create_graph: bool = False) -> Any:
    """The Hessian of a function whose output has one element: an array of shape ``input.shape + input.shape``.

    For several or nested inputs, there is a block for each pair: the structure of the inputs, with the same structure
    at each leaf. Takes one forward pass, and one backward pass more than the number of elements of the inputs. Without
    inputs, the result is a function, as that of `jacobian`.

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
    if not inputs:
        return _of_first_argument(hessian, f, create_graph)
    return jacobian(_gradient(f), *inputs, create_graph=create_graph)


@overload
def hvp(f: Function, inputs: Values | Tensor, vectors: Any, create_graph: Literal[True]) -> Tensor: ...
@overload
def hvp(f: Function, inputs: Values, vectors: Any, create_graph: Literal[False] = ...) -> NDArray[Any]: ...
@overload
def hvp(f: Function, inputs: Tensor, vectors: Any, create_graph: Literal[False] = ...) -> Tensor | Any: ...
@overload
def hvp(f: Function, inputs: Any, vectors: Any, create_graph: bool = ...) -> Any: ...


def hvp(f: Function, inputs: Any, vectors: Any, create_graph: bool = False) -> Any:
    """The product of the Hessian of ``f`` with a vector, without computing the Hessian.

    The output of ``f`` must have one element.

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


def _of_first_argument(derivative: Function, f: Function, create_graph: bool) -> Function:
    """The function that computes a derivative of ``f`` with respect to its first argument."""
    check_function(f)

    @functools.wraps(f, updated=())
    def of_first(x: Any, *others: Any, **kwargs: Any) -> Any:
        return derivative(lambda x: f(x, *others, **kwargs), x, create_graph=create_graph)

    return of_first


def _gradient(f: Function) -> Function:
    def gradient(*inputs: Any) -> Any:
        call = Call(f, inputs, True)
        if len(call.outputs) != 1 or call.outputs[0].size != 1:
            shapes = ", ".join(str(out.shape) for out in call.outputs)
            raise ShapeError(f"a Hessian needs a function whose output has one element, got {shapes}: sum the output")
        return call.as_inputs(call.pull([0], [None]))

    return gradient


def _like(vectors: tuple[Any, ...], call: Call, what: str) -> list[Any]:
    """The leaves of ``vectors``, which must have the shapes of the inputs."""
    leaves = trees.leaves_like(call.arguments, vectors, what)
    shapes, expected = [np.shape(value_of(v)) for v in leaves], [x.shape for x in call.inputs]
    if shapes != expected:
        raise ShapeError(f"{what} must have the shapes of the inputs, {expected}, got {shapes}")
    return [v if isinstance(v, Tensor) else as_array(v, x.dtype) for v, x in zip(leaves, call.inputs, strict=True)]


def _as_tuple(x: Any) -> tuple[Any, ...]:
    return tuple(x) if isinstance(x, (list, tuple)) else (x,)
