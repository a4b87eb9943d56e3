"""The width of text, estimated without a font, and its escaping for XML."""

from __future__ import annotations

import math
import unicodedata
from html import escape

# Widths in em of bold letters in the widest of the usual sans-serif fonts (DejaVu Sans; Arial is a sixth narrower).
_WIDTHS = {
    letter: width
    for width, letters in [
        (0.40, " ',./:;\\|Iijl"),
        (0.50, "!()-[]`frt"),
        (0.62, '"*?J_csz'),
        (0.74, "$0123456789CELPSTYZabdeghknopquvxy{}"),
        (0.88, "#&+<=>ABDFGHKNOQRUVX^~"),
        (1.10, "%@MWmw…"),
    ]
    for letter in letters
}
FONTS = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"


def width_of(text: str, size: float, bold: bool = False) -> float:
    """An upper bound of the width of ``text``, in the unit of ``size``; regular text is a tenth narrower than bold."""
    em = math.fsum(
        _WIDTHS.get(letter) or (1.25 if unicodedata.east_asian_width(letter) in "NAH" else 1.5) for letter in text
    )
    return em * size * (1 if bold else 0.91)


def xml(text: str) -> str:
    """``text`` escaped for XML, without characters that XML cannot represent."""
    return escape("".join(c if c.isprintable() else " " if c.isspace() else "�" for c in text))
