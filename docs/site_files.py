"""A hook of MkDocs: it adds pages of other folders, the lessons and the reference, and changes the links in pages.

See ``mkdocs.yml``. The links are those that work in a clone of the repository; those to files that are not pages of the
site lead to the repository on the web. The reference contains every public name, in the order of ``__all__``.
"""

from __future__ import annotations

import importlib
import posixpath
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "docs"))  # hooks are not in a package

from site_lessons import SOURCES, Lesson  # noqa: E402  (found through the line above)

LESSONS = {f"lessons/{source.stem}.md": source for source in SOURCES}  # from the page to its source
_lessons: dict[str, Lesson] = {}
PAGES = {  # in the repository, and in the site
    "README.md": "index.md",
    "examples/README.md": "examples.md",
    "checkpoints/README.md": "checkpoints.md",
    "benchmarks/README.md": "benchmarks.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "CHANGELOG.md": "changelog.md",
}
REFERENCE = {  # pages: the title, and packages with public names
    "tensors": ("Tensors and derivatives", ["tensorgrad"]),
    "functions": ("Functions", ["tensorgrad.functional"]),
    "layers": ("Layers", ["tensorgrad.nn"]),
    "optimizers": ("Optimizers and schedules", ["tensorgrad.optim", "tensorgrad.schedules"]),
    "data": ("Data sets", ["tensorgrad.data"]),
}
ORDER = [  # of what `tensorgrad` itself contains
    "frontend.tensor", "rules", "transforms", "frontend", "engine", "debug", "compiling", "checkpoints", "drawing",
    "exporting", "minimizing", "errors",
]  # fmt: skip
_LINK = re.compile(r"(\]\(|\bsrc=\"|\bhref=\")([^)\s\"#]+)(#[^)\s\"]*)?")  # of Markdown and HTML
_CODE = re.compile(r"^```.*?^```|`[^`\n]+`", re.MULTILINE | re.DOTALL)


def on_files(files: Files, config: Any) -> Files:
    """Add the pages of other folders."""
    for source, page in PAGES.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    for page, source in LESSONS.items():
        _lessons[page] = Lesson(source)
        files.append(File.generated(config, page, content=_lessons[page].markdown))
    for page, (title, modules) in REFERENCE.items():
        text = "\n\n".join([f"# {title}", *[line for module in modules for line in _reference(module)]])
        files.append(File.generated(config, f"reference/{page}.md", content=text + "\n"))
    return files


def public(package: str) -> dict[str, list[str]]:
    """The public names of a package that have documentation, by the module that defines them."""
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    module = importlib.import_module(package)
    elsewhere = set(importlib.import_module("tensorgrad.functional").__all__) if package == "tensorgrad" else set()
    found: dict[str, list[str]] = {}
    for name in module.__all__:
        home = getattr(getattr(module, name), "__module__", None) or ""
        if name not in elsewhere and home.startswith("tensorgrad"):
            found.setdefault(home, []).append(name)
    return found


def _reference(package: str) -> Iterator[str]:
    """The lines of a page that mkdocstrings replaces by the documentation of the names."""
    groups = public(package)
    if package == "tensorgrad":
        groups = {home: groups[home] for home in sorted(groups, key=_position)}
    for home, names in groups.items():
        if package != "tensorgrad":
            heading, _, _ = (sys.modules[home].__doc__ or home).partition("\n")
            yield f"## {heading.rstrip('.')}"
        level = 2 if package == "tensorgrad" else 3
        for name in names:
            options = f"{{show_root_heading: true, show_root_toc_entry: true, heading_level: {level}}}"
            yield f"::: {home}.{name}\n    options: {options}"


def _position(home: str) -> int:
    return next(i for i, name in enumerate(ORDER) if home.startswith(f"tensorgrad.{name}"))


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Change the links of a page, except in blocks of code."""
    names = {page: source for source, page in PAGES.items()}
    lessons = {f"docs/lessons/{source.name}": f"docs/{place}" for place, source in LESSONS.items()}
    source = names.get(page.file.src_uri, f"docs/{page.file.src_uri}")
    folder, place = posixpath.dirname(source), posixpath.dirname(page.file.src_uri)

    def link(match: re.Match[str]) -> str:
        before, target, anchor = match.groups(default="")
        if ":" in target or target.startswith("/"):
            return match[0]
        if target.endswith("?plain=1"):  # a line of the source: the page
            target, anchor = target.removesuffix("?plain=1"), ""
        path = posixpath.normpath(posixpath.join(folder, target))
        if path in lessons and page.file.src_uri not in LESSONS:
            path = lessons[path]
        in_site = PAGES.get(path, path.removeprefix("docs/"))
        found = files.get_file_from_path(in_site) if path in PAGES or path.startswith("docs/") else None
        if found and not found.inclusion.is_excluded():  # excluded: programs and notebooks
            return before + posixpath.relpath(in_site, place or ".") + anchor
        kind = "tree" if (ROOT / path).is_dir() else "blob"
        if not (ROOT / path).exists():
            raise FileNotFoundError(f"{source} links to {target}, which does not exist")
        return f"{before}{config.repo_url}/{kind}/main/{path}{anchor}"

    parts, last = [], 0
    for block in _CODE.finditer(markdown):
        parts += [_LINK.sub(link, markdown[last : block.start()]), block[0]]
        last = block.end()
    return "".join([*parts, _LINK.sub(link, markdown[last:])])


def on_page_content(html: str, page: Any, config: Any, files: Files) -> str:
    """Put outputs and formulas into the pages of lessons."""
    return _lessons[page.file.src_uri].complete(html) if page.file.src_uri in LESSONS else html
