"""The metrics of a run as events for TensorBoard, in the folder ``tensorboard`` of the run: ``--log tensorboard``.

When a run is continued, its events are written anew from its last checkpoint, so that every epoch is in the log once,
whatever moment the run was stopped at.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tensorgrad.errors import ConfigError

NONE, TENSORBOARD = "none", "tensorboard"
FOLDER = "tensorboard"
TAGS = {  # by the column of metrics.csv
    "train_loss": "loss/training", "val_loss": "loss/validation",
    "train_accuracy": "accuracy/training", "val_accuracy": "accuracy/validation", "test_accuracy": "accuracy/test",
    "raw_val_accuracy": "accuracy/validation without averaging", "lr": "learning rate", "seconds": "seconds",
}  # fmt: skip

Row = Mapping[str, Any]  # of metrics.csv


def check_installed(o: SimpleNamespace) -> None:
    """Raise `ConfigError` if a run is to be logged, and the package for that is missing."""
    if o.log == TENSORBOARD:
        _package()


@contextlib.contextmanager
def event_log(folder: Path, o: SimpleNamespace, history: Sequence[Row]) -> Iterator[Callable[[Row], None]]:
    """Log the epochs in ``history``, and yield a function that logs another one; it does nothing without ``--log``."""
    if o.log != TENSORBOARD:
        yield lambda _row: None
        return
    writer_module, event_pb2, summary_pb2 = _package()
    inner = folder / FOLDER
    inner.mkdir(exist_ok=True)
    for earlier in inner.glob("events.out.tfevents.*"):
        earlier.unlink()
    writer = writer_module.EventsWriter(str(inner / "events"))
    start = time.time() - (history[-1]["seconds"] if history else 0.0)
    session = event_pb2.SessionLog(status=event_pb2.SessionLog.START)
    writer.write_event(event_pb2.Event(session_log=session, step=1, wall_time=start))  # replaces what is displayed

    def write(row: Row) -> None:
        values = [
            summary_pb2.Summary.Value(tag=tag, simple_value=row[column])
            for column, tag in TAGS.items() if not math.isnan(row.get(column, math.nan))
        ]  # fmt: skip
        summary = summary_pb2.Summary(value=values)
        writer.write_event(event_pb2.Event(summary=summary, step=row["epoch"], wall_time=start + row["seconds"]))
        writer.flush()

    try:
        for row in history:
            write(row)
        yield write
    finally:
        writer.close()


def _package() -> tuple[Any, Any, Any]:
    """The modules of tensorboardX: of the writer, of events, and of summaries."""
    try:
        from tensorboardX import event_file_writer
        from tensorboardX.proto import event_pb2, summary_pb2
    except ImportError:
        raise ConfigError('--log tensorboard needs tensorboardX: python -m pip install -e ".[tensorboard]"') from None
    return event_file_writer, event_pb2, summary_pb2
