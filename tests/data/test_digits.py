"""The digits that are part of the package, and the choice between them and MNIST."""

import hashlib
from importlib.resources import files

import numpy as np
import pytest

from tensorgrad.data import digits, load
from tensorgrad.errors import ConfigError, DataError, DataNotFoundError


def test_the_digits_are_what_they_were():
    data = digits()
    assert (data.name, data.brightest) == ("digits", 16)
    assert (data.shape, data.features, data.classes) == ((8, 8), 64, 10)
    for images, labels, per_class in [
        (data.train_images, data.train_labels, [142, 146, 141, 147, 145, 146, 145, 143, 138, 144]),
        (data.test_images, data.test_labels, [36] * 10),
    ]:
        assert images.shape == (sum(per_class), 8, 8)
        assert (images.dtype, labels.dtype) == (np.uint8, np.int64)
        assert (images.min(), images.max()) == (0, data.brightest)
        assert np.bincount(labels).tolist() == per_class
        assert not images.flags.writeable
        assert not labels.flags.writeable
    everything = (data.train_images, data.train_labels, data.test_images, data.test_labels)
    digest = hashlib.sha256(b"".join(part.astype(np.uint8).tobytes() for part in everything)).hexdigest()
    assert digest == "e26350961cc2077b1d07f5c49dc5f9fd746b38776950ffc3701d541b6a87536c"


def test_no_test_image_is_trained_on():
    data = digits()
    rows = np.concatenate([data.train_images, data.test_images]).reshape(1797, 64)
    assert len(np.unique(rows, axis=0)) == 1797


def test_the_authors_are_named_and_the_recipe_is_python():
    text = files("tensorgrad.data").joinpath("digits.txt").read_text()
    for words in ("Alpaydin", "Kaynak", "10.24432/C50P49", "creativecommons.org/licenses/by/4.0"):
        assert words in text
    recipe = text[text.index("    import numpy") :]
    compile("if True:\n" + recipe, "digits.txt", "exec")


def test_a_program_gets_mnist_where_it_is(tiny, tmp_path, monkeypatch):
    lines = []
    folder = tiny.write(tmp_path / "here")
    assert load("mnist", folder, notify=lines.append).name == "mnist"
    assert load(folder=folder, notify=lines.append).name == "mnist"
    assert load("digits", notify=lines.append).name == "digits"
    monkeypatch.setenv("TENSORGRAD_DATA", str(folder))
    assert load(notify=lines.append).source == str(folder)
    assert load("digits", notify=lines.append).name == "digits"
    assert lines == []


def test_the_digits_replace_mnist_with_one_line(cache, capsys):
    lines = []
    assert load(notify=lines.append).name == "digits"
    assert len(lines) == 1
    assert lines[0].startswith("NOT MNIST")
    assert str(cache) in lines[0]
    assert capsys.readouterr() == ("", "")
    assert load().name == "digits"
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("NOT MNIST")
    assert err.find("\n") == len(err) - 1


def test_a_requested_data_set_is_never_replaced(tiny, tmp_path, monkeypatch):
    def silent(line):
        pytest.fail(f"fell back: {line}")

    with pytest.raises(DataNotFoundError):
        load("mnist", notify=silent)
    with pytest.raises(DataNotFoundError, match="no such folder"):
        load(folder=tmp_path / "absent", notify=silent)
    folder = tiny.write(tmp_path / "bad", tiny.files() | {"t10k-labels-idx1-ubyte": b""})
    monkeypatch.setenv("TENSORGRAD_DATA", str(folder))
    with pytest.raises(DataError, match="at byte 0") as caught:
        load(notify=silent)
    assert not isinstance(caught.value, DataNotFoundError)


@pytest.mark.parametrize("name", ["MNIST", "cifar10", ""])
def test_unknown_names(name):
    with pytest.raises(ConfigError, match='"mnist" or "digits"'):
        load(name)


def test_a_folder_for_the_digits_is_a_mistake(tmp_path):
    with pytest.raises(ConfigError, match="omit the folder"):
        load("digits", tmp_path)
