"""A user's program, for type checkers: the functions of the package, and those that transform functions."""

from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray

import tensorgrad as tg

array = np.ones((3, 2))
t = tg.Tensor(array, requires_grad=True)
labels = np.array([0, 1, 1])

assert_type(tg.relu(t), tg.Tensor)
assert_type(tg.softmax(t, axis=0), tg.Tensor)
assert_type(tg.dropout(t, 0.5, np.random.default_rng(0)), tg.Tensor)
assert_type(tg.cross_entropy(t, labels, label_smoothing=0.1), tg.Tensor)
assert_type(tg.mse_loss(t, array), tg.Tensor)
assert_type(tg.layer_norm(t, 2, t[0]), tg.Tensor)
assert_type(tg.logsumexp(t), tg.Tensor)
weight = tg.Tensor(np.ones((4, 1, 3, 3)), requires_grad=True)
assert_type(tg.conv2d(np.ones((1, 1, 8, 8)), weight, padding="same"), tg.Tensor)
assert_type(tg.max_pool2d(weight, (2, 2)), tg.Tensor)
assert_type(tg.embedding(labels, t), tg.Tensor)
assert_type(tg.one_hot(labels), NDArray[np.int64])
assert_type(tg.array([t, t]), tg.Tensor)
assert_type(divmod(t, 2), tuple[tg.Tensor, tg.Tensor])
assert_type(divmod(2, t), tuple[tg.Tensor, tg.Tensor])

assert_type(tg.sigmoid(array), NDArray[Any])
assert_type(tg.sigmoid(0.5), float)
tg.cross_entropy(array, labels).item()  # a scalar of NumPy's, whose type is Any
tg.conv2d(weight, np.ones((4, 1, 3, 3))).sum().backward()

y, z = t.sum(), (t * t).sum()
assert_type(tg.grad(y, t), NDArray[Any] | Any)
assert_type(tg.grad(z, t, create_graph=True), tg.Tensor | Any)
assert_type(tg.grad([t.mean(), t], [t, t], [None, array]), tuple[NDArray[Any] | Any, ...])
assert_type(tg.grad([z], (t,), create_graph=True), tuple[tg.Tensor | Any, ...])
tg.grad(tg.grad(z, t, create_graph=True).sum(), t)


def loss(w: tg.Tensor, x: NDArray[Any]) -> tg.Tensor:
    """A function to transform."""
    return ((w * x) ** 2).sum()


tg.grad(loss)(array, array).sum()  # an array in place of the tensor
tg.grad(loss, 1)(array, array)
tg.grad(lambda x: x.sum(), argnums=[0])
value, gradient = tg.value_and_grad(loss)(array, array)
outputs, pullback = tg.vjp(loss, array, array)
pullback(outputs)


@tg.no_grad()
def first(x: tg.Tensor) -> tg.Tensor:
    """A function that does not record."""
    return x[0]


@tg.detect_anomaly()
def second(x: tg.Tensor) -> tg.Tensor:
    """A function that is watched."""
    return x[1]


@tg.checkpoint
def third(x: tg.Tensor, power: int = 2) -> tg.Tensor:
    """A function that is computed again."""
    return x**power


@tg.primitive
def double(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """A primitive, for arrays."""
    return 2 * x


tg.rule(double, lambda g, _ans, _x: 2 * g)
assert_type(first(t), tg.Tensor)
assert_type(second(t), tg.Tensor)
assert_type(third(t, power=3), tg.Tensor)
assert_type(double(array), NDArray[np.float64])
optimizer = tg.optim.SGD([{"params": [t]}, {"params": weight, "lr": 0.1}], lr=0.01)
assert_type(optimizer.param_groups[1].lr, float)
