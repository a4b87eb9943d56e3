"""Losses, compared with loops over the elements."""
# ruff: noqa: E501  (tables with one row per line)

import math

import numpy as np

import tensorgrad as tg
from cases.rows import Row, away, real

LABELS = np.array([2, 0, 0, 1])
SOME = np.array([2, -100, 0, 1])
PLACES = np.array([[2, 0], [1, -1]])
WEIGHTS = [0.5, 2.0, 1.25]
ONE_HOT = np.eye(3, dtype=int)[LABELS]
REDUCE = {"mean": np.mean, "sum": np.sum, "none": np.asarray}
A, P = np.array([[0.3, -1.2, 2.0], [-0.4, 0.9, -2.2]]), np.array([[0.25, 0.9, 0.6], [0.0, 0.35, 1.0]])


def chances(rng, shape):
    """Between 0.1 and 0.9."""
    return rng.uniform(0.1, 0.9, shape)


def around_zero(rng, shape):
    """Two elements exactly 0, the others at least 0.2 away from 0 and 1."""
    x = rng.uniform(0.2, 0.8, shape) * np.where(rng.random(shape) < 0.5, -1, 1)
    x.flat[1], x.flat[-1] = 0, 0
    return x


def _log_shares(x):
    """The logarithms of class probabilities, the classes on axis 1."""
    return x - np.log(np.sum(np.exp(x), axis=1, keepdims=True))


def _classes(log_probs, labels, weight=(1, 1, 1), ignore=-100, smoothing=0.0, reduction="mean"):
    """One element at a time, as in the definition."""
    losses, weights = np.zeros(labels.shape, log_probs.dtype), np.zeros(labels.shape, log_probs.dtype)
    for at in np.ndindex(labels.shape):
        if labels[at] != ignore:
            target = np.full(3, smoothing / 3)
            target[labels[at]] += 1 - smoothing
            losses[at] = sum(-weight[c] * target[c] * log_probs[(at[0], c, *at[1:])] for c in range(3))
            weights[at] = weight[labels[at]]
    return np.sum(losses) / np.sum(weights) if reduction == "mean" else REDUCE[reduction](losses)


def _shared(x, shares, weight=None, smoothing=0.0):
    weight = np.ones(3, x.dtype) if weight is None else np.asarray(weight, x.dtype)
    shares = (1 - smoothing) * shares + smoothing / 3
    return np.moveaxis(-shares * _log_shares(x), 1, -1) @ weight


def both(fn):
    """A function of two numbers, elementwise; computed in float64."""
    return lambda x, y: np.array(
        [fn(float(a), float(b)) for a, b in zip(x.flat, np.broadcast_to(y, x.shape).flat, strict=True)], x.dtype
    ).reshape(x.shape)


def _huber(delta):
    return both(lambda x, y: (x - y) ** 2 / 2 if abs(x - y) <= delta else delta * (abs(x - y) - delta / 2))


def each_way(name, fn, same, domain, shapes):
    """A row for each reduction."""
    return [
        Row(f"{name} {how}", lambda *x, how=how: fn(*x, reduction=how), domain, shapes, lambda *x, f=f: f(same(*x)))
        for how, f in REDUCE.items()
    ]


_bce = both(lambda p, t: -(t * math.log(p) + (1 - t) * math.log(1 - p)))
_logits = both(lambda x, t: -(t * math.log(1 / (1 + math.exp(-x))) + (1 - t) * math.log(1 / (1 + math.exp(x)))))
_kl = both(lambda q, p: (p * (math.log(p) - q)) if p else 0.0)

# fmt: off
CLASSES = [
    *each_way("cross_entropy", lambda x, reduction: tg.cross_entropy(x, LABELS, reduction=reduction),
              lambda x: -_log_shares(x)[np.arange(4), LABELS], real, [(4, 3)]),
    *[Row(f"cross_entropy {name} {how}", lambda x, how=how, o=ours: tg.cross_entropy(x, SOME, reduction=how, **o), real, [(4, 3)],
          lambda x, how=how, o=theirs: _classes(_log_shares(x), SOME, reduction=how, **o).astype(x.dtype))
      for how in REDUCE for name, ours, theirs in (
          ("ignored",   {},                                          {}),
          ("ignored 1", {"ignore_index": -100, "weight": WEIGHTS},   {"weight": WEIGHTS}),
          ("smooth",    {"label_smoothing": 0.2},                    {"smoothing": 0.2}),
          ("all",       {"label_smoothing": 0.2, "weight": WEIGHTS}, {"smoothing": 0.2, "weight": WEIGHTS}),
      )],
    *[Row(f"cross_entropy places {how}", lambda x, how=how: tg.cross_entropy(x, PLACES, WEIGHTS, ignore_index=-1, reduction=how), real, [(2, 3, 2)],
          lambda x, how=how: _classes(_log_shares(x), PLACES, WEIGHTS, ignore=-1, reduction=how).astype(x.dtype)) for how in REDUCE],
    *each_way("cross_entropy shares", tg.cross_entropy, _shared, chances, [(4, 3), (4, 3)]),
    *each_way("cross_entropy shares weight", lambda x, s, reduction: tg.cross_entropy(x, s, WEIGHTS, reduction=reduction, label_smoothing=0.2),
              lambda x, s: _shared(x, s, WEIGHTS, x.dtype.type(0.2)), chances, [(2, 3, 2), (2, 3, 2)]),
    Row("cross_entropy one-hot", lambda x: tg.cross_entropy(x, ONE_HOT), real, [(4, 3)], lambda x: np.mean(-_log_shares(x)[np.arange(4), LABELS])),
    Row("cross_entropy, weights too", lambda x, w: tg.cross_entropy(x, LABELS, w), chances, [(4, 3), (3,)],
          lambda x, w: _classes(_log_shares(x), LABELS, w).astype(x.dtype)),
    *each_way("nll_loss", lambda x, reduction: tg.nll_loss(x, LABELS, reduction=reduction), lambda x: -x[np.arange(4), LABELS], real, [(4, 3)]),
    Row("nll_loss places", lambda x: tg.nll_loss(x, PLACES, WEIGHTS, ignore_index=-1), real, [(2, 3, 2)], lambda x: _classes(x, PLACES, WEIGHTS, ignore=-1).astype(x.dtype)),
]

PAIRS = [(2, 3), (2, 3)]
ELEMENTWISE = [
    *each_way("mse_loss",       tg.mse_loss, lambda x, y: (x - y) ** 2, real, PAIRS),
    *each_way("l1_loss",        tg.l1_loss, lambda x, y: np.abs(x - y), real, PAIRS),
    *each_way("huber_loss",     tg.huber_loss, _huber(1), real, PAIRS),
    *each_way("huber_loss 0.4", lambda x, y, reduction: tg.huber_loss(x, y, delta=0.4, reduction=reduction), _huber(0.4), real, PAIRS),
    *each_way("smooth_l1_loss", lambda x, y, reduction: tg.smooth_l1_loss(x, y, beta=0.4, reduction=reduction), lambda x, y: _huber(0.4)(x, y) / x.dtype.type(0.4), real, PAIRS),
    Row("huber_loss of equals", lambda x: tg.huber_loss(x, np.zeros((2, 3)), reduction="sum"), around_zero, [(2, 3)], lambda x: np.sum(_huber(1)(x, 0 * x))),
    Row("smooth_l1_loss of equals", lambda x: tg.smooth_l1_loss(x, np.zeros((2, 3)), beta=2), around_zero, [(2, 3)], lambda x: np.mean(_huber(2)(x, 0 * x)) / 2),
    Row("smooth_l1_loss 0",     lambda x, y: tg.smooth_l1_loss(x, y, beta=0), real, PAIRS, lambda x, y: np.mean(np.abs(x - y))),
    Row("mse_loss constants",   lambda x: tg.mse_loss(x, A), real, [(2, 3)], lambda x: np.mean((x - A.astype(x.dtype)) ** 2)),
    Row("bce logits constants", lambda x: tg.binary_cross_entropy_with_logits(x, P.tolist(), [[1.0], [2.5]], pos_weight=[0.5, 2.0, 3.0]), real, [(2, 3)],
                                lambda x: np.mean(both(lambda x, _: math.log(1 + math.exp(-x)))(x, x) * P * [0.5, 2, 3] * [[1], [2.5]] + both(lambda x, _: math.log(1 + math.exp(x)))(x, x) * (1 - P) * [[1], [2.5]]).astype(x.dtype)),
    Row("mse_loss ints",        lambda x: tg.mse_loss(x, np.arange(6).reshape(2, 3)), real, [(2, 3)], lambda x: np.mean((x - np.arange(6, dtype=x.dtype).reshape(2, 3)) ** 2)),

    *each_way("bce",            tg.binary_cross_entropy, _bce, chances, PAIRS),
    Row("bce weight",           lambda x, w: tg.binary_cross_entropy(x, P > 0.5, w), chances, [(2, 3), (3,)], lambda x, w: np.mean(_bce(x, P > 0.5) * w)),
    *each_way("bce logits",     tg.binary_cross_entropy_with_logits, _logits, real, PAIRS),
    Row("bce logits weights",   lambda x, w, p: tg.binary_cross_entropy_with_logits(x, P > 0.5, w, pos_weight=p), away, [(2, 3), (2, 1), (3,)],
                                lambda x, w, p: np.mean(_logits(x, P > 0.5) * w * np.where(P > 0.5, p, 1).astype(x.dtype))),
    *each_way("kl_div",         tg.kl_div, _kl, chances, PAIRS),
    Row("kl_div zeros",         lambda x: tg.kl_div(x, P.astype(x.dtype), reduction="sum"), real, [(2, 3)], lambda x: np.sum(_kl(x, P))),
    Row("kl_div batchmean",     lambda x, y: tg.kl_div(x, y, reduction="batchmean"), chances, PAIRS, lambda x, y: np.sum(_kl(x, y)) / 2),
    *[Row(f"kl_div batchmean {shape}", lambda x, y: tg.kl_div(x, y, reduction="batchmean"), chances, [shape, shape], lambda x, y, n=n: np.sum(_kl(x, y)) / n)
      for shape, n in [((), 1), ((1, 3), 1), ((0, 3), 1)]],
    Row("kl_div log",           lambda x, y: tg.kl_div(x, y, log_target=True), real, PAIRS, lambda x, y: np.mean(np.exp(y) * (y - x))),
]

ROWS = CLASSES + ELEMENTWISE
# fmt: on
