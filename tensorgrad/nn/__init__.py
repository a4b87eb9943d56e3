"""Neural networks: initial weights, layers, and parameters by name.

There is no base class: a model is any object with tensors in its attributes, lists and dicts, where `parameters` finds
them. A layer is any callable. It may have these attributes:

``buffers = ("running_mean",)``
    The names of arrays that are saved with the parameters, but are not trained.
``training``
    Set by `train` and `eval`, if the layer behaves differently in training and evaluation mode.
``draws = True``
    The layer draws random numbers: a `Sequential` calls it as ``layer(x, rng)``.

Randomness is an argument: ``model(x, rng)`` draws dropout masks from ``rng``, and ``model(x)`` does not draw any.
"""

from typing import TYPE_CHECKING, Any

from tensorgrad.nn import (
    attention,
    containers,
    convolution,
    initializers,
    layers,
    modes,
    normalization,
    pooling,
    recurrent,
    state,
    summaries,
)
from tensorgrad.nn.attention import *  # noqa: F403
from tensorgrad.nn.containers import *  # noqa: F403
from tensorgrad.nn.convolution import *  # noqa: F403
from tensorgrad.nn.initializers import *  # noqa: F403
from tensorgrad.nn.layers import *  # noqa: F403
from tensorgrad.nn.modes import *  # noqa: F403
from tensorgrad.nn.normalization import *  # noqa: F403
from tensorgrad.nn.pooling import *  # noqa: F403
from tensorgrad.nn.recurrent import *  # noqa: F403
from tensorgrad.nn.spelling import missing
from tensorgrad.nn.state import *  # noqa: F403
from tensorgrad.nn.summaries import *  # noqa: F403

__all__ = [
    *attention.__all__,
    *containers.__all__,
    *convolution.__all__,
    *initializers.__all__,
    *layers.__all__,
    *modes.__all__,
    *normalization.__all__,
    *pooling.__all__,
    *recurrent.__all__,
    *state.__all__,
    *summaries.__all__,
]

if not TYPE_CHECKING:  # hidden from type checkers, which would accept any name

    def __getattr__(name: str) -> Any:
        raise AttributeError(f"module 'tensorgrad.nn' has no attribute {name!r}{missing(name)}")


def __dir__() -> list[str]:
    return [*__all__, "__doc__"]
