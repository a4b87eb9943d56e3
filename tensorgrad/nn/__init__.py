"""Neural networks: initial weights, layers, and parameters by name.

No base class: a model is any object that holds tensors in its attributes, lists and dicts, and `parameters`
finds them there. A layer is any callable. Randomness is an argument: a model called as ``model(x)`` is
deterministic, and called as ``model(x, rng)`` draws its dropout masks from ``rng``. A layer of your own that draws, in
a `Sequential`, says so by an attribute ``draws = True``, and is called as ``layer(x, rng)``.
"""

from tensorgrad.nn import initializers, layers, state
from tensorgrad.nn.initializers import *  # noqa: F403
from tensorgrad.nn.layers import *  # noqa: F403
from tensorgrad.nn.state import *  # noqa: F403

__all__ = [*initializers.__all__, *layers.__all__, *state.__all__]


def __dir__() -> list[str]:
    return [*__all__, "__doc__"]
