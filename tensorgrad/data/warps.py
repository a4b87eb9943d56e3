"""Random distortions of images: affine and elastic warps with bilinear interpolation, in NumPy alone.

The elastic fields are those of Simard, Steinkraus and Platt, "Best practices for convolutional neural networks applied
to visual document analysis", ICDAR 2003.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
_AT_ONCE = 16  # warps whose weights are computed together, so that they stay in the cache


@dataclass(frozen=True)
class Warps:
    """A distribution of warps of images. An amplitude of 0 leaves out its part.

    Attributes
    ----------
    rotation
        The largest angle in degrees, in both directions.
    scaling
        The largest relative change of height and of width, which are drawn separately.
    shear
        The largest slope of vertical lines.
    translation
        The largest displacement of the image in pixels, in both directions.
    elastic_amplitude, elastic_sigma
        The elastic field is uniform noise between minus and plus one, smoothed by a Gaussian of standard deviation
        `elastic_sigma`, times `elastic_amplitude`, all in pixels. Outside of the image, the noise is 0.

    Examples
    --------
    >>> warps = tg.data.Warps(rotation=12, elastic_amplitude=34, elastic_sigma=5)
    >>> coordinates = warps.draw(3, (28, 28), np.random.default_rng(0))
    >>> coordinates.shape, coordinates.dtype
    ((3, 2, 28, 28), dtype('float32'))
    """

    rotation: float = 0.0
    scaling: float = 0.0
    shear: float = 0.0
    translation: float = 0.0
    elastic_amplitude: float = 0.0
    elastic_sigma: float = 1.0

    def draw(self, count: int, shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float32]:
        """Draw coordinates ``(count, 2, H, W)`` for `warp`: for each pixel, the row and column that it is read from.

        Examples
        --------
        >>> coordinates = tg.data.Warps(translation=2).draw(1, (3, 4), np.random.default_rng(0))
        >>> coordinates[0, 0, 1] - coordinates[0, 0, 0]
        array([1., 1., 1., 1.], dtype=float32)
        """
        height, width = shape
        angle, slope, *others = rng.uniform(-1, 1, (6, count))
        angle, slope = np.deg2rad(self.rotation) * angle, self.shear * slope
        down, right = 1 + self.scaling * np.array(others[:2])
        cos, sin = np.cos(angle), np.sin(angle)
        # The matrix of (row, column), relative to the centre: a rotation times a scaling times a shear.
        matrix = np.array([[cos * down, cos * down * slope - sin * right],
                           [sin * down, sin * down * slope + cos * right]], np.float32)  # fmt: skip
        centre = (np.array(shape) - 1) / 2
        offset = (self.translation * np.array(others[2:]).T + centre).astype(np.float32)  # (count, 2)

        row, column = (np.arange(size, dtype=np.float32) - np.float32(c) for size, c in zip(shape, centre, strict=True))
        by_row, by_column = matrix.transpose(1, 2, 0)[..., None, None]  # (count, 2, 1, 1)
        coordinates: NDArray[np.float32] = by_row * row[:, None] + (by_column * column + offset[..., None, None])
        if self.elastic_amplitude:
            noise = rng.random((count, 2, height, width), dtype=np.float32)
            noise -= np.float32(0.5)
            field = toeplitz(height, self.elastic_sigma) @ noise @ toeplitz(width, self.elastic_sigma)
            field *= np.float32(2 * self.elastic_amplitude)
            coordinates += field
        return coordinates


def toeplitz(size: int, sigma: float) -> NDArray[np.float32]:
    """The symmetric matrix ``(size, size)`` that smooths by a Gaussian of standard deviation `sigma`."""
    total = np.exp(-0.5 * (np.arange(-int(8 * sigma) - 1, int(8 * sigma) + 2) / sigma) ** 2).sum()
    distance = np.arange(size)[:, None] - np.arange(size)
    smooth: NDArray[np.float64] = np.exp(-0.5 * (distance / sigma) ** 2) / total
    return smooth.astype(np.float32)


def warp(images: Array, coordinates: Array) -> NDArray[np.float32]:
    """Read images at other coordinates, with bilinear interpolation and 0 outside.

    The result is that of `scipy.ndimage.map_coordinates` with ``order=1, mode="grid-constant"``.

    Parameters
    ----------
    images
        ``(M, G, H, W)``: `G` images for each of `M` warps; or ``(M, H, W)``, one for each. Images that share a warp
        take less time: 16 of them a fifth each.
    coordinates
        ``(M, 2, H', W')``: for each pixel of the result, the row and the column in the image.

    Returns
    -------
    ndarray
        ``(M, G, H', W')`` or ``(M, H', W')``, of dtype float32.

    Raises
    ------
    ValueError
        If the shapes do not fit.

    Examples
    --------
    >>> image = np.array([[[0, 4], [8, 0]]])
    >>> tg.data.warp(image, np.array([[[[0.0, 0.5]], [[1.0, 0.0]]]]))  # at (0, 1) and at (0.5, 0)
    array([[[4., 4.]]], dtype=float32)
    """
    if images.ndim == 3:
        return warp(images[:, None], coordinates)[:, 0]
    warps, count, height, width = images.shape
    if coordinates.ndim != 4 or coordinates.shape[:2] != (warps, 2):
        raise ValueError(f"images of shape {images.shape} need coordinates ({warps}, 2, H, W), got {coordinates.shape}")
    *_, new_height, new_width = coordinates.shape
    warped = np.empty((warps, count, new_height * new_width), np.float32)
    padded = np.zeros((height + 2, width + 2, count), np.float32)  # with images last, so that gathers are contiguous
    pixels, inside = padded.reshape(-1, count), padded[1:-1, 1:-1]
    four, factors = np.empty((2, 4, new_height * new_width, count), np.float32)
    repeat = np.array([[1.0], [0.0]], np.float32).repeat(count, axis=1)
    for first in range(0, warps, _AT_ONCE):
        indices, weights = _bilinear(coordinates[first : first + _AT_ONCE], height, width)
        for i, (index, weight) in enumerate(zip(indices, weights, strict=True), first):
            np.copyto(inside, images[i].transpose(1, 2, 0), casting="unsafe")
            np.take(pixels, index, axis=0, out=four, mode="clip")  # without "clip", NumPy gathers into a copy first
            # Equal to four *= weight[..., None], whose inner loops are short, in a third of the time.
            np.matmul(weight.reshape(2, -1).T, repeat, out=factors.reshape(-1, count))
            np.multiply(four, factors, out=four)
            np.copyto(warped[i], np.add.reduce(four, axis=0).T)
    return warped.reshape(warps, count, new_height, new_width)


def _bilinear(coordinates: Array, height: int, width: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Indices into images padded by a pixel on each side, and weights, of four neighbours.

    The indices are ``(M, 4, H' * W')``; the weights are ``(M, 2, 4, H' * W')``, followed by zeros along the axis of 2.
    """
    flat = coordinates.reshape(len(coordinates), 2, -1)
    row, column = np.clip(flat[:, 0], -1, height), np.clip(flat[:, 1], -1, width)
    top, left = np.minimum(np.floor(row), height - 1), np.minimum(np.floor(column), width - 1)
    down, right = row - top, column - left
    up, back = 1 - down, 1 - right
    indices = np.empty((len(flat), 4, flat.shape[-1]), np.intp)
    np.copyto(indices[:, 0], top * (width + 2) + left + (width + 3), casting="unsafe")
    weights = np.zeros((len(flat), 2, *indices.shape[1:]), np.float32)
    for i, (y, x) in enumerate(((up, back), (up, right), (down, back), (down, right))):
        np.add(indices[:, 0], (0, 1, width + 2, width + 3)[i], out=indices[:, i])
        np.multiply(y, x, out=weights[:, 0, i], casting="same_kind")
    return indices, weights
