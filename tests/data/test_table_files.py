"""Tables in .csv files: a label and the pixels of an image in each row."""

import json
from pathlib import Path

import numpy as np
import pytest

from tensorgrad.data import load
from tensorgrad.errors import DataError
from tests.data.small_files import IMAGES, LABELS, check, csv, folder  # noqa: F401  (folder is a fixture)


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


@pytest.mark.parametrize("start", ["", "\n\n"])
def test_numbers_and_texts_may_be_mixed_among_labels(start):
    csv("a.csv", IMAGES, np.array(["7", "x", "10"])[LABELS], header=False)
    Path("a.csv").write_text(start + Path("a.csv").read_text())  # perhaps with empty lines
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
