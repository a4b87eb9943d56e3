"""Drawings of graphs in a browser: the script lays out every state as Python does, also from the keyboard."""

import json

import numpy as np
import pytest

import tensorgrad as tg
from tests.test_draw_groups import FUNCTIONS, chain, states

pytestmark = [pytest.mark.page, pytest.mark.timeout(600)]

SHAPES = """(svg) => {
  const origin = svg.getScreenCTM().inverse();
  const corner = (element, x, y) => {
    const at = new DOMPoint(x, y).matrixTransform(origin.multiply(element.getScreenCTM()));
    return [at.x, at.y];
  };
  const shapes = [...svg.querySelectorAll("rect")].map((rect) =>
    ["rect", ...corner(rect, rect.x.baseVal.value, rect.y.baseVal.value), rect.width.baseVal.value,
     rect.height.baseVal.value]);
  for (const path of svg.querySelectorAll("path")) {
    const numbers = path.getAttribute("d").match(/-?[\\d.]+(e-?\\d+)?/g).map(Number);
    shapes.push(["path", ...corner(path, numbers[0], numbers[1]), ...numbers.slice(2 + 1e3 * (numbers.length < 7))]);
  }
  for (const text of svg.querySelectorAll("text"))
    shapes.push([text.textContent, ...corner(text, text.x.baseVal[0].value, text.y.baseVal[0].value)]);
  return shapes.map((shape) => JSON.stringify(shape.map((value) =>
    typeof value === "number" ? Math.round(value) : value))).sort();
}"""


@pytest.fixture(scope="module")
def opened(open_page, tmp_path_factory):
    """``opened(drawing)``: a page with it."""
    folder = tmp_path_factory.mktemp("graphs")
    pages = []

    def start(drawing):
        file = folder / f"{len(pages)}.html"
        drawing.save(file)
        pages.append(open_page(file, viewport={"width": 6000, "height": 3000}))
        return pages[-1]

    return start


def shapes(page, selector):
    """Rectangles, lines and texts of an SVG, each with its kind and its numbers."""
    return [json.loads(shape) for shape in page.evaluate(f"() => ({SHAPES})(document.querySelector({selector!r}))")]


def set_state(page, state):
    """Open and fold groups by clicks, outer ones first."""
    for group in sorted(page.evaluate(GROUPS)):
        wanted = group in state
        button = page.locator(f'[data-group="{group}"]')
        if button.count() and (button.get_attribute("aria-expanded") == "true") != wanted:
            button.dispatch_event("click")


GROUPS = """() => {
  const numbers = (group) => group.items.filter((item) => item.items).flatMap((item) => [item.id, ...numbers(item)]);
  return numbers(JSON.parse(document.querySelector('script[type="application/json"]').textContent).whole);
}"""


@pytest.mark.parametrize("direction", [None, "right"])
@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_the_script_and_python_draw_the_same(opened, function, direction):
    first = tg.draw(*function(), direction=direction, open=True)
    page = opened(first)
    for state in [True, *states(first)[::2], False]:
        drawing = tg.draw(*function(), direction=first._graph.direction, open=state)
        numbers = drawing._graph.numbers(state)
        set_state(page, numbers)
        assert page.locator('[aria-expanded="true"]').count() == len(numbers)
        compare(page, drawing)


def compare(page, drawing):
    """Compare what the script has drawn with what Python draws."""
    page.evaluate("(svg) => document.body.insertAdjacentHTML('beforeend', `<div id=p>${svg}</div>`)", drawing.svg)
    same(shapes(page, ".tg-drawing svg"), shapes(page, "#p svg"))
    page.evaluate("document.getElementById('p').remove()")
    assert page.problems == []


def same(found, expected):
    """The same shapes in any order, and numbers that agree to 2 pixels, for differences in rounding."""
    assert len(found) == len(expected)
    remaining = list(expected)
    for shape in found:
        match = next((other for other in remaining if other[0] == shape[0] and len(other) == len(shape)
                      and np.allclose(other[1:], shape[1:], atol=1.1)), None)  # fmt: skip
        assert match is not None, (shape, [other for other in remaining if other[0] == shape[0]])
        remaining.remove(match)


def test_rows_in_the_browser(opened):
    drawing = tg.draw(chain, np.ones(3))
    assert drawing._graph.direction == "rows"
    compare(opened(drawing), drawing)
    drawing = tg.draw(blocks, np.ones(3), open=False)
    assert drawing._graph.direction == "rows"
    page = opened(drawing)
    page.locator('[aria-label^="block"] >> nth=7').click()
    assert page.locator("rect").count() > 20
    assert page.problems == []


def block(x):
    return np.tanh(x * 1.5) + 1


def blocks(x):
    for _ in range(24):
        x = block(x)
    return np.sum(x)


def test_keyboard_and_focus(opened):
    page = opened(tg.draw(*FUNCTIONS[0]()))
    page.keyboard.press("Tab")
    focused = "() => [document.activeElement.getAttribute('aria-label'), document.activeElement.ariaExpanded]"
    label, expanded = page.evaluate(focused)
    assert label.startswith("hidden, Linear(5, 4), 2 operations")
    assert expanded == "false"
    before = page.locator("rect").count()
    page.keyboard.press("Enter")
    assert page.evaluate(focused) == [label, "true"]
    assert page.locator("rect").count() > before
    page.keyboard.press("Space")
    assert page.evaluate(focused) == [label, "false"]
    assert page.locator("rect").count() == before
    page.keyboard.press("Tab")
    assert page.evaluate(focused)[0].startswith("output")


def test_two_drawings_on_a_page(open_page, tmp_path):
    parts = [tg.draw(*function()).html for function in FUNCTIONS[:2]]
    file = tmp_path / "two.html"
    file.write_text("<!DOCTYPE html><meta charset=utf-8>" + "".join(parts), encoding="utf-8")
    page = open_page(file)
    assert page.locator("svg").count() == 2
    page.locator("[data-group]").first.click()
    assert [page.locator(f"div.tg-drawing >> nth={i}").locator('[aria-expanded="true"]').count() for i in (0, 1)] == [
        1, 0]  # fmt: skip
