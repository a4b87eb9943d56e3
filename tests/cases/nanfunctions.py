"""Reductions that ignore NaN, for arrays with NaN."""
# ruff: noqa: E501  (tables with one row per line)

import numpy as np

from cases.rows import Row, away, distinct, real

HOLES = np.array([[[1, np.nan], [np.nan, 1], [1, 1]], [[np.nan, 1], [1, 1], [1, 1]]])
SOME = np.array([[1, np.nan, 1], [1, 1, 1], [np.nan, np.nan, 1]])
MASK = np.array([[True, True, True], [True, False, True], [False, True, True]])


# fmt: off
ROWS = [
    Row(f"{name} {axis}{' keepdims' * keep}", lambda x, f=f, axis=axis, keep=keep: f(x * HOLES.astype(x.dtype), axis=axis, keepdims=keep), domain, [(2, 3, 2)])
    for name, f, domain in [("nansum", np.nansum, real), ("nanmean", np.nanmean, real), ("nanmax", np.nanmax, distinct), ("nanmin", np.nanmin, distinct),
                            ("nanprod", np.nanprod, away), ("nanvar", np.nanvar, real), ("nanstd", np.nanstd, distinct), ("nanmedian", np.nanmedian, distinct)]
    for axis in (None, 1, -2, (0, 1), (2, 0)) for keep in (False, True)
    if not (name in ("nanvar", "nanstd") and axis == (2, 0))
] + [
    Row(f"{name} whole {axis}", lambda x, f=f, axis=axis: f(x, axis=axis), domain, [(2, 3)])
    for name, f, domain in [("nansum", np.nansum, real), ("nanmean", np.nanmean, real), ("nanmax", np.nanmax, distinct), ("nanmin", np.nanmin, distinct),
                            ("nanprod", np.nanprod, away), ("nanvar", np.nanvar, real), ("nanstd", np.nanstd, distinct), ("nanmedian", np.nanmedian, distinct)]
    for axis in (None, 1)
] + [
    Row("nansum dtype",  lambda x: np.nansum(x * SOME.astype(x.dtype), 0, np.float64), real, [(3, 3)]),
    Row("nanvar ddof",   lambda x: np.nanvar(x * SOME.astype(x.dtype), ddof=1), real, [(3, 3)]),
    Row("nanvar correction", lambda x: np.nanvar(x * SOME.astype(x.dtype), correction=1.5), real, [(3, 3)]),
    Row("nanvar mean",   lambda x: np.nanvar(x * SOME.astype(x.dtype), axis=0, mean=np.mean(x, axis=0, keepdims=True)), real, [(3, 3)]),
    Row("nanstd correction", lambda x: np.nanstd(x * SOME.astype(x.dtype), correction=1), distinct, [(3, 3)]),
    Row("nanstd ddof",   lambda x: np.nanstd(x * SOME.astype(x.dtype), axis=0, ddof=0.5), distinct, [(3, 3)]),
    Row("nansum where",  lambda x: np.nansum(x * SOME.astype(x.dtype), keepdims=True, where=MASK), real, [(3, 3)]),
    Row("nanprod where",  lambda x: np.nanprod(x * SOME.astype(x.dtype), keepdims=True, where=MASK), away, [(3, 3)]),
    Row("nanmean where",  lambda x: np.nanmean(x * SOME.astype(x.dtype), keepdims=True, where=MASK), real, [(3, 3)]),
    Row("nanvar where",  lambda x: np.nanvar(x * SOME.astype(x.dtype), keepdims=True, where=MASK), real, [(3, 3)]),
    Row("nanstd where",  lambda x: np.nanstd(x * SOME.astype(x.dtype), keepdims=True, where=MASK), distinct, [(3, 3)]),
    Row("nanprod dtype",  lambda x: np.nanprod(x * SOME.astype(x.dtype), 1, np.float64), away, [(3, 3)]),
    Row("nanmean dtype",  lambda x: np.nanmean(x * SOME.astype(x.dtype), 1, np.float64), real, [(3, 3)]),
    Row("nanvar dtype",  lambda x: np.nanvar(x * SOME.astype(x.dtype), 1, np.float64), real, [(3, 3)]),
    Row("nanstd dtype",  lambda x: np.nanstd(x * SOME.astype(x.dtype), 1, np.float64), distinct, [(3, 3)]),
    Row("nansum initial", lambda x: np.nansum(x * SOME.astype(x.dtype), axis=1, initial=2.5, where=MASK), real, [(3, 3)]),
    Row("nanprod initial", lambda x: np.nanprod(x * SOME.astype(x.dtype), axis=1, initial=-1.5, where=MASK), away, [(3, 3)]),
    Row("nanmax initial", lambda x: np.nanmax(x * SOME.astype(x.dtype), axis=1, initial=-5.0, where=MASK), distinct, [(3, 3)]),
    Row("nanmax initial alone", lambda x: np.nanmax(x * SOME.astype(x.dtype), initial=0.1, keepdims=True), distinct, [(3, 3)]),
    Row("nanmin initial", lambda x: np.nanmin(x * SOME.astype(x.dtype), axis=1, initial=5.0, where=MASK), distinct, [(3, 3)]),
    Row("nanmin initial alone", lambda x: np.nanmin(x * SOME.astype(x.dtype), initial=0.1, keepdims=True), distinct, [(3, 3)]),
    Row("nancumsum",     lambda x: np.nancumsum(x * SOME.astype(x.dtype)), real, [(3, 3)]),
    Row("nancumsum axis", lambda x: np.nancumsum(x * SOME.astype(x.dtype), axis=-1), real, [(3, 3)]),
    Row("nancumprod",    lambda x: np.nancumprod(x * SOME.astype(x.dtype)), away, [(3, 3)]),
    Row("nancumprod axis", lambda x: np.nancumprod(x * SOME.astype(x.dtype), 0), away, [(3, 3)]),
    Row("nanquantile",   lambda x: np.nanquantile(x * SOME.astype(x.dtype), 0.4), distinct, [(3, 3)]),
    Row("nanquantile axis", lambda x: np.nanquantile(x * SOME.astype(x.dtype), [0.2, 0.9], axis=0, keepdims=True), distinct, [(3, 3)]),
    Row("nanpercentile", lambda x: np.nanpercentile(x * SOME.astype(x.dtype), 30, axis=1, method="weibull"), distinct, [(3, 3)]),
    Row("nansum nothing", lambda x: np.nansum(x, axis=0),     real,      [(0, 3)]),
    Row("nanmedian to nothing", lambda x: np.nanmedian(x, axis=1), real, [(0, 3)]),
]
# fmt: on
