"""Handling of Ctrl-C between two updates instead of inside one."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from types import FrameType, TracebackType


class Interrupt:
    """``with Interrupt() as interrupt:`` - Ctrl-C (and a request to terminate) only sets ``interrupt.signal``.

    A second one acts as usual, so that a program which hangs can still be stopped. Outside the main thread, where
    Python delivers no signals, nothing is changed.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._before: dict[int, object] = {}

    def __bool__(self) -> bool:
        return self.signal is not None

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._note)
        return self

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signal = number
        self._restore()
        with contextlib.suppress(RuntimeError, OSError):  # where it came amid another write, or none can be
            sys.stderr.write("\nstopping after this update (once more to stop at once)\n")

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:  # fmt: skip
        self._restore()
