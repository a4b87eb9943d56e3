"""The number of BLAS threads: how it is chosen, when it changes, and that it is recorded."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import tensorgrad as tg
import train
from tests.runs import COMPILED, TINY, combined, content, read_metrics
from training import threads, trials


@pytest.fixture
def numbers(monkeypatch):
    """The numbers of threads that are set, in order, in place of setting them; four are possible."""
    from contextlib import contextmanager

    used = []

    @contextmanager
    def adjustable():
        yield used.append

    monkeypatch.setattr(threads, "adjustable", adjustable)
    monkeypatch.setattr(threads, "available", lambda: 4)
    return used


@pytest.fixture
def clock(monkeypatch):
    """A clock of train.py that shows ``clock.times``, one after another, and then the last one."""
    made = SimpleNamespace(times=[0.0])
    made.monotonic = lambda: made.times.pop(0) if len(made.times) > 1 else made.times[0]
    monkeypatch.setattr(train, "time", made)
    return made


# ------------------------------------------------------------------------------------------- the fastest number


@pytest.mark.parametrize(("seconds", "limit", "fastest"), [
    ({1: 4, 2: 3, 4: 2}, 4, 4), ({1: 2, 2: 3, 4: 9}, 4, 1), ({1: 3, 2: 2, 4: 2.5}, 4, 2),
    ({1: 2.05, 2: 2, 4: 1.99}, 4, 1), ({1: 3, 2: 2, 3: 1}, 3, 3), ({1: 5}, 1, 1), ({1: 3, 2: 1, 4: 2, 6: 3}, 6, 2),
])  # fmt: skip
def test_fastest_number_is_found(numbers, monkeypatch, seconds, limit, fastest):
    now = [0.0]
    monkeypatch.setattr(threads, "time", SimpleNamespace(perf_counter=lambda: now[0]))

    def work():
        now[0] += seconds[numbers[-1]] / 1000

    assert threads.fastest(work, limit) == fastest
    assert set(numbers) == (set(seconds) if limit > 1 else set())


def test_a_single_slow_measurement_does_not_matter(numbers, monkeypatch):
    now, calls = [0.0], []
    monkeypatch.setattr(threads, "time", SimpleNamespace(perf_counter=lambda: now[0]))

    def work():
        calls.append(numbers[-1])
        now[0] += 0.1 if len(calls) == 4 else 0.001 * (3 - numbers[-1])

    assert threads.fastest(work, 2) == 2


def test_measurement_of_slow_work_is_one_round(numbers, monkeypatch):
    now, calls = [0.0], []
    monkeypatch.setattr(threads, "time", SimpleNamespace(perf_counter=lambda: now[0]))

    def work():
        calls.append(1)
        now[0] += 10.0

    threads.fastest(work, 4)
    assert len(calls) == 6


def test_numbers_of_threads_are_those_of_the_library():
    code = (
        "import numpy; from training import threads; print(threads.available())\n"
        "with threads.adjustable() as use:\n"
        "    for n in (1, 2, 1): use(n); print(threads.available())\n"
        "print(threads.available())"
    )
    command, environment = [sys.executable, "-c", code], os.environ | {"PYTHONPATH": str(Path(train.__file__).parent)}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=True)
    before, *within, after = ended.stdout.split()
    assert within in (["1", "2", "1"], ["1"] * 3)  # without a library that can be adjusted, always 1
    assert before == after


# ------------------------------------------------------------------------------------------- in a run


@pytest.mark.parametrize(("seconds", "slow"), [
    ([], False), ([9], False), ([2, 2.9], False), ([2, 3.1], True), ([2, 9, 2], False), ([5, 2, 3.5], True),
    ([0.1, 0.5], False), ([0.1, 0.7], True), ([4, 5.5], False),
])  # fmt: skip
def test_slow_epochs(seconds, slow):
    assert threads.is_slow([{"seconds": sum(seconds[: i + 1])} for i in range(len(seconds))]) == slow


def test_number_is_measured_at_the_start_and_after_slow_epochs(run_tiny, numbers, clock, monkeypatch):
    measured = iter([2, 4, 1])
    monkeypatch.setattr(trials.threads, "fastest", lambda *_: next(measured))
    # Each epoch reads the clock before and after it chooses the number, and at its end.
    ends = [2, 4, 9, 11, 16, 18]
    clock.times = [0] + [t for start, end in zip([0, *ends], ends, strict=False) for t in (start, start, end)]
    folder = run_tiny("--epochs", 6).folder
    assert numbers == [2, 2, 2, 4, 4, 1]
    rows = read_metrics(folder)
    assert [int(row["threads"]) for row in rows] == numbers
    assert [float(row["seconds"]) for row in rows] == ends
    options = tg.load(folder / "last.npz").config["options"]
    assert (options["threads"], options["decided"]["threads"]) == ("auto", 2)


def test_time_of_a_measurement_is_not_that_of_the_epoch(run_tiny, numbers, clock):
    clock.times = [0, 0, 100, 101, 101, 102]
    assert [float(row["seconds"]) for row in read_metrics(run_tiny("--epochs", 1).folder)] == [1]


def test_number_is_named_in_the_first_line_and_in_the_configuration(run_tiny, run_train, numbers, monkeypatch):
    monkeypatch.setattr(trials.threads, "fastest", lambda *_: 2)
    result = run_train(*COMPILED)
    assert result.out.splitlines()[0].endswith("; 2 threads; updates are compiled")
    assert "threads: 2\n" in (result.folder / "config.yaml").read_text()
    assert run_tiny("--threads", 3).out.splitlines()[0].endswith("; 3 threads")


def test_given_numbers_and_recorded_ones(run_tiny, run_train, refused, numbers):
    folder = run_tiny("--epochs", 4, "--threads", 3, "--out", "fixed").folder or Path("fixed")
    assert numbers == [3] * 4
    lines = (folder / "metrics.csv").read_text().splitlines()
    names = lines[0].split(",")
    cells = [line.split(",") for line in lines[1:]]
    for row, number in zip(cells, "1422", strict=True):
        row[names.index("threads")] = number
    Path("recorded.csv").write_text("\n".join([lines[0], *map(",".join, cells)]))
    del numbers[:]
    folder = run_tiny("--epochs", 5, "--threads", "recorded.csv", "--out", "again").folder or Path("again")
    assert numbers == [1, 4, 2, 2, 2]
    assert [int(row["threads"]) for row in read_metrics(folder)] == numbers
    Path("other.csv").write_text("a,b\n1,2\n")
    assert refused(run_tiny("--threads", "other.csv"), "--threads cannot be read from other.csv: it does not record")
    Path("wrong.csv").write_text("threads\n0\n")
    assert refused(run_tiny("--threads", "wrong.csv"), "--threads cannot be read from wrong.csv: it does not record")


@pytest.mark.usefixtures("no_clock")
def test_interrupted_epoch_is_continued_with_its_number(run_tiny, run_train, interrupt_after, numbers, monkeypatch):
    measured = iter([2, 4])
    monkeypatch.setattr(trials.threads, "fastest", lambda *_: next(measured))
    interrupt_after(8)
    assert run_tiny("--epochs", 4, "--out", "a").code == 130
    monkeypatch.setattr(threads, "is_slow", lambda history: len(history) == 3)
    assert run_train("--resume", "a", "--quiet").code == 0
    assert numbers == [2, 2, 2, 2, 4]  # the second epoch in two parts
    assert run_train("--resume", "a", "--epochs", 5, "--threads", 3, "--quiet").code == 0
    assert numbers[-1] == 3


def test_measuring_changes_nothing_in_the_run(run_tiny, monkeypatch):
    monkeypatch.setattr(train, "time", SimpleNamespace(monotonic=lambda: 0.0))
    settings = ("--dropout", 0.3, "--shift", 1, "--ema", 0.5, "--epochs", 4)
    assert run_tiny(*settings, "--threads", 1, "--out", "a").code == 0
    calls = []
    monkeypatch.setattr(threads, "available", lambda: 2)
    monkeypatch.setattr(threads, "is_slow", lambda history: True)
    monkeypatch.setattr(
        trials.threads, "fastest", lambda work, limit: ([work() for _ in range(5)] and calls.append(1)) or 1
    )
    assert run_tiny(*settings, "--threads", "auto", "--out", "b").code == 0
    assert len(calls) == 4
    assert content("a") == content("b")


@pytest.mark.slow
def test_run_with_the_recorded_numbers_is_bitwise_the_same(run_program):
    words = combined(*TINY, "--hidden", 300, "--epochs", 4, "--quiet")
    environment = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    Path("r.csv").write_text("threads\n2\n1\n1\n2\n")
    for name, numbers in (("a", "r.csv"), ("b", "a/metrics.csv")):
        ended = run_program("train.py", *words, "--threads", numbers, "--out", name, env=environment)
        assert ended.returncode == 0, ended.stderr
    a, b = (tg.load(f"{name}/last.npz").arrays for name in "ab")
    assert all(np.array_equal(a[key], b[key]) for key in a)
