"""Learning-rate schedules: pure functions from the number of updates done (0, 1, ...) to a factor of the base rate.

::

    schedule = tg.schedules.warm_up(tg.schedules.cosine(T_max=1000), 50)
    for update in range(1000):
        ...
        optimizer.lr = base_lr * schedule(update)
        optimizer.step()

A schedule has no state, so a resumed run needs only the number of its next update; `Plateau`, which follows a metric,
is the one exception. Any function of the update is a schedule: write your own as ``lambda update: 0.95**update``.

Names of arguments and values are PyTorch's. Where PyTorch takes an absolute rate (``eta_min``, ``max_lr``, ``min_lr``),
so do these once they are told the base rate: ``cosine(1000, eta_min=1e-5, lr=0.1)`` ends at a rate of 1e-5. Without
``lr`` it is a fraction of the base rate, whatever that is: ``cosine(1000, eta_min=0.01)`` ends at a hundredth.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from typing import Any, SupportsFloat

from tensorgrad.engine.tape import Variable, value_of
from tensorgrad.errors import CheckpointError

__all__ = [
    "Plateau",
    "Schedule",
    "constant",
    "cosine",
    "cosine_restarts",
    "exponential",
    "from_function",
    "halving",
    "linear",
    "multi_step",
    "one_cycle",
    "polynomial",
    "step",
    "warm_up",
]

Schedule = Callable[[int], float]


def __dir__() -> list[str]:
    return [*__all__, "__doc__"]


def constant() -> Schedule:
    """A constant factor of 1.

    Examples
    --------
    >>> schedule = tg.schedules.constant()
    >>> [round(schedule(update), 4) for update in (0, 10, 20)]
    [1.0, 1.0, 1.0]
    """
    return lambda update: 1.0


def step(step_size: int, gamma: float = 0.1) -> Schedule:
    """Multiplied by ``gamma`` after every ``step_size`` updates. PyTorch's StepLR.

    Examples
    --------
    >>> schedule = tg.schedules.step(10)
    >>> [round(schedule(update), 4) for update in (0, 10, 20)]
    [1.0, 0.1, 0.01]
    """
    _at_least_one("step_size", step_size)
    _not_negative("gamma", gamma)
    return lambda update: gamma ** (update // step_size)


def halving(step_size: int) -> Schedule:
    """Halved after every ``step_size`` updates.

    Examples
    --------
    >>> schedule = tg.schedules.halving(10)
    >>> [round(schedule(update), 4) for update in (0, 10, 20)]
    [1.0, 0.5, 0.25]
    """
    return step(step_size, 0.5)


def multi_step(milestones: Iterable[int], gamma: float = 0.1) -> Schedule:
    """Multiplied by ``gamma`` each time the number of updates reaches a milestone. PyTorch's MultiStepLR.

    Examples
    --------
    >>> schedule = tg.schedules.multi_step([10, 20])
    >>> [round(schedule(update), 4) for update in (0, 10, 20)]
    [1.0, 0.1, 0.01]
    """
    _not_negative("gamma", gamma)
    ordered = sorted(milestones)
    return lambda update: gamma ** bisect_right(ordered, update)


def exponential(gamma: float) -> Schedule:
    """Multiplied by ``gamma`` after every update. PyTorch's ExponentialLR.

    Examples
    --------
    >>> schedule = tg.schedules.exponential(0.9)
    >>> [round(schedule(update), 4) for update in (0, 10, 20)]
    [1.0, 0.3487, 0.1216]
    """
    _not_negative("gamma", gamma)
    return lambda update: gamma**update


def polynomial(total_iters: int, power: float = 1.0) -> Schedule:
    """``(1 - update / total_iters) ** power``, and 0 from there. PyTorch's PolynomialLR.

    Examples
    --------
    >>> schedule = tg.schedules.polynomial(20, power=2)
    >>> [round(schedule(update), 4) for update in (0, 10, 20)]
    [1.0, 0.25, 0.0]
    """
    _at_least_one("total_iters", total_iters)
    if not power > 0:
        raise ValueError(f"power must be greater than 0, got {power}")
    return lambda update: (1 - min(update / total_iters, 1)) ** power


def linear(*, start_factor: float = 1 / 3, end_factor: float = 1.0, total_iters: int) -> Schedule:
    """A straight line from ``start_factor`` to ``end_factor`` at ``total_iters`` updates, and that from there.

    PyTorch's LinearLR.

    Examples
    --------
    >>> schedule = tg.schedules.linear(start_factor=1.0, end_factor=0.0, total_iters=20)
    >>> [round(schedule(update), 4) for update in (0, 10, 20)]
    [1.0, 0.5, 0.0]
    """
    _at_least_one("total_iters", total_iters)
    _not_negative("start_factor", start_factor)
    _not_negative("end_factor", end_factor)
    return lambda update: start_factor + (end_factor - start_factor) * min(update / total_iters, 1)


def cosine(T_max: int, eta_min: float = 0.0, *, lr: float = 1.0) -> Schedule:  # noqa: N803  (PyTorch's name)
    """Half a cosine from the base rate down to ``eta_min`` at ``T_max`` updates, and ``eta_min`` from there.

    PyTorch's CosineAnnealingLR, which rises again after ``T_max`` updates. Source: Loshchilov and Hutter, "SGDR:
    stochastic gradient descent with warm restarts", 2017, equation 5.

    Examples
    --------
    >>> schedule = tg.schedules.cosine(T_max=20)
    >>> [round(schedule(update), 4) for update in (0, 10, 20)]
    [1.0, 0.5, 0.0]
    """
    _at_least_one("T_max", T_max)
    least = _fraction("eta_min", eta_min, lr)
    return lambda update: least + (1 - least) * _half_cosine(min(update / T_max, 1))


def cosine_restarts(T_0: int, T_mult: int = 1, eta_min: float = 0.0, *, lr: float = 1.0) -> Schedule:  # noqa: N803
    """A cosine from the base rate down to ``eta_min`` in ``T_0`` updates, then anew in ``T_mult`` times as many, ...

    PyTorch's CosineAnnealingWarmRestarts. Source: Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm
    restarts", 2017.

    Examples
    --------
    >>> schedule = tg.schedules.cosine_restarts(T_0=15)
    >>> [round(schedule(update), 4) for update in (0, 10, 20)]
    [1.0, 0.25, 0.75]
    """
    _at_least_one("T_0", T_0)
    if T_mult < 1 or T_mult != int(T_mult):
        raise ValueError(f"T_mult must be a whole number of at least 1, got {T_mult}")
    least = _fraction("eta_min", eta_min, lr)

    def schedule(update: int) -> float:
        since, length = update, T_0
        if T_mult == 1:
            since = update % T_0
        while since >= length:
            since, length = since - length, length * T_mult
        return least + (1 - least) * _half_cosine(since / length)

    return schedule


def one_cycle(max_lr: float, total_steps: int, pct_start: float = 0.3, anneal_strategy: str = "cos",
              div_factor: float = 25.0, final_div_factor: float = 1e4, three_phase: bool = False, *,
              lr: float = 1.0) -> Schedule:  # fmt: skip
    """From ``max_lr / div_factor`` up to ``max_lr``, and down to ``max_lr / div_factor / final_div_factor``.

    PyTorch's OneCycleLR without its momentum schedule; after ``total_steps``, where PyTorch raises an error, the rate
    stays at its final value. ``max_lr`` is a multiple of the base rate, or an absolute rate if ``lr`` gives the base
    rate. Source: Smith and Topin, "Super-convergence: very fast training of neural networks using large learning
    rates", 2018.

    Parameters
    ----------
    pct_start
        The fraction of the updates in which the rate rises.
    anneal_strategy
        ``"cos"`` for half cosines, ``"linear"`` for straight lines.
    three_phase
        Fall to ``max_lr / div_factor`` in as many updates as the rate rose in, and from there to the end.

    Examples
    --------
    >>> schedule = tg.schedules.one_cycle(max_lr=1.0, total_steps=21)
    >>> [round(schedule(update), 4) for update in (0, 10, 20)]
    [0.04, 0.7683, 0.0]
    """
    _at_least_one("total_steps", total_steps)
    if not 0 <= pct_start <= 1:
        raise ValueError(f"pct_start must be in [0, 1], got {pct_start}")
    if anneal_strategy not in ("cos", "linear"):
        raise ValueError(f"anneal_strategy must be 'cos' or 'linear', got {anneal_strategy!r}")
    if not (div_factor > 0 and final_div_factor > 0):
        raise ValueError(f"div_factor and final_div_factor must be above 0, got {div_factor} and {final_div_factor}")
    peak = _fraction("max_lr", max_lr, lr)
    begin = peak / div_factor
    rise, last = pct_start * total_steps - 1, total_steps - 1
    phases = [(rise, peak), (last, begin / final_div_factor)]  # (its last update, the factor there)
    if three_phase:
        phases.insert(1, (2 * pct_start * total_steps - 2, begin))

    def schedule(update: int) -> float:
        update = min(update, last)
        since, before = 0.0, begin
        for until, target in phases:
            if update <= until:
                break
            since, before = until, target
        done = (update - since) / (until - since) if until > since else 1.0
        return target + (before - target) * (_half_cosine(done) if anneal_strategy == "cos" else 1 - done)

    return schedule


def warm_up(schedule: Schedule, updates: int) -> Schedule:
    """Multiply a schedule by a ramp: ``1/updates, 2/updates, ...`` and 1 from there on.

    Examples
    --------
    >>> schedule = tg.schedules.warm_up(tg.schedules.constant(), 20)
    >>> [round(schedule(update), 4) for update in (0, 10, 20)]
    [0.05, 0.55, 1.0]
    """
    if updates < 0:
        raise ValueError(f"warm-up must take 0 updates or more, got {updates}")
    return lambda update: schedule(update) * min(1.0, (update + 1) / max(updates, 1))


def from_function(lr_lambda: Callable[[int], SupportsFloat]) -> Schedule:
    """A user-defined schedule whose values are checked to be finite and nonnegative. PyTorch's LambdaLR.

    Examples
    --------
    >>> schedule = tg.schedules.from_function(lambda update: 1 / (1 + update))
    >>> [round(schedule(update), 4) for update in (0, 10, 20)]
    [1.0, 0.0909, 0.0476]
    """
    if not callable(lr_lambda):
        raise TypeError(f"from_function takes a function of the number of updates done, got {lr_lambda!r}")

    def schedule(update: int) -> float:
        factor = float(lr_lambda(update))
        if not 0 <= factor < math.inf:
            raise ValueError(f"the schedule gave a factor of {factor} at update {update}: it must be finite and >= 0")
        return factor

    return schedule


class Plateau:
    """A factor that falls whenever a metric has not improved for a while. PyTorch's ReduceLROnPlateau.

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
        What counts as an improvement: ``"rel"``, by this fraction of the best; ``"abs"``, by this much. As in PyTorch,
        ``"rel"`` means little for a metric below 0, where it counts a small change for the worse as well.
    cooldown
        The number of steps after a fall that are not counted.
    min_lr, eps
        The least rate, and the least change of it; fractions of the base rate unless ``lr`` says what that is.

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
            _not_negative(name, number)
        self.mode, self.factor, self.patience, self.cooldown = mode, factor, patience, cooldown
        self.threshold, self.threshold_mode = threshold, threshold_mode
        self._least, self._eps = _fraction("min_lr", min_lr, lr), _fraction("eps", eps, lr)
        self.scale = 1.0  # the present factor of the base rate
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
        value = float(value_of(metric))  # of a loss on the tape, its value
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
        """Restore what `state_dict` gave.

        Raises
        ------
        CheckpointError
            If something is missing or unknown.

        Examples
        --------
        >>> plateau = tg.schedules.Plateau()
        >>> plateau.load_state_dict({"scale": 0.1, "best": 0.5, "num_bad_epochs": 0, "cooldown_counter": 0})
        >>> plateau.step(0.4)
        0.1
        """
        if problems := sorted(self.state_dict().keys() ^ state.keys()):
            raise CheckpointError(f"no state of a Plateau: missing or unknown {', '.join(problems)}")
        for name, value in state.items():
            setattr(self, name, value)


def _half_cosine(done: float) -> float:
    return (1 + math.cos(math.pi * done)) / 2


def _fraction(name: str, rate: float, lr: float) -> float:
    if not 0 < lr < math.inf:
        raise ValueError(f"lr, the base rate, must be greater than 0, got {lr}")
    _not_negative(name, rate)
    return rate / lr


def _not_negative(name: str, value: float) -> None:
    if not 0 <= value < math.inf:
        raise ValueError(f"{name} must be at least 0, got {value}")


def _at_least_one(name: str, value: int) -> None:
    if value < 1:
        raise ValueError(f"{name} must be at least 1 update, got {value}")
