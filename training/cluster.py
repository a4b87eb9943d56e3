"""The workers of a Dask cluster, each of which passes its runs to processes as `training.workers` does."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

from tensorgrad.errors import ConfigError
from training.worker_process import Result
from training.workers import ROOT, Job, Task

# Seconds:
TIMEOUT = 5.0  # for a scheduler to answer
WORKER_TIMEOUT = 10.0  # for a scheduler to have its first worker
CLUSTER_TIMEOUT = 120.0  # for a cluster on this machine to start its workers


@contextlib.contextmanager
def connect(address: str, count: int) -> Iterator[tuple[Executor, Task]]:
    """The executor of the cluster whose scheduler is at ``address``, and the function that it calls for each run.

    With ``"local"``, a cluster of ``count`` workers is started on this machine. Dask runs in a separate thread with an
    event loop of its own (see `_connection`).

    Raises
    ------
    ConfigError
        If Dask is not installed, no scheduler answers, or it has no workers.
    """
    try:
        import distributed  # noqa: F401
    except ImportError:
        raise ConfigError('--cluster needs Dask: python -m pip install -e ".[dask]"') from None
    for logger in ("distributed", "distributed.client"):  # Dask's configuration sets the level of both
        logging.getLogger(logger).setLevel(logging.CRITICAL)  # errors are reported by this program, once
    ready: Future[Any] = Future()
    done = threading.Event()

    def work() -> None:
        try:
            asyncio.run(_connection(address, count, ready, done))
        except BaseException as error:
            if not ready.done():  # later, nobody waits for it
                ready.set_exception(error)

    thread = threading.Thread(target=work, daemon=True, name="dask")
    thread.start()
    try:
        try:
            # Each step has its own timeout; this one is for the case that Dask blocks the event loop.
            client = ready.result(timeout=CLUSTER_TIMEOUT + WORKER_TIMEOUT + 10 * TIMEOUT)
        except TimeoutError:
            raise ConfigError(f"--cluster {address}: no Dask scheduler answers at this address") from None
        yield client.get_executor(pure=False), _task(ROOT, str(Path.cwd()))
    finally:
        done.set()
        thread.join(timeout=6 * TIMEOUT)  # longer than two calls of `_close` take


async def _connection(address: str, count: int, ready: Future[Any], done: threading.Event) -> None:
    """Connect, make the Client the result of ``ready``, and close everything at the event ``done`` or on failure.

    The Client is asynchronous, and is created only after a scheduler has answered. A synchronous Client that fails to
    start is left to the garbage collector, and its finalizer then waits for a lock that the start of the next Client
    may hold: a deadlock. An asynchronous one exists before it connects, so that it can be closed, with a timeout.
    """
    from distributed import Client, LocalCluster

    try:
        async with contextlib.AsyncExitStack() as stack:
            where = address
            if address == "local":
                made: Any = LocalCluster(n_workers=count, threads_per_worker=1, processes=True, dashboard_address=None,
                                         scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},  # a free port
                                         silence_logs=logging.CRITICAL, asynchronous=True)  # fmt: skip
                stack.push_async_callback(_close, made)
                async with asyncio.timeout(CLUSTER_TIMEOUT):
                    await made
                where = made.scheduler_address
            async with asyncio.timeout(WORKER_TIMEOUT + 3 * TIMEOUT):
                has_workers = await _answers_with_workers(where)
            if not has_workers:
                start = f"dask worker {address}"
                raise ConfigError(f"--cluster {address}: the scheduler has no workers; start one with: {start}")
            client: Any = Client(where, timeout=TIMEOUT, asynchronous=True, set_as_default=False)
            stack.push_async_callback(_close, client)
            async with asyncio.timeout(2 * TIMEOUT):
                await client
            ready.set_result(client)
            while not done.is_set():
                await asyncio.sleep(0.05)
    except ConfigError:
        raise
    except Exception as error:  # of any kind: a server that is not a scheduler may answer anything
        why = " ".join(str(error).split()) or f"no answer within {TIMEOUT:g} s"
        raise ConfigError(f"--cluster {address}: no Dask scheduler answers at this address ({why})") from None


async def _answers_with_workers(address: str) -> bool:
    """Whether the scheduler at an address has workers within `WORKER_TIMEOUT`.

    Raises
    ------
    OSError, TimeoutError, ValueError
        If no scheduler answers. Other servers can cause other errors.
    """
    from distributed.core import rpc
    from distributed.security import Security

    known = Security().get_connection_args("client")  # TLS certificates from Dask's configuration
    end = time.monotonic() + WORKER_TIMEOUT
    async with rpc(address, timeout=TIMEOUT, connection_args=known) as scheduler:
        while True:
            async with asyncio.timeout(TIMEOUT):  # Dask has no timeout for the first message
                about = await scheduler.identity()
            if "workers" not in about:
                raise ValueError(f"a {about['type']} does")
            if about["workers"] or time.monotonic() > end:
                return bool(about["workers"])
            await asyncio.sleep(0.1)


async def _close(client_or_cluster: Any) -> None:
    """Close a Client or a cluster, with a timeout; errors are ignored."""
    with contextlib.suppress(Exception):
        async with asyncio.timeout(2 * TIMEOUT):
            await client_or_cluster.close()


def _task(root: str, folder: str) -> Task:
    """The function that a worker of a cluster calls; it imports this program from the folder ``root``."""

    def run(job: Job) -> Result:
        import socket
        import sys

        if root not in sys.path:
            sys.path.insert(0, root)
        try:
            from training.workers import Pool
        except ImportError as error:
            problem = f"the Dask worker on {socket.gethostname()} cannot import the program from {root} ({error})"
            return {"status": "failed", "error": f"{problem}: it needs that folder, and Python with the same packages"}
        with Pool(folder) as pool:
            return pool.run(job)

    return run
