"""Conversion of arguments that are not tensors: lists, tables, and numbers of other libraries."""

from __future__ import annotations

from numbers import Rational
from typing import Any

import numpy as np

from tensorgrad.errors import NoRuleError

NDARRAYS: set[type] = {np.ndarray}
"""ndarray, and the class of the objects that stand in for one while `tensorgrad.compiling` records a program."""


def memory(x: Any) -> Any:
    """The ndarray that holds the elements of an array, or of an object that stands in for one."""
    return x if isinstance(x, np.ndarray) or type(x) not in NDARRAYS else x.value


def as_array(x: Any, dtype: Any = None) -> np.ndarray[Any, Any]:
    """``x`` as a plain ndarray. Refuses masked arrays and sparse matrices."""
    if type(x) in NDARRAYS:
        x = x if type(x) is np.ndarray else x.as_array()
        return x if dtype is None or x.dtype == dtype else x.astype(dtype)  # type: ignore[no-any-return]
    if isinstance(x, np.ndarray) and hasattr(x, "mask"):  # of numpy.ma, which is not imported here
        raise TypeError("a masked array would lose its mask: fill it, and use np.where to exclude elements")
    out = np.asarray(x, dtype)
    if out.dtype.kind == "O" and hasattr(x, "toarray"):
        raise _refused(x)
    return out


def plain(x: Any) -> Any:
    """An argument that is not a tensor: lists and tables as arrays, fractions as floats, anything else unchanged."""
    if type(x) in UNCONVERTED or isinstance(x, np.generic) or type(x) in NDARRAYS:
        return x
    if isinstance(x, (list, tuple)) or hasattr(x, "__array__"):  # of pandas, xarray, PyTorch
        return as_array(x)
    if isinstance(x, dict) and any(getattr(item, "node", None) is not None for item in x.values()):
        raise NoRuleError("the inputs of a function with a gradient rule are arrays, not dicts of tensors: pass each "
                          "tensor as a positional argument")  # fmt: skip
    return float(x) if isinstance(x, Rational) and not isinstance(x, int) else x


def operand(x: Any) -> Any:
    """The other operand of an operator, as `plain` converts it. Raises if it is not a number or an array of numbers."""
    if isinstance(x, np.matrix):
        raise TypeError("with a numpy.matrix, * means the matrix product, and with a tensor it is elementwise: "
                        "write np.asarray(x), and @ for the matrix product")  # fmt: skip
    x = plain(x)
    if as_array(x).dtype.kind != "O":
        return x
    raise _refused(x)


def _refused(x: Any) -> TypeError:
    name = f"{type(x).__module__}.{type(x).__name__}"
    if hasattr(x, "toarray"):
        remedy = "write x.toarray(), or, to keep it sparse in a product, tensorgrad.scipy.sparse.matmul(t, x)"
    elif isinstance(x, np.ndarray):
        name, remedy = "an array of Python objects", "write x.astype(float)"
    else:
        remedy = "write float(x)" if hasattr(x, "__float__") else "it is not a number"
    return TypeError(f"a Tensor can be combined with numbers and NumPy arrays of numbers, not with {name}: {remedy}")


UNCONVERTED = frozenset((np.ndarray, float, int, bool, complex, np.float64, np.float32, np.int64, np.bool_))
