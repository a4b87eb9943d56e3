"""The gradient table: how each NumPy function pulls a gradient back, one row a function, one file a family.

A row is ``rule(function, vjp of input 1, vjp of input 2, ...)``, and a vjp is ``(g, ans, *inputs, **params)``:
``g`` the upstream gradient in the shape of the output ``ans``, ``x, y`` the inputs; what is named with an underscore,
``_x``, is not saved for the backward pass. Rows are written in NumPy, so they differentiate themselves. Broadcasting is
not their business, nor dtypes, nor ``0 * inf``: see `tensorgrad.engine.backward`.

A function that other functions express exactly is composed of them (`implements`) and has no row.
"""

from tensorgrad.engine.registry import entries, row_of
from tensorgrad.frontend.dispatch import families
from tensorgrad.rules import (  # noqa: F401  (each fills the table)
    choices,
    complex,
    cumulative,
    decompositions,
    differences,
    einsum,
    elementwise,
    fft,
    joining,
    linalg,
    matrices,
    nanfunctions,
    norms,
    ordering,
    plain,
    products,
    reductions,
    rounding,
    shapes,
    statistics,
    trigonometry,
    windows,
    writing,
)

for _row in filter(None, map(row_of, tuple(entries))):
    # The rules of ufuncs work element by element, whatever the shape of g.
    _row.accepts_unbroadcast_g = _row.elementwise

families["scipy.special"] = "tensorgrad.rules.special"
