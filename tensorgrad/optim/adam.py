"""Adam and its variants: a running mean of the gradient, divided by the root of a running mean of its square."""

from __future__ import annotations

import math

import numpy as np

from tensorgrad.blas import axpby
from tensorgrad.engine.tape import Array
from tensorgrad.optim.checks import both_in_range, in_range
from tensorgrad.optim.optimizer import Optimizer, Params, State


class _Moments(Optimizer):
    """Base class with the running means ``m`` and ``v``, named ``exp_avg`` and ``exp_avg_sq`` in the state."""

    _in_blocks = True

    def __init__(self, params: Params, lr: float, betas: tuple[float, float], eps: float, weight_decay: float,
                 maximize: bool) -> None:  # fmt: skip
        super().__init__(params, lr, weight_decay, maximize)
        self.betas = both_in_range(betas)
        self.eps = in_range("eps", eps)

    def _new_state(self, p: Array) -> State:
        return {"step": 0, "exp_avg": np.zeros_like(p), "exp_avg_sq": np.zeros_like(p)}

    def _begin(self, p: Array, state: State) -> None:
        state["step"] += 1
        beta1, beta2 = self.betas
        self._bias1, self._bias2 = 1 - beta1 ** state["step"], 1 - beta2 ** state["step"]

    def _moments(self, d: Array, state: State, s: Array) -> tuple[Array, Array]:
        """Update ``m`` and ``v`` with ``d``, and return them."""
        (beta1, beta2), m, v = self.betas, state["exp_avg"], state["exp_avg_sq"]
        axpby(1 - beta1, d, beta1, m, s)
        axpby(1 - beta2, np.square(d, out=s), beta2, v, s)
        return m, v


class Adam(_Moments):
    """Adam, with PyTorch's keyword names, defaults and numerics.

    ::

        d = grad + weight_decay * p
        m = beta1 * m + (1 - beta1) * d
        v = beta2 * v + (1 - beta2) * d**2
        p = p - lr * (m / (1 - beta1**t)) / (sqrt(v / (1 - beta2**t)) + eps)        at the t-th update, t = 1, 2, ...

    Weight decay is coupled: it is scaled like the gradient, so it is weaker where gradients are large. In `AdamW` it is
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

    Examples
    --------
    >>> w = tg.Tensor([1.0, 100.0], requires_grad=True)
    >>> optimizer = tg.optim.Adam([w], lr=0.1)
    >>> np.sum(w**2).backward()
    >>> optimizer.step()
    >>> w.data
    array([ 0.9, 99.9])
    """

    def __init__(self, params: Params, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0.0, amsgrad: bool = False, *, maximize: bool = False) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay, maximize)
        self.amsgrad = amsgrad

    def _new_state(self, p: Array) -> State:
        return super()._new_state(p) | ({"max_exp_avg_sq": np.zeros_like(p)} if self.amsgrad else {})

    def _update(self, p: Array, d: Array, state: State, *scratch: Array) -> None:
        s = scratch[1]
        m, v = self._moments(d, state, s)
        if self.amsgrad:
            v = np.maximum(state["max_exp_avg_sq"], v, out=state["max_exp_avg_sq"])
        scale = math.sqrt(self._bias2)  # applied to eps and the rate: saves a pass over the array
        np.add(np.sqrt(v, out=s), self.eps * scale, out=s)
        self._descend(p, np.divide(m, s, out=s), self.lr * scale / self._bias1, s)


class AdamW(Adam):
    """Adam with decoupled weight decay: all weights decay at the same rate, independent of their gradients.

    ::

        p = p * (1 - lr * weight_decay) - lr * (m / (1 - beta1**t)) / (sqrt(v / (1 - beta2**t)) + eps)

    with ``m`` and ``v`` computed from the gradient only; see `Adam`. Source: Loshchilov and Hutter, "Decoupled weight
    decay regularization", 2019; as in PyTorch, the decay is multiplied by ``lr``.

    Examples
    --------
    >>> w = tg.Tensor([1.0, 100.0], requires_grad=True)
    >>> optimizer = tg.optim.AdamW([w], lr=0.1, weight_decay=0.5)
    >>> np.sum(w**2).backward()
    >>> optimizer.step()
    >>> w.data
    array([ 0.85, 94.9 ])
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
        The rate at which the momentum approaches beta1.
    decoupled_weight_decay
        Whether weight decay is decoupled, as in `AdamW`, or coupled, as in `Adam`.

    Examples
    --------
    >>> w = tg.Tensor([1.0, 100.0], requires_grad=True)
    >>> optimizer = tg.optim.NAdam([w], lr=0.1)
    >>> np.sum(w**2).backward()
    >>> optimizer.step()
    >>> w.data
    array([ 0.8944, 99.8944])
    """

    def __init__(self, params: Params, lr: float = 2e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0.0, momentum_decay: float = 4e-3, decoupled_weight_decay: bool = False, *,
                 maximize: bool = False) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay, maximize)
        self.momentum_decay = in_range("momentum_decay", momentum_decay)
        self.decoupled_weight_decay = decoupled_weight_decay

    def _new_state(self, p: Array) -> State:
        return super()._new_state(p) | {"mu_product": 1.0}

    def _begin(self, p: Array, state: State) -> None:
        super()._begin(p, state)
        t = state["step"]
        mu, mu_next = (self.betas[0] * (1 - 0.5 * 0.96 ** (k * self.momentum_decay)) for k in (t, t + 1))
        product = state["mu_product"] = state["mu_product"] * mu
        self._rates = self.lr * (1 - mu) / (1 - product), self.lr * mu_next / (1 - product * mu_next)

    def _update(self, p: Array, d: Array, state: State, *scratch: Array) -> None:
        step, s = scratch
        m, v = self._moments(d, state, s)
        np.multiply(d, self._rates[0], out=step)
        axpby(self._rates[1], m, 1, step, s)
        np.sqrt(np.divide(v, self._bias2, out=s), out=s)
        self._descend(p, np.divide(step, np.add(s, self.eps, out=s), out=s), 1, s)


class RAdam(_Moments):
    """Rectified Adam, with PyTorch's keyword names, defaults and numerics.

    ::

        rho_inf = 2 / (1 - beta2) - 1
        rho     = rho_inf - 2 * t * beta2**t / (1 - beta2**t)
        r       = sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho))
        p = p - lr * (m / (1 - beta1**t)) * (r * sqrt(1 - beta2**t) / (sqrt(v) + eps)  if rho > 5 else  1)

    with ``m`` and ``v`` as in `Adam`. In the first steps, in which the variance of ``v`` is too large, the step is that
    of momentum. Source: Liu et al., "On the variance of the adaptive learning rate and beyond", 2020, algorithm 2.

    Parameters
    ----------
    params, lr, weight_decay, maximize
        See `Optimizer`.
    betas, eps
        See `Adam`.
    decoupled_weight_decay
        Whether weight decay is decoupled, as in `AdamW`, or coupled, as in `Adam`.

    Examples
    --------
    >>> w = tg.Tensor([1.0, 100.0], requires_grad=True)
    >>> optimizer = tg.optim.RAdam([w], lr=0.1)
    >>> np.sum(w**2).backward()
    >>> optimizer.step()
    >>> w.data
    array([ 0.8, 80. ])
    """

    def __init__(self, params: Params, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
                 weight_decay: float = 0.0, decoupled_weight_decay: bool = False, *,
                 maximize: bool = False) -> None:  # fmt: skip
        super().__init__(params, lr, betas, eps, weight_decay, maximize)
        self.decoupled_weight_decay = decoupled_weight_decay

    def _begin(self, p: Array, state: State) -> None:
        super()._begin(p, state)
        t, beta2 = state["step"], self.betas[1]
        longest = 2 / (1 - beta2) - 1  # rho_inf: the length of the simple moving average that v approximates
        length = longest - 2 * t * beta2**t / self._bias2
        self._rate, self._rectified = self.lr / self._bias1, length > 5
        if self._rectified:
            r = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
            self._rate *= math.sqrt(r * self._bias2)

    def _update(self, p: Array, d: Array, state: State, *scratch: Array) -> None:
        s = scratch[1]
        step, v = self._moments(d, state, s)
        if self._rectified:
            step = np.divide(step, np.add(np.sqrt(v, out=s), self.eps, out=s), out=s)
        self._descend(p, step, self._rate, s)
