"""Drawing, and what the page shows and changes."""

import base64
import re

import numpy as np
import pytest

import evaluate
import tensorgrad as tg
from tests.page.conftest import CHECKPOINT, DRAW, PAGE, STROKES
from training import handwriting, images

pytestmark = pytest.mark.page

STATE = "() => state.values && { probabilities: state.values.probabilities, logits: [...state.values.logits] }"
SETTLED = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
THREE = STROKES[15]["strokes"]


@pytest.fixture(scope="module")
def network():
    """The network of the page, its options, and the description of its data."""
    return evaluate.restore(str(CHECKPOINT))


def probabilities(network, image):
    net, o, about = network
    logits = images.predict(net, image[None], images.pixel_scale(o.pixels, about["brightest"]))
    return tg.softmax(logits.astype(np.float64))[0]


def drawn(page, strokes):
    """Draw with the mouse, and wait for the result."""
    box = page.locator("#pad").bounding_box()
    scale = box["width"] / 280
    for (x, y), *rest in strokes:
        page.mouse.move(box["x"] + scale * x, box["y"] + scale * y)
        page.mouse.down()
        for x, y in rest:
            page.mouse.move(box["x"] + scale * x, box["y"] + scale * y)
        page.mouse.up()
    page.evaluate(SETTLED)
    return page.evaluate(STATE)


# ----------------------------------------------------------------------------------------------- same as Python


def test_fifty_digits_have_the_probabilities_of_evaluate(fresh, network, tmp_path, capsys):
    files, all_found = [], []
    for i, digit in enumerate(STROKES):
        found = fresh.evaluate(DRAW, digit["strokes"])
        png = base64.b64decode(fresh.evaluate("() => picture()").partition(",")[2])
        files.append(tmp_path / f"{i}.png")
        files[-1].write_bytes(png)
        image = handwriting.to_mnist(handwriting.read_image(files[-1]))
        # Half an integer is rounded to either side.
        np.testing.assert_allclose(np.reshape(found["seen"], (28, 28)), image, rtol=0, atol=1)
        np.testing.assert_allclose(found["probabilities"], probabilities(network, image), rtol=0, atol=1e-3)
        all_found.append(found["probabilities"])
    assert evaluate.main([str(CHECKPOINT), "--image", *map(str, files)]) == 0
    lines = capsys.readouterr().out.splitlines()
    # The printed probabilities are rounded to 0.0005.
    for file, found, first, second in zip(files, all_found, lines[::2], lines[1::2], strict=True):
        assert first == f"{file}: {np.argmax(found)}"
        printed = {int(digit): float(value) / 100 for digit, value in re.findall(r"(\d) ([\d.]+)%", second)}
        np.testing.assert_allclose([printed[i] for i in range(10)], found, rtol=0, atol=1e-3 + 5e-4)
    right = [np.argmax(found) == digit["label"] for found, digit in zip(all_found, STROKES, strict=True)]
    assert sum(right) >= 45


def test_what_the_units_add_is_the_logit(fresh):
    fresh.evaluate(DRAW, THREE)
    found = fresh.evaluate("""() => {
      const network = current(), { values, label } = state;
      const units = Array.from({ length: network.units }, (_, unit) => network.adds(values, unit, label));
      return { sum: units.reduce((a, b) => a + b) + network.head.bias.data[label], logit: values.logits[label],
               text: $("sum").textContent, fired: units.filter(Boolean).length };
    }""")
    assert found["sum"] == pytest.approx(found["logit"], abs=1e-9)
    assert found["text"].startswith(f"{found['fired']} of 400 units fired. For “3” they add +")
    assert found["text"].endswith(f"the logit is +{found['logit']:.2f}.")


# ---------------------------------------------------------------------------------------------- ways of drawing


def test_mouse_draws_the_same_as_the_strokes(fresh):
    expected = fresh.evaluate(DRAW, THREE)
    fresh.evaluate("() => pad.clear()")
    found = drawn(fresh, THREE)
    np.testing.assert_allclose(found["probabilities"], expected["probabilities"], atol=0.02)  # points are rounded
    assert fresh.locator("#winner").inner_text() == "3"
    assert fresh.locator("#certainty").inner_text() == f"{100 * max(found['probabilities']):.1f}\u00a0%"


def test_undo_and_clear(fresh):
    drawn(fresh, [[[100, 60], [100, 200]], [[160, 60], [160, 200]]])
    assert fresh.evaluate("() => pad.strokes.length") == 2
    fresh.locator("#undo").click()
    assert fresh.evaluate("() => pad.strokes.length") == 1
    fresh.locator("#clear").click()
    fresh.evaluate(SETTLED)
    assert fresh.evaluate(STATE) is None
    assert fresh.locator("#winner").inner_text() == "?"
    fresh.keyboard.press("Control+z")  # also undoes that
    fresh.evaluate(SETTLED)
    assert fresh.evaluate(STATE) is not None
    fresh.locator("#undo").click()
    fresh.evaluate(SETTLED)
    assert fresh.locator("#undo").is_disabled()
    assert fresh.locator("#clear").is_disabled()


def test_keys_draw(fresh):
    fresh.locator("#pad").focus()
    for key in ["Space", *["ArrowDown"] * 10, "Space", "ArrowRight", "Shift+ArrowRight"]:
        fresh.keyboard.press(key)
    fresh.evaluate(SETTLED)
    assert fresh.evaluate("() => pad.strokes") == [[[140, 70 + 12 * i] for i in range(11)]]
    assert fresh.evaluate("() => pad.cursor.x") == 155
    assert fresh.locator("#winner").inner_text() == "1"
    fresh.keyboard.press("z")
    assert fresh.evaluate("() => pad.strokes") == []


def test_everything_is_reached_with_the_tab_key(fresh):
    fresh.evaluate(DRAW, THREE)
    fresh.locator("#theme").focus()
    reached = []
    for _ in range(40):
        fresh.keyboard.press("Tab")
        reached.append(fresh.evaluate("() => document.activeElement.id || document.activeElement.className"))
    expected = ["pad", "undo", "clear", "save", *[""] * 10, "uncentred", "linear", "noise", *["unit"] * 16]
    assert reached[: len(expected)] == expected


def test_finger_draws(open_page):
    page = open_page(PAGE, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    box = page.locator("#pad").bounding_box()
    session = page.context.new_cdp_session(page)
    for kind, y in [("touchStart", 60), *(("touchMove", y) for y in range(80, 220, 20)), ("touchEnd", None)]:
        points = [] if y is None else [{"x": box["x"] + box["width"] / 2, "y": box["y"] + y * box["width"] / 280}]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    page.evaluate(SETTLED)
    assert page.evaluate("() => pad.strokes.length") == 1
    assert page.locator("#winner").inner_text() == "1"
    assert page.evaluate("() => scrollY") == 0  # the page did not scroll instead
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360
    assert page.problems == []


def test_picture_is_saved(fresh):
    fresh.evaluate(DRAW, THREE)
    with fresh.expect_download() as download:
        fresh.locator("#save").click()
    ink = handwriting.read_image(download.value.path())
    found = fresh.evaluate("() => [...pad.ink().data]")
    np.testing.assert_allclose(ink.ravel(), found, atol=1e-9)


# ------------------------------------------------------------------------------------------------------ changes


def test_test_image_is_what_the_network_sees(fresh, network):
    fresh.locator("#samples button").nth(7).click()
    fresh.evaluate(SETTLED)
    seen = np.array(fresh.evaluate("() => [...state.seen]"), np.uint8).reshape(28, 28)
    found = fresh.evaluate(STATE)["probabilities"]
    np.testing.assert_allclose(found, probabilities(network, seen), rtol=0, atol=1e-3)
    assert np.argmax(found) == 7
    drawn(fresh, [[[140, 60], [140, 200]]])  # a stroke replaces it
    assert fresh.evaluate("() => state.sample") is None


def test_no_centring(fresh):
    corner = [[[20, 20], [20, 90]]]
    centred = fresh.evaluate(DRAW, corner)
    fresh.locator("#uncentred").check()
    fresh.evaluate(SETTLED)
    seen = np.reshape(fresh.evaluate("() => [...state.seen]"), (28, 28))
    ink = np.reshape(fresh.evaluate("() => [...pad.ink().data]"), (28, 10, 28, 10)).mean(axis=(1, 3))
    np.testing.assert_array_equal(seen, np.rint(255 * ink / ink.max()))
    assert seen[:, 5:].max() == 0
    assert fresh.evaluate(STATE)["logits"] != centred["logits"]


def test_no_hidden_layer(fresh):
    full = fresh.evaluate(DRAW, THREE)
    fresh.locator("#linear").check()
    fresh.evaluate(SETTLED)
    found = fresh.evaluate("""() => {
      const [{ weight, bias }] = networks.linear.layers;
      const { logits } = state.values;
      return { weight: [...weight.data], bias: [...bias.data], logits: [...logits], seen: [...state.seen] };
    }""")
    logits = np.array(found["seen"]) / 255 @ np.reshape(found["weight"], (784, 10)) + found["bias"]
    np.testing.assert_allclose(found["logits"], logits, atol=1e-9)
    assert not np.allclose(logits, full["logits"], atol=0.1)
    assert fresh.locator("#units-title").inner_text() == "A picture for each class"
    assert fresh.locator(".unit:visible").count() == 10
    assert fresh.locator("#linear-text").inner_text().startswith("One linear layer, trained on the same images: 92.")


def test_unit_is_switched_off(fresh):
    before = fresh.evaluate(DRAW, THREE)["logits"]
    fresh.locator(".unit").first.click()
    unit = fresh.evaluate("() => state.selected")
    assert fresh.locator("#detail-title").inner_text() == f"Unit {unit + 1}"
    adds = fresh.evaluate("() => names.map((_, label) => current().adds(state.values, state.selected, label))")
    fresh.locator("#off").check()
    fresh.evaluate(SETTLED)
    after = fresh.evaluate(STATE)["logits"]
    np.testing.assert_allclose(np.subtract(before, after), adds, atol=1e-9)
    assert abs(adds[3]) > 0.1
    assert fresh.locator("#changes").inner_text() == "1 unit switched off."
    assert fresh.locator(".unit.off").count() == 1  # stays in view, to be switched on
    fresh.locator("#restore").click()
    fresh.evaluate(SETTLED)
    assert fresh.evaluate(STATE)["logits"] == before


def test_weight_is_frozen(fresh):
    before = fresh.evaluate(DRAW, THREE)["logits"]
    fresh.locator(".unit").first.click()
    fresh.locator("#frozen").check()
    assert fresh.evaluate(STATE)["logits"] == before
    fresh.locator("#weight").fill("-1.5")
    fresh.evaluate(SETTLED)
    after = np.array(fresh.evaluate(STATE)["logits"])
    value, weight = fresh.evaluate(
        "() => [state.values.hidden.data[state.selected], networks.full.weight(state.selected, 3)]"
    )
    expected = np.array(before)
    expected[3] += value * (-1.5 - weight)
    np.testing.assert_allclose(after, expected, atol=1e-9)
    assert fresh.locator("#weight-value").inner_text() == "\N{MINUS SIGN}1.50"
    fresh.evaluate(DRAW, STROKES[0]["strokes"])
    assert fresh.evaluate(DRAW, THREE)["logits"] == after.tolist()  # it stays while one draws
    fresh.locator("#frozen").uncheck()
    fresh.evaluate(SETTLED)
    assert fresh.evaluate(STATE)["logits"] == before


def test_noise_has_the_strength_of_the_slider_and_is_the_same_each_time(fresh):
    clean = np.array(fresh.evaluate(DRAW, THREE)["seen"])
    fresh.locator("#noise").fill("50")
    fresh.evaluate(SETTLED)
    noisy = np.array(fresh.evaluate("() => [...state.seen]"))
    assert 0 <= noisy.min() < noisy.max() <= 255
    background = noisy[clean == 0]
    assert np.mean(background == 0) == pytest.approx(0.5, abs=0.1)  # half of the noise is negative
    assert np.sqrt(np.mean(background**2)) == pytest.approx(0.5 * 255 / np.sqrt(2), rel=0.15)
    assert fresh.evaluate(DRAW, THREE)["seen"] == noisy.tolist()
    first = (1664525 + 1013904223) % 2**32  # a linear congruential generator from 1, so that all pages have the same
    second = (1664525 * first + 1013904223) % 2**32
    a, b = ((number + 0.5) / 2**32 for number in (first, second))
    assert fresh.evaluate("() => normal[0]") == pytest.approx(np.sqrt(-2 * np.log(a)) * np.cos(2 * np.pi * b))


# -------------------------------------------------------------------------------------------- legible for all


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_have_contrast(open_page, scheme):
    """At least 4.5 to 1 between each text and the colour behind it (WCAG 2.2, 1.4.3)."""
    page = open_page(PAGE, color_scheme=scheme, reduced_motion="reduce")
    page.evaluate(DRAW, THREE)
    page.locator(".unit").first.click()
    page.evaluate(SETTLED)
    found = page.evaluate(CONTRAST)
    assert len(found) > 60
    assert [(text, round(ratio, 2)) for text, ratio in found if ratio < 4.5] == []
    assert page.evaluate("() => getComputedStyle(rows[0].bar).transitionDuration") == "0s"  # reduced motion
    assert page.problems == []


CONTRAST = """() => {
  const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const luminance = (colour) => channels(colour).slice(0, 3)
    .map((value) => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
    .reduce((sum, value, i) => sum + value * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    const colour = getComputedStyle(element).backgroundColor;
    return (channels(colour)[3] ?? 1) > 0 ? colour : behind(element.parentElement);
  };
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const texts = [...element.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data.trim());
    const text = texts.join(" ").trim();
    if (!text || !element.checkVisibility() || element.closest(":disabled, script, noscript")) continue;
    const [a, b] = [getComputedStyle(element).color, behind(element)].map(luminance).sort((a, b) => b - a);
    found.push([text, (a + 0.05) / (b + 0.05)]);
  }
  return found;
}"""


def test_button_changes_between_light_and_dark(open_page):
    page = open_page(PAGE, color_scheme="dark")
    dark = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    page.locator("#theme").click()
    light = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    assert page.locator("#theme").inner_text() == "Dark"
    assert [dark, light] == ["rgb(18, 20, 25)", "rgb(246, 244, 239)"]
    page.evaluate(SETTLED)
    assert page.evaluate("() => [...$('seen').getContext('2d').getImageData(0, 0, 1, 1).data]") == [255] * 4
