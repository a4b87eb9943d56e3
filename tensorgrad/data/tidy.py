"""Images and labels of any form as those of a `Dataset`: bytes ``(N, H, W)``, and classes from 0 on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tensorgrad.data.known import DIGITS
from tensorgrad.errors import DataError

Array = NDArray[Any]
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # of red, green and blue, as in ITU-R BT.601


class Part(NamedTuple):
    """The images and the labels of training or test, and where each is from, for messages."""

    images: Array
    labels: Array
    images_from: str
    labels_from: str


def tidy(train: Part, test: Part, class_names: Sequence[str] | None = None, *,
         is_transposed: bool = False) -> tuple[dict[str, Array], int, tuple[str, ...]]:  # fmt: skip
    """The arrays of a `Dataset`, by name, its largest pixel value, and the names of its classes.

    Images may have any type, a channel in front or behind, or be rows of pixels. Bytes are kept; other pixels are
    scaled such that the largest of the training images is 255. Labels may have any integer type, one column or a
    column for each class, and count from 0 or from 1.

    Raises
    ------
    DataError
        Naming the file, what was found and what was expected.
    """
    grey = [_grey(part.images, part.images_from) for part in (train, test)]
    if is_transposed:
        grey = [np.swapaxes(images, 1, 2) for images in grey]
    if grey[0].shape[1:] != grey[1].shape[1:]:
        sizes = ["x".join(map(str, images.shape[1:])) for images in grey]
        raise DataError(f"{train.images_from} contains images of {sizes[0]} pixels, but {test.images_from} of "
                        f"{sizes[1]}: use files of the same data set")  # fmt: skip
    for part in (train, test):
        if len(part.images) != len(part.labels):
            raise DataError(f"{part.images_from} contains {len(part.images)} images, but {part.labels_from} contains "
                            f"{len(part.labels)} labels: use files of the same data set")  # fmt: skip
    pixels, brightest = _bytes(grey, train.images_from)
    labels, names = _classes([_column(part) for part in (train, test)], (train, test), class_names)
    arrays = {"train_images": pixels[0], "train_labels": labels[0], "test_images": pixels[1], "test_labels": labels[1]}
    for array in arrays.values():
        array.flags.writeable = False
    return arrays, brightest, names


def _grey(images: Array, source: str) -> Array:
    """Images ``(N, H, W)`` from those with a channel in front or behind, from colours, or from rows of pixels."""
    if images.dtype.kind not in "buif":
        raise DataError(f"{source}: the pixels must be numbers, got dtype {images.dtype}")
    if not images.size:
        raise DataError(f"{source}: there are no images")
    if images.ndim == 4 and images.shape[3] == 1:
        return images[..., 0]
    if images.ndim == 4 and images.shape[1] == 1:
        return images[:, 0]
    if images.ndim == 4 and images.shape[3] in (3, 4):
        return np.asarray(images[..., :3].astype(np.float32) @ _LUMA)
    if images.ndim == 2:
        side = math.isqrt(images.shape[1])
        if side * side != images.shape[1]:
            raise DataError(f"{source}: rows of {images.shape[1]} pixels are not those of a square image: give the "
                            "images as (N, H, W)")  # fmt: skip
        return images.reshape(-1, side, side)
    if images.ndim != 3:
        raise DataError(f"{source}: images must have shape (N, H, W), (N, H, W, 1), (N, H, W, 3) or (N, H * W), got "
                        f"{images.shape}")  # fmt: skip
    return images


def _bytes(parts: list[Array], source: str) -> tuple[list[Array], int]:
    """The images as bytes, and the largest value that the training images can have."""
    lowest, largest = float(parts[0].min()), float(parts[0].max())
    if not all(np.isfinite(images).all() for images in parts if images.dtype.kind == "f"):
        raise DataError(f"{source}: there are pixels that are not finite (NaN or infinity)")
    if lowest == largest:
        raise DataError(f"{source}: all pixels of the training images are {largest:g}: is it the file of the images?")
    if all(images.dtype == np.uint8 or (largest > 1 and _fits_bytes(images)) for images in parts):
        return [np.ascontiguousarray(images, np.uint8) for images in parts], 255 if largest > 127 else int(largest)
    lowest = min(lowest, 0.0)
    scale = np.float32(255 / (largest - lowest))
    scaled = [np.clip((images.astype(np.float32) - np.float32(lowest)) * scale, 0, 255) for images in parts]
    return [np.rint(images).astype(np.uint8) for images in scaled], 255


def _fits_bytes(images: Array) -> bool:
    """Whether all pixels are integers from 0 to 255."""
    return bool(images.min() >= 0 and images.max() <= 255 and np.array_equal(images, np.rint(images)))


def _column(part: Part) -> Array:
    """Labels ``(N,)`` from those with one column, or with a column for each class."""
    labels = part.labels
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim == 2 and labels.dtype.kind in "buif" and labels.shape[1] > 1:
        if not (((labels == 0) | (labels == 1)).all() and (labels.sum(axis=1) == 1).all()):
            raise DataError(f"{part.labels_from}: labels of shape {labels.shape} must have a single 1 in each row, and "
                            "else 0")  # fmt: skip
        labels = labels.argmax(axis=1)
    if labels.ndim != 1 or labels.dtype.kind not in "buifUS":
        raise DataError(f"{part.labels_from}: labels must be integers (N,), (N, 1), or (N, classes) with a single 1 in "
                        f"each row; got shape {labels.shape} of dtype {labels.dtype}")  # fmt: skip
    if labels.dtype.kind == "f":
        is_whole = np.isfinite(labels) & (labels == np.rint(labels))
        if not is_whole.all():
            raise DataError(f"{part.labels_from}: labels must be integers, got for example {labels[~is_whole][0]:g}")
    return labels.astype(str) if labels.dtype.kind in "US" else labels.astype(np.int64)


def _positions(column: Array, part: Part, class_names: Sequence[str]) -> Array:
    """Labels that are names of classes as their positions among these."""
    positions = {name: i for i, name in enumerate(class_names)}
    if unknown := [name for name in np.unique(column) if name not in positions]:
        raise DataError(f"{part.labels_from}: found label {unknown[0]!s:.50}, expected the name of "
                        f"a class: {', '.join(class_names):.200}")  # fmt: skip
    return np.array([positions[name] for name in column])


def _classes(columns: list[Array], parts: tuple[Part, Part],
             class_names: Sequence[str] | None) -> tuple[list[Array], tuple[str, ...]]:  # fmt: skip
    """The labels as classes from 0 on, and the names of the classes."""
    if columns[0].dtype.kind != columns[1].dtype.kind:
        raise DataError(f"{parts[1].labels_from}: one of the two columns of labels is text, the other one numbers")
    if class_names is not None and columns[0].dtype.kind == "U":
        columns = [_positions(column, part, class_names) for column, part in zip(columns, parts, strict=True)]
    values = np.unique(columns[0])
    strange = np.setdiff1d(columns[1], values)
    first = int(values[0]) if values.dtype.kind == "i" else 0
    count = len(class_names) if class_names is not None else len(values)
    if values.dtype.kind == "i" and class_names is not None:  # not every class needs to occur
        first = 1 if first == 1 and values[-1] == count and tuple(class_names) != DIGITS else 0
        wrong = [value for value in np.union1d(*columns) if not first <= value < first + count]
        if wrong:
            source = parts[0 if wrong[0] in values else 1].labels_from
            raise DataError(f"{source}: found label {wrong[0]}, expected a label from {first} to {first + count - 1}")
        return [column - first for column in columns], tuple(class_names)
    if len(values) > max(100, len(columns[0]) // 2):
        raise DataError(f"{parts[0].labels_from}: {len(values)} different labels of {len(columns[0])} images: are they "
                        "those of classes?")  # fmt: skip
    if len(strange):
        raise DataError(f"{parts[1].labels_from}: label {strange[0]} does not occur among the training labels")
    if len(values) < 2:
        raise DataError(f"{parts[0].labels_from}: all training labels are {values[0]}: there must be two classes")
    if class_names is not None and len(values) != count:
        raise DataError(f"{parts[0].labels_from}: there are {len(values)} labels, but {count} names of classes")
    names = tuple(class_names) if class_names is not None else tuple(str(value) for value in values)
    return [np.searchsorted(values, column).astype(np.int64) for column in columns], names
