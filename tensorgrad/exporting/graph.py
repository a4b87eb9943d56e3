"""An ONNX graph under construction: nodes, constants, and values with their shapes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from tensorgrad import nn
from tensorgrad.errors import ExportError
from tensorgrad.exporting.card import VERSION
from tensorgrad.frontend.modes import no_grad
from tensorgrad.frontend.tensor import Tensor

__all__ = ["Graph", "Value"]

OPSET = 20
"""The version of ONNX's operators, of 2023: onnxruntime reads it from version 1.17 on."""

Array = Any


class Value(NamedTuple):
    """A value of the graph: its name, and an example of it, for a batch of two, from which shapes are read."""

    name: str
    example: Array

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the example."""
        shape: tuple[int, ...] = self.example.shape
        return shape


class Graph:
    """Nodes in the order in which they are computed, and the arrays that they use.

    A layer of your own can be exported if it has a method ``to_onnx(graph, x)``, which adds nodes and returns the name
    of the result.
    """

    def __init__(self) -> None:
        import onnx

        self._onnx = onnx
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._where: list[str] = []  # the names of the layers around the current one
        self._names: set[str] = set()

    def node(self, kind: str, *inputs: str | Value, outputs: int = 0, **attributes: Any) -> Any:
        """Add a node of a type of ONNX, such as ``"Relu"``; return the name of its result, or of several ``outputs``.

        An empty name stands for an optional input that is left out.
        """
        names = [x.name if isinstance(x, Value) else x for x in inputs]
        made = [self._unique(kind.lower()) for _ in range(outputs or 1)]
        self.nodes.append(self._onnx.helper.make_node(kind, names, made, name=made[0], **attributes))
        return made if outputs else made[0]

    def constant(self, value: Array, name: str = "constant") -> str:
        """Add an array, floats as float32; return its name."""
        array = np.asarray(value.data if isinstance(value, Tensor) else value)
        if array.dtype.kind == "f":
            array = array.astype(np.float32)
        made = self._unique(name)
        self.constants.append(self._onnx.numpy_helper.from_array(np.asarray(array, order="C"), made))
        return made

    def layer(self, layer: Any, x: Value, name: str = "") -> Value:
        """Add the nodes of a layer, or a function, that is called with ``x``.

        Raises
        ------
        ExportError
            If it cannot be expressed.
        """
        from tensorgrad.exporting.layers import nodes_of

        self._where += [name] if name else []
        made = nodes_of(self, layer, x)
        self._where = self._where[: len(self._where) - bool(name)]
        return made if isinstance(made, Value) else Value(made, example_of(layer, x.example))

    def _unique(self, name: str) -> str:
        name = "/".join([*self._where, name])
        made = next(made for i in range(len(self._names) + 1) if (made := f"{name}_{i}" if i else name)
                    not in self._names)  # fmt: skip
        self._names.add(made)
        return made

    def model(self, x: Value, y: Value, about: dict[str, str], card: str) -> Any:
        """The complete model, from ``x`` to ``y``, checked by ONNX."""
        onnx = self._onnx
        helper = onnx.helper
        # The last value, which has the name of a node, is called "output".
        self.nodes.append(helper.make_node("Identity", [y.name], ["output"], name="output"))
        ends = [helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.example.dtype),
                                              ["N", *value.shape[1:]])
                for name, value in (("input", x), ("output", y))]  # fmt: skip
        graph = helper.make_graph(self.nodes, "network", [ends[0]], [ends[1]], self.constants)
        opset = helper.make_opsetid("", OPSET)
        model = helper.make_model(
            graph, producer_name="tensorgrad", producer_version=VERSION, doc_string=card,
            opset_imports=[opset], ir_version=helper.find_min_ir_version_for([opset]),
        )  # fmt: skip
        helper.set_model_props(model, about)
        try:
            onnx.checker.check_model(model, full_check=True)
        except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
            raise ExportError(f"ONNX does not accept the graph: {error}") from error
        return model


def example_of(layer: Any, x: Array) -> Array:
    """The first result of a layer in evaluation mode, as float32 if it is real."""
    with no_grad(), nn.eval(layer), np.errstate(all="ignore"):
        out = layer(x, x, x) if isinstance(layer, nn.MultiheadAttention) else layer(x)
    out = out[0] if isinstance(out, tuple) else out
    array = np.asarray(out.data if isinstance(out, Tensor) else out)
    return array.astype(np.float32) if array.dtype.kind == "f" else array
