"""Mistakes that a type checker has to find: each line says with which code of mypy's."""

import tensorgrad as tg

t = tg.Tensor([1.0, 2.0], requires_grad=True)
t.grad.sum()  # [union-attr]
t.summ()  # [attr-defined]
t.sum(axis="rows")  # [arg-type]
number: float = t.mean()  # [assignment]
t + None  # [arg-type]
t.ndim = 2  # [misc]
tg.tensor([1.0])  # [attr-defined]
