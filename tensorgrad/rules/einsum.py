"""Einstein summation."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from tensorgrad.engine.registry import also_complex, implements, primitive, rule
from tensorgrad.engine.tape import Array
from tensorgrad.frontend.dispatch import nondifferentiable
from tensorgrad.summation import widened

nondifferentiable(np.einsum_path)

# The module `string` takes 0.6 ms to import.
_LOWERCASE, _UPPERCASE = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@primitive
def contract(*operands: Array, subscripts: str, optimize: Any = False) -> Array:
    """`numpy.einsum` with explicit subscripts: a label for each axis, and the output after ``->``."""
    return np.einsum(subscripts, *operands, optimize=optimize)


def _contract_dx(g: Array, _ans: Array, i: int, *operands: Array, subscripts: str, optimize: Any = False) -> Array:
    """Exchange operand ``i`` and the output: for ``ij,jk->ik``, the gradient of the first operand is ``ik,jk->ij``.

    A label that occurs twice in the operand (a diagonal) needs an identity matrix as a further factor; a label that
    occurs nowhere else (a sum over that operand only) needs a vector of ones.
    """
    inputs, output = subscripts.split("->")
    terms = inputs.split(",")
    length: dict[str, int] = {}
    for term, x in zip(terms, operands, strict=True):
        for label, n in zip(term, x.shape, strict=True):
            length[label] = n if length.get(label, 1) == 1 else length[label]
    factors = [(output, g)] + [(terms[j], x) for j, x in enumerate(operands) if j != i]
    target = ""
    spare = iter(label for label in _LOWERCASE + _UPPERCASE if label not in subscripts)
    for label in terms[i]:
        if label in target:
            twin = next(spare)
            factors.append((label + twin, np.eye(length[label], dtype=g.dtype)))
            length[twin] = length[label]
            label = twin
        target += label
    for label in target:
        if not any(label in term for term, _ in factors):
            factors.append((label, np.ones(length[label], g.dtype)))
    subscripts = ",".join(term for term, _ in factors) + "->" + target
    multiplications = math.prod(length[label] for label in set(subscripts) if label in length)
    use_blas = len(factors) == 2 and multiplications > 30_000  # below, determining a path costs more than it saves
    optimize = bool(optimize) or use_blas  # a given path applies to the forward contraction only
    return contract(*(widened(x) for _, x in factors), subscripts=subscripts, optimize=optimize)


rule(contract, each=_contract_dx, singular=False)


@implements(np.einsum)
def einsum(subscripts: Any, *operands: Any, optimize: Any = False) -> Array:
    """Einstein summation, with implicit or explicit output, repeated labels, and ellipsis.

    Axes may be given as numbers instead: ``np.einsum(x, [0, 1], y, [1, 2], [0, 2])``.
    """
    if not isinstance(subscripts, str):
        subscripts, operands = _with_letters(subscripts, *operands)
    explicit = _explicit(subscripts, [np.ndim(x) for x in operands])
    return contract(*operands, subscripts=explicit, optimize=optimize)


also_complex(contract, np.einsum)


def _with_letters(*numbered: Any) -> tuple[str, tuple[Any, ...]]:
    """``"AB,BC->AC", (x, y)`` for ``x, [0, 1], y, [1, 2], [0, 2]``. Letters are in the order of the numbers."""
    if len(numbered) < 2:
        raise ValueError("einsum: give the subscripts as a string first, or a list of axis numbers after each operand")
    pairs = len(numbered) // 2 * 2

    def term(axes: Any) -> str:
        return "".join("..." if axis is Ellipsis else _LETTERS[operator.index(axis)] for axis in axes)

    try:
        output = ["->" + term(axes) for axes in numbered[pairs:]]
        return ",".join(map(term, numbered[1:pairs:2])) + "".join(output), numbered[:pairs:2]
    except (KeyError, TypeError):
        raise TypeError("einsum: after each operand, write a list of axis numbers in 0..51 (or ...), or give the "
                        'subscripts as a string first: np.einsum("ij,jk->ik", a, b)') from None  # fmt: skip


_LETTERS = dict(enumerate(_UPPERCASE + _LOWERCASE))


def _explicit(subscripts: str, ndims: list[int]) -> str:
    """Subscripts with labels in place of ``...``, and with the output, if it was implicit."""
    inputs, arrow, output = subscripts.replace(" ", "").partition("->")
    terms = inputs.split(",")
    if len(terms) != len(ndims):
        raise ValueError(f"einsum: {subscripts!r} names {len(terms)} operands, got {len(ndims)}")
    spare = [label for label in _LOWERCASE + _UPPERCASE if label not in subscripts]
    hidden = [ndim - len(term.replace("...", "")) for term, ndim in zip(terms, ndims, strict=True)]
    for term, ndim, extra in zip(terms, ndims, hidden, strict=True):
        if extra < 0 or (extra > 0 and "..." not in term):
            raise ValueError(f"einsum: {term!r} in {subscripts!r} does not fit an operand with {ndim} axes")
    longest = max([extra for term, extra in zip(terms, hidden, strict=True) if "..." in term], default=0)
    dots = "".join(spare[:longest])
    terms = [term.replace("...", dots[longest - extra :]) for term, extra in zip(terms, hidden, strict=True)]
    if arrow:
        output = output.replace("...", dots)
    else:
        labels = "".join(terms)
        output = dots + "".join(sorted(x for x in set(labels) if labels.count(x) == 1 and x not in dots))
    return ",".join(terms) + "->" + output
