"""The number of threads of the BLAS library: more threads are slower if other programs use the cores.

Results can differ in their last digits between numbers of threads, so that a run changes the number only between
epochs, and records it for each.
"""

from __future__ import annotations

import contextlib
import csv
import functools
import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

from models.schema import described, integer, list_of

AUTO = "auto"
MOST = 1024
NUMBERS = described(  # one number, or one for each epoch
    Literal["auto"] | integer(1, MOST) | list_of(integer(1, MOST)),
    f"must be {AUTO}, an integer of at least 1 and at most {MOST}, or a file metrics.csv",
)
SLOW_FACTOR, SLOW_SECONDS = 1.5, 0.5  # an epoch is slow if it takes 1.5 times the fastest one, and 0.5 s longer
_ROUNDS, _SECONDS = 7, 0.5  # of a measurement; a round that takes longer is the only one


@contextlib.contextmanager
def adjustable() -> Iterator[Callable[[int], None]]:
    """Yield a function that sets the number of threads; after the block, the former number is restored."""
    controller = _blas()
    with controller.limit(limits=None):
        yield lambda number: controller.limit(limits=number) and None


def available() -> int:
    """The number of threads that BLAS would use: the number of cores, or what the environment says; 1 without BLAS."""
    return max((int(library["num_threads"]) for library in _blas().info()), default=1)


def fastest(work: Callable[[], Any], limit: int | None = None) -> int:
    """The number of threads, 1, 2, 4, ... up to ``limit``, for which ``work()`` takes the least time.

    By default, ``limit`` is `available`. The numbers are measured in turns, and medians are compared, because the load
    of a machine varies. The result is the smallest number whose median is within 5 % of the least.
    """
    limit = limit or available()
    numbers: list[int] = [n for n in (2**k for k in range(12)) if n < limit] + [limit]
    if len(numbers) == 1:
        return numbers[0]
    seconds: dict[int, list[float]] = {number: [] for number in numbers}
    end = time.perf_counter() + _SECONDS
    with adjustable() as use:
        for _ in range(_ROUNDS):
            for number in numbers:
                use(number)
                work()  # not measured: it starts the threads
                start = time.perf_counter()
                work()
                seconds[number].append(time.perf_counter() - start)
            if time.perf_counter() > end:
                break
    medians = {number: sorted(times)[len(times) // 2] for number, times in seconds.items()}
    return next(number for number in numbers if medians[number] <= 1.05 * min(medians.values()))


def for_epoch(o: SimpleNamespace, history: Sequence[Mapping[str, Any]], measure: Callable[[], int]) -> int:
    """The number of threads of the next epoch: that of the options or, with ``auto``, the fastest by ``measure()``.

    The fastest number is measured before a run starts, when the options record it, and again after a slow epoch, but
    not if several processes share the cores.
    """
    if isinstance(o.threads, int):
        return int(o.threads)
    if isinstance(o.threads, list):
        return int(o.threads[min(len(history), len(o.threads) - 1)])
    if not history or "processes" in o.decided:
        return int(o.decided.get("threads") or available())
    return measure() if is_slow(history) else int(history[-1].get("threads") or available())


def is_slow(history: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the last epoch took much longer than the fastest one, by the rows of metrics.csv."""
    ends = [0.0, *(row["seconds"] for row in history)]
    epochs = [end - start for start, end in itertools.pairwise(ends)]
    return bool(epochs) and epochs[-1] > max(SLOW_FACTOR * min(epochs), min(epochs) + SLOW_SECONDS)


def recorded(value: Any) -> Any:
    """The numbers in a file metrics.csv, one for each epoch, if ``value`` is the path of one; any other value itself.

    Raises
    ------
    ValueError
        If they cannot be read.
    """
    if not (isinstance(value, str) and value.endswith(".csv")):
        return value
    try:
        with Path(value).open(encoding="utf-8") as file:
            numbers = [int(row["threads"]) for row in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"cannot be read from {value}: {error}") from None
    except (KeyError, TypeError, ValueError):
        numbers = []
    if not numbers or min(numbers) < 1:
        raise ValueError(f"cannot be read from {value}: it does not record the number of threads")
    return numbers


@functools.cache
def _blas() -> Any:
    import threadpoolctl

    return threadpoolctl.ThreadpoolController().select(user_api="blas")
