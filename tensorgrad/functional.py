"""Functions of neural networks that NumPy lacks, each with its row in the gradient table.

All of them take arrays or tensors, and given arrays return arrays.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.errors import ShapeError
from tensorgrad.rules.reductions import restore
from tensorgrad.table import primitive, rule
from tensorgrad.tape import Array


def _floating(x: Array) -> Array:
    """Integers and booleans as float64: their own arithmetic wraps around."""
    x = np.asarray(x)
    return x.astype(np.float64) if x.dtype.kind in "iub" else x


@primitive
def relu(x: Array) -> Array:
    """``max(x, 0)``, elementwise; the gradient at 0 is 0."""
    return np.maximum(x, 0)


@primitive
def sigmoid(x: Array) -> Array:
    """``1 / (1 + exp(-x))``, elementwise, to full relative precision in both tails."""
    x = _floating(x)
    small = np.exp(-np.absolute(x))
    return np.where(np.less(x, 0), small, 1) / (1 + small)


@primitive
def softplus(x: Array) -> Array:
    """``log(1 + exp(x))``, elementwise, without overflow."""
    return np.logaddexp(x, 0)


@primitive
def logsumexp(x: Array, *, axis: Any = None, keepdims: bool = False) -> Array:
    """``log(sum(exp(x)))`` over ``axis``, exact for entries of any size, -inf among them."""
    x = _floating(x)
    largest = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    largest = np.where(np.isfinite(largest), largest, 0)
    with np.errstate(divide="ignore"):  # log(0) = -inf is the answer where all entries are -inf
        out = np.log(np.sum(np.exp(x - largest), axis=axis, keepdims=True)) + largest
    return out if keepdims else np.squeeze(out, axis)


@primitive
def log_softmax(x: Array, *, axis: int = -1) -> Array:
    """``x - logsumexp(x)`` along ``axis``: the logarithms of the class probabilities."""
    shifted = x - np.max(x, axis=axis, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


@primitive
def softmax(x: Array, *, axis: int = -1) -> Array:
    """``exp(x) / sum(exp(x))`` along ``axis``."""
    out = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return out / np.sum(out, axis=axis, keepdims=True)


# fmt: off
rule(relu,        lambda g, ans, x: g * (ans > 0), masks=True)
rule(sigmoid,     lambda g, ans, x: g * ans * (1 - ans), singular=True)
rule(softplus,    lambda g, ans, x: g * sigmoid(x), singular=True)
rule(softmax,     lambda g, ans, x, axis=-1: ans * (g - np.sum(g * ans, axis=axis, keepdims=True)))
rule(log_softmax, lambda g, ans, x, axis=-1: g - np.exp(ans) * np.sum(g, axis=axis, keepdims=True))
rule(logsumexp,   lambda g, ans, x, axis=None, keepdims=False:
                      restore(g, axis, keepdims) * np.exp(x - _finite(restore(ans, axis, keepdims))))
# fmt: on


def _finite(ans: Array) -> Array:
    """Where every entry was -inf, subtract nothing: their shares are then 0, not NaN."""
    return np.where(ans == -np.inf, 0, ans)


def cross_entropy(logits: Array, targets: Array, *, reduction: str = "mean") -> Array:
    """Minus the log-probability of the right class: ``-log_softmax(logits)[i, targets[i]]``.

    Parameters
    ----------
    logits
        Unnormalised scores, ``(N, C)``.
    targets
        The right classes, integers ``(N,)`` in ``0 .. C - 1``.
    reduction
        ``"mean"`` or ``"sum"`` over the batch, or ``"none"`` for all ``N`` losses.

    Raises
    ------
    ShapeError
        If the shapes do not belong together, even where they would broadcast.
    TypeError, IndexError
        If the targets are not integers, or name a class that is not there.
    """
    shape, labels = np.shape(logits), np.array(targets)  # a copy: the tape keeps it
    if len(shape) != 2:
        raise ShapeError(f"logits must have shape (N, C), got {shape}: write logits.reshape(-1, C)")
    if labels.shape != shape[:1]:
        fits = labels.size == shape[0]
        remedy = "write targets.reshape(-1)" if fits else f"one integer per row of logits {shape} is needed"
        raise ShapeError(f"targets must have shape ({shape[0]},), got {labels.shape}: {remedy}")
    if labels.dtype.kind not in "iu":
        raise TypeError(f"targets must be integers (class numbers), got {labels.dtype}: write targets.astype(int)")
    if labels.size and not (labels.min() >= 0 and labels.max() < shape[1]):
        raise IndexError(f"targets must lie in 0..{shape[1] - 1}, got {labels.min()}..{labels.max()}")
    losses = -log_softmax(logits)[np.arange(shape[0]), labels]
    if reduction == "none":
        return losses
    if reduction not in ("mean", "sum"):
        raise ValueError(f"reduction must be 'mean', 'sum' or 'none', got {reduction!r}")
    return np.mean(losses) if reduction == "mean" else np.sum(losses)


def dropout(x: Array, p: float, rng: np.random.Generator) -> Array:
    """Set each element to 0 with probability ``p`` and scale the rest by ``1 / (1 - p)``.

    Source: Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", 2014.
    """
    if not 0 <= p < 1:
        raise ValueError(f"dropout probability must be in [0, 1), got {p}")
    if p == 0:
        return x
    dtype = x.dtype if x.dtype in (np.float32, np.float64) else np.float64
    keep = rng.random(x.shape, dtype) >= p
    return x * (keep * np.result_type(x.dtype, 1.0).type(1 / (1 - p)))
