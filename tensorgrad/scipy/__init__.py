"""SciPy's functions that are no ufuncs, for tensors, under SciPy's names; docs/scipy.md lists them.

NumPy's protocols do not reach them, so that they have to be called from here. Each takes arrays or tensors, and
returns arrays for arrays. Ufuncs, such as ``scipy.special.expit``, are called where SciPy has them.

>>> import numpy as np, tensorgrad as tg, tensorgrad.scipy
>>> x = tg.Tensor([1.0, 2.0], requires_grad=True)
>>> tg.grad(tg.scipy.special.logsumexp(x), x)
array([0.2689, 0.7311])
"""

try:
    import scipy.special as _special  # noqa: F401  (whether it is there)
except ImportError as error:
    raise ImportError("tensorgrad.scipy needs SciPy: python -m pip install scipy") from error

from tensorgrad.scipy import integrate, linalg, signal, sparse, special, stats

__all__ = ["integrate", "linalg", "signal", "sparse", "special", "stats"]
