"""The folders of runs and sweeps: locks, so that one program at a time writes to a folder; temporary files; JSON."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from models.schema import checked
from tensorgrad.checkpoints import write_whole
from tensorgrad.errors import ConfigError

LOCK = ".lock"


@contextlib.contextmanager
def locked(folder: Path, refusal: str | None = None) -> Iterator[None]:
    """Lock an existing folder for this process within the block, by a file ``.lock`` in it, which stays there.

    While another process holds the lock, wait for it, or, with a ``refusal``, raise an error that says so. The lock of
    a process ends with it, however it ends. On file systems without locks, nothing is locked.

    Raises
    ------
    ConfigError
        If another process holds the lock and a ``refusal`` was given.
    """
    with contextlib.ExitStack() as stack:
        lock = FileLock(folder.resolve() / LOCK, is_singleton=True)  # one for each path, so that blocks can be nested
        try:
            stack.enter_context(lock.acquire(timeout=0 if refusal else -1))
        except Timeout:
            raise ConfigError(f"{folder}: {refusal}") from None
        except NotImplementedError:
            pass
        yield


def is_empty(folder: Path, *others: str) -> bool:
    """Whether a folder contains nothing but its lock, temporary files, and perhaps ``others``."""
    return all(path.name in (LOCK, *others) or is_temporary(path) for path in folder.iterdir())


def is_temporary(path: Path) -> bool:
    """Whether a file is one that `write_whole` renames when it is complete."""
    return re.fullmatch(r"\..+\.\d+\.tmp", path.name) is not None


def remove_temporary_files(folder: Path) -> None:
    """Remove the temporary files of processes that were killed; the caller holds the lock of the folder."""
    for path in filter(is_temporary, folder.iterdir()):
        with contextlib.suppress(OSError):  # Windows does not remove a file that another process has open
            path.unlink()


def read_json(path: Path, kind: Any, advice: str = "") -> Any:
    """The content of a JSON file, a value of type ``kind`` (see `models.schema`).

    Raises
    ------
    ConfigError
        If the file is damaged; the message ends with ``advice`` or, without one, with what is wrong.
    """
    try:
        return checked(json.loads(path.read_text(encoding="utf-8")), kind, "it")
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is damaged: {advice or error}") from None


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file atomically."""
    content = json.dumps(value, indent=1) + "\n"
    write_whole(path, lambda file: file.write(content.encode()))
