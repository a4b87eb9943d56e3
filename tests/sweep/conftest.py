"""Sweeps over the small digits in an empty folder: in this process, or as programs that can receive signals."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

import sweep
import train
from tests.offline import workplace  # noqa: F401  (a fixture)
from tests.runs import called, in_this_process
from training import run_pictures, search_pictures, sweep_pictures, trials, workers

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def run_sweep(capsys, patched, monkeypatch):
    """``run_sweep(arguments...)``: call sweep.py in this process; return its exit code and its output.

    It draws the pictures of the sweep, unless ``pictures=False``; the processes that train only pretend to draw.
    """
    monkeypatch.setenv("PYTHONPATH", str(patched))

    def run(*arguments, pictures=True):
        with monkeypatch.context() as patch:
            if not pictures:
                for module in (sweep_pictures, search_pictures):
                    patch.setattr(module, "draw", lambda *_: None)
            return called(capsys, sweep.main, arguments)

    return run


@pytest.fixture
def here(monkeypatch):
    """Sweeps train in this process, one run after another, and the runs only pretend to draw."""
    monkeypatch.setattr(workers, "local", in_this_process)
    monkeypatch.setattr(trials, "is_exact", lambda *_: True)  # without trial updates
    for module in (train, run_pictures):
        monkeypatch.setattr(module, "draw", lambda run, *_: (run.folder / run_pictures.LAST).write_bytes(b"drawn") > 0)


@pytest.fixture
def refused(run_sweep):
    """``refused(arguments..., says=pieces)``: exit code 2 and one line that contains the pieces, before any run."""

    def check(*arguments, says):
        result = run_sweep(*arguments)
        assert result.code == 2
        (line,) = result.err.splitlines()
        assert line.startswith("sweep.py: error: ")
        for piece in [says] if isinstance(says, str) else says:
            assert piece in line
        assert not list(Path().glob("**/runs/*"))

    return check


CUSTOMIZATION = f"""
import os, signal, sys, time, types
if any("training.worker_process" in word for word in sys.orig_argv):
    sys.path.insert(0, {str(ROOT)!r})
    import training.run
    import training.run_pictures
    import training.trials
    training.trials.is_exact = lambda *_: True  # without trial updates

    def draw(run, *others, draw=training.run_pictures.draw):
        if run.folder.name == os.environ.get("DRAWN_RUN"):
            return draw(run, *others)
        return (run.folder / training.run_pictures.LAST).write_bytes(b"drawn") > 0

    training.run_pictures.draw = draw

    def write_and_wait(run, progress, write=training.run.Run.write_metrics):
        write(run, progress)
        hold, held = os.path.join("hold", run.folder.name), os.path.join("held", run.folder.name)
        if progress.epoch == 2 and os.path.exists(hold):
            open(held, "w").close()
            handler = signal.getsignal(signal.SIGINT)  # the first signal installs another one
            while os.path.exists(hold) and signal.getsignal(signal.SIGINT) == handler:
                time.sleep(0.01)

    training.run.Run.write_metrics = write_and_wait
elif sys.orig_argv[1:] and sys.orig_argv[1].endswith("sweep.py") and "DRAW" not in os.environ:
    for name in ("sweep_pictures", "search_pictures"):
        sys.modules["training." + name] = types.SimpleNamespace(draw=lambda *_: None)
"""


@pytest.fixture
def patched(tmp_path_factory):
    """A folder; with it as PYTHONPATH, sweeps draw no pictures, and their runs can be held (see `hold`)."""
    folder = tmp_path_factory.mktemp("path")
    (folder / "sitecustomize.py").write_text(CUSTOMIZATION)
    return folder


@pytest.fixture
def hold(until):
    """Pause runs in their second epoch, so that signals arrive there."""

    def begin(*names):
        for folder in ("hold", "held"):
            shutil.rmtree(folder, ignore_errors=True)
            Path(folder).mkdir()
        for name in names:
            Path("hold", name).touch()

    def held():
        return {path.name for path in Path("held").iterdir()}

    def release():
        for path in Path("hold").iterdir():
            path.unlink()

    return SimpleNamespace(begin=begin, held=held, release=release, until=lambda n: until(lambda: len(held()) == n))


@pytest.fixture
def begin(patched):
    """``begin(arguments...)``: start sweep.py as a program in its own process group, which is killed at the end."""
    with contextlib.ExitStack() as stack:

        def start(*arguments, customize="", **environment):
            (patched / "sitecustomize.py").write_text(CUSTOMIZATION + customize)
            program = subprocess.Popen(
                [sys.executable, ROOT / "sweep.py", *map(str, arguments)], text=True, start_new_session=True,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                env=os.environ | {"PYTHONPATH": str(patched)} | environment,
            )  # fmt: skip

            directory = Path.cwd()

            def end():
                for pid in {program.pid, *processes(directory)}:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                program.communicate(timeout=60)

            stack.callback(end)
            return program

        yield start


@pytest.fixture
def until():
    """``until(condition)``: wait until ``condition()`` is true, and return its value."""

    def wait(condition, seconds=100):
        end = time.monotonic() + seconds
        while not (result := condition()):
            assert time.monotonic() < end, "the condition is still false"
            time.sleep(0.02)
        return result

    return wait


def endings(folder="s"):
    """The status of each run that ended, by the name of its folder."""
    return {p.parent.name: json.loads(p.read_text())["status"] for p in Path(folder).glob("runs/*/result.json")}


def stamps(folder="s"):
    """The time and the inode of each result.json, by the name of the run's folder."""
    return {p.parent.name: (p.stat().st_mtime_ns, p.stat().st_ino) for p in Path(folder).glob("runs/*/result.json")}


def begun(folder="s"):
    """The folders of the runs that completed an epoch and have not ended."""
    folders = Path(folder).glob("runs/*")
    return [f for f in folders if (f / "metrics.csv").is_file() and not (f / "result.json").is_file()]


def processes(folder):
    """The processes of a sweep: those whose working directory is this folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (entry / "cwd").readlink() == folder and int(entry.name) != os.getpid():
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                if state != "Z":
                    found.append(int(entry.name))
    return found


@pytest.fixture
def look():
    """Functions that inspect a sweep from outside."""
    return SimpleNamespace(endings=endings, stamps=stamps, begun=begun, processes=processes)
