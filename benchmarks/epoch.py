"""Where the time of an epoch of train.py goes: updates, inputs, evaluation, files, and the rest.

    python benchmarks/epoch.py                       # the default run on MNIST, four epochs, with one BLAS thread
    python benchmarks/epoch.py --shift 1             # other options of train.py

The clock is the processor time of the main thread, so that other programs do not matter. An update is what the two
functions of `prepare` in train.py do: forward pass, loss, backward pass and optimizer. Inputs are gathered, shifted or
taken from the thread that warps them, whose processor time is in a column of its own: on another core, it takes no time
from the updates as long as it is less than that of the main thread. The figures are medians over the epochs but the
first, in which updates are recorded.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import train
from training import augmentation, images, trials
from training.progress import Display
from training.run import Run

PARTS = ("updates", "inputs", "evaluation", "files", "the rest")
spent: Counter[str] = Counter()  # processor seconds of the main thread in the current epoch, by part
epochs: list[dict[str, float]] = []


def timed(part: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, whose time is added to a part."""

    def run(*args: Any, **kwargs: Any) -> Any:
        start = time.thread_time()
        try:
            return function(*args, **kwargs)
        finally:
            spent[part] += time.thread_time() - start

    return run


def timed_batches(original: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
    """The same generator, whose steps are timed."""

    def run(*args: Any) -> Iterator[Any]:
        batches = original(*args)
        following = timed("inputs", lambda: next(batches, None))
        while (item := following()) is not None:
            yield item

    return run


def install() -> None:
    """Time the parts of `train.train`, and note the end of each epoch."""
    compiled, show = trials.compiled, Display.epoch
    trials.compiled = lambda update: timed("updates", compiled(update))  # type: ignore[assignment]
    augmentation.Inputs.epoch = timed_batches(augmentation.Inputs.epoch)  # type: ignore[method-assign]
    images.score = timed("evaluation", images.score)
    Run.save = timed("files", Run.save)  # type: ignore[method-assign]
    Run.write_metrics = timed("files", Run.write_metrics)  # type: ignore[method-assign]
    last = [0.0, 0.0]

    def epoch(self: Display, row: Any) -> None:
        show(self, row)
        main, process = time.thread_time(), time.process_time()
        if epochs or last[0]:
            total = main - last[0]
            epochs.append({**spent, "total": total, "the rest": total - sum(spent.values()),
                           "second thread": process - last[1] - total})  # fmt: skip
        last[:] = main, process
        spent.clear()

    Display.epoch = epoch  # type: ignore[method-assign]


def main() -> int:
    """Train for a few epochs, and print a table."""
    install()
    with tempfile.TemporaryDirectory() as folder:
        words = ["--hidden", "400", "--epochs", "4", "--threads", "1", *sys.argv[1:]]
        if code := train.main([*words, "--quiet", "--out", f"{folder}/run"]):
            return code
    total = statistics.median(epoch["total"] for epoch in epochs)
    print(f"{'part':<14} {'s / epoch':>10} {'share':>7}")
    for part in PARTS:
        seconds = statistics.median(epoch.get(part, 0.0) for epoch in epochs)
        print(f"{part:<14} {seconds:10.3f} {seconds / total:7.1%}")
    print(f"{'total':<14} {total:10.3f}")
    print(f"{'second thread':<14} {statistics.median(epoch['second thread'] for epoch in epochs):10.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
