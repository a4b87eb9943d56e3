"""The base class of optimizers: named parameters, checks before any change, and a state that can be saved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np

from tensorgrad.blas import axpby
from tensorgrad.engine.aliasing import keep_saved
from tensorgrad.engine.tape import Array, value_of
from tensorgrad.errors import CheckpointError, ShapeError
from tensorgrad.frontend.tensor import Tensor
from tensorgrad.optim.blocks import BYTES, Blocks
from tensorgrad.optim.one_call import as_one_call

Params: TypeAlias = "Tensor | Iterable[Tensor] | Mapping[str, Tensor]"
State: TypeAlias = dict[str, Any]  # the state of one parameter: arrays of its shape, and numbers


class Optimizer:
    """Base class of all optimizers. A subclass defines `_update`, and `_new_state` if it keeps a state.

    After the first step of each parameter, a step allocates memory only to convert a gradient to another dtype or
    memory layout. A large parameter is updated in blocks that fit in the processor's cache.

    Parameters
    ----------
    params
        Tensors, or a dict of them by name as returned by `nn.parameters`. Those that require no gradient, or have none
        at a step, are not changed.
    lr
        The learning rate; an attribute, for a schedule to set.
    weight_decay
        Coupled (added to the gradient, and so the same as a penalty ``weight_decay / 2 * sum(p**2)``) or, where
        ``decoupled_weight_decay`` is true, decoupled: ``p`` is also multiplied by ``1 - lr * weight_decay``.
    maximize
        Maximize instead of minimize: the sign of the gradient is reversed.

    Examples
    --------
    >>> class Sign(tg.optim.Optimizer):
    ...     def _update(self, p, d, state, *scratch):
    ...         p -= self.lr * np.sign(d)
    >>> w = tg.Tensor([1.0, -2.0], requires_grad=True)
    >>> np.sum(w**2).backward()
    >>> Sign([w], lr=0.5).step()
    >>> w.data
    array([ 0.5, -1.5])
    """

    compile_as_one_call = True  # see `tensorgrad.compile`
    decoupled_weight_decay = False
    eps = 0.0  # added to a divisor, by optimizers that divide
    _scratches = 2  # arrays like `p` that `_update` may write to
    _in_blocks = False  # whether `_update` is elementwise, so that it can be called for a block of elements

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
        self._blocks: dict[str, Blocks] = {}
        self._scratch: dict[Any, tuple[Array, ...]] = {}  # by shape, strides and dtype

    def zero_grad(self) -> None:
        """Set the gradients of all parameters to None.

        Examples
        --------
        >>> w = tg.Tensor([3.0, 4.0], requires_grad=True)
        >>> np.sum(w).backward()
        >>> tg.optim.SGD([w]).zero_grad()
        >>> print(w.grad)
        None
        """
        for p in self.params.values():
            p.grad = None

    @as_one_call()
    def step(self) -> None:
        """Update every parameter that has a gradient. Pending backward passes are not affected.

        Raises
        ------
        ShapeError
            If a gradient set by the user has another shape than its parameter.
        TypeError
            If a gradient set by the user does not hold real numbers.
        ValueError
            If a parameter is read-only, or ``eps`` underflows in its dtype.

        Examples
        --------
        >>> w = tg.Tensor([3.0, 4.0], requires_grad=True)
        >>> np.sum(w).backward()
        >>> tg.optim.SGD([w], lr=0.5).step()
        >>> w.data
        array([2.5, 3.5])
        """
        due = [
            (name, p, self._checked(name, p))
            for name, p in self.params.items()
            if p.grad is not None and p.node is not None
        ]
        for name, parameter, g in due:
            keep_saved(parameter)
            p, state, blocks = parameter.data, self._state.get(name), self._blocks.get(name)
            if state is None:
                state = self._state[name] = self._new_state(p)
            self._begin(p, state)
            size = p.size if p.nbytes <= BYTES else self._block_size(p)
            if blocks is None or not blocks.fit(p, state, size):
                blocks = self._blocks[name] = Blocks(p, state, size, self._scratch_like)
            for block, d, part, scratch in blocks.with_gradient(g):
                self._update(block, self._direction(block, d, scratch[0]), part, *scratch)

    def _checked(self, name: str, p: Tensor) -> Array:
        """The gradient of a parameter, in the dtype of the parameter, after checks of both."""
        g, value = p.grad, p.data
        if type(g) is not np.ndarray:
            g = np.asarray(value_of(g))
        check_writable(name, p)
        if g.shape != value.shape:
            raise ShapeError(f"parameter {name!r} has shape {p.shape}, its .grad {g.shape}: they must agree")
        if value.dtype.kind != "f" or g.dtype.kind not in "fiub":
            raise TypeError(f"parameter {name!r} is {p.dtype}, its .grad {g.dtype}: optimizers take real numbers")
        if 0 < self.eps < np.finfo(value.dtype).tiny:  # a gradient of 0 would cause a division by 0
            raise ValueError(
                f"parameter {name!r} is {p.dtype}, in which eps={self.eps} underflows: use eps=1e-4, or float32 "
                "parameters"
            )
        return g if g.dtype is value.dtype else g.astype(value.dtype)  # the square of an int8 would overflow

    def _scratch_like(self, p: Array) -> tuple[Array, ...]:
        """Scratch arrays with the memory layout of ``p``, shared between parameters of the same layout."""
        layout = p.shape, p.strides, p.dtype
        if layout not in self._scratch:
            self._scratch[layout] = tuple(np.empty_like(p) for _ in range(self._scratches))
        return self._scratch[layout]

    def _block_size(self, p: np.ndarray[Any, Any]) -> int:
        """How many elements of ``p``, a large parameter, are updated at a time."""
        return BYTES // p.itemsize if self._in_blocks else p.size

    def _new_state(self, p: Array) -> State:
        """The state of a parameter before its first update: arrays and numbers by name."""
        return {}

    def _begin(self, p: Array, state: State) -> None:
        """Called once per parameter and step, before the calls of `_update` for its blocks."""

    def _update(self, p: Array, d: Array, state: State, *scratch: Array) -> None:
        """Change ``p`` in place. ``d`` is the gradient to descend along: read-only, or the first scratch array.

        If ``_in_blocks`` is true, ``p`` and ``d`` may be blocks of the parameter and its gradient; ``state`` then
        contains the corresponding blocks of its arrays, and no numbers.
        """
        raise NotImplementedError

    def _direction(self, p: Array, g: Array, out: Array) -> Array:
        """The gradient with coupled weight decay, negated if ``maximize``."""
        if self.weight_decay and not self.decoupled_weight_decay:
            np.multiply(p, self.weight_decay, out=out)
            return np.subtract(out, g, out=out) if self.maximize else np.add(out, g, out=out)
        return np.negative(g, out=out) if self.maximize else g

    def _descend(self, p: Array, step: Array, rate: float = 1.0, scratch: Array | None = None) -> None:
        """Subtract ``rate * step``, and apply decoupled weight decay; ``scratch`` may be ``step``."""
        decay = self.lr * self.weight_decay if self.decoupled_weight_decay else 0
        axpby(-rate, step, 1 - decay, p, scratch)

    # ------------------------------------------------------------------------------------------- saving

    def state_dict(self) -> dict[str, Any]:
        """Copies of the states, as arrays by ``"entry.parameter"``, for `tg.save`.

        Examples
        --------
        >>> w = tg.Tensor([3.0, 4.0], requires_grad=True)
        >>> np.sum(w).backward()
        >>> optimizer = tg.optim.SGD({"w": w}, momentum=0.9)
        >>> optimizer.step()
        >>> optimizer.state_dict()
        {'w': array([1., 1.])}
        """
        return {
            self._key(what, name): np.array(value)
            for name, state in self._state.items()
            for what, value in state.items()
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state returned by `state_dict`; on an error, nothing is changed.

        Raises
        ------
        CheckpointError
            If an entry belongs to no parameter or has another shape, or entries of a parameter are missing.

        Examples
        --------
        >>> w = tg.Tensor([3.0, 4.0], requires_grad=True)
        >>> optimizer = tg.optim.SGD({"w": w}, momentum=0.9)
        >>> optimizer.load_state_dict({"w": np.array([0.5, 0.5])})
        >>> optimizer.state_dict()
        {'w': array([0.5, 0.5])}
        """
        layouts = {name: self._layout(p.data) for name, p in self.params.items()}
        known = {self._key(what, name): (name, what) for name, layout in layouts.items() for what in layout}
        loaded: dict[str, State] = {}
        for key, value in state.items():
            name, what = known.get(key, ("", ""))
            blank = layouts[name][what] if key in known else None
            if blank is None or np.shape(value) != np.shape(blank) or np.asarray(value).dtype.kind not in "fiu":
                raise CheckpointError(f"the optimizer's state {key!r} matches no parameter of the network")
            if isinstance(blank, np.ndarray):
                array = np.empty_like(blank)  # in the memory layout of its parameter
                array[...] = value
                loaded.setdefault(name, {})[what] = array
            else:
                loaded.setdefault(name, {})[what] = type(blank)(value)
        for name, entries in loaded.items():
            if missing := layouts[name].keys() - entries.keys():
                raise CheckpointError(f"the optimizer's state of {name!r} lacks {', '.join(sorted(missing))}")
        self._state = loaded

    def _layout(self, p: Array) -> State:
        """A state with the entries and shapes of a saved state of a parameter."""
        return self._new_state(p)

    def _key(self, what: str, name: str) -> str:
        """The key of an entry in `state_dict`; ``what`` contains no dot, so that keys are unique."""
        return f"{what}.{name}"


def by_name(params: Params) -> dict[str, Tensor]:
    """Tensors by name: those of a dict, or numbered from "0".

    Raises
    ------
    TypeError
        If a parameter is not a Tensor.
    ValueError
        If a parameter occurs twice.
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


def check_writable(name: str, p: Tensor) -> None:
    """Raise a ValueError if a parameter is a read-only array."""
    if not p.data.flags.writeable:
        raise ValueError(f"parameter {name!r} is a read-only array: give the Tensor a copy of it")


def in_range(what: str, value: float, end: float = np.inf, *, closed: bool = False) -> float:
    """The value, if it is in [0, end), or [0, end] if ``closed``; otherwise, also for NaN, raise a ValueError."""
    if not (0 <= value < end or (closed and value == end)):
        raise ValueError(f"{what} must be in [0, {end}{']' if closed else ')'}, got {value}")
    return value


def both_in_range(betas: tuple[float, float]) -> tuple[float, float]:
    """The two decay rates of Adam and its variants, each in [0, 1)."""
    beta1, beta2 = betas
    return in_range("betas[0]", beta1, 1), in_range("betas[1]", beta2, 1)
