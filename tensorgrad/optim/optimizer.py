"""The base class of optimizers: named parameters, checks before any change, and a state that can be saved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self, TypeAlias, cast

import numpy as np

from tensorgrad.blas import axpby
from tensorgrad.engine.aliasing import keep_saved
from tensorgrad.engine.tape import Array, value_of
from tensorgrad.errors import CheckpointError, ShapeError
from tensorgrad.frontend.tensor import Tensor
from tensorgrad.optim.blocks import BYTES, Blocks
from tensorgrad.optim.checks import by_name, check_writable, in_range
from tensorgrad.optim.one_call import as_one_call
from tensorgrad.optim.products import Product

Params: TypeAlias = "Tensor | Iterable[Tensor | Mapping[str, Any]] | Mapping[str, Tensor]"
State: TypeAlias = dict[str, Any]  # the state of one parameter: arrays of its shape, and numbers


class _Grouped:
    """Given a list of dicts, the constructor returns an optimizer of parameter groups."""

    def __new__(cls, params: Any = (), *arguments: Any, **options: Any) -> Self:
        if isinstance(params, (list, tuple)) and any(isinstance(group, Mapping) for group in params):
            from tensorgrad.optim.groups import Groups  # which imports this module

            return cast("Self", Groups.of(cast("type[Optimizer]", cls), params, arguments, options))
        return super().__new__(cls)


class Optimizer(_Grouped):
    """Base class of all optimizers. A subclass defines `_update`, and `_new_state` if it keeps a state.

    After the first step of each parameter, a step allocates memory only to convert a gradient to another dtype or
    memory layout. A large parameter is updated in blocks that fit in the processor's cache.

    Parameters
    ----------
    params
        Tensors, or a dict of them by name as returned by `nn.parameters`. Those that require no gradient, or have none
        at a step, are not changed. Or *parameter groups*: a list of dicts, each with ``"params"`` and options of its
        own, which take the place of those of the constructor.
    lr
        The learning rate; an attribute, for a schedule to set. All options are attributes. Those of a group are
        attributes of its element of `param_groups`, and also of the optimizer if all groups have the same value.
    weight_decay
        Coupled (added to the gradient, which is equivalent to a penalty ``weight_decay / 2 * sum(p**2)``) or, where
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

    Parameter groups: here, no weight decay for the bias.

    >>> w, b = (tg.Tensor([1.0], requires_grad=True) for _ in range(2))
    >>> optimizer = tg.optim.SGD([{"params": {"w": w}}, {"params": {"b": b}, "weight_decay": 0.0}], weight_decay=0.1)
    >>> optimizer.lr = 0.5
    >>> [(group.lr, group.weight_decay) for group in optimizer.param_groups]
    [(0.5, 0.1), (0.5, 0.0)]
    """

    compile_as_one_call = True  # see `tensorgrad.compile`
    takes_products = False  # whether `_update_by` may avoid that the product of two matrices is computed
    decoupled_weight_decay = False
    eps = 0.0  # added to a divisor, by optimizers that divide
    _scratches = 2  # arrays like `p` that `_update` may write to
    _in_blocks = False  # whether `_update` is elementwise, so that it can be called for a block of elements

    def __init__(self, params: Params, lr: float, weight_decay: float = 0.0, maximize: bool = False) -> None:
        self.params = by_name(cast("Iterable[Tensor]", params))
        for name, p in self.params.items():
            if not p.is_leaf:
                raise TypeError(f"parameter {name!r} must be a leaf Tensor, got {p!r:.80}")
        if not self.params:
            raise ValueError("the optimizer was given no parameters")
        self.lr = self.initial_lr = in_range("lr", lr)
        self.weight_decay = in_range("weight_decay", weight_decay)
        self.maximize = maximize
        self._state: dict[str, State] = {}
        self._blocks: dict[str, Blocks] = {}
        self._scratch: dict[Any, tuple[Array, ...]] = {}  # by shape, strides and dtype

    @property
    def param_groups(self) -> list[Optimizer]:
        """The parameter groups, each an optimizer with parameters and options of its own: here, the optimizer itself.

        Examples
        --------
        >>> w, b = (tg.Tensor([1.0], requires_grad=True) for _ in range(2))
        >>> optimizer = tg.optim.SGD([{"params": w}, {"params": b, "lr": 0.1}], lr=0.01)
        >>> optimizer.param_groups[1].lr = 0.2
        >>> [group.lr for group in optimizer.param_groups]
        [0.01, 0.2]
        """
        return [self]

    def scale_lr(self, factor: float) -> None:
        """Set the learning rate of each parameter group to ``factor`` times its initial one.

        Examples
        --------
        >>> w, b = (tg.Tensor([1.0], requires_grad=True) for _ in range(2))
        >>> optimizer = tg.optim.SGD([{"params": w}, {"params": b, "lr": 0.1}], lr=0.01)
        >>> optimizer.scale_lr(0.5)
        >>> [group.lr for group in optimizer.param_groups]
        [0.005, 0.05]
        """
        for group in self.param_groups:
            group.lr = group.initial_lr * factor

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

    @as_one_call(product=Product)
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
        for group, due in [(group, group._due()) for group in self.param_groups]:  # all checks come first
            group._change(due)

    def _due(self) -> list[tuple[str, Tensor, Array]]:
        """The parameters that have a gradient, with their names and gradients, after checks of both."""
        return [
            (name, p, self._checked(name, p))
            for name, p in self.params.items()
            if p.grad is not None and p.node is not None
        ]

    def _change(self, due: list[tuple[str, Tensor, Array]]) -> None:
        if any([type(g) is Product for _, _, g in due]):
            due.sort(key=_is_product)  # those last: they displace the rest from the cache
        for name, parameter, g in due:
            keep_saved(parameter)
            p, state, blocks = parameter.data, self._state.get(name), self._blocks.get(name)
            if state is None:
                state = self._state[name] = self._new_state(p)
            self._begin(p, state)
            if isinstance(g, Product):
                if self._update_by(g, p, state):
                    continue
                g = g.of(p)
            size = p.size if p.nbytes <= BYTES else self._block_size(p)
            if blocks is None or not blocks.fit(p, state, size):
                blocks = self._blocks[name] = Blocks(p, state, size, self._scratch_like)
            for block, d, part, scratch in blocks.with_gradient(g):
                self._update(block, self._direction(block, d, scratch[0]), part, *scratch)

    def _checked(self, name: str, p: Tensor) -> Array:
        """The gradient of a parameter, in the dtype of the parameter, after checks of both."""
        g, value = p.grad, p.data
        is_ordinary = type(g) is np.ndarray and g.dtype is value.dtype and g.shape == value.shape and not self.eps
        if is_ordinary and value.dtype.kind == "f" and value.flags.writeable:
            return g
        if type(g) is not np.ndarray and not isinstance(g, Product):
            g = np.asarray(value_of(g))
        check_writable(name, p)
        if g.shape != value.shape:
            raise ShapeError(f"parameter {name!r} has shape {p.shape}, its .grad {g.shape}: they must be equal")
        if value.dtype.kind != "f" or g.dtype.kind not in "fiub":
            raise TypeError(f"parameter {name!r} is {p.dtype}, its .grad {g.dtype}: both must be real")
        if 0 < self.eps < np.finfo(value.dtype).tiny:  # a gradient of 0 would cause a division by 0
            raise ValueError(
                f"parameter {name!r} is {p.dtype}, in which eps={self.eps} underflows: use eps=1e-4, or float32 "
                "parameters"
            )
        return g if g.dtype == value.dtype else g.astype(value.dtype)  # the square of an int8 would overflow

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

    def _update_by(self, g: Product, p: Array, state: State) -> bool:
        """Change ``p`` in place without computing the product ``g``. Returns whether this was possible."""
        return False

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
            group._key(what, name): np.array(value)
            for group in self.param_groups
            for name, state in group._state.items()
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
        groups = {name: group for group in self.param_groups for name in group.params}
        layouts = {name: group._layout(group.params[name].data) for name, group in groups.items()}
        known = {groups[name]._key(what, name): (name, what) for name, layout in layouts.items() for what in layout}
        loaded: dict[str, State] = {}
        for key, value in state.items():
            name, what = known.get(key, ("", ""))
            blank = layouts[name][what] if key in known else None
            if blank is None or np.shape(value) != np.shape(blank) or np.asarray(value).dtype.kind not in "fiu":
                raise CheckpointError(f"the optimizer's state {key!r} belongs to no parameter of the network")
            if isinstance(blank, np.ndarray):
                array = np.empty_like(blank)  # in the memory layout of its parameter
                array[...] = value
                loaded.setdefault(name, {})[what] = array
            else:
                loaded.setdefault(name, {})[what] = type(blank)(value)
        for name, entries in loaded.items():
            if missing := layouts[name].keys() - entries.keys():
                raise CheckpointError(f"the optimizer's state of {name!r} lacks {', '.join(sorted(missing))}")
        for group in self.param_groups:
            group._state = {name: loaded[name] for name in group.params if name in loaded}

    def _layout(self, p: Array) -> State:
        """A state with the entries and shapes of a saved state of a parameter."""
        return self._new_state(p)

    def _key(self, what: str, name: str) -> str:
        """The key of an entry in `state_dict`; ``what`` contains no dot, so that keys are unique."""
        return f"{what}.{name}"


def _is_product(due: tuple[str, Tensor, Array]) -> bool:
    return isinstance(due[2], Product)
