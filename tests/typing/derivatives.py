"""A user's program, for type checkers: derivatives of functions, in the structure of their inputs and outputs."""

from collections.abc import Callable
from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray

import tensorgrad as tg

Floats = np.ndarray[tuple[int, int], np.dtype[np.float64]]
array: Floats = np.ones((3, 2))
weights: dict[str, Floats] = {"a": array, "b": 2 * array}
t = tg.Tensor(array, requires_grad=True)


def cube(x: tg.Tensor) -> tg.Tensor:
    """One input, one output."""
    return x**3


def loss(x: tg.Tensor) -> tg.Tensor:
    """One element."""
    return (x**3).sum()


def error(x: tg.Tensor, y: tg.Tensor) -> tg.Tensor:
    """Two inputs."""
    return ((x - 2 * y) ** 2).sum()


def penalty(params: dict[str, tg.Tensor], factor: float) -> tg.Tensor:
    """A nested input."""
    return factor * (params["a"] ** 2 + params["b"] ** 2).sum()


# Gradients: in the structure of the first argument
assert_type(tg.grad(loss)(array), Floats)
assert_type(tg.grad(loss)(1.0), NDArray[Any])
assert_type(tg.grad(loss)(t), tg.Tensor | Any)
assert_type(tg.grad(penalty)(weights, 0.1), dict[str, Floats])
assert_type(tg.grad(lambda x: np.sum(np.sin(x)))(array), Floats)
assert_type(tg.grad(error, argnums=0)(array, array), Floats)
assert_type(tg.value_and_grad(loss)(array), tuple[NDArray[Any], Floats])
assert_type(tg.value_and_grad(penalty)(weights, factor=0.1), tuple[NDArray[Any], dict[str, Floats]])
assert_type(tg.value_and_grad(loss)(t), tuple[tg.Tensor | Any, tg.Tensor | Any])

# Second derivatives
assert_type(tg.hessian(loss, array), NDArray[Any])
assert_type(tg.hessian(loss, t), tg.Tensor | Any)
assert_type(tg.hessian(loss, array, create_graph=True), tg.Tensor)
assert_type(tg.hessian(error, array, array), tuple[tuple[NDArray[Any], ...], ...])
assert_type(tg.hvp(loss, array, array), NDArray[Any])
assert_type(tg.hvp(loss, t, array), tg.Tensor | Any)
assert_type(tg.hvp(loss, array, array, create_graph=True), tg.Tensor)

# Jacobians, and products with them
assert_type(tg.jacobian(cube, array), NDArray[Any])
assert_type(tg.jacobian(cube, t), tg.Tensor | Any)
assert_type(tg.jacobian(cube, array, create_graph=True), tg.Tensor)
assert_type(tg.jacobian(error, array, array), tuple[NDArray[Any], ...])
assert_type(tg.jvp(cube, array, array), tuple[NDArray[Any], NDArray[Any]])
assert_type(tg.jvp(error, (array, array), (array, array)), tuple[NDArray[Any], NDArray[Any]])
assert_type(tg.jvp(cube, t, array), tuple[tg.Tensor | Any, tg.Tensor | Any])
assert_type(tg.jvp(cube, array, array, create_graph=True), tuple[tg.Tensor, tg.Tensor])
out, pullback = tg.vjp(cube, array)
assert_type(out, NDArray[Any])
assert_type(pullback, Callable[..., NDArray[Any]])
assert_type(pullback(out), NDArray[Any])
total, pullbacks = tg.vjp(error, array, array)
assert_type(total, NDArray[Any])
assert_type(pullbacks(), tuple[NDArray[Any], ...])
assert_type(tg.vjp(cube, array, create_graph=True), tuple[tg.Tensor, Callable[..., tg.Tensor]])
result, pull = tg.vjp(cube, t)
assert_type(result, tg.Tensor | Any)
assert_type(pull(result), tg.Tensor | Any)
