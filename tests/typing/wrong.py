"""Mistakes that a type checker must find; the comment on each line is mypy's error code."""

import numpy as np

import tensorgrad as tg

t = tg.Tensor([1.0, 2.0], requires_grad=True)
t.grad.sum()  # [union-attr]
t.summ()  # [attr-defined]
t.rleu()  # [attr-defined]
tg.rleu(t)  # [attr-defined]
t.sum(axis="rows")  # [arg-type]
number: float = t.mean()  # [assignment]
t + None  # [arg-type]
t.ndim = 2  # [misc]
tg.tensor([1.0])  # [attr-defined]
tg.cross_entropy(t)  # [call-overload]
tg.relu(t, 0.1)  # [call-arg]
tg.cross_entropy([[1.0]], [0], reduction=1)  # [call-overload]
tg.no_grad()(t)  # [type-var]
tg.nn.LSTM(3, 4, 2)  # [arg-type]
tg.grad(lambda x: x.sum())(np.ones(2)).backward()  # [attr-defined]
tg.hessian(lambda x: x.sum(), np.ones(2)).backward()  # [attr-defined]
tg.value_and_grad(lambda x: x.sum())(np.ones(2)).append(1)  # [attr-defined]
tg.grad(lambda x: x.sum())(np.ones(2)).shap()  # [attr-defined]
