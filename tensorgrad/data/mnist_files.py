"""The data sets that are known by name: find or download, check, and load their files.

A folder is searched for the four files, then its subfolders with the names that other programs give them, such as
``MNIST/raw``. Each file may be compressed with gzip or not, and named ``train-images-idx3-ubyte`` or
``train-images.idx3-ubyte``, or lie in a folder of its own name. Files of another data set with the same names can be
loaded as well: only downloaded files must have published digests.
"""

import os
from pathlib import Path

from tensorgrad.data.dataset import Dataset
from tensorgrad.data.download import cache_folder, fetch
from tensorgrad.data.idx import read_idx
from tensorgrad.data.known import KNOWN, Known
from tensorgrad.data.tidy import Part, tidy
from tensorgrad.errors import DataError, DataNotFoundError

VARIABLE = "TENSORGRAD_DATA"


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
    return load_known(KNOWN["mnist"], folder, download=download, quiet=quiet)


def load_known(
    known: Known, folder: Path | str | None = None, *, download: bool = True, quiet: bool = False
) -> Dataset:
    """Load a data set that is known by name; parameters and errors are those of `mnist`."""
    named = folder if folder is not None else os.environ.get(VARIABLE)
    cache = cache_folder() if folder is None else None
    places = [Path(named).expanduser()] if named else []
    places += [cache] if cache else []
    looked = []
    for place in places:
        is_own = folder is not None or has_own_names(known)
        found = find(place, known, is_own)
        if not isinstance(found, str):
            return read_known(found, known)
        looked.append(f"not in {place} ({found})")
    wanted = f"put {', '.join(known.files[:-1])} and {known.files[-1]} (plain or .gz)"
    if folder is not None:
        raise DataNotFoundError(f"{known.title} is {looked[0]}; {wanted} there")
    try:
        fetched = _fetch(known, cache, download, quiet)
    except DataNotFoundError as error:
        where = ", ".join(looked) or f"nowhere, as {VARIABLE} is not set"
        into = "a folder" if known.name == "mnist" else f"a folder {known.folders[0]}"
        to = "to that folder" if known.name == "mnist" else "to the one above it"
        message = f"{known.title} is {where}; {error}; {wanted} into {into} and set {VARIABLE} {to}"
        raise DataNotFoundError(message) from error
    return read_known(fetched, known)


def has_own_names(known: Known) -> bool:
    """Whether files may lie in a folder for any data set: the names of several sets are those of MNIST's files."""
    return known.name == "mnist" or known.files[0] not in KNOWN["mnist"].files


def _fetch(known: Known, cache: Path | None, allowed: bool, quiet: bool) -> tuple[Path, ...]:
    """Download the four files to the cache folder; raise DataNotFoundError with the reason if that fails."""
    if not allowed:
        raise DataNotFoundError("downloading is switched off")
    if cache is None:
        raise DataNotFoundError('downloading needs pooch: python -m pip install "tensorgrad-np[train]"')
    try:
        return fetch(known, cache / known.cached, quiet=quiet)
    except DataNotFoundError as error:
        raise DataNotFoundError(f"downloading failed: {error}") from error


def find(place: Path, known: Known, is_own: bool = True) -> tuple[Path, ...] | str:
    """The four files of a data set in a folder, if `is_own`, or in its subfolders; or why they were not found."""
    fewest: tuple[str, ...] = known.files
    try:
        if not place.is_dir():
            return "no such folder" if not place.exists() else "it is a file"
        for searched in ([place] if is_own else []) + [place / folder for folder in known.folders]:
            spellings = [_spellings(searched, name) for name in known.files]
            for same_spelling in zip(*spellings, strict=True):  # prefer four files that are named alike
                if all(path.is_file() for path in same_spelling):
                    return same_spelling
            mixed = [next((path for path in paths if path.exists()), None) for paths in spellings]
            missing = tuple(name for name, path in zip(known.files, mixed, strict=True) if path is None)
            if not missing:
                return tuple(path for path in mixed if path is not None)
            fewest = min(fewest, missing, key=len)
    except OSError as error:
        return f"unreadable: {error.strerror}"
    if fewest == known.files:
        return "it contains none of the four files"
    return f"incomplete: {', '.join(fewest)} {'is' if len(fewest) == 1 else 'are'} missing"


def _spellings(folder: Path, name: str) -> tuple[Path, ...]:
    """The possible names of a file, uncompressed ones first, since they load faster."""
    dotted = name.replace("-idx", ".idx")
    plain = (name, dotted, f"{name}.gz", f"{dotted}.gz")
    return (*(folder / spelling for spelling in plain), folder / name / name, folder / dotted / dotted)


def read_known(files: tuple[Path, ...], known: Known, *, any_classes: bool = False) -> Dataset:
    """Read the four files and check that they match each other.

    With ``any_classes``, labels that are not those of the known data set make it another one, called ``"files"``.
    """
    train, test = (_read_pair(*pair) for pair in (files[:2], files[2:]))
    source = str(files[0].parent)
    try:
        arrays, brightest, names = tidy(train, test, known.class_names, is_transposed=known.is_transposed)
    except DataError as error:
        if not any_classes or "found label" not in str(error):
            raise
        arrays, brightest, names = tidy(train, test)
        return Dataset("files", **arrays, brightest=brightest, source=source, class_names=names)
    return Dataset(known.name, **arrays, brightest=brightest, source=source, class_names=names)


def _read_pair(images: Path, labels: Path) -> Part:
    """Read images ``(N, H, W)`` and their labels ``(N,)``, the first column if there are several."""
    columns = read_idx(labels, ndim=1, any_type=True)
    return Part(read_idx(images, ndim=3, any_type=True), columns if columns.ndim == 1 else columns[:, 0], str(images),
                str(labels))  # fmt: skip
