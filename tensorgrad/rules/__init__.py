"""The gradient table: the vector-Jacobian products of each NumPy function, one row per function, one file per family.

A row is ``rule(function, vjp of input 1, vjp of input 2, ...)``, and a vjp is ``(g, ans, *inputs, **params)``:
``g`` the upstream gradient in the shape of the output ``ans``, ``x, y`` the inputs; what is named with an underscore,
``_x``, is not saved for the backward pass. Rows are written in NumPy, so they differentiate themselves. The
engine handles broadcasting, dtypes and ``0 * inf``: see `tensorgrad.engine.backward`.

A function that can be expressed by other functions is a composition of them (`implements`) and has no row.
`creation` makes tensors, and is loaded after the `Tensor`, whose operators are looked up in the table.
"""

from tensorgrad.engine.registry import entries, row_of
from tensorgrad.frontend.dispatch import families
from tensorgrad.rules import (  # noqa: F401  (each fills the table)
    choices,
    complex,
    cumulative,
    decompositions,
    differences,
    domains,
    einsum,
    elementwise,
    fft,
    joining,
    linalg,
    matrices,
    nanfunctions,
    nondifferentiable,
    norms,
    ordering,
    polynomials,
    products,
    ranges,
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
