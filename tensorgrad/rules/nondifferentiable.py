"""Functions whose results carry no gradient: comparisons, predicates, positions, shapes. They return plain arrays."""

import numpy as np

from tensorgrad.frontend.dispatch import nondifferentiable

for _function in (
    # comparisons and predicates
    np.greater, np.greater_equal, np.less, np.less_equal, np.equal, np.not_equal,
    np.logical_and, np.logical_or, np.logical_not, np.logical_xor,
    np.isnan, np.isfinite, np.isinf, np.isposinf, np.isneginf, np.signbit, np.isclose, np.allclose, np.array_equal,
    np.array_equiv, np.any, np.all, np.isreal, np.iscomplex, np.isnat,
    np.iscomplexobj, np.isrealobj, np.may_share_memory, np.shares_memory,
    # functions of integers
    np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert, np.left_shift, np.right_shift, np.bitwise_count,
    np.gcd, np.lcm,
    # positions and counts
    np.argmax, np.argmin, np.argsort, np.nonzero, np.flatnonzero, np.argwhere, np.count_nonzero, np.searchsorted,
    np.nanargmax, np.nanargmin, np.argpartition, np.lexsort, np.digitize, np.unravel_index, np.ravel_multi_index,
    np.tril_indices_from, np.triu_indices_from, np.diag_indices_from,
    # shapes and types
    np.shape, np.ndim, np.size, np.result_type,
    # text
    np.array_repr, np.array_str, np.array2string,
):  # fmt: skip
    nondifferentiable(_function)
