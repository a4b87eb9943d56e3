"""``linspace``, ``logspace`` and ``geomspace``, whose endpoints may be tensors."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from tensorgrad.engine.registry import also_complex, implements
from tensorgrad.engine.tape import Array, value_of
from tensorgrad.rules.shapes import asarray


@implements(np.linspace)
def linspace(start: Array, stop: Array, num: Any = 50, endpoint: bool = True, retstep: bool = False,
             dtype: Any = None, axis: int = 0, *, device: Any = None) -> Any:  # fmt: skip
    """Evenly spaced numbers from ``start`` to ``stop``, along a new axis."""
    num = operator.index(num)
    if num < 0:
        raise ValueError(f"linspace: the number of samples, {num}, must not be negative")
    start, stop = (end if isinstance(end, (int, float)) else asarray(end) for end in (start, stop))
    kind = np.result_type(value_of(start), value_of(stop), 1.0)
    start, stop = (np.astype(asarray(end), kind, copy=False) for end in (start, stop))
    gap = stop - start
    count = num - 1 if endpoint else num
    step = gap / count if count > 0 else gap * np.nan
    numbers = np.reshape(np.arange(num, dtype=gap.dtype), (num,) + (1,) * gap.ndim)
    samples = start + numbers * (step if count > 0 else gap)
    if endpoint and num > 1:
        samples = np.concatenate([samples[:-1], np.broadcast_to(stop, gap.shape)[None]])
    samples = np.moveaxis(samples, 0, axis)
    if dtype is not None and samples.dtype != dtype:
        is_whole = np.issubdtype(dtype, np.integer)
        samples = np.astype(np.floor(samples) if is_whole else samples, np.dtype(dtype))
    return (samples, step) if retstep else samples


@implements(np.logspace)
def logspace(start: Array, stop: Array, num: Any = 50, endpoint: bool = True, base: Array = 10.0, dtype: Any = None,
             axis: int = 0) -> Array:  # fmt: skip
    """Powers of the base with evenly spaced exponents."""
    if np.ndim(base) > 0:
        ndim = len(np.broadcast_shapes(np.shape(start), np.shape(stop), np.shape(base)))
        start, stop, base = (np.reshape(x, (1,) * (ndim - np.ndim(x)) + np.shape(x)) for x in (start, stop, base))
        base = np.expand_dims(base, axis)
    samples = np.power(base, np.linspace(start, stop, num, endpoint, axis=axis))
    return samples if dtype is None else np.astype(samples, np.dtype(dtype))


@implements(np.geomspace)
def geomspace(start: Array, stop: Array, num: Any = 50, endpoint: bool = True, dtype: Any = None,
              axis: int = 0) -> Array:  # fmt: skip
    """A geometric progression between two endpoints of the same sign."""
    start, stop = (np.multiply(asarray(end), np.float64(1)) for end in (start, stop))
    if np.any(value_of(start) == 0) or np.any(value_of(stop) == 0):
        raise ValueError("geomspace: a sequence of equal ratios cannot include zero")
    sign = np.sign(value_of(start))
    exponents = np.linspace(np.log10(start * sign), np.log10(stop * sign), num, endpoint)
    samples = np.power(10.0, exponents) * sign
    ends = [np.broadcast_to(end, samples.shape[1:])[None] for end in (start, stop)]  # exact, without rounding errors
    if num > 1 and endpoint:
        samples = np.concatenate([ends[0], samples[1:-1], ends[1]])
    elif num > 0:
        samples = np.concatenate([ends[0], samples[1:]])
    samples = np.moveaxis(samples, 0, axis)
    return samples if dtype is None else np.astype(samples, np.dtype(dtype))


also_complex(np.linspace)
