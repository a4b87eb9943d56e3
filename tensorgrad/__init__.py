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

from tensorgrad import errors, functional, rules  # noqa: F401  (rules fills the gradient table)
from tensorgrad.engine.registry import rule
from tensorgrad.errors import *  # noqa: F403
from tensorgrad.frontend.modes import no_grad
from tensorgrad.frontend.spelling import missing
from tensorgrad.frontend.tensor import Tensor
from tensorgrad.rules.creation import array

if TYPE_CHECKING:
    from tensorgrad import data, nn, optim, schedules
    from tensorgrad.checkpoints import Checkpoint, load, save
    from tensorgrad.compiling import compile
    from tensorgrad.debug.anomaly import detect_anomaly
    from tensorgrad.debug.gradcheck import gradcheck, gradgradcheck
    from tensorgrad.drawing import Drawing, draw
    from tensorgrad.exporting import Imported, export, import_model
    from tensorgrad.functional import *  # noqa: F403
    from tensorgrad.minimizing import minimize
    from tensorgrad.transforms.derivatives import hessian, hvp, jacobian, jvp, vjp
    from tensorgrad.transforms.functions import grad, value_and_grad
    from tensorgrad.transforms.recompute import checkpoint
    from tensorgrad.transforms.structures import primitive

__version__ = "0.2.0"

__all__ = ["Checkpoint", "Drawing", "Imported", "Tensor", "array", "checkpoint", "compile", "data", "detect_anomaly",
           "draw", "export", "grad", "gradcheck", "gradgradcheck", "hessian", "hvp", "import_model", "jacobian", "jvp",
           "load", "minimize", "nn", "no_grad", "optim", "primitive", "rule", "save", "schedules", "value_and_grad",
           "vjp"]  # fmt: skip
__all__ += errors.__all__
__all__ += functional.__all__

# Imported at first use, so that programs that do not use them start faster: names by module.
_MODULES = ("data", "nn", "optim", "schedules")
_NAMES = {
    "checkpoints": ("Checkpoint", "load", "save"),
    "compiling": ("compile",),
    "debug.anomaly": ("detect_anomaly",),
    "debug.gradcheck": ("gradcheck", "gradgradcheck"),
    "drawing": ("Drawing", "draw"),
    "exporting": ("Imported", "export", "import_model"),
    "functional": functional.__all__,
    "minimizing": ("minimize",),
    "transforms.derivatives": ("hessian", "hvp", "jacobian", "jvp", "vjp"),
    "transforms.functions": ("grad", "value_and_grad"),
    "transforms.recompute": ("checkpoint",),
    "transforms.structures": ("primitive",),
}
_ON_USE = {name: module for module, names in _NAMES.items() for name in names} | {name: name for name in _MODULES}


if not TYPE_CHECKING:  # hidden from type checkers, which would accept any name

    def __getattr__(name: str) -> Any:
        if name not in _ON_USE:
            raise AttributeError(f"module 'tensorgrad' has no attribute {name!r}{missing(name)}")
        module = import_module(f"tensorgrad.{_ON_USE[name]}")
        globals()[name] = value = module if name in _MODULES else getattr(module, name)
        return value


def __dir__() -> list[str]:
    return [*__all__, "__doc__", "__version__"]
