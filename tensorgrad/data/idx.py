"""Reader for the IDX format, which MNIST uses: a big-endian header, then the bytes of one array.

::

    byte 0   2 zero bytes
    byte 2   type code: 0x08 for unsigned bytes, as in MNIST; others for integers and floating-point numbers
    byte 3   number of dimensions: 1 for labels, 3 for images; 2 for labels of several columns, as in QMNIST
    byte 4   one unsigned 32-bit count per dimension
    then     the items, the last dimension varying fastest

The format is described at http://yann.lecun.com/exdb/mnist/. A file may be compressed with gzip (RFC 1952, one member),
which is recognized by its first bytes, not by its name.
"""

import math
import struct
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorgrad.errors import DataError, DataNotFoundError

_UNSIGNED_BYTE = 0x08
_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_KINDS = {1: "labels", 3: "images"}  # by the number of dimensions
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WBITS = 31  # zlib's code for "a gzip header and checksum around the data"
_LONGEST_HEADER = 16  # 4 bytes and three counts
_CHUNK = 1 << 16  # compressed bytes per step: small enough to locate damage, large enough to be fast


def read_idx(path: Path | str, ndim: int | None = None, *, any_type: bool = False) -> NDArray[Any]:
    """Read an array from an IDX file, compressed with gzip or not.

    Parameters
    ----------
    path
        The file.
    ndim
        The number of dimensions it must have, 1 (labels) or 3 (images); None accepts both.
    any_type
        Whether other types than unsigned bytes are accepted, and labels of two dimensions.

    Returns
    -------
    array
        ``(N,)`` or ``(N, H, W)``, a read-only view of the bytes read. Memory is allocated for the data that the file
        contains, not for the counts in its header, which raise an error if they do not match the data.

    Raises
    ------
    DataError
        The file is unreadable or malformed; the message states the file, the byte, what was found and what was
        expected. For a file that does not exist, the subclass `DataNotFoundError`.
    """
    path = Path(path)
    stored = _stored_bytes(path)
    compressed = stored.startswith(_GZIP_MAGIC)
    head = _inflate(path, stored, _LONGEST_HEADER) if compressed else stored[:_LONGEST_HEADER]
    shape = _parse_header(path, head, ndim, any_type)
    start = 4 + 4 * len(shape)
    dtype = np.dtype(_TYPES[head[2]])
    size = start + math.prod(shape) * dtype.itemsize
    data = _inflate(path, stored, size + 1) if compressed else stored  # one more byte shows whether there is more data
    if len(data) != size:
        counts = " x ".join(map(str, shape))
        found = f"the end of the data after {len(data) - start} bytes" if len(data) < size else "more data"
        needed = f"{size - start} bytes for the {counts} items in its header"
        raise malformed(path, min(len(data), size), found, needed + ", then the end")
    array = np.frombuffer(data, dtype, offset=start).reshape(shape)
    return array if dtype.itemsize == 1 else array.astype(dtype.newbyteorder("="))


def malformed(path: Path, byte: int, found: str, expected: str, *, of: str = "of its IDX data") -> DataError:
    """The error for a malformed file; `byte` is an offset in the uncompressed data unless `of` says otherwise."""
    return DataError(f"{path}: at byte {byte} {of}: found {found}, expected {expected}")


def _stored_bytes(path: Path) -> bytes:
    """The content of the file, still compressed."""
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise DataNotFoundError(f"{path}: no such file, expected an IDX file") from error
    except OSError as error:
        found = "a directory" if path.is_dir() else f"an unreadable file ({error.strerror or error})"
        raise malformed(path, 0, found, "a readable IDX file", of="of the file") from error


def _parse_header(path: Path, head: bytes, ndim: int | None, any_type: bool) -> tuple[int, ...]:
    """Check the header and return the shape that it states."""
    if len(head) < 4:
        found = f"the end of the data after {len(head)} bytes" if head else "no data at all (it is empty)"
        raise malformed(path, len(head), found, "an IDX header of 8 or 16 bytes")
    if head[:2] != b"\0\0":
        raise malformed(path, 0, f"0x{head[:2].hex()}", "0x0000, the first two bytes of an IDX file")
    if head[2] not in (_TYPES if any_type else (_UNSIGNED_BYTE,)):
        valid = (
            ", ".join(f"0x{code:02x}" for code in _TYPES) if any_type else f"0x{_UNSIGNED_BYTE:02x} (unsigned bytes)"
        )
        raise malformed(path, 2, f"type code 0x{head[2]:02x}", valid)
    kinds = {ndim: _KINDS[ndim]} if ndim is not None else _KINDS
    if any_type and ndim == 1:
        kinds = {1: "labels", 2: "labels of several columns"}
    if head[3] not in kinds:
        expected = " or ".join(f"{n} ({kind})" for n, kind in kinds.items())
        raise malformed(path, 3, f"{head[3]} dimensions", expected)
    end = 4 + 4 * head[3]
    if len(head) < end:
        raise malformed(path, len(head), "the end of the data", f"a header of {end} bytes")
    shape = struct.unpack(f">{head[3]}I", head[4:end])
    if 0 in shape:
        raise malformed(path, 4 + 4 * shape.index(0), "a count of 0", "at least 1")
    return shape


def _inflate(path: Path, stored: bytes, limit: int) -> bytes:
    """Decompress at most `limit` bytes. If the data end before that, their checksum has been verified."""
    unzip = zlib.decompressobj(_GZIP_WBITS)
    room = min(limit, sys.maxsize)
    parts: list[bytes] = []
    for at in range(0, len(stored), _CHUNK):
        try:
            part = unzip.decompress(stored[at : at + _CHUNK], room)
        except zlib.error as error:
            found = f"damaged gzip data within the next {_CHUNK} bytes ({error})"
            raise malformed(path, at, found, "intact gzip data", of="of the gzip file") from error
        parts.append(part)
        room -= len(part)
        if room == 0:
            return b"".join(parts)
        if unzip.eof:
            end = min(at + _CHUNK, len(stored)) - len(unzip.unused_data)
            if end < len(stored):
                found = f"{len(stored) - end} trailing bytes"
                raise malformed(path, end, found, "the end of the file", of="of the gzip file")
            return b"".join(parts)
    found = "the end of a truncated file"
    raise malformed(path, len(stored), found, "the rest of the gzip data", of="of the gzip file")
