"""Folders of pictures, one for each class."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tensorgrad.data import load
from tensorgrad.errors import DataError
from tests.data.small_files import IMAGES, LABELS, folder, pictures  # noqa: F401  (folder is a fixture)

BY_CLASS = [sorted(map(bytes, IMAGES[label::3].reshape(12, -1))) for label in range(3)]


def sorted_images(data):
    """The images of each class in an order that does not depend on that of the files."""
    both = np.concatenate([data.train_images, data.test_images]).reshape(36, -1)
    labels = np.concatenate([data.train_labels, data.test_labels])
    return [sorted(map(bytes, both[labels == label])) for label in range(3)]


@pytest.mark.parametrize(("train", "test"), [("train", "test"), ("training", "testing"), ("Train", "val")])
def test_pictures_in_a_folder_for_each_class(train, test):
    pictures(f"d/{train}", IMAGES[:24], LABELS[:24])
    pictures(f"d/{test}", IMAGES[24:], LABELS[24:])
    Path("d/.hidden").mkdir()
    Path("d/train.txt").write_text("")
    data = load(None, "d")
    assert (data.class_names, len(data.train_labels), len(data.test_labels)) == (("ant", "bee", "cat"), 24, 12)
    assert sorted_images(data) == BY_CLASS


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".PNG"])
def test_pictures_without_a_test_set(suffix):
    pictures("d", names=("0", "9", "10"), suffix=suffix)
    data = load(None, "d")
    assert (data.class_names, len(data.test_labels)) == (("0", "9", "10"), 6)
    assert sorted_images(data) == BY_CLASS


def test_pictures_of_16_bits_and_of_colours():
    pictures("d", IMAGES.astype(np.uint16) * 257)
    assert sorted_images(load(None, "d")) == BY_CLASS
    shutil.rmtree("d")
    pictures("d", np.repeat(IMAGES[..., None], 3, axis=3))
    assert sorted_images(load(None, "d")) == BY_CLASS


def test_malformed_pictures_are_named():
    pictures("d")
    Path("d/bee/x.png").write_text("no picture")
    with pytest.raises(DataError, match=r"^d.bee.x\.png is not a picture, or damaged"):
        load(None, "d")
    Image.new("L", (5, 4)).save("d/bee/x.png")
    with pytest.raises(DataError, match=r"^d.bee.x\.png has 4x5 pixels, but d.ant.000\.png has 4x4: all pictures must"):
        load(None, "d")
    Image.new("1", (1001, 1001)).save("d/bee/x.png")
    with pytest.raises(DataError, match="1001 x 1001 pixels are too many"):
        load(None, "d")
    Path("d/bee/x.png").unlink()
    shutil.copytree("d/bee", "single/bee")
    for place in ("single", "single/bee"):
        message = "all pictures are of one class, in the folder bee" if place == "single" else "of unknown classes"
        for name in (None, "files", "mnist"):
            with pytest.raises(DataError, match=message):
                load(name, place)
    Path("d").rename("train")
    pictures("all/test", names=("ant", "bee", "dog"))
    shutil.move("train", "all/train")
    with pytest.raises(DataError, match=r"all.test.dog: there is no such class in all.train"):
        load(None, "all")
