"""A photo or a scan of one digit, brought into the form a network was trained on.

``read_image`` finds the ink; ``to_mnist`` and ``to_digits`` repeat what the makers of the two data sets
did to theirs, so that the input resembles the training images.
"""

import os
import warnings
from typing import TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from tensorgrad.errors import DataError, ShapeError

Floats: TypeAlias = npt.NDArray[np.float64]
Path: TypeAlias = str | os.PathLike[str]
Cell = TypeVar("Cell", bound=np.generic)

MAX_PIXELS = 100_000_000  # refused above this, by the header alone: nothing is decoded
WORKING_SIDE = 800  # pixels; larger pictures are averaged down to it, which also averages their noise away
FAINTEST_INK = 0.08  # of the range from black to white; below it, a blank sheet
ROUNDING = 1e-6  # two levels closer than this are the same: Pillow resizes in single precision


def read_image(path: Path) -> Floats:
    """Read a picture of a digit as ink, (H, W) in 0..1: 0 is bare paper, 1 full ink.

    Dark ink on light paper and light on dark give the same result, and uneven light and mild noise are
    removed. The longer side is at most ``WORKING_SIDE`` pixels. Any file that Pillow can read will do.

    Raises ``DataError``, naming the file, if it is missing, no picture, damaged, too large or blank.
    """
    grey = _read_grey(path)
    depth = grey - _paper(grey)
    if np.sum(depth**3) < 0:  # the rare and far off values are the ink: here, it is darker than the paper
        depth = -depth
    # On the other side of the paper's level there is no ink, only noise: 1.4826 MAD is its sigma.
    noise = 1.4826 * float(np.median(np.abs(depth[depth <= ROUNDING])))
    stained = depth[depth > 3 * noise + ROUNDING]
    peak = float(np.percentile(stained[stained >= _otsu(stained)], 90)) if stained.size else 0.0
    if peak < max(FAINTEST_INK, 6 * noise):
        raise DataError(f"{os.fspath(path)}: no ink found: the picture is blank, faint or without a bare margin")
    return np.clip((depth - 3 * noise) / (peak - 3 * noise), 0.0, 1.0)


def to_mnist(ink: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """Turn ink (H, W) in 0..1 into MNIST's form: (28, 28) in 0..255, its centre of mass in the centre.

    The ink's bounding box is scaled to fit 20 x 20 with its aspect ratio kept, antialiased, and placed by
    whole pixels so that the centre of mass falls into pixel (14, 14) (LeCun, Cortes and Burges, "The MNIST
    database of handwritten digits"; measured there: 14.00 to 15.00 from the upper left corner). The darkest
    pixel becomes 255, as in the data. Raises ``DataError`` without ink, ``ShapeError`` unless 2-D.
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
    """Find where a profile of ink starts on 28 pixels if its centre of mass is to fall into number 14."""
    centre = float(profile @ (np.arange(len(profile)) + 0.5) / profile.sum())
    whole = int(centre + 1e-3)  # a symmetric digit's is a whole number, but for rounding errors
    return min(max(14 - whole, 0), 28 - len(profile))


def to_digits(ink: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """Turn ink (H, W) in 0..1 into the form of UCI's optdigits, and scikit-learn's: (8, 8) in 0..16.

    NIST's programs made a 32 x 32 bitmap (Garris et al., "NIST Form-Based Handprint Recognition System",
    NISTIR 5469, 1994): the bounding box is stretched to 20 wide and 32 high whatever its aspect ratio, thin
    strokes are thickened and fat ones thinned, and the rows are shifted until the left edge stands upright.
    A value counts the pixels set in a 4 x 4 block. Raises ``DataError`` without ink and ``ShapeError``
    unless 2-D.
    """
    bitmap = np.zeros((32, 32), dtype=bool)
    stretched = _resize(_crop(ink, threshold=0.5), 32, 20)
    bitmap[:, 6:26] = stretched >= 0.5 * stretched.max()  # a hairline's pixels are never half full
    bitmap = _upright(_even_strokes(bitmap))
    return np.asarray(bitmap.reshape(8, 4, 8, 4).sum(axis=(1, 3)), dtype=np.uint8)


def _even_strokes(bitmap: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Thin or thicken the strokes of a 32 x 32 bitmap, with NIST's bounds on the number of pixels set."""
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
    """Set every pixel above, below, left or right of one that is set."""
    p = np.pad(bitmap, 1)
    return bitmap | p[:-2, 1:-1] | p[2:, 1:-1] | p[1:-1, :-2] | p[1:-1, 2:]


def _thin(bitmap: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Clear every pixel above, below, left or right of one that is clear, as all are beyond the edge."""
    p = np.pad(bitmap, 1)
    return bitmap & p[:-2, 1:-1] & p[2:, 1:-1] & p[1:-1, :-2] & p[1:-1, 2:]


def _upright(bitmap: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Shift the rows so that the leftmost pixels two rows inside the top and the bottom line up."""
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
    """Cut out the box around the ink above ``threshold`` of its maximum, without the specks around it."""
    sheet = np.asarray(ink, dtype=np.float64)
    if sheet.ndim != 2:
        raise ShapeError(f"ink is a picture (H, W), got an array of shape {sheet.shape}")
    if not (sheet.size and sheet.max() > 0):
        raise DataError("there is no ink in the picture")
    digit = _without_specks(sheet)
    dark = digit > threshold * digit.max()
    rows, columns = (np.flatnonzero(dark.any(axis=1 - axis)) for axis in (0, 1))
    return digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _without_specks(ink: Floats) -> Floats:
    """Erase what is far from the digit and has less than 3 % of the ink of its heaviest part: dust, noise.

    Parts are told apart on a grid of at most 64 x 64 cells, so that a gap of a pixel does not cut a digit.
    """
    height, width = ink.shape
    step = -(-max(height, width) // 64)
    padded = np.pad(ink, ((0, -height % step), (0, -width % step)))
    blocks = padded.reshape(padded.shape[0] // step, step, padded.shape[1] // step, step)
    marked = blocks.max(axis=(1, 3)) > 0.1 * ink.max()
    parts = np.arange(1, marked.size + 1).reshape(marked.shape) * marked
    while not np.array_equal(parts, grown := _largest_around(parts) * marked):
        parts = grown  # the largest number of a connected part floods it
    mass = np.bincount(parts.ravel(), weights=blocks.sum(axis=(1, 3)).ravel())
    mass[0] = 0
    kept = _largest_around((mass >= 0.03 * mass.max())[parts] & marked)
    mask = np.repeat(np.repeat(kept, step, axis=0), step, axis=1)[:height, :width]
    return np.where(mask, ink, 0.0)


def _largest_around(cells: npt.NDArray[Cell]) -> npt.NDArray[Cell]:
    """Return every cell's maximum over itself and its eight neighbours."""
    p = np.pad(cells, 1)
    p = np.maximum(np.maximum(p[:-2], p[1:-1]), p[2:])
    return np.maximum(np.maximum(p[:, :-2], p[:, 1:-1]), p[:, 2:])


def _resize(values: Floats, height: int, width: int) -> Floats:
    """Resize an image (H, W): a new pixel is the mean over the area that it covers, parts of pixels included."""
    rows, columns = (_cover(old, new) for old, new in zip(values.shape, (height, width), strict=True))
    return np.asarray(rows @ values @ columns.T)


def _cover(old: int, new: int) -> Floats:
    """Return which share of each of ``new`` pixels lies on each of ``old`` ones, (new, old): its rows sum to 1."""
    ends = np.arange(new + 1)[:, None] * (old / new)
    starts = np.arange(old)
    overlap = np.minimum(ends[1:], starts + 1) - np.maximum(ends[:-1], starts)
    return np.asarray(np.maximum(overlap, 0.0) * (new / old))


def _otsu(values: Floats) -> float:
    """Find Otsu's threshold, the cut that leaves the largest variance between the two sides.

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
    """Estimate the level of the bare paper at every pixel of (H, W): even, or curved like the light.

    It starts from the median of the border and is fitted as a polynomial of degree two, over and over, to
    the cells of a coarse grid that lie close to it: in the end those are the cells without ink.
    """
    cells = _resize(grey, min(64, grey.shape[0]), min(64, grey.shape[1]))
    border = np.ones(cells.shape, dtype=bool)
    border[1:-1, 1:-1] = False
    trusted, design = border, _quadratic(cells.shape)
    terms = np.array([np.median(cells[border]), 0, 0, 0, 0, 0])
    for _ in range(5):
        residual = np.abs(cells - design @ terms)
        spread = 1.4826 * float(np.median(residual[trusted]))
        if spread < 0.005:  # a drawing or a clean scan has no shades to fit
            break
        trusted = residual <= 2.5 * spread
        terms = np.linalg.lstsq(design[trusted], cells[trusted], rcond=None)[0]
    return np.asarray(_quadratic(grey.shape) @ terms)


def _quadratic(shape: tuple[int, ...]) -> Floats:
    """Return the terms 1, y, x, y^2, yx, x^2 at the pixels of a picture that spans -1..1, (H, W, 6)."""
    y, x = np.meshgrid(*((np.arange(n) + 0.5) * 2 / n - 1 for n in shape), indexing="ij")
    return np.stack([np.ones_like(y), y, x, y * y, y * x, x * x], axis=-1)


def _read_grey(path: Path) -> Floats:
    """Read a file's picture as grey levels (H, W), 0 black and 1 white, upright and not transparent."""
    name = os.fspath(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, about large pictures and untidy metadata
            with Image.open(path) as image:
                if image.width * image.height > MAX_PIXELS:
                    size = f"{image.width} x {image.height}"
                    raise DataError(f"{name}: {size} pixels are too many, at most {MAX_PIXELS:,} are read")
                image.draft("L", (WORKING_SIDE, WORKING_SIDE))  # a JPEG is decoded at a reduced size
                return _grey(ImageOps.exif_transpose(image))
    except DataError:
        raise
    except FileNotFoundError:
        raise DataError(f"{name}: no such file") from None
    except UnidentifiedImageError:
        raise DataError(f"{name}: not a picture in a format that Pillow knows") from None
    except Image.DecompressionBombError:
        raise DataError(f"{name}: too many pixels, at most {MAX_PIXELS:,} are read") from None
    except Exception as error:  # a damaged file makes the decoders raise anything
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise DataError(f"{name}: the picture cannot be read: {' '.join(reason.split())}") from error


def _grey(image: Image.Image) -> Floats:
    """Turn a decoded picture of any mode into grey levels (H, W) in 0..1, at the working size or below."""
    if image.mode[0] in "IF":  # 16 or 32 bits a pixel
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
    # Transparency shows paper: as the picture's own if most of it is solid, else opposite to the ink.
    solid = np.asarray(image.getchannel("A"), dtype=np.float64) / 255
    shade = float(np.sum(grey * solid) / max(np.sum(solid), 1e-9))
    dark = shade >= 0.5 if solid.mean() < 0.5 else shade < 0.5
    return grey * solid + (0.0 if dark else 1.0) * (1 - solid)
