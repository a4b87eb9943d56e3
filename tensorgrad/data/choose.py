"""The choice of a data set that a program makes."""

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
    """Load a data set by its name, or the best one at hand.

    Parameters
    ----------
    name
        ``"mnist"``, ``"digits"``, or None: MNIST if it is there or can be downloaded, else the digits.
    folder, download, quiet
        As for `mnist`. A folder that is named must hold MNIST, whatever `name` is: there is no falling back.
    notify
        Called with one line, which says why, when the digits stand in for MNIST.

    Raises
    ------
    ConfigError
        `name` is unknown, or a folder is given for the digits, which come with the package.
    DataNotFoundError
        MNIST was asked for by its name or by a folder, and is not there.
    DataError
        MNIST is there, but malformed; it is never replaced in silence.

    Examples
    --------
    >>> data = tg.data.load("digits")
    >>> data.train_images.shape, data.test_images.shape
    ((1437, 8, 8), (360, 8, 8))
    """
    if name not in (None, "mnist", "digits"):
        raise ConfigError(f'there is no data set {name!r}: take "mnist" or "digits"')
    if name == "digits":
        if folder is not None:
            raise ConfigError(f"the digits come with the package: leave out the folder {folder}")
        return digits()
    try:
        return mnist(folder, download=download, quiet=quiet)
    except DataNotFoundError as error:
        if name == "mnist" or folder is not None:
            raise
        notify(f"NOT MNIST: the small 8x8 digits that come with the package stand in for it, because {error}")
        return digits()
