"""The page computes each layer, and its gradient, as tensorgrad does."""

import numpy as np
import pytest

import models
import tensorgrad as tg
from tests.page.conftest import ROOT
from training import page
from training.page.description import ELEMENTWISE, LAYERS_OF_PAGES

pytestmark = pytest.mark.page

RUN = """({ layers, pixels, seed }) => {
  const ready = loaded(layers);
  const values = run(ready, { shape: [pixels.length], data: Float64Array.from(pixels) });
  const end = values.at(-1);
  const gradient = pullback(ready, values, { shape: end.shape, data: Float64Array.from(seed) });
  return { logits: [...end.data], gradient: [...gradient.data] };
}"""


def chain(*layers):
    """A list of layers from (type, params) pairs, with a linear layer at the end."""
    entries = [{"name": f"layer{i}", "type": kind, "params": params} for i, (kind, params) in enumerate(layers)]
    return [*entries, {"name": "output", "type": "Linear", "params": {}}]


CONV = ("Conv2d", {"out_channels": 4, "kernel_size": 3})
FLAT = ("Flatten", {})
NETWORKS = {
    **{name: models.read(ROOT / "models" / f"{name}.yaml")[0] for name in ("mlp", "lenet", "cnn")},
    "TwoLayer": [{"name": "network", "type": "TwoLayer", "params": {"hidden": 7, "out_features": 10}}],
    "Conv2d": chain(("Conv2d", {"out_channels": 4, "kernel_size": [3, 2], "stride": [2, 1], "padding": [1, 2],
                                "dilation": [1, 2]}),
                    ("Conv2d", {"out_channels": 6, "kernel_size": 3, "groups": 2, "bias": False}), FLAT),
    "Conv2d same": chain(("Conv2d", {"out_channels": 2, "kernel_size": 4, "padding": "same"}), FLAT),
    "MaxPool2d": chain(CONV, ("MaxPool2d", {"kernel_size": 3, "stride": 2, "padding": 1, "dilation": 2}), FLAT),
    "AvgPool2d": chain(CONV, ("AvgPool2d", {"kernel_size": [3, 2], "stride": 2, "padding": 1}), FLAT),
    "AdaptiveAvgPool2d": chain(CONV, ("AdaptiveAvgPool2d", {"output_size": [2, 1]}), FLAT),
    "BatchNorm1d": chain(("Linear", {"out_features": 9}), ("BatchNorm1d", {}), ("Tanh", {})),
    "BatchNorm2d": chain(CONV, ("BatchNorm2d", {"affine": False}), ("Tanh", {}), FLAT),
    "LayerNorm": chain(("Linear", {"out_features": 9}), ("LayerNorm", {}), ("Tanh", {})),
    "LayerNorm without weights": chain(("LayerNorm", {"elementwise_affine": False})),
    "GroupNorm": chain(CONV, ("GroupNorm", {"num_groups": 2}), ("Tanh", {}), FLAT),
    "Reshape": chain(("Reshape", {"shape": [2, -1, 7]}), ("Conv2d", {"out_channels": 3, "kernel_size": 2}), FLAT),
    "Residual": chain(("Linear", {"out_features": 8}), ("Residual", {
        "layer": [{"name": "a", "type": "Linear", "params": {"out_features": 5}}, {"name": "b", "type": "Tanh"}],
        "shortcut": [{"name": "a", "type": "Linear", "params": {"out_features": 5}}]}),
        ("Residual", {"layer": [{"name": "a", "type": "Tanh"}]})),
    "Sequential": chain(("Sequential", {"layers": [{"name": "a", "type": "Linear", "params": {"out_features": 5}},
                                                   {"name": "b", "type": "ReLU"}]}), ("Dropout", {"p": 0.5})),
    **{name: chain(("Linear", {"out_features": 30}), (name, {})) for name in ELEMENTWISE},
    "options": chain(("Linear", {"out_features": 30}), ("LeakyReLU", {"negative_slope": 0.3}), ("ELU", {"alpha": 0.5}),
                     ("CELU", {"alpha": 0.7}), ("Hardtanh", {"min_val": -0.2, "max_val": 0.4}),
                     ("GELU", {"approximate": "tanh"})),
}  # fmt: skip


def representable(network, rng, standard=False):
    """Set all parameters to numbers that the page's half precision represents, and statistics to others."""
    for parameter in tg.nn.parameters(network).values():
        values = rng.integers(-32, 33, parameter.shape) / 64
        values.flat[0] = 0.5
        parameter.data[...] = values
    for name, buffer in tg.nn.buffers(network).items():
        if "running" in name:
            buffer[...] = name.endswith("var") if standard else rng.random(buffer.shape) + 0.5


def test_all_layers_of_pages_are_tested():
    assert {entry["type"] for entries in NETWORKS.values() for entry in entries} == {*LAYERS_OF_PAGES}


@pytest.mark.parametrize("name", NETWORKS)
def test_logits_and_gradients_are_those_of_python(digit_page, name):
    rng = np.random.default_rng(0)
    shape = (28, 28) if name in ("lenet", "cnn") else (14, 14)
    network = models.build(NETWORKS[name], shape, 10, rng)
    representable(network, rng, standard=name == "cnn")  # a rounded statistic could switch a ReLU
    pixels = tg.Tensor(rng.standard_normal((1, shape[0] * shape[1])).astype(np.float32), requires_grad=True)
    seed = rng.standard_normal(10).astype(np.float32)
    with tg.nn.eval(network):
        logits = network(pixels)
        gradient = tg.grad(logits, pixels, seed[None])
    layers = page.describe(network, (pixels.size,), name)
    found = digit_page.evaluate(
        RUN, {"layers": layers, "pixels": pixels.data[0].tolist(), "seed": seed.tolist()}
    )  # fmt: skip
    error = 2e-3 if "Norm" in name else 2e-5  # statistics are rounded to half precision
    for one, other in ((found["logits"], logits.data[0]), (found["gradient"], gradient[0])):
        np.testing.assert_allclose(one, other, rtol=0, atol=error * np.abs(other).max())
