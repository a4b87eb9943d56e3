"""The recurrences of LSTM and GRU over a sequence, given the products of all inputs and their weights.

``inputs`` is ``(T, N, gates * H)`` and holds the biases; states are ``(N, H)``, weights of states ``(gates * H, H)``.
With ``backwards``, the sequence is taken from its last step to its first; results are in the order of the inputs.

A recurrence is a single primitive, because its steps are many small operations: one record holds the states and the
gates of all steps, and the gradient of a weight is one product. This halves the time of a training step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tensorgrad.engine.registry import primitive, rule
from tensorgrad.engine.tape import Array, Variable
from tensorgrad.functional.small_products import products

__all__: list[str] = []


def lstm(inputs: Array, h: Array, c: Array, weight: Array, *, backwards: bool = False) -> tuple[Array, Array, Array]:
    """The states ``h`` of all steps, ``(T, N, H)``, and the last ``h`` and ``c``."""
    states = lstm_states(inputs, h, c, weight, backwards=backwards)
    last = 0 if backwards else -1
    return states[0], states[0, last], states[1, last]


def gru(inputs: Array, h: Array, weight: Array, bias: Array = None, *, backwards: bool = False) -> tuple[Array, Array]:
    """The states of all steps, ``(T, N, H)``, and the last one; ``bias``, ``(3 H,)``, is of the products of states."""
    bias = np.zeros(weight.shape[0], weight.dtype) if bias is None else bias
    states = gru_states(inputs, h, weight, bias, backwards=backwards)[0]
    return states, states[0 if backwards else -1]


@primitive
def lstm_states(inputs: Array, h: Array, c: Array, weight: Array, *, backwards: bool) -> Array:
    """``h``, ``c``, and the gates: input, forget, cell and output, ``(6, T, N, H)``.

    Source: Hochreiter and Schmidhuber, "Long short-term memory", 1997, with the forget gate of Gers et al., 2000.
    """
    (steps, n, _), width = inputs.shape, h.shape[1]
    out = np.empty((6, steps, n, width), np.result_type(inputs, h, c, weight))
    scale, shift = (
        np.repeat(np.array(values, out.dtype), width) for values in ([0.5, 0.5, 1, 0.5], [0.5, 0.5, 0, 0.5])
    )
    h, weight = np.array(h, out.dtype, order="C"), np.ascontiguousarray(weight.T, out.dtype)
    gates, tanh = np.empty((n, 4 * width), out.dtype), np.empty_like(h)
    add_product = products([(h, weight, gates)])
    i, f, new, o = by_gate = np.swapaxes(gates.reshape(n, 4, width), 0, 1)
    for t in _order(steps, backwards):
        gates[...] = inputs[t]
        add_product()
        _activated(gates, scale, shift)
        out[2:, t] = by_gate
        np.multiply(f, c, out=out[1, t])
        c = out[1, t]
        c += np.multiply(i, new, out=tanh)
        out[0, t] = np.multiply(o, np.tanh(c, out=tanh), out=h)
    return out


def _lstm_gradients(g: Array, ans: Array, needed: Sequence[int], _inputs: Array, h: Array, c: Array, weight: Array, *,
                    backwards: bool) -> dict[int, Array]:  # fmt: skip
    are_gates_used = _is_used(g[2:])
    if not are_gates_used and not any(isinstance(x, Variable) for x in (g, ans, c, weight)):
        gates, dh, dc = _lstm_gates(g, ans, c, weight, backwards)
        return {0: gates, 1: dh, 2: dc, 3: _of_weight(gates, h, ans[0], backwards)}
    i, f, new, o = (ans[k] for k in range(2, 6))
    tanh = np.tanh(ans[1])
    slopes = i * (1 - i), f * (1 - f), 1 - new * new, o * (1 - o)
    of_cell = o * (1 - tanh * tanh)
    factors = np.concatenate([new * slopes[0], _before(c, ans[1], backwards) * slopes[1], i * slopes[2],
                              tanh * slopes[3]], axis=-1)  # fmt: skip
    direct = [g[2 + k] * slope for k, slope in enumerate(slopes)] if are_gates_used else None  # of the gates themselves
    dh, dc, parts = 0.0, 0.0, []
    for t in _order(ans.shape[1], not backwards):
        dh = dh + g[0, t]
        dc = dc + g[1, t] + dh * of_cell[t]
        gates = np.concatenate([dc, dc, dc, dh], axis=-1) * factors[t]
        if direct is not None:
            gates = gates + np.concatenate([one[t] for one in direct], axis=-1)
        parts.append(gates)
        dh, dc = gates @ weight, dc * f[t]
    gates = np.stack(parts if backwards else parts[::-1])
    return {0: gates, 1: dh, 2: dc, 3: _of_weight(gates, h, ans[0], backwards)}


def _lstm_gates(g: Array, ans: Array, c: Array, weight: Array,
                backwards: bool) -> tuple[Array, Array, Array]:  # fmt: skip
    """The gradients of the gates of all steps, and of the first states: the loop of `_lstm_gradients`, in place."""
    _, steps, n, width = ans.shape
    gates = np.empty((steps, n, 4, width), np.result_type(g, ans, weight))
    i, f, new, o = ans[2:]
    tanh = np.tanh(ans[1])
    of_cell = np.multiply(tanh, tanh)
    np.multiply(o, np.subtract(1, of_cell, out=of_cell), out=of_cell)
    before = _before(c, ans[1], backwards)
    slopes = i * (1 - i), f * (1 - f), 1 - new * new, o * (1 - o)
    for k, (slope, factor) in enumerate(zip(slopes, (new, before, i, tanh), strict=True)):
        np.multiply(slope, factor, out=gates[:, :, k])  # to be multiplied by the gradient of the cell, or the state
    order = list(_order(steps, not backwards))
    dh, dc = np.array(g[0, order[0]], gates.dtype, order="C"), np.zeros((n, width), gates.dtype)
    ours, product, is_used = np.empty_like(gates[0]), np.empty_like(dh), _is_used(g[1])
    add_product = products([(ours.reshape(n, 4 * width), np.asarray(weight, gates.dtype), dh)])
    for t, following in zip(order, [*order[1:], None], strict=True):
        dc += np.multiply(dh, of_cell[t], out=product)
        if is_used:
            dc += g[1, t]
        np.multiply(gates[t, :, :3], dc[:, np.newaxis], out=ours[:, :3])
        np.multiply(gates[t, :, 3], dh, out=ours[:, 3])
        gates[t] = ours
        dh[...] = 0 if following is None else g[0, following]
        add_product()
        dc *= f[t]
    return gates.reshape(steps, n, 4 * width), dh, dc


rule(lstm_states, together=_lstm_gradients, singular=False)


@primitive
def gru_states(inputs: Array, h: Array, weight: Array, bias: Array, *, backwards: bool) -> Array:
    """``h``, the gates reset, update and new, and the product that the first multiplies, ``(5, T, N, H)``.

    Source: Cho et al., "Learning phrase representations using RNN encoder-decoder", 2014, with the reset gate after the
    product, as in cuDNN and PyTorch.
    """
    (steps, n, _), width = inputs.shape, h.shape[1]
    out = np.empty((5, steps, n, width), np.result_type(inputs, h, weight, bias))
    weight = np.ascontiguousarray(weight.T)
    for t in _order(steps, backwards):
        products = h @ weight + bias
        gates = _activated(inputs[t, :, : 2 * width] + products[:, : 2 * width], 0.5, 0.5)
        reset, update, product = gates[:, :width], gates[:, width:], products[:, 2 * width :]
        new = np.tanh(inputs[t, :, 2 * width :] + reset * product)
        h = new + update * (h - new)
        for k, part in enumerate((h, reset, update, new, product)):
            out[k, t] = part
    return out


def _gru_gradients(g: Array, ans: Array, needed: Sequence[int], _inputs: Array, h: Array, weight: Array, _bias: Array,
                   *, backwards: bool) -> dict[int, Array]:  # fmt: skip
    reset, update, new, product = (ans[k] for k in range(1, 5))
    slopes = reset * (1 - reset), update * (1 - update), 1 - new * new
    of_reset, of_update = product * slopes[0], (_before(h, ans[0], backwards) - new) * slopes[1]
    of_new = (1 - update) * slopes[2]
    direct = [g[1 + k] * slope for k, slope in enumerate(slopes)]  # of the gates as results
    dh, parts, products = 0.0, [], []
    for t in _order(ans.shape[1], not backwards):
        dh = dh + g[0, t]
        d_new = dh * of_new[t] + direct[2][t]
        d_gates = d_new * of_reset[t] + direct[0][t], dh * of_update[t] + direct[1][t]
        parts.append(np.concatenate([*d_gates, d_new], axis=-1))
        products.append(np.concatenate([*d_gates, d_new * reset[t] + g[4, t]], axis=-1))
        dh = dh * update[t] + products[-1] @ weight
    gates, of_products = (np.stack(one if backwards else one[::-1]) for one in (parts, products))
    return {0: gates, 1: dh, 2: _of_weight(of_products, h, ans[0], backwards), 3: np.sum(of_products, axis=(0, 1))}


rule(gru_states, together=_gru_gradients, singular=False)


def _is_used(g: Array) -> bool:
    """Whether a gradient is not 0, or is itself tracked."""
    return isinstance(g, Variable) or bool(np.any(g))


def _order(steps: int, backwards: bool) -> range:
    return range(steps - 1, -1, -1) if backwards else range(steps)


def _activated(x: Array, scale: Any, shift: Any) -> Array:
    """In place, ``scale * tanh(scale * x) + shift``: the sigmoid for 1/2 and 1/2, the tanh for 1 and 0."""
    x *= scale
    np.tanh(x, out=x)
    x *= scale
    x += shift
    return x


def _before(first: Array, states: Array, backwards: bool) -> Array:
    """The state before each step, ``(T, N, H)``."""
    return np.concatenate([states[1:], first[None]]) if backwards else np.concatenate([first[None], states[:-1]])


def _of_weight(gates: Array, h: Array, states: Array, backwards: bool) -> Array:
    """The gradient of a weight, as one product, from the gradients of the gates of all steps."""
    rows = np.reshape(gates, (-1, gates.shape[-1]))
    return np.transpose(rows) @ np.reshape(_before(h, states, backwards), (-1, h.shape[1]))
