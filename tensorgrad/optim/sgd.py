"""Stochastic gradient descent."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.optim.optimizer import Optimizer, Params, State, in_range
from tensorgrad.tape import Array


class SGD(Optimizer):
    """Stochastic gradient descent, with PyTorch's keyword names and numerics.

    ::

        d = grad + weight_decay * p
        v = momentum * v + (1 - dampening) * d      (v = d at the first update)
        p = p - lr * (d + momentum * v  if nesterov else  v)

    Weight decay is coupled.

    Parameters
    ----------
    params, lr, weight_decay, maximize
        See `Optimizer`.
    momentum
        In [0, 1]; at 1, the velocity never fades.
    dampening
        Of the gradient as it enters the velocity, in [0, 1].
    nesterov
        Look ahead along the velocity; needs momentum and no dampening. Source: Sutskever et al., "On the importance of
        initialization and momentum in deep learning", 2013.
    """

    _scratches = 1

    def __init__(self, params: Params, lr: float = 1e-3, momentum: float = 0.0, *, dampening: float = 0.0,
                 weight_decay: float = 0.0, nesterov: bool = False, maximize: bool = False) -> None:  # fmt: skip
        super().__init__(params, lr, weight_decay, maximize)
        self.momentum = in_range("momentum", momentum, 1, closed=True)
        self.dampening = in_range("dampening", dampening, 1, closed=True)
        self.nesterov = nesterov
        if nesterov and (not momentum or dampening):
            raise ValueError("nesterov needs momentum > 0 and no dampening")

    def _update(self, p: Array, d: Array, state: State, *scratch: Array) -> None:
        (s,) = scratch
        if self.momentum:
            if "velocity" not in state:  # it begins as the first gradient, undamped
                state["velocity"] = np.zeros_like(p)
                np.add(state["velocity"], d, out=state["velocity"])
            else:
                v = state["velocity"]
                np.multiply(v, self.momentum, out=v)
                np.add(v, np.multiply(d, 1 - self.dampening, out=s) if self.dampening else d, out=v)
            if self.nesterov:  # lr * (d + momentum * v), in two subtractions so that d may be scratch itself
                np.subtract(p, np.multiply(d, self.lr, out=s), out=p)
                np.subtract(p, np.multiply(state["velocity"], self.lr * self.momentum, out=s), out=p)
                return
            d = state["velocity"]
        np.subtract(p, np.multiply(d, self.lr, out=s), out=p)

    def _layout(self, p: Array) -> State:
        return {"velocity": p}

    def _key(self, what: str, name: str) -> Any:
        return name  # the velocity is all there is
