"""Adam and its family: a running mean of the gradient, over the root of a running mean of its square."""

from __future__ import annotations

import math

import numpy as np

from tensorgrad.optim.optimizer import Optimizer, Params, State, both_in_range, in_range
from tensorgrad.tape import Array


class _Moments(Optimizer):
    """What the family shares: ``m`` and ``v``, called ``exp_avg`` and ``exp_avg_sq`` in the state as in PyTorch's."""

    def __init__(self, params: Params, lr: float, betas: tuple[float, float], eps: float, weight_decay: float,
                 maximize: bool) -> None:  # fmt: skip
        super().__init__(params, lr, weight_decay, maximize)
        self.betas = both_in_range(betas)
        self.eps = in_range("eps", eps)

    def _new_state(self, p: Array) -> State:
        return {"step": 0, "exp_avg": np.zeros_like(p), "exp_avg_sq": np.zeros_like(p)}

    def _moments(self, d: Array, state: State, s: Array) -> tuple[int, Array, Array]:
        """The number of the update, and ``m`` and ``v`` with ``d`` in them."""
        state["step"] += 1
        (beta1, beta2), m, v = self.betas, state["exp_avg"], state["exp_avg_sq"]
        np.multiply(m, beta1, out=m)
        np.add(m, np.multiply(d, 1 - beta1, out=s), out=m)
        np.multiply(v, beta2, out=v)
        np.multiply(d, d, out=s)
        np.add(v, np.multiply(s, 1 - beta2, out=s), out=v)
        return state["step"], m, v


class Adam(_Moments):
    """Adam, with PyTorch's keyword names, defaults and numerics.

    ::

        d = grad + weight_decay * p
        m = beta1 * m + (1 - beta1) * d
        v = beta2 * v + (1 - beta2) * d**2
        p = p - lr * (m / (1 - beta1**t)) / (sqrt(v / (1 - beta2**t)) + eps)        at the t-th update, t = 1, 2, ...

    Weight decay is coupled: scaled along with the gradient, and so weaker where gradients are large. `AdamW` has it
    decoupled. Source: Kingma and Ba, "Adam: a method for stochastic optimization", 2015, algorithm 1.

    Parameters
    ----------
    params, lr, weight_decay, maximize
        See `Optimizer`.
    betas
        ``(beta1, beta2)``, each in [0, 1).
    eps
        Added to the root.
    amsgrad
        Divide by the root of the largest ``v`` so far. Source: Reddi, Kale and Kumar, "On the convergence of Adam and
        beyond", 2018; as in PyTorch, the maximum is taken before the bias is corrected.
    """

    def __init__(self, params: Params, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0.0, amsgrad: bool = False, *, maximize: bool = False) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay, maximize)
        self.amsgrad = amsgrad

    def _new_state(self, p: Array) -> State:
        return super()._new_state(p) | ({"max_exp_avg_sq": np.zeros_like(p)} if self.amsgrad else {})

    def _update(self, p: Array, d: Array, state: State, *scratch: Array) -> None:
        step, root = scratch
        t, m, v = self._moments(d, state, root)
        if self.amsgrad:
            v = np.maximum(state["max_exp_avg_sq"], v, out=state["max_exp_avg_sq"])
        scale = math.sqrt(1 - self.betas[1] ** t)  # of the root and of eps: one pass over the array less
        np.add(np.sqrt(v, out=root), self.eps * scale, out=root)
        np.divide(m, root, out=step)
        self._descend(p, np.multiply(step, self.lr * scale / (1 - self.betas[0] ** t), out=step))


class AdamW(Adam):
    """Adam with decoupled weight decay: all weights shrink alike, whatever their gradients.

    ::

        p = p * (1 - lr * weight_decay) - lr * (m / (1 - beta1**t)) / (sqrt(v / (1 - beta2**t)) + eps)

    with ``m`` and ``v`` of the gradient alone; see `Adam`. Source: Loshchilov and Hutter, "Decoupled weight decay
    regularization", 2019; as in PyTorch, ``lr`` is a factor of the decay.
    """

    decoupled_weight_decay = True

    def __init__(self, params: Params, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 1e-2, amsgrad: bool = False, *, maximize: bool = False) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize)


class NAdam(_Moments):
    """Adam with Nesterov's momentum, with PyTorch's keyword names, defaults and numerics.

    ::

        mu(t) = beta1 * (1 - 0.96**(t * momentum_decay) / 2)
        u = (1 - mu(t)) / (1 - mu(1) * ... * mu(t)) * d  +  mu(t+1) / (1 - mu(1) * ... * mu(t+1)) * m
        p = p - lr * u / (sqrt(v / (1 - beta2**t)) + eps)

    with ``d``, ``m`` and ``v`` as in `Adam`. Source: Dozat, "Incorporating Nesterov momentum into Adam", 2016.

    Parameters
    ----------
    params, lr, weight_decay, maximize
        See `Optimizer`.
    betas, eps
        See `Adam`.
    momentum_decay
        How soon the momentum reaches beta1.
    decoupled_weight_decay
        Whether weight decay is decoupled, as in `AdamW`, or coupled, as in `Adam`.
    """

    def __init__(self, params: Params, lr: float = 2e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0.0, momentum_decay: float = 4e-3, decoupled_weight_decay: bool = False, *,
                 maximize: bool = False) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay, maximize)
        self.momentum_decay = in_range("momentum_decay", momentum_decay)
        self.decoupled_weight_decay = decoupled_weight_decay

    def _new_state(self, p: Array) -> State:
        return super()._new_state(p) | {"mu_product": 1.0}

    def _update(self, p: Array, d: Array, state: State, *scratch: Array) -> None:
        step, other = scratch
        t, m, v = self._moments(d, state, other)
        mu, mu_next = (self.betas[0] * (1 - 0.5 * 0.96 ** (k * self.momentum_decay)) for k in (t, t + 1))
        product = state["mu_product"] = state["mu_product"] * mu
        np.multiply(d, self.lr * (1 - mu) / (1 - product), out=step)
        np.add(step, np.multiply(m, self.lr * mu_next / (1 - product * mu_next), out=other), out=step)
        np.sqrt(np.divide(v, 1 - self.betas[1] ** t, out=other), out=other)
        self._descend(p, np.divide(step, np.add(other, self.eps, out=other), out=step))


class RAdam(_Moments):
    """Rectified Adam, with PyTorch's keyword names, defaults and numerics.

    ::

        rho_inf = 2 / (1 - beta2) - 1
        rho     = rho_inf - 2 * t * beta2**t / (1 - beta2**t)
        r       = sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho))
        p = p - lr * (m / (1 - beta1**t)) * (r * sqrt(1 - beta2**t) / (sqrt(v) + eps)  if rho > 5 else  1)

    with ``m`` and ``v`` as in `Adam`: while too few gradients were seen for ``v`` to mean something, the step is that
    of plain momentum. Source: Liu et al., "On the variance of the adaptive learning rate and beyond", 2020, algorithm
    2.

    Parameters
    ----------
    params, lr, weight_decay, maximize
        See `Optimizer`.
    betas, eps
        See `Adam`.
    decoupled_weight_decay
        Whether weight decay is decoupled, as in `AdamW`, or coupled, as in `Adam`.
    """

    def __init__(self, params: Params, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0.0, decoupled_weight_decay: bool = False, *,
                 maximize: bool = False) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay, maximize)
        self.decoupled_weight_decay = decoupled_weight_decay

    def _update(self, p: Array, d: Array, state: State, *scratch: Array) -> None:
        step, root = scratch
        t, m, v = self._moments(d, state, root)
        beta1, beta2 = self.betas
        np.multiply(m, self.lr / (1 - beta1**t), out=step)
        longest = 2 / (1 - beta2) - 1  # rho_inf: the length of the simple average that v stands for
        length = longest - 2 * t * beta2**t / (1 - beta2**t)
        if length > 5:
            r = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
            np.add(np.sqrt(v, out=root), self.eps, out=root)
            np.multiply(np.divide(step, root, out=step), math.sqrt(r * (1 - beta2**t)), out=step)
        self._descend(p, step)
