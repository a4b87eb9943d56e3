"""The small handwritten digits that are part of the package; see ``digits.txt`` for their source and licence."""

from importlib.resources import files

import numpy as np

from tensorgrad.data.dataset import Dataset


def digits() -> Dataset:
    """Load 1,437 training and 360 test images of 8 x 8 pixels, with values from 0 to 16.

    They are the 1,797 images of the test set of "Optical Recognition of Handwritten Digits" (E. Alpaydin and C. Kaynak,
    1998, https://doi.org/10.24432/C50P49, CC BY 4.0). Here, 36 images of each class are the test images.

    Examples
    --------
    >>> data = tg.data.digits()
    >>> data.train_images.shape, data.brightest
    ((1437, 8, 8), 16)
    >>> data.test_labels[:5]
    array([0, 7, 4, 0, 2])
    """
    packed = files("tensorgrad.data").joinpath("digits.npz")
    with packed.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        parts = dict(arrays)  # train_images, train_labels, test_images, test_labels
    for part in parts.values():
        part.flags.writeable = False
    return Dataset("digits", **parts, brightest=16, source="the digits that come with tensorgrad")
