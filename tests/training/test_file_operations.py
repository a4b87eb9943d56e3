"""Runs and sweeps that are killed, or get an error, at any of their file operations, lose nothing when continued.

Every seventh operation is tried, since each takes a second; ``OPERATIONS_STEP=1`` tries all. A folder that an
interruption leaves is continued once, however many interruptions leave the same one.
"""

import errno
import os
import re
import shlex
import shutil
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
import ruamel.yaml  # noqa: F401  (here, so that it is not imported in each child process)
from matplotlib.figure import Figure

import sweep
import train
from tests.file_operations import run_in_child
from tests.runs import in_this_process
from training import pictures, run_pictures, sweep_pictures, trials, workers

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="the programs run in child processes that are forked"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded, use of fork:DeprecationWarning"),
]

TINY = "--dataset digits --hidden 4 --epochs 2 --batch-size 512 --threads 1 --quiet"
NEW, RESUME = shlex.split(TINY + " --out X"), ["--resume", "X", "--quiet"]
SWEEP = shlex.split("--dataset digits --hidden 4 --epochs 1 --batch-size 512 --lr 0.1 0.2 --workers 1 --quiet --out X")
STEP = int(os.environ.get("OPERATIONS_STEP", "7"))
ERRORS = {"full disk": errno.ENOSPC, "input/output error": errno.EIO}


def draw_quickly(run, *_):
    pictures.save(Figure(figsize=(0.2, 0.2)), run.folder / run_pictures.LAST)


def prepare():
    """Stop the clock, so that nothing but the interruption differs; do quickly what writes no files."""
    train.time = SimpleNamespace(monotonic=lambda: 0.0)
    trials.is_exact, trials.check_updates = lambda *_: False, lambda *_: None
    run_pictures._draw = draw_quickly
    sweep_pictures.draw = lambda *_: None
    workers.local = in_this_process


def call(folder, main, arguments, at=0, error=None, copies=None):
    return run_in_child(folder, main, arguments, at, error, prepare, copies)


def files(folder):
    """The content of the files in a folder by name, without locks."""
    return {
        str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*")
        if path.is_file() and path.name != ".lock"
    }  # fmt: skip


def state(folder):
    """What a program can see of a folder: temporary files have only a name, without the number of the process."""
    names = {str(path.relative_to(folder)): b"" for path in folder.rglob("*") if path.is_dir() or path.name == ".lock"}
    for name, content in files(folder).items():
        temporary = re.fullmatch(r"(.*/\..*)\.\d+\.tmp", name)
        names |= {temporary[1]: b""} if temporary else {name: content}
    return frozenset(names.items())


def is_one_line(text):
    return text.count("\n") == 1 and ".py: " in text and "Traceback" not in text


def are_messages(text):
    """Whether there is one line of the program, or one for each run of a sweep."""
    return all(map(is_one_line, text.splitlines(keepends=True))) and "\n" in text


class Program:
    """A program with its arguments, and the ways to continue it, of which an error names the next one."""

    def __init__(self, folder, main, arguments, continuations):
        self.folder, self.main, self.arguments, self.continuations = folder, main, arguments, continuations
        (folder / "undisturbed").mkdir()
        (folder / "moments").mkdir()
        ended = self.call(folder / "undisturbed", self.arguments, copies=folder / "moments")
        assert (ended.code, ended.err) == (0, "")
        assert len(ended.operations) > 50
        self.operations, self.complete = ended.operations, files(folder / "undisturbed")
        self.continued = {}

    def call(self, folder, arguments, **settings):
        return call(folder, self.main, arguments, **settings)

    def tried(self):
        """The operations to try, by number."""
        return list(enumerate(self.operations, 1))[::STEP]

    def problem(self, folder):
        """What is wrong after the folder is continued in each of the ways; an empty text if nothing is."""
        if (key := state(folder)) not in self.continued:
            self.continued[key] = "; ".join(filter(None, (self.try_ways(folder, w) for w in self.continuations)))
        return self.continued[key]

    def try_ways(self, folder, ways):
        copy = self.folder / "copy"
        shutil.copytree(folder, copy)
        try:
            for arguments in ways:
                ended = self.call(copy, arguments)
                if ended.code == 0:
                    found = files(copy)
                    names = sorted(found.keys() | self.complete.keys())
                    wrong = [name for name in names if found.get(name) != self.complete.get(name)]
                    return f"other files: {', '.join(wrong)}" if wrong else ""
                if not is_one_line(ended.err):
                    break
            return f"{shlex.join(arguments)} ends with {ended.code}: {ended.err.strip()}"
        finally:
            shutil.rmtree(copy)


@pytest.fixture(scope="module", params=["run", "sweep"])
def program(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "run":
        return Program(folder, train.main, NEW, [(NEW, RESUME), (RESUME, NEW)])
    return Program(folder, sweep.main, SWEEP, [(SWEEP,)])


def test_copies_are_what_a_killed_process_leaves(program, tmp_path):
    for number in range(3, len(program.operations), len(program.operations) // 8):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert program.call(folder, program.arguments, at=number).code == -9
        assert state(folder) == state(program.folder / "moments" / str(number))


def test_states_differ_in_content_and_names_and_not_in_numbers_of_processes():
    names = ["a", "b", "runs/.x.1.tmp", "runs/.x.22.tmp", "runs/.y.1.tmp"]
    for number, name in enumerate(names):
        path = Path(str(number)) / "X" / name
        path.parent.mkdir(parents=True)
        path.write_text(str(number))
    different = [state(Path(str(number))) for number in range(len(names))]
    assert len(set(different)) == 4
    assert different[2] == different[3]
    Path("0/X/a").write_text("changed")
    assert state(Path("0")) != different[0]


def test_program_killed_at_any_file_operation_ends_with_the_same_files(program):
    found = {
        f"{at}, {operation}: {what}" for at, operation in program.tried()
        if (what := program.problem(program.folder / "moments" / str(at)))
    }  # fmt: skip
    assert not found


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_program_with_an_error_at_any_file_operation_ends_with_the_same_files(program, tmp_path, error):
    found = []
    for at, operation in program.tried():
        (broken := tmp_path / "broken").mkdir()
        ended = program.call(broken, program.arguments, at=at, error=error)
        if not (ended.code > 0 and are_messages(ended.err)) and files(broken) != program.complete:
            found.append(f"{at}, {operation}: ends with {ended.code}: {ended.err.strip()}")
        if what := program.problem(broken):
            found.append(f"{at}, {operation}: {what}")
        shutil.rmtree(broken)
    assert not found


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
