"""Recurrent layers, with PyTorch's parameters: ``weight_ih_l0``, ``weight_hh_l0``, ``bias_ih_l0``, ``bias_hh_l0``."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from tensorgrad import functional
from tensorgrad.engine.tape import as_array
from tensorgrad.errors import ShapeError
from tensorgrad.frontend.tensor import Tensor
from tensorgrad.functional.recurrent import gru, lstm
from tensorgrad.nn.checks import call, check_generator, check_input, check_sizes, shape_of, written
from tensorgrad.nn.initializers import pytorch
from tensorgrad.nn.modes import drops

__all__ = ["GRU", "LSTM"]


class _Recurrent:
    """Base class: layers of a recurrence in one or both directions; `_sequence` runs one layer in one direction."""

    _gates: ClassVar[int]

    def __init__(self, input_size: int, hidden_size: int, rng: np.random.Generator, *, num_layers: int = 1,
                 bias: bool = True, batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False,
                 dtype: Any = np.float32) -> None:  # fmt: skip
        name = type(self).__name__
        check_generator(name, "third", rng)
        check_sizes(name, input_size=input_size, hidden_size=hidden_size, num_layers=num_layers)
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout of {name} must be in [0, 1), got {dropout}")
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.dropout, self.bidirectional = bias, batch_first, dropout, bidirectional
        self.training: bool | None = None  # for dropout; None: training if a generator is passed
        rows = self._gates * hidden_size
        for layer in range(num_layers):
            width = hidden_size * (1 + bidirectional) if layer else input_size
            shapes: dict[str, tuple[int, ...]] = {"weight_ih": (rows, width), "weight_hh": (rows, hidden_size)}
            shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)} if bias else {}
            for direction in self._directions:
                for what, shape in shapes.items():
                    values = pytorch(rng, hidden_size, rows, shape)
                    setattr(self, f"{what}_l{layer}{direction}", Tensor(values, requires_grad=True, dtype=dtype))

    @property
    def _directions(self) -> tuple[str, ...]:
        """The endings of the names of parameters, for each direction."""
        return ("", "_reverse") if self.bidirectional else ("",)

    def _forward(self, x: Any, states: tuple[Any, ...], rng: np.random.Generator | None) -> tuple[Any, ...]:
        """The output of the last layer, and for each of the initial states, ``(layers, N, H)``, the last states."""
        is_dropping = self.dropout > 0 and self.num_layers > 1 and drops(self, rng)
        last: list[tuple[Any, ...]] = []
        for layer in range(self.num_layers):
            if layer and is_dropping and rng is not None:
                x = functional.dropout(x, self.dropout, rng)
            outputs = []
            for direction in self._directions:
                initial = tuple(state[len(last)] for state in states)
                output, *final = self._sequence(x, initial, f"_l{layer}{direction}", bool(direction))
                outputs.append(output)
                last.append(tuple(final))
            x = np.concatenate(outputs, axis=-1) if len(outputs) > 1 else outputs[0]
        return (x, *(np.stack(finals) for finals in zip(*last, strict=True)))

    def _sequence(self, x: Any, initial: tuple[Any, ...], suffix: str, backwards: bool) -> tuple[Any, ...]:
        raise NotImplementedError

    def _parameters(self, suffix: str) -> tuple[Any, ...]:
        """The weights of inputs and states, and their biases or None."""
        return tuple(getattr(self, what + suffix, None) for what in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))

    def _steps_first(self, x: Any) -> Any:
        """The input as ``(T, N, input_size)``; raises `ShapeError` if it has another shape."""
        check_input(self, x, *(("N", "T") if self.batch_first else ("T", "N")), self.input_size)
        x = x if isinstance(x, (Tensor, np.ndarray)) else as_array(x)
        x = np.swapaxes(x, 0, 1) if self.batch_first else x
        if not x.shape[0]:
            raise ShapeError(f"{self!r} takes sequences of at least one step, got x of shape {x.shape}")
        return x

    def _initial(self, name: str, state: Any, x: Any) -> Any:
        """An initial state, zeros if it is None; raises `ShapeError` if it has another shape."""
        shape = (self.num_layers * len(self._directions), x.shape[1], self.hidden_size)
        if state is None:
            return np.zeros(shape, np.result_type(x.dtype, self._parameters("_l0")[0].dtype))
        if shape_of(state) != shape:
            raise ShapeError(f"{self!r} takes {name} of shape {written(shape)}, (layers, N, hidden_size), got "
                             f"{shape_of(state)}")  # fmt: skip
        return state if isinstance(state, (Tensor, np.ndarray)) else as_array(state)

    def __repr__(self) -> str:
        return call(self, self.input_size, self.hidden_size, num_layers=(self.num_layers, 1), bias=(self.bias, True),
                    batch_first=(self.batch_first, False), dropout=(self.dropout, 0.0),
                    bidirectional=(self.bidirectional, False))  # fmt: skip


def _products(x: Any, weight: Any, bias: Any) -> Any:
    """``x @ weight.T + bias`` for all steps, in one product: ``(T, N, features)`` to ``(T, N, gates * H)``."""
    steps, n, width = x.shape
    y = np.reshape(x, (steps * n, width)) @ np.transpose(weight)
    return np.reshape(y if bias is None else y + bias, (steps, n, weight.shape[0]))


class LSTM(_Recurrent):
    """Long short-term memory: from ``(T, N, input_size)`` to the states of all steps, and the last states.

    ``i, f, o = sigmoid(W x + b + U h + d)``; ``g = tanh(W x + b + U h + d)``; ``c = f * c + i * g``;
    ``h = o * tanh(c)``.

    Parameters
    ----------
    input_size, hidden_size
        The lengths of inputs and states. For layer ``k``, ``weight_ih_lk`` is ``(4 * hidden_size, inputs)``, with the
        rows of ``i, f, g, o`` in this order, ``weight_hh_lk`` ``(4 * hidden_size, hidden_size)``, and ``bias_ih_lk``
        and ``bias_hh_lk`` ``(4 * hidden_size,)``; in the reverse direction, their names end in ``_reverse``.
    rng
        The random generator for the initial weights, uniform in ``+-1 / sqrt(hidden_size)``.
    num_layers
        The number of layers; the input of each but the first is the states of the previous one.
    bias
        Whether there are biases.
    batch_first
        Whether inputs and outputs are ``(N, T, ...)``.
    dropout
        The probability with which an element between two layers is dropped: see `Dropout`.
    bidirectional
        Whether a second recurrence runs from the last step to the first; the output contains the states of both.
    dtype
        The dtype of the parameters.

    Notes
    -----
    Source: Hochreiter and Schmidhuber, "Long short-term memory", 1997.

    Examples
    --------
    >>> layer = tg.nn.LSTM(3, 8, np.random.default_rng(0), num_layers=2, batch_first=True)
    >>> output, (h, c) = layer(np.ones((5, 7, 3), np.float32))
    >>> output.shape, h.shape, c.shape
    ((5, 7, 8), (2, 5, 8), (2, 5, 8))
    """

    _gates = 4

    def __call__(self, x: Any, hx: tuple[Any, Any] | None = None, *,
                 rng: np.random.Generator | None = None) -> tuple[Tensor, tuple[Tensor, Tensor]]:  # fmt: skip
        """The states of all steps, ``(T, N, hidden_size)``, and the last ``(h, c)``, ``(num_layers, N, hidden_size)``.

        ``hx`` is the initial ``(h, c)``, zeros by default; ``rng`` is for the dropout between layers.
        """
        x = self._steps_first(x)
        if hx is not None and not (isinstance(hx, (tuple, list)) and len(hx) == 2):
            raise TypeError(f"{self!r} takes initial states as a pair, (h, c), got {type(hx).__name__}")
        h, c = hx or (None, None)
        x, h, c = self._forward(x, (self._initial("h", h, x), self._initial("c", c, x)), rng)
        return np.swapaxes(x, 0, 1) if self.batch_first else x, (h, c)

    def _sequence(self, x: Any, initial: tuple[Any, ...], suffix: str, backwards: bool) -> tuple[Any, ...]:
        weight, recurrent, bias, other = self._parameters(suffix)
        inputs = _products(x, weight, None if bias is None else bias + other)
        return lstm(inputs, initial[0], initial[1], recurrent, backwards=backwards)


class GRU(_Recurrent):
    """Gated recurrent units: from ``(T, N, input_size)`` to the states of all steps, and the last states.

    ``r, z = sigmoid(W x + b + U h + d)``; ``n = tanh(W x + b + r * (U h + d))``; ``h = (1 - z) * n + z * h``. The rows
    of a weight are those of ``r, z, n``, ``3 * hidden_size`` in all; parameters and options are otherwise those of
    `LSTM`.

    Source: Cho et al., "Learning phrase representations using RNN encoder-decoder", 2014.

    Examples
    --------
    >>> layer = tg.nn.GRU(3, 8, np.random.default_rng(0), bidirectional=True)
    >>> output, h = layer(np.ones((7, 5, 3), np.float32))
    >>> output.shape, h.shape
    ((7, 5, 16), (2, 5, 8))
    """

    _gates = 3

    def __call__(self, x: Any, hx: Any = None, *, rng: np.random.Generator | None = None) -> tuple[Tensor, Tensor]:
        """The states of all steps, ``(T, N, hidden_size)``, and the last ones, ``(num_layers, N, hidden_size)``.

        ``hx`` is the initial state, zeros by default; ``rng`` is for the dropout between layers.
        """
        x = self._steps_first(x)
        x, h = self._forward(x, (self._initial("h", hx, x),), rng)
        return np.swapaxes(x, 0, 1) if self.batch_first else x, h

    def _sequence(self, x: Any, initial: tuple[Any, ...], suffix: str, backwards: bool) -> tuple[Any, ...]:
        weight, recurrent, bias, other = self._parameters(suffix)
        return gru(_products(x, weight, bias), initial[0], recurrent, other, backwards=backwards)
