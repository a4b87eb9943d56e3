"""Attention."""

from __future__ import annotations

import math

import numpy as np

from tensorgrad.engine.tape import Array, Variable, as_array, value_of
from tensorgrad.errors import ShapeError
from tensorgrad.functional.arguments import check_broadcastable, floating, in_precision_of
from tensorgrad.functional.probabilities import masked_softmax, softmax
from tensorgrad.functional.regularization import dropout


def scaled_dot_product_attention(query: Array, key: Array, value: Array, attn_mask: Array = None,
                                 dropout_p: float = 0.0, is_causal: bool = False, *, scale: float | None = None,
                                 rng: np.random.Generator | None = None) -> Array:  # fmt: skip
    """``softmax(query @ key.T * scale + attn_mask) @ value``: for each query, a weighted mean of the values.

    Parameters
    ----------
    query, key, value
        ``(..., L, E)``, ``(..., S, E)`` and ``(..., S, V)``; the result is ``(..., L, V)``.
    attn_mask
        Broadcasts to ``(..., L, S)``. A boolean mask is true for the keys that each query attends to; a float mask is
        added to the scores. The output is zero for a query that attends to no key.
    dropout_p
        The probability with which a weight is dropped; needs ``rng``.
    is_causal
        Query ``i`` attends to keys ``0 .. i`` only; cannot be combined with ``attn_mask``.
    scale
        ``1 / sqrt(E)`` by default.
    rng
        The random generator for dropout.

    Raises
    ------
    ShapeError, ValueError, TypeError
        If the shapes do not match, arguments exclude each other, or the mask has an integer dtype.

    Notes
    -----
    Source: Vaswani et al., "Attention is all you need", 2017, equation 1.

    Examples
    --------
    >>> q, k, v = np.zeros((1, 2)), np.zeros((3, 2)), np.array([[3.0], [6.0], [12.0]])
    >>> tg.scaled_dot_product_attention(q, k, v)  # equal scores: the mean of the values
    array([[7.]])
    >>> tg.scaled_dot_product_attention(q, k, v, np.array([True, False, True]))
    array([[7.5]])
    """
    query = floating(query)
    key, value = in_precision_of(query, key), in_precision_of(query, value)
    flat = min(query.ndim, key.ndim, value.ndim) < 2
    if flat or query.shape[-1] != key.shape[-1] or key.shape[-2] != value.shape[-2]:
        raise ShapeError(
            "query, key and value must have shapes (..., L, E), (..., S, E) and (..., S, V), got "
            f"{query.shape}, {key.shape} and {value.shape}"
        )
    weights = attention_weights(query, key, attn_mask, dropout_p, is_causal, scale=scale, rng=rng)
    return np.matmul(weights, value)


def attention_weights(query: Array, key: Array, attn_mask: Array, dropout_p: float, is_causal: bool, *,
                      scale: float | None = None, rng: np.random.Generator | None = None) -> Array:  # fmt: skip
    """``softmax(query @ key.T * scale + attn_mask)``, ``(..., L, S)``, with dropout."""
    if dropout_p and rng is None:
        raise ValueError("dropout_p needs a generator: rng=np.random.default_rng(seed)")
    scores = np.matmul(query * (1 / math.sqrt(max(query.shape[-1], 1)) if scale is None else scale),
                       np.swapaxes(key, -1, -2))  # fmt: skip
    if is_causal:
        if attn_mask is not None:
            raise ValueError("give attn_mask or is_causal, not both: np.tril(np.ones((L, S), bool)) is the causal mask")
        attn_mask = np.tri(*scores.shape[-2:], dtype=bool)
    weights = softmax(scores) if attn_mask is None else _masked_softmax(scores, attn_mask)
    return dropout(weights, dropout_p, rng) if dropout_p and rng is not None else weights


def _masked_softmax(scores: Array, mask: Array) -> Array:
    mask = mask if isinstance(mask, Variable) else as_array(mask)
    check_broadcastable(scores.shape, mask, "attn_mask")
    if mask.dtype.kind in "iu":
        raise TypeError("attn_mask must hold booleans (true for keys to attend to) or floats (added to the scores), "
                        f"got {mask.dtype}: write attn_mask.astype(bool)")  # fmt: skip
    seen = np.atleast_1d(value_of(mask) if mask.dtype == bool else value_of(mask) != -np.inf)
    empty = ~np.any(seen, axis=-1, keepdims=True)
    if type(mask) is np.ndarray and mask.dtype == bool and not empty.any():
        return masked_softmax(scores, mask=mask)
    scores = np.where(mask, scores, -np.inf) if mask.dtype == bool else scores + mask.astype(scores.dtype)
    if not empty.any():
        return softmax(scores)
    return np.where(empty, 0, softmax(np.where(empty, 0, scores)))
