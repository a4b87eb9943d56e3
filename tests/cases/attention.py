"""Attention and embeddings."""
# ruff: noqa: E501  (tables with one row per line)

import math

import numpy as np

import tensorgrad as tg
from cases.activations import Drawn
from cases.rows import Row, real
from tensorgrad.functional.embeddings import add_to_rows
from tensorgrad.functional.probabilities import masked_softmax

INDICES = np.array([[4, 0, 4], [1, 3, 0]])
MASK = np.array([[True, False, True, True], [False, True, False, False], [True, True, True, True]])
NONE = MASK & np.array([[True], [False], [True]])  # no key for the second query


def _scattered(g):
    out = np.zeros((5, g.shape[-1]), g.dtype)
    for place in np.ndindex(INDICES.shape):
        out[INDICES[place]] += g[place]
    return out


def _masked_shares(x):
    shares = np.exp(x) * MASK
    return shares / shares.sum(axis=-1, keepdims=True)


def _attention(q, k, v, mask=None, scale=None, causal=False):
    """One query at a time; a key whose score is -inf is ignored."""
    batch = np.broadcast_shapes(q.shape[:-2], k.shape[:-2], v.shape[:-2])
    q, k, v = (np.broadcast_to(x, batch + x.shape[-2:]) for x in (q, k, v))
    out = np.zeros((*batch, q.shape[-2], v.shape[-1]), q.dtype)
    for *at, i in np.ndindex(*batch, q.shape[-2]):
        keys, values = k[tuple(at)], v[tuple(at)]
        scores = keys @ q[(*at, i)] * (1 / math.sqrt(q.shape[-1]) if scale is None else scale)
        taken = np.arange(len(keys)) <= i if causal else np.ones(len(keys), bool)
        if mask is not None and mask.dtype == bool:
            taken = np.broadcast_to(mask, (*batch, q.shape[-2], len(keys)))[(*at, i)]
        elif mask is not None:
            scores = scores + np.broadcast_to(mask, (*batch, q.shape[-2], len(keys)))[(*at, i)]
        if taken.any():
            weights = np.exp(scores[taken])
            out[(*at, i)] = weights @ values[taken] / weights.sum()
    return out


def _dropped(q, k, v):
    weights = np.exp(q @ k.T / np.sqrt(q.dtype.type(2)))
    weights = weights / weights.sum(axis=1, keepdims=True)
    return (weights * (Drawn.random(weights.shape) >= 0.3) / q.dtype.type(0.7)) @ v


KEYS = np.array([[1, -2], [0, 3], [2, 1], [-1, 1]])
attention = tg.scaled_dot_product_attention
QKV = [(3, 2), (4, 2), (4, 5)]

# fmt: off
ROWS = [
    Row("attention",          attention,                                                 real, QKV,                                  _attention),
    Row("attention batch",    lambda q, k, v: attention(q, k, v, scale=0.3),             real, [(2, 2, 3, 2), (2, 1, 4, 2), (4, 3)], lambda q, k, v: _attention(q, k, v, scale=0.3)),
    Row("attention mask",     lambda q, k, v: attention(q, k, v, MASK),                  real, [(2, 3, 2), (2, 4, 2), (2, 4, 2)],    lambda q, k, v: _attention(q, k, v, MASK)),
    Row("attention key mask", lambda q, k, v: attention(q, k, v, attn_mask=MASK[:1]),    real, QKV,                                  lambda q, k, v: _attention(q, k, v, MASK[:1])),
    Row("attention no key",   lambda q, k, v: attention(q, k, v, NONE),                  real, QKV,                                  lambda q, k, v: _attention(q, k, v, NONE)),
    Row("attention constants", lambda q: attention(q, KEYS, KEYS.tolist()),              real, [(3, 2)],                             lambda q: _attention(q, KEYS.astype(q.dtype), KEYS.astype(q.dtype))),
    Row("attention bias",     attention,                                                 real, [(2, 3, 2), (2, 4, 2), (2, 4, 2), (3, 4)], _attention),
    Row("attention of one",   attention,                                                 real, [(3, 1), (4, 1), (4, 5)],             _attention),
    Row("attention of nothing", lambda q, k, v: attention(q, k, v) + np.sum(q + k),      real, [(2, 0), (2, 0), (2, 3)],             lambda q, k, v: _attention(q, k, v, scale=1.0)),
    Row("attention no key, batch", lambda q, k, v: attention(q, k, v, NONE),             real, [(2, 3, 2), (2, 4, 2), (2, 4, 2)],    lambda q, k, v: _attention(q, k, v, NONE)),
    Row("attention causal, batch", lambda q, k, v: attention(q, k, v, is_causal=True),   real, [(2, 3, 2), (2, 4, 2), (2, 4, 2)],    lambda q, k, v: _attention(q, k, v, causal=True)),
    Row("attention causal",   lambda q, k, v: attention(q, k, v, is_causal=True),        real, QKV,                                  lambda q, k, v: _attention(q, k, v, causal=True)),
    Row("attention dropout",  lambda q, k, v: attention(q, k, v, dropout_p=0.3, rng=Drawn), real, QKV,                               _dropped),
    Row("masked_softmax",     lambda x: masked_softmax(x, mask=MASK),                    real, [(2, 3, 4)],                          _masked_shares),
    Row("embedding",          lambda w: tg.embedding(INDICES, w),                        real, [(5, 2)],                             lambda w: np.stack([[w[i] for i in row] for row in INDICES])),
    Row("add_to_rows",        lambda g: add_to_rows(g, rows=INDICES, count=5),           real, [(2, 3, 2)],                          lambda g: _scattered(g)),
    Row("embedding one",      lambda w: tg.embedding(3, w),                              real, [(5, 2)],                             lambda w: w[3]),
]
# fmt: on
