"""Conversion of a photo or a scan of one digit to the format of the images that a network was trained on.

``read_image`` separates the ink from the paper; ``to_mnist`` and ``to_digits`` apply the preprocessing of the two data
sets, so that the result resembles the training images.
"""

import os
import warnings
from collections.abc import Callable
from typing import TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from tensorgrad.errors import DataError, ShapeError

Floats: TypeAlias = npt.NDArray[np.float64]
Path: TypeAlias = str | os.PathLike[str]
Cell = TypeVar("Cell", bound=np.generic)
Result = TypeVar("Result")

MAX_PIXELS = 100_000_000  # a larger picture is refused after its header was read, before it is decoded
WORKING_SIDE = 800  # pixels; larger pictures are averaged down to this size, which also reduces their noise
FAINTEST_INK = 0.08  # as a fraction of the range from black to white; what is fainter is a blank sheet
HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
ROUNDING = 1e-6  # levels that differ by less are considered equal: Pillow resizes in single precision


def read_image(path: Path) -> Floats:
    """Read a picture of a digit as ink, (H, W) in 0..1: 0 is paper, 1 full ink.

    Dark ink on light paper and light ink on dark paper give the same result. Uneven lighting and moderate noise are
    removed. Neither side of the result is longer than ``WORKING_SIDE`` pixels. The file can have any format that Pillow
    reads.

    Raises
    ------
    DataError
        Naming the file, if it is missing, not a picture, damaged, too large, or blank.
    """
    ink = ink_of(_read_grey(path))
    if ink is None:
        raise DataError(f"{os.fspath(path)}: no ink found: the picture is blank, too faint, or has no empty margin")
    return ink


def ink_of(grey: Floats) -> Floats | None:
    """The ink, (H, W) in 0..1, of a picture of grey levels with a digit on bare paper; None if there is none."""
    depth = grey - _paper(grey)
    if np.sum(depth**3) < 0:  # the outliers, that is the ink, are darker than the paper
        depth = -depth
    # Values beyond the level of the paper are noise only; 1.4826 times their median absolute value estimates its sigma.
    noise = 1.4826 * float(np.median(np.abs(depth[depth <= ROUNDING])))
    inked = depth[depth > 3 * noise + ROUNDING]
    peak = float(np.percentile(inked[inked >= _otsu(inked)], 90)) if inked.size else 0.0
    if peak < max(FAINTEST_INK, 6 * noise):
        return None
    return np.clip((depth - 3 * noise) / (peak - 3 * noise), 0.0, 1.0)


def ink_of_drawing(picture: Floats) -> Floats | None:
    """The ink of a grey picture whose ground has one level, to rounding; None for photographs, scans and colours."""
    if picture.ndim == 3:
        if np.ptp(picture, axis=2).any():
            return None
        picture = picture[..., 0]
    border = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    is_even = np.ptp(border) <= ROUNDING and np.mean(np.abs(picture - border[0]) <= ROUNDING) > 0.5
    return ink_of(picture) if is_even else None


def to_mnist(ink: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """Convert ink (H, W) in 0..1 to the format of MNIST: (28, 28) uint8 in 0..255, centred by its centre of mass.

    The bounding box of the ink is scaled to fit 20 x 20 with its aspect ratio preserved, antialiased, and placed by
    whole pixels such that the centre of mass is in pixel (14, 14) (LeCun, Cortes and Burges, "The MNIST database of
    handwritten digits"; in its images, it is 14.00 to 15.00 pixels from the upper left corner). The darkest pixel
    becomes 255, as in MNIST.

    Raises
    ------
    ShapeError
        If ``ink`` is not two-dimensional.
    DataError
        If there is no ink.
    """
    digit = _crop(ink, threshold=0.25)
    scale = 20 / max(digit.shape)
    height, width = (max(1, round(side * scale)) for side in digit.shape)
    small = _resize(digit, height, width)
    canvas = np.zeros((28, 28))
    top, left = (_offset(small.sum(axis=1 - axis)) for axis in (0, 1))
    canvas[top : top + height, left : left + width] = small / small.max()
    return np.rint(255 * canvas).astype(np.uint8)


def _offset(profile: Floats) -> int:
    """The position among 28 pixels at which a profile of ink starts such that its centre of mass is in pixel 14."""
    centre = float(profile @ (np.arange(len(profile)) + 0.5) / profile.sum())
    pixel = int(centre + 1e-3)  # for a symmetric digit, the centre is an integer up to rounding errors
    return min(max(14 - pixel, 0), 28 - len(profile))


def to_digits(ink: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """Convert ink (H, W) in 0..1 to the format of UCI's optdigits (scikit-learn's digits): (8, 8) uint8 in 0..16.

    As in NIST's programs (Garris et al., "NIST Form-Based Handprint Recognition System", NISTIR 5469, 1994), the
    bounding box is stretched to a 32 x 20 bitmap regardless of its aspect ratio, strokes are thickened or thinned to a
    normal width, and the rows are shifted such that the left edge is vertical. Each value is the number of pixels that
    are set in a 4 x 4 block.

    Raises
    ------
    ShapeError
        If ``ink`` is not two-dimensional.
    DataError
        If there is no ink.
    """
    bitmap = np.zeros((32, 32), dtype=bool)
    stretched = _resize(_crop(ink, threshold=0.5), 32, 20)
    bitmap[:, 6:26] = stretched >= 0.5 * stretched.max()  # thin strokes never fill half a pixel
    bitmap = _without_slant(_normal_strokes(bitmap))
    return np.asarray(bitmap.reshape(8, 4, 8, 4).sum(axis=(1, 3)), dtype=np.uint8)


def _normal_strokes(bitmap: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Thin or thicken the strokes of a 32 x 32 bitmap by NIST's limits for the number of pixels that are set."""
    count = int(bitmap.sum())
    grow = (count < 256) + (count < 108)
    shrink = (count > 412) + (count > 560)
    for _ in range(grow):
        bitmap = _thicken(bitmap)
    for _ in range(shrink):
        thinner = _thin(bitmap)
        bitmap = thinner if thinner.any() else bitmap
    return bitmap


def _thicken(bitmap: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Set the four neighbours of every pixel that is set."""
    p = np.pad(bitmap, 1)
    return bitmap | p[:-2, 1:-1] | p[2:, 1:-1] | p[1:-1, :-2] | p[1:-1, 2:]


def _thin(bitmap: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Clear the four neighbours of every pixel that is clear; those outside the bitmap are clear."""
    p = np.pad(bitmap, 1)
    return bitmap & p[:-2, 1:-1] & p[2:, 1:-1] & p[1:-1, :-2] & p[1:-1, 2:]


def _without_slant(bitmap: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Shift the rows such that the third row from the top and that from the bottom start in the same column."""
    rows = np.flatnonzero(bitmap.any(axis=1))
    top, bottom = rows[0] + 2, rows[-1] - 2
    if bottom <= top or not (bitmap[top].any() and bitmap[bottom].any()):
        return bitmap
    slope = (float(bitmap[top].argmax()) - float(bitmap[bottom].argmax())) / float(bottom - top)
    sheared = np.zeros_like(bitmap)
    for row in range(32):
        columns = np.flatnonzero(bitmap[row]) + round((row - 16) * slope)
        sheared[row, columns[(columns >= 0) & (columns < 32)]] = True
    return sheared


def _crop(ink: npt.ArrayLike, threshold: float) -> Floats:
    """Remove specks, and crop to the bounding box of the ink above ``threshold`` times its maximum."""
    sheet = np.asarray(ink, dtype=np.float64)
    if sheet.ndim != 2:
        raise ShapeError(f"ink must have shape (H, W), got {sheet.shape}")
    if not (sheet.size and sheet.max() > 0):
        raise DataError("the picture contains no ink")
    digit = _without_specks(sheet)
    dark = digit > threshold * digit.max()
    rows, columns = (np.flatnonzero(dark.any(axis=1 - axis)) for axis in (0, 1))
    return digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _without_specks(ink: Floats) -> Floats:
    """Erase dust and noise: connected parts with less than 3 % of the ink of the largest one, unless next to it.

    Connected parts are found on a grid of at most 64 x 64 cells, so that a gap of one pixel does not split a digit.
    """
    height, width = ink.shape
    step = -(-max(height, width) // 64)
    padded = np.pad(ink, ((0, -height % step), (0, -width % step)))
    blocks = padded.reshape(padded.shape[0] // step, step, padded.shape[1] // step, step)
    marked = blocks.max(axis=(1, 3)) > 0.1 * ink.max()
    parts = np.arange(1, marked.size + 1).reshape(marked.shape) * marked
    while not np.array_equal(parts, grown := _largest_around(parts) * marked):
        parts = grown  # until each connected part has a single number, its largest
    mass = np.bincount(parts.ravel(), weights=blocks.sum(axis=(1, 3)).ravel())
    mass[0] = 0
    kept = _largest_around((mass >= 0.03 * mass.max())[parts] & marked)
    mask = np.repeat(np.repeat(kept, step, axis=0), step, axis=1)[:height, :width]
    return np.where(mask, ink, 0.0)


def _largest_around(cells: npt.NDArray[Cell]) -> npt.NDArray[Cell]:
    """The maximum of each cell and its eight neighbours; same shape."""
    p = np.pad(cells, 1)
    p = np.maximum(np.maximum(p[:-2], p[1:-1]), p[2:])
    return np.maximum(np.maximum(p[:, :-2], p[:, 1:-1]), p[:, 2:])


def _resize(values: Floats, height: int, width: int) -> Floats:
    """Resize an image (H, W): each new pixel is the mean over the area that it covers, fractions of pixels included."""
    rows, columns = (_overlap(old, new) for old, new in zip(values.shape, (height, width), strict=True))
    return np.asarray(rows @ values @ columns.T)


def _overlap(old: int, new: int) -> Floats:
    """The fraction of each of ``new`` pixels that lies on each of ``old`` ones, (new, old); the rows sum to 1."""
    ends = np.arange(new + 1)[:, None] * (old / new)
    starts = np.arange(old)
    overlap = np.minimum(ends[1:], starts + 1) - np.maximum(ends[:-1], starts)
    return np.asarray(np.maximum(overlap, 0.0) * (new / old))


def _otsu(values: Floats) -> float:
    """Otsu's threshold, which maximizes the variance between the values below and those above it.

    N. Otsu, "A threshold selection method from gray-level histograms", 1979, equation 18.
    """
    counts, edges = np.histogram(values, bins=128)
    below = np.cumsum(counts) / values.size
    moment = np.cumsum(counts * (edges[:-1] + edges[1:]) / 2) / values.size
    inner = (below > 0) & (below < 1)
    if not inner.any():
        return float(values.min())
    between = np.zeros(128)
    between[inner] = (moment[-1] * below - moment)[inner] ** 2 / (below * (1 - below))[inner]
    return float(edges[1 + between.argmax()])


def _paper(grey: Floats) -> Floats:
    """Estimate the level of the paper at every pixel, (H, W): constant, or a polynomial of degree two.

    Starting with the median of the border, the polynomial is fitted repeatedly to those cells of a coarse grid that are
    close to it; these converge to the cells without ink.
    """
    cells = _resize(grey, min(64, grey.shape[0]), min(64, grey.shape[1]))
    border = np.ones(cells.shape, dtype=bool)
    border[1:-1, 1:-1] = False
    trusted, design = border, _quadratic(cells.shape)
    terms = np.array([np.median(cells[border]), 0, 0, 0, 0, 0])
    for _ in range(5):
        residual = np.abs(cells - design @ terms)
        spread = 1.4826 * float(np.median(residual[trusted]))
        if spread < 0.005:  # a drawing or a clean scan is lit evenly
            break
        trusted = residual <= 2.5 * spread
        terms = np.linalg.lstsq(design[trusted], cells[trusted], rcond=None)[0]
    return np.asarray(_quadratic(grey.shape) @ terms)


def _quadratic(shape: tuple[int, ...]) -> Floats:
    """The terms 1, y, x, y^2, yx, x^2 at the pixels of a picture, with coordinates in -1..1: (H, W, 6)."""
    y, x = np.meshgrid(*((np.arange(n) + 0.5) * 2 / n - 1 for n in shape), indexing="ij")
    return np.stack([np.ones_like(y), y, x, y * y, y * x, x * x], axis=-1)


def read_colours(path: Path) -> tuple[Floats, tuple[int, int]]:
    """Read a picture as colours (H, W, 3) in 0..1, or as grey levels (H, W) if it has none; and its width and height.

    It is rotated by its EXIF orientation, transparent pixels become paper, and large pictures are averaged down. Of an
    animation, the first picture is read.

    Raises
    ------
    DataError
        Naming the file, if it is missing, not a picture, damaged or too large.
    """
    return _opened(path, lambda image: (_colours(image), _size(image)))


def _read_grey(path: Path) -> Floats:
    """Read a picture as grey levels (H, W), 0 black and 1 white, rotated by its EXIF orientation, without alpha."""
    return _opened(path, lambda image: _grey(ImageOps.exif_transpose(image)), "L")


def _opened(path: Path, convert: Callable[[Image.Image], Result], mode: str = "RGB") -> Result:
    """Open a picture and convert it; any failure is a `DataError` that names the file."""
    name = os.fspath(path)
    try:
        _support_heic(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of large pictures and of malformed metadata
            with Image.open(path) as image:
                if image.width * image.height > MAX_PIXELS:
                    size = f"{image.width} x {image.height}"
                    raise DataError(f"{name}: {size} pixels are too many; the limit is {MAX_PIXELS:,}")
                full = image.size
                image.draft(mode, (WORKING_SIDE, WORKING_SIDE))  # a JPEG is decoded at a reduced size
                image.info["full size"] = full
                return convert(image)
    except DataError:
        raise
    except FileNotFoundError:
        raise DataError(f"{name}: no such file") from None
    except UnidentifiedImageError:
        raise DataError(f"{name}: not a picture in a format that Pillow supports") from None
    except Image.DecompressionBombError:
        raise DataError(f"{name}: too many pixels; the limit is {MAX_PIXELS:,}") from None
    except Exception as error:  # decoders raise errors of many kinds for a damaged file
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise DataError(f"{name}: the picture cannot be read: {' '.join(reason.split())}") from error


def _support_heic(path: Path) -> None:
    """Let Pillow read HEIC, the format of many phones, which needs another package."""
    with open(path, "rb") as file:  # noqa: PTH123
        start = file.read(12)
    if start[4:8] != b"ftyp" or start[8:12] not in HEIC_BRANDS or ".heic" in Image.registered_extensions():
        return
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        message = 'HEIC pictures need pillow-heif: python -m pip install -e ".[heic]", or save it as JPEG'
        raise DataError(f"{os.fspath(path)}: {message}") from None
    register_heif_opener()


def _size(image: Image.Image) -> tuple[int, int]:
    """Width and height of a picture after rotation by its EXIF orientation."""
    width, height = image.info["full size"]
    return (height, width) if image.getexif().get(0x0112, 1) in (5, 6, 7, 8) else (width, height)


def _colours(image: Image.Image) -> Floats:
    """The colours (H, W, 3) of a decoded picture, or its grey levels (H, W)."""
    image = ImageOps.exif_transpose(image)
    if image.mode in ("1", "L", "LA", "PA", "RGBA") or image.mode[0] in "IF" or "transparency" in image.info:
        return _grey(image)
    image = image.convert("RGB")
    image.thumbnail((WORKING_SIDE, WORKING_SIDE), Image.Resampling.BOX, reducing_gap=None)
    return np.asarray(image, dtype=np.float64) / 255


def _grey(image: Image.Image) -> Floats:
    """Convert a decoded picture of any mode to grey levels (H, W) in 0..1, and to the working size if it is larger."""
    if image.mode[0] in "IF":  # 16 or 32 bits per pixel
        levels = np.nan_to_num(np.asarray(image, dtype=np.float32))
        top = 65535 if image.mode.startswith("I;16") else max(1.0, float(levels.max()))
        image = Image.fromarray(levels / np.float32(top))
    elif image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
    else:
        image = image.convert("L")
    image.thumbnail((WORKING_SIDE, WORKING_SIDE), Image.Resampling.BOX, reducing_gap=None)
    if image.mode == "F":
        return np.asarray(image, dtype=np.float64)
    grey = np.asarray(image.convert("L"), dtype=np.float64) / 255
    if image.mode != "RGBA":
        return grey
    # Transparent pixels become paper: of the picture's shade if most of it is opaque, else the opposite of the ink's.
    opacity = np.asarray(image.getchannel("A"), dtype=np.float64) / 255
    shade = float(np.sum(grey * opacity) / max(np.sum(opacity), 1e-9))
    dark = shade >= 0.5 if opacity.mean() < 0.5 else shade < 0.5
    return grey * opacity + (0.0 if dark else 1.0) * (1 - opacity)
