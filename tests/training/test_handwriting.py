"""The conversion of pictures of digits to the formats of the data sets."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageDraw

from tensorgrad.data import digits
from tensorgrad.errors import DataError, ShapeError
from training import handwriting

SEVEN = [(60, 40), (180, 40), (110, 170)]
FOUR = [(150, 175), (150, 30), (70, 120), (200, 120)]


def draw(points, size=(260, 200), width=16):
    """Return a stroke through points as a smooth grey picture: 255 is ink, 0 paper."""
    big = Image.new("L", (size[0] * 4, size[1] * 4))
    ImageDraw.Draw(big).line([(4 * x, 4 * y) for x, y in points], fill=255, width=4 * width, joint="curve")
    return big.resize(size, Image.Resampling.BOX)


def on_paper(ink, paper=255, colour=0):
    """Return a grey picture of the ink in one colour on paper of another."""
    level = np.asarray(ink, dtype=float) / 255
    return Image.fromarray(np.rint(paper + (colour - paper) * level).astype(np.uint8))


def with_alpha(mode, ink, solid):
    """Return a transparent sheet with ink of one grey level."""
    flat = [Image.new("L", ink.size, solid)] * (len(mode) - 1)
    return Image.merge(mode, [*flat, ink])


def read(path, picture, **options):
    picture.save(path, **options)
    return handwriting.read_image(path)


def distance(a, b):
    """Return the mean absolute difference of two pictures of the same shape."""
    assert a.shape == b.shape
    return float(np.mean(np.abs(a.astype(float) - b.astype(float))))


INK = draw(SEVEN)
TRUTH = np.asarray(INK) / 255
PICTURES = {
    "dark on light": on_paper(INK),
    "light on dark": on_paper(INK, paper=0, colour=255),
    "pencil": on_paper(INK, paper=220, colour=150),
    "chalk": on_paper(INK, paper=60, colour=130),
    "RGB": Image.merge("RGB", [on_paper(INK, 250, 30), on_paper(INK, 240, 40), on_paper(INK, 200, 160)]),
    "CMYK": on_paper(INK).convert("CMYK"),
    "palette": on_paper(INK).quantize(64),
    "black on nothing": with_alpha("RGBA", INK, 0),
    "white on nothing": with_alpha("RGBA", INK, 255),
    "grey on nothing": with_alpha("LA", INK, 90),
    "solid RGBA": on_paper(INK).convert("RGBA"),
    "16 bits": Image.fromarray(65535 - np.asarray(INK).astype(np.uint16) * 257),
    "16 bits, dim": Image.fromarray(np.asarray(INK).astype(np.uint16) * 40),
    "32 bits": Image.fromarray(np.asarray(INK).astype(np.int32) * 1000),
    "float": Image.fromarray((np.asarray(INK) / 255).astype(np.float32)),
}


@pytest.mark.parametrize("name", PICTURES)
def test_ink_does_not_depend_on_mode_and_colours(tmp_path, name):
    ink = read(tmp_path / "seven.tif", PICTURES[name])
    assert ink.shape == TRUTH.shape
    assert ink.min() == 0
    assert ink.max() == 1
    assert distance(ink, TRUTH) < 0.004


def test_one_bit_and_jpeg(tmp_path):
    assert distance(read(tmp_path / "seven.png", on_paper(INK).convert("1", dither=0)), TRUTH > 0.5) < 0.001
    assert distance(read(tmp_path / "seven.jpg", on_paper(INK), quality=60), TRUTH) < 0.01


def test_both_polarities_give_the_same_picture(tmp_path):
    dark = read(tmp_path / "a.png", on_paper(INK))
    light = read(tmp_path / "b.png", on_paper(INK, paper=0, colour=255))
    np.testing.assert_allclose(dark, light, atol=1e-6)
    np.testing.assert_array_equal(handwriting.to_mnist(dark), handwriting.to_mnist(light))


@pytest.mark.parametrize("paper", [200, 60])
@pytest.mark.parametrize("seed", [0, 1])
def test_uneven_lighting_noise_and_dust_make_little_difference(tmp_path, paper, seed):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-1:1:200j, -1:1:260j]
    sheet = np.asarray(on_paper(INK, paper, 255 - paper), dtype=float)
    sheet += 25 * (0.7 * x - 0.4 * y - 0.5 * x * x) + rng.normal(0, 8, sheet.shape)
    sheet[3:6, 250:254] = 255 - paper
    ink = read(tmp_path / "photo.png", Image.fromarray(np.clip(sheet, 0, 255).astype(np.uint8)))
    assert distance(handwriting.to_mnist(ink), handwriting.to_mnist(TRUTH)) < 4, f"seed {seed}"


def test_orientation_of_a_photo_is_corrected(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate clockwise by 90 degrees
    ink = read(tmp_path / "photo.jpg", on_paper(INK).transpose(Image.Transpose.ROTATE_90), exif=exif, quality=95)
    assert distance(ink, TRUTH) < 0.01


def test_large_picture_is_averaged_down(tmp_path):
    ink = read(tmp_path / "large.png", on_paper(INK).resize((2600, 2000), Image.Resampling.BICUBIC))
    assert ink.shape == (615, 800)
    assert distance(handwriting.to_mnist(ink), handwriting.to_mnist(TRUTH)) < 4


def header(width, height):
    """Return the beginning of a PNG of that size, up to the header of its pixels."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return start + struct.pack(">I", 1000) + b"IDAT"


def encoded(picture, suffix, share=1.0):
    """Return the file of a picture, or its first part."""
    file = io.BytesIO()
    picture.save(file, suffix)
    return file.getvalue()[: int(share * file.tell())]


BROKEN = {
    "text": (b"seven", "not a picture in a format that Pillow supports"),
    "empty": (b"", "not a picture in a format that Pillow supports"),
    "cut png": (encoded(on_paper(INK), "png", 0.5), "the picture cannot be read: "),
    "cut jpeg": (encoded(on_paper(INK), "jpeg", 0.5), "the picture cannot be read: image file is truncated"),
    "header": (header(20, 20), "the picture cannot be read: "),
    "large": (header(10_001, 10_000), "10001 x 10000 pixels are too many; the limit is 100,000,000"),
    "larger": (header(90_000, 90_000), "too many pixels; the limit is 100,000,000"),
    "white": (encoded(Image.new("L", (30, 20), 255), "png"), "no ink found: the picture is blank"),
    "black": (encoded(Image.new("RGB", (1, 1)), "png"), "no ink found: the picture is blank"),
    "faint": (encoded(on_paper(INK, 255, 240), "png"), "no ink found: the picture is blank"),
    "clear": (encoded(Image.new("RGBA", (9, 9)), "png"), "no ink found: the picture is blank"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_error_message_is_one_line_that_names_the_file(tmp_path, name):
    content, reason = BROKEN[name]
    path = tmp_path / "digit.png"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        handwriting.read_image(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: {reason}")
    assert "\n" not in message


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(DataError, match=r"none\.png: no such file$"):
        handwriting.read_image(os.fspath(tmp_path / "none.png"))
    with pytest.raises(DataError, match=r"the picture cannot be read: "):
        handwriting.read_image(tmp_path)


@pytest.mark.parametrize("seed", range(3))
def test_noise_is_not_ink(tmp_path, seed):
    noise = np.random.default_rng(seed).normal(200, 12, (150, 150)).clip(0, 255).astype(np.uint8)
    with pytest.raises(DataError, match="no ink"):
        read(tmp_path / "noise.png", Image.fromarray(noise))


POINTS = st.tuples(st.integers(20, 240), st.integers(20, 180))
STROKES = st.lists(POINTS, min_size=2, max_size=5).filter(lambda points: np.ptp(points, axis=0).max() >= 60)


@settings(max_examples=40, deadline=None)
@given(STROKES)
def test_mnist_format_has_20_pixels_of_ink_around_the_centre_of_mass(points):
    ink = np.asarray(draw(points)) / 255
    picture = handwriting.to_mnist(ink)
    assert picture.shape == (28, 28)
    assert picture.dtype == np.uint8
    assert picture.max() == 255
    for axis in (0, 1):
        profile = picture.sum(axis=1 - axis, dtype=float)
        used = np.flatnonzero(profile)
        centre = profile @ (np.arange(28) + 0.5) / profile.sum()
        clipped = used[0] == 0 or used[-1] == 27  # a digit with most of its ink on one side reaches the edge
        assert 13.97 < centre < 15.02 or clipped
    rows, columns = (np.flatnonzero(picture.any(axis=1 - axis)) for axis in (0, 1))
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20


@settings(max_examples=12, deadline=None)
@given(STROKES, st.integers(2, 4), st.integers(0, 50), st.integers(0, 50))
def test_result_does_not_depend_on_size_position_and_darkness(points, times, down, right):
    ink = np.asarray(draw(points, width=24)) / 255
    for form in (handwriting.to_mnist, handwriting.to_digits):
        np.testing.assert_array_equal(form(np.pad(ink, ((down, 5), (right, 9)))), form(ink))
        np.testing.assert_array_equal(form(0.5 * ink), form(ink))
    larger = np.kron(ink, np.ones((times, times)))
    assert distance(handwriting.to_mnist(larger), handwriting.to_mnist(ink)) < 0.01


def test_picture_in_mnist_format_is_not_changed():
    picture = handwriting.to_mnist(np.asarray(draw(FOUR)) / 255)
    assert distance(handwriting.to_mnist(picture / 255), picture) < 0.5


def test_dust_is_removed_and_separate_strokes_are_kept():
    dusty = TRUTH.copy()
    dusty[2:6, 2:6] = dusty[190:195, 250:255] = 1
    for form in (handwriting.to_mnist, handwriting.to_digits):
        np.testing.assert_array_equal(form(dusty), form(TRUTH))
    dusty[150:190, 200:210] = 1  # a separate stroke, as some fives have
    assert distance(handwriting.to_mnist(dusty), handwriting.to_mnist(TRUTH)) > 10


@settings(max_examples=30, deadline=None)
@given(arrays(np.float64, st.tuples(st.integers(1, 40), st.integers(1, 40)), elements=st.floats(0, 1, width=16)))
def test_any_array_with_ink_is_converted(ink):
    assume(ink.max() > 0)
    assert handwriting.to_mnist(ink).max() == 255
    assert 0 < handwriting.to_digits(ink).max() <= 16


# Bitmaps of 20 x 32 as NIST's programs would create them, computed by hand.
def block(height, width):
    return np.pad(np.ones((height, width)), 3)


def test_digits_of_a_full_box():
    # 640 pixels are more than 560: the strokes are thinned by two pixels on each side, which leaves 16 x 28.
    column = [2, 4, 4, 4, 4, 4, 4, 2]
    expected = np.outer(column, [0, 0, 4, 4, 4, 4, 0, 0])
    np.testing.assert_array_equal(handwriting.to_digits(block(64, 40)), expected)
    np.testing.assert_array_equal(handwriting.to_digits(block(7, 90)), expected)  # for any aspect ratio


def test_slant_is_removed_from_small_digits():
    slanted = handwriting.to_digits(np.asarray(draw([(170, 20), (90, 180)])) / 255)
    edges = (slanted > 0).argmax(axis=1)
    assert np.ptp(edges) <= 1
    assert np.ptp((np.asarray(draw([(170, 20), (90, 180)])) > 0).argmax(axis=1)[30:170]) > 50


def test_thin_strokes_are_thickened_and_thick_ones_thinned():
    ring = [(60, 100), (100, 40), (160, 40), (200, 100), (160, 160), (100, 160), (60, 100)]
    ink = [int(handwriting.to_digits(np.asarray(draw(ring, width=w)) / 255).sum()) for w in (8, 20, 60)]
    assert all(180 <= count <= 460 for count in ink)


def test_small_digits_resemble_the_data_set():
    ink = digits().train_images.mean()
    converted = [handwriting.to_digits(np.asarray(draw(points)) / 255) for points in (SEVEN, FOUR)]
    for picture in converted:
        assert 0.7 * ink < picture.mean() < 1.3 * ink
        assert picture.any(axis=1).all()  # 32 pixels high, as in the data set


@pytest.mark.parametrize("form", [handwriting.to_mnist, handwriting.to_digits])
def test_pictures_without_ink_and_stacks_are_refused(form):
    with pytest.raises(DataError, match="no ink"):
        form(np.zeros((20, 20)))
    with pytest.raises(DataError, match="no ink"):
        form(np.zeros((0, 5)))
    with pytest.raises(ShapeError, match=r"\(2, 8, 8\)"):
        form(np.ones((2, 8, 8)))
