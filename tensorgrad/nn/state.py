"""The parameters and buffers of a model: found by name, frozen, saved and loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tensorgrad.engine.aliasing import keep_saved
from tensorgrad.errors import CheckpointError
from tensorgrad.frontend.tensor import Tensor
from tensorgrad.nn.walking import walk

__all__ = ["buffers", "freeze", "load_state_dict", "parameters", "state_dict"]

Array: TypeAlias = NDArray[Any]


def parameters(model: Any) -> dict[str, Tensor]:
    """All leaf tensors of a model, by their path (``layers.0.weight``), frozen ones included.

    Attributes, lists, tuples and dicts are searched in order. A tensor found twice is listed once, under the
    first name.

    Examples
    --------
    >>> model = {"scale": tg.Tensor(2.0, requires_grad=True), "layers": [tg.nn.Linear(3, 2, np.random.default_rng(0))]}
    >>> list(tg.nn.parameters(model))
    ['scale', 'layers.0.weight', 'layers.0.bias']
    """
    found: dict[str, Tensor] = {}
    for path, item in walk(model):
        if isinstance(item, Tensor) and item.is_leaf:
            if path in found:
                raise ValueError(f"two parameters are called {path!r}: rename the attribute or key of one")
            found[path] = item
    return found


def buffers(model: Any) -> dict[str, Array]:
    """The arrays that are part of a model's state but are not trained, by their path (``norm.running_mean``).

    A layer declares its buffers by an attribute ``buffers``, a tuple of the names of attributes, which are arrays or
    None. Other arrays in a model, such as a mask, are not saved.

    Raises
    ------
    TypeError
        If a buffer is not an array.

    Examples
    --------
    >>> class Counted:
    ...     buffers = ("calls",)
    ...     def __init__(self):
    ...         self.calls = np.array(0)
    ...     def __call__(self, x):
    ...         self.calls += 1
    ...         return x
    >>> net = tg.nn.Sequential([Counted(), tg.relu])
    >>> net(np.ones(3))
    array([1., 1., 1.])
    >>> tg.nn.buffers(net)
    {'layers.0.calls': array(1)}
    """
    found: dict[str, Array] = {}
    for path, item in walk(model):
        for name in _declared(item):
            value, where = getattr(item, name), f"{path}.{name}" if path else name
            if isinstance(value, np.ndarray):
                found[where] = value
            elif value is not None:
                raise TypeError(f"buffer {where!r} must be an ndarray, or None, got {value!r:.80}")
    return found


def _declared(item: Any) -> tuple[str, ...]:
    """The names of buffers that an object declares; none if its attribute ``buffers`` is something else."""
    names = () if isinstance(item, (Tensor, type)) else getattr(item, "buffers", ())
    if isinstance(names, str):
        return (names,)  # ("running_mean"), without a comma
    is_declaration = isinstance(names, (tuple, list)) and all(isinstance(name, str) for name in names)
    return tuple(names) if is_declaration else ()


def freeze(model: Any, *paths: str) -> list[str]:
    """Clear ``requires_grad`` of every parameter at or below the paths; return the names of those frozen.

    Raises
    ------
    ValueError
        If there is no parameter at one of the paths.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> net = tg.nn.Sequential([tg.nn.Linear(3, 4, rng), tg.nn.Linear(4, 2, rng)])
    >>> tg.nn.freeze(net, "layers.0")
    ['layers.0.weight', 'layers.0.bias']
    """
    named = parameters(model)
    frozen = []
    for path in paths:
        below = [name for name in named if name == path or name.startswith(path + ".")]
        if not below:
            raise ValueError(f"no parameter at {path!r}; there are: {', '.join(named)}")
        frozen += below
    for name in frozen:
        named[name].requires_grad = False
    return frozen


def state_dict(model: Any) -> dict[str, Array]:
    """Copies of the values of all parameters and `buffers`, by name.

    Examples
    --------
    >>> layer = tg.nn.Linear(3, 2, np.random.default_rng(0))
    >>> {name: array.shape for name, array in tg.nn.state_dict(layer).items()}
    {'weight': (3, 2), 'bias': (2,)}
    """
    return {name: value.copy() for name, value in _values(model).items()}


def _values(model: Any) -> dict[str, Array]:
    """The arrays of all parameters and buffers."""
    values = {name: parameter.data for name, parameter in parameters(model).items()}
    for name, buffer in buffers(model).items():
        if name in values:
            raise ValueError(f"a parameter and a buffer are called {name!r}: rename the attribute or key of one")
        values[name] = buffer
    return values


def load_state_dict(model: Any, state: Mapping[str, Array]) -> None:
    """Set all parameters and `buffers` to the values in ``state``; on an error, nothing is changed.

    Raises
    ------
    CheckpointError
        If the state does not fit. The message lists every missing, unexpected and wrongly shaped entry.

    Examples
    --------
    >>> layer, other = (tg.nn.Linear(3, 2, np.random.default_rng(seed)) for seed in (0, 1))
    >>> tg.nn.load_state_dict(layer, tg.nn.state_dict(other))
    >>> np.array_equal(layer.weight.data, other.weight.data)
    True
    """
    own, named = _values(model), parameters(model)
    problems = [f"missing {name}" for name in own if name not in state]
    problems += [f"unexpected {name}" for name in state if name not in own]
    for name in own.keys() & state.keys():
        if np.shape(state[name]) != own[name].shape:
            problems.append(f"{name} has shape {np.shape(state[name])}, expected {own[name].shape}")
        elif np.asarray(state[name]).dtype.kind not in "fiub":
            problems.append(f"{name} does not hold real numbers")
    if problems:
        raise CheckpointError("the weights do not fit the network: " + "; ".join(sorted(problems)))
    new = {name: np.asarray(state[name], value.dtype) for name, value in own.items()}
    for name, value in own.items():
        if not value.flags.writeable:
            kind, remedy = ("parameter", "the Tensor") if name in named else ("buffer", "the layer")
            raise ValueError(f"{kind} {name!r} is a read-only array: give {remedy} a copy of it")
    for name, value in own.items():
        if name in named:
            keep_saved(named[name])
        value[...] = new[name]
