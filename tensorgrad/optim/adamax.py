"""Adamax: Adam with the largest gradient so far, which decays, in place of the root mean square."""

from __future__ import annotations

import numpy as np

from tensorgrad.blas import axpby
from tensorgrad.engine.tape import Array
from tensorgrad.optim.checks import both_in_range, in_range
from tensorgrad.optim.optimizer import Optimizer, Params, State


class Adamax(Optimizer):
    """Adamax, with PyTorch's keyword names, defaults and numerics.

    ::

        d = grad + weight_decay * p
        m = beta1 * m + (1 - beta1) * d
        u = max(beta2 * u, |d| + eps)
        p = p - lr / (1 - beta1**t) * m / u                                 at the t-th update, t = 1, 2, ...

    Weight decay is coupled. Source: Kingma and Ba, "Adam: a method for stochastic optimization", 2015, algorithm 2.

    Parameters
    ----------
    params, lr, weight_decay, maximize
        See `Optimizer`.
    betas
        ``(beta1, beta2)``, each in [0, 1).
    eps
        Added to the absolute value of the gradient.

    Examples
    --------
    >>> w = tg.Tensor([1.0, 100.0], requires_grad=True)
    >>> optimizer = tg.optim.Adamax([w], lr=0.1)
    >>> np.sum(w**2).backward()
    >>> optimizer.step()
    >>> w.data
    array([ 0.9, 99.9])
    """

    _in_blocks = True

    def __init__(self, params: Params, lr: float = 2e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0.0, *, maximize: bool = False) -> None:  # fmt: skip
        super().__init__(params, lr, weight_decay, maximize)
        self.betas = both_in_range(betas)
        self.eps = in_range("eps", eps)

    def _new_state(self, p: Array) -> State:
        return {"step": 0, "exp_avg": np.zeros_like(p), "exp_inf": np.zeros_like(p)}

    def _begin(self, p: Array, state: State) -> None:
        state["step"] += 1
        self._rate = self.lr / (1 - self.betas[0] ** state["step"])

    def _update(self, p: Array, d: Array, state: State, *scratch: Array) -> None:
        (beta1, beta2), m, u, s = self.betas, state["exp_avg"], state["exp_inf"], scratch[1]
        axpby(1 - beta1, d, beta1, m, s)
        np.add(np.absolute(d, out=s), self.eps, out=s)
        np.maximum(np.multiply(u, beta2, out=u), s, out=u)
        self._descend(p, np.divide(m, u, out=s), self._rate, s)
