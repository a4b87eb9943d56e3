"""Networks from lists of dicts, and the files that hold such lists."""

import re
from pathlib import Path

import numpy as np
import pytest

import models
import tensorgrad as tg
from tensorgrad.errors import ConfigError
from training import options

FOLDER = Path(models.__file__).parent
VALID = "valid: MultiheadAttention, Residual, Sequential, Conv1d, Conv2d"  # and so on
OUTPUT = "- {name: output, type: Linear, params: {out_features: 10}}"


def rng():
    return np.random.default_rng(0)


def shapes(network):
    return {name: p.shape for name, p in tg.nn.parameters(network).items()}


# ------------------------------------------------------------------------------------------------ the files in models/


def test_file_of_the_default_network_is_the_list_of_hidden_400():
    layers, recipe = models.read(FOLDER / "mlp.yaml")
    assert recipe == {}
    assert layers == options.resolve(options.parse(["--hidden", "400"]), "mnist", 10).layers
    assert layers == models.mlp([400], 10, dropout=0.0)


def test_file_of_the_report_contains_its_network_and_recipe():
    o = options.resolve(options.parse(["--model", str(FOLDER / "report.yaml")]), "mnist", 10)
    assert o.layers == models.mlp([400], 10, init="small")
    assert o.hidden == [400]
    expected = {
        "pixels": "raw", "lr": 0.0001, "schedule": "halving", "every": 5000, "batch_size": 16, "shrink": 0.001,
        "momentum": 0, "l2": 0, "shift": 0,
    }  # fmt: skip
    assert {name: getattr(o, name) for name in expected} == expected


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.name)
def test_every_file_is_a_network_with_gradients(path):
    layers, _ = models.read(path)
    network = models.build(layers, (28, 28), 10, rng(), str(path))
    x = rng().random((5, 784), np.float32)
    logits = network(x, rng())
    assert (logits.shape, logits.dtype) == ((5, 10), np.float32)
    np.mean(tg.softmax(logits) ** 2).backward()
    assert all(np.any(p.grad) for p in tg.nn.parameters(network).values())
    size = sum(p.size for p in tg.nn.parameters(network).values())
    others = {"lenet": 61_706, "cnn": 29_290, "teacher": 61_834}
    hidden = 600 if path.stem == "speed" else 1000 if "1000" in path.stem else 800 if "800" in path.stem else 400
    assert size == others.get(path.stem, 784 * hidden + hidden + 10 * hidden + 10)


def test_class_and_list_are_the_same_network():
    x = rng().random((5, 784), np.float32)
    by_class = models.TwoLayer(784, 40, 10, rng())
    by_list = models.build(models.mlp([40], 10), 784, 10, rng())
    np.testing.assert_array_equal(by_class(x).data, by_list(x).data)


# ------------------------------------------------------------------------------------------------ lists


def test_layers_are_created_in_order_with_matching_sizes():
    entries = models.mlp([30, 20], 10, dropout=0.5, input_dropout=0.1, init="glorot")
    assert [entry["name"] for entry in entries] == [
        "input_dropout", "hidden1", "relu1", "dropout1", "hidden2", "relu2", "dropout2", "output"
    ]  # fmt: skip
    network = models.build(entries, 64, 10, rng())
    assert shapes(network) == {
        "layers.hidden1.weight": (64, 30), "layers.hidden1.bias": (30,),
        "layers.hidden2.weight": (30, 20), "layers.hidden2.bias": (20,),
        "layers.output.weight": (20, 10), "layers.output.bias": (10,),
    }  # fmt: skip
    first = tg.nn.parameters(network)["layers.hidden1.weight"].data
    assert np.abs(first).max() <= np.sqrt(6 / 94)


@pytest.mark.parametrize(
    ("kind", "function"),
    [("ReLU", lambda x: np.maximum(x, 0)), ("Tanh", np.tanh), ("Sigmoid", lambda x: 1 / (1 + np.exp(-x))),
     ("Softplus", lambda x: np.log1p(np.exp(x)))],
    ids=["ReLU", "Tanh", "Sigmoid", "Softplus"],
)  # fmt: skip
def test_activations(kind, function):
    network = models.build([{"name": "a", "type": kind}], 6, 6, rng())
    x = np.linspace(-3, 3, 6)
    np.testing.assert_allclose(network(x), function(x), rtol=1e-12)


def test_layer_without_bias():
    params = {"out_features": 10, "bias": False, "in_features": 4, "init": "small"}
    network = models.build([{"name": "a", "type": "Linear", "params": params}], 4, 10, rng())
    assert shapes(network) == {"layers.a.weight": (4, 10)}
    assert np.abs(tg.nn.parameters(network)["layers.a.weight"].data).max() < 0.05


def test_dropout_needs_a_generator():
    network = models.build([{"name": "a", "type": "Dropout", "params": {"p": 0.5}}], 10, 10, rng())
    x = np.ones((100, 10))
    assert np.array_equal(network(x), x)
    assert 0.3 < np.mean(network(x, rng()) == 0) < 0.7


def test_checkpoint_of_another_network_is_refused():
    state = tg.nn.state_dict(models.build(models.mlp([30], 10), 64, 10, rng()))
    with pytest.raises(tg.CheckpointError, match=r"layers.hidden.weight has shape \(64, 30\), expected \(64, 20\)"):
        tg.nn.load_state_dict(models.build(models.mlp([20], 10), 64, 10, rng()), state)


# ------------------------------------------------------------------------------------------------ other sizes


def test_hidden_replaces_the_sizes_of_a_file(tmp_path):
    file = tmp_path / "m.yaml"
    file.write_text(
        "- {name: r, type: Recipe, params: {epochs: 3}}\n"
        "- {name: a, type: Linear, params: {in_features: 64, out_features: 30, bias: false}}\n- {name: t, type: Tanh}\n"
        "- {name: b, type: Linear, params: {in_features: 30, out_features: 20}}\n" + OUTPUT
    )
    o = options.resolve(options.parse(["--model", str(file), "--hidden", "7", "5"]), "digits", 10)
    assert (o.hidden, o.epochs) == ([7, 5], 3)
    network = models.build(o.layers, 64, 10, rng())
    assert shapes(network) == {
        "layers.a.weight": (64, 7), "layers.b.weight": (7, 5), "layers.b.bias": (5,),
        "layers.output.weight": (5, 10), "layers.output.bias": (10,),
    }  # fmt: skip
    assert options.resolve({"model": str(file)}, "digits", 10).hidden == [30, 20]


@pytest.mark.parametrize(
    ("name", "hidden", "has"), [("report", [1, 2], 1), ("mlp", [1, 2, 3], 1), ("two_layer", [1], 0)]
)
def test_number_of_sizes_must_match_the_layers(name, hidden, has):
    layers, _ = models.read(FOLDER / f"{name}.yaml")
    with pytest.raises(
        ConfigError, match=f"some.yaml has {has} hidden Linear layers, but --hidden has {len(hidden)} sizes"
    ):
        models.resize(layers, hidden, "some.yaml")


# ------------------------------------------------------------------------------------------------ mistakes

# The content of a file, and a part of the message, which also names the file.
LINEAR = "- {{name: a, type: Linear, params: {{{}}}}}"
MISTAKES = {
    "empty": ("", "must be a list of layers (name, type, params), got None"),
    "a comment": ("# nothing\n", "must be a list of layers (name, type, params), got None"),
    "a dict": ("name: a", "must be a list of layers (name, type, params), got {'name': 'a'}"),
    "a text": ("Linear", "must be a list of layers (name, type, params), got 'Linear'"),
    "no layer": ("[]", "the list contains no layer"),
    "a recipe alone": ("- {name: r, type: Recipe}", "the list contains no layer"),
    "two recipes": ("- {name: r, type: Recipe}\n- {name: s, type: Recipe}\n" + OUTPUT, "2 entries of type Recipe"),
    "an entry that is a text": ("- Linear", "entry 1 must be a dict with name, type and params, got 'Linear'"),
    "an empty entry": (OUTPUT + "\n- ", "entry 2 must be a dict with name, type and params, got None"),
    "unknown key": ("- {name: a, kind: Linear}", "entry 1: unknown key 'kind'; valid: name, type, params"),
    "no name": ("- {type: ReLU}", "entry 1: name is missing"),
    "a number for a name": ("- {name: 1, type: ReLU}", "entry 1: name must be a text without dots, got 1"),
    "a dot in a name": ("- {name: a.b, type: ReLU}", "entry 1: name must be a text without dots, got 'a.b'"),
    "repeated name": ("- {name: a, type: ReLU}\n- {name: a, type: Tanh}", "entry 2: an earlier entry has the name 'a'"),
    "no type": ("- {name: a}", f"entry 1 ('a'): unknown type None; {VALID}"),
    "unknown type": ("- {name: a, type: XYZ}", f"entry 1 ('a'): unknown type 'XYZ'; {VALID}"),
    "misspelt type": ("- {name: a, type: Conv2D}", "entry 1 ('a'): unknown type 'Conv2D'; did you mean Conv2d?"),
    "integers as inputs": ("- {name: a, type: Embedding}", "the inputs of these networks are pixels"),
    "a list for a type": ("- {name: a, type: [ReLU]}", "entry 1 ('a'): unknown type ['ReLU']; did you mean ReLU?"),
    "a list for params": ("- {name: a, type: ReLU, params: []}", "entry 1: params must be a dict, got []"),
    "unknown parameter": (LINEAR.format("units: 10"),
                          "Linear has no parameter 'units'; valid: in_features, out_features, bias, init"),
    "a number for a parameter": (LINEAR.format("1: 10"), "entry 1 ('a'): Linear has no parameter 1"),
    "no parameters": ("- {name: a, type: ReLU, params: {x: 1}}", "ReLU has no parameter 'x'; valid: none"),
    "missing parameter": (LINEAR.format("bias: true") + "\n" + OUTPUT,
                          "entry 1 ('a'): Linear needs the parameter 'out_features'"),
    "zero features": (LINEAR.format("out_features: 0"), "out_features must be an integer of at least 1, got 0"),
    "a fraction": (LINEAR.format("out_features: 2.5"), "must be an integer of at least 1, got 2.5"),
    "a text for a number": (LINEAR.format("out_features: ten"), "out_features must be an integer"),
    "true for a number": (LINEAR.format("out_features: true"), "out_features must be an integer"),
    "too many features": (LINEAR.format(f"out_features: {10**30}"), "entry 1 ('a')"),
    "wrong in_features": (LINEAR.format("in_features: 784, out_features: 10"),
                          "entry 1 ('a'): in_features is 784, but must be 64 here; it can be left out "
                          "(its input has shape (N, 64))"),
    "unknown init": (LINEAR.format("out_features: 10, init: zeros"), "one of he, glorot, small, pytorch, got 'zeros'"),
    "a list for init": (LINEAR.format("out_features: 10, init: [he]"), "init must be a text, got ['he']"),
    "a text for bias": (LINEAR.format("out_features: 10, bias: none"), "bias must be true or false, got 'none'"),
    "dropout of all": ("- {name: a, type: Dropout, params: {p: 1}}", "dropout probability must be in [0, 1), got 1"),
    "a text for dropout": ("- {name: a, type: Dropout, params: {p: half}}", "p must be a number"),
    "dropout of nan": ("- {name: a, type: Dropout, params: {p: .nan}}", "p must be a number"),
    "wrong final size": (LINEAR.format("out_features: 9"), "last layer has 9 outputs, but the data set has 10 classes"),
    "not YAML": ("- {name: a", "is not YAML"),
    "a tab": ("- name: a\n\ttype: ReLU", "is not YAML"),
    "a Python object": ("- !!python/object/apply:os.getcwd []", "is not YAML"),
    "an impossible date": ("- 2001-99-99", "is not YAML"),
    "a control character": ("- \x07", "is not YAML"),
    "too deep": ("[" * 1200, "is not YAML"),
    "not UTF-8": (b"\xff\xfe\x00", "cannot read the model file"),
}  # fmt: skip


def huge():
    """A nested list that stands for 10**12 numbers, as aliases in YAML make them."""
    value = [1] * 10
    for _ in range(11):
        value = [value] * 10
    return value


PLACES = {
    "entry": lambda value: value, "name": lambda value: {"name": value, "type": "ReLU"},
    "type": lambda value: {"name": "x", "type": value},
    "params": lambda value: {"name": "x", "type": "ReLU", "params": value},
    "feature": lambda value: {"name": "x", "type": "Linear", "params": {"out_features": value}},
    "size": lambda value: {"name": "x", "type": "Conv2d", "params": {"out_channels": 3, "kernel_size": value}},
    "layers": lambda value: {"name": "x", "type": "Residual", "params": {"layer": value}},
    "file": lambda value: {"name": "x", "type": "Class", "params": {"file": value}},
}  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_message_does_not_write_out_a_huge_value(place):
    with pytest.raises(ConfigError) as raised:
        models.build([PLACES[place](huge())], (8, 8), 10, rng())
    assert len(str(raised.value)) < 1000


@pytest.mark.parametrize("value", ["[[1]]", "[{a: 1}]", "{a: 1}"])
def test_values_of_a_recipe_are_not_nested(tmp_path, value):
    file = tmp_path / "net.yaml"
    file.write_text(f"- {{name: r, type: Recipe, params: {{lr: {value}}}}}\n{OUTPUT}")
    with pytest.raises(ConfigError, match=r"Recipe: lr must be a number greater than 0, got"):
        options.resolve({"model": str(file)}, "digits", 10)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_is_reported_with_file_and_entry(tmp_path, mistake):
    content, message = MISTAKES[mistake]
    file = tmp_path / "net.yaml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError) as raised:
        models.build(models.read(file)[0], 64, 10, rng(), str(file))
    assert str(file) in str(raised.value)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_message_for_a_missing_file_names_existing_ones(tmp_path):
    with pytest.raises(ConfigError, match=r"no model file .*nets\.yaml$"):
        models.read(tmp_path / "nets.yaml")
    (tmp_path / "net.yaml").write_text(OUTPUT)
    with pytest.raises(ConfigError, match=r"no model file .*nets\.yaml; existing ones: .*net\.yaml"):
        models.read(tmp_path / "nets.yaml")
    (tmp_path / "net.yaml").rename(tmp_path / ".hidden.yaml")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "mlp.yaml").write_text(OUTPUT)
    with pytest.raises(ConfigError, match=r"no model file [^,]*nets\.yaml; existing ones: [^,]*models.mlp\.yaml$"):
        models.read(tmp_path / "nets.yaml")
    with pytest.raises(ConfigError, match="no model file"):
        models.read(tmp_path / "no" / "such" / "folder.yaml")
    with pytest.raises(ConfigError, match=re.escape(f"cannot read the model file {tmp_path}")):
        models.read(tmp_path)
