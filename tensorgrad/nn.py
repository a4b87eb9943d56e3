"""What networks need: initial weights, a linear layer, a chain of layers, and their parameters by name.

No base class: a model is any object that holds tensors in its attributes, lists and dicts, and `parameters`
finds them there. A layer is any callable. Randomness is an argument: a model called as ``model(x)`` is
deterministic, and called as ``model(x, rng)`` draws its dropout masks from ``rng``. A layer of your own that draws, in
a `Sequential`, says so by an attribute ``draws = True``, and is called as ``layer(x, rng)``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import ModuleType
from typing import Any

import numpy as np

from tensorgrad import functional
from tensorgrad.errors import CheckpointError
from tensorgrad.tape import before_write
from tensorgrad.tensor import Tensor

Array = Any


# ------------------------------------------------------------------------------------------------ initial weights


def he(rng: np.random.Generator, fan_in: int, fan_out: int) -> Array:
    """Normal with standard deviation ``sqrt(2 / fan_in)``, shape ``(fan_in, fan_out)``: for ReLU.

    Source: He et al., "Delving deep into rectifiers", 2015, equation 10.
    """
    return rng.standard_normal((fan_in, fan_out)) * np.sqrt(2 / max(fan_in, 1))


def glorot(rng: np.random.Generator, fan_in: int, fan_out: int) -> Array:
    """Uniform in ``+-sqrt(6 / (fan_in + fan_out))``, shape ``(fan_in, fan_out)``: for tanh and sigmoid.

    Source: Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks",
    2010, equation 16.
    """
    limit = np.sqrt(6 / max(fan_in + fan_out, 1))
    return rng.uniform(-limit, limit, (fan_in, fan_out))


def small(rng: np.random.Generator, fan_in: int, fan_out: int) -> Array:
    """Normal with standard deviation 0.01, whatever the size of the layer: the custom before 2010."""
    return rng.standard_normal((fan_in, fan_out)) * 0.01


INITS: dict[str, Callable[..., Array]] = {"he": he, "glorot": glorot, "small": small}


# ------------------------------------------------------------------------------------------------ layers


class Linear:
    """``x @ weight + bias``, from ``(..., in_features)`` to ``(..., out_features)``.

    Parameters
    ----------
    in_features, out_features
        The lengths of the last axis before and after.
    rng
        Draws the initial weights.
    bias
        Whether there is a bias; it starts at 0.
    init
        ``"he"``, ``"glorot"`` or ``"small"``.
    dtype
        Of the parameters.
    """

    def __init__(self, in_features: int, out_features: int, rng: np.random.Generator, *, bias: bool = True,
                 init: str = "he", dtype: Any = np.float32) -> None:  # fmt: skip
        if init not in INITS:
            raise ValueError(f"init must be one of {', '.join(INITS)}, got {init!r}")
        if in_features < 1 or out_features < 1:
            raise ValueError(f"a linear layer needs a feature on each side, got {in_features} and {out_features}")
        self.weight = Tensor(INITS[init](rng, in_features, out_features), requires_grad=True, dtype=dtype)
        self.bias = Tensor(np.zeros(out_features, dtype), requires_grad=True) if bias else None

    def __call__(self, x: Any) -> Any:
        """From ``(..., in_features)`` to ``(..., out_features)``."""
        y = x @ self.weight
        return y if self.bias is None else y + self.bias


class Dropout:
    """Zero each element with probability ``p`` while training, that is, where an ``rng`` is passed."""

    draws = True

    def __init__(self, p: float = 0.5) -> None:
        if not 0 <= p < 1:
            raise ValueError(f"dropout probability must be in [0, 1), got {p}")
        self.p = p

    def __call__(self, x: Any, rng: np.random.Generator | None = None) -> Any:
        """``x``, thinned out where an ``rng`` is passed."""
        return x if rng is None else functional.dropout(x, self.p, rng)


class Sequential:
    """Layers called one after the other; ``layers`` is the list or dict they were given in.

    A dict gives parameters the names of its keys: ``layers.hidden.weight`` in place of ``layers.0.weight``.
    """

    draws = True

    def __init__(self, layers: Iterable[Callable[..., Any]] | Mapping[str, Callable[..., Any]]) -> None:
        self.layers = dict(layers) if isinstance(layers, Mapping) else list(layers)

    def __call__(self, x: Any, rng: np.random.Generator | None = None) -> Any:
        """The last layer's result; ``rng`` goes to the layers that draw."""
        for layer in self.layers.values() if isinstance(self.layers, dict) else self.layers:
            x = layer(x, rng) if getattr(layer, "draws", False) else layer(x)
        return x


# ------------------------------------------------------------------------------------------------ parameters


def parameters(model: Any) -> dict[str, Tensor]:
    """All leaf tensors of a model, by their path (``layers.0.weight``), frozen ones included.

    Attributes, lists, tuples and dicts are walked in order. A tensor found twice is listed once, under the
    first name.
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
        If nothing stands at one of the paths.
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
    """Copies of the values of all parameters, by name."""
    return {name: parameter.data.copy() for name, parameter in parameters(model).items()}


def load_state_dict(model: Any, state: Mapping[str, Array]) -> None:
    """Set all parameters to the values in ``state``, all of them or none.

    Raises
    ------
    CheckpointError
        With every missing, unexpected and wrongly shaped entry in one message.
    OverwriteError
        If a backward pass still to come needs a present value.
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
        before_write(parameter, f"loading {name!r}")
        if not parameter.data.flags.writeable:
            raise ValueError(f"parameter {name!r} is a read-only array: give the Tensor a copy of it")
    for name, parameter in named.items():
        parameter.data[...] = values[name]
