"""Ctrl-C and SIGTERM outside of training: during the imports of a program, and in the parts that all programs share."""

import os
import re
import signal
import subprocess
import sys
import time
import weakref
from pathlib import Path

import pytest

from training import program, startup
from training.signals import Interrupt, Terminated, raised_as_exceptions

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot send SIGINT to one process")

FAKE_MODULE = """
import os, time
os.kill(os.getpid(), {number})
time.sleep(60)
"""


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("train.py", "numpy"),
        ("train.py", "msgspec"),
        ("evaluate.py", "numpy"),
        ("sweep.py", "numpy"),
        ("sweep.py", "msgspec"),
    ],
)
@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)],
    ids=["SIGINT", "SIGTERM"],
)
def test_signal_during_the_imports_is_one_line(run_program, tmp_path, name, module, number, code):
    (tmp_path / "fake").mkdir()
    (tmp_path / "fake" / f"{module}.py").write_text(FAKE_MODULE.format(number=int(number)))
    ended = run_program(name, "x", env=os.environ | {"PYTHONPATH": str(tmp_path / "fake")})
    assert (ended.returncode, ended.stdout, ended.stderr) == (code, "", f"{name}: stopped immediately\n")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["train.py", "evaluate.py", "sweep.py"])
def test_ctrl_c_at_any_moment_of_the_start_shows_no_line_of_the_program(name):
    """Python itself may show a traceback, before it runs the first statements of the program."""
    root, seen = str(Path(startup.__file__).parents[1]), set()
    command, start = [sys.executable, f"{root}/{name}", "nowhere"], time.monotonic()
    assert subprocess.run(command, capture_output=True, timeout=200, check=False).returncode == 2
    duration = time.monotonic() - start
    for step in range(20):
        program = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(1.2 * duration * step / 20)
        program.send_signal(signal.SIGINT)
        _, err = program.communicate(timeout=200)
        seen.add(err)
        lines = [int(line) for file, line in re.findall(r'File "(.*)", line (\d+)', err) if file.startswith(root)]
        assert max(lines, default=0) < 20, err
        assert program.returncode in (-2, 1, 2, 130), err
    assert f"{name}: stopped immediately\n" in seen


@pytest.mark.parametrize(("number", "kind"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated)])
def test_a_signal_during_a_callback_is_raised_after_it(number, kind, capsys):
    """Python ignores the exceptions of callbacks."""

    class Node:
        pass

    before, signals = sys.unraisablehook, []

    def callback(_):
        signals.append(number)
        os.kill(os.getpid(), number)
        for _ in range(1000):  # the handler of the signal runs in this function
            pass

    def release(nodes):
        nodes.clear()
        time.sleep(60)

    nodes = [Node()]
    reference = weakref.ref(nodes[0], callback)
    with pytest.raises(kind) as raised, raised_as_exceptions():
        release(nodes)
    assert raised.type is kind
    assert signals == [number]
    assert reference() is None
    assert sys.unraisablehook is before
    assert capsys.readouterr().err == ""


def python(code):
    root = str(Path(startup.__file__).parents[1])
    command = [sys.executable, "-c", f"import os, sys; sys.path.insert(0, {root!r}); {code}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)


def test_before_the_handlers_only_modules_are_imported_that_python_has_loaded():
    code = "before = set(sys.modules); import training.startup; print(sorted(set(sys.modules) - before))"
    assert python(code).stdout == "['training', 'training.startup']\n"


def test_missing_packages_are_one_line():
    ended = python("from training import startup; startup.NEEDED = 'os', 'no_such_package'; startup.prepare('p.py')")
    install = 'python -m pip install -e ".[train]" installs what the programs need'
    assert (ended.returncode, ended.stderr) == (2, f"p.py: error: no_such_package not installed: {install}\n")


def test_background_job_whose_sigint_is_ignored_starts(run_program):
    ended = run_program("evaluate.py", "none.npz", preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    assert (ended.returncode, ended.stderr) == (2, "evaluate.py: error: no checkpoint at none.npz\n")


def test_importing_a_program_changes_no_signal_handler():
    import sweep  # noqa: F401

    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"])
def test_signal_in_a_program_determines_its_exit_code(capsys, number, code):
    handlers = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    assert program.run_program("p.py", lambda: os.kill(os.getpid(), number)) == code
    assert capsys.readouterr().err == "p.py: stopped immediately\n"
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == handlers


def test_second_signal_acts_as_outside_the_block(capsys):
    with Interrupt() as interrupt:
        assert not interrupt
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupt.signal == signal.SIGINT
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    message = "\nstopping after this update (press Ctrl-C again to stop immediately)\n"
    assert capsys.readouterr().err == message


def test_handlers_are_restored():
    before = signal.getsignal(signal.SIGTERM)
    with Interrupt() as interrupt:
        os.kill(os.getpid(), signal.SIGTERM)
    assert interrupt
    assert signal.getsignal(signal.SIGTERM) is before
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
