"""Sums of matrix products by small calls of BLAS, which are faster than large ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tensorgrad import blas
from tensorgrad.engine.tape import Array

_SMALL = 1_000_000  # multiplications: up to here, OpenBLAS does not copy the matrices first, which is 1.2 times as fast

Term = tuple[Array, Array, Array]


def products(terms: Sequence[Term]) -> Callable[[], object]:
    """`blas.products`, with those that are a little too large for OpenBLAS to consider them small in parts."""
    return blas.products([part for term in terms for part in _parts(term)] if blas.enabled() else terms)


def _parts(term: Term) -> list[Term]:
    """Up to three parts of a product: of rows, or of the axis that is summed over; larger ones are left whole."""
    a, b, c = term
    rows, depth = a.shape
    count = -(-rows * depth * b.shape[1] // _SMALL)
    if not 1 < count <= 3:
        return [term]
    longest = max(rows, depth)
    step = -(-longest // count)
    slices = [slice(start, start + step) for start in range(0, longest, step)]
    return [(a[part], b, c[part]) if rows >= depth else (a[:, part], b[part], c) for part in slices]
