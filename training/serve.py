"""What a process of a sweep does: it makes runs, one after another, for whoever started it.

What was finished is never run again, and nobody else is let into a run's folder while a process is at work in it. A
file named ``stop`` asks all of them, wherever they are, to save the state of their runs; so does the death of whoever
waits for the results.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import queue
import shutil
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tensorgrad.errors import ConfigError, TensorgradError

try:
    import fcntl
except ImportError:  # no such locks on Windows
    fcntl = None  # type: ignore[assignment]

Result = dict[str, Any]

INTERRUPTED: Result = {"status": "interrupted"}


def run_one(settings: Mapping[str, Any], folder: str, stop: str) -> Result:
    """Finish what is in the folder, or begin it; returns what is in its result.json.

    Whatever goes wrong in the run is returned as ``{"status": "failed", "error": ...}``.
    """
    import numpy as np

    import train

    place, said = Path(folder), io.StringIO()
    try:
        with (
            contextlib.redirect_stdout(said), contextlib.redirect_stderr(said), np.errstate(all="ignore"),
            _stoppable(Path(stop)), alone(place),
        ):  # fmt: skip
            if ended(place) is None:
                if (place / "last.npz").is_file():
                    train.start({"resume": folder, "quiet": True, "data": settings.get("data")})
                else:
                    _empty(place)  # of a run that was stopped before its first checkpoint
                    train.start({**settings, "out": folder, "quiet": True})
            return ended(place) or INTERRUPTED
    except KeyboardInterrupt:
        return INTERRUPTED
    except TensorgradError as error:
        return {"status": "failed", "error": str(error)}
    except Exception as error:  # a run that fails in whatever way must not take the others with it
        return {"status": "failed", "error": f"{type(error).__name__}: {error}"}


def ended(folder: Path) -> Result | None:
    """What a run came to; None if it has not come to its end."""
    path = folder / "result.json"
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
        return dict(result, status=str(result["status"]))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError):
        raise ConfigError(f"{path} is damaged: delete it to go on from the run's last checkpoint") from None


@contextlib.contextmanager
def alone(folder: Path, otherwise: str | None = None) -> Iterator[None]:
    """Hold a folder. Who comes second waits, or, with a message for ``otherwise``, is refused."""
    folder.mkdir(parents=True, exist_ok=True)
    if fcntl is None:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # of a file system without locks
            # Who holds it may train for hours. It is free once that process ends, however it ends; and the file
            # ``stop``, or Ctrl-C, interrupts the wait for it.
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | (fcntl.LOCK_NB if otherwise else 0))
            except BlockingIOError:
                raise ConfigError(f"{folder}: {otherwise}") from None
        yield
    finally:
        os.close(handle)


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


_left = threading.Event()  # in a process that trains: whoever waited for the result is gone


@contextlib.contextmanager
def _stoppable(stop: Path) -> Iterator[None]:
    """Interrupt what is done within once the file ``stop`` is there, just as Ctrl-C would."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.2):
            if stop.exists() or _left.is_set():
                os.kill(os.getpid(), signal.SIGINT)
                return

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join(timeout=5)  # it wakes every 0.2 s
        signal.signal(signal.SIGINT, before)


def serve() -> None:
    """What a process that trains does: of each line that comes in make a run, and answer with its result."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints is no answer
    jobs: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def listen() -> None:
        try:
            for line in sys.stdin:
                jobs.put(line)
        finally:
            _left.set()
            jobs.put(None)

    threading.Thread(target=listen, daemon=True).start()
    with contextlib.suppress(BrokenPipeError):
        # Idle, it waits for as long as whoever started it lives: then its input ends, and with it this loop.
        while (line := jobs.get()) is not None:
            answers.write(json.dumps(run_one(**json.loads(line))) + "\n")
            answers.flush()
    os._exit(0)
