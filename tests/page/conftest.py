"""Chromium, in which pages are opened as files; the tests are skipped, with a reason, where there is none."""

import json
import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "digit.html"  # of the network in CHECKPOINT
CHECKPOINT = ROOT / "checkpoints" / "mnist-400-record.npz"
STROKES = json.loads(Path(__file__).with_name("strokes.json").read_text(encoding="utf-8"))
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "chrome")
SECONDS = 120  # for a machine under load


def browser_program():
    """The path of Chromium: ``$CHROMIUM``, or a program in ``$PATH``; None if there is none."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, PROGRAMS)), None)


@pytest.fixture(scope="session")
def browser():
    """Chromium without a window, closed at the end."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (the extra `page`)")
    program = browser_program()
    if program is None:
        pytest.skip(f"no browser: none of {', '.join(PROGRAMS)} is in $PATH, and $CHROMIUM is not set")
    with sync_api.sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu"]  # containers have neither the kernel's permission nor a GPU
        opened = playwright.chromium.launch(executable_path=program, args=flags, timeout=1000 * SECONDS)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def open_page(browser):
    """``open_page(file, settings of the context)``: the page, whose errors and requests fail the test at its end."""
    opened = []

    def start(file, **settings):
        context = browser.new_context(**settings)
        page = context.new_page()
        page.set_default_timeout(1000 * SECONDS)
        page.problems = []
        page.on("console", lambda message: page.problems.append(message.text))
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        page.on("request", lambda request: _is_own(request.url, file) or page.problems.append(request.url))
        page.goto(Path(file).as_uri())
        opened.append(context)
        return page

    yield start
    for context in opened:
        context.close()


@pytest.fixture(scope="session")
def digit_page(open_page):
    """The page in docs, opened once."""
    return open_page(PAGE, viewport={"width": 1280, "height": 900})


@pytest.fixture
def fresh(digit_page):
    """The same without strokes and changes; what went wrong on it fails the test."""
    digit_page.evaluate(RESET)
    yield digit_page
    assert digit_page.problems == []


RESET = """() => {
  for (const id of ["uncentred", "linear"]) $(id).checked = false;
  $("noise").value = 0;
  networks.full.off.clear();
  networks.full.frozen.clear();
  Object.assign(state, { sample: null, selected: null });
  Object.assign(pad, { strokes: [], past: [] });
  pad.draw();
  compute();
  show();
}"""
DRAW = """strokes => {
  pad.replace(strokes);
  compute();
  show();
  return { seen: [...state.seen], probabilities: state.values.probabilities, logits: [...state.values.logits] };
}"""


def _is_own(url, file):
    return url.startswith("data:") or url == Path(file).as_uri()
