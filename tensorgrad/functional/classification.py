"""The cross-entropy of classes, from logits or log-probabilities, with PyTorch's names, parameters and numerics.

Shapes that would broadcast but do not match raise `ShapeError`. Targets and weights that require no gradient are cast
to the dtype of the scores.
"""

from __future__ import annotations

import math

import numpy as np

from tensorgrad.engine.tape import Array, as_array, value_of
from tensorgrad.errors import ShapeError
from tensorgrad.functional.arguments import check_choice, floating, in_precision_of
from tensorgrad.functional.losses import REDUCTIONS, reduced
from tensorgrad.functional.probabilities import log_softmax
from tensorgrad.rules.reductions import of_dtype
from tensorgrad.summation import wide


def cross_entropy(logits: Array, targets: Array, weight: Array = None, *, ignore_index: int = -100,
                  reduction: str = "mean", label_smoothing: float = 0.0) -> Array:  # fmt: skip
    """The negative log-probability of the target class: ``-log_softmax(logits)[i, targets[i]]``.

    Parameters
    ----------
    logits
        Unnormalised scores, ``(N, C)`` or ``(N, C, d1, ...)``.
    targets
        The target classes, integers ``(N,)`` or ``(N, d1, ...)`` in ``0 .. C - 1``; or the probability of each class,
        in the shape of the logits (integers are then one-hot): the loss is ``-sum(targets * log_softmax(logits))``.
    weight
        One for each class, ``(C,)``.
    ignore_index
        Targets equal to this value are ignored.
    reduction
        ``"none"`` for all losses, ``"sum"``, or ``"mean"``: the sum, divided by the sum of the weights of the targets
        that are not ignored. If all are ignored, it is NaN, with gradient 0. With probabilities, it is the mean over
        all losses.
    label_smoothing
        The fraction of each target's probability that is distributed evenly over all classes. Source: Szegedy et
        al., "Rethinking the Inception architecture for computer vision", 2016.

    Raises
    ------
    ShapeError
        If the shapes do not match, even where they would broadcast.
    TypeError, IndexError
        If the targets are not integers, or not in ``0 .. C - 1``.
    ValueError
        If an option has an invalid value, or integer targets in the shape of the logits are not one-hot.

    Examples
    --------
    >>> logits = np.array([[2.0, 0.0], [0.0, 3.0]])
    >>> print(tg.cross_entropy(logits, np.array([0, 1])).round(4))
    0.0878
    >>> tg.cross_entropy(logits, np.array([0, 0]), reduction="none")
    array([0.1269, 3.0486])
    """
    check_choice("reduction", reduction, REDUCTIONS)
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
    return reduced(of_dtype(np.sum(losses, axis=1, dtype=wide(losses.dtype)), losses.dtype), reduction)


def nll_loss(input: Array, target: Array, weight: Array = None, *, ignore_index: int = -100,
             reduction: str = "mean") -> Array:  # fmt: skip
    """The negative log-probability of the target class: `cross_entropy` of log-probabilities.

    ``input`` is ``(N, C)`` or ``(N, C, d1, ...)``, ``target`` holds class numbers, ``(N,)`` or ``(N, d1, ...)``; the
    other parameters and the errors are those of `cross_entropy`.

    Examples
    --------
    >>> log_probs = np.log([[0.9, 0.1], [0.2, 0.8]])
    >>> tg.nll_loss(log_probs, np.array([0, 0]), reduction="none")  # -log(0.9), -log(0.2)
    array([0.1054, 1.6094])
    """
    check_choice("reduction", reduction, REDUCTIONS)
    return _of_labels("input", _scores("input", input), target, weight, ignore_index, reduction, 0)


def _of_labels(name: str, log_probs: Array, targets: Array, weight: Array, ignore_index: int, reduction: str,
               label_smoothing: float) -> Array:  # fmt: skip
    """The cross-entropy with class numbers, of logarithms of probabilities."""
    n, classes, *rest = log_probs.shape
    labels, ignored = _labels(name, log_probs.shape, targets, ignore_index)
    shape = labels.shape
    if rest:  # each position is a row
        log_probs = np.transpose(log_probs, (0, *range(2, log_probs.ndim), 1))
        log_probs = np.reshape(log_probs, (n * math.prod(rest), classes))
        labels = labels.reshape(-1)
    losses = -log_probs[np.arange(len(labels)), labels]
    used: Array = None  # the weight of each row; None if all are 1
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
    return reduced(losses, reduction)


def _scores(name: str, x: Array) -> Array:
    x = floating(x)
    if x.ndim < 2:
        raise ShapeError(f"{name} must have shape (N, C), got {x.shape}: write {name}.reshape(-1, C)")
    return x


def _labels(name: str, shape: tuple[int, ...], targets: Array, ignore_index: int) -> tuple[Array, Array]:
    """Class numbers for scores of this shape, and a mask of the ignored ones, or None."""
    labels = np.copy(as_array(value_of(targets)))  # a copy, because the record keeps it
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
    """Raise ``ValueError`` unless integer targets in the shape of the logits are one-hot."""
    values = as_array(value_of(targets))
    if values.dtype.kind in "iub" and not np.all((values != 0).sum(axis=1) * values.max(axis=1, initial=0) == 1):
        raise ValueError("integer targets in the shape of the logits must be one-hot: a single 1 among the classes")


def _class_weights(weight: Array, log_probs: Array) -> Array:
    """Class weights in the precision of the scores."""
    weight = floating(weight).astype(log_probs.dtype)
    if weight.shape != log_probs.shape[1:2]:
        raise ShapeError(f"weight must have shape {log_probs.shape[1:2]}, one for each class, got {weight.shape}")
    return weight
