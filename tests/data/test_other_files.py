"""Files of other programs that are not found, not a data set, or damaged."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tensorgrad.data import load
from tensorgrad.errors import DataError, DataNotFoundError
from tests.data.small_files import FOUR, IMAGES, LABELS, csv, folder, pictures  # noqa: F401  (folder is a fixture)


def test_what_is_not_found_is_said(folder):  # noqa: F811
    with pytest.raises(DataNotFoundError, match="there is no file or folder nowhere"):
        load("files", "nowhere")
    with pytest.raises(DataNotFoundError, match=r"contains no data set: it must contain the four files of MNIST"):
        load("files", folder)
    with pytest.raises(DataNotFoundError, match="MNIST is not in"):
        load(None, folder)
    Path("a.txt").write_text("")
    with pytest.raises(DataError, match=r"^a.txt: expected a file .npz or .csv, or a folder"):
        load(None, "a.txt")
    with pytest.raises(Exception, match='the data set "files" needs a folder or a file'):
        load("files")
    np.savez("a.npz", **FOUR)
    np.savez("b.npz", **FOUR)
    with pytest.raises(DataError, match=re.escape("contains several .npz files (a.npz, b.npz): name one of them")):
        load(None, folder)
    csv("d/a.csv", IMAGES, LABELS)
    csv("d/b.csv", IMAGES, LABELS)
    with pytest.raises(DataError, match=r"none of the .csv files says that it is the training set"):
        load(None, "d")


# ------------------------------------------------------------------------------------------------ damage


def damaged(content, rng):
    """The bytes with a few changed, removed or inserted, or without their end."""
    for _ in range(rng.integers(1, 6)):
        at, length = int(rng.integers(0, max(1, len(content)))), int(rng.integers(1, 20))
        new = rng.bytes(length)
        content = [content[:at] + new + content[at + length :], content[:at] + new + content[at:],
                   content[:at] + content[at + length :], content[:at]][rng.integers(0, 4)]  # fmt: skip
    return content


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", ["npz", "csv", "png"])
def test_damaged_files_are_data_or_one_line(kind, seed):
    np.savez("whole.npz", **FOUR)
    csv("whole.csv", IMAGES, LABELS)
    Image.fromarray(IMAGES[0]).save("whole.png")
    content, rng = Path(f"whole.{kind}").read_bytes(), np.random.default_rng(seed)
    pictures("d")
    place = {"png": Path("d"), "npz": Path("a.npz"), "csv": Path("a.csv")}[kind]
    said = []
    for _ in range(25):
        Path("d/ant/000.png" if kind == "png" else place).write_bytes(damaged(content, rng))
        try:
            data = load(None, place)
        except DataError as error:
            said.append(str(error))
        else:
            assert data.train_images.dtype == np.uint8
            assert 0 <= data.train_labels.min() <= data.train_labels.max() < data.classes
    assert said
    assert not any("\n" in text or len(text) > 500 for text in said), said
