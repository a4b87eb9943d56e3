"""Where the runs of a sweep happen: in processes of this machine, or of the machines of a Dask cluster.

A `concurrent.futures` executor hands the runs to threads, here or on the workers of the cluster. A thread trains
nothing: it passes the run to a process at its side, with a BLAS of one thread and out of the reach of Ctrl-C.
If that process dies, its run alone is touched, and goes on in another one from its last checkpoint::

    sweep.py -- executor --> thread -- a run, a line of JSON --> process (`serve`)
                                    <-- its result, a line --
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from tensorgrad.errors import ConfigError
from training.serve import INTERRUPTED, Result

Job = dict[str, Any]  # settings, folder, stop
Task = Callable[[Job], Result]

ATTEMPTS = 3  # of a run whose process died under it
PATIENCE = 5.0  # seconds that a scheduler has to answer
ROOT = str(Path(__file__).resolve().parents[1])
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


class Worker:
    """A process that trains, one run after another."""

    def __init__(self, folder: str) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        code = "import sys; sys.path.insert(0, sys.argv[1]); from training.serve import serve; serve()"
        self._process = subprocess.Popen(
            [sys.executable, "-c", code, ROOT], cwd=folder, env=os.environ | dict.fromkeys(THREADS, "1"), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, start_new_session=True,
        )  # fmt: skip

    def run(self, job: Job) -> Result | None:
        """The result of a run; None if the process died under it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(job) + "\n")
            self._process.stdin.flush()
            return dict(json.loads(self._process.stdout.readline()))
        except (OSError, ValueError):  # it is gone, perhaps amid its answer
            return None

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()

    def close(self) -> str:
        """Let the process go, and wait for its end; returns how it ended."""
        with contextlib.suppress(OSError):
            self._process.communicate()
        code = self._process.returncode
        with self._errors:
            self._errors.seek(0)
            words = self._errors.read().decode(errors="replace").strip().splitlines()
        return (
            f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}, {words[-1] if words else ''}"
        )


class Pool:
    """Processes that train, one for each thread that asks; one that died is replaced."""

    def __init__(self, folder: str | None = None) -> None:
        self._folder = folder or str(Path.cwd())
        self._workers: list[Worker] = []
        self._idle: list[Worker] = []
        self._closed = False

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._closed = True
        for worker in list(self._workers) if kind else []:
            worker.kill()  # which its thread hears of
        for worker in self._idle:
            worker.close()

    def run(self, job: Job) -> Result:
        """A run in one of the processes; in another one, if that is gone before the run's end."""
        stop, ending = Path(job["stop"]), ""
        for _ in range(ATTEMPTS):
            if stop.exists() or self._closed:
                return INTERRUPTED
            try:
                worker = self._idle.pop() if self._idle else self._hire()
            except OSError as error:
                return {"status": "failed", "error": f"its process does not start: {error}"}
            result = worker.run(job)
            if result is None:
                self._workers.remove(worker)
                worker.kill()
                ending = worker.close()
                continue
            self._idle.append(worker)
            if result != INTERRUPTED or stop.exists():
                return result
            ending = "asked to end by someone else"
        return {"status": "failed", "error": f"its process died {ATTEMPTS} times ({ending})"}

    def _hire(self) -> Worker:
        worker = Worker(self._folder)
        self._workers.append(worker)
        return worker


def cores() -> int:
    """How many cores this program may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def local(count: int) -> Iterator[tuple[Executor, Task]]:
    """An executor, and what it is to do with a run: so many processes on this machine."""
    with ThreadPoolExecutor(count) as executor, Pool() as pool:
        yield executor, pool.run


@contextlib.contextmanager
def cluster(address: str, count: int) -> Iterator[tuple[Executor, Task]]:
    """The same on a Dask cluster: ``tcp://host:8786``, or ``local`` for one on this machine, of ``count`` workers.

    Raises
    ------
    ConfigError
        If Dask is not installed, no scheduler answers, or it has no workers.
    """
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise ConfigError('--cluster needs Dask: python -m pip install -e ".[dask]"') from None
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what goes wrong is said here, once
    with contextlib.ExitStack() as stack:
        try:
            if address == "local":
                made: Any = LocalCluster(n_workers=count, threads_per_worker=1, processes=True, dashboard_address=None,
                                         silence_logs=logging.CRITICAL)  # fmt: skip
                stack.enter_context(made)
            client = stack.enter_context(Client(made if address == "local" else address, timeout=PATIENCE))
        except (OSError, ValueError, TimeoutError, ImportError) as error:
            why = " ".join(str(error).split())
            raise ConfigError(f"--cluster {address}: no Dask scheduler answers there ({why})") from None
        try:
            client.wait_for_workers(1, timeout=2 * PATIENCE)
        except TimeoutError:
            start = f"dask worker {address}"
            raise ConfigError(f"--cluster {address}: its scheduler has no workers, start one with: {start}") from None
        yield client.get_executor(pure=False), _task(ROOT, str(Path.cwd()))


def _task(root: str, folder: str) -> Task:
    """What a worker of a cluster does. It need not know this program: it finds it where this machine has it."""

    def run(job: Job) -> Result:
        import socket
        import sys

        if root not in sys.path:
            sys.path.insert(0, root)
        try:
            from training.workers import Pool
        except ImportError as error:
            here = f"the Dask worker on {socket.gethostname()} cannot import the program from {root} ({error})"
            return {"status": "failed", "error": f"{here}: it needs that folder, and Python with the same packages"}
        with Pool(folder) as pool:
            return pool.run(job)

    return run


def run_all(jobs: Mapping[str, Job], executor: Executor, task: Task, stopped: Callable[[], bool],
            ) -> Iterator[tuple[str, Result] | None]:  # fmt: skip
    """Run all jobs by name and yield each with its result as it ends; now and then None, while nothing does.

    Once ``stopped()``, those under way are asked to save their state, the others not begun; both come as interrupted.
    """
    names: dict[Future[Result], str] = {executor.submit(task, job): name for name, job in jobs.items()}
    waiting = set(names)
    told = False
    while waiting:
        if stopped() and not told:
            told = True
            for stop in {job["stop"] for job in jobs.values()}:
                Path(stop).touch()
        done, waiting = wait(waiting, timeout=0.3, return_when=FIRST_COMPLETED)
        if not done:
            yield None
        for future in done:
            yield names[future], _outcome(future)


def _outcome(future: Future[Result]) -> Result:
    if future.cancelled():  # by Dask, when its scheduler is gone
        return {"status": "failed", "error": "the cluster went away before its end"}
    error = future.exception()
    if error is not None:
        return {"status": "failed", "error": f"{type(error).__name__}: {' '.join(str(error).split())}"}
    return future.result()
