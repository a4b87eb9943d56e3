"""Gradients of tensors with respect to other tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tensorgrad.engine.backward import backward_pass
from tensorgrad.engine.tape import Variable, any_tracked, current_mode, value_of
from tensorgrad.frontend.tensor import Tensor, seed_for


def grad(outputs: Any, inputs: Any, grad_outputs: Any = None, create_graph: bool = False,
         retain_graph: bool = False) -> Any:  # fmt: skip
    """Gradients of tensors with respect to other tensors: see `tensorgrad.grad`."""
    several_outputs, several_inputs = isinstance(outputs, Sequence), isinstance(inputs, Sequence)
    outputs = tuple(outputs) if several_outputs else (outputs,)
    inputs = tuple(inputs) if several_inputs else (inputs,)
    seeds = tuple(grad_outputs) if several_outputs and grad_outputs is not None else (grad_outputs,) * len(outputs)
    if len(seeds) != len(outputs):
        raise ValueError(f"{len(outputs)} outputs need as many grad_outputs, got {len(seeds)}")
    for role, tensors in (("output", outputs), ("input", inputs)):
        for i, tensor in enumerate(tensors):
            if not isinstance(tensor, Tensor):
                raise TypeError(f"{role} {i + 1} of grad must be a Tensor, got {type(tensor).__name__}: compute the "
                                "outputs from tensors, or, for a function, write tg.grad(f)(x)")  # fmt: skip
            if tensor.dtype.kind == "c" and role == "input":
                raise TypeError(f"input {i + 1} of grad is complex: gradients are with respect to real tensors")
            if not tensor.tracked and role == "input":
                raise RuntimeError(f"input {i + 1} of grad requires no gradient: create it with requires_grad=True")
    create_graph = create_graph or (current_mode().recording and any_tracked(seeds))
    roots = [
        (output, seed_for(output, seed) if create_graph else value_of(seed_for(output, seed)))
        for output, seed in zip(outputs, seeds, strict=True)
        if output.tracked
    ]
    if not roots:
        inside = "" if current_mode().recording else (". Nothing is recorded inside tg.no_grad() and gradient rules: "
                                                      "write tg.grad(f)(x) or tg.vjp(f, x) there")  # fmt: skip
        raise RuntimeError("grad of outputs that require no gradient: they depend on no tensor that requires "
                           f"one{inside}")  # fmt: skip
    nodes = [tensor.node for tensor in inputs]
    found = backward_pass(roots, nodes, create_graph=create_graph, retain_graph=retain_graph)
    gradients: list[Any] = [found.get(node) for node in nodes]
    given: set[Any] = set()
    for i, node in enumerate(nodes):
        if gradients[i] is not None and node in given:
            gradients[i] = np.positive(gradients[i])  # results must not share memory
        given.add(node)
    if create_graph:
        gradients = [Tensor(g) if g is not None and not isinstance(g, Variable) else g for g in gradients]
    return tuple(gradients) if several_inputs else gradients[0]
