"""Data sets that are known by name: layouts of other programs, forms of labels, names of classes, downloads."""

import gzip
import hashlib
import io
import os
import re
import struct
import zipfile

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.data import NAMES, download, load
from tensorgrad.data.idx import read_idx
from tensorgrad.data.known import KNOWN
from tensorgrad.errors import ConfigError, DataError, DataNotFoundError

CODES = {np.uint8: 8, np.int8: 9, np.int16: 11, np.int32: 12, np.float32: 13, np.float64: 14}
COUNTS = {"mnist": 10, "fashion-mnist": 10, "kmnist": 10, "emnist-letters": 26, "emnist-digits": 10,
          "emnist-balanced": 47, "qmnist": 10}  # fmt: skip


def idx(array):
    """The bytes of an IDX file of any type."""
    array = np.asarray(array)
    head = struct.pack(f">HBB{array.ndim}I", 0, CODES[array.dtype.type], array.ndim, *array.shape)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


def made(name):
    """Images (N, 4, 5), and labels, of training and test in the form of the files of a data set, by file name."""
    known, count = KNOWN[name], COUNTS[name]
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (3 * count, 4, 5), np.uint8)
    images[0, 0, 0] = 255
    labels = np.arange(3 * count) % count
    stored = np.swapaxes(images, 1, 2) if known.is_transposed else images
    written = labels + 1 if name == "emnist-letters" else labels
    if name == "qmnist":  # class, series, writer, ...
        written = np.stack([written, *(rng.integers(0, 500, 3 * count) for _ in range(7))], axis=1).astype(np.int32)
    else:
        written = written.astype(np.uint8)
    parts = [stored[: 2 * count], written[: 2 * count], stored[2 * count :], written[2 * count :]]
    return images, labels, {file: idx(part) for file, part in zip(known.files, parts, strict=True)}


def write(folder, files, suffix=".gz"):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / f"{name}{suffix}").write_bytes(gzip.compress(content) if suffix else content)


def check(data, name):
    images, labels, _ = made(name)
    assert (data.name, data.classes, data.class_names, data.brightest) == (name, COUNTS[name],
                                                                         KNOWN[name].class_names, 255)  # fmt: skip
    np.testing.assert_array_equal(np.concatenate([data.train_images, data.test_images]), images)
    np.testing.assert_array_equal(np.concatenate([data.train_labels, data.test_labels]), labels)
    assert data.train_labels.dtype == np.int64
    assert not any(array.flags.writeable for array in (data.train_images, data.test_labels))
    return True


def test_names():
    assert (*KNOWN, "digits", "files") == NAMES
    assert {name: len(known.class_names) for name, known in KNOWN.items()} == COUNTS
    assert download.SOURCES.keys() == KNOWN.keys()
    assert all(known.cached in known.folders for known in KNOWN.values())


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_files_are_found_in_the_folders_of_other_programs(tmp_path, monkeypatch, name, suffix):
    for number, inner in enumerate(("", *KNOWN[name].folders)):
        place = tmp_path / str(number)
        write(place / inner, made(name)[2], suffix)
        assert check(load(name, place), name)
        shares_names = KNOWN[name].files == KNOWN["mnist"].files and name != "mnist"
        monkeypatch.setenv("TENSORGRAD_DATA", str(place))
        if inner or not shares_names:
            assert check(load(name, download=False), name)
        else:  # these may be those of another data set
            with pytest.raises(DataNotFoundError, match="contains none of the four files"):
                load(name, download=False)
        monkeypatch.delenv("TENSORGRAD_DATA")


@pytest.mark.parametrize("name", KNOWN)
def test_only_data_set_of_a_folder_is_found_without_its_name(tmp_path, name):
    inner = next(folder for folder in KNOWN[name].folders if folder.endswith("MNIST/raw"))
    write(tmp_path / inner, made(name)[2])
    assert check(load(None, tmp_path), name)
    write(tmp_path / "KMNIST" / "raw", made("kmnist")[2])
    write(tmp_path / "QMNIST" / "raw", made("qmnist")[2])
    if name == "mnist":  # it is preferred, as without a folder
        assert check(load(None, tmp_path), name)
    else:
        with pytest.raises(DataNotFoundError, match=r"contains several data sets: name one of them, .*kmnist.*qmnist"):
            load(None, tmp_path)


@pytest.mark.parametrize("name", [name for name, known in KNOWN.items() if known.files == KNOWN["mnist"].files])
def test_folder_that_is_named_after_its_data_set(tmp_path, name):
    for number, inner in enumerate(KNOWN[name].folders):
        if inner != "raw":
            write(tmp_path / str(number) / inner, made(name)[2])
            assert check(load(None, tmp_path / str(number) / inner), name)
            assert load("mnist", tmp_path / str(number) / inner).name == "mnist"


def test_files_in_folders_of_their_names(tmp_path):
    for name, content in made("mnist")[2].items():
        dotted = name.replace("-idx", ".idx")
        (tmp_path / dotted).mkdir()
        (tmp_path / dotted / dotted).write_bytes(content)
    assert check(load("mnist", tmp_path), "mnist")


def test_message_names_the_data_set_its_files_and_the_folder(tmp_path, monkeypatch):
    with pytest.raises(DataNotFoundError, match=r"Fashion-MNIST is not in .*; put train-images.* there"):
        load("fashion-mnist", tmp_path)
    monkeypatch.setenv("TENSORGRAD_DATA", str(tmp_path))
    with pytest.raises(DataNotFoundError, match=r"KMNIST is not .* into a folder kmnist and set TENSORGRAD_DATA"):
        load("kmnist")
    write(tmp_path / "EMNIST" / "raw", dict(list(made("emnist-letters")[2].items())[:3]))
    with pytest.raises(
        DataNotFoundError, match=r"EMNIST letters is .*incomplete: emnist-letters-test-labels.* is missing"
    ):
        load("emnist-letters", tmp_path)
    with pytest.raises(ConfigError, match="no data set 'cifar'"):
        load("cifar")


@pytest.mark.parametrize("dtype", CODES)
@pytest.mark.parametrize("shape", [(5,), (5, 3), (2, 3, 4)])
def test_all_types_of_idx_are_read(tmp_path, dtype, shape):
    array = np.random.default_rng(0).integers(0, 100, shape).astype(dtype)
    (tmp_path / "x").write_bytes(idx(array))
    found = read_idx(tmp_path / "x", ndim=3 if len(shape) == 3 else 1, any_type=True)
    np.testing.assert_array_equal(found, array, strict=True)
    (tmp_path / "x").write_bytes(idx(array)[:-1])
    with pytest.raises(DataError, match="the end of the data"):
        read_idx(tmp_path / "x", any_type=True, ndim=3 if len(shape) == 3 else 1)


def test_unknown_type_is_refused(tmp_path):
    (tmp_path / "x").write_bytes(b"\0\0\x0a\x01\0\0\0\1a")
    with pytest.raises(DataError, match="type code 0x0a, expected 0x08, 0x09, 0x0b, 0x0c, 0x0d, 0x0e"):
        read_idx(tmp_path / "x", any_type=True)


@pytest.mark.parametrize("labels", [np.arange(1, 31) % 15 + 1, np.arange(30) % 12, 10 * (np.arange(30) % 3) + 7],
                         ids=["from 1", "twelve classes", "with gaps"])  # fmt: skip
def test_other_classes_in_files_of_these_names_are_another_data_set(tmp_path, labels):
    images = np.random.default_rng(0).integers(0, 256, (30, 4, 5), np.uint8)
    parts = [images, labels.astype(np.uint8), images, labels.astype(np.uint8)]
    write(tmp_path, {file: idx(part) for file, part in zip(KNOWN["mnist"].files, parts, strict=True)})
    data = load(None, tmp_path)
    values = np.unique(labels)
    assert (data.name, data.class_names) == ("files", tuple(map(str, values)))
    np.testing.assert_array_equal(values[data.train_labels], labels)
    with pytest.raises(DataError, match="expected a label from 0 to 9"):
        load("mnist", tmp_path)


def archive_of(files):
    """A ZIP archive with the files in a folder, as EMNIST is distributed."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, data in files.items():
            archive.writestr(f"gzip/{name}.gz", gzip.compress(data))
    return content.getvalue()


def test_archive_is_downloaded_and_unpacked(tmp_path, monkeypatch, cache):
    pooch = pytest.importorskip("pooch")
    content = archive_of(made("emnist-letters")[2] | made("emnist-digits")[2])
    asked = []

    def retrieve(url, known_hash, fname, path, downloader):
        asked.append(url)
        if hashlib.sha256(content).hexdigest() != known_hash.removeprefix("sha256:"):
            raise ValueError("another digest")
        (path / fname).write_bytes(content)

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    monkeypatch.setattr(download._Request, "run", lambda request: None)
    source = download.Source(("http://127.0.0.1:9/",), {"gzip.zip": "sha256:0"}, archive="gzip.zip")
    monkeypatch.setitem(download.SOURCES, "emnist-letters", source)
    with pytest.raises(DataNotFoundError, match=r"no mirror provided gzip.zip .*wrong digest"):
        load("emnist-letters")
    digests = {"gzip.zip": f"sha256:{hashlib.sha256(content).hexdigest()}"}
    for name in ("emnist-letters", "emnist-digits"):
        monkeypatch.setitem(download.SOURCES, name, source._replace(digests=digests))
    for name in ("emnist-letters", "emnist-letters", "emnist-digits"):  # downloaded once
        assert check(load(name), name)
    assert asked == ["http://127.0.0.1:9/gzip.zip"] * 2
    files = [f"{file}.gz" for name in ("emnist-letters", "emnist-digits") for file in KNOWN[name].files]
    assert sorted(path.name for path in (cache / "emnist").iterdir()) == sorted(files)


def test_published_digests_have_the_form_of_digests():
    for name, source in download.SOURCES.items():
        for file, digest in source.digests.items():
            algorithm, _, number = digest.partition(":")
            assert re.fullmatch(r"[0-9a-f]+", number), (name, file)
            assert len(number) == 2 * hashlib.new(algorithm).digest_size


FOLDER = os.environ.get("TENSORGRAD_DATA")  # the tests run without it


@pytest.mark.skipif(not FOLDER, reason="TENSORGRAD_DATA is not set")
def test_digests_are_those_of_the_real_files():
    files = tg.data.mnist_files.find(tg.data.mnist_files.Path(FOLDER), KNOWN["mnist"])
    digests = download.SOURCES["mnist"].digests
    assert all(f"sha256:{hashlib.sha256(f.read_bytes()).hexdigest()}" == digests[f.name] for f in files if f.suffix)
