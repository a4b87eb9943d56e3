"""Compiled updates, and what a run decides before it starts, by trying it out on copies of its network.

A rehearsal has a random generator of its own, so that the run itself is not affected.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

import tensorgrad as tg
from training.run import finite

Update = Callable[..., Any]  # of inputs, labels and a random generator
Prepare = Callable[[Any], tuple[tg.optim.Optimizer, Update]]  # of a network

_UPDATES = 4  # the first ones are recorded, the last one is replayed
_RATE = 1e-6  # the learning rate, so that no rehearsal diverges


def compiled(update: Update, network: Any) -> Update:
    """A function that records the first updates and replays them from then on.

    An update that starts from finite weights and leaves others behind cannot be recorded. It is then made without.

    Raises
    ------
    CompileError
        If an update cannot be recorded for another reason.
    """
    replay = tg.compile(update)

    def run(*given: Any) -> Any:
        try:
            return replay(*given)
        except tg.CompileError as error:
            loss, *others = update(*given)
            if np.isfinite(loss) and finite(network):
                raise tg.CompileError(f"{error} (--resume with --eager continues the run without tg.compile)") from None
            return loss, *others

    return run


def is_exact(prepare: Prepare, network: Any, batches: Iterable[tuple[Any, Any]]) -> bool:
    """Whether compiled updates change the weights, and draw random numbers, exactly as ordinary ones do.

    ``prepare(network)`` returns the optimizer of a network and the function to compile; ``batches`` are inputs and
    labels, one pair of each size.
    """
    batches = list(batches)
    try:
        states = [_state_after(prepare, network, batches, is_compiled) for is_compiled in (False, True)]
    except Exception:  # an update that fails without being compiled fails in the run, too, and is reported there
        return False
    return states[0] == states[1]


def _state_after(prepare: Prepare, network: Any, batches: list[tuple[Any, Any]], is_compiled: bool) -> list[Any]:
    """What updates of a copy of the network leave behind: all arrays, as bytes, and the state of the generator."""
    network, rng = copy.deepcopy(network), np.random.default_rng(0)
    optimizer, update = prepare(network)
    optimizer.lr = _RATE
    if is_compiled:
        update = tg.compile(update)
    for inputs, labels in batches:
        for _ in range(_UPDATES):
            update(inputs, labels, rng)
    gradients = {f"{name}.grad": p.grad for name, p in optimizer.params.items()}
    arrays = sorted((tg.nn.state_dict(network) | optimizer.state_dict() | gradients).items())
    return [*(np.asarray(value).tobytes() for _, value in arrays if value is not None), rng.bit_generator.state]
