"""The frame of each program: exceptions become exit codes, and errors that users cause become one line."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Callable

import numpy as np

import tensorgrad as tg
from training.output import resilient_output
from training.signals import Terminated, exit_code, raised_as_exceptions

SIGPIPE = 13  # which the signal module of Windows lacks


def run_program(name: str, function: Callable[[], int]) -> int:
    """Call ``function()``, the program called ``name``, and return the exit code.

    The code is what ``function`` returns; 2 after an error; 130 after Ctrl-C and 143 after SIGTERM, as shells report
    them. If the program succeeds but its output cannot be written, it is 141 for a pipe without a reader (as after
    ``| head``), otherwise 2. NumPy's warnings are disabled, since the programs check for values that are not finite.
    """
    with resilient_output() as output, raised_as_exceptions(), np.errstate(all="ignore"):
        try:
            code = function()
        except MemoryError as error:
            return _failure(name, f"not enough memory: {str(error) or 'try a smaller network or batch'}")
        except (tg.TensorgradError, OSError) as error:
            return _failure(name, error)
        except KeyboardInterrupt as error:
            sys.stderr.write(f"{name}: stopped immediately\n")
            return exit_code(signal.SIGTERM if isinstance(error, Terminated) else signal.SIGINT)
        if code == 0 and isinstance(output.error, BrokenPipeError):
            return exit_code(SIGPIPE)
        if code == 0 and output.error is not None:
            return _failure(name, f"the output is incomplete: {output.error}")
        return code


def is_drawn(name: str, draw: Callable[[], None]) -> bool:
    """Call ``draw()`` and return True; if it fails, report that in one line and return False.

    Results do not depend on pictures, and an installation of matplotlib can fail in many ways. Its warnings, such as
    those of entries in a matplotlibrc, which is not used, are not shown.
    """
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    try:
        draw()
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        sys.stderr.write(f"{name}: the pictures could not be drawn: {reason}\n")
        return False
    return True


def _failure(name: str, error: object) -> int:
    sys.stderr.write(f"{name}: error: {' '.join(str(error).splitlines())}\n")
    return 2
