"""Schedules of cosines, and of cycles that rise and fall."""

from __future__ import annotations

import math
from collections.abc import Callable

from tensorgrad.schedules.checks import Schedule, at_least_one, fraction, not_negative


def cosine(T_max: int, eta_min: float = 0.0, *, lr: float = 1.0) -> Schedule:  # noqa: N803  (PyTorch's name)
    """Half a cosine from the base rate down to ``eta_min`` at ``T_max`` updates, and ``eta_min`` after these.

    PyTorch's CosineAnnealingLR up to ``T_max``. After that, PyTorch's rises to the base rate again, at ``2 * T_max``
    updates; this schedule stays at ``eta_min``, so that a run with more updates than planned does not end at a high
    rate. Use `cosine_restarts` or `cyclic` for rates that rise again. Source: Loshchilov and Hutter, "SGDR: stochastic
    gradient descent with warm restarts", 2017, equation 5.

    Examples
    --------
    >>> schedule = tg.schedules.cosine(T_max=20)
    >>> [round(schedule(update), 4) for update in (0, 10, 20)]
    [1.0, 0.5, 0.0]
    """
    at_least_one("T_max", T_max)
    least = fraction("eta_min", eta_min, lr)
    return lambda update: least + (1 - least) * _half_cosine(min(update / T_max, 1))


def cosine_restarts(T_0: int, T_mult: int = 1, eta_min: float = 0.0, *, lr: float = 1.0) -> Schedule:  # noqa: N803
    """Half cosines from the base rate down to ``eta_min``, of ``T_0`` updates, ``T_0 * T_mult`` updates, and so on.

    PyTorch's CosineAnnealingWarmRestarts. Source: Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm
    restarts", 2017.

    Examples
    --------
    >>> schedule = tg.schedules.cosine_restarts(T_0=15)
    >>> [round(schedule(update), 4) for update in (0, 10, 20)]
    [1.0, 0.25, 0.75]
    """
    at_least_one("T_0", T_0)
    if T_mult < 1 or T_mult != int(T_mult):
        raise ValueError(f"T_mult must be a whole number of at least 1, got {T_mult}")
    least = fraction("eta_min", eta_min, lr)

    def schedule(update: int) -> float:
        since, length = update, T_0
        if T_mult == 1:
            since = update % T_0
        while since >= length:
            since, length = since - length, length * T_mult
        return least + (1 - least) * _half_cosine(since / length)

    return schedule


def cyclic(base_lr: float, max_lr: float, step_size_up: int = 2000, step_size_down: int | None = None,
           mode: str = "triangular", gamma: float = 1.0, scale_fn: Callable[[float], float] | None = None,
           scale_mode: str = "cycle", *, lr: float = 1.0) -> Schedule:  # fmt: skip
    """Linearly from ``base_lr`` up to ``max_lr`` and down again, repeatedly.

    PyTorch's CyclicLR without its momentum schedule. ``base_lr`` and ``max_lr`` are multiples of the base rate, or
    absolute rates if ``lr`` gives the base rate. Source: Smith, "Cyclical learning rates for training neural networks",
    2017.

    Parameters
    ----------
    step_size_up, step_size_down
        The number of updates in which the rate rises, and in which it falls: the same, by default.
    mode
        The factor of the height ``max_lr - base_lr``: 1 for ``"triangular"``; 1/2 in the second cycle, 1/4 in the third
        and so on for ``"triangular2"``; ``gamma**update`` for ``"exp_range"``.
    scale_fn, scale_mode
        In place of ``mode``, a function for that factor: of the number of the cycle, 1, 2, ..., if ``scale_mode`` is
        ``"cycle"``; of the number of the update if it is ``"iterations"``.

    Examples
    --------
    >>> schedule = tg.schedules.cyclic(base_lr=0.1, max_lr=1.0, step_size_up=10, mode="triangular2")
    >>> [round(schedule(update), 4) for update in (0, 10, 20, 30)]
    [0.1, 1.0, 0.1, 0.55]
    """
    modes: dict[str, tuple[Callable[[float], float], str]] = {
        "triangular": (lambda cycle: 1.0, "cycle"),
        "triangular2": (lambda cycle: 0.5 ** (cycle - 1), "cycle"),
        "exp_range": (lambda update: gamma**update, "iterations"),
    }
    if mode not in modes:
        raise ValueError(f"mode must be 'triangular', 'triangular2' or 'exp_range', got {mode!r}")
    if scale_mode not in ("cycle", "iterations"):
        raise ValueError(f"scale_mode must be 'cycle' or 'iterations', got {scale_mode!r}")
    at_least_one("step_size_up", step_size_up)
    up, down = step_size_up, step_size_up if step_size_down is None else step_size_down
    at_least_one("step_size_down", down)
    not_negative("gamma", gamma)
    low, high = fraction("base_lr", base_lr, lr), fraction("max_lr", max_lr, lr)
    scale, of = modes[mode] if scale_fn is None else (scale_fn, scale_mode)

    def schedule(update: int) -> float:
        cycle, since = divmod(update, up + down)
        risen = since / up if since <= up else (up + down - since) / down
        return low + (high - low) * risen * scale(cycle + 1 if of == "cycle" else update)

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
        Whether the rate first falls to ``max_lr / div_factor``, in as many updates as it rose, then to its end value.

    Examples
    --------
    >>> schedule = tg.schedules.one_cycle(max_lr=1.0, total_steps=21)
    >>> [round(schedule(update), 4) for update in (0, 10, 20)]
    [0.04, 0.7683, 0.0]
    """
    at_least_one("total_steps", total_steps)
    if not 0 <= pct_start <= 1:
        raise ValueError(f"pct_start must be in [0, 1], got {pct_start}")
    if anneal_strategy not in ("cos", "linear"):
        raise ValueError(f"anneal_strategy must be 'cos' or 'linear', got {anneal_strategy!r}")
    if not (div_factor > 0 and final_div_factor > 0):
        raise ValueError(f"div_factor and final_div_factor must be above 0, got {div_factor} and {final_div_factor}")
    peak = fraction("max_lr", max_lr, lr)
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


def _half_cosine(done: float) -> float:
    return (1 + math.cos(math.pi * done)) / 2
