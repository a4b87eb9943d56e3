"""The nodes of functions, such as activations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tensorgrad import functional
from tensorgrad.errors import ExportError
from tensorgrad.exporting.graph import Graph, Value

__all__ = ["FUNCTIONS", "averages"]


def _same(kind: str) -> Callable[..., str]:
    """A node without attributes."""

    def add(graph: Graph, x: Value) -> str:
        name: str = graph.node(kind, x)
        return name

    return add


def _celu(graph: Graph, x: Value, alpha: float = 1.0) -> Any:
    return graph.node("Celu", x, alpha=float(alpha))


def _elu(graph: Graph, x: Value, alpha: float = 1.0) -> Any:
    return graph.node("Elu", x, alpha=float(alpha))


def _selu(graph: Graph, x: Value) -> Any:
    return graph.node("Selu", x, alpha=1.6732632423543772, gamma=1.0507009873554805)


def _gelu(graph: Graph, x: Value, approximate: str = "none") -> Any:
    return graph.node("Gelu", x, approximate=approximate)


def _glu(graph: Graph, x: Value, axis: int = -1) -> Any:
    a, b = graph.node("Split", x, outputs=2, axis=axis, num_outputs=2)
    return graph.node("Mul", a, graph.node("Sigmoid", b))


def _hardsigmoid(graph: Graph, x: Value) -> Any:
    return graph.node("HardSigmoid", x, alpha=1 / 6, beta=0.5)


def _clipped(graph: Graph, x: Value, min_val: float = -1.0, max_val: float = 1.0) -> Any:
    return graph.node("Clip", x, graph.constant(float(min_val), "min"), graph.constant(float(max_val), "max"))


def _leaky_relu(graph: Graph, x: Value, negative_slope: float = 0.01) -> Any:
    return graph.node("LeakyRelu", x, alpha=float(negative_slope))


def _log_sigmoid(graph: Graph, x: Value) -> Any:
    return graph.node("Neg", graph.node("Softplus", graph.node("Neg", x)))


def _silu(graph: Graph, x: Value) -> Any:
    return graph.node("Mul", x, graph.node("Sigmoid", x))


def _softmax(graph: Graph, x: Value, axis: Any = -1) -> Any:
    return graph.node("Softmax", x, axis=_one_axis("softmax", axis))


def _log_softmax(graph: Graph, x: Value, axis: Any = -1) -> Any:
    return graph.node("LogSoftmax", x, axis=_one_axis("log_softmax", axis))


def _one_axis(name: str, axis: Any) -> int:
    if not isinstance(axis, int):
        raise ExportError(f"{name} over the axes {axis!r}: ONNX has one axis only")
    return axis


def _interpolate(graph: Graph, x: Value, size: Any = None, scale_factor: Any = None, mode: str = "nearest",
                 align_corners: bool | None = None) -> Any:  # fmt: skip
    new = functional.interpolate(x.example, size, scale_factor, mode, align_corners).shape[2:]
    if mode == "area":
        return averages(graph, x, new)
    corners = "asymmetric" if mode == "nearest" else "align_corners" if align_corners else "half_pixel"
    options: dict[str, Any] = {"coordinate_transformation_mode": corners}
    if mode.startswith("nearest"):
        options["nearest_mode"] = "floor" if mode == "nearest" else "round_prefer_ceil"
    kind = "nearest" if mode.startswith("nearest") else "linear"
    axes = list(range(2, 2 + len(new)))
    if scale_factor is not None and not align_corners:
        factors = scale_factor if isinstance(scale_factor, (tuple, list)) else [scale_factor] * len(new)
        return graph.node("Resize", x, "", graph.constant(np.array(factors, np.float32), "scales"), mode=kind,
                          axes=axes, **options)  # fmt: skip
    return graph.node("Resize", x, "", "", graph.constant(np.array(new, np.int64), "sizes"), mode=kind, axes=axes,
                      **options)  # fmt: skip


def averages(graph: Graph, x: Value, sizes: tuple[int, ...]) -> Any:
    """Means of windows that cover the spatial axes, by a product with a matrix along each."""
    y: Any = x
    if set(sizes) == {1}:
        return graph.node("GlobalAveragePool", x)
    for axis, size in enumerate(sizes, 2):
        n = x.shape[axis]
        if size == n:
            continue
        matrix = functional.adaptive_avg_pool1d(np.eye(n)[None], size)[0]  # (n, size)
        if axis == len(x.shape) - 1:
            y = graph.node("MatMul", y, graph.constant(matrix, "means"))
        else:  # of (N, C, H, W), the axis of the rows
            y = graph.node("MatMul", graph.constant(np.transpose(matrix), "means"), y)
    return y if isinstance(y, str) else graph.node("Identity", y)


FUNCTIONS: dict[Any, Callable[..., Any]] = {
    np.abs: _same("Abs"), np.exp: _same("Exp"), np.log: _same("Log"), np.negative: _same("Neg"),
    np.positive: _same("Identity"), np.sin: _same("Sin"), np.cos: _same("Cos"), np.sqrt: _same("Sqrt"),
    np.tanh: _same("Tanh"),
    functional.celu: _celu, functional.elu: _elu, functional.gelu: _gelu, functional.glu: _glu,
    functional.hardsigmoid: _hardsigmoid, functional.hardswish: _same("HardSwish"), functional.hardtanh: _clipped,
    functional.leaky_relu: _leaky_relu, functional.log_sigmoid: _log_sigmoid, functional.log_softmax: _log_softmax,
    functional.mish: _same("Mish"), functional.relu: _same("Relu"),
    functional.relu6: lambda graph, x: _clipped(graph, x, 0, 6), functional.selu: _selu,
    functional.sigmoid: _same("Sigmoid"), functional.silu: _silu, functional.softmax: _softmax,
    functional.softplus: _same("Softplus"), functional.softsign: _same("Softsign"),
    functional.interpolate: _interpolate,
}  # fmt: skip
"""By function, what adds its nodes; the options of both have the same names."""
