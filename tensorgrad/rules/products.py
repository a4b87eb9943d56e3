"""Products that sum: matmul, dot, vdot, outer, einsum."""

from __future__ import annotations

import math
import string
from typing import Any

import numpy as np

from tensorgrad.errors import NoRuleError
from tensorgrad.table import implements, primitive, rule
from tensorgrad.tape import Array

# fmt: off
rule(np.matmul, lambda g, ans, x, y: _matmul_dx(g, y),
                lambda g, ans, x, y: _matmul_dy(g, x))
rule(np.vdot,   lambda g, ans, x, y: g * np.reshape(y, x.shape),
                lambda g, ans, x, y: g * np.reshape(x, y.shape))
# fmt: on


def _matmul_dx(g: Array, y: Array) -> Array:
    """``g @ y.T``; batch axes that were broadcast are summed by the engine. 1-d operands as in `numpy.matmul`."""
    if y.ndim == 1:
        return np.expand_dims(g, -1) * y
    if g.ndim < y.ndim:  # x was 1-d; its value is not asked for, so that the tape need not keep it
        return np.matmul(y, np.expand_dims(g, -1))[..., 0]
    return np.matmul(g, np.swapaxes(y, -1, -2))


def _matmul_dy(g: Array, x: Array) -> Array:
    """``x.T @ g``."""
    if x.ndim == 1:
        return g * x if g.ndim == 0 else np.expand_dims(x, -1) * np.expand_dims(g, -2)
    if g.ndim < x.ndim:  # y was 1-d
        return np.matmul(np.swapaxes(x, -1, -2), np.expand_dims(g, -1))[..., 0]
    return np.matmul(np.swapaxes(x, -1, -2), g)


@implements(np.dot)
def dot(x: Array, y: Array) -> Array:
    """Sum over the last axis of ``x`` and the second to last of ``y``; a product where one is 0-d."""
    x, y = (np.asarray(z) if isinstance(z, (bool, int, float)) else z for z in (x, y))  # of NumPy's default dtype
    if np.ndim(x) == 0 or np.ndim(y) == 0:
        return np.multiply(x, y)
    if np.ndim(y) <= 2:
        return np.matmul(x, y)
    *batch, n, m = np.shape(y)
    first = (len(batch), *range(len(batch)), len(batch) + 1)
    flat = np.matmul(x, np.reshape(np.transpose(y, first), (n, math.prod(batch) * m)))
    return np.reshape(flat, (*np.shape(x)[:-1], *batch, m))


@implements(np.outer)
def outer(x: Array, y: Array) -> Array:
    """``x[:, None] * y`` of the ravelled inputs."""
    return np.expand_dims(np.ravel(x), 1) * np.ravel(y)


@primitive
def contract(*operands: Array, subscripts: str, optimize: Any = False) -> Array:
    """`numpy.einsum` with its subscripts written out: every axis named, ``->`` and the output present."""
    return np.einsum(subscripts, *operands, optimize=optimize)


def _contract_dx(g: Array, ans: Array, i: int, *operands: Array, subscripts: str, optimize: Any = False) -> Array:
    """Swap operand ``i`` and the output: ``ij,jk->ik`` pulls back to ``ik,jk->ij``.

    An index that repeats within the operand (a diagonal) is tied by an identity matrix; one that stands
    nowhere else (it was summed alone) is spread by a vector of ones.
    """
    inputs, output = subscripts.split("->")
    terms = inputs.split(",")
    length: dict[str, int] = {}
    for term, x in zip(terms, operands, strict=True):
        for label, n in zip(term, x.shape, strict=True):
            length[label] = n if length.get(label, 1) == 1 else length[label]
    factors = [(output, g)] + [(terms[j], x) for j, x in enumerate(operands) if j != i]
    target = ""
    spare = iter(label for label in string.ascii_letters if label not in subscripts)
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
    return contract(*(x for _, x in factors), subscripts=subscripts, optimize=bool(optimize))  # a path was for ``ans``


rule(contract, each=_contract_dx)


@implements(np.einsum)
def einsum(subscripts: str, *operands: Array, optimize: Any = False) -> Array:
    """Einstein summation over named axes: implicit and explicit output, repeated labels, ellipsis."""
    if not isinstance(subscripts, str):
        raise NoRuleError('einsum: write the subscripts as a string, np.einsum("ij,jk->ik", a, b)')
    written_out = _write_out(subscripts, [np.ndim(x) for x in operands])
    return contract(*operands, subscripts=written_out, optimize=optimize)


def _write_out(subscripts: str, ndims: list[int]) -> str:
    """Name the axes that ``...`` stands for, and write the output that is implied."""
    inputs, arrow, output = subscripts.replace(" ", "").partition("->")
    terms = inputs.split(",")
    if len(terms) != len(ndims):
        raise ValueError(f"einsum: {subscripts!r} names {len(terms)} operands, got {len(ndims)}")
    spare = [label for label in string.ascii_letters if label not in subscripts]
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
