"""A user's program, for type checkers: layers, networks, and functions that search networks."""

from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray

import tensorgrad as tg

rng = np.random.default_rng(0)
x, images = np.ones((5, 4), np.float32), np.ones((2, 3, 8, 8), np.float32)

assert_type(tg.nn.Linear(4, 3, rng, init="pytorch")(x), tg.Tensor)
assert_type(tg.nn.Conv2d(3, 6, (3, 1), rng, padding="same")(images), tg.Tensor)
assert_type(tg.nn.ConvTranspose2d(3, 6, 2, rng, stride=2)(images), tg.Tensor)
assert_type(tg.nn.Embedding(10, 4, rng)(np.array([1, 2])), tg.Tensor)
output, (h, c) = tg.nn.LSTM(4, 3, rng, batch_first=True)(x[None])
assert_type(output, tg.Tensor)
assert_type(c, tg.Tensor)
states, last = tg.nn.GRU(4, 3, rng)(x[None], h[:, :1].data.repeat(5, axis=1))
assert_type(states, tg.Tensor)
attended, weights = tg.nn.MultiheadAttention(4, 2, rng)(x[None], x[None], x[None], need_weights=False)
assert_type(attended, tg.Tensor)
assert_type(weights, tg.Tensor | None)
assert_type(tg.nn.BatchNorm1d(3)(states[0]), tg.Tensor)
assert_type(tg.nn.LayerNorm(3)(states), tg.Tensor)
assert_type(tg.nn.Dropout(0.1)(states, rng), tg.Tensor)
assert_type(tg.nn.Flatten()(states), tg.Tensor)
assert_type(tg.nn.AvgPool1d(2)(states), tg.Tensor)


class Block:
    """A user-defined layer."""

    buffers = ("calls",)
    draws = True

    def __init__(self, rng: np.random.Generator) -> None:
        self.norm, self.drop = tg.nn.BatchNorm1d(4), tg.nn.Dropout(0.1)
        self.calls, self.training = np.array(0), True

    def __call__(self, x: Any, rng: np.random.Generator | None = None) -> Any:
        """The normalized input."""
        self.calls += self.training
        return self.drop(self.norm(x), rng)


net = tg.nn.Sequential({"block": tg.nn.Residual(Block(rng)), "act": np.tanh, "out": tg.nn.Linear(4, 2, rng)})
tg.nn.Sequential(tg.nn.MaxPool2d(2), tg.nn.Flatten(), tg.relu)(images)
with tg.nn.eval(net) as mode:
    net(x)
assert_type(mode.layers, list[str])
assert_type(tg.nn.parameters(net), dict[str, tg.Tensor])
assert_type(tg.nn.buffers(net), dict[str, NDArray[Any]])
assert_type(tg.nn.state_dict(net), dict[str, NDArray[Any]])
tg.nn.load_state_dict(net, tg.nn.state_dict(net))
assert_type(tg.nn.summary(net, (5, 4)).parameters, int)
