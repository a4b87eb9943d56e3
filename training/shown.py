"""A picture of what was found in a picture: the digits in boxes, what was removed in colour, what the network saw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from training.reading import Answer, Reading

LINES, OTHER, BOX, DOUBT = (214, 40, 40), (60, 90, 220), (20, 140, 60), (200, 120, 0)
TILE = 140  # pixels of a side of a 28x28 picture: 5 times its size
TEXT = 17


def picture_of(reading: Reading) -> Image.Image:
    """Left, the picture with boxes, removed lines in red and other removed ink in blue; right, what the network saw."""
    left = found(reading)
    columns = -(-len(reading.answers) * (TILE + 50) // max(left.height - 60, TILE + 50))
    per_column = -(-len(reading.answers) // columns)
    height = max(left.height, per_column * (TILE + 50)) + 50
    whole = Image.new("RGB", (left.width + columns * (TILE + 30) + 20, height), "white")
    whole.paste(left, (0, 0))
    pen = ImageDraw.Draw(whole)
    for i, answer in enumerate(reading.answers):
        corner = left.width + 25 + i // per_column * (TILE + 30), i % per_column * (TILE + 50)
        whole.paste(tile(answer), corner)
        pen.rectangle((corner[0] - 1, corner[1], corner[0] + TILE, corner[1] + TILE), outline=(190, 190, 190))
        pen.text((corner[0], corner[1] + TILE + 6), caption(answer), fill=colour_of(answer), font=font(TEXT))
    text = f"doubtful: {reading.doubt}" if reading.doubt else f"reading: {reading.text}"
    pen.text((6, height - 44), text, fill="black", font=font(TEXT))
    x = 6.0
    for name, colour in (("digit", BOX), ("removed: lines", LINES), ("other", OTHER)):
        pen.text((x, height - 21), name, fill=colour, font=font(TEXT - 4))
        x += pen.textlength(name, font=font(TEXT - 4)) + 16
    return whole


def found(reading: Reading) -> Image.Image:
    """The picture in grey, with boxes around the digits, and with what was removed in colour."""
    findings, picture = reading.findings, reading.picture
    height, width = findings.shape
    levels = np.rint(255 * np.clip(picture, 0, 1)).astype(np.uint8)
    base = Image.fromarray(levels).convert("RGB").resize((width, height), Image.Resampling.BICUBIC)
    pixels = np.asarray(base, dtype=float)
    for name, colour in (("lines", LINES), ("other", OTHER)):
        if name in findings.removed:
            mask = findings.removed[name][..., None]
            pixels = np.where(mask, 0.15 * pixels + 0.85 * np.array(colour), pixels)
    marked = Image.fromarray(np.rint(pixels).astype(np.uint8))
    pen = ImageDraw.Draw(marked)
    for digit, answer in zip(findings.digits, reading.answers, strict=True):
        top, left, bottom, right = digit.box
        pen.rectangle((left - 4, top - 4, right + 3, bottom + 3), outline=colour_of(answer), width=2)
    return marked


def tile(answer: Answer) -> Image.Image:
    """The picture that the network saw, enlarged, dark on white."""
    seen = np.asarray(answer.seen, dtype=float)
    grey = np.rint(255 * (1 - seen / max(1.0, float(seen.max())))).astype(np.uint8)
    return Image.fromarray(grey).resize((TILE, TILE), Image.Resampling.NEAREST)


def caption(answer: Answer) -> str:
    """The answer with its probability, or what is doubtful."""
    return f"{answer.label}: {answer.probability:.1%}" + ("?" if answer.doubt else "")


def colour_of(answer: Answer) -> tuple[int, int, int]:
    """Green for an answer, orange for a doubtful one."""
    return DOUBT if answer.doubt else BOX


def font(size: int) -> Any:
    """Pillow's own font, of any size if FreeType is part of Pillow."""
    try:
        return ImageFont.load_default(size)
    except (TypeError, OSError):
        return ImageFont.load_default()
