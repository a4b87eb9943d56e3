"""Runs and sweeps that are killed, or get an error, at any of their file operations, lose nothing when continued.

Every seventh operation is tried, since each takes seconds; ``OPERATIONS_STEP=1`` tries all, in an hour or less.
"""

import concurrent.futures
import contextlib
import errno
import os
import shlex
import shutil
import threading
from types import SimpleNamespace

import pytest
from matplotlib.figure import Figure

import sweep
import train
from tests.file_operations import run_in_child
from training import pictures, run_pictures, sweep_pictures, worker_process, workers

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="the programs run in child processes that are forked"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning"),
]

TINY = "--dataset digits --hidden 4 --epochs 2 --batch-size 512 --threads 1 --quiet"
NEW, RESUME = shlex.split(TINY + " --out X"), ["--resume", "X", "--quiet"]
SWEEP = shlex.split("--dataset digits --hidden 4 --epochs 1 --batch-size 512 --lr 0.1 0.2 --workers 1 --quiet --out X")
STEP = int(os.environ.get("OPERATIONS_STEP", "7"))
ERRORS = {"killed": None, "full disk": errno.ENOSPC, "input/output error": errno.EIO}


class Immediate(concurrent.futures.Executor):
    """An executor that calls functions at once, in this thread."""

    def submit(self, function, /, *arguments):
        future = concurrent.futures.Future()
        future.set_result(function(*arguments))
        return future


@contextlib.contextmanager
def in_this_process(count):
    yield Immediate(), lambda job: worker_process.run_one(**job)


def draw_quickly(run, *_):
    pictures.save(Figure(figsize=(0.2, 0.2)), run.folder / run_pictures.LAST)


def prepare():
    """Stop the clock, so that nothing but the interruption differs; draw a small picture; train in one process."""
    train.time = SimpleNamespace(monotonic=lambda: 0.0)
    run_pictures._draw = draw_quickly
    sweep_pictures.draw = lambda *_: None
    workers.local = in_this_process


def call(folder, main, arguments, at=0, error=None):
    return run_in_child(folder, main, arguments, at, error, prepare)


def files(folder):
    """The content of the files in a folder by name, without locks."""
    return {
        str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*")
        if path.is_file() and path.name != ".lock"
    }  # fmt: skip


def is_one_line(text):
    return text.count("\n") == 1 and ".py: " in text and "Traceback" not in text


def problem(folder, main, ways, complete):
    """What is wrong with a folder that is continued in one of several ways, of which an error names the next one."""
    for arguments in ways:
        ended = call(folder, main, arguments)
        if ended.code == 0:
            found = files(folder)
            wrong = sorted(name for name in found.keys() | complete.keys() if found.get(name) != complete.get(name))
            return f"other files: {', '.join(wrong)}" if wrong else ""
        if not is_one_line(ended.err):
            break
    return f"{shlex.join(arguments)} ends with {ended.code}: {ended.err.strip()}"


def problems(tmp_path, main, arguments, continuations, error):
    """What is wrong after an interruption at each of the file operations, in words."""
    (tmp_path / "undisturbed").mkdir()
    undisturbed = call(tmp_path / "undisturbed", main, arguments)
    assert (undisturbed.code, undisturbed.err) == (0, "")
    assert len(undisturbed.operations) > 50
    complete, found = files(tmp_path / "undisturbed"), []
    for at, operation in list(enumerate(undisturbed.operations, 1))[::STEP]:
        broken = tmp_path / "broken"
        broken.mkdir()
        ended = call(broken, main, arguments, at, error)
        if error is None:
            assert ended.code == -9, operation
        elif not (ended.code > 0 and is_one_line(ended.err)) and files(broken) != complete:
            found.append(f"{at}, {operation}: ends with {ended.code}: {ended.err.strip()}")
        for ways in continuations:
            copy = tmp_path / "copy"
            shutil.copytree(broken, copy)
            if what := problem(copy, main, ways, complete):
                found.append(f"{at}, {operation}: {what}")
            shutil.rmtree(copy)
        shutil.rmtree(broken)
    return found


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_run_interrupted_at_any_file_operation_ends_with_the_same_files(tmp_path, error):
    assert not problems(tmp_path, train.main, NEW, [(NEW, RESUME), (RESUME, NEW)], error)


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_sweep_interrupted_at_any_file_operation_ends_with_the_same_files(tmp_path, error):
    assert not problems(tmp_path, sweep.main, SWEEP, [(SWEEP,)], error)


def start(folder, ended):
    ended.append(call(folder, train.main, NEW))


def test_of_programs_that_start_at_the_same_time_one_gets_the_folder(tmp_path):
    for number in range(20):
        (folder := tmp_path / str(number)).mkdir()
        ended = []
        threads = [threading.Thread(target=start, args=(folder, ended)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(result.code for result in ended) == [0, 2, 2], ended
        assert all(is_one_line(result.err) for result in ended if result.code)
