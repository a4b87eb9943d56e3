"""From the options of a run to its optimizer, the schedule of its learning rate, and frozen layers."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import models
import tensorgrad as tg

OPTIMIZERS: dict[str, tuple[type[tg.optim.Optimizer], tuple[str, ...]]] = {  # with the options that not all have
    "sgd": (tg.optim.SGD, ("momentum", "nesterov")),
    "adam": (tg.optim.Adam, ("betas",)),
    "adamw": (tg.optim.AdamW, ("betas",)),
    "nadam": (tg.optim.NAdam, ("betas",)),
    "radam": (tg.optim.RAdam, ("betas",)),
    "rmsprop": (tg.optim.RMSprop, ("momentum",)),
    "adagrad": (tg.optim.Adagrad, ()),
}
SPECIFIC = ("momentum", "nesterov", "betas")
PLATEAU = "plateau"  # the one schedule with a state, see `tg.schedules.Plateau`


def by_optimizer(**values: Any) -> dict[str, Any]:
    """A dict with a value for each optimizer; ``others`` is the value of the optimizers that are not named."""
    others = values.pop("others")
    return dict.fromkeys(OPTIMIZERS, others) | values


def optimizer(o: SimpleNamespace, parameters: dict[str, tg.Tensor]) -> tg.optim.Optimizer:
    """The optimizer of a run."""
    kind, names = OPTIMIZERS[o.optimizer]
    settings = {name: getattr(o, name) for name in names}
    if o.optimizer == "sgd":
        settings["nesterov"] = o.nesterov and o.momentum > 0
    return kind(parameters, o.lr, weight_decay=o.weight_decay, **settings)


# By name, functions of the options and the number of all updates of the run.
SCHEDULES: dict[str, Callable[[SimpleNamespace, int], tg.schedules.Schedule]] = {
    "constant": lambda o, updates: tg.schedules.constant(),
    "halving": lambda o, updates: tg.schedules.halving(o.every),
    "step": lambda o, updates: tg.schedules.step(o.every, o.gamma),
    "multi_step": lambda o, updates: tg.schedules.multi_step(o.milestones, o.gamma),
    "exponential": lambda o, updates: tg.schedules.exponential(o.gamma ** (1 / o.every)),
    "linear": lambda o, updates: tg.schedules.linear(start_factor=1.0, end_factor=0.0, total_iters=updates),
    "polynomial": lambda o, updates: tg.schedules.polynomial(updates, o.power),
    "cosine": lambda o, updates: tg.schedules.cosine(updates),
    "cosine_restarts": lambda o, updates: tg.schedules.cosine_restarts(o.every),
    "cyclic": lambda o, updates: tg.schedules.cyclic(0.1, 1.0, step_size_up=o.every),
    "one_cycle": lambda o, updates: tg.schedules.one_cycle(1.0, total_steps=updates),
}


def plateau(o: SimpleNamespace, state: dict[str, Any]) -> tg.schedules.Plateau | None:
    """The schedule that follows the validation loss, in the state of `state_dict`; None if the run has another one."""
    if o.schedule != PLATEAU:
        return None
    schedule = tg.schedules.Plateau(factor=o.gamma, patience=o.plateau_epochs)
    if state:
        schedule.load_state_dict(state)
    return schedule


def schedule(o: SimpleNamespace, updates: int, plateau: tg.schedules.Plateau | None = None) -> tg.schedules.Schedule:
    """The factor of the learning rate as a function of the number of the update; the whole run has ``updates``."""
    factor = (lambda _: plateau.scale) if plateau else SCHEDULES[o.schedule](o, updates)
    return tg.schedules.warm_up(factor, o.warmup)


def freeze(network: models.Network, names: list[str]) -> None:
    """Freeze layers, or single parameters such as ``hidden.weight``, by their names in the list of layers.

    Raises
    ------
    ConfigError
        If there is no such layer, or if nothing is left to train.
    """
    for name in names:
        try:
            tg.nn.freeze(network, f"layers.{name}")
        except ValueError:
            holders = dict.fromkeys(path.split(".")[1] for path in tg.nn.parameters(network))
            raise tg.ConfigError(f"--freeze {name:.80}: the layers with parameters are {', '.join(holders)}") from None
    if not any(p.requires_grad for p in tg.nn.parameters(network).values()):
        raise tg.ConfigError("--freeze leaves nothing to train")
