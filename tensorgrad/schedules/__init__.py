"""Learning-rate schedules: pure functions from the number of updates done (0, 1, ...) to a factor of the base rate.

::

    schedule = tg.schedules.warm_up(tg.schedules.cosine(T_max=1000), 50)
    for update in range(1000):
        ...
        optimizer.lr = base_lr * schedule(update)
        optimizer.step()

If the rates of the optimizer's parameter groups differ, ``optimizer.scale_lr(schedule(update))`` scales each of them.

A schedule has no state, so a resumed run needs only the number of its next update; `Plateau`, which follows a metric,
is the exception. Any function of the update is a schedule, such as ``lambda update: 0.95**update``.

Names of arguments and values are PyTorch's. The rates ``eta_min``, ``base_lr``, ``max_lr`` and ``min_lr``, which are
absolute in PyTorch, are fractions of the base rate here, unless the argument ``lr`` gives the base rate:
``cosine(1000, eta_min=0.01)`` ends at a hundredth of the base rate, ``cosine(1000, eta_min=1e-5, lr=0.1)`` at 1e-5.
"""

from tensorgrad.schedules.checks import Schedule
from tensorgrad.schedules.cycles import cosine, cosine_restarts, cyclic, one_cycle
from tensorgrad.schedules.decays import constant, exponential, halving, linear, multi_step, polynomial, step
from tensorgrad.schedules.functions import from_function, warm_up
from tensorgrad.schedules.plateau import Plateau

__all__ = [
    "Plateau",
    "Schedule",
    "constant",
    "cosine",
    "cosine_restarts",
    "cyclic",
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


def __dir__() -> list[str]:
    return [*__all__, "__doc__"]
