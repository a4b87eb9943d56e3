"""Compiled updates: the results are bitwise those of --eager, also where a run is continued the other way."""

from pathlib import Path

import numpy as np
import pytest

import models
import tensorgrad as tg
from tests.helpers import sampled
from tests.runs import COMPILED, COMPILED_STATEFUL, FOLDER, combined, content
from training import trials

pytestmark = pytest.mark.usefixtures("no_clock")

SETTINGS = {
    "everything": "",
    "plain": "--momentum 0 --dropout 0 --input-dropout 0 --shift 0 --l2 0 --shrink 0 --warmup 0",
    "no Nesterov": "--no-nesterov",
    "sum": "--loss sum --lr 1e-4",
    "three layers": "--hidden 7 5 --input-dropout 0",
    "frozen": "--freeze hidden.weight",
    "adversarial": "--adversarial 0.5",
    "one image at the end": "--batch-size 359 --validation 0",  # of 1437
    "a large batch": "--batch-size 5000 --epochs 8",
}


@pytest.fixture
def compiled(monkeypatch):
    """The compiled functions, in the order in which they were made."""
    made, make = [], tg.compile
    monkeypatch.setattr(tg, "compile", lambda fn: made.append(make(fn)) or made[-1])
    return made


@pytest.mark.usefixtures("without_trials")
@pytest.mark.parametrize("settings", sampled(SETTINGS.values(), 2), ids=SETTINGS)
def test_results_are_the_same_eagerly_and_with_either_half_compiled(run_train, interrupt_after, compiled, settings):
    arguments = combined(*COMPILED_STATEFUL, *settings.split())
    assert run_train(*arguments, "--eager", "--out", "eager").code == 0
    expected = content("eager")
    for folder, options in (("a", ("--eager", "--no-eager")), ("b", ("--no-eager", "--eager"))):
        interrupt_after(4 if "5000" in settings else 8)  # half of the updates
        assert run_train(*arguments, options[0], "--out", folder).code == 130
        assert run_train("--resume", folder, "--quiet", options[1]).code == 0
        assert compiled[-1].source  # which has replayed
        assert content(folder) == expected


def test_updates_are_compiled_by_default_and_that_is_recorded(run_train, compiled):
    folder = run_train(*COMPILED).folder
    assert tg.load(folder / "last.npz").config["options"]["decided"]["compile"] is True
    assert len(compiled) == 2  # of the trial updates, and of the run
    folder = run_train(*COMPILED, "--eager").folder
    assert tg.load(folder / "last.npz").config["options"]["decided"] == {"threads": 1}
    assert len(compiled) == 2


class Counting:
    """A layer that a replay would not repeat: it counts its calls, and returns something else from the third on."""

    def __init__(self):
        self.calls = 0

    def __call__(self, x):
        self.calls += 1
        return x if self.calls < 3 else x * 1.5


def test_network_that_cannot_be_compiled_is_trained_eagerly(run_train, monkeypatch, compiled):
    monkeypatch.setitem(models.LAYERS, "Counting", Counting)
    monkeypatch.setattr(models.files, "TYPES", (*models.files.TYPES, "Counting"))
    layers = [("a", "Counting", {}), ("output", "Linear", {"out_features": 10})]
    Path("m.yaml").write_text(str([{"name": n, "type": t, "params": p} for n, t, p in layers]))
    found = []
    for option in ("--eager", "--no-eager"):
        result = run_train("--dataset", "digits", "--batch-size", 256, "--epochs", 2, "--model", "m.yaml", option)
        assert result.code == 0, result.err
        found.append(content(result.folder))
        decided = tg.load(result.folder / "last.npz").config["options"]["decided"]
        assert decided.get("compile") == (None if option == "--eager" else False)
    assert found[0] == found[1]
    assert len(compiled) == 1  # by the trial updates


def test_trial_updates_find_updates_that_differ_when_they_are_compiled(monkeypatch):
    def prepared(net):
        optimizer = tg.optim.SGD(tg.nn.parameters(net), 0.1)

        def gradient(x, y, rng):
            optimizer.zero_grad()
            tg.cross_entropy(net(x), y).backward()

        return optimizer, None, gradient, optimizer.step

    net = tg.nn.Linear(3, 2, np.random.default_rng(0))
    x = np.random.default_rng(1).random((4, 3), np.float32)
    batches = [(x, np.zeros(4, int)), (x[:1], np.zeros(1, int))]
    before = net.weight.data.copy()
    assert trials.is_exact(prepared, net, batches)
    np.testing.assert_array_equal(net.weight.data, before)
    assert net.weight.grad is None

    def off_by_a_bit(fn):
        return lambda x, y, rng: fn(x * np.float32(1 + 2**-22), y, rng)

    monkeypatch.setattr(tg, "compile", off_by_a_bit)
    assert not trials.is_exact(prepared, net, batches)


@pytest.mark.parametrize("lr", [1e300, 1e30, 1e8])
def test_divergence_while_updates_are_recorded_is_reported_as_in_eager_runs(run_train, lr):
    settings = (*COMPILED, "--lr", lr, "--quiet")
    results = [run_train(*settings, option, "--out", option[2:]) for option in ("--eager", "--no-eager")]
    assert [result.code for result in results] == [1, 1]
    assert results[0].err == results[1].err.replace("no-eager", "eager")


def test_update_that_cannot_be_recorded_after_all_is_one_line(run_train, refused, monkeypatch):
    settings = combined(*COMPILED, "--epochs", 3)
    result = run_train(*settings)
    expected, cross_entropy = content(result.folder), tg.cross_entropy
    with monkeypatch.context() as patch:
        patch.setattr(trials, "decide", lambda *_: {"compile": True})
        patch.setattr(tg, "cross_entropy", lambda x, *y, **z: cross_entropy(x + 0 * float(x.data[0, 0]), *y, **z))
        result = run_train(*settings, "--out", "x")
    assert refused(result, "train.py: error: tg.compile cannot follow float()", "--resume with --eager continues")
    assert run_train("--resume", "x", "--eager").code == 0
    assert content("x") == expected


def test_trial_updates_draw_nothing_from_the_generator_of_the_run(run_train, monkeypatch):
    for name in ("with", "without"):
        if name == "without":
            monkeypatch.setattr(trials, "decide", lambda *_: {"compile": True})
        assert run_train(*COMPILED_STATEFUL, "--out", name).code == 0
    assert content("with") == content("without")
    assert FOLDER.exists() is False
