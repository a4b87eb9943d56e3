"""A user's program, for type checkers: operators, methods and attributes of tensors."""

from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray

import tensorgrad as tg

array = np.ones((3, 2), np.float32)
t = tg.Tensor([[1.0, 2.0]], requires_grad=True, dtype=np.float32)

assert_type(t + 1, tg.Tensor)
assert_type(1 - t, tg.Tensor)
assert_type(t * array, tg.Tensor)
assert_type(t / t, tg.Tensor)
assert_type(2.0**t, tg.Tensor)
assert_type(t**2, tg.Tensor)
assert_type(t @ array.T, tg.Tensor)
assert_type(-t, tg.Tensor)
assert_type(abs(t), tg.Tensor)
assert_type(round(t, 2), tg.Tensor)
assert_type(t[0], tg.Tensor)
assert_type(t[:, None, np.array([0, 1])], tg.Tensor)
assert_type(list(t), list[tg.Tensor])
assert_type(t > 0, NDArray[np.bool])
assert_type(t <= t, NDArray[np.bool])
assert_type(t == 0, NDArray[np.bool])

assert_type(t.sum(), tg.Tensor)
assert_type(t.mean(axis=(0, 1), keepdims=True), tg.Tensor)
assert_type(t.max(axis=1), tg.Tensor)
assert_type(t.clip(0, None), tg.Tensor)
assert_type(t.reshape(2, -1).transpose(1, 0).swapaxes(0, 1), tg.Tensor)
assert_type(t.exp().log1p().relu(), tg.Tensor)
assert_type(t.log_softmax(axis=0), tg.Tensor)
assert_type(t.astype(np.float64).copy(), tg.Tensor)
assert_type(t.argsort(), NDArray[np.intp])
assert_type(t.T, tg.Tensor)
assert_type(t.detach(), tg.Tensor)

assert_type(t.shape, tuple[int, ...])
assert_type(t.ndim, int)
assert_type(t.requires_grad, bool)
assert_type(t.data, NDArray[Any])
assert_type(t.numpy(), NDArray[Any])
assert_type(t.grad, NDArray[Any] | None)

(t * t).sum().backward()
if t.grad is not None:
    assert_type(t.grad, NDArray[Any])
t.grad = None
t.requires_grad = False
t += 1
t[0] = array[0]
