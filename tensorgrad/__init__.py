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

from tensorgrad import errors, functional, optim, rules, schedules  # noqa: F401  (rules fills the gradient table)
from tensorgrad.debug.anomaly import detect_anomaly
from tensorgrad.debug.gradcheck import gradcheck, gradgradcheck
from tensorgrad.engine.registry import rule
from tensorgrad.errors import *  # noqa: F403
from tensorgrad.frontend.modes import no_grad
from tensorgrad.frontend.spelling import missing
from tensorgrad.frontend.tensor import Tensor
from tensorgrad.functional import *  # noqa: F403
from tensorgrad.rules.creation import array
from tensorgrad.transforms.derivatives import hessian, hvp, jacobian, jvp, vjp
from tensorgrad.transforms.functions import grad, value_and_grad
from tensorgrad.transforms.recompute import checkpoint
from tensorgrad.transforms.structures import primitive

if TYPE_CHECKING:
    from tensorgrad import data, nn
    from tensorgrad.checkpoints import Checkpoint, load, save
    from tensorgrad.compiling import compile
    from tensorgrad.drawing import Drawing, draw
    from tensorgrad.exporting import Imported, export, import_model
    from tensorgrad.minimizing import minimize

__version__ = "0.2.0"

__all__ = [
    "Checkpoint",
    "Drawing",
    "Imported",
    "Tensor",
    "array",
    "checkpoint",
    "compile",
    "data",
    "detect_anomaly",
    "draw",
    "export",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "hessian",
    "hvp",
    "import_model",
    "jacobian",
    "jvp",
    "load",
    "minimize",
    "nn",
    "no_grad",
    "optim",
    "primitive",
    "rule",
    "save",
    "schedules",
    "value_and_grad",
    "vjp",
]
__all__ += errors.__all__
__all__ += functional.__all__

# Imported at first use: layers, and files and drawings, which import the slowest modules of the standard library.
_ON_USE = {"data": "data", "nn": "nn", "Checkpoint": "checkpoints", "load": "checkpoints", "save": "checkpoints",
           "Drawing": "drawing", "draw": "drawing",
           "compile": "compiling",
           "Imported": "exporting", "export": "exporting", "import_model": "exporting",
           "minimize": "minimizing"}  # fmt: skip


if not TYPE_CHECKING:  # hidden from type checkers, which would accept any name

    def __getattr__(name: str) -> Any:
        if name not in _ON_USE:
            raise AttributeError(f"module 'tensorgrad' has no attribute {name!r}{missing(name)}")
        module = import_module(f"tensorgrad.{_ON_USE[name]}")
        globals()[name] = value = module if name in ("data", "nn") else getattr(module, name)
        return value


def __dir__() -> list[str]:
    return [*__all__, "__doc__", "__version__"]
