"""Networks from files and classes of users: trained, interrupted, resumed, evaluated, and swept."""

import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest

import models
import sweep
import tensorgrad as tg
from tests.runs import called, read_metrics, weights

CNN = """
- {name: conv, type: Conv2d, params: {out_channels: 4, kernel_size: 3, init: he}}
- {name: norm, type: BatchNorm2d}
- {name: relu, type: ReLU}
- {name: block, type: Residual, params: {layer: [{name: conv, type: Conv2d,
                                                  params: {out_channels: 4, kernel_size: 3, padding: 1}}]}}
- {name: pool, type: MaxPool2d, params: {kernel_size: 2}}
- {name: flat, type: Flatten}
- {name: drop, type: Dropout, params: {p: 0.2}}
- {name: output, type: Linear}
"""
NET = """
import numpy as np
import tensorgrad as tg

class Net:
    def __init__(self, shape, classes, rng):
        self.conv, self.norm = tg.nn.Conv2d(shape[0], 4, 3, rng), tg.nn.BatchNorm2d(4)
        self.drop, self.out = tg.nn.Dropout(0.2), tg.nn.Linear(144, classes, rng)

    def __call__(self, x, rng=None):
        return self.out(self.drop(np.reshape(tg.relu(self.norm(self.conv(x))), (len(x), -1)), rng))
"""
COMPILED = shlex.split("--dataset digits --epochs 2 --batch-size 256 --lr 0.05 --quiet --model")
SETTINGS = ["--eager", *COMPILED]


CNN_BY_DEFAULT = pytest.mark.parametrize(
    "model", ["cnn.yaml", pytest.param("net.py:Net", marks=pytest.mark.slow)], indirect=True
)


@pytest.fixture(params=["cnn.yaml", "net.py:Net"])
def model(request):
    """The value of ``--model`` for two networks with convolutions, batch normalization and dropout."""
    Path("cnn.yaml").write_text(CNN)
    Path("net.py").write_text(NET)
    return request.param


@pytest.mark.usefixtures("no_clock", "without_trials")
def test_run_is_resumed_bitwise_and_evaluated(model, run_train, run_evaluate, interrupt_after):
    assert run_train(*COMPILED, model, "--out", "run").code == 0
    shutil.move("run", "whole")
    interrupt_after(8)
    assert run_train(*COMPILED, model, "--out", "run").code == 130
    result = run_train("--resume", "run", "--quiet")
    assert result.code == 0, result.err
    for name in ("last.npz", "best.npz", "metrics.csv"):
        assert Path("run", name).read_bytes() == Path("whole", name).read_bytes()
    assert float(read_metrics("run")[-1]["val_accuracy"]) > 0.3
    buffers = [name for name in weights("run") if name.endswith(("running_mean", "running_var", "batches_tracked"))]
    assert len(buffers) == 3
    assert weights("run")["layers.norm.num_batches_tracked"] == 12
    result = run_evaluate("run/best.npz")
    assert (result.code, result.err) == (0, "")
    assert "accuracy" in result.out


@CNN_BY_DEFAULT
def test_penalty_and_freezing_reach_filters(model, run_train):
    settings = (*SETTINGS, model)
    name = "layers.conv.weight"
    for penalty in (0, 0.5):
        assert run_train(*settings, "--l2", penalty, "--out", f"penalty {penalty}").code == 0
    plain, penalized = (np.linalg.norm(weights(f"penalty {penalty}")[name]) for penalty in (0, 0.5))
    assert penalized < 0.9 * plain
    assert run_train(*settings, "--freeze", "conv", "--out", "run").code == 0
    before, after = (weights("run", file)[name] for file in ("last.npz", "best.npz"))
    np.testing.assert_array_equal(before, after)


def test_summary_is_printed_with_shapes(model, run_train):
    words = [word for word in SETTINGS if word != "--quiet"]
    out = run_train(*words, model).out
    for piece in ("Conv2d(1, 4, kernel_size=3)", "(1, 4, 6, 6)", "BatchNorm2d(4)", "(1, 10)", "parameters"):
        assert piece in out


@CNN_BY_DEFAULT
def test_pictures_show_the_filters(model, run_train, unrendered):
    assert run_train(*SETTINGS, model, "--out", "run", pictures=True).code == 0
    assert {path.name for path in Path("run").glob("*.png")} == {"curves.png", "confusion.png", "mistakes.png",
                                                               "weights.png"}  # fmt: skip


def test_run_and_checkpoint_say_which_class_they_need(run_train, run_evaluate, refused, interrupt_after):
    Path("net.py").write_text(NET)
    interrupt_after(8)
    assert run_train(*SETTINGS, "net.py:Net", "--out", "run").code == 130
    (entry,) = tg.load("run/last.npz").config["options"]["layers"]
    assert entry == models.user_class.entries("net.py:Net")[0]
    Path("net.py").write_text(NET.replace("0.2", "0.3"))
    assert refused(run_train("--resume", "run"), "net.py:Net: its network is the class Net of", "has changed since")
    assert refused(run_evaluate("run/best.npz"), "run/best.npz: its network is the class Net of", "has changed since")
    Path("net.py").unlink()
    assert refused(run_train("--resume", "run"), "which is not there: put the file back, or into this folder")
    Path("net.py").write_text(NET)
    assert run_train("--resume", "run").code == 0
    assert run_evaluate("run/best.npz").code == 0


def test_class_is_found_from_another_folder(run_train, run_evaluate, interrupt_after, monkeypatch):
    Path("net.py").write_text(NET)
    interrupt_after(8)
    assert run_train(*SETTINGS, "net.py:Net", "--out", "run").code == 130
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    assert run_train("--resume", "../run").code == 0
    assert run_evaluate("../run/best.npz").code == 0


@pytest.mark.parametrize("option", [("--hidden", 3), ("--dropout", 0.1), ("--init", "he")])
def test_options_of_lists_cannot_be_combined_with_a_class(run_train, refused, option):
    Path("net.py").write_text(NET)
    assert refused(run_train(*SETTINGS, "net.py:Net", *option), option[0], "cannot be combined", "net.py:Net")
    assert not Path("runs").exists()


def test_folder_of_a_run_is_named_after_the_class(run_train):
    Path("net.py").write_text(NET)
    result = run_train(*SETTINGS, "net.py:Net")
    assert result.folder.name == "digits-net-Net-seed0"


def test_sweep_over_files_and_classes(capsys, undrawn, unrendered, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", undrawn["PYTHONPATH"])  # the runs draw no pictures
    Path("cnn.yaml").write_text(CNN)
    Path("net.py").write_text(NET)
    result = called(capsys, sweep.main, shlex.split(
        "--dataset digits --epochs 1 --batch-size 512 --model cnn.yaml net.py:Net --workers 1 --out s --quiet"
    ))  # fmt: skip
    names = ["model-cnn.yaml", "model-net.py-Net"]
    says = f"the pictures of {', '.join(names)} could not be drawn; the same command draws them"
    assert (result.code, result.err) == (1, f"sweep.py: {says}\n")
    assert sorted(path.name for path in Path("s/runs").iterdir()) == names
