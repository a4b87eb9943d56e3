"""The data sets that are known by name: their files, where other programs keep them, and the names of their classes.

The files are those of their authors, in the IDX format:

* mnist: LeCun, Cortes and Burges, "The MNIST database of handwritten digits", 1998.
* fashion-mnist: Xiao, Rasul and Vollgraf, "Fashion-MNIST", 2017.
* kmnist: Clanuwat et al., "Deep learning for classical Japanese literature", 2018.
* emnist-letters, emnist-digits, emnist-balanced: Cohen et al., "EMNIST", 2017. Their images are stored transposed.
* qmnist: Yadav and Bottou, "Cold case: the lost MNIST digits", 2019. The first of eight columns of labels is the class.
"""

from __future__ import annotations

import string
from typing import NamedTuple

_PARTS = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
DIGITS = tuple(string.digits)


class Known(NamedTuple):
    """A data set that is known by name."""

    name: str
    title: str  # for messages
    files: tuple[str, ...]  # training images and labels, test images and labels
    folders: tuple[str, ...]  # in which the files may be, below the folder that is searched
    class_names: tuple[str, ...]
    cached: str  # the folder for downloaded files, one of `folders`
    is_transposed: bool = False


def _emnist(split: str, class_names: tuple[str, ...]) -> Known:
    files = tuple(f"emnist-{split}-{name.replace('t10k', 'test')}" for name in _PARTS)
    folders = (f"emnist-{split}", "emnist", "EMNIST/raw", "raw", "gzip")
    return Known(f"emnist-{split}", f"EMNIST {split}", files, folders, class_names, "emnist", is_transposed=True)


KNOWN = {
    known.name: known
    for known in (
        Known("mnist", "MNIST", _PARTS, ("mnist", "MNIST/raw", "raw"), DIGITS, "mnist"),
        Known("fashion-mnist", "Fashion-MNIST", _PARTS, ("fashion-mnist", "FashionMNIST/raw", "fashion", "raw"),
              ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
               "Ankle boot"), "fashion-mnist"),
        Known("kmnist", "KMNIST", _PARTS, ("kmnist", "KMNIST/raw", "raw"),
              ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"), "kmnist"),
        _emnist("letters", tuple(string.ascii_uppercase)),
        _emnist("digits", DIGITS),
        _emnist("balanced", (*string.digits, *string.ascii_uppercase, *"abdefghnqrt")),
        Known("qmnist", "QMNIST",
              ("qmnist-train-images-idx3-ubyte", "qmnist-train-labels-idx2-int", "qmnist-test-images-idx3-ubyte",
               "qmnist-test-labels-idx2-int"), ("qmnist", "QMNIST/raw", "raw"), DIGITS, "qmnist"),
    )
}  # fmt: skip
