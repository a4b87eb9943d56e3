"""Training and evaluation mode, for layers that behave differently in the two, such as dropout and normalization.

`train` and `eval` find layers through the attributes of a model, as `parameters` finds tensors, and set the attribute
``training`` of each object that has one. A layer of your own only needs this attribute. The mode is a state of each
layer, not of the program, so that two models, such as a teacher and a student, can be in different modes at once.

Randomness remains an argument: the mode determines whether dropout is applied, and the generator passed to a call,
``model(x, rng)``, which elements are dropped.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any

import numpy as np

from tensorgrad.frontend.tensor import Tensor
from tensorgrad.nn.walking import walk

__all__ = ["Mode", "eval", "train"]


class Mode:
    """The result of `train` and `eval`: the layers whose mode they set. As a context manager, it restores their modes.

    Examples
    --------
    >>> net = tg.nn.Sequential([tg.nn.BatchNorm1d(3), tg.nn.Dropout(0.5)])
    >>> mode = tg.nn.eval(net)
    >>> mode
    Mode(training=False, layers=['layers.0', 'layers.1'])
    """

    def __init__(self, model: Any, training: bool) -> None:
        self.training = training
        self._before: dict[str, tuple[Any, bool | None]] = {}
        for path, item in walk(model):
            if not isinstance(item, (Tensor, type)):
                mode = getattr(item, "training", ...)
                if mode is None or isinstance(mode, bool):
                    self._before[path] = item, mode
        for item, _ in self._before.values():
            item.training = training

    @property
    def layers(self) -> list[str]:
        """The paths of the layers that have a mode.

        Examples
        --------
        >>> tg.nn.train([tg.nn.Linear(3, 2, np.random.default_rng(0)), tg.nn.Dropout(0.5)]).layers
        ['1']
        """
        return list(self._before)

    def __enter__(self) -> Mode:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for item, mode in self._before.values():
            item.training = mode

    def __repr__(self) -> str:
        return f"Mode(training={self.training}, layers={self.layers})"


def train(model: Any) -> Mode:
    """Put all layers of a model in training mode: batch statistics, dropout.

    Batch normalization starts in training mode. `Dropout` starts without a mode: it is applied if it is called with a
    generator. In training mode, it raises an error if it is called without one, so that it is not omitted by mistake.

    Examples
    --------
    >>> drop = tg.nn.Dropout(0.5)
    >>> mode = tg.nn.train(drop)
    >>> drop(np.ones(4))
    Traceback (most recent call last):
    ValueError: Dropout(0.5) in training mode needs a generator: model(x, rng), or tg.nn.eval(model) to evaluate
    """
    return Mode(model, True)


def eval(model: Any) -> Mode:
    """Put all layers of a model in evaluation mode: running statistics, and no dropout, even if given a generator.

    ``with tg.nn.eval(model):`` restores the mode that each layer had.

    Examples
    --------
    >>> net = tg.nn.Sequential([tg.nn.BatchNorm1d(2), tg.nn.Dropout(0.5)])
    >>> x = np.ones((1, 2), np.float32)
    >>> with tg.nn.eval(net):
    ...     print(net(x, np.random.default_rng(0)).data)
    [[1. 1.]]
    >>> net.layers[0].training
    True
    """
    return Mode(model, False)


def drops(layer: Any, rng: np.random.Generator | None) -> bool:
    """Whether a layer applies dropout in this call: as its mode says or, without a mode, if there is a generator."""
    if layer.training is False:
        return False
    if rng is None:
        if layer.training:
            raise ValueError(f"{layer!r} in training mode needs a generator: model(x, rng), or tg.nn.eval(model) to "
                             "evaluate")  # fmt: skip
        return False
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"rng of {layer!r} must be a generator such as np.random.default_rng(0), got {rng!r:.80}")
    return True
