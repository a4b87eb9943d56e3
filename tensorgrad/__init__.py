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

from tensorgrad.anomaly import detect_anomaly
from tensorgrad.errors import (
    AnomalyError,
    AssignmentError,
    CheckpointError,
    ConfigError,
    DataError,
    DataNotFoundError,
    FreedGraphError,
    GradcheckError,
    GradientLostError,
    NoRuleError,
    OverwriteError,
    ShapeError,
    TensorgradError,
)
from tensorgrad.gradcheck import gradcheck, gradgradcheck
from tensorgrad.rules import rule
from tensorgrad.table import primitive
from tensorgrad.tape import no_grad
from tensorgrad.tensor import Tensor
from tensorgrad.transforms import grad

if TYPE_CHECKING:
    from tensorgrad import data, nn, optim, schedules
    from tensorgrad.derivatives import hessian, hvp, jacobian, jvp, vjp
    from tensorgrad.drawing import Drawing, draw
    from tensorgrad.functional import (
        avg_pool1d,
        avg_pool2d,
        avg_pool3d,
        batch_norm,
        binary_cross_entropy,
        binary_cross_entropy_with_logits,
        conv1d,
        conv2d,
        conv3d,
        conv_transpose1d,
        conv_transpose2d,
        conv_transpose3d,
        cross_entropy,
        dropout,
        elu,
        embedding,
        erf,
        erfc,
        gelu,
        group_norm,
        hardtanh,
        huber_loss,
        kl_div,
        l1_loss,
        layer_norm,
        leaky_relu,
        log_sigmoid,
        log_softmax,
        logsumexp,
        max_pool1d,
        max_pool2d,
        max_pool3d,
        mish,
        mse_loss,
        nll_loss,
        one_hot,
        relu,
        scaled_dot_product_attention,
        selu,
        sigmoid,
        silu,
        smooth_l1_loss,
        softmax,
        softplus,
        softsign,
    )
    from tensorgrad.npz import Checkpoint, load, save
    from tensorgrad.recompute import checkpoint

__version__ = "0.2.0"

# What is imported when it is first used, so that the engine alone is quick to import.
_LATER = {
    "derivatives": ("hessian", "hvp", "jacobian", "jvp", "vjp"),
    "drawing": ("Drawing", "draw"),
    "functional": (
        "avg_pool1d",
        "avg_pool2d",
        "avg_pool3d",
        "batch_norm",
        "binary_cross_entropy",
        "binary_cross_entropy_with_logits",
        "conv1d",
        "conv2d",
        "conv3d",
        "conv_transpose1d",
        "conv_transpose2d",
        "conv_transpose3d",
        "cross_entropy",
        "dropout",
        "elu",
        "embedding",
        "erf",
        "erfc",
        "gelu",
        "group_norm",
        "hardtanh",
        "huber_loss",
        "kl_div",
        "l1_loss",
        "layer_norm",
        "leaky_relu",
        "log_sigmoid",
        "log_softmax",
        "logsumexp",
        "max_pool1d",
        "max_pool2d",
        "max_pool3d",
        "mish",
        "mse_loss",
        "nll_loss",
        "one_hot",
        "relu",
        "scaled_dot_product_attention",
        "selu",
        "sigmoid",
        "silu",
        "smooth_l1_loss",
        "softmax",
        "softplus",
        "softsign",
    ),
    "npz": ("Checkpoint", "load", "save"),
    "recompute": ("checkpoint",),
}
_MODULE_OF = {name: module for module, names in _LATER.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in ("data", "nn", "optim", "schedules"):
        return import_module(f"tensorgrad.{name}")
    if name in _MODULE_OF:
        value = globals()[name] = getattr(import_module(f"tensorgrad.{_MODULE_OF[name]}"), name)
        return value
    raise AttributeError(f"module 'tensorgrad' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


__all__ = [
    "AnomalyError",
    "AssignmentError",
    "Checkpoint",
    "CheckpointError",
    "ConfigError",
    "DataError",
    "DataNotFoundError",
    "Drawing",
    "FreedGraphError",
    "GradcheckError",
    "GradientLostError",
    "NoRuleError",
    "OverwriteError",
    "ShapeError",
    "Tensor",
    "TensorgradError",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "batch_norm",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "checkpoint",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "cross_entropy",
    "data",
    "detect_anomaly",
    "draw",
    "dropout",
    "elu",
    "embedding",
    "erf",
    "erfc",
    "gelu",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "group_norm",
    "hardtanh",
    "hessian",
    "huber_loss",
    "hvp",
    "jacobian",
    "jvp",
    "kl_div",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "load",
    "log_sigmoid",
    "log_softmax",
    "logsumexp",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "mish",
    "mse_loss",
    "nll_loss",
    "nn",
    "no_grad",
    "one_hot",
    "optim",
    "primitive",
    "relu",
    "rule",
    "save",
    "scaled_dot_product_attention",
    "schedules",
    "selu",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "softmax",
    "softplus",
    "softsign",
    "vjp",
]
