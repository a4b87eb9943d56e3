"""A network of tensorgrad's layers from an ONNX graph: a chain of operators that layers or functions compute."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ClassVar, TypeAlias

import numpy as np

from tensorgrad import functional, nn
from tensorgrad.errors import ExportError

__all__ = ["network_of"]

Array: TypeAlias = Any
Arrays: TypeAlias = list[Array]  # of the inputs of a node, except the first
Options: TypeAlias = dict[str, Any]
Step: TypeAlias = Any  # a layer, or a function


class _Reader:
    """The nodes of a graph by what they read, and its constants."""

    def __init__(self, model: Any, source: str) -> None:
        import onnx

        self.helper, self.source = onnx.helper, source
        versions = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
        if not versions or min(versions) < 13:
            raise ExportError(f"{source} has version {versions} of ONNX's operators, expected at least 13")
        graph = model.graph
        self.nodes = list(graph.node)
        self.constants = {array.name: onnx.numpy_helper.to_array(array) for array in graph.initializer}
        for node in graph.node:
            if node.op_type == "Constant":
                self.constants[node.output[0]] = onnx.numpy_helper.to_array(node.attribute[0].t)
        inputs = [x.name for x in graph.input if x.name not in self.constants]
        if len(inputs) != 1 or len(graph.output) != 1:
            raise ExportError(f"{source} has {len(inputs)} inputs and {len(graph.output)} outputs, expected 1 and 1")
        self.input, self.output = inputs[0], graph.output[0].name

    def readers(self, name: str) -> list[Any]:
        """The nodes that read a value, in order."""
        return [node for node in self.nodes if name in node.input]

    def chain(self, name: str, last: str) -> list[Step]:
        """The layers from a value to another."""
        steps: list[Step] = []
        while name != last:
            nodes = self.readers(name)
            if not nodes:
                raise ExportError(f"{self.source}: nothing reads the value {name!r}")
            if len(nodes) > 1:
                steps.append(self._residual(name))
                name = self._sum_after(name).output[0]
                continue
            made, name = self._step(nodes[0], name)
            steps += made
        return steps

    def _sum_after(self, name: str) -> Any:
        """The sum of a value, or of something computed from it, with another such value: the first one after it."""
        reached: dict[str, set[int]] = {}
        for i, node in enumerate(self.readers(name)):
            if node.op_type == "Add" and name in node.input and not self._is_constant(node):
                return node
            reached[node.output[0]] = {i}
        for node in self.nodes:
            branches = set().union(*(reached.get(value, set()) for value in node.input))
            if len(branches) > 1 and node.op_type == "Add":
                return node
            if branches:
                reached.setdefault(node.output[0], set()).update(branches)
        raise ExportError(f"{self.source}: {len(self.readers(name))} nodes read the value {name!r}, whose results are "
                          "not added as in a Residual")  # fmt: skip

    def _is_constant(self, node: Any) -> bool:
        return any(value in self.constants for value in node.input)

    def _residual(self, name: str) -> Step:
        end = self._sum_after(name)
        branches = [self._back(value, name) for value in end.input]
        short, layer = (_joined(branch) for branch in sorted(branches, key=len))
        return nn.Residual(nn.Sequential(layer), nn.Sequential(short) if short else None)

    def _back(self, last: str, first: str) -> list[Step]:
        """The layers of one branch, found from its end, since several nodes read its beginning."""
        steps: list[Step] = []
        while last != first:
            node = next((node for node in self.nodes if last in node.output), None)
            if node is None:
                raise ExportError(f"{self.source}: a branch does not begin at the value {first!r}")
            values = [value for value in node.input if value and value not in self.constants]
            if len(values) != 1:
                raise ExportError(f"{self.source}: a branch contains {node.op_type} of {len(values)} values")
            steps = self._step(node, values[0])[0] + steps
            last = values[0]
        return steps

    def _step(self, node: Any, name: str) -> tuple[list[Step], str]:
        """The layers of a node, and the name of its result."""
        options = {a.name: self.helper.get_attribute_value(a) for a in node.attribute}
        options = {key: value.decode() if isinstance(value, bytes) else value for key, value in options.items()}
        others = [value for value in node.input if value != name]
        if node.op_type not in _STEPS or any(value and value not in self.constants for value in others):
            raise ExportError(f"{self.source}: {node.op_type} (node {node.name!r}) is not an operator that becomes a "
                              "layer; docs/export.md lists those that do")  # fmt: skip
        if node.input[0] != name and node.op_type not in ("Add", "Gather"):
            raise ExportError(f"{self.source}: {node.op_type} (node {node.name!r}) begins with a constant")
        try:
            step = _STEPS[node.op_type]([self.constants.get(value) for value in others], options)
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise ExportError(f"{self.source}: {node.op_type} (node {node.name!r}) cannot be read: {error}") from error
        return ([] if step is None else [step]), node.output[0]


def network_of(model: Any, source: str) -> nn.Sequential:
    """The layers of a graph in which each value is read once, except for those of a `Residual`.

    Raises
    ------
    ExportError
        If an operator or an option of it is not that of a layer.
    """
    reader = _Reader(model, source)
    return nn.Sequential(_joined(reader.chain(reader.input, reader.output)))


def _joined(steps: list[Step]) -> list[Step]:
    """The steps with each addition of a bias as a part of the product before it."""
    joined: list[Step] = []
    for step in steps:
        before = joined[-1] if joined else None
        if isinstance(step, _Bias):
            if not isinstance(before, nn.Linear) or before.bias is not None:
                raise ExportError("an addition of a constant does not follow a product with a matrix")
            joined[-1] = _linear(before.weight.data, step.value)
        else:
            joined.append(step)
    return joined


class _Bias:
    def __init__(self, value: Array) -> None:
        self.value = value


_RNG = np.random.default_rng(0)  # of initial weights, which are replaced


def _with(layer: Any, **arrays: Array) -> Any:
    nn.load_state_dict(layer, {name: value for name, value in arrays.items() if value is not None})
    return layer


def _linear(weight: Array, bias: Array | None) -> Step:
    layer = nn.Linear(weight.shape[0], weight.shape[1], _RNG, bias=bias is not None, dtype=weight.dtype)
    return _with(layer, weight=weight, bias=None if bias is None else np.broadcast_to(bias, weight.shape[1:]))


def _gemm(arrays: Arrays, options: Options) -> Step:
    if options.get("transA", 0) or options.get("alpha", 1.0) != 1 or options.get("beta", 1.0) != 1:
        raise ValueError("only transB is read")
    weight, bias = (*arrays, None)[:2]
    return _linear(np.transpose(weight) if options.get("transB", 0) else weight, bias)


def _matmul(arrays: Arrays, options: Options) -> Step:
    if arrays[0].ndim != 2:
        raise ValueError(f"a product with an array of shape {arrays[0].shape}")
    return _linear(arrays[0], None)


def _symmetric(options: Options, axes: int) -> tuple[int, ...]:
    """The padding of each axis, if it is the same before and after."""
    pads = tuple(options.get("pads", (0,) * (2 * axes)))
    if pads[:axes] != pads[axes:] or options.get("auto_pad", "NOTSET") != "NOTSET":
        raise ValueError(f"pads {pads}, auto_pad {options.get('auto_pad', 'NOTSET')}: not the same on both sides")
    return pads[:axes]


def _filters(arrays: Arrays, options: Options, kinds: Any, transposed: bool) -> Step:
    weight, bias = (*arrays, None)[:2]
    axes, groups = weight.ndim - 2, options.get("group", 1)
    ones = (1,) * axes
    settings = {"stride": tuple(options.get("strides", ones)), "padding": _symmetric(options, axes),
                "dilation": tuple(options.get("dilations", ones)), "groups": groups}  # fmt: skip
    if transposed:
        if "output_shape" in options:
            raise ValueError("output_shape is not read")
        settings["output_padding"] = tuple(options.get("output_padding", (0,) * axes))
        sizes = weight.shape[0], weight.shape[1] * groups
    else:
        sizes = weight.shape[1] * groups, weight.shape[0]
    layer = kinds[axes - 1](*sizes, weight.shape[2:], _RNG, bias=bias is not None, dtype=weight.dtype, **settings)
    return _with(layer, weight=weight, bias=bias)


def _pool(options: Options, kinds: Any, defaults: Options) -> Step:
    kernel = tuple(options["kernel_shape"])
    axes = len(kernel)
    extra = {name: type(default)(options[name]) for name, default in defaults.items() if name in options}
    if "dilations" in options and kinds is _MAX:
        extra["dilation"] = tuple(options["dilations"])
    return kinds[axes - 1](kernel, tuple(options.get("strides", (1,) * axes)), _symmetric(options, axes), **extra)


def _embedding(arrays: Arrays, options: Options) -> Step:
    weight, axis = arrays[0], options.get("axis", 0)
    if weight.ndim != 2 or axis != 0:
        raise ValueError(f"axis {axis} of an array of shape {weight.shape}")
    return _with(nn.Embedding(weight.shape[0], weight.shape[1], _RNG, dtype=weight.dtype), weight=weight)


def _batch_norm(arrays: Arrays, options: Options) -> Step:
    weight, bias, mean, variance = arrays
    layer = _Norm(len(weight), options.get("epsilon", 1e-5), dtype=weight.dtype)
    return _with(layer, weight=weight, bias=bias, running_mean=mean, running_var=variance,
                 num_batches_tracked=np.array(0))  # fmt: skip


class _Norm(nn.BatchNorm2d):
    """A batch normalization of any number of axes, since an operator does not say how many there are."""

    _shapes: ClassVar[Any] = ((), ("L",), ("H", "W"))


def _layer_norm(arrays: Arrays, options: Options) -> Step:
    weight, bias = (*arrays, None)[:2]
    if options.get("axis", -1) != -weight.ndim:
        raise ValueError(f"axis {options.get('axis', -1)} for a weight of shape {weight.shape}")
    layer = nn.LayerNorm(weight.shape, options.get("epsilon", 1e-5), bias=bias is not None, dtype=weight.dtype)
    return _with(layer, weight=weight, bias=bias)


def _flatten(arrays: Arrays, options: Options) -> Step:
    if options.get("axis", 1) != 1:
        raise ValueError("only axis 1 is read")
    return nn.Flatten()


class _Reshape:
    """From ``(N, ...)`` to another shape, where 0 stands for the length of the same axis before."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape

    def __call__(self, x: Any) -> Any:
        return np.reshape(x, tuple(n or x.shape[i] for i, n in enumerate(self.shape)))

    def to_onnx(self, graph: Any, x: Any) -> Any:
        return graph.node("Reshape", x, graph.constant(np.array(self.shape, np.int64), "shape"))

    def __repr__(self) -> str:
        return f"Reshape{self.shape}"


class _GlobalAveragePool:
    """The mean over all spatial axes, of any number, which keep the length 1."""

    def __call__(self, x: Any) -> Any:
        return np.mean(x, axis=tuple(range(2, x.ndim)), keepdims=True)

    def to_onnx(self, graph: Any, x: Any) -> Any:
        return graph.node("GlobalAveragePool", x)

    def __repr__(self) -> str:
        return "GlobalAveragePool()"


def _of(function: Callable[..., Any], **names: str) -> Callable[[Arrays, Options], Step]:
    """A function whose options have other names in ONNX."""

    def read(arrays: Arrays, options: Options) -> Step:
        given = {mine: options[theirs] for mine, theirs in names.items() if theirs in options}
        return functools.partial(function, **given) if given else function

    return read


def _clip(arrays: Arrays, options: Options) -> Step:
    low, high = (float(array) for array in arrays)
    return functools.partial(functional.hardtanh, min_val=low, max_val=high)


def _hard_sigmoid(arrays: Arrays, options: Options) -> Step:
    if abs(options.get("alpha", 0.2) - 1 / 6) > 1e-7 or options.get("beta", 0.5) != 0.5:
        raise ValueError("alpha must be 1/6 and beta 0.5")
    return functional.hardsigmoid


_MAX, _AVG = (nn.MaxPool1d, nn.MaxPool2d), (nn.AvgPool1d, nn.AvgPool2d)
_STEPS: dict[str, Callable[[Arrays, Options], Step]] = {
    "Add": lambda arrays, _: _Bias(arrays[0]),
    "AveragePool": lambda _, options: _pool({"count_include_pad": 0} | options, _AVG,
                                            {"ceil_mode": False, "count_include_pad": False}),
    "BatchNormalization": _batch_norm,
    "Celu": _of(functional.celu, alpha="alpha"),
    "Clip": _clip,
    "Conv": lambda arrays, options: _filters(arrays, options, (nn.Conv1d, nn.Conv2d), False),
    "ConvTranspose": lambda arrays, options: _filters(arrays, options, (nn.ConvTranspose1d, nn.ConvTranspose2d), True),
    "Dropout": lambda *_: None,
    "Elu": _of(functional.elu, alpha="alpha"),
    "Flatten": _flatten,
    "Gather": _embedding,
    "Gelu": _of(functional.gelu, approximate="approximate"),
    "Gemm": _gemm,
    "GlobalAveragePool": lambda *_: _GlobalAveragePool(),
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _of(functional.hardswish),
    "Identity": lambda *_: None,
    "LayerNormalization": _layer_norm,
    "LeakyRelu": _of(functional.leaky_relu, negative_slope="alpha"),
    "LogSoftmax": _of(functional.log_softmax, axis="axis"),
    "MatMul": _matmul,
    "MaxPool": lambda _, options: _pool(options, _MAX, {"ceil_mode": False}),
    "Mish": _of(functional.mish),
    "Relu": _of(functional.relu),
    "Reshape": lambda arrays, _: _Reshape(tuple(arrays[0].tolist())),
    "Selu": _of(functional.selu),
    "Sigmoid": _of(functional.sigmoid),
    "Softmax": _of(functional.softmax, axis="axis"),
    "Softplus": _of(functional.softplus),
    "Softsign": _of(functional.softsign),
    "Tanh": _of(np.tanh),
}  # fmt: skip
"""By operator, what makes a layer or a function of the constants that it reads and of its attributes."""
