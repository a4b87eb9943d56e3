"""Elementwise losses, with PyTorch's names, parameters and numerics; for losses of classes, see `classification`.

``reduction`` is ``"mean"``, ``"sum"`` or ``"none"``. Arrays of different shapes raise `ShapeError` even if they would
broadcast, since unintended broadcasting is the most common bug in a loss. Targets and weights that require no gradient
are cast to the dtype of the input.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tensorgrad.engine.registry import primitive, rule
from tensorgrad.engine.tape import Array, value_of
from tensorgrad.functional.activations import softplus
from tensorgrad.functional.arguments import (
    check_broadcastable,
    check_choice,
    check_same_shape,
    floating,
    in_precision_of,
)
from tensorgrad.rules.reductions import of_dtype
from tensorgrad.summation import wide

REDUCTIONS = ("mean", "sum", "none")


def mse_loss(input: Array, target: Array, *, reduction: str = "mean") -> Array:
    """``(input - target) ** 2``, of two arrays of one shape; that shape with ``reduction="none"``, else ``()``.

    Raises `ShapeError` if the shapes differ, ``ValueError`` for another reduction.

    Examples
    --------
    >>> tg.mse_loss(np.array([0.0, 0.5, 4.0]), np.zeros(3), reduction="none")
    array([ 0.  ,  0.25, 16.  ])
    """
    input, target = _pair(input, target, reduction)
    return reduced(np.square(input - target), reduction)


def l1_loss(input: Array, target: Array, *, reduction: str = "mean") -> Array:
    """``|input - target|``; the gradient where they are equal is 0. Shapes and errors are those of `mse_loss`.

    Examples
    --------
    >>> tg.l1_loss(np.array([0.0, 0.5, 4.0]), np.zeros(3), reduction="none")
    array([0. , 0.5, 4. ])
    """
    input, target = _pair(input, target, reduction)
    return reduced(np.absolute(input - target), reduction)


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
    return reduced(near * (difference - 0.5 * near), reduction)


def smooth_l1_loss(input: Array, target: Array, *, reduction: str = "mean", beta: float = 1.0) -> Array:
    """``huber_loss / beta``, whose slope is 1 for large differences; with ``beta=0`` it is `l1_loss`.

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


@primitive
def bounded_log(x: Array) -> Array:
    """``max(log(x), -100)``, with a slope of at most 1e12."""
    with np.errstate(divide="ignore"):
        return np.maximum(np.log(x), -100)


@primitive
def bounded_log1p(x: Array) -> Array:
    """``max(log(1 + x), -100)``, with a slope of at most 1e12."""
    with np.errstate(divide="ignore"):
        return np.maximum(np.log1p(x), -100)


# fmt: off
rule(bounded_log,   lambda g, _ans, x: g / np.maximum(x, 1e-12), elementwise=True)
rule(bounded_log1p, lambda g, _ans, x: g / np.maximum(1 + x, 1e-12), elementwise=True)
# fmt: on


def binary_cross_entropy(input: Array, target: Array, weight: Array = None, *, reduction: str = "mean") -> Array:
    """``-(target * log(input) + (1 - target) * log(1 - input))`` of probabilities, times ``weight``.

    Logarithms are clipped at -100 and their derivatives at 1e12, so that the loss stays finite.
    Prefer `binary_cross_entropy_with_logits`, which is exact. Shapes and errors are those of `mse_loss`, except
    that ``weight`` broadcasts to the shape of the input; ``ValueError`` also if an input is not in ``[0, 1]``.

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
    return reduced(_weighted(losses, weight), reduction)


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
    return reduced(_weighted(positive + (1 - target) * softplus(input), weight), reduction)


def kl_div(input: Array, target: Array, *, reduction: str = "mean", log_target: bool = False) -> Array:
    """``target * (log(target) - input)``: the Kullback-Leibler divergence, for log-probabilities ``input``.

    With ``log_target`` the targets are logarithms too. ``0 * log(0)`` is 0. ``reduction`` may also be ``"batchmean"``,
    the sum divided by the length of the first axis, which is the mean divergence of a batch of distributions.
    Shapes and errors are those of `mse_loss`.

    Source: Kullback and Leibler, "On information and sufficiency", 1951.

    Examples
    --------
    >>> p, q = np.array([[0.5, 0.5]]), np.array([[0.9, 0.1]])
    >>> print(tg.kl_div(np.log(q), p, reduction="batchmean").round(4))  # sum(p * log(p / q))
    0.5108
    """
    input, target = _pair(input, target, reduction, (*REDUCTIONS, "batchmean"))
    if log_target:
        losses = np.exp(target) * (target - input)
    else:
        some = target != 0
        losses = target * (np.log(np.where(some, target, 1)) - np.where(some, input, 0))
    if reduction == "batchmean":
        total = np.sum(losses, dtype=wide(losses.dtype))
        return of_dtype(total / max(input.shape[0] if input.ndim else 1, 1), losses.dtype)
    return reduced(losses, reduction)


def _pair(input: Any, target: Any, reduction: str, reductions: tuple[str, ...] = REDUCTIONS) -> tuple[Array, Array]:
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


def reduced(losses: Array, reduction: str) -> Array:
    """The losses, or their mean or sum."""
    if reduction == "none":
        return losses
    return np.mean(losses) if reduction == "mean" else np.sum(losses)
