"""Ctrl-C and SIGTERM, during training and otherwise."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType
from typing import NoReturn

Handler = Callable[[int, FrameType | None], object]

SIGNALS = (signal.SIGINT, signal.SIGTERM)
_LATER = 0.01  # seconds, after which a callback has returned


class Terminated(KeyboardInterrupt):
    """SIGTERM was received; what handles Ctrl-C handles this, too."""


def exit_code(number: int) -> int:
    """The exit code of a program that a signal ended, as shells report it: 130 for SIGINT, 143 for SIGTERM."""
    return 128 + number


@contextlib.contextmanager
def raised_as_exceptions() -> Iterator[None]:
    """Within the block, SIGINT raises KeyboardInterrupt and SIGTERM raises `Terminated`.

    In a callback, such as that of a weak reference, Python ignores exceptions: there the signal is sent again.
    """

    def handle(number: int, frame: FrameType | None) -> NoReturn:
        raise Terminated if number == signal.SIGTERM else KeyboardInterrupt

    def send_again(ignored: sys.UnraisableHookArgs) -> None:
        if not issubclass(ignored.exc_type, KeyboardInterrupt):
            report(ignored)
            return
        number = signal.SIGTERM if issubclass(ignored.exc_type, Terminated) else signal.SIGINT
        threading.Timer(_LATER, _send_to_main_thread, [number]).start()

    previous, report = _install(handle), sys.unraisablehook
    sys.unraisablehook = send_again
    try:
        yield
    finally:
        sys.unraisablehook = report
        _restore(previous)


class Interrupt:
    """Stop between two updates instead of inside one: ``with Interrupt() as interrupt: ...``.

    The first SIGINT or SIGTERM only sets ``interrupt.signal`` to its number, which makes ``interrupt`` true. A second
    one acts as it would outside the block, so that a program that hangs can still be stopped. In threads other than
    the main one, where Python delivers no signals, nothing is changed.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._previous: dict[int, object] = {}

    def __bool__(self) -> bool:
        return self.signal is not None

    def __enter__(self) -> Interrupt:
        self._previous = _install(self._note, even_if_ignored=True)
        return self

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signal = number
        _restore(self._previous)
        with contextlib.suppress(RuntimeError, OSError):  # RuntimeError: the signal arrived during another write
            sys.stderr.write("\nstopping after this update (press Ctrl-C again to stop immediately)\n")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:  # fmt: skip
        _restore(self._previous)


def _send_to_main_thread(number: int) -> None:
    if hasattr(signal, "pthread_kill"):  # interrupts a system call, too
        signal.pthread_kill(threading.main_thread().ident or 0, number)
    else:
        signal.raise_signal(number)


def _install(handler: Handler, *, even_if_ignored: bool = False) -> dict[int, object]:
    """Handle the signals by ``handler``; return the previous handlers by signal number.

    A signal that the parent process set to be ignored, as shells do for background jobs, remains ignored by default.
    """
    if threading.current_thread() is not threading.main_thread():
        return {}
    ignored = [] if even_if_ignored else [n for n in SIGNALS if signal.getsignal(n) is signal.SIG_IGN]
    return {number: signal.signal(number, handler) for number in SIGNALS if number not in ignored}


def _restore(previous: dict[int, object]) -> None:
    for number, handler in previous.items():
        signal.signal(number, handler)  # type: ignore[arg-type]
