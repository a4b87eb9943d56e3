"""Exported weights in PyTorch's modules: ``load_state_dict(strict=True)`` takes them, and the outputs are the same."""

from collections import OrderedDict

import numpy as np
import pytest

import tensorgrad as tg
from compare.both import torch

pytestmark = pytest.mark.compare
files = pytest.importorskip("safetensors.torch")

nn, tnn = tg.nn, torch.nn
RNG = np.random.default_rng(0)


class Pair(tnn.Module):
    """PyTorch's counterpart of a `Residual`."""

    def __init__(self, layer, shortcut):
        super().__init__()
        self.layer, self.shortcut = layer, shortcut

    def forward(self, x):
        return self.layer(x) + self.shortcut(x)


NETWORKS = {
    "mlp": (
        nn.Sequential({"hidden": nn.Linear(6, 5, RNG), "relu": tg.relu, "out": nn.Linear(5, 3, RNG, bias=False)}),
        tnn.Sequential(OrderedDict(hidden=tnn.Linear(6, 5), relu=tnn.ReLU(), out=tnn.Linear(5, 3, bias=False))),
        (4, 6),
    ),
    "cnn": (
        nn.Sequential(
            nn.Conv2d(2, 4, 3, RNG), nn.BatchNorm2d(4), tg.relu, nn.ConvTranspose2d(4, 2, 2, RNG), nn.Flatten()
        ),
        tnn.Sequential(
            tnn.Conv2d(2, 4, 3), tnn.BatchNorm2d(4), tnn.ReLU(), tnn.ConvTranspose2d(4, 2, 2), tnn.Flatten()
        ),
        (3, 2, 6, 5),
    ),
    "residual": (
        nn.Residual(nn.Sequential(nn.LayerNorm(6), nn.Linear(6, 6, RNG)), nn.Linear(6, 6, RNG)),
        Pair(tnn.Sequential(tnn.LayerNorm(6), tnn.Linear(6, 6)), tnn.Linear(6, 6)),
        (4, 6),
    ),
    "lstm": (
        nn.LSTM(6, 3, RNG, num_layers=2, bidirectional=True),
        tnn.LSTM(6, 3, num_layers=2, bidirectional=True),
        (5, 2, 6),
    ),
    "attention": (nn.MultiheadAttention(6, 2, RNG), tnn.MultiheadAttention(6, 2), (5, 2, 6)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_pytorch_takes_the_weights(tmp_path, name):
    ours, theirs, shape = NETWORKS[name]
    for key, value in nn.state_dict(ours).items():
        value[...] = np.abs(np.random.default_rng(len(key)).normal(0.5, 1, value.shape))
        nn.load_state_dict(ours, {**nn.state_dict(ours), key: value})
    tg.export(ours, tmp_path / "net.safetensors")
    theirs.load_state_dict(files.load_file(tmp_path / "net.safetensors"), strict=True)
    theirs.eval()
    x = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    inputs = 3 if name == "attention" else 1
    with nn.eval(ours):
        found = ours(*[x] * inputs)
    expected = theirs(*[torch.as_tensor(x)] * inputs)
    found, expected = (y[0] if isinstance(y, tuple) else y for y in (found, expected))
    np.testing.assert_allclose(found.data, expected.detach().numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_of_pytorch_are_read(tmp_path, name):
    ours, theirs, _ = NETWORKS[name]
    files.save_file(theirs.state_dict(), tmp_path / "net.safetensors")
    tg.import_model(tmp_path / "net.safetensors", ours)
    tg.export(ours, tmp_path / "again.safetensors")
    again = files.load_file(tmp_path / "again.safetensors")
    assert again.keys() == theirs.state_dict().keys()
    assert all(torch.equal(value, again[key]) for key, value in theirs.state_dict().items())


def test_memory_is_shared_with_pytorch():
    t = tg.Tensor(np.arange(3.0))
    torch.from_dlpack(t)[0] = 5
    assert t.data[0] == 5
    assert np.array_equal(tg.Tensor(np.from_dlpack(torch.arange(3))).data, [0, 1, 2])
    with pytest.raises(tg.GradientLostError):
        torch.from_dlpack(tg.Tensor([1.0], requires_grad=True))
