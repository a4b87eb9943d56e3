"""What the programs import before they do anything: nothing that takes long and that a usual run can do without."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import train
from training.progress import SweepDisplay, _interval

ROOT = str(Path(train.__file__).parent)
LATER = {  # modules that are imported where they are used
    "matplotlib", "PIL", "pooch", "ruamel", "tqdm", "tensorboardX", "optuna", "scipy", "mpi4py", "onnx", "statistics",
    "tensorgrad.export", "training.pictures", "training.workers",
}  # fmt: skip


def imported(program):
    """The modules that a program has imported when it begins to read its command line."""
    code = f"import sys, json; sys.path.insert(0, {ROOT!r}); import {program}; print(json.dumps(list(sys.modules)))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return set(json.loads(ended.stdout))


def test_train_imports_no_more_than_it_needs():
    found = imported("train")
    assert "training.run" in found
    assert not found & LATER


def test_evaluate_imports_no_more_than_it_needs():
    assert not imported("evaluate") & (LATER - {"PIL"})


@pytest.mark.parametrize(("seconds", "shown"), [(0, "00:00"), (59.6, "01:00"), (245, "04:05"), (3845, "1:04:05")])
def test_remaining_time(seconds, shown):
    assert _interval(seconds) == shown


def test_lines_of_a_sweep_need_no_bar(capsys):
    code = (
        f"import sys; sys.path.insert(0, {ROOT!r}); from training.progress import SweepDisplay\n"
        "with SweepDisplay(2, 0, False) as display:\n"
        "    display.run_ended('a', {'status': 'finished', 'test_accuracy': 0.5})\n"
        "    display.refresh()\n"
        "assert 'tqdm' not in sys.modules"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False,
                           env=os.environ)  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, "1/2 a: test accuracy 50.00%, 00:00 left\n")
    with SweepDisplay(2, 0, quiet=True) as display:
        display.run_ended("a", {"status": "diverged"})
    assert capsys.readouterr().err == ""
