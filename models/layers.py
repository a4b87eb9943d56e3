"""The types of layers that a list can contain, and how an entry becomes a layer.

There is one mechanism for all of them: the parameters of an entry are those of the constructor, as its signature and
annotations describe them. Those that follow from the shape of the input, such as ``in_channels``, can be left out. The
shape of a layer's result is found by calling it. So every layer of `tensorgrad.nn` has a type of its own name.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeAlias

import numpy as np
from msgspec import Meta

import tensorgrad as tg
from models.schema import Finite, checked, described, integer
from models.two_layer import TwoLayer

Layer: TypeAlias = Callable[..., Any]
Shape: TypeAlias = tuple[int, ...]  # of one example, without the axis of the batch

ACTIVATIONS: dict[str, Layer] = {
    "CELU": tg.celu, "ELU": tg.elu, "GELU": tg.gelu, "GLU": tg.glu, "Hardsigmoid": tg.hardsigmoid,
    "Hardswish": tg.hardswish, "Hardtanh": tg.hardtanh, "Identity": np.positive, "LeakyReLU": tg.leaky_relu,
    "LogSigmoid": tg.log_sigmoid, "Mish": tg.mish, "ReLU": tg.relu, "ReLU6": tg.relu6, "SELU": tg.selu,
    "SiLU": tg.silu, "Sigmoid": tg.sigmoid, "Softmax": tg.softmax, "Softplus": tg.softplus, "Softsign": tg.softsign,
    "Tanh": np.tanh,
}  # fmt: skip
"""Functions, by the names of PyTorch's modules."""


class Reshape:
    """From ``(N, ...)`` to ``(N, *shape)``, where one length can be -1."""

    def __init__(self, shape: Any) -> None:
        self.shape = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)

    def __call__(self, x: Any) -> Any:
        """The same numbers in another shape."""
        return np.reshape(x, (len(x), *self.shape))

    def to_onnx(self, graph: Any, x: Any) -> Any:
        """Add its node to a graph of ONNX: see `tensorgrad.export`."""
        shape = np.array((-1, *self(x.example).shape[1:]), np.int64)
        return graph.node("Reshape", x, graph.constant(shape, "shape"))

    def __repr__(self) -> str:
        return f"Reshape({', '.join(map(str, self.shape))})"


class WithOptions:
    """A function with values of its options: ``LeakyReLU(negative_slope=0.2)``."""

    def __init__(self, name: str, function: Layer, options: dict[str, Any]) -> None:
        self.name, self.function, self.options = name, function, options

    def __call__(self, x: Any) -> Any:
        """Call the function."""
        return self.function(x, **self.options)

    def to_onnx(self, graph: Any, x: Any) -> Any:
        """Add its nodes to a graph of ONNX: see `tensorgrad.export`."""
        return graph.layer(functools.partial(self.function, **self.options), x)

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(f'{name}={value!r}' for name, value in self.options.items())})"


class Sequences:
    """The states of all steps of an `LSTM` or a `GRU`, ``(N, T, features)``, without the last states."""

    draws = True

    def __init__(self, layer: Layer) -> None:
        self.layer = layer

    def __call__(self, x: Any, rng: np.random.Generator | None = None) -> Any:
        """From ``(N, T, input_size)`` to ``(N, T, hidden_size)``."""
        return self.layer(x, rng=rng)[0]

    def to_onnx(self, graph: Any, x: Any) -> Any:
        """Add its nodes to a graph of ONNX: see `tensorgrad.export`."""
        return graph.layer(self.layer, x)

    def __repr__(self) -> str:
        return repr(self.layer)


class SelfAttention(Sequences):
    """A `MultiheadAttention` whose queries, keys and values are all its input, ``(N, T, embed_dim)``."""

    def __call__(self, x: Any, rng: np.random.Generator | None = None) -> Any:
        """From ``(N, T, embed_dim)`` to the same shape."""
        return self.layer(x, x, x, need_weights=False, rng=rng)[0]


# Not types of layers: `Embedding` takes integers, the others are not layers.
_OMITTED = ("Embedding", "Mode", "Summary")
_WRAPPED: dict[str, Callable[[Layer], Layer]] = {
    "GRU": Sequences, "LSTM": Sequences, "MultiheadAttention": SelfAttention
}  # fmt: skip
LAYERS: dict[str, Any] = {
    **{name: kind for name in tg.nn.__all__
       if name not in _OMITTED and isinstance(kind := getattr(tg.nn, name), type) and callable(kind)},
    **ACTIVATIONS, "Reshape": Reshape, "TwoLayer": TwoLayer, "Upsample": tg.interpolate,
}  # fmt: skip
"""By type, a class of `tensorgrad.nn` or of this folder, or a function."""

# Parameters that an entry cannot set: all networks are float32, and their first axis is that of the batch.
_EXCLUDED = {"rng", "dtype", "batch_first", "kdim", "vdim"}
# Parameters that follow from the shape of the input; None if one does not follow from this shape.
_INFERRED: dict[str, Callable[[Shape], int | None]] = {
    "in_features": lambda shape: shape[-1],
    "input_size": lambda shape: shape[-1],
    "embed_dim": lambda shape: shape[-1],
    "in_channels": lambda shape: shape[0],
    "num_features": lambda shape: shape[0],
    "num_channels": lambda shape: shape[0],
    "normalized_shape": lambda shape: shape[-1] if len(shape) < 3 else None,
}


def takes_images(kind: str) -> bool:
    """Whether the layers of a type take images ``(N, C, H, W)``, or reshape them."""
    return kind.endswith("2d") or kind in ("Flatten", "Reshape", "GroupNorm", "Upsample")


def takes_vectors(kind: str) -> bool:
    """Whether the layers of a type take a vector of features, so that images are flattened before the first one."""
    return kind in ("Linear", "TwoLayer")


def parameters(kind: str) -> dict[str, inspect.Parameter]:
    """The parameters that an entry of a type can have, by name."""
    factory = LAYERS[kind]
    if isinstance(factory, np.ufunc):
        return {}
    signature = list(inspect.signature(factory).parameters.values())
    if not isinstance(factory, type):
        signature = signature[1:]  # without x
    allowed = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {p.name: p for p in signature if p.kind in allowed and p.name not in _EXCLUDED}


def is_nested(parameter: inspect.Parameter) -> bool:
    """Whether the value of a parameter is a list of entries: the ``layer`` of a `Residual`."""
    return parameter.name == "layers" or str(parameter.annotation).startswith("Callable")


def make(kind: str, params: dict[str, Any], shape: Shape, rng: np.random.Generator) -> Layer:
    """Create a layer of a type for inputs ``(N, *shape)``; nested lists of entries in ``params`` are layers already.

    Raises
    ------
    ValueError, TypeError, MemoryError
        If a parameter is unknown, missing or wrong.
    """
    known, values = parameters(kind), {}
    for name in params:
        if name not in known:
            raise ValueError(f"{kind} has no parameter {name!r}; valid: {', '.join(known) or 'none'}")
    for name, parameter in known.items():
        inferred = _INFERRED[name](shape) if name in _INFERRED else None
        if name in params:
            values[name] = params[name] if is_nested(parameter) else _checked(parameter, params[name])
            if inferred is not None and name != "normalized_shape" and values[name] != inferred:
                raise ValueError(f"{name} is {values[name]}, but must be {inferred} here; it can be left out")
        elif inferred is not None:
            values[name] = inferred
        elif parameter.default is parameter.empty:
            raise ValueError(f"{kind} needs the parameter {name!r}")
    factory = LAYERS[kind]
    if not isinstance(factory, type):
        return WithOptions(kind, factory, values) if values else factory
    signature = inspect.signature(factory).parameters
    fixed = {"rng": rng, "batch_first": True}
    layer: Layer = factory(**values, **{name: value for name, value in fixed.items() if name in signature})
    return _WRAPPED[kind](layer) if kind in _WRAPPED else layer


def result_shape(layer: Layer, shape: Shape) -> Shape:
    """The shape of a layer's result for inputs ``(N, *shape)``, without the ``N``; found by calling it with zeros.

    Raises
    ------
    ValueError, TypeError, IndexError, MemoryError
        If it does not take this shape.
    """
    with tg.no_grad(), tg.nn.eval(layer), np.errstate(all="ignore"):
        result = layer(np.zeros((2, *shape), np.float32))
    found: Shape = np.shape(result.data if isinstance(result, tg.Tensor) else result)
    if found[:1] != (2,):
        raise ValueError(f"the result for 2 images has shape {found}: its first axis must be that of the images")
    return found[1:]


def batch_shape(shape: Sequence[int]) -> str:
    """The shape of a batch of such examples, as text: ``(N, 1, 28, 28)``."""
    return f"({', '.join(['N', *map(str, shape)])}{',' if not shape else ''})"


_KINDS: dict[str, Any] = {"int": int, "float": Finite, "bool": bool, "str": str}  # by annotation
_SIZE = described(int | Finite | str | Annotated[list[int | Finite | None], Meta(min_length=1)],
                  "must be a number, or a list of numbers")  # fmt: skip  # such as 3, [3, 5], [1, null] or "same"


def _checked(parameter: inspect.Parameter, value: Any) -> Any:
    """The value of a parameter, a list as a tuple, after a check against its annotation."""
    annotation = getattr(parameter.annotation, "__name__", str(parameter.annotation))
    if value is None and ("None" in annotation or parameter.default is None):
        return None
    kind = _KINDS.get(annotation.removesuffix(" | None"), _SIZE)
    if kind is int and parameter.default is parameter.empty:
        kind = integer(1)
    checked(value, kind, parameter.name)
    return tuple(value) if isinstance(value, list) else value
