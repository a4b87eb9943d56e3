"""The line of the user's code that called an operation. Records store it, and errors in the backward pass report it."""

from __future__ import annotations

import os
from types import CodeType

PACKAGE = os.path.dirname(os.path.dirname(__file__)) + os.sep  # noqa: PTH120  (pathlib costs 4 ms to import)


class _InPackage(dict[str, bool]):
    """Whether a file belongs to tensorgrad; determined once for each file name."""

    def __missing__(self, filename: str) -> bool:
        self[filename] = filename.startswith(PACKAGE)
        return self[filename]


in_package = _InPackage()


def line_of(code: CodeType, instruction: int) -> str:
    """``file:line in function``, for an error message."""
    line = next((line for start, end, line in code.co_lines() if start <= instruction < end), None)
    return f"{code.co_filename}:{line or code.co_firstlineno} in {code.co_name}"
