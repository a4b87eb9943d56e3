"""Compiled updates, and trial updates of copies of a network, which determine settings of a run.

Trial updates use a random generator of their own, so that the run itself is not affected.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

import tensorgrad as tg
from tensorgrad.data import Dataset
from training import images, threads

Update = Callable[..., Any]  # of inputs, targets and a random generator
Step = Callable[[], object]
Prepare = Callable[[SimpleNamespace, Any], tuple[tg.optim.Optimizer, Any, Update, Step]]  # of options and a network
Batch = tuple[Any, Any]  # inputs and labels

_UPDATES = 4  # the first ones are recorded, the last one is replayed
_RATE = 1e-6  # the learning rate of trial updates, so that they do not diverge


def joined(gradient: Update, step: Step) -> Update:
    """A function that computes the gradient and then makes the step; it returns what ``gradient`` does."""

    def update(inputs: Any, targets: Any, rng: np.random.Generator) -> Any:
        result = gradient(inputs, targets, rng)
        step()
        return result

    return update


def compiled(update: Update) -> Update:
    """A function that records the first updates and replays them from then on.

    Raises
    ------
    CompileError
        If an update cannot be recorded, contrary to what `is_exact` found.
    """
    replay = tg.compile(update)

    def run(*args: Any) -> Any:
        try:
            return replay(*args)
        except tg.CompileError as error:
            raise tg.CompileError(f"{error} (--resume with --eager continues the run without tg.compile)") from None

    return run


def check_updates(o: SimpleNamespace, data: Dataset, network: Any, prepare: Prepare) -> None:
    """Make an update of a copy of the network with each size of batch that the run has.

    Raises
    ------
    ConfigError
        If one of them fails, such as batch normalization of a single image.
    """
    for inputs, labels in _batches(o, data):
        try:
            update, _ = _trial_update(lambda copied: prepare(o, copied), network, is_compiled=False)
        except Exception:  # a network that cannot be copied
            return
        try:
            update(inputs, labels, np.random.default_rng(0))
        except (MemoryError, tg.ConfigError):
            raise
        except Exception as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            number = f"{len(labels)} image{'s' * (len(labels) > 1)}"
            raise tg.ConfigError(f"with --batch-size {o.batch_size}, there are batches of {number}, for which the "
                                 f"update fails: {reason}") from None  # fmt: skip


def decide(o: SimpleNamespace, data: Dataset, network: Any, prepare: Prepare, number: int = 0) -> dict[str, Any]:
    """Whether to compile the updates of a run, unless it is eager, and the number of threads at its start.

    That is ``number`` or, if that is 0, the fastest one.
    """
    decided: dict[str, Any] = {}
    if not o.eager:
        decided["compile"] = is_exact(lambda copied: prepare(o, copied), network, _batches(o, data))
    if o.threads == threads.AUTO:
        decided["threads"] = number or fastest_threads(o, data, network, prepare, decided.get("compile", False))
    return decided


def describe(o: SimpleNamespace, number: int) -> str:
    """The settings of `decide`, for the first line of the output; ``number`` is the number of threads, if known."""
    number = number or threads.for_epoch(o, [], threads.available)
    updates = "; updates are compiled" if o.decided.get("compile") and not o.eager else ""
    processes = f"; {o.decided['processes']} processes with" if "processes" in o.decided else ";"
    return f"{processes} {number} thread{'s' * (number > 1)}{updates}"


def fastest_threads(o: SimpleNamespace, data: Dataset, network: Any, prepare: Prepare, is_compiled: bool) -> int:
    """The number of threads with which an update takes the least time now."""
    limit = threads.available() - bool(o.augment)  # images are warped on another core
    if limit <= 1:
        return 1
    inputs, labels = _batches(o, data)[0]
    try:
        update, _ = _trial_update(lambda copied: prepare(o, copied), network, is_compiled)
        for _ in range(_UPDATES if is_compiled else 0):
            update(inputs, labels, np.random.default_rng(0))
    except Exception:  # the run reports the error
        return limit
    return threads.fastest(lambda: update(inputs, labels, np.random.default_rng(0)), limit)


def is_exact(prepare: Callable[[Any], Any], network: Any, batches: list[Batch]) -> bool:
    """Whether compiled updates change the weights, and draw random numbers, exactly as ordinary ones do.

    ``prepare(network)`` returns the optimizer of a network, the average of its weights or None, and the two parts of an
    update; ``batches`` are inputs and labels, one pair of each size.
    """
    try:
        states = [_state_after(prepare, network, batches, is_compiled) for is_compiled in (False, True)]
    except Exception:  # an update that fails without being compiled fails in the run, too, and is reported there
        return False
    return states[0] == states[1]


def _batches(o: SimpleNamespace, data: Dataset) -> list[Batch]:
    """A batch of the usual size, and one of the size of the last in an epoch if that is smaller."""
    scale, count = images.pixel_scale(o.pixels, data.brightest), len(images.hold_out(data, o.validation)[0])
    sizes = dict.fromkeys([min(o.batch_size, count), count % o.batch_size or min(o.batch_size, count)])
    labels = np.eye(data.classes, dtype=np.float32)[data.train_labels] if o.teachers else data.train_labels
    return [(images.rows(data.train_images[:size], scale), labels[:size]) for size in sizes]


def _trial_update(prepare: Callable[[Any], Any], network: Any, is_compiled: bool) -> tuple[Update, Callable[[], Any]]:
    """An update of a copy of the network, and a function that returns the arrays that it changes."""
    network = copy.deepcopy(network)
    optimizer, average, gradient, step = prepare(network)
    update = joined(gradient, step)
    optimizer.lr = _RATE

    def arrays() -> dict[str, Any]:
        gradients = {f"{name}.grad": p.grad for name, p in optimizer.params.items() if p.grad is not None}
        averages = average.state_dict() if average else {}
        return {**tg.nn.state_dict(network), **optimizer.state_dict(), **averages, **gradients}

    return tg.compile(update) if is_compiled else update, arrays


def _state_after(prepare: Callable[[Any], Any], network: Any, batches: list[Batch], is_compiled: bool) -> list[Any]:
    """The state after trial updates: all arrays, as bytes, and the state of the generator."""
    update, arrays = _trial_update(prepare, network, is_compiled)
    rng = np.random.default_rng(0)
    for inputs, labels in batches:
        for _ in range(_UPDATES):
            update(inputs, labels, rng)
    values = [np.asarray(value).tobytes() for _, value in sorted(arrays().items())]
    return [*values, rng.bit_generator.state]
