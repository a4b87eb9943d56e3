"""The folders of runs and sweeps: locks, so that one program at a time writes to a folder, and temporary files."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from tensorgrad.errors import ConfigError

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None  # type: ignore[assignment]

_held: set[Path] = set()  # the folders that this process has locked


@contextlib.contextmanager
def locked(folder: Path, refusal: str | None = None) -> Iterator[None]:
    """Lock an existing folder for this process within the block.

    While another process holds the lock, wait for it, or, with a ``refusal``, raise an error that says so. The lock of
    a process ends with it, however it ends. On Windows, and on file systems without locks, nothing is locked.

    Raises
    ------
    ConfigError
        If another process holds the lock and a ``refusal`` was given.
    """
    resolved = folder.resolve()
    if fcntl is None or resolved in _held:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # a file system without locks
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | (fcntl.LOCK_NB if refusal else 0))
            except BlockingIOError:
                raise ConfigError(f"{folder}: {refusal}") from None
        _held.add(resolved)
        yield
    finally:
        _held.discard(resolved)
        os.close(handle)


def is_temporary(path: Path) -> bool:
    """Whether a file is one that `write_whole` renames when it is complete."""
    return re.fullmatch(r"\..+\.\d+\.tmp", path.name) is not None


def remove_temporary_files(folder: Path) -> None:
    """Remove the temporary files of processes that were killed; the caller holds the lock of the folder."""
    for path in filter(is_temporary, folder.iterdir()):
        with contextlib.suppress(OSError):  # Windows does not remove a file that another process has open
            path.unlink()
