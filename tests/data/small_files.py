"""Images and labels of a small data set, and files of other programs that contain it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

RNG = np.random.default_rng(0)
LABELS = np.arange(36) % 3
IMAGES = RNG.integers(0, 256, (36, 4, 4), np.uint8)
IMAGES[:, 0, 0], IMAGES[:, 0, 1] = 0, 255
FOUR = {"x_train": IMAGES[:24], "y_train": LABELS[:24], "x_test": IMAGES[24:], "y_test": LABELS[24:]}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check(data, names=("0", "1", "2"), images=IMAGES):
    """That the data set has the images and labels above, in this order."""
    assert (data.name, data.class_names, data.brightest) == ("files", names, 255)
    np.testing.assert_array_equal(np.concatenate([data.train_images, data.test_images]), images, strict=True)
    np.testing.assert_array_equal(np.concatenate([data.train_labels, data.test_labels]), LABELS)
    assert data.train_images.dtype == np.uint8
    assert len(data.train_labels) == 24
    return True


def csv(path, images, labels, header=True, label_first=True, name="label"):
    pixels = images.reshape(len(images), -1)
    columns = [labels[:, None], pixels] if label_first else [pixels, labels[:, None]]
    heading = [f"pixel{i}" for i in range(pixels.shape[1])]
    names = [name, *heading] if label_first else [*heading, name]
    lines = [",".join(names)] if header else []
    lines += [",".join(map(str, row)) for row in np.concatenate(columns, axis=1)]
    Path(path).parent.mkdir(exist_ok=True)
    Path(path).write_text("\n".join(lines) + "\n")


def pictures(folder, images=IMAGES, labels=LABELS, names=("ant", "bee", "cat"), suffix=".png"):
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
        path = Path(folder, names[label], f"{i:03}{suffix}")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
