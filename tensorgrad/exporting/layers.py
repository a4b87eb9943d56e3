"""The nodes of layers. Each function adds those of one type of layer, and returns the name of the result."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from tensorgrad import nn
from tensorgrad.errors import ExportError
from tensorgrad.exporting.functions import FUNCTIONS, averages
from tensorgrad.exporting.graph import Graph, Value
from tensorgrad.functional.arguments import per_axis
from tensorgrad.nn.containers import one_line

__all__ = ["nodes_of"]


def nodes_of(graph: Graph, layer: Any, x: Value) -> Any:
    """Add the nodes of a layer, or a function; return the name of the result, or its value."""
    if hasattr(layer, "to_onnx"):
        return layer.to_onnx(graph, x)
    kind: Any = next((kind for kind in type(layer).__mro__ if kind in _LAYERS), None)
    if kind is not None and type(layer).__call__ is kind.__call__:
        return _LAYERS[kind](graph, layer, x)
    options: dict[str, Any] = {}
    function = layer
    if isinstance(layer, functools.partial) and not layer.args:
        function, options = layer.func, layer.keywords
    try:
        known = FUNCTIONS.get(function)
    except TypeError:  # not hashable
        known = None
    if known is None:
        raise ExportError(f"{one_line(layer)} cannot be exported to ONNX: it is not a layer of tg.nn or a function "
                          "that ONNX has; a class can have a method to_onnx(graph, x)")  # fmt: skip
    return known(graph, x, **options)


def _named(layer: nn.Sequential) -> Iterable[tuple[Any, Any]]:
    return layer.layers.items() if isinstance(layer.layers, dict) else enumerate(layer.layers)


def _sequential(graph: Graph, layer: nn.Sequential, x: Value) -> Value:
    for name, inner in _named(layer):
        x = graph.layer(inner, x, str(name))
    return x


def _residual(graph: Graph, layer: nn.Residual, x: Value) -> Any:
    short = x if layer.shortcut is None else graph.layer(layer.shortcut, x, "shortcut")
    return graph.node("Add", short, graph.layer(layer.layer, x, "layer"))


def _linear(graph: Graph, layer: nn.Linear, x: Value) -> Any:
    weight = graph.constant(layer.weight, "weight")
    bias = [] if layer.bias is None else [graph.constant(layer.bias, "bias")]
    if len(x.shape) == 2:
        return graph.node("Gemm", x, weight, *bias)
    y = graph.node("MatMul", x, weight)
    return graph.node("Add", y, *bias) if bias else y


def _identity(graph: Graph, layer: Any, x: Value) -> Any:
    return graph.node("Identity", x)


def _embedding(graph: Graph, layer: nn.Embedding, x: Value) -> Any:
    return graph.node("Gather", graph.constant(layer.weight, "weight"), x, axis=0)


def _flatten(graph: Graph, layer: nn.Flatten, x: Value) -> Any:
    start, end = (dim % len(x.shape) for dim in (layer.start_dim, layer.end_dim))
    sizes = [0] * start + [-1] + list(x.shape[end + 1 :])
    return graph.node("Reshape", x, graph.constant(np.array(sizes, np.int64), "shape"))


def _filters(graph: Graph, layer: Any) -> tuple[list[str], dict[str, Any]]:
    """The weight and bias of a convolution, and the attributes that both kinds have."""
    axes = len(layer.kernel_size)
    arrays = [graph.constant(layer.weight, "weight")]
    arrays += [] if layer.bias is None else [graph.constant(layer.bias, "bias")]
    return arrays, {"kernel_shape": layer.kernel_size, "strides": per_axis(layer.stride, axes, "stride", 1),
                    "dilations": per_axis(layer.dilation, axes, "dilation", 1), "group": layer.groups}  # fmt: skip


def _convolution(graph: Graph, layer: Any, x: Value) -> Any:
    arrays, options = _filters(graph, layer)
    before, after = zip(*layer._margins(), strict=True)
    y: Any = x
    if layer.padding_mode != "zeros":
        mode = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}[layer.padding_mode]
        pads = np.array([0, 0, *before, 0, 0, *after], np.int64)
        y = graph.node("Pad", x, graph.constant(pads, "pads"), mode=mode)
        before = after = (0,) * len(before)
    return graph.node("Conv", y, *arrays, pads=[*before, *after], **options)


def _transposed(graph: Graph, layer: Any, x: Value) -> Any:
    arrays, options = _filters(graph, layer)
    axes = len(layer.kernel_size)
    return graph.node("ConvTranspose", x, *arrays, pads=[*per_axis(layer.padding, axes, "padding", 0)] * 2,
                      output_padding=per_axis(layer.output_padding, axes, "output_padding", 0), **options)  # fmt: skip


def _pool(graph: Graph, layer: Any, x: Value) -> Any:
    axes = len(x.shape) - 2
    options: dict[str, Any] = {"kernel_shape": per_axis(layer.kernel_size, axes, "kernel_size", 1),
               "strides": per_axis(layer.stride, axes, "stride", 1),
               "pads": [*per_axis(layer.padding, axes, "padding", 0)] * 2,
               "ceil_mode": int(layer.ceil_mode)}  # fmt: skip
    if isinstance(layer, (nn.MaxPool1d, nn.MaxPool2d)):
        return graph.node("MaxPool", x, dilations=per_axis(layer.dilation, axes, "dilation", 1), **options)
    return graph.node("AveragePool", x, count_include_pad=int(layer.count_include_pad), **options)


def _adaptive(graph: Graph, layer: Any, x: Value) -> Any:
    sizes = layer(x.example).shape[2:]
    return averages(graph, x, sizes)


def _ones(graph: Graph, weight: Any, length: Any, name: str = "weight") -> str:
    return graph.constant(np.ones(length) if weight is None else weight, name)


def _batch_norm(graph: Graph, layer: Any, x: Value) -> Any:
    if layer.running_mean is None:
        raise ExportError(f"{layer!r} cannot be exported to ONNX: its result depends on the other examples of a batch")
    n = layer.num_features
    bias = np.zeros(n) if layer.bias is None else layer.bias
    return graph.node("BatchNormalization", x, _ones(graph, layer.weight, n), graph.constant(bias, "bias"),
                      graph.constant(layer.running_mean, "mean"), graph.constant(layer.running_var, "variance"),
                      epsilon=layer.eps)  # fmt: skip


def _layer_norm(graph: Graph, layer: nn.LayerNorm, x: Value) -> Any:
    shape = layer.normalized_shape
    bias = [] if layer.bias is None else [graph.constant(layer.bias, "bias")]
    return graph.node("LayerNormalization", x, _ones(graph, layer.weight, shape), *bias, axis=-len(shape),
                      epsilon=layer.eps)  # fmt: skip


def _group_norm(graph: Graph, layer: nn.GroupNorm, x: Value) -> Any:
    groups, channels = layer.num_groups, layer.num_channels
    split = graph.node("Reshape", x, graph.constant(np.array([0, groups, -1], np.int64), "groups"))
    y = graph.node("InstanceNormalization", split, graph.constant(np.ones(groups), "ones"),
                   graph.constant(np.zeros(groups), "zeros"), epsilon=layer.eps)  # fmt: skip
    y = graph.node("Reshape", y, graph.constant(np.array([-1, *x.shape[1:]], np.int64), "shape"))
    if layer.weight is None or layer.bias is None:
        return y
    shape = (channels, *(1,) * (len(x.shape) - 2))
    y = graph.node("Mul", y, graph.constant(layer.weight.data.reshape(shape), "weight"))
    return graph.node("Add", y, graph.constant(layer.bias.data.reshape(shape), "bias"))


def _rms_norm(graph: Graph, layer: nn.RMSNorm, x: Value) -> Any:
    axes = graph.constant(np.arange(-len(layer.normalized_shape), 0), "axes")
    mean = graph.node("ReduceMean", graph.node("Mul", x, x), axes, keepdims=1)
    eps = float(np.finfo(np.float32).eps) if layer.eps is None else layer.eps
    y = graph.node("Div", x, graph.node("Sqrt", graph.node("Add", mean, graph.constant(eps, "eps"))))
    return y if layer.weight is None else graph.node("Mul", y, graph.constant(layer.weight, "weight"))


def _swapped(graph: Graph, x: str | Value, *axes: int) -> Any:
    return graph.node("Transpose", x, perm=axes)


# The rows of ONNX's gates, in those of PyTorch: i, o, f, c from i, f, g, o; and z, r, h from r, z, n.
_GATES = {nn.LSTM: (0, 3, 1, 2), nn.GRU: (1, 0, 2)}


def _recurrent(graph: Graph, layer: Any, x: Value) -> Any:
    order, size = _GATES[type(layer)], layer.hidden_size
    directions = ("", "_reverse") if layer.bidirectional else ("",)
    rows = np.concatenate([np.arange(gate * size, (gate + 1) * size) for gate in order])
    options = {"linear_before_reset": 1} if isinstance(layer, nn.GRU) else {}

    def arranged(what: str, number: int) -> Any:
        return np.stack([getattr(layer, f"{what}_l{number}{end}").data[rows] for end in directions])

    y: Any = _swapped(graph, x, 1, 0, 2) if layer.batch_first else x
    for i in range(layer.num_layers):
        weights = [graph.constant(arranged(f"weight_{what}", i), f"{what}_{i}") for what in ("ih", "hh")]
        bias = []
        if layer.bias:
            both = np.concatenate([arranged(f"bias_{what}", i) for what in ("ih", "hh")], axis=1)
            bias = [graph.constant(both, f"bias_{i}")]
        states = graph.node(type(layer).__name__, y, *weights, *bias, hidden_size=size,
                            direction="bidirectional" if layer.bidirectional else "forward", **options)  # fmt: skip
        states = _swapped(graph, states, 0, 2, 1, 3)  # (T, N, directions, H)
        shape = np.array([0, 0, len(directions) * size], np.int64)
        y = graph.node("Reshape", states, graph.constant(shape, "shape"))
    return _swapped(graph, y, 1, 0, 2) if layer.batch_first else y


def _attention(graph: Graph, layer: nn.MultiheadAttention, x: Value) -> Any:
    """Self-attention: queries, keys and values are ``x``."""
    if not hasattr(layer, "in_proj_weight"):
        raise ExportError(f"{layer!r} cannot be exported to ONNX: its keys or values differ from its queries in length")
    width = layer.embed_dim // layer.num_heads
    y: Any = x if layer.batch_first else _swapped(graph, x, 1, 0, 2)
    y = graph.node("MatMul", y, graph.constant(np.transpose(layer.in_proj_weight.data), "in_proj_weight"))
    if layer.in_proj_bias is not None:
        y = graph.node("Add", y, graph.constant(layer.in_proj_bias, "in_proj_bias"))
    parts = graph.node("Split", y, outputs=3, axis=-1, num_outputs=3)
    shape = graph.constant(np.array([0, 0, layer.num_heads, width], np.int64), "heads")
    q, k, v = (graph.node("Reshape", part, shape) for part in parts)  # (N, L, num_heads, width)
    q = graph.node("Mul", q, graph.constant(width**-0.5, "scale"))
    scores = graph.node("MatMul", _swapped(graph, q, 0, 2, 1, 3), _swapped(graph, k, 0, 2, 3, 1))
    weights = graph.node("Softmax", scores, axis=-1)
    joined = _swapped(graph, graph.node("MatMul", weights, _swapped(graph, v, 0, 2, 1, 3)), 0, 2, 1, 3)
    y = graph.node("Reshape", joined, graph.constant(np.array([0, 0, layer.embed_dim], np.int64), "shape"))
    y = graph.node("MatMul", y, graph.constant(np.transpose(layer.out_proj.weight.data), "out_proj_weight"))
    if layer.out_proj.bias is not None:
        y = graph.node("Add", y, graph.constant(layer.out_proj.bias, "out_proj_bias"))
    return y if layer.batch_first else _swapped(graph, y, 1, 0, 2)


_LAYERS: dict[type, Callable[..., Any]] = {
    nn.AdaptiveAvgPool1d: _adaptive, nn.AdaptiveAvgPool2d: _adaptive, nn.AvgPool1d: _pool, nn.AvgPool2d: _pool,
    nn.BatchNorm1d: _batch_norm, nn.BatchNorm2d: _batch_norm, nn.Conv1d: _convolution, nn.Conv2d: _convolution,
    nn.ConvTranspose1d: _transposed, nn.ConvTranspose2d: _transposed, nn.Dropout: _identity,
    nn.Embedding: _embedding, nn.Flatten: _flatten, nn.GRU: _recurrent, nn.GroupNorm: _group_norm,
    nn.LSTM: _recurrent, nn.LayerNorm: _layer_norm, nn.Linear: _linear, nn.MaxPool1d: _pool, nn.MaxPool2d: _pool,
    nn.MultiheadAttention: _attention, nn.RMSNorm: _rms_norm, nn.Residual: _residual, nn.Sequential: _sequential,
}  # fmt: skip
"""By type, what adds the nodes of a layer."""
