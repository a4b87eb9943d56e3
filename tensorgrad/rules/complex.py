"""The parts of complex numbers, and how gradients pass through what is complex between real inputs and real results.

The gradient of a complex ``z`` is the ``g`` for which ``dL = Re(sum(g * dz))``. With it the rule of an analytic
function is the textbook's, with no conjugate in it, and a linear function is pulled back by its transpose. Where a real
input met a complex one, the walk takes the real part, as it undoes a broadcast. Which rules hold for complex values is
said beside them, by `also_complex`; the others refuse.
"""

from __future__ import annotations

import numpy as np

from tensorgrad.rules import matrices, padding, windows, writing  # noqa: F401  (whose compositions are meant below)
from tensorgrad.table import also_complex, compositions, functions, implements, rule
from tensorgrad.tape import Array

# fmt: off
rule(np.real,      lambda g, ans, val: g)
rule(np.imag,      lambda g, ans, val: g * -1j)
rule(np.conjugate, lambda g, ans, x: np.conjugate(g))
# fmt: on


@implements(np.angle)
def angle(z: Array, deg: bool = False) -> Array:
    """The argument of each number, in radians or degrees."""
    out = np.arctan2(np.imag(z), np.real(z))
    return np.rad2deg(out) if deg else out


also_complex(np.real, np.imag, np.conjugate, np.angle, np.real_if_close)

_MOVING = ("shapes", "joining", "matrices", "padding", "windows", "writing")  # families that only move elements
also_complex(
    *(fn for fn in compositions if functions[fn].__module__.rpartition(".")[2] in _MOVING),
    np.take, np.take_along_axis, np.compress, np.extract, np.delete,
)  # fmt: skip
