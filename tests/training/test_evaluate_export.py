"""evaluate.py --export: the file computes the logits of the network, and says what is known about it."""

import json

import numpy as np
import pytest

import evaluate
import tensorgrad as tg
from tests.runs import new_network, weights
from training import images

onnxruntime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")
pytest.importorskip("safetensors", reason="needs the extra `export`")


def logits(file, x):
    session = onnxruntime.InferenceSession(file)
    return session.run(None, {"input": x})[0], session.get_modelmeta().custom_metadata_map


def test_network_of_a_run(trained, run_evaluate):
    data = tg.data.load("digits")
    result = run_evaluate(trained / "best.npz", "--export", "net.onnx")
    assert (result.code, result.err) == (0, "")
    assert result.out == "net.onnx, and its model card net.onnx.md\n"
    x = images.rows(data.test_images, 1 / data.brightest)
    found, about = logits("net.onnx", x)
    network = new_network(trained)
    tg.nn.load_state_dict(network, weights(trained, "best.npz"))
    np.testing.assert_allclose(found, images.predict(network, data.test_images, 1 / data.brightest), atol=1e-5)
    recorded = json.loads((trained / "result.json").read_text())
    assert about["test accuracy"] == f"{recorded['test_accuracy']:.2%}"
    assert about["validation accuracy"] == f"{recorded['val_accuracy']:.2%}"
    assert about["input normalisation"].startswith("pixel values divided by 16;")
    assert about["data set"] == "digits"
    assert json.loads(about["classes"]) == [str(i) for i in range(10)]


CLASS = """
import numpy as np, tensorgrad as tg
class Net:
    def __init__(self, shape, classes, rng):
        self.output = tg.nn.Linear(64, classes, rng)
    def __call__(self, x):
        return self.output(np.reshape(x, (len(x), 64)))
"""
ENTRIES = """
- {name: conv, type: Conv2d, params: {out_channels: 2, kernel_size: 3}}
- {name: slope, type: LeakyReLU, params: {negative_slope: 0.2}}
- {name: flatten, type: Flatten}
- {name: sequence, type: Reshape, params: {shape: [12, 6]}}
- {name: lstm, type: LSTM, params: {hidden_size: 4}}
- {name: attention, type: MultiheadAttention, params: {num_heads: 2}}
- {name: flat, type: Flatten}
- {name: output, type: Linear}
"""


def test_list_of_layers_and_class_of_a_user(run_train, run_evaluate, refused, workplace):
    (workplace / "net.yaml").write_text(ENTRIES)
    (workplace / "net.py").write_text(CLASS)
    data = tg.data.load("digits")
    x = images.rows(data.test_images[:20], 1 / data.brightest)
    short = ("--dataset", "digits", "--epochs", 1, "--quiet")
    assert run_train(*short, "--model", "net.yaml", "--out", "a").code == 0
    assert run_evaluate("a/best.npz", "--export", "a.onnx").code == 0
    network, *_ = evaluate.restore("a/best.npz")
    np.testing.assert_allclose(logits("a.onnx", x)[0], network(x).data, atol=1e-5)

    assert run_train(*short, "--model", "net.py:Net", "--out", "b").code == 0
    assert refused(run_evaluate("b/best.npz", "--export", "b.onnx"), "Net cannot be exported to ONNX")
    assert run_evaluate("b/best.npz", "--export", "b.safetensors").code == 0
    from safetensors.numpy import load_file

    assert set(load_file("b.safetensors")) == {"output.weight", "output.bias"}
    assert refused(run_evaluate("b/best.npz", "--export", "b.pt"), "the ending of b.pt must be")
