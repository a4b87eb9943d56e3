"""docs/compile.md: its example runs, and the program shown is the one that it prints."""

import contextlib
import io
import re
from pathlib import Path

PAGE = Path(__file__).parent.parent.parent / "docs" / "compile.md"


def test_the_program_shown_is_the_one_printed(tmp_path):
    text = PAGE.read_text(encoding="utf-8")
    example, listing = (re.search(rf"```{kind}\n(.*?)```", text, re.DOTALL)[1] for kind in ("python", "text"))
    script = tmp_path / "example.py"  # a file, so that the program shows its lines
    script.write_text(example, encoding="utf-8")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(example, script, "exec"), {"__name__": "example"})
    assert printed.getvalue().strip() == listing.strip()
