"""Find calls that return arrays whose shape or dtype depends on the values of their arguments."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from tensorgrad.compiling.traced import Traced, traced_in

_VARYING = frozenset(
    ("argwhere", "bincount", "compress", "delete", "eig", "eigvals", "ediff1d", "extract",
     "flatnonzero", "histogram", "histogram2d", "histogramdd", "histogram_bin_edges", "insert", "intersect1d", "ix_",
     "lstsq", "nonzero", "poly", "polydiv", "polyfit", "real_if_close", "repeat", "roots", "setdiff1d", "setxor1d",
     "trim_zeros", "union1d", "unique", "unique_all", "unique_counts", "unique_inverse", "unique_values")
)  # fmt: skip
_FIXED = frozenset(
    ("choose", "clip", "concatenate", "copy", "cross", "dot", "einsum", "full_like", "inner", "isin", "kron", "matmul",
     "ones_like", "outer", "put", "searchsorted", "select", "stack", "take", "take_along_axis", "tensordot", "vdot",
     "zeros_like")
)  # fmt: skip


def varies(fn: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> bool:
    """Whether the shape or dtype of the result may differ for arguments of the same shapes and dtypes."""
    if isinstance(fn, np.ufunc) or isinstance(getattr(fn, "__self__", None), np.ufunc):
        return False
    if fn is operator.getitem:
        return any(x.dtype.kind == "b" for x in traced_in(args[1]))
    name, module = getattr(fn, "__name__", ""), getattr(fn, "__module__", None) or "numpy"
    if name == "where":
        return len(args) == 1
    if name in _VARYING or "scimath" in module:
        return True
    if name in _FIXED or not module.startswith("numpy"):
        return False
    return any(x.dtype.kind in "iub" for x in traced_in((args[1:], {k: x for k, x in kwargs.items() if k != "where"})))


def layout(x: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """The shape and dtype of an array."""
    return x.shape, x.dtype


def arrays_in(result: Any) -> list[Traced]:
    """The arrays and NumPy scalars in a result."""
    return [x for x in traced_in(result) if x.number is None or hasattr(x.number, "dtype")]
