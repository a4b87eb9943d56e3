"""The choice of a data set by its name."""

import sys
from collections.abc import Callable
from pathlib import Path

from tensorgrad.data.dataset import Dataset
from tensorgrad.data.mnist_files import mnist
from tensorgrad.data.small_digits import digits
from tensorgrad.errors import ConfigError, DataNotFoundError


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
        ``"mnist"``, ``"digits"``, or None: MNIST if it is found or can be downloaded, else the digits.
    folder, download, quiet
        As for `mnist`. If a folder is given, it must contain MNIST; the digits are not used instead.
    notify
        Called with a one-line message that states the reason if the digits are used instead of MNIST.

    Raises
    ------
    ConfigError
        `name` is unknown, or a folder is given for the digits, which are part of the package.
    DataNotFoundError
        MNIST was requested by name or by folder, and was not found.
    DataError
        MNIST was found, but is malformed; then the digits are not used instead.

    Examples
    --------
    >>> data = tg.data.load("digits")
    >>> data.train_images.shape, data.test_images.shape
    ((1437, 8, 8), (360, 8, 8))
    """
    if name not in (None, "mnist", "digits"):
        raise ConfigError(f'there is no data set {name!r}: use "mnist" or "digits"')
    if name == "digits":
        if folder is not None:
            raise ConfigError(f"the digits are part of the package: omit the folder {folder}")
        return digits()
    try:
        return mnist(folder, download=download, quiet=quiet)
    except DataNotFoundError as error:
        if name == "mnist" or folder is not None:
            raise
        notify(f"NOT MNIST: using the small 8x8 digits of the package instead, because {error}")
        return digits()
