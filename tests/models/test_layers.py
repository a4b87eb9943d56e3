"""The entries of a list: each type with its shapes and parameters, and what is said of those that do not fit."""

import numpy as np
import pytest

import models
import tensorgrad as tg
from models.layers import ACTIVATIONS, LAYERS, parameters
from tensorgrad.errors import ConfigError
from tests.helpers import grouped, noted

IMAGES, VECTORS, SEQUENCES = (3, 8, 8), (12,), (7, 6)  # of one example; N comes in front
CONV = [{"name": "c", "type": "Conv2d", "params": {"out_channels": 3, "kernel_size": 3, "padding": 1}}]

# A type: the shape of its input, its parameters, that of its output, and those parameters of the layer that follow from
# the shape, or None; then the shape of an input that it does not take, and what is said of it.
GOOD = [
    ("Linear", VECTORS, {"out_features": 5}, (5,), {"weight": (12, 5), "bias": (5,)}),
    ("Linear", SEQUENCES, {"out_features": 5, "in_features": 6, "bias": False}, (7, 5), {"weight": (6, 5)}),
    ("TwoLayer", VECTORS, {"hidden": 4, "out_features": 5}, (5,), None),
    ("Conv1d", SEQUENCES, {"out_channels": 4, "kernel_size": 3}, (4, 4), {"weight": (4, 7, 3), "bias": (4,)}),
    ("Conv2d", IMAGES, {"out_channels": 4, "kernel_size": 3}, (4, 6, 6), {"weight": (4, 3, 3, 3), "bias": (4,)}),
    ("Conv2d", IMAGES, {"out_channels": 6, "kernel_size": [3, 5], "stride": [1, 2], "padding": "valid", "groups": 3,
                        "bias": False, "init": "he"}, (6, 6, 2), {"weight": (6, 1, 3, 5)}),
    ("Conv2d", IMAGES, {"out_channels": 2, "kernel_size": 3, "padding": "same", "padding_mode": "reflect"}, (2, 8, 8),
     None),
    ("ConvTranspose1d", SEQUENCES, {"out_channels": 4, "kernel_size": 2, "stride": 2}, (4, 12), {"weight": (7, 4, 2),
                                                                                            "bias": (4,)}),
    ("ConvTranspose2d", IMAGES, {"out_channels": 4, "kernel_size": 2, "stride": 2}, (4, 16, 16), None),
    ("MaxPool1d", SEQUENCES, {"kernel_size": 2}, (7, 3), {}),
    ("AvgPool1d", SEQUENCES, {"kernel_size": 3, "stride": 1}, (7, 4), {}),
    ("AdaptiveAvgPool1d", SEQUENCES, {"output_size": 2}, (7, 2), {}),
    ("MaxPool2d", IMAGES, {"kernel_size": 3, "stride": 2, "padding": 1}, (3, 4, 4), {}),
    ("MaxPool2d", IMAGES, {"kernel_size": [2, 4], "ceil_mode": True}, (3, 4, 2), {}),
    ("AvgPool2d", IMAGES, {"kernel_size": 2, "count_include_pad": False}, (3, 4, 4), {}),
    ("AdaptiveAvgPool2d", IMAGES, {"output_size": 1}, (3, 1, 1), {}),
    ("AdaptiveAvgPool2d", IMAGES, {"output_size": [2, None]}, (3, 2, 8), {}),
    ("BatchNorm1d", VECTORS, {}, (12,), {"weight": (12,), "bias": (12,)}),
    ("BatchNorm1d", SEQUENCES, {"affine": False}, (7, 6), {}),
    ("BatchNorm2d", IMAGES, {"momentum": None, "eps": 1e-3}, (3, 8, 8), {"weight": (3,), "bias": (3,)}),
    ("GroupNorm", IMAGES, {"num_groups": 3}, (3, 8, 8), {"weight": (3,), "bias": (3,)}),
    ("LayerNorm", SEQUENCES, {}, (7, 6), {"weight": (6,), "bias": (6,)}),
    ("LayerNorm", IMAGES, {"normalized_shape": [8, 8], "bias": False}, (3, 8, 8), {"weight": (8, 8)}),
    ("RMSNorm", VECTORS, {"eps": None}, (12,), {"weight": (12,)}),
    ("Dropout", IMAGES, {"p": 0.1}, (3, 8, 8), {}),
    ("Flatten", IMAGES, {}, (192,), {}),
    ("Flatten", IMAGES, {"start_dim": 2}, (3, 64), {}),
    ("Reshape", IMAGES, {"shape": [24, -1]}, (24, 8), {}),
    ("Upsample", IMAGES, {"scale_factor": 2, "mode": "bilinear"}, (3, 16, 16), {}),
    ("LSTM", SEQUENCES, {"hidden_size": 4}, (7, 4), None),
    ("GRU", SEQUENCES, {"hidden_size": 4, "num_layers": 2, "bidirectional": True, "dropout": 0.1}, (7, 8), None),
    ("MultiheadAttention", SEQUENCES, {"num_heads": 2}, (7, 6), None),
    ("Residual", IMAGES, {"layer": CONV}, (3, 8, 8), {"layer.layers.c.weight": (3, 3, 3, 3),
                                                       "layer.layers.c.bias": (3,)}),
    ("Residual", IMAGES, {"layer": CONV, "shortcut": CONV}, (3, 8, 8), None),
    ("Sequential", IMAGES, {"layers": CONV}, (3, 8, 8), {"layers.c.weight": (3, 3, 3, 3), "layers.c.bias": (3,)}),
    ("GLU", VECTORS, {"axis": 1}, (6,), {}),
    ("LeakyReLU", IMAGES, {"negative_slope": 0.2}, (3, 8, 8), {}),
    *((name, VECTORS, {}, (6,) if name == "GLU" else (12,), {}) for name in ACTIVATIONS),
]  # fmt: skip


def built(kind, shape, params):
    """The layer of an entry, behind the checks of a whole list."""
    return models.network._layers(
        models.files.check([{"name": "a", "type": kind, "params": params}], "net.yaml"), shape,
        np.random.default_rng(0), "net.yaml",
    )  # fmt: skip


def test_every_layer_is_a_type_and_every_type_is_tested():
    public = {name for name in tg.nn.__all__ if isinstance(getattr(tg.nn, name), type)}
    assert public - LAYERS.keys() == {"Embedding", "Mode", "Summary"}
    assert {kind for kind, *_ in GOOD} == LAYERS.keys()


@pytest.mark.parametrize(("kind", "shape", "params", "out", "named"), GOOD, ids=lambda value: str(value)[:30])
def test_layer_has_the_shapes_of_its_entry(kind, shape, params, out, named):
    layers, found = built(kind, shape, params)
    assert found == out
    layer, x = layers["a"], np.random.default_rng(1).random((4, *shape), np.float32)
    with tg.nn.eval(layer):
        result = layer(x)
    assert result.shape == (4, *out)
    if named is not None:
        assert {name: p.shape for name, p in tg.nn.parameters(layer).items()} == named
    assert all(p.dtype == np.float32 for p in tg.nn.parameters(layer).values())
    assert "object at" not in repr(tg.nn.Sequential(layers))


# The type, the shape of the input, the parameters, and a piece of the message.
BAD = [
    *((kind, shape, {**params, "no_such": 1}, f"{kind} has no parameter 'no_such'; valid: ")
      for kind, shape, params, *_ in GOOD),
    *((kind, shape, {**params, name: value}, f"{name} must be ")
      for kind, shape, params, *_ in GOOD for name, p in parameters(kind).items()
      for value in [{"a": 1}, 7 if p.annotation in ("bool", "bool | None", "str") else True]
      if name not in ("layer", "layers", "shortcut")),
    ("Conv2d", VECTORS, {"out_channels": 2, "kernel_size": 3}, "takes x of shape (N, 12, H, W), got (2, 12)"),
    ("Conv2d", IMAGES, {"out_channels": 2, "kernel_size": 9}, "kernel"),
    ("Conv2d", IMAGES, {"out_channels": 2}, "Conv2d needs the parameter 'kernel_size'"),
    ("Conv2d", IMAGES, {"out_channels": 0, "kernel_size": 3}, "out_channels must be an integer of at least 1, got 0"),
    ("Conv2d", IMAGES, {"in_channels": 1, "out_channels": 2, "kernel_size": 3}, "in_channels is 1, but must be 3 here"),
    ("Conv2d", IMAGES, {"out_channels": 4, "kernel_size": 3, "groups": 2}, "divisible by groups 2"),
    ("Conv2d", IMAGES, {"out_channels": 4, "kernel_size": 3, "padding_mode": "odd"}, "padding_mode"),
    ("Conv2d", IMAGES, {"out_channels": 4, "kernel_size": 3, "stride": 0}, "stride"),
    ("Conv2d", IMAGES, {"out_channels": 4, "kernel_size": [3, 3, 3]}, "kernel_size"),
    ("Conv2d", IMAGES, {"out_channels": 4, "kernel_size": 3, "padding": 10**6}, "(its input has shape (N, 3, 8, 8))"),
    ("Conv1d", IMAGES, {"out_channels": 2, "kernel_size": 3}, "takes x of shape (N, 3, L), got (2, 3, 8, 8)"),
    ("ConvTranspose2d", SEQUENCES, {"out_channels": 2, "kernel_size": 3}, "takes x of shape (N, 7, H, W)"),
    ("MaxPool2d", VECTORS, {"kernel_size": 2}, "MaxPool2d(2) takes x of shape (N, C, H, W), got (2, 12)"),
    ("MaxPool2d", IMAGES, {"kernel_size": 9}, "9"),
    ("AvgPool2d", SEQUENCES, {"kernel_size": 2}, "takes x of shape (N, C, H, W)"),
    ("AdaptiveAvgPool2d", VECTORS, {"output_size": 2}, "takes x of shape (N, C, H, W)"),
    ("BatchNorm2d", VECTORS, {}, "takes x of shape (N, 12, H, W)"),
    ("BatchNorm1d", IMAGES, {}, "takes x of shape (N, 3"),
    ("GroupNorm", IMAGES, {"num_groups": 2}, "num_channels 3 of GroupNorm must be divisible by num_groups 2"),
    ("LayerNorm", IMAGES, {}, "LayerNorm needs the parameter 'normalized_shape'"),
    ("LayerNorm", IMAGES, {"normalized_shape": [3, 8]}, "takes x of shape (..., 3, 8)"),
    ("LSTM", VECTORS, {"hidden_size": 3}, "takes x of shape (N, T, 12), got (2, 12)"),
    ("MultiheadAttention", SEQUENCES, {"num_heads": 4}, "divisible by num_heads 4"),
    ("Reshape", IMAGES, {"shape": 100}, "cannot reshape"),
    ("Reshape", IMAGES, {"shape": []}, "shape must be a number, or a list of numbers, got []"),
    ("Flatten", VECTORS, {"start_dim": 3}, "takes x with axes 3 to -1"),
    ("GLU", (5,), {}, "(its input has shape (N, 5))"),
    ("Residual", IMAGES, {"layer": [{"name": "f", "type": "Flatten"}]}, "they must agree"),
    ("Residual", IMAGES, {"layer": [{"name": "f", "type": "Linear"}]}, "layer: entry 1 ('f'): Linear needs the param"),
    ("Residual", IMAGES, {"layer": [{"name": "f", "type": "Liner"}]}, "layer: entry 1 ('f'): unknown type 'Liner'"),
    ("Residual", IMAGES, {"layer": []}, "layer must be a list of layers"),
    ("Residual", IMAGES, {"layer": "relu"}, "layer must be a list of layers (name, type"),
    ("Residual", IMAGES, {"layer": [{"name": "r", "type": "Recipe"}]}, "layer must be a list of layers, got a Recipe"),
    ("Residual", IMAGES, {}, "Residual needs the parameter 'layer'"),
    ("Dropout", IMAGES, {"p": float("nan")}, "p must be a number, got nan"),
]  # fmt: skip


BAD_BY_KIND = grouped(BAD, lambda row: row[0])


@pytest.mark.parametrize("kind", BAD_BY_KIND)
def test_entry_that_does_not_fit_is_reported_with_file_name_and_reason(kind):
    for _, shape, params, message in BAD_BY_KIND[kind]:
        with noted(f"{params} for inputs of shape {shape}"):
            with pytest.raises(ConfigError) as raised:
                built(kind, shape, params)
            said = str(raised.value)
            assert said.startswith("net.yaml: entry 1 ('a')")
            assert message in said
    assert "\n" not in said


def test_lists_that_grow_by_aliases_are_refused_at_once():
    inner = CONV
    for _ in range(30):
        inner = [{"name": "r", "type": "Residual", "params": {"layer": inner, "shortcut": inner}}]
    with pytest.raises(ConfigError, match="more than 10,000 entries, or 20 lists in each other"):
        models.files.check(inner, "net.yaml")
    wide = [{"name": f"s{i}", "type": "Sequential", "params": {"layers": CONV}} for i in range(200)]
    with pytest.raises(ConfigError, match="more than 10,000 entries"):
        models.files.check(
            [{"name": f"w{i}", "type": "Sequential", "params": {"layers": wide}} for i in range(200)], "x"
        )


def test_message_names_the_shape_there():
    layers = [*CONV, {"name": "flat", "type": "Flatten"}, {"name": "pool", "type": "MaxPool2d",
                                                           "params": {"kernel_size": 2}}]  # fmt: skip
    with pytest.raises(ConfigError, match=r"net.yaml: entry 3 \('pool'\): .*\(its input has shape \(N, 192\)\)"):
        models.build(layers, (8, 8), 10, np.random.default_rng(0), "net.yaml")


def entry(kind, name=None, **params):
    return {"name": name or kind.lower(), "type": kind, "params": params}


# Lists that start from images, and lists that start from rows of pixels; the shape of the first layer's input.
STARTS = [
    ([entry("Linear", out_features=10)], (64,)),
    ([entry("Dropout"), entry("ReLU"), entry("Linear", out_features=10)], (64,)),
    ([entry("LayerNorm"), entry("Linear")], (64,)),
    ([entry("TwoLayer", hidden=3, out_features=10)], (64,)),
    ([entry("Residual", layer=[entry("Linear", out_features=64)]), entry("Flatten"), entry("Linear")], (64,)),
    ([entry("Flatten"), entry("Linear")], (1, 8, 8)),
    ([entry("ReLU"), *CONV, entry("Flatten"), entry("Linear")], (1, 8, 8)),
    ([entry("Residual", layer=[entry("Conv2d", out_channels=1, kernel_size=1)]), entry("Flatten"), entry("Linear")],
     (1, 8, 8)),
    ([entry("Reshape", shape=[8, 8]), entry("LSTM", hidden_size=5), entry("Flatten"), entry("Linear")], (1, 8, 8)),
]  # fmt: skip


@pytest.mark.parametrize(("layers", "shape"), STARTS, ids=[" ".join(e["type"] for e in layers) for layers, _ in STARTS])
def test_network_takes_rows_of_pixels_whatever_its_layers_take(layers, shape):
    network = models.build(layers, (8, 8), 10, np.random.default_rng(0))
    assert ("images" in network.layers) == (len(shape) == 3)
    x = np.random.default_rng(1).random((5, 64), np.float32)
    with tg.nn.eval(network):
        logits = network(x)
        np.testing.assert_array_equal(network(x.reshape(5, *shape)).data, logits.data)
    assert logits.shape == (5, 10)


def test_outputs_of_the_last_linear_layer_are_the_classes():
    layers = [entry("Linear", "hidden", out_features=5), entry("Linear", "output")]
    for classes in (10, 47):
        assert models.build(layers, 64, classes, np.random.default_rng(0))(np.ones((1, 64))).shape == (1, classes)
    assert layers[1]["params"] == {}
    with pytest.raises(ConfigError, match=r"the last layer has outputs of shape \(N, 3, 8, 8\), but .* 10 classes"):
        models.build(CONV, (8, 8), 10, np.random.default_rng(0))


def test_the_same_seed_gives_the_same_weights_whatever_is_inferred():
    layers = [entry("Linear", "a", out_features=30), entry("ReLU"), entry("Linear", "b", out_features=10)]
    network = models.build(layers, 64, 10, np.random.default_rng(3))
    rng = np.random.default_rng(3)
    expected = [tg.nn.he(rng, 64, 30).astype(np.float32), tg.nn.he(rng, 30, 10).astype(np.float32)]
    for weight, name in zip(expected, ("layers.a.weight", "layers.b.weight"), strict=True):
        np.testing.assert_array_equal(tg.nn.parameters(network)[name].data, weight)


def test_name_of_the_first_layer_does_not_meet_another():
    layers = [entry("Flatten", "images"), entry("Linear", "images0")]
    network = models.build(layers, (8, 8), 10, np.random.default_rng(0))
    assert list(network.layers) == ["images1", "images", "images0"]
    assert network(np.ones((2, 64), np.float32)).shape == (2, 10)


def test_network_can_be_compiled():
    layers = [*CONV, entry("BatchNorm2d"), entry("ReLU"), entry("Flatten"), entry("Linear")]
    x, y = np.random.default_rng(1).random((6, 64), np.float32), np.arange(6)
    losses = []
    for wrap in (tg.compile, lambda function: function):
        network = models.build(layers, (8, 8), 10, np.random.default_rng(0))
        optimizer = tg.optim.SGD(tg.nn.parameters(network), 0.1)

        def update(network=network, optimizer=optimizer):
            loss = tg.cross_entropy(network(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss.data

        step = wrap(update)
        losses.append([float(step()) for _ in range(4)])
    assert losses[0] == losses[1]


def test_states_of_batch_normalization_are_not_changed_by_building():
    network = models.build([*CONV, entry("BatchNorm2d"), entry("Flatten"), entry("Linear")], (8, 8), 10,
                           np.random.default_rng(0))  # fmt: skip
    norm = network.layers["batchnorm2d"]
    assert norm.training
    assert norm.num_batches_tracked == 0


VALUES = [0, 1, 2, 5, -1, 2.5, 1e300, True, False, None, "same", "he", "", [], [2, 3], [None, 2], [1, 2, 3], {"a": 1},
          10**30, float("nan"), "bilinear", "reflect"]  # fmt: skip


def random_entry(rng, name, depth=0):
    """An entry of a random type, with random values for some of its parameters."""
    kind = str(rng.choice(list(LAYERS)))
    params = {}
    for key, parameter in parameters(kind).items():
        if key in ("layer", "layers", "shortcut"):
            if depth < 2:
                params[key] = [random_entry(rng, f"l{i}", depth + 1) for i in range(rng.integers(0, 3))]
        elif rng.random() < (0.9 if parameter.default is parameter.empty else 0.3):
            params[key] = VALUES[rng.integers(len(VALUES))] if rng.random() < 0.4 else int(rng.integers(1, 5))
    return {"name": name, "type": kind, "params": params}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_random_lists_are_networks_or_one_line(seed):
    rng = np.random.default_rng(seed)
    said = []
    for _ in range(50):
        layers = [random_entry(rng, f"l{i}") for i in range(rng.integers(1, 3))]
        layers += [entry("Flatten", "flatten"), entry("Linear", "output")]
        try:
            network = models.build(layers, (8, 8), 10, rng, "net.yaml")
        except ConfigError as error:
            said.append(str(error))
        else:
            with tg.nn.eval(network):
                assert network(np.ones((2, 64), np.float32)).shape == (2, 10)
    assert 0 < len(said) < 50
    assert all(text.startswith("net.yaml: ") and "\n" not in text for text in said), said
