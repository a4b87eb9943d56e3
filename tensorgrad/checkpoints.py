"""Arrays and a configuration in one ``.npz`` file, written atomically and read without pickle.

Every array is an ``.npy`` member under its own name, as `numpy.load` reads it; the configuration is a member
``config.json``. The same content results in the same bytes.
"""

from __future__ import annotations

import contextlib
import errno
import io
import json
import math
import os
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from tensorgrad.engine.tape import value_of
from tensorgrad.errors import CheckpointError

_CONFIG = "config.json"
_MOST_COMPRESSION = 100
# The exceptions that zipfile, zlib, json and NumPy raise for a damaged file.
_DAMAGE = (zipfile.BadZipFile, zlib.error, ValueError, EOFError, KeyError, OSError, RuntimeError)


class Checkpoint(NamedTuple):
    """The contents of a checkpoint file: arrays by name, and the configuration.

    Examples
    --------
    >>> checkpoint = tg.Checkpoint({"w": np.zeros(3)}, {"lr": 0.1})
    >>> checkpoint.config["lr"]
    0.1
    """

    arrays: dict[str, np.ndarray[Any, Any]]
    config: dict[str, Any]


def save(path: str | os.PathLike[str], arrays: Mapping[str, Any], config: Mapping[str, Any] | None = None) -> None:
    """Write arrays or tensors by name, and a configuration of JSON values, to ``path``.

    The file is written under a temporary name, flushed to disk and renamed, so that ``path`` has either its previous
    content or the complete new content, even after a crash.

    Raises
    ------
    TypeError
        If an array has dtype object, or the configuration cannot be represented in JSON.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "model.npz")
    ...     tg.save(path, {"w": np.arange(3.0)}, {"lr": 0.1})
    ...     arrays, config = tg.load(path)
    >>> arrays, config
    ({'w': array([0., 1., 2.])}, {'lr': 0.1})
    """
    try:
        text = json.dumps(dict(config or {}), indent=2, sort_keys=True, allow_nan=False)
    except ValueError as error:
        raise TypeError(f"the configuration contains a number that JSON cannot represent: {error}") from None
    values = {name: np.asanyarray(value_of(x)) for name, x in arrays.items()}
    for name, array in values.items():
        if array.dtype.hasobject:
            raise TypeError(f"{name!r} contains Python objects; a checkpoint can contain numbers and text only")

    def write(file: BinaryIO) -> None:
        with zipfile.ZipFile(file, "w") as archive:
            for name, array in values.items():
                content = io.BytesIO()
                np.lib.format.write_array(content, array, allow_pickle=False)
                archive.writestr(zipfile.ZipInfo(name + ".npy"), content.getbuffer())
            archive.writestr(zipfile.ZipInfo(_CONFIG), text)

    write_whole(Path(path), write)


def write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Create or replace a file atomically; ``write`` writes its content. Devices and pipes are written to."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists() and not path.is_file():  # such as /dev/null: the file would take its place, if that is allowed
        with path.open("wb") as file:
            write(file)
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.unlink(missing_ok=True)  # of an earlier process with the same number
        with temporary.open("xb") as file:  # fails for a link created by another program
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        if error.filename in (str(temporary), None):  # None: the disk is full
            error.filename = str(path)
        raise
    finally:
        with contextlib.suppress(NotADirectoryError):
            temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Write the names of new files in a folder to disk, except where systems do not support it."""
    try:
        handle = os.open(folder, os.O_RDONLY)  # on Windows, this is refused
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        if error.errno in (errno.EIO, errno.ENOSPC):
            raise


def load(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a checkpoint written by `save`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    CheckpointError
        If the file is damaged or not a checkpoint.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "model.npz")
    ...     tg.save(path, {"w": np.arange(3.0)}, {"lr": 0.1})
    ...     arrays, config = tg.load(path)
    >>> arrays, config
    ({'w': array([0., 1., 2.])}, {'lr': 0.1})
    """
    path = Path(path)
    if path.is_dir():
        raise CheckpointError(f"{path} is a folder, not a checkpoint file")
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise FileNotFoundError(f"no checkpoint at {path}") from None
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _check_sizes(archive, len(content))
            names = archive.namelist()
            config = json.loads(archive.read(_CONFIG)) if _CONFIG in names else {}
            if not isinstance(config, dict):
                raise ValueError(f"{_CONFIG} is not a JSON object")
            arrays = {}
            for name in names:
                if name.endswith(".npy"):
                    arrays[name.removesuffix(".npy")] = _array(archive.read(name))
    except _DAMAGE as error:
        raise CheckpointError(f"{path} is damaged or not a checkpoint: {error}") from None
    return Checkpoint(arrays, config)


def _check_sizes(archive: zipfile.ZipFile, size: int) -> None:
    """Refuse a file whose content takes many times its size in memory; `save` does not compress files."""
    total = sum(member.file_size for member in archive.infolist())
    if total > max(_MOST_COMPRESSION * size, 1 << 26):
        raise ValueError(f"its content would take {total / 2**30:.1f} GiB of memory, {total // size} times its size")


def _array(content: bytes) -> np.ndarray[Any, Any]:
    """The array in an ``.npy`` file. NumPy alone would allocate memory for the shape in the header, however large."""
    file = io.BytesIO(content)
    version = np.lib.format.read_magic(file)
    read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read_header(file)
    if dtype.hasobject:
        raise ValueError("an array contains Python objects, which are never loaded")
    if math.prod(shape) * dtype.itemsize > len(content):
        raise ValueError(f"an array has the shape {shape}, but only {len(content)} bytes")
    file.seek(0)
    array: np.ndarray[Any, Any] = np.lib.format.read_array(file, allow_pickle=False)
    return array
