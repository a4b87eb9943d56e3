"""The two-layer network, written in full: an example of a user's model."""

from __future__ import annotations

from typing import Any

import numpy as np

import tensorgrad as tg


class TwoLayer:
    """``relu(x w1 + b1) w2 + b2``: from inputs ``(N, in_features)`` to logits ``(N, out_features)``.

    There is no base class: tensors in the attributes of an object are its parameters (`tensorgrad.nn.parameters`).
    """

    def __init__(self, in_features: int, hidden: int, out_features: int, rng: np.random.Generator) -> None:
        self.w1 = tg.Tensor(tg.nn.he(rng, in_features, hidden), requires_grad=True, dtype=np.float32)
        self.b1 = tg.Tensor(np.zeros(hidden), requires_grad=True, dtype=np.float32)
        self.w2 = tg.Tensor(tg.nn.he(rng, hidden, out_features), requires_grad=True, dtype=np.float32)
        self.b2 = tg.Tensor(np.zeros(out_features), requires_grad=True, dtype=np.float32)

    def __call__(self, x: Any) -> Any:
        """Compute the logits ``(N, out_features)`` of inputs ``(N, in_features)``."""
        h = tg.relu(x @ self.w1 + self.b1)  # (N, hidden)
        return h @ self.w2 + self.b2  # (N, out_features)

    def to_onnx(self, graph: Any, x: Any) -> Any:
        """Add its nodes to a graph of ONNX: see `tensorgrad.export`."""
        h = graph.node("Gemm", x, graph.constant(self.w1, "w1"), graph.constant(self.b1, "b1"))
        return graph.node("Gemm", graph.node("Relu", h), graph.constant(self.w2, "w2"), graph.constant(self.b2, "b2"))
