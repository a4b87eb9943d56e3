"""Progress display: a bar on a terminal, otherwise one line per epoch."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping
from typing import Any

from tqdm import tqdm


class Display:
    """A bar over all images of all epochs, with loss, validation accuracy and speed.

    If standard error is not a terminal, one line per epoch is printed instead; ``quiet`` disables both.
    """

    def __init__(self, epochs: int, images: int, done: int, quiet: bool) -> None:
        self._epochs = epochs
        self._lines = not quiet and not sys.stderr.isatty()
        self._val = math.nan
        self._loss = math.nan
        self._shown = 0.0
        self._bar = tqdm(
            total=epochs * images, initial=done, unit=" images", unit_scale=True, smoothing=0.1, file=sys.stderr,
            disable=quiet or self._lines, dynamic_ncols=True,
        )  # fmt: skip

    def __enter__(self) -> Display:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def batch(self, epoch: int, images: int, loss: float) -> None:
        """Update the bar after an update of the weights."""
        if self._bar.disable:
            return
        self._loss = loss if math.isnan(self._loss) else 0.98 * self._loss + 0.02 * loss
        now = time.monotonic()
        if now - self._shown > 0.1:
            self._shown = now
            self._describe(epoch)
        self._bar.update(images)

    def epoch(self, row: Mapping[str, Any]) -> None:
        """Show the results of an epoch."""
        self._val = row["val_accuracy"]
        if not self._bar.disable:
            self._describe(row["epoch"])
        if self._lines:
            val = "" if math.isnan(self._val) else f"  val loss {row['val_loss']:.4f}  val accuracy {self._val:7.2%}"
            sys.stderr.write(
                f"epoch {row['epoch']:3d}/{self._epochs}  loss {row['train_loss']:.4f}{val}  {row['seconds']:6.1f} s\n"
            )
            sys.stderr.flush()

    def _describe(self, epoch: int) -> None:
        self._bar.set_description(f"epoch {epoch}/{self._epochs}", refresh=False)
        val = "" if math.isnan(self._val) else f", val {self._val:.2%}"
        self._bar.set_postfix_str(f"loss {self._loss:.4f}{val}", refresh=False)


class Tally:
    """A bar over the runs of a sweep, with the time left and the best so far; without a terminal a line per run."""

    def __init__(self, runs: int, done: int, quiet: bool) -> None:
        self._lines = not quiet and not sys.stderr.isatty()
        self._runs, self._before, self._ended = runs, done, 0
        self._began = time.monotonic()
        self._best = -math.inf
        self._bad: dict[str, int] = {}
        self._bar = tqdm(
            total=runs, initial=done, file=sys.stderr, disable=quiet or self._lines, dynamic_ncols=True, smoothing=0,
            bar_format="{n_fmt}/{total_fmt} runs |{bar}| {elapsed} gone, {remaining} left{postfix}",
        )  # fmt: skip

    def __enter__(self) -> Tally:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def tick(self) -> None:
        """Refresh the bar; called regularly while no run ends."""
        self._bar.refresh()

    def ended(self, name: str, result: Mapping[str, Any]) -> None:
        """Show the result of a run."""
        reached, status = result.get("test_accuracy"), str(result["status"])
        self._ended += 1
        self._best = max(self._best, -math.inf if reached is None else reached)
        if status != "finished":
            self._bad[status] = self._bad.get(status, 0) + 1
        if self._lines:
            done = self._before + self._ended
            left = (time.monotonic() - self._began) / self._ended * (self._runs - done)
            ending = (
                f"{status}: {result['error']}" if "error" in result else status if reached is None else f"{reached:.2%}"
            )
            sys.stderr.write(f"{done}/{self._runs} {name}: {ending}, {tqdm.format_interval(left)} left\n")
            sys.stderr.flush()
        best = [] if self._best == -math.inf else [f"best {self._best:.2%}"]
        counts = [f"{count} {status}" for status, count in self._bad.items()]
        self._bar.set_postfix_str(", ".join(best + counts), refresh=False)
        self._bar.update()
