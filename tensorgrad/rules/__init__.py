"""The gradient table: the vector-Jacobian products of each NumPy function, one row per function, one file per family.

A row is ``rule(function, vjp of input 1, vjp of input 2, ...)``, and a vjp is a function
``(g, ans, *inputs, **params)``: ``g`` is the upstream gradient, in the shape of the result ``ans``; ``x`` and ``y`` are
the inputs. An argument with a leading underscore, such as ``_x``, is not saved for the backward pass: only its shape
and dtype are known. Rules are written in NumPy, so that they can be differentiated themselves. The engine handles
broadcasting, dtypes and ``0 * inf``: see `tensorgrad.engine.backward`.

A function that can be expressed by other functions is a composition of them (`implements`) and has no row. The module
`creation` creates tensors; it is imported after `Tensor`, whose operators are looked up in the table.
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
    # The rules of ufuncs are elementwise, so they accept a g that only broadcasts to the shape of the result.
    _row.accepts_unbroadcast_g = _row.elementwise

families |= {"numpy.fft": "tensorgrad.rules.fft", "scipy.special": "tensorgrad.rules.special"}
