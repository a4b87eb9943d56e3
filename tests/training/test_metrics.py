"""The confusion matrix and what is computed from it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorgrad.errors import DataError, ShapeError
from training import metrics

MATRIX = np.array([[3, 1, 0], [0, 2, 0], [0, 4, 0]])  # class 2 is never predicted
PAIRS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=60)


@given(PAIRS)
def test_confusion_matrix_counts_pairs(pairs):
    labels, predicted = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    matrix = metrics.confusion_matrix(labels, predicted, 5)
    assert matrix.shape == (5, 5)
    assert matrix.dtype == np.int64
    for i in range(5):
        for j in range(5):
            assert matrix[i, j] == pairs.count((i, j))


@given(PAIRS)
def test_precision_and_recall_by_their_definitions(pairs):
    labels, predicted = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    matrix = metrics.confusion_matrix(labels, predicted, 5)
    precision, recall = metrics.precision_recall(matrix)
    for c in range(5):
        for fraction, chosen in ((precision[c], predicted == c), (recall[c], labels == c)):
            if chosen.any():
                assert fraction == pytest.approx(np.mean(labels[chosen] == predicted[chosen]))
            else:
                assert np.isnan(fraction)
    if pairs:
        assert metrics.accuracy(matrix) == pytest.approx(np.mean(labels == predicted))


def test_transposing_swaps_precision_and_recall():
    precision, recall = metrics.precision_recall(MATRIX)
    recall_t, precision_t = metrics.precision_recall(MATRIX.T)
    np.testing.assert_array_equal(precision, precision_t)
    np.testing.assert_array_equal(recall, recall_t)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.uint64])
def test_small_and_unsigned_labels_do_not_overflow(dtype):
    labels = np.full(3, 99, dtype=dtype)
    assert metrics.confusion_matrix(labels, labels, 100)[99, 99] == 3


@pytest.mark.parametrize(
    ("labels", "predicted", "error", "message"),
    [
        ([0, 1], [0], ShapeError, r"\(2,\) and \(1,\)"),
        ([[0]], [[0]], ShapeError, r"\(1, 1\)"),
        ([0, 3], [0, 1], DataError, r"labels must be in 0\.\.2, got 0\.\.3"),
        ([0, 1], [0, -1], DataError, r"predictions must be in 0\.\.2, got -1\.\.0"),
        ([0.0, 1.0], [0, 1], DataError, "labels must be integers, got dtype float64"),
    ],
)
def test_malformed_predictions_are_refused(labels, predicted, error, message):
    with pytest.raises(error, match=message):
        metrics.confusion_matrix(labels, predicted, 3)


@pytest.mark.parametrize(
    "function", [metrics.precision_recall, metrics.accuracy, metrics.table, metrics.confusion_text]
)
def test_matrix_that_is_not_square_is_refused(function):
    with pytest.raises(ShapeError, match=r"\(C, C\), got \(2, 3\)"):
        function(np.zeros((2, 3)))


def test_text_of_the_table():
    assert metrics.table(MATRIX).splitlines() == [
        "class   precision     recall   count",
        "------------------------------------",
        "    0    100.00 %    75.00 %       4",
        "    1     28.57 %   100.00 %       2",
        "    2           -     0.00 %       4",
        "------------------------------------",
        "accuracy 50.00 % (5 of 10)",
    ]


def test_text_of_the_confusion_matrix():
    assert metrics.confusion_text(MATRIX * 10).splitlines() == [
        "true \\ predicted   0   1   2",
        "               0  30  10   .",
        "               1   .  20   .",
        "               2   .  40   .",
    ]


@pytest.mark.parametrize("classes", [1, 2, 12])
def test_texts_without_examples(classes):
    empty = np.zeros((classes, classes), dtype=int)
    assert metrics.table(empty).endswith("accuracy - (0 of 0)")
    assert len({len(line) for line in metrics.confusion_text(empty).splitlines()}) == 1
