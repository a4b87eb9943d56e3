"""The parameters of a model: found by name, frozen, saved and loaded."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import numpy as np

from tensorgrad.engine.aliasing import keep_saved
from tensorgrad.errors import CheckpointError
from tensorgrad.frontend.tensor import Tensor

__all__ = ["freeze", "load_state_dict", "parameters", "state_dict"]

Array = Any


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
    seen: set[int] = set()

    def visit(path: str, item: Any) -> None:
        if id(item) in seen:
            return
        if isinstance(item, Tensor):
            seen.add(id(item))
            if item.is_leaf:
                if path in found:
                    raise ValueError(f"two parameters are called {path!r}: rename the attribute or key of one")
                found[path] = item
            return
        for name, child in _children(item):
            seen.add(id(item))
            visit(f"{path}.{name}" if path else name, child)

    visit("", model)
    return found


def _children(item: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(item, Mapping):
        yield from ((str(key), value) for key, value in item.items())
    elif isinstance(item, (list, tuple)):
        yield from ((str(i), value) for i, value in enumerate(item))
    elif hasattr(item, "__dict__") and not isinstance(item, (type, ModuleType)) and not inspect.isroutine(item):
        yield from vars(item).items()


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
    """Copies of the values of all parameters, by name.

    Examples
    --------
    >>> layer = tg.nn.Linear(3, 2, np.random.default_rng(0))
    >>> {name: array.shape for name, array in tg.nn.state_dict(layer).items()}
    {'weight': (3, 2), 'bias': (2,)}
    """
    return {name: parameter.data.copy() for name, parameter in parameters(model).items()}


def load_state_dict(model: Any, state: Mapping[str, Array]) -> None:
    """Set all parameters to the values in ``state``, all of them or none.

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
    named = parameters(model)
    problems = [f"missing {name}" for name in named if name not in state]
    problems += [f"unexpected {name}" for name in state if name not in named]
    for name in named.keys() & state.keys():
        if np.shape(state[name]) != named[name].shape:
            problems.append(f"{name} has shape {np.shape(state[name])}, the network {named[name].shape}")
        elif np.asarray(state[name]).dtype.kind not in "fiub":
            problems.append(f"{name} does not hold real numbers")
    if problems:
        raise CheckpointError("the weights do not fit the network: " + "; ".join(sorted(problems)))
    values = {name: np.asarray(state[name], parameter.dtype) for name, parameter in named.items()}
    for name, parameter in named.items():
        if not parameter.data.flags.writeable:
            raise ValueError(f"parameter {name!r} is a read-only array: give the Tensor a copy of it")
    for name, parameter in named.items():
        keep_saved(parameter)
        parameter.data[...] = values[name]
