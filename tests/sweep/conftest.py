"""Sweeps over the small digits, in an empty folder: in this process, or as programs that signals can reach."""

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
from tests.offline import without_mnist

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def workplace(monkeypatch, tmp_path):
    """Go to a new folder where MNIST is not, and cannot be fetched."""
    monkeypatch.chdir(tmp_path)
    without_mnist(monkeypatch, tmp_path / "cache")
    return tmp_path


@pytest.fixture
def run_sweep(capsys, plain, monkeypatch):
    """``run_sweep(arguments...)``: sweep.py in this process; its exit code and what it wrote.

    It draws the sweep's pictures; the processes that train draw none.
    """
    monkeypatch.setenv("PYTHONPATH", str(plain))

    def run(*arguments):
        capsys.readouterr()
        try:
            code = sweep.main([str(argument) for argument in arguments])
        except SystemExit as exit_:
            code = exit_.code
        wrote = capsys.readouterr()
        return SimpleNamespace(code=code, out=wrote.out, err=wrote.err)

    return run


@pytest.fixture
def refused(run_sweep):
    """``refused(arguments..., says=pieces)``: exit code 2 and one line that holds them, before any run."""

    def check(*arguments, says):
        result = run_sweep(*arguments)
        last = result.err.splitlines()[-1]
        assert result.code == 2
        assert last.startswith("sweep.py: error: ")
        assert "Traceback" not in result.err
        for piece in [says] if isinstance(says, str) else says:
            assert piece in last
        assert not list(Path().glob("**/runs/*"))

    return check


PLAIN = f"""
import os, signal, sys, time, types
if any("training.serve" in word for word in sys.orig_argv):
    sys.path.insert(0, {str(ROOT)!r})
    import training.album
    import training.run
    training.album.draw = lambda *_: None

    def write_and_wait(run, progress, write=training.run.Run.write_metrics):
        write(run, progress)
        hold, held = os.path.join("hold", run.folder.name), os.path.join("held", run.folder.name)
        if progress.epoch == 2 and os.path.exists(hold):
            open(held, "w").close()
            handler = signal.getsignal(signal.SIGINT)  # which is another one after the first signal
            while os.path.exists(hold) and signal.getsignal(signal.SIGINT) == handler:
                time.sleep(0.01)

    training.run.Run.write_metrics = write_and_wait
elif sys.orig_argv[1:] and sys.orig_argv[1].endswith("sweep.py") and "DRAW" not in os.environ:
    sys.modules["training.sweep_pictures"] = types.SimpleNamespace(draw=lambda *_: None)
"""


@pytest.fixture
def plain(tmp_path_factory):
    """A folder; with it as PYTHONPATH, a sweep and its processes draw no pictures, and runs can be held (`hold`)."""
    folder = tmp_path_factory.mktemp("path")
    (folder / "sitecustomize.py").write_text(PLAIN)
    return folder


@pytest.fixture
def hold(until):
    """Hold runs in their second epoch, so that a signal always arrives there."""

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
def begin(plain):
    """``begin(arguments...)``: sweep.py as a program in a process group of its own, which is killed in the end."""
    with contextlib.ExitStack() as stack:

        def start(*arguments, customize="", **environment):
            (plain / "sitecustomize.py").write_text(PLAIN + customize)
            program = subprocess.Popen(
                [sys.executable, ROOT / "sweep.py", *map(str, arguments)], text=True, start_new_session=True,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                env=os.environ | {"PYTHONPATH": str(plain)} | environment,
            )  # fmt: skip

            place = Path.cwd()

            def end():
                for pid in {program.pid, *processes(place)}:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                program.communicate(timeout=60)

            stack.callback(end)
            return program

        yield start


@pytest.fixture
def until():
    """``until(condition)``: wait for it, and return what it returned."""

    def wait(condition, seconds=100):
        end = time.monotonic() + seconds
        while not (result := condition()):
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.02)
        return result

    return wait


def endings(folder="s"):
    """How each run ended, by the name of its folder."""
    return {p.parent.name: json.loads(p.read_text())["status"] for p in Path(folder).glob("runs/*/result.json")}


def stamps(folder="s"):
    """When each run ended, and which file says so."""
    return {p.parent.name: (p.stat().st_mtime_ns, p.stat().st_ino) for p in Path(folder).glob("runs/*/result.json")}


def begun(folder="s"):
    """The runs that made an epoch and have not ended."""
    folders = Path(folder).glob("runs/*")
    return [f for f in folders if (f / "metrics.csv").is_file() and not (f / "result.json").is_file()]


def processes(folder):
    """The processes that work for a sweep in a folder: those whose working folder it is."""
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
    """What there is to see of a sweep from outside."""
    return SimpleNamespace(endings=endings, stamps=stamps, begun=begun, processes=processes)
