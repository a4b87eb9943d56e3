"""Data sets: MNIST from its IDX files, and small digits that are part of the package.

::

    choose.py        load: a data set by name, or the best one that is available
    mnist_files.py   mnist: finds, checks and loads the four files
    download.py      download of MNIST from mirrors
    idx.py           the file format
    small_digits.py  digits: 8x8 images, without files or network access
    dataset.py       Dataset, the type that all of these return; batches, a shuffled epoch
"""

from tensorgrad.data.choose import load
from tensorgrad.data.dataset import Dataset, batches
from tensorgrad.data.mnist_files import mnist
from tensorgrad.data.small_digits import digits

__all__ = ["Dataset", "batches", "digits", "load", "mnist"]


def __dir__() -> list[str]:
    return [*__all__, "__doc__"]
