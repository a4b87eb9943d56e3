"""Write the tables of docs/from-pytorch.md from the tables of tensorgrad's error messages.

python docs/from_pytorch.py            # write the page
python docs/from_pytorch.py --check    # fail if the page is out of date
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tensorgrad.frontend.spelling import FUNCTIONS, METHODS  # noqa: E402

PAGE = ROOT / "docs" / "from-pytorch.md"


def table(lines: dict[str, tuple[str, str]]) -> str:
    """A Markdown table with PyTorch's code and the equivalent code here."""
    rows = [f"| `{theirs}` | `{ours}` |" for theirs, ours in lines.values()]
    return "\n".join(["| PyTorch | here |", "|---|---|", *rows])


def render(page: str) -> str:
    """The page with its tables regenerated."""
    for heading, lines in (("Functions", FUNCTIONS), ("Methods", METHODS)):
        page = re.sub(rf"(## {heading}\n\n(?:[^|\n].*\n)*\n)\|(?:.*\n)+?(?=\n|\Z)",
                      lambda found, lines=lines: f"{found[1]}{table(lines)}\n", page)  # fmt: skip
    return page


def main(arguments: list[str]) -> int:
    """Write the page, or check it."""
    page = PAGE.read_text(encoding="utf-8")
    if arguments != ["--check"]:
        PAGE.write_text(render(page), encoding="utf-8")
    elif render(page) != page:
        print("docs/from-pytorch.md is out of date: run python docs/from_pytorch.py")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
