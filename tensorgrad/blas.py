"""``y = a * x + b * y`` and ``C = alpha * A @ B + beta * C``, by the OpenBLAS library that is part of NumPy's wheels.

It is looked up and tested at the first call. If it is missing, fails the test, or is disabled by ``TENSORGRAD_BLAS=0``,
NumPy computes the same, with more passes over memory. Results may differ in the last digits, and BLAS issues no
floating-point warnings.
"""

import ctypes
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from itertools import product
from typing import Any

import numpy as np

_ROW_MAJOR, _NO_TRANS, _TRANS = 101, 111, 112  # constants of CBLAS


def enabled() -> bool:
    """Whether BLAS is used; determined once per process."""
    return bool(_routines())


def axpby(a: float, x: Any, b: float, y: Any, scratch: Any = None) -> None:
    """``y = a * x + b * y``, in place. ``scratch``, an array like ``y``, is overwritten; it may be ``x``."""
    # For fewer elements, the calls of NumPy are as fast. Zero factors: 0 * NaN is NaN in NumPy, but 0 in BLAS.
    routines = _routines().get(y.dtype) if y.size >= 2048 and a and b and x.shape == y.shape else None
    if routines and x.strides == y.strides and _usable(x, y):
        routines[0](y.size, a, _address(x), 1, b, _address(y), 1)
        return
    step = x if a == 1 and not np.may_share_memory(x, y) else np.multiply(x, a, out=scratch)
    np.add(y if b == 1 else np.multiply(y, b, out=y), step, out=y)


def gemm(alpha: float, a: Any, b: Any, beta: float, c: Any) -> None:
    """``c = alpha * a @ b + beta * c`` for matrices, in place. With ``beta=0``, ``c`` is not read."""
    routines, (m, k), n = _routines().get(c.dtype), a.shape, b.shape[1]
    shapes_match = b.shape == (k, n) and c.shape == (m, n) and m * k * n > 0
    if routines and shapes_match and c.flags.c_contiguous and _usable(a, c) and _usable(b, c):
        routines[1](*_arguments(alpha, a, b, beta, c))
    else:
        np.add(alpha * (a @ b), beta * c if beta else 0, out=c)


def products(terms: Sequence[tuple[Any, Any, Any]]) -> Callable[..., object]:
    """A function that computes ``c += a @ b`` for each ``(a, b, c)``, one after the other.

    These are matrices of one dtype. Their rows are contiguous, but may be apart; ``a`` and ``b`` may be transposed.
    What BLAS needs to know is determined here, so that the function adds only 1 µs to the time of a product.
    """
    routines, call = _routines().get(terms[0][2].dtype), _add_product
    calls: Any = terms
    if routines and not any(0 in (*a.shape, *b.shape) for a, b, _ in terms):
        call, arguments = routines[1], [_arguments(1, a, b, 1, c) for a, b, c in terms]
        calls = [[convert(x) for convert, x in zip(call.argtypes, each, strict=True)] for each in arguments]

    return lambda _used=terms: [call(*each) for each in calls]  # with a reference, so that the arrays are kept


def _add_product(a: Any, b: Any, c: Any) -> None:
    np.add(c, a @ b, out=c)


def _arguments(alpha: float, a: Any, b: Any, beta: float, c: Any) -> tuple[Any, ...]:
    """The arguments of the function for `gemm`, for matrices whose rows or columns are contiguous."""
    (ta, lda), (tb, ldb), (_, ldc) = map(_layout, (a, b, c))
    return (_ROW_MAJOR, ta, tb, *c.shape, len(b), alpha, _address(a), lda, _address(b), ldb, beta, _address(c), ldc)


def _layout(x: Any) -> tuple[int, int]:
    """Whether BLAS has to transpose a matrix, and the distance of its rows or columns."""
    (rows, columns), (down, across), size = x.shape, x.strides, x.itemsize
    if across == size or columns == 1:  # the distance of columns may be anything if there is only one
        return _NO_TRANS, max(down // size, columns)
    return _TRANS, max(across // size, rows)


def _usable(x: Any, out: Any) -> bool:
    """Whether BLAS can read ``x`` and write to ``out``."""
    fx, fy, fits = x.flags, out.flags, x.dtype is out.dtype and x.size < 2**31 > out.size
    return fits and fx.aligned and fx.forc and fy.behaved and fy.forc and not np.may_share_memory(x, out)


def _address(x: Any, read: Any = ctypes.c_size_t.from_address, head: int = object.__basicsize__) -> Any:
    """``x.ctypes.data``, but ten times as fast: in NumPy's ABI, the data pointer follows the header of the object."""
    return read(id(x) + head).value


@cache
def _routines() -> dict[Any, list[Any]]:
    """The functions for `axpby` and `gemm` by dtype; empty if there is no usable BLAS."""
    from glob import glob  # takes 0.5 ms to import

    if os.environ.get("TENSORGRAD_BLAS") != "0" and sys.implementation.name == "cpython":
        paths = [*glob(f"{np.__path__[0]}.libs/*openblas*"), *glob(f"{np.__path__[0]}/.dylibs/*openblas*")]  # noqa: PTH207
        for path, prefix, suffix in product(paths, ("scipy_", ""), ("64_", "")):
            with suppress(OSError, AttributeError, ArithmeticError):  # not loaded; other names; wrong results
                library = ctypes.CDLL(os.path.realpath(path), ctypes.DEFAULT_MODE | getattr(os, "RTLD_NOLOAD", 0))
                reals = (ctypes.c_float, ctypes.c_double)
                return {np.dtype(real): _tested(library, prefix, suffix, real) for real in reals}
    return {}


def _tested(library: Any, prefix: str, suffix: str, real: Any) -> list[Any]:
    """The two functions for a dtype. Raises ``ArithmeticError`` unless their results are right."""
    letter, size = "s" if real is ctypes.c_float else "d", ctypes.c_int64 if suffix else ctypes.c_int32
    axpby, gemm = pair = [getattr(library, f"{prefix}cblas_{letter}{name}{suffix}") for name in ("axpby", "gemm")]
    vector, enum = [real, ctypes.c_void_p, size], ctypes.c_int
    axpby.argtypes, gemm.argtypes = [size, *vector * 2], [*[enum] * 3, *[size] * 3, *vector, *vector[1:], *vector]
    x, y, c = np.arange(6, dtype=real), np.arange(6, 0, -1, dtype=real), np.ones((2, 2), real)
    gemm(_ROW_MAJOR, _NO_TRANS, _TRANS, 2, 2, 3, 2, x.ctypes.data, 3, y.ctypes.data, 3, 3, c.ctypes.data, 2)
    axpby(6, 2, x.ctypes.data, 1, 3, y.ctypes.data, 1)
    if [_address(x), *y, *c.flat] != [x.ctypes.data, 18, 17, 16, 15, 14, 13, 29, 11, 119, 47]:
        raise ArithmeticError
    return pair
