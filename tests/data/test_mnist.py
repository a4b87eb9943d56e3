"""MNIST: where the files are looked for, and how they are checked against each other."""

import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from tensorgrad.data import mnist
from tensorgrad.errors import DataError, DataNotFoundError

REAL = os.environ.get("TENSORGRAD_DATA")


# Looking for the files


@pytest.mark.parametrize("inner", ["", "mnist"])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("dotted", [False, True])
@pytest.mark.parametrize("way", ["argument", "environment", "cache"])
def test_found(tiny, tmp_path, monkeypatch, cache, way, dotted, packed, inner):
    place = cache if way == "cache" else tmp_path / "place"
    files = {name.replace("-idx", ".idx") if dotted else name: data for name, data in tiny.files().items()}
    tiny.write(place / inner, files, "{}.gz" if packed else "{}", packed)
    if way == "environment":
        monkeypatch.setenv("TENSORGRAD_DATA", str(place))
    data = mnist(place if way == "argument" else None)
    assert tiny.check(data)
    assert data.source == str(place / inner)


def test_one_spelling_is_preferred_but_a_mixture_loads(tiny, tmp_path):
    names = list(tiny.files())
    tiny.write(tmp_path, spelling="{}.gz", packed=True)
    (tmp_path / names[0]).write_bytes(b"a stray file beside a complete set")
    assert tiny.check(mnist(tmp_path))
    (tmp_path / names[0]).write_bytes(tiny.files()[names[0]])
    (tmp_path / f"{names[0]}.gz").unlink()
    assert tiny.check(mnist(str(tmp_path)))


def test_a_folder_of_the_files_name_is_passed_over(tiny, tmp_path):
    for name in tiny.files():
        (tmp_path / name).mkdir()
    with pytest.raises(DataError, match="a directory"):
        mnist(tmp_path)
    tiny.write(tmp_path, spelling="{}.gz")
    assert tiny.check(mnist(tmp_path))


def test_a_folder_given_is_the_only_one(tiny, tmp_path, monkeypatch, cache):
    tiny.write(cache)
    monkeypatch.setenv("TENSORGRAD_DATA", str(cache))
    for folder, words in [
        (tmp_path / "absent", "no such folder"),
        (tmp_path, "contains none of the four files"),
    ]:
        with pytest.raises(DataNotFoundError, match=re.escape(str(folder)) + f" .*{words}.*; put train-"):
            mnist(folder)
    assert tiny.check(mnist(download=False))


def test_the_environment_comes_first_and_the_cache_next(tiny, tmp_path, monkeypatch, cache):
    tiny.write(cache)
    monkeypatch.setenv("TENSORGRAD_DATA", str(tmp_path / "absent"))
    assert mnist().source == str(cache)
    tiny.write(tmp_path / "mine")
    monkeypatch.setenv("TENSORGRAD_DATA", str(tmp_path / "mine"))
    assert mnist().source == str(tmp_path / "mine")
    monkeypatch.setenv("TENSORGRAD_DATA", "")
    assert mnist().source == str(cache)


@pytest.mark.parametrize("absent", range(1, 16))
def test_an_incomplete_set_names_what_is_missing(tiny, tmp_path, monkeypatch, absent):
    files = tiny.files()
    missing = [name for bit, name in enumerate(tiny.files()) if absent >> bit & 1]
    for name in missing:
        del files[name]
    tiny.write(tmp_path / "mnist", files)
    verb = "is" if len(missing) == 1 else "are"
    words = f"incomplete: {', '.join(missing)} {verb} missing" if files else "contains none of the four files"
    monkeypatch.setenv("TENSORGRAD_DATA", str(tmp_path))
    for folder in (tmp_path, None):
        with pytest.raises(DataNotFoundError, match=words):
            mnist(folder)


def test_an_unreadable_folder(tiny, tmp_path, monkeypatch):
    def refuse(path, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "is_dir", refuse)
    with pytest.raises(DataNotFoundError, match="unreadable: Permission denied"):
        mnist(tmp_path)


def test_not_found_says_it_all_in_one_line(tiny, tmp_path, monkeypatch, cache):
    monkeypatch.setenv("TENSORGRAD_DATA", str(tmp_path / "absent"))
    for options, words in [({"download": False}, "switched off"), ({}, "downloading failed: no mirror")]:
        with pytest.raises(DataNotFoundError) as caught:
            mnist(**options)
        message = str(caught.value)
        assert "\n" not in message
        for part in [str(tmp_path / "absent"), str(cache), words, "TENSORGRAD_DATA", *tiny.files()]:
            assert part in message


def test_without_pooch(tiny, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    words = r'TENSORGRAD_DATA is not set.*pip install "tensorgrad-np\[train\]"'
    with pytest.raises(DataNotFoundError, match=words):
        mnist()
    tiny.write(tmp_path)
    assert tiny.check(mnist(tmp_path))


# Files that do not belong together


def test_inconsistent_sets(tiny, tmp_path):
    idx, files = tiny.idx, tiny.files()
    images, labels = files["train-images-idx3-ubyte"], files["t10k-labels-idx1-ubyte"]
    table = [  # the file exchanged, by what, and the complaint
        ("train-labels-idx1-ubyte", labels, "7 images, but .*train-labels.* contains 3 labels"),
        ("t10k-images-idx3-ubyte", images, "7 images, but .*t10k-labels.* contains 3 labels"),
        ("t10k-images-idx3-ubyte", idx(np.zeros((3, 5, 4))), "images of 4x5 pixels, but .*t10k.* of 5x4"),
        ("t10k-labels-idx1-ubyte", idx([9, 10, 255]), "t10k-labels.*: found label 10, expected .* 0 to 9"),
        ("t10k-labels-idx1-ubyte", idx([200, 0, 0]), "t10k-labels.*: found label 200"),
        ("t10k-labels-idx1-ubyte", images, "t10k-labels.*: at byte 3 .* 3 dimensions, expected 1"),
        ("train-images-idx3-ubyte", labels, "train-images.*: at byte 3 .* 1 dimensions, expected 3"),
        ("train-images-idx3-ubyte", idx([], (0, 4, 5)), "train-images.*: at byte 4 .* a count of 0"),
    ]
    for name, data, words in table:
        tiny.write(tmp_path, files | {name: data})
        with pytest.raises(DataError, match=words) as caught:
            mnist(tmp_path)
        assert not isinstance(caught.value, DataNotFoundError)


@pytest.mark.skipif(not REAL, reason="TENSORGRAD_DATA is not set")
def test_the_real_files():
    data = mnist(REAL)
    assert data.train_images.shape == (60_000, 28, 28)
    assert data.test_images.shape == (10_000, 28, 28)
    assert data.train_labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
