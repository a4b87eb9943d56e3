"""Programs in child processes that get an error at one of their file operations, or are stopped at each of them."""

import builtins
import errno
import io
import json
import os
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
SECONDS = 200  # after which a child is killed, which fails the test


class Disk:
    """The file operations below a folder; the one with number ``at`` kills the process, or fails with ``error``.

    ``ENOSPC`` is the error of all later ones, too, except for deletions: the disk stays full. Half of the data of a
    write reaches the file. With ``copies``, the folder as it is before each operation is copied there, under its
    number: what a process killed at this moment would leave. Nothing is synced, since the machine does not stop.
    """

    def __init__(self, root: Path, at: int = 0, error: int | None = None, copies: Path | None = None) -> None:
        self.folder, self.root = root.resolve(), str(root.resolve()) + os.sep
        self.at, self.error, self.copies = at, error, copies
        self.operations: list[str] = []
        self.is_copying = False

    def operate(self, name: str, path: object) -> None:
        """Note an operation; if its turn has come, end the process or raise the error."""
        if self.is_copying:
            return
        if isinstance(path, int):
            path = Path(f"/proc/self/fd/{path}").readlink()
        full = os.path.abspath(os.fsdecode(path)) + os.sep  # noqa: PTH100
        if not full.startswith(self.root):
            return
        self.operations.append(f"{name} {full.removeprefix(self.root)}")
        number = len(self.operations)
        if self.copies:
            self.is_copying = True
            shutil.copytree(self.folder, self.copies / str(number))
            self.is_copying = False
        if number == self.at or (self.error == errno.ENOSPC and 0 < self.at < number and name != "unlink"):
            if self.error is None:
                os.kill(os.getpid(), signal.SIGKILL)
            raise OSError(self.error, os.strerror(self.error), path)

    def install(self) -> None:
        """Replace the functions of this process, which is to end soon."""
        for name in ("fsync", "mkdir", "remove", "rename", "replace", "rmdir", "unlink"):
            self._wrap(name)
        os_open, io_open, disk = os.open, io.open, self

        class File(io.FileIO):
            def write(self, data):
                view = memoryview(data).cast("B")
                half = super().write(view[: len(view) // 2])
                disk.operate("write", self.name)
                return half + super().write(view[half:])

        def open_descriptor(path, flags, *arguments, **settings):
            if flags & WRITING:
                disk.operate("open", path)
            return os_open(path, flags, *arguments, **settings)

        def open_file(file, mode="r", buffering=-1, encoding=None, errors=None, newline=None, *arguments, **settings):
            if isinstance(file, int) or not set(mode) & set("wax"):
                return io_open(file, mode, buffering, encoding, errors, newline, *arguments, **settings)
            disk.operate("open", file)
            binary = io.BufferedWriter(File(file, mode.replace("b", "")))
            return binary if "b" in mode else io.TextIOWrapper(binary, encoding, errors, newline)

        os.open, io.open, builtins.open = open_descriptor, open_file, open_file

    def _wrap(self, name: str) -> None:
        original = getattr(os, name)

        def operation(path, *arguments, **settings):
            self.operate("unlink" if name == "remove" else name, path)
            return None if name == "fsync" else original(path, *arguments, **settings)

        setattr(os, name, operation)


class Ended(NamedTuple):
    """How a child process ended: its exit code, negative for a signal, its output, and its file operations."""

    code: int
    out: str
    err: str
    operations: list[str]


def run_in_child(folder: Path, main: Callable[[list[str]], int], arguments: Sequence[str], at: int = 0,
                 error: int | None = None, prepare: Callable[[], object] = lambda: None,
                 copies: Path | None = None) -> Ended:  # fmt: skip
    """Call ``prepare()`` and the ``main`` of a program in ``folder``, in a child process with a `Disk`."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, tempfile.TemporaryFile("w+") as log:
        child = os.fork()
        if child == 0:
            code = 99
            try:
                signal.signal(signal.SIGALRM, signal.SIG_DFL)
                signal.alarm(SECONDS)
                os.dup2(out.fileno(), 1)
                os.dup2(err.fileno(), 2)
                sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))
                os.chdir(folder)
                prepare()
                disk = Disk(folder, at, error, copies)
                disk.install()
                code = main(list(arguments))
                json.dump(disk.operations, log)
                log.flush()
            except SystemExit as exit_:
                code = exit_.code if isinstance(exit_.code, int) else 98
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
        log.seek(0)
        return Ended(code, *texts, json.loads(log.read() or "[]"))
