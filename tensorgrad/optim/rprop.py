"""Rprop: steps whose sizes depend on the signs of the gradient only."""

from __future__ import annotations

import math

import numpy as np

from tensorgrad.engine.tape import Array
from tensorgrad.optim.optimizer import Optimizer, Params, State


class Rprop(Optimizer):
    """Resilient propagation, for gradients of the whole data, with PyTorch's keyword names, defaults and numerics.

    ::

        change = sign(grad) * previous
        size = size * (eta_plus  if change > 0,  eta_minus  if change < 0,  else 1), clipped to step_sizes
        previous = 0  if change < 0  else  sign(grad)
        p = p - previous * size                             (from previous = 0 and size = lr)

    Source: Riedmiller and Braun, "A direct adaptive method for faster backpropagation learning: the RPROP algorithm",
    1993.

    Parameters
    ----------
    params, maximize
        See `Optimizer`.
    lr
        The size of the first step of each parameter; later changes have no effect.
    etas
        ``(eta_minus, eta_plus)``, with ``0 < eta_minus < 1 < eta_plus``.
    step_sizes
        The smallest and the largest size.

    Examples
    --------
    >>> w = tg.Tensor([1.0, 100.0], requires_grad=True)
    >>> optimizer = tg.optim.Rprop([w], lr=0.1)
    >>> for _ in range(2):
    ...     optimizer.zero_grad()
    ...     np.sum(w**2).backward()
    ...     optimizer.step()
    >>> w.data  # 0.1, then 0.12
    array([ 0.78, 99.78])
    """

    _in_blocks = True
    _scratches = 3

    def __init__(self, params: Params, lr: float = 1e-2, etas: tuple[float, float] = (0.5, 1.2),
                 step_sizes: tuple[float, float] = (1e-6, 50.0), *, maximize: bool = False) -> None:  # fmt: skip
        super().__init__(params, lr, 0.0, maximize)
        if not 0 < etas[0] < 1 < etas[1] < math.inf:
            raise ValueError(f"etas must be (eta_minus, eta_plus) with 0 < eta_minus < 1 < eta_plus, got {etas}")
        if not 0 <= step_sizes[0] <= step_sizes[1]:
            raise ValueError(f"step_sizes must be the smallest and the largest size, got {step_sizes}")
        self.etas, self.step_sizes = etas, step_sizes

    def _new_state(self, p: Array) -> State:
        return {"prev": np.zeros_like(p), "step_size": np.full_like(p, self.lr)}

    def _update(self, p: Array, d: Array, state: State, *scratch: Array) -> None:
        previous, size, (_, s, change) = state["prev"], state["step_size"], scratch
        sign = np.sign(d, out=s)
        np.multiply(sign, previous, out=change)
        np.multiply(np.add(np.minimum(change, 0, out=previous), 1, out=previous), sign, out=previous)
        minus, plus = self.etas  # the factor, as a polynomial of -1, 0 or 1: needs no masks
        factor = np.add(np.multiply(change, (plus + minus) / 2 - 1, out=s), (plus - minus) / 2, out=s)
        np.multiply(size, np.add(np.multiply(factor, change, out=s), 1, out=s), out=size)
        np.clip(size, *self.step_sizes, out=size)
        self._descend(p, np.multiply(previous, size, out=s), 1, s)
