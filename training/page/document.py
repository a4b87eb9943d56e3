"""The page as one HTML document, made of the files in this folder and the content."""

from __future__ import annotations

import json
import re
from pathlib import Path

from training.page.description import Entry

FOLDER = Path(__file__).parent
SCRIPTS = (
    "network.js", "explain.js", "ink.js", "pictures.js", "pad.js", "state.js", "answer.js", "units.js", "view.js"
)  # fmt: skip


def page(content: Entry) -> str:
    """The HTML document for the content."""
    parts = {
        "style": _read("style.css"),
        "content": json.dumps(content, separators=(",", ":")).replace("<", "\\u003c"),  # no </script> in a name
        "scripts": "\n".join(map(_read, SCRIPTS)),
    }
    return re.sub(r"{{ (\w+) }}", lambda match: parts[match[1]], _read("page.html"))


def _read(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")
