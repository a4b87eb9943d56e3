"""Tables in .csv files: a label and the pixels of an image in each row."""

from pathlib import Path

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


BAD_TABLES = {
    "a text": ("label,a\n1,2\n1,x\n", "all of them numbers"),
    "fewer pixels": ("label,a,b\n1,2,3\n1,2\n", "the same number of pixels"),
    "a header alone": ("label,a\n", "expected rows with a label and pixels"),
    "one column": ("1\n2\n", "expected rows with a label and pixels"),
    "empty": ("", "expected rows with a label and pixels"),
    "no square": ("1,2,3\n0,1,2\n", "rows of 2 pixels are not those of a square image"),
    "not UTF-8": (b"\xff\xfe1,2\n", "all of them numbers"),
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
