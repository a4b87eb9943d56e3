"""Sweeps on a Dask cluster, of real schedulers and workers on this machine."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from training import workers

pytest.importorskip("distributed")

RUNS = ("--dataset", "digits", "--hidden", "8", "--epochs", "40", "--out", "s")


@pytest.fixture
def launch(plain):
    """``launch(module, arguments...)``: a Dask program, in a process group of its own that is killed in the end."""
    with contextlib.ExitStack() as stack:

        def start(module, *arguments):
            program = subprocess.Popen(
                [sys.executable, "-m", f"distributed.cli.{module}", *map(str, arguments)], cwd="/",
                env=os.environ | {"PYTHONPATH": str(plain)},
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip

            def end():
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(program.pid, signal.SIGKILL)
                program.wait()

            stack.callback(end)
            return program

        yield start


@pytest.fixture
def scheduler(launch, until, tmp_path):
    """The address of a scheduler without workers."""
    file = tmp_path / "scheduler.json"
    launch("dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", file)

    def address():
        with contextlib.suppress(OSError, ValueError):
            return json.loads(file.read_text())["address"]

    return until(address)


@pytest.fixture
def worker(launch, scheduler, tmp_path):
    """``worker()``: start a worker of one thread, in a folder from which this program cannot be imported."""
    return lambda: launch("dask_worker", scheduler, "--nthreads", "1", "--no-dashboard", "--host", "127.0.0.1",
                          "--local-directory", tmp_path)  # fmt: skip


def test_a_worker_that_dies_midway(begin, until, look, scheduler, worker, workplace):
    first, _second = worker(), worker()
    arguments = (*RUNS, "--lr", "0.01", "0.1", "--seed", "0", "1", "--cluster", scheduler)
    program = begin(*arguments)
    until(lambda: len(look.begun()) == 2)
    before = look.stamps()
    os.killpg(first.pid, signal.SIGKILL)  # with its nanny
    _, err = program.communicate(timeout=60)
    assert program.returncode == 0, err
    assert sorted(look.endings().values()) == ["finished"] * 4
    lines = err.splitlines()
    assert len({line.split()[1] for line in lines}) == len(lines) == 4, err  # none twice, and no other word
    assert {name: look.stamps()[name] for name in before} == before
    for folder in Path("s/runs").iterdir():
        epochs = [line.split(",")[0] for line in (folder / "metrics.csv").read_text().splitlines()[1:]]
        assert epochs == [str(epoch) for epoch in range(1, 41)]

    # Ctrl-C reaches runs on the cluster too.
    arguments = (*arguments[:-5], "--seed", "2", "3", "--cluster", scheduler)
    program = begin(*arguments)
    until(look.begun)
    os.killpg(program.pid, signal.SIGINT)
    _, err = program.communicate(timeout=60)
    assert program.returncode == 130, err
    assert "Traceback" not in err
    assert err.splitlines()[-1].startswith("sweep.py: stopped with ")
    assert look.begun()
    assert not look.processes(workplace)


def test_a_cluster_of_its_own(begin, look):
    program = begin(*RUNS, "--lr", "0.1", "0.2", "--cluster", "local", "--workers", "2")
    _, err = program.communicate(timeout=60)
    assert program.returncode == 0, err
    assert len(err.splitlines()) == len(look.endings()) == 2, err


def test_nobody_answers(refused, monkeypatch):
    monkeypatch.setattr(workers, "PATIENCE", 0.5)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        began = time.monotonic()
        refused(
            *RUNS, "--lr", "0.1", "1", "--cluster", address, says=(f"--cluster {address}: no Dask scheduler answers",)
        )
        assert time.monotonic() - began < 5
    refused(*RUNS, "--lr", "0.1", "1", "--cluster", "nonsense://", says="no Dask scheduler answers there")


def test_a_scheduler_without_workers(refused, monkeypatch, scheduler):
    monkeypatch.setattr(workers, "PATIENCE", 1)
    refused(
        *RUNS, "--lr", "0.1", "1", "--cluster", scheduler, says=f"no workers, start one with: dask worker {scheduler}"
    )


def test_dask_is_not_there(refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    refused(*RUNS, "--lr", "0.1", "1", "--cluster", "local", says='python -m pip install -e ".[dask]"')
