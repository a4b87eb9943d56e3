"""Metrics of a classifier: the confusion matrix, accuracy, precision and recall."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from tensorgrad.errors import DataError, ShapeError

_LONGEST = 4  # letters of a name above a column of numbers

Counts: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]


def confusion_matrix(labels: npt.ArrayLike, predictions: npt.ArrayLike, classes: int) -> Counts:
    """Count how often class ``i`` was predicted as class ``j``: (C, C), row ``i``, column ``j``.

    ``labels`` and ``predictions`` are (N,) integers in ``0..classes - 1``.

    Raises
    ------
    ShapeError
        If labels and predictions do not have the same length.
    DataError
        If one of them is not an integer in that range.
    """
    true, predicted = np.asarray(labels), np.asarray(predictions)
    if true.ndim != 1 or true.shape != predicted.shape:
        raise ShapeError(
            f"labels and predictions must have the same shape (N,), got {true.shape} and {predicted.shape}"
        )
    if not true.size:
        return np.zeros((classes, classes), dtype=np.int64)
    for name, values in (("labels", true), ("predictions", predicted)):
        if values.dtype.kind not in "iu":
            raise DataError(f"{name} must be integers, got dtype {values.dtype}")
        if values.min() < 0 or values.max() >= classes:
            raise DataError(f"{name} must be in 0..{classes - 1}, got {values.min()}..{values.max()}")
    pairs = true.astype(np.int64) * classes + predicted.astype(np.int64)
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes).astype(np.int64)


def precision_recall(confusion: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Return precision and recall of every class, each (C,) in 0..1, from a confusion matrix (C, C).

    Precision is the fraction of correct predictions among the predictions of a class, recall that among its examples.
    They are NaN for a class that is never predicted, or never occurs, respectively.
    """
    counts = _square(confusion)
    correct = np.diagonal(counts)
    return _fraction(correct, counts.sum(axis=0)), _fraction(correct, counts.sum(axis=1))


def accuracy(confusion: npt.ArrayLike) -> float:
    """Return the fraction of correct predictions, 0..1; NaN if there are no predictions."""
    counts = _square(confusion)
    return float(_fraction(np.trace(counts), counts.sum()))


def table(confusion: npt.ArrayLike, names: Sequence[str] | None = None) -> str:
    """Format precision, recall and count of every class, and the overall accuracy, as plain text.

    ``names`` are those of the classes, by default their numbers.
    """
    counts = _square(confusion)
    shown = _names(names, len(counts))
    rows = [("class", "precision", "recall", "count")]
    for label, (precision, recall, count) in enumerate(zip(*precision_recall(counts), counts.sum(axis=1), strict=True)):
        rows.append((shown[label], _percent(precision), _percent(recall), f"{count:,}"))
    lines = aligned(rows, gap="   ")
    rule = "-" * len(lines[0])
    overall = f"accuracy {_percent(accuracy(counts))} ({np.trace(counts):,} of {counts.sum():,})"
    return "\n".join([lines[0], rule, *lines[1:], rule, overall])


def confusion_text(confusion: npt.ArrayLike, names: Sequence[str] | None = None) -> str:
    """Format a confusion matrix as plain text, with a row for each true class; a dot is a zero.

    ``names`` are those of the classes, by default their numbers; names longer than four letters are shortened in the
    heading of the columns.
    """
    counts = _square(confusion)
    shown = _names(names, len(counts))
    heading = [name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "." for name in shown]
    width = max(len(str(text)) for text in (0, *heading, *counts.flat))
    rows = [("true \\ predicted", *(name.rjust(width) for name in heading))]
    for label, row in enumerate(counts):
        rows.append((shown[label], *((str(count) if count else ".").rjust(width) for count in row)))
    return "\n".join(aligned(rows, gap="  "))


def _names(names: Sequence[str] | None, classes: int) -> list[str]:
    """The names of the classes, by default their numbers."""
    return [str(label) for label in range(classes)] if names is None else list(names)


def _square(confusion: npt.ArrayLike) -> Counts:
    """Return a confusion matrix as int64, or raise ``ShapeError`` if it is not square."""
    counts = np.asarray(confusion)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1]:
        raise ShapeError(f"a confusion matrix has shape (C, C), got {counts.shape}")
    return counts.astype(np.int64)


def _fraction(part: npt.ArrayLike, total: npt.ArrayLike) -> Floats:
    """Divide without warnings; 0 / 0 is NaN."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.true_divide(part, total))


def _percent(fraction: float) -> str:
    """Format a fraction in percent with two decimals, NaN as ``-``."""
    return "-" if np.isnan(fraction) else f"{100 * fraction:.2f} %"


def aligned(rows: Sequence[Sequence[str]], gap: str) -> list[str]:
    """Join rows of cells into lines, with right-aligned columns."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    return [gap.join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
