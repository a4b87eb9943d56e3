"""Where in the user's code an operation was called: every record keeps it, and errors of the backward pass show it."""

from __future__ import annotations

import os
from types import CodeType

PACKAGE = os.path.dirname(os.path.dirname(__file__)) + os.sep  # noqa: PTH120  (pathlib costs 4 ms to import)


class _Ours(dict[str, bool]):
    """Whether a file belongs to tensorgrad, so that its lines are not the user's; found out once for each."""

    def __missing__(self, filename: str) -> bool:
        self[filename] = filename.startswith(PACKAGE)
        return self[filename]


ours = _Ours()


def line_of(code: CodeType, instruction: int) -> str:
    """``file:line in function``, for an error."""
    line = next((line for start, end, line in code.co_lines() if start <= instruction < end), None)
    return f"{code.co_filename}:{line or code.co_firstlineno} in {code.co_name}"
