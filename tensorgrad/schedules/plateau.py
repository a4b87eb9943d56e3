"""The schedule that follows a metric."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, SupportsFloat

from tensorgrad.engine.tape import Variable, value_of
from tensorgrad.errors import CheckpointError
from tensorgrad.schedules.checks import fraction, not_negative


class Plateau:
    """A factor that is reduced when a metric has stopped improving. PyTorch's ReduceLROnPlateau.

    ::

        plateau = tg.schedules.Plateau(patience=3)
        for epoch in range(epochs):
            ...
            optimizer.lr = base_lr * plateau.step(validation_loss)

    Parameters
    ----------
    mode
        ``"min"`` for a metric that should fall, ``"max"`` for one that should rise.
    factor
        What the rate is multiplied by, in (0, 1).
    patience
        The number of steps without improvement to tolerate.
    threshold, threshold_mode
        The smallest change that counts as an improvement: a fraction of the best value for ``"rel"``, an amount for
        ``"abs"``. As in PyTorch, ``"rel"`` is not useful for a negative metric, where a small change for the worse
        counts as well.
    cooldown
        The number of steps after each reduction in which none is counted as one without improvement.
    min_lr, eps
        The smallest rate, and the smallest change of it; fractions of the base rate, unless ``lr`` gives that rate.

    Examples
    --------
    >>> plateau = tg.schedules.Plateau(patience=1, factor=0.5)
    >>> [plateau.step(loss) for loss in (2.0, 1.0, 1.1, 1.2, 1.3)]
    [1.0, 1.0, 1.0, 0.5, 0.5]
    """

    def __init__(self, mode: str = "min", factor: float = 0.1, patience: int = 10, threshold: float = 1e-4,
                 threshold_mode: str = "rel", cooldown: int = 0, min_lr: float = 0.0, eps: float = 1e-8, *,
                 lr: float = 1.0) -> None:  # fmt: skip
        for what, value, names in (("mode", mode, ("min", "max")), ("threshold_mode", threshold_mode, ("rel", "abs"))):
            if value not in names:
                raise ValueError(f"{what} must be {names[0]!r} or {names[1]!r}, got {value!r}")
        if not 0 < factor < 1:
            raise ValueError(f"factor must be in (0, 1), got {factor}")
        for name, number in (("patience", patience), ("threshold", threshold), ("cooldown", cooldown)):
            not_negative(name, number)
        self.mode, self.factor, self.patience, self.cooldown = mode, factor, patience, cooldown
        self.threshold, self.threshold_mode = threshold, threshold_mode
        self._least, self._eps = fraction("min_lr", min_lr, lr), fraction("eps", eps, lr)
        self.scale = 1.0  # the current factor of the base rate
        self.best: float | None = None
        self.num_bad_epochs = 0
        self.cooldown_counter = 0

    def step(self, metric: SupportsFloat | Variable) -> float:
        """Record a new value of the metric and return the factor of the base rate. NaN is not an improvement.

        Examples
        --------
        >>> plateau = tg.schedules.Plateau(patience=0)
        >>> plateau.step(1.0), plateau.step(2.0)
        (1.0, 0.1)
        """
        value = float(value_of(metric))  # the metric may be a tensor
        if self._improves(value):
            self.best, self.num_bad_epochs = value, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            scale = max(self.scale * self.factor, self._least)
            if self.scale - scale > self._eps:
                self.scale = scale
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        return self.scale

    def _improves(self, value: float) -> bool:
        sign = 1 if self.mode == "max" else -1
        if self.best is None:
            return sign * value > -math.inf
        margin = self.threshold if self.threshold_mode == "abs" else self.threshold * self.best
        return sign * value > sign * (self.best + sign * margin)

    def state_dict(self) -> dict[str, Any]:
        """The current state, as JSON-serializable numbers.

        Examples
        --------
        >>> tg.schedules.Plateau().state_dict()
        {'scale': 1.0, 'best': None, 'num_bad_epochs': 0, 'cooldown_counter': 0}
        """
        return {name: getattr(self, name) for name in ("scale", "best", "num_bad_epochs", "cooldown_counter")}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a state returned by `state_dict`.

        Raises
        ------
        CheckpointError
            If an entry is missing or unknown.

        Examples
        --------
        >>> plateau = tg.schedules.Plateau()
        >>> plateau.load_state_dict({"scale": 0.1, "best": 0.5, "num_bad_epochs": 0, "cooldown_counter": 0})
        >>> plateau.step(0.4)
        0.1
        """
        if problems := sorted(self.state_dict().keys() ^ state.keys()):
            raise CheckpointError(f"not a state of a Plateau: missing or unknown {', '.join(problems)}")
        for name, value in state.items():
            setattr(self, name, value)
