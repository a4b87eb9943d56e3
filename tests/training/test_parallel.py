"""Training by several processes: ``mpirun -n 2 python train.py``. Skipped where there is no mpirun, or no mpi4py."""

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.errors import ConfigError
from tests import runs
from tests.runs import combined, content, read_metrics, weights
from training import parallel, startup

PROJECT = Path(parallel.__file__).resolve().parents[1]
MPIRUN = shutil.which("mpirun", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
WHY = "no mpirun: of a package of the system, or of the extra mpi" if MPIRUN is None else "mpi4py is not installed"
needs_mpi = pytest.mark.skipif(MPIRUN is None or not importlib.util.find_spec("mpi4py"), reason=WHY)

PLAIN = (*runs.COMPILED, "--dropout", "0", "--lr", "0.3")
LAST_ARE_FEW = ("--batch-size", "188", "--validation", "0.0838")  # 1317 = 7 * 188 + 1: one image for two processes

# A program like train.py, with additions: in each process, `rank` is its number.
PROGRAM = """
import os, signal, sys
sys.path.insert(0, {project!r})
rank = int(os.environ.get("PMI_RANK", os.environ.get("OMPI_COMM_WORLD_RANK", "0")))
import train
from training import parallel, startup
train.draw = lambda *_: True
{additions}
sys.exit(train.main())
"""
WRITE_STATE = """
def state(o, data, network, *others, original=train.train):
    result = original(o, data, network, *others)
    arrays = {**train.tg.nn.parameters(network), **train.tg.nn.buffers(network)}
    with open(f"state-{rank}", "wb") as file:
        for value in arrays.values():
            file.write(getattr(value, "data", value).tobytes())
    return result
train.train = state
"""
NO_CLOCK = "import types; train.time = types.SimpleNamespace(monotonic=lambda: 0.0)\n"


def at_update(number, rank, action):
    return f"""
updates = []
def counted(self, *given, original=train.Display.batch):
    updates.append(1)
    if rank == {rank} and len(updates) == {number}:
        {action}
    return original(self, *given)
train.Display.batch = counted
"""


@pytest.fixture
def begin(workplace):
    """``begin(arguments..., count=2, additions="")``: start the program in so many processes, which are ended."""
    programs = []

    def start(*arguments, count=2, additions=""):
        path = Path(f"program-{len(programs)}.py")
        path.write_text(PROGRAM.format(project=str(PROJECT), additions=additions))
        allowed = {
            "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OPENBLAS_NUM_THREADS": "1",
            "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe", "OMPI_MCA_rmaps_base_oversubscribe": "1",
        }  # fmt: skip
        launcher = [MPIRUN, "-n", str(count)] if count > 1 else []
        programs.append(subprocess.Popen(
            [*launcher, sys.executable, path, *map(str, arguments)], text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | allowed,
        ))  # fmt: skip
        return programs[-1]

    yield start
    for program in programs:
        if program.poll() is None:
            program.kill()  # the processes end with it
            program.communicate(timeout=60)


@pytest.fixture
def run_together(begin):
    """The same, and wait for the end; returns the exit code, and the output without that of mpirun itself."""

    def run(*arguments, **settings):
        program = begin(*arguments, **settings)
        out, err = program.communicate(timeout=200)
        return SimpleNamespace(code=program.returncode, out=out, err=err, lines=of_program(err))

    return run


def of_program(err):
    """The lines on standard error that train.py wrote."""
    return [line for line in err.splitlines() if line.startswith("train.py:") or "Traceback" in line]


# --------------------------------------------------------------------------------------- parts of a batch, without MPI


def member(rank, size, total):
    """One of several processes, without a connection."""
    made = object.__new__(parallel.SeveralProcesses)
    made.rank, made.size = rank, size
    made._factor = np.ones((), np.float32)
    made.begin(total)
    return made


@pytest.mark.parametrize(("size", "count"), [(1, 5), (2, 8), (2, 1), (3, 128), (4, 5), (4, 3), (7, 7)])
def test_parts_are_the_whole_batch_once_and_none_is_empty(size, count):
    images, weights = [], []
    for rank in range(size):
        one = member(rank, size, count)
        mine = np.arange(count)[one.part(count)]
        assert len(mine) >= 1
        weights.append(one._weight)
        images += mine.tolist() if weights[-1] else []
    assert sorted(images) == list(range(count))
    assert sum(weights) == pytest.approx(1, abs=1e-12)


def test_processes_drop_different_units_and_each_update_again():
    drawn = [member(rank, size, 8).generator(3, update).random() for rank, size, update in
             [(0, 2, 0), (1, 2, 0), (0, 2, 1), (0, 3, 0)]]  # fmt: skip
    assert len(set(drawn)) == 4
    assert drawn[0] == member(0, 2, 8).generator(3, 0).random()


@pytest.mark.parametrize(("settings", "says"), [
    ({"teachers": ["a.yaml"]}, "--teachers"), ({"batch_size": 1}, "the number of processes, 2"),
    ({"decided": {}}, "with 1 process, .* continue it with python train.py"),
    ({"decided": {"processes": 3}}, "with 3 processes, .* continue it with mpirun -n 3 python train.py"),
])  # fmt: skip
def test_what_several_processes_cannot_train_is_refused(settings, says):
    good = {"teachers": [], "batch_size": 2, "decided": {"processes": 2}}
    member(0, 2, 8).check(SimpleNamespace(**good))
    with pytest.raises(ConfigError, match=says):
        member(0, 2, 8).check(SimpleNamespace(**good | settings))


@pytest.mark.parametrize(("given", "expected"), [
    ({}, (0, 1)), ({"PMI_RANK": "1", "PMI_SIZE": "4"}, (1, 4)), ({"PMI_RANK": "1"}, (0, 1)),
    ({"OMPI_COMM_WORLD_RANK": "2", "OMPI_COMM_WORLD_SIZE": "3"}, (2, 3)),
])  # fmt: skip
def test_the_environment_says_how_many_processes_there_are(monkeypatch, given, expected):
    for names in startup.RANKS_AND_SIZES:
        for name in names:
            monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert startup.rank_and_size() == expected


@pytest.mark.parametrize(("rank", "lines"), [(0, 1), (1, 0)])
def test_without_mpi4py_one_process_says_what_to_install(run_train, monkeypatch, rank, lines, workplace):
    monkeypatch.setenv("PMI_RANK", str(rank))
    monkeypatch.setenv("PMI_SIZE", "2")
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    result = run_train(*PLAIN)
    assert result.code == 2
    assert len(result.err.splitlines()) == lines
    assert lines == 0 or 'needs mpi4py: python -m pip install -e ".[mpi]"' in result.err
    assert not Path("runs").exists()


# ------------------------------------------------------------------------------------------------ with MPI

# fmt: off
SETTINGS = {
    "momentum":       ("--schedule", "cosine", "--l2", "0.01"),
    "sum and l2":     ("--loss", "sum", "--lr", "0.001", "--l2", "3", "--clip", "5"),
    "a pair, or one": ("--loss", "sum", "--lr", "0.01", "--batch-size", "2", "--validation", "0.8895", "--epochs", "1",
                       "--schedule", "constant"),
    "shifts and ema": ("--shift", "1", "--ema", "0.9", "--optimizer", "adam", "--lr", "0.01", "--watch-test"),
    "warps":          ("--augment", "affine,elastic"),
    "a last image":   LAST_ARE_FEW,
}
# fmt: on


@needs_mpi
@pytest.mark.parametrize("name", [
    name if name in ("momentum", "a pair, or one") else pytest.param(name, marks=pytest.mark.slow) for name in SETTINGS
])  # fmt: skip
def test_two_processes_train_as_one_does(run_together, run_train, without_trials, name):
    arguments = combined(*PLAIN, *SETTINGS[name])
    assert run_train(*arguments, "--out", "one").code == 0
    result = run_together(*arguments, "--out", "two", additions=WRITE_STATE)
    assert (result.code, result.lines) == (0, [])
    assert Path("state-0").read_bytes() == Path("state-1").read_bytes()  # bit by bit
    one, two = weights("one"), weights("two")
    assert one.keys() == two.keys()
    for key in one:
        np.testing.assert_allclose(two[key], one[key], rtol=1e-3, atol=2e-5)
    for row, other in zip(read_metrics("one"), read_metrics("two"), strict=True):
        for column in ("updates", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "test_accuracy", "lr"):
            assert float(other[column]) == pytest.approx(float(row[column]), rel=2e-3, abs=1e-6, nan_ok=True), column
    assert result.out.count("test accuracy") == 1
    assert "2 processes with 1 thread; updates are compiled" in result.out
    assert len([line for line in result.err.splitlines() if line.startswith("epoch ")]) == len(read_metrics("one"))


NORMALIZED = """
- {type: Linear, name: hidden, params: {in_features: 64, out_features: 8}}
- {type: BatchNorm1d, name: norm, params: {num_features: 8}}
- {type: ReLU, name: relu}
- {type: Dropout, name: dropout, params: {p: 0.3}}
- {type: Linear, name: output, params: {in_features: 8, out_features: 10}}
"""


@needs_mpi
def test_running_statistics_are_equal_in_all_processes_and_means_are_those_of_the_whole_batch(
    run_together, run_train, without_trials
):
    Path("net.yaml").write_text(NORMALIZED)
    arguments = ("--dataset", "digits", "--model", "net.yaml", "--epochs", "1", "--batch-size", "256", "--lr", "1e-9")
    assert run_train(*arguments, "--out", "one").code == 0
    assert run_together(*arguments, "--out", "two", additions=WRITE_STATE).code == 0
    assert Path("state-0").read_bytes() == Path("state-1").read_bytes()
    one, two = weights("one"), weights("two")
    name = next(key for key in one if key.endswith("running_mean"))
    np.testing.assert_allclose(two[name], one[name], rtol=1e-4, atol=1e-6)


@needs_mpi
def test_interrupted_run_continues_bitwise_and_with_as_many_processes_only(run_together, run_train, interrupt_after):
    arguments = ("--dataset", "digits", "--hidden", "8", "--epochs", "3", "--batch-size", "256", "--dropout", "0.3",
                 "--shift", "1", "--quiet")  # fmt: skip
    assert run_together(*arguments, "--out", "whole", additions=NO_CLOCK).code == 0
    interrupt = at_update(8, 1, "os.kill(os.getpid(), signal.SIGINT)")  # only one of them, in the second epoch
    result = run_together(*arguments, "--out", "stopped", additions=NO_CLOCK + interrupt)
    assert result.code == 130
    assert "interrupted in epoch 2 after 9 updates" in result.out  # the others learn of it with the next one
    assert "Traceback" not in result.err

    refused = run_train("--resume", "stopped")  # one process; three are refused in the same way
    assert refused.code == 2
    (line,) = refused.err.splitlines()
    assert "the run was started with 2 processes" in line
    assert "mpirun -n 2 python train.py --resume" in line
    resumed = run_together("--resume", "stopped", "--quiet", additions=NO_CLOCK)
    assert (resumed.code, resumed.lines) == (0, [])
    assert content("stopped") == content("whole")
    result = json.loads(Path("whole/result.json").read_text())
    assert json.loads(Path("stopped/result.json").read_text()) == result

    interrupt_after(3)
    assert run_train(*PLAIN, "--eager", "--out", "alone").code == 130
    refused = run_together("--resume", "alone")
    assert refused.code == 2
    assert ["python train.py --resume" in line for line in refused.lines] == [True]


@needs_mpi
def test_a_process_that_fails_ends_the_others_with_one_line(run_together):
    result = run_together(*PLAIN, "--out", "run", additions=at_update(4, 1, "raise OSError(28, 'no space')"))
    assert result.code not in (0, None)
    assert result.lines == ["train.py: error: process 1 of 2: [Errno 28] no space"]


@needs_mpi
@pytest.mark.parametrize(("arguments", "says"), [
    ((*PLAIN, "--batch-size", "1"), "the number of processes, 2"),
    pytest.param((*PLAIN, "--lr", "x"), "--lr must be", marks=pytest.mark.slow),
    pytest.param(("--resume", "nowhere"), "there is no run to resume", marks=pytest.mark.slow),
])  # fmt: skip
def test_mistake_is_one_line(run_together, arguments, says):
    result = run_together(*combined(*arguments))
    assert result.code == 2
    (line,) = result.lines
    assert says in line


@needs_mpi
def test_help_is_printed_once(run_together):
    helped = run_together("--help")
    assert (helped.code, helped.out.count("usage: train.py")) == (0, 1)


@needs_mpi
def test_a_process_that_is_killed_ends_the_others(run_together):
    started = time.monotonic()
    result = run_together(*PLAIN, "--out", "run", additions=at_update(4, 1, "os.kill(os.getpid(), signal.SIGKILL)"))
    assert result.code not in (0, None)
    assert not Path("run/result.json").exists()
    assert time.monotonic() - started < parallel.TIMEOUT / 10


@needs_mpi
def test_a_process_that_hangs_is_not_waited_for_forever(run_together):
    # Longer at first, since processes do not start at the same time; those that wait keep their cores busy.
    hangs = "parallel.TIMEOUT = 2.0\n"
    hangs += at_update(4, "rank", "parallel.TIMEOUT = 0.3; train.time.sleep(1000 * rank)")  # in all processes
    result = run_together(*PLAIN, "--out", "run", additions=hangs)
    assert result.code not in (0, None)
    assert result.lines == ["train.py: error: process 0 of 2 has waited for the others for 0.3 s"]


@needs_mpi
def test_ctrl_c_ends_all_processes_and_saves(begin):
    program = begin(*combined(*PLAIN, "--epochs", "100000"), "--out", "run")
    while not program.stderr.readline().startswith("epoch   3/"):
        assert program.poll() is None
    program.send_signal(signal.SIGINT)
    out, err = program.communicate(timeout=200)
    assert program.returncode == 130
    assert out.count("interrupted in epoch") == 1
    assert "Traceback" not in err
    assert err.count("stopping after this update") == 1
    assert tg.load("run/last.npz").config["progress"]["update"] > 18
