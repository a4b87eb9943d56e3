"""``y = a * x + b * y`` and ``C = alpha * A @ B + beta * C`` by the OpenBLAS that NumPy brings and has loaded.

It is tried at the first call. Where it is missing or wrong, or switched off by ``TENSORGRAD_BLAS=0``, NumPy does the
same in more passes over memory. The last digits may differ, and a BLAS gives no floating-point warnings.
"""

import ctypes
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from glob import glob
from itertools import product
from typing import Any

import numpy as np

_Reader = Callable[[int], ctypes.c_size_t]


def enabled() -> bool:
    """Whether a BLAS is used; determined once per process."""
    return bool(_routines())


def axpby(a: float, x: Any, b: float, y: Any, scratch: Any = None) -> None:
    """``y = a * x + b * y``, in place. ``scratch`` holds a product; it is like ``y`` and may be ``x``."""
    # NumPy's three calls are as quick for fewer elements; and 0 * NaN is NaN in NumPy, but 0 in a BLAS.
    alike = x.shape == y.shape and x.strides == y.strides
    if alike and y.size >= 2048 and a and b and (known := _routines().get(y.dtype)) and _usable(x, y):
        known[0](y.size, a, _address(x), 1, b, _address(y), 1)
        return
    step = x if a == 1 and not np.may_share_memory(x, y) else np.multiply(x, a, out=scratch)
    np.add(y if b == 1 else np.multiply(y, b, out=y), step, out=y)


def gemm(alpha: float, a: Any, b: Any, beta: float, c: Any) -> None:
    """``c = alpha * a @ b + beta * c`` for matrices, in place. With ``beta=0``, ``c`` is not read."""
    known, (m, k), n = _routines().get(c.dtype), a.shape, b.shape[1]
    shapes_fit = b.shape == (k, n) and c.shape == (m, n) and m * k * n > 0
    if known and shapes_fit and c.flags.c_contiguous and _usable(a, c) and _usable(b, c):
        (way_a, lda), (way_b, ldb) = ((111, x.shape[1]) if x.flags.c_contiguous else (112, len(x)) for x in (a, b))
        at_a, at_b, at_c = map(_address, (a, b, c))  # 101: by rows; 111: as it is; 112: transposed
        known[1](101, way_a, way_b, m, n, k, alpha, at_a, lda, at_b, ldb, beta, at_c, n)
        return
    np.add(alpha * (a @ b), beta * c if beta else 0, out=c)


def _usable(x: Any, out: Any) -> bool:
    """Whether a BLAS can read ``x`` and write to ``out``."""
    fx, fy, one_dtype, small = x.flags, out.flags, x.dtype is out.dtype, x.size < 2**31 > out.size
    return one_dtype and small and fx.aligned and fx.forc and fy.behaved and fy.forc and not np.may_share_memory(x, out)


def _address(x: Any, read: _Reader = ctypes.c_size_t.from_address, head: int = object.__basicsize__) -> int:
    """``x.ctypes.data`` ten times as fast: the pointer is what follows the head of the object, by the ABI of NumPy."""
    return read(id(x) + head).value


@cache
def _routines() -> dict[Any, list[Any]]:
    """`axpby` and `gemm` by dtype; nothing where there is no BLAS to use."""
    package, found = os.path.dirname(np.__file__), {}  # noqa: PTH120  (pathlib takes 4 ms to import)
    if os.environ.get("TENSORGRAD_BLAS") != "0" and sys.implementation.name == "cpython":
        paths = [*glob(f"{package}/../numpy.libs/*openblas*"), *glob(f"{package}/.dylibs/*openblas*")]  # noqa: PTH207
        for path, prefix, suffix in product(paths, ("scipy_", ""), ("64_", "")):
            with suppress(OSError, AttributeError, ArithmeticError):  # not loaded; other functions; wrong results
                library = ctypes.CDLL(os.path.realpath(path), ctypes.DEFAULT_MODE | getattr(os, "RTLD_NOLOAD", 0))
                for letter, real in (("s", ctypes.c_float), ("d", ctypes.c_double)):
                    pair = [getattr(library, f"{prefix}cblas_{letter}{name}{suffix}") for name in ("axpby", "gemm")]
                    found[np.dtype(real)] = _tried(pair, real, ctypes.c_int64 if suffix else ctypes.c_int32)
                return found
    return {}


def _tried(pair: list[Any], real: Any, size: Any) -> list[Any]:
    """The two with the types of their arguments, which must give what NumPy gives."""
    vector, enum = [real, ctypes.c_void_p, size], ctypes.c_int
    pair[0].argtypes, pair[1].argtypes = [size, *vector * 2], [*[enum] * 3, *[size] * 3, *vector, *vector[1:], *vector]
    x, y, c = np.arange(6, dtype=real), np.arange(6, 0, -1, dtype=real), np.ones((2, 2), real)
    pair[1](101, 111, 112, 2, 2, 3, 2, x.ctypes.data, 3, y.ctypes.data, 3, 3, c.ctypes.data, 2)
    pair[0](6, 2, x.ctypes.data, 1, 3, y.ctypes.data, 1)
    if [_address(x), *y, *c.flat] != [x.ctypes.data, 18, 17, 16, 15, 14, 13, 29, 11, 119, 47]:
        raise ArithmeticError
    return pair
