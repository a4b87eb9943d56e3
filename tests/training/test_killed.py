"""A run that is killed, at any moment, and resumed ends with bitwise the same files as one that was not."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import tensorgrad as tg
import tensorgrad.checkpoints
import train
import training.run
from tests.helpers import sampled
from tests.runs import FOLDER, STATEFUL, Killed, assert_same

pytestmark = pytest.mark.usefixtures("no_clock", "without_trials")


@pytest.mark.parametrize("write", sampled(range(3, 12), 2))
def test_run_killed_at_any_write_is_resumed_bitwise(run_train, uninterrupted, monkeypatch, write):
    # A run writes config and last, then in each epoch best (if it is better), metrics and last, and finally result.
    writes, write_whole = [], training.run.write_whole

    def killing(path, content):
        writes.append(path.name)
        if len(writes) == write:
            raise Killed
        write_whole(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(training.run, "write_whole", killing)
        patch.setattr(tensorgrad.checkpoints, "write_whole", killing)
        with pytest.raises(Killed):
            run_train(*STATEFUL)
    assert run_train("--resume", FOLDER, "--quiet").code == 0
    assert_same(uninterrupted)


def test_run_killed_in_an_epoch_is_resumed_from_the_previous_one(run_train, uninterrupted, monkeypatch):
    with monkeypatch.context() as patch:
        calls = []

        def killing(*_):
            calls.append(1)
            if len(calls) == 10:
                raise Killed

        patch.setattr(train.Display, "batch", killing)
        with pytest.raises(Killed):
            run_train(*STATEFUL)
    assert tg.load(FOLDER / "last.npz").config["progress"]["update"] == 6
    assert run_train("--resume", FOLDER, "--quiet").code == 0
    assert_same(uninterrupted)


def test_copy_of_a_run_is_resumed_independently(run_train, interrupt_after, uninterrupted):
    interrupt_after(9)
    run_train(*STATEFUL)
    shutil.copytree(FOLDER, "copy")
    assert run_train("--resume", "copy", "--quiet").code == 0
    assert (Path("copy") / "last.npz").read_bytes() == uninterrupted["last.npz"]
    assert not (FOLDER / "result.json").exists()


def test_temporary_files_of_killed_processes_are_removed(run_train, stopped, uninterrupted):
    for name in (".last.npz.123456.tmp", ".curves.png.7.tmp"):
        (stopped / name).write_text("half of a file")
    assert run_train("--resume", stopped, "--quiet").code == 0
    assert_same(uninterrupted)


def test_other_hidden_files_are_kept(run_train, stopped):
    names = {".notes", ".last.npz.tmp", "last.npz.12.tmp"}
    for name in names:
        (stopped / name).write_text("not ours")
    assert run_train("--resume", stopped, "--quiet").code == 0
    assert names <= {path.name for path in stopped.iterdir()}


HOLD_THE_LOCK = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from training.folders import locked
with locked(Path(sys.argv[2])):
    print("locked", flush=True)
    sys.stdin.read()
"""


def test_run_that_another_process_trains_is_refused(run_train, refused, stopped, uninterrupted):
    with subprocess.Popen(
        [sys.executable, "-c", HOLD_THE_LOCK, Path(training.__file__).parents[1], stopped],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as other:  # fmt: skip
        assert other.stdout.readline() == "locked\n"
        content = (stopped / "last.npz").read_bytes()
        (stopped / "last.npz").write_bytes(b"not read before the lock is held")
        for more in ([], ["--epochs", 9]):
            result = run_train("--resume", stopped, "--quiet", *more)
            assert refused(result, f"{stopped}: another program is training this run")
        (stopped / "last.npz").write_bytes(content)
        other.kill()
    assert run_train("--resume", stopped, "--quiet").code == 0
    assert_same(uninterrupted)
