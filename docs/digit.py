"""The page to draw a digit and its picture in the README, for the network that makes the fewest errors.

::

    python docs/digit.py               # docs/digit.html and docs/images/page.png; after a new record
    python docs/digit.py --picture     # the picture only

It needs MNIST, and for the picture the extra ``page`` and Chromium.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import evaluate  # noqa: E402  (found through the line above)
from tests.page.conftest import CHECKPOINT, DRAW, PAGE, SECONDS, STROKES, browser_program  # noqa: E402

PICTURE = ROOT / "docs" / "images" / "page.png"
DIGIT = 15  # of tests/page/strokes.json


def picture() -> None:
    """Draw a digit on the page, and write what a browser shows."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path=browser_program(), args=flags, timeout=1000 * SECONDS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(1000 * SECONDS)
        page.goto(PAGE.as_uri())
        page.evaluate(DRAW, STROKES[DIGIT]["strokes"])
        page.wait_for_timeout(1000)
        page.screenshot(path=PICTURE, full_page=True)
        browser.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--picture", action="store_true", help="write the picture only")
    if not parser.parse_args().picture and evaluate.main([str(CHECKPOINT), "--page", str(PAGE)]):
        sys.exit(1)
    picture()
