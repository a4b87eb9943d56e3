"""The IDX reader: valid files, and a `DataError` with a clear message for all others."""

import gzip
import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorgrad.data.idx import read_idx
from tensorgrad.errors import DataError, DataNotFoundError

HUGE = 2**32 - 1
IMAGES = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3]) + b"abcdef"  # two of 1x3 pixels
LABELS = bytes([0, 0, 8, 1, 0, 0, 0, 3]) + b"\x07\x00\x09"
MALFORMED = {  # name: (bytes, the byte blamed, words of the message)
    "empty": (b"", 0, "empty.* expected an IDX header"),
    "one byte": (b"\0", 1, "end of the data after 1 bytes, expected an IDX header"),
    "cut in the counts": (IMAGES[:10], 10, "end of the data, expected a header of 16 bytes"),
    "not idx": (b"<!DOCTYPE html>", 0, "found 0x3c21, expected 0x0000"),
    "floats": (b"\0\0\x0d" + IMAGES[3:], 2, r"type code 0x0d, expected 0x08 \(unsigned bytes\)"),
    "two dimensions": (b"\0\0\x08\x02" + IMAGES[4:], 3, r"2 dimensions, expected 1 \(labels\) or 3"),
    "255 dimensions": (b"\0\0\x08\xff" + IMAGES[4:], 3, "255 dimensions"),
    "no items": (b"\0\0\x08\x01\0\0\0\0", 4, "a count of 0, expected at least 1"),
    "no columns": (IMAGES[:12] + b"\0\0\0\0", 12, "a count of 0, expected at least 1"),
    "no body": (IMAGES[:16], 16, "after 0 bytes, expected 6 bytes for the 2 x 1 x 3 items"),
    "cut": (IMAGES[:-1], 21, "after 5 bytes, expected 6 bytes for the 2 x 1 x 3 items"),
    "trailing": (IMAGES + b"!", 22, "found more data, expected 6 bytes .* then the end"),
    "absurd labels": (b"\0\0\x08\x01\xff\xff\xff\xff" + b"ab", 10, "after 2 bytes, expected 4294967295 "),
    "absurd images": (b"\0\0\x08\x03" + b"\xff" * 12 + b"ab", 18, f"after 2 bytes, expected {HUGE**3} bytes"),
}
PACKED = gzip.compress(LABELS, mtime=0)
MALFORMED_GZIP = {  # as above, of the file as it is stored
    "magic alone": (b"\x1f\x8b", 2, "truncated"),
    "header alone": (PACKED[:10], 10, "truncated"),
    "cut in the data": (PACKED[:15], 15, "truncated"),
    "cut in the checksum": (PACKED[:-1], len(PACKED) - 1, "truncated"),
    "checksum": (PACKED[:-8] + b"????" + PACKED[-4:], 0, "damaged gzip data .*incorrect data check"),
    "length": (PACKED[:-4] + b"????", 0, "damaged gzip data .*incorrect length check"),
    "garbage": (PACKED[:10] + b"\xff" * 30, 0, "damaged gzip data .*invalid"),
    "not deflated": (b"\x1f\x8b\x09" + PACKED[3:], 0, "damaged gzip data .*unknown compression"),
    "trailing": (PACKED + b"\0\0\0", len(PACKED), "3 trailing bytes, expected the end of the file"),
    "two members": (PACKED + PACKED, len(PACKED), f"{len(PACKED)} trailing bytes"),
}


def complaint(path: Path, data: bytes, ndim=None) -> str:
    path.write_bytes(data)
    with pytest.raises(DataError) as caught:
        read_idx(path, ndim)
    message = str(caught.value)
    assert message.startswith(f"{path}: at byte ")
    assert "\n" not in message
    return message


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("name", ["data", "data.gz"])
def test_reads_by_content_whatever_the_name(tmp_path, pack, name):
    path = tmp_path / name
    for data, ndim, expected in [
        (IMAGES, 3, np.frombuffer(b"abcdef", np.uint8).reshape(2, 1, 3)),
        (LABELS, 1, np.array([7, 0, 9], np.uint8)),
    ]:
        path.write_bytes(pack(data))
        for array in (read_idx(path), read_idx(str(path), ndim)):
            np.testing.assert_array_equal(array, expected, strict=True)
            assert not array.flags.writeable


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize(("data", "byte", "words"), MALFORMED.values(), ids=MALFORMED)
def test_malformed_data_names_the_byte(tmp_path, pack, data, byte, words):
    message = complaint(tmp_path / "bad", pack(data))
    assert f"at byte {byte} of its IDX data: found " in message
    assert re.search(words, message)


@pytest.mark.parametrize(("data", "byte", "words"), MALFORMED_GZIP.values(), ids=MALFORMED_GZIP)
def test_malformed_gzip_names_the_byte_of_the_file(tmp_path, data, byte, words):
    message = complaint(tmp_path / "bad", data)
    assert f"at byte {byte} of the gzip file: found " in message
    assert re.search(words, message)


def test_damage_deep_in_a_long_file_is_located(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, 300_000, np.uint8).tobytes()
    packed = bytearray(gzip.compress(b"\0\0\x08\x01" + len(noise).to_bytes(4, "big") + noise))
    packed[-8] ^= 1
    start = (len(packed) - 8) // 65536 * 65536
    assert f"at byte {start} of the gzip file" in complaint(tmp_path / "bad", bytes(packed))


@pytest.mark.parametrize(
    ("data", "ndim", "words"),
    [(IMAGES, 1, r"3 dimensions, expected 1 \(labels\)"), (LABELS, 3, "1 dimensions")],
)
def test_the_wrong_kind_of_file(tmp_path, data, ndim, words):
    assert re.search(f"at byte 3 .*{words}", complaint(tmp_path / "bad", data, ndim))


def test_paths_that_are_not_readable_files(tmp_path, monkeypatch):
    with pytest.raises(DataNotFoundError, match="no such file, expected an IDX file"):
        read_idx(tmp_path / "absent")
    with pytest.raises(DataError, match="at byte 0 of the file: found a directory"):
        read_idx(tmp_path)

    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(DataError, match=r"found an unreadable file \(Permission denied\)"):
        read_idx(tmp_path / "locked")


@pytest.mark.parametrize(
    "data",
    [
        b"\0\0\x08\x03" + b"\xff" * 12,
        gzip.compress(b"\0\0\x08\x03" + b"\xff" * 12),
        gzip.compress(LABELS + bytes(50_000_000)),  # small on disk, large unpacked, and not as it claims
    ],
    ids=["plain", "gzip", "bomb"],
)
def test_no_memory_is_allocated_for_the_counts_of_a_header(tmp_path, data):
    tracemalloc.start()
    complaint(tmp_path / "bad", data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


@given(st.data())
def test_any_bytes_are_an_array_or_a_data_error(tmp_path_factory, data):
    good = bytearray(data.draw(st.sampled_from([IMAGES, LABELS, PACKED, gzip.compress(IMAGES)])))
    for _ in range(data.draw(st.integers(0, 3))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    good = good[: data.draw(st.integers(0, len(good)))] + data.draw(st.binary(max_size=4))
    path = tmp_path_factory.getbasetemp() / "any"
    path.write_bytes(good)
    try:
        array = read_idx(path)
    except DataError:
        return
    assert array.ndim in (1, 3)
    assert array.dtype == np.uint8
