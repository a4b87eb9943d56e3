"""The spellings of docs/typing.md for NumPy's functions on tensors."""

from typing import Any, assert_type

import numpy as np

import tensorgrad as tg

anp: Any = np

array = np.ones((2, 2))
t = tg.Tensor(array, requires_grad=True)
y: tg.Tensor = np.exp(t)
z: tg.Tensor = anp.einsum("ij,kj->ik", y, t)
loss = z.log_softmax().mean()
loss.backward()
assert_type(array @ t, tg.Tensor)
assert_type(array + t, tg.Tensor)
with tg.no_grad():
    t -= 0.1
