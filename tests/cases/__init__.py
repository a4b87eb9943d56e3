"""The table that drives most tests: a row for each function of the engine and each way to call it.

A row is ``(name, function, domain, shapes of the inputs)``. The function is written in NumPy and takes arrays as
well as tensors, so NumPy itself determines what the forward value must be; for functions that NumPy lacks, ``same`` is
a plain formula to compare with. There is one file for each family, as in the gradient table.
"""

from cases import (
    activations,
    adaptive_pooling,
    attention,
    choices,
    convolutions,
    convolve,
    creation,
    cumulative,
    differences,
    domains,
    elementwise,
    fft,
    indexing,
    interpolation,
    joining,
    linalg,
    losses,
    matrices,
    nanfunctions,
    normalization,
    norms,
    ordering,
    padding,
    polynomials,
    products,
    ranges,
    reductions,
    rounding,
    shapes,
    sliding_blocks,
    statistics,
    trigonometry,
    vectors,
    windows,
)
from cases.rows import Row, distinct, ids

FAMILIES = [
    elementwise,
    trigonometry,
    domains,
    choices,
    rounding,
    convolve,
    differences,
    reductions,
    cumulative,
    nanfunctions,
    norms,
    statistics,
    shapes,
    matrices,
    joining,
    creation,
    ranges,
    polynomials,
    ordering,
    padding,
    windows,
    indexing,
    products,
    linalg,
    fft,
    activations,
    convolutions,
    adaptive_pooling,
    interpolation,
    sliding_blocks,
    vectors,
    normalization,
    attention,
    losses,
]

ROWS = [row for family in FAMILIES for row in family.ROWS]
UNARY = [
    row for family in FAMILIES for row in getattr(family, "UNARY", [])
]  # elementwise: tested in other shapes as well
BINARY = [row for family in FAMILIES for row in getattr(family, "BINARY", [])]  # of two arrays that broadcast

__all__ = ["BINARY", "FAMILIES", "ROWS", "UNARY", "Row", "distinct", "ids"]
