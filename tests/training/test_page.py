"""evaluate.py --page: what the file contains, and which networks are refused. tests/page opens pages in a browser."""

import base64
import json
import re
from pathlib import Path

import numpy as np
import pytest

import models
import tensorgrad as tg
from tests.training.conftest import PROJECT
from training import page
from training.page.description import packed
from training.page.document import FOLDER, SCRIPTS

LIMIT = 1.2e6  # bytes of the page in docs


def content_of(file):
    """The content of a page, as its scripts read it."""
    text = Path(file).read_text(encoding="utf-8")
    (found,) = re.findall(r'<script type="application/json" id="content">(.*?)</script>', text, re.DOTALL)
    return json.loads(found)


def unpacked(array):
    values = np.frombuffer(base64.b64decode(array["data"]), "<f2").astype(float)
    return array["scale"] * values.reshape(array["shape"])


def test_page_has_the_network_and_the_data(trained, run_evaluate):
    result = run_evaluate(trained / "best.npz", "--page", "digit.html")
    assert (result.code, result.err) == (0, "")
    assert re.fullmatch(r"digit\.html: 0\.\d\d MB\n", result.out)
    content = content_of("digit.html")
    weights = tg.load(trained / "best.npz").arrays
    assert [layer["kind"] for layer in content["layers"]] == ["linear", "ReLU", "linear"]
    for layer, name in zip(content["layers"][::2], ("hidden", "output"), strict=True):
        for part in ("weight", "bias"):
            expected = weights[f"layers.{name}.{part}"]
            np.testing.assert_allclose(unpacked(layer[part]), expected, rtol=0, atol=np.abs(expected).max() / 2**11)
    result = json.loads((trained / "result.json").read_text())
    assert (content["shape"], content["brightest"], content["scale"]) == ([8, 8], 16, 1 / 16)
    assert content["classes"] == list("0123456789")
    assert content["parameters"] == sum(value.size for key, value in weights.items() if key.startswith("layers"))
    data = tg.data.digits()
    for label, sample in enumerate(content["samples"]):
        image = np.frombuffer(base64.b64decode(sample["pixels"]), np.uint8).reshape(8, 8)
        assert sample["label"] == label
        np.testing.assert_array_equal(image, data.test_images[np.argmax(data.test_labels == label)])
    assert 0.85 < content["linear"]["accuracy"] < content["accuracy"]


def test_network_without_hidden_layers_is_for_the_same_pixels(run_train, run_evaluate):
    """Its weights are for the pixels times the scale of the other network."""
    folder = run_train("--dataset", "digits", "--hidden", 4, "--epochs", 1, "--pixels", "raw", "--lr", 0.001).folder
    assert run_evaluate(folder / "best.npz", "--page", "p.html").code == 0
    content = content_of("p.html")
    (layer,) = content["linear"]["layers"]
    data = tg.data.digits()
    assert content["scale"] == 1
    logits = data.test_images.reshape(-1, 64) @ unpacked(layer["weight"]) + unpacked(layer["bias"])
    assert np.mean(logits.argmax(axis=1) == data.test_labels) == pytest.approx(content["linear"]["accuracy"], abs=0.005)


def test_without_its_data_set_a_page_has_the_network_alone(run_evaluate, refused):
    checkpoint = PROJECT / "checkpoints" / "mnist-400.npz"
    result = run_evaluate(checkpoint, "--page", "digit.html")
    assert result.code == 0
    assert result.out.startswith("without test images, and without a network that has no hidden layer: MNIST is not in")
    content = content_of("digit.html")
    assert (content["accuracy"], content["samples"], content["linear"]) == (None, [], None)
    assert content["data"] == "MNIST"
    assert refused(run_evaluate(checkpoint, "--page", "digit.html", "--data", "nowhere"), "nowhere")


def test_other_data_are_not_used(run_evaluate, write_mnist):
    write_mnist("set")
    result = run_evaluate(PROJECT / "checkpoints" / "mnist-400.npz", "--page", "p.html", "--data", "set")
    assert result.code == 0
    assert "is not that of the training" in result.out
    assert content_of("p.html")["samples"] == []


def test_names_of_classes_cannot_end_the_script(trained, run_evaluate):
    arrays, config = tg.load(trained / "best.npz")
    names = ["</script><b>", "{{ scripts }}", "\\u003c", '"', *"456789"]
    config["data"]["class_names"] = names
    tg.save("c.npz", arrays, config)
    assert run_evaluate("c.npz", "--page", "p.html").code == 0
    assert content_of("p.html")["classes"] == names


def test_scripts_are_all_in_the_page(trained, run_evaluate):
    assert run_evaluate(trained / "best.npz", "--page", "p.html").code == 0
    text = Path("p.html").read_text(encoding="utf-8")
    assert {path.name for path in FOLDER.glob("*.js")} == set(SCRIPTS)
    for name in (*SCRIPTS, "style.css"):
        assert (FOLDER / name).read_text(encoding="utf-8").strip() in text
    assert "{{" not in re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)


@pytest.mark.parametrize("values", [[0.0, 0.0], [1e-7, -3e-8], [1e6, 1.0], [65519.0, 2.0]])
def test_arrays_of_any_magnitude_keep_eleven_bits(values):
    np.testing.assert_allclose(unpacked(packed(np.array(values))), values, rtol=0, atol=np.abs(values).max() / 2**11)


REFUSED = {
    "LSTM": ([("Reshape", {"shape": [8, 8]}), ("LSTM", {"hidden_size": 4}), ("Flatten", {})], "'l1' (LSTM)"),
    "Upsample": ([("Upsample", {"scale_factor": 2}), ("Flatten", {})], "'l0' (Upsample)"),
    "GLU": ([("GLU", {})], "'l0' (GLU)"),
    "Conv1d": ([("Reshape", {"shape": [1, 64]}), ("Conv1d", {"out_channels": 2, "kernel_size": 3}), ("Flatten", {})],
               "'l1' (Conv1d)"),
    "padding_mode": ([("Conv2d", {"out_channels": 2, "kernel_size": 3, "padding": 1, "padding_mode": "reflect"}),
                      ("Flatten", {})], "'l0' (Conv2d with padding_mode 'reflect')"),
    "ceil_mode": ([("MaxPool2d", {"kernel_size": 3, "ceil_mode": True}), ("Flatten", {})], "'l0' (MaxPool2d with ceil"),
    "Linear": ([("Reshape", {"shape": [8, 8]}), ("Linear", {"out_features": 3}), ("Flatten", {})], "of 2 axes"),
    "in a Residual": ([("Residual", {"layer": [{"name": "inner", "type": "RMSNorm"}]})], "'inner' (RMSNorm)"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_layer_that_the_page_cannot_run_is_named(case):
    layers, message = REFUSED[case]
    entries = [{"name": f"l{i}", "type": kind, "params": params} for i, (kind, params) in enumerate(layers)]
    entries.append({"name": "output", "type": "Linear", "params": {}})
    network = models.build(entries, (8, 8), 10, np.random.default_rng(0))
    with pytest.raises(tg.ConfigError, match="the page cannot run the layer") as raised:
        page.describe(network, (64,), "a.npz")
    assert str(raised.value).startswith("a.npz: ")
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)
    assert str(raised.value).endswith("it runs " + ", ".join(page.LAYERS_OF_PAGES))


def test_class_of_the_user_is_refused(run_train, run_evaluate, refused):
    Path("my_model.py").write_text(
        "import numpy as np, tensorgrad as tg\n"
        "class Net:\n"
        "    def __init__(self, shape, classes, rng): self.out = tg.nn.Linear(64, classes, rng)\n"
        "    def __call__(self, x): return self.out(np.reshape(x, (len(x), -1)))\n"
    )
    folder = run_train("--dataset", "digits", "--model", "my_model.py:Net", "--epochs", 1).folder
    result = run_evaluate(folder / "best.npz", "--page", "p.html")
    assert refused(result, "best.npz: the page cannot run a class of your own")
    assert not Path("p.html").exists()


def test_page_in_docs_is_small_and_up_to_date():
    """Apart from what is computed from the data set: ``python docs/digit.py``."""
    file = PROJECT / "docs" / "digit.html"
    assert file.stat().st_size < LIMIT
    content = content_of(file)
    assert file.read_text(encoding="utf-8") == page.page(content)
    weights = tg.load(PROJECT / "checkpoints" / "mnist-400-record.npz").arrays
    assert content["layers"][0]["weight"] == packed(weights["layers.hidden.weight"])
    assert (content["accuracy"], content["tests"]) == (pytest.approx(0.9945), 10_000)
