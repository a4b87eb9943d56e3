"""Data sets of one's own, and known ones in the files of other programs.

::

    x.npz                            arrays x_train, y_train, x_test, y_test, as Keras has them; or x and y
    x.csv                            a column called label, or the first one, and a column for each pixel; labels
                                     may be texts
    folder/mnist.npz                 a folder with such a file
    folder/train.csv, test.csv       or mnist_train.csv and mnist_test.csv; test files without labels are not used
    folder/train/CLASS/*.png         a folder with a picture file for each image, in a folder for each class
    folder/CLASS/*.png

Where there are no test images, a sixth of the images, drawn at random but always the same, are the test images.
"""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorgrad.data.tidy import Part
from tensorgrad.errors import DataError, DataNotFoundError

Array = NDArray[Any]
_TEST_FRACTION = 6  # one of so many, as in MNIST: 10,000 for 60,000
_TRAIN, _TEST = ("train", "training"), ("test", "testing", "t10k", "val", "valid", "validation")
_PICTURES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm"}
_NAMES = [  # of the arrays in an .npz file
    ("x_train", "y_train", "x_test", "y_test"),
    ("train_images", "train_labels", "test_images", "test_labels"),
    ("X_train", "y_train", "X_test", "y_test"),
]
_LABELS = ("label", "class", "target", "y")  # names of a column of labels
_PAIRS = [("x", "y"), ("X", "y"), ("images", "labels"), ("data", "target")]


def read_other(path: Path) -> tuple[Part, Part, tuple[str, ...] | None]:
    """Training and test part of a file or a folder, and the names of the classes if they are known.

    Raises
    ------
    DataNotFoundError
        If there is no such file, or none that can be read in a folder.
    DataError
        If a file is malformed: naming it, what was found, and what was expected.
    """
    try:
        if path.is_file():
            return _read_file(path)
        if not path.is_dir():
            raise DataNotFoundError(f"there is no file or folder {path}")
        found = _read_folder(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from None
    if found is None:
        raise DataNotFoundError(f"{path} contains no data set: it must contain the four files of MNIST, an .npz or "
                                ".csv file, or a folder of pictures for each class")  # fmt: skip
    return found


def _read_file(path: Path) -> tuple[Part, Part, tuple[str, ...] | None]:
    kind = path.suffix.lower()
    if kind == ".npz":
        return _read_npz(path)
    if kind == ".csv":
        return (*_split(_read_csv(path)), None)
    raise DataError(f"{path}: expected a file .npz or .csv, or a folder")


def _read_folder(folder: Path) -> tuple[Part, Part, tuple[str, ...] | None] | None:
    files = [path for path in sorted(folder.iterdir()) if not path.name.startswith((".", "__"))]
    archives, tables = ([path for path in files if path.suffix.lower() == kind and path.is_file()]
                        for kind in (".npz", ".csv"))  # fmt: skip
    if len(archives) > 1:
        names = ", ".join(path.name for path in archives)
        raise DataError(f"{folder} contains several .npz files ({names}): name one of them")
    if archives:
        return _read_npz(archives[0])
    if tables:
        return (*_read_csv_files(tables), None)
    return _read_pictures(folder, [path for path in files if path.is_dir()])


def _read_npz(path: Path) -> tuple[Part, Part, tuple[str, ...] | None]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            names = archive.files
            four = next((four for four in _NAMES if set(four) <= set(names)), None)
            pair = next((pair for pair in _PAIRS if set(pair) <= set(names)), None)
            if four is None and pair is None:
                raise DataError(f"{path}: expected the arrays x_train, y_train, x_test and y_test, or x and y; got "
                                f"{', '.join(names) or 'none'}")  # fmt: skip
            needed = [*(four or pair or ()), *[name for name in ("class_names",) if name in names]]
            arrays = {name: _read_array(archive, name, path) for name in needed}
    except DataError:
        raise
    except Exception as error:  # zipfile, zlib and NumPy raise errors of many kinds for a damaged file
        raise DataError(f"{path} is damaged, or not an .npz file: {_without_advice(error)}") from None
    classes = arrays.pop("class_names", None)
    for name, array in arrays.items():
        if array.ndim == 0:
            raise DataError(f"{path}: {name} must be an array, got a single number")
    parts = [
        Part(arrays[x], arrays[y], f"{path} ({x})", f"{path} ({y})")
        for x, y in ([four[:2], four[2:]] if four else [pair or ("", "")])
    ]
    named = None if classes is None else tuple(map(str, classes.ravel()))
    return (parts[0], parts[1], named) if four else (*_split(*parts), named)


def _read_array(archive: Any, name: str, path: Path) -> Array:
    """One array of an .npz file."""
    try:
        return np.asarray(archive[name])
    except ValueError as error:
        raise DataError(f"{path} ({name}) cannot be read: {_without_advice(error)}") from None


def _without_advice(error: Exception) -> str:
    """What an error says, but not NumPy's advice to unpickle a file, which may run any code."""
    if "pickle" in str(error):
        return "it contains Python objects, which are never loaded; save arrays of numbers or of texts instead"
    return _said(error)


def _read_csv_files(files: list[Path]) -> tuple[Part, Part]:
    """Those of the files whose names say that they are training and test; or the only one."""
    parts: dict[str, Part] = {}
    for part, words in (("train", _TRAIN), ("test", _TEST)):
        of_part = [path for path in files if set(re.split(r"[^a-z0-9]+", path.stem.lower())) & set(words)]
        if len(of_part) > 1:
            raise DataError(f"{files[0].parent} contains several {part} files ({', '.join(p.name for p in of_part)}): "
                            "move all but one away, or name one of them")  # fmt: skip
        if of_part and (part == "train" or _has_labels(of_part[0])):
            parts[part] = _read_csv(of_part[0])
    if not parts and len(files) == 1:
        parts["train"] = _read_csv(files[0])
    if "train" not in parts:
        raise DataError(f"{files[0].parent}: the name of none of the .csv files says that it is the training set, such "
                        "as train.csv")  # fmt: skip
    return (parts["train"], parts["test"]) if "test" in parts else _split(parts["train"])


def _header(path: Path) -> list[str] | None:
    """The names of the columns of a CSV file, or None if its first line consists of a label and numbers."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        words = [word.strip().strip('"') for word in file.readline().split(",")]
    first, *others = words
    if others and first and first.lower() not in _LABELS and all(map(_is_number, others)):
        return None
    return None if all(map(_is_number, words)) else words


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _has_labels(path: Path) -> bool:
    header = _header(path)
    return header is None or any(word.lower() in _LABELS for word in header)


def _read_csv(path: Path) -> Part:
    """The labels, numbers or texts, and the pixels of a CSV file."""
    header = _header(path)
    names = [word.lower() for word in header or ()]
    label = next((names.index(name) for name in _LABELS if name in names), 0)
    skipped = 0 if header is None else 1
    try:
        table = _columns(path, np.float32, skipped)
    except (ValueError, UnicodeDecodeError) as error:
        return _read_csv_with_texts(path, label, skipped, error)
    if table.shape[1] < 2 or not len(table):
        raise DataError(f"{path}: expected rows with a label and pixels, got a table of shape {table.shape}")
    return Part(np.delete(table, label, axis=1), table[:, label], str(path), str(path))


def _read_csv_with_texts(path: Path, label: int, skipped: int, error: Exception) -> Part:
    """The content of a CSV file whose labels are texts; ``error`` says why it could not be read as numbers alone."""
    try:
        labels = np.char.strip(_columns(path, str, skipped, [label])[:, 0])
        count = len(_columns(path, str, skipped, max_rows=1)[0])
        pixels = _columns(path, np.float32, skipped, [i for i in range(count) if i != label])
    except (ValueError, UnicodeDecodeError, IndexError) as other:
        reason = error if isinstance(other, IndexError) else other
        raise DataError(f"{path}: the rows must have a label and the same number of pixels, and the pixels must be "
                        f"numbers: {_said(reason)}") from None  # fmt: skip
    if not labels.all():
        raise DataError(f"{path}: the label of row {int(np.flatnonzero(labels == '')[0]) + skipped + 1} is empty")
    return Part(pixels, labels, str(path), str(path))


def _columns(path: Path, dtype: Any, skipped: int, columns: list[int] | None = None,
             max_rows: int | None = None) -> Array:  # fmt: skip
    """Columns of a CSV file, by default all of them, ``(rows, columns)``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy warns of files without numbers, and of empty lines
        return np.loadtxt(path, dtype, delimiter=",", skiprows=skipped, ndmin=2, usecols=columns, max_rows=max_rows,
                          encoding="utf-8-sig", quotechar='"', comments=None)  # fmt: skip


def _read_pictures(folder: Path, inner: list[Path]) -> tuple[Part, Part, tuple[str, ...]] | None:
    """The images of a folder with a folder for each class, or of two, for training and test."""
    by_name = {path.name.lower(): path for path in inner}
    train = next((by_name[name] for name in _TRAIN if name in by_name), None)
    test = next((by_name[name] for name in _TEST if name in by_name), None)
    classes = _classes(train or folder)
    if len(classes) < 2:
        _refuse_pictures(train or folder, classes)
        return None
    part = _pictures(train or folder, classes)
    if train is None or test is None:
        return (*_split(part), tuple(classes))
    unknown = [name for name in _classes(test) if name not in classes]
    if unknown:
        raise DataError(f"{test / unknown[0]}: there is no such class in {train}")
    return part, _pictures(test, classes), tuple(classes)


def _refuse_pictures(folder: Path, classes: list[str]) -> None:
    """Raise `DataError` if there are pictures, but of one class, or in no folder of a class."""
    if classes:
        raise DataError(f"{folder}: all pictures are of one class, in the folder {classes[0]}: there must be a folder "
                        "for each of two classes or more")  # fmt: skip
    if found := _files(folder):
        raise DataError(f"{folder} contains pictures, such as {found[0].name}, of unknown classes: put those of each "
                        "class into a folder with the name of the class")  # fmt: skip


def _classes(folder: Path) -> list[str]:
    """The names of the folders with pictures, numbers in the order of their values."""
    names = [path.name for path in folder.iterdir() if path.is_dir() and _files(path)]
    return sorted(names, key=lambda name: (0, int(name), name) if name.isdecimal() else (1, 0, name))


def _files(folder: Path) -> list[Path]:
    is_hidden = folder.name.startswith((".", "__"))
    return [] if is_hidden else sorted(path for path in folder.iterdir() if path.suffix.lower() in _PICTURES
                                       and not path.name.startswith("."))  # fmt: skip


def _pictures(folder: Path, classes: list[str]) -> Part:
    images: list[Array] = []
    labels: list[int] = []
    first = Path()
    for label, name in enumerate(classes):
        for path in _files(folder / name) if (folder / name).is_dir() else ():
            image = _picture(path)
            first = first if images else path
            if images and image.shape != images[0].shape:
                sizes = ["x".join(map(str, one.shape)) for one in (image, images[0])]
                raise DataError(f"{path} has {sizes[0]} pixels, but {first} has {sizes[1]}: all pictures must have the "
                                "same size")  # fmt: skip
            images.append(image)
            labels.append(label)
    return Part(np.stack(images), np.array(labels), str(folder), str(folder))


def _picture(path: Path) -> Array:
    """A picture in grey, (H, W)."""
    try:
        from PIL import Image
    except ImportError:
        raise DataError(f'{path}: pictures need Pillow: python -m pip install "tensorgrad-np[train]"') from None
    try:
        with Image.open(path) as image:
            if image.width * image.height > 1_000_000:
                raise DataError(f"{path}: {image.width} x {image.height} pixels are too many; the limit is 1,000,000")
            return np.asarray(image if image.mode[0] in "IF" else image.convert("L"))
    except DataError:
        raise
    except Exception as error:  # decoders raise errors of many kinds for a damaged file
        raise DataError(f"{path} is not a picture, or damaged: {_said(error)}") from None


def _said(error: Exception) -> str:
    """What an error says, in one line that is not too long."""
    return f"{' '.join(str(error).split()) or type(error).__name__:.200}"


def _split(part: Part) -> tuple[Part, Part]:
    """Split images without a test set; the split depends on their number only."""
    count = min(len(part.images), len(part.labels))
    if len(part.images) != len(part.labels) or count < 2:
        return part, part  # which `tidy` refuses
    order = np.random.default_rng(count).permutation(count)
    tested = np.sort(order[: max(1, count // _TEST_FRACTION)])
    trained = np.sort(order[max(1, count // _TEST_FRACTION) :])
    return (part._replace(images=part.images[trained], labels=part.labels[trained]),
            part._replace(images=part.images[tested], labels=part.labels[tested]))  # fmt: skip
