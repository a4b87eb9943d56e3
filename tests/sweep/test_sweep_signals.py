"""Signals and killed processes during a sweep, and its bar on a terminal."""

import contextlib
import os
import pty
import signal
import subprocess
import sys
import termios
from pathlib import Path

import pytest

import evaluate
from tests import runs
from training import workers

TINY = (*runs.COMPILED, "--out", "s")
# Runs that can be held in their second epoch.
LONG = runs.combined(*TINY, "--epochs", 4, "--workers", 2)


def output_of(program, seconds=200):
    """Wait for a program; return its output."""
    out, err = program.communicate(timeout=seconds)
    assert "Traceback" not in err + out
    assert "Warning" not in err
    return out, err


def trainers(look, directory):
    """The processes that train."""
    pids = []
    for pid in look.processes(directory):
        with contextlib.suppress(OSError):
            if b"training.worker_process" in Path(f"/proc/{pid}/cmdline").read_bytes():
                pids.append(pid)
    return pids


def test_variables_limit_the_number_of_threads():
    code = "import numpy, threadpoolctl; print(max(p['num_threads'] for p in threadpoolctl.threadpool_info()))"
    pinned = os.environ | dict.fromkeys(workers.THREAD_VARIABLES, "1")
    assert (
        subprocess.run([sys.executable, "-c", code], env=pinned, capture_output=True, check=True).stdout.strip() == b"1"
    )


@pytest.mark.parametrize("whom", ["group", pytest.param("parent", marks=pytest.mark.slow)])
def test_ctrl_c_saves_and_the_same_command_continues(begin, hold, look, workplace, run_sweep, here, whom):
    arguments = (*LONG, "--lr", "0.01", "0.03", "0.1", "0.3")
    drawing = {"DRAW": "1"} if whom == "parent" else {}
    hold.begin("lr-0.03", "lr-0.1", "lr-0.3")
    program = begin(*arguments, **drawing)
    hold.until(2)
    assert len(look.begun()) == 2
    (os.killpg if whom == "group" else os.kill)(program.pid, signal.SIGINT)
    _, err = output_of(program)
    assert program.returncode == 130
    done = look.endings()
    assert done == {"lr-0.01": "finished"}
    assert err.splitlines()[-1] == (
        f"sweep.py: stopped after {len(done)} of 4 runs; the same command continues the sweep"
    )
    assert "missing" in Path("s/table.md").read_text()
    assert not Path("s/stop").exists()
    assert not look.processes(workplace)
    assert Path("s/curves.png").exists() == bool(drawing)
    before, states = look.stamps(), {f.name: len((f / "metrics.csv").read_text()) for f in look.begun()}
    assert len(states) == 2

    continued = run_sweep(*arguments, pictures=False)
    assert continued.code == 0
    assert f"4 runs in s, {len(done)} of them have ended before" in continued.out
    assert len(look.endings()) == 4
    assert {name: look.stamps()[name] for name in before} == before
    for name, length in states.items():
        metrics = Path(f"s/runs/{name}/metrics.csv").read_text()
        assert len(metrics) >= length
        assert [line.split(",")[0] for line in metrics.splitlines()[1:]] == ["1", "2", "3", "4"]


def test_second_ctrl_c_stops_immediately(begin, until, look, workplace):
    program = begin(*runs.combined(*TINY, "--epochs", 100000), "--lr", "0.01", "0.1")
    until(look.begun)
    for pid in trainers(look, workplace):
        os.kill(pid, signal.SIGSTOP)  # they do not react to the first one
    program.send_signal(signal.SIGINT)
    until(Path("s/stop").exists)
    program.send_signal(signal.SIGINT)
    out, err = output_of(program)
    assert program.returncode == 130
    assert out.endswith("\nthe same command continues the sweep\n")
    assert err.splitlines()[-1] == "sweep.py: stopped immediately"
    until(lambda: not look.processes(workplace))


def test_one_blas_thread_in_any_environment_one_sweep_in_a_folder_and_sigterm(begin, hold, look, workplace, run_sweep):
    hold.begin("lr-0.01", "lr-0.1")
    program = begin(*LONG, "--lr", "0.01", "0.1", OPENBLAS_NUM_THREADS="8", OMP_NUM_THREADS="8")
    hold.until(2)
    assert len(trainers(look, workplace)) == 2
    for pid in trainers(look, workplace):
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        assert {name.encode() + b"=1" for name in workers.THREAD_VARIABLES} <= set(environment)
    second = run_sweep(*LONG, "--lr", "0.01", "0.1")
    assert (second.code, second.err) == (2, "sweep.py: error: s: another sweep.py is using this folder\n")
    program.send_signal(signal.SIGTERM)
    _, err = output_of(program)
    assert program.returncode == 143
    assert err.splitlines()[-1] == "sweep.py: stopped after 0 of 2 runs; the same command continues the sweep"
    assert len(look.begun()) == 2
    assert not look.processes(workplace)


@pytest.mark.parametrize("whom", [pytest.param("all", marks=pytest.mark.slow), "parent"])
def test_killed_sweep_continues_from_its_checkpoints(begin, until, hold, look, workplace, run_sweep, here, whom):
    arguments = (*LONG, "--lr", "0.01", "0.03", "0.1", "--seed", "0")
    hold.begin("lr-0.03", "lr-0.1")
    program = begin(*arguments)
    hold.until(2)
    assert look.endings().keys() == {"lr-0.01"}
    for pid in look.processes(workplace) if whom == "all" else [program.pid]:
        os.kill(pid, signal.SIGKILL)
    program.communicate(timeout=200)
    until(lambda: not look.processes(workplace))  # they end with the sweep
    before = look.stamps()
    seconds = {f.name: (f / "metrics.csv").read_text().splitlines()[1] for f in look.begun()}
    assert len(seconds) == 2
    assert run_sweep(*arguments, pictures=False).code == 0
    assert set(look.endings().values()) == {"finished"}
    assert {name: look.stamps()[name] for name in before} == before
    for name, row in seconds.items():  # including its duration, the first epoch is that of the killed sweep
        assert Path(f"s/runs/{name}/metrics.csv").read_text().splitlines()[1] == row


def test_killed_process_is_replaced(begin, hold, look, workplace):
    hold.begin("lr-0.01_seed-0", "lr-0.01_seed-1")
    program = begin(*LONG, "--lr", "0.01", "0.03", "0.1", "--seed", "0", "1")
    hold.until(2)
    os.kill(trainers(look, workplace)[0], signal.SIGKILL)
    hold.release()
    _, err = output_of(program)
    assert program.returncode == 0
    assert sorted(look.endings().values()) == ["finished"] * 6
    assert len({line.split()[1] for line in err.splitlines()}) == len(err.splitlines()) == 6  # no run twice


KILLER = """
import json, os
before = json.loads
def loads(text):
    read = before(text)
    if isinstance(read, dict) and "stop" in read:
        with open("attempts", "a") as file:
            file.write(f"{read['settings']['lr']}\\n")
        if read["settings"]["lr"] == 7:
            os.kill(os.getpid(), 9)
    return read
json.loads = loads
"""


def test_run_that_kills_its_process_fails_and_the_others_do_not(begin, look, workplace):
    program = begin(*TINY, "--lr", "7", "0.1", "0.2", "--workers", "2", customize=KILLER)
    _, err = output_of(program)
    assert program.returncode == 1
    assert err.splitlines()[-1] == "sweep.py: lr-7 failed: its process died 3 times (killed by SIGKILL)"
    assert look.endings() == {"lr-0.1": "finished", "lr-0.2": "finished"}
    assert sorted(Path("attempts").read_text().split()) == ["0.1", "0.2", "7.0", "7.0", "7.0"]


def test_bar_on_a_terminal(patched, workplace):
    screen, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24, 100))
    program = subprocess.Popen(
        [sys.executable, Path(evaluate.__file__).parent / "sweep.py", *TINY, "--lr", "0.1", "0.2", "--workers", "1"],
        stdout=subprocess.DEVNULL, stderr=terminal, start_new_session=True,
        env=os.environ | {"PYTHONPATH": str(patched), "DRAWN_RUN": "lr-0.2"},
    )  # fmt: skip
    os.close(terminal)
    shown = b""
    with contextlib.suppress(OSError):  # raised when the terminal is closed
        while piece := os.read(screen, 1000):
            shown += piece
    os.close(screen)
    assert program.wait(timeout=200) == 0
    assert b"0/2 runs" in shown
    assert b"2/2 runs" in shown
    assert b" left, best val " in shown
    # Drawn in this test only.
    assert {path.name for path in Path("s/runs/lr-0.2").glob("*.png")} == runs.PICTURES
