"""Optimizers: they read ``.grad`` of leaf tensors and update their values in place.

::

    optimizer = tg.optim.AdamW(tg.nn.parameters(model), lr=1e-3)
    average = tg.optim.EMA(tg.nn.parameters(model))
    for update in range(updates):
        optimizer.zero_grad()
        loss_of(model).backward()
        tg.optim.clip_grad_norm(optimizer.params, 1.0)
        optimizer.lr = 1e-3 * schedule(update)  # of tg.schedules
        optimizer.step()
        average.update()

Options of some of the parameters are given in parameter groups, whose rates a schedule scales together::

    optimizer = tg.optim.AdamW([{"params": head}, {"params": body, "lr": 1e-4, "weight_decay": 0.0}], lr=1e-3)
    ...
    optimizer.scale_lr(schedule(update))

Keyword names, defaults and numerics are PyTorch's. Weight decay is *decoupled* in AdamW, where it is applied to the
weights directly, and *coupled* elsewhere, where it is added to the gradient (an L2 penalty); NAdam and RAdam have the
parameter ``decoupled_weight_decay``.

Large parameters are updated by NumPy's BLAS if it is available; see `tensorgrad.blas`. The results may then differ from
those of NumPy in the last digits; ``TENSORGRAD_BLAS=0`` in the environment disables it.
"""

from tensorgrad.optim.adagrad import Adadelta, Adagrad, RMSprop
from tensorgrad.optim.adam import Adam, AdamW, NAdam, RAdam
from tensorgrad.optim.adamax import Adamax
from tensorgrad.optim.clip import clip_grad_norm, clip_grad_value
from tensorgrad.optim.ema import EMA
from tensorgrad.optim.optimizer import Optimizer
from tensorgrad.optim.rprop import Rprop
from tensorgrad.optim.sgd import ASGD, SGD

__all__ = [
    "ASGD",
    "EMA",
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "Rprop",
    "clip_grad_norm",
    "clip_grad_value",
]


def __dir__() -> list[str]:
    return [*__all__, "__doc__"]
