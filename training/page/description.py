"""A trained network as a list of dicts that the page's script, network.js, can run."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

import tensorgrad as tg
from models.layers import ACTIVATIONS, Reshape, Sequences, Shape, WithOptions, result_shape
from models.two_layer import TwoLayer
from tensorgrad.errors import ConfigError
from tensorgrad.functional.arguments import per_axis

Entry: TypeAlias = dict[str, Any]

ELEMENTWISE = [name for name in ACTIVATIONS if name not in ("GLU", "Softmax")]
"""The activation functions of network.js, which has a test for each of them."""


def packed(array: Any) -> Entry:
    """An array as half-precision numbers in base64, each divided by ``scale``, the largest magnitude."""
    values = np.asarray(array.data if isinstance(array, tg.Tensor) else array, np.float64)
    scale = float(np.abs(values).max(initial=0)) or 1.0
    halves = (values / scale).astype("<f2")
    return {"shape": list(values.shape), "scale": scale, "data": base64.b64encode(halves.tobytes()).decode("ascii")}


def describe(network: Any, shape: Shape, source: str) -> list[Entry]:
    """The layers of a network for inputs ``(N, *shape)``, in evaluation mode, where dropout does nothing.

    Raises
    ------
    ConfigError
        Naming ``source`` and the layer, if the page cannot run one of the layers.
    """
    if not isinstance(network, tg.nn.Sequential):
        raise ConfigError(f"{source}: the page cannot run a class of your own; it runs {', '.join(LAYERS_OF_PAGES)}")
    return _sequence(network, shape, source)


def _sequence(network: tg.nn.Sequential, shape: Shape, source: str) -> list[Entry]:
    layers = network.layers if isinstance(network.layers, dict) else dict(enumerate(network.layers))
    entries: list[Entry] = []
    for name, layer in layers.items():
        try:
            entries += _entries(layer, shape, source)
        except _UnsupportedError as error:
            reason = f" with {error}" if str(error) else ""
            raise ConfigError(f"{source}: the page cannot run the layer {name!r} ({_type(layer)}{reason}); it runs "
                              f"{', '.join(LAYERS_OF_PAGES)}") from None  # fmt: skip
        shape = result_shape(layer, shape)
    return entries


def _type(layer: Any) -> str:
    """The type of a layer as it is written in a list of layers."""
    names = [name for name, function in ACTIVATIONS.items() if layer is function]
    if names or isinstance(layer, WithOptions):
        return layer.name if isinstance(layer, WithOptions) else names[0]
    return type(layer.layer if isinstance(layer, Sequences) else layer).__name__


class _UnsupportedError(Exception):
    """The page cannot run a layer, with these options."""


def _entries(layer: Any, shape: Shape, source: str) -> list[Entry]:
    """The entries of one layer: none if it does nothing in evaluation mode, several if it consists of layers."""
    options: Entry = {}
    if isinstance(layer, WithOptions):
        layer, options = layer.function, layer.options
    for name in ELEMENTWISE:
        if layer is ACTIVATIONS[name]:
            return [] if name == "Identity" else [{"kind": name, **options}]
    if isinstance(layer, tg.nn.Sequential):
        return _sequence(layer, shape, source)
    if isinstance(layer, tg.nn.Residual):
        inner, shortcut = (
            [] if part is None else _sequence(tg.nn.Sequential([part]), shape, source)
            for part in (layer.layer, layer.shortcut)
        )
        return [{"kind": "residual", "layers": inner, "shortcut": shortcut}]
    for kind, entries in _KINDS.items():
        if isinstance(layer, kind):
            return entries(layer, shape)
    raise _UnsupportedError


def _linear(weight: Any, bias: Any) -> Entry:
    return {"kind": "linear", "weight": packed(weight), "bias": None if bias is None else packed(bias)}


def _one_linear(layer: tg.nn.Linear, shape: Shape) -> list[Entry]:
    _require(len(shape) == 1, f"an input of {len(shape)} axes")
    return [_linear(layer.weight, layer.bias)]


def _conv(layer: tg.nn.Conv2d, shape: Shape) -> list[Entry]:
    _require(layer.padding_mode == "zeros", f"padding_mode {layer.padding_mode!r}")
    dilation = per_axis(layer.dilation, 2, "dilation", 1)
    if layer.padding == "same":
        totals = [d * (k - 1) for d, k in zip(dilation, layer.kernel_size, strict=True)]
        padding = [[total // 2, total - total // 2] for total in totals]
    else:
        padding = [[p, p] for p in per_axis(0 if layer.padding == "valid" else layer.padding, 2, "padding", 0)]
    entry = {"stride": per_axis(layer.stride, 2, "stride", 1), "padding": padding, "dilation": dilation}
    return [{**_linear(layer.weight, layer.bias), "kind": "conv", "groups": layer.groups, **entry}]


def _pool(layer: Any, shape: Shape) -> list[Entry]:
    is_max = isinstance(layer, tg.nn.MaxPool2d)
    _require(not layer.ceil_mode, "ceil_mode")
    _require(is_max or layer.count_include_pad, "count_include_pad false")
    dilation = per_axis(layer.dilation, 2, "dilation", 1) if is_max else (1, 1)
    padding = [[p, p] for p in per_axis(layer.padding, 2, "padding", 0)]
    return [{"kind": "max pool" if is_max else "mean pool", "kernel": per_axis(layer.kernel_size, 2, "kernel_size", 1),
             "stride": per_axis(layer.stride, 2, "stride", 1), "padding": padding, "dilation": dilation}]  # fmt: skip


def _adaptive_pool(layer: tg.nn.AdaptiveAvgPool2d, shape: Shape) -> list[Entry]:
    sizes = result_shape(layer, shape)[1:]
    _require(all(n % size == 0 for n, size in zip(shape[1:], sizes, strict=True)), "windows of different sizes")
    kernel = [n // size for n, size in zip(shape[1:], sizes, strict=True)]
    return [{"kind": "mean pool", "kernel": kernel, "stride": kernel, "padding": [[0, 0]] * 2, "dilation": [1, 1]}]


def _batch_norm(layer: Any, shape: Shape) -> list[Entry]:
    _require(layer.running_mean is not None, "track_running_stats false")
    factor = 1 / np.sqrt(np.asarray(layer.running_var, np.float64) + layer.eps)
    shift = -np.asarray(layer.running_mean, np.float64) * factor
    if layer.weight is not None:
        factor, shift = factor * layer.weight.data, shift * layer.weight.data + layer.bias.data
    return [{"kind": "scale", "weight": packed(factor), "bias": packed(shift)}]


def _standardize(layer: Any, shape: Shape, groups: int) -> list[Entry]:
    entry = {"kind": "standardize", "groups": groups, "eps": layer.eps}
    if layer.weight is None:
        return [entry]
    bias = np.zeros(layer.weight.shape) if layer.bias is None else layer.bias
    return [entry, {"kind": "scale", "weight": packed(layer.weight), "bias": packed(bias)}]


def _layer_norm(layer: tg.nn.LayerNorm, shape: Shape) -> list[Entry]:
    _require(len(layer.normalized_shape) == len(shape), "normalized_shape without the first axes")
    return _standardize(layer, shape, 1)


def _flatten(layer: tg.nn.Flatten, shape: Shape) -> list[Entry]:
    return [{"kind": "reshape", "shape": list(result_shape(layer, shape))}]


def _require(condition: bool, option: str) -> None:
    if not condition:
        raise _UnsupportedError(option)


_KINDS: dict[Any, Callable[[Any, Shape], list[Entry]]] = {
    tg.nn.Linear: _one_linear,
    TwoLayer: lambda net, _: [_linear(net.w1, net.b1), {"kind": "ReLU"}, _linear(net.w2, net.b2)],
    tg.nn.Conv2d: _conv,
    tg.nn.MaxPool2d: _pool,
    tg.nn.AvgPool2d: _pool,
    tg.nn.AdaptiveAvgPool2d: _adaptive_pool,
    tg.nn.BatchNorm1d: _batch_norm,
    tg.nn.BatchNorm2d: _batch_norm,
    tg.nn.LayerNorm: _layer_norm,
    tg.nn.GroupNorm: lambda layer, shape: _standardize(layer, shape, layer.num_groups),
    tg.nn.Flatten: _flatten,
    Reshape: lambda layer, shape: [{"kind": "reshape", "shape": list(result_shape(layer, shape))}],
    tg.nn.Dropout: lambda _layer, _shape: [],
}
LAYERS_OF_PAGES = [*(kind.__name__ for kind in _KINDS), "Residual", "Sequential", *ELEMENTWISE]
"""The types of layers that the page can run."""
