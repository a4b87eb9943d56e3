"""`value_and_grad`, and `grad` for functions and for tensors."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, TypeVar, overload

from tensorgrad.engine.tape import Variable, value_of
from tensorgrad.errors import ShapeError
from tensorgrad.transforms import gradients, trees
from tensorgrad.transforms.call import Call

if TYPE_CHECKING:  # docs/typing.md says which calls have which types
    from numpy.typing import NDArray

    from tensorgrad.frontend.tensor import Tensor

    Outputs: TypeAlias = Tensor | Sequence[Tensor]
    K = TypeVar("K")
    A = TypeVar("A", bound=NDArray[Any])

    class Gradient(Protocol):
        """The gradient of a function with respect to its first argument, in the structure of that argument."""

        @overload
        def __call__(self, x: float, /, *args: Any, **kwargs: Any) -> NDArray[Any]: ...
        @overload
        def __call__(self, x: A, /, *args: Any, **kwargs: Any) -> A: ...
        @overload
        def __call__(self, x: Tensor, /, *args: Any, **kwargs: Any) -> Tensor | Any: ...
        @overload
        def __call__(self, x: dict[K, A], /, *args: Any, **kwargs: Any) -> dict[K, A]: ...
        @overload
        def __call__(self, x: list[A], /, *args: Any, **kwargs: Any) -> list[A]: ...
        @overload
        def __call__(self, x: Any, /, *args: Any, **kwargs: Any) -> Any: ...

    class ValueAndGradient(Protocol):
        """A function that returns the value of another one, and its gradient as `Gradient` does."""

        @overload
        def __call__(self, x: float, /, *args: Any, **kwargs: Any) -> tuple[NDArray[Any], NDArray[Any]]: ...
        @overload
        def __call__(self, x: A, /, *args: Any, **kwargs: Any) -> tuple[NDArray[Any], A]: ...
        @overload
        def __call__(self, x: Tensor, /, *args: Any, **kwargs: Any) -> tuple[Tensor | Any, Tensor | Any]: ...
        @overload
        def __call__(self, x: dict[K, A], /, *args: Any, **kwargs: Any) -> tuple[NDArray[Any], dict[K, A]]: ...
        @overload
        def __call__(self, x: list[A], /, *args: Any, **kwargs: Any) -> tuple[NDArray[Any], list[A]]: ...
        @overload
        def __call__(self, x: Any, /, *args: Any, **kwargs: Any) -> tuple[Any, Any]: ...


_MISSING: Any = object()


@overload
def grad(outputs: Outputs, inputs: Tensor, grad_outputs: Any = ..., create_graph: Literal[False] = ...,
         retain_graph: bool = ...) -> NDArray[Any] | Any: ...  # fmt: skip
@overload
def grad(outputs: Outputs, inputs: Tensor, grad_outputs: Any = ..., *, create_graph: Literal[True],
         retain_graph: bool = ...) -> Tensor | Any: ...  # fmt: skip
@overload
def grad(outputs: Outputs, inputs: Sequence[Tensor], grad_outputs: Any = ..., create_graph: Literal[False] = ...,
         retain_graph: bool = ...) -> tuple[NDArray[Any] | Any, ...]: ...  # fmt: skip
@overload
def grad(outputs: Outputs, inputs: Sequence[Tensor], grad_outputs: Any = ..., *, create_graph: Literal[True],
         retain_graph: bool = ...) -> tuple[Tensor | Any, ...]: ...  # fmt: skip
@overload
def grad(outputs: Outputs, inputs: Outputs, grad_outputs: Any = ..., create_graph: bool = ...,
         retain_graph: bool = ...) -> Any: ...  # fmt: skip
@overload
def grad(outputs: Callable[..., Any], inputs: Literal[0] = ..., *, has_aux: Literal[False] = ...) -> Gradient: ...
@overload
def grad(outputs: Callable[..., Any], *, argnums: Literal[0], has_aux: Literal[False] = ...) -> Gradient: ...
@overload
def grad(outputs: Callable[..., Any], inputs: int | Sequence[int] = ..., *, argnums: int | Sequence[int] = ...,
         has_aux: bool = ...) -> Callable[..., Any]: ...  # fmt: skip


def grad(outputs: Any, inputs: Any = _MISSING, grad_outputs: Any = None, create_graph: bool = False,
         retain_graph: bool = False, *, argnums: Any = _MISSING, has_aux: bool = False) -> Any:  # fmt: skip
    """Gradients of tensors with respect to other tensors, or the function that computes the gradient of a function.

    For tensors, ``tg.grad(outputs, inputs)`` computes gradients without changing any ``.grad``, as in PyTorch. For a
    function, ``tg.grad(f)`` is the function that computes the gradient of ``f``, as in JAX; see `value_and_grad`.

    Parameters
    ----------
    outputs
        A tensor, or a sequence of tensors whose gradients are summed. Or a function.
    inputs
        A tensor or a sequence of them; they need not be leaves. For a function, ``argnums``.
    grad_outputs
        The gradients to start from, like ``outputs``; 1 for outputs with one element. If one of them requires a
        gradient itself, the computation is recorded.
    create_graph
        Record the computation, so that the results can be differentiated again; they are tensors.
    retain_graph
        Keep the graph for another backward pass. By default it is freed.
    argnums, has_aux
        For a function: see `value_and_grad`.

    Returns
    -------
    ndarray or Tensor, or a tuple of them for a sequence of inputs
        None for an input that the outputs do not depend on. Or a function.

    Raises
    ------
    RuntimeError
        If no output, or one of the inputs, requires a gradient.

    Examples
    --------
    >>> x = tg.Tensor([1.0, 2.0], requires_grad=True)
    >>> tg.grad(np.sum(x**3), x)
    array([ 3., 12.])
    >>> (first,) = tg.grad([np.sum(x**3)], [x], create_graph=True)
    >>> tg.grad(np.sum(first), x)  # the second derivative, 6 x
    array([ 6., 12.])
    >>> slope = tg.grad(lambda x: np.sum(x**3))
    >>> slope(np.array([1.0, 2.0]))
    array([ 3., 12.])
    """
    is_function = callable(outputs) and not isinstance(outputs, Variable)
    if not is_function:
        if argnums is not _MISSING or has_aux:
            raise TypeError("argnums and has_aux are supported for functions only, tg.grad(f, argnums=0); "
                            f"the first argument is a {type(outputs).__name__}")  # fmt: skip
        if inputs is _MISSING:
            raise TypeError("grad of tensors: missing required argument 'inputs': write tg.grad(outputs, inputs), or "
                            "tg.grad(f) for the gradient of a function")  # fmt: skip
        return gradients.grad(outputs, inputs, grad_outputs, create_graph, retain_graph)
    if grad_outputs is not None or create_graph or retain_graph:
        raise TypeError("grad_outputs, create_graph and retain_graph are supported for tensors only, tg.grad(outputs, "
                        "inputs): tg.grad(f)(x) is recorded if x requires a gradient")  # fmt: skip
    if argnums is _MISSING:
        argnums = 0 if inputs is _MISSING else inputs
    elif inputs is not _MISSING:
        raise TypeError("grad of a function takes no inputs: write tg.grad(f, argnums)(*inputs)")
    both = value_and_grad(outputs, argnums, has_aux)

    @functools.wraps(outputs, updated=())
    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, found = both(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    return gradient


@overload
def value_and_grad(f: Callable[..., Any], argnums: Literal[0] = ..., has_aux: Literal[False] = ...
                   ) -> ValueAndGradient: ...  # fmt: skip
@overload
def value_and_grad(f: Callable[..., Any], argnums: int | Sequence[int] = ..., has_aux: bool = ...
                   ) -> Callable[..., tuple[Any, Any]]: ...  # fmt: skip


def value_and_grad(f: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False
                   ) -> Callable[..., tuple[Any, Any]]:  # fmt: skip
    """The function that computes the value of ``f`` and its gradient in one pass, as in JAX and HIPS autograd.

    Parameters
    ----------
    f
        A function whose value has one element.
    argnums
        The position of the argument to differentiate with respect to, or a sequence of positions. Such an argument is
        an array, or a nested list, tuple or dict of arrays. Other arguments are passed on unchanged.
    has_aux
        Whether ``f`` returns a pair of the value and an auxiliary result that is not differentiated.

    Returns
    -------
    function
        A function with the arguments of ``f``. It returns ``(value, gradient)``, or ``((value, aux), gradient)``; for
        a sequence of positions, the gradient is a tuple. The results are arrays, or tensors, which can be
        differentiated again, if an argument or a variable of the closure of ``f`` requires a gradient.

    Raises
    ------
    ShapeError
        If the value of ``f`` has more than one element: take the `jacobian`.

    Examples
    --------
    >>> def loss(w, x, y):
    ...     return np.mean((x @ w["weight"] + w["bias"] - y) ** 2)
    >>> w = {"weight": np.array([1.0, 2.0]), "bias": np.array(0.0)}
    >>> value, gradient = tg.value_and_grad(loss)(w, np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([0.0, 0.0]))
    >>> print(value, gradient["weight"], gradient["bias"])
    2.5 [1. 2.] 3.0
    """
    if isinstance(f, Variable) or not callable(f):
        raise TypeError(f"value_and_grad takes a function, got {type(f).__name__}: for tensors, write "
                        "tg.grad(outputs, inputs)")  # fmt: skip
    numbers = _numbers(argnums)
    name = getattr(f, "__name__", type(f).__name__)

    @functools.wraps(f, updated=())
    def both(*args: Any, **kwargs: Any) -> Any:
        for number in numbers:
            if not -len(args) <= number < len(args):
                raise TypeError(f"grad of {name}: there is no positional argument {number} among {len(args)}; pass the "
                                "arguments to differentiate by position")  # fmt: skip
        aux: list[Any] = []

        def partial(*chosen: Any) -> Any:
            replaced = list(args)
            for number, x in zip(numbers, chosen, strict=True):
                replaced[number] = x
            out = f(*replaced, **kwargs)
            if not has_aux:
                return out
            if not isinstance(out, tuple) or len(out) != 2:
                raise TypeError(f"has_aux: {name} must return a pair (value, aux), got {type(out).__name__}")
            aux.append(out[1])
            return out[0]

        call = Call(partial, tuple(args[number] for number in numbers), False)
        if len(call.outputs) != 1 or call.outputs[0].size != 1:
            shapes = ", ".join(str(out.shape) for out in call.outputs)
            raise ShapeError(f"a gradient needs a function whose value has one element, got {shapes} from "
                             f"{name}: sum the value, or use tg.jacobian")  # fmt: skip
        found = trees.refill(call.arguments, call.pull([0], [None]))
        if has_aux:
            rest = aux[0] if call.create_graph else trees.transform(value_of, aux[0])
            return (call.result, rest), found if isinstance(argnums, Sequence) else found[0]
        return call.result, found if isinstance(argnums, Sequence) else found[0]

    return both


def _numbers(argnums: Any) -> tuple[int, ...]:
    """``argnums`` as a tuple."""
    numbers = tuple(argnums) if isinstance(argnums, Sequence) and not isinstance(argnums, str) else (argnums,)
    if not numbers or not all(isinstance(n, int) and not isinstance(n, bool) for n in numbers):
        raise TypeError("argnums must be the position of an argument, or a sequence of positions, got "
                        f"{type(argnums).__name__}: write tg.grad(f)(x) for the gradient at x, and tg.grad(y, x) for "
                        "that of a tensor")  # fmt: skip
    return numbers
