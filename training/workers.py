"""The processes that train the runs of a sweep.

A `concurrent.futures` executor passes the runs to threads, on this machine (`local`) or on the workers of a Dask
cluster (`training.cluster`). Each thread passes its run to a process of its own, which uses one BLAS thread and ignores
Ctrl-C. If that process dies, no other run is affected, and its run continues in another process from the last
checkpoint::

    sweep.py -- executor --> thread -- run, a line of JSON --> process (`worker_process.serve`)
                                    <-- result, a line of JSON --
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from training.worker_process import INTERRUPTED, Result

Job = dict[str, Any]  # settings, folder, stop
Task = Callable[[Job], Result]

ATTEMPTS = 3  # processes that may die during one run
TIMEOUT = 5.0  # seconds for a process to end
PERIOD = 1.0  # seconds between two checks whether a process is still alive
ROOT = str(Path(__file__).resolve().parents[1])
THREAD_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


class Worker:
    """A process that trains one run after another, with ``folder`` as its working directory."""

    def __init__(self, folder: str) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        code = "import sys; sys.path.insert(0, sys.argv[1]); from training.worker_process import serve; serve()"
        self._process = subprocess.Popen(
            [sys.executable, "-c", code, ROOT], cwd=folder, text=True,
            env=os.environ | dict.fromkeys(THREAD_VARIABLES, "1"), start_new_session=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors,
        )  # fmt: skip
        self._results: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        """Put the lines of the process into a queue, in a separate thread: reading a pipe has no timeout."""
        assert self._process.stdout is not None
        try:
            with self._process.stdout as lines:
                for line in lines:
                    self._results.put(line)
        except (OSError, ValueError):  # the process is gone, or wrote something that is not text
            pass
        finally:
            self._results.put("")

    def run(self, job: Job) -> Result | None:
        """Train a run; return its result, or None if the process died."""
        assert self._process.stdin is not None
        try:
            # The process reads in a separate thread even while it trains, so the pipe is never full.
            self._process.stdin.write(json.dumps(job) + "\n")
            self._process.stdin.flush()
            return dict(json.loads(self._next_line()))
        except (OSError, ValueError):  # the process is gone, perhaps in the middle of its line
            return None

    def _next_line(self) -> str:
        """The next line; an empty one if the process is gone, even if a child of it keeps the pipe open."""
        alive = True
        while alive:  # a run may take hours
            alive = self._process.poll() is None  # before the queue is read, so that the last line is not missed
            with contextlib.suppress(queue.Empty):
                return self._results.get(timeout=PERIOD)
        return ""

    def kill(self) -> None:
        """Kill the process."""
        self._process.kill()

    def close(self) -> str:
        """Ask the process to end, kill it if it does not; return how it ended."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        code = None
        for _ in range(2):
            try:
                code = self._process.wait(timeout=TIMEOUT)
                break
            except subprocess.TimeoutExpired:
                self.kill()
        with self._errors:
            self._errors.seek(0)
            lines = self._errors.read().decode(errors="replace").strip().splitlines()
        if code is None:
            return "it does not end, even when killed"
        if code < 0:
            return f"killed by {signal.Signals(-code).name}"
        return f"exit code {code}, {lines[-1] if lines else 'no message'}"


class Pool:
    """Processes that train, one for each thread that calls `run`; one that dies is replaced."""

    def __init__(self, folder: str | None = None) -> None:
        self._folder = folder or str(Path.cwd())
        self._lock = threading.Lock()  # held for a moment only, at most while a process starts
        self._workers: list[Worker] = []
        self._idle: list[Worker] = []
        self._closed = False

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._lock:
            self._closed = True
            workers, idle = list(self._workers), list(self._idle)
        for worker in workers if kind else []:
            worker.kill()  # `Worker.run` then returns None in its thread
        for worker in idle:
            worker.close()

    def run(self, job: Job) -> Result:
        """Train a run in one of the processes, and if that dies, in another one; return the result."""
        stop, reason = Path(job["stop"]), ""
        for _ in range(ATTEMPTS):
            try:
                worker = None if stop.exists() else self._take()
            except OSError as error:
                return {"status": "failed", "error": f"its process cannot be started: {error}"}
            if worker is None:
                return INTERRUPTED
            result = worker.run(job)
            if result is None:
                with self._lock:
                    self._workers.remove(worker)
                worker.kill()
                reason = worker.close()
                continue
            self._give_back(worker)
            if result != INTERRUPTED or stop.exists():
                return result
            reason = "stopped from outside"
        return {"status": "failed", "error": f"its process died {ATTEMPTS} times ({reason})"}

    def _take(self) -> Worker | None:
        """An idle process, or a new one; None if the pool is closed, so that no process is left running."""
        with self._lock:
            if self._closed:
                return None
            if self._idle:
                return self._idle.pop()
            worker = Worker(self._folder)
            self._workers.append(worker)
            return worker

    def _give_back(self, worker: Worker) -> None:
        with self._lock:
            self._idle.append(worker)
            closed = self._closed
        if closed:
            worker.close()


def cores() -> int:
    """The number of cores that this program may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def local(count: int) -> Iterator[tuple[Executor, Task]]:
    """An executor, and the function that it calls for each run, which uses ``count`` processes on this machine."""
    # The pool is closed first. If an error or Ctrl-C ends the sweep, that kills the processes, so that the executor
    # waits only for threads without a run, and no thread starts another one.
    with ThreadPoolExecutor(count) as executor, Pool() as pool:
        yield executor, pool.run


def run_all(jobs: Mapping[str, Job], executor: Executor, task: Task, stopped: Callable[[], bool],
            ) -> Iterator[tuple[str, Result] | None]:  # fmt: skip
    """Run all jobs, and yield the name and the result of each when it ends; None every 0.3 s in which none ends.

    Once ``stopped()`` is true, the jobs that are running are asked to save their state, and no other is started. The
    result of both kinds is `INTERRUPTED`.
    """
    left = iter(jobs.items())
    return run_next(lambda: next(left, None), len(jobs), executor, task, stopped)


def run_next(following: Callable[[], tuple[str, Job] | None], count: int, executor: Executor, task: Task,
             stopped: Callable[[], bool]) -> Iterator[tuple[str, Result] | None]:  # fmt: skip
    """As `run_all`, but the jobs, with their names, are those that ``following()`` returns, ``count`` at a time.

    It is called whenever another job can begin, until it returns None.
    """
    running: dict[Future[Result], tuple[str, Job]] = {}
    asked = exhausted = False
    while True:  # a run may take hours; a second Ctrl-C ends the wait
        if stopped() and not asked:
            asked = True
            for stop in {job["stop"] for _, job in running.values()}:
                Path(stop).touch()
        while len(running) < count and not asked and not exhausted:
            if (named := following()) is None:
                exhausted = True
            else:
                running[executor.submit(task, named[1])] = named
        if not running:
            return
        done, _ = wait(running, timeout=0.3, return_when=FIRST_COMPLETED)
        if not done:
            yield None
        for future in done:
            name, _ = running.pop(future)
            yield name, _outcome(future)


def _outcome(future: Future[Result]) -> Result:
    if future.cancelled():  # by Dask, when its scheduler is gone
        return {"status": "failed", "error": "the cluster was shut down before the run ended"}
    error = future.exception()
    if error is not None:
        return {"status": "failed", "error": f"{type(error).__name__}: {' '.join(str(error).split())}"}
    return future.result()
