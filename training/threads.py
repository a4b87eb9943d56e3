"""The number of threads of the BLAS library: more are slower where other programs use the cores.

Results can differ in their last digits between numbers of threads, so that a run changes it between epochs only, and
records it for each.
"""

from __future__ import annotations

import contextlib
import csv
import itertools
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from models import brief

AUTO = "auto"
SLOW, SLOW_BY = 1.5, 0.5  # an epoch is slow that takes 1.5 times the best one, and half a second more
_ROUNDS, _SECONDS = 7, 0.5  # of a measurement; a round that takes longer is the only one


@contextlib.contextmanager
def adjustable() -> Iterator[Callable[[int], None]]:
    """Yields a function that sets the number of threads; afterwards, it is what it was before the block."""
    controller = _blas()
    with controller.limit(limits=None):
        yield lambda number: controller.limit(limits=number) and None


def most() -> int:
    """The number of threads that BLAS would use: the number of cores, or what the environment says; 1 without BLAS."""
    return max((int(library["num_threads"]) for library in _blas().info()), default=1)


def fastest(work: Callable[[], Any], limit: int | None = None) -> int:
    """The number of threads, 1, 2, 4, ... up to ``limit``, by default `most`, with which ``work()`` takes least time.

    They take turns, and medians are compared, because the load of a machine varies. Of equally fast ones, within 5 %,
    the smallest wins.
    """
    limit = limit or most()
    numbers: list[int] = [n for n in (2**k for k in range(12)) if n < limit] + [limit]
    if len(numbers) == 1:
        return numbers[0]
    seconds: dict[int, list[float]] = {number: [] for number in numbers}
    end = time.perf_counter() + _SECONDS
    with adjustable() as use:
        for _ in range(_ROUNDS):
            for number in numbers:
                use(number)
                work()  # not counted: it starts the threads
                start = time.perf_counter()
                work()
                seconds[number].append(time.perf_counter() - start)
            if time.perf_counter() > end:
                break
    medians = {number: statistics.median(times) for number, times in seconds.items()}
    return next(number for number in numbers if medians[number] <= 1.05 * min(medians.values()))


def for_epoch(o: SimpleNamespace, history: Sequence[dict[str, Any]], measure: Callable[[], int]) -> int:
    """The number of threads of the next epoch: that of the options or, with ``auto``, the fastest by ``measure()``.

    That is measured before a run starts, which the options record, and again after an epoch that was slow.
    """
    if isinstance(o.threads, int):
        return int(o.threads)
    if isinstance(o.threads, list):
        return int(o.threads[min(len(history), len(o.threads) - 1)])
    if not history:
        return int(o.decided.get("threads") or most())
    return measure() if is_slow(history) else int(history[-1].get("threads") or most())


def is_slow(history: Sequence[dict[str, Any]]) -> bool:
    """Whether the last epoch took much longer than the best one, by the rows of metrics.csv."""
    ends = [0.0, *(row["seconds"] for row in history)]
    epochs = [end - start for start, end in itertools.pairwise(ends)]
    return bool(epochs) and epochs[-1] > max(SLOW * min(epochs), min(epochs) + SLOW_BY)


def parse(value: Any) -> str | int | list[int]:
    """``auto``, a number, or a list of numbers, one for each epoch; a file metrics.csv stands for those recorded in it.

    Raises
    ------
    ValueError
        If it is none of these.
    """
    if value == AUTO:
        return AUTO
    numbers: Any = _recorded(Path(value)) if isinstance(value, str) and value.endswith(".csv") else value
    try:
        parsed = [int(str(n)) for n in (numbers if isinstance(numbers, list) else [numbers])]
    except ValueError:
        parsed = []
    if not parsed or min(parsed) < 1 or any(isinstance(n, bool) for n in [numbers]):
        raise ValueError(f"must be {AUTO}, an integer of at least 1, or a file metrics.csv, got {brief(value)}")
    return parsed if isinstance(numbers, list) else parsed[0]


def _recorded(path: Path) -> list[str]:
    """The column of the number of threads of a file metrics.csv."""
    try:
        with path.open(encoding="utf-8") as file:
            return [row["threads"] for row in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"cannot be read from {path}: {error}") from None
    except KeyError:
        raise ValueError(f"cannot be read from {path}: it does not record the number of threads") from None


def _blas() -> Any:
    import threadpoolctl

    return threadpoolctl.ThreadpoolController().select(user_api="blas")
