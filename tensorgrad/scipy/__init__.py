"""SciPy's functions for tensors, under SciPy's names; docs/scipy.md lists them.

Only SciPy's ufuncs, such as ``scipy.special.expit``, can be called directly with tensors. Its other functions do not
use NumPy's protocols; those that are supported are defined here. They accept arrays or tensors, and return arrays for
arrays.

>>> import numpy as np, tensorgrad as tg, tensorgrad.scipy
>>> x = tg.Tensor([1.0, 2.0], requires_grad=True)
>>> tg.grad(tg.scipy.special.logsumexp(x), x)
array([0.2689, 0.7311])
"""

try:
    import scipy.special as _special  # noqa: F401  (whether SciPy is installed)
except ImportError as error:
    raise ImportError("tensorgrad.scipy needs SciPy: python -m pip install scipy") from error

from tensorgrad.scipy import integrate, linalg, signal, sparse, special, stats

__all__ = ["integrate", "linalg", "signal", "sparse", "special", "stats"]


def __dir__() -> list[str]:
    return [*__all__, "__doc__"]
