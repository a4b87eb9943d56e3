"""``y = a * x + b * y`` and ``C = alpha * A @ B + beta * C``, by the OpenBLAS library that is part of NumPy's wheels.

It is looked up and tested at the first call. If it is missing, fails the test, or is disabled by ``TENSORGRAD_BLAS=0``,
NumPy computes the same, with more passes over memory. Results may differ in the last digits, and BLAS issues no
floating-point warnings.
"""

import ctypes
import itertools
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import cache
from typing import Any

import numpy as np

_Reader = Callable[[int], ctypes.c_size_t]
_SMALL = 1_000_000  # multiplications: up to here, OpenBLAS does not copy the matrices first, which is 1.2 times as fast
_ROW_MAJOR, _NO_TRANS, _TRANS = 101, 111, 112  # constants of CBLAS


def enabled() -> bool:
    """Whether BLAS is used; determined once per process."""
    return bool(_routines())


def axpby(a: float, x: Any, b: float, y: Any, scratch: Any = None) -> None:
    """``y = a * x + b * y``, in place. ``scratch``, an array like ``y``, is overwritten; it may be ``x``."""
    # For fewer elements, the calls of NumPy are as fast. Zero factors: 0 * NaN is NaN in NumPy, but 0 in BLAS.
    same_layout = x.shape == y.shape and x.strides == y.strides
    if same_layout and y.size >= 2048 and a and b and (routines := _routines().get(y.dtype)) and _usable(x, y):
        routines[0](y.size, a, _address(x), 1, b, _address(y), 1)
        return
    step = x if a == 1 and not np.may_share_memory(x, y) else np.multiply(x, a, out=scratch)
    np.add(y if b == 1 else np.multiply(y, b, out=y), step, out=y)


def gemm(alpha: float, a: Any, b: Any, beta: float, c: Any) -> None:
    """``c = alpha * a @ b + beta * c`` for matrices, in place. With ``beta=0``, ``c`` is not read."""
    routines, (m, k), n = _routines().get(c.dtype), a.shape, b.shape[1]
    shapes_match = b.shape == (k, n) and c.shape == (m, n) and m * k * n > 0
    if routines and shapes_match and c.flags.c_contiguous and _usable(a, c) and _usable(b, c):
        layouts = [(_NO_TRANS, x.shape[1]) if x.flags.c_contiguous else (_TRANS, len(x)) for x in (a, b)]
        (trans_a, lda), (trans_b, ldb) = layouts
        at_a, at_b, at_c = map(_address, (a, b, c))
        routines[1](_ROW_MAJOR, trans_a, trans_b, m, n, k, alpha, at_a, lda, at_b, ldb, beta, at_c, n)
        return
    np.add(alpha * (a @ b), beta * c if beta else 0, out=c)


def products(terms: Sequence[tuple[Any, Any, Any]]) -> Callable[[], None]:
    """A function that computes ``c += a @ b`` for each ``(a, b, c)``, one after the other.

    These are matrices of one dtype. Their rows are contiguous, but may be apart; ``a`` and ``b`` may be transposed.
    What BLAS needs to know is determined here, so that the function adds only 1 µs to the time of a product.
    """
    routines = _routines().get(terms[0][2].dtype)
    if routines is None or any(0 in (*a.shape, *b.shape) for a, b, _ in terms):

        def by_numpy() -> None:
            for a, b, c in terms:
                np.add(c, a @ b, out=c)

        return by_numpy

    calls, gemm = [], routines[1]
    for a, b, c in itertools.chain.from_iterable(map(_small, terms)):
        (trans_a, lda), (trans_b, ldb), (_, ldc) = map(_layout, (a, b, c))
        at_a, at_b, at_c = map(_address, (a, b, c))
        call = (_ROW_MAJOR, trans_a, trans_b, len(a), b.shape[1], len(b), 1, at_a, lda, at_b, ldb, 1, at_c, ldc)
        calls.append([convert(x) for convert, x in zip(gemm.argtypes, call, strict=True)])

    def by_blas(_used: Any = terms) -> None:  # a reference, so that the arrays are kept
        for call in calls:
            gemm(*call)

    return by_blas


def _small(term: tuple[Any, Any, Any]) -> Iterator[tuple[Any, Any, Any]]:
    """A product in up to three parts that OpenBLAS considers small: of rows, or of the axis that is summed over."""
    a, b, c = term
    rows, depth = a.shape
    longest = max(rows, depth)
    parts = -(-rows * depth * b.shape[1] // _SMALL)
    step = -(-longest // parts) if parts <= 3 else longest  # for larger ones, copies pay
    for part in (slice(start, start + step) for start in range(0, longest, step)):
        yield (a[part], b, c[part]) if rows >= depth else (a[:, part], b[part], c)


def _layout(x: Any) -> tuple[int, int]:
    """Whether BLAS has to transpose a matrix, and the distance of its rows or columns."""
    (rows, columns), (down, across), size = x.shape, x.strides, x.itemsize
    if across == size or columns == 1:  # the distance of columns may be anything if there is only one
        return _NO_TRANS, max(down // size, columns)
    return _TRANS, max(across // size, rows)


def _usable(x: Any, out: Any) -> bool:
    """Whether BLAS can read ``x`` and write to ``out``."""
    fx, fy, same_dtype, small = x.flags, out.flags, x.dtype is out.dtype, x.size < 2**31 > out.size
    contiguous = fx.aligned and fx.forc and fy.behaved and fy.forc
    return same_dtype and small and contiguous and not np.may_share_memory(x, out)


def _address(x: Any, read: _Reader = ctypes.c_size_t.from_address, head: int = object.__basicsize__) -> int:
    """``x.ctypes.data``, but ten times as fast: in NumPy's ABI, the data pointer follows the header of the object."""
    return read(id(x) + head).value


@cache
def _routines() -> dict[Any, list[Any]]:
    """The functions for `axpby` and `gemm` by dtype; empty if there is no usable BLAS."""
    from glob import glob  # takes 0.5 ms to import

    package, found = os.path.dirname(np.__file__), {}  # noqa: PTH120  (pathlib takes 4 ms to import)
    if os.environ.get("TENSORGRAD_BLAS") != "0" and sys.implementation.name == "cpython":
        paths = [*glob(f"{package}/../numpy.libs/*openblas*"), *glob(f"{package}/.dylibs/*openblas*")]  # noqa: PTH207
        for path, prefix, suffix in itertools.product(paths, ("scipy_", ""), ("64_", "")):
            with suppress(OSError, AttributeError, ArithmeticError):  # not loaded; other names; wrong results
                library = ctypes.CDLL(os.path.realpath(path), ctypes.DEFAULT_MODE | getattr(os, "RTLD_NOLOAD", 0))
                for letter, real in (("s", ctypes.c_float), ("d", ctypes.c_double)):
                    pair = [getattr(library, f"{prefix}cblas_{letter}{name}{suffix}") for name in ("axpby", "gemm")]
                    found[np.dtype(real)] = _tested(pair, real, ctypes.c_int64 if suffix else ctypes.c_int32)
                return found
    return {}


def _tested(pair: list[Any], real: Any, size: Any) -> list[Any]:
    """Set the argument types of the two functions. Raise ``ArithmeticError`` unless their results are right."""
    vector, enum = [real, ctypes.c_void_p, size], ctypes.c_int
    pair[0].argtypes, pair[1].argtypes = [size, *vector * 2], [*[enum] * 3, *[size] * 3, *vector, *vector[1:], *vector]
    x, y, c = np.arange(6, dtype=real), np.arange(6, 0, -1, dtype=real), np.ones((2, 2), real)
    pair[1](_ROW_MAJOR, _NO_TRANS, _TRANS, 2, 2, 3, 2, x.ctypes.data, 3, y.ctypes.data, 3, 3, c.ctypes.data, 2)
    pair[0](6, 2, x.ctypes.data, 1, 3, y.ctypes.data, 1)
    if [_address(x), *y, *c.flat] != [x.ctypes.data, 18, 17, 16, 15, 14, 13, 29, 11, 119, 47]:
        raise ArithmeticError
    return pair
