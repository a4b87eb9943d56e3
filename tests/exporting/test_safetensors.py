"""Weights in files of safetensors, with PyTorch's names and layout; tests/compare has those that need PyTorch."""

import numpy as np
import pytest

import tensorgrad as tg

numpy_files = pytest.importorskip("safetensors.numpy", reason="needs the extra `export`")

nn = tg.nn


def network(seed=0):
    rng = np.random.default_rng(seed)
    inner = nn.Residual(nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 4, rng)))
    return nn.Sequential({"first": nn.Linear(3, 4, rng), "relu": tg.relu, "block": inner, "out": nn.Linear(4, 2, rng)})


def test_names_and_layout_are_those_of_pytorch(tmp_path):
    net = network()
    tg.export(net, tmp_path / "net.safetensors", metadata={"accuracy": 0.5})
    arrays = numpy_files.load_file(tmp_path / "net.safetensors")
    assert set(arrays) == {
        "first.weight", "first.bias", "block.layer.0.weight", "block.layer.0.bias", "block.layer.0.running_mean",
        "block.layer.0.running_var", "block.layer.0.num_batches_tracked", "block.layer.1.weight", "block.layer.1.bias",
        "out.weight", "out.bias",
    }  # fmt: skip
    np.testing.assert_array_equal(arrays["first.weight"], net.layers["first"].weight.data.T)
    assert arrays["block.layer.0.num_batches_tracked"].shape == ()
    assert "| accuracy | 0.5 |" in (tmp_path / "net.safetensors.md").read_text(encoding="utf-8")


def test_weights_come_back(tmp_path):
    net, other = network(), network(seed=1)
    net.layers["block"].layer.layers[0].running_mean[:] = 0.3
    tg.export(net, tmp_path / "net.safetensors", metadata={"classes": [0, 1]})
    again, metadata = tg.import_model(tmp_path / "net.safetensors", other)
    assert again is other
    assert metadata == {"classes": "[0, 1]"}
    for name, value in nn.state_dict(net).items():
        np.testing.assert_array_equal(nn.state_dict(other)[name], value)


def test_an_attribute_called_layers_keeps_its_name_outside_of_a_sequential(tmp_path):
    model = {"layers": [nn.Linear(2, 2, np.random.default_rng(0), bias=False)], "w": tg.Tensor(np.eye(2))}
    tg.export(model, tmp_path / "m.safetensors")
    assert set(numpy_files.load_file(tmp_path / "m.safetensors")) == {"layers.0.weight", "w"}


def test_errors(tmp_path):
    net, path = network(), tmp_path / "net.safetensors"
    tg.export(net, path)
    with pytest.raises(tg.ExportError, match="pass the model"):
        tg.import_model(path)
    with pytest.raises(tg.CheckpointError, match=r"missing 0\.weight.*unexpected block"):
        tg.import_model(path, nn.Sequential(nn.Linear(3, 4, np.random.default_rng(0))))
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(tg.CheckpointError, match="damaged"):
        tg.import_model(path, net)
    with pytest.raises(FileNotFoundError):
        tg.import_model(tmp_path / "other.safetensors", net)
