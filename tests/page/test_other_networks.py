"""Pages of convolutional networks, of other images and of other classes."""

from types import SimpleNamespace

import numpy as np
import pytest

import models
import tensorgrad as tg
from tests.page.conftest import DRAW, ROOT, STROKES
from training import images, page

pytestmark = pytest.mark.page

NAMES = ["zero", "</script><b>x</b>", "Ä", *(f"class {i}" for i in range(11))]
THREE = STROKES[15]["strokes"]


def written(folder, entries, shape, names=None, pixels="unit"):
    """The page of a network with random weights, and the network."""
    classes = len(names) if names else 10
    network = models.build(entries, shape, classes, np.random.default_rng(0))
    about = {"name": "files", "shape": list(shape), "classes": classes, "brightest": 255}
    content = page.content(network, SimpleNamespace(pixels=pixels), about | ({"class_names": names} if names else {}),
                           "a.npz", None)  # fmt: skip
    file = folder / "page.html"
    file.write_text(page.page(content), encoding="utf-8")
    return file, network


def check_probabilities(network, found, shape, pixels="unit"):
    image = np.reshape(found["seen"], (1, *shape)).astype(np.uint8)
    logits = images.predict(network, image, images.pixel_scale(pixels, 255))
    np.testing.assert_allclose(found["probabilities"], tg.softmax(logits.astype(float))[0], rtol=0, atol=2e-3)


def test_channels_add_to_the_logit_and_can_be_switched_off(open_page, tmp_path):
    entries, _ = models.read(ROOT / "models" / "cnn.yaml")
    file, network = written(tmp_path, entries, (28, 28))
    opened = open_page(file, viewport={"width": 1280, "height": 900})
    found = opened.evaluate(DRAW, THREE)
    check_probabilities(network, found, (28, 28))
    sums = opened.evaluate("""() => {
      const network = current(), { values, label } = state;
      const add = Array.from({ length: network.units }, (_, unit) => network.adds(values, unit, label));
      const before = [add.reduce((a, b) => a + b), values.logits[label] - network.head.bias.data[label]];
      const most = add.indexOf(Math.max(...add));
      network.off.add(most);
      compute();
      return { units: network.units, before, fall: values.logits[label] - state.values.logits[label], most: add[most] };
    }""")
    assert sums["units"] == 64
    assert sums["before"][0] == pytest.approx(sums["before"][1], abs=1e-9)
    assert sums["fall"] == pytest.approx(sums["most"], abs=1e-9)
    assert sums["most"] > 0
    opened.locator("#layers summary").click()
    opened.wait_for_selector(".map-row")
    titles = opened.locator(".map-row .note").all_inner_texts()
    assert titles == ["16 channels of 14 × 14", "32 channels of 7 × 7", "64 channels of 3 × 3"]  # noqa: RUF001
    opened.locator(".unit").first.click()
    assert opened.locator("#detail-title").inner_text().startswith("Channel ")
    assert not opened.locator("#freeze").is_visible()
    assert opened.locator("#linear").is_disabled()  # without a data set
    assert opened.problems == []


def test_picture_of_a_unit_is_its_gradient(open_page, tmp_path):
    file, network = written(tmp_path, models.mlp([20, 12], 10), (28, 28))
    opened = open_page(file)
    found = opened.evaluate(DRAW, THREE)
    unit, picture = opened.evaluate("""() => {
      const network = current();
      const unit = state.values.hidden.data.findIndex((value) => value > 0);
      return [unit, [...network.picture(state.values, unit, 0)]];
    }""")
    pixels = tg.Tensor(np.array([found["seen"]], np.float32) / 255, requires_grad=True)
    hidden = tg.nn.Sequential(dict(list(network.layers.items())[:-1]))(pixels)
    gradient = tg.grad(hidden[0, unit], pixels)[0]
    np.testing.assert_allclose(picture, gradient, rtol=0, atol=2e-3 * np.abs(gradient).max())


@pytest.mark.parametrize(("shape", "pixels"), [((12, 16), "unit"), ((32, 32), "raw")])
def test_images_of_other_sizes_and_classes_with_names(open_page, tmp_path, shape, pixels):
    file, network = written(tmp_path, models.mlp([20], 14), shape, NAMES, pixels)
    opened = open_page(file, viewport={"width": 360, "height": 700})
    found = opened.evaluate(DRAW, THREE)
    if pixels == "unit":  # raw pixels and weights that are not trained for them give probabilities of 0 and 1
        check_probabilities(network, found, shape)
    seen = np.reshape(found["seen"], shape)
    rows, columns = (np.flatnonzero(seen.any(axis=axis)) for axis in (1, 0))
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == round(20 / 28 * min(shape))
    for axis, length in enumerate(shape):
        centre = np.sum(seen.sum(axis=1 - axis) * (np.arange(length) + 0.5)) / seen.sum()
        assert length // 2 <= centre < length // 2 + 1
    label = int(np.argmax(found["probabilities"]))
    assert opened.locator("#winner").inner_text() == NAMES[label]
    shown = opened.locator("#classes .row span:first-child").all_inner_texts()
    order = np.argsort(-np.array(found["probabilities"]), kind="stable")
    assert shown == [NAMES[i] for i in order[:12]]  # the most likely ones
    assert opened.locator("#title").inner_text() == "Draw a picture"
    assert opened.evaluate("() => document.documentElement.scrollWidth") <= 360
    assert opened.problems == []
