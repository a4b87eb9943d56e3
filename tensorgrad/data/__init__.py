"""Data sets: MNIST and its kin from their files, small digits that are part of the package, and other files.

::

    choose.py        load: a data set by name, or the best one that is available
    known.py         the data sets that are known by name: files, folders, names of classes
    mnist_files.py   finds, checks and loads their four files; mnist
    other_files.py   .npz and .csv files, and folders of pictures
    class_names.py   names of classes in a file labels.json
    tidy.py          images and labels of any form as bytes and classes
    download.py      download of known data sets from mirrors
    idx.py           the file format of MNIST
    small_digits.py  digits: 8x8 images, without files or network access
    dataset.py       Dataset, the type that all of these return; batches, a shuffled epoch
    warps.py         Warps, random affine and elastic distortions; warp, which applies them
    prefetch.py      Prefetch, which makes items in a second thread
"""

from tensorgrad.data.choose import NAMES, load
from tensorgrad.data.dataset import Dataset, batches
from tensorgrad.data.mnist_files import mnist
from tensorgrad.data.prefetch import Prefetch
from tensorgrad.data.small_digits import digits
from tensorgrad.data.warps import Warps, warp

__all__ = ["NAMES", "Dataset", "Prefetch", "Warps", "batches", "digits", "load", "mnist", "warp"]


def __dir__() -> list[str]:
    return [*__all__, "__doc__"]
