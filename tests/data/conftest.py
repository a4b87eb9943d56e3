"""A tiny data set in the format of MNIST; the tests use neither the user's data nor the internet."""

import gzip
import struct
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tests.offline import without_mnist


def idx(array, counts=None):
    """Write the bytes of an IDX file by hand; its header says `counts` if they are given."""
    array = np.asarray(array, np.uint8)
    counts = array.shape if counts is None else counts
    return struct.pack(f">HBB{len(counts)}I", 0, 8, len(counts), *counts) + array.tobytes()


def tiny_set():
    """Return seven training and three test images of 4x5 pixels, by file name."""
    pixels = np.arange(10 * 4 * 5, dtype=np.uint8).reshape(10, 4, 5)
    labels = np.arange(10)
    return {
        "train-images-idx3-ubyte": idx(pixels[:7]),
        "train-labels-idx1-ubyte": idx(labels[:7]),
        "t10k-images-idx3-ubyte": idx(pixels[7:]),
        "t10k-labels-idx1-ubyte": idx(labels[7:]),
    }


def write_set(folder: Path, files=None, spelling="{}", packed=False):
    """Write the files into a folder that need not exist, under names given by `spelling`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in (tiny_set() if files is None else files).items():
        (folder / spelling.format(name)).write_bytes(gzip.compress(data) if packed else data)
    return folder


def is_tiny(data):
    """Check that what was loaded is the tiny set; True, so that it can be asserted."""
    np.testing.assert_array_equal(np.concatenate([data.train_labels, data.test_labels]), np.arange(10))
    pixels = np.concatenate([data.train_images, data.test_images])
    np.testing.assert_array_equal(pixels, np.arange(200, dtype=np.uint8).reshape(10, 4, 5), strict=True)
    assert (len(data.train_images), data.train_labels.dtype) == (7, np.int64)
    assert (data.name, data.brightest, data.shape, data.features) == ("mnist", 255, (4, 5), 20)
    arrays = (data.train_images, data.train_labels, data.test_images, data.test_labels)
    assert not any(array.flags.writeable for array in arrays)
    return True


@pytest.fixture
def tiny():
    """Give the functions above to the tests."""
    return SimpleNamespace(files=tiny_set, write=write_set, idx=idx, check=is_tiny)


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    """Give each test its own empty cache folder, no mirrors and no TENSORGRAD_DATA."""
    without_mnist(monkeypatch, tmp_path / "cache")
    return tmp_path / "cache" / "tensorgrad"
