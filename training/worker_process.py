"""A process of a sweep that trains: it receives runs, one after another, and answers with their results.

A run that has ended is not run again, but its pictures are drawn if they are missing. The folder of a run is locked
while a process works in it. All processes, on all machines, save the state of their runs and stop once a file named
``stop`` exists in the sweep's folder; so does a process whose parent, which waits for the results, has ended.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tensorgrad.errors import TensorgradError
from training.folders import locked, remove_temporary_files
from training.run import read_result
from training.run_pictures import lacks_pictures

Result = dict[str, Any]

INTERRUPTED: Result = {"status": "interrupted"}


def run_one(settings: Mapping[str, Any], folder: str, stop: str) -> Result:
    """Start the run in ``folder``, or continue it to its end; return the content of its result.json.

    `INTERRUPTED` is returned if the file ``stop`` appears; errors are returned as
    ``{"status": "failed", "error": ...}``.
    """
    import numpy as np

    import train

    path, output = Path(folder), io.StringIO()
    try:
        path.mkdir(parents=True, exist_ok=True)
        with (
            contextlib.redirect_stdout(output), contextlib.redirect_stderr(output), np.errstate(all="ignore"),
            _stoppable(Path(stop)), locked(path),  # waits, perhaps for hours, for a process that trains this run
        ):  # fmt: skip
            remove_temporary_files(path)
            if lacks_pictures(path):
                with contextlib.suppress(TensorgradError, OSError):  # the result is known
                    train.start({"resume": folder, "quiet": True, "data": settings.get("data")})
            elif read_result(path) is None:
                if (path / "last.npz").is_file():
                    train.start({"resume": folder, "quiet": True, "data": settings.get("data")})
                else:
                    train.start({**settings, "out": folder, "quiet": True})
            return read_result(path) or INTERRUPTED
    except KeyboardInterrupt:
        return INTERRUPTED
    except TensorgradError as error:
        return {"status": "failed", "error": str(error)}
    except Exception as error:  # no failure of a run may end the other runs
        return {"status": "failed", "error": f"{type(error).__name__}: {error}"}


_orphaned = threading.Event()  # set when the parent of this process has ended


@contextlib.contextmanager
def _stoppable(stop: Path) -> Iterator[None]:
    """Within the block, raise KeyboardInterrupt, as Ctrl-C does, once the file ``stop`` exists."""
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.2):
            if stop.exists() or _orphaned.is_set():
                os.kill(os.getpid(), signal.SIGINT)
                return

    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join(timeout=5)  # it wakes up every 0.2 s
        signal.signal(signal.SIGINT, previous)


def serve() -> None:
    """The main function of the process: for each line of standard input, a run as JSON, write a line with its result.

    Ctrl-C is ignored: the parent decides what it means.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    results = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print must not be mistaken for a result
    jobs: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def listen() -> None:
        try:
            for line in sys.stdin:
                jobs.put(line)
        finally:
            _orphaned.set()
            jobs.put(None)

    threading.Thread(target=listen, daemon=True).start()
    with contextlib.suppress(BrokenPipeError):
        # An idle process waits without a time limit: when its parent ends, standard input ends, and so does this loop.
        while (line := jobs.get()) is not None:
            results.write(json.dumps(run_one(**json.loads(line))) + "\n")
            results.flush()
    os._exit(0)
