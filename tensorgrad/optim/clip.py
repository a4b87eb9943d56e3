"""Gradient clipping, by the norm of all gradients or element by element.

Clipped gradients are new arrays, because those set by `backward` may be shared between parameters, or read-only. They
are arrays even if `backward` set tensors (``create_graph=True``): the clipping is not differentiated.
"""

from __future__ import annotations

import math

import numpy as np

from tensorgrad.engine.tape import value_of
from tensorgrad.optim.checks import Params, by_name
from tensorgrad.optim.one_call import as_one_call


@as_one_call(sets_grad=True)
def clip_grad_norm(params: Params, max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False) -> float:
    """Scale all gradients by ``min(1, max_norm / (norm + 1e-6))``, and return the norm they had.

    The norm is that of the concatenated gradients of ``params`` (a Tensor, several, or a dict of them). Equivalent to
    PyTorch's ``clip_grad_norm_``. Source: Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural
    networks", 2013, algorithm 1.

    Parameters
    ----------
    params
        Parameters without a gradient are skipped.
    max_norm
        The maximum norm.
    norm_type
        The order of the norm, greater than 0; ``math.inf`` for the largest absolute value.
    error_if_nonfinite
        Raise an error, before any gradient is changed, if the norm is infinite or NaN. By default such gradients become
        zero and NaN, as in PyTorch.

    Raises
    ------
    RuntimeError
        See ``error_if_nonfinite``.

    Examples
    --------
    >>> w = tg.Tensor([3.0, 4.0], requires_grad=True)
    >>> np.sum(w**2 / 2).backward()
    >>> tg.optim.clip_grad_norm(w, 1.0)
    5.0
    >>> w.grad
    array([0.6, 0.8])
    """
    if not max_norm >= 0:
        raise ValueError(f"max_norm must be at least 0, got {max_norm}")
    if not norm_type > 0:
        raise ValueError(f"norm_type must be greater than 0, got {norm_type}")
    owners = [p for p in by_name(params).values() if p.grad is not None]
    gradients = [np.asarray(value_of(p.grad)) for p in owners]
    # In double precision: the squares of float32 overflow at 1e19.
    norms = [np.linalg.norm(np.asarray(g, float).ravel(), norm_type) for g in gradients if g.size]
    norm = float(np.linalg.norm(norms, norm_type)) if norms else 0.0
    if error_if_nonfinite and not math.isfinite(norm):
        raise RuntimeError(
            f"the norm of all gradients is {norm}: find the first operation that overflowed, or lower the learning "
            "rate; error_if_nonfinite=False scales the gradients anyway"
        )
    factor = max_norm / (norm + 1e-6)
    if not factor >= 1:  # also for NaN
        with np.errstate(invalid="ignore"):  # 0 * inf: the returned norm is infinite
            for p, g in zip(owners, gradients, strict=True):
                p.grad = np.asarray(np.multiply(g, factor))
    return norm


@as_one_call(sets_grad=True)
def clip_grad_value(params: Params, clip_value: float) -> None:
    """Clip every element of the gradients of ``params`` to ``[-clip_value, clip_value]``; NaN stays NaN.

    Equivalent to PyTorch's ``clip_grad_value_``. ``params`` is a Tensor, several, or a dict of them; those without a
    gradient are skipped.

    Examples
    --------
    >>> w = tg.Tensor([3.0, 4.0], requires_grad=True)
    >>> np.sum(w**2).backward()
    >>> tg.optim.clip_grad_value(w, 7.0)
    >>> w.grad
    array([6., 7.])
    """
    if not clip_value >= 0:
        raise ValueError(f"clip_value must be at least 0, got {clip_value}")
    for p in by_name(params).values():
        if p.grad is not None:
            p.grad = np.asarray(np.clip(value_of(p.grad), -clip_value, clip_value))
