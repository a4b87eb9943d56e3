"""A user's program, for type checkers: methods in a chain, a network, an optimizer, a schedule, data and a picture."""

from typing import assert_type

import numpy as np

import tensorgrad as tg

t = tg.Tensor([1.0, 2.0], requires_grad=True)
h = t.relu().log_softmax(axis=-1)
loss = (h.exp() + t.sigmoid().softmax(0)).logsumexp().sum()
svg: str = tg.draw(loss)._repr_svg_()
loss.backward()
assert_type(loss, tg.Tensor)
model = tg.nn.Linear(2, 3, np.random.default_rng(0))
optimizer = tg.optim.SGD(tg.nn.parameters(model), lr=0.1)
schedule: tg.schedules.Schedule = tg.schedules.cosine(T_max=10)
images = tg.data.digits().train_images
