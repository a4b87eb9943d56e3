"""What is no tensor and yet meets one, as NumPy takes it: lists, tables, and numbers of other libraries."""

from __future__ import annotations

from numbers import Rational
from typing import Any

import numpy as np

from tensorgrad.errors import NoRuleError


def as_array(x: Any, dtype: Any = None) -> np.ndarray[Any, Any]:
    """A plain ndarray; of subclasses whose arithmetic is another, one that would lose its meaning is refused."""
    if isinstance(x, np.ndarray) and hasattr(x, "mask"):  # numpy.ma, not imported for this
        raise TypeError("a masked array would lose its mask here: fill it, and leave elements out with np.where")
    out = np.asarray(x, dtype)
    if out.dtype.kind == "O" and hasattr(x, "toarray"):
        raise _refused(x)
    return out


def plain(x: Any) -> Any:
    """An argument that is no tensor: lists and tables as arrays, fractions as floats, anything else as it is."""
    if type(x) in AS_THEY_ARE or isinstance(x, np.generic):
        return x
    if isinstance(x, (list, tuple)) or hasattr(x, "__array__"):  # of pandas, xarray, PyTorch
        return as_array(x)
    if isinstance(x, dict) and any(getattr(item, "node", None) is not None for item in x.values()):
        raise NoRuleError("a dict of tensors is no input of a function that has a rule, which is given gradients of "
                          "single inputs: pass each tensor by position")  # fmt: skip
    return float(x) if isinstance(x, Rational) and not isinstance(x, int) else x


def operand(x: Any) -> Any:
    """What stands beside a tensor in arithmetic: `plain`, and a number or an array of numbers, or else refused."""
    x = plain(x)
    if np.asarray(x).dtype.kind != "O":
        return x
    raise _refused(x)


def _refused(x: Any) -> TypeError:
    if hasattr(x, "toarray"):
        what = "write x.toarray(), or, to keep it sparse in a product, tensorgrad.scipy.sparse.matmul(t, x)"
    else:
        what = "write x.astype(float)" if isinstance(x, np.ndarray) else "write float(x)"
        what = what if isinstance(x, np.ndarray) or hasattr(x, "__float__") else "it is no number"
    of = "an array of Python objects" if isinstance(x, np.ndarray) else f"{type(x).__module__}.{type(x).__name__}"
    return TypeError(f"a Tensor computes with NumPy's numbers and arrays of them, not with {of}: {what}")


AS_THEY_ARE = frozenset((np.ndarray, float, int, bool, complex, np.float64, np.float32, np.int64, np.bool_))
