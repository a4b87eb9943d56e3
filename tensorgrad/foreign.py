"""What is no tensor and yet meets one, as NumPy takes it: lists, tables, and numbers of other libraries."""

from __future__ import annotations

from numbers import Rational
from typing import Any

import numpy as np

from tensorgrad.errors import NoRuleError

NDARRAYS: set[type] = {np.ndarray}
"""ndarray, and the class of the objects that stand in for one while `tensorgrad.compiling` records a program."""


def memory(x: Any) -> Any:
    """The ndarray that an array, or an object that stands in for one, has its elements in."""
    return x if isinstance(x, np.ndarray) or type(x) not in NDARRAYS else x.value


def as_array(x: Any, dtype: Any = None) -> np.ndarray[Any, Any]:
    """A plain ndarray; of subclasses whose arithmetic is another, one that would lose its meaning is refused."""
    if type(x) in NDARRAYS:
        x = x if type(x) is np.ndarray else x.as_array()
        return x if dtype is None or x.dtype == dtype else x.astype(dtype)  # type: ignore[no-any-return]
    if isinstance(x, np.ndarray) and hasattr(x, "mask"):  # numpy.ma, not imported for this
        raise TypeError("a masked array would lose its mask here: fill it, and leave elements out with np.where")
    out = np.asarray(x, dtype)
    if out.dtype.kind == "O" and hasattr(x, "toarray"):
        raise _refused(x)
    return out


def plain(x: Any) -> Any:
    """An argument that is no tensor: lists and tables as arrays, fractions as floats, anything else as it is."""
    if type(x) in AS_THEY_ARE or isinstance(x, np.generic) or type(x) in NDARRAYS:
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
    if as_array(x).dtype.kind != "O":
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
