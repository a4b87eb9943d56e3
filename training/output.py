"""Standard output and standard error that cannot end a program: closed, full, or a pipe without a reader."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO


class ResilientStream:
    """A text stream whose writes never raise an OSError: the first one is kept in ``error``, the output discarded.

    Every write is flushed, so that lines in a file or a pipe appear in order and at once.
    """

    def __init__(self, stream: TextIO) -> None:
        self.error: OSError | None = None
        self._stream = stream

    def write(self, text: str) -> int:
        """Write and flush ``text``; return its length."""
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError as error:
            self.error = self.error or error
            self._discard()
        return len(text)

    def flush(self) -> None:
        """Do nothing: every write is flushed."""

    def _discard(self) -> None:
        """Redirect the file descriptor to the null device, also for what Python flushes while it exits."""
        with contextlib.suppress(OSError):  # the stream has no file descriptor
            descriptor = self._stream.fileno()
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, descriptor)
            os.close(null)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def resilient_output() -> Iterator[ResilientStream]:
    """Within the block, ``sys.stdout`` and ``sys.stderr`` are resilient; yields the first of the two."""
    _open_closed_descriptors()
    out, err = (ResilientStream(stream or _null_stream()) for stream in (sys.stdout, sys.stderr))
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file name may contain bytes that are not text
    streams: Any = (out, err)
    with contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]):
        yield out


def _open_closed_descriptors() -> None:
    """Open the null device in place of closed standard streams; otherwise the next file would get their numbers."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free, which is this one


def _null_stream() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123
