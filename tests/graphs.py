"""Graphs of various shapes for tests of `tg.draw`: functions that return outputs, and names for the drawing."""

import numpy as np

import tensorgrad as tg
from tensorgrad.engine.tape import Record
from tests.records import parents_of


def randn(*shape, dtype=float):
    """A tensor of random numbers that requires a gradient."""
    return tg.Tensor(np.random.default_rng(len(shape)).standard_normal(shape), requires_grad=True, dtype=dtype)


def two_layers():
    rng = np.random.default_rng(0)
    x, y = rng.random((6, 5), np.float32), rng.integers(0, 3, 6)
    hidden, output = tg.nn.Linear(5, 4, rng), tg.nn.Linear(4, 3, rng)
    penalty = np.sum(hidden.weight**2) + np.sum(output.weight**2)
    loss = tg.cross_entropy(output(tg.relu(hidden(x))), y) + 1e-4 * penalty
    return loss, {"x": x, "hidden": hidden, "output": output, "loss": loss}


def diamond():
    x = randn(5)
    return np.sum(np.sin(x) * np.cos(x)), {"x": x}


def skips():
    h = randn(4, 8)
    for w in (randn(8, 8), randn(8, 8), randn(8, 8)):
        h = h + tg.relu(h @ w)
    return np.sum(h * h), None


def second_order():
    x = randn(3)
    (y,) = tg.grad([np.sum(np.tanh(x) ** 3)], [x], create_graph=True)
    return np.sum(y * y), {"x": x}


def scalar():
    w, b = tg.Tensor(0.5, requires_grad=True), tg.Tensor(0.1, requires_grad=True)
    return np.tanh(w * 2.0 + b), {"w": w, "b": b}


def attention():
    x, wq, wk, wv, wo = randn(2, 6, 8), randn(8, 8), randn(8, 8), randn(8, 8), randn(8, 8)
    q, k, v = (np.transpose(np.reshape(x @ w, (2, 6, 2, 4)), (0, 2, 1, 3)) for w in (wq, wk, wv))
    scores = tg.softmax(q @ np.swapaxes(k, -1, -2) / 2.0 + np.triu(np.full((6, 6), -1e9), 1))
    h = x + np.reshape(np.transpose(scores @ v, (0, 2, 1, 3)), (2, 6, 8)) @ wo
    centred = h - np.mean(h, axis=-1, keepdims=True)
    h = centred / np.sqrt(np.mean(centred**2, axis=-1, keepdims=True) + 1e-5)
    return np.mean((h + tg.relu(h @ randn(8, 16) + randn(16)) @ randn(16, 8)) ** 2), {"x": x, "wq": wq}


def recurrent():
    w, u, h = randn(4, 4), randn(3, 4), np.zeros((2, 4))
    for _ in range(7):
        h = np.tanh(np.ones((2, 3)) @ u + h @ w)
    return np.sum(h), None


def wide():
    parts = [randn(3) for _ in range(14)]
    return np.sum(np.concatenate(parts) ** 2), {"parts": parts}


def dense():
    values = [randn(4)]
    for _ in range(6):
        values.append(np.tanh(sum(values)))
    return values[-1], None


def several():
    x, z = randn(3), randn(2)
    y = x * x
    return [y, np.sum(y), np.exp(z), z], {"x": x, "y": y, "z": z}


def same_input_often():
    x = randn(3)
    return np.sum(np.concatenate([x, x, np.sin(x), x])), {"x": x}


GRAPHS = [two_layers, diamond, skips, second_order, scalar, attention, recurrent, wide, dense, several,
          same_input_often]  # fmt: skip


def arrows_of(outputs):
    """The number of records behind the outputs, and of arrows: one for each input of each record."""
    stack = [t.record for t in (outputs if isinstance(outputs, list) else [outputs]) if t.record is not None]
    seen = set(stack)
    while stack:
        for parent in parents_of(stack.pop()):
            if isinstance(parent, Record) and parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return len(seen), sum(len(record.inputs) for record in seen)
