"""MNIST (LeCun, Cortes and Burges, 1998): find or download, check, and load its files.

A folder is searched for the four files, then its subfolder ``mnist``. Each file may be compressed with gzip or not, and
named ``train-images-idx3-ubyte`` or ``train-images.idx3-ubyte``. Other data sets in the same format, such as
Fashion-MNIST, can be loaded as well: only downloaded files must have the digests of MNIST.
"""

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tensorgrad.data.dataset import CLASSES, Dataset
from tensorgrad.data.download import cache_folder, fetch_mnist
from tensorgrad.data.idx import malformed, read_idx
from tensorgrad.errors import DataError, DataNotFoundError

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
VARIABLE = "TENSORGRAD_DATA"
_LABEL_HEADER = 8  # bytes before the first label of an IDX1 file


def mnist(folder: Path | str | None = None, *, download: bool = True, quiet: bool = False) -> Dataset:
    """Load MNIST: 60,000 training and 10,000 test images of 28 x 28 pixels.

    Parameters
    ----------
    folder
        The only folder to search. By default, the folder in the environment variable ``TENSORGRAD_DATA`` is searched,
        then the user's cache folder.
    download
        Whether files that are not found may be downloaded to the cache folder. If `folder` is given, nothing is
        downloaded.
    quiet
        Show no progress bar.

    Raises
    ------
    DataNotFoundError
        The files were not found and could not be downloaded; the message states in one line which folders were
        searched, why the download failed, and where to put the files.
    DataError
        A file is malformed, or the files do not match each other.

    Examples
    --------
    >>> data = tg.data.mnist("no-such-folder")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    tensorgrad.errors.DataNotFoundError: MNIST is not in no-such-folder ...
    """
    named = folder if folder is not None else os.environ.get(VARIABLE)
    cache = cache_folder() if folder is None else None
    places = [Path(named).expanduser()] if named else []
    places += [cache] if cache else []
    looked = []
    for place in places:
        found = _find(place)
        if not isinstance(found, str):
            return _load(found)
        looked.append(f"not in {place} ({found})")
    wanted = f"put {', '.join(FILES[:-1])} and {FILES[-1]} (plain or .gz)"
    if folder is not None:
        raise DataNotFoundError(f"MNIST is {looked[0]}; {wanted} there")
    try:
        fetched = _fetch(cache, download, quiet)
    except DataNotFoundError as error:
        where = ", ".join(looked) or f"nowhere, as {VARIABLE} is not set"
        message = f"MNIST is {where}; {error}; {wanted} into a folder and set {VARIABLE} to that folder"
        raise DataNotFoundError(message) from error
    return _load(fetched)


def _fetch(cache: Path | None, allowed: bool, quiet: bool) -> tuple[Path, ...]:
    """Download the four files to the cache folder; raise DataNotFoundError with the reason if that fails."""
    if not allowed:
        raise DataNotFoundError("downloading is switched off")
    if cache is None:
        raise DataNotFoundError('downloading needs pooch: python -m pip install "tensorgrad-np[train]"')
    try:
        return fetch_mnist(cache / "mnist", quiet=quiet)
    except DataNotFoundError as error:
        raise DataNotFoundError(f"downloading failed: {error}") from error


def _find(place: Path) -> tuple[Path, ...] | str:
    """The four files in the order of `FILES`, or the reason why they were not found."""
    fewest: tuple[str, ...] = FILES
    try:
        if not place.is_dir():
            return "no such folder"
        for searched in (place, place / "mnist"):
            spellings = [_spellings(searched, name) for name in FILES]
            for same_spelling in zip(*spellings, strict=True):  # prefer four files that are named alike
                if all(path.is_file() for path in same_spelling):
                    return same_spelling
            mixed = [next((path for path in paths if path.exists()), None) for paths in spellings]
            missing = tuple(name for name, path in zip(FILES, mixed, strict=True) if path is None)
            if not missing:
                return tuple(path for path in mixed if path is not None)
            fewest = min(fewest, missing, key=len)
    except OSError as error:
        return f"unreadable: {error.strerror}"
    if fewest == FILES:
        return "it contains none of the four files"
    return f"incomplete: {', '.join(fewest)} {'is' if len(fewest) == 1 else 'are'} missing"


def _spellings(folder: Path, name: str) -> tuple[Path, ...]:
    """The possible names of a file, uncompressed ones first, since they load faster."""
    dotted = name.replace("-idx", ".idx")
    return tuple(folder / spelling for spelling in (name, dotted, f"{name}.gz", f"{dotted}.gz"))


def _load(files: tuple[Path, ...]) -> Dataset:
    """Read the four files and check that they match each other."""
    train_images, train_labels = _load_pair(files[0], files[1])
    test_images, test_labels = _load_pair(files[2], files[3])
    if train_images.shape[1:] != test_images.shape[1:]:
        sizes = ["x".join(map(str, images.shape[1:])) for images in (train_images, test_images)]
        raise DataError(
            f"{files[0]} contains images of {sizes[0]} pixels, but {files[2]} of {sizes[1]}: use files of "
            "the same data set"
        )
    source = str(files[0].parent)
    return Dataset("mnist", train_images, train_labels, test_images, test_labels, 255, source)


def _load_pair(images_file: Path, labels_file: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Read images ``(N, H, W)`` and their labels ``(N,)``."""
    images = read_idx(images_file, ndim=3)
    labels = read_idx(labels_file, ndim=1)
    if len(images) != len(labels):
        raise DataError(
            f"{images_file} contains {len(images)} images, but {labels_file} contains {len(labels)} labels: use files "
            "of the same data set"
        )
    wrong = labels >= CLASSES
    if wrong.any():
        first = int(wrong.argmax())
        expected = f"a label from 0 to {CLASSES - 1}"
        raise malformed(labels_file, _LABEL_HEADER + first, f"label {labels[first]}", expected)
    wide = labels.astype(np.int64)
    wide.flags.writeable = False
    return images, wide
