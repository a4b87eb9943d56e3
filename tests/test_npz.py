"""Checkpoints: content is preserved, files are written atomically, and damage is always detected."""

import errno
import io
import os
import pickle
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.checkpoints import write_whole

ARRAYS = {
    "layers.0.weight": np.arange(6, dtype=np.float32).reshape(2, 3) / 7,
    "0-d": np.array(3.5),
    "empty": np.zeros((0, 4)),
    "integers": np.array([1, -2, 3], np.int16),
    "flags": np.array([True, False]),
    "text": np.array(["é", "abc"]),
    "half": np.array([np.nan, np.inf, -0.0], np.float16),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "strided": np.arange(10.0)[::-3],
    "big endian": np.arange(3, dtype=">f8"),
    "a/b c.npy": np.ones(2),
}
CONFIG = {"name": "é", "lr": 0.1, "layers": [784, 10], "nested": {"a": None, "b": True}}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.npz"


def same(a, b):
    return a.keys() == b.keys() and all(
        a[k].dtype == b[k].dtype and a[k].shape == b[k].shape and a[k].tobytes() == b[k].tobytes() for k in a
    )


def test_round_trip(path):
    tg.save(path, ARRAYS, CONFIG)
    arrays, config = tg.load(path)
    assert list(arrays) == list(ARRAYS)
    assert same(arrays, ARRAYS)
    assert config == CONFIG
    assert all(x.flags.writeable for x in arrays.values())
    tg.save(str(path), arrays)
    assert same(tg.load(str(path)).arrays, ARRAYS)
    assert tg.load(path).config == {}


def test_an_empty_checkpoint(path):
    tg.save(path, {})
    assert tg.load(path) == ({}, {})


def test_numpy_reads_it(path):
    tg.save(path, ARRAYS, CONFIG)
    with np.load(path, allow_pickle=False) as archive:
        for name in ("layers.0.weight", "0-d", "empty", "text"):
            np.testing.assert_array_equal(archive[name], ARRAYS[name])


def test_tensors_and_numbers_are_saved_as_arrays(path):
    tensor = tg.Tensor([1.0, 2.0], requires_grad=True)
    tg.save(path, {"t": tensor, "result": tensor * 2, "number": 3, "list": [1.0, 2.0]})
    arrays = tg.load(path).arrays
    np.testing.assert_array_equal(arrays["t"], [1, 2])
    np.testing.assert_array_equal(arrays["result"], [2, 4])
    assert arrays["number"] == 3


def test_the_same_content_gives_the_same_bytes(path, tmp_path):
    tg.save(path, ARRAYS, CONFIG)
    os.utime(path, (0, 0))
    again = tmp_path / "again.npz"
    tg.save(again, {k: v.copy(order="K") for k, v in ARRAYS.items()}, dict(reversed(CONFIG.items())))
    assert path.read_bytes() == again.read_bytes()


@pytest.mark.parametrize(("arrays", "config"), [
    ({"x": np.array([None])}, {}),
    ({"x": np.array([1, {}], dtype=object)}, {}),
    ({"x": np.ones(1)}, {"f": len}),
    ({"x": np.ones(1)}, {"a": np.ones(2)}),
])  # fmt: skip
def test_what_cannot_be_saved_leaves_the_old_file(path, arrays, config):
    tg.save(path, ARRAYS)
    old = path.read_bytes()
    with pytest.raises(TypeError):
        tg.save(path, arrays, config)
    assert path.read_bytes() == old
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("stage", ["write", "fsync", "rename"])
def test_a_crash_leaves_the_old_file(path, monkeypatch, stage):
    tg.save(path, ARRAYS, CONFIG)
    old = path.read_bytes()

    def crash(*args, **kwargs):
        raise KeyboardInterrupt

    if stage == "write":
        monkeypatch.setattr(zipfile.ZipFile, "writestr", crash)
    elif stage == "fsync":
        monkeypatch.setattr(os, "fsync", crash)
    else:
        monkeypatch.setattr(Path, "replace", crash)
        monkeypatch.setattr(os, "replace", crash)
    with pytest.raises(KeyboardInterrupt):
        tg.save(path, {"x": np.zeros(5)})
    monkeypatch.undo()
    assert path.read_bytes() == old
    assert list(path.parent.iterdir()) == [path]  # and there is no partial file


def test_content_is_on_the_disk_before_it_gets_its_name(path, monkeypatch):
    order = []
    fsync, replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda fd: order.append("fsync") or fsync(fd))
    monkeypatch.setattr(Path, "replace", lambda a, b: order.append("rename") or replace(a, b))
    tg.save(path, ARRAYS)
    assert order[:2] == ["fsync", "rename"]
    assert order[2:] == ["fsync"] * (sys.platform != "win32")  # of the folder, with the new name


def test_missing_files_and_folders(path):
    with pytest.raises(FileNotFoundError, match="no checkpoint at"):
        tg.load(path)
    with pytest.raises(tg.CheckpointError, match="folder"):
        tg.load(path.parent)
    with pytest.raises(FileNotFoundError):
        tg.save(path / "deeper" / "model.npz", ARRAYS)


def pickled_member(path):
    np.savez(path, x=np.array([{}], dtype=object))


def wrong_config(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{")


def list_config(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "[1]")


def wrong_member(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", b"no array")


def binary_config(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", b"\xff\xfe\x00")


def huge_member(path):
    """A header with more numbers than the file contains."""
    tg.save(path, {"x": np.zeros(3)})
    content = path.read_bytes().replace(b"(3,)", b"(9,)")
    path.write_bytes(content)


def impossible_shape(path):
    """A header with more numbers than any computer has memory for."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"shape": (1 << 55,), "fortran_order": False, "descr": "<f4"})
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", header.getvalue() + bytes(12))


def many_zeros(path):
    """A file of 200 kB with 200 MB of zeros."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("x.npy", "w") as member:
        np.lib.format.write_array_header_1_0(member, {"shape": (50_000_000,), "fortran_order": False, "descr": "<f4"})
        for _ in range(200):
            member.write(bytes(1_000_000))


@pytest.mark.parametrize(
    "write",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"PK\x03\x04 and then nothing"),
        lambda path: path.write_text("hello"),
        lambda path: path.write_bytes(pickle.dumps({"x": 1})),
        pickled_member, wrong_config, list_config, wrong_member, binary_config, huge_member,
        impossible_shape, many_zeros,
    ],
    ids=["empty", "start of a zip file", "text", "pickle", "pickled member", "wrong config", "config that is a list",
         "wrong member", "binary config", "member that is too short", "impossible shape", "compressed zeros"],
)  # fmt: skip
def test_files_that_are_not_checkpoints_are_refused(path, write):
    write(path)
    with pytest.raises(tg.CheckpointError, match=r"model\.npz is damaged or not a checkpoint"):
        tg.load(path)


def test_pickles_are_never_run(path, tmp_path):
    class Evil:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "run",))

    np.savez(path, x=np.array([Evil()], dtype=object))
    with pytest.raises(tg.CheckpointError):
        tg.load(path)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "save", [tg.save, lambda path, arrays: np.savez_compressed(path, **arrays)], ids=["save", "compressed"]
)
def test_a_truncated_file_is_noticed_wherever_it_ends(path, save):
    save(path, {"w": ARRAYS["layers.0.weight"], "e": ARRAYS["empty"]})
    content = path.read_bytes()
    for length in range(0, len(content), 3):
        path.write_bytes(content[:length])
        with pytest.raises(tg.CheckpointError):
            tg.load(path)


@pytest.mark.parametrize(
    "save", [tg.save, lambda path, arrays: np.savez_compressed(path, **arrays)], ids=["save", "compressed"]
)
def test_a_flipped_byte_never_changes_a_number(path, save):
    arrays = {"w": ARRAYS["layers.0.weight"], "e": ARRAYS["empty"]}
    save(path, arrays)
    content = path.read_bytes()
    for position in range(0, len(content)):
        damaged = bytearray(content)
        damaged[position] ^= (1, 128, 255)[position % 3]
        path.write_bytes(damaged)
        try:
            found = tg.load(path).arrays
        except tg.CheckpointError:
            continue
        assert same(found, {name: arrays[name] for name in found})  # an entry may be missing


def test_an_error_of_the_system_names_the_file_and_not_the_temporary_one(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "nowhere" / "model.npz", tmp_path / "file" / "model.npz"):
        with pytest.raises(OSError, match=r"model\.npz") as raised:
            tg.save(path, {"w": np.zeros(3)})
        assert raised.value.filename == str(path)
        assert ".tmp" not in str(raised.value)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_pipe_is_written_to_and_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_whole(pipe, lambda file: file.write(b"content"))
    assert pipe.is_fifo()
    assert os.read(reader, 100) == b"content"
    os.close(reader)


@pytest.mark.parametrize("name", ["", "."])
def test_folder_is_not_a_file_to_write(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(IsADirectoryError):
        write_whole(Path(name), lambda file: file.write(b"content"))


def test_full_disk_is_reported_with_the_name_of_the_file(path):
    def write(file):
        raise OSError(errno.ENOSPC, "No space left")

    with pytest.raises(OSError, match=r"No space left: '.*model\.npz'"):
        write_whole(path, write)
    assert not list(path.parent.iterdir())
