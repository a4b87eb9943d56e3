"""tensorgrad: a Tensor is an ndarray that remembers how it was made.

>>> import numpy as np, tensorgrad as tg
>>> w = tg.Tensor([1.0, 2.0, 3.0], requires_grad=True)
>>> loss = np.sum(np.tanh(w) ** 2)
>>> loss.backward()
>>> w.grad.shape
(3,)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tensorgrad import nn, optim, schedules
from tensorgrad.errors import (
    CheckpointError,
    ConfigError,
    DataError,
    DataNotFoundError,
    FreedGraphError,
    GradcheckError,
    NoRuleError,
    OverwriteError,
    ShapeError,
    TensorgradError,
)
from tensorgrad.functional import cross_entropy, dropout, log_softmax, logsumexp, relu, sigmoid, softmax, softplus
from tensorgrad.gradcheck import gradcheck, gradgradcheck
from tensorgrad.table import primitive, rule
from tensorgrad.tape import no_grad
from tensorgrad.tensor import Tensor
from tensorgrad.transforms import grad

if TYPE_CHECKING:
    from tensorgrad import data
    from tensorgrad.checkpoint import Checkpoint, load, save

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """What reads files is imported when it is first used: that costs more than all the rest."""
    if name == "data":
        return import_module("tensorgrad.data")
    if name in ("Checkpoint", "load", "save"):
        return getattr(import_module("tensorgrad.checkpoint"), name)
    raise AttributeError(f"module 'tensorgrad' has no attribute {name!r}")


__all__ = [
    "Checkpoint",
    "CheckpointError",
    "ConfigError",
    "DataError",
    "DataNotFoundError",
    "FreedGraphError",
    "GradcheckError",
    "NoRuleError",
    "OverwriteError",
    "ShapeError",
    "Tensor",
    "TensorgradError",
    "cross_entropy",
    "data",
    "dropout",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "load",
    "log_softmax",
    "logsumexp",
    "nn",
    "no_grad",
    "optim",
    "primitive",
    "relu",
    "rule",
    "save",
    "schedules",
    "sigmoid",
    "softmax",
    "softplus",
]
