"""Each optimizer with settings that cover every branch of its `_update`."""

import pytest

from tensorgrad.optim import ASGD, SGD, Adadelta, Adagrad, Adam, Adamax, AdamW, NAdam, RAdam, RMSprop, Rprop

# fmt: off
KINDS = [
    (SGD, {"lr": 0.1}), (SGD, {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}),
    (SGD, {"lr": 0.1, "momentum": 0.9, "dampening": 0.1}), (SGD, {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    (Adam, {}), (Adam, {"amsgrad": True, "weight_decay": 0.01}), (AdamW, {}),
    (NAdam, {"weight_decay": 0.01}), (NAdam, {"weight_decay": 0.01, "decoupled_weight_decay": True}),
    (RAdam, {"weight_decay": 0.01}), (RAdam, {"betas": (0.9, 0.8), "maximize": True}),
    (Adagrad, {"weight_decay": 0.01}), (RMSprop, {}), (RMSprop, {"momentum": 0.9, "centered": True}),
    (Adamax, {"weight_decay": 0.01}), (Adadelta, {"weight_decay": 0.01}), (Rprop, {"step_sizes": (1e-3, 0.02)}),
    (ASGD, {"lr": 0.1, "lambd": 0.1, "t0": 1, "weight_decay": 0.01}),
]
# fmt: on
EACH = pytest.mark.parametrize(
    ("kind", "chosen"), [pytest.param(k, c, id=f"{k.__name__} {' '.join(c)}") for k, c in KINDS]
)
