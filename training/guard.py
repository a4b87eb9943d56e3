"""Exit codes: user errors are reported in one line, with a nonzero exit code."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

import tensorgrad as tg


def guarded(program: str, function: Callable[..., int], *arguments: Any) -> int:
    """Call ``function(*arguments)`` and return its exit code, or the one that belongs to what it raised.

    130 after Ctrl-C and 141 where nobody reads the output any more (as after ``| head``), as shells have it.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # the name of a file may hold bytes that are no text
    try:
        with np.errstate(all="ignore"):  # numbers that overflow are told of by the program, once
            code = function(*arguments)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # for what Python still wants to write while it exits
        return 128 + 13
    except MemoryError as error:
        sys.stderr.write(f"{program}: error: not enough memory: {str(error) or 'try a smaller network or batch'}\n")
        return 2
    except (tg.TensorgradError, OSError) as error:
        sys.stderr.write(f"{program}: error: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write(f"{program}: stopped at once\n")
        return 128 + signal.SIGINT
