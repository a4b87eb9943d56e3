"""Sweeps on Dask clusters, with schedulers and workers on this machine."""

import contextlib
import gc
import http.server
import importlib.util
import json
import os
import re
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import dask_programs
import pytest

from tensorgrad.errors import ConfigError
from training import cluster, workers

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("distributed") is None, reason="needs the extra `dask`"),
    # On a busy machine, Dask does not close all of its connections within the short limits of these tests.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

RUNS = ("--dataset", "digits", "--hidden", "8", "--epochs", "4", "--batch-size", "256", "--out", "s")


@pytest.fixture(autouse=True)
def no_open_sockets():
    """Let the garbage collector close the sockets of a test here, where it may warn of them."""
    yield
    gc.collect()


@pytest.fixture
def launch(patched):
    """``launch(module, arguments...)``: start a Dask program in its own process group, which is killed at the end."""
    with contextlib.ExitStack() as stack:

        def start(module, *arguments):
            program = dask_programs.started(module, arguments, patched)

            def end():
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(program.pid, signal.SIGKILL)
                program.kill()  # if it had no group yet
                program.join(timeout=60)
                assert program.exitcode is not None

            stack.callback(end)
            return program

        yield start


@pytest.fixture
def schedule(launch, until, tmp_path):
    """``schedule()``: start a scheduler without workers; return the program and its address."""

    def start():
        file = tmp_path / "scheduler.json"
        program = launch(
            "dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", file
        )

        def address():
            with contextlib.suppress(OSError, ValueError):
                return json.loads(file.read_text())["address"]

        return program, until(address)

    return start


@pytest.fixture
def scheduler(schedule):
    """The address of a scheduler without workers."""
    return schedule()[1]


@pytest.fixture
def worker(launch, scheduler, tmp_path):
    """``worker()``: start a worker with one thread in a folder from which this program cannot be imported."""
    return lambda: launch("dask_worker", scheduler, "--nthreads", "1", "--no-dashboard", "--host", "127.0.0.1",
                          "--no-nanny", "--local-directory", tmp_path)  # fmt: skip


def test_runs_of_a_worker_that_dies_continue_elsewhere(begin, hold, look, scheduler, worker, workplace, monkeypatch):
    first, _second = worker(), worker()
    monkeypatch.setattr(cluster, "WORKER_TIMEOUT", 60)
    with cluster.connect(scheduler, 2):  # on a busy machine, a worker starts slowly
        pass
    arguments = (*RUNS, "--lr", "0.01", "0.1", "--seed", "0", "1", "--cluster", scheduler)
    hold.begin("lr-0.01_seed-1", "lr-0.1_seed-0", "lr-0.1_seed-1")
    program = begin(*arguments)
    hold.until(2)
    before = look.stamps()
    os.killpg(first.pid, signal.SIGKILL)
    hold.release()
    _, err = program.communicate(timeout=200)
    assert program.returncode == 0, err
    assert sorted(look.endings().values()) == ["finished"] * 4
    lines = err.splitlines()
    assert len({line.split()[1] for line in lines}) == len(lines) == 4, err  # no run twice, and no other line
    assert {name: look.stamps()[name] for name in before} == before
    for folder in Path("s/runs").iterdir():
        epochs = [line.split(",")[0] for line in (folder / "metrics.csv").read_text().splitlines()[1:]]
        assert epochs == ["1", "2", "3", "4"]

    # Ctrl-C stops runs on the cluster, too.
    arguments = (*arguments[:-5], "--seed", "2", "3", "--cluster", scheduler)
    hold.begin("lr-0.01_seed-2", "lr-0.1_seed-2")
    program = begin(*arguments)
    hold.until(1)
    os.killpg(program.pid, signal.SIGINT)
    _, err = program.communicate(timeout=200)
    assert program.returncode == 130, err
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith("sweep.py: stopped after ")
    assert look.begun()
    assert not look.processes(workplace)


def test_local_cluster(begin, look):
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # the default port of Dask's dashboard may be in use
            stack.enter_context(socket.create_server(("127.0.0.1", 8787)))
        program = begin(*RUNS, "--lr", "0.1", "0.2", "--cluster", "local", "--workers", "1")
        _, err = program.communicate(timeout=200)
    assert program.returncode == 0, err
    assert len(err.splitlines()) == len(look.endings()) == 2, err


@pytest.fixture
def nobody():
    """An address without a server."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"tcp://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def mute():
    """The address of a server that accepts connections and sends nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"tcp://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def web():
    """The address of an HTTP server."""
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        server.RequestHandlerClass.log_message = lambda *_: None
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"tcp://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join(timeout=60)


@pytest.mark.parametrize("who", ["nobody", "mute"])
def test_no_answer(refused, monkeypatch, request, until, who):
    monkeypatch.setattr(cluster, "TIMEOUT", 0.5)
    address = request.getfixturevalue(who)
    refused(
        *RUNS, "--lr", "0.1", "1", "--cluster", address,
        says=(f"--cluster {address}: no Dask scheduler answers at this address (", "0.5 s)"),
    )  # fmt: skip
    assert not Path("s").exists()
    until(lambda: not left_over())


def test_server_that_is_not_a_scheduler(refused, monkeypatch, web, until):
    monkeypatch.setattr(cluster, "TIMEOUT", 0.5)
    for address in (web, "nonsense://"):
        refused(*RUNS, "--lr", "0.1", "1", "--cluster", address, says="no Dask scheduler answers at this address")
    until(lambda: not left_over())


def left_over():
    """Dask's open clients and threads in this process."""
    import distributed  # not above: it takes time, also where tests are only collected

    clients = [client for client in distributed.Client._instances if client.status != "closed"]
    return clients + [thread for thread in threading.enumerate() if thread.name in ("dask", "IO loop")]


def test_failed_connections_do_not_block_the_next_one(monkeypatch, schedule, launch, nobody, mute, web, until, refused):
    """Even if the garbage collector runs while Dask starts and holds a lock.

    A scheduler without workers, with one, with a client that fails to start, and one that stops responding.
    """
    import distributed

    program, scheduler = schedule()
    starts, start = [], distributed.utils.LoopRunner._start_unlocked

    def collect_during_start(runner):
        starts.append(gc.collect())
        start(runner)

    monkeypatch.setattr(distributed.utils.LoopRunner, "_start_unlocked", collect_during_start)
    monkeypatch.setattr(cluster, "TIMEOUT", 0.2)
    monkeypatch.setattr(cluster, "WORKER_TIMEOUT", 0.2)
    gc.disable()
    try:
        for address in (nobody, mute, web, "nonsense://", nobody):
            with pytest.raises(ConfigError, match=re.escape(f"--cluster {address}")), cluster.connect(address, 1):
                pass
        says = f"no workers; start one with: dask worker {scheduler}"
        refused(*RUNS, "--lr", "0.1", "1", "--cluster", scheduler, says=says)
        assert not Path("s").exists()
        monkeypatch.setattr(cluster, "TIMEOUT", 60)
        monkeypatch.setattr(cluster, "WORKER_TIMEOUT", 60)
        launch("dask_worker", scheduler, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1")
        with cluster.connect(scheduler, 1) as (executor, _):
            assert executor.submit(divmod, 17, 5).result(timeout=60) == (3, 2)
    finally:
        gc.enable()
    assert starts
    until(lambda: not left_over())

    async def fail(client, **_):
        raise OSError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(distributed.Client, "_ensure_connected", fail)
        with pytest.raises(ConfigError, match="gone"), cluster.connect(scheduler, 1):
            pass
    until(lambda: not left_over())

    with cluster.connect(scheduler, 1) as (executor, _):
        assert executor.submit(divmod, 17, 5).result(timeout=60) == (3, 2)
        os.kill(program.pid, signal.SIGSTOP)
        future = executor.submit(divmod, 18, 5)
    assert not future.done() or future.cancelled()
    until(lambda: not left_over())


def test_scheduler_that_disappears_is_reported_once(monkeypatch, launch, schedule, until, capfd):
    monkeypatch.setattr(cluster, "TIMEOUT", 2)
    monkeypatch.setattr(cluster, "WORKER_TIMEOUT", 60)
    program, address = schedule()
    launch("dask_worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1")
    with cluster.connect(address, 1) as (executor, _):
        future = executor.submit(time.sleep, 1000)
        program.kill()
        until(future.done)
        assert workers._outcome(future) == {
            "status": "failed",
            "error": "the cluster was shut down before the run ended",
        }
    assert capfd.readouterr() == ("", "")
    until(lambda: not left_over())


def test_dask_is_not_installed(refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    refused(*RUNS, "--lr", "0.1", "1", "--cluster", "local", says='python -m pip install -e ".[dask]"')
    assert not Path("s").exists()
