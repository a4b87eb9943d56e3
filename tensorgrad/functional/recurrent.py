"""The recurrences of LSTM and GRU over one sequence, given the products of all inputs with the weights.

``inputs`` is ``(T, N, gates * H)`` and holds the biases; states are ``(N, H)``, weights of states ``(gates * H, H)``.
Gates come in PyTorch's order. Each returns the states of all steps, ``(T, N, H)`` in the order of the inputs, and those
of the last step; with ``backwards``, the last is the first.
"""

from __future__ import annotations

import numpy as np

from tensorgrad.engine.tape import Array
from tensorgrad.functional.activations import sigmoid

__all__: list[str] = []


def lstm_sequence(
    inputs: Array, h: Array, c: Array, weight: Array, *, backwards: bool = False
) -> tuple[Array, Array, Array]:
    """The states ``h`` of all steps, and the last ``h`` and ``c``."""
    steps, states, weight = inputs.shape[0], [], np.transpose(weight)
    for t in reversed(range(steps)) if backwards else range(steps):
        h, c = lstm_cell(inputs[t] + h @ weight, c)
        states.append(h)
    return np.stack(states[::-1] if backwards else states), h, c


def lstm_cell(gates: Array, c: Array) -> tuple[Array, Array]:
    """The next ``h`` and ``c``, from the gates ``(N, 4 H)``: input, forget, cell, output, before their activations.

    Source: Hochreiter and Schmidhuber, "Long short-term memory", 1997, with the forget gate of Gers et al., 2000.
    """
    width = c.shape[-1]
    taken, kept = np.split(sigmoid(gates[:, : 2 * width]), 2, axis=-1)
    c = kept * c + taken * np.tanh(gates[:, 2 * width : 3 * width])
    return sigmoid(gates[:, 3 * width :]) * np.tanh(c), c


def gru_sequence(
    inputs: Array, h: Array, weight: Array, bias: Array = None, *, backwards: bool = False
) -> tuple[Array, Array]:
    """The states of all steps, and the last one; ``bias``, ``(3 H,)``, is that of the products of states."""
    steps, states, weight = inputs.shape[0], [], np.transpose(weight)
    for t in reversed(range(steps)) if backwards else range(steps):
        products = h @ weight
        h = gru_cell(inputs[t], products if bias is None else products + bias, h)
        states.append(h)
    return np.stack(states[::-1] if backwards else states), h


def gru_cell(inputs: Array, products: Array, h: Array) -> Array:
    """The next state, from the gates ``(N, 3 H)`` of input and state: reset, update, new, before their activations.

    Source: Cho et al., "Learning phrase representations using RNN encoder-decoder", 2014, with the reset gate after the
    product, as in cuDNN and PyTorch.
    """
    width = h.shape[-1]
    reset, update = np.split(sigmoid(inputs[:, : 2 * width] + products[:, : 2 * width]), 2, axis=-1)
    new = np.tanh(inputs[:, 2 * width :] + reset * products[:, 2 * width :])
    return new + update * (h - new)
