"""Stochastic gradient descent, and its variant that averages the weights."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from tensorgrad import blas
from tensorgrad.engine.tape import Array
from tensorgrad.optim.checks import in_range
from tensorgrad.optim.optimizer import Optimizer, Params, State
from tensorgrad.optim.products import Product


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
        In [0, 1]; at 1, the velocity does not decay.
    dampening
        The velocity is updated with ``1 - dampening`` times the gradient; in [0, 1].
    nesterov
        Use Nesterov momentum; requires momentum and no dampening. Source: Sutskever et al., "On the importance of
        initialization and momentum in deep learning", 2013.

    Examples
    --------
    >>> w = tg.Tensor([1.0, 100.0], requires_grad=True)
    >>> optimizer = tg.optim.SGD([w], lr=0.1, momentum=0.9)
    >>> np.sum(w**2).backward()
    >>> optimizer.step()
    >>> w.data
    array([ 0.8, 80. ])
    """

    takes_products = True
    _in_blocks = True

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.takes_products = False  # it may change the update

    def __init__(self, params: Params, lr: float = 1e-3, momentum: float = 0.0, *, dampening: float = 0.0,
                 weight_decay: float = 0.0, nesterov: bool = False, maximize: bool = False) -> None:  # fmt: skip
        super().__init__(params, lr, weight_decay, maximize)
        self.momentum = in_range("momentum", momentum, 1, closed=True)
        self.dampening = in_range("dampening", dampening, 1, closed=True)
        self.nesterov = nesterov
        if nesterov and (not momentum or dampening):
            raise ValueError("nesterov requires momentum > 0 and no dampening")

    def _begin(self, p: Array, state: State) -> None:
        first = bool(self.momentum) and "velocity" not in state
        if first:
            state["velocity"] = np.zeros_like(p)
        self._of_velocity = 0 if first else self.momentum  # the factors in the new velocity
        self._of_gradient = 1 if first else 1 - self.dampening
        # Without momentum, p = (1 - decay) * p - lr * grad, unless rounding of the factor would change the decay by
        # more than 1/32, or remove it.
        decay = self.lr * self.weight_decay
        exact = not decay or decay >= 8 * _resolution(p.dtype)
        self._keep = 1 - decay if exact and not self.momentum else None

    @property
    def _decays_velocity(self) -> bool:
        """Whether the weight decay is added to the velocity, which saves a pass, and not to the gradient."""
        return bool(self.momentum) and not self.nesterov and self.takes_products

    def _block_size(self, p: np.ndarray[Any, Any]) -> int:
        if self._keep is not None and blas.enabled():
            return p.size  # in one pass
        # BLAS mostly needs no scratch array: three arrays of twice the size fit into the cache
        return super()._block_size(p) * (2 if self._decays_velocity and blas.enabled() else 1)

    def _direction(self, p: Array, g: Array, out: Array) -> Array:
        return g if self._keep is not None or self._decays_velocity else super()._direction(p, g, out)

    def _update_by(self, g: Product, p: Array, state: State) -> bool:
        s, sign = self._scratch_like(p), -1 if self.maximize else 1
        if self._keep is not None:
            g.add_to(p, -sign * self.lr, self._keep - sign * self.lr * g.decay, *s)
        elif self._decays_velocity:
            v = state["velocity"]
            g.add_to(v, sign * self._of_gradient, self._of_velocity, *s)
            self._move(p, v, self.weight_decay + sign * g.decay, s[1])
        else:
            return False
        return True

    def _update(self, p: Array, d: Array, state: State, *scratch: Array) -> None:
        s, sign = scratch[1], -1 if self.maximize else 1
        if self._keep is not None:
            blas.axpby(-sign * self.lr, d, self._keep, p, s)
            return
        if self._decays_velocity:
            v = state["velocity"]
            blas.axpby(sign * self._of_gradient, d, self._of_velocity, v, s)
            self._move(p, v, self.weight_decay, s)
            return
        if self.momentum:
            v = state["velocity"]
            blas.axpby(self._of_gradient, d, self._of_velocity, v, s)
            if self.nesterov:  # lr * (d + momentum * v), in two subtractions
                self._descend(p, d, self.lr, s)
                self._descend(p, v, self.lr * self.momentum, s)
                return
            d = v
        self._descend(p, d, self.lr, s)

    def _move(self, p: Array, v: Array, decay: float, s: Array) -> None:
        """Add the weight decay to the velocity, and move along it."""
        if decay:
            blas.axpby(self._of_gradient * decay, p, 1, v, s)
        self._descend(p, v, self.lr, s)

    def _layout(self, p: Array) -> State:
        return {"velocity": p}

    def _key(self, what: str, name: str) -> Any:
        return name  # the state consists of the velocity only


class ASGD(Optimizer):
    """Averaged stochastic gradient descent, with PyTorch's keyword names, defaults and numerics.

    ::

        d = grad + weight_decay * p
        p = p * (1 - lambd * eta) - eta * d
        average = average + mu * (p - average)
        eta = lr / (1 + lambd * lr * t)**alpha,   mu = 1 / max(1, t - t0)           after the t-th update, t = 1, 2, ...

    from ``eta = lr`` and ``mu = 1``. Weight decay is coupled. The averages are the entries ``"ax.parameter"`` of
    `state_dict`. Source: Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992.

    Parameters
    ----------
    params, lr, weight_decay, maximize
        See `Optimizer`.
    lambd
        The decay of the weights and of the rate.
    alpha
        The power with which the rate decays.
    t0
        The number of updates before averaging begins; until then, the average is the last value.

    Examples
    --------
    >>> w = tg.Tensor([1.0, 100.0], requires_grad=True)
    >>> optimizer = tg.optim.ASGD({"w": w}, lr=0.1, lambd=0.0, t0=0)
    >>> for _ in range(2):
    ...     optimizer.zero_grad()
    ...     np.sum(w**2).backward()
    ...     optimizer.step()
    >>> w.data
    array([ 0.64, 64.  ])
    >>> optimizer.state_dict()["ax.w"]
    array([ 0.64, 64.  ])
    """

    _in_blocks = True

    def __init__(self, params: Params, lr: float = 1e-2, lambd: float = 1e-4, alpha: float = 0.75, t0: float = 1e6,
                 weight_decay: float = 0.0, *, maximize: bool = False) -> None:  # fmt: skip
        super().__init__(params, lr, weight_decay, maximize)
        self.lambd = in_range("lambd", lambd)
        self.alpha = in_range("alpha", alpha)
        self.t0 = in_range("t0", t0)

    def _new_state(self, p: Array) -> State:
        return {"step": 0, "eta": float(self.lr), "mu": 1.0, "ax": np.zeros_like(p)}

    def _begin(self, p: Array, state: State) -> None:
        self._eta, self._mu = state["eta"], state["mu"]
        state["step"] += 1
        state["eta"] = self.lr / (1 + self.lambd * self.lr * state["step"]) ** self.alpha
        state["mu"] = 1 / max(1, state["step"] - self.t0)

    def _update(self, p: Array, d: Array, state: State, *scratch: Array) -> None:
        average, s = state["ax"], scratch[1]
        blas.axpby(-self._eta, d, 1 - self.lambd * self._eta, p, s)
        if self._mu == 1:
            np.copyto(average, p)
        else:
            np.add(average, np.multiply(np.subtract(p, average, out=s), self._mu, out=s), out=average)


@cache
def _resolution(dtype: Any) -> float:
    return float(np.finfo(dtype).eps)
