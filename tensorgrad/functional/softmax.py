"""Softmax and its logarithm, exact for entries of any size."""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.functional.arguments import floating
from tensorgrad.rules.reductions import restore
from tensorgrad.table import primitive, rule
from tensorgrad.tape import Array


@primitive
def logsumexp(x: Array, *, axis: Any = None, keepdims: bool = False) -> Array:
    """``log(sum(exp(x)))`` over ``axis``, exact for entries of any size, -inf among them."""
    x = floating(x)
    largest = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    largest = np.where(np.isfinite(largest), largest, 0)
    with np.errstate(divide="ignore"):  # log(0) = -inf is the answer where all entries are -inf
        out = np.log(np.sum(np.exp(x - largest), axis=axis, keepdims=True)) + largest
    return out if keepdims else np.squeeze(out, axis)


@primitive
def log_softmax(x: Array, *, axis: int = -1) -> Array:
    """``x - logsumexp(x)`` along ``axis``: the logarithms of the class probabilities."""
    x = floating(x)
    shifted = x - np.max(x, axis=axis, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


@primitive
def softmax(x: Array, *, axis: int = -1) -> Array:
    """``exp(x) / sum(exp(x))`` along ``axis``."""
    x = floating(x)
    out = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return out / np.sum(out, axis=axis, keepdims=True)


# fmt: off
rule(softmax,     lambda g, ans, x, axis=-1: ans * (g - np.sum(g * ans, axis=axis, keepdims=True)))
rule(log_softmax, lambda g, ans, x, axis=-1: g - np.exp(ans) * np.sum(g, axis=axis, keepdims=True))
rule(logsumexp,   lambda g, ans, x, axis=None, keepdims=False:
                      restore(g, axis, keepdims) * np.exp(x - _finite(restore(ans, axis, keepdims))))
# fmt: on


def _finite(ans: Array) -> Array:
    """Where every entry was -inf, subtract nothing: their shares are then 0, not NaN."""
    return np.where(ans == -np.inf, 0, ans)
