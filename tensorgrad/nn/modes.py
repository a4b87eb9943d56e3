"""Training and evaluation: what differs between the two in layers such as dropout and batch normalization.

There is no base class that could hand a mode down. `train` and `eval` find the layers as `parameters` finds tensors, by
walking attributes, and set the attribute ``training`` of each object that has one, so that a layer of one's own takes
part by having it. The mode is a state of the layers and not of the program, so that two models, a teacher and its
student, may be in different modes at once, and what a layer does is seen on it.

Randomness stays an argument: the mode says whether dropout applies, and the generator passed to a call, ``model(x,
rng)``, what it drops.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any

import numpy as np

from tensorgrad.frontend.tensor import Tensor
from tensorgrad.nn.walking import walk

__all__ = ["Mode", "eval", "train"]


class Mode:
    """What `train` and `eval` return: the layers that they reached; leaving it as a context restores their modes.

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

    Batch normalization is in it from the start. `Dropout` starts undecided: it drops where it is given a generator.
    Once it is put in training mode, it raises where it is given none, so that it is not left out unnoticed.

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
    """Whether a layer applies its dropout in this call: by its mode, or while undecided, if there is a generator."""
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
