"""Files of other programs: arrays, tables and pictures, whatever the type of pixels and labels."""

import json
import pickle
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tensorgrad.data import load
from tensorgrad.errors import DataError, DataNotFoundError

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


# ------------------------------------------------------------------------------------------------ arrays


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


# ------------------------------------------------------------------------------------------------ tables


def csv(path, images, labels, header=True, label_first=True, name="label"):
    pixels = images.reshape(len(images), -1)
    columns = [labels[:, None], pixels] if label_first else [pixels, labels[:, None]]
    heading = [f"pixel{i}" for i in range(pixels.shape[1])]
    names = [name, *heading] if label_first else [*heading, name]
    lines = [",".join(names)] if header else []
    lines += [",".join(map(str, row)) for row in np.concatenate(columns, axis=1)]
    Path(path).parent.mkdir(exist_ok=True)
    Path(path).write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize(("train", "test"), [("train.csv", "test.csv"), ("mnist_train.csv", "mnist_test.csv"),
                                             ("fashion-mnist_train.csv", "fashion-mnist_test.csv")])  # fmt: skip
def test_tables_of_training_and_test(header, train, test):
    csv(f"d/{train}", IMAGES[:24], LABELS[:24], header)
    csv(f"d/{test}", IMAGES[24:], LABELS[24:], header)
    assert check(load(None, "d"))


def test_label_may_be_another_column():
    csv("d/train.csv", IMAGES[:24], LABELS[:24], label_first=False, name="Class")
    csv("d/test.csv", IMAGES[24:], LABELS[24:], label_first=False, name="Class")
    assert check(load(None, "d"))


def test_test_table_without_labels_is_not_used():
    csv("d/train.csv", IMAGES, LABELS)
    Path("d/test.csv").write_text(",".join(f"pixel{i}" for i in range(16)) + "\n" + ",".join("0" * 16))
    Path("d/sample_submission.csv").write_text("ImageId,Label\n1,0\n")
    for place in ("d", "d/train.csv"):
        data = load(None, place)
        assert (len(data.train_labels), len(data.test_labels)) == (30, 6)
        assert data.source == place


TEXTS = np.array(["bee", "a,nt", "cat"])
SORTED = ("a,nt", "bee", "cat")


@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("label_first", [True, False])
def test_labels_of_tables_may_be_texts(header, label_first):
    if not (header or label_first):
        return  # without a heading, the label is the first column
    for name, part in (("train", slice(24)), ("test", slice(24, None))):
        quoted = np.array([f'"{text}"' for text in TEXTS[LABELS[part]]])
        csv(f"d/{name}.csv", IMAGES[part], quoted, header, label_first)
    data = load(None, "d")
    assert data.class_names == SORTED
    labels = np.concatenate([data.train_labels, data.test_labels])
    assert [SORTED[label] for label in labels] == TEXTS[LABELS].tolist()
    np.testing.assert_array_equal(np.concatenate([data.train_images, data.test_images]), IMAGES)


def test_numbers_and_texts_may_be_mixed_among_labels():
    csv("a.csv", IMAGES, np.array(["7", "x", "10"])[LABELS])
    assert load(None, "a.csv").class_names == ("10", "7", "x")


NAMED = {
    "a list": (["ant", "bee", "cat"], LABELS),
    "a list of labels from 1": (["ant", "bee", "cat"], LABELS + 1),
    "by label": ({"3": "ant", "7": "bee", "9": "cat", "11": "dog"}, np.array([3, 7, 9])[LABELS]),
    "by name": ({"cat": 2, "ant": 0, "bee": 1}, LABELS),
    "by text": ({"x": "ant", "y": "bee", "z": "cat"}, np.array(["x", "y", "z"])[LABELS]),
    "some": ({"0": "ant", "1": "bee"}, np.array(["0", "1", "cat"])[LABELS]),
}


@pytest.mark.parametrize("file", ["labels.json", "class_names.json"])
@pytest.mark.parametrize("case", NAMED)
def test_names_of_classes_in_a_file_beside_the_data(case, file):
    names, labels = NAMED[case]
    csv("d/train.csv", IMAGES[:24], labels[:24])
    csv("d/test.csv", IMAGES[24:], labels[24:])
    Path("d", file).write_text(json.dumps(names))
    assert check(load(None, "d"), ("ant", "bee", "cat"))
    assert load("files", "d/train.csv").class_names == ("ant", "bee", "cat")


@pytest.mark.parametrize(
    ("content", "message"),
    [("{", "cannot be read"), ("3", "expected a list of names"), ('["a", 1]', "expected a list of names"),
     ('{"a": "b", "c": 1}', "expected a list of names"), ('["a", "a", "b"]', "two classes have the same name"),
     ("[" * 100_000, "cannot be read")],
)  # fmt: skip
def test_malformed_names_of_classes_are_one_line(content, message):
    csv("a.csv", IMAGES, LABELS)
    Path("labels.json").write_text(content)
    with pytest.raises(DataError, match=rf"^labels.json:? .*{message}|^labels.json: {message}"):
        load(None, "a.csv")


BAD_TABLES = {
    "an empty label": ("label,a\nx,2\n,1\n", "the label of row 3 is empty"),
    "texts of images": ("label,a\nx,2\ny,z\n", "the pixels must be numbers: could not convert string 'z'"),
    "a text": ("label,a\n1,2\n1,x\n", "the pixels must be numbers"),
    "fewer pixels": ("label,a,b\n1,2,3\n1,2\n", "the same number of pixels"),
    "a header alone": ("label,a\n", "expected rows with a label and pixels"),
    "one column": ("1\n2\n", "expected rows with a label and pixels"),
    "empty": ("", "expected rows with a label and pixels"),
    "no square": ("1,2,3\n0,1,2\n", "rows of 2 pixels are not those of a square image"),
    "not UTF-8": (b"\xff\xfe1,2\n", "the pixels must be numbers"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_TABLES)
def test_malformed_tables_are_one_line_with_file_and_reason(case):
    content, message = BAD_TABLES[case]
    Path("a.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError) as raised:
        load(None, "a.csv")
    assert str(raised.value).startswith("a.csv")
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


# ------------------------------------------------------------------------------------------------ pictures


def pictures(folder, images=IMAGES, labels=LABELS, names=("ant", "bee", "cat"), suffix=".png"):
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
        path = Path(folder, names[label], f"{i:03}{suffix}")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)


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


# ------------------------------------------------------------------------------------------------ folders


def test_what_is_not_found_is_said(folder):
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
