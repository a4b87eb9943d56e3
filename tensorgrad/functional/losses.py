"""Losses, with PyTorch's names, parameters and numbers.

``reduction`` is ``"mean"``, ``"sum"`` or ``"none"``. Arrays of different shapes raise `ShapeError` even if they
would broadcast, which is the most common bug in a loss. Targets and weights that require no gradient are cast to the
dtype of the input.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from tensorgrad.engine.registry import primitive, rule
from tensorgrad.engine.sums import wide
from tensorgrad.engine.tape import Array, as_array, value_of
from tensorgrad.errors import ShapeError
from tensorgrad.functional.activations import softplus
from tensorgrad.functional.arguments import (
    check_broadcastable,
    check_choice,
    check_same_shape,
    floating,
    in_precision_of,
)
from tensorgrad.functional.probabilities import log_softmax
from tensorgrad.rules.reductions import of_dtype

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "mse_loss",
    "nll_loss",
    "smooth_l1_loss",
]

_REDUCTIONS = ("mean", "sum", "none")


# ------------------------------------------------------------------------------------------------- of classes


def cross_entropy(logits: Array, targets: Array, weight: Array = None, *, ignore_index: int = -100,
                  reduction: str = "mean", label_smoothing: float = 0.0) -> Array:  # fmt: skip
    """Minus the log-probability of the right class: ``-log_softmax(logits)[i, targets[i]]``.

    Parameters
    ----------
    logits
        Unnormalised scores, ``(N, C)`` or ``(N, C, d1, ...)``.
    targets
        The right classes, integers ``(N,)`` or ``(N, d1, ...)`` in ``0 .. C - 1``; or the probability of each class, in
        the shape of the logits (integers are then one-hot): the loss is ``-sum(targets * log_softmax(logits))``.
    weight
        One for each class, ``(C,)``.
    ignore_index
        Targets equal to this value are ignored.
    reduction
        ``"none"`` for all losses, ``"sum"``, or ``"mean"``: the sum, divided by the sum of the weights of the targets
        that count. If none counts it is NaN, with gradient 0. With probabilities, it is the mean over all losses.
    label_smoothing
        This part of each target's probability is spread evenly over all classes. Source: Szegedy et al., "Rethinking
        the Inception architecture for computer vision", 2016.

    Raises
    ------
    ShapeError
        If the shapes do not belong together, even where they would broadcast.
    TypeError, IndexError
        If the targets are not integers, or name a class that is not there.
    ValueError
        If an option is not one of those above, or one-hot targets are not one-hot.

    Examples
    --------
    >>> logits = np.array([[2.0, 0.0], [0.0, 3.0]])
    >>> print(tg.cross_entropy(logits, np.array([0, 1])).round(4))
    0.0878
    >>> tg.cross_entropy(logits, np.array([0, 0]), reduction="none")
    array([0.1269, 3.0486])
    """
    check_choice("reduction", reduction, _REDUCTIONS)
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"label_smoothing must be in [0, 1], got {label_smoothing}")
    logits = _scores("logits", logits)
    log_probs = log_softmax(logits, axis=1)
    if np.shape(targets) != logits.shape:
        return _of_labels("logits", log_probs, targets, weight, ignore_index, reduction, label_smoothing)

    if ignore_index >= 0:
        raise ValueError("ignore_index is a class number: with probabilities as targets there is none to ignore")
    classes = logits.shape[1]
    _check_one_hot(targets)
    shares = in_precision_of(logits, targets)
    if label_smoothing:
        shares = (1 - label_smoothing) * shares + label_smoothing / classes
    unused = (shares == 0) & (log_probs == -np.inf)
    losses = -shares * np.where(unused, 0, log_probs)
    if weight is not None:
        losses = losses * np.reshape(_class_weights(weight, log_probs), (classes,) + (1,) * (logits.ndim - 2))
    return _reduce(of_dtype(np.sum(losses, axis=1, dtype=wide(losses.dtype)), losses.dtype), reduction)


def nll_loss(input: Array, target: Array, weight: Array = None, *, ignore_index: int = -100,
             reduction: str = "mean") -> Array:  # fmt: skip
    """Minus the log-probability of the right class: `cross_entropy` of log-probabilities.

    ``input`` is ``(N, C)`` or ``(N, C, d1, ...)``, ``target`` holds class numbers, ``(N,)`` or ``(N, d1, ...)``; the
    other parameters, and what is raised, are as there.

    Examples
    --------
    >>> log_probs = np.log([[0.9, 0.1], [0.2, 0.8]])
    >>> tg.nll_loss(log_probs, np.array([0, 0]), reduction="none")  # -log(0.9), -log(0.2)
    array([0.1054, 1.6094])
    """
    check_choice("reduction", reduction, _REDUCTIONS)
    return _of_labels("input", _scores("input", input), target, weight, ignore_index, reduction, 0)


def _of_labels(name: str, log_probs: Array, targets: Array, weight: Array, ignore_index: int, reduction: str,
               label_smoothing: float) -> Array:  # fmt: skip
    """The cross-entropy with class numbers, of logarithms of probabilities."""
    n, classes, *rest = log_probs.shape
    labels, ignored = _labels(name, log_probs.shape, targets, ignore_index)
    shape = labels.shape
    if rest:  # every place is a row of its own
        log_probs = np.transpose(log_probs, (0, *range(2, log_probs.ndim), 1))
        log_probs = np.reshape(log_probs, (n * math.prod(rest), classes))
        labels = labels.reshape(-1)
    losses = -log_probs[np.arange(len(labels)), labels]
    used: Array = None  # the weight of each row, where these are not all 1
    if weight is not None:
        weight = _class_weights(weight, log_probs)
        used = weight[labels]
        losses = losses * used
    if label_smoothing:
        smooth = -np.mean(log_probs if weight is None else log_probs * weight, axis=1)
        losses = (1 - label_smoothing) * losses + label_smoothing * smooth
    if ignored is not None:
        losses = np.where(ignored, 0, losses)
        used = np.where(ignored, 0, losses.dtype.type(1) if used is None else used)
    if reduction == "none":
        return np.reshape(losses, shape) if rest else losses
    if reduction == "mean" and used is not None:
        most = wide(losses.dtype)
        return of_dtype(np.sum(losses, dtype=most) / np.sum(used, dtype=most), losses.dtype)
    return _reduce(losses, reduction)


def _scores(name: str, x: Array) -> Array:
    x = floating(x)
    if x.ndim < 2:
        raise ShapeError(f"{name} must have shape (N, C), got {x.shape}: write {name}.reshape(-1, C)")
    return x


def _labels(name: str, shape: tuple[int, ...], targets: Array, ignore_index: int) -> tuple[Array, Array]:
    """Class numbers for scores of this shape, and which of them do not count: None, if all do."""
    labels = np.copy(as_array(value_of(targets)))  # a copy: the tape keeps it
    expected = (shape[0], *shape[2:])
    if labels.shape != expected:
        wanted = "-1" if len(expected) == 1 else ", ".join(map(str, expected))
        fits = labels.size == math.prod(expected)
        remedy = f"write targets.reshape({wanted})" if fits else f"one integer per row of {name} {shape} is needed"
        raise ShapeError(f"targets must have shape {expected}, got {labels.shape}: {remedy}")
    if labels.dtype.kind not in "iu":
        raise TypeError(f"targets must be integers (class numbers), got {labels.dtype}: write targets.astype(int)")
    ignored = labels == ignore_index
    if not ignored.any():
        ignored = None
    else:
        labels = np.where(ignored, 0, labels)
        ignored = ignored.reshape(-1)
    if labels.size and not (labels.min() >= 0 and labels.max() < shape[1]):
        raise IndexError(f"targets must lie in 0..{shape[1] - 1}, got {labels.min()}..{labels.max()}")
    return labels, ignored


def _check_one_hot(targets: Array) -> None:
    """Of integer targets in the shape of the logits: each must be a single 1 among zeros."""
    values = as_array(value_of(targets))
    if values.dtype.kind in "iub" and not np.all((values != 0).sum(axis=1) * values.max(axis=1, initial=0) == 1):
        raise ValueError("integer targets in the shape of the logits must be one-hot: a single 1 among the classes")


def _class_weights(weight: Array, log_probs: Array) -> Array:
    """Class weights in the precision of the scores."""
    weight = floating(weight).astype(log_probs.dtype)
    if weight.shape != log_probs.shape[1:2]:
        raise ShapeError(f"weight must have shape {log_probs.shape[1:2]}, one for each class, got {weight.shape}")
    return weight


# ------------------------------------------------------------------------------------------------- of distances


def mse_loss(input: Array, target: Array, *, reduction: str = "mean") -> Array:
    """``(input - target) ** 2``, of two arrays of one shape; that shape with ``reduction="none"``, else ``()``.

    Raises `ShapeError` if the shapes differ, ``ValueError`` for another reduction.

    Examples
    --------
    >>> tg.mse_loss(np.array([0.0, 0.5, 4.0]), np.zeros(3), reduction="none")
    array([ 0.  ,  0.25, 16.  ])
    """
    input, target = _pair(input, target, reduction)
    return _reduce(np.square(input - target), reduction)


def l1_loss(input: Array, target: Array, *, reduction: str = "mean") -> Array:
    """``|input - target|``; the gradient where they are equal is 0. Shapes and errors are those of `mse_loss`.

    Examples
    --------
    >>> tg.l1_loss(np.array([0.0, 0.5, 4.0]), np.zeros(3), reduction="none")
    array([0. , 0.5, 4. ])
    """
    input, target = _pair(input, target, reduction)
    return _reduce(np.absolute(input - target), reduction)


def huber_loss(input: Array, target: Array, *, reduction: str = "mean", delta: float = 1.0) -> Array:
    """``d**2 / 2`` where the distance ``d = |input - target|`` is below ``delta``, else ``delta * (d - delta / 2)``.

    Shapes and errors are those of `mse_loss`; ``ValueError`` also if ``delta`` is not positive.

    Source: Huber, "Robust estimation of a location parameter", 1964.

    Examples
    --------
    >>> tg.huber_loss(np.array([0.0, 0.5, 4.0]), np.zeros(3), reduction="none", delta=1.0)
    array([0.   , 0.125, 3.5  ])
    """
    if not delta > 0:
        raise ValueError(f"delta must be positive, got {delta}")
    input, target = _pair(input, target, reduction)
    difference = input - target
    near = np.clip(difference, -delta, delta)  # signed: |d| would lose the second derivative at 0
    return _reduce(near * (difference - 0.5 * near), reduction)


def smooth_l1_loss(input: Array, target: Array, *, reduction: str = "mean", beta: float = 1.0) -> Array:
    """``huber_loss / beta``: of slope 1 far out; with ``beta=0`` it is `l1_loss`.

    Shapes and errors are those of `mse_loss`; ``ValueError`` also if ``beta`` is negative.

    Source: Girshick, "Fast R-CNN", 2015, equation 3.

    Examples
    --------
    >>> tg.smooth_l1_loss(np.array([0.0, 0.5, 4.0]), np.zeros(3), reduction="none", beta=2.0)
    array([0.    , 0.0625, 3.    ])
    """
    if not beta >= 0:
        raise ValueError(f"beta must not be negative, got {beta}")
    if beta == 0:
        return l1_loss(input, target, reduction=reduction)
    return huber_loss(input, target, reduction=reduction, delta=beta) / beta


# ------------------------------------------------------------------------------------------------- of probabilities


@primitive
def bounded_log(x: Array) -> Array:
    """``max(log(x), -100)``, of slope 1e12 at most."""
    with np.errstate(divide="ignore"):
        return np.maximum(np.log(x), -100)


@primitive
def bounded_log1p(x: Array) -> Array:
    """``max(log(1 + x), -100)``, of slope 1e12 at most."""
    with np.errstate(divide="ignore"):
        return np.maximum(np.log1p(x), -100)


# fmt: off
rule(bounded_log,   lambda g, _ans, x: g / np.maximum(x, 1e-12), elementwise=True)
rule(bounded_log1p, lambda g, _ans, x: g / np.maximum(1 + x, 1e-12), elementwise=True)
# fmt: on


def binary_cross_entropy(input: Array, target: Array, weight: Array = None, *, reduction: str = "mean") -> Array:
    """``-(target * log(input) + (1 - target) * log(1 - input))`` of probabilities, times ``weight``.

    Logarithms are clipped at -100 and their derivatives at 1e12, so that the loss stays finite.
    Prefer `binary_cross_entropy_with_logits`, which is exact. Shapes and errors are those of `mse_loss`, but that
    ``weight`` broadcasts to the shape of the input; ``ValueError`` also if an input is not in ``[0, 1]``.

    Examples
    --------
    >>> tg.binary_cross_entropy(np.array([0.9, 0.0]), np.array([1.0, 1.0]), reduction="none")
    array([  0.1054, 100.    ])
    """
    input, target = _pair(input, target, reduction)
    values = value_of(input)
    if np.any((values < 0) | (values > 1)):
        raise ValueError("input must be probabilities, in [0, 1]: binary_cross_entropy_with_logits takes any number")
    losses = -(target * bounded_log(input) + (1 - target) * bounded_log1p(-input))
    return _reduce(_weighted(losses, weight), reduction)


def binary_cross_entropy_with_logits(input: Array, target: Array, weight: Array = None, *, reduction: str = "mean",
                                     pos_weight: Array = None) -> Array:  # fmt: skip
    """`binary_cross_entropy` of ``sigmoid(input)``, exact for any input.

    ``pos_weight`` multiplies the losses of positive targets; like ``weight``, it broadcasts to the shape of the input.
    Shapes and errors are those of `mse_loss`.

    Examples
    --------
    >>> tg.binary_cross_entropy_with_logits(np.array([0.0, -1e4]), np.array([1.0, 1.0]), reduction="none")
    array([    0.6931, 10000.    ])
    """
    input, target = _pair(input, target, reduction)
    positive = _weighted(target * softplus(-input), pos_weight, "pos_weight")
    return _reduce(_weighted(positive + (1 - target) * softplus(input), weight), reduction)


def kl_div(input: Array, target: Array, *, reduction: str = "mean", log_target: bool = False) -> Array:
    """``target * (log(target) - input)``: the divergence from log-probabilities ``input``.

    With ``log_target`` the targets are logarithms too. ``0 * log(0)`` is 0. ``reduction`` may also be ``"batchmean"``,
    the sum divided by the length of the first axis; the divergence of whole distributions is that, not ``"mean"``.
    Shapes and errors are those of `mse_loss`.

    Source: Kullback and Leibler, "On information and sufficiency", 1951.

    Examples
    --------
    >>> p, q = np.array([[0.5, 0.5]]), np.array([[0.9, 0.1]])
    >>> print(tg.kl_div(np.log(q), p, reduction="batchmean").round(4))  # sum(p * log(p / q))
    0.5108
    """
    input, target = _pair(input, target, reduction, (*_REDUCTIONS, "batchmean"))
    if log_target:
        losses = np.exp(target) * (target - input)
    else:
        some = target != 0
        losses = target * (np.log(np.where(some, target, 1)) - np.where(some, input, 0))
    if reduction == "batchmean":
        total = np.sum(losses, dtype=wide(losses.dtype))
        return of_dtype(total / max(input.shape[0] if input.ndim else 1, 1), losses.dtype)
    return _reduce(losses, reduction)


# ------------------------------------------------------------------------------------------------- of all of them


def _pair(input: Any, target: Any, reduction: str, reductions: tuple[str, ...] = _REDUCTIONS) -> tuple[Array, Array]:
    """Two arrays of one shape, for elementwise losses."""
    check_choice("reduction", reduction, reductions)
    input = floating(input)
    target = in_precision_of(input, target)
    check_same_shape(input, target)
    return input, target


def _weighted(losses: Array, weight: Array, name: str = "weight") -> Array:
    if weight is None:
        return losses
    weight = in_precision_of(losses, weight)
    check_broadcastable(losses.shape, weight, name)
    return losses * weight


def _reduce(losses: Array, reduction: str) -> Array:
    if reduction == "none":
        return losses
    return np.mean(losses) if reduction == "mean" else np.sum(losses)
