"""Warps of images, compared with SciPy and with what is known of them."""

import numpy as np
import pytest

from tensorgrad.data import Warps, warp
from tensorgrad.data.warps import toeplitz

ALL = Warps(rotation=12, scaling=0.12, shear=0.12, translation=0.5, elastic_amplitude=34, elastic_sigma=5)
WILD = Warps(rotation=180, scaling=0.9, shear=2, translation=9, elastic_amplitude=300, elastic_sigma=2)


def pictures(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def identity(height, width):
    return np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij"))[None].astype(np.float32)


@pytest.mark.parametrize("warps", [ALL, WILD], ids=["usual", "far outside"])
@pytest.mark.parametrize("shape", [(17, 5, 28, 28), (3, 1, 9, 4), (40, 2, 2, 6)])
def test_warped_images_are_those_of_scipy(warps, shape):
    ndimage = pytest.importorskip("scipy.ndimage")
    images = pictures(*shape) / np.float32(255)
    coordinates = warps.draw(shape[0], shape[2:], np.random.default_rng(1))
    expected = [[ndimage.map_coordinates(image.astype(float), at, order=1, mode="grid-constant") for image in group]
                for group, at in zip(images, coordinates.astype(float), strict=True)]  # fmt: skip
    assert np.std(expected) > 0.01
    np.testing.assert_allclose(warp(images, coordinates), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("size", "sigma"), [(28, 5), (8, 1.5), (5, 0.3), (4, 20)])
def test_fields_are_smoothed_as_by_scipy(size, sigma):
    ndimage = pytest.importorskip("scipy.ndimage")
    noise = np.random.default_rng(0).random((size, 28))
    expected = ndimage.gaussian_filter(noise, sigma, mode="constant", truncate=8)
    np.testing.assert_allclose(toeplitz(size, sigma) @ noise @ toeplitz(28, sigma), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_coordinates_of_the_pixels_themselves_change_nothing(dtype):
    images = pictures(1, 3, 7, 5).astype(dtype)
    np.testing.assert_array_equal(warp(images, identity(7, 5)), images)
    moved = warp(images, identity(7, 5) + np.array([[[1]], [[-1]]]))
    np.testing.assert_array_equal(moved[:, :, :-1, 1:], images[:, :, 1:, :-1])
    assert warp(images, Warps().draw(1, (7, 5), np.random.default_rng(0))).dtype == np.float32


@pytest.mark.parametrize("at", [-1, -1e30, 7, 1e9, np.inf])
def test_outside_of_the_image_there_is_nothing(at):
    assert not warp(pictures(1, 2, 7, 7), np.full((1, 2, 3, 4), at, np.float32)).any()


def test_images_that_share_a_warp_are_warped_as_if_alone():
    images, coordinates = pictures(20, 6, 28, 28), ALL.draw(20, (28, 28), np.random.default_rng(2))
    together = warp(images, coordinates)
    for i in range(6):
        np.testing.assert_allclose(warp(images[:, i], coordinates), together[:, i], rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "amplitude", "moved"),
    [("rotation", 30, None), ("scaling", 0.3, None), ("shear", 0.3, None), ("translation", 2, 2.0)],
)
def test_each_amplitude_bounds_its_part(name, amplitude, moved):
    coordinates = Warps(**{name: amplitude}).draw(2000, (9, 5), np.random.default_rng(3)) - [[[4]], [[2]]]
    centre = coordinates[:, :, 4, 2]
    by_row, by_column = coordinates[:, :, 5, 2] - centre, coordinates[:, :, 4, 3] - centre
    assert np.abs(centre).max() == pytest.approx(moved or 0, abs=0.02)
    if name == "rotation":
        angle = np.degrees(np.arctan2(by_row[:, 1], by_row[:, 0]))
        assert (angle.min(), angle.max()) == pytest.approx((-30, 30), abs=0.2)
        np.testing.assert_allclose(np.linalg.norm(by_row, axis=1), 1, atol=1e-5)
    elif name == "scaling":
        assert (by_row[:, 0].min(), by_column[:, 1].max()) == pytest.approx((0.7, 1.3), abs=0.01)
        assert abs(np.corrcoef(by_row[:, 0], by_column[:, 1])[0, 1]) < 0.1
    elif name == "shear":
        assert np.abs(by_column[:, 0]).max() == pytest.approx(0.3, abs=0.01)
        np.testing.assert_allclose(by_row, [[1, 0]] * 2000, atol=1e-5)


def test_elastic_fields_have_the_size_of_smoothed_noise():
    warps = Warps(elastic_amplitude=34, elastic_sigma=5)
    fields = warps.draw(300, (28, 28), np.random.default_rng(4)) - identity(28, 28)
    kernel = toeplitz(28, 5)[14].astype(float)
    expected = 34 / np.sqrt(3) * np.sum(kernel**2)  # the noise has the standard deviation 1 / sqrt(3)
    assert np.std(fields[:, :, 14, 14]) == pytest.approx(expected, rel=0.1)
    assert abs(np.mean(fields)) < 0.1 * expected


@pytest.mark.parametrize("shape", [(3, 2, 5, 5), (4, 1, 5, 5), (4, 5, 5)])
def test_coordinates_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"need coordinates \(4, 2, H, W\), got \("):
        warp(pictures(4, 2, 5, 5), np.zeros(shape))
