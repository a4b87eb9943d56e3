"""Sliding blocks of images, compared with loops over every block."""
# ruff: noqa: E501  (tables with one row per line)

import numpy as np

import tensorgrad as tg
from cases.convolutions import _each, _windows
from cases.rows import Row, real


def blocks_of(size, kernel, dilation, padding, stride):
    """The index of every block in a padded image of this size."""
    padded = [n + 2 * p for n, p in zip(size, _each(padding, 2), strict=True)]
    return [window for _, window in _windows(padded, _each(kernel, 2), _each(stride, 2), _each(dilation, 2))]


def padded(x, padding):
    return np.pad(x, [(0, 0), (0, 0), *((p, p) for p in _each(padding, 2))])


def unfold(x, kernel, dilation=1, padding=0, stride=1):
    blocks = blocks_of(x.shape[2:], kernel, dilation, padding, stride)
    x = padded(x, padding)
    return np.stack([x[(..., *block)].reshape(len(x), -1) for block in blocks], axis=-1)


def fold(x, size, kernel, dilation=1, padding=0, stride=1):
    kernel = _each(kernel, 2)
    out = padded(np.zeros((len(x), x.shape[1] // (kernel[0] * kernel[1]), *size), x.dtype), padding)
    for i, block in enumerate(blocks_of(size, kernel, dilation, padding, stride)):
        out[(..., *block)] += x[:, :, i].reshape(len(x), -1, *kernel)
    (top, left), (height, width) = _each(padding, 2), size
    return out[:, :, top : top + height, left : left + width]


# fmt: off
ROWS = [
    Row("unfold",         lambda x: tg.unfold(x, 2),                         real, [(2, 2, 3, 4)],  lambda x: unfold(x, 2)),
    Row("unfold options", lambda x: tg.unfold(x, (2, 3), (2, 1), 1, (1, 2)), real, [(1, 2, 3, 4)],  lambda x: unfold(x, (2, 3), (2, 1), 1, (1, 2))),
    Row("unfold apart",   lambda x: tg.unfold(x, 1, stride=3),               real, [(1, 1, 4, 5)],  lambda x: unfold(x, 1, stride=3)),
    Row("fold",           lambda x: tg.fold(x, (3, 4), 2),                   real, [(2, 8, 6)],     lambda x: fold(x, (3, 4), 2)),
    Row("fold options",   lambda x: tg.fold(x, (3, 4), (2, 3), (2, 1), 1, (1, 2)), real, [(1, 6, 6)], lambda x: fold(x, (3, 4), (2, 3), (2, 1), 1, (1, 2))),
    Row("fold apart",     lambda x: tg.fold(x, (4, 5), 1, stride=3),         real, [(1, 1, 4)],     lambda x: fold(x, (4, 5), 1, stride=3)),
]
# fmt: on
