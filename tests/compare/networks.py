"""Convolutions, pooling, normalization, embeddings, attention and losses, with all of their options."""

import numpy as np
from hypothesis import strategies as st

import tensorgrad as tg
from compare.both import torch
from compare.op import Op, Unfit, apart, differ, free, given, numbers, positive, unit

F = torch.nn.functional


def t(x, like=None):
    """A tensor of an array, in the precision of another if it holds floats; None stays None."""
    if not isinstance(x, np.ndarray):
        return x
    return torch.as_tensor(x, dtype=like.dtype if x.dtype.kind == "f" and like is not None else None)


# ---------------------------------------------------------------------------------------------- convolutions and pooling


def each(p, axes, low, high):
    """One number for all axes, or one for each."""
    number = st.integers(low, high)
    return p.draw(number) if p.draw(st.booleans()) else tuple(p.draw(number) for _ in range(axes))


def per_axis(value, axes):
    return value if isinstance(value, tuple) else (value,) * axes


def convolution(p, x):
    axes = x.ndim - 2
    groups = p.draw(st.sampled_from([g for g in (1, 2, 3) if x.shape[1] % g == 0]))
    stride, dilation = each(p, axes, 1, 3), each(p, axes, 1, 2)
    padding = p.draw(st.sampled_from(["valid", "same"])) if p.draw(st.booleans()) else each(p, axes, 0, 2)
    stride = 1 if padding == "same" else stride
    room = [
        n + 2 * m for n, m in zip(x.shape[2:], per_axis(0 if isinstance(padding, str) else padding, axes), strict=True)
    ]
    kernel = [
        p.draw(st.integers(1, max(1, min(3, (n - 1) // d + 1))))
        for n, d in zip(room, per_axis(dilation, axes), strict=True)
    ]
    out = groups * p.draw(st.integers(1, 2))
    operands = [p.new((out, x.shape[1] // groups, *kernel)), *([p.new((out,))] if p.draw(st.booleans()) else [])]
    return operands, {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}


def transposed(p, x):
    axes = x.ndim - 2
    groups = p.draw(st.sampled_from([g for g in (1, 2, 3) if x.shape[1] % g == 0]))
    stride, dilation = each(p, axes, 1, 3), each(p, axes, 1, 2)
    padding, extra = each(p, axes, 0, 1), each(p, axes, 0, 1)
    kernel = [p.draw(st.integers(1, 3)) for _ in range(axes)]
    options = [per_axis(v, axes) for v in (stride, dilation, padding, extra)]
    for n, k, s, d, m, e in zip(x.shape[2:], kernel, *options, strict=True):
        if e >= max(s, d) or (n - 1) * s - 2 * m + d * (k - 1) + e + 1 < 1:
            raise Unfit
    out = p.draw(st.integers(1, 2))
    operands = [p.new((x.shape[1], out, *kernel)), *([p.new((out * groups,))] if p.draw(st.booleans()) else [])]
    params = {"stride": stride, "padding": padding, "output_padding": extra, "groups": groups, "dilation": dilation}
    return operands, params


def pool(p, x):
    axes = x.ndim - 2
    kernel = tuple(p.draw(st.integers(1, n)) for n in x.shape[2:])
    stride = None if p.draw(st.booleans()) else each(p, axes, 1, 3)
    padding = tuple(p.draw(st.integers(0, k // 2)) for k in kernel)
    return [], {"kernel_size": kernel, "stride": stride, "padding": padding, "ceil_mode": p.draw(st.booleans())}


def max_pool(p, x):
    if p.draw(st.booleans()):
        return pool(p, x)
    kernel = tuple(p.draw(st.integers(1, (n + 1) // 2)) for n in x.shape[2:])
    return [], {"kernel_size": kernel, "stride": each(p, x.ndim - 2, 1, 2), "padding": 0, "dilation": 2}


def mean_pool(p, x):
    return [], pool(p, x)[1] | {"count_include_pad": p.draw(st.booleans())}


# --------------------------------------------------------------------------------------------- normalization, embeddings


def layer(p, x):
    shape = x.shape[p.draw(st.integers(0, x.ndim - 1)) :]
    if np.prod(shape) < 2:
        raise Unfit
    return [p.new(shape), p.new(shape)], {"shape": shape, "eps": p.draw(st.sampled_from([1e-2, 0.5]))}


def scaled_layer(p, x):
    (weight, _), params = layer(p, x)
    return [weight], params | {"eps": p.draw(st.sampled_from([None, 1e-2, 0.5]))}


def batch(p, x):
    if x.size < 2 * x.shape[1]:
        raise Unfit
    return [p.new(x.shape[1:2]), p.new(x.shape[1:2])], {"eps": p.draw(st.sampled_from([1e-2, 0.5]))}


def evaluated(p, x):
    rng = np.random.default_rng(p.draw(st.integers(0, 99)))
    running = {"mean": rng.standard_normal(x.shape[1]), "var": rng.uniform(0.5, 2, x.shape[1])}
    return [p.new(x.shape[1:2]), p.new(x.shape[1:2])], running


def of_groups(p, x):
    groups = p.draw(st.sampled_from([g for g in (1, 2, 3, 4) if x.shape[1] % g == 0]))
    if x.size < 2 * x.shape[0] * groups:
        raise Unfit
    return [p.new(x.shape[1:2]), p.new(x.shape[1:2])], {"groups": groups, "eps": p.draw(st.sampled_from([1e-2, 0.5]))}


def tokens(p, x):
    places = numbers(p, p.draw(st.sampled_from([(), (3,), (2, 4)])), 0, x.shape[0])
    return [], {"places": places, "padding_idx": p.draw(st.sampled_from([None, 0, -1]))}


def queries(p, x):
    """Keys, values, and a mask of booleans, of floats, a causal one, or none."""
    keys, width = p.draw(st.integers(1, 4)), p.draw(st.integers(1, 3))
    heads = p.draw(st.sampled_from([x.shape[:-2], (1,) * (x.ndim - 2)]))
    operands = [p.another((*heads, keys, x.shape[-1])), p.another((*heads, keys, width))]
    params = {"scale": p.draw(st.sampled_from([None, 0.3]))}
    kind = p.draw(st.sampled_from(["none", "causal", "booleans", "floats"]))
    if kind == "floats":
        operands.append(p.another((x.shape[-2], keys)))
    elif kind == "booleans":
        params["mask"] = numbers(p, (x.shape[-2], keys), 0, 2).astype(bool)
    return operands, params | {"is_causal": kind == "causal"}


def attention(q, k, v, bias=None, mask=None, **params):
    return tg.scaled_dot_product_attention(q, k, v, mask if bias is None else bias, **params)


def attention_t(q, k, v, bias=None, mask=None, **params):
    batch = np.broadcast_shapes(q.shape[:-2], k.shape[:-2])
    k, v = k.expand(*batch, *k.shape[-2:]), v.expand(*batch, *v.shape[-2:])
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):  # the others have no second derivative
        return F.scaled_dot_product_attention(q, k, v, t(mask) if bias is None else bias, **params)


# ----------------------------------------------------------------------------------------------------------------- losses

REDUCTIONS = st.sampled_from(["mean", "sum", "none"])


def of_classes(p, x, **more):
    """Labels, some of them ignored but not all, and weights of the classes or none."""
    labels = numbers(p, x.shape[:1] + x.shape[2:], 0, x.shape[1])
    ignored = p.draw(st.sampled_from([-100, 0]))
    labels[numbers(p, labels.shape, 0, 3) == 0] = ignored
    if np.all(labels == ignored):
        raise Unfit
    weight = np.random.default_rng(5).uniform(0.2, 2, x.shape[1]) if p.draw(st.booleans()) else None
    return [], {"labels": labels, "weight": weight, "ignore_index": ignored, "reduction": p.draw(REDUCTIONS), **more}


def smoothed(p, x):
    return of_classes(p, x, label_smoothing=p.draw(st.sampled_from([0.0, 0.3])))


def of_shares(p, x):
    weight = np.random.default_rng(5).uniform(0.2, 2, x.shape[1]) if p.draw(st.booleans()) else None
    smoothing = p.draw(st.sampled_from([0.0, 0.3]))
    return [p.another(x.shape)], {"weight": weight, "reduction": p.draw(REDUCTIONS), "label_smoothing": smoothing}


def of_pairs(**choices):
    def draw(p, x):
        return [p.another(x.shape)], {"reduction": p.draw(REDUCTIONS)} | given(**choices)(p, x)[1]

    return draw


def weighted_pairs(p, x):
    return [p.another(x.shape), p.another(x.shape)], {"reduction": p.draw(REDUCTIONS)}


def weighted(loss):
    """PyTorch's own weights have no gradient."""

    def theirs(x, y, w, reduction):
        losses = loss(x, y, reduction="none") * w
        return losses if reduction == "none" else getattr(losses, reduction)()

    return theirs


def with_pos_weight(p, x):
    pos = np.random.default_rng(5).uniform(0.5, 3, x.shape[-1])
    return [p.another(x.shape)], {"pos": pos, "reduction": p.draw(REDUCTIONS)}


def kl_div_t(x, y, reduction, log_target):
    """PyTorch warns of ``"mean"``."""
    losses = F.kl_div(x, y, reduction="none" if reduction == "mean" else reduction, log_target=log_target)
    return losses.mean() if reduction == "mean" else losses


def divergence(p, x):
    reduction = p.draw(st.sampled_from(["mean", "sum", "none", "batchmean"]))
    return [p.another(x.shape)], {"reduction": reduction, "log_target": p.draw(st.booleans())}


def chance(x):
    """Between 0 and 1."""
    return 0.5 + 0.9 * unit(x)


def corners(x, y, delta=1, beta=1, **params):
    return all(differ(x - y, c) for c in (0, delta, -delta, beta, -beta))


# fmt: off
WINDOWS = [
    *[Op(f"conv{n}d",           getattr(tg, f"conv{n}d"),           lambda x, w, b=None, f=getattr(F, f"conv{n}d"), **k: f(x, w, b, **k), convolution, ndim=(n + 2, n + 2)) for n in (1, 2, 3)],
    *[Op(f"conv_transpose{n}d", getattr(tg, f"conv_transpose{n}d"), lambda x, w, b=None, f=getattr(F, f"conv_transpose{n}d"), **k: f(x, w, b, **k), transposed, ndim=(n + 2, n + 2)) for n in (1, 2, 3)],
    *[Op(f"max_pool{n}d",       getattr(tg, f"max_pool{n}d"),       getattr(F, f"max_pool{n}d"), max_pool,  ndim=(n + 2, n + 2), safe=apart) for n in (1, 2, 3)],
    *[Op(f"avg_pool{n}d",       getattr(tg, f"avg_pool{n}d"),       getattr(F, f"avg_pool{n}d"), mean_pool, ndim=(n + 2, n + 2)) for n in (1, 2, 3)],
]

LAYERS = [
    Op("layer_norm",    lambda x, w, b, shape, eps: tg.layer_norm(x, shape, w, b, eps), lambda x, w, b, shape, eps: F.layer_norm(x, shape, w, b, eps), layer, ndim=(1, 3)),
    Op("rms_norm",      lambda x, w, shape, eps: tg.rms_norm(x, shape, w, eps), lambda x, w, shape, eps: F.rms_norm(x, shape, w, eps), scaled_layer, ndim=(1, 3)),
    Op("batch_norm",    lambda x, w, b, eps: tg.batch_norm(x, None, None, w, b, True, eps=eps), lambda x, w, b, eps: F.batch_norm(x, None, None, w, b, True, eps=eps), batch, ndim=(2, 3)),
    Op("batch_norm evaluated", lambda x, w, b, mean, var: tg.batch_norm(x, mean.astype(x.dtype), var.astype(x.dtype), w, b), lambda x, w, b, mean, var: F.batch_norm(x, t(mean, x), t(var, x), w, b), evaluated, ndim=(2, 3)),
    Op("group_norm",    lambda x, w, b, groups, eps: tg.group_norm(x, groups, w, b, eps), lambda x, w, b, groups, eps: F.group_norm(x, groups, w, b, eps), of_groups, ndim=(2, 3)),
    Op("embedding",     lambda w, places, padding_idx: tg.embedding(places, w, padding_idx), lambda w, places, padding_idx: F.embedding(t(places), w, padding_idx), tokens, ndim=(2, 2)),
    Op("one_hot",       lambda x, places: x * tg.one_hot(places, x.shape[-1]).astype(x.dtype), lambda x, places: x * F.one_hot(t(places), x.shape[-1]), lambda p, x: ([], {"places": numbers(p, x.shape[:-1], 0, x.shape[-1])}), ndim=(1, 3)),
    Op("attention",     attention,                  attention_t,                queries,     ndim=(2, 4)),
]

LOSSES = [
    Op("cross_entropy", lambda x, labels, weight, **k: tg.cross_entropy(x, labels, weight, **k), lambda x, labels, weight, **k: F.cross_entropy(x, t(labels), t(weight, x), **k), smoothed, ndim=(2, 3)),
    Op("cross_entropy of shares", lambda x, y, weight, **k: tg.cross_entropy(x, y, weight, **k), lambda x, y, weight, **k: F.cross_entropy(x, y, t(weight, x), **k), of_shares, (free, chance), ndim=(2, 3)),
    Op("nll_loss",      lambda x, labels, weight, **k: tg.nll_loss(x, labels, weight, **k), lambda x, labels, weight, **k: F.nll_loss(x, t(labels), t(weight, x), **k), of_classes, ndim=(2, 3)),
    Op("mse_loss",      tg.mse_loss,                F.mse_loss,                 of_pairs()),
    Op("l1_loss",       tg.l1_loss,                 F.l1_loss,                  of_pairs(), safe=corners),
    Op("huber_loss",    tg.huber_loss,              F.huber_loss,               of_pairs(delta=[1.0, 0.4, 2.0]), safe=corners),
    Op("smooth_l1_loss", tg.smooth_l1_loss,         F.smooth_l1_loss,           of_pairs(beta=[1.0, 0.4, 2.0]), safe=corners),
    Op("bce",           tg.binary_cross_entropy,    F.binary_cross_entropy,     of_pairs(), (chance, chance)),
    Op("bce weighted",  tg.binary_cross_entropy,    weighted(F.binary_cross_entropy), weighted_pairs, (chance, chance, positive)),
    Op("bce logits",    tg.binary_cross_entropy_with_logits, weighted(F.binary_cross_entropy_with_logits), weighted_pairs, (free, chance, positive)),
    Op("bce logits pos", lambda x, y, pos, **k: tg.binary_cross_entropy_with_logits(x, y, pos_weight=pos.astype(x.dtype), **k), lambda x, y, pos, **k: F.binary_cross_entropy_with_logits(x, y, pos_weight=t(pos, x), **k), with_pos_weight, (free, chance), ndim=(1, 3)),
    Op("kl_div",        tg.kl_div,                  kl_div_t,                   divergence, (free, chance)),
]
# fmt: on

OPS = WINDOWS + LAYERS + LOSSES
