"""Neural networks: initial weights, layers, and parameters by name.

No base class: a model is any object that holds tensors in its attributes, lists and dicts, and `parameters`
finds them there. A layer is any callable. It says by attributes what else is to be known of it:

``buffers = ("running_mean",)``
    The names of those of its arrays that are saved with the parameters, though nothing trains them.
``training``
    What `train` and `eval` set, by walking as `parameters` does: the layer computes otherwise in the two.
``draws = True``
    It draws random numbers: a `Sequential` calls it as ``layer(x, rng)``.

Randomness is an argument: a model called as ``model(x, rng)`` draws its dropout masks from ``rng``, and called as
``model(x)`` draws nothing.
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
