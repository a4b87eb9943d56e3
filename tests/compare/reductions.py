"""Sums, extremes, averages, norms along axes, cumulative functions, order statistics, sorting."""

import math

import numpy as np
from hypothesis import strategies as st

import tensorgrad as tg
from compare.both import t, torch
from compare.op import (
    Op,
    Unfit,
    apart,
    both,
    given,
    nonzero,
    numbers,
    one_by_one,
    over,
    with_axes,
    with_axis,
    with_axis_keepdims,
    with_axis_or_none,
)

inf = math.inf


def spread(x, axis=None, **params):
    """Are the elements along the axes clearly different?"""
    return bool(np.all(np.std(x, axis=axis) > 1e-2))


def full(x, axis=None, **params):
    """Are elements far from zero, and no two absolute values close?"""
    return nonzero(x) and apart(np.abs(x))


def with_ddof(p, x):
    _, params = with_axes(p, x)
    count = x.size // max(1, np.size(np.mean(x, axis=params["axis"])))
    return [], params | {"ddof": p.draw(st.integers(0, 1 if count > 1 else 0))}


def with_weights(p, x):
    _, params = with_axis(p, x)
    return [p.another(x.shape)], params


def with_holes(p, x):
    """NaN at some places, but not everywhere."""
    holes = numbers(p, x.shape, 0, 3) == 0
    _, params = with_axes(p, x)
    if np.any(np.all(holes, axis=params["axis"])):
        raise Unfit
    return [], params | {"holes": holes}


def with_holes_axis(p, x):
    return [], with_axis_or_none(p, x)[1] | {"holes": numbers(p, x.shape, 0, 3) == 0}


def with_holes_axis_keepdims(p, x):
    params = with_holes_axis(p, x)[1] | {"keepdims": p.draw(st.booleans())}
    if np.any(np.all(params["holes"], axis=params["axis"])):
        raise Unfit
    return [], params


def nan(fn):
    return lambda x, holes, **params: fn(np.where(holes, np.nan, x), **params)


def nan_t(fn):
    return lambda x, holes, **params: fn(torch.where(t(holes), torch.nan, x), **params)


def without_nan(fn, blank):
    """A function of PyTorch that knows no NaN: blanks in their place."""
    return lambda x, holes, **params: fn(torch.where(t(holes), blank, x), **params)


def nanvar_t(x, holes, axis=None, keepdims=False):
    here = t(~holes).to(x.dtype)
    x = torch.where(t(holes), 0.0, x)
    count = over(torch.sum)(here, axis, True)
    deviation = (x - over(torch.sum)(x, axis, True) / count) * here
    out = over(torch.sum)(deviation**2, axis, True) / count
    return out if keepdims else over(torch.sum)(out, axis)


def cumulative(fn):
    return lambda x, axis: fn(x.reshape(-1), dim=0) if axis is None else fn(x, dim=axis)


def with_kth(p, x):
    params = with_axis(p, x)[1]
    return [], params | {"k": p.draw(st.integers(0, x.shape[params["axis"]] - 1))}


def with_q(p, x):
    axis = p.draw(st.sampled_from([None, *range(-x.ndim, x.ndim)]))
    return [], {"axis": axis, "keepdims": p.draw(st.booleans()), "q": p.draw(st.sampled_from([0.13, 0.55, 0.81]))}


def with_n(p, x):
    params = with_axis(p, x)[1]
    return [], params | {"n": p.draw(st.integers(0, x.shape[params["axis"]] - 1))}


def with_coordinates(p, x):
    params = with_axis(p, x)[1]
    n = x.shape[params["axis"]]
    if n < 2:
        raise Unfit
    return [p.new((n,))], params


def with_edges(p, x):
    params = with_axis(p, x)[1]
    n = x.shape[params["axis"]]
    if n < 3:
        raise Unfit
    return [], params | {"edge_order": p.draw(st.integers(1, 2))}


def covariance(p, x):
    if x.shape[-1] < 2:
        raise Unfit
    return [], {}


def fweights(p, x):
    covariance(p, x)
    return [], {"fweights": 1 + numbers(p, x.shape[-1:], 0, 3)}


vectors, matrices = (None, 2, 1, inf, -inf, 3, 1.5, 0.5, -1), ("fro", 1, -1, inf, -inf, 2, -2, "nuc")


def with_order(p, x):
    return [], with_axes(p, x)[1] | {"ord": p.draw(st.sampled_from(vectors[1:]))}


def with_one_order(p, x):
    return [], with_axis_keepdims(p, x)[1] | {"ord": p.draw(st.sampled_from(vectors))}


def with_matrix_order(p, x):
    first, second = p.draw(st.permutations(range(x.ndim)))[:2]
    axes = (first - x.ndim if p.draw(st.booleans()) else first, second)
    return [], {"axis": axes, "ord": p.draw(st.sampled_from(matrices)), "keepdims": p.draw(st.booleans())}


def vector_norm_t(x, ord, axis=None, keepdims=False):
    return torch.linalg.vector_norm(x, 2 if ord is None else ord, axis, keepdims)


def matrix_norm_t(x, ord, axis, keepdims):
    return torch.linalg.matrix_norm(x, ord, axis, keepdims)


def full_rank(x, ord=None, axis=(-2, -1), **params):
    """No ties of columns or singular values, and none of these near 0."""
    values = np.linalg.svdvals(np.moveaxis(x, axis, (-2, -1)))
    gaps = np.diff(values, axis=-1)
    return full(x) and bool(np.all(values > 0.05) and np.all(np.abs(gaps) > 0.05))


# fmt: off
REDUCTIONS = [
    Op("sum",          np.sum,                      over(torch.sum),            with_axes),
    Op("mean",         np.mean,                     over(torch.mean),           with_axes),
    Op("prod",         np.prod,                     one_by_one(torch.prod),     with_axes, safe=nonzero),
    Op("max",          np.max,                      over(torch.amax),           with_axes, safe=apart),
    Op("min",          np.min,                      over(torch.amin),           with_axes, safe=apart),
    Op("amax amin",    lambda x, **k: np.amax(x, **k) - 2 * np.amin(x, **k), lambda x, **k: over(torch.amax)(x, **k) - 2 * over(torch.amin)(x, **k), with_axes, safe=apart),
    Op("var",          np.var,                      lambda x, ddof, **k: over(torch.var)(x, correction=ddof, **k), with_ddof),
    Op("std",          np.std,                      lambda x, ddof, **k: over(torch.std)(x, correction=ddof, **k), with_ddof, safe=spread),
    Op("ptp",          np.ptp,                      lambda x, **k: over(torch.amax)(x, **k) - over(torch.amin)(x, **k), with_axes, safe=apart),
    Op("logsumexp",    tg.logsumexp,                over(torch.logsumexp),      with_axes),
    Op("average",      lambda x, w, axis: np.average(x, axis, w * w + 0.5), lambda x, w, axis: (x * (w * w + 0.5)).sum(axis) / (w * w + 0.5).sum(axis), with_weights),
    Op("median",       lambda x, axis, keepdims: np.median(x, axis, keepdims=keepdims), lambda x, axis, keepdims: torch.quantile(x, 0.5, axis, keepdims), both(with_axis_or_none, given(keepdims=[False, True])), safe=apart),
    Op("quantile",     lambda x, q, axis, keepdims: np.quantile(x, q, axis, keepdims=keepdims), torch.quantile, with_q, safe=apart),
    Op("percentile",   lambda x, q, axis, keepdims: np.percentile(x, 100 * q, axis, keepdims=keepdims), torch.quantile, with_q, safe=apart),
    *[Op(f"quantile {method}", lambda x, q, axis, keepdims, m=method: np.quantile(x, q, axis, keepdims=keepdims, method=m), lambda x, q, axis, keepdims, m=method: torch.quantile(x, q, axis, keepdims, interpolation=m), with_q, safe=apart)
      for method in ("lower", "higher", "nearest", "midpoint")],
    Op("linalg.norm",  np.linalg.norm,              vector_norm_t,              with_one_order, safe=full),
    Op("vector_norm",  np.linalg.vector_norm,       vector_norm_t,              with_order, safe=full),
    Op("norm of all",  np.linalg.norm,              torch.linalg.norm,          safe=nonzero),
    Op("norm of matrix", np.linalg.norm,            matrix_norm_t,              with_matrix_order, ndim=(2, 3), safe=full_rank),
    Op("matrix_norm",  lambda x, ord: np.linalg.matrix_norm(x, ord=ord), torch.linalg.matrix_norm, given(ord=matrices), ndim=(2, 3), safe=full_rank),
]

MISSING = [
    Op("nansum",       nan(np.nansum),              nan_t(over(torch.nansum)),  with_holes),
    Op("nanmean",      nan(np.nanmean),             nan_t(over(torch.nanmean)), with_holes),
    Op("nanprod",      nan(np.nanprod),             without_nan(one_by_one(torch.prod), 1.0), with_holes, safe=nonzero),
    Op("nanmax",       nan(np.nanmax),              without_nan(over(torch.amax), -inf), with_holes, safe=apart),
    Op("nanmin",       nan(np.nanmin),              without_nan(over(torch.amin), inf),  with_holes, safe=apart),
    Op("nanvar",       nan(np.nanvar),              nanvar_t,                   with_holes),
    Op("nanstd",       lambda x, **k: np.sqrt(1 + np.square(nan(np.nanstd)(x, **k))), lambda x, **k: torch.sqrt(1 + nanvar_t(x, **k)), with_holes, safe=lambda x, holes, axis, keepdims: bool(np.all(np.nanstd(np.where(holes, np.nan, x), axis=axis) > 1e-2))),
    Op("nanmedian",    nan(np.nanmedian),           nan_t(lambda x, axis, keepdims: torch.nanquantile(x, 0.5, axis, keepdims)), with_holes_axis_keepdims, safe=apart),
    Op("nanquantile",  nan(lambda x, axis, keepdims: np.nanquantile(x, 0.3, axis, keepdims=keepdims)), nan_t(lambda x, axis, keepdims: torch.nanquantile(x, 0.3, axis, keepdims)), with_holes_axis_keepdims, safe=apart),
    Op("nanpercentile", nan(lambda x, axis, keepdims: np.nanpercentile(x, 80, axis, keepdims=keepdims)), nan_t(lambda x, axis, keepdims: torch.nanquantile(x, 0.8, axis, keepdims)), with_holes_axis_keepdims, safe=apart),
    Op("nancumsum",    nan(np.nancumsum),           without_nan(cumulative(torch.cumsum), 0.0), with_holes_axis),
    Op("nancumprod",   nan(np.nancumprod),          without_nan(cumulative(torch.cumprod), 1.0), with_holes_axis, safe=nonzero),
]

CUMULATIVE = [
    Op("cumsum",       np.cumsum,                   cumulative(torch.cumsum),   with_axis_or_none),
    Op("cumprod",      np.cumprod,                  cumulative(torch.cumprod),  with_axis_or_none, safe=nonzero),
    Op("cumulative_sum", lambda x, axis: np.cumulative_sum(x, axis=axis),  cumulative(torch.cumsum),  with_axis),
    Op("cumulative_prod", lambda x, axis: np.cumulative_prod(x, axis=axis), cumulative(torch.cumprod), with_axis, safe=nonzero),
    Op("diff",         np.diff,                     lambda x, n, axis: torch.diff(x, n, axis), with_n),
    Op("ediff1d",      np.ediff1d,                  lambda x: torch.diff(x.reshape(-1))),
    Op("trapezoid",    np.trapezoid,                lambda x, y, axis: torch.trapezoid(x, y, dim=axis), with_coordinates),
    Op("trapezoid dx", lambda x, axis: np.trapezoid(x, dx=0.3, axis=axis), lambda x, axis: torch.trapezoid(x, dx=0.3, dim=axis), with_axis),
    Op("gradient",     lambda x, axis, edge_order: np.gradient(x, 0.7, axis=axis, edge_order=edge_order), lambda x, axis, edge_order: torch.gradient(x, spacing=0.7, dim=axis, edge_order=edge_order)[0], with_edges),
    Op("cov",          lambda x: np.cov(x, dtype=x.dtype), torch.cov,                  covariance, ndim=(1, 2)),
    Op("cov ddof",     lambda x: np.cov(x, ddof=0, dtype=x.dtype), lambda x: torch.cov(x, correction=0), covariance, ndim=(1, 2)),
    Op("cov fweights", lambda x, fweights: np.cov(x, fweights=fweights).astype(x.dtype), lambda x, fweights: torch.cov(x, fweights=t(fweights)), fweights, ndim=(1, 2)),
    Op("corrcoef",     lambda x: np.corrcoef(x).astype(x.dtype),                torch.corrcoef,             covariance, ndim=(2, 2), safe=lambda x: spread(x, axis=1)),
]

ORDER = [
    Op("sort",         np.sort,                     lambda x, axis: torch.sort(x, axis).values, with_axis, safe=apart),
    Op("sort all",     lambda x: np.sort(x, axis=None), lambda x: torch.sort(x.reshape(-1)).values, safe=apart),
    Op("partition",    lambda x, k, axis: np.take(np.partition(x, k, axis), k, axis), lambda x, k, axis: torch.kthvalue(x, k + 1, axis).values, with_kth, safe=apart),
    Op("unique",       np.unique,                 lambda x: torch.sort(x.reshape(-1)).values, safe=apart),
]
# fmt: on

OPS = REDUCTIONS + MISSING + CUMULATIVE + ORDER
