"""The lessons as pages of the site: executed, with their outputs and pictures, and formulas as MathML.

`docs/site_files.py` adds the pages. A lesson is executed once, and again when it or `lesson.py` has changed; the
executed notebooks are kept in ``.cache/lessons``, which can be deleted.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "lessons"
CACHE = ROOT / ".cache" / "lessons"
SOURCES = sorted(FOLDER.glob("[0-9]_*.py"))
_FENCE = re.compile(r"^```.*?^```|`[^`\n]+`", re.MULTILINE | re.DOTALL)
_FORMULA = re.compile(r"\$\$(?P<block>.+?)\$\$|(?<![\\$])\$(?P<inline>[^$\n][^$]*?)\$", re.DOTALL)
_PLACE = re.compile(r"<p>\s*LESSONBLOCK(\d+)END\s*</p>|LESSONBLOCK(\d+)END")


class Lesson:
    """A page in Markdown, with placeholders for parts in HTML."""

    def __init__(self, source: Path) -> None:
        self.source = source
        self._parts: list[str] = []
        self.markdown = "\n\n".join([self._introduction(), *self._cells(executed(source))])

    def complete(self, html: str) -> str:
        """The page in HTML, with the parts in the places of their placeholders."""
        return _PLACE.sub(lambda match: self._parts[int(match[1] or match[2])], html)

    def _introduction(self) -> str:
        return (
            f"*A notebook, with its outputs: [the file]({self.source.name}). "
            "[How to open it](README.md#open-them), to change it and to do the exercises.*"
        )

    def _html(self, html: str) -> str:
        self._parts.append(html)
        return f"LESSONBLOCK{len(self._parts) - 1}END"

    def _cells(self, notebook: Any) -> Iterator[str]:
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                yield self._with_formulas(cell.source)
            elif cell.cell_type == "code" and cell.source.strip():
                yield f"```python\n{cell.source}\n```"
                yield from (self._html(html) for output in cell.outputs if (html := html_of(output)))

    def _with_formulas(self, text: str) -> str:
        """Markdown in which formulas, outside of code, are placeholders."""
        parts, last = [], 0
        for code in _FENCE.finditer(text):
            parts += [_FORMULA.sub(self._formula, text[last : code.start()]), code[0]]
            last = code.end()
        return "".join([*parts, _FORMULA.sub(self._formula, text[last:])])

    def _formula(self, match: re.Match[str]) -> str:
        from latex2mathml.converter import convert

        tex, display = match["block"] or match["inline"], "block" if match["block"] else "inline"
        place = self._html(convert(tex.strip(), display=display))
        return f"\n\n{place}\n\n" if match["block"] else place


def html_of(output: Any) -> str:
    """What a cell displays or prints; "" for what has no HTML."""
    if output.output_type == "stream":
        return f'<pre class="lesson-output">{escape(output.text)}</pre>'
    data = output.get("data", {})
    if "text/html" in data:
        return f'<div class="lesson-output">{data["text/html"]}</div>'
    if "image/svg+xml" in data:
        return f'<div class="lesson-output">{data["image/svg+xml"]}</div>'
    if "image/png" in data:
        image = data["image/png"].replace("\n", "")
        source = f"data:image/png;base64,{image}"
        return f'<div class="lesson-output"><img alt="A picture by the cell above" src="{source}"></div>'
    text = data.get("text/plain", "")
    is_of_matplotlib = re.match(r"<(matplotlib|Figure|Text|Axes)|\[?<matplotlib|\[?\(?<?Text\(", text)
    return f'<pre class="lesson-output">{escape(text)}</pre>' if text and not is_of_matplotlib else ""


def executed(source: Path) -> Any:
    """The notebook of a lesson with its outputs."""
    import nbformat

    digest = hashlib.sha256(source.read_bytes() + (FOLDER / "lesson.py").read_bytes()).hexdigest()
    kept = CACHE / f"{source.stem}-{digest[:16]}.ipynb"
    if kept.exists():
        return nbformat.read(kept, as_version=4)
    spec = importlib.util.spec_from_file_location("execute_lessons", FOLDER / "execute.py")
    assert spec is not None
    assert spec.loader is not None
    execute = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(execute)
    notebook = execute.read(source)
    execute.run(notebook)
    wrong = execute.problems(notebook, {})
    if wrong:
        raise RuntimeError(f"{source.name}: {wrong[0]}")
    CACHE.mkdir(parents=True, exist_ok=True)
    for old in CACHE.glob(f"{source.stem}-*.ipynb"):
        old.unlink()
    nbformat.write(notebook, kept)
    return notebook
