"""Progress of a run and of a sweep: lines of text, and a bar on a terminal."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Mapping
from typing import Any


class Display:
    """The progress of a run on standard error: a line for each epoch, and below them, on a terminal, a bar.

    The bar covers the images of all epochs. It shows the mean loss of the current epoch so far, which becomes the
    training loss in metrics.csv, the best epoch, and the remaining time. Nothing is shown if ``quiet``. ``images`` is
    the number of images in an epoch, ``done`` the number of images of all epochs that an earlier session processed,
    ``patience`` that of the run.
    """

    def __init__(self, epochs: int, images: int, done: int, quiet: bool, patience: int = 0) -> None:
        self._epochs, self._patience, self._quiet = epochs, patience, quiet
        self._best, self._best_epoch, self._left = "", 0, ""
        self._shown = 0.0
        self._bar = None if quiet else _bar(
            total=epochs * images, initial=done, unit=" images", unit_scale=True, smoothing=0.1
        )  # fmt: skip

    def __enter__(self) -> Display:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def batch(self, epoch: int, images: int, loss: float) -> None:
        """Show that ``images`` more images of an epoch were processed, and its mean loss so far."""
        if self._bar is None:
            return
        now = time.monotonic()
        if now - self._shown > 0.1:
            self._shown = now
            self._describe(self._bar, epoch, loss)
        self._bar.update(images)

    def best(self, epoch: int, accuracy: float, waited: int) -> None:
        """Show the accuracy on the validation images of the best epoch, ``waited`` epochs ago; 0: there is none."""
        self._best_epoch = 0 if math.isnan(accuracy) else epoch
        self._best = f", best val {accuracy:.2%} (epoch {epoch})" if self._best_epoch else ""
        self._left = f"patience {waited}/{self._patience}" if self._patience else ""

    def epoch(self, row: Mapping[str, Any]) -> None:
        """Show the results of an epoch, a row of metrics.csv, after `best`."""
        if self._quiet:
            return
        validated = not math.isnan(row["val_accuracy"])
        parts = [f"epoch {row['epoch']:3d}/{self._epochs}", f"loss {row['train_loss']:.4f}"]
        parts += [f"val loss {row['val_loss']:.4f}", f"val accuracy {row['val_accuracy']:7.2%}"] if validated else []
        parts += [f"{row['seconds']:6.1f} s", self._left, "best" if row["epoch"] == self._best_epoch else ""]
        line = "  ".join(filter(None, parts))
        if self._bar is not None:
            self._describe(self._bar, row["epoch"], row["train_loss"])
            self._bar.write(line, file=sys.stderr)  # above the bar
        else:
            _write(line)

    def _describe(self, bar: Any, epoch: int, loss: float) -> None:
        bar.set_description(f"epoch {epoch}/{self._epochs}", refresh=False)
        bar.set_postfix_str(f"loss {loss:.4f}{self._best}{self._left and ', '}{self._left}", refresh=False)


class SweepDisplay:
    """The progress of a sweep on standard error.

    On a terminal, a bar over its runs with the remaining time and the best validation accuracy; otherwise a line for
    each run, with its accuracy on the images of ``shows``; nothing if ``quiet``. ``done`` is the number of runs that
    ended earlier.
    """

    def __init__(self, runs: int, done: int, quiet: bool, shows: str = "test") -> None:
        self._shows, self._quiet = shows, quiet
        self._runs, self._before, self._ended = runs, done, 0
        self._start = time.monotonic()
        self._best = -math.inf
        self._unfinished: dict[str, int] = {}  # the number of diverged and of failed runs
        self._bar = None if quiet else _bar(
            total=runs, initial=done, smoothing=0,
            bar_format="{n_fmt}/{total_fmt} runs |{bar}| {elapsed} elapsed, {remaining} left{postfix}",
        )  # fmt: skip

    def __enter__(self) -> SweepDisplay:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def refresh(self) -> None:
        """Show the time that has passed; called regularly while no run ends."""
        if self._bar is not None:
            self._bar.refresh()

    def run_ended(self, name: str, result: Mapping[str, Any]) -> None:
        """Show the result of a run."""
        shown = "test_accuracy" if self._shows == "test" else "val_accuracy"
        status, accuracy, val_accuracy = (result.get(key) for key in ("status", shown, "val_accuracy"))
        self._ended += 1
        self._best = max(self._best, -math.inf if val_accuracy is None else val_accuracy)
        if status != "finished":
            self._unfinished[str(status)] = self._unfinished.get(str(status), 0) + 1
        if self._bar is not None:
            best = [] if self._best == -math.inf else [f"best val {self._best:.2%}"]
            counts = [f"{count} {status}" for status, count in self._unfinished.items()]
            self._bar.set_postfix_str(", ".join(best + counts), refresh=False)
            self._bar.update()
        elif not self._quiet:
            done = self._before + self._ended
            left = (time.monotonic() - self._start) / self._ended * (self._runs - done)
            error = f": {result['error']}" if "error" in result else ""
            outcome = f"{self._shows} accuracy {accuracy:.2%}" if status == "finished" else f"{status}{error}"
            _write(f"{done}/{self._runs} {name}: {outcome}, {_interval(left)} left")


def _bar(**settings: Any) -> Any:
    """A bar on standard error; None if that is no terminal, where it is not needed and its import takes 20 ms."""
    if not sys.stderr.isatty():
        return None
    from tqdm import tqdm

    return tqdm(file=sys.stderr, dynamic_ncols=True, **settings)


def _write(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _interval(seconds: float) -> str:
    """A time as 04:05, or 1:04:05."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"
