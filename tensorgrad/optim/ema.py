"""The exponential moving average of the weights, which often generalizes better than the last weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from tensorgrad.engine.aliasing import keep_saved
from tensorgrad.engine.tape import Array
from tensorgrad.errors import CheckpointError
from tensorgrad.frontend.modes import no_grad
from tensorgrad.frontend.tensor import Tensor
from tensorgrad.optim.checks import Params, by_name, check_writable, in_range
from tensorgrad.optim.one_call import as_one_call


class EMA:
    """An exponential moving average of weights, updated after every step.

    ::

        average = decay * average + (1 - decay) * p         (starting from the initial values)

    ::

        ema = tg.optim.EMA(tg.nn.parameters(model))
        ...
        optimizer.step()
        ema.update()
        ...
        with ema.average_parameters():
            accuracy = evaluate(model)

    Source: Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992, for the uniform mean.

    Parameters
    ----------
    params
        Tensors, or a dict of them by name as returned by `nn.parameters`, including frozen ones. Tensors that do not
        hold floating-point numbers are ignored.
    decay
        The decay rate of the average, in [0, 1).
    warm_up
        Whether to reduce the decay in the first updates, so that the initial values have less weight: in the t-th
        update, t = 1, 2, ..., it is ``min(decay, (1 + t) / (10 + t))``, as in TensorFlow's
        ``ExponentialMovingAverage``.

    Examples
    --------
    >>> w = tg.Tensor([3.0, 4.0], requires_grad=True)
    >>> ema = tg.optim.EMA([w], decay=0.9)
    >>> w.data += 10
    >>> ema.update()
    >>> with ema.average_parameters():
    ...     print(w.data)
    [4. 5.]
    >>> w.data
    array([13., 14.])
    """

    compile_as_one_call = True  # see `tensorgrad.compile`

    def __init__(self, params: Params, decay: float = 0.999, warm_up: bool = False) -> None:
        self.params: dict[str, Tensor] = {name: p for name, p in by_name(params).items() if p.dtype.kind == "f"}
        if not self.params:
            raise ValueError("nothing to average: params contains no tensor of floating-point numbers")
        self.decay = in_range("decay", decay, 1)
        self.warm_up = warm_up
        self.updates = 0
        self.averages: dict[str, Array] = {name: p.data.copy() for name, p in self.params.items()}
        self._scratch: dict[Any, Array] = {}
        self._swapped = 0

    @as_one_call()
    def update(self) -> None:
        """Update the averages with the current values.

        Examples
        --------
        >>> w = tg.Tensor([3.0, 4.0], requires_grad=True)
        >>> ema = tg.optim.EMA({"w": w}, decay=0.5)
        >>> w.data += 1
        >>> ema.update()
        >>> ema.averages["w"]
        array([3.5, 4.5])
        """
        if self._swapped:
            raise RuntimeError("update() inside average_parameters() would use the averages: call it outside")
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates)) if self.warm_up else self.decay
        for name, p in self.params.items():
            average = self.averages[name]
            key = average.shape, average.strides, average.dtype
            if key not in self._scratch:
                self._scratch[key] = np.empty_like(average)
            s = np.subtract(p.data, average, out=self._scratch[key])
            np.add(average, np.multiply(s, 1 - decay, out=s), out=average)

    @contextmanager
    def average_parameters(self) -> Iterator[None]:
        """Replace the parameters by their averages inside the block; exception-safe.

        Nothing is recorded inside the block, as under `no_grad`, and changes to the parameters in it are lost. Pending
        backward passes are not affected.

        Examples
        --------
        >>> w = tg.Tensor([3.0, 4.0], requires_grad=True)
        >>> ema = tg.optim.EMA([w])
        >>> w.data += 1
        >>> with ema.average_parameters():
        ...     print(w.data)
        [3. 4.]
        >>> w.data
        array([4., 5.])
        """
        for name, p in self.params.items():
            check_writable(name, p)
        own = {name: p.data.copy() for name, p in self.params.items()}
        self._swapped += 1
        try:
            with no_grad():
                for name, p in self.params.items():
                    keep_saved(p)
                    p.data[...] = self.averages[name]
                yield
        finally:
            for name, p in self.params.items():
                keep_saved(p)
                p.data[...] = own[name]
            self._swapped -= 1

    def state_dict(self) -> dict[str, Any]:
        """Copies of the averages as ``"average.parameter"``, and the number of ``"updates"``, for `tg.save`.

        Examples
        --------
        >>> w = tg.Tensor([3.0, 4.0], requires_grad=True)
        >>> tg.optim.EMA({"w": w}).state_dict()
        {'updates': array(0), 'average.w': array([3., 4.])}
        """
        averages = {f"average.{name}": average.copy() for name, average in self.averages.items()}
        return {"updates": np.array(self.updates), **averages}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state returned by `state_dict`; on an error, nothing is changed.

        Raises
        ------
        CheckpointError
            If an entry is missing, belongs to no parameter, or has another shape.

        Examples
        --------
        >>> w = tg.Tensor([3.0, 4.0], requires_grad=True)
        >>> ema = tg.optim.EMA({"w": w})
        >>> ema.load_state_dict({"updates": 7, "average.w": np.ones(2)})
        >>> ema.averages["w"]
        array([1., 1.])
        """
        shapes = {"updates": ()} | {f"average.{name}": p.shape for name, p in self.params.items()}
        if problems := sorted(shapes.keys() ^ state.keys()):
            raise CheckpointError(f"the averages do not match: missing or unexpected {', '.join(problems)}")
        for key, shape in shapes.items():
            if np.shape(state[key]) != shape:
                raise CheckpointError(f"the averages do not match: {key} has shape {np.shape(state[key])}, not {shape}")
        self.updates = int(state["updates"])
        self.averages = {name: np.array(state[f"average.{name}"], p.dtype) for name, p in self.params.items()}
