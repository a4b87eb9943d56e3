"""Functions whose results carry no gradient: comparisons, predicates, positions, shapes. They return plain arrays."""

from typing import Any

import numpy as np

from tensorgrad.table import implements, plain
from tensorgrad.tape import value_of

plain(
    # comparisons and predicates
    np.greater, np.greater_equal, np.less, np.less_equal, np.equal, np.not_equal,
    np.logical_and, np.logical_or, np.logical_not, np.logical_xor,
    np.isnan, np.isfinite, np.isinf, np.signbit, np.isclose, np.allclose, np.array_equal, np.any, np.all,
    np.iscomplexobj, np.isrealobj, np.may_share_memory, np.shares_memory,
    # positions and counts
    np.argmax, np.argmin, np.argsort, np.nonzero, np.flatnonzero, np.argwhere, np.count_nonzero, np.searchsorted,
    # shapes and types, and new arrays of the same kind
    np.shape, np.ndim, np.size, np.result_type, np.zeros_like, np.ones_like, np.empty_like,
    # text
    np.array_repr, np.array_str, np.array2string,
)  # fmt: skip


@implements(np.full_like)
def _full_like(a: Any, fill_value: Any, dtype: Any = None) -> Any:
    return np.full_like(value_of(a), fill_value, dtype)  # a tracked fill_value is refused, by its __array__
