"""Where the runs of a sweep happen: in processes of this machine, or of the machines of a Dask cluster.

A `concurrent.futures` executor hands the runs to threads, here or on the workers of the cluster. A thread trains
nothing: it passes the run to a process at its side, with a BLAS of one thread and out of the reach of Ctrl-C.
If that process dies, its run alone is touched, and goes on in another one from its last checkpoint::

    sweep.py -- executor --> thread -- a run, a line of JSON --> process (`serve`)
                                    <-- its result, a line --
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from tensorgrad.errors import ConfigError
from training.serve import INTERRUPTED, Result

Job = dict[str, Any]  # settings, folder, stop
Task = Callable[[Job], Result]

ATTEMPTS = 3  # of a run whose process died under it
PATIENCE = 5.0  # seconds that a scheduler has to answer, and a process to end
GATHERING = 10.0  # seconds that a scheduler has to get its first worker
START = 120.0  # seconds that a cluster on this machine has to start its workers
PERIOD = 1.0  # seconds between two looks at whether a process that trains is still alive
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
        self._answers: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        """Pass on each line as it comes, in a thread of its own: a pipe cannot be read with a limit everywhere."""
        assert self._process.stdout is not None
        try:
            with self._process.stdout as lines:
                for line in lines:
                    self._answers.put(line)
        except (OSError, ValueError):  # no text: it is broken
            pass
        finally:
            self._answers.put("")

    def run(self, job: Job) -> Result | None:
        """The result of a run; None if the process died under it."""
        assert self._process.stdin is not None
        try:
            # The process reads in a thread of its own even while it trains, so a pipe is never full.
            self._process.stdin.write(json.dumps(job) + "\n")
            self._process.stdin.flush()
            return dict(json.loads(self._answer()))
        except (OSError, ValueError):  # it is gone, perhaps amid its answer
            return None

    def _answer(self) -> str:
        """The next line; an empty one from a process that is gone, even where a child of it holds the pipe open."""
        alive = True
        while alive:  # a run may well last for hours
            alive = self._process.poll() is None  # before the look at its answers: what it said last is still heard
            with contextlib.suppress(queue.Empty):
                return self._answers.get(timeout=PERIOD)
        return ""

    def kill(self) -> None:
        """Kill the process."""
        self._process.kill()

    def close(self) -> str:
        """Let the process go, and wait for its end, which is forced if it does not come; returns how it ended."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        code = None
        for _ in range(2):
            try:
                code = self._process.wait(timeout=PATIENCE)
                break
            except subprocess.TimeoutExpired:
                self.kill()
        with self._errors:
            self._errors.seek(0)
            words = self._errors.read().decode(errors="replace").strip().splitlines()
        if code is None:
            return "it does not end, even when killed"
        return (
            f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}, {words[-1] if words else ''}"
        )


class Pool:
    """Processes that train, one for each thread that asks; one that died is replaced."""

    def __init__(self, folder: str | None = None) -> None:
        self._folder = folder or str(Path.cwd())
        self._lock = threading.Lock()  # nobody waits for anything while holding it, beyond the start of a process
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
            worker.kill()  # which its thread hears of
        for worker in idle:
            worker.close()

    def run(self, job: Job) -> Result:
        """A run in one of the processes; in another one, if that is gone before the run's end."""
        stop, ending = Path(job["stop"]), ""
        for _ in range(ATTEMPTS):
            try:
                worker = None if stop.exists() else self._take()
            except OSError as error:
                return {"status": "failed", "error": f"its process does not start: {error}"}
            if worker is None:
                return INTERRUPTED
            result = worker.run(job)
            if result is None:
                with self._lock:
                    self._workers.remove(worker)
                worker.kill()
                ending = worker.close()
                continue
            self._give_back(worker)
            if result != INTERRUPTED or stop.exists():
                return result
            ending = "asked to end by someone else"
        return {"status": "failed", "error": f"its process died {ATTEMPTS} times ({ending})"}

    def _take(self) -> Worker | None:
        """A process that is idle, or a new one; None once the pool is closed, so that none is left behind."""
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
    """How many cores this program may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def local(count: int) -> Iterator[tuple[Executor, Task]]:
    """An executor, and what it is to do with a run: so many processes on this machine."""
    # The pool is left first. Where an error or Ctrl-C ends the sweep, that kills the processes; so the executor waits
    # for threads that have no run any more, nor get one.
    with ThreadPoolExecutor(count) as executor, Pool() as pool:
        yield executor, pool.run


@contextlib.contextmanager
def cluster(address: str, count: int) -> Iterator[tuple[Executor, Task]]:
    """The same on a Dask cluster: ``tcp://host:8786``, or ``local`` for one on this machine, of ``count`` workers.

    All that Dask does here happens in a thread with an event loop of its own (see `_connection`).

    Raises
    ------
    ConfigError
        If Dask is not installed, no scheduler answers, or it has no workers.
    """
    try:
        import distributed  # noqa: F401
    except ImportError:
        raise ConfigError('--cluster needs Dask: python -m pip install -e ".[dask]"') from None
    for logger in ("distributed", "distributed.client"):  # Dask's configuration gives the second a level of its own
        logging.getLogger(logger).setLevel(logging.CRITICAL)  # what goes wrong is said here, once
    ready: Future[Any] = Future()
    over = threading.Event()

    def work() -> None:
        try:
            asyncio.run(_connection(address, count, ready, over))
        except BaseException as error:
            if not ready.done():  # afterwards there is nobody to tell
                ready.set_exception(error)

    thread = threading.Thread(target=work, daemon=True, name="dask")
    thread.start()
    try:
        try:
            # Each step has a limit of its own; this one is for a Dask that keeps its own loop from running.
            client = ready.result(timeout=START + GATHERING + 10 * PATIENCE)
        except TimeoutError:
            raise ConfigError(f"--cluster {address}: no Dask scheduler answers there") from None
        yield client.get_executor(pure=False), _task(ROOT, str(Path.cwd()))
    finally:
        over.set()
        thread.join(timeout=6 * PATIENCE)  # longer than both limits of `_close` together


async def _connection(address: str, count: int, ready: Future[Any], over: threading.Event) -> None:
    """Connect, give the Client to ``ready``, and close everything again once it is ``over``, or if anything fails.

    A Client is made only where a scheduler has answered, and an asynchronous one. A synchronous one whose start fails
    is left to the garbage collector; wherever that happens to run, it waits for a lock, which the start of the next
    one may hold. An asynchronous one is at hand before it connects, so that it can be closed, with a limit.
    """
    from distributed import Client, LocalCluster

    try:
        async with contextlib.AsyncExitStack() as stack:
            where = address
            if address == "local":
                made: Any = LocalCluster(n_workers=count, threads_per_worker=1, processes=True, dashboard_address=None,
                                         scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},  # any port that is free
                                         silence_logs=logging.CRITICAL, asynchronous=True)  # fmt: skip
                stack.push_async_callback(_close, made)
                async with asyncio.timeout(START):
                    await made
                where = made.scheduler_address
            async with asyncio.timeout(GATHERING + 3 * PATIENCE):
                has_workers = await _answers_with_workers(where)
            if not has_workers:
                start = f"dask worker {address}"
                raise ConfigError(f"--cluster {address}: its scheduler has no workers, start one with: {start}")
            client: Any = Client(where, timeout=PATIENCE, asynchronous=True, set_as_default=False)
            stack.push_async_callback(_close, client)
            async with asyncio.timeout(2 * PATIENCE):
                await client
            ready.set_result(client)
            while not over.is_set():
                await asyncio.sleep(0.05)
    except ConfigError:
        raise
    except Exception as error:  # of whatever kind: a server that is no scheduler may answer anything
        why = " ".join(str(error).split()) or f"no answer within {PATIENCE:g} s"
        raise ConfigError(f"--cluster {address}: no Dask scheduler answers there ({why})") from None


async def _answers_with_workers(address: str) -> bool:
    """Whether the scheduler at an address has workers, for which it gets a moment; an error if it does not answer."""
    from distributed.core import rpc
    from distributed.security import Security

    known = Security().get_connection_args("client")  # certificates, from Dask's configuration
    end = time.monotonic() + GATHERING
    async with rpc(address, timeout=PATIENCE, connection_args=known) as scheduler:
        while True:
            async with asyncio.timeout(PATIENCE):  # Dask sets none to the greeting that follows a connection
                about = await scheduler.identity()
            if "workers" not in about:
                raise ValueError(f"but a {about['type']}")
            if about["workers"] or time.monotonic() > end:
                return bool(about["workers"])
            await asyncio.sleep(0.1)


async def _close(made: Any) -> None:
    """Close a Client or a cluster, with a time limit; errors are ignored."""
    with contextlib.suppress(Exception):
        async with asyncio.timeout(2 * PATIENCE):
            await made.close()


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
    while waiting:  # in steps of 0.3 s: a run may last for hours, and a second Ctrl-C ends it all
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
