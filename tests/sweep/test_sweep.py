"""The parameter search as a user would call it: results, interruptions and failures."""

import contextlib
import csv
import json
import os
import pty
import signal
import subprocess
import sys
import termios
from pathlib import Path

import pytest

import evaluate
import train
from training import serve, workers

TINY = ("--dataset", "digits", "--hidden", "8", "--epochs", "2", "--batch-size", "256", "--out", "s")
# Runs that can be held in their second epoch.
LONG = ("--dataset", "digits", "--hidden", "8", "--epochs", "4", "--batch-size", "256", "--workers", "2", "--out", "s")


def words(program, seconds=200):
    """Wait for a program; what it wrote."""
    out, err = program.communicate(timeout=seconds)
    assert "Traceback" not in err + out
    assert "Warning" not in err
    return out, err


# ------------------------------------------------------------------------------------------ from start to end


def test_a_sweep_from_start_to_end(run_sweep, look):
    arguments = (*TINY, "--lr", "0.01", "0.1", "--seed", "0", "1", "--workers", "2")
    result = run_sweep(*arguments)
    assert result.code == 0, result.err
    assert look.endings() == {f"lr-{lr}_seed-{seed}": "finished" for lr in ("0.01", "0.1") for seed in (0, 1)}
    lines = result.err.splitlines()
    assert [line.split()[0] for line in lines] == ["1/4", "2/4", "3/4", "4/4"]
    assert all(line.endswith("left") for line in lines)
    assert {path.name for path in Path("s").iterdir()} == {
        "sweep.json", "runs", "results.csv", "table.md", "curves.png", "axis.png",
    }  # fmt: skip

    with Path("s/results.csv").open(newline="") as file:
        rows = {row["run"]: row for row in csv.DictReader(file)}
    for name, row in rows.items():
        known = json.loads(Path(f"s/runs/{name}/result.json").read_text())
        assert float(row["test_accuracy"]) == known["test_accuracy"]
    accuracies = [100 * float(rows[f"lr-0.1_seed-{seed}"]["test_accuracy"]) for seed in (0, 1)]
    mean, deviation = sum(accuracies) / 2, abs(accuracies[0] - accuracies[1]) / 2**0.5
    assert f"{mean:.2f} ± {deviation:.2f}" in Path("s/table.md").read_text()
    assert Path("s/table.md").read_text() in result.out

    # A run is the same as one of train.py, and can be evaluated as one.
    before = look.stamps()
    assert train.main([*TINY[:-1], "alone", "--lr", "0.1", "--seed", "1", "--quiet"]) == 0
    ours, theirs = (json.loads(Path(p, "result.json").read_text()) for p in ("s/runs/lr-0.1_seed-1", "alone"))
    assert {**ours, "seconds": 0} == {**theirs, "seconds": 0}
    assert evaluate.main(["s/runs/lr-0.1_seed-1/best.npz"]) == 0

    # The same again publishes and nothing else; a further value reuses what is there.
    Path("s/table.md").unlink()
    again = run_sweep(*arguments)
    assert again.code == 0
    assert "4 runs, 4 of them finished before" in again.out
    assert again.err == ""
    assert Path("s/table.md").is_file()
    more = run_sweep(*TINY, "--lr", "0.01", "0.1", "1", "--seed", "0", "1")
    assert "6 runs, 4 of them finished before" in more.out
    assert {name: stamp for name, stamp in look.stamps().items() if name in before} == before


def test_what_fails_and_what_diverges_is_told_and_the_others_go_on(run_sweep, look):
    arguments = (*TINY, "--pixels", "raw", "--loss", "sum", "--workers", "1", "--lr")
    assert run_sweep(*arguments, "1e-6", "1e30").code == 0
    assert look.endings() == {"lr-1e-06": "finished", "lr-1e+30": "diverged"}
    assert "1 diverged" in Path("s/table.md").read_text()
    Path("s/runs/lr-3e-06").mkdir()
    Path("s/runs/lr-3e-06/last.npz").write_bytes(b"no checkpoint")
    result = run_sweep(*arguments, "1e-6", "3e-6", "2e-6")
    assert result.code == 1
    assert result.err.splitlines()[-1].startswith("sweep.py: lr-3e-06 failed: s/runs/lr-3e-06/last.npz")
    assert look.endings()["lr-2e-06"] == "finished"
    assert "1 failed" in Path("s/table.md").read_text()
    Path("s/runs/lr-3e-06/last.npz").unlink()  # which was its only fault
    assert run_sweep(*arguments, "1e-6", "3e-6", "2e-6").code == 0


def test_a_file_of_grids(run_sweep, look):
    Path("study.yaml").write_text("""
common: {dataset: digits, epochs: 1, batch_size: 256, hidden: 8, watch_test: true}
grids:
  - {name: the rate, axes: {lr: [0.1, 1]}, report: {0.1: 0.5}}
  - {name: both, axes: {lr: [0.1, 0.01], l2: [0, 0.1]}, sample: 3}
""")
    assert run_sweep("study.yaml", "--quiet").code == 0
    made = {path.name for path in Path("sweeps/study").iterdir()}
    assert {"the-rate-curves.png", "the-rate-axis.png", "both-curves.png", "both-heat-map.png"} < made
    assert len(look.endings("sweeps/study")) == 5
    assert "## the rate" in Path("sweeps/study/table.md").read_text()


# -------------------------------------------------------------------------------------------- wrong from the start


# fmt: off
WRONG = [
    ((),                                              "no axis: name options with several values"),
    (("--hiden", "3"),                                ("--hiden is no axis of a sweep", "did you mean hidden?")),
    (("--learning-rate", "3"),                        "--learning-rate is no axis"),
    (("--lr=0.1", "--batchsize=3"),                   "did you mean batch_size?"),
    (("--lr", "0.1", "--lr", "0.2"),                  "--lr is given twice"),
    (("--lr", "0.1", "1e-1"),                         "--lr has the value 0.1 twice"),
    (("--lr", "0.1", "-1"),                           "--lr must be a number greater than 0, got '-1'"),
    (("--lr", "0.1", "nan"),                          "--lr must be a number greater than 0"),
    (("--lr",),                                       "--lr: expected at least one argument"),
    (("--hidden", "0"),                               "--hidden must be a whole number of at least 1"),
    (("--hidden", "4,,4"),                            "--hidden must be a whole number of at least 1"),
    (("--nesterov", "maybe"),                         "--nesterov must be true or false, got 'maybe'"),
    (("--schedule", "cosine", "sine"),                "--schedule must be one of"),
    (("--model", "none.yaml"),                        "no model file none.yaml"),
    (("--dataset", "digits", "--freeze", "hiden"),    ("--freeze hiden", "hidden")),
    (("--dataset", "digits", "--validation", "0.9"),  "--validation must be a number of at least 0 and less than 0.9"),
    (("--lr", "1", "--workers", "0"),                 "--workers must be a whole number of at least 1, got '0'"),
    (("--lr", "1", "--sample", "x"),                  "--sample must be a whole number of at least 1, got 'x'"),
    (("none.yaml",),                                  "cannot read the sweep none.yaml"),
    (("none.yaml", "--lr", "1"),                      "none.yaml says what to run"),
]
# fmt: on


@pytest.mark.parametrize(("arguments", "says"), WRONG, ids=[" ".join(row[0]) for row in WRONG])
def test_wrong_from_the_start_is_one_line(refused, arguments, says):
    refused(*arguments, says=says)


def test_folders_that_are_taken(refused, run_sweep, look):
    Path("s").mkdir()
    Path("s/note").write_text("mine")
    refused(*TINY, "--lr", "0.1", "1", says="--out s is not empty and holds no sweep")
    Path("s/note").unlink()
    with serve.alone(Path("s")):
        refused(*TINY, "--lr", "0.1", "1", says="another sweep.py is at work in it")
    Path("s/sweep.json").write_text('{"lr-0.1": {"settings": {"lr": 0.1}, "data": "mnist 0"}}')
    refused(*TINY, "--lr", "0.1", "1", says="s holds a sweep with other settings or data (of lr-0.1)")
    Path("s/sweep.json").write_text("{")
    refused(*TINY, "--lr", "0.1", "1", says="s/sweep.json is damaged")


def test_help_teaches(run_sweep):
    result = run_sweep("--help")
    assert result.code == 0
    for piece in ("--lr ", "learning rate", "--batch-size", "images per update", "--sample N", "dask worker tcp://"):
        assert piece in result.out
    assert max(map(len, result.out.splitlines())) <= 120


# ------------------------------------------------------------------------------------------------- midway


def serving(look, place):
    """The processes that train."""
    pids = []
    for pid in look.processes(place):
        with contextlib.suppress(OSError):
            if b"training.serve" in Path(f"/proc/{pid}/cmdline").read_bytes():
                pids.append(pid)
    return pids


def test_one_blas_thread_whatever_the_environment_says(begin, hold, look, workplace):
    hold.begin("lr-0.01", "lr-0.1")
    program = begin(*LONG, "--lr", "0.01", "0.1", OPENBLAS_NUM_THREADS="8", OMP_NUM_THREADS="8")
    hold.until(2)
    assert len(serving(look, workplace)) == 2
    for pid in serving(look, workplace):
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        assert {name.encode() + b"=1" for name in workers.THREADS} <= set(environment)
    program.send_signal(signal.SIGINT)
    words(program)


def test_threads_are_pinned_where_it_counts():
    code = "import numpy, threadpoolctl; print(max(p['num_threads'] for p in threadpoolctl.threadpool_info()))"
    pinned = os.environ | dict.fromkeys(workers.THREADS, "1")
    assert (
        subprocess.run([sys.executable, "-c", code], env=pinned, capture_output=True, check=True).stdout.strip() == b"1"
    )


@pytest.mark.parametrize("whom", ["group", "parent"])
def test_ctrl_c_saves_and_the_same_command_goes_on(begin, hold, look, workplace, whom):
    arguments = (*LONG, "--lr", "0.01", "0.03", "0.1", "0.3")
    drawing = {"DRAW": "1"} if whom == "parent" else {}
    hold.begin("lr-0.03", "lr-0.1", "lr-0.3")
    program = begin(*arguments, **drawing)
    hold.until(2)
    assert len(look.begun()) == 2
    (os.killpg if whom == "group" else os.kill)(program.pid, signal.SIGINT)
    out, err = words(program)
    assert program.returncode == 130
    done = look.endings()
    assert done == {"lr-0.01": "finished"}
    assert err.splitlines()[-1] == (
        f"sweep.py: stopped with {len(done)} of 4 runs finished; the same command goes on from there"
    )
    assert "missing" in Path("s/table.md").read_text()
    assert not Path("s/stop").exists()
    assert not look.processes(workplace)
    assert Path("s/curves.png").exists() == bool(drawing)
    before, states = look.stamps(), {f.name: len((f / "metrics.csv").read_text()) for f in look.begun()}
    assert len(states) == 2

    hold.release()
    program = begin(*arguments, **drawing)
    out, err = words(program)
    assert program.returncode == 0
    assert f"{len(done)} of them finished before" in out
    assert len(look.endings()) == 4
    assert {name: look.stamps()[name] for name in before} == before
    for name, length in states.items():
        metrics = Path(f"s/runs/{name}/metrics.csv").read_text()
        assert len(metrics) >= length
        assert [line.split(",")[0] for line in metrics.splitlines()[1:]] == ["1", "2", "3", "4"]


def test_ctrl_c_twice_leaves_at_once(begin, until, look, workplace):
    program = begin(*LONG[:5], "100000", "--lr", "0.01", "0.1", "--out", "s")
    until(look.begun)
    for pid in serving(look, workplace):
        os.kill(pid, signal.SIGSTOP)  # they do not hear the first one
    program.send_signal(signal.SIGINT)
    until(Path("s/stop").exists)
    program.send_signal(signal.SIGINT)
    _, err = words(program)
    assert program.returncode == 130
    assert err.splitlines()[-1] == "sweep.py: stopped at once"
    until(lambda: not look.processes(workplace))


@pytest.mark.parametrize("whom", ["all", "parent"])
def test_a_sweep_that_is_killed_goes_on_from_its_checkpoints(begin, until, hold, look, workplace, whom):
    arguments = (*LONG, "--lr", "0.01", "0.03", "0.1", "--seed", "0")
    hold.begin("lr-0.03", "lr-0.1")
    program = begin(*arguments)
    hold.until(2)
    assert look.endings().keys() == {"lr-0.01"}
    for pid in look.processes(workplace) if whom == "all" else [program.pid]:
        os.kill(pid, signal.SIGKILL)
    program.communicate(timeout=200)
    until(lambda: not look.processes(workplace))  # nobody trains for a sweep that is gone
    before = look.stamps()
    seconds = {f.name: (f / "metrics.csv").read_text().splitlines()[1] for f in look.begun()}
    assert len(seconds) == 2
    hold.release()
    program = begin(*arguments)
    words(program)
    assert program.returncode == 0
    assert set(look.endings().values()) == {"finished"}
    assert {name: look.stamps()[name] for name in before} == before
    for name, row in seconds.items():  # down to its duration, the first epoch is the one that was made before the kill
        assert Path(f"s/runs/{name}/metrics.csv").read_text().splitlines()[1] == row


def test_a_worker_that_is_killed_is_replaced(begin, hold, look, workplace):
    hold.begin("lr-0.01_seed-0", "lr-0.01_seed-1")
    program = begin(*LONG, "--lr", "0.01", "0.03", "0.1", "--seed", "0", "1")
    hold.until(2)
    os.kill(serving(look, workplace)[0], signal.SIGKILL)
    hold.release()
    _, err = words(program)
    assert program.returncode == 0
    assert sorted(look.endings().values()) == ["finished"] * 6
    assert len({line.split()[1] for line in err.splitlines()}) == len(err.splitlines()) == 6  # none twice


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


def test_a_run_that_kills_its_worker_fails_and_no_other_one(begin, look, workplace):
    program = begin(*TINY, "--lr", "7", "0.1", "0.2", "--workers", "2", customize=KILLER)
    _, err = words(program)
    assert program.returncode == 1
    assert err.splitlines()[-1] == "sweep.py: lr-7 failed: its process died 3 times (killed by SIGKILL)"
    assert look.endings() == {"lr-0.1": "finished", "lr-0.2": "finished"}
    assert sorted(Path("attempts").read_text().split()) == ["0.1", "0.2", "7.0", "7.0", "7.0"]


def test_a_bar_on_a_terminal(workplace):
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    program = subprocess.Popen(
        [sys.executable, Path(evaluate.__file__).parent / "sweep.py", *TINY, "--lr", "0.1", "0.2"],
        stdout=subprocess.DEVNULL, stderr=theirs, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # the end of a terminal
        while piece := os.read(ours, 1000):
            shown += piece
    os.close(ours)
    assert program.wait(timeout=200) == 0
    assert b"0/2 runs" in shown
    assert b"2/2 runs" in shown
    assert b" left, best " in shown
    pictures = {"curves.png", "weights.png", "confusion.png", "mistakes.png"}
    for name in ("lr-0.1", "lr-0.2"):  # nothing is left out here
        assert pictures == {path.name for path in Path("s/runs", name).glob("*.png")}
    assert {path.name for path in Path("s").glob("*.png")} == {"curves.png", "axis.png"}
