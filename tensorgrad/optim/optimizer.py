"""What all optimizers share: parameters by name, checks before anything changes, and a state that can be saved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np

from tensorgrad.errors import CheckpointError, ShapeError
from tensorgrad.tape import Array, before_write, value_of
from tensorgrad.tensor import Tensor

Params: TypeAlias = "Tensor | Iterable[Tensor] | Mapping[str, Tensor]"
State: TypeAlias = dict[str, Any]  # what is remembered of one parameter: arrays of its shape, and numbers


class Optimizer:
    """The base of all optimizers; one of your own needs an `_update`, and a `_new_state` if it remembers anything.

    A step allocates nothing once every parameter had its first, but to convert a gradient of another dtype: state and
    scratch are arrays of the optimizer, scratch being shared by parameters of one shape.

    Parameters
    ----------
    params
        Tensors, or a dict of them by name as `nn.parameters` gives. One that requires no gradient, or has
        none at a step, is left alone.
    lr
        The learning rate; an attribute, for a schedule to set.
    weight_decay
        Coupled (added to the gradient, and so the same as a penalty ``weight_decay / 2 * sum(p**2)``) or, where
        ``decoupled_weight_decay`` is true, decoupled: ``p`` is multiplied by ``1 - lr * weight_decay`` beside the step.
    maximize
        Climb instead of descend: the gradient is taken with the opposite sign.
    """

    decoupled_weight_decay = False
    eps = 0.0  # what is added to a divisor, by those that divide
    _scratches = 2  # arrays like a parameter that `_update` may write to

    def __init__(self, params: Params, lr: float, weight_decay: float = 0.0, maximize: bool = False) -> None:
        self.params = by_name(params)
        for name, p in self.params.items():
            if not p.is_leaf:
                raise TypeError(f"parameter {name!r} must be a leaf Tensor, got {p!r:.80}")
        if not self.params:
            raise ValueError("the optimizer was given no parameters")
        self.lr = in_range("lr", lr)
        self.weight_decay = in_range("weight_decay", weight_decay)
        self.maximize = maximize
        self._state: dict[str, State] = {}
        self._scratch: dict[Any, tuple[Array, ...]] = {}  # by parameter, and by shape, strides and dtype

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
        TypeError
            If a gradient, set by hand, does not hold real numbers.
        ValueError
            If a parameter is read-only, or ``eps`` vanishes in its precision.
        """
        due = []
        for name, p in self.params.items():
            if not p.tracked or p.grad is None:
                continue
            g = np.asarray(value_of(p.grad))
            before_write(p, f"the optimizer's step on parameter {name!r}")
            if not p.data.flags.writeable:
                raise ValueError(f"parameter {name!r} is a read-only array: give the Tensor a copy of it")
            if g.shape != p.shape:
                raise ShapeError(f"parameter {name!r} has shape {p.shape}, its .grad {g.shape}: they must agree")
            if p.dtype.kind != "f" or g.dtype.kind not in "fiub":
                raise TypeError(f"parameter {name!r} is {p.dtype}, its .grad {g.dtype}: optimizers take real numbers")
            if 0 < self.eps < np.finfo(p.dtype).tiny:  # a gradient of 0 would be divided by 0
                raise ValueError(
                    f"parameter {name!r} is {p.dtype}, in which eps={self.eps} vanishes: write eps=1e-4, or make the "
                    "parameters float32"
                )
            if g.dtype != p.dtype:
                g = g.astype(p.dtype)  # the square of an int8 would overflow
            due.append((name, p.data, g))
        for name, value, g in due:
            if name not in self._state:
                self._state[name] = self._new_state(value)
            scratch = self._scratch.get(name) or self._scratch_for(name, value)
            self._update(value, self._direction(value, g, scratch[0]), self._state[name], *scratch)

    def _scratch_for(self, name: str, p: Array) -> tuple[Array, ...]:
        """Arrays to write to; those of another parameter if there is one alike."""
        layout = p.shape, p.strides, p.dtype
        if layout not in self._scratch:
            self._scratch[layout] = tuple(np.empty_like(p) for _ in range(self._scratches))
        self._scratch[name] = self._scratch[layout]
        return self._scratch[layout]

    def _new_state(self, p: Array) -> State:
        """What is remembered of a parameter before its first update: arrays and numbers by their names."""
        return {}

    def _update(self, p: Array, d: Array, state: State, *scratch: Array) -> None:
        """Change ``p`` in place. ``d`` is the gradient to descend along: only to be read, or the first scratch."""
        raise NotImplementedError

    def _direction(self, p: Array, g: Array, out: Array) -> Array:
        """The gradient with coupled weight decay, and with the sign for descent."""
        if self.weight_decay and not self.decoupled_weight_decay:
            np.multiply(p, self.weight_decay, out=out)
            return np.subtract(out, g, out=out) if self.maximize else np.add(out, g, out=out)
        return np.negative(g, out=out) if self.maximize else g

    def _descend(self, p: Array, step: Array) -> None:
        """Subtract a step, beside the decoupled weight decay."""
        if self.weight_decay and self.decoupled_weight_decay:
            np.multiply(p, 1 - self.lr * self.weight_decay, out=p)
        np.subtract(p, step, out=p)

    # ------------------------------------------------------------------------------------------- saving

    def state_dict(self) -> dict[str, Any]:
        """Copies of all that is remembered, as arrays by ``"what.parameter"``: what `tg.save` writes."""
        return {
            self._key(what, name): np.array(value)
            for name, state in self._state.items()
            for what, value in state.items()
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` gave, all of it or nothing.

        Raises
        ------
        CheckpointError
            If an entry belongs to no parameter, has another shape, or others of its parameter are missing.
        """
        layouts = {name: self._layout(p.data) for name, p in self.params.items()}
        known = {self._key(what, name): (name, what) for name, layout in layouts.items() for what in layout}
        loaded: dict[str, State] = {}
        for key, value in state.items():
            name, what = known.get(key, ("", ""))
            blank = layouts[name][what] if key in known else None
            if blank is None or np.shape(value) != np.shape(blank) or np.asarray(value).dtype.kind not in "fiu":
                raise CheckpointError(f"the optimizer's state {key!r} fits no parameter of the network")
            array = isinstance(blank, np.ndarray)
            loaded.setdefault(name, {})[what] = np.array(value, blank.dtype) if array else type(blank)(value)
        for name, entries in loaded.items():
            if missing := layouts[name].keys() - entries.keys():
                raise CheckpointError(f"the optimizer's state of {name!r} lacks {', '.join(sorted(missing))}")
        self._state = loaded

    def _layout(self, p: Array) -> State:
        """What a saved state of a parameter consists of."""
        return self._new_state(p)

    def _key(self, what: str, name: str) -> str:
        """Under which key a state is saved; ``what`` has no dot, so that a key says what belongs to whom."""
        return f"{what}.{name}"


def by_name(params: Params) -> dict[str, Tensor]:
    """Tensors by name: those of a dict, or numbered from "0".

    Raises
    ------
    TypeError
        If one is not a Tensor.
    ValueError
        If one is there twice.
    """
    if isinstance(params, Tensor):
        params = [params]
    named = dict(params) if isinstance(params, Mapping) else {str(i): p for i, p in enumerate(params)}
    for name, p in named.items():
        if not isinstance(p, Tensor):
            raise TypeError(f"parameter {name!r} must be a leaf Tensor, got {p!r:.80}")
    if len({id(p) for p in named.values()}) < len(named):
        raise ValueError("the same parameter was given twice")
    return named


def in_range(what: str, value: float, end: float = np.inf, *, closed: bool = False) -> float:
    """The value, if it is at least 0 and less than ``end``, or at it if ``closed``; else a ValueError, for NaN too."""
    if not (0 <= value < end or (closed and value == end)):
        raise ValueError(f"{what} must be in [0, {end}{']' if closed else ')'}, got {value}")
    return value


def both_in_range(betas: tuple[float, float]) -> tuple[float, float]:
    """The two rates of decay of the family of Adam, each at least 0 and less than 1."""
    beta1, beta2 = betas
    return in_range("betas[0]", beta1, 1), in_range("betas[1]", beta2, 1)
