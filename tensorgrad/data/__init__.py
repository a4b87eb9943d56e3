"""Data sets: MNIST from the IDX files, and the small digits that come with the package.

::

    choose.py        load: the data set that a program asks for, or the best one at hand
    mnist_files.py   mnist: the four files, found, checked against each other and loaded
    download.py      the mirrors of MNIST
    idx.py           the file format
    small_digits.py  digits: 8x8 images that need no file and no internet
    dataset.py       Dataset, what all of these return; batches, the order of an epoch
"""

from tensorgrad.data.choose import load
from tensorgrad.data.dataset import Dataset, batches
from tensorgrad.data.mnist_files import mnist
from tensorgrad.data.small_digits import digits

__all__ = ["Dataset", "batches", "digits", "load", "mnist"]


def __dir__() -> list[str]:
    return [*__all__, "__doc__"]
