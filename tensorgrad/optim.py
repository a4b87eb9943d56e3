"""Optimizers: they read ``.grad`` of leaf tensors and update their values in place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from tensorgrad.errors import CheckpointError, ShapeError
from tensorgrad.tape import before_write
from tensorgrad.tensor import Tensor


class SGD:
    """Stochastic gradient descent, with PyTorch's keyword names and numerics.

    ::

        d = grad + weight_decay * p
        v = momentum * v + d
        p = p - lr * (d + momentum * v  if nesterov else  v)

    A step allocates nothing: velocity and scratch are arrays of the optimizer, one pair for each parameter.

    Parameters
    ----------
    params
        Tensors, or a dict of them by name as `nn.parameters` gives. One that requires no gradient, or has
        none at a step, is left alone.
    lr
        The learning rate; an attribute, for a schedule to set.
    momentum
        In [0, 1).
    nesterov
        Look ahead along the velocity; needs momentum. Source: Sutskever et al., "On the importance of
        initialization and momentum in deep learning", 2013.
    weight_decay
        Coupled: added to the gradient, and so the same as a penalty ``weight_decay / 2 * sum(p**2)``.
    """

    def __init__(self, params: Iterable[Tensor] | Mapping[str, Tensor], lr: float, momentum: float = 0.0,
                 nesterov: bool = False, weight_decay: float = 0.0) -> None:  # fmt: skip
        named = params if isinstance(params, Mapping) else {str(i): p for i, p in enumerate(params)}
        self.params: dict[str, Tensor] = dict(named)
        for name, p in self.params.items():
            if not isinstance(p, Tensor) or not p.is_leaf:
                raise TypeError(f"parameter {name!r} must be a leaf Tensor, got {p!r:.80}")
        if len({id(p) for p in self.params.values()}) < len(self.params):
            raise ValueError("the optimizer was given the same parameter twice")
        if not self.params:
            raise ValueError("the optimizer was given no parameters")
        limits = (("lr", lr, np.inf), ("momentum", momentum, 1), ("weight_decay", weight_decay, np.inf))
        for what, value, below in limits:
            if not 0 <= value < below:
                raise ValueError(f"{what} must be in [0, {below}), got {value}")
        if nesterov and not momentum:
            raise ValueError("nesterov needs momentum > 0")
        self.lr, self.momentum, self.nesterov, self.weight_decay = lr, momentum, nesterov, weight_decay
        self._velocity: dict[str, Any] = {}
        self._scratch: dict[str, Any] = {}

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for p in self.params.values():
            p.grad = None

    def step(self) -> None:
        """Update every parameter that has a gradient.

        Raises
        ------
        OverwriteError
            Before anything changed, if a backward pass still to come needs a present value.
        ShapeError
            If a gradient, set by hand, has another shape than its parameter.
        """
        due = [(name, p) for name, p in self.params.items() if p.tracked and p.grad is not None]
        for name, p in due:
            before_write(p, f"the optimizer's step on parameter {name!r}")
            if not p.data.flags.writeable:
                raise ValueError(f"parameter {name!r} is a read-only array: give the Tensor a copy of it")
            if p.grad.shape != p.shape:
                raise ShapeError(f"parameter {name!r} has shape {p.shape}, its .grad {p.grad.shape}: they must agree")
        for name, p in due:
            self._update(name, p.data, p.grad.data if isinstance(p.grad, Tensor) else p.grad)

    def _update(self, name: str, p: Any, d: Any) -> None:
        if name not in self._scratch:
            self._scratch[name] = np.empty_like(p)
        scratch = self._scratch[name]
        if self.weight_decay:
            np.multiply(p, self.weight_decay, out=scratch)
            d = np.add(scratch, d, out=scratch)
        if self.momentum:
            if name not in self._velocity:
                self._velocity[name] = np.zeros_like(p)
            velocity = self._velocity[name]
            np.multiply(velocity, self.momentum, out=velocity)
            np.add(velocity, d, out=velocity)
            if self.nesterov:  # lr * (d + momentum * v), in two subtractions so that d may be scratch itself
                np.multiply(d, self.lr, out=scratch)
                np.subtract(p, scratch, out=p)
                np.multiply(velocity, self.lr * self.momentum, out=scratch)
                np.subtract(p, scratch, out=p)
                return
            d = velocity
        np.multiply(d, self.lr, out=scratch)
        np.subtract(p, scratch, out=p)

    def state_dict(self) -> dict[str, Any]:
        """Copies of the velocities, by parameter name."""
        return {name: velocity.copy() for name, velocity in self._velocity.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the velocities.

        Raises
        ------
        CheckpointError
            If an entry belongs to no parameter or has another shape.
        """
        for name, velocity in state.items():
            if name not in self.params or np.shape(velocity) != self.params[name].shape:
                raise CheckpointError(f"the optimizer's velocity {name!r} fits no parameter of the network")
        self._velocity = {name: np.array(velocity, self.params[name].dtype) for name, velocity in state.items()}
