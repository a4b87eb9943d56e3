"""Real and imaginary parts, and the convention for gradients of complex intermediate values.

The gradient of a complex ``z`` is the ``g`` for which ``dL = Re(sum(g * dz))``. With this convention, the rule of an
analytic function contains no conjugate, and the vector-Jacobian product of a linear function is its transpose. For a
real input of an operation with a complex result, the backward pass takes the real part of the gradient. Rules that hold
for complex values are marked by `also_complex`; all others raise `NoRuleError`.
"""

from __future__ import annotations

import numpy as np

from tensorgrad.engine.registry import also_complex, entries, implements, rule
from tensorgrad.engine.tape import Array
from tensorgrad.rules import elementwise, joining, matrices, ordering, shapes, windows, writing  # noqa: F401  (named below)

# fmt: off
rule(np.real,      lambda g, _ans, _val: g)
rule(np.imag,      lambda g, _ans, _val: g * -1j)
rule(np.conjugate, lambda g, _ans, _x: np.conjugate(g))
# fmt: on


@implements(np.angle)
def angle(z: Array, deg: bool = False) -> Array:
    """The argument of each complex number, in radians or degrees."""
    out = np.arctan2(np.imag(z), np.real(z))
    return np.rad2deg(out) if deg else out


also_complex(np.real, np.imag, np.conjugate, np.angle, np.real_if_close)

_MOVING = ("shapes", "joining", "matrices", "windows", "writing")  # modules whose functions only move elements
also_complex(
    *(fn for fn, entry in entries.items() if not entry.complex and entry.run.__module__.rpartition(".")[2] in _MOVING),
    np.take, np.take_along_axis, np.compress, np.extract, np.delete,
)  # fmt: skip
