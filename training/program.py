"""From exceptions to exit codes: errors that users cause are reported in one line."""

from __future__ import annotations

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

    That is what ``function`` returns; 2 after an error; 130 after Ctrl-C and 143 after SIGTERM, as shells report them;
    and where the program succeeded but its output could not be written, 141 for a pipe that nobody reads (as after
    ``| head``) and 2 otherwise.
    """
    with (
        resilient_output() as output,
        raised_as_exceptions(),
        np.errstate(all="ignore"),
    ):  # the programs report overflow
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


def _failure(name: str, error: object) -> int:
    sys.stderr.write(f"{name}: error: {error}\n")
    return 2
