"""Adagrad, RMSprop and Adadelta: the learning rate of each weight is scaled by the squares of its gradients."""

from __future__ import annotations

import numpy as np

from tensorgrad.blas import axpby
from tensorgrad.engine.tape import Array
from tensorgrad.optim.checks import in_range
from tensorgrad.optim.optimizer import Optimizer, Params, State


class Adagrad(Optimizer):
    """Adagrad, with PyTorch's keyword names, defaults and numerics.

    ::

        d = grad + weight_decay * p
        v = v + d**2                                (from initial_accumulator_value)
        p = p - lr / (1 + (t - 1) * lr_decay) * d / (sqrt(v) + eps)         at the t-th update, t = 1, 2, ...

    Weight decay is coupled. Source: Duchi, Hazan and Singer, "Adaptive subgradient methods for online learning and
    stochastic optimization", 2011.

    Parameters
    ----------
    params, lr, weight_decay, maximize
        See `Optimizer`.
    lr_decay
        The decay of the learning rate.
    initial_accumulator_value
        The initial ``v``; a larger value makes the first steps smaller.
    eps
        Added to the root.

    Examples
    --------
    >>> w = tg.Tensor([1.0, 100.0], requires_grad=True)
    >>> optimizer = tg.optim.Adagrad([w], lr=0.1)
    >>> np.sum(w**2).backward()
    >>> optimizer.step()
    >>> w.data
    array([ 0.9, 99.9])
    """

    _in_blocks = True

    def __init__(self, params: Params, lr: float = 1e-2, lr_decay: float = 0.0, weight_decay: float = 0.0,
                 initial_accumulator_value: float = 0.0, eps: float = 1e-10, *,
                 maximize: bool = False) -> None:  # fmt: skip
        super().__init__(params, lr, weight_decay, maximize)
        self.lr_decay = in_range("lr_decay", lr_decay)
        self.initial_accumulator_value = in_range("initial_accumulator_value", initial_accumulator_value)
        self.eps = in_range("eps", eps)

    def _new_state(self, p: Array) -> State:
        return {"step": 0, "sum": np.full_like(p, self.initial_accumulator_value)}

    def _begin(self, p: Array, state: State) -> None:
        self._rate = self.lr / (1 + state["step"] * self.lr_decay)
        state["step"] += 1

    def _update(self, p: Array, d: Array, state: State, *scratch: Array) -> None:
        v, s = state["sum"], scratch[1]
        np.add(v, np.square(d, out=s), out=v)
        np.add(np.sqrt(v, out=s), self.eps, out=s)
        self._descend(p, np.divide(d, s, out=s), self._rate, s)


class RMSprop(Optimizer):
    """RMSprop, with PyTorch's keyword names, defaults and numerics.

    ::

        d = grad + weight_decay * p
        v = alpha * v + (1 - alpha) * d**2
        a = alpha * a + (1 - alpha) * d                                     (centered)
        b = momentum * b + d / (sqrt(v - a**2  if centered else  v) + eps)
        p = p - lr * b

    Weight decay is coupled. Sources: Hinton, "Neural networks for machine learning", lecture 6e, 2012; centered:
    Graves, "Generating sequences with recurrent neural networks", 2013, equations 38 to 45.

    Parameters
    ----------
    params, lr, weight_decay, maximize
        See `Optimizer`.
    alpha
        The smoothing constant of the running means, in [0, 1).
    eps
        Added to the root.
    momentum
        In [0, 1).
    centered
        Whether to divide by an estimate of the standard deviation of the gradient instead of its root mean square.

    Examples
    --------
    >>> w = tg.Tensor([1.0, 100.0], requires_grad=True)
    >>> optimizer = tg.optim.RMSprop([w], lr=0.1)
    >>> np.sum(w**2).backward()
    >>> optimizer.step()
    >>> w.data
    array([ 0., 99.])
    """

    _in_blocks = True

    def __init__(self, params: Params, lr: float = 1e-2, alpha: float = 0.99, eps: float = 1e-8,
                 weight_decay: float = 0.0, momentum: float = 0.0, centered: bool = False, *,
                 maximize: bool = False) -> None:  # fmt: skip
        super().__init__(params, lr, weight_decay, maximize)
        self.alpha = in_range("alpha", alpha, 1)
        self.eps = in_range("eps", eps)
        self.momentum = in_range("momentum", momentum, 1)
        self.centered = centered

    def _new_state(self, p: Array) -> State:
        kept = {"square_avg": True, "grad_avg": self.centered, "momentum_buffer": self.momentum > 0}
        return {what: np.zeros_like(p) for what, needed in kept.items() if needed}

    def _update(self, p: Array, d: Array, state: State, *scratch: Array) -> None:
        v, s = state["square_avg"], scratch[1]
        axpby(1 - self.alpha, np.square(d, out=s), self.alpha, v, s)
        if self.centered:
            a = state["grad_avg"]
            axpby(1 - self.alpha, d, self.alpha, a, s)
            np.subtract(v, np.square(a, out=s), out=s)
            v = np.maximum(s, 0, out=s)  # may be negative due to rounding, where PyTorch returns NaN
        np.add(np.sqrt(v, out=s), self.eps, out=s)
        step = np.divide(d, s, out=s)
        if self.momentum:
            b = state["momentum_buffer"]
            axpby(1, step, self.momentum, b)
            step = b
        self._descend(p, step, self.lr, s)


class Adadelta(Optimizer):
    """Adadelta, with PyTorch's keyword names, defaults and numerics.

    ::

        d = grad + weight_decay * p
        v = rho * v + (1 - rho) * d**2
        step = sqrt(u + eps) / sqrt(v + eps) * d
        u = rho * u + (1 - rho) * step**2
        p = p - lr * step

    Weight decay is coupled. Source: Zeiler, "ADADELTA: an adaptive learning rate method", 2012, algorithm 1, where
    ``lr`` is 1.

    Parameters
    ----------
    params, lr, weight_decay, maximize
        See `Optimizer`.
    rho
        The smoothing constant of the running means, in [0, 1].
    eps
        Added under the roots; a larger value makes the first steps larger.

    Examples
    --------
    >>> w = tg.Tensor([1.0, 100.0], requires_grad=True)
    >>> optimizer = tg.optim.Adadelta([w], eps=1e-2)
    >>> np.sum(w**2).backward()
    >>> optimizer.step()
    >>> w.data
    array([ 0.6877, 99.6838])
    """

    _in_blocks = True
    _scratches = 3

    def __init__(self, params: Params, lr: float = 1.0, rho: float = 0.9, eps: float = 1e-6, weight_decay: float = 0.0,
                 *, maximize: bool = False) -> None:  # fmt: skip
        super().__init__(params, lr, weight_decay, maximize)
        self.rho = in_range("rho", rho, 1, closed=True)
        self.eps = in_range("eps", eps)

    def _new_state(self, p: Array) -> State:
        return {"square_avg": np.zeros_like(p), "acc_delta": np.zeros_like(p)}

    def _update(self, p: Array, d: Array, state: State, *scratch: Array) -> None:
        v, u, (_, s, root) = state["square_avg"], state["acc_delta"], scratch
        axpby(1 - self.rho, np.square(d, out=s), self.rho, v, s)
        np.sqrt(np.add(v, self.eps, out=root), out=root)
        np.divide(np.sqrt(np.add(u, self.eps, out=s), out=s), root, out=s)
        step = np.multiply(s, d, out=s)
        axpby(1 - self.rho, np.square(step, out=root), self.rho, u, root)
        self._descend(p, step, self.lr, root)
