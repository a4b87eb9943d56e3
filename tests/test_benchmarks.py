"""The benchmarks run, with and without PyTorch, and check the results that they compare. No test asserts a time."""

import csv
import gc
import importlib
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.helpers import sampled

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
RUNS = {
    "step": ["--rounds", "1", "--batch", "4", "--allocator", "default"],
    "ops": ["--rounds", "1"],
    "ops --gc": ["--gc"],
    "optimizers": ["--rounds", "1", "--steps", "1"],
    "networks": ["--seconds", "0.001", "--allocator", "default", "gelu", "3x3, 14x14", "step"],
    "functions": ["--rounds", "1", "--calls", "1"],
    "compiling": ["--rounds", "1", "batch 16", "CNN", "LSTM", "chain"],
    "importing": ["--rounds", "1"],
    "classifier": ["--dataset", "digits", "--epochs", "1", "--rounds", "1", "--hidden", "4"],
    "memory": None,  # takes no arguments
}
SMALLER = {  # smaller values for constants that determine the time
    "step": {"IMAGES": 100, "WIDTHS": (12, 8, 10)},
    "networks": {"ROUNDS": 1, "SMALL": 32, "BATCH": 2, "CONTEXT": 4, "WIDTH": 8, "UNITS": 4, "STEPS": 3},
    "compiling": {"CHAIN": 4, "BATCH": 2, "TEXTS": 1},
    "memory": {"LAYERS": 16, "UNITS": 4, "BATCH": 8, "ROUNDS": 1},
}


@pytest.fixture
def program(monkeypatch):
    """Import a benchmark as if run as a program, and remove it after the test."""
    modules = [path.stem for path in BENCHMARKS.glob("*.py")]
    for name in modules:
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])
    monkeypatch.setattr(os, "environ", os.environ.copy())
    monkeypatch.setattr(
        gc, "unfreeze", lambda: None
    )  # conftest.py freezes all tests; unfreezing would slow every later collection
    monkeypatch.setattr(gc, "collect", lambda: 0)
    yield importlib.import_module
    for name in modules:
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("run", "torch"),
    [
        # scikit-learn's imports fail where PyTorch is None, as here, in place of missing
        *((run, "without") for run in RUNS if run != "classifier"),
        *(pytest.param(run, "with PyTorch", marks=pytest.mark.compare) for run in RUNS),
    ],
)
def test_prints_its_table(run, torch, program, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "jax", None)
    if torch == "without":
        monkeypatch.setitem(sys.modules, "torch", None)
    else:
        pytest.importorskip("torch")
    name = run.split()[0]
    module = program(name)
    for constant, value in SMALLER.get(name, {}).items():
        monkeypatch.setattr(module, constant, value)
    assert module.main(*([] if RUNS[run] is None else [RUNS[run]])) == 0
    printed = capsys.readouterr().out
    if name == "memory":
        assert "parts of 4" in printed
        return
    assert "NumPy " + np.__version__ in printed
    assert ("PyTorch not installed" in printed) == (torch == "without")
    rows = [line for line in printed.splitlines() if line.startswith("|")]
    if name == "networks" and torch == "without":  # there is nothing to compare with
        assert not rows
        return
    assert len(rows) > 3
    assert len({row.count("|") for row in rows}) == 1


@pytest.mark.parametrize(
    ("contender", "package"),
    [
        ("sklearn", "sklearn.neural_network"),
        *(pytest.param(name, "torch", marks=pytest.mark.compare) for name in ("torch", "torch-warps")),
    ],
)
def test_frontier_prints_a_row_for_each_number_of_epochs(contender, package, program, capsys, monkeypatch):
    pytest.importorskip(package)
    frontier = program("frontier")
    digits = frontier.tg.data.digits()
    monkeypatch.setattr(frontier.tg.data, "load", lambda _: digits)
    assert frontier.main([contender, "--epochs", "1", "12"]) == 0
    first, second = csv.reader(capsys.readouterr().out.splitlines())
    assert first[0].endswith(", 1 epochs")
    assert second[:2] == [first[0].replace("1 epochs", "12 epochs"), "0"]
    assert int(second[3]) < min(int(first[3]), 36)  # of 360


@pytest.mark.parametrize(("change", "found"), [("output", "tuned: losses"), ("decay", "tuned: weights")])
def test_a_contender_with_other_results_is_found(change, found, program):
    step, contender, contenders = program("step"), program("contender"), program("contenders")
    task = contender.random_task(*contender.random_images(100, 12, 10), 4, (12, 8, 10))
    wrong = contenders.TunedNumPy(task)
    if change == "output":
        wrong.params[2] *= 2
    else:
        wrong.decay = 0
    with pytest.raises(AssertionError, match=found):
        step.check({"plain": contenders.PlainNumPy(task), "tuned": wrong})


@pytest.fixture
def compare(program, monkeypatch):
    """The program `compare.py` at a small size; this process is not pinned to a core."""
    compare = program("compare")
    monkeypatch.setattr(compare, "WIDTHS", [12, 8, 10])
    monkeypatch.setattr(compare, "BATCHES", [4])
    monkeypatch.setattr(compare, "QUICK", compare.Size(100, 2, 1e-4, {"hidden layers": [1, 2], "batch": [4]}))
    monkeypatch.setitem(compare.RECIPES, "digits", compare.Recipe(0.7, 32, 32, 0.3))
    monkeypatch.setattr(os, "sched_setaffinity", lambda *_: None, raising=False)
    return compare


@pytest.fixture
def pool(compare):
    """Tuned and plain NumPy, prepared for a small task."""
    with compare.Pool({}, compare.Results()) as pool:
        for name in ("tuned NumPy", "plain NumPy"):
            pool.start(name)
        pool.request_all("prepare", 60, images=100, batch=4, widths=compare.WIDTHS, keep_memory=False)
        yield pool
    assert not pool.processes or all(process.process.poll() is not None for process in pool.processes.values())


def test_libraries_are_compared_in_processes(compare, program, monkeypatch, capsys, tmp_path):
    report, other_libraries = program("compare_report"), program("other_libraries")
    monkeypatch.setattr(other_libraries.ScikitLearn, "needs", "a_package_that_is_not_there")
    page, saved = tmp_path / "page.md", tmp_path / "saved.json"
    page.write_text(f"before\n{report.BEGIN}\nthe last section\n{report.END}\nafter\n", encoding="utf-8")
    chosen = ["--only", "tensorgrad", "plain", "scikit"]
    assert compare.main(["--quick", *chosen, "--write", str(page), "--save", str(saved)]) == 0
    printed = capsys.readouterr().out
    detailed = {"tuned NumPy", "tensorgrad", "tensorgrad, compiled"}
    everyone = detailed | {f"tensorgrad, compiled, {how}" for how in ("exact=False", "NumPy alone")} | {"plain NumPy"}
    for table, names in (("a step, µs", everyone), ("hidden layers", detailed), ("from a cold start", everyone)):
        rows = printed[printed.index(f"| {table} ") :].split("\n\n")[0].splitlines()[2:]
        assert {row.split("|")[1].strip().removesuffix(", µs") for row in rows if row.startswith("|")} == names
    assert "not measured: scikit-learn: scikit-learn is not installed" in printed
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"before\n{report.BEGIN}\n")
    assert text.endswith(f"{report.END}\nafter\n")
    assert "the last section" not in text
    for picture in ("compare.png", "cost.png"):
        assert f"images/{picture}" in text
        assert (tmp_path / "images" / picture).read_bytes().startswith(b"\x89PNG")
    assert compare.main(["--load", str(saved)]) == 0
    assert capsys.readouterr().out == printed


@pytest.mark.parametrize("problem", sampled(["error", "end", "other weights", "no answer"], 2))
def test_the_others_go_on_without_a_contender(problem, compare, pool):
    plain = pool.processes["plain NumPy"]
    if problem == "error":
        pool.request("plain NumPy", "prepare", 60, images=100, batch=4, widths=["many"], keep_memory=False)
    elif problem == "end":
        plain.process.kill()
    elif problem == "no answer":
        pool.request("plain NumPy", "time_step", 0.05, seconds=100)
    else:
        plain.request("time_step", 60, seconds=0.01)
        plain.request("time_step", 60, seconds=0.01)
        pool.check(compare.WIDTHS)
    times = pool.rounds(2, 1e-4)
    assert list(times) == ["tuned NumPy"]
    assert len(times["tuned NumPy"]) == 2
    reason = {
        "error": "plain NumPy: Type",
        "end": "ended with code ",
        "no answer": "no answer to 'time_step' within 0.05 s",
    }
    (line,) = pool.results.failed
    assert reason.get(problem, problem) in line
    assert plain.process.poll() is not None


def test_nothing_is_compared_without_the_one_that_ratios_refer_to(compare, pool):
    pool.processes["tuned NumPy"].process.kill()
    with pytest.raises(compare.ContenderError, match="which ratios refer to: ended with code "):
        pool.rounds(1, 1e-4)


@pytest.mark.compare
@pytest.mark.parametrize(
    "name", ["PyTorch", "torch.compile", "jax.jit", "MyGrad", "HIPS autograd", "scikit-learn", "tinygrad"]
)
def test_weights_of_other_libraries_are_those_of_tuned_numpy(name, compare, program):
    if reason := program("contenders").CONTENDERS[name][0].missing():
        pytest.skip(reason)
    with compare.Pool(program("measuring").limits(1), compare.Results()) as pool:
        pool.start(compare.BASE)
        pool.start(name)
        widths = [12, 8, 6, 10]
        pool.request_all("prepare", 240, images=500, batch=8, widths=widths, keep_memory=False)
        pool.check(widths)
        assert not pool.results.failed


def test_a_page_without_markers_is_refused_at_once(compare, tmp_path, capsys):
    (tmp_path / "page.md").write_text("text", encoding="utf-8")
    for page in ("page.md", "none.md"):
        with pytest.raises(SystemExit):
            compare.main(["--write", str(tmp_path / page)])
        assert page in capsys.readouterr().err


def test_ratios_are_computed_within_each_round(program):
    measuring = program("measuring")
    ours, base = np.array([2.0, 20.0, 4.0]), np.array([1.0, 10.0, 1.0])
    assert measuring.ratio(ours, base) == 2
    assert measuring.spread(ours, base) == "2.00 (2.00 to 3.00)"
    assert measuring.spread(base, base) == "1"


def test_the_order_rotates_from_round_to_round(program):
    calls = []
    seconds = program("measuring").interleave({name: lambda name=name: calls.append(name) for name in "abc"}, 3)
    assert "".join(calls) == "aabbcc" + "bbccaa" + "ccaabb"  # the first of two warms up
    assert {name: len(values) for name, values in seconds.items()} == dict.fromkeys("abc", 3)


def test_threads_and_other_kernels_cause_warnings(program, monkeypatch, capsys):
    measuring = program("measuring")
    monkeypatch.setitem(sys.modules, "torch", None)
    os.environ.update(OPENBLAS_CORETYPE="Haswell", OMP_NUM_THREADS="2", OPENBLAS_NUM_THREADS="1")
    measuring.header()
    printed = capsys.readouterr().out
    assert "WARNING: OMP_NUM_THREADS should be 1" in printed
    assert "WARNING: OPENBLAS_CORETYPE=Haswell" in printed
