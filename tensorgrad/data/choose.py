"""The choice of a data set by its name."""

import sys
from collections.abc import Callable
from pathlib import Path

from tensorgrad.data.class_names import renamed
from tensorgrad.data.dataset import Dataset
from tensorgrad.data.known import KNOWN, Known
from tensorgrad.data.mnist_files import find, has_own_names, load_known, mnist, read_known
from tensorgrad.data.other_files import read_other
from tensorgrad.data.small_digits import digits
from tensorgrad.data.tidy import tidy
from tensorgrad.errors import ConfigError, DataNotFoundError

NAMES = (*KNOWN, "digits", "files")


def _write_to_stderr(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def load(
    name: str | None = None,
    folder: Path | str | None = None,
    *,
    download: bool = True,
    quiet: bool = False,
    notify: Callable[[str], object] = _write_to_stderr,
) -> Dataset:
    """Load a data set by its name, or the best one that is available.

    Parameters
    ----------
    name
        ``"mnist"``, ``"fashion-mnist"``, ``"kmnist"``, ``"emnist-letters"``, ``"emnist-digits"``,
        ``"emnist-balanced"``, ``"qmnist"``, ``"digits"``, or ``"files"``, which are other files in the folder. None:
        what the folder contains or, without a folder, MNIST if it is found or can be downloaded, else the digits.
    folder, download, quiet
        As for `mnist`; the folder may also be a file, or contain the data set in the form of another program:
        `tensorgrad.data.other_files` lists them. If it is given, it must contain the data set.
    notify
        Called with a one-line message that states the reason if the digits are used instead of MNIST.

    Raises
    ------
    ConfigError
        `name` is unknown, or a folder is given for the digits, which are part of the package.
    DataNotFoundError
        The data set was requested by name or by folder, and was not found.
    DataError
        The data set was found, but is malformed; then the digits are not used instead.

    Examples
    --------
    >>> data = tg.data.load("digits")
    >>> data.train_images.shape, data.test_images.shape
    ((1437, 8, 8), (360, 8, 8))
    """
    if name not in (None, *NAMES):
        raise ConfigError(f"there is no data set {name!r}: use one of {', '.join(NAMES)}")
    if name == "digits":
        if folder is not None:
            raise ConfigError(f"the digits are part of the package: omit the folder {folder}")
        return digits()
    if folder is not None:
        place = Path(folder).expanduser()
        data = _load_folder(name, place)
        return data if name in KNOWN else renamed(data, place)
    if name == "files":
        raise ConfigError('the data set "files" needs a folder or a file')
    if name is not None:
        return load_known(KNOWN[name], download=download, quiet=quiet)
    try:
        return mnist(download=download, quiet=quiet)
    except DataNotFoundError as error:
        notify(f"NOT MNIST: using the small 8x8 digits of the package instead, because {error}")
        return digits()


def _load_folder(name: str | None, place: Path) -> Dataset:
    """Load a data set from a folder or a file: the four files of a known one, or files of other programs."""
    known = KNOWN.get(name or _named_after(place))
    if known is not None:
        files = find(place, known)
        if not isinstance(files, str):
            return read_known(files, known, any_classes=name is None)
        if files.startswith("incomplete"):
            return load_known(known, place)  # which says what is missing
    try:
        train, test, class_names = read_other(place)
    except DataNotFoundError:
        if known is None or place.suffix in (".npz", ".csv"):
            raise
        return load_known(_only_one(place) if name is None else known, place)  # which may say what it looks for
    if name is None or known is None:
        arrays, brightest, names = tidy(train, test, class_names)
    else:
        arrays, brightest, names = tidy(train, test, known.class_names, is_transposed=known.is_transposed)
    return Dataset(name or "files", **arrays, brightest=brightest, source=str(place), class_names=names)


def _named_after(place: Path) -> str:
    """The data set after which a folder is named, or that around ``raw``, of those with the file names of MNIST."""
    folder = place.resolve()
    title = (folder.parent if folder.name == "raw" else folder).name.lower()
    names = {
        part.partition("/")[0].lower(): known.name
        for known in KNOWN.values() if not has_own_names(known) for part in known.folders if part != "raw"
    }  # fmt: skip
    return names.get(title, "mnist")


def _only_one(place: Path) -> Known:
    """The known data set in the subfolders of a folder, such as ``FashionMNIST/raw``; MNIST if there is none."""
    found = [known for known in KNOWN.values() if not isinstance(find(place, known, is_own=has_own_names(known)), str)]
    if len(found) > 1:
        names = ", ".join(known.name for known in found)
        raise DataNotFoundError(f"{place} contains several data sets: name one of them, {names}")
    return found[0] if found else KNOWN["mnist"]
