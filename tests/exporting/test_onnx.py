"""Networks in files of ONNX: onnxruntime computes the same, and layers come back from the file."""

import functools

import numpy as np
import pytest

import tensorgrad as tg
from tests.nn import kinds

onnx = pytest.importorskip("onnx", reason="needs the extra `export`")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs onnxruntime")

from tensorgrad.exporting.functions import FUNCTIONS  # noqa: E402
from tensorgrad.exporting.graph import OPSET, example_of  # noqa: E402

nn = tg.nn
TOLERANCE = 1e-5
IMAGES = (2, 4, 6, 6)
SEVERITY = 3  # errors only


@pytest.fixture
def there_and_back(tmp_path):
    """``there_and_back(layer, x)``: the result of onnxruntime, for ``x`` and for a batch of another size."""

    def run(layer, x, more=None):
        tg.export(layer, tmp_path / "net.onnx", x)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, SEVERITY
        session = onnxruntime.InferenceSession(tmp_path / "net.onnx", options)
        return session.run(None, {"input": x if more is None else more})[0]

    return run


def drawn(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def differs(found, layer, x):
    expected = example_of(layer, x)
    assert found.shape == expected.shape
    return np.abs(found - expected).max() / max(np.abs(expected).max(), 1)


def trained(layer):
    """The layer with parameters and running statistics that are not those of a new one."""
    rng = np.random.default_rng(5)
    for value in nn.parameters(layer).values():
        value.data[...] = rng.normal(0.3, 0.5, value.shape)
    for name, value in nn.buffers(layer).items():
        value[...] = 3 if name.endswith("tracked") else rng.uniform(0.5, 2, value.shape)
    return layer


LAYERS = {repr(layer): (layer, drawn(x.shape)) for layer, x in kinds.each(np.float32).values()}
RNG = np.random.default_rng(0)
LAYERS |= {
    repr(layer): (layer, drawn(shape))
    for layer, shape in [
        (nn.Conv2d(4, 2, 3, RNG, padding=1, padding_mode="circular"), IMAGES),
        (nn.Conv2d(4, 2, 3, RNG, padding=1, padding_mode="replicate"), IMAGES),
        (nn.Conv2d(4, 6, (2, 3), RNG, padding=(1, 2), stride=(2, 1), dilation=(1, 2), groups=2, bias=False), IMAGES),
        (nn.ConvTranspose2d(4, 6, 3, RNG, stride=2, padding=1, output_padding=1, groups=2, dilation=2), IMAGES),
        (nn.MaxPool2d(3, 2, 1, ceil_mode=True), IMAGES),
        (nn.MaxPool2d(2, dilation=2), IMAGES),
        (nn.AvgPool2d(4, 3, 2, ceil_mode=True), IMAGES),
        (nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False), IMAGES),
        (nn.AdaptiveAvgPool2d(1), IMAGES),
        (nn.AdaptiveAvgPool2d((4, 5)), IMAGES),
        (nn.BatchNorm1d(4), (2, 4)),
        (nn.Flatten(0, 1), IMAGES),
        (nn.Flatten(2), IMAGES),
        (nn.GroupNorm(4, 4, affine=False), IMAGES),
        (nn.RMSNorm(6), IMAGES),
        (nn.LSTM(6, 3, RNG, num_layers=2, bidirectional=True, batch_first=True, bias=False), (2, 4, 6)),
        (nn.GRU(6, 3, RNG, num_layers=2), (2, 4, 6)),
        (nn.MultiheadAttention(6, 3, RNG, bias=False), (2, 4, 6)),
        (nn.Sequential(nn.Residual(nn.Sequential(nn.LayerNorm(6), nn.Linear(6, 6, RNG), tg.gelu)), tg.relu), (2, 4, 6)),
        (nn.Sequential({"a": nn.Linear(6, 3, RNG), "a/b": nn.Linear(3, 3, RNG)}), (2, 6)),
    ]
}  # fmt: skip


def test_every_layer_is_tested():
    types = {name for name in nn.__all__ if isinstance(getattr(nn, name), type)} - {"Mode", "Summary", "Embedding"}
    assert types == {name.split("(")[0] for name in LAYERS}


@pytest.mark.parametrize("name", LAYERS)
def test_layer_gives_the_same_in_onnxruntime(there_and_back, name):
    layer, x = LAYERS[name]
    trained(layer)
    assert differs(there_and_back(layer, x), layer, x) < TOLERANCE
    more = drawn((5, *x.shape[1:]), seed=1)
    if not getattr(layer, "batch_first", True):
        return  # the first axis is that of the steps
    assert differs(there_and_back(layer, x, more), layer, more) < TOLERANCE


def test_another_weight_is_noticed(there_and_back):
    layer, x = nn.Linear(4, 3, RNG), drawn((2, 4))
    found = there_and_back(layer, x)
    layer.weight.data[0, 0] += 0.01
    assert differs(found, layer, x) > TOLERANCE


OPTIONS = {
    tg.celu: [{"alpha": 0.7}], tg.elu: [{"alpha": 0.7}], tg.gelu: [{"approximate": "tanh"}], tg.glu: [{"axis": 1}],
    tg.hardtanh: [{"min_val": -0.5, "max_val": 0.2}], tg.leaky_relu: [{"negative_slope": 0.2}],
    tg.softmax: [{"axis": 1}], tg.log_softmax: [{"axis": 1}],
    tg.interpolate: [
        {"size": (9, 4)}, {"scale_factor": (1.5, 2)}, {"size": 3, "mode": "nearest-exact"},
        {"size": (9, 4), "mode": "bilinear"}, {"scale_factor": 1.7, "mode": "bilinear"},
        {"size": (9, 4), "mode": "bilinear", "align_corners": True}, {"size": (3, 4), "mode": "area"},
    ],
}  # fmt: skip
CALLS = [(f, {}) for f in FUNCTIONS if f is not tg.interpolate] + [(f, o) for f in OPTIONS for o in OPTIONS[f]]


@pytest.mark.parametrize(("function", "options"), CALLS, ids=[f"{f.__name__}{o or ''}" for f, o in CALLS])
def test_function_gives_the_same_in_onnxruntime(there_and_back, function, options):
    x = drawn(IMAGES)
    x = np.abs(x) + 0.1 if function in (np.log, np.sqrt) else x * 3
    layer = functools.partial(function, **options) if options else function
    assert differs(there_and_back(layer, x), layer, x) < TOLERANCE


def test_integers_of_an_embedding(there_and_back, tmp_path):
    net = nn.Sequential(nn.Embedding(7, 3, RNG), nn.Linear(3, 2, RNG))
    x = np.array([[1, 2], [3, 6]])
    assert differs(there_and_back(net, x), net, x) < TOLERANCE
    assert differs(example_of(tg.import_model(tmp_path / "net.onnx").model, x), net, x) == 0


# ------------------------------------------------------------------------------------------------ refusals


class Doubled(nn.Linear):
    def __call__(self, x):
        return 2 * super().__call__(x)


REFUSED = [
    (nn.Sequential(nn.Linear(4, 4, RNG), lambda x: 2 * x), "<lambda> cannot be exported to ONNX"),
    (Doubled(4, 4, RNG), "Doubled(4, 4) cannot be exported"),
    (tg.normalize, "normalize cannot be exported to ONNX"),
    (functools.partial(tg.softmax, axis=(0, 1)), "softmax over the axes (0, 1)"),
    (nn.BatchNorm1d(4, track_running_stats=False), "BatchNorm1d(4, track_running_stats=False) cannot be exported"),
    (nn.Linear(3, 4, RNG), "does not take the example, of shape (2, 4)"),
]


@pytest.mark.parametrize(("layer", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_what_cannot_be_expressed_is_refused_by_name(tmp_path, layer, message):
    with pytest.raises(tg.ExportError) as caught:
        tg.export(layer, tmp_path / "net.onnx", np.zeros((2, 4), np.float32))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_projections_of_other_lengths_are_refused(tmp_path):
    layer = nn.MultiheadAttention(4, 2, RNG, kdim=3)
    with pytest.raises(tg.ExportError):
        tg.export(layer, tmp_path / "net.onnx", np.zeros((2, 4), np.float32))


@pytest.mark.parametrize("name", ["net.pt", "net"])
def test_other_endings_are_refused(tmp_path, name):
    for call in (lambda path: tg.export(tg.relu, path, np.zeros(3)), tg.import_model):
        with pytest.raises(tg.ExportError, match=r"must be \.onnx or \.safetensors"):
            call(tmp_path / name)


def test_missing_example_and_missing_package(tmp_path, monkeypatch):
    with pytest.raises(tg.ExportError, match="example"):
        tg.export(tg.relu, tmp_path / "net.onnx")
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(tg.ExportError, match=r"pip install onnx"):
        tg.export(tg.relu, tmp_path / "net.onnx", np.zeros(3))


# ------------------------------------------------------------------------------------------------ import

NOT_READ = ("padding_mode=", "RMSNorm", "GroupNorm", "LSTM", "GRU", "MultiheadAttention", "AdaptiveAvgPool2d((4, 5))")


@pytest.mark.parametrize("name", LAYERS)
def test_layer_comes_back_or_is_refused(tmp_path, name):
    layer, x = LAYERS[name]
    tg.export(layer, tmp_path / "net.onnx", x)
    if any(part in name for part in NOT_READ):
        with pytest.raises(tg.ExportError):
            tg.import_model(tmp_path / "net.onnx")
        return
    again, _ = tg.import_model(tmp_path / "net.onnx")
    assert differs(example_of(again, x), layer, x) < 1e-6
    tg.export(again, tmp_path / "again.onnx", x)  # and can be written again
    assert differs(example_of(tg.import_model(tmp_path / "again.onnx").model, x), layer, x) < 1e-6


def test_network_can_be_trained_further(tmp_path):
    tg.export(nn.Sequential(nn.Linear(4, 3, RNG), tg.relu), tmp_path / "net.onnx", drawn((2, 4)))
    net, _ = tg.import_model(tmp_path / "net.onnx")
    np.sum(net(drawn((2, 4)))).backward()
    assert net.layers[0].weight.grad.any()


def test_metadata_and_card_travel_along(tmp_path):
    net = nn.Sequential(nn.Linear(4, 3, RNG), tg.relu)
    about = {"accuracy": 0.98, "classes": ["a", "b|c"], "data set": "digits"}
    tg.export(net, tmp_path / "net.onnx", drawn((2, 4)), about)
    expected = {"accuracy": "0.98", "classes": '["a", "b|c"]', "data set": "digits"}
    assert tg.import_model(tmp_path / "net.onnx").metadata == expected
    model = onnx.load(tmp_path / "net.onnx")
    text = (tmp_path / "net.onnx.md").read_text(encoding="utf-8")
    assert model.doc_string == text
    assert model.opset_import[0].version == OPSET
    assert all(part in text for part in ("| accuracy | 0.98 |", 'b\\|c"', "Linear(4, 3)", "| parameters | 15 |"))


def test_damaged_file(tmp_path):
    path = tmp_path / "net.onnx"
    with pytest.raises(FileNotFoundError):
        tg.import_model(path)
    path.write_bytes(b"no graph")
    with pytest.raises(tg.CheckpointError, match="damaged or not an ONNX file"):
        tg.import_model(path)
    tg.export(tg.relu, path, drawn((2, 3)))
    with pytest.raises(tg.ExportError, match="leave out the model"):
        tg.import_model(path, tg.relu)


def graph_of(*nodes, constants=(), version=17, inputs=("x",)):
    helper = onnx.helper
    floats = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node(kind, list(read), list(made), **options) for kind, read, made, options in nodes], "g",
        [helper.make_tensor_value_info(name, floats, ["N", 4]) for name in inputs],
        [helper.make_tensor_value_info("y", floats, ["N", "M"])],
        [onnx.numpy_helper.from_array(np.asarray(value, np.float32), name) for name, value in constants],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)])


W = ("w", np.eye(4))
NOT_OURS = [
    (graph_of(("Sin", ["x"], ["y"], {})), "Sin"),
    (graph_of(("Relu", ["x"], ["y"], {}), version=11), "version"),
    (graph_of(("MatMul", ["w", "x"], ["y"], {}), constants=[W]), "begins with a constant"),
    (graph_of(("Gemm", ["x", "w"], ["y"], {"alpha": 2.0}), constants=[W]), "only transB"),
    (graph_of(("Add", ["x", "b"], ["y"], {}), constants=[("b", np.ones(4))]), "does not follow"),
    (graph_of(("Add", ["x", "z"], ["y"], {}), inputs=("x", "z")), "2 inputs"),
    (graph_of(("Relu", ["x"], ["a"], {}), ("Tanh", ["x"], ["b"], {}), ("Mul", ["a", "b"], ["y"], {})), "not added"),
    (graph_of(("Flatten", ["x"], ["y"], {"axis": 0})), "only axis 1"),
]


@pytest.mark.parametrize(("model", "message"), NOT_OURS, ids=[message for _, message in NOT_OURS])
def test_graph_of_other_operators_is_refused(tmp_path, model, message):
    onnx.save(model, tmp_path / "net.onnx")
    with pytest.raises(tg.ExportError, match=message):
        tg.import_model(tmp_path / "net.onnx")


def test_graph_of_another_program(tmp_path):
    """A transposed weight, a bias that is added, and a sum of both branches with layers."""
    w, b = drawn((4, 4)), drawn(4)
    model = graph_of(
        ("Gemm", ["x", "w", "b"], ["h"], {"transB": 1}), ("Relu", ["h"], ["r"], {}), ("MatMul", ["h", "w"], ["m"], {}),
        ("Add", ["b", "m"], ["a"], {}), ("Add", ["r", "a"], ["s"], {}), ("Clip", ["s", "low", "high"], ["y"], {}),
        constants=[("w", w), ("b", b), ("low", 0), ("high", 0.5)],
    )  # fmt: skip
    onnx.save(model, tmp_path / "net.onnx")
    x = drawn((3, 4), seed=2)
    h = x @ w.T + b
    expected = np.clip(np.maximum(h, 0) + h @ w + b, 0, 0.5)
    np.testing.assert_allclose(tg.import_model(tmp_path / "net.onnx").model(x).data, expected, rtol=1e-5, atol=1e-6)
