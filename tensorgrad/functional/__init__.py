"""Neural network functions that NumPy does not have.

All of them accept arrays or tensors, and return arrays for arrays. Names, parameters and results follow PyTorch
(``torch.nn.functional``), except that axes are called ``axis`` and random numbers come from an explicit generator.
"""

from tensorgrad.frontend.methods import attach
from tensorgrad.functional import (
    activations,
    adaptive_pooling,
    attention,
    convolution,
    cumulative,
    embeddings,
    error_function,
    interpolation,
    losses,
    normalization,
    pooling,
    probabilities,
    regularization,
    sliding_blocks,
    vectors,
)
from tensorgrad.functional.activations import *  # noqa: F403
from tensorgrad.functional.adaptive_pooling import *  # noqa: F403
from tensorgrad.functional.attention import *  # noqa: F403
from tensorgrad.functional.convolution import *  # noqa: F403
from tensorgrad.functional.cumulative import *  # noqa: F403
from tensorgrad.functional.embeddings import *  # noqa: F403
from tensorgrad.functional.error_function import *  # noqa: F403
from tensorgrad.functional.interpolation import *  # noqa: F403
from tensorgrad.functional.losses import *  # noqa: F403
from tensorgrad.functional.normalization import *  # noqa: F403
from tensorgrad.functional.pooling import *  # noqa: F403
from tensorgrad.functional.probabilities import *  # noqa: F403
from tensorgrad.functional.regularization import *  # noqa: F403
from tensorgrad.functional.sliding_blocks import *  # noqa: F403
from tensorgrad.functional.vectors import *  # noqa: F403

__all__: list[str] = []  # for type checkers, __init__.pyi has the names and signatures
__all__ += activations.__all__
__all__ += adaptive_pooling.__all__
__all__ += attention.__all__
__all__ += convolution.__all__
__all__ += cumulative.__all__
__all__ += embeddings.__all__
__all__ += error_function.__all__
__all__ += interpolation.__all__
__all__ += losses.__all__
__all__ += normalization.__all__
__all__ += pooling.__all__
__all__ += probabilities.__all__
__all__ += regularization.__all__
__all__ += sliding_blocks.__all__
__all__ += vectors.__all__

attach(  # those that PyTorch's tensors have as methods
    activations.relu,
    activations.sigmoid,
    error_function.erf,
    error_function.erfc,
    probabilities.log_softmax,
    probabilities.logsumexp,
    probabilities.softmax,
)


def __dir__() -> list[str]:
    return [*__all__, "__doc__"]
