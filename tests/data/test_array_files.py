"""Arrays in .npz files, whatever the type and shape of pixels and labels."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from tensorgrad.data import load
from tensorgrad.errors import DataError
from tests.data.small_files import FOUR, IMAGES, LABELS, RNG, check, folder  # noqa: F401  (folder is a fixture)


@pytest.mark.parametrize(
    "names",
    [("x_train", "y_train", "x_test", "y_test"), ("train_images", "train_labels", "test_images", "test_labels"),
     ("X_train", "y_train", "X_test", "y_test")],
)  # fmt: skip
@pytest.mark.parametrize("place", ["mnist.npz", "."])
def test_arrays_are_found_by_their_names(names, place):
    np.savez("mnist.npz", **dict(zip(names, FOUR.values(), strict=True)), more=np.zeros(3))
    assert check(load(None, place))
    assert check(load("files", Path(place)))


# What becomes of images and labels, which must load as if they were those above.
IMAGE_FORMS = {
    "int64": lambda x: x.astype(np.int64),
    "0 to 1": lambda x: x / 255,
    "float32 to 1": lambda x: (x / 255).astype(np.float32),
    "16 bits": lambda x: x.astype(np.uint16) * 257,
    "halves": lambda x: x / 2,
    "float bytes": lambda x: x.astype(float),
    "rows": lambda x: x.reshape(len(x), -1),
    "channels behind": lambda x: x[..., None],
    "channels in front": lambda x: x[:, None],
    "Fortran order": np.asfortranarray,
}
LABEL_FORMS = {
    "uint8": lambda y: y.astype(np.uint8), "int32": lambda y: y.astype(np.int32), "float": lambda y: y.astype(float),
    "a column": lambda y: y[:, None], "a column for each class": lambda y: np.eye(3)[y],
    "booleans": lambda y: np.eye(3, dtype=bool)[y],
}  # fmt: skip


@pytest.mark.parametrize("form", IMAGE_FORMS)
def test_pixels_of_any_type_and_shape(form):
    np.savez("a.npz", **{k: IMAGE_FORMS[form](v) if k[0] == "x" else v for k, v in FOUR.items()})
    assert check(load(None, "a.npz"))


def test_pixels_below_0_are_scaled_too():
    np.savez("a.npz", **{k: v / 127.5 - 1 if k[0] == "x" else v for k, v in FOUR.items()})
    assert check(load(None, "a.npz"))


def test_colours_become_grey():
    grey = np.repeat(IMAGES[..., None], 3, axis=3)
    np.savez("a.npz", **FOUR | {"x_train": grey[:24], "x_test": grey[24:]})
    data = load(None, "a.npz")
    assert np.abs(data.train_images.astype(int) - IMAGES[:24]).max() <= 1


def test_pixels_of_0_and_1_have_their_own_scale():
    np.savez("a.npz", **{k: v // 128 if k[0] == "x" else v for k, v in FOUR.items()})
    data = load(None, "a.npz")
    assert (data.brightest, data.train_images.max()) == (1, 1)
    np.savez("a.npz", **{k: v > 127 if k[0] == "x" else v for k, v in FOUR.items()})
    assert set(np.unique(load(None, "a.npz").train_images)) == {0, 255}


@pytest.mark.parametrize("form", LABEL_FORMS)
def test_labels_of_any_type_and_shape(form):
    np.savez("a.npz", **{k: v if k[0] == "x" else LABEL_FORMS[form](v) for k, v in FOUR.items()})
    assert check(load(None, "a.npz"))


@pytest.mark.parametrize(
    ("change", "names"),
    [(lambda y: y + 1, ("1", "2", "3")), (lambda y: 100 * y - 5, ("-5", "95", "195")),
     (lambda y: np.array(["ant", "bee", "cat"])[y], ("ant", "bee", "cat"))],
    ids=["from 1", "with gaps", "texts"],
)  # fmt: skip
def test_labels_of_any_values(change, names):
    np.savez("a.npz", **{k: v if k[0] == "x" else change(v) for k, v in FOUR.items()})
    assert check(load(None, "a.npz"), names)


def test_names_of_classes_in_the_file():
    np.savez("a.npz", **FOUR, class_names=np.array(["a", "b", "c"]))
    assert check(load(None, "a.npz"), ("a", "b", "c"))
    assert str(load(None, "a.npz")) == "files: 24 + 12 images of 4x4 in 3 classes (a, b, c), from a.npz"


@pytest.mark.parametrize("names", [("x", "y"), ("images", "labels"), ("data", "target")])
def test_a_sixth_becomes_test_images_always_the_same(names):
    np.savez("a.npz", **dict(zip(names, (IMAGES, LABELS), strict=True)))
    data, again = load(None, "a.npz"), load(None, "a.npz")
    assert (len(data.train_labels), len(data.test_labels)) == (30, 6)
    np.testing.assert_array_equal(data.test_images, again.test_images)
    both = np.concatenate([data.train_images, data.test_images]).reshape(36, -1)
    np.testing.assert_array_equal(np.unique(both, axis=0), np.unique(IMAGES.reshape(36, -1), axis=0))


def test_known_data_set_in_another_form():
    labels = np.arange(1, 53) % 26 + 1
    images = RNG.integers(0, 256, (52, 4, 4), np.uint8)
    np.savez("a.npz", x_train=images, y_train=labels, x_test=images, y_test=labels)
    data = load("emnist-letters", "a.npz")
    assert (data.name, data.class_names[-1], data.train_labels[0]) == ("emnist-letters", "Z", 1)
    np.testing.assert_array_equal(data.train_images, np.swapaxes(images, 1, 2))


BAD_ARRAYS = {
    "text": (b"no archive", "is damaged, or not an .npz file"),
    "empty": (b"", "is damaged, or not an .npz file"),
    "other names": ({"a": IMAGES}, "expected the arrays x_train, y_train, x_test and y_test, or x and y; got a"),
    "objects": (FOUR | {"y_train": np.array([{}], object)}, "(y_train) cannot be read: it contains Python objects"),
    "texts as objects": (FOUR | {"y_train": np.array(["a", None], object)}, "numbers or of texts instead"),
    "objects elsewhere": ({"a": np.array([{}], object)}, "expected the arrays x_train, y_train, x_test and y_test"),
    "a pickle": (pickle.dumps({}), "it contains Python objects, which are never loaded"),
    "a number": (FOUR | {"y_train": np.array(3)}, "y_train must be an array, got a single number"),
    "fewer labels": (FOUR | {"y_train": LABELS[:3]},
                     "(x_train) contains 24 images, but a.npz (y_train) contains 3 labels"),
    "no images": (FOUR | {"x_train": IMAGES[:0]}, "(x_train): there are no images"),
    "other sizes": (FOUR | {"x_test": IMAGES[24:, :3]}, "images of 4x4 pixels, but a.npz (x_test) of 3x4"),
    "five axes": (FOUR | {"x_test": IMAGES[None, None]}, "images must have shape (N, H, W)"),
    "rows": (FOUR | {"x_test": IMAGES.reshape(36, -1)[24:, :15]}, "rows of 15 pixels are not those of a square image"),
    "texts as pixels": (FOUR | {"x_test": np.array(["a"])}, "the pixels must be numbers, got dtype <U1"),
    "nan": (FOUR | {"x_train": np.where(IMAGES[:24] == 0, np.nan, 1.0)}, "there are pixels that are not finite"),
    "blank": (FOUR | {"x_train": 0 * IMAGES[:24]}, "all pixels of the training images are 0"),
    "one class": (FOUR | {"y_train": 0 * LABELS[:24], "y_test": 0 * LABELS[24:]}, "all training labels are 0"),
    "an unknown class": (FOUR | {"y_test": LABELS[24:] + 1}, "label 3 does not occur among the training labels"),
    "fractions": (FOUR | {"y_train": LABELS[:24] + 0.5}, "labels must be integers, got for example 0.5"),
    "infinite labels": (FOUR | {"y_train": np.where(LABELS[:24], 1.0, np.inf)},
                        "labels must be integers, got for example inf"),
    "several columns": (FOUR | {"y_train": np.ones((24, 3))}, "must have a single 1 in each row"),
    "three axes": (FOUR | {"y_train": np.ones((24, 3, 1))}, "labels must be integers (N,), (N, 1), or (N, classes)"),
    "dates": (FOUR | {"y_train": np.zeros(24, "M8[s]")}, "labels must be integers"),
    "names": (FOUR | {"class_names": np.array(["a"])}, "found label 1, expected a label from 0 to 0"),
    "an unknown name": (FOUR | {"class_names": np.array(["a", "b"]), "y_train": np.array(["a", "b", "c"] * 8),
                                "y_test": np.array(["a"] * 12)}, "found label c, expected the name of a class: a, b"),
    "texts and numbers": (FOUR | {"y_test": LABELS[24:].astype(str)}, "is text, the other one numbers"),
    "as many labels as images": ({"x": np.tile(IMAGES, (9, 1, 1)), "y": np.arange(324)}, "are they those of classes?"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_ARRAYS)
def test_malformed_arrays_are_one_line_with_file_and_reason(case):
    content, message = BAD_ARRAYS[case]
    if isinstance(content, bytes):
        Path("a.npz").write_bytes(content)
    else:
        np.savez("a.npz", **content)
    with pytest.raises(DataError) as raised:
        load(None, "a.npz")
    assert str(raised.value).startswith("a.npz")
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)
    assert "pickle" not in str(raised.value)  # which could run any code


def test_labels_that_are_names_have_the_order_of_the_names():
    names = np.array(["cat", "ant", "bee"])
    np.savez("a.npz", **FOUR | {"y_train": names[LABELS[:24]], "y_test": names[LABELS[24:]], "class_names": names})
    data = load(None, "a.npz")
    assert data.class_names == ("cat", "ant", "bee")
    np.testing.assert_array_equal(data.train_labels, LABELS[:24])
    np.testing.assert_array_equal(data.test_labels, LABELS[24:])
